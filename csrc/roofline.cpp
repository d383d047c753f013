// The roofs, compiled once for each instruction set like csrc/kernels.cpp, and in an anonymous namespace for the reason given there.
#include "roofline.hpp"

#include <cstring>

#include "vector_width.hpp"

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace genlab {
namespace {

typedef float V __attribute__((vector_size(vector_bytes)));
constexpr int lanes = vector_bytes / 4;
constexpr int chains = roofline_chains;

double sum(const V (&values)[chains]) {
  double total = 0;
  for (const V& value : values)
    for (int lane = 0; lane < lanes; ++lane) total += value[lane];
  return total;
}

double multiply_adds(long rounds) {
  float half = 0.5F, one = 1.0F, start = 2.0F;
  asm volatile("" : "+m"(half), "+m"(one), "+m"(start));  // values that the compiler does not know: nothing to compute in advance
  const V factor = half - V{}, term = one - V{};
  V values[chains];
  for (V& value : values) value = start - V{};
  for (long round = 0; round < rounds; ++round)
    for (V& value : values) value = value * factor + term;
  return sum(values);
}

#ifdef __AVX512BF16__
double dot_products(long rounds) {
  int ones = 0x3f803f80;  // a pair of bfloat16 1.0
  asm volatile("" : "+m"(ones));
  const __m512bh pair = reinterpret_cast<__m512bh>(_mm512_set1_epi32(ones));
  __m512 values[chains];
  for (__m512& value : values) value = _mm512_setzero_ps();
  for (long round = 0; round < rounds; ++round)
    for (__m512& value : values) value = _mm512_dpbf16_ps(value, pair, pair);
  V sums[chains];
  std::memcpy(sums, values, sizeof sums);
  return sum(sums);
}
#else
constexpr double (*dot_products)(long) = nullptr;
#endif

double read(const float* x, std::ptrdiff_t count, long passes) {
  constexpr int step = chains * lanes;
  double rest = 0;
  V values[chains] = {};
  for (long pass = 0; pass < passes; ++pass) {
    asm volatile("" : : "r"(x) : "memory");  // every pass reads again
    std::ptrdiff_t i = 0;
    for (; i + step <= count; i += step)
      for (int chain = 0; chain < chains; ++chain) {
        V value;
        std::memcpy(&value, x + i + chain * lanes, sizeof value);
        values[chain] += value;
      }
    for (; i < count; ++i) rest += x[i];
  }
  return sum(values) + rest;
}

#define GENLAB_TEXT_(name) #name
#define GENLAB_TEXT(name) GENLAB_TEXT_(name)
#define GENLAB_JOIN_(a, b) a##b
#define GENLAB_JOIN(a, b) GENLAB_JOIN_(a, b)

}  // namespace

extern const Roofline GENLAB_JOIN(roofline_, GENLAB_ISA);
const Roofline GENLAB_JOIN(roofline_, GENLAB_ISA) = {GENLAB_TEXT(GENLAB_ISA), lanes, multiply_adds, dot_products, read};

}  // namespace genlab
