// The table of heads: a line each.
#include "categorical.hpp"
#include "logistic_mixture.hpp"

namespace genlab {
namespace {

template <class S>
struct HeadEntry {
  const char* name;
  bool (*fits)(int channels, int levels, int parameters);
  std::unique_ptr<Head<S>> (*make)(int channels, int levels, int parameters, const KernelTable<S>& kernels);
};

template <class S, template <class> class Kind>
std::unique_ptr<Head<S>> make_as(int channels, int levels, int parameters, const KernelTable<S>& kernels) {
  return std::make_unique<Kind<S>>(channels, levels, parameters, kernels);
}

template <class S>
const HeadEntry<S> heads[] = {
    {Categorical<S>::name, &Categorical<S>::fits, &make_as<S, Categorical>},
    {LogisticMixture<S>::name, &LogisticMixture<S>::fits, &make_as<S, LogisticMixture>},
};

template <class S>
const HeadEntry<S>* find(const std::string& name) {
  for (const HeadEntry<S>& entry : heads<S>)
    if (name == entry.name) return &entry;
  return nullptr;
}

}  // namespace

template <class S>
std::unique_ptr<Head<S>> make_head(const std::string& name, int channels, int levels, int parameters, const KernelTable<S>& kernels) {
  const HeadEntry<S>* const entry = find<S>(name);
  return entry && entry->fits(channels, levels, parameters) ? entry->make(channels, levels, parameters, kernels) : nullptr;
}

bool is_head(const std::string& name) { return find<float>(name) != nullptr; }

std::string head_names() {
  std::string names;
  for (const HeadEntry<float>& entry : heads<float>) names += (names.empty() ? "'" : ", '") + std::string(entry.name) + "'";
  return names;
}

bool head_fits(const std::string& name, int channels, int levels, int parameters) {
  const HeadEntry<float>* const entry = find<float>(name);
  return entry && entry->fits(channels, levels, parameters);
}

template std::unique_ptr<Head<float>> make_head(const std::string&, int, int, int, const KernelTable<float>&);
template std::unique_ptr<Head<double>> make_head(const std::string&, int, int, int, const KernelTable<double>&);
template std::unique_ptr<Head<bfloat16>> make_head(const std::string&, int, int, int, const KernelTable<bfloat16>&);

}  // namespace genlab
