// Which instruction set this process uses: chosen once, when the module loads.
#pragma once

#include <string>
#include <vector>

#include "kernels.hpp"

namespace genlab {

struct Choice {
  const InstructionSet* set;
  std::string reason;
  std::vector<std::string> available;  // what this build holds and this processor runs, plainest first
};

// The best of what the build holds and the processor runs, or what GENLAB_ISA names. Throws std::invalid_argument if that is neither.
const Choice& instruction_set();

}  // namespace genlab
