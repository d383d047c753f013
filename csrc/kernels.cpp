// The kernels, compiled once for each instruction set (CMakeLists.txt gives GENLAB_ISA and the -m flags).
//
// One register tile serves forwards, backwards to the input, and sampling:
//
//     acc[pixel][vector] = bias;   for k:  acc[pixel][vector] += x[pixel][k] · w[k][vector];   finish, store
//
// and its transpose, acc[k][vector] += x[pixel][k] · grad[pixel][vector], the weight gradient. GCC's vector extensions stand for
// the vector registers, so that there is one source for every width. Every sum runs over k in the same order in every tile: results
// do not depend on how pixels are grouped, to the last bit.
//
// Everything here lies in an anonymous namespace: a function shared with the object of another instruction set could be merged into
// that one by the linker, and raise SIGILL.
#include "kernels.hpp"

#include <cmath>

#include "lstm_kernels.hpp"
#include "simd.hpp"
#include "weight_grad_kernels.hpp"
#ifdef __AMX_BF16__
#include "matrix_unit.hpp"
#endif

namespace genlab {

// From this instruction set's own object of csrc/logistic_kernels.cpp.
template <class S>
double GENLAB_JOIN(logistic_nats_, GENLAB_ISA)(const LogisticArgs<S>&);
template <class S>
int GENLAB_JOIN(logistic_draw_, GENLAB_ISA)(const LogisticArgs<S>&, int channel, double u, double temperature);

namespace {

// ---------------------------------------------------------------------------------------------------------------- convolution

// step(acc[r][v], offset) for every sum of a tile; `offset` is where its vector lies in a map of that stride, seen from the first.
template <int L, int R, int NV, class V, class Step>
inline void each_sum(V (&acc)[R][NV], std::ptrdiff_t stride, const Step& step) {
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) step(acc[r][v], r * stride + v * L);
  }
}

// What becomes of a tile's sums. One question for the whole tile each, not one for every sum.
template <class S, int R, int NV>
inline void finish(const ConvArgs<S>& a, Vec<Compute<S>> (&acc)[R][NV], std::ptrdiff_t pixel, int channel) {
  using V = Vec<Compute<S>>;
  constexpr int L = Simd<Compute<S>>::lanes;
  if (a.residual) {
    const S* const from = a.residual + pixel * a.residual_stride + channel;
    each_sum<L>(acc, a.residual_stride, [=](V& sum, std::ptrdiff_t at) { sum += load(from + at); });
  }
  if (a.mask) {
    const S* const from = a.mask + pixel * a.mask_stride + channel;
    each_sum<L>(acc, a.mask_stride, [=](V& sum, std::ptrdiff_t at) { sum = load(from + at) > V{} ? sum : V{}; });
  }
  if (a.accumulate) {
    const S* const from = a.out + pixel * a.out_stride + channel;
    each_sum<L>(acc, a.out_stride, [=](V& sum, std::ptrdiff_t at) { sum += load(from + at); });
  }
  if (a.out) {
    S* const to = a.out + pixel * a.out_stride + channel;
    each_sum<L>(acc, a.out_stride, [=](V& sum, std::ptrdiff_t at) { store(to + at, sum); });
  }
  if (a.act) {
    S* const to = a.act + pixel * a.act_stride + channel;
    each_sum<L>(acc, a.act_stride, [=](V& sum, std::ptrdiff_t at) { store(to + at, positive<Compute<S>>(sum)); });
  }
}

