// panatune::linear_4bit(Tensor input, Tensor packed, Tensor absmax, Tensor? nested_code, Tensor? nested_absmax,
//                       Tensor? nested_offset, Tensor code, Tensor? bias, int rows, int cols, int blocksize,
//                       ScalarType compute_dtype) -> Tensor
//
// input [..., cols] times the transposed 4-bit weight [rows, cols], plus bias [rows]: [..., rows] in input's dtype.
// The product is computed in compute_dtype: input is cast to it, weight values are rounded to it, the sum runs in fp32
// (fp64 for float64) and is rounded to it once. The weight is decoded for the call alone, a piece at a time where
// products run in fp32, again in the backward pass; up to 8 rows of input read the codes in place, and their values
// stay in fp32 (few_rows4.h). nested_* are given where absmax is uint8. Autocast casts input and bias to the autocast
// dtype and computes in it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace panatune {

at::Tensor linear_4bit(const at::Tensor& input, const at::Tensor& packed, const at::Tensor& absmax,
                       const std::optional<at::Tensor>& nested_code, const std::optional<at::Tensor>& nested_absmax,
                       const std::optional<at::Tensor>& nested_offset, const at::Tensor& code,
                       const std::optional<at::Tensor>& bias, int64_t rows, int64_t cols, int64_t blocksize,
                       at::ScalarType compute_dtype);

// The gradient of input, from that of the output: gradient [..., rows] times the weight, [..., cols].
at::Tensor linear_4bit_backward(const at::Tensor& gradient, const at::Tensor& packed, const at::Tensor& absmax,
                                const std::optional<at::Tensor>& nested_code,
                                const std::optional<at::Tensor>& nested_absmax,
                                const std::optional<at::Tensor>& nested_offset, const at::Tensor& code, int64_t rows,
                                int64_t cols, int64_t blocksize, at::ScalarType compute_dtype);

}  // namespace panatune
