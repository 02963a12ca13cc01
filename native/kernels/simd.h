// Short vectors for the kernels' loops, on the compiler's vector extension: one source for every
// instruction set. A kernel is a struct with `template <int W> static void run(...)`, always inlined,
// W floats wide; simd::dispatch compiles it once a width and picks by isa(). bf16 and fp16 are read
// and written through fp32.
#pragma once

#include <c10/util/BFloat16.h>
#include <c10/util/Exception.h>
#include <c10/util/Half.h>

#include <cstdint>
#include <cstring>
#include <utility>

#include "cpu.h"

#define PANATUNE_INLINE inline __attribute__((always_inline))
// Unrolls the loop that follows whole, so that an array of vectors that it indexes stays in registers.
#define PANATUNE_UNROLL _Pragma("GCC unroll 16")

// Everything here is inlined, so no vector ever crosses a call: the ABI that GCC warns of is not used. Vectors are
// passed by reference for the same warning's note, which no pragma silences.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace panatune::simd {

template <int W>
struct Lanes {
  typedef float F32 __attribute__((vector_size(W * 4)));
  typedef int32_t I32 __attribute__((vector_size(W * 4)));
  typedef uint32_t U32 __attribute__((vector_size(W * 4)));
  typedef uint16_t U16 __attribute__((vector_size(W * 2)));
};

template <int W>
using F32 = typename Lanes<W>::F32;
template <int W>
using I32 = typename Lanes<W>::I32;
template <int W>
using U32 = typename Lanes<W>::U32;
template <int W>
using U16 = typename Lanes<W>::U16;

template <int W>
PANATUNE_INLINE F32<W> splat(float value) {
  return F32<W>{} + value;
}

// 0, 1, 2, ... W-1
template <int W>
PANATUNE_INLINE I32<W> iota() {
  I32<W> lanes;
  PANATUNE_UNROLL
  for (int i = 0; i < W; ++i) {
    lanes[i] = i;
  }
  return lanes;
}

