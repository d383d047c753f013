// The discretised mixture of logistics, compiled once for each instruction set (Salimans et al. 2017):
//
//     log p(x) = log Σ_m π_m ∏_c p_m(x_c) − log Σ_m π_m,     p_m(x_c) = σ(z) · σ(−w) · (1 − e^{w − z})
//
// with z, w = (e_{k+1} − μ)/s, (e_k − μ)/s the scaled edges of level k's bin and μ = μ_{m,c} + Σ_{j<c} tanh(a_{m,c,j}) · x_j. The first
// bin is σ(z) alone, the last σ(−w). Each factor's logarithm has one sign, so that nothing cancels, whatever the scale.
//
// A vector runs over the components of a channel, or over levels where a distribution function is inverted. All of it is in double: it
// costs little beside the network, sums over levels come to 1 to the last digits, and draws fall as they do in torch.
//
// Everything here lies in an anonymous namespace or carries the instruction set in its name, for the reason given in csrc/kernels.cpp.
#include <cmath>
#include <cstdint>
#include <cstring>

#include "simd.hpp"

namespace genlab {
namespace {

using V = Vec<double>;
using I = Simd<double>::I;
constexpr int L = Simd<double>::lanes;
constexpr double least_log_scale = -7;
constexpr double nowhere = -1e300;  // the logit of a component that is padding

template <class To, class From>
inline To as(From from) {
  To to;
  static_assert(sizeof to == sizeof from, "the same bits");
  std::memcpy(&to, &from, sizeof to);
  return to;
}

inline V absolute(V x) { return x < 0.0 ? -x : x; }
inline V at_most_zero(V x) { return x > 0.0 ? V{} : x; }

// e^x: 2^n · Taylor's polynomial of degree 12 on |r| ≤ ln 2 / 2, relative error about 2e-16.
inline V e_to(V x) {
  const V low = V{} - 708.0, high = V{} + 708.0;
  x = x < low ? low : x;
  x = x > high ? high : x;
  const double magic = 6755399441055744.0;  // 1.5 · 2^52: adding it rounds to the nearest integer, which its low bits then hold
  const V shifted = x * 1.44269504088896340736 + magic;
  const V n = shifted - magic;
  const V r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
  V p = r * (1.0 / 479001600.0) + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  return p * as<V>((as<I>(shifted) + 1023) << 52);
}

// log x of a normal number x > 0: exponent · ln 2 + 2 artanh((m − 1)/(m + 1)) with m in [√½, √2].
inline V logarithm(V x) {
  const I bits = as<I>(x);
  const I exponent_bits = (bits >> 52) & 0x7ff;
  V exponent = as<V>(exponent_bits | 0x4330000000000000) - (4503599627370496.0 + 1023.0);  // a whole number in the low bits of 2^52
  V m = as<V>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  const V half = m * 0.5, next = exponent + 1.0, root = V{} + 1.41421356237309504880;
  exponent = m > root ? next : exponent;
  m = m > root ? half : m;
  const V t = (m - 1.0) / (m + 1.0), s = t * t;
  V p = s * (1.0 / 21.0) + 1.0 / 19.0;
  p = p * s + 1.0 / 17.0;
  p = p * s + 1.0 / 15.0;
  p = p * s + 1.0 / 13.0;
  p = p * s + 1.0 / 11.0;
  p = p * s + 1.0 / 9.0;
  p = p * s + 1.0 / 7.0;
  p = p * s + 1.0 / 5.0;
  p = p * s + 1.0 / 3.0;
  return exponent * 0.69314718055994530942 + (t + t) * (p * s + 1.0);
}

// Where a pixel's parameters and what follows from them lie: rows of components, each padded to whole vectors.
struct Rows {
  int components, channels, width;
  double* first;

