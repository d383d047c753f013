// Every rule that keeps a program within its memory. Whatever enters C++ passes here, be it lowered by genlab or made by a stranger.
#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

#include "heads/head.hpp"
#include "operations/table.hpp"

namespace genlab {

const std::array<const char*, slots> slot_names = {"first", "second", "grad", "mask", "residual", "out", "out2", "act"};

const Form* find_form(const std::string& name) {
  for (const auto& entry : operations<float>)
    if (name == entry.form->name) return entry.form;
  return nullptr;
}

std::string form_names() {
  std::string names;
  for (const auto& entry : operations<float>) names += (names.empty() ? "" : ", ") + std::string(entry.form->name);
  return names;
}

double ProgramSpec::multiply_adds_per_image() const {
  double sum = 0;
  for (const Layer& layer : layers) sum += static_cast<double>(std::count_if(layer.mask.begin(), layer.mask.end(), [](auto m) { return m != 0; }));
  return sum * height * width;
}

namespace {

constexpr int most = 1 << 24;  // of a size; beyond it lies no picture, and products stay within a double

[[noreturn]] void refuse(const std::string& sentence) { throw std::invalid_argument(sentence); }
void require(bool rule, const std::string& sentence) {
  if (!rule) refuse(sentence);
}
void require_size(int value, int least, const std::string& name) {
  require(value >= least && value <= most,
          name + " must be from " + std::to_string(least) + " to " + std::to_string(most) + "; got " + std::to_string(value));
}
std::string text(const MapShape& shape) { return std::to_string(shape.height) + " x " + std::to_string(shape.width); }

class Check {
 public:
  explicit Check(const ProgramSpec& spec) : spec_(spec) {}

  void run() {
    check_image();
    for (std::size_t l = 0; l < spec_.layers.size(); ++l) check_layer(spec_.layers[l], "layer " + std::to_string(l));
    for (std::size_t b = 0; b < spec_.buffers.size(); ++b) check_buffer(spec_.buffers[b], "buffer " + std::to_string(b));
    check_ends();
    for (const Instruction& i : spec_.forward) check_instruction(i, false);
    require(written_.count(spec_.output) > 0, "output must name a buffer that an instruction writes");
    if (spec_.mode == Mode::train)
      written_.insert(spec_.output_grad);
    else
      require(spec_.backward.empty() && spec_.output_grad == none, "only a program for 'train' has a way back");
    for (const Instruction& i : spec_.backward) check_instruction(i, true);
    for (const GivenSpec& given : spec_.given)
      require(given.grad == none || written_.count(given.grad), "the gradient of a given map must be a buffer that an instruction writes");
    check_sweeps(spec_.forward);
    check_sweeps(spec_.backward);
  }

 private:
  void check_image() const {
    require_size(spec_.channels, 1, "channels of image_shape");
    require_size(spec_.height, 1, "height of image_shape");
    require_size(spec_.width, 1, "width of image_shape");
    require(static_cast<double>(spec_.height) * spec_.width * spec_.channels < 2147483648.0, "image_shape must hold fewer than 2^31 values");
    require(spec_.levels >= 2 && spec_.levels <= 256, "levels must be from 2 to 256; got " + std::to_string(spec_.levels));
    require(std::isfinite(spec_.scale) && std::isfinite(spec_.shift), "scale and shift must be finite");
    require(is_head(spec_.distribution), "the native walk knows the distributions " + head_names() + "; got '" + spec_.distribution + "'");
  }

  static void check_layer(const Layer& layer, const std::string& name) {
    require_size(layer.out_channels, 1, "output channels of " + name);
    require_size(layer.in_channels, 1, "input channels of " + name);
    require(layer.height % 2 == 1 && layer.width % 2 == 1, "the kernel of " + name + " must be odd");
    require_size(layer.dilation, 1, "dilation of " + name);
    std::set<std::pair<int, int>> seen;
    for (const Tap& tap : layer.taps) {
      require(tap.dy % layer.dilation == 0 && tap.dx % layer.dilation == 0, "a tap of " + name + " is no multiple of its dilation");
      require(std::abs(tap.dy / layer.dilation) <= layer.height / 2 && std::abs(tap.dx / layer.dilation) <= layer.width / 2,
              "a tap of " + name + " lies outside its kernel");
      require(seen.insert({tap.dy, tap.dx}).second, "the taps of " + name + " must differ");
    }
  }

  void check_buffer(const BufferSpec& buffer, const std::string& name) const {
    require_size(buffer.channels, 1, "channels of " + name);
    const MapShape& s = buffer.shape;
    require(is_full(s) || is_one(s), "the size of " + name + " must be the image's or 1 x 1; got " + text(s));
    for (const int side : {s.top, s.bottom, s.left, s.right, s.rows}) require_size(side, 0, "a border, and the remembered rows, of " + name);
    require(spec_.mode == Mode::sample || (s.rows == 0 && !buffer.scratch), name + " must remember all rows: only sampling can forget some");
    require(is_full(s) || (s.rows == 0 && !buffer.scratch), name + " is of one pixel and must be remembered");
    require(is_full(s) || (s.top == 0 && s.bottom == 0 && s.left == 0 && s.right == 0), name + " is of one pixel and must have no border");
  }

