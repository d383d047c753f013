#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <variant>

#include "arrays.hpp"
#include "isa.hpp"
#include "program.hpp"
#include "unlocked.hpp"

namespace genlab {
namespace {

// --- a specification, read from plain data: whatever is no value of its kind is a ValueError ------------------------------------

py::object field(const py::dict& from, const char* key) {
  if (!from.contains(key)) throw py::value_error(std::string("a program is missing '") + key + "'");
  return from[key];
}

int whole_number(const py::handle& value, const std::string& name) {
  constexpr long long most = 1LL << 30;  // sums of a few sizes stay within an int
  if (!PyLong_Check(value.ptr()) || PyBool_Check(value.ptr())) throw py::value_error(name + " of a program must be a whole number");
  int overflow = 0;
  const long long number = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
  if (overflow != 0 || number < -most || number > most) throw py::value_error(name + " of a program is out of range");
  return static_cast<int>(number);
}
int integer(const py::dict& from, const char* key) { return whole_number(field(from, key), key); }

bool boolean(const py::dict& from, const char* key) {
  const py::object value = field(from, key);
  if (!PyBool_Check(value.ptr())) throw py::value_error(std::string(key) + " of a program must be true or false");
  return value.ptr() == Py_True;
}

double number(const py::dict& from, const char* key) {
  const py::object value = field(from, key);
  if (!PyFloat_Check(value.ptr()) && !PyLong_Check(value.ptr())) throw py::value_error(std::string(key) + " of a program must be a number");
  const double result = PyFloat_AsDouble(value.ptr());
  if (PyErr_Occurred()) {
    PyErr_Clear();
    throw py::value_error(std::string(key) + " of a program is out of range");
  }
  return result;
}

std::string text(const py::dict& from, const char* key) {
  const py::object value = field(from, key);
  if (!py::isinstance<py::str>(value)) throw py::value_error(std::string(key) + " of a program must be a word");
  return py::cast<std::string>(value);
}

py::sequence list_of(const py::handle& value, const std::string& name) {
  if (!py::isinstance<py::list>(value) && !py::isinstance<py::tuple>(value)) throw py::value_error(name + " of a program must be a list");
  return py::reinterpret_borrow<py::sequence>(value);
}
py::sequence sequence(const py::dict& from, const char* key) { return list_of(field(from, key), key); }

py::dict dictionary(const py::handle& value, const std::string& name) {
  if (!py::isinstance<py::dict>(value)) throw py::value_error(name + " of a program must be a dict");
  return py::reinterpret_borrow<py::dict>(value);
}

template <class Word>
Word lookup(const std::map<std::string, Word>& words, const py::dict& from, const char* key) {
  const std::string word = text(from, key);
  const auto found = words.find(word);
  if (found == words.end()) throw py::value_error(std::string(key) + " is not known to the native walk: '" + word + "'");
  return found->second;
}

Layer read_layer(const py::dict& from) {
  const py::object mask = field(from, "mask");
  if (!py::isinstance<py::array>(mask)) throw py::value_error("the mask of a layer must be a NumPy array");
  const py::array array = py::reinterpret_borrow<py::array>(mask);
  const std::uint8_t* live = checked<std::uint8_t>(array, "mask", {-1, -1, -1, -1});
  for (int axis = 0; axis < 4; ++axis)
    if (array.shape(axis) > std::numeric_limits<int>::max()) throw py::value_error("the mask of a layer is too large");
  Layer layer{
      static_cast<int>(array.shape(0)), static_cast<int>(array.shape(1)), static_cast<int>(array.shape(2)), static_cast<int>(array.shape(3)), {}, {}};
  layer.mask.assign(live, live + array.size());
  layer.dilation = integer(from, "dilation");
  layer.down = integer(from, "down");
  layer.up = integer(from, "up");
  for (const auto& item : sequence(from, "taps")) {
    const py::sequence tap = list_of(item, "a tap");
    if (tap.size() != 2) throw py::value_error("a tap of a program must be (dy, dx)");
    layer.taps.push_back({whole_number(tap[0], "a tap"), whole_number(tap[1], "a tap")});
  }
  const py::object recurrence = field(from, "recurrence");
  if (recurrence.is_none()) return layer;
  const py::dict recurs = dictionary(recurrence, "the recurrence of a layer");
  const py::sequence cell = sequence(recurs, "cell");
  if (cell.size() != 2) throw py::value_error("the cell's tap of a recurrent layer must be (dy, dx)");
  layer.recurrent = true;
  layer.leftward = boolean(recurs, "leftward");
  layer.cell = {whole_number(cell[0], "the cell's tap"), whole_number(cell[1], "the cell's tap")};
  return layer;
}

Instruction read_instruction(const py::dict& from) {
  static const std::map<std::string, Phase> phases = {{"given", Phase::given}, {"row", Phase::row}, {"pixel", Phase::pixel}, {"late", Phase::late}};
  static const std::map<std::string, Sweep> sweeps = {{"maps", Sweep::maps}, {"rows", Sweep::rows}};
  const std::string kind = text(from, "kind");
  Instruction i{};
  i.form = find_form(kind);
  if (!i.form) throw py::value_error("kind of an instruction is not known to the native walk: '" + kind + "'; it knows " + form_names());
  i.phase = lookup(phases, from, "phase");
  i.sweep = lookup(sweeps, from, "sweep");
  i.layer = integer(from, "layer");
  for (int slot = 0; slot < slots; ++slot) i.buffer[slot] = integer(from, slot_names[slot]);
  i.accumulate = boolean(from, "accumulate");
  i.rate = number(from, "rate");
  i.stream = integer(from, "stream");
  return i;
}

BufferSpec read_buffer(const py::dict& from) {
  const MapShape shape{integer(from, "height"), integer(from, "width"), integer(from, "top"),  integer(from, "bottom"),
                       integer(from, "left"),   integer(from, "right"), integer(from, "rows"), boolean(from, "everywhere")};
  return {integer(from, "channels"), shape, integer(from, "stride"), boolean(from, "scratch")};
}

ProgramSpec read_spec(const py::dict& from) {
  static const std::map<std::string, Mode> modes = {{"score", Mode::score}, {"train", Mode::train}, {"sample", Mode::sample}};
  ProgramSpec spec{};
  spec.mode = lookup(modes, from, "mode");
  const py::sequence shape = sequence(from, "image_shape");
  if (shape.size() != 3) throw py::value_error("image_shape must be (channels, height, width)");
  spec.channels = whole_number(shape[0], "image_shape");
  spec.height = whole_number(shape[1], "image_shape");
  spec.width = whole_number(shape[2], "image_shape");
  spec.levels = integer(from, "levels");
  spec.distribution = text(from, "distribution");
  spec.scale = number(from, "scale");
  spec.shift = number(from, "shift");
  spec.image = integer(from, "image");
  spec.output = integer(from, "output");
  spec.output_grad = integer(from, "output_grad");
  for (const auto& item : sequence(from, "given")) {
    const py::dict given = dictionary(item, "a given map");
    spec.given.push_back({integer(given, "buffer"), integer(given, "grad")});
  }
  for (const auto& item : sequence(from, "layers")) spec.layers.push_back(read_layer(dictionary(item, "a layer")));
  for (const auto& item : sequence(from, "buffers")) spec.buffers.push_back(read_buffer(dictionary(item, "a buffer")));
  for (const auto& item : sequence(from, "forward")) spec.forward.push_back(read_instruction(dictionary(item, "an instruction")));
  for (const auto& item : sequence(from, "backward")) spec.backward.push_back(read_instruction(dictionary(item, "an instruction")));
  check(spec);
  return spec;
}

// --- programs -------------------------------------------------------------------------------------------------------------------

// Programs of one specification. A call takes an idle one or makes another, so that no call waits for one that runs, not even for the one
// whose progress it was called from; and one that was stopped by an exception is not used again.
template <class S>
class Programs {
 public:
  Programs(const ProgramSpec& spec, const KernelTable<S>& kernels) : spec_(spec), kernels_(kernels) {}

