// Python ends while a thread still computes: the computation stops, and its thread never comes back to the interpreter.
#pragma once

#include <atomic>

namespace genlab {

inline std::atomic<bool> leaving{false};

struct Leaving {};

// Called every now and then by whatever takes long.
inline void stop_if_leaving() {
  if (leaving.load(std::memory_order_relaxed)) throw Leaving();
}

}  // namespace genlab
