// The table of operations: a line each.
#pragma once

#include <memory>

#include "add.hpp"
#include "concat_elu.hpp"
#include "conv.hpp"
#include "dropout.hpp"
#include "everywhere.hpp"
#include "gate.hpp"
#include "lstm.hpp"
#include "relu.hpp"

namespace genlab {

// How an operation of a form is bound; a form and its class stand beside each other in its own file.
template <class S>
struct OperationEntry {
  const Form* form;
  std::unique_ptr<Operation<S>> (*bind)(const Instruction&, Workspace<S>&);
};

template <class S, template <class> class Kind>
std::unique_ptr<Operation<S>> bind_as(const Instruction& i, Workspace<S>& w) {
  return std::make_unique<Kind<S>>(i, w);
}

template <class S>
inline const std::vector<OperationEntry<S>> operations = {
    {&conv_form, &bind_as<S, Conv>},
    {&conv_grad_input_form, &bind_as<S, ConvGradInput>},
    {&conv_grad_weight_form, &bind_as<S, ConvGradWeight>},
    {&relu_form, &bind_as<S, Relu>},
    {&relu_grad_form, &bind_as<S, ReluGrad>},
    {&add_form, &bind_as<S, Add>},
    {&add_grad_form, &bind_as<S, AddGrad>},
    {&gate_form, &bind_as<S, Gate>},
    {&gate_grad_form, &bind_as<S, GateGrad>},
    {&identity_gate_form, &bind_as<S, IdentityGate>},
    {&identity_gate_grad_form, &bind_as<S, IdentityGateGrad>},
    {&concat_elu_form, &bind_as<S, ConcatElu>},
    {&concat_elu_grad_form, &bind_as<S, ConcatEluGrad>},
    {&dropout_form, &bind_as<S, Dropout>},
    {&dropout_grad_form, &bind_as<S, DropoutGrad>},
    {&lstm_form, &bind_as<S, Lstm>},
    {&lstm_grad_form, &bind_as<S, LstmGrad>},
    {&lstm_grad_weight_form, &bind_as<S, LstmGradWeight>},
    {&everywhere_grad_form, &bind_as<S, EverywhereGrad>},
};

}  // namespace genlab
