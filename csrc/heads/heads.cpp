// The table of heads: a line each.
#include "categorical.hpp"

namespace genlab {

template <class S>
std::unique_ptr<Head<S>> make_head(const std::string& name, int channels, int levels, const KernelTable<S>& kernels) {
  if (name == Categorical<S>::name) return std::make_unique<Categorical<S>>(channels, levels, kernels);
  return nullptr;
}

int head_parameters(const std::string& name, int channels, int levels) {
  if (name == Categorical<float>::name) return Categorical<float>::parameters_of(channels, levels);
  return 0;
}

template std::unique_ptr<Head<float>> make_head(const std::string&, int, int, const KernelTable<float>&);
template std::unique_ptr<Head<double>> make_head(const std::string&, int, int, const KernelTable<double>&);
template std::unique_ptr<Head<bfloat16>> make_head(const std::string&, int, int, const KernelTable<bfloat16>&);

}  // namespace genlab
