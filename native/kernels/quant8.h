// Tensors quantised blockwise to 8 bits with a table of 256 values, as libbitsandbytes_cpu 0.50.2
// does it; here for the scales of double quantisation and an optimizer's moments.
//
// panatune::quantize_blockwise(Tensor input, Tensor code, int blocksize) -> (Tensor, Tensor absmax)
//   input float32, bfloat16 or float16; code float32 [256], ascending. uint8 of input's shape and
//   float32 [ceil(n / blocksize)].
// panatune::dequantize_blockwise(Tensor input, Tensor absmax, Tensor code, int blocksize,
//                                ScalarType dtype) -> Tensor
// panatune::dynamic_map() -> Tensor
//   bitsandbytes' signed dynamic table.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace panatune {

// Scales of one 4-bit tensor that share a scale of their own. bitsandbytes knows no other size.
constexpr int64_t kNestedBlocksize = 256;

// The scales of a 4-bit tensor as float32: `absmax` itself, or, where it is nested (uint8),
// nested_code[absmax[i]] * nested_absmax[i / 256] + nested_offset.
at::Tensor expand_absmax(const at::Tensor& absmax, const std::optional<at::Tensor>& nested_code,
                         const std::optional<at::Tensor>& nested_absmax,
                         const std::optional<at::Tensor>& nested_offset);

// What quantize_blockwise does, a block at a time.
class Encoder8 {
 public:
  // code: as quantize_blockwise takes it.
  explicit Encoder8(const at::Tensor& code);

  // `count` numbers that share a scale.
  void encode_block(const float* values, int64_t count, uint8_t* codes, float* absmax) const;

 private:
  std::vector<uint8_t> codes_;  // of 65,536 bins over [-1, 1]
};

}  // namespace panatune
