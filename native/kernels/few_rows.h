// A few rows of input (decoding) times a row-major weight [N, K] as it is stored: every element of the weight is read
// and widened once, and the sums are fp32.
#pragma once

#include <cstdint>

#include "simd.h"

namespace panatune {

// out[m, n] = sum over k of a[m, k] weight[n, k] for `ROWS` rows of a, a few rows of the weight at a
// time: each element of the weight is read and widened once.
template <class T, int ROWS>
struct FewRows {
  static constexpr int kColumns = 8 / ROWS;  // eight sums in flight hide the latency of an FMA

  static constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T));  // elements of a line of the cache

  // sums += the products of W elements of each row, `k` elements in.
  template <int W>
  PANATUNE_INLINE static void add(const float* a, const T* const* rows, int64_t k, int64_t depth,
                                  simd::F32<W> (&sums)[kColumns][ROWS]) {
    PANATUNE_UNROLL
    for (int j = 0; j < kColumns; ++j) {
      const simd::F32<W> w = simd::load<W>(rows[j] + k);
      PANATUNE_UNROLL
      for (int m = 0; m < ROWS; ++m) {
        sums[j][m] += w * simd::load<W>(a + m * depth);
      }
    }
  }

  template <int W>
  PANATUNE_INLINE static void block(const float* a, const T* weight, int64_t stride, int64_t depth, float* out,
                                    int64_t columns, int64_t wanted) {
    simd::F32<W> sums[kColumns][ROWS] = {};
    const T* rows[kColumns];
    PANATUNE_UNROLL
    for (int j = 0; j < kColumns; ++j) {
      // A row past the end repeats the last one: its result is not kept.
      rows[j] = weight + (j < wanted ? j : wanted - 1) * stride;
    }
    int64_t k = 0;
    for (; k + kLine <= depth; k += kLine) {
      PANATUNE_UNROLL
      for (int j = 0; j < kColumns; ++j) {
        // The rows of the next call: rows are too short for the processor to see them coming.
        __builtin_prefetch(rows[j] + k + kColumns * stride);
      }
      PANATUNE_UNROLL
      for (int i = 0; i < kLine; i += W) {
        add<W>(a + k + i, rows, k + i, depth, sums);
      }
    }
    for (; k + W <= depth; k += W) {
      add<W>(a + k, rows, k, depth, sums);
    }
    if (k < depth) {
      PANATUNE_UNROLL
      for (int j = 0; j < kColumns; ++j) {
        const simd::F32<W> w = simd::load<W>(rows[j] + k, depth - k);
        PANATUNE_UNROLL
        for (int m = 0; m < ROWS; ++m) {
          sums[j][m] += w * simd::load<W>(a + m * depth + k, depth - k);
        }
      }
    }
    for (int j = 0; j < wanted; ++j) {
      PANATUNE_UNROLL
      for (int m = 0; m < ROWS; ++m) {
        out[m * columns + j] = simd::sum<W>(sums[j][m]);
      }
    }
  }

  template <int W>
  PANATUNE_INLINE static void run(const float* a, const T* weight, int64_t stride, int64_t depth, float* out,
                                  int64_t columns, int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; n += kColumns) {
      block<W>(a, weight + n * stride, stride, depth, out + n, columns,
               end - n < kColumns ? end - n : int64_t{kColumns});
    }
  }
};

}  // namespace panatune
