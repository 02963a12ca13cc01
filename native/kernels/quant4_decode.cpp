// Decoding of NF4 and FP4: a table look-up and an fp32 product a value, rounded once.
#include <ATen/Parallel.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>

#include "cpu.h"
#include "quant4.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define PANATUNE_AVX2 __attribute__((target("avx2,fma,f16c")))
#endif

namespace panatune {
namespace {

constexpr int64_t kGrainElements = 32768;

// Decodes `n` elements that share a scale, from the high nibble of codes[0] on.
template <typename Compute, typename Store>
inline __attribute__((always_inline)) void decode_run(const uint8_t* codes, const float* table, float scale, int64_t n,
                                                      Store* out) {
  for (int64_t i = 0; i < n; ++i) {
    const int code = i % 2 == 0 ? codes[i / 2] >> 4 : codes[i / 2] & 15;
    out[i] = static_cast<Store>(static_cast<Compute>(table[code] * scale));
  }
}

#if defined(__x86_64__)

// Rounds eight floats to bf16, to nearest even, in the upper halves of the words.
PANATUNE_AVX2 inline __m256i round_bfloat16(__m256 value) {
  const __m256i bits = _mm256_castps_si256(value);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i half = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
  const __m256 rounded = _mm256_castsi256_ps(_mm256_add_epi32(bits, half));
  const __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fc00000));
  const __m256 is_nan = _mm256_cmp_ps(value, value, _CMP_UNORD_Q);
  return _mm256_castps_si256(_mm256_blendv_ps(rounded, nan, is_nan));
}

constexpr int kNearestEven = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

template <typename Compute, typename Store>
PANATUNE_AVX2 inline void store_eight(__m256 value, Store* out) {
  if constexpr (std::is_same_v<Compute, c10::BFloat16>) {
    const __m256i rounded = round_bfloat16(value);
    if constexpr (std::is_same_v<Store, float>) {
      const __m256i upper = _mm256_set1_epi32(0xffff0000);
      _mm256_storeu_ps(out, _mm256_castsi256_ps(_mm256_and_si256(rounded, upper)));
    } else {
      const __m256i words = _mm256_srli_epi32(rounded, 16);
      const __m128i halves = _mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out), halves);
    }
  } else if constexpr (std::is_same_v<Compute, c10::Half>) {
    const __m128i halves = _mm256_cvtps_ph(value, kNearestEven);
    if constexpr (std::is_same_v<Store, float>) {
      _mm256_storeu_ps(out, _mm256_cvtph_ps(halves));
    } else {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out), halves);
    }
  } else {
    _mm256_storeu_ps(out, value);
  }
}

// Values of eight codes: the table is two registers, the code's top bit selects between them.
PANATUNE_AVX2 inline __m256 look_up(__m256i codes, __m256 low, __m256 high) {
  const __m256 top = _mm256_castsi256_ps(_mm256_slli_epi32(codes, 28));
  return _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, codes), _mm256_permutevar8x32_ps(high, codes), top);
}

// The leading part of a run that is a multiple of 16; gives its length.
template <typename Compute, typename Store>
PANATUNE_AVX2 inline int64_t decode_sixteens(const uint8_t* codes, __m256 low, __m256 high, float scale, int64_t n,
                                             Store* out) {
  const __m256 scales = _mm256_set1_ps(scale);
  const __m128i nibble = _mm_set1_epi8(15);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes + i / 2));
    const __m128i first = _mm_and_si128(_mm_srli_epi16(bytes, 4), nibble);
    const __m128i both = _mm_unpacklo_epi8(first, _mm_and_si128(bytes, nibble));
    const __m256 a = look_up(_mm256_cvtepu8_epi32(both), low, high);
    const __m256 b = look_up(_mm256_cvtepu8_epi32(_mm_srli_si128(both, 8)), low, high);
    store_eight<Compute>(_mm256_mul_ps(a, scales), out + i);
    store_eight<Compute>(_mm256_mul_ps(b, scales), out + i + 8);
  }
  return i;
}

