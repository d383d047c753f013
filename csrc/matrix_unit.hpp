// Convolutions in bfloat16 on the processor's matrix unit (AMX), where it has one and the system lets us use it.
//
// A tile register holds up to 16 rows of 64 bytes. The unit adds to 16 × 16 sums in float the products of 16 pixels' 32 channels with as many
// of 16 outputs: maps and packed weights lie in memory as it wants them. Where 16 terms in turn are not 32 neighbouring channels (an image
// of one channel, a last few terms) they are brought together first. As everywhere, a sum runs over k in the same order in every tile.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "kernels.hpp"
#include "simd.hpp"

namespace genlab {
namespace {

constexpr int matrix_rows = 16, matrix_bytes = 64;

// Asked once: whether the processor has the unit, and the system lends it to this process (GENLAB_MATRIX_UNIT=off declines).
inline bool has_matrix_unit() {
  static const bool answer = [] {
    constexpr long request_permission = 0x1023, tile_data = 18;  // arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)
    const char* const wish = std::getenv("GENLAB_MATRIX_UNIT");
    if (wish && std::strcmp(wish, "off") == 0) return false;
    unsigned a, b, c, d;
    asm volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
    const bool there = (d >> 22 & 1) && (d >> 24 & 1);
    return there && syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
  }();
  return answer;
}

// GCC does not know that a tile is loaded from memory: what was stored there must be by now.
inline void settle() { asm volatile("" : : : "memory"); }

// Tiles 0 to 3 hold sums, `rows` × 16; 4 and 5 the left factors, `rows` × `pairs`; 6 and 7 the right ones, `pairs` × 16.
inline void take_tiles(int rows, int pairs) {
  struct alignas(64) {
    std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
    std::uint16_t bytes[16] = {};
    std::uint8_t rows[16] = {};
  } shape;
  for (int t = 0; t < 8; ++t) {
    shape.bytes[t] = static_cast<std::uint16_t>(t == 4 || t == 5 ? 4 * pairs : matrix_bytes);
    shape.rows[t] = static_cast<std::uint8_t>(t < 6 ? rows : pairs);
  }
  asm volatile("" : : "r"(&shape) : "memory");
  _tile_loadconfig(&shape);
}

// Sixteen terms of a convolution, as the unit reads them of the pixels from `pixel` on and of two vectors of outputs.
class MatrixTerms {
 public:
  MatrixTerms(const ConvArgs<bfloat16>& a, const bfloat16* weight, int k, int width) : a_(a), count_(std::min(matrix_rows, a.depth - k)) {
    offsets_ = a.offsets + k;
    weight_ = weight + static_cast<std::ptrdiff_t>(k) * width * 32;
    weight_step_ = width * matrix_bytes;
    if (count_ == matrix_rows) {
      const __m512i at = _mm512_loadu_si512(offsets_), steps = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
      together_ = _mm512_cmpeq_epi32_mask(_mm512_sub_epi32(at, _mm512_set1_epi32(offsets_[0])), steps) == 0xffff;
    } else {
      std::memset(weights_, 0, sizeof weights_);
      for (int j = 0; j < count_; ++j) std::memcpy(weights_[j], weight_ + j * width * 32, width * matrix_bytes);
      weight_ = weights_[0];
      weight_step_ = sizeof weights_[0];
    }
  }
  const bfloat16* weight() const { return weight_; }
  std::ptrdiff_t weight_step() const { return weight_step_; }

  // Where the terms of `pixels` pixels lie, and how many bytes apart.
  const bfloat16* pixels(int pixel, int pixels, std::ptrdiff_t& step) {
    const bfloat16* const x = a_.x + pixel * a_.x_stride;
    if (together_) {
      step = a_.x_stride * static_cast<std::ptrdiff_t>(sizeof(bfloat16));
      return x + offsets_[0];
    }
    std::memset(pixels_, 0, sizeof pixels_);
    for (int p = 0; p < pixels; ++p)
      for (int j = 0; j < count_; ++j) std::memcpy(pixels_[p] + 2 * j, x + p * a_.x_stride + offsets_[j], 2 * sizeof(bfloat16));
    step = matrix_bytes;
    return pixels_[0];
  }

