// out = f(x) · σ(y), where x and y are the first and second half of the channels of `first`, and f is tanh or the identity.
// Backwards out (+)= the gradient of `first`.
#pragma once

#include "halves.hpp"

namespace genlab {

inline const std::vector<Port> gate_ports = {{out, Port::writes, Port::same, true}, {first, Port::reads, Port::twice, true}};
inline const std::vector<Port> gate_grad_ports = {
    {grad, Port::reads, Port::same, true}, {first, Port::reads, Port::twice, true}, {out, Port::writes, Port::twice, true}};

inline const Form gate_form{"gate", false, false, true, false, gate_ports};
inline const Form gate_grad_form{"gate_grad", true, false, true, true, gate_grad_ports};
inline const Form identity_gate_form{"identity_gate", false, false, true, false, gate_ports};
inline const Form identity_gate_grad_form{"identity_gate_grad", true, false, true, true, gate_grad_ports};

template <class S>
struct Gate final : HalvesMap<S> {
  Gate(const Instruction& i, Workspace<S>& w) : HalvesMap<S>(i, w, w.kernels.gate, w.spec.buffers[i[first]].channels / 2) {}
};
template <class S>
struct GateGrad final : HalvesMap<S> {
  GateGrad(const Instruction& i, Workspace<S>& w) : HalvesMap<S>(i, w, w.kernels.gate_grad, w.spec.buffers[i[first]].channels / 2) {}
};
template <class S>
struct IdentityGate final : HalvesMap<S> {
  IdentityGate(const Instruction& i, Workspace<S>& w) : HalvesMap<S>(i, w, w.kernels.identity_gate, w.spec.buffers[i[first]].channels / 2) {}
};
template <class S>
struct IdentityGateGrad final : HalvesMap<S> {
  IdentityGateGrad(const Instruction& i, Workspace<S>& w) : HalvesMap<S>(i, w, w.kernels.identity_gate_grad, w.spec.buffers[i[first]].channels / 2) {}
};

}  // namespace genlab
