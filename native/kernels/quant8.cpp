// libbitsandbytes_cpu does not look for the nearest value: it rounds x / absmax to one of 65,536
// bins over [-1, 1] and takes the value nearest to the bin. Its compiler fused the last
// multiplication and addition of the bin's number, so std::fma stands here. A block of zeros gets
// code 0, NaN the code of the first bin; the block's maximum ignores NaN. Compiled with
// -ffp-contract=off: everything else must stay unfused.
#include "quant8.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>
#include <vector>

#include "simd.h"

namespace panatune {
namespace {

using Quantized = std::tuple<at::Tensor, at::Tensor>;

constexpr int64_t kCodes8 = 256;
constexpr int kBins = 65536;
constexpr int64_t kGrainElements = 32768;

std::vector<uint8_t> codes_of_bins(const float* table) {
  std::array<float, kCodes8 - 1> midpoints;
  for (int i = 0; i + 1 < kCodes8; ++i) {
    midpoints[i] = 0.5F * (table[i] + table[i + 1]);
  }
  std::vector<uint8_t> codes(kBins);
  int code = 0;
  for (int bin = 0; bin < kBins; ++bin) {
    const float value = -1.0F + (2.0F * static_cast<float>(bin)) / (kBins - 1);
    while (code < kCodes8 - 1 && midpoints[code] < value) {
      ++code;
    }
    codes[bin] = static_cast<uint8_t>(code);
  }
  return codes;
}

PANATUNE_INLINE int bin_of(float value) {
  if (!(value >= -1.0F)) {  // NaN included
    return 0;
  }
  const float share = (std::min(value, 1.0F) + 1.0F) * 0.5F;
  return static_cast<int>(std::fma(share, static_cast<float>(kBins - 1), 0.5F));
}

// One block. Dispatched for its std::fma alone, which is one instruction where the CPU has it.
struct EncodeBlock {
  template <int W, typename T>
  PANATUNE_INLINE static void run(const uint8_t* codes, const T* x, int64_t n, uint8_t* out, float* absmax) {
    float largest = 0;
    for (int64_t i = 0; i < n; ++i) {
      const float magnitude = std::fabs(static_cast<float>(x[i]));
      largest = largest < magnitude ? magnitude : largest;
    }
    *absmax = largest;
    const float reciprocal = 1.0F / largest;
    for (int64_t i = 0; i < n; ++i) {
      out[i] = largest == 0 ? 0 : codes[bin_of(static_cast<float>(x[i]) * reciprocal)];
    }
  }
};

template <typename T>
void encode(const T* x, int64_t count, const float* table, int64_t blocksize, uint8_t* out, float* absmax) {
  const std::vector<uint8_t> codes = codes_of_bins(table);
  const int64_t blocks = (count + blocksize - 1) / blocksize;
  const int64_t grain = std::max<int64_t>(1, kGrainElements / blocksize);
  at::parallel_for(0, blocks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * blocksize;
      const int64_t n = std::min(blocksize, count - first);
      simd::dispatch<EncodeBlock>(codes.data(), x + first, n, out + first, absmax + block);
    }
  });
}

void check_table(const at::Tensor& code) {
  TORCH_CHECK(code.scalar_type() == at::kFloat && code.dim() == 1 && code.size(0) == kCodes8,
              "the code table of an 8-bit blockwise tensor must be float32 [256], got ", code.scalar_type(), " ",
              code.sizes());
}

void check_blocksize(int64_t blocksize) {
  TORCH_CHECK(blocksize > 0, "the blocksize of an 8-bit blockwise tensor must be positive, got ", blocksize);
}

void check_input(const at::Tensor& input) {
  const auto dtype = input.scalar_type();
  TORCH_CHECK(dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kHalf,
              "8-bit blockwise quantisation reads float32, bfloat16 and float16, got ", dtype, " ", input.sizes());
}