  template <class Work>
  void with_one(const Work& work) {
    std::unique_ptr<Program<S>> program = take();
    work(*program);
    const std::lock_guard<std::mutex> lock(guard_);
    if (idle_.size() < most_idle) idle_.push_back(std::move(program));
  }

 private:
  static constexpr std::size_t most_idle = 2;

  std::unique_ptr<Program<S>> take() {
    const std::lock_guard<std::mutex> lock(guard_);
    if (idle_.empty()) return std::make_unique<Program<S>>(spec_, kernels_);
    std::unique_ptr<Program<S>> program = std::move(idle_.back());
    idle_.pop_back();
    return program;
  }

  const ProgramSpec& spec_;
  const KernelTable<S>& kernels_;
  std::mutex guard_;
  std::vector<std::unique_ptr<Program<S>>> idle_;
};

// Programs of one of the dtypes, and their checks.
class BoundProgram {
 public:
  explicit BoundProgram(const py::dict& from) : spec_(read_spec(from)) {
    const std::string dtype = text(from, "dtype");
    if (dtype == "float32")
      programs_ = std::make_unique<Programs<float>>(spec_, instruction_set().set->f32);
    else if (dtype == "float64")
      programs_ = std::make_unique<Programs<double>>(spec_, instruction_set().set->f64);
    else if (dtype == "bfloat16" && instruction_set().set->bf16 != nullptr)
      programs_ = std::make_unique<Programs<bfloat16>>(spec_, *instruction_set().set->bf16);
    else
      throw py::value_error("dtype must be one of the dtypes of info(); got " + dtype);
  }

