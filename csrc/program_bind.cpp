#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>
#include <map>
#include <optional>
#include <stdexcept>
#include <variant>

#include "arrays.hpp"
#include "isa.hpp"
#include "program.hpp"

namespace genlab {
namespace {

template <class Word>
Word lookup(const std::map<std::string, Word>& words, const py::dict& from, const char* key) {
  const std::string word = py::cast<std::string>(from[key]);
  const auto found = words.find(word);
  if (found == words.end()) throw py::value_error(std::string(key) + " of an instruction is not known to the native walk: '" + word + "'");
  return found->second;
}

int integer(const py::dict& from, const char* key) { return py::cast<int>(from[key]); }

Layer read_layer(const py::dict& from) {
  const py::array mask = py::cast<py::array>(from["mask"]);
  const std::uint8_t* live = checked<std::uint8_t>(mask, "mask", {-1, -1, -1, -1});
  Layer layer{
      static_cast<int>(mask.shape(0)), static_cast<int>(mask.shape(1)), static_cast<int>(mask.shape(2)), static_cast<int>(mask.shape(3)), {}, {}};
  layer.mask.assign(live, live + mask.size());
  layer.dilation = integer(from, "dilation");
  if (layer.dilation < 1) throw py::value_error("dilation must be at least 1");
  for (const auto& tap : py::cast<std::vector<std::pair<int, int>>>(from["taps"])) {
    if (tap.first % layer.dilation != 0 || tap.second % layer.dilation != 0) throw py::value_error("a tap is no multiple of its dilation");
    if (std::abs(tap.first / layer.dilation) > layer.height / 2 || std::abs(tap.second / layer.dilation) > layer.width / 2)
      throw py::value_error("a tap lies outside its kernel");
    layer.taps.push_back({tap.first, tap.second});
  }
  return layer;
}

Instruction read_instruction(const py::dict& from, int buffers, int layers) {
  static const std::map<std::string, Kind> kinds = {
      {"conv", Kind::conv},         {"relu", Kind::relu},           {"add", Kind::add},
      {"gate", Kind::gate},         {"relu_grad", Kind::relu_grad}, {"conv_grad_weight", Kind::conv_grad_weight},
      {"add_grad", Kind::add_grad}, {"gate_grad", Kind::gate_grad}, {"conv_grad_input", Kind::conv_grad_input}};
  static const std::map<std::string, Phase> phases = {{"row", Phase::row}, {"pixel", Phase::pixel}, {"late", Phase::late}};
  Instruction i{lookup(kinds, from, "kind"),
                lookup(phases, from, "phase"),
                integer(from, "layer"),
                integer(from, "first"),
                integer(from, "second"),
                integer(from, "grad"),
                integer(from, "mask"),
                integer(from, "residual"),
                integer(from, "out"),
                integer(from, "out2"),
                integer(from, "act"),
                py::cast<bool>(from["accumulate"]),
                py::cast<bool>(from["accumulate2"])};
  for (const int buffer : {i.first, i.second, i.grad, i.mask, i.residual, i.out, i.out2, i.act})
    if (buffer < none || buffer >= buffers) throw py::value_error("an instruction names a buffer that does not exist");
  if (i.layer < none || i.layer >= layers) throw py::value_error("an instruction names a layer that does not exist");
  return i;
}

ProgramSpec read_spec(const py::dict& from) {
  ProgramSpec spec;
  const auto shape = py::cast<std::vector<int>>(from["image_shape"]);
  if (shape.size() != 3) throw py::value_error("image_shape must be (channels, height, width)");
  spec.channels = shape[0];
  spec.height = shape[1];
  spec.width = shape[2];
  spec.levels = integer(from, "levels");
  const std::string distribution = py::cast<std::string>(from["distribution"]);
  if (distribution != "categorical") throw py::value_error("the native walk knows the distribution 'categorical'; got '" + distribution + "'");
  spec.scale = py::cast<double>(from["scale"]);
  spec.shift = py::cast<double>(from["shift"]);
  for (const auto& layer : from["layers"]) spec.layers.push_back(read_layer(py::cast<py::dict>(layer)));
  for (const auto& item : from["buffers"]) {
    const auto buffer = py::cast<py::dict>(item);
    spec.buffers.push_back({integer(buffer, "channels"), integer(buffer, "top"), integer(buffer, "bottom"), integer(buffer, "left"),
                            integer(buffer, "right"), integer(buffer, "rows"), py::cast<bool>(buffer["scratch"])});
  }
  const int buffers = static_cast<int>(spec.buffers.size()), layers = static_cast<int>(spec.layers.size());
  for (const auto& item : from["forward"]) spec.forward.push_back(read_instruction(py::cast<py::dict>(item), buffers, layers));
  for (const auto& item : from["backward"]) spec.backward.push_back(read_instruction(py::cast<py::dict>(item), buffers, layers));
  spec.image = integer(from, "image");
  spec.output = integer(from, "output");
  spec.output_grad = integer(from, "output_grad");
  if (spec.image < 0 || spec.image >= buffers || spec.output < 0 || spec.output >= buffers)
    throw py::value_error("image and output must name buffers");
  if (spec.buffers[spec.output].channels != spec.channels * spec.levels) throw py::value_error("the output must have a channel for each level");
  return spec;
}

// A program of one of the dtypes, and its checks.
class BoundProgram {
 public:
  explicit BoundProgram(const py::dict& from) {
    const std::string dtype = py::cast<std::string>(from["dtype"]);
    if (dtype == "float32")
      program_ = std::make_unique<Program<float>>(read_spec(from), instruction_set().set->f32);
    else if (dtype == "float64")
      program_ = std::make_unique<Program<double>>(read_spec(from), instruction_set().set->f64);
    else if (dtype == "bfloat16" && instruction_set().set->bf16 != nullptr)
      program_ = std::make_unique<Program<bfloat16>>(read_spec(from), *instruction_set().set->bf16);
    else
      throw py::value_error("dtype must be one of the dtypes of info(); got " + dtype);
  }