void check_encoded(const at::Tensor& input, const at::Tensor& absmax, int64_t blocksize) {
  TORCH_CHECK(input.scalar_type() == at::kByte, "an 8-bit blockwise tensor is uint8, got ", input.scalar_type(), " ",
              input.sizes());
  const int64_t blocks = (input.numel() + blocksize - 1) / blocksize;
  TORCH_CHECK(absmax.scalar_type() == at::kFloat && absmax.numel() == blocks, "an 8-bit blockwise tensor of ",
              input.numel(), " elements in blocks of ", blocksize, " has ", blocks, " scales of float32, got ",
              absmax.scalar_type(), " ", absmax.sizes());
}

Quantized quantize(const at::Tensor& input, const at::Tensor& code, int64_t blocksize) {
  check_table(code);
  check_blocksize(blocksize);
  check_input(input);
  const at::Tensor values = input.contiguous();
  const at::Tensor table = code.contiguous();
  at::Tensor out = at::empty(input.sizes(), input.options().dtype(at::kByte));
  at::Tensor absmax = at::empty({(input.numel() + blocksize - 1) / blocksize}, input.options().dtype(at::kFloat));
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, values.scalar_type(), "quantize_blockwise", [&] {
    encode(values.const_data_ptr<scalar_t>(), values.numel(), table.const_data_ptr<float>(), blocksize,
           out.mutable_data_ptr<uint8_t>(), absmax.mutable_data_ptr<float>());
  });
  return {out, absmax};
}

// Rows of `blocksize`, the last one filled up with zeros.
at::Tensor as_blocks(const at::Tensor& flat, int64_t blocksize) {
  const int64_t missing = (blocksize - flat.numel() % blocksize) % blocksize;
  return at::constant_pad_nd(flat, {0, missing}).reshape({-1, blocksize});
}

Quantized quantize_composite(const at::Tensor& input, const at::Tensor& code, int64_t blocksize) {
  check_table(code);
  check_blocksize(blocksize);
  check_input(input);
  const at::Tensor blocks = as_blocks(input.reshape(-1).to(at::kFloat), blocksize);
  const at::Tensor absmax = at::nan_to_num(blocks.abs(), 0, INFINITY).amax(-1);
  const at::Tensor scaled = (blocks * absmax.reciprocal().unsqueeze(-1)).clamp(-1, 1);
  const at::Tensor bins = ((scaled + 1) * 0.5 * (kBins - 1) + 0.5).nan_to_num(0).to(at::kLong);
  const at::Tensor midpoints = (code.slice(0, 0, -1) + code.slice(0, 1)) * 0.5;
  const at::Tensor centres = at::arange(kBins, code.options()) * 2 / (kBins - 1) - 1;
  const at::Tensor codes = at::bucketize(centres, midpoints).to(at::kByte).index_select(0, bins.reshape(-1));
  const at::Tensor zero = (absmax == 0).repeat_interleave(blocksize);
  return {codes.masked_fill(zero, 0).slice(0, 0, input.numel()).reshape(input.sizes()), absmax};
}

template <typename T>
void decode(const uint8_t* codes, int64_t count, const float* absmax, const float* table, int64_t blocksize, T* out) {
  at::parallel_for(0, count, kGrainElements, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      out[i] = static_cast<T>(table[codes[i]] * absmax[i / blocksize]);
    }
  });
}

at::Tensor dequantize(const at::Tensor& input, const at::Tensor& absmax, const at::Tensor& code, int64_t blocksize,
                      at::ScalarType dtype) {
  check_table(code);
  check_blocksize(blocksize);
  check_encoded(input, absmax, blocksize);
  const at::Tensor codes = input.contiguous();
  const at::Tensor scales = absmax.contiguous();
  const at::Tensor table = code.contiguous();
  at::Tensor out = at::empty(input.sizes(), input.options().dtype(dtype));
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, dtype, "dequantize_blockwise", [&] {
    decode(codes.const_data_ptr<uint8_t>(), codes.numel(), scales.const_data_ptr<float>(),
           table.const_data_ptr<float>(), blocksize, out.mutable_data_ptr<scalar_t>());
  });
  return out;
}

