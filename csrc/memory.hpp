// Zeroed memory on a cache line's boundary.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

namespace genlab {

// For tests: how many allocations from now one fails; 0 and below: none does.
inline std::atomic<long> allocations_until_failure{0};

template <class T>
class Aligned {
 public:
  Aligned() = default;
  explicit Aligned(std::size_t count) { resize(count); }

  // Grows to at least `count` values, all zero if it grew. If there is no memory it throws, and is as it was.
  void resize(std::size_t count) {
    if (count <= count_) return;
    if (allocations_until_failure > 0 && --allocations_until_failure == 0) throw std::bad_alloc();
    data_.reset(static_cast<T*>(::operator new(count * sizeof(T), alignment)));
    count_ = count;
    clear();
  }
  void clear() {
    if (count_ > 0) std::memset(static_cast<void*>(data_.get()), 0, count_ * sizeof(T));
  }
  T* get() { return data_.get(); }
  const T* get() const { return data_.get(); }
  std::size_t size() const { return count_; }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Free {
    void operator()(T* data) const { ::operator delete(data, alignment); }
  };
  std::unique_ptr<T, Free> data_;
  std::size_t count_ = 0;
};

}  // namespace genlab
