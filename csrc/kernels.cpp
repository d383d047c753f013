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
#include <cstring>

namespace genlab {
namespace {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
constexpr int tile_registers = 28;  // of 32; two hold weights, one a pixel
#elif defined(__AVX2__)
constexpr int vector_bytes = 32;
constexpr int tile_registers = 12;  // of 16
#else
constexpr int vector_bytes = 16;
constexpr int tile_registers = 12;
#endif

template <class T>
struct Simd;
template <>
struct Simd<float> {
  typedef float V __attribute__((vector_size(vector_bytes)));
  typedef std::int32_t I __attribute__((vector_size(vector_bytes)));
  static constexpr int lanes = vector_bytes / 4;
};
template <>
struct Simd<double> {
  typedef double V __attribute__((vector_size(vector_bytes)));
  typedef std::int64_t I __attribute__((vector_size(vector_bytes)));
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

template <class T>
inline Vec<T> positive(Vec<T> value) {
  // NaN > 0 is false; keeping value unless it is <= 0 lets a NaN pass on, as torch does.
  return value <= Vec<T>{} ? Vec<T>{} : value;
}

// ---------------------------------------------------------------------------------------------------------------- convolution

template <class T, int R, int NV>
inline void finish(const ConvArgs<T>& a, Vec<T> (&acc)[R][NV], int pixel, int channel) {
  constexpr int L = Simd<T>::lanes;
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      Vec<T> value = acc[r][v];
      const std::ptrdiff_t p = pixel + r;
      const int c = channel + v * L;
      if (a.residual) value += load<T>(a.residual + p * a.residual_stride + c);
      if (a.mask) {
        const Vec<T> m = load<T>(a.mask + p * a.mask_stride + c);
        value = m > Vec<T>{} ? value : Vec<T>{};
      }
      if (a.accumulate) value += load<T>(a.out + p * a.out_stride + c);
      if (a.out) store<T>(a.out + p * a.out_stride + c, value);
      if (a.act) store<T>(a.act + p * a.act_stride + c, positive<T>(value));
    }
  }
}

// R pixels × NV vectors of accumulators. With NV = 4 the tile spans two panels, `panel_step` values apart.
template <class T, int R, int NV>
void conv_tile(const ConvArgs<T>& a, const T* weight, std::ptrdiff_t panel_step, int pixel, int channel) {
  constexpr int L = Simd<T>::lanes;
  constexpr int width = NV == 1 ? 1 : 2;  // vectors of a panel that are read per k
  Vec<T> acc[R][NV];
#pragma GCC unroll 4
  for (int v = 0; v < NV; ++v) {
    const Vec<T> start = a.bias ? load<T>(a.bias + channel + v * L) : Vec<T>{};
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r) acc[r][v] = start;
  }
  const T* const x = a.x + pixel * a.x_stride;
  const std::ptrdiff_t s = a.x_stride;
  for (int k = 0; k < a.depth; ++k) {
    const T* const at = x + a.offsets[k];
    Vec<T> w[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) w[v] = load<T>(weight + (v / 2) * panel_step + (v % 2) * L);
    weight += width * L;
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r) {
      // Three pixels share a base: [base], [base + s], [base + 2s] are free forms of address.
      const T value = at[(r / 3) * 3 * s + (r % 3) * s];
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) acc[r][v] += value * w[v];
    }
  }
  finish<T, R, NV>(a, acc, pixel, channel);
}

template <class T>
using ConvTile = void (*)(const ConvArgs<T>&, const T*, std::ptrdiff_t, int, int);

template <class T, int NV, int R = tile_registers / NV>
ConvTile<T> conv_tile_for(int r) {
  if constexpr (R == 0) {
    return nullptr;
  } else {
    return r == R ? &conv_tile<T, R, NV> : conv_tile_for<T, NV, R - 1>(r);
  }
}

