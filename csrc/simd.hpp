// The vector registers of the instruction set that a file is compiled for: numbers in them, and e^x, σ and tanh of each.
//
// GCC's vector extensions stand for the registers, so that there is one source for every width; csrc/kernels.cpp says why the namespace
// has no name.
#pragma once

#include <cmath>
#include <cstring>

#include "kernels.hpp"
#include "vector_width.hpp"

#ifdef __AVX512F__
// GCC takes what its own header leaves open on purpose for a mistake.
#pragma GCC diagnostic push
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

namespace genlab {
namespace {

#ifdef __AVX512F__
constexpr int tile_registers = 28;  // of 32; two hold weights, one a pixel
#else
constexpr int tile_registers = 12;  // of 16
#endif

template <class T>
struct Simd;
template <>
struct Simd<float> {
  typedef float V __attribute__((vector_size(vector_bytes)));
  typedef std::int32_t I __attribute__((vector_size(vector_bytes)));
  typedef std::uint32_t U __attribute__((vector_size(vector_bytes)));  // 32 bits a lane
  static constexpr int lanes = vector_bytes / 4;
};
template <>
struct Simd<double> {
  typedef double V __attribute__((vector_size(vector_bytes)));
  typedef std::int64_t I __attribute__((vector_size(vector_bytes)));
  typedef std::uint32_t U __attribute__((vector_size(vector_bytes / 2)));
  static constexpr int lanes = vector_bytes / 8;
};

template <class T>
using Vec = typename Simd<T>::V;

template <class T>
inline Vec<T> load(const T* from) {
  Vec<T> value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
inline void store(T* to, Vec<T> value) {
  std::memcpy(to, &value, sizeof value);
}

// How a vector of one kind of value enters a multiply-add: a packed weight, times a value (or group of values) of one pixel.
template <class S>
struct Multiply {
  using Weight = Vec<S>;
  using Value = S;
  static Weight weight(const S* from) { return load<S>(from); }
  static Value value(const S* from) { return *from; }
  static Vec<S> add(Vec<S> sum, Value value, Weight weight) { return sum + value * weight; }
};

inline float narrow_as(float, double value) { return static_cast<float>(value); }
inline double narrow_as(double, double value) { return value; }

#ifdef __AVX512BF16__
// bfloat16 is the upper half of a float. Sums are kept in float; a store rounds to nearest even.
inline Vec<float> load(const bfloat16* from) {
  typedef std::uint16_t Half __attribute__((vector_size(32)));
  typedef std::uint32_t Whole __attribute__((vector_size(64)));
  Half half;
  std::memcpy(&half, from, sizeof half);
  return reinterpret_cast<Vec<float>>(__builtin_convertvector(half, Whole) << 16);
}
inline void store(bfloat16* to, Vec<float> value) {
  const __m256bh half = _mm512_cvtneps_pbh(reinterpret_cast<__m512>(value));
  std::memcpy(to, &half, sizeof half);
}
template <>
struct Multiply<bfloat16> {
  using Weight = __m512bh;
  using Value = __m512bh;
  template <class P>
  static Weight weight(const P* from) {
    Weight value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  template <class P>
  static Value value(const P* from) {
    std::int32_t pair;
    std::memcpy(&pair, from, sizeof pair);
    return reinterpret_cast<Value>(_mm512_set1_epi32(pair));
  }
  static Vec<float> add(Vec<float> sum, Value value, Weight weight) {
    return reinterpret_cast<Vec<float>>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(sum), value, weight));
  }
};
inline bfloat16 narrow_as(bfloat16, double value) {
  const __m128bh rounded = _mm_cvtneps_pbh(_mm_set_ss(static_cast<float>(value)));
  bfloat16 result;
  std::memcpy(&result, &rounded, sizeof result);
  return result;
}
#endif

template <class T>
inline Vec<T> positive(Vec<T> value) {
  // NaN > 0 is false; keeping value unless it is <= 0 lets a NaN pass on, as torch does.
  return value <= Vec<T>{} ? Vec<T>{} : value;
}

template <class S>
constexpr int lanes_of = Simd<Compute<S>>::lanes;

// The first `count` lanes, fewer than a vector has: the others are zeros, and what lies there in memory is neither read nor written.
template <class S>
inline Vec<Compute<S>> load_some(const S* from, int count) {
  S values[lanes_of<S>] = {};
  std::memcpy(values, from, count * sizeof(S));
  return load(values);
}
template <class S>
inline void store_some(S* to, Vec<Compute<S>> value, int count) {
  S values[lanes_of<S>];
  store(values, value);
  std::memcpy(to, values, count * sizeof(S));
}

template <class T>
inline T sum_of_lanes(Vec<T> value) {
  T lanes[Simd<T>::lanes];
  store<T>(lanes, value);
  for (int width = Simd<T>::lanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  return lanes[0];
}

template <class S>
double widen(S value) {
  if constexpr (Numbers<S>::group == 1) {
    return value;
  } else {
    const std::uint32_t bits = static_cast<std::uint32_t>(value.bits) << 16;
    float wide;
    std::memcpy(&wide, &bits, sizeof wide);
    return wide;
  }
}

template <class S>
S narrow(double value) {
  return narrow_as(S{}, value);
}

// e^x of each lane. float: 2^n · polynomial of degree 6 (Cephes), relative error below 2e-7; double: the library's.
inline Vec<float> exponential(Vec<float> x) {
  using V = Vec<float>;
  using I = Simd<float>::I;
  const V low = V{} - 87.0f, high = V{} + 88.0f;
  x = x < low ? low : x;
  x = x > high ? high : x;
  const float magic = 12582912.0f;  // 1.5 · 2^23: adding it rounds to the nearest integer
  const V n = (x * 1.44269504088896341f + magic) - magic;
  const V r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  V p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const I exponent = (__builtin_convertvector(n, I) + 127) << 23;
  V power;
  std::memcpy(&power, &exponent, sizeof power);
  return p * power;
}

inline Vec<double> exponential(Vec<double> x) {
  for (int i = 0; i < Simd<double>::lanes; ++i) x[i] = std::exp(x[i]);
  return x;
}

// 1 / x of a finite x ≥ 1. A division of sixteen floats keeps the unit busy for as long as a dozen of other operations do: an estimate of 14
// bits and a step of Newton's come to within a unit or two of the last place.
template <class T>
inline Vec<T> reciprocal(Vec<T> x) {
#ifdef __AVX512F__
  if constexpr (sizeof(T) == 4) {
    const Vec<T> estimate = reinterpret_cast<Vec<T>>(_mm512_rcp14_ps(reinterpret_cast<__m512>(x)));
    return estimate + estimate * (T(1) - x * estimate);
  }
#endif
  return T(1) / x;
}

template <class T>
inline Vec<T> sigmoid(Vec<T> x) {
  return reciprocal<T>(T(1) + exponential(-x));
}

template <class T>
inline Vec<T> hyperbolic_tangent(Vec<T> x) {
  return T(1) - T(2) * reciprocal<T>(exponential(x + x) + T(1));
}

}  // namespace
}  // namespace genlab