  Rows(int components_, int channels_, double* work)
      : components(components_), channels(channels_), width(round_up(components_, logistic_padding)), first(work) {}
  int pairs() const { return channels * (channels - 1) / 2; }
  int parameters() const { return 1 + 2 * channels + pairs(); }
  double* row(int index) const { return first + static_cast<std::ptrdiff_t>(index) * width; }
  double* logits() const { return row(0); }
  double* mean(int channel) const { return row(1 + channel); }
  double* log_scale(int channel) const { return row(1 + channels + channel); }
  double* coefficient(int channel, int earlier) const { return row(1 + 2 * channels + channel * (channel - 1) / 2 + earlier); }
  double* total() const { return row(parameters()); }
  double* by_mean(int channel) const { return row(parameters() + 1 + channel); }
  double* by_log_scale(int channel) const { return row(parameters() + 1 + channels + channel); }
  double* levels() const { return row(parameters() + 1 + 2 * channels); }
};

// The parameters as they are used: coefficients as their tanh, in the channels up to `last`; means not yet moved.
template <class S>
inline void spread(const Rows& rows, const S* parameters) {
  for (int r = 0; r < rows.parameters(); ++r) {
    double* const to = rows.row(r);
    for (int k = 0; k < rows.components; ++k) to[k] = widen<S>(parameters[static_cast<std::ptrdiff_t>(r) * rows.components + k]);
    for (int k = rows.components; k < rows.width; ++k) to[k] = r == 0 ? nowhere : 0.0;
  }
  for (int r = 1 + 2 * rows.channels; r < rows.parameters(); ++r)
    for (int k = 0; k < rows.width; k += L) store<double>(rows.row(r) + k, 1.0 - 2.0 / (e_to(2.0 * load(rows.row(r) + k)) + 1.0));
}

// Level k as x; edge k of the bins, the same number for both bins that meet there.
struct Bins {
  int levels;
  double value(int level) const { return 2.0 * level / (levels - 1) - 1.0; }
  double edge(int k) const { return (2.0 * k - 1.0) / (levels - 1) - 1.0; }
};

inline V moved_mean(const Rows& rows, const Bins& bins, const LogisticPixel& pixel, int channel, int k) {
  V mean = load(rows.mean(channel) + k);
  for (int j = 0; j < channel; ++j) mean += load(rows.coefficient(channel, j) + k) * bins.value(pixel.level(j));
  return mean;
}

inline V inverse_scale(V log_scale) {
  const V least = V{} + least_log_scale;
  return e_to(-(log_scale < least ? least : log_scale));
}

// log p_m of a bin, and its derivatives by the mean and by the log-scale.
struct Bin {
  V log, by_mean, by_log_scale;

  Bin(const Bins& bins, int level, V mean, V log_scale) {
    const V least = V{} + least_log_scale;
    const V held = log_scale < least ? least : log_scale;
    const V inverse = e_to(-held);
    log = by_mean = by_log_scale = V{};
    if (level < bins.levels - 1) add_side((bins.edge(level + 1) - mean) * inverse, 1.0);
    if (level > 0) add_side((mean - bins.edge(level)) * inverse, -1.0);
    by_mean *= inverse;
    if (level > 0 && level < bins.levels - 1) add_width(2.0 / (bins.levels - 1), held, inverse);
    by_log_scale = log_scale < least ? V{} : by_log_scale;
  }

