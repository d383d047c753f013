// Checks on NumPy arrays at the border between Python and C++: each failure says which argument, the rule, and what came.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>
#include <vector>

namespace genlab {

namespace py = pybind11;

inline std::string shape_text(const std::vector<py::ssize_t>& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.size() == 1 ? ",)" : ")");
}

inline std::vector<py::ssize_t> shape_of(const py::array& array) { return {array.shape(), array.shape() + array.ndim()}; }

// The data of a C-contiguous array of one dtype and shape; -1 in `shape` stands for any size.
template <class T>
const T* checked(const py::handle& object, const std::string& name, const std::vector<py::ssize_t>& shape) {
  if (!py::isinstance<py::array>(object)) throw py::type_error(name + " must be a NumPy array");
  const py::array array = py::reinterpret_borrow<py::array>(object);
  if (!py::isinstance<py::array_t<T>>(array))
    throw py::value_error(name + " must have dtype " + std::string(py::str(py::dtype::of<T>())) + "; got " + std::string(py::str(array.dtype())));
  bool fits = array.ndim() == static_cast<py::ssize_t>(shape.size());
  for (std::size_t i = 0; fits && i < shape.size(); ++i) fits = shape[i] == -1 || array.shape(i) == shape[i];
  if (!fits) throw py::value_error(name + " must have shape " + shape_text(shape) + " (-1: any); got " + shape_text(shape_of(array)));
  if (!(array.flags() & py::array::c_style) && array.size() > 0) throw py::value_error(name + " must be C-contiguous");
  return static_cast<const T*>(array.data());
}

template <class T>
T* checked_writable(const py::handle& object, const std::string& name, const std::vector<py::ssize_t>& shape) {
  const T* data = checked<T>(object, name, shape);
  if (!py::reinterpret_borrow<py::array>(object).writeable()) throw py::value_error(name + " must be writable");
  return const_cast<T*>(data);
}

// Whether a kernel computes in double or in float, by the type of its first argument; any other is refused.
inline bool is_double(const py::array& x) {
  if (py::isinstance<py::array_t<double>>(x)) return true;
  if (py::isinstance<py::array_t<float>>(x)) return false;
  throw py::value_error("x must have dtype float32 or float64; got " + std::string(py::str(x.dtype())));
}

}  // namespace genlab
