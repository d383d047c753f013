// The sums are those of a convolution of one tap over an image whose pixels are the rows of x.
#include "sigmoid_neuron.hpp"

#include <algorithm>

#include "masked_conv2d.hpp"
#include "memory.hpp"

namespace genlab {
namespace {

Layer layer_of(NeuronShape shape) {
  const std::size_t weights = static_cast<std::size_t>(shape.neurons) * shape.inputs;
  return {shape.neurons, shape.inputs, 1, 1, {Tap{0, 0}}, std::vector<std::uint8_t>(weights, 1)};
}

// Images of one line of pixels, long enough for the register tile and short enough to be shared out among threads; what is left over
// is one shorter image.
constexpr int line = 256;
ConvShape lines_of(int rows) { return {rows / line, 1, line}; }
ConvShape rest_of(int rows) { return {rows % line == 0 ? 0 : 1, 1, rows % line}; }
std::ptrdiff_t start_of_rest(int rows) { return static_cast<std::ptrdiff_t>(rows / line) * line; }

// Element by element, `count` values of any number: whole vectors where they lie, the rest through a padded copy.
template <class T>
void each(void (*kernel)(const ElementArgs<T>&), int lanes, std::ptrdiff_t count, const T* first, const T* grad, T* out) {
  ElementArgs<T> a{};
  a.first = first;
  a.grad = grad;
  a.out = out;
  a.count = count / lanes * lanes;
  kernel(a);
  const std::ptrdiff_t rest = count - a.count;
  if (rest == 0) return;
  Aligned<T> padded(3 * static_cast<std::size_t>(lanes));
  std::copy(first + a.count, first + count, padded.get());
  if (grad) std::copy(grad + a.count, grad + count, padded.get() + lanes);
  T* const result = padded.get() + 2 * lanes;
  std::ptrdiff_t done = a.count;
  a.first = padded.get();
  a.grad = padded.get() + lanes;
  a.out = result;
  a.count = lanes;
  kernel(a);
  std::copy(result, result + rest, out + done);
}

}  // namespace

template <class T>
void sigmoid_neuron_forward(const KernelTable<T>& kernels, NeuronShape shape, const T* x, const T* weight, const T* bias, T* y) {
  const Layer layer = layer_of(shape);
  const std::ptrdiff_t rest = start_of_rest(shape.rows);
  masked_conv2d_forward<T>(kernels, layer, lines_of(shape.rows), x, weight, bias, y);
  masked_conv2d_forward<T>(kernels, layer, rest_of(shape.rows), x + rest * shape.inputs, weight, bias, y + rest * shape.neurons);
  each<T>(kernels.sigmoid, kernels.lanes, static_cast<std::ptrdiff_t>(shape.rows) * shape.neurons, y, nullptr, y);
}

template <class T>
void sigmoid_neuron_backward(const KernelTable<T>& kernels, NeuronShape shape, const T* grad, const T* x, const T* weight, const T* y, T* grad_x,
                             T* grad_weight, T* grad_bias) {
  const Layer layer = layer_of(shape);
  const std::size_t count = static_cast<std::size_t>(shape.rows) * shape.neurons, weights = layer.weights();
  Aligned<T> grad_sum(count), rest_weight(weights), rest_bias(shape.neurons);
  each<T>(kernels.sigmoid_grad, kernels.lanes, static_cast<std::ptrdiff_t>(count), y, grad, grad_sum.get());
  const std::ptrdiff_t rest = start_of_rest(shape.rows);
  masked_conv2d_backward<T>(kernels, layer, lines_of(shape.rows), grad_sum.get(), x, weight, grad_x, grad_weight, grad_bias);
  masked_conv2d_backward<T>(kernels, layer, rest_of(shape.rows), grad_sum.get() + rest * shape.neurons, x + rest * shape.inputs, weight,
                            grad_x + rest * shape.inputs, rest_weight.get(), rest_bias.get());
  for (std::size_t i = 0; i < weights; ++i) grad_weight[i] += rest_weight.get()[i];
  for (int o = 0; o < shape.neurons; ++o) grad_bias[o] += rest_bias.get()[o];
}

#define GENLAB_INSTANTIATE(T)                                                                                    \
  template void sigmoid_neuron_forward<T>(const KernelTable<T>&, NeuronShape, const T*, const T*, const T*, T*); \
  template void sigmoid_neuron_backward<T>(const KernelTable<T>&, NeuronShape, const T*, const T*, const T*, const T*, T*, T*, T*);
GENLAB_INSTANTIATE(float)
GENLAB_INSTANTIATE(double)
#undef GENLAB_INSTANTIATE

}  // namespace genlab
