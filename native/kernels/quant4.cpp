#include "quant4.h"

#include <ATen/ATen.h>
#include <torch/library.h>

#include <bit>
#include <tuple>

#include "cpu.h"

namespace panatune {
namespace {

using Quantized = std::tuple<at::Tensor, at::Tensor>;

void check_quant_type(c10::string_view quant_type) {
  TORCH_CHECK(quant_type == "nf4" || quant_type == "fp4", "4-bit quantisation knows \"nf4\" and \"fp4\", not \"",
              quant_type, "\"");
}

void check_code(const at::Tensor& code) {
  TORCH_CHECK(code.scalar_type() == at::kFloat && code.dim() == 1 && code.size(0) == kCodes4,
              "the code table of a 4-bit tensor must be float32 [16], got ", code.scalar_type(), " ", code.sizes());
}

void check_quantizable(const at::Tensor& input) {
  const auto dtype = input.scalar_type();
  TORCH_CHECK(dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kHalf,
              "4-bit quantisation reads float32, bfloat16 and float16, got ", dtype, " ", input.sizes());
}

void check_packed(const at::Tensor& packed, const at::Tensor& absmax, const at::Tensor& code, int64_t blocksize,
                  int64_t count) {
  check_blocksize_4bit(blocksize);
  check_code(code);
  TORCH_CHECK(packed.scalar_type() == at::kByte && packed.numel() == (count + 1) / 2, "a 4-bit tensor of ", count,
              " elements is packed in ", (count + 1) / 2, " bytes of uint8, got ", packed.scalar_type(), " ",
              packed.sizes());
  const int64_t blocks = (count + blocksize - 1) / blocksize;
  TORCH_CHECK(absmax.scalar_type() == at::kFloat && absmax.numel() == blocks, "a 4-bit tensor of ", count,
              " elements in blocks of ", blocksize, " has ", blocks, " scales of float32, got ", absmax.scalar_type(),
              " ", absmax.sizes());
}

int64_t elements(at::IntArrayRef shape) {
  int64_t count = 1;
  for (const int64_t size : shape) {
    int64_t next = 0;
    TORCH_CHECK(size >= 0 && !__builtin_mul_overflow(count, size, &next), "a 4-bit tensor cannot have the shape ",
                shape);
    count = next;
  }
  return count;
}

// The same arithmetic in plain operations, for other devices.
Quantized quantize_composite(const at::Tensor& input, const at::Tensor& code, int64_t blocksize,
                             c10::string_view quant_type) {
  check_quant_type(quant_type);
  check_blocksize_4bit(blocksize);
  check_code(code);
  check_quantizable(input);
  const at::Tensor order = at::argsort(code, /*stable=*/true);
  const at::Tensor sorted = code.index_select(0, order);
  const at::Tensor midpoints = (sorted.slice(0, 0, -1) + sorted.slice(0, 1)) / 2;
  const at::Tensor flat = input.reshape(-1).to(at::kFloat);
  const int64_t full = flat.numel() / blocksize * blocksize;
  const at::Tensor blocks = flat.slice(0, 0, full).reshape({full / blocksize, blocksize});
  at::Tensor absmax = blocks.abs().amax(-1);
  const at::Tensor reciprocal = absmax.clamp_min(kSmallestScale4).reciprocal().unsqueeze(-1);
  at::Tensor scaled = (blocks * reciprocal).reshape(-1);
  if (full < flat.numel()) {
    const at::Tensor tail = flat.slice(0, full);
    const at::Tensor scale = tail.abs().amax().clamp_min(kSmallestScale4);
    absmax = at::cat({absmax, scale.unsqueeze(0)});
    scaled = at::cat({scaled, tail / scale});
  }
  scaled = at::constant_pad_nd(scaled, {0, flat.numel() % 2});
  const at::Tensor codes = order.index_select(0, at::bucketize(scaled, midpoints)).to(at::kByte);
  const at::Tensor pairs = codes.reshape({-1, 2});
  return {pairs.select(1, 0).mul(16).add(pairs.select(1, 1)).unsqueeze(1), absmax};
}

Quantized quantize(const at::Tensor& input, const at::Tensor& code, int64_t blocksize, c10::string_view quant_type) {
  if (!fused_kernels(input.scalar_type())) {
    return quantize_composite(input, code, blocksize, quant_type);
  }
  check_quant_type(quant_type);
  check_blocksize_4bit(blocksize);
  check_code(code);
  const int64_t count = input.numel();
  const at::Tensor values = input.contiguous();
  const at::Tensor table = code.contiguous();
  at::Tensor packed = at::empty({(count + 1) / 2, 1}, input.options().dtype(at::kByte));
  at::Tensor absmax = at::empty({(count + blocksize - 1) / blocksize}, input.options().dtype(at::kFloat));
  encode_4bit(values, table.const_data_ptr<float>(), blocksize, packed.mutable_data_ptr<uint8_t>(),
              absmax.mutable_data_ptr<float>());
  return {packed, absmax};
}

at::Tensor dequantize_composite(const at::Tensor& packed, const at::Tensor& absmax, const at::Tensor& code,
                                int64_t blocksize, c10::string_view quant_type, at::IntArrayRef shape,
                                at::ScalarType dtype) {
  check_quant_type(quant_type);
  const int64_t count = elements(shape);
  check_packed(packed, absmax, code, blocksize, count);
  const at::Tensor bytes = packed.reshape(-1);
  const at::Tensor codes = at::stack({bytes.bitwise_right_shift(4), bytes.bitwise_and(15)}, 1);
  const at::Tensor indices = codes.reshape(-1).slice(0, 0, count).to(at::kInt);
  const at::Tensor scales = absmax.reshape(-1).repeat_interleave(blocksize).slice(0, 0, count);
  return (code.index_select(0, indices) * scales).reshape(shape).to(dtype);
}

at::Tensor dequantize(const at::Tensor& packed, const at::Tensor& absmax, const at::Tensor& code, int64_t blocksize,
                      c10::string_view quant_type, at::IntArrayRef shape, at::ScalarType dtype) {
  if (!fused_kernels(dtype)) {
    return dequantize_composite(packed, absmax, code, blocksize, quant_type, shape, dtype);
  }
  check_quant_type(quant_type);
  const at::Tensor bytes = packed.contiguous();
  const at::Tensor scales = absmax.contiguous();
  const at::Tensor table = code.contiguous();
  const Packed4bit source = view_4bit(bytes, scales, table, blocksize, elements(shape));
  at::Tensor out = at::empty(shape, packed.options().dtype(dtype));
  decode_4bit(source, dtype, out);
  return out;
}

}  // namespace

void check_blocksize_4bit(int64_t blocksize) {
  TORCH_CHECK(blocksize >= 32 && blocksize <= kLargestBlock4 && std::has_single_bit(static_cast<uint64_t>(blocksize)),
              "the blocksize of a 4-bit tensor must be 32, 64, 128, 256, 512, 1024, 2048 or 4096, ", "got ", blocksize);
}

Packed4bit view_4bit(const at::Tensor& packed, const at::Tensor& absmax, const at::Tensor& code, int64_t blocksize,
                     int64_t count) {
  check_packed(packed, absmax, code, blocksize, count);
  TORCH_INTERNAL_ASSERT(packed.is_contiguous() && absmax.is_contiguous() && code.is_contiguous());
  return {packed.const_data_ptr<uint8_t>(), absmax.const_data_ptr<float>(), code.const_data_ptr<float>(), blocksize,
          count};
}

at::Tensor dequantize_4bit(const at::Tensor& packed, const at::Tensor& absmax, const at::Tensor& code,
                           int64_t blocksize, at::IntArrayRef shape, at::ScalarType dtype) {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("panatune::dequantize_4bit", "").typed<decltype(dequantize)>();
  return op.call(packed, absmax, code, blocksize, "nf4", shape, dtype);
}

}  // namespace panatune

TORCH_LIBRARY_FRAGMENT(panatune, m) {
  m.def(
      "quantize_4bit(Tensor input, Tensor code, int blocksize, str quant_type) -> "
      "(Tensor packed, Tensor absmax)");
  m.def(
      "dequantize_4bit(Tensor packed, Tensor absmax, Tensor code, int blocksize, str quant_type, "
      "int[] shape, ScalarType dtype) -> Tensor");
}
TORCH_LIBRARY_IMPL(panatune, CPU, m) {
  m.impl("quantize_4bit", panatune::quantize);
  m.impl("dequantize_4bit", panatune::dequantize);
}
TORCH_LIBRARY_IMPL(panatune, CompositeExplicitAutograd, m) {
  m.impl("quantize_4bit", panatune::quantize_composite);
  m.impl("dequantize_4bit", panatune::dequantize_composite);
}
