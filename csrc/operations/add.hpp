// out = first + second. Backwards out (+)= grad.
#pragma once

#include "operation.hpp"

namespace genlab {

inline const Form add_form{
    "add", false, false,
    true,  false, {{first, Port::reads, Port::same, true}, {second, Port::reads, Port::same, true}, {out, Port::writes, Port::same, true}}};
inline const Form add_grad_form{"add_grad", true, false, true, true, {{grad, Port::reads, Port::same, true}, {out, Port::writes, Port::same, true}}};

template <class S>
struct Add final : Elementwise<S> {
  Add(const Instruction& i, Workspace<S>& w) : Elementwise<S>(i, w, w.kernels.add) {}
};
template <class S>
struct AddGrad final : Elementwise<S> {
  AddGrad(const Instruction& i, Workspace<S>& w) : Elementwise<S>(i, w, w.kernels.masked_add) {}
};

}  // namespace genlab