  py::tuple score(const py::list& weights, const py::list& biases, const py::array& levels, bool want_map) {
    return std::visit([&](auto& program) { return score_as(*program, weights, biases, levels, want_map); }, program_);
  }
  py::tuple train(const py::list& weights, const py::list& biases, const py::array& levels) {
    return std::visit([&](auto& program) { return train_as(*program, weights, biases, levels); }, program_);
  }
  void sample(const py::list& weights, const py::list& biases, const py::array& levels, const py::array& known, const py::array& uniforms,
              double temperature, const py::object& map, const std::optional<py::function>& progress) {
    std::visit([&](auto& program) { sample_as(*program, weights, biases, levels, known, uniforms, temperature, map, progress); }, program_);
  }

 private:
  template <class T>
  static Parameters<T> read_parameters(const ProgramSpec& spec, const py::list& weights, const py::list& biases) {
    if (weights.size() != spec.layers.size() || biases.size() != spec.layers.size())
      throw py::value_error("weights and biases must have one array for each of " + std::to_string(spec.layers.size()) + " layers");
    Parameters<T> parameters;
    for (std::size_t l = 0; l < spec.layers.size(); ++l) {
      const Layer& layer = spec.layers[l];
      const std::string number = "[" + std::to_string(l) + "]";
      parameters.weights.push_back(checked<T>(weights[l], "weights" + number, {layer.out_channels, layer.in_channels, layer.height, layer.width}));
      parameters.biases.push_back(checked<T>(biases[l], "biases" + number, {layer.out_channels}));
    }
    return parameters;
  }

  static const std::uint8_t* read_levels(const ProgramSpec& spec, const py::array& levels) {
    const std::uint8_t* data = checked<std::uint8_t>(levels, "levels", {-1, spec.channels, spec.height, spec.width});
    if (levels.shape(0) > std::numeric_limits<int>::max()) throw py::value_error("levels must hold fewer than 2^31 images");
    for (py::ssize_t i = 0; i < levels.size(); ++i)
      if (data[i] >= spec.levels) throw py::value_error("levels must lie below " + std::to_string(spec.levels) + "; got " + std::to_string(data[i]));
    return data;
  }

  template <class S>
  static py::tuple score_as(Program<S>& program, const py::list& weights, const py::list& biases, const py::array& levels, bool want_map) {
    using T = Compute<S>;
    const ProgramSpec& spec = program.spec();
    const Parameters<T> parameters = read_parameters<T>(spec, weights, biases);
    const std::uint8_t* data = read_levels(spec, levels);
    const int images = static_cast<int>(levels.shape(0));
    py::array_t<double> nats(images);
    py::object map = py::none();
    T* map_data = nullptr;
    if (want_map) {
      py::array_t<T> array({images, spec.height, spec.width, spec.buffers[spec.output].channels});
      map_data = array.mutable_data();
      map = array;
    }
    double* nats_data = nats.mutable_data();
    {
      const py::gil_scoped_release release;  // pure arithmetic on memory that the arguments keep alive
      program.score(parameters, data, images, nats_data, map_data);
    }
    return py::make_tuple(nats, map);
  }

