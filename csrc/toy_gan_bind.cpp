#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <limits>

#include "arrays.hpp"
#include "isa.hpp"
#include "toy_gan.hpp"
#include "unlocked.hpp"

namespace genlab {
namespace {

py::tuple train(const py::array& faces, const py::array& z, const py::array& init, double learning_rate, bool minimax, long record_every) {
  ToyGanArgs a{};
  a.faces = checked<double>(faces, "faces", {-1, toy_gan_pixels});
  a.z = checked<double>(z, "z", {-1});
  double state[toy_gan_state];
  std::copy_n(checked<double>(init, "init", {toy_gan_state}), toy_gan_state, state);
  a.state = state;
  if (faces.shape(0) < 1 || faces.shape(0) > std::numeric_limits<int>::max() / toy_gan_pixels)
    throw py::value_error("faces must hold at least one face and fewer than 2^29; got shape " + shape_text(shape_of(faces)));
  if (z.size() < 1) throw py::value_error("z must hold at least one draw; got shape " + shape_text(shape_of(z)));
  if (record_every < 1) throw py::value_error("record_every must be at least 1; got " + std::to_string(record_every));
  a.face_count = static_cast<int>(faces.shape(0));
  a.steps = static_cast<long>(z.size());
  a.learning_rate = learning_rate;
  a.minimax = minimax;
  a.record_every = record_every;
  const py::ssize_t rows = (a.steps - 1) / record_every + 1;
  py::array_t<double> states({rows, py::ssize_t{toy_gan_state}}), losses({rows, py::ssize_t{2}});
  a.states = states.mutable_data();
  a.losses = losses.mutable_data();
  bool stopped = false;
  {
    Unlocked unlocked;  // pure arithmetic on memory that the arguments keep alive
    for (; a.end < a.steps && !stopped; stopped = unlocked.interrupted()) {
      a.begin = a.end;
      a.end = std::min(a.steps, a.begin + toy_gan_piece);
      instruction_set().set->toy_gan_train(a);
    }
  }
  if (stopped) throw py::error_already_set();
  return py::make_tuple(states, losses);
}

}  // namespace

void register_toy_gan(py::module_& m) {
  m.def("toy_gan_train", &train, py::arg("faces"), py::arg("z"), py::arg("init"), py::arg("learning_rate"), py::arg("minimax"),
        py::arg("record_every"), "(states (rows, 13), losses (rows, 2)) of one run in float64.");
}

}  // namespace genlab
