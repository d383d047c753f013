// The convolutions of a program with their weights packed, shared by all threads.
#pragma once

#include <vector>

#include "kernels.hpp"
#include "memory.hpp"
#include "packing.hpp"

namespace genlab {

template <class T>
struct Parameters {
  std::vector<const T*> weights;  // per layer [out][in][row][column]
  std::vector<const T*> biases;   // per layer [out]
};

template <class S>
class Layers {
 public:
  using T = Compute<S>;

  // `backward`: the way back to the input is wanted too.
  Layers(const std::vector<Layer>& layers, const KernelTable<S>& kernels, bool backward);

  void pack(const Parameters<T>& parameters, int threads);

  // What the pixels of one phase are computed from: terms with channels in groups, and their weights.
  struct Part {
    std::vector<Term> terms;
    Aligned<S> weight;
  };
  struct Packed {
    std::vector<Term> gradient_terms;     // ungrouped, phase after phase
    std::vector<Part> forward, backward;  // a part for each phase
    Aligned<T> bias;
  };
  const Layer& layer(int index) const { return layers_[index]; }
  const Packed& operator[](int index) const { return packed_[index]; }
  int size() const { return static_cast<int>(packed_.size()); }
  std::size_t padded_outputs(int index) const { return static_cast<std::size_t>(round_up(layers_[index].out_channels, kernels_.lanes)); }

 private:
  const std::vector<Layer>& layers_;
  const KernelTable<S>& kernels_;
  const bool backward_;
  std::vector<Packed> packed_;
};

}  // namespace genlab