  template <class S>
  static py::tuple train_as(Program<S>& program, const py::list& weights, const py::list& biases, const py::array& levels) {
    using T = Compute<S>;
    const ProgramSpec& spec = program.spec();
    if (spec.backward.empty()) throw py::value_error("this program was not lowered for training");
    const Parameters<T> parameters = read_parameters<T>(spec, weights, biases);
    const std::uint8_t* data = read_levels(spec, levels);
    const int images = static_cast<int>(levels.shape(0));
    if (images == 0) throw py::value_error("levels must hold at least one image; got none");
    py::array_t<double> nats(images);
    double* nats_data = nats.mutable_data();
    py::list gradients;
    std::vector<T*> weight_grads, bias_grads;
    for (const Layer& layer : spec.layers) {
      py::array_t<T> weight({layer.out_channels, layer.in_channels, layer.height, layer.width}), bias(layer.out_channels);
      weight_grads.push_back(weight.mutable_data());
      bias_grads.push_back(bias.mutable_data());
      gradients.append(weight);
      gradients.append(bias);
    }
    {
      const py::gil_scoped_release release;  // pure arithmetic on memory that the arguments keep alive
      program.train(parameters, data, images, nats_data, weight_grads, bias_grads);
    }
    return py::make_tuple(nats, gradients);
  }

  template <class S>
  static void sample_as(Program<S>& program, const py::list& weights, const py::list& biases, const py::array& levels, const py::array& known,
                        const py::array& uniforms, double temperature, const py::object& map, const std::optional<py::function>& progress) {
    using T = Compute<S>;
    const ProgramSpec& spec = program.spec();
    const Parameters<T> parameters = read_parameters<T>(spec, weights, biases);
    read_levels(spec, levels);
    std::uint8_t* data = checked_writable<std::uint8_t>(levels, "levels", {-1, spec.channels, spec.height, spec.width});
    const py::ssize_t images = levels.shape(0);
    const std::uint8_t* known_data = checked<std::uint8_t>(known, "known", {images, spec.channels, spec.height, spec.width});
    const double* uniform_data = checked<double>(uniforms, "uniforms", {images, spec.height, spec.width, spec.channels});
    if (!(std::isfinite(temperature) && temperature > 0)) throw py::value_error("temperature must be above 0; got " + std::to_string(temperature));
    T* map_data = nullptr;
    if (!map.is_none()) map_data = checked_writable<T>(map, "map", {images, spec.height, spec.width, spec.buffers[spec.output].channels});
    Progress report;
    if (progress)
      report = [&](int done, int total) {
        const py::gil_scoped_acquire acquire;  // called by the thread that released it
        if (PyErr_CheckSignals() != 0) throw py::error_already_set();
        (*progress)(done, total);
      };
    else
      report = [](int, int) {
        const py::gil_scoped_acquire acquire;
        if (PyErr_CheckSignals() != 0) throw py::error_already_set();
      };
    const py::gil_scoped_release release;  // pure arithmetic on memory that the arguments keep alive
    program.sample(parameters, data, known_data, uniform_data, static_cast<int>(images), temperature, map_data, report);
  }

  std::variant<std::unique_ptr<Program<float>>, std::unique_ptr<Program<double>>, std::unique_ptr<Program<bfloat16>>> program_;
};

}  // namespace

void register_program(py::module_& m) {
  py::class_<BoundProgram>(m, "Program", "A lowered causal list, ready to be walked; made by genlab.causal.native_walk.")
      .def(py::init<const py::dict&>(), py::arg("specification"))
      .def("score", &BoundProgram::score, py::arg("weights"), py::arg("biases"), py::arg("levels"), py::arg("want_map"),
           "(nats (N,), output map (N, H, W, channels) or None) of images levels (N, C, H, W).")
      .def("train", &BoundProgram::train, py::arg("weights"), py::arg("biases"), py::arg("levels"),
           "(nats (N,), gradients of their mean: weight and bias of each layer in turn).")
      .def("sample", &BoundProgram::sample, py::arg("weights"), py::arg("biases"), py::arg("levels"), py::arg("known"), py::arg("uniforms"),
           py::arg("temperature"), py::arg("map").none(true) = py::none(), py::arg("progress").none(true) = py::none(),
           "Draws into levels (N, C, H, W), which keeps its values where known is not 0; map (N, H, W, channels) takes what they are drawn from.");
}

}  // namespace genlab