 private:
  // log σ(z) of an edge that lies `sign` · z scales off the mean.
  void add_side(V z, double sign) {
    const V u = e_to(-absolute(z));
    const V less = z < 0.0 ? V{} + 1.0 : u;
    const V slope = less / (1.0 + u);  // σ(−z)
    log += at_most_zero(z) - logarithm(1.0 + u);
    by_mean -= sign * slope;
    by_log_scale -= z * slope;
  }
  // log(1 − e^{−d}) of the width d in scales, as log d + log((1 − e^{−d})/d): d itself may vanish, its logarithm is known.
  void add_width(double width, V log_scale, V inverse) {
    const V d = width * inverse;
    const V e = e_to(-d);
    const V series = 1.0 - d * (0.5 - d * (1.0 / 6.0 - d * (1.0 / 24.0 - d * (1.0 / 120.0))));
    const V small = V{} + 1e-3;
    const V ratio = d < small ? series : (1.0 - e) / d;
    log += (std::log(width) - log_scale) + logarithm(ratio);
    by_log_scale -= e / ratio;
  }
};

inline double highest(const double* row, int count) {
  double result = row[0];
  for (int k = 1; k < count; ++k) result = row[k] > result ? row[k] : result;
  return result;
}

// row = e^{row − its highest}; returns the sum. `log_sum` takes log Σ e^row.
inline double exponentials(const Rows& rows, double* row, double* log_sum) {
  const double most = highest(row, rows.components);
  for (int k = 0; k < rows.width; k += L) store<double>(row + k, e_to(load(row + k) - most));
  double sum = 0;
  for (int k = 0; k < rows.components; ++k) sum += row[k];
  *log_sum = most + std::log(sum);
  return sum;
}

// The gradient of nats: prior − posterior for the logits, −posterior · ∂ log p_m for all else.
template <class S>
void write_gradient(const LogisticArgs<S>& a, const Rows& rows, const Bins& bins, double prior_sum, double posterior_sum) {
  const double scale = static_cast<double>(a.scale);
  const auto write = [&](const double* row, const double* from) {
    S* const to = a.grad + (row - rows.first) / rows.width * rows.components;
    for (int k = 0; k < rows.components; ++k) to[k] = narrow<S>(from[k]);
  };
  for (int k = 0; k < rows.width; k += L) {
    const V posterior = load(rows.total() + k) * (scale / posterior_sum);
    store<double>(rows.total() + k, posterior);
    store<double>(rows.logits() + k, load(rows.logits() + k) * (scale / prior_sum) - posterior);
  }
  write(rows.logits(), rows.logits());
  for (int c = 0; c < rows.channels; ++c) {
    for (int k = 0; k < rows.width; k += L) {
      const V posterior = load(rows.total() + k);
      store<double>(rows.by_mean(c) + k, -posterior * load(rows.by_mean(c) + k));
      store<double>(rows.by_log_scale(c) + k, -posterior * load(rows.by_log_scale(c) + k));
    }
    write(rows.mean(c), rows.by_mean(c));
    write(rows.log_scale(c), rows.by_log_scale(c));
    for (int j = 0; j < c; ++j) {
      double* const t = rows.coefficient(c, j);
      const double value = bins.value(a.pixel.level(j));
      for (int k = 0; k < rows.width; k += L) store<double>(t + k, load(rows.by_mean(c) + k) * (1.0 - load(t + k) * load(t + k)) * value);
      write(t, t);
    }
  }
}

// total = logits + Σ over the first channels of log p_m.
inline void add_channels(const Rows& rows, const Bins& bins, const LogisticPixel& pixel, int channels, bool with_slopes) {
  for (int k = 0; k < rows.width; k += L) {
    V total = load(rows.logits() + k);
    for (int c = 0; c < channels; ++c) {
      const Bin bin(bins, pixel.level(c), moved_mean(rows, bins, pixel, c, k), load(rows.log_scale(c) + k));
      total += bin.log;
      if (!with_slopes) continue;
      store<double>(rows.by_mean(c) + k, bin.by_mean);
      store<double>(rows.by_log_scale(c) + k, bin.by_log_scale);
    }
    store<double>(rows.total() + k, total);
  }
}

// The first level whose distribution function Σ_m weight_m · σ((e_{k+1} − μ)/s) exceeds `least`: a vector of levels is tried at a time.
inline int invert(const Rows& rows, const Bins& bins, const double* weight, const double* mean, const double* inverse, double least) {
  V lane;
  for (int i = 0; i < L; ++i) lane[i] = i + 1;
  for (int low = 0, high = bins.levels - 1;;) {
    const int candidates = high - low + 1;
    if (candidates == 1) return low;
    const int step = (candidates + L) / (L + 1);
    const V level = lane * static_cast<double>(step) + (low - 1.0);
    const V edge = (2.0 * level + 1.0) / (bins.levels - 1.0) - 1.0;
    V reached{};
    for (int m = 0; m < rows.components; ++m) reached += weight[m] / (1.0 + e_to((mean[m] - edge) * inverse[m]));
    int below = 0;
    for (int i = 0; i < L; ++i) below += low + (i + 1) * step - 1 < high && reached[i] <= least;
    low += below * step;
    high = low + step - 1 < high ? low + step - 1 : high;
  }
}

// As csrc/heads/categorical.hpp draws, from the logarithms of all levels.
inline int draw_tempered(const Rows& rows, const Bins& bins, int channel, const double* mean, double u, double temperature) {
  double* const logs = rows.levels();
  double* const terms = rows.by_log_scale(0);
  for (int level = 0; level < bins.levels; ++level) {
    for (int k = 0; k < rows.width; k += L)
      store<double>(terms + k, load(rows.total() + k) + Bin(bins, level, load(mean + k), load(rows.log_scale(channel) + k)).log);
    exponentials(rows, terms, &logs[level]);
  }
  const double most = highest(logs, bins.levels);
  double sum = 0;
  for (int level = 0; level < bins.levels; ++level) logs[level] = sum += std::exp((logs[level] - most) / temperature);
  int drawn = 0;
  for (int level = 0; level + 1 < bins.levels; ++level) drawn += logs[level] <= u * sum;
  return drawn;
}

}  // namespace

template <class S>
double GENLAB_JOIN(logistic_nats_, GENLAB_ISA)(const LogisticArgs<S>& a) {
  const Rows rows(a.components, a.channels, a.work);
  const Bins bins{a.levels};
  spread(rows, a.parameters);
  add_channels(rows, bins, a.pixel, a.channels, a.grad != nullptr);
  double prior, posterior;
  const double prior_sum = exponentials(rows, rows.logits(), &prior);
  const double posterior_sum = exponentials(rows, rows.total(), &posterior);
  if (a.grad) write_gradient(a, rows, bins, prior_sum, posterior_sum);
  return prior - posterior;
}

template <class S>
int GENLAB_JOIN(logistic_draw_, GENLAB_ISA)(const LogisticArgs<S>& a, int channel, double u, double temperature) {
  const Rows rows(a.components, a.channels, a.work);
  const Bins bins{a.levels};
  spread(rows, a.parameters);
  add_channels(rows, bins, a.pixel, channel, false);
  double* const mean = rows.by_mean(0);
  double* const inverse = rows.by_log_scale(0);
  for (int k = 0; k < rows.width; k += L) {
    store<double>(mean + k, moved_mean(rows, bins, a.pixel, channel, k));
    store<double>(inverse + k, inverse_scale(load(rows.log_scale(channel) + k)));
  }
  if (temperature != 1.0) return draw_tempered(rows, bins, channel, mean, u, temperature);
  double unused;
  const double sum = exponentials(rows, rows.total(), &unused);
  return invert(rows, bins, rows.total(), mean, inverse, u * sum);
}

#define GENLAB_LOGISTIC(S)                                                         \
  template double GENLAB_JOIN(logistic_nats_, GENLAB_ISA)(const LogisticArgs<S>&); \
  template int GENLAB_JOIN(logistic_draw_, GENLAB_ISA)(const LogisticArgs<S>&, int, double, double);
GENLAB_LOGISTIC(float)
GENLAB_LOGISTIC(double)
#ifdef __AVX512BF16__
GENLAB_LOGISTIC(bfloat16)
#endif

}  // namespace genlab
