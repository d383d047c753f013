// out = f(x) · σ(y), where x and y are the first and second half of the channels of `first`, and f is tanh or the identity.
// Backwards out (+)= the gradient of `first`.
#pragma once

#include "operation.hpp"

namespace genlab {

inline const std::vector<Port> gate_ports = {{out, Port::writes, Port::same, true}, {first, Port::reads, Port::twice, true}};
inline const std::vector<Port> gate_grad_ports = {
    {grad, Port::reads, Port::same, true}, {first, Port::reads, Port::twice, true}, {out, Port::writes, Port::twice, true}};

inline const Form gate_form{"gate", false, false, true, false, false, gate_ports};
inline const Form gate_grad_form{"gate_grad", true, false, true, true, false, gate_grad_ports};
inline const Form identity_gate_form{"identity_gate", false, false, true, false, false, gate_ports};
inline const Form identity_gate_grad_form{"identity_gate_grad", true, false, true, true, false, gate_grad_ports};

template <class S>
class HalvedMap : public Operation<S> {
 public:
  using Kernel = void (*)(const GateArgs<S>&);
  HalvedMap(const Instruction& i, Workspace<S>& w, Kernel kernel) : Operation<S>(i, w, out), kernel_(kernel) {
    a_.x_stride = this->stride(first);
    a_.out_stride = this->stride(out);
    if (i.has(grad)) a_.grad_stride = this->stride(grad);
    a_.channels = w.spec.buffers[i[first]].channels / 2;
    a_.accumulate = i.accumulate;
    one_by_one_ = this->mixed_ && w.images > 1;  // no one stride leads from image to image and from pixel to pixel
  }
  void run(int y, int x, int positions) override {
    if (one_by_one_ && positions > 1) {
      for (int p = 0; p < positions; ++p) run(y, x + p, 1);
      return;
    }
    GateArgs<S> a = a_;
    a.x = this->at(first, y, x);
    a.grad = this->at(grad, y, x);
    a.out = this->at(out, y, x);
    a.pixels = positions * this->w_.images;
    kernel_(a);
  }

 private:
  Kernel kernel_;
  GateArgs<S> a_{};  // all that is the same for every pixel
  bool one_by_one_;
};

template <class S>
struct Gate final : HalvedMap<S> {
  Gate(const Instruction& i, Workspace<S>& w) : HalvedMap<S>(i, w, w.kernels.gate) {}
};
template <class S>
struct GateGrad final : HalvedMap<S> {
  GateGrad(const Instruction& i, Workspace<S>& w) : HalvedMap<S>(i, w, w.kernels.gate_grad) {}
};
template <class S>
struct IdentityGate final : HalvedMap<S> {
  IdentityGate(const Instruction& i, Workspace<S>& w) : HalvedMap<S>(i, w, w.kernels.identity_gate) {}
};
template <class S>
struct IdentityGateGrad final : HalvedMap<S> {
  IdentityGateGrad(const Instruction& i, Workspace<S>& w) : HalvedMap<S>(i, w, w.kernels.identity_gate_grad) {}
};

}  // namespace genlab
