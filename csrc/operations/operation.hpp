// An instruction bound to one thread's memory. Each kind has a file here: its form (what it reads and writes, for csrc/program_check.cpp),
// its forward and, beside it, its backward.
#pragma once

#include <array>
#include <vector>

#include "../kernels.hpp"
#include "../layers.hpp"
#include "../map.hpp"
#include "../memory.hpp"
#include "../program_spec.hpp"

namespace genlab {

// What instructions are bound to: one thread's maps and gradients, and what all threads share.
template <class S>
struct Workspace {
  const ProgramSpec& spec;
  const KernelTable<S>& kernels;
  const Layers<S>& layers;
  int images = 0;  // side by side
  std::vector<Map<S>> maps;
  std::vector<Aligned<Compute<S>>> weight_grads, bias_grads;
  Aligned<Pair<S>> x_pairs, grad_pairs, grad_turned;  // room to rearrange a map in
  std::uint64_t key = 0, image = 0;                   // what is drawn at random in training follows from them
};

template <class S>
class Operation {
 public:
  virtual ~Operation() = default;
  // Before the first pixel of images that are drawn.
  virtual void begin() {}
  // Pixels (y, x) … (y, x + positions − 1) of every image.
  virtual void run(int y, int x, int positions) = 0;
  virtual void run_map() {
    for (int y = 0; y < height_; ++y) run(y, 0, width_);
  }
  int height() const { return height_; }
  int width() const { return width_; }
  // Its pixels lie so many of the image's apart.
  int apart() const { return apart_; }

 protected:
  Operation(const Instruction& i, Workspace<S>& w, Slot domain)
      : i_(i), w_(w), height_(w.maps[i[domain]].height), width_(w.maps[i[domain]].width), apart_(w.spec.buffers[i[domain]].stride) {
    for (int slot = 0; slot < slots; ++slot) maps_[slot] = i.buffer[slot] == none ? nullptr : &w.maps[i.buffer[slot]];
    for (const Map<S>* map : maps_) mixed_ = mixed_ || (map && width_ > 1 && map->position == 0);
  }
  const Map<S>& map(Slot slot) const { return *maps_[slot]; }
  S* at(Slot slot, int y, int x) const { return maps_[slot] ? maps_[slot]->at(y, x) : nullptr; }
  std::ptrdiff_t stride(Slot slot) const { return map(slot).stride(w_.images); }

  const Instruction& i_;
  Workspace<S>& w_;
  std::array<const Map<S>*, slots> maps_;  // null where the instruction names none
  int height_, width_, apart_;             // of what it computes
  bool mixed_ = false;                     // it reads a map that is the same everywhere beside one that is not
};

// Value by value, where all maps lie alike.
template <class S>
class Elementwise : public Operation<S> {
 public:
  using Kernel = void (*)(const ElementArgs<S>&);
  Elementwise(const Instruction& i, Workspace<S>& w, Kernel kernel) : Operation<S>(i, w, out), kernel_(kernel) {}
  void run(int y, int x, int positions) override {
    if (this->mixed_ && positions > 1) {
      for (int p = 0; p < positions; ++p) run(y, x + p, 1);
      return;
    }
    const Instruction& i = this->i_;
    ElementArgs<S> a{};
    a.first = this->at(first, y, x);
    a.second = this->at(second, y, x);
    a.grad = this->at(grad, y, x);
    a.mask = this->at(mask, y, x);
    a.out = this->at(out, y, x);
    a.accumulate = i.accumulate;
    a.count = static_cast<std::ptrdiff_t>(positions) * this->w_.images * this->map(out).channel_stride;
    kernel_(a);
  }

 private:
  Kernel kernel_;
};

}  // namespace genlab
