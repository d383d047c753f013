// out = max(0, first). Backwards out (+)= grad, where mask > 0: a ReLU's gradient is a mask on that of its source.
#pragma once

#include "operation.hpp"

namespace genlab {

inline const Form relu_form{"relu", false, false, true, false, {{first, Port::reads, Port::same, true}, {out, Port::writes, Port::same, true}}};
inline const Form relu_grad_form{
    "relu_grad", true, false,
    true,        true, {{grad, Port::reads, Port::same, true}, {mask, Port::reads, Port::same, true}, {out, Port::writes, Port::same, true}}};

template <class S>
struct Relu final : Elementwise<S> {
  Relu(const Instruction& i, Workspace<S>& w) : Elementwise<S>(i, w, w.kernels.relu) {}
};
template <class S>
struct ReluGrad final : Elementwise<S> {
  ReluGrad(const Instruction& i, Workspace<S>& w) : Elementwise<S>(i, w, w.kernels.masked_add) {}
};

}  // namespace genlab
