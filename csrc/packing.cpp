#include "packing.hpp"

#include <algorithm>

namespace genlab {
namespace {

// The weights of one row of the packed matrix: one for each channel, `step` values apart in torch's layout, if there are any.
struct Row {
  std::ptrdiff_t first, step;
  bool is_there;
};

template <class S, class RowOf>
void pack(const Layer& layer, int terms, int channels, const Compute<S>* weight, const KernelTable<S>& kernels, S* to, const RowOf& row_of) {
  constexpr int group = Numbers<S>::group;
  const int padded = round_up(channels, kernels.lanes);
  for (int start = 0; start < padded; start += kernels.panel) {
    const int width = std::min(kernels.panel, padded - start);
    for (int k = 0; k < terms; ++k, to += width * group)
      for (int g = 0; g < group; ++g) {
        const Row row = row_of(k, g);
        const int live = row.is_there ? std::clamp(channels - start, 0, width) : 0;
        std::ptrdiff_t at = row.first + start * row.step;
        for (int c = 0; c < live; ++c, at += row.step) {
          const Compute<S> value = layer.mask[at] ? weight[at] : 0;
          if constexpr (group == 1)
            to[c] = value;
          else
            to[c * group + g] = kernels.narrow(value);
        }
        for (int c = live; c < width; ++c) to[c * group + g] = S{};
      }
  }
}

// Whether a tap that reads at that distance serves the pixels of a phase.
bool serves(const Tap& distance, int ratio, int phase) {
  const auto phase_of = [ratio](int d) { return ((-d) % ratio + ratio) % ratio; };
  return phase_of(distance.dy) * ratio + phase_of(distance.dx) == phase;
}

}  // namespace

std::vector<Term> forward_terms(const Layer& layer, int phase) {
  std::vector<Term> terms;
  for (const Tap& tap : layer.taps) {
    if (!serves(tap, layer.up, phase)) continue;
    for (int in = 0; in < layer.in_channels; ++in) {
      bool live = false;
      for (int out = 0; out < layer.out_channels && !live; ++out) live = layer.mask[layer.index(out, in, tap)] != 0;
      if (live) terms.push_back({tap, in, input_tap(layer, tap)});
    }
  }
  return terms;
}

std::vector<Term> backward_terms(const Layer& layer, int phase) {
  std::vector<Term> terms;
  for (const Tap& tap : layer.taps) {
    if (!serves({-tap.dy, -tap.dx}, layer.down, phase)) continue;
    for (int out = 0; out < layer.out_channels; ++out) {
      bool live = false;
      for (int in = 0; in < layer.in_channels && !live; ++in) live = layer.mask[layer.index(out, in, tap)] != 0;
      if (live) terms.push_back({tap, out, mirrored_tap(layer, tap)});
    }
  }
  return terms;
}

std::vector<Term> grouped(const std::vector<Term>& terms, int group) {
  std::vector<Term> result;
  for (const Term& term : terms) {
    const Term first{term.tap, term.channel / group * group, term.at};
    const bool there =
        !result.empty() && result.back().tap.dy == first.tap.dy && result.back().tap.dx == first.tap.dx && result.back().channel == first.channel;
    if (!there) result.push_back(first);
  }
  return result;
}

template <class S>
void pack_forward(const Layer& layer, const std::vector<Term>& terms, const Compute<S>* weight, const KernelTable<S>& kernels, S* to) {
  const std::ptrdiff_t step = static_cast<std::ptrdiff_t>(layer.in_channels) * layer.height * layer.width;
  pack<S>(layer, static_cast<int>(terms.size()), layer.out_channels, weight, kernels, to, [&](int k, int g) -> Row {
    const int in = terms[k].channel + g;
    return {static_cast<std::ptrdiff_t>(layer.index(0, in, terms[k].tap)), step, in < layer.in_channels};
  });
}

template <class S>
void pack_backward(const Layer& layer, const std::vector<Term>& terms, const Compute<S>* weight, const KernelTable<S>& kernels, S* to) {
  const std::ptrdiff_t step = static_cast<std::ptrdiff_t>(layer.height) * layer.width;
  pack<S>(layer, static_cast<int>(terms.size()), layer.in_channels, weight, kernels, to, [&](int k, int g) -> Row {
    const int out = terms[k].channel + g;
    return {static_cast<std::ptrdiff_t>(layer.index(out, 0, terms[k].tap)), step, out < layer.out_channels};
  });
}

template <class T>
void pack_narrow_backward(const Layer& layer, const std::vector<Term>& taps, const T* weight, int padded_out, T* to) {
  for (int in = 0; in < layer.in_channels; ++in)
    for (const Term& term : taps)
      for (int out = 0; out < padded_out; ++out) {
        const bool live = out < layer.out_channels && layer.mask[layer.index(out, in, term.tap)];
        *to++ = live ? weight[layer.index(out, in, term.tap)] : 0;
      }
}

template <class T>
void unpack_gradient(const Layer& layer, const std::vector<Term>& terms, const std::vector<const T*>& packed, int lanes, T* weight_grad) {
  std::fill_n(weight_grad, layer.weights(), T(0));
  const std::size_t padded = round_up(layer.out_channels, lanes);
  for (std::size_t k = 0; k < terms.size(); ++k)
    for (int out = 0; out < layer.out_channels; ++out) {
      const std::size_t at = layer.index(out, terms[k].channel, terms[k].tap);
      if (!layer.mask[at]) continue;
      T sum = 0;
      for (const T* part : packed) sum += part[k * padded + out];
      weight_grad[at] = sum;
    }
}

#define GENLAB_INSTANTIATE(S)                                                                                          \
  template void pack_forward<S>(const Layer&, const std::vector<Term>&, const Compute<S>*, const KernelTable<S>&, S*); \
  template void pack_backward<S>(const Layer&, const std::vector<Term>&, const Compute<S>*, const KernelTable<S>&, S*);
GENLAB_INSTANTIATE(float)
GENLAB_INSTANTIATE(double)
GENLAB_INSTANTIATE(bfloat16)
#undef GENLAB_INSTANTIATE
template void pack_narrow_backward<float>(const Layer&, const std::vector<Term>&, const float*, int, float*);
template void pack_narrow_backward<double>(const Layer&, const std::vector<Term>&, const double*, int, double*);
template void unpack_gradient<float>(const Layer&, const std::vector<Term>&, const std::vector<const float*>&, int, float*);
template void unpack_gradient<double>(const Layer&, const std::vector<Term>&, const std::vector<const double*>&, int, double*);

}  // namespace genlab
