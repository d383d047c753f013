// out = [elu(first), elu(−first)], elu(x) = x where x > 0, else e^x − 1. Backwards out (+)= the gradient of its input, from what it made
// (`first`): where x > 0 that is grad − grad' · (elu(−x) + 1), with grad' the gradient of the second half; else grad · (elu(x) + 1) − grad'.
#pragma once

#include "halves.hpp"

namespace genlab {

inline const Form concat_elu_form{"concat_elu", false, false,
                                  true,         false, {{first, Port::reads, Port::same, true}, {out, Port::writes, Port::twice, true}}};
inline const Form concat_elu_grad_form{
    "concat_elu_grad",
    true,
    false,
    true,
    true,
    {{out, Port::writes, Port::same, true}, {grad, Port::reads, Port::twice, true}, {first, Port::reads, Port::twice, true}}};

template <class S>
struct ConcatElu final : HalvesMap<S> {
  ConcatElu(const Instruction& i, Workspace<S>& w) : HalvesMap<S>(i, w, w.kernels.concat_elu, w.spec.buffers[i[first]].channels) {}
};
template <class S>
struct ConcatEluGrad final : HalvesMap<S> {
  ConcatEluGrad(const Instruction& i, Workspace<S>& w) : HalvesMap<S>(i, w, w.kernels.concat_elu_grad, w.spec.buffers[i[out]].channels) {}
};

}  // namespace genlab
