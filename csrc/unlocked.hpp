// Native work without Python's lock: others go on meanwhile, Ctrl-C is heard, and a process that ends meanwhile ends quietly.
#pragma once

#include <cxxabi.h>
#include <pybind11/pybind11.h>
#include <unistd.h>

#include <chrono>

namespace genlab {

// Lets go of the lock for as long as it lives. To be used in place of pybind11's gil_scoped_release: when the interpreter has ended
// meanwhile, Python ends a thread that asks for its lock by unwinding it, which no destructor and no catch (...) survives.
class Unlocked {
 public:
  Unlocked() : thread_(PyEval_SaveThread()) {}
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;
  ~Unlocked() { lock(); }

  // Runs what waits of Python's signal handlers, some 20 times a second at most; true if one has raised: then come to an end, and throw
  // pybind11::error_already_set once the lock is held again. Only the thread that made this object may ask.
  bool interrupted() {
    const Clock::time_point now = Clock::now();
    if (now - asked_ < std::chrono::milliseconds(50)) return false;
    bool raised = false;
    locked([&] { raised = PyErr_CheckSignals() != 0; });
    asked_ = Clock::now();
    return raised;
  }

  // Calls `work`, which may use Python, with the lock held; what it throws comes through, without the lock. Only the thread that made this
  // object may ask.
  template <class Work>
  void locked(const Work& work) {
    lock();
    try {
      work();
    } catch (abi::__forced_unwind&) {
      for (;;) pause();
    } catch (...) {
      thread_ = PyEval_SaveThread();
      throw;
    }
    thread_ = PyEval_SaveThread();
  }

 private:
  using Clock = std::chrono::steady_clock;

  // Takes the lock, or waits for the end of the process if there is no interpreter any more.
  void lock() noexcept {
    try {
      PyEval_RestoreThread(thread_);
    } catch (abi::__forced_unwind&) {
      for (;;) pause();
    }
  }

  PyThreadState* thread_;
  Clock::time_point asked_ = Clock::now();
};

}  // namespace genlab