// R pixels × NV vectors of accumulators. With NV = 4 the tile spans two panels, `panel_step` values apart.
template <class S, int R, int NV>
void conv_tile(const ConvArgs<S>& a, const S* weight, std::ptrdiff_t panel_step, int pixel, int channel) {
  using T = Compute<S>;
  constexpr int L = Simd<T>::lanes;
  constexpr int group = Numbers<S>::group;
  constexpr int width = NV == 1 ? 1 : 2;  // vectors of a panel that are read per k
  Vec<T> acc[R][NV];
#pragma GCC unroll 4
  for (int v = 0; v < NV; ++v) {
    const Vec<T> start = a.bias ? load<T>(a.bias + channel + v * L) : Vec<T>{};
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r) acc[r][v] = start;
  }
  const S* const x = a.x + pixel * a.x_stride;
  const std::ptrdiff_t s = a.x_stride;
  for (int k = 0; k < a.depth; ++k) {
    const S* const at = x + a.offsets[k];
    typename Multiply<S>::Weight w[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) w[v] = Multiply<S>::weight(weight + (v / 2) * panel_step + (v % 2) * L * group);
    weight += width * L * group;
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r) {
      // Three pixels share a base: [base], [base + s], [base + 2s] are free forms of address.
      const auto value = Multiply<S>::value(at + (r / 3) * 3 * s + (r % 3) * s);
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) acc[r][v] = Multiply<S>::add(acc[r][v], value, w[v]);
    }
  }
  finish<S, R, NV>(a, acc, pixel, channel);
}

template <class S>
using ConvTile = void (*)(const ConvArgs<S>&, const S*, std::ptrdiff_t, int, int);

template <class S, int NV, int R = tile_registers / NV>
ConvTile<S> conv_tile_for(int r) {
  if constexpr (R == 0) {
    return nullptr;
  } else {
    return r == R ? &conv_tile<S, R, NV> : conv_tile_for<S, NV, R - 1>(r);
  }
}

template <class S>
void conv_in_registers(const ConvArgs<S>& a) {
  using T = Compute<S>;
  constexpr int L = Simd<T>::lanes;
  constexpr int most = tile_registers / 2;       // pixels in a tile of two vectors
  constexpr int most_wide = tile_registers / 4;  // pixels in a tile of four
  // Few pixels leave a tile of two vectors with too few sums under way to hide the latency of the multiply-add.
  const bool wide = a.pixels <= most_wide;
  const std::ptrdiff_t panel_step = static_cast<std::ptrdiff_t>(a.depth) * 2 * L * Numbers<S>::group;
  const S* weight = a.weight;
  int channel = 0;
  while (channel < a.channels) {
    const int vectors = (a.channels - channel) / L;
    const int nv = vectors >= 4 && wide ? 4 : vectors >= 2 ? 2 : 1;
    const int tiles = (a.pixels + most - 1) / most;
    for (int t = 0, begin = 0, end; t < tiles; ++t, begin = end) {
      end = a.pixels * (t + 1) / tiles;
      const int r = end - begin;
      const ConvTile<S> tile = nv == 4 ? conv_tile_for<S, 4>(r) : nv == 2 ? conv_tile_for<S, 2>(r) : conv_tile_for<S, 1, most>(r);
      tile(a, weight, panel_step, begin, channel);
    }
    channel += nv * L;
    weight += nv == 4 ? 2 * panel_step : panel_step;
  }
}

template <class S>
void conv(const ConvArgs<S>& a) {
  conv_in_registers(a);
}

template <class S>
void weight_grad(const WeightGradArgs<S>& a) {
  weight_grad_in_registers(a);
  if (a.bias_grad) bias_grad(a);
}

#ifdef __AMX_BF16__
template <>
void weight_grad(const WeightGradArgs<bfloat16>& a) {
  if (has_matrix_unit())
    MatrixWeightGrad(a).run();
  else
    weight_grad_in_registers(a);
  if (a.bias_grad) bias_grad(a);
}

template <>
void conv(const ConvArgs<bfloat16>& a) {
  if (!has_matrix_unit()) return conv_in_registers(a);
  constexpr int L = lanes_of<bfloat16>;
  conv_on_matrix_unit(a, [&](const float* first, const float* second, int pixel, int channel, bool wide) {
    const auto with_bias = [&](const float* sums, int at) { return a.bias ? load<float>(a.bias + at) + load<float>(sums) : load<float>(sums); };
    if (wide) {
      Vec<float> acc[1][2] = {{with_bias(first, channel), with_bias(second, channel + L)}};
      finish<bfloat16, 1, 2>(a, acc, pixel, channel);
    } else {
      Vec<float> acc[1][1] = {{with_bias(first, channel)}};
      finish<bfloat16, 1, 1>(a, acc, pixel, channel);
    }
  });
}
#endif