  py::tuple score(const py::list& weights, const py::list& biases, const py::array& levels, bool want_map, const py::list& given) {
    return std::visit([&](auto& programs) { return score_as(*programs, weights, biases, levels, want_map, given); }, programs_);
  }
  py::tuple train(const py::list& weights, const py::list& biases, const py::array& levels, const py::list& given, std::uint64_t key) {
    return std::visit([&](auto& programs) { return train_as(*programs, weights, biases, levels, given, key); }, programs_);
  }
  void sample(const py::list& weights, const py::list& biases, const py::array& levels, const py::array& known, const py::array& uniforms,
              double temperature, const py::object& map, const std::optional<py::function>& progress, const py::list& given) {
    std::visit([&](auto& programs) { sample_as(*programs, weights, biases, levels, known, uniforms, temperature, map, progress, given); }, programs_);
  }

 private:
  template <class T>
  Parameters<T> read_parameters(const py::list& weights, const py::list& biases) const {
    if (weights.size() != spec_.layers.size() || biases.size() != spec_.layers.size())
      throw py::value_error("weights and biases must have one array for each of " + std::to_string(spec_.layers.size()) + " layers");
    Parameters<T> parameters;
    for (std::size_t l = 0; l < spec_.layers.size(); ++l) {
      const Layer& layer = spec_.layers[l];
      const std::string number = "[" + std::to_string(l) + "]";
      parameters.weights.push_back(checked<T>(weights[l], "weights" + number, {layer.out_channels, layer.in_channels, layer.height, layer.width}));
      parameters.biases.push_back(checked<T>(biases[l], "biases" + number, {layer.biases()}));
    }
    return parameters;
  }

