// What maps a pixel of two halves to one of a single, or back: the base of gates and of concatenated ELUs.
#pragma once

#include "operation.hpp"

namespace genlab {

template <class S>
class HalvesMap : public Operation<S> {
 public:
  using Kernel = void (*)(const HalvesArgs<S>&);
  HalvesMap(const Instruction& i, Workspace<S>& w, Kernel kernel, int channels) : Operation<S>(i, w, out), kernel_(kernel) {
    a_.x_stride = this->stride(first);
    a_.out_stride = this->stride(out);
    if (i.has(grad)) a_.grad_stride = this->stride(grad);
    a_.channels = channels;
    a_.accumulate = i.accumulate;
    one_by_one_ = this->mixed_ && w.images > 1;  // no one stride leads from image to image and from pixel to pixel
  }
  void run(int y, int x, int positions) override {
    if (one_by_one_ && positions > 1) {
      for (int p = 0; p < positions; ++p) run(y, x + p, 1);
      return;
    }
    HalvesArgs<S> a = a_;
    a.x = this->at(first, y, x);
    a.grad = this->at(grad, y, x);
    a.out = this->at(out, y, x);
    a.pixels = positions * this->w_.images;
    kernel_(a);
  }

 private:
  Kernel kernel_;
  HalvesArgs<S> a_{};  // all that is the same for every pixel
  bool one_by_one_;
};

}  // namespace genlab
