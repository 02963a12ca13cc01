// One query row against all keys and values as they are stored: decoding.
#pragma once

#include <cmath>
#include <cstdint>

#include "attention_parts.h"

namespace panatune::attention {

// scores[0, visible) becomes exp(score - the largest), the rest up to `padded` zero. Returns the sum, and the
// logarithm of the sum of exp(score) in `lse`.
template <int W>
PANATUNE_INLINE float soften(float* scores, int64_t visible, int64_t padded, float* lse) {
  const simd::I32<W> lanes = simd::iota<W>();
  simd::F32<W> most = simd::splat<W>(-INFINITY);
  int64_t i = 0;
  for (; i + W <= visible; i += W) {
    most = simd::max<W>(most, simd::load<W>(scores + i));
  }
  float largest = simd::max<W>(most);
  for (; i < visible; ++i) {
    largest = largest > scores[i] ? largest : scores[i];
  }
  simd::F32<W> sums = {};
  for (i = 0; i < visible; i += W) {
    simd::F32<W> weight = simd::exp<W>(simd::load<W>(scores + i) - largest);
    weight = lanes < static_cast<int32_t>(visible - i) ? weight : simd::F32<W>{};
    sums += weight;
    simd::store<W>(scores + i, weight);
  }
  for (; i < padded; i += W) {
    simd::store<W>(scores + i, simd::F32<W>{});
  }
  const float total = simd::sum<W>(sums);
  *lse = largest + std::log(total);
  return total;
}

// One query row of one head. Q is the type of the query and of the output, T that of keys and values.
template <class Q, class T>
struct SingleRow {
  const Q* query;
  const T* keys;
  int64_t keys_row;
  const T* values;
  int64_t values_row;
  Q* out;
  float* lse;
  int64_t visible;
  int64_t depth;
  float scale;

  // Keys, and parts of a value row, that are summed side by side: it hides the latency of an FMA.
  static constexpr int kTogether = 4;

  template <int W>
  PANATUNE_INLINE static void run(const SingleRow& task, float* memory) {
    float* scores = memory;
    float* query = scores + key_row(task.visible);
    scale_row<W>(query, task.query, task.depth, task.scale);
    int64_t j = 0;
    for (; j + kTogether <= task.visible; j += kTogether) {
      compare<W, kTogether>(task, query, j, scores);
    }
    for (; j < task.visible; ++j) {
      compare<W, 1>(task, query, j, scores);
    }
    const float inverse = 1.0f / soften<W>(scores, task.visible, task.visible, task.lse);
    int64_t d = 0;
    for (; d + kTogether * W <= task.depth; d += kTogether * W) {
      gather<W, kTogether>(task, scores, d, inverse);
    }
    for (; d < task.depth; d += W) {
      gather<W, 1>(task, scores, d, inverse);
    }
  }

  static int64_t floats(int64_t keys, int64_t depth) { return key_row(keys) + depth; }

 private:
  // scores[j, j + N) = the query times those keys.
  template <int W, int N>
  PANATUNE_INLINE static void compare(const SingleRow& task, const float* query, int64_t j, float* scores) {
    const T* key = task.keys + j * task.keys_row;
    simd::F32<W> sums[N] = {};
    for (int64_t d = 0; d < task.depth; d += W) {
      const simd::F32<W> q = simd::load<W>(query + d, task.depth - d);
      PANATUNE_UNROLL
      for (int n = 0; n < N; ++n) {
        sums[n] += q * simd::load<W>(key + n * task.keys_row + d, task.depth - d);
      }
    }
    PANATUNE_UNROLL
    for (int n = 0; n < N; ++n) {
      scores[j + n] = simd::sum<W>(sums[n]);
    }
  }

  // N vectors of the output from element d on: the values, weighted.
  template <int W, int N>
  PANATUNE_INLINE static void gather(const SingleRow& task, const float* weights, int64_t d, float inverse) {
    simd::F32<W> sums[N] = {};
    const T* value = task.values + d;
    for (int64_t j = 0; j < task.visible; ++j, value += task.values_row) {
      PANATUNE_UNROLL
      for (int n = 0; n < N; ++n) {
        sums[n] += weights[j] * simd::load<W>(value + n * W, task.depth - d - n * W);
      }
    }
    PANATUNE_UNROLL
    for (int n = 0; n < N; ++n) {
      simd::store<W>(task.out + d + n * W, sums[n] * inverse, task.depth - d - n * W);
    }
  }
};

}  // namespace panatune::attention
