// Products of fp32 matrices that are in cache, inside a kernel that is already parallel.
#pragma once

#include "simd.h"

namespace panatune::tile {

// Columns of a product, and so the row length of its operands in scratch, are multiples of this.
constexpr int64_t kColumns = 32;

inline int64_t padded(int64_t columns) { return (columns + kColumns - 1) / kColumns * kColumns; }

// A matrix in scratch, element (i, k) at data[i * row + k * column].
struct View {
  const float* data;
  int64_t row;
  int64_t column;
};

template <int W, int ROWS>
PANATUNE_INLINE void block(int64_t depth, const View& a, const float* b, int64_t b_row, float* c, int64_t c_row,
                           bool accumulate) {
  simd::F32<W> sums[ROWS][2];
  PANATUNE_UNROLL
  for (int i = 0; i < ROWS; ++i) {
    sums[i][0] = accumulate ? simd::load<W>(c + i * c_row) : simd::F32<W>{};
    sums[i][1] = accumulate ? simd::load<W>(c + i * c_row + W) : simd::F32<W>{};
  }
  for (int64_t k = 0; k < depth; ++k) {
    const simd::F32<W> left = simd::load<W>(b + k * b_row);
    const simd::F32<W> right = simd::load<W>(b + k * b_row + W);
    PANATUNE_UNROLL
    for (int i = 0; i < ROWS; ++i) {
      const float factor = a.data[i * a.row + k * a.column];
      sums[i][0] += factor * left;
      sums[i][1] += factor * right;
    }
  }
  PANATUNE_UNROLL
  for (int i = 0; i < ROWS; ++i) {
    simd::store<W>(c + i * c_row, sums[i][0]);
    simd::store<W>(c + i * c_row + W, sums[i][1]);
  }
}

// c [rows, columns] = a [rows, depth] b [depth, columns], or += it. `columns` is a multiple of kColumns.
template <int W>
PANATUNE_INLINE void multiply(int64_t rows, int64_t columns, int64_t depth, View a, const float* b, int64_t b_row,
                              float* c, int64_t c_row, bool accumulate) {
  constexpr int64_t kDepth = 256;  // 16 KB of b: stays in the first cache while all rows use it
  for (int64_t k = 0; k < depth; k += kDepth) {
    const int64_t length = depth - k < kDepth ? depth - k : kDepth;
    const bool add = accumulate || k > 0;
    for (int64_t n = 0; n < columns; n += 2 * W) {
      const float* strip = b + k * b_row + n;
      int64_t m = 0;
      for (; m + 6 <= rows; m += 6) {
        block<W, 6>(length, {a.data + m * a.row + k * a.column, a.row, a.column}, strip, b_row, c + m * c_row + n,
                    c_row, add);
      }
      for (; m < rows; ++m) {
        block<W, 1>(length, {a.data + m * a.row + k * a.column, a.row, a.column}, strip, b_row, c + m * c_row + n,
                    c_row, add);
      }
    }
  }
}

}  // namespace panatune::tile