template <class S, int R>
void narrow_conv_tile(const NarrowConvArgs<S>& a, int output, int pixel) {
  using T = Compute<S>;
  Vec<T> acc[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) acc[r] = Vec<T>{};
  const S* weight = a.weight + static_cast<std::ptrdiff_t>(output) * a.taps * a.channels;
  const S* const x = a.x + pixel * a.x_stride;
  for (int tap = 0; tap < a.taps; ++tap) {
    const S* const at = x + a.offsets[tap];
    for (int c = 0; c < a.channels; c += Simd<T>::lanes) {
      const Vec<T> w = load(weight + c);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) acc[r] += load(at + r * a.x_stride + c) * w;
    }
    weight += a.channels;
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) a.out[(pixel + r) * a.out_stride + output] = narrow_as(S{}, sum_of_lanes<T>(acc[r]));
}

template <class S>
void narrow_conv(const NarrowConvArgs<S>& a) {
  constexpr int most = 7;  // enough sums under way to hide the latency of the multiply-add
  for (int output = 0; output < a.outputs; ++output) {
    int pixel = 0;
    for (; pixel + most <= a.pixels; pixel += most) narrow_conv_tile<S, most>(a, output, pixel);
    for (; pixel < a.pixels; ++pixel) narrow_conv_tile<S, 1>(a, output, pixel);
  }
}

// ------------------------------------------------------------------------------------------------------------ element by element

template <class S>
void relu(const ElementArgs<S>& a) {
  for (std::ptrdiff_t i = 0; i < a.count; i += lanes_of<S>) store(a.out + i, positive<Compute<S>>(load(a.first + i)));
}

template <class S>
void add(const ElementArgs<S>& a) {
  for (std::ptrdiff_t i = 0; i < a.count; i += lanes_of<S>) store(a.out + i, load(a.first + i) + load(a.second + i));
}

template <class S>
void sigmoid_of(const ElementArgs<S>& a) {
  for (std::ptrdiff_t i = 0; i < a.count; i += lanes_of<S>) store(a.out + i, sigmoid<Compute<S>>(load(a.first + i)));
}

template <class S>
void sigmoid_grad(const ElementArgs<S>& a) {
  using T = Compute<S>;
  for (std::ptrdiff_t i = 0; i < a.count; i += lanes_of<S>) {
    const Vec<T> y = load(a.first + i), g = load(a.grad + i);
    store(a.out + i, g * (y * (T(1) - y)));
  }
}

template <class S>
void masked_add(const ElementArgs<S>& a) {
  using V = Vec<Compute<S>>;
  for (std::ptrdiff_t i = 0; i < a.count; i += lanes_of<S>) {
    V value = load(a.grad + i);
    if (a.mask) value = load(a.mask + i) > V{} ? value : V{};
    if (a.accumulate) value += load(a.out + i);
    store(a.out + i, value);
  }
}

// What a gate makes of its features x and gates y. One reciprocal serves both functions: with e = e^2x and f = e^−y,
// tanh x = (e − 1) / (e + 1) and σ(y) = 1 / (1 + f). Exponents are cut where either is 0 or ±1 to the last bit or too small to matter, so
// that the product of the denominators stays finite.
template <class T>
constexpr T most_of_e = sizeof(T) == 4 ? T(30) : T(80);
template <class T>
constexpr T most_of_f = sizeof(T) == 4 ? T(50) : T(600);

template <class T>
inline Vec<T> exponential_up_to(T most, Vec<T> x) {
  const Vec<T> limit = Vec<T>{} + most;
  return exponential(x > limit ? limit : x);
}

