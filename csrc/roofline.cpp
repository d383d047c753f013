// The roofs, compiled once for each instruction set like csrc/kernels.cpp, and in an anonymous namespace for the reason given there.
#include "roofline.hpp"

#include <cstring>

#include "vector_width.hpp"

#ifdef __AVX512BF16__
#include "simd.hpp"
#endif
#ifdef __AMX_BF16__
#include "matrix_unit.hpp"
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

#ifdef __AMX_BF16__
double matrix_products(long rounds) {
  if (!has_matrix_unit()) return 0;
  alignas(64) std::uint16_t ones[matrix_rows][matrix_bytes / 2];
  for (auto& row : ones)
    for (std::uint16_t& one : row) one = 0x3f80;
  take_tiles(matrix_rows, matrix_rows);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  settle();
  _tile_loadd(4, ones, matrix_bytes);
  _tile_loadd(6, ones, matrix_bytes);
  for (long round = 0; round < rounds; ++round) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 6);
    _tile_dpbf16ps(2, 4, 6);
    _tile_dpbf16ps(3, 4, 6);
  }
  float sums[4][matrix_rows][matrix_bytes / 4];
  _tile_stored(0, sums[0], matrix_bytes);
  _tile_stored(1, sums[1], matrix_bytes);
  _tile_stored(2, sums[2], matrix_bytes);
  _tile_stored(3, sums[3], matrix_bytes);
  double total = 0;
  for (const auto& tile : sums)
    for (const auto& row : tile)
      for (const float value : row) total += value;
  return total;
}
#else
constexpr double (*matrix_products)(long) = nullptr;
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
const Roofline GENLAB_JOIN(roofline_, GENLAB_ISA) = {GENLAB_TEXT(GENLAB_ISA), lanes, multiply_adds, dot_products, matrix_products, read};

}  // namespace genlab
