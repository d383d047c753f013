// What one pixel that stands for all gets back from them: out (+)= Σ over pixels of grad, where mask > 0.
#pragma once

#include "operation.hpp"

namespace genlab {

inline const Form everywhere_grad_form{
    "everywhere_grad",
    true,
    false,
    false,
    true,
    {{grad, Port::reads, Port::same, true}, {mask, Port::reads, Port::same, false}, {out, Port::writes_sum_over_pixels, Port::same, true}}};

template <class S>
class EverywhereGrad final : public Operation<S> {
 public:
  EverywhereGrad(const Instruction& i, Workspace<S>& w) : Operation<S>(i, w, grad) {}
  void run(int, int, int) override {}  // never by rows: see its form
  void run_map() override {
    PixelSumArgs<S> a{};
    a.grad = this->at(grad, 0, 0);
    a.grad_stride = this->stride(grad);
    a.grad_row = this->map(grad).row;
    if (this->i_.has(mask)) {
      a.mask = this->at(mask, 0, 0);
      a.mask_stride = this->stride(mask);
      a.mask_row = this->map(mask).row;
    }
    a.rows = this->height_;
    a.pixels = this->width_;
    a.channels = static_cast<int>(this->map(grad).channel_stride);
    a.out = this->at(out, 0, 0);
    a.accumulate = this->i_.accumulate;
    this->w_.kernels.pixel_sum(a);
  }
};

}  // namespace genlab
