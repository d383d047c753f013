// Threads: OpenMP through the process's one runtime, which torch uses too; without OpenMP everything runs on the calling thread.
#pragma once

#include <exception>
#include <mutex>

#ifdef __SSE__
#include <xmmintrin.h>
#endif

#ifdef _OPENMP
#include <omp.h>
#endif

namespace genlab {

// How many threads a parallel region would take now: torch.set_num_threads and OMP_NUM_THREADS decide.
inline int thread_count() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

// As many threads as there are `items`, at most thread_count(); one where `operations` are too few to pay for waking others.
inline int threads_for(long items, double operations) {
  constexpr double worth_waking = 4e6;  // some 30 microseconds of multiply-adds on one core
  if (operations < worth_waking) return 1;
  const long count = items < thread_count() ? items : thread_count();
  return count < 1 ? 1 : static_cast<int>(count);
}

// The items [begin, end) that fall to one of `shares` equal shares.
struct Share {
  int begin, end;
};
inline Share share_of(int items, int index, int shares) {
  const long long all = items;
  return {static_cast<int>(all * index / shares), static_cast<int>(all * (index + 1) / shares)};
}

// While it lives, numbers of this thread too small for a normal float are zeros. They come up in gradients, where nothing hangs on them, and
// each would take the processor a hundred cycles.
class WithoutDenormals {
 public:
#ifdef __SSE__
  WithoutDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | flush_results | take_as_zeros); }
  ~WithoutDenormals() { _mm_setcsr(before_); }

 private:
  static constexpr unsigned flush_results = 0x8000, take_as_zeros = 0x0040;
  const unsigned before_;
#else
  WithoutDenormals() {}
#endif
};

// Calls work(thread) on each of `threads` threads; thread 0 is the caller. The first exception thrown is thrown again here.
template <class Work>
void parallel(int threads, const Work& work) {
#ifdef _OPENMP
  if (threads > 1) {
    std::exception_ptr failure;
    std::mutex guard;
#pragma omp parallel num_threads(threads)
    {
      const WithoutDenormals flushed;
      // The runtime may give fewer threads than asked for: go round until every share is done.
      for (int t = omp_get_thread_num(); t < threads; t += omp_get_num_threads()) {
        try {
          work(t);
        } catch (...) {
          const std::lock_guard<std::mutex> lock(guard);
          if (!failure) failure = std::current_exception();
        }
      }
    }
    if (failure) std::rethrow_exception(failure);
    return;
  }
#endif
  const WithoutDenormals flushed;
  for (int t = 0; t < threads; ++t) work(t);
}

}  // namespace genlab
