// genlab._core: a table of contents.
#include <pybind11/pybind11.h>

namespace genlab {
void register_info(pybind11::module_& m);
void register_masked_conv2d(pybind11::module_& m);
void register_program(pybind11::module_& m);
void register_roofline(pybind11::module_& m);
void register_sigmoid_neuron(pybind11::module_& m);
void register_toy_gan(pybind11::module_& m);
void register_toy_gan_ensemble(pybind11::module_& m);
}  // namespace genlab

PYBIND11_MODULE(_core, m) {
  m.doc() = "genlab's compiled kernels (private; use the genlab package)";
  genlab::register_info(m);
  genlab::register_masked_conv2d(m);
  genlab::register_program(m);
  genlab::register_roofline(m);
  genlab::register_sigmoid_neuron(m);
  genlab::register_toy_gan(m);
  genlab::register_toy_gan_ensemble(m);
}