  template <class T>
  std::vector<GivenMap<T>> read_given(const py::list& given, py::ssize_t images) const {
    if (given.size() != spec_.given.size())
      throw py::value_error("given must have one array for each of " + std::to_string(spec_.given.size()) + " given maps");
    std::vector<GivenMap<T>> maps;
    for (std::size_t g = 0; g < spec_.given.size(); ++g) {
      const BufferSpec& buffer = spec_.buffers[spec_.given[g].buffer];
      const T* data = checked<T>(given[g], "given[" + std::to_string(g) + "]", {images, buffer.channels, -1, -1});
      const py::array array = py::reinterpret_borrow<py::array>(given[g]);
      const bool one = array.shape(2) == 1 && array.shape(3) == 1;
      if (!one && (array.shape(2) != buffer.shape.height || array.shape(3) != buffer.shape.width))
        throw py::value_error("given[" + std::to_string(g) + "] must be of the size " + std::to_string(buffer.shape.height) + " x " +
                              std::to_string(buffer.shape.width) + " or 1 x 1");
      maps.push_back({data, static_cast<int>(array.shape(2)), static_cast<int>(array.shape(3)), nullptr});
    }
    return maps;
  }

  int read_images(const py::array& levels, Mode mode) const {
    if (spec_.mode != mode) throw py::value_error("this program was lowered for another walk");
    const std::uint8_t* data = checked<std::uint8_t>(levels, "levels", {-1, spec_.channels, spec_.height, spec_.width});
    if (levels.shape(0) > std::numeric_limits<int>::max()) throw py::value_error("levels must hold fewer than 2^31 images");
    for (py::ssize_t i = 0; i < levels.size(); ++i)
      if (data[i] >= spec_.levels)
        throw py::value_error("levels must lie below " + std::to_string(spec_.levels) + "; got " + std::to_string(data[i]));
    return static_cast<int>(levels.shape(0));
  }
  static const std::uint8_t* bytes(const py::array& levels) { return static_cast<const std::uint8_t*>(levels.data()); }

  template <class S>
  py::tuple score_as(Programs<S>& programs, const py::list& weights, const py::list& biases, const py::array& levels, bool want_map,
                     const py::list& given) const {
    using T = Compute<S>;
    const Parameters<T> parameters = read_parameters<T>(weights, biases);
    const int images = read_images(levels, Mode::score);
    const auto maps = read_given<T>(given, images);
    py::array_t<double> nats(images);
    py::object map = py::none();
    T* map_data = nullptr;
    if (want_map) {
      py::array_t<T> array({images, spec_.height, spec_.width, spec_.buffers[spec_.output].channels});
      map_data = array.mutable_data();
      map = array;
    }
    const std::uint8_t* data = bytes(levels);
    double* nats_data = nats.mutable_data();
    {
      const Unlocked unlocked;  // pure arithmetic on memory that the arguments keep alive
      programs.with_one([&](Program<S>& program) { program.score(parameters, maps, data, images, nats_data, map_data); });
    }
    return py::make_tuple(nats, map);
  }

  template <class S>
  py::tuple train_as(Programs<S>& programs, const py::list& weights, const py::list& biases, const py::array& levels, const py::list& given,
                     std::uint64_t key) const {
    using T = Compute<S>;
    const Parameters<T> parameters = read_parameters<T>(weights, biases);
    const int images = read_images(levels, Mode::train);
    if (images == 0) throw py::value_error("levels must hold at least one image; got none");
    auto maps = read_given<T>(given, images);
    py::array_t<double> nats(images);
    py::list gradients;
    std::vector<T*> weight_grads, bias_grads;
    for (const Layer& layer : spec_.layers) {
      py::array_t<T> weight({layer.out_channels, layer.in_channels, layer.height, layer.width}), bias(layer.biases());
      weight_grads.push_back(weight.mutable_data());
      bias_grads.push_back(bias.mutable_data());
      gradients.append(weight);
      gradients.append(bias);
    }
    for (std::size_t g = 0; g < maps.size(); ++g) {
      if (spec_.given[g].grad == none) {
        gradients.append(py::none());
        continue;
      }
      py::array_t<T> gradient({images, spec_.buffers[spec_.given[g].buffer].channels, maps[g].height, maps[g].width});
      maps[g].gradient = gradient.mutable_data();
      gradients.append(gradient);
    }
    const std::uint8_t* data = bytes(levels);
    double* nats_data = nats.mutable_data();
    {
      const Unlocked unlocked;  // pure arithmetic on memory that the arguments keep alive
      programs.with_one([&](Program<S>& program) { program.train(parameters, maps, data, images, key, nats_data, weight_grads, bias_grads); });
    }
    return py::make_tuple(nats, gradients);
  }

