#include "gguf.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <c10/util/Half.h>
#include <c10/util/safe_numerics.h>
#include <torch/library.h>

#include <cstring>
#include <type_traits>

namespace panatune {
namespace {

// What a thread should at least have to do, as in ATen's own kernels.
constexpr int64_t grain_elements = 32768;

float half_at(const uint8_t* bytes) {
  uint16_t bits;
  std::memcpy(&bits, bytes, sizeof(bits));
  return c10::Half(bits, c10::Half::from_bits());
}

// Each type has a struct: its number in the file, elements and bytes of a block, and how one block is decoded. The
// order of the operations is that of the Python package: (d * scale) * q - (dmin * min), every step rounded to fp32.

// 32 elements of 4 bits: the low halves of the 16 bytes, then the high halves.
inline int nibble(const uint8_t* bytes, int element) {
  return element < 16 ? bytes[element] & 0x0f : bytes[element - 16] >> 4;
}

struct Q4_0 {
  static constexpr int64_t id = 2, elements = 32, bytes = 18;

  static void decode(const uint8_t* block, float* out) {
    const float d = half_at(block);
    for (int i = 0; i < elements; ++i) {
      out[i] = d * static_cast<float>(nibble(block + 2, i) - 8);
    }
  }
};

struct Q4_1 {
  static constexpr int64_t id = 3, elements = 32, bytes = 20;

  static void decode(const uint8_t* block, float* out) {
    const float d = half_at(block);
    const float m = half_at(block + 2);
    for (int i = 0; i < elements; ++i) {
      out[i] = d * static_cast<float>(nibble(block + 4, i)) + m;
    }
  }
};

// The fifth bits of 32 elements lie in 4 bytes, the first element's lowest.
inline int fifth_bit(const uint8_t* bytes, int element) { return (bytes[element / 8] >> (element % 8) & 1) << 4; }

struct Q5_0 {
  static constexpr int64_t id = 6, elements = 32, bytes = 22;

  static void decode(const uint8_t* block, float* out) {
    const float d = half_at(block);
    for (int i = 0; i < elements; ++i) {
      out[i] = d * static_cast<float>((nibble(block + 6, i) | fifth_bit(block + 2, i)) - 16);
    }
  }
};

struct Q5_1 {
  static constexpr int64_t id = 7, elements = 32, bytes = 24;

  static void decode(const uint8_t* block, float* out) {
    const float d = half_at(block);
    const float m = half_at(block + 2);
    for (int i = 0; i < elements; ++i) {
      out[i] = d * static_cast<float>(nibble(block + 8, i) | fifth_bit(block + 4, i)) + m;
    }
  }
};

struct Q8_0 {
  static constexpr int64_t id = 8, elements = 32, bytes = 34;

  static void decode(const uint8_t* block, float* out) {
    const float d = half_at(block);
    for (int i = 0; i < elements; ++i) {
      out[i] = static_cast<float>(static_cast<int8_t>(block[2 + i])) * d;
    }
  }
};

// The values that the codes of IQ4_NL and IQ4_XS stand for, closer together around zero.
constexpr int8_t iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

struct IQ4_NL {
  static constexpr int64_t id = 20, elements = 32, bytes = 18;

  static void decode(const uint8_t* block, float* out) {
    const float d = half_at(block);
    for (int i = 0; i < elements; ++i) {
      out[i] = d * static_cast<float>(iq4_values[nibble(block + 2, i)]);
    }
  }
};

struct IQ4_XS {
  static constexpr int64_t id = 23, elements = 256, bytes = 136;

  static void decode(const uint8_t* block, float* out) {
    const uint8_t* high_scales = block + 2;
    const uint8_t* low_scales = block + 4;
    const float d = half_at(block);
    for (int group = 0; group < 8; ++group) {  // of 32 elements, each with a scale of four low and two high bits
      const int low = low_scales[group / 2] >> (group % 2 * 4) & 0x0f;
      const int high = high_scales[group / 4] >> (group % 4 * 2) & 3;
      const float scale = d * static_cast<float>((low | high << 4) - 32);
      for (int i = 0; i < 32; ++i) {
        out[group * 32 + i] = scale * static_cast<float>(iq4_values[nibble(block + 8 + group * 16, i)]);
      }
    }
  }
};

struct Q2_K {
  static constexpr int64_t id = 10, elements = 256, bytes = 84;

  static void decode(const uint8_t* block, float* out) {
    const uint8_t* scales = block;
    const uint8_t* codes = block + 16;
    const float d = half_at(block + 80);
    const float dmin = half_at(block + 82);
    for (int group = 0; group < 16; ++group) {  // of 16 elements; 8 groups share 32 bytes
      const float scale = d * static_cast<float>(scales[group] & 0x0f);
      const float min = dmin * static_cast<float>(scales[group] >> 4);
      const uint8_t* from = codes + group / 8 * 32 + group % 2 * 16;
      const int shift = group % 8 / 2 * 2;
      for (int i = 0; i < 16; ++i) {
        out[group * 16 + i] = scale * static_cast<float>(from[i] >> shift & 3) - min;
      }
    }
  }
};

struct Q3_K {
  static constexpr int64_t id = 11, elements = 256, bytes = 110;

