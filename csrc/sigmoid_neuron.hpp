// A layer of sigmoid neurons: y[n][o] = σ(bias[o] + sum over i of x[n][i] · weight[o][i]), and its gradients.
//
// All arrays C-contiguous: x [n][in], weight [out][in], y and grad [n][out].
#pragma once

#include "kernels.hpp"

namespace genlab {

struct NeuronShape {
  int rows, inputs, neurons;
};

template <class T>
void sigmoid_neuron_forward(const KernelTable<T>& kernels, NeuronShape shape, const T* x, const T* weight, const T* bias, T* y);

// grad_x, grad_weight and grad_bias of a loss whose gradient with respect to y is `grad`.
template <class T>
void sigmoid_neuron_backward(const KernelTable<T>& kernels, NeuronShape shape, const T* grad, const T* x, const T* weight, const T* y, T* grad_x,
                             T* grad_weight, T* grad_bias);

}  // namespace genlab
