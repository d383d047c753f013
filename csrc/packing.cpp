#include "packing.hpp"

#include <algorithm>

namespace genlab {
namespace {

template <class T, class WeightAt>
void pack(int terms, int channels, int lanes, T* to, const WeightAt& weight_at) {
  const int padded = round_up(channels, lanes);
  for (int start = 0; start < padded; start += 2 * lanes) {
    const int width = std::min(2 * lanes, padded - start);
    for (int k = 0; k < terms; ++k)
      for (int c = start; c < start + width; ++c) *to++ = c < channels ? weight_at(k, c) : T(0);
  }
}

}  // namespace

std::vector<Term> forward_terms(const Layer& layer) {
  std::vector<Term> terms;
  for (const Tap& tap : layer.taps)
    for (int in = 0; in < layer.in_channels; ++in) {
      bool live = false;
      for (int out = 0; out < layer.out_channels && !live; ++out) live = layer.mask[layer.index(out, in, tap)] != 0;
      if (live) terms.push_back({tap, in});
    }
  return terms;
}

std::vector<Term> backward_terms(const Layer& layer) {
  std::vector<Term> terms;
  for (const Tap& tap : layer.taps)
    for (int out = 0; out < layer.out_channels; ++out) {
      bool live = false;
      for (int in = 0; in < layer.in_channels && !live; ++in) live = layer.mask[layer.index(out, in, tap)] != 0;
      if (live) terms.push_back({tap, out});
    }
  return terms;
}

template <class T>
void pack_forward(const Layer& layer, const std::vector<Term>& terms, const T* weight, int lanes, T* to) {
  pack(static_cast<int>(terms.size()), layer.out_channels, lanes, to, [&](int k, int out) {
    const std::size_t at = layer.index(out, terms[k].channel, terms[k].tap);
    return layer.mask[at] ? weight[at] : T(0);
  });
}

template <class T>
void pack_backward(const Layer& layer, const std::vector<Term>& terms, const T* weight, int lanes, T* to) {
  pack(static_cast<int>(terms.size()), layer.in_channels, lanes, to, [&](int k, int in) {
    const std::size_t at = layer.index(terms[k].channel, in, terms[k].tap);
    return layer.mask[at] ? weight[at] : T(0);
  });
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

template void pack_forward<float>(const Layer&, const std::vector<Term>&, const float*, int, float*);
template void pack_forward<double>(const Layer&, const std::vector<Term>&, const double*, int, double*);
template void pack_backward<float>(const Layer&, const std::vector<Term>&, const float*, int, float*);
template void pack_backward<double>(const Layer&, const std::vector<Term>&, const double*, int, double*);
template void unpack_gradient<float>(const Layer&, const std::vector<Term>&, const std::vector<const float*>&, int, float*);
template void unpack_gradient<double>(const Layer&, const std::vector<Term>&, const std::vector<const double*>&, int, double*);

}  // namespace genlab