  void check_ends() {
    require(exists(spec_.image) && exists(spec_.output), "image and output must name buffers");
    const BufferSpec& image = spec_.buffers[spec_.image];
    require(image.channels == spec_.channels && is_full(image.shape) && !image.scratch,
            "the image's buffer must be of the image's channels and size, and remembered");
    check_output(spec_.output, "output");
    written_.insert(spec_.image);
    fixed_.insert(spec_.image);
    for (const GivenSpec& given : spec_.given) {
      require(exists(given.buffer), "a given map must name a buffer");
      require(spec_.buffers[given.buffer].shape.rows == 0 && !spec_.buffers[given.buffer].scratch, "a given map must be remembered");
      require(fixed_.insert(given.buffer).second, "the image and the given maps must have a buffer each");
      written_.insert(given.buffer);
      if (given.grad == none) continue;
      require(spec_.mode == Mode::train && exists(given.grad), "the gradient of a given map must name a buffer, of a program for 'train'");
      require(given.grad != given.buffer && spec_.buffers[given.grad].channels == spec_.buffers[given.buffer].channels &&
                  spec_.buffers[given.grad].shape.height == spec_.buffers[given.buffer].shape.height &&
                  spec_.buffers[given.grad].shape.width == spec_.buffers[given.buffer].shape.width,
              "the gradient of a given map must be of its channels and size");
    }
    require(!fixed_.count(spec_.output), "output must name a buffer of its own");
    if (spec_.mode != Mode::train) return;
    require(!spec_.backward.empty(), "a program for 'train' must have a way back");
    require(exists(spec_.output_grad) && !fixed_.count(spec_.output_grad) && spec_.output_grad != spec_.output,
            "output_grad must name a buffer of its own");
    check_output(spec_.output_grad, "output_grad");
    require(spec_.buffers[spec_.output_grad].channels == spec_.buffers[spec_.output].channels, "output_grad must have the channels of output");
  }

  void check_output(int buffer, const std::string& name) const {
    const int parameters = spec_.buffers[buffer].channels;
    require(head_fits(spec_.distribution, spec_.channels, spec_.levels, parameters),
            name + " must have the channels that the distribution '" + spec_.distribution + "' takes for " + std::to_string(spec_.channels) +
                " channel(s) of " + std::to_string(spec_.levels) + " levels; got " + std::to_string(parameters));
    require(is_full(spec_.buffers[buffer].shape), name + " must be of the image's size");
  }

  void check_instruction(const Instruction& i, bool backward) {
    const std::string name = std::string("instruction '") + i.form->name + "'";
    require(i.form->backward == backward, name + " stands on the wrong way");
    if (i.form->has_layer)
      require(i.layer >= 0 && i.layer < static_cast<int>(spec_.layers.size()), name + " names a layer that does not exist");
    else
      require(i.layer == none, name + " has no layer");
    require(!i.accumulate || i.form->accumulates, name + " cannot add to out");
    require(!i.accumulate2 || i.form->accumulates2, name + " cannot add to out2");
    check_slots(i, name);
    const MapShape& domain = shape_of_what_it_computes(i);
    int channels = none;  // of ports that must agree
    for (const Port& port : i.form->ports)
      if (i.has(port.slot)) check_port(i, port, domain, channels, name);
    check_phase(i, backward, domain, name);
    for (const Port& port : i.form->ports)
      if (i.has(port.slot) && !port.is_read()) written_.insert(i[port.slot]);
  }

  void check_slots(const Instruction& i, const std::string& name) const {
    bool writes = false;
    for (int slot = 0; slot < slots; ++slot) {
      const auto port = std::find_if(i.form->ports.begin(), i.form->ports.end(), [&](const Port& p) { return p.slot == slot; });
      const std::string field = name + ": " + slot_names[slot];
      const int buffer = i.buffer[slot];
      if (buffer == none) {
        require(port == i.form->ports.end() || !port->required, field + " is missing");
        continue;
      }
      require(exists(buffer), field + " names a buffer that does not exist");
      require(port != i.form->ports.end(), field + " is not read or written by it");
      writes = writes || !port->is_read();
    }
    require(writes || i.form->backward, name + " writes nothing");
  }

  const MapShape& shape_of_what_it_computes(const Instruction& i) const {
    for (const Port& port : i.form->ports)
      if (i.has(port.slot) && port.access == Port::writes) return spec_.buffers[i[port.slot]].shape;
    return spec_.buffers[i[grad]].shape;
  }

