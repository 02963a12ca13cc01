#include "few_rows4.h"

#include <bit>

#include "quant4.h"
#include "simd.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define PANATUNE_AVX2 __attribute__((target("avx2,fma")))
#endif

namespace panatune {
namespace {

constexpr int64_t kBytes = Weight4::kBlock / 2;
constexpr int64_t kAhead = 1024;  // bytes of codes that are asked for before they are needed

// The sixteen values of a code; in a register, where one holds them.
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
class CodeTable<16> {
 public:
  PANATUNE_INLINE explicit CodeTable(const float* values) : values_(simd::load<16>(values)) {}

  PANATUNE_INLINE simd::F32<16> operator[](const simd::U32<16>& codes) const {
    return __builtin_shuffle(values_, (simd::I32<16>)codes);
  }

 private:
  simd::F32<16> values_;
};

template <int ROWS>
struct FewRows4 {
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
        simd::F32<W> even[ROWS] = {}, odd[ROWS] = {};
        PANATUNE_UNROLL
        for (int i = 0; i < kBytes; i += W) {
          const simd::U32<W> bytes = widened<W>(codes + i);
          const simd::F32<W> first = table[bytes >> 4], second = table[bytes];
          PANATUNE_UNROLL
          for (int m = 0; m < ROWS; ++m) {
            const float* row = x + m * weight.cols + k + i;
            even[m] += first * simd::load<W>(row);
            odd[m] += second * simd::load<W>(row + kBytes);
          }
        }
        const float scale = weight.scale(element);
        PANATUNE_UNROLL
        for (int m = 0; m < ROWS; ++m) {
          totals[m] += (even[m] + odd[m]) * scale;
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
  PANATUNE_INLINE static simd::U32<W> widened(const uint8_t* from) {
    typedef uint8_t Bytes __attribute__((vector_size(W)));
    Bytes bytes;
    std::memcpy(&bytes, from, sizeof(bytes));
    return __builtin_convertvector(bytes, simd::U32<W>);
  }
};

#if defined(__x86_64__)

// The values of codes, looked up a byte of theirs at a time: a look-up of bytes takes 32 codes at once, and costs a
// quarter of one of eight words.
class ByteTables {
 public:
  PANATUNE_AVX2 explicit ByteTables(const float* values) {
    for (int byte = 0; byte < 4; ++byte) {
      alignas(16) uint8_t bytes[kCodes4];
      for (int i = 0; i < kCodes4; ++i) {
        bytes[i] = static_cast<uint8_t>(std::bit_cast<uint32_t>(values[i]) >> (8 * byte));
      }
      tables_[byte] = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(bytes)));
    }
  }

  // The values of 32 codes, a byte each, in four vectors: values[q] has those of word q of either half.
  PANATUNE_AVX2 inline void look_up(__m256i codes, __m256* values) const {
    const __m256i a = _mm256_shuffle_epi8(tables_[0], codes), b = _mm256_shuffle_epi8(tables_[1], codes);
    const __m256i c = _mm256_shuffle_epi8(tables_[2], codes), d = _mm256_shuffle_epi8(tables_[3], codes);
    const __m256i low = _mm256_unpacklo_epi8(a, b), low_upper = _mm256_unpacklo_epi8(c, d);
    const __m256i high = _mm256_unpackhi_epi8(a, b), high_upper = _mm256_unpackhi_epi8(c, d);
    values[0] = _mm256_castsi256_ps(_mm256_unpacklo_epi16(low, low_upper));
    values[1] = _mm256_castsi256_ps(_mm256_unpackhi_epi16(low, low_upper));
    values[2] = _mm256_castsi256_ps(_mm256_unpacklo_epi16(high, high_upper));
    values[3] = _mm256_castsi256_ps(_mm256_unpackhi_epi16(high, high_upper));
  }

 private:
  __m256i tables_[4];
};

template <int ROWS>
PANATUNE_AVX2 void few_rows_avx2(const Weight4& weight, const float* x, float* out, int64_t columns, int64_t begin,
                                 int64_t end) {
  const ByteTables tables(weight.table);
  const __m256i nibble = _mm256_set1_epi8(15);
  // Look-ups leave each half of a register to itself: so that their results come in order, words 0, 2, 4, 6 are put
  // into the lower half and 1, 3, 5, 7 into the upper one.
  const __m256i order = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
  for (int64_t n = begin; n < end; ++n) {
    __m256 totals[ROWS] = {};
    for (int64_t k = 0; k < weight.cols; k += Weight4::kBlock) {
      const int64_t element = n * weight.cols + k;
      const uint8_t* codes = weight.codes + element / 2;
      __builtin_prefetch(codes + kAhead);
      const __m256i bytes =
          _mm256_permutevar8x32_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes)), order);
      __m256 first[4], second[4];
      tables.look_up(_mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble), first);
      tables.look_up(_mm256_and_si256(bytes, nibble), second);
      const __m256 scale = _mm256_set1_ps(weight.scale(element));
      PANATUNE_UNROLL
      for (int m = 0; m < ROWS; ++m) {
        const float* row = x + m * weight.cols + k;
        __m256 even = _mm256_setzero_ps(), odd = _mm256_setzero_ps();
        PANATUNE_UNROLL
        for (int q = 0; q < 4; ++q) {
          even = _mm256_fmadd_ps(first[q], _mm256_loadu_ps(row + 8 * q), even);
          odd = _mm256_fmadd_ps(second[q], _mm256_loadu_ps(row + kBytes + 8 * q), odd);
        }
        totals[m] = _mm256_fmadd_ps(_mm256_add_ps(even, odd), scale, totals[m]);
      }
    }
    for (int m = 0; m < ROWS; ++m) {
      alignas(32) float lanes[8];
      _mm256_store_ps(lanes, totals[m]);
      out[m * columns + n] =
          ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
    }
  }
}

