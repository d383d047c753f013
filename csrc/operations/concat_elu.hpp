// out = [elu(first), elu(−first)], elu(x) = x where x > 0, else e^x − 1. Backwards out (+)= the gradient of its input, from what it made
// (`first`): where x > 0 that is grad − grad' · (elu(−x) + 1), with grad' the gradient of the second half; else grad · (elu(x) + 1) − grad'.
#pragma once

#include "operation.hpp"

namespace genlab {

inline const Form concat_elu_form{
    "concat_elu", false, false, true, false, false, {{first, Port::reads, Port::same, true}, {out, Port::writes, Port::twice, true}}};
inline const Form concat_elu_grad_form{
    "concat_elu_grad",
    true,
    false,
    true,
    true,
    false,
    {{out, Port::writes, Port::same, true}, {grad, Port::reads, Port::twice, true}, {first, Port::reads, Port::twice, true}}};

template <class S>
class ConcatEluMap : public Operation<S> {
 public:
  using Kernel = void (*)(const ConcatEluArgs<S>&);
  ConcatEluMap(const Instruction& i, Workspace<S>& w, Kernel kernel, Slot single) : Operation<S>(i, w, out), kernel_(kernel) {
    a_.x_stride = this->stride(first);
    a_.out_stride = this->stride(out);
    if (i.has(grad)) a_.grad_stride = this->stride(grad);
    a_.channels = w.spec.buffers[i[single]].channels;
    a_.accumulate = i.accumulate;
    one_by_one_ = this->mixed_ && w.images > 1;  // no one stride leads from image to image and from pixel to pixel
  }
  void run(int y, int x, int positions) override {
    if (one_by_one_ && positions > 1) {
      for (int p = 0; p < positions; ++p) run(y, x + p, 1);
      return;
    }
    ConcatEluArgs<S> a = a_;
    a.x = this->at(first, y, x);
    a.grad = this->at(grad, y, x);
    a.out = this->at(out, y, x);
    a.pixels = positions * this->w_.images;
    kernel_(a);
  }

 private:
  Kernel kernel_;
  ConcatEluArgs<S> a_{};  // all that is the same for every pixel
  bool one_by_one_;
};

template <class S>
struct ConcatElu final : ConcatEluMap<S> {
  ConcatElu(const Instruction& i, Workspace<S>& w) : ConcatEluMap<S>(i, w, w.kernels.concat_elu, first) {}
};
template <class S>
struct ConcatEluGrad final : ConcatEluMap<S> {
  ConcatEluGrad(const Instruction& i, Workspace<S>& w) : ConcatEluMap<S>(i, w, w.kernels.concat_elu_grad, out) {}
};

}  // namespace genlab
