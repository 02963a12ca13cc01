// A matrix product in fp32 with a weight whose rows are made as they are needed: widened from half precision, or
// decoded from 4 bits.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace panatune {

// Writes the elements [column, column + count) of a weight's row to `out`. Called by several threads at once.
using RowReader = std::function<void(int64_t row, int64_t column, int64_t count, float* out)>;

// x [M, K] times the transpose of a weight [N, K] of so many `rows`, plus bias [N] where it is defined: [M, N], rounded
// once to `result`. x is float32, bfloat16 or float16, and so is `result`.
//
// A few rows of the weight at a time are in fp32, in the second cache, and a multiply-add takes them from there: no
// wide copy of the weight passes through memory. Sums are the same for any number of threads.
at::Tensor multiply_rows(const at::Tensor& x, int64_t rows, const RowReader& read, const at::Tensor& bias,
                         at::ScalarType result);

}  // namespace panatune
