// Runs of the toy GAN side by side, compiled once for each instruction set: one in every lane, `groups` vectors of them at once.
//
// A step is a chain of three sigmoids that wait for each other. The groups know nothing of each other, so that the processor works on
// one while another waits. Every run, in whatever lane of whatever block, goes through the same instructions: it is the same to the bit.
//
// Everything here lies in an anonymous namespace, for the reason given in csrc/kernels.cpp.
#include <cstring>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "toy_gan.hpp"
#include "toy_gan_ensemble.hpp"
#include "vector_width.hpp"

namespace genlab {
namespace {

constexpr int lanes = vector_bytes / 4;
constexpr int groups = 2;  // more of them run out of registers
constexpr int together = groups * lanes;
static_assert(toy_gan_ensemble_block % together == 0);
constexpr int P = toy_gan_pixels;

typedef float V __attribute__((vector_size(vector_bytes)));
typedef std::uint32_t U __attribute__((vector_size(vector_bytes)));
typedef std::int32_t I __attribute__((vector_size(vector_bytes)));

template <class To, class From>
inline To bits_of(From from) {
  To to;
  static_assert(sizeof to == sizeof from);
  std::memcpy(&to, &from, sizeof to);
  return to;
}

// numerator / (1 + e^-a), for any a. e^-a = 2^n · 2^f with a polynomial of degree 5 on |f| <= 1/2, relative error below 2e-7.
inline V sigmoid_times(V numerator, V a) {
  constexpr float highest = 120.0f;  // where 1 + e^-a and its reciprocal are far from overflow still
  V t = a * -1.44269504088896341f;
#ifdef __AVX512F__
  constexpr __mmask16 all = 0xffff;  // GCC 12 warns of something undefined in the forms without a mask; the code is the same
  t = _mm512_maskz_min_ps(all, t, V{} + highest);
  const V n = _mm512_maskz_roundscale_ps(all, t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
  t = t > highest ? V{} + highest : t;
  t = t < -highest ? V{} - highest : t;
  const V shifted = t + 12582912.0f;  // 1.5 · 2^23: adding it rounds to the nearest integer, found in the lowest bits
  const V n = shifted - 12582912.0f;
#endif
  const V f = t - n;
  V p = f * 1.339887440e-3f + 9.618437357e-3f;
  p = p * f + 5.550332548e-2f;
  p = p * f + 2.402264791e-1f;
  p = p * f + 6.931472028e-1f;
  p = p * f + 1.0f;
#ifdef __AVX512F__
  const V sum = V(_mm512_maskz_scalef_ps(all, p, n)) + 1.0f;
  // A division is four times as long as this first guess, good to 14 bits, and Newton's step, which doubles them.
  const V guess = _mm512_maskz_rcp14_ps(all, sum);
  return numerator * (guess * (2.0f - sum * guess));
#else
  return numerator / (bits_of<V>(bits_of<U>(p) + (bits_of<U>(shifted) << 23)) + 1.0f);
#endif
}

// The draw of each run at one step; the generator is described in genlab/kernels/toy_gan_ensemble.py.
inline V uniform(U key0, U key1, std::uint32_t step) {
  U h = key0 + step * 0x9e3779b9u;
  h = (h ^ (h >> 17)) * 0xed5ad4bbu + key1;
  h = (h ^ (h >> 11)) * 0xac4c1b51u;
  h = (h ^ (h >> 15)) * 0x31848babu;
  h = h ^ (h >> 14);
  return (__builtin_convertvector(bits_of<I>(h >> 9), V) + 0.5f) * 1.1920928955078125e-7f;
}

template <bool minimax>
void advance(const ToyGanEnsembleArgs& a, std::ptrdiff_t first_run) {
  alignas(64) float state[toy_gan_state][together] = {}, rates[together] = {};
  alignas(64) std::uint32_t keys[2][together] = {};
  const std::size_t runs = a.runs - first_run < together ? a.runs - first_run : together;
  for (int row = 0; row < toy_gan_state; ++row) std::memcpy(state[row], a.state + row * a.runs + first_run, runs * sizeof(float));
  for (int row = 0; row < 2; ++row) std::memcpy(keys[row], a.keys + row * a.runs + first_run, runs * sizeof(std::uint32_t));
  std::memcpy(rates, a.learning_rate + first_run, runs * sizeof(float));

  V w[P][groups], b[groups], v[P][groups], c[P][groups], rate[groups];
  U key0[groups], key1[groups];
  std::memcpy(w, state[0], sizeof w);
  std::memcpy(b, state[P], sizeof b);
  std::memcpy(v, state[P + 1], sizeof v);
  std::memcpy(c, state[2 * P + 1], sizeof c);
  std::memcpy(rate, rates, sizeof rate);
  std::memcpy(key0, keys[0], sizeof key0);
  std::memcpy(key1, keys[1], sizeof key1);

  int position = static_cast<int>(a.first_step % a.face_count);
  for (std::uint32_t step = a.first_step; step != a.first_step + a.steps; ++step) {
    const float* const face = a.faces + position * P;
    position = position + 1 == a.face_count ? 0 : position + 1;
#pragma GCC unroll 4
    for (int g = 0; g < groups; ++g) {
      const V z = uniform(key0[g], key1[g], step);
      V x[P];
#pragma GCC unroll 4
      for (int i = 0; i < P; ++i) x[i] = sigmoid_times(V{} + 1.0f, z * v[i][g] + c[i][g]);

      V real = b[g];
#pragma GCC unroll 4
      for (int i = 0; i < P; ++i) real += w[i][g] * face[i];
      const V to_face = sigmoid_times(rate[g], -real);  // lr·(1 − p)
      V bias = b[g] + to_face, fake = bias, weight[P];
#pragma GCC unroll 4
      for (int i = 0; i < P; ++i) {
        weight[i] = w[i][g] + to_face * face[i];
        fake += weight[i] * x[i];
      }
      const V from_fake = sigmoid_times(rate[g], fake);  // lr·q
      bias -= from_fake;
      V judged = bias;
#pragma GCC unroll 4
      for (int i = 0; i < P; ++i) {
        weight[i] -= from_fake * x[i];
        judged += weight[i] * x[i];
      }
      const V to_fool = sigmoid_times(rate[g], minimax ? judged : -judged);  // lr·y or lr·(1 − y)
#pragma GCC unroll 4
      for (int i = 0; i < P; ++i) {
        const V move = to_fool * (weight[i] * (x[i] - x[i] * x[i]));
        v[i][g] += move * z;
        c[i][g] += move;
        w[i][g] = weight[i];
      }
      b[g] = bias;
    }
  }

  std::memcpy(state[0], w, sizeof w);
  std::memcpy(state[P], b, sizeof b);
  std::memcpy(state[P + 1], v, sizeof v);
  std::memcpy(state[2 * P + 1], c, sizeof c);
  for (int row = 0; row < toy_gan_state; ++row) std::memcpy(a.state + row * a.runs + first_run, state[row], runs * sizeof(float));
}

}  // namespace

void GENLAB_JOIN(toy_gan_ensemble_advance_, GENLAB_ISA)(const ToyGanEnsembleArgs& a, std::ptrdiff_t first_run) {
  for (std::ptrdiff_t run = first_run; run < first_run + toy_gan_ensemble_block && run < a.runs; run += together)
    a.minimax ? advance<true>(a, run) : advance<false>(a, run);
}

}  // namespace genlab
