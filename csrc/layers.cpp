#include "layers.hpp"

#include <algorithm>

#include "parallel.hpp"

namespace genlab {

template <class S>
Layers<S>::Layers(const std::vector<Layer>& layers, const KernelTable<S>& kernels, bool backward)
    : layers_(layers), kernels_(kernels), backward_(backward), packed_(layers.size()) {
  constexpr std::size_t group = Numbers<S>::group;
  for (int l = 0; l < size(); ++l) {
    const Layer& layer = layers_[l];
    Packed& packed = packed_[l];
    const auto add_part = [group](std::vector<Part>& parts, const std::vector<Term>& terms, std::size_t channels) {
      parts.push_back({grouped(terms, static_cast<int>(group)), {}});
      parts.back().weight.resize(parts.back().terms.size() * group * channels);
    };
    packed.bias.resize(padded_outputs(l));
    for (int phase = 0; phase < layer.up * layer.up; ++phase) {
      const std::vector<Term> terms = forward_terms(layer, phase);
      packed.gradient_terms.insert(packed.gradient_terms.end(), terms.begin(), terms.end());
      add_part(packed.forward, terms, padded_outputs(l));
    }
    if (!backward_) continue;
    for (int phase = 0; phase < layer.down * layer.down; ++phase)
      add_part(packed.backward, backward_terms(layer, phase), static_cast<std::size_t>(round_up(layer.in_channels, kernels_.lanes)));
  }
}

template <class S>
void Layers<S>::pack(const Parameters<T>& parameters, int threads) {
  parallel(threads, [&](int thread) {
    for (int l = thread; l < size(); l += threads) {
      const Layer& layer = layers_[l];
      Packed& packed = packed_[l];
      for (Part& part : packed.forward) pack_forward<S>(layer, part.terms, parameters.weights[l], kernels_, part.weight.get());
      for (Part& part : packed.backward) pack_backward<S>(layer, part.terms, parameters.weights[l], kernels_, part.weight.get());
      std::copy_n(parameters.biases[l], layer.biases(), packed.bias.get());
    }
  });
}

template class Layers<float>;
template class Layers<double>;
template class Layers<bfloat16>;

}  // namespace genlab
