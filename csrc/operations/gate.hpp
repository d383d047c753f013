// out = tanh(first) · σ(second). Backwards out (+)= ∂/∂first, out2 (+)= ∂/∂second.
#pragma once

#include "operation.hpp"

namespace genlab {

inline const Form gate_form{"gate",
                            false,
                            false,
                            true,
                            false,
                            false,
                            {{first, Port::reads, Port::same, true}, {second, Port::reads, Port::same, true}, {out, Port::writes, Port::same, true}}};
inline const Form gate_grad_form{"gate_grad",
                                 true,
                                 false,
                                 true,
                                 true,
                                 true,
                                 {{first, Port::reads, Port::same, true},
                                  {second, Port::reads, Port::same, true},
                                  {grad, Port::reads, Port::same, true},
                                  {out, Port::writes, Port::same, true},
                                  {out2, Port::writes, Port::same, true}}};

template <class S>
struct Gate final : Elementwise<S> {
  Gate(const Instruction& i, Workspace<S>& w) : Elementwise<S>(i, w, w.kernels.gate) {}
};
template <class S>
struct GateGrad final : Elementwise<S> {
  GateGrad(const Instruction& i, Workspace<S>& w) : Elementwise<S>(i, w, w.kernels.gate_grad) {}
};

}  // namespace genlab
