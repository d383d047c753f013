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
    packed.gradient_terms = forward_terms(layer);
    packed.forward_terms = grouped(packed.gradient_terms, group);
    packed.forward.resize(packed.forward_terms.size() * group * padded_outputs(l));
    packed.bias.resize(padded_outputs(l));
    if (!backward_) continue;
    packed.backward_terms = grouped(backward_terms(layer), group);
    packed.backward.resize(packed.backward_terms.size() * group * round_up(layer.in_channels, kernels_.lanes));
  }
}

template <class S>
void Layers<S>::pack(const Parameters<T>& parameters, int threads) {
  parallel(threads, [&](int thread) {
    for (int l = thread; l < size(); l += threads) {
      const Layer& layer = layers_[l];
      Packed& packed = packed_[l];
      pack_forward<S>(layer, packed.forward_terms, parameters.weights[l], kernels_, packed.forward.get());
      if (backward_) pack_backward<S>(layer, packed.backward_terms, parameters.weights[l], kernels_, packed.backward.get());
      std::copy_n(parameters.biases[l], layer.out_channels, packed.bias.get());
    }
  });
}

template class Layers<float>;
template class Layers<double>;
template class Layers<bfloat16>;

}  // namespace genlab