#endif

template <int ROWS>
void run(const Weight4& weight, const float* x, float* out, int64_t columns, int64_t begin, int64_t end) {
#if defined(__x86_64__)
  if (isa() == Isa::kAvx2) {
    few_rows_avx2<ROWS>(weight, x, out, columns, begin, end);
    return;
  }
#endif
  simd::dispatch<FewRows4<ROWS>, const Weight4&>(weight, x, out, columns, begin, end);
}

void check(bool holds, const char* what, const at::Tensor& tensor, const char* dtype, int64_t count) {
  TORCH_CHECK(holds && tensor.is_contiguous() && tensor.is_cpu() && tensor.numel() == count, "a 4-bit weight's ", what,
              " is ", tensor.scalar_type(), " ", tensor.sizes(), " on ", tensor.device(), ", but must be ", dtype,
              " of ", count, " elements, contiguous, on the CPU");
}

}  // namespace

Weight4 view_weight4(const at::Tensor& packed, const at::Tensor& absmax, const std::optional<at::Tensor>& nested_code,
                     const std::optional<at::Tensor>& nested_absmax, const std::optional<at::Tensor>& nested_offset,
                     const at::Tensor& code, int64_t rows, int64_t cols, int64_t blocksize) {
  check_blocksize_4bit(blocksize);
  TORCH_INTERNAL_ASSERT(Weight4::fits(cols, blocksize));
  const int64_t count = rows * cols, blocks = (count + blocksize - 1) / blocksize;
  check(packed.scalar_type() == at::kByte, "codes", packed, "uint8", count / 2);
  check(code.scalar_type() == at::kFloat, "table", code, "float32", kCodes4);
  Weight4 weight{};
  weight.codes = packed.const_data_ptr<uint8_t>();
  weight.table = code.const_data_ptr<float>();
  weight.block_bits = std::countr_zero(static_cast<uint64_t>(blocksize));
  weight.cols = cols;
  if (absmax.scalar_type() != at::kByte) {
    TORCH_CHECK(!nested_code && !nested_absmax && !nested_offset, "scales of type ", absmax.scalar_type(),
                " are not nested, yet nested parts were given");
    check(absmax.scalar_type() == at::kFloat, "scales", absmax, "float32", blocks);
    weight.absmax = absmax.const_data_ptr<float>();
    return weight;
  }
  TORCH_CHECK(nested_code && nested_absmax && nested_offset,
              "scales of type uint8 are nested: nested_code, nested_absmax and nested_offset are needed");
  check(true, "scales", absmax, "uint8", blocks);
  check(nested_code->scalar_type() == at::kFloat, "nested_code", *nested_code, "float32", 256);
  check(nested_absmax->scalar_type() == at::kFloat, "nested_absmax", *nested_absmax, "float32",
        (blocks + kNestedBlocksize - 1) / kNestedBlocksize);
  check(nested_offset->scalar_type() == at::kFloat, "nested_offset", *nested_offset, "float32", 1);
  weight.nested_absmax = absmax.const_data_ptr<uint8_t>();
  weight.nested_code = nested_code->const_data_ptr<float>();
  weight.nested_scale = nested_absmax->const_data_ptr<float>();
  weight.nested_offset = *nested_offset->const_data_ptr<float>();
  return weight;
}

void order_for_codes(const float* row, int64_t cols, float* out) {
  for (int64_t k = 0; k < cols; k += Weight4::kBlock) {
    for (int64_t i = 0; i < kBytes; ++i) {
      out[k + i] = row[k + 2 * i];
      out[k + kBytes + i] = row[k + 2 * i + 1];
    }
  }
}

void few_rows4(const Weight4& weight, const float* x, int64_t count, float* out, int64_t columns, int64_t begin,
               int64_t end) {
  int64_t m = 0;
  for (; m + 4 <= count; m += 4) {
    run<4>(weight, x + m * weight.cols, out + m * columns, columns, begin, end);
  }
  for (; m < count; ++m) {
    run<1>(weight, x + m * weight.cols, out + m * columns, columns, begin, end);
  }
}

}  // namespace panatune
