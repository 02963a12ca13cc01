#include "dropout.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <mutex>

#include "simd.h"

namespace panatune {
namespace {

// The key of a row: one step of SplitMix64 (Steele, Lea, Flood, 2014).
PANATUNE_INLINE uint64_t row_key(uint64_t seed, int64_t row) {
  uint64_t z = seed + (static_cast<uint64_t>(row) + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// 32 random bits of a column under its row's key: a bijective mixer ("lowbias32") with half of the key at either end.
template <int W>
PANATUNE_INLINE simd::U32<W> random_bits(uint64_t key, int64_t column) {
  simd::U32<W> z = (simd::U32<W>)simd::iota<W>() + static_cast<uint32_t>(column) + static_cast<uint32_t>(key);
  z = (z ^ (z >> 16)) * 0x7feb352du;
  z = (z ^ (z >> 15)) * 0x846ca68bu + static_cast<uint32_t>(key >> 32);
  z = (z ^ (z >> 16)) * 0x7feb352du;
  return z ^ (z >> 15);
}

struct Mask {
  uint64_t seed;
  uint32_t threshold;  // bits below it are dropped
  float scale;

  explicit Mask(const Dropout& dropout)
      : seed(dropout.seed),
        threshold(static_cast<uint32_t>(std::min(4294967295.0, dropout.probability * 4294967296.0))),
        scale(dropout.probability < 1 ? static_cast<float>(1 / (1 - dropout.probability)) : 0.0f) {}

  template <int W>
  PANATUNE_INLINE simd::F32<W> factors(uint64_t key, int64_t column) const {
    return random_bits<W>(key, column) >= threshold ? simd::splat<W>(scale) : simd::F32<W>{};
  }
};

// to (+)= from times the mask.
template <class From, class To, bool add>
struct MaskRows {
  const From* from;
  int64_t from_stride;
  To* to;
  int64_t to_stride;
  int64_t width;
  Mask mask;

  template <int W>
  PANATUNE_INLINE static void run(const MaskRows& rows, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const uint64_t key = row_key(rows.mask.seed, r);
      const From* from = rows.from + r * rows.from_stride;
      To* to = rows.to + r * rows.to_stride;
      for (int64_t i = 0; i < rows.width; i += W) {
        const int64_t left = rows.width - i;
        simd::F32<W> value = simd::load<W>(from + i, left) * rows.mask.template factors<W>(key, i);
        if constexpr (add) {
          value += simd::load<W>(to + i, left);
        }
        simd::store<W>(to + i, value, left);
      }
    }
  }
};

template <bool add>
void mask_rows(const at::Tensor& from, const at::Tensor& to, const Dropout& dropout) {
  TORCH_INTERNAL_ASSERT(from.dim() == 2 && from.sizes() == to.sizes() && from.stride(1) == 1 && to.stride(1) == 1);
  const Mask mask(dropout);
  simd::with_type(from.scalar_type(), "dropout", [&](auto source) {
    simd::with_type(to.scalar_type(), "dropout", [&](auto target) {
      using From = decltype(source);
      using To = decltype(target);
      const MaskRows<From, To, add> rows{
          from.const_data_ptr<From>(), from.stride(0), to.mutable_data_ptr<To>(), to.stride(0), from.size(1), mask};
      at::parallel_for(0, from.size(0), std::max<int64_t>(1, 16384 / std::max<int64_t>(1, from.size(1))),
                       [&](int64_t begin, int64_t end) { simd::dispatch<MaskRows<From, To, add>>(rows, begin, end); });
    });
  });
}

}  // namespace

Dropout Dropout::draw(double probability) {
  TORCH_CHECK(probability >= 0 && probability <= 1, "a dropout probability is ", probability,
              ", but must lie in [0, 1]");
  Dropout dropout{probability, 0};
  if (dropout.active()) {
    at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
    const std::lock_guard<std::mutex> lock(generator.mutex());
    dropout.seed = at::check_generator<at::CPUGeneratorImpl>(generator)->random64();
  }
  return dropout;
}

at::Tensor Dropout::apply(const at::Tensor& matrix, at::ScalarType dtype) const {
  at::Tensor result = at::empty(matrix.sizes(), matrix.options().dtype(dtype));
  mask_rows<false>(matrix, result, *this);
  return result;
}

void Dropout::add_masked(const at::Tensor& sum, const at::Tensor& update) const { mask_rows<true>(update, sum, *this); }

}  // namespace panatune