 private:
  const ConvArgs<bfloat16>& a_;
  const int count_;
  const std::int32_t* offsets_;
  const bfloat16* weight_;
  std::ptrdiff_t weight_step_;
  bool together_ = false;
  alignas(64) bfloat16 weights_[matrix_rows][64];
  alignas(64) bfloat16 pixels_[matrix_rows][32];
};

// The sums of one or two tiles of pixels × one or two vectors of outputs, [tile of pixels][vector][pixel][output].
using MatrixSums = float[2][2][matrix_rows][16];

template <bool two_tiles, bool two_vectors>
void sum_on_matrix_unit(const ConvArgs<bfloat16>& a, const bfloat16* weight, int pixel, int pixels, MatrixSums& sums) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int k = 0; k < a.depth; k += matrix_rows) {
    MatrixTerms terms(a, weight, k, two_vectors ? 2 : 1);
    std::ptrdiff_t step;
    const bfloat16* const first = terms.pixels(pixel, pixels, step);
    settle();
    _tile_loadd(6, terms.weight(), terms.weight_step());
    if (two_vectors) _tile_loadd(7, terms.weight() + 32, terms.weight_step());
    _tile_loadd(4, first, step);
    _tile_dpbf16ps(0, 4, 6);
    if (two_vectors) _tile_dpbf16ps(1, 4, 7);
    if (!two_tiles) continue;
    const bfloat16* const second = terms.pixels(pixel + pixels, pixels, step);
    settle();
    _tile_loadd(5, second, step);
    _tile_dpbf16ps(2, 5, 6);
    if (two_vectors) _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums[0][0], matrix_bytes);
  if (two_vectors) _tile_stored(1, sums[0][1], matrix_bytes);
  if (two_tiles) _tile_stored(2, sums[1][0], matrix_bytes);
  if (two_tiles && two_vectors) _tile_stored(3, sums[1][1], matrix_bytes);
}

// finish(sums, pixel, tile, in_tile, channel, vectors) for every pixel.
template <class Finish>
void conv_on_matrix_unit(const ConvArgs<bfloat16>& a, const Finish& finish) {
  constexpr int lanes = 16;
  alignas(64) MatrixSums sums;
  const int tiles = (a.pixels + matrix_rows - 1) / matrix_rows;
  int shaped = 0;
  for (int t = 0, begin = 0; t < tiles;) {
    const int end = a.pixels * (t + 1) / tiles, pixels = end - begin;
    const bool two = t + 1 < tiles && a.pixels * (t + 2) / tiles - end == pixels;
    if (pixels != shaped) take_tiles(shaped = pixels, matrix_rows);
    const bfloat16* weight = a.weight;
    for (int channel = 0; channel < a.channels;) {
      const bool wide = a.channels - channel >= 2 * lanes;
      if (wide)
        two ? sum_on_matrix_unit<true, true>(a, weight, begin, pixels, sums) : sum_on_matrix_unit<false, true>(a, weight, begin, pixels, sums);
      else
        two ? sum_on_matrix_unit<true, false>(a, weight, begin, pixels, sums) : sum_on_matrix_unit<false, false>(a, weight, begin, pixels, sums);
      for (int n = 0; n < (two ? 2 : 1); ++n)
        for (int p = 0; p < pixels; ++p) finish(sums[n][0][p], sums[n][1][p], begin + n * pixels + p, channel, wide);
      channel += wide ? 2 * lanes : lanes;
      weight += static_cast<std::ptrdiff_t>(a.depth) * (wide ? 2 : 1) * lanes * 2;
    }
    begin += two ? 2 * pixels : pixels;
    t += two ? 2 : 1;
  }
}

// to[column][row] = from[row][column] of 16 columns of 32 bits; rows beyond those that there are are zeros.
inline void transpose(const void* from, std::ptrdiff_t step, int rows, std::uint32_t* to) {
  __m512i a[16], b[16];
  for (int i = 0; i < 16; ++i) a[i] = i < rows ? _mm512_loadu_si512(static_cast<const std::uint32_t*>(from) + i * step) : _mm512_setzero_si512();
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int j = 0; j < 2; ++j) {
      a[i + 2 * j] = _mm512_unpacklo_epi64(b[i + j], b[i + 2 + j]);
      a[i + 2 * j + 1] = _mm512_unpackhi_epi64(b[i + j], b[i + 2 + j]);
    }
  for (int j = 0; j < 4; ++j) {
    const __m512i even = _mm512_shuffle_i32x4(a[j], a[4 + j], 0x88), even_too = _mm512_shuffle_i32x4(a[8 + j], a[12 + j], 0x88);
    const __m512i odd = _mm512_shuffle_i32x4(a[j], a[4 + j], 0xdd), odd_too = _mm512_shuffle_i32x4(a[8 + j], a[12 + j], 0xdd);
    _mm512_storeu_si512(to + 16 * j, _mm512_shuffle_i32x4(even, even_too, 0x88));
    _mm512_storeu_si512(to + 16 * (4 + j), _mm512_shuffle_i32x4(odd, odd_too, 0x88));
    _mm512_storeu_si512(to + 16 * (8 + j), _mm512_shuffle_i32x4(even, even_too, 0xdd));
    _mm512_storeu_si512(to + 16 * (12 + j), _mm512_shuffle_i32x4(odd, odd_too, 0xdd));
  }
}

// The weight gradient, transposed: sums of 16 outputs × 16 terms over pairs of pixels. The pairs of a row are taken in blocks of the same
// number, at most 16, of which the last one may begin before the one ahead of it ends: what it has twice counts as zero there.
class MatrixWeightGrad {
 public:
  explicit MatrixWeightGrad(const WeightGradArgs<bfloat16>& a)
      : a_(a), blocks_((a.pixels + matrix_rows - 1) / matrix_rows), pairs_((a.pixels + blocks_ - 1) / blocks_) {}

