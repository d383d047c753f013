#include "isa.hpp"

#include <cstdlib>
#include <stdexcept>

namespace genlab {
namespace {

std::vector<const InstructionSet*> runnable() {
  std::vector<const InstructionSet*> sets = {&kernels_baseline};
#ifdef GENLAB_HAVE_avx2
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) sets.push_back(&kernels_avx2);
#endif
#if defined(GENLAB_HAVE_avx512) || defined(GENLAB_HAVE_avx512bf16)
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
#endif
#ifdef GENLAB_HAVE_avx512
  if (avx512) sets.push_back(&kernels_avx512);
#endif
#ifdef GENLAB_HAVE_avx512bf16
  if (avx512 && __builtin_cpu_supports("avx512bf16")) sets.push_back(&kernels_avx512bf16);
#endif
  return sets;
}

Choice choose() {
  const auto sets = runnable();
  Choice choice;
  for (const InstructionSet* set : sets) choice.available.emplace_back(set->name);
  const char* wanted = std::getenv("GENLAB_ISA");
  if (wanted == nullptr || *wanted == '\0') {
    choice.set = sets.back();
    choice.reason = "the widest that this processor runs";
    return choice;
  }
  std::string known;
  for (const InstructionSet* set : sets) {
    if (std::string(wanted) == set->name) {
      choice.set = set;
      choice.reason = "GENLAB_ISA asks for it";
      return choice;
    }
    known += (known.empty() ? "" : ", ") + std::string(set->name);
  }
  throw std::invalid_argument("GENLAB_ISA must be one of " + known + " on this processor; got '" + wanted + "'");
}

}  // namespace

const Choice& instruction_set() {
  static const Choice choice = choose();
  return choice;
}

}  // namespace genlab
