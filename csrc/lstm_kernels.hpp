// The kernels of an LSTM's step and of its way back (csrc/kernels.hpp has the formulas), a part of csrc/kernels.cpp: compiled for every
// instruction set, and like all there without a name that another object could share.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace genlab {
namespace {

// The first n channels, or a whole vector of them.
template <class S>
inline Vec<Compute<S>> load_up_to(const S* from, int n) {
  return n < lanes_of<S> ? load_some(from, n) : load(from);
}

template <class S>
inline void store_up_to(S* to, int n, Vec<Compute<S>> value) {
  if (n < lanes_of<S>)
    store_some(to, value, n);
  else
    store(to, value);
}

template <class S>
void lstm(const LstmArgs<S>& a) {
  using T = Compute<S>;
  for (int p = 0; p < a.pixels; ++p)
    for (int c = 0; c < a.channels; c += lanes_of<S>) {
      const int n = a.channels - c;
      const S* const sums = a.sums + p * a.sums_step + c;
      const Vec<T> i = sigmoid<T>(load_up_to(sums, n));
      const Vec<T> f = sigmoid<T>(load_up_to(sums + a.channels, n));
      const Vec<T> o = sigmoid<T>(load_up_to(sums + 2 * a.channels, n));
      const Vec<T> g = hyperbolic_tangent<T>(load_up_to(sums + 3 * a.channels, n));
      const Vec<T> cell = f * load(a.before + p * a.cell_step + c) + i * g;
      const Vec<T> hidden = o * hyperbolic_tangent<T>(cell);
      store(a.cell + p * a.cell_step + c, cell);
      store(a.state + p * a.state_step + c, hidden);
      store(a.out + p * a.out_step + c, hidden);
      if (!a.gates) continue;
      S* const gates = a.gates + p * a.sums_step + c;
      store_up_to(gates, n, i);
      store_up_to(gates + a.channels, n, f);
      store_up_to(gates + 2 * a.channels, n, o);
      store_up_to(gates + 3 * a.channels, n, g);
    }
}

template <class S>
void lstm_grad(const LstmGradArgs<S>& a) {
  using T = Compute<S>;
  for (int p = 0; p < a.pixels; ++p)
    for (int c = 0; c < a.channels; c += lanes_of<S>) {
      const int n = a.channels - c;
      const S* const gates = a.gates + p * a.gates_step + c;
      const Vec<T> i = load_up_to(gates, n), f = load_up_to(gates + a.channels, n), o = load_up_to(gates + 2 * a.channels, n);
      const Vec<T> g = load_up_to(gates + 3 * a.channels, n);
      const Vec<T> t = hyperbolic_tangent<T>(load(a.cell + p * a.cell_step + c));
      const Vec<T> hidden = load(a.hidden + p * a.hidden_step + c);
      const Vec<T> cell = load(a.later + p * a.carry_step + c) + hidden * o * (T(1) - t * t);
      store(a.carry + p * a.carry_step + c, cell * f);
      S* const sums = a.sums + p * a.sums_step + c;
      store_up_to(sums, n, cell * g * (i * (T(1) - i)));
      store_up_to(sums + a.channels, n, cell * load(a.before + p * a.cell_step + c) * (f * (T(1) - f)));
      store_up_to(sums + 2 * a.channels, n, hidden * t * (o * (T(1) - o)));
      store_up_to(sums + 3 * a.channels, n, cell * i * (T(1) - g * g));
    }
}

}  // namespace
}  // namespace genlab