template <class T>
struct TanhGate {
  static Vec<T> value(Vec<T> x, Vec<T> y) {
    const Vec<T> e = exponential_up_to(most_of_e<T>, x + x), f = exponential_up_to(most_of_f<T>, -y);
    return (e - T(1)) * reciprocal<T>((e + T(1)) * (f + T(1)));
  }
  static void gradients(Vec<T> x, Vec<T> y, Vec<T> grad, Vec<T>& features, Vec<T>& gates) {
    const Vec<T> e = exponential_up_to(most_of_e<T>, x + x), f = exponential_up_to(most_of_f<T>, -y);
    const Vec<T> both = reciprocal<T>((e + T(1)) * (f + T(1)));
    const Vec<T> t = (e - T(1)) * (f + T(1)) * both, s = (e + T(1)) * both;
    features = grad * s * (T(1) - t * t);
    gates = grad * t * s * (T(1) - s);
  }
};

template <class T>
struct IdentityGate {
  static Vec<T> value(Vec<T> x, Vec<T> y) { return x * sigmoid<T>(y); }
  static void gradients(Vec<T> x, Vec<T> y, Vec<T> grad, Vec<T>& features, Vec<T>& gates) {
    const Vec<T> s = sigmoid<T>(y);
    features = grad * s;
    gates = grad * x * s * (T(1) - s);
  }
};

template <class S, template <class> class Kind>
void gate(const HalvesArgs<S>& a) {
  using T = Compute<S>;
  const int whole = a.channels / lanes_of<S> * lanes_of<S>, rest = a.channels - whole;
  for (int p = 0; p < a.pixels; ++p) {
    const S* const x = a.x + p * a.x_stride;
    const S* const y = x + a.channels;
    S* const out = a.out + p * a.out_stride;
    for (int c = 0; c < whole; c += lanes_of<S>) store(out + c, Kind<T>::value(load(x + c), load(y + c)));
    if (rest > 0) store(out + whole, Kind<T>::value(load_some(x + whole, rest), load_some(y + whole, rest)));
  }
}

template <class S, template <class> class Kind>
void gate_grad(const HalvesArgs<S>& a) {
  using V = Vec<Compute<S>>;
  const int whole = a.channels / lanes_of<S> * lanes_of<S>, rest = a.channels - whole;
  V features, gates;
  for (int p = 0; p < a.pixels; ++p) {
    const S* const x = a.x + p * a.x_stride;
    const S* const grad = a.grad + p * a.grad_stride;
    S* const out = a.out + p * a.out_stride;
    for (int c = 0; c < whole; c += lanes_of<S>) {
      Kind<Compute<S>>::gradients(load(x + c), load(x + a.channels + c), load(grad + c), features, gates);
      if (a.accumulate) {
        features += load(out + c);
        gates += load(out + a.channels + c);
      }
      store(out + c, features);
      store(out + a.channels + c, gates);
    }
    if (rest > 0) {
      S* const last = out + whole;
      Kind<Compute<S>>::gradients(load_some(x + whole, rest), load_some(x + a.channels + whole, rest), load(grad + whole), features, gates);
      if (a.accumulate) {
        features += load_some(last, rest);
        gates += load_some(last + a.channels, rest);
      }
      store_some(last, features, rest);
      store_some(last + a.channels, gates, rest);
    }
  }
}

template <class S>
void concat_elu(const HalvesArgs<S>& a) {
  using V = Vec<Compute<S>>;
  const int whole = a.channels / lanes_of<S> * lanes_of<S>, rest = a.channels - whole;
  const auto halves = [](V x, V& same, V& other) {
    const V less = exponential(x > V{} ? -x : x) - Compute<S>(1);  // e^{−|x|} − 1
    same = x > V{} ? x : less;
    other = x > V{} ? less : -x;
  };
  V same, other;
  for (int p = 0; p < a.pixels; ++p) {
    const S* const x = a.x + p * a.x_stride;
    S* const out = a.out + p * a.out_stride;
    for (int c = 0; c < whole; c += lanes_of<S>) {
      halves(load(x + c), same, other);
      store(out + c, same);
      store(out + a.channels + c, other);
    }
    if (rest > 0) {
      halves(load_some(x + whole, rest), same, other);
      store_some(out + whole, same, rest);
      store_some(out + a.channels + whole, other, rest);
    }
  }
}