  void check_port(const Instruction& i, const Port& port, const MapShape& domain, int& channels, const std::string& name) {
    const BufferSpec& buffer = spec_.buffers[i[port.slot]];
    const std::string field = name + ": " + slot_names[port.slot];
    require(port.is_read() || !fixed_.count(i[port.slot]), field + " must not be the image or a given map");
    const int expected = port.channels == Port::layer_in    ? spec_.layers[i.layer].in_channels
                         : port.channels == Port::layer_out ? spec_.layers[i.layer].out_channels
                         : channels == none                 ? buffer.channels
                                                            : channels;
    if (port.channels == Port::same) channels = expected;
    require(buffer.channels == expected, field + " must have " + std::to_string(expected) + " channels; got " + std::to_string(buffer.channels));
    const bool alike = buffer.shape.height == domain.height && buffer.shape.width == domain.width;
    if (!port.is_read()) {
      require(port.access == Port::writes ? alike : is_one(buffer.shape),
              field + " must be of the size " + text(domain) + "; got " + text(buffer.shape));
      const bool adds = (port.slot == out && i.accumulate) || (port.slot == out2 && i.accumulate2);
      require(!adds || written_.count(i[port.slot]), field + " is added to, but nothing has written it");
      return;
    }
    require(written_.count(i[port.slot]), field + " is read, but nothing has written it");
    require(alike || (is_one(buffer.shape) && (i.form->by_rows || port.access == Port::reads)),
            field + " must be of the size " + text(domain) + "; got " + text(buffer.shape));
    if (port.access == Port::reads) return;
    for (const Port& other : i.form->ports)
      require(other.is_read() || !i.has(other.slot) || i[other.slot] != i[port.slot], field + " is read at taps and must not be written over");
    check_taps(spec_.layers[i.layer], port.access == Port::reads_at_taps ? 1 : -1, buffer, field);
  }

  void check_taps(const Layer& layer, int sign, const BufferSpec& buffer, const std::string& field) const {
    const MapShape& s = buffer.shape;
    const bool one = buffer.scratch || (is_one(s) && !is_full(s));
    for (const Tap& tap : layer.taps) {
      const int dy = sign * tap.dy, dx = sign * tap.dx;
      const std::string at = field + " is read at (" + std::to_string(dy) + ", " + std::to_string(dx) + "), ";
      if (one) {
        require(dy == 0 && dx == 0, at + "but only one pixel of it is remembered");
        continue;
      }
      require(-dx <= s.left && dx <= s.right, at + "beyond its border");
      if (s.rows == 0)
        require(-dy <= s.top && dy <= s.bottom, at + "beyond its border");
      else
        require(dy <= 0 && -dy < s.rows, at + "but only " + std::to_string(s.rows) + " rows of it are remembered");
    }
  }

  // Which buffers an instruction may use depends on when it runs.
  void check_phase(const Instruction& i, bool backward, const MapShape& domain, const std::string& name) const {
    if (spec_.mode != Mode::sample || backward) return;
    require(i.phase == Phase::given || is_full(domain), name + " is visited by rows or pixels and must compute a map of the image's size");
    for (const Port& port : i.form->ports) {
      if (!i.has(port.slot)) continue;
      const BufferSpec& buffer = spec_.buffers[i[port.slot]];
      const std::string field = name + ": " + slot_names[port.slot];
      const bool by_pixels = i.phase == Phase::pixel || i.phase == Phase::late;
      require(by_pixels || !buffer.scratch, field + " remembers one pixel, but is used for whole rows");
      require(i.phase != Phase::given || buffer.shape.rows == 0, field + " remembers some rows, but is used for a whole map");
    }
  }

  void check_sweeps(const std::vector<Instruction>& list) const {
    const Instruction* before = nullptr;
    for (const Instruction& i : list) {
      if (i.sweep == Sweep::rows) {
        const std::string name = std::string("instruction '") + i.form->name + "'";
        require(i.form->by_rows, name + " takes a whole map and cannot be swept by rows");
        const MapShape& domain = shape_of_what_it_computes(i);
        require(!before || shape_of_what_it_computes(*before).height == domain.height, name + " is swept by rows beside one of another size");
      }
      before = i.sweep == Sweep::rows ? &i : nullptr;
    }
  }

  bool exists(int buffer) const { return buffer >= 0 && buffer < static_cast<int>(spec_.buffers.size()); }
  bool is_full(const MapShape& s) const { return s.height == spec_.height && s.width == spec_.width; }
  static bool is_one(const MapShape& s) { return s.height == 1 && s.width == 1; }

  const ProgramSpec& spec_;
  std::set<int> written_;  // before the instruction that is looked at
  std::set<int> fixed_;    // there before the first one
};

}  // namespace

void check(const ProgramSpec& spec) { Check(spec).run(); }

}  // namespace genlab
