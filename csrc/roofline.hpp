// What this processor can do at most, measured by code that does nothing else: the roof under which docs/performance.md plots the kernels.
#pragma once

#include <cstddef>

namespace genlab {

struct Roofline {
  const char* name;  // of the instruction set
  int lanes;         // float32 values in a vector

  // Vectors in registers alone, `chains` of them, `rounds` times: v = v·½ + 1, which stays at 2 once it is there.
  // Returns the sum of all values, 2 · chains · lanes. Operations: 2 · chains · lanes · rounds.
  double (*multiply_adds)(long rounds);

  // The same with the bfloat16 dot product: v += 1·1 + 1·1, from 0 on. Returns 2 · rounds · chains · lanes (exact up to 2^23 rounds).
  // Operations: 4 · chains · lanes · rounds. Null where the processor has no such instruction.
  double (*dot_products)(long rounds);

  // The same on the matrix unit (csrc/matrix_unit.hpp), four tiles of sums of 16 · 16 at once: each += 32 products 1·1, from 0 on. Returns
  // the sum of all, 32768 · rounds. Operations: 65536 · rounds. Null where the compiler knows no such unit; 0 where the processor has none.
  double (*matrix_products)(long rounds);

  // Σ x[i], over and over: reads count · passes values. Returns the sum of all passes (in float32: exact for small whole numbers).
  double (*read)(const float* x, std::ptrdiff_t count, long passes);
};

// Enough sums at once to hide the latency of an addition (4 cycles, two a cycle) and few enough for 16 registers.
constexpr int roofline_chains = 12;

extern const Roofline roofline_baseline;
extern const Roofline roofline_avx2;
extern const Roofline roofline_avx512;
extern const Roofline roofline_avx512bf16;

}  // namespace genlab
