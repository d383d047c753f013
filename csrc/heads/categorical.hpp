// p(level = k) = exp(l_k) / Σ_j exp(l_j), one logit a level.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "head.hpp"

namespace genlab {

template <class S>
class Categorical final : public Head<S> {
 public:
  static constexpr const char* name = "categorical";
  static bool fits(int channels, int levels, int parameters) { return parameters == static_cast<long long>(channels) * levels; }

  Categorical(int channels, int levels, int, const KernelTable<S>& kernels) : channels_(channels), levels_(levels), kernels_(kernels) {}

  int parameters() const override { return channels_ * levels_; }
  bool channel_by_channel() const override { return true; }
  typename Head<S>::Range read_by(int channel) const override { return {channel * levels_, (channel + 1) * levels_}; }

  double nats(const S* parameters, PixelLevels levels, Compute<S> scale, S* grad, double*) const override {
    double sum = 0;
    for (int c = 0; c < channels_; ++c)
      sum += kernels_.softmax({parameters + c * levels_, levels_, levels[c], scale, grad ? grad + c * levels_ : nullptr});
    return sum;
  }

  std::size_t scratch() const override { return 2 * static_cast<std::size_t>(levels_); }

  // The number of levels k with P(level <= k) <= u.
  int draw(const S* parameters, int channel, PixelLevels, double u, double temperature, double* scratch) const override {
    double* const logits = scratch + levels_;
    double highest = -std::numeric_limits<double>::infinity();
    for (int k = 0; k < levels_; ++k) highest = std::max(highest, logits[k] = kernels_.widen(parameters[channel * levels_ + k]));
    double total = 0;
    for (int k = 0; k < levels_; ++k) {
      const double below = logits[k] - highest;
      total += below == 0 ? 1.0 : std::exp(below / temperature);
      scratch[k] = total;
    }
    int level = 0;
    for (int k = 0; k + 1 < levels_; ++k) level += scratch[k] <= u * total;
    return level;
  }

 private:
  const int channels_, levels_;
  const KernelTable<S>& kernels_;
};

}  // namespace genlab
