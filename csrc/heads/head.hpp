// What the output's channels mean: the distribution of a pixel's levels. Each has a file here, and its torch twin under the same name in
// genlab/causal/distributions.py.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "../kernels.hpp"

namespace genlab {

// The levels of one pixel's channels, as they lie in an image [channel][row][x].
struct PixelLevels {
  const std::uint8_t* first;
  std::ptrdiff_t channel_stride;
  int operator[](int channel) const { return first[channel * channel_stride]; }
};

template <class S>
class Head {
 public:
  virtual ~Head() = default;
  // The output's channels.
  virtual int parameters() const = 0;
  // Whether the network sees each channel of a pixel before the next is drawn; otherwise one pass gives what the whole pixel is drawn from.
  virtual bool channel_by_channel() const = 0;
  // The parameters that a channel is drawn from: [first, last).
  struct Range {
    int first, last;
  };
  virtual Range read_by(int channel) const = 0;
  // How many doubles of `scratch` the following work with.
  virtual std::size_t scratch() const = 0;
  // −log p of a pixel in nats; unless `grad` is null, also scale times its gradient.
  virtual double nats(const S* parameters, PixelLevels levels, Compute<S> scale, S* grad, double* scratch) const = 0;
  // The level of a channel where the distribution function, given the earlier channels, reaches u.
  virtual int draw(const S* parameters, int channel, PixelLevels earlier, double u, double temperature, double* scratch) const = 0;
};

// Null if there is none of that name that takes so many parameters.
template <class S>
std::unique_ptr<Head<S>> make_head(const std::string& name, int channels, int levels, int parameters, const KernelTable<S>& kernels);

// For who knows no kind of number: whether there is a head of that name, which there are, and whether one takes so many parameters.
bool is_head(const std::string& name);
std::string head_names();
bool head_fits(const std::string& name, int channels, int levels, int parameters);

}  // namespace genlab
