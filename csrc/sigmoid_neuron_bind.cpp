#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <limits>

#include "arrays.hpp"
#include "isa.hpp"
#include "sigmoid_neuron.hpp"
#include "unlocked.hpp"

namespace genlab {
namespace {

NeuronShape read_shape(const py::array& x, const py::array& weight) {
  if (x.ndim() != 2 || weight.ndim() != 2)
    throw py::value_error("x and weight must have two dimensions; got shapes " + shape_text(shape_of(x)) + " and " + shape_text(shape_of(weight)));
  if (weight.shape(0) < 1 || weight.shape(0) > 65535 || weight.shape(1) < 1 || weight.shape(1) > 65535)
    throw py::value_error("weight must have sizes from 1 to 65535; got " + shape_text(shape_of(weight)));
  if (x.shape(0) > std::numeric_limits<int>::max() / 2) throw py::value_error("x must have fewer than 2^30 rows; got " + shape_text(shape_of(x)));
  return {static_cast<int>(x.shape(0)), static_cast<int>(weight.shape(1)), static_cast<int>(weight.shape(0))};
}

template <class T>
py::array forward_as(const py::array& x, const py::array& weight, const py::array& bias) {
  const NeuronShape shape = read_shape(x, weight);
  const T* x_data = checked<T>(x, "x", {-1, shape.inputs});
  const T* weight_data = checked<T>(weight, "weight", {-1, -1});
  const T* bias_data = checked<T>(bias, "bias", {shape.neurons});
  py::array_t<T> y({shape.rows, shape.neurons});
  T* y_data = y.mutable_data();
  {
    const Unlocked unlocked;  // pure arithmetic on memory that the arguments keep alive
    sigmoid_neuron_forward<T>(instruction_set().set->table<T>(), shape, x_data, weight_data, bias_data, y_data);
  }
  return std::move(y);
}

template <class T>
py::tuple backward_as(const py::array& grad, const py::array& x, const py::array& weight, const py::array& y) {
  const NeuronShape shape = read_shape(x, weight);
  const T* x_data = checked<T>(x, "x", {-1, shape.inputs});
  const T* weight_data = checked<T>(weight, "weight", {-1, -1});
  const T* grad_data = checked<T>(grad, "grad", {shape.rows, shape.neurons});
  const T* y_data = checked<T>(y, "y", {shape.rows, shape.neurons});
  py::array_t<T> grad_x({shape.rows, shape.inputs}), grad_weight({shape.neurons, shape.inputs}), grad_bias(shape.neurons);
  T *grad_x_data = grad_x.mutable_data(), *grad_weight_data = grad_weight.mutable_data(), *grad_bias_data = grad_bias.mutable_data();
  {
    const Unlocked unlocked;  // pure arithmetic on memory that the arguments keep alive
    sigmoid_neuron_backward<T>(instruction_set().set->table<T>(), shape, grad_data, x_data, weight_data, y_data, grad_x_data, grad_weight_data,
                               grad_bias_data);
  }
  return py::make_tuple(grad_x, grad_weight, grad_bias);
}

}  // namespace

void register_sigmoid_neuron(py::module_& m) {
  m.def(
      "sigmoid_neuron_forward",
      [](const py::array& x, const py::array& weight, const py::array& bias) {
        return is_double(x) ? forward_as<double>(x, weight, bias) : forward_as<float>(x, weight, bias);
      },
      py::arg("x"), py::arg("weight"), py::arg("bias"), "y (N, neurons) from x (N, inputs).");
  m.def(
      "sigmoid_neuron_backward",
      [](const py::array& grad, const py::array& x, const py::array& weight, const py::array& y) {
        return is_double(x) ? backward_as<double>(grad, x, weight, y) : backward_as<float>(grad, x, weight, y);
      },
      py::arg("grad"), py::arg("x"), py::arg("weight"), py::arg("y"), "(grad_x, grad_weight, grad_bias) from grad (N, neurons).");
}

}  // namespace genlab