template <class T>
void conv(const ConvArgs<T>& a) {
  constexpr int L = Simd<T>::lanes;
  constexpr int most = tile_registers / 2;       // pixels in a tile of two vectors
  constexpr int most_wide = tile_registers / 4;  // pixels in a tile of four
  // Few pixels leave a tile of two vectors with too few sums under way to hide the latency of the multiply-add.
  const bool wide = a.pixels <= most_wide;
  const std::ptrdiff_t panel_step = static_cast<std::ptrdiff_t>(a.depth) * 2 * L;
  const T* weight = a.weight;
  int channel = 0;
  while (channel < a.channels) {
    const int vectors = (a.channels - channel) / L;
    const int nv = vectors >= 4 && wide ? 4 : vectors >= 2 ? 2 : 1;
    const int tiles = (a.pixels + most - 1) / most;
    for (int t = 0; t < tiles; ++t) {
      const int begin = a.pixels * t / tiles, end = a.pixels * (t + 1) / tiles;
      const int r = end - begin;
      const ConvTile<T> tile = nv == 4 ? conv_tile_for<T, 4>(r) : nv == 2 ? conv_tile_for<T, 2>(r) : conv_tile_for<T, 1, most>(r);
      tile(a, weight, panel_step, begin, channel);
    }
    channel += nv * L;
    weight += nv == 4 ? 2 * panel_step : panel_step;
  }
}

// ------------------------------------------------------------------------------------------------------------- weight gradient