  template <class S>
  void sample_as(Programs<S>& programs, const py::list& weights, const py::list& biases, const py::array& levels, const py::array& known,
                 const py::array& uniforms, double temperature, const py::object& map, const std::optional<py::function>& progress,
                 const py::list& given) const {
    using T = Compute<S>;
    const Parameters<T> parameters = read_parameters<T>(weights, biases);
    const int images = read_images(levels, Mode::sample);
    const auto maps = read_given<T>(given, images);
    std::uint8_t* data = checked_writable<std::uint8_t>(levels, "levels", {-1, spec_.channels, spec_.height, spec_.width});
    const std::uint8_t* known_data = checked<std::uint8_t>(known, "known", {images, spec_.channels, spec_.height, spec_.width});
    const double* uniform_data = checked<double>(uniforms, "uniforms", {images, spec_.height, spec_.width, spec_.channels});
    if (!(std::isfinite(temperature) && temperature > 0)) throw py::value_error("temperature must be above 0; got " + std::to_string(temperature));
    T* map_data = nullptr;
    if (!map.is_none()) map_data = checked_writable<T>(map, "map", {images, spec_.height, spec_.width, spec_.buffers[spec_.output].channels});
    Unlocked unlocked;                                  // pure arithmetic on memory that the arguments keep alive
    const Progress report = [&](int done, int total) {  // called by this thread
      unlocked.locked([&] {
        if (PyErr_CheckSignals() != 0) throw py::error_already_set();
        if (progress) (*progress)(done, total);
      });
    };
    programs.with_one(
        [&](Program<S>& program) { program.sample(parameters, maps, data, known_data, uniform_data, images, temperature, map_data, report); });
  }

  const ProgramSpec spec_;
  std::variant<std::unique_ptr<Programs<float>>, std::unique_ptr<Programs<double>>, std::unique_ptr<Programs<bfloat16>>> programs_;
};

}  // namespace

void register_program(py::module_& m) {
  py::class_<BoundProgram>(m, "Program", "A lowered causal list, ready to be walked; made by genlab.causal.native_program.")
      .def(py::init<const py::dict&>(), py::arg("specification"))
      .def("score", &BoundProgram::score, py::arg("weights"), py::arg("biases"), py::arg("levels"), py::arg("want_map"),
           py::arg("given") = py::list(), "(nats (N,), output map (N, H, W, channels) or None) of images levels (N, C, H, W).")
      .def("train", &BoundProgram::train, py::arg("weights"), py::arg("biases"), py::arg("levels"), py::arg("given") = py::list(), py::arg("key") = 0,
           "(nats (N,), gradients of their mean: weight and bias of each layer in turn, then of each given map, None if it asks for none).")
      .def("sample", &BoundProgram::sample, py::arg("weights"), py::arg("biases"), py::arg("levels"), py::arg("known"), py::arg("uniforms"),
           py::arg("temperature"), py::arg("map").none(true) = py::none(), py::arg("progress").none(true) = py::none(), py::arg("given") = py::list(),
           "Draws into levels (N, C, H, W), which keeps its values where known is not 0; map (N, H, W, channels) takes what they are drawn from.");
  m.def(
      "fail_allocation", [](int nth) { allocations_until_failure = nth; }, py::arg("nth"),
      "For tests: the nth allocation of the walks from now on fails, once; 0: none does.");
}

}  // namespace genlab
