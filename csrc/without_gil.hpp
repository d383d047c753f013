// Computing while other Python threads run, and a quiet end if the interpreter ends meanwhile.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <thread>

#include "leaving.hpp"

namespace genlab {

inline std::atomic<int> computing{0};  // threads that will want the interpreter back
inline std::thread::id ending;           // the thread that takes the interpreter down

[[noreturn]] inline void sleep_for_ever() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

// Runs `work`, pure arithmetic on memory that the caller's arguments keep alive, without the interpreter's lock. A thread that took the
// lock once the interpreter is being taken down would be ended in the middle of C++, which C++ answers by ending the process loudly; so
// `before_exit` waits for those that compute, and who comes later or was stopped stays where he is until the process is gone.
template <class Work>
void without_gil(const Work& work) {
  PyThreadState* const state = PyEval_SaveThread();
  ++computing;
  std::exception_ptr failure;
  try {
    stop_if_leaving();
    work();
  } catch (const Leaving&) {
    if (std::this_thread::get_id() != ending) {
      --computing;
      sleep_for_ever();
    }
    failure = std::make_exception_ptr(std::runtime_error("Python is ending: nothing is computed any more"));
  } catch (...) {
    failure = std::current_exception();
  }
  PyEval_RestoreThread(state);
  --computing;
  if (failure) std::rethrow_exception(failure);
}

// Called by Python's atexit. A callback into Python that never returns is not waited for longer than this.
inline void before_exit() {
  ending = std::this_thread::get_id();
  leaving = true;
  const pybind11::gil_scoped_release release;
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (computing > 0 && std::chrono::steady_clock::now() < patience) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

}  // namespace genlab
