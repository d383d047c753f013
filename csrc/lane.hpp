// One thread's memory, and a program's instructions bound to it.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "operations/operation.hpp"

namespace genlab {

// Values of a given map as they come from outside, [image][channel][row][x]; of one pixel, if that stands for all.
template <class T>
struct GivenMap {
  const T* data;
  int height, width;
  T* gradient;  // in the same order; or null
};

template <class S>
class Lane {
 public:
  using T = Compute<S>;

  Lane(const ProgramSpec& spec, const Layers<S>& layers, const KernelTable<S>& kernels);

  // Lays the buffers out for so many images side by side, all zero. If there is no memory for them it throws, and may be called again.
  void lay_out(int images);
  void clear();
  void clear_gradients();

  const Map<S>& map(int buffer) const { return work_.maps[buffer]; }
  const T* weight_grad(int layer) const { return work_.weight_grads[layer].get(); }
  const T* bias_grad(int layer) const { return work_.bias_grads[layer].get(); }

  // What is drawn at random in training follows from a step's key and the image of its batch.
  void draw_for(std::uint64_t key, std::uint64_t image) {
    work_.key = key;
    work_.image = image;
  }
  void load_image(const std::uint8_t* levels) const;
  void set_level(int image, int channel, int y, int x, int level) const;
  // Takes images [begin, begin + images side by side) of a given map into a buffer.
  void load_given(int buffer, const GivenMap<T>& given, std::size_t begin) const;
  // Hands out the gradient of image n, which a buffer holds.
  void store_given_gradient(int buffer, const GivenMap<T>& given, std::size_t n) const;

  void forward() { sweep(spec_.forward, forward_, false); }
  void backward() { sweep(spec_.backward, backward_, true); }
  // In sampling: before the first pixel of a tile; what is computed once an image, or at the start of row y, or at one pixel.
  void begin();
  void forward_given();
  void forward_row(int y);
  void forward_pixel(int y, int x, bool with_late);
  void forward_late(int y, int x);

 private:
  using Operations = std::vector<std::unique_ptr<Operation<S>>>;

  void lay_out_buffer(int buffer);
  Operations bind(const std::vector<Instruction>& list);
  // Those whose map has a pixel at the image's (y, x).
  static void run_at(const std::vector<Operation<S>*>& list, int y, int x);
  static void sweep(const std::vector<Instruction>& list, Operations& operations, bool reversed);
  bool is_read_by_convolutions_alone(int buffer) const;

  const ProgramSpec& spec_;
  Workspace<S> work_;
  std::vector<Aligned<S>> memory_;
  Operations forward_, backward_;
  std::vector<Operation<S>*> given_, row_, pixel_, early_, late_;  // those of a phase; early: pixel without late
  bool image_is_packed_;                                           // no padding between its pixels
};

}  // namespace genlab