template <class S>
void concat_elu_grad(const HalvesArgs<S>& a) {
  using V = Vec<Compute<S>>;
  const Compute<S> one = 1;
  const int whole = a.channels / lanes_of<S> * lanes_of<S>, rest = a.channels - whole;
  const auto slope = [one](V same, V other, V grad, V other_grad) {
    return same > V{} ? grad - other_grad * (other + one) : grad * (same + one) - other_grad;
  };
  for (int p = 0; p < a.pixels; ++p) {
    const S* const made = a.x + p * a.x_stride;
    const S* const grad = a.grad + p * a.grad_stride;
    S* const out = a.out + p * a.out_stride;
    for (int c = 0; c < whole; c += lanes_of<S>) {
      V sum = slope(load(made + c), load(made + a.channels + c), load(grad + c), load(grad + a.channels + c));
      if (a.accumulate) sum += load(out + c);
      store(out + c, sum);
    }
    if (rest > 0) {
      const int c = whole, d = a.channels + whole;
      V sum = slope(load_some(made + c, rest), load_some(made + d, rest), load_some(grad + c, rest), load_some(grad + d, rest));
      if (a.accumulate) sum += load_some(out + c, rest);
      store_some(out + c, sum, rest);
    }
  }
}

// A bijection of 32 bits (C. Wellons' lowbias32).
template <class U>
inline U mixed(U x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

template <class S>
void dropout(const DropoutArgs<S>& a) {
  using T = Compute<S>;
  using V = Vec<T>;
  constexpr int L = lanes_of<S>;
  using U = typename Simd<T>::U;
  U lane;
  for (int i = 0; i < L; ++i) lane[i] = i;
  for (int p = 0; p < a.pixels; ++p) {
    const S* const x = a.x + p * a.x_stride;
    S* const out = a.out + p * a.out_stride;
    for (int c = 0; c < a.channels; c += L) {  // what lies in the padding is 0 and stays so
      const U position = lane + (a.first_position + static_cast<std::uint32_t>(p * a.channels + c));
      const U drawn = mixed<U>(mixed<U>(position + a.low) ^ a.high);
      const auto kept = __builtin_convertvector(drawn >= a.least, typename Simd<T>::I);
      V value = kept != 0 ? load(x + c) * a.scale : V{};
      if (a.accumulate) value += load(out + c);
      store(out + c, value);
    }
  }
}

template <class S>
void pixel_sum(const PixelSumArgs<S>& a) {
  using V = Vec<Compute<S>>;
  for (int channel = 0; channel < a.channels; channel += lanes_of<S>) {
    V sum{};
    for (int y = 0; y < a.rows; ++y)
      for (int p = 0; p < a.pixels; ++p) {
        V value = load(a.grad + y * a.grad_row + p * a.grad_stride + channel);
        if (a.mask) value = load(a.mask + y * a.mask_row + p * a.mask_stride + channel) > V{} ? value : V{};
        sum += value;
      }
    if (a.accumulate) sum += load(a.out + channel);
    store(a.out + channel, sum);
  }
}

template <class S>
double softmax(const SoftmaxArgs<S>& a) {
  using T = Compute<S>;
  constexpr int L = lanes_of<S>;
  constexpr int most = 256;
  alignas(64) T values[most + L];
  // Lanes beyond the levels are computed, not summed.
  for (int k = 0; k < a.levels || k % L != 0; ++k) values[k] = k < a.levels ? static_cast<T>(widen<S>(a.logits[k])) : T(0);
  const T there = values[a.target];
  T highest = values[0];
  for (int k = 1; k < a.levels; ++k) highest = values[k] > highest ? values[k] : highest;
  for (int k = 0; k < a.levels; ++k) values[k] -= highest;
  T sum = 0;
  for (int k = 0; k < a.levels; k += L) store<T>(values + k, exponential(load<T>(values + k)));
  for (int k = 0; k < a.levels; ++k) sum += values[k];
  if (a.grad) {
    const T factor = a.scale / sum;
    for (int k = 0; k < a.levels; ++k) a.grad[k] = narrow<S>(values[k] * factor - (k == a.target ? a.scale : T(0)));
  }
  return static_cast<double>(highest) - static_cast<double>(there) + std::log(static_cast<double>(sum));
}

template <class S>
void interleave(const S* row, int positions, std::ptrdiff_t step, int channels, int start, int pairs, Pair<S>* to) {
  if constexpr (Numbers<S>::group == 2) {
    for (int j = 0; j < pairs; ++j, to += channels) {
      const int q = 2 * j + start;
      const S* const first = row + q * step;
      const S* const second = first + step;
      if (q + 1 < positions)
        for (int c = 0; c < channels; ++c) to[c] = first[c].bits | static_cast<std::uint32_t>(second[c].bits) << 16;
      else
        for (int c = 0; c < channels; ++c) to[c] = q < positions ? first[c].bits : 0u;
    }
  }
}

template <class S>
constexpr KernelTable<S> table() {
  KernelTable<S> t{};
  t.lanes = lanes_of<S>;
  t.panel = 2 * lanes_of<S>;
  t.conv = &conv<S>;
  t.narrow_conv = &narrow_conv<S>;
  t.weight_grad = &weight_grad<S>;
  t.relu = &relu<S>;
  t.add = &add<S>;
  t.sigmoid = &sigmoid_of<S>;
  t.sigmoid_grad = &sigmoid_grad<S>;
  t.gate = &gate<S, TanhGate>;
  t.gate_grad = &gate_grad<S, TanhGate>;
  t.identity_gate = &gate<S, IdentityGate>;
  t.identity_gate_grad = &gate_grad<S, IdentityGate>;
  t.masked_add = &masked_add<S>;
  t.concat_elu = &concat_elu<S>;
  t.concat_elu_grad = &concat_elu_grad<S>;
  t.dropout = &dropout<S>;
  t.lstm = &lstm<S>;
  t.lstm_grad = &lstm_grad<S>;
  t.pixel_sum = &pixel_sum<S>;
  t.softmax = &softmax<S>;
  t.logistic_nats = &GENLAB_JOIN(logistic_nats_, GENLAB_ISA)<S>;
  t.logistic_draw = &GENLAB_JOIN(logistic_draw_, GENLAB_ISA)<S>;
  t.narrow = &narrow<S>;
  t.widen = &widen<S>;
  t.interleave = &interleave<S>;
  return t;
}

#ifdef __AVX512BF16__
constexpr KernelTable<bfloat16> bf16_table = table<bfloat16>();
constexpr const KernelTable<bfloat16>* bf16 = &bf16_table;
#else
constexpr const KernelTable<bfloat16>* bf16 = nullptr;
#endif

#define GENLAB_TEXT_(name) #name
#define GENLAB_TEXT(name) GENLAB_TEXT_(name)

}  // namespace

// From this instruction set's own objects of csrc/toy_gan.cpp and csrc/toy_gan_ensemble_lanes.cpp.
void GENLAB_JOIN(toy_gan_train_, GENLAB_ISA)(const ToyGanArgs&);
void GENLAB_JOIN(toy_gan_ensemble_advance_, GENLAB_ISA)(const ToyGanEnsembleArgs&, std::ptrdiff_t first_run);

namespace {
constexpr InstructionSet this_instruction_set() {
  InstructionSet set{};
  set.name = GENLAB_TEXT(GENLAB_ISA);
  set.f32 = table<float>();
  set.f64 = table<double>();
  set.bf16 = bf16;
  set.toy_gan_train = &GENLAB_JOIN(toy_gan_train_, GENLAB_ISA);
  set.toy_gan_ensemble_advance = &GENLAB_JOIN(toy_gan_ensemble_advance_, GENLAB_ISA);
  return set;
}
}  // namespace

extern const InstructionSet GENLAB_JOIN(kernels_, GENLAB_ISA);
const InstructionSet GENLAB_JOIN(kernels_, GENLAB_ISA) = this_instruction_set();

}  // namespace genlab
