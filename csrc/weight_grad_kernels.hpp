// The weight gradient's register tile, a part of csrc/kernels.cpp: compiled for every instruction set, and like all there without a name
// that another object could share.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace genlab {
namespace {

template <class S, int R, int NV, bool together>
void weight_grad_tile(const WeightGradArgs<S>& a, int k0, int channel) {
  using T = Compute<S>;
  constexpr int L = Simd<T>::lanes;
  Vec<T> acc[R][NV];
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) acc[r][v] = Vec<T>{};
  const std::int32_t* const offsets = a.offsets + k0;
  for (int y = 0; y < a.rows; ++y) {
    const Pair<S>* x = a.x + y * a.x_row + (together ? offsets[0] : 0);
    const Pair<S>* grad = a.grad + y * a.grad_row + channel;
    for (int p = 0; p < a.pixels; ++p) {
      typename Multiply<S>::Weight g[NV];
#pragma GCC unroll 2
      for (int v = 0; v < NV; ++v) g[v] = Multiply<S>::weight(grad + v * L);
#pragma GCC unroll 32
      for (int r = 0; r < R; ++r) {
        const auto value = Multiply<S>::value(x + (together ? r : offsets[r]));
#pragma GCC unroll 2
        for (int v = 0; v < NV; ++v) acc[r][v] = Multiply<S>::add(acc[r][v], value, g[v]);
      }
      x += a.x_stride;
      grad += a.grad_stride;
    }
  }
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) {
      T* const to = a.weight_grad + static_cast<std::ptrdiff_t>(k0 + r) * a.channels + channel + v * L;
      store<T>(to, load<T>(to) + acc[r][v]);
    }
}

template <class S>
using WeightGradTile = void (*)(const WeightGradArgs<S>&, int, int);

template <class S, int NV, bool together, int R = tile_registers / 2>
WeightGradTile<S> weight_grad_tile_for(int r) {
  if constexpr (R == 0) {
    return nullptr;
  } else {
    return r == R ? &weight_grad_tile<S, R, NV, together> : weight_grad_tile_for<S, NV, together, R - 1>(r);
  }
}

// What a pixel is multiplied by to be summed up: one, twice over where two pixels lie side by side.
template <class S>
Pair<S> one_of() {
  if constexpr (Numbers<S>::group == 1)
    return S(1);
  else
    return 0x3f803f80u;
}

// The whole depth of one block of rows after another: a block's pixels are read once for every tile, and stay in the first-level cache.
template <class S>
void weight_grad_of_rows(const WeightGradArgs<S>& a) {
  constexpr int L = Simd<Compute<S>>::lanes;
  constexpr int most = tile_registers / 2;
  for (int channel = 0; channel < a.channels;) {
    const int nv = a.channels - channel >= 2 * L ? 2 : 1;
    const int tiles = (a.depth + most - 1) / most;
    for (int t = 0; t < tiles; ++t) {
      const int begin = a.depth * t / tiles, end = a.depth * (t + 1) / tiles;
      const int r = end - begin;
      bool together = true;
      for (int k = begin + 1; k < end; ++k) together = together && a.offsets[k] == a.offsets[k - 1] + 1;
      const WeightGradTile<S> tile = nv == 2 ? (together ? weight_grad_tile_for<S, 2, true>(r) : weight_grad_tile_for<S, 2, false>(r))
                                             : (together ? weight_grad_tile_for<S, 1, true>(r) : weight_grad_tile_for<S, 1, false>(r));
      tile(a, begin, channel);
    }
    channel += nv * L;
  }
}

template <class S>
void weight_grad_in_registers(const WeightGradArgs<S>& a) {
  constexpr int pixels_at_once = 112;
  WeightGradArgs<S> block = a;
  const int rows_at_once = (pixels_at_once + a.pixels - 1) / a.pixels;
  for (int y = 0; y < a.rows; y += rows_at_once) {
    block.rows = a.rows - y < rows_at_once ? a.rows - y : rows_at_once;
    weight_grad_of_rows(block);
    block.x += rows_at_once * a.x_row;
    block.grad += rows_at_once * a.grad_row;
  }
}

template <class S>
void bias_grad(const WeightGradArgs<S>& a) {
  using T = Compute<S>;
  constexpr int L = Simd<T>::lanes;
  const Pair<S> ones = one_of<S>();
  const auto one = Multiply<S>::value(&ones);
  constexpr int chains = 4;  // sums side by side: one alone would wait for itself at every pixel
  for (int channel = 0; channel < a.channels; channel += L) {
    Vec<T> sum[chains] = {load<T>(a.bias_grad + channel)};
    for (int y = 0; y < a.rows; ++y) {
      const Pair<S>* grad = a.grad + y * a.grad_row + channel;
      int p = 0;
      for (; p + chains <= a.pixels; p += chains)
#pragma GCC unroll 4
        for (int j = 0; j < chains; ++j, grad += a.grad_stride) sum[j] = Multiply<S>::add(sum[j], one, Multiply<S>::weight(grad));
      for (; p < a.pixels; ++p, grad += a.grad_stride) sum[0] = Multiply<S>::add(sum[0], one, Multiply<S>::weight(grad));
    }
    store<T>(a.bias_grad + channel, (sum[0] + sum[1]) + (sum[2] + sum[3]));
  }
}

}  // namespace
}  // namespace genlab
