#include "lane.hpp"

#include <type_traits>

#include "operations/table.hpp"

namespace genlab {

template <class S>
Lane<S>::Lane(const ProgramSpec& spec, const Layers<S>& layers, const KernelTable<S>& kernels)
    : spec_(spec), work_{spec, kernels, layers, 0, {}, {}, {}, {}, {}, {}}, image_is_packed_(is_read_by_convolutions_alone(spec.image)) {
  work_.maps.resize(spec.buffers.size());
  memory_.resize(spec.buffers.size());
  if (spec.mode != Mode::train) return;
  work_.weight_grads.resize(spec.layers.size());
  work_.bias_grads.resize(spec.layers.size());
  for (int l = 0; l < layers.size(); ++l) {
    work_.weight_grads[l].resize(layers[l].gradient_terms.size() * layers.padded_outputs(l));
    work_.bias_grads[l].resize(layers.padded_outputs(l));
  }
}

template <class S>
bool Lane<S>::is_read_by_convolutions_alone(int buffer) const {
  for (const auto* list : {&spec_.forward, &spec_.backward})
    for (const Instruction& i : *list)
      for (const Port& port : i.form->ports)
        if (i[port.slot] == buffer && port.access != Port::reads_at_taps) return false;
  return true;
}

template <class S>
void Lane<S>::lay_out(int images) {
  if (images == work_.images) return;
  forward_.clear();
  backward_.clear();
  work_.images = images;
  try {
    for (std::size_t b = 0; b < memory_.size(); ++b) lay_out_buffer(static_cast<int>(b));
    forward_ = bind(spec_.forward);
    backward_ = bind(spec_.backward);
    for (auto* phase : {&given_, &row_, &pixel_, &early_, &late_}) phase->clear();
    for (std::size_t n = 0; n < forward_.size(); ++n) {
      Operation<S>* const operation = forward_[n].get();
      switch (spec_.forward[n].phase) {
        case Phase::given:
          given_.push_back(operation);
          break;
        case Phase::row:
          row_.push_back(operation);
          break;
        case Phase::pixel:
          early_.push_back(operation);
          pixel_.push_back(operation);
          break;
        case Phase::late:
          pixel_.push_back(operation);
          late_.push_back(operation);
          break;
      }
    }
  } catch (...) {
    work_.images = 0;  // nothing is laid out unless all is
    throw;
  }
}

template <class S>
void Lane<S>::lay_out_buffer(int b) {
  const BufferSpec& spec = spec_.buffers[b];
  MapShape shape = spec.shape;
  shape.everywhere = shape.everywhere || spec.scratch;  // of a scratch map only the current pixel is there
  const bool packed = b == spec_.image && image_is_packed_;
  const int stride = round_up(spec.channels, packed ? Numbers<S>::group : work_.kernels.lanes);
  const std::string what = "a map of " + std::to_string(spec.channels) + " channels over " + std::to_string(work_.images) + " image(s) of " +
                           std::to_string(shape.height) + " x " + std::to_string(shape.width) + " pixels";
  Map<S>& map = work_.maps[b];
  memory_[b].resize(map.lay_out(shape, work_.images, stride, what));
  memory_[b].clear();
  map.data = memory_[b].get();
}

template <class S>
typename Lane<S>::Operations Lane<S>::bind(const std::vector<Instruction>& list) {
  Operations bound;
  for (const Instruction& i : list)
    for (const OperationEntry<S>& entry : operations<S>)
      if (entry.form == i.form) bound.push_back(entry.bind(i, work_));
  return bound;
}

template <class S>
void Lane<S>::clear() {
  for (auto& memory : memory_) memory.clear();
}

template <class S>
void Lane<S>::clear_gradients() {
  for (auto& g : work_.weight_grads) g.clear();
  for (auto& g : work_.bias_grads) g.clear();
}

template <class S>
void Lane<S>::set_level(int image, int channel, int y, int x, int level) const {
  const Map<S>& m = work_.maps[spec_.image];
  m.at(y, x)[image * m.channel_stride + channel] = work_.kernels.narrow(spec_.scale * level + spec_.shift);
}

template <class S>
void Lane<S>::load_image(const std::uint8_t* levels) const {
  for (int c = 0; c < spec_.channels; ++c)
    for (int y = 0; y < spec_.height; ++y)
      for (int x = 0; x < spec_.width; ++x) set_level(0, c, y, x, *levels++);
}

template <class S>
void Lane<S>::load_given(int buffer, const GivenMap<T>& given, std::size_t begin) const {
  const Map<S>& m = work_.maps[buffer];
  const int channels = spec_.buffers[buffer].channels;
  const std::size_t plane = static_cast<std::size_t>(given.height) * given.width;
  for (int i = 0; i < work_.images; ++i)
    for (int c = 0; c < channels; ++c) {
      const T* const from = given.data + ((begin + i) * channels + c) * plane;
      for (int y = 0; y < m.height; ++y)
        for (int x = 0; x < m.width; ++x) {
          const T value = from[plane == 1 ? 0 : y * given.width + x];
          S& to = m.at(y, x)[i * m.channel_stride + c];
          if constexpr (std::is_same_v<S, T>)
            to = value;
          else
            to = work_.kernels.narrow(value);
        }
    }
}

template <class S>
void Lane<S>::store_given_gradient(int buffer, const GivenMap<T>& given, std::size_t n) const {
  const Map<S>& m = work_.maps[buffer];
  const int channels = spec_.buffers[buffer].channels;
  const std::size_t plane = static_cast<std::size_t>(given.height) * given.width;
  T* to = given.gradient + n * channels * plane;
  std::fill_n(to, channels * plane, T(0));
  for (int c = 0; c < channels; ++c, to += plane)
    for (int y = 0; y < m.height; ++y)
      for (int x = 0; x < m.width; ++x) to[plane == 1 ? 0 : y * given.width + x] += static_cast<T>(work_.kernels.widen(m.at(y, x)[c]));
}

template <class S>
void Lane<S>::sweep(const std::vector<Instruction>& list, Operations& operations, bool reversed) {
  for (std::size_t begin = 0, end; begin < list.size(); begin = end) {
    end = begin + 1;
    if (list[begin].sweep == Sweep::maps) {
      operations[begin]->run_map();
      continue;
    }
    while (end < list.size() && list[end].sweep == Sweep::rows) ++end;
    const int height = operations[begin]->height();
    for (int line = 0; line < height; ++line)
      for (std::size_t n = begin; n < end; ++n) operations[n]->run(reversed ? height - 1 - line : line, 0, operations[n]->width());
  }
}

template <class S>
void Lane<S>::begin() {
  for (auto& operation : forward_) operation->begin();
}

template <class S>
void Lane<S>::forward_given() {
  for (Operation<S>* operation : given_) operation->run_map();
}

template <class S>
void Lane<S>::forward_row(int y) {
  for (Operation<S>* operation : row_)
    if (y % operation->apart() == 0) operation->run(y / operation->apart(), 0, operation->width());
}

template <class S>
void Lane<S>::run_at(const std::vector<Operation<S>*>& list, int y, int x) {
  for (Operation<S>* operation : list) {
    const int apart = operation->apart();
    if (apart == 1)
      operation->run(y, x, 1);
    else if (y % apart == 0 && x % apart == 0)
      operation->run(y / apart, x / apart, 1);
  }
}

template <class S>
void Lane<S>::forward_pixel(int y, int x, bool with_late) {
  run_at(with_late ? pixel_ : early_, y, x);
}

template <class S>
void Lane<S>::forward_late(int y, int x) {
  run_at(late_, y, x);
}

template class Lane<float>;
template class Lane<double>;
template class Lane<bfloat16>;

}  // namespace genlab
