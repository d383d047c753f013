#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstring>
#include <limits>

#include "arrays.hpp"
#include "isa.hpp"
#include "toy_gan.hpp"
#include "toy_gan_ensemble.hpp"
#include "unlocked.hpp"

namespace genlab {
namespace {

py::array advance(const py::array& state, const py::array& keys, const py::array& faces, const py::array& learning_rate, bool minimax,
                  std::uint32_t first_step, std::uint32_t steps) {
  ToyGanEnsembleArgs a{};
  const float* before = checked<float>(state, "state", {toy_gan_state, -1});
  a.runs = state.shape(1);
  a.keys = checked<std::uint32_t>(keys, "keys", {2, a.runs});
  a.faces = checked<float>(faces, "faces", {-1, toy_gan_pixels});
  a.learning_rate = checked<float>(learning_rate, "learning_rate", {a.runs});
  if (faces.shape(0) < 1 || faces.shape(0) > std::numeric_limits<int>::max() / toy_gan_pixels)
    throw py::value_error("faces must hold at least one face and fewer than 2^29; got shape " + shape_text(shape_of(faces)));
  a.face_count = static_cast<int>(faces.shape(0));
  a.minimax = minimax;
  a.first_step = first_step;
  a.steps = steps;
  py::array_t<float> after({py::ssize_t{toy_gan_state}, a.runs});
  a.state = after.mutable_data();
  bool stopped = false;
  {
    Unlocked unlocked;  // pure arithmetic on memory that the arguments keep alive
    std::memcpy(a.state, before, static_cast<std::size_t>(after.nbytes()));
    stopped = toy_gan_ensemble_advance(*instruction_set().set, a, [&] { return unlocked.interrupted(); });
  }
  if (stopped) throw py::error_already_set();
  return std::move(after);
}

}  // namespace

void register_toy_gan_ensemble(py::module_& m) {
  m.def("toy_gan_ensemble_advance", &advance, py::arg("state"), py::arg("keys"), py::arg("faces"), py::arg("learning_rate"), py::arg("minimax"),
        py::arg("first_step"), py::arg("steps"), "The state (13, runs) of all runs, so many steps later, in float32.");
}

}  // namespace genlab
