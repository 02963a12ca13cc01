// A few rows of input (decoding) times a weight in 4 bits as it is stored: the codes are looked up in registers, and
// the products with a block's codes are summed before its scale is applied. Sums and weight values are fp32; the values
// are not rounded to the compute type, as they are where a whole weight is decoded.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "quant8.h"
#include "simd.h"

namespace panatune {

// A 4-bit weight [rows, cols] on the CPU, borrowed, its scales as they are stored.
struct Weight4 {
  // Elements that the loop takes at a time: they share a scale, and their codes are eight words.
  static constexpr int64_t kBlock = 64;

  const uint8_t* codes;
  const float* table;
  int block_bits;       // the blocksize is 2 to their power
  const float* absmax;  // null where the scales are nested (see quant8.h)
  const uint8_t* nested_absmax;
  const float* nested_code;
  const float* nested_scale;
  float nested_offset;
  int64_t cols;

  // Whether rows are whole blocks: what the loop below takes.
  static bool fits(int64_t cols, int64_t blocksize) {
    return cols > 0 && cols % kBlock == 0 && blocksize % kBlock == 0;
  }

  PANATUNE_INLINE float scale(int64_t element) const {
    const int64_t block = element >> block_bits;
    return nested_absmax == nullptr
               ? absmax[block]
               : nested_code[nested_absmax[block]] * nested_scale[block / uint64_t{kNestedBlocksize}] + nested_offset;
  }
};

// Views the parts of a 4-bit weight, as linear_4bit takes them, of a shape that fits; they must be contiguous.
Weight4 view_weight4(const at::Tensor& packed, const at::Tensor& absmax, const std::optional<at::Tensor>& nested_code,
                     const std::optional<at::Tensor>& nested_absmax, const std::optional<at::Tensor>& nested_offset,
                     const at::Tensor& code, int64_t rows, int64_t cols, int64_t blocksize);

// Puts a row of input into the order in which the loop takes codes: of each block of 64, element 8 w + e comes to
// 8 e + w, where e is the place of a code in its word of eight.
PANATUNE_INLINE void interleave(const float* row, int64_t cols, float* out) {
  for (int64_t k = 0; k < cols; k += Weight4::kBlock) {
    for (int64_t word = 0; word < 8; ++word) {
      for (int64_t e = 0; e < 8; ++e) {
        out[k + e * 8 + word] = row[k + word * 8 + e];
      }
    }
  }
}

// The sixteen values of a code, in registers where a register holds eight.
template <int W>
class CodeTable {
 public:
  PANATUNE_INLINE explicit CodeTable(const float* values) : values_(values) {}

  // The values of the codes in the lowest four bits of each lane.
  PANATUNE_INLINE simd::F32<W> operator[](const simd::U32<W>& codes) const {
    simd::F32<W> found;
    PANATUNE_UNROLL
    for (int i = 0; i < W; ++i) {
      found[i] = values_[codes[i] & 15];
    }
    return found;
  }

 private:
  const float* values_;
};

template <>
class CodeTable<8> {
 public:
  PANATUNE_INLINE explicit CodeTable(const float* values)
      : low_(simd::load<8>(values)), high_(simd::load<8>(values + 8)) {}

  PANATUNE_INLINE simd::F32<8> operator[](const simd::U32<8>& codes) const {
    // A shuffle takes the lowest three bits of a lane; the fourth, made the sign, selects.
    const simd::I32<8> lanes = (simd::I32<8>)codes;
    const simd::F32<8> low = __builtin_shuffle(low_, lanes), high = __builtin_shuffle(high_, lanes);
    return (simd::I32<8>)(codes << 28) < 0 ? high : low;
  }

 private:
  simd::F32<8> low_, high_;
};

template <>
class CodeTable<16> {
 public:
  PANATUNE_INLINE explicit CodeTable(const float* values) : values_(simd::load<16>(values)) {}

  PANATUNE_INLINE simd::F32<16> operator[](const simd::U32<16>& codes) const {
    return __builtin_shuffle(values_, (simd::I32<16>)codes);
  }

 private:
  simd::F32<16> values_;
};

// out[m, n] = sum over k of x[m, k] weight[n, k] for rows n of the weight from `begin` to `end`; x is interleaved.
template <int ROWS>
struct FewRows4 {
  // Sums in flight, which hide the latency of an FMA: a block alone is too short a chain to overlap with the next.
  static constexpr int kSums = ROWS == 1 ? 4 : 1;
  static constexpr int64_t kAhead = 1024;

  template <int W>
  PANATUNE_INLINE static void run(const Weight4& weight, const float* x, float* out, int64_t columns, int64_t begin,
                                  int64_t end) {
    const CodeTable<W> table(weight.table);
    for (int64_t n = begin; n < end; ++n) {
      simd::F32<W> totals[ROWS] = {};
      for (int64_t k = 0; k < weight.cols; k += Weight4::kBlock) {
        const int64_t element = n * weight.cols + k;
        const uint8_t* codes = weight.codes + element / 2;
        __builtin_prefetch(codes + kAhead);
        simd::F32<W> sums[ROWS][kSums] = {};
        block<W>(table, codes, x + k, weight.cols, sums);
        const float scale = weight.scale(element);
        PANATUNE_UNROLL
        for (int m = 0; m < ROWS; ++m) {
          totals[m] += joined<W>(sums[m]) * scale;
        }
      }
      PANATUNE_UNROLL
      for (int m = 0; m < ROWS; ++m) {
        out[m * columns + n] = simd::sum<W>(totals[m]);
      }
    }
  }

 private:
  template <int W>
  PANATUNE_INLINE static simd::F32<W> joined(const simd::F32<W> (&sums)[kSums]) {
    if constexpr (kSums == 1) {
      return sums[0];
    } else {
      return (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }
  }

  // sums[m] += the products of a block of codes with x[m].
  template <int W>
  PANATUNE_INLINE static void block(const CodeTable<W>& table, const uint8_t* codes, const float* x, int64_t cols,
                                    simd::F32<W> (&sums)[ROWS][kSums]) {
    // Vectors of less than eight lanes take the eight words in parts; those of more take several places at once.
    constexpr int kPart = W < 8 ? W : 8, kPlaces = W / kPart;
    PANATUNE_UNROLL
    for (int part = 0; part < 8; part += kPart) {
      simd::U32<W> words;
      PANATUNE_UNROLL
      for (int i = 0; i < kPlaces; ++i) {
        std::memcpy(reinterpret_cast<char*>(&words) + i * kPart * 4, codes + part * 4, kPart * 4);
      }
      PANATUNE_UNROLL
      for (int e = 0; e < 8; e += kPlaces) {
        const simd::F32<W> values = table[words >> shifts<W, kPart>(e)];
        PANATUNE_UNROLL
        for (int m = 0; m < ROWS; ++m) {
          sums[m][e / kPlaces % kSums] += values * simd::load<W>(x + m * cols + e * 8 + part);
        }
      }
    }
  }

  // How far the code at place e of a word lies up, for each lane: the first of a byte is in its high bits.
  template <int W, int PART>
  PANATUNE_INLINE static simd::U32<W> shifts(int e) {
    simd::U32<W> lanes;
    PANATUNE_UNROLL
    for (int i = 0; i < W; ++i) {
      const int place = e + i / PART;
      lanes[i] = 8 * (place / 2) + (place % 2 == 0 ? 4 : 0);
    }
    return lanes;
  }
};

}  // namespace panatune
