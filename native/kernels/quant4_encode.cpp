// Encoding to NF4 and FP4: the arithmetic of bitsandbytes' default CPU backend, in one pass.
// No product here feeds a sum, so no compiler can fuse one and move a code at a midpoint.
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

#include "quant4.h"
#include "simd.h"

namespace panatune {
namespace {

constexpr int64_t kGrainElements = 32768;

// The midpoints between neighbouring values of the table, and the bytes for pairs of ranks in its
// order: a value takes the next code only above a midpoint.
struct Encoder {
  std::array<float, kCodes4 - 1> midpoints;
  std::array<uint8_t, kCodes4 * kCodes4> bytes;
  uint8_t rank_of_zero;

  explicit Encoder(const float* table) {
    std::array<int, kCodes4> order;
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [table](int a, int b) { return table[a] < table[b]; });
    for (int i = 0; i + 1 < kCodes4; ++i) {
      midpoints[i] = (table[order[i]] + table[order[i + 1]]) / 2;
    }
    rank_of_zero =
        static_cast<uint8_t>(std::count_if(midpoints.begin(), midpoints.end(), [](float m) { return m < 0; }));
    for (int i = 0; i < kCodes4 * kCodes4; ++i) {
      bytes[i] = static_cast<uint8_t>(order[i / kCodes4] << 4 | order[i % kCodes4]);
    }
  }
};

// Encodes one block. bitsandbytes multiplies full blocks with the reciprocal of the scale; a
// `partial` last one it divides, and stores its scale as clamped.
struct EncodeBlock {
  // Lanes past the end are zeros.
  template <int W, typename T>
  PANATUNE_INLINE static simd::F32<W> load(const T* x, int64_t i, int64_t n) {
    return i + W <= n ? simd::load<W>(x + i) : simd::load<W>(x + i, n - i);
  }

  // Integer order is the order of magnitudes, with NaN above infinity.
  template <int W, typename T>
  PANATUNE_INLINE static float largest_magnitude(const T* x, int64_t n) {
    simd::I32<W> largest = {};
    for (int64_t i = 0; i < n; i += W) {
      const simd::I32<W> magnitude = (simd::I32<W>)load<W>(x, i, n) & 0x7fffffff;
      largest = largest > magnitude ? largest : magnitude;
    }
    int32_t result = 0;
    for (int lane = 0; lane < W; ++lane) {
      result = std::max<int32_t>(result, largest[lane]);
    }
    return std::bit_cast<float>(result);
  }

  template <int W, typename T>
  PANATUNE_INLINE static void run(const Encoder* encoder, const T* x, int64_t n, bool partial, uint8_t* packed,
                                  float* absmax) {
    const float largest = largest_magnitude<W>(x, n);
    const float scale = largest < kSmallestScale4 ? kSmallestScale4 : largest;
    const float reciprocal = 1.0F / scale;
    alignas(64) uint8_t ranks[kLargestBlock4];
    for (int64_t i = 0; i < n; i += W) {
      const simd::F32<W> value = load<W>(x, i, n);
      const simd::F32<W> scaled = partial ? value / scale : value * reciprocal;
      // A NaN is above all midpoints, as in torch.bucketize.
      simd::I32<W> rank = simd::I32<W>{} + (kCodes4 - 1);
      for (const float midpoint : encoder->midpoints) {
        rank += midpoint >= scaled;
      }
      for (int lane = 0; lane < W; ++lane) {
        ranks[i + lane] = static_cast<uint8_t>(rank[lane]);
      }
    }
    if (n % 2 != 0) {
      ranks[n] = encoder->rank_of_zero;
    }
    for (int64_t i = 0; i < (n + 1) / 2; ++i) {
      packed[i] = encoder->bytes[ranks[2 * i] * kCodes4 + ranks[2 * i + 1]];
    }
    *absmax = partial ? scale : largest;
  }
};

template <typename T>
void encode(const T* x, int64_t count, const Encoder& encoder, int64_t blocksize, uint8_t* packed, float* absmax) {
  const int64_t blocks = (count + blocksize - 1) / blocksize;
  const int64_t grain = std::max<int64_t>(1, kGrainElements / blocksize);
  at::parallel_for(0, blocks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * blocksize;
      const int64_t n = std::min(blocksize, count - first);
      simd::dispatch<EncodeBlock>(&encoder, x + first, n, n < blocksize, packed + first / 2, absmax + block);
    }
  });
}

}  // namespace

void encode_4bit(const at::Tensor& values, const float* table, int64_t blocksize, uint8_t* packed, float* absmax) {
  const Encoder encoder(table);
  const int64_t count = values.numel();
  switch (values.scalar_type()) {
    case at::kFloat:
      return encode(values.const_data_ptr<float>(), count, encoder, blocksize, packed, absmax);
    case at::kBFloat16:
      return encode(values.const_data_ptr<c10::BFloat16>(), count, encoder, blocksize, packed, absmax);
    default:
      return encode(values.const_data_ptr<c10::Half>(), count, encoder, blocksize, packed, absmax);
  }
}

}  // namespace panatune