  void run() {
    for (int output = 0; output < a_.channels; output += matrix_rows) turn_gradient(output);
    take_tiles(matrix_rows, pairs_);
    for (int output = 0; output < a_.channels; output += 2 * matrix_rows)
      for (int k = 0; k < a_.depth; k += 2 * matrix_rows) {
        const bool two_outputs = output + matrix_rows < a_.channels, two_terms = k + matrix_rows < a_.depth;
        if (two_outputs)
          two_terms ? sum<true, true>(output, k) : sum<true, false>(output, k);
        else
          two_terms ? sum<false, true>(output, k) : sum<false, false>(output, k);
      }
  }

 private:
  int begin_of(int block) const { return block + 1 < blocks_ ? block * pairs_ : a_.pixels - pairs_; }
  std::uint32_t* turned(int output, int y, int block) const {
    return a_.turned + ((static_cast<std::ptrdiff_t>(output / matrix_rows) * a_.rows + y) * blocks_ + block) * matrix_rows * 16;
  }

  void turn_gradient(int output) const {
    for (int y = 0; y < a_.rows; ++y)
      for (int block = 0; block < blocks_; ++block) {
        std::uint32_t* const to = turned(output, y, block);
        transpose(a_.grad + y * a_.grad_row + begin_of(block) * a_.grad_stride + output, a_.grad_stride, pairs_, to);
        const int twice = block + 1 == blocks_ ? block * pairs_ - begin_of(block) : 0;
        for (int o = 0; o < matrix_rows && twice > 0; ++o) std::memset(to + 16 * o, 0, twice * sizeof *to);
      }
  }

  // Sixteen terms of a block of pairs, brought together where they do not lie so.
  const std::uint32_t* terms(const std::uint32_t* x, int k, bool together, std::ptrdiff_t& step, std::uint32_t (&room)[matrix_rows][16]) const {
    step = a_.x_stride * static_cast<std::ptrdiff_t>(sizeof *x);
    if (together) return x + a_.offsets[k];
    const int count = std::min(matrix_rows, a_.depth - k);
    std::memset(room, 0, sizeof room);
    for (int p = 0; p < pairs_; ++p)
      for (int j = 0; j < count; ++j) room[p][j] = x[p * a_.x_stride + a_.offsets[k + j]];
    step = sizeof room[0];
    return room[0];
  }

  bool lie_together(int k) const {
    bool together = k + matrix_rows <= a_.depth;
    for (int j = 1; j < matrix_rows && together; ++j) together = a_.offsets[k + j] == a_.offsets[k] + j;
    return together;
  }

  template <bool two_outputs, bool two_terms>
  void sum(int output, int k) const {
    alignas(64) std::uint32_t room[2][matrix_rows][16];
    const bool together = lie_together(k), together_too = two_terms && lie_together(k + matrix_rows);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int y = 0; y < a_.rows; ++y)
      for (int block = 0; block < blocks_; ++block) {
        const std::uint32_t* const x = a_.x + y * a_.x_row + begin_of(block) * a_.x_stride;
        std::ptrdiff_t step;
        const std::uint32_t* const first = terms(x, k, together, step, room[0]);
        settle();
        _tile_loadd(4, turned(output, y, block), matrix_bytes);
        _tile_loadd(6, first, step);
        _tile_dpbf16ps(0, 4, 6);
        if (two_outputs) {
          _tile_loadd(5, turned(output + matrix_rows, y, block), matrix_bytes);
          _tile_dpbf16ps(2, 5, 6);
        }
        if (!two_terms) continue;
        const std::uint32_t* const second = terms(x, k + matrix_rows, together_too, step, room[1]);
        settle();
        _tile_loadd(7, second, step);
        _tile_dpbf16ps(1, 4, 7);
        if (two_outputs) _tile_dpbf16ps(3, 5, 7);
      }
    alignas(64) float sums[matrix_rows][16];
    _tile_stored(0, sums, matrix_bytes);
    add(sums, output, k);
    if (two_terms) {
      _tile_stored(1, sums, matrix_bytes);
      add(sums, output, k + matrix_rows);
    }
    if (two_outputs) {
      _tile_stored(2, sums, matrix_bytes);
      add(sums, output + matrix_rows, k);
    }
    if (two_outputs && two_terms) {
      _tile_stored(3, sums, matrix_bytes);
      add(sums, output + matrix_rows, k + matrix_rows);
    }
  }

  void add(const float (&sums)[matrix_rows][16], int output, int k) const {
    alignas(64) std::uint32_t by_term[16][matrix_rows];
    transpose(sums, 16, matrix_rows, by_term[0]);
    for (int j = 0; j < matrix_rows && k + j < a_.depth; ++j) {
      float* const to = a_.weight_grad + static_cast<std::ptrdiff_t>(k + j) * a_.channels + output;
      Vec<float> more;
      std::memcpy(&more, by_term[j], sizeof more);
      store<float>(to, load<float>(to) + more);
    }
  }

  const WeightGradArgs<bfloat16>& a_;
  const int blocks_, pairs_;
};

}  // namespace
}  // namespace genlab
