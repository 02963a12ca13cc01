// A few rows of input (decoding) times a weight in 4 bits as it is stored: the codes are looked up in registers, and
// the products with a block's codes are summed before its scale is applied. Sums and weight values are fp32; the values
// are not rounded to the compute type, as they are where a whole weight is decoded.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "quant8.h"

namespace panatune {

// A 4-bit weight [rows, cols] on the CPU, borrowed, its scales as they are stored.
struct Weight4 {
  // Elements that the loops take at a time: they share a scale.
  static constexpr int64_t kBlock = 64;

  const uint8_t* codes;
  const float* table;
  int block_bits;       // the blocksize is 2 to their power
  const float* absmax;  // null where the scales are nested (see quant8.h)
  const uint8_t* nested_absmax;
  const float* nested_code;
  const float* nested_scale;
  float nested_offset;
  int64_t cols;

  // Whether rows are whole blocks: what few_rows4 takes.
  static bool fits(int64_t cols, int64_t blocksize) {
    return cols > 0 && cols % kBlock == 0 && blocksize % kBlock == 0;
  }

  float scale(int64_t element) const {
    const int64_t block = element >> block_bits;
    return nested_absmax == nullptr
               ? absmax[block]
               : nested_code[nested_absmax[block]] * nested_scale[block / uint64_t{kNestedBlocksize}] + nested_offset;
  }
};

// Views the parts of a 4-bit weight, as linear_4bit takes them, of a shape that fits; they must be contiguous.
Weight4 view_weight4(const at::Tensor& packed, const at::Tensor& absmax, const std::optional<at::Tensor>& nested_code,
                     const std::optional<at::Tensor>& nested_absmax, const std::optional<at::Tensor>& nested_offset,
                     const at::Tensor& code, int64_t rows, int64_t cols, int64_t blocksize);

// Puts a row of input into the order in which few_rows4 reads it: of each block, the elements of even places, whose
// codes are in the high halves of bytes, and then those of odd places.
void order_for_codes(const float* row, int64_t cols, float* out);

// out[m * columns + n] = sum over k of x[m, k] weight[n, k] for `count` rows of x, ordered, and the rows n of the
// weight from `begin` to `end`.
void few_rows4(const Weight4& weight, const float* x, int64_t count, float* out, int64_t columns, int64_t begin,
               int64_t end);

}  // namespace panatune
