// A whole pixel from K weighted components, each a product of discretised logistics over its channels (csrc/logistic_kernels.cpp). A
// pixel's parameters, components side by side in each: K logits, for each channel K means, for each K log-scales, for each pair of
// channels (1, 0), (2, 0), (2, 1) … K coefficients. One uniform a channel: the next channel's distribution is the mixture reweighted by
// how likely each component found the channels before.
#pragma once

#include "head.hpp"

namespace genlab {

template <class S>
class LogisticMixture final : public Head<S> {
 public:
  static constexpr const char* name = "logistic_mixture";
  static long long parameters_of_one(int channels) { return 1 + 2LL * channels + static_cast<long long>(channels) * (channels - 1) / 2; }
  static bool fits(int channels, int, int parameters) { return parameters % parameters_of_one(channels) == 0; }

  LogisticMixture(int channels, int levels, int parameters, const KernelTable<S>& kernels)
      : channels_(channels), levels_(levels), parameters_(parameters), kernels_(kernels) {}

  int parameters() const override { return parameters_; }
  bool channel_by_channel() const override { return false; }
  typename Head<S>::Range read_by(int channel) const override { return {0, channel == 0 ? parameters_ : 0}; }

  std::size_t scratch() const override {
    const std::size_t rows = parameters_of_one(channels_) + 1 + 2 * static_cast<std::size_t>(channels_);
    return rows * round_up(components(), logistic_padding) + levels_;
  }

  double nats(const S* parameters, PixelLevels levels, Compute<S> scale, S* grad, double* scratch) const override {
    return kernels_.logistic_nats({parameters, components(), channels_, levels_, of(levels), scale, grad, scratch});
  }

  int draw(const S* parameters, int channel, PixelLevels earlier, double u, double temperature, double* scratch) const override {
    return kernels_.logistic_draw({parameters, components(), channels_, levels_, of(earlier), 0, nullptr, scratch}, channel, u, temperature);
  }

 private:
  int components() const { return static_cast<int>(parameters_ / parameters_of_one(channels_)); }
  static LogisticPixel of(PixelLevels levels) { return {levels.first, levels.channel_stride}; }

  const int channels_, levels_, parameters_;
  const KernelTable<S>& kernels_;
};

}  // namespace genlab