// Elements [first, first + count) with `first` even.
template <typename Compute, typename Store>
PANATUNE_AVX2 void decode_even_avx2(const Packed4bit& source, int64_t first, int64_t count, Store* out) {
  const __m256 low = _mm256_loadu_ps(source.table);
  const __m256 high = _mm256_loadu_ps(source.table + 8);
  const int64_t end = first + count;
  int64_t block = first / source.blocksize;
  for (int64_t i = first; i < end; ++block) {
    const int64_t n = std::min((block + 1) * source.blocksize, end) - i;
    const uint8_t* codes = source.codes + i / 2;
    Store* to = out + (i - first);
    const float scale = source.absmax[block];
    const int64_t done = decode_sixteens<Compute>(codes, low, high, scale, n, to);
    decode_run<Compute>(codes + done / 2, source.table, scale, n - done, to + done);
    i += n;
  }
}

#endif

template <typename Compute, typename Store>
void decode_even_plain(const Packed4bit& source, int64_t first, int64_t count, Store* out) {
  const int64_t end = first + count;
  int64_t block = first / source.blocksize;
  for (int64_t i = first; i < end; ++block) {
    const int64_t n = std::min((block + 1) * source.blocksize, end) - i;
    decode_run<Compute>(source.codes + i / 2, source.table, source.absmax[block], n, out + (i - first));
    i += n;
  }
}

template <typename Compute, typename Store>
void decode_range(const Packed4bit& source, int64_t first, int64_t count, Store* out) {
  if (first % 2 != 0 && count > 0) {
    const int code = source.codes[first / 2] & 15;
    const float value = source.table[code] * source.absmax[first / source.blocksize];
    *out++ = static_cast<Store>(static_cast<Compute>(value));
    ++first;
    --count;
  }
#if defined(__x86_64__)
  if constexpr (!std::is_same_v<Compute, double>) {
    if (isa() != Isa::kPlain) {
      decode_even_avx2<Compute>(source, first, count, out);
      return;
    }
  }
#endif
  decode_even_plain<Compute>(source, first, count, out);
}

template <typename Compute, typename Store>
void decode_parallel(const Packed4bit& source, at::Tensor& out) {
  Store* values = out.mutable_data_ptr<Store>();
  const int64_t blocks = (source.count + source.blocksize - 1) / source.blocksize;
  const int64_t grain = std::max<int64_t>(1, kGrainElements / source.blocksize);
  at::parallel_for(0, blocks, grain, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * source.blocksize;
    const int64_t n = std::min(end * source.blocksize, source.count) - first;
    decode_range<Compute>(source, first, n, values + first);
  });
}

// Into the compute type itself, or into float.
template <typename Compute>
void decode_as(const Packed4bit& source, at::Tensor& out) {
  if (out.scalar_type() == c10::CppTypeToScalarType<Compute>::value) {
    decode_parallel<Compute, Compute>(source, out);
  } else {
    decode_parallel<Compute, float>(source, out);
  }
}

}  // namespace

void decode_4bit(const Packed4bit& source, int64_t first, int64_t count, at::ScalarType compute, float* out) {
  switch (compute) {
    case at::kBFloat16:
      return decode_range<c10::BFloat16>(source, first, count, out);
    case at::kHalf:
      return decode_range<c10::Half>(source, first, count, out);
    default:
      return decode_range<float>(source, first, count, out);
  }
}

void decode_4bit(const Packed4bit& source, int64_t first, int64_t count, at::ScalarType compute, c10::BFloat16* out) {
  TORCH_INTERNAL_ASSERT(compute == at::kBFloat16);
  decode_range<c10::BFloat16>(source, first, count, out);
}

void decode_4bit(const Packed4bit& source, int64_t first, int64_t count, at::ScalarType compute, c10::Half* out) {
  TORCH_INTERNAL_ASSERT(compute == at::kHalf);
  decode_range<c10::Half>(source, first, count, out);
}

void decode_4bit(const Packed4bit& source, at::ScalarType compute, at::Tensor& out) {
  TORCH_INTERNAL_ASSERT(out.is_contiguous() && out.numel() == source.count);
  TORCH_INTERNAL_ASSERT(out.scalar_type() == compute || out.scalar_type() == at::kFloat);
  switch (compute) {
    case at::kFloat:
      return decode_as<float>(source, out);
    case at::kBFloat16:
      return decode_as<c10::BFloat16>(source, out);
    case at::kHalf:
      return decode_as<c10::Half>(source, out);
    case at::kDouble:
      return decode_as<double>(source, out);
    default:
      TORCH_CHECK(false, "a 4-bit tensor decodes to float32, bfloat16, float16 or float64, not to ", compute);
  }
}

}  // namespace panatune
