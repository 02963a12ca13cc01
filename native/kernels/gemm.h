// The matrix product that is fast on this CPU for the dtype (see cpu.h for the choice).
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace panatune {

// a [M, K] times b [K, N], of any strides (a transposed weight is b = weight.t()), to [M, N].
//
// Same dtype and a GEMM that is fast for it: at::mm. Otherwise, and for operands of mixed floating
// dtypes, the sum runs in fp32, and the result is rounded once to `result`: over a half-precision
// weight's rows in cache (row_product.h), else over panels of scratch of a few MB. Up to 8 rows times
// a row-major weight (decoding) read the weight in place instead.
// No autograd. Other devices than the CPU: at::mm in `result`'s dtype.
at::Tensor matmul_compute(const at::Tensor& a, const at::Tensor& b, at::ScalarType result);

// The same, in a's dtype.
at::Tensor matmul_compute(const at::Tensor& a, const at::Tensor& b);

// The same plus a bias [N], where there is one, before the one rounding.
at::Tensor matmul_compute(const at::Tensor& a, const at::Tensor& b, const std::optional<at::Tensor>& bias);

// accumulator [M, N], fp32, += a times b. For sums over chunks that must not be rounded in between.
void matmul_accumulate(at::Tensor& accumulator, const at::Tensor& a, const at::Tensor& b);

}  // namespace panatune
