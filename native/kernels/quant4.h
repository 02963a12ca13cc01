// Tensors quantised to 4 bits (NF4, FP4): two codes a byte, the first in the high nibble,
// row-major, and one scale for every `blocksize` elements. Bit for bit as bitsandbytes 0.50.2 has
// them on a CPU.
//
// panatune::quantize_4bit(Tensor input, Tensor code, int blocksize, str quant_type)
//     -> (Tensor packed, Tensor absmax)
//   input float32, bfloat16 or float16 of any shape with n elements; code float32 [16]; blocksize a
//   power of two from 32 to 4096. packed is uint8 [ceil(n / 2), 1], absmax float32 [ceil(n /
//   blocksize)].
// panatune::dequantize_4bit(Tensor packed, Tensor absmax, Tensor code, int blocksize, str
// quant_type,
//                           int[] shape, ScalarType dtype) -> Tensor
//   float32, bfloat16 or float16 (float64 too, of the float32 values).
// The code table decides; quant_type ("nf4", "fp4") is only checked.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace panatune {

constexpr int64_t kCodes4 = 16;
constexpr int64_t kLargestBlock4 = 4096;

// A smaller scale is taken as this: a block of zeros must give the code of zero, not NaN.
constexpr float kSmallestScale4 = 1e-38F;

// The parts of a 4-bit tensor on the CPU, borrowed.
struct Packed4bit {
  const uint8_t* codes;
  const float* absmax;
  const float* table;  // kCodes4 values
  int64_t blocksize;
  int64_t count;
};

// Throws unless `blocksize` is one that bitsandbytes accepts for 4 bits.
void check_blocksize_4bit(int64_t blocksize);

// Checks the parts of a 4-bit tensor of `count` elements against each other. They must be
// contiguous.
Packed4bit view_4bit(const at::Tensor& packed, const at::Tensor& absmax, const at::Tensor& code, int64_t blocksize,
                     int64_t count);

// Encodes contiguous float32, bfloat16 or float16 on the CPU: ceil(n / 2) bytes, a scale a block.
void encode_4bit(const at::Tensor& values, const float* table, int64_t blocksize, uint8_t* packed, float* absmax);

// Decodes the elements [first, first + count) on the calling thread, rounded to `compute`: a float type but float64.
void decode_4bit(const Packed4bit& source, int64_t first, int64_t count, at::ScalarType compute, float* out);

// The same, where they are stored as what they are rounded to; `compute` must be that type.
void decode_4bit(const Packed4bit& source, int64_t first, int64_t count, at::ScalarType compute, c10::BFloat16* out);
void decode_4bit(const Packed4bit& source, int64_t first, int64_t count, at::ScalarType compute, c10::Half* out);

// Decodes all elements in parallel into `out`. Values are rounded to `compute`, then stored in
// out's dtype: float32 there lets the numbers of a bf16 weight feed an fp32 GEMM unchanged.
void decode_4bit(const Packed4bit& source, at::ScalarType compute, at::Tensor& out);

// The operator, whatever the type of 4 bits.
at::Tensor dequantize_4bit(const at::Tensor& packed, const at::Tensor& absmax, const at::Tensor& code,
                           int64_t blocksize, at::IntArrayRef shape, at::ScalarType dtype);

}  // namespace panatune