template <int W>
PANATUNE_INLINE F32<W> load(const float* from) {
  F32<W> value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

template <int W>
PANATUNE_INLINE F32<W> load(const c10::BFloat16* from) {
  U16<W> bits;
  std::memcpy(&bits, from, sizeof(bits));
  return (F32<W>)(__builtin_convertvector(bits, U32<W>) << 16);
}

template <int W>
PANATUNE_INLINE F32<W> load(const c10::Half* from) {
  U16<W> bits;
  std::memcpy(&bits, from, sizeof(bits));
  const U32<W> wide = __builtin_convertvector(bits, U32<W>);
  const U32<W> magnitude = (wide & 0x7fff) << 13;
  // Scaling by 2^112 puts the exponent right, subnormals included; infinities and NaNs keep theirs.
  const F32<W> scaled = (F32<W>)magnitude * 0x1p112f;
  const U32<W> special = (U32<W>)(magnitude >= (0x7c00u << 13)) & 0x7f800000u;
  return (F32<W>)((U32<W>)scaled | special | (wide & 0x8000) << 16);
}

template <int W>
PANATUNE_INLINE void store(float* to, const F32<W>& value) {
  std::memcpy(to, &value, sizeof(value));
}

template <int W>
PANATUNE_INLINE void store(c10::BFloat16* to, const F32<W>& value) {
  const U32<W> bits = (U32<W>)value;
  const U32<W> rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const U32<W> nan = (U32<W>)(value != value);
  const U16<W> narrow = __builtin_convertvector((rounded & ~nan) | (nan & 0x7fc0), U16<W>);
  std::memcpy(to, &narrow, sizeof(narrow));
}

template <int W>
PANATUNE_INLINE void store(c10::Half* to, const F32<W>& value) {
  const U32<W> bits = (U32<W>)value;
  const U32<W> sign = bits & 0x80000000u;
  const F32<W> magnitude = (F32<W>)(bits ^ sign);
  // Adding a power of two that depends on the exponent leaves the rounding to the adder.
  const F32<W> scaled = magnitude * 0x1p112f * 0x1p-110f;
  U32<W> bias = (bits << 1) & 0xff000000u;
  bias = bias < 0x71000000u ? U32<W>{} + 0x71000000u : bias;
  const U32<W> sum = (U32<W>)((F32<W>)((bias >> 1) + 0x07800000u) + scaled);
  const U32<W> half = ((sum >> 13) & 0x7c00u) + (sum & 0x0fffu);
  const U32<W> nan = (U32<W>)(value != value);
  const U16<W> narrow = __builtin_convertvector(sign >> 16 | (half & ~nan) | (nan & 0x7e00u), U16<W>);
  std::memcpy(to, &narrow, sizeof(narrow));
}

// The first W elements, or all `left` of them where fewer are left; the other lanes are zero.
template <int W, class T>
PANATUNE_INLINE F32<W> load(const T* from, int64_t left) {
  if (left >= W) {
    return load<W>(from);
  }
  T padded[W];
  std::memset(static_cast<void*>(padded), 0, sizeof(padded));
  std::memcpy(static_cast<void*>(padded), from, left * sizeof(T));
  return load<W>(padded);
}

template <int W, class T>
PANATUNE_INLINE void store(T* to, const F32<W>& value, int64_t left) {
  if (left >= W) {
    store<W>(to, value);
    return;
  }
  T padded[W];
  store<W>(padded, value);
  std::memcpy(static_cast<void*>(to), padded, left * sizeof(T));
}

template <int W>
PANATUNE_INLINE float sum(const F32<W>& value) {
  float total = value[0];
  PANATUNE_UNROLL
  for (int i = 1; i < W; ++i) {
    total += value[i];
  }
  return total;
}

// One step of a transposition: exchanges the parts of two rows, STEP lanes long, that lie across the diagonal.
template <int W, int STEP, int... LANES>
PANATUNE_INLINE void exchange(F32<W>& upper, F32<W>& lower, std::integer_sequence<int, LANES...>) {
  constexpr I32<W> first = {(LANES & STEP ? W + LANES - STEP : LANES)...};
  constexpr I32<W> second = {(LANES & STEP ? W + LANES : LANES + STEP)...};
  const F32<W> above = upper;
  upper = __builtin_shuffle(above, lower, first);
  lower = __builtin_shuffle(above, lower, second);
}

// rows[i][j] becomes rows[j][i].
template <int W, int STEP = W / 2>
PANATUNE_INLINE void transpose(F32<W> (&rows)[W]) {
  PANATUNE_UNROLL
  for (int i = 0; i < W; ++i) {
    if ((i & STEP) == 0) {
      exchange<W, STEP>(rows[i], rows[i + STEP], std::make_integer_sequence<int, W>{});
    }
  }
  if constexpr (STEP > 1) {
    transpose<W, STEP / 2>(rows);
  }
}

template <int W>
PANATUNE_INLINE F32<W> max(const F32<W>& a, const F32<W>& b) {
  return a > b ? a : b;
}

template <int W>
PANATUNE_INLINE float max(const F32<W>& value) {
  float largest = value[0];
  PANATUNE_UNROLL
  for (int i = 1; i < W; ++i) {
    largest = largest > value[i] ? largest : value[i];
  }
  return largest;
}

// e^x to 1.2e-7 relative; below -87.3 a number under 1.3e-38, above 88.3 the largest that it reaches.
template <int W>
PANATUNE_INLINE F32<W> exp(const F32<W>& power) {
  F32<W> x = power < -87.3f ? splat<W>(-87.3f) : power;
  x = x > 88.3f ? splat<W>(88.3f) : x;
  const float magic = 0x1.8p23f;  // adding it rounds to an integer, in the low bits
  const F32<W> shifted = x * 1.44269504f + magic;
  const F32<W> n = shifted - magic;
  // ln 2 in two parts, so that x - n ln 2 is exact to the last bit
  const F32<W> r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  F32<W> p = splat<W>(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const I32<W> exponent = ((I32<W>)shifted << 23) + (127 << 23);
  return p * (F32<W>)exponent;
}

template <int W>
PANATUNE_INLINE F32<W> sigmoid(const F32<W>& x) {
  return 1.0f / (1.0f + exp<W>(-x));
}

// To 2e-7 relative (Cephes' tanhf): a polynomial near 0, where the quotient of exponentials would cancel.
template <int W>
PANATUNE_INLINE F32<W> tanh(const F32<W>& x) {
  const F32<W> size = x < 0.0f ? -x : x;
  const F32<W> square = x * x;
  F32<W> p = splat<W>(-5.70498872745e-3f);
  p = p * square + 2.06390887954e-2f;
  p = p * square - 5.37397155531e-2f;
  p = p * square + 1.33314422036e-1f;
  p = p * square - 3.33332819422e-1f;
  const F32<W> near = p * square * x + x;
  const F32<W> far = 1.0f - 2.0f / (exp<W>(size + size) + 1.0f);
  return size < 0.625f ? near : (x < 0.0f ? -far : far);
}

template <class Kernel, class... Arguments>
void run_plain(Arguments... arguments) {
  Kernel::template run<4>(arguments...);
}

#if defined(__x86_64__)
template <class Kernel, class... Arguments>
__attribute__((target("avx2,fma"))) void run_avx2(Arguments... arguments) {
  Kernel::template run<8>(arguments...);
}

template <class Kernel, class... Arguments>
__attribute__((target("avx2,fma,avx512f,avx512bw,avx512vl,avx512dq"))) void run_avx512(Arguments... arguments) {
  Kernel::template run<16>(arguments...);
}
#endif

struct Width {
  template <int W>
  PANATUNE_INLINE static void run(int64_t* floats) {
    *floats = W;
  }
};

// Runs Kernel::run with the widest vectors that isa() allows.
template <class Kernel, class... Arguments>
void dispatch(Arguments... arguments) {
  switch (isa()) {
#if defined(__x86_64__)
    case Isa::kAvx512:
      return run_avx512<Kernel>(arguments...);
    case Isa::kAvx2:
      return run_avx2<Kernel>(arguments...);
#endif
    default:
      return run_plain<Kernel>(arguments...);
  }
}

// How many floats a vector of dispatch() has.
inline int64_t width() {
  int64_t floats;
  dispatch<Width>(&floats);
  return floats;
}

// Calls body(T{}) with the C++ type of a dtype for which fused_kernels() holds.
template <class Body>
void with_type(c10::ScalarType dtype, const char* operator_name, Body body) {
  switch (dtype) {
    case c10::ScalarType::Float:
      return body(float{});
    case c10::ScalarType::BFloat16:
      return body(c10::BFloat16{});
    case c10::ScalarType::Half:
      return body(c10::Half{});
    default:
      TORCH_CHECK(false, operator_name, ": no CPU kernel for ", dtype);
  }
}

}  // namespace panatune::simd
