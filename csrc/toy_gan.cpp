// One run of the toy GAN, compiled once for each instruction set.
//
// A step has to wait for the one before: what counts is the longest chain of operations that depend on each other, which runs
// x → w·x + b → q → D(x) anew → y → v, c → x. Its three sigmoids are one division each, with the learning rate in the numerator, by
// 1 and an e^x that goes through a table of 64 entries and a short polynomial; D's second verdict on x needs no second sum over pixels:
//
//     (w − m·x)·x + (b − m) = (w·x + b) − m·(x·x + 1)       with m = lr·q
//
// and neither does the next picture wait for v and c.
//
// Everything here lies in an anonymous namespace, for the reason given in csrc/kernels.cpp.
#include "toy_gan.hpp"

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels.hpp"

namespace genlab {
namespace {

constexpr int pieces = 64;  // of a power of two
constexpr double ln2 = 0.693147180559945309417232121458;

// 2^(i / 64), summed at compile time: a table that is filled at load would run this file's instructions on every processor.
struct Powers {
  double of[pieces];
  constexpr Powers() : of() {
    for (int i = 0; i < pieces; ++i) {
      const long double x = static_cast<long double>(i) / pieces * 0.693147180559945309417232121458L;
      long double term = 1, sum = 1;
      for (int n = 1; n < 30; ++n) {
        term *= x / n;
        sum += term;
      }
      of[i] = static_cast<double>(sum);
    }
  }
};
constexpr Powers powers;

// numerator / (1 + e^x) to a few parts in 10^16: x = (k / 64)·ln 2 + r, e^x = 2^(k / 64) · e^r.
inline double over_one_plus_exp(double numerator, double x) {
  if (!(std::fabs(x) < 700)) return numerator / (1 + std::exp(x));
  const double magic = 6755399441055744.0;  // 1.5 · 2^52: adding it rounds to the nearest integer, found in the lowest bits
  const double shifted = x * (pieces / ln2) + magic;
  std::int64_t k;
  std::memcpy(&k, &shifted, sizeof k);
  const double r = x - (shifted - magic) * (ln2 / pieces);
  const double r2 = r * r;
  const double p = r + r2 * ((0.5 + r * (1.0 / 6)) + r2 * ((1.0 / 24) + r * (1.0 / 120)));
  std::int64_t bits;
  std::memcpy(&bits, &powers.of[k & (pieces - 1)], sizeof bits);
  // k holds magic's own bits above; shifted up to the exponent's place they fall off the end.
  bits += static_cast<std::int64_t>(static_cast<std::uint64_t>(k & ~std::int64_t{pieces - 1}) << 46);
  double power;
  std::memcpy(&power, &bits, sizeof power);
  return numerator / ((1 + power) + power * p);
}

inline double dot(const double* a, const double* b, double c) { return (a[0] * b[0] + a[1] * b[1]) + (a[2] * b[2] + (a[3] * b[3] + c)); }

double softplus(double a) { return (a > 0 ? a : 0) + std::log1p(std::exp(-std::fabs(a))); }

template <bool minimax>
void train(const ToyGanArgs& a) {
  constexpr int P = toy_gan_pixels;
  const double rate = a.learning_rate;
  double w[P], v[P], c[P], b = a.state[P];
  for (int i = 0; i < P; ++i) {
    w[i] = a.state[i];
    v[i] = a.state[P + 1 + i];
    c[i] = a.state[2 * P + 1 + i];
  }
  const auto write = [&](double* state) {
    for (int i = 0; i < P; ++i) {
      state[i] = w[i];
      state[P + 1 + i] = v[i];
      state[2 * P + 1 + i] = c[i];
    }
    state[P] = b;
  };
  const long rows_done = a.begin / a.record_every;
  double* row = a.states + rows_done * toy_gan_state;
  double* loss = a.losses + rows_done * 2;
  long until_record = a.record_every - a.begin % a.record_every;
  const double* const last_face = a.faces + (a.face_count - 1) * P;
  const double* face = a.faces + a.begin % a.face_count * P;
  double z = a.z[a.begin], minus_logit[P];
  for (int i = 0; i < P; ++i) minus_logit[i] = -z * v[i] - c[i];
  for (long step = a.begin; step < a.end; ++step) {
    double x[P];
    for (int i = 0; i < P; ++i) x[i] = over_one_plus_exp(1, minus_logit[i]);

    const double real = dot(w, face, b);
    const double to_face = over_one_plus_exp(rate, real);  // lr·(1 − p)
    for (int i = 0; i < P; ++i) w[i] += to_face * face[i];
    b += to_face;

    const double minus_fake = -dot(w, x, b);
    const double from_fake = over_one_plus_exp(rate, minus_fake);  // lr·q
    const double judged = -minus_fake - from_fake * dot(x, x, 1);
    for (int i = 0; i < P; ++i) w[i] -= from_fake * x[i];
    b -= from_fake;

    const double to_fool = over_one_plus_exp(rate, minimax ? -judged : judged);  // lr·y or lr·(1 − y)
    const double next_z = step + 1 < a.steps ? a.z[step + 1] : 0;
    for (int i = 0; i < P; ++i) {
      const double slope = w[i] * (x[i] * (1 - x[i]));
      // What the next step waits for, straight from to_fool: next_z·(v + to_fool·slope·z) + (c + to_fool·slope).
      minus_logit[i] = (-next_z * v[i] - c[i]) - to_fool * (slope * (next_z * z + 1));
      v[i] += to_fool * (slope * z);
      c[i] += to_fool * slope;
    }
    z = next_z;

    face = face == last_face ? a.faces : face + P;
    if (--until_record == 0 || step + 1 == a.steps) {
      until_record = a.record_every;
      write(row);
      row += toy_gan_state;
      loss[0] = softplus(-real) + softplus(-minus_fake);
      loss[1] = minimax ? -softplus(judged) : softplus(-judged);
      loss += 2;
    }
  }
  write(a.state);
}

}  // namespace

void GENLAB_JOIN(toy_gan_train_, GENLAB_ISA)(const ToyGanArgs& a) { a.minimax ? train<true>(a) : train<false>(a); }

}  // namespace genlab