  static void decode(const uint8_t* block, float* out) {
    const uint8_t* high = block;
    const uint8_t* codes = block + 32;
    const uint8_t* scales = block + 96;
    const float d = half_at(block + 108);
    for (int group = 0; group < 16; ++group) {
      const int low_scale = group < 8 ? scales[group] & 0x0f : scales[group - 8] >> 4;
      const int high_scale = scales[8 + group % 4] >> (group / 4 * 2) & 3;
      const float scale = d * static_cast<float>((low_scale | high_scale << 4) - 32);
      const uint8_t* from = codes + group / 8 * 32 + group % 2 * 16;
      const uint8_t* high_from = high + group % 2 * 16;
      const int shift = group % 8 / 2 * 2;
      for (int i = 0; i < 16; ++i) {
        // A cleared bit takes 4 away.
        const int offset = high_from[i] >> (group / 2) & 1 ? 0 : 4;
        out[group * 16 + i] = scale * static_cast<float>((from[i] >> shift & 3) - offset);
      }
    }
  }
};

// The eight 6-bit scales and minimums of Q4_K and Q5_K in 12 bytes: the first four of each in the low six bits of bytes
// 0-3 and 4-7; of the other four the low halves in bytes 8-11 and the two top bits in the top bits of the first eight.
struct ScaleMin {
  float scale, min;

  ScaleMin(const uint8_t* packed, int group, float d, float dmin) {
    int s, m;
    if (group < 4) {
      s = packed[group] & 0x3f;
      m = packed[group + 4] & 0x3f;
    } else {
      s = (packed[group + 4] & 0x0f) | (packed[group - 4] >> 2 & 0x30);
      m = packed[group + 4] >> 4 | (packed[group] >> 2 & 0x30);
    }
    scale = d * static_cast<float>(s);
    min = dmin * static_cast<float>(m);
  }
};

struct Q4_K {
  static constexpr int64_t id = 12, elements = 256, bytes = 144;

  static void decode(const uint8_t* block, float* out) {
    const float d = half_at(block);
    const float dmin = half_at(block + 2);
    for (int group = 0; group < 8; ++group) {
      const ScaleMin of(block + 4, group, d, dmin);
      const uint8_t* from = block + 16 + group / 2 * 32;
      const int shift = group % 2 * 4;
      for (int i = 0; i < 32; ++i) {
        out[group * 32 + i] = of.scale * static_cast<float>(from[i] >> shift & 0x0f) - of.min;
      }
    }
  }
};

struct Q5_K {
  static constexpr int64_t id = 13, elements = 256, bytes = 176;

  static void decode(const uint8_t* block, float* out) {
    const float d = half_at(block);
    const float dmin = half_at(block + 2);
    const uint8_t* high = block + 16;
    for (int group = 0; group < 8; ++group) {
      const ScaleMin of(block + 4, group, d, dmin);
      const uint8_t* from = block + 48 + group / 2 * 32;
      const int shift = group % 2 * 4;
      for (int i = 0; i < 32; ++i) {
        const int code = (from[i] >> shift & 0x0f) | (high[i] >> group & 1) << 4;
        out[group * 32 + i] = of.scale * static_cast<float>(code) - of.min;
      }
    }
  }
};

struct Q6_K {
  static constexpr int64_t id = 14, elements = 256, bytes = 210;