at::Tensor dequantize_composite(const at::Tensor& input, const at::Tensor& absmax, const at::Tensor& code,
                                int64_t blocksize, at::ScalarType dtype) {
  check_table(code);
  check_blocksize(blocksize);
  check_encoded(input, absmax, blocksize);
  const at::Tensor values = code.index_select(0, input.reshape(-1).to(at::kInt));
  const at::Tensor scales = absmax.reshape(-1).repeat_interleave(blocksize).slice(0, 0, input.numel());
  return (values * scales).reshape(input.sizes()).to(dtype);
}

// bitsandbytes' signed dynamic map: seven decades, each with twice the steps of the one below it.
// Built with the operations that build it there, because linspace rounds differently from one CPU
// capability to the next.
at::Tensor dynamic_map() {
  constexpr int decades = 7;
  std::vector<double> values{0.0, 1.0};
  for (int i = 0; i < decades; ++i) {
    const at::Tensor edges = at::linspace(0.1, 1, (1 << i) + 1, at::kFloat);
    const at::Tensor means = (edges.slice(0, 0, -1) + edges.slice(0, 1)) / 2.0;
    const at::Tensor scaled = means * std::pow(10.0, i + 1 - decades);
    for (int64_t j = 0; j < scaled.numel(); ++j) {
      const double value = scaled[j].item<double>();
      values.push_back(value);
      values.push_back(-value);
    }
  }
  std::sort(values.begin(), values.end());
  return at::tensor(values, at::kFloat);
}

}  // namespace

Encoder8::Encoder8(const at::Tensor& code) {
  check_table(code);
  codes_ = codes_of_bins(code.contiguous().const_data_ptr<float>());
}

void Encoder8::encode_block(const float* values, int64_t count, uint8_t* codes, float* absmax) const {
  simd::dispatch<EncodeBlock>(codes_.data(), values, count, codes, absmax);
}

at::Tensor expand_absmax(const at::Tensor& absmax, const std::optional<at::Tensor>& nested_code,
                         const std::optional<at::Tensor>& nested_absmax,
                         const std::optional<at::Tensor>& nested_offset) {
  if (absmax.scalar_type() != at::kByte) {
    TORCH_CHECK(!nested_code && !nested_absmax && !nested_offset, "scales of type ", absmax.scalar_type(),
                " are not nested, yet nested parts were given");
    return absmax;
  }
  TORCH_CHECK(nested_code && nested_absmax && nested_offset,
              "scales of type uint8 are nested: ", "nested_code, nested_absmax and nested_offset are needed");
  static const auto dequantize_blockwise =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("panatune::dequantize_blockwise", "")
          .typed<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&, int64_t, at::ScalarType)>();
  const at::Tensor scales =
      dequantize_blockwise.call(absmax, *nested_absmax, *nested_code, kNestedBlocksize, at::kFloat);
  return scales.add_(*nested_offset);
}

}  // namespace panatune

TORCH_LIBRARY_FRAGMENT(panatune, m) {
  m.def(
      "quantize_blockwise(Tensor input, Tensor code, int blocksize) -> "
      "(Tensor quantized, Tensor absmax)");
  m.def(
      "dequantize_blockwise(Tensor input, Tensor absmax, Tensor code, int blocksize, "
      "ScalarType dtype) -> Tensor");
  m.def("dynamic_map() -> Tensor");
}
TORCH_LIBRARY_IMPL(panatune, CPU, m) {
  m.impl("quantize_blockwise", panatune::quantize);
  m.impl("dequantize_blockwise", panatune::dequantize);
}
TORCH_LIBRARY_IMPL(panatune, CompositeExplicitAutograd, m) {
  m.impl("quantize_blockwise", panatune::quantize_composite);
  m.impl("dequantize_blockwise", panatune::dequantize_composite);
  m.impl("dynamic_map", panatune::dynamic_map);
}