template <class T, int R, int NV, bool together>
void weight_grad_tile(const WeightGradArgs<T>& a, int k0, int channel) {
  constexpr int L = Simd<T>::lanes;
  Vec<T> acc[R][NV];
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) acc[r][v] = Vec<T>{};
  const std::int32_t* const offsets = a.offsets + k0;
  for (int y = 0; y < a.rows; ++y) {
    const T* x = a.x + y * a.x_row + (together ? offsets[0] : 0);
    const T* grad = a.grad + y * a.grad_row + channel;
    for (int p = 0; p < a.pixels; ++p) {
      Vec<T> g[NV];
#pragma GCC unroll 2
      for (int v = 0; v < NV; ++v) g[v] = load<T>(grad + v * L);
#pragma GCC unroll 32
      for (int r = 0; r < R; ++r) {
        const T value = together ? x[r] : x[offsets[r]];
#pragma GCC unroll 2
        for (int v = 0; v < NV; ++v) acc[r][v] += value * g[v];
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

template <class T>
using WeightGradTile = void (*)(const WeightGradArgs<T>&, int, int);

template <class T, int NV, bool together, int R = tile_registers / 2>
WeightGradTile<T> weight_grad_tile_for(int r) {
  if constexpr (R == 0) {
    return nullptr;
  } else {
    return r == R ? &weight_grad_tile<T, R, NV, together> : weight_grad_tile_for<T, NV, together, R - 1>(r);
  }
}

template <class T>
void weight_grad(const WeightGradArgs<T>& a) {
  constexpr int L = Simd<T>::lanes;
  constexpr int most = tile_registers / 2;
  for (int channel = 0; channel < a.channels;) {
    const int nv = a.channels - channel >= 2 * L ? 2 : 1;
    const int tiles = (a.depth + most - 1) / most;
    for (int t = 0; t < tiles; ++t) {
      const int begin = a.depth * t / tiles, end = a.depth * (t + 1) / tiles;
      const int r = end - begin;
      const bool together = a.offsets[end - 1] - a.offsets[begin] == r - 1;
      const WeightGradTile<T> tile = nv == 2 ? (together ? weight_grad_tile_for<T, 2, true>(r) : weight_grad_tile_for<T, 2, false>(r))
                                             : (together ? weight_grad_tile_for<T, 1, true>(r) : weight_grad_tile_for<T, 1, false>(r));
      tile(a, begin, channel);
    }
    channel += nv * L;
  }
  for (int channel = 0; channel < a.channels; channel += L) {
    Vec<T> sum = load<T>(a.bias_grad + channel);
    for (int y = 0; y < a.rows; ++y) {
      const T* grad = a.grad + y * a.grad_row + channel;
      for (int p = 0; p < a.pixels; ++p, grad += a.grad_stride) sum += load<T>(grad);
    }
    store<T>(a.bias_grad + channel, sum);
  }
}

// ------------------------------------------------------------------------------------------------------------ element by element

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

template <class T>
inline Vec<T> sigmoid(Vec<T> x) {
  return T(1) / (T(1) + exponential(-x));
}

template <class T>
inline Vec<T> hyperbolic_tangent(Vec<T> x) {
  return T(1) - T(2) / (exponential(x + x) + T(1));
}

template <class T>
void relu(const ElementArgs<T>& a) {
  for (std::ptrdiff_t i = 0; i < a.count; i += Simd<T>::lanes) store<T>(a.out + i, positive<T>(load<T>(a.first + i)));
}

template <class T>
void add(const ElementArgs<T>& a) {
  for (std::ptrdiff_t i = 0; i < a.count; i += Simd<T>::lanes) store<T>(a.out + i, load<T>(a.first + i) + load<T>(a.second + i));
}

template <class T>
void gate(const ElementArgs<T>& a) {
  for (std::ptrdiff_t i = 0; i < a.count; i += Simd<T>::lanes)
    store<T>(a.out + i, hyperbolic_tangent<T>(load<T>(a.first + i)) * sigmoid<T>(load<T>(a.second + i)));
}

template <class T>
void masked_add(const ElementArgs<T>& a) {
  for (std::ptrdiff_t i = 0; i < a.count; i += Simd<T>::lanes) {
    Vec<T> value = load<T>(a.grad + i);
    if (a.mask) value = load<T>(a.mask + i) > Vec<T>{} ? value : Vec<T>{};
    if (a.accumulate) value += load<T>(a.out + i);
    store<T>(a.out + i, value);
  }
}

template <class T>
void gate_grad(const ElementArgs<T>& a) {
  for (std::ptrdiff_t i = 0; i < a.count; i += Simd<T>::lanes) {
    const Vec<T> t = hyperbolic_tangent<T>(load<T>(a.first + i)), s = sigmoid<T>(load<T>(a.second + i)), g = load<T>(a.grad + i);
    Vec<T> features = g * (T(1) - t * t) * s, gates = g * t * s * (T(1) - s);
    if (a.accumulate) features += load<T>(a.out + i);
    if (a.accumulate2) gates += load<T>(a.out2 + i);
    store<T>(a.out + i, features);
    store<T>(a.out2 + i, gates);
  }
}

template <class T>
double softmax(const SoftmaxArgs<T>& a) {
  constexpr int L = Simd<T>::lanes;
  constexpr int most = 256;
  alignas(64) T values[most + L];
  T highest = a.logits[0];
  for (int k = 1; k < a.levels; ++k) highest = a.logits[k] > highest ? a.logits[k] : highest;
  for (int k = 0; k < a.levels; ++k) values[k] = a.logits[k] - highest;
  for (int k = a.levels; k % L != 0; ++k) values[k] = T(-1e4);  // e^-1e4 is nothing; clamped lanes are not summed below
  T sum = 0;
  for (int k = 0; k < a.levels; k += L) store<T>(values + k, exponential(load<T>(values + k)));
  for (int k = 0; k < a.levels; ++k) sum += values[k];
  if (a.grad) {
    const T factor = a.scale / sum;
    for (int k = 0; k < a.levels; ++k) a.grad[k] = values[k] * factor;
    a.grad[a.target] -= a.scale;
  }
  return static_cast<double>(highest) - static_cast<double>(a.logits[a.target]) + std::log(static_cast<double>(sum));
}

template <class T>
constexpr KernelTable<T> table() {
  return {Simd<T>::lanes, 2 * Simd<T>::lanes, &conv<T>, &weight_grad<T>, &relu<T>, &add<T>, &gate<T>, &masked_add<T>, &gate_grad<T>, &softmax<T>};
}

#define GENLAB_TEXT_(name) #name
#define GENLAB_TEXT(name) GENLAB_TEXT_(name)
#define GENLAB_JOIN_(a, b) a##b
#define GENLAB_JOIN(a, b) GENLAB_JOIN_(a, b)

}  // namespace

// The preprocessor is the one place where the build can hand a name to a source.
extern const InstructionSet GENLAB_JOIN(kernels_, GENLAB_ISA);
const InstructionSet GENLAB_JOIN(kernels_, GENLAB_ISA) = {GENLAB_TEXT(GENLAB_ISA), table<float>(), table<double>()};

}  // namespace genlab
