// Every rule that keeps a program within its memory. Whatever enters C++ passes here, be it lowered by genlab or made by a stranger.
#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

#include "heads/head.hpp"
#include "operations/table.hpp"

namespace genlab {

const std::array<const char*, slots> slot_names = {"first", "second", "grad", "mask", "residual", "out", "act", "state", "cell", "gates", "carry"};

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
  for (const Instruction& i : forward) {
    if (i.layer == none) continue;
    const Layer& layer = layers[i.layer];
    // Each tap meets each pixel of the coarser map once.
    const MapShape& result = buffers[i[i.has(out) ? out : act]].shape;
    const double pixels = static_cast<double>(divided_up(result.height, layer.up)) * divided_up(result.width, layer.up);
    sum += pixels * static_cast<double>(std::count_if(layer.mask.begin(), layer.mask.end(), [](auto m) { return m != 0; }));
  }
  return sum;
}

namespace {

constexpr int most_ratio = 256;  // between strides: its square is a number of phases
constexpr int most = 1 << 24;    // of a size; beyond it lies no picture, and products stay within a double

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
    for (const int ratio : {layer.down, layer.up})
      require(ratio >= 1 && ratio <= most_ratio,
              "down and up of " + name + " must be from 1 to " + std::to_string(most_ratio) + "; got " + std::to_string(ratio));
    require(layer.down == 1 || layer.up == 1, name + " must go down or up, not both");
    std::set<std::pair<int, int>> seen;
    for (const Tap& tap : layer.taps) {
      require(tap.dy % layer.dilation == 0 && tap.dx % layer.dilation == 0, "a tap of " + name + " is no multiple of its dilation");
      require(std::abs(tap.dy / layer.dilation) <= layer.height / 2 && std::abs(tap.dx / layer.dilation) <= layer.width / 2,
              "a tap of " + name + " lies outside its kernel");
      require(seen.insert({tap.dy, tap.dx}).second, "the taps of " + name + " must differ");
    }
    if (layer.recurrent) check_recurrence(layer, name);
  }

  static void check_recurrence(const Layer& layer, const std::string& name) {
    require(layer.out_channels == 4.0 * layer.in_channels, name + " is recurrent and must have four outputs for each input");
    require(layer.down == 1 && layer.up == 1, name + " is recurrent and must read a map of its own size");
    bool reads_cell = false;
    for (const Tap& tap : layer.taps) {
      require(tap.dy < 0 || (tap.dy == 0 && (layer.leftward ? tap.dx > 0 : tap.dx < 0)), "a tap of " + name + " does not come earlier in its scan");
      reads_cell = reads_cell || (tap.dy == layer.cell.dy && tap.dx == layer.cell.dx);
    }
    require(reads_cell, "the cell's tap of " + name + " must be one of its taps");
  }

  void check_buffer(const BufferSpec& buffer, const std::string& name) const {
    require_size(buffer.channels, 1, "channels of " + name);
    const MapShape& s = buffer.shape;
    require_size(buffer.stride, 1, "stride of " + name);
    const int height = s.everywhere ? 1 : divided_up(spec_.height, buffer.stride), width = s.everywhere ? 1 : divided_up(spec_.width, buffer.stride);
    require(s.height == height && s.width == width, "the size of " + name + " must be " + std::to_string(height) + " x " + std::to_string(width) +
                                                        ", one pixel for every " + std::to_string(buffer.stride) +
                                                        " of the image's, or one for all; got " + text(s));
    for (const int side : {s.top, s.bottom, s.left, s.right, s.rows}) require_size(side, 0, "a border, and the remembered rows, of " + name);
    require(spec_.mode == Mode::sample || (s.rows == 0 && !buffer.scratch), name + " must remember all rows: only sampling can forget some");
    require(!s.everywhere || (s.rows == 0 && !buffer.scratch), name + " is of one pixel and must be remembered");
    require(!s.everywhere || (s.top == 0 && s.bottom == 0 && s.left == 0 && s.right == 0), name + " is of one pixel and must have no border");
  }

  void check_ends() {
    require(exists(spec_.image) && exists(spec_.output), "image and output must name buffers");
    const BufferSpec& image = spec_.buffers[spec_.image];
    require(image.channels == spec_.channels && is_full(image) && !image.scratch,
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
                  are_alike(spec_.buffers[given.grad], spec_.buffers[given.buffer]),
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
    require(is_full(spec_.buffers[buffer]), name + " must be of the image's size");
  }

  void check_instruction(const Instruction& i, bool backward) {
    const std::string name = std::string("instruction '") + i.form->name + "'";
    require(i.form->backward == backward, name + " stands on the wrong way");
    if (i.form->has_layer)
      require(i.layer >= 0 && i.layer < static_cast<int>(spec_.layers.size()), name + " names a layer that does not exist");
    else
      require(i.layer == none, name + " has no layer");
    require(i.form->draws ? i.rate >= 0 && i.rate < 1 : i.rate == 0, name + " must have a rate of at least 0 and below 1, and only if it draws");
    require(!i.form->draws || spec_.mode == Mode::train, name + " draws, which only a program for 'train' does");
    require(i.layer == none || spec_.layers[i.layer].recurrent == i.form->recurrent,
            name + (i.form->recurrent ? " must have a recurrent layer" : " must not have a recurrent layer"));
    require(!i.form->recurrent || backward || i.phase == Phase::row || i.phase == Phase::given || !spec_.layers[i.layer].leftward,
            name + " scans leftward and must be visited by rows");
    require(!i.accumulate || i.form->accumulates, name + " cannot add to out");
    check_slots(i, name);
    const BufferSpec& domain = what_it_computes(i);
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

  const BufferSpec& what_it_computes(const Instruction& i) const {
    for (const Port& port : i.form->ports)
      if (i.has(port.slot) && (port.access == Port::writes || port.recurs())) return spec_.buffers[i[port.slot]];
    return spec_.buffers[i[grad]];
  }

  void check_port(const Instruction& i, const Port& port, const BufferSpec& domain, int& channels, const std::string& name) {
    const BufferSpec& buffer = spec_.buffers[i[port.slot]];
    const std::string field = name + ": " + slot_names[port.slot];
    require(port.is_read() || !fixed_.count(i[port.slot]), field + " must not be the image or a given map");
    const int expected = port.channels == Port::layer_in    ? spec_.layers[i.layer].in_channels
                         : port.channels == Port::layer_out ? spec_.layers[i.layer].out_channels
                         : port.channels == Port::twice     ? 2 * channels
                         : channels == none                 ? buffer.channels
                                                            : channels;
    if (port.channels == Port::same) channels = expected;
    require(buffer.channels == expected, field + " must have " + std::to_string(expected) + " channels; got " + std::to_string(buffer.channels));
    // A map that is read at a layer's taps may be finer or coarser than what is computed, as the layer says.
    const bool forwards = port.access == Port::reads_at_taps, backwards = port.access == Port::reads_at_mirrored_taps;
    const int down = forwards ? spec_.layers[i.layer].down : backwards ? spec_.layers[i.layer].up : 1;
    const int up = forwards ? spec_.layers[i.layer].up : backwards ? spec_.layers[i.layer].down : 1;
    const bool alike = are_alike(buffer, domain, down, up);
    const std::string size = field + " must be of the size " + text(domain.shape) + (down * up > 1 ? ", times the layer's ratio" : "") + "; got ";
    if (!port.is_read()) {
      require(port.access == Port::writes_sum_over_pixels ? buffer.shape.everywhere : alike, size + text(buffer.shape));
      const bool adds = port.slot == out && i.accumulate;
      require(!adds || written_.count(i[port.slot]), field + " is added to, but nothing has written it");
      if (port.recurs()) check_taps(spec_.layers[i.layer], port.access == Port::recurs_at_taps, buffer, field);
      return;
    }
    require(written_.count(i[port.slot]), field + " is read, but nothing has written it");
    require(alike || (buffer.shape.everywhere && (i.form->by_rows || port.access == Port::reads)), size + text(buffer.shape));
    if (port.access == Port::reads) return;
    for (const Port& other : i.form->ports)
      require(other.is_read() || !i.has(other.slot) || i[other.slot] != i[port.slot], field + " is read at taps and must not be written over");
    check_taps(spec_.layers[i.layer], forwards, buffer, field);
  }

  void check_taps(const Layer& layer, bool forwards, const BufferSpec& buffer, const std::string& field) const {
    const MapShape& s = buffer.shape;
    const bool one = buffer.scratch || s.everywhere;
    for (const Tap& tap : layer.taps) {
      const auto [dy, dx] = forwards ? input_tap(layer, tap) : mirrored_tap(layer, tap);
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
  void check_phase(const Instruction& i, bool backward, const BufferSpec& domain, const std::string& name) const {
    if (spec_.mode != Mode::sample || backward) return;
    require(i.phase == Phase::given || !domain.shape.everywhere, name + " is visited by rows or pixels and must compute more than one pixel for all");
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
        const BufferSpec& domain = what_it_computes(i);
        require(!before || what_it_computes(*before).shape.height == domain.shape.height, name + " is swept by rows beside one of another size");
      }
      before = i.sweep == Sweep::rows ? &i : nullptr;
    }
  }

  bool exists(int buffer) const { return buffer >= 0 && buffer < static_cast<int>(spec_.buffers.size()); }
  // Of the image's own pixels.
  static bool is_full(const BufferSpec& b) { return b.stride == 1 && !b.shape.everywhere; }
  // Whether `down` pixels of one map lie side by side on `up` of the other.
  static bool are_alike(const BufferSpec& a, const BufferSpec& b, int down = 1, int up = 1) {
    if (a.shape.everywhere || b.shape.everywhere) return a.shape.everywhere && b.shape.everywhere;
    return static_cast<long long>(a.stride) * down == static_cast<long long>(b.stride) * up;
  }

  const ProgramSpec& spec_;
  std::set<int> written_;  // before the instruction that is looked at
  std::set<int> fixed_;    // there before the first one
};

}  // namespace

void check(const ProgramSpec& spec) { Check(spec).run(); }

}  // namespace genlab