  static void decode(const uint8_t* block, float* out) {
    const uint8_t* low = block;
    const uint8_t* high = block + 128;
    const auto* scales = reinterpret_cast<const int8_t*>(block + 192);
    const float d = half_at(block + 208);
    for (int group = 0; group < 16; ++group) {  // of 16 elements; 8 groups share 64 low and 32 high bytes
      const float scale = d * static_cast<float>(scales[group]);
      const uint8_t* low_from = low + group / 8 * 64 + group % 4 * 16;
      const uint8_t* high_from = high + group / 8 * 32 + group % 2 * 16;
      const int low_shift = group % 8 / 4 * 4;
      const int high_shift = group % 8 / 2 * 2;
      for (int i = 0; i < 16; ++i) {
        const int code = (low_from[i] >> low_shift & 0x0f) | (high_from[i] >> high_shift & 3) << 4;
        out[group * 16 + i] = scale * static_cast<float>(code - 32);
      }
    }
  }
};

int64_t elements_of(at::IntArrayRef shape) {
  uint64_t count = 1;
  bool overflow = false;
  for (const int64_t size : shape) {
    overflow |= size < 0 || c10::mul_overflows(count, static_cast<uint64_t>(size), &count);
  }
  TORCH_CHECK(!overflow && count <= static_cast<uint64_t>(INT64_MAX), "panatune::dequantize_gguf: impossible shape ",
              shape);
  return static_cast<int64_t>(count);
}

void check_size(const at::Tensor& blocks, at::IntArrayRef shape, int64_t elements, int64_t bytes) {
  const int64_t row = shape.empty() ? 1 : shape.back();
  TORCH_CHECK(row % elements == 0, "panatune::dequantize_gguf: the rows of shape ", shape,
              " are no multiple of the type's block of ", elements);
  const int64_t count = elements_of(shape) / elements;
  TORCH_CHECK(blocks.numel() % bytes == 0 && blocks.numel() / bytes == count,
              "panatune::dequantize_gguf: ", blocks.numel(), " bytes are given, but shape ", shape, " has ", count,
              " blocks of ", bytes, " bytes");
}

template <typename Type, typename Out>
void decode_blocks(const uint8_t* from, Out* to, int64_t begin, int64_t end) {
  float decoded[Type::elements];
  for (int64_t block = begin; block < end; ++block) {
    Out* out = to + block * Type::elements;
    if constexpr (std::is_same_v<Out, float>) {
      Type::decode(from + block * Type::bytes, out);
    } else {
      Type::decode(from + block * Type::bytes, decoded);
      for (int i = 0; i < Type::elements; ++i) {
        out[i] = static_cast<Out>(decoded[i]);
      }
    }
  }
}

template <typename Type>
at::Tensor decode_tensor(const at::Tensor& blocks, at::IntArrayRef shape, at::ScalarType dtype) {
  check_size(blocks, shape, Type::elements, Type::bytes);
  at::Tensor result = at::empty(shape, blocks.options().dtype(dtype));
  const auto* from = blocks.const_data_ptr<uint8_t>();
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, dtype, "panatune::dequantize_gguf", [&] {
    auto* to = result.mutable_data_ptr<scalar_t>();
    const int64_t grain = grain_elements / Type::elements;
    at::parallel_for(0, blocks.numel() / Type::bytes, grain,
                     [&](int64_t begin, int64_t end) { decode_blocks<Type, scalar_t>(from, to, begin, end); });
  });
  return result;
}

// The bytes are plain numbers already; copied first, because they need not be aligned.
at::Tensor copy_numbers(const at::Tensor& blocks, at::IntArrayRef shape, at::ScalarType stored, at::ScalarType dtype) {
  check_size(blocks, shape, 1, static_cast<int64_t>(c10::elementSize(stored)));
  at::Tensor numbers = at::empty(shape, blocks.options().dtype(stored));
  if (blocks.numel() > 0) {
    std::memcpy(numbers.mutable_data_ptr(), blocks.const_data_ptr(), numbers.nbytes());
  }
  return numbers.to(dtype);
}

}  // namespace

at::Tensor dequantize_gguf(const at::Tensor& blocks, int64_t ggml_type, at::IntArrayRef shape, at::ScalarType dtype) {
  TORCH_CHECK(blocks.scalar_type() == at::kByte && blocks.is_contiguous(),
              "panatune::dequantize_gguf: blocks must be contiguous uint8, not ", blocks.scalar_type());
  TORCH_CHECK(at::isFloatingType(dtype), "panatune::dequantize_gguf: cannot dequantise to ", dtype);
  switch (ggml_type) {
    case 0:
      return copy_numbers(blocks, shape, at::kFloat, dtype);
    case 1:
      return copy_numbers(blocks, shape, at::kHalf, dtype);
    case 30:
      return copy_numbers(blocks, shape, at::kBFloat16, dtype);
    case Q4_0::id:
      return decode_tensor<Q4_0>(blocks, shape, dtype);
    case Q4_1::id:
      return decode_tensor<Q4_1>(blocks, shape, dtype);
    case Q5_0::id:
      return decode_tensor<Q5_0>(blocks, shape, dtype);
    case Q5_1::id:
      return decode_tensor<Q5_1>(blocks, shape, dtype);
    case Q8_0::id:
      return decode_tensor<Q8_0>(blocks, shape, dtype);
    case Q2_K::id:
      return decode_tensor<Q2_K>(blocks, shape, dtype);
    case Q3_K::id:
      return decode_tensor<Q3_K>(blocks, shape, dtype);
    case Q4_K::id:
      return decode_tensor<Q4_K>(blocks, shape, dtype);
    case Q5_K::id:
      return decode_tensor<Q5_K>(blocks, shape, dtype);
    case Q6_K::id:
      return decode_tensor<Q6_K>(blocks, shape, dtype);
    case IQ4_NL::id:
      return decode_tensor<IQ4_NL>(blocks, shape, dtype);
    case IQ4_XS::id:
      return decode_tensor<IQ4_XS>(blocks, shape, dtype);
    default:
      TORCH_CHECK(false, "panatune::dequantize_gguf: type ", ggml_type, " is not supported");
  }
}

TORCH_LIBRARY_FRAGMENT(panatune, m) {
  m.def("dequantize_gguf(Tensor blocks, int ggml_type, int[] shape, ScalarType dtype) -> Tensor");
}

TORCH_LIBRARY_IMPL(panatune, CPU, m) { m.impl("dequantize_gguf", &dequantize_gguf); }

}  // namespace panatune
