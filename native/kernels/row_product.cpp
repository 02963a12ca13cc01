#include "row_product.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <memory>

#include "simd.h"
#include "tile.h"

namespace panatune {
namespace {

// Rows of the weight, and elements of each, that are in fp32 at a time: 48 KB.
constexpr int64_t kRows = 48;
constexpr int64_t kDepth = 256;
// Rows of the weight whose sums are in registers at a time.
constexpr int kTile = 6;
// Rows of x that a piece of the weight is made for.
constexpr int64_t kBlock = 256;
constexpr int64_t kPackGrain = 2;

static_assert(kRows % kTile == 0 && kRows % 16 == 0);

int64_t pieces(int64_t count, int64_t size) { return (count + size - 1) / size; }

// The rows of x in strips of 2 W, a strip as [depth, 2 W]: what a row of the weight is multiplied with. Rows that there
// are not are zeros.
struct Pack {
  template <int W, class T>
  PANATUNE_INLINE static void run(const T* x, int64_t stride, int64_t count, int64_t depth, float* strip) {
    for (int64_t k = 0; k < depth; k += W) {
      for (int half = 0; half < 2; ++half) {
        simd::F32<W> square[W];
        PANATUNE_UNROLL
        for (int i = 0; i < W; ++i) {
          const int64_t row = half * W + i;
          square[i] = row < count ? simd::load<W>(x + row * stride + k, depth - k) : simd::F32<W>{};
        }
        simd::transpose<W>(square);
        PANATUNE_UNROLL
        for (int i = 0; i < W; ++i) {
          simd::store<W>(strip + (k + i) * 2 * W + half * W, square[i]);
        }
      }
    }
  }
};

// sums [strips, kRows, 2 W] (+)= the weights' rows, [rows, kDepth], times the strips.
struct Multiply {
  template <int W>
  PANATUNE_INLINE static void run(const float* weights, int64_t rows, int64_t depth, const float* strips,
                                  int64_t strip_size, int64_t count, float* sums, bool accumulate) {
    for (int64_t s = 0; s < count; ++s) {
      for (int64_t i = 0; i < rows; i += kTile) {
        tile::block<W, kTile>(depth, {weights + i * kDepth, kDepth, 1}, strips + s * strip_size, 2 * W,
                              sums + (s * kRows + i) * 2 * W, 2 * W, accumulate);
      }
    }
  }
};

// out [count, rows] = the sums, transposed, plus the bias.
struct Write {
  template <int W, class T>
  PANATUNE_INLINE static void run(const float* sums, int64_t rows, int64_t count, const float* bias, T* out,
                                  int64_t stride) {
    for (int64_t m = 0; m < count; m += W) {
      const float* strip = sums + m / (2 * W) * kRows * 2 * W + m % (2 * W);
      for (int64_t n = 0; n < rows; n += W) {
        simd::F32<W> square[W];
        PANATUNE_UNROLL
        for (int i = 0; i < W; ++i) {
          square[i] = simd::load<W>(strip + (n + i) * 2 * W);
        }
        simd::transpose<W>(square);
        const simd::F32<W> added = bias == nullptr ? simd::F32<W>{} : simd::load<W>(bias + n, rows - n);
        for (int64_t i = 0; i < std::min<int64_t>(W, count - m); ++i) {
          simd::store<W>(out + (m + i) * stride + n, square[i] + added, rows - n);
        }
      }
    }
  }
};

// A thread's own memory: a piece of the weight, and the sums of a block of x's rows with it.
struct Scratch {
  alignas(64) float weights[kRows * kDepth];
  alignas(64) float sums[kRows * kBlock];
};

// x [M, K] as strips [pieces of M, K rounded up to whole vectors, 2 W].
at::Tensor packed(const at::Tensor& x, int64_t vector) {
  const int64_t rows = x.size(0), depth = x.size(1), strip = 2 * vector;
  at::Tensor strips =
      at::empty({pieces(rows, strip), pieces(depth, vector) * vector, strip}, x.options().dtype(at::kFloat));
  float* const to = strips.mutable_data_ptr<float>();
  simd::with_type(x.scalar_type(), "panatune::multiply_rows", [&](auto type) {
    using T = decltype(type);
    const T* const from = x.const_data_ptr<T>();
    at::parallel_for(0, strips.size(0), kPackGrain, [&](int64_t begin, int64_t end) {
      for (int64_t s = begin; s < end; ++s) {
        simd::dispatch<Pack>(from + s * strip * x.stride(0), x.stride(0), std::min(strip, rows - s * strip), depth,
                             to + s * strips.stride(0));
      }
    });
  });
  return strips;
}

}  // namespace

at::Tensor multiply_rows(const at::Tensor& x, int64_t rows, const RowReader& read, const at::Tensor& bias,
                         at::ScalarType result) {
  const int64_t count = x.size(0), depth = x.size(1), vector = simd::width();
  at::Tensor out = at::empty({count, rows}, x.options().dtype(result));
  const at::Tensor strips = packed(x.stride(1) == 1 ? x : x.contiguous(), vector);
  const float* const inputs = strips.const_data_ptr<float>();
  const at::Tensor wide_bias = bias.defined() ? bias.to(at::kFloat).contiguous() : bias;
  const float* const added = bias.defined() ? wide_bias.const_data_ptr<float>() : nullptr;
  const int64_t strip_size = strips.stride(0), blocks = pieces(count, kBlock), row_pieces = pieces(rows, kRows);
  simd::with_type(result, "panatune::multiply_rows", [&](auto type) {
    using T = decltype(type);
    T* const results = out.mutable_data_ptr<T>();
    at::parallel_for(0, blocks * row_pieces, 1, [&](int64_t begin, int64_t end) {
      static thread_local const auto scratch = std::make_unique<Scratch>();
      for (int64_t task = begin; task < end; ++task) {
        const int64_t m = task / row_pieces * kBlock, n = task % row_pieces * kRows;
        const int64_t height = std::min(kBlock, count - m), width = std::min(kRows, rows - n);
        for (int64_t k = 0; k < depth || k == 0; k += kDepth) {
          const int64_t length = std::min(kDepth, depth - k);
          for (int64_t i = 0; i < width; ++i) {
            read(n + i, k, length, scratch->weights + i * kDepth);
          }
          simd::dispatch<Multiply>(scratch->weights, width, length,
                                   inputs + m / (2 * vector) * strip_size + k * 2 * vector, strip_size,
                                   pieces(height, 2 * vector), scratch->sums, k > 0);
        }
        simd::dispatch<Write>(scratch->sums, width, height, added == nullptr ? added : added + n,
                              results + m * rows + n, rows);
      }
    });
  });
  return out;
}

}  // namespace panatune
