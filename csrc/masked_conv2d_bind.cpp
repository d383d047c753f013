#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <limits>

#include "arrays.hpp"
#include "isa.hpp"
#include "masked_conv2d.hpp"
#include "unlocked.hpp"

namespace genlab {
namespace {

// All live (row, column) of the mask as taps; kernels have odd sides.
Layer read_layer(const py::array& weight, const py::array& mask) {
  if (weight.ndim() != 4) throw py::value_error("weight must have shape (C_out, C_in, height, width); got " + shape_text(shape_of(weight)));
  const std::uint8_t* live = checked<std::uint8_t>(mask, "mask", shape_of(weight));
  for (int d = 0; d < 4; ++d)
    if (weight.shape(d) < 1 || weight.shape(d) > 65535)
      throw py::value_error("weight must have sizes from 1 to 65535; got " + shape_text(shape_of(weight)));
  Layer layer{static_cast<int>(weight.shape(0)),
              static_cast<int>(weight.shape(1)),
              static_cast<int>(weight.shape(2)),
              static_cast<int>(weight.shape(3)),
              {},
              {}};
  if (layer.height % 2 == 0 || layer.width % 2 == 0)
    throw py::value_error("weight must have odd height and width; got " + shape_text(shape_of(weight)));
  layer.mask.assign(live, live + mask.size());
  for (int dy = -(layer.height / 2); dy <= layer.height / 2; ++dy)
    for (int dx = -(layer.width / 2); dx <= layer.width / 2; ++dx) layer.taps.push_back({dy, dx});
  return layer;
}

ConvShape read_shape(const py::array& x) {
  for (int d = 0; d < 3; ++d)
    if (x.shape(d) > std::numeric_limits<int>::max() / 2 || (d > 0 && x.shape(d) < 1))
      throw py::value_error("x must have at least one pixel and sizes below 2^30; got " + shape_text(shape_of(x)));
  return {static_cast<int>(x.shape(0)), static_cast<int>(x.shape(1)), static_cast<int>(x.shape(2))};
}

template <class T>
py::array forward_as(const py::array& x, const py::array& weight, const py::object& bias, const py::array& mask) {
  const Layer layer = read_layer(weight, mask);
  const T* weight_data = checked<T>(weight, "weight", shape_of(weight));
  const T* x_data = checked<T>(x, "x", {-1, -1, -1, layer.in_channels});
  const T* bias_data = bias.is_none() ? nullptr : checked<T>(bias, "bias", {layer.out_channels});
  const ConvShape shape = read_shape(x);
  py::array_t<T> y({shape.images, shape.height, shape.width, layer.out_channels});
  T* y_data = y.mutable_data();
  {
    const Unlocked unlocked;  // pure arithmetic on memory that the arguments keep alive
    masked_conv2d_forward<T>(instruction_set().set->table<T>(), layer, shape, x_data, weight_data, bias_data, y_data);
  }
  return std::move(y);
}

template <class T>
py::tuple backward_as(const py::array& grad, const py::array& x, const py::array& weight, const py::array& mask, bool want_grad_x) {
  const Layer layer = read_layer(weight, mask);
  const T* weight_data = checked<T>(weight, "weight", shape_of(weight));
  const T* x_data = checked<T>(x, "x", {-1, -1, -1, layer.in_channels});
  const T* grad_data = checked<T>(grad, "grad", {x.shape(0), x.shape(1), x.shape(2), layer.out_channels});
  const ConvShape shape = read_shape(x);
  py::object grad_x = py::none();
  T* grad_x_data = nullptr;
  if (want_grad_x) {
    py::array_t<T> array({shape.images, shape.height, shape.width, layer.in_channels});
    grad_x_data = array.mutable_data();
    grad_x = array;
  }
  py::array_t<T> grad_weight({layer.out_channels, layer.in_channels, layer.height, layer.width});
  py::array_t<T> grad_bias(layer.out_channels);
  T *grad_weight_data = grad_weight.mutable_data(), *grad_bias_data = grad_bias.mutable_data();
  {
    const Unlocked unlocked;  // pure arithmetic on memory that the arguments keep alive
    masked_conv2d_backward<T>(instruction_set().set->table<T>(), layer, shape, grad_data, x_data, weight_data, grad_x_data, grad_weight_data,
                              grad_bias_data);
  }
  return py::make_tuple(grad_x, grad_weight, grad_bias);
}

}  // namespace

void register_masked_conv2d(py::module_& m) {
  m.def(
      "masked_conv2d_forward",
      [](const py::array& x, const py::array& weight, const py::object& bias, const py::array& mask) {
        return is_double(x) ? forward_as<double>(x, weight, bias, mask) : forward_as<float>(x, weight, bias, mask);
      },
      py::arg("x"), py::arg("weight"), py::arg("bias").none(true), py::arg("mask"), "y (N, H, W, C_out) from x (N, H, W, C_in).");
  m.def(
      "masked_conv2d_backward",
      [](const py::array& grad, const py::array& x, const py::array& weight, const py::array& mask, bool want_grad_x) {
        return is_double(x) ? backward_as<double>(grad, x, weight, mask, want_grad_x) : backward_as<float>(grad, x, weight, mask, want_grad_x);
      },
      py::arg("grad"), py::arg("x"), py::arg("weight"), py::arg("mask"), py::arg("want_grad_x") = true,
      "(grad_x or None, grad_weight, grad_bias) from grad (N, H, W, C_out).");
}

}  // namespace genlab
