// y[n][h][w][o] = bias[o] + sum over live taps and channels of x[n][h+dy][w+dx][i] · weight[o][i][dy][dx], zero outside the image.
//
// All images channels-last, C-contiguous: x [n][h][w][in], y and grad [n][h][w][out]; weight as in torch, [out][in][row][column].
#pragma once

#include "kernels.hpp"
#include "packing.hpp"

namespace genlab {

struct ConvShape {
  int images, height, width;
};

template <class T>
void masked_conv2d_forward(const KernelTable<T>& kernels, const Layer& layer, ConvShape shape, const T* x, const T* weight, const T* bias, T* y);

// grad_x (unless it is null), grad_weight (zero where masked) and grad_bias of a loss whose gradient with respect to y is `grad`.
template <class T>
void masked_conv2d_backward(const KernelTable<T>& kernels, const Layer& layer, ConvShape shape, const T* grad, const T* x, const T* weight, T* grad_x,
                            T* grad_weight, T* grad_bias);

}  // namespace genlab
