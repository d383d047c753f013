#include "program.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "parallel.hpp"

namespace genlab {
namespace {

// A buffer in memory: where pixel (y, x) of the first image begins.
template <class S>
struct Map {
  S* data = nullptr;
  std::ptrdiff_t channel_stride = 0;  // from one image to the next at a position
  std::ptrdiff_t position = 0;        // from one x to the next
  std::ptrdiff_t row = 0;
  int rows = 0;  // remembered; 0: all
  int top = 0, left = 0;

  int slot(int y) const { return rows == 0 ? y + top : ((y % rows) + rows) % rows; }
  S* at(int y, int x) const { return data + slot(y) * row + (x + left) * position; }
  int phases() const { return rows == 0 ? 1 : rows; }
  int phase(int y) const { return rows == 0 ? 0 : y % rows; }
  // The offset of (y + dy, x + dx) seen from (y, x).
  std::ptrdiff_t offset(int y, int dy, int dx) const { return (slot(y + dy) - slot(y)) * row + dx * position; }
};

// The level whose share of the distribution holds u: the number of levels k with P(level <= k) <= u.
template <class S>
int draw(const KernelTable<S>& kernels, const S* parameters, int levels, double u, double temperature, double* scratch) {
  double* const logits = scratch + levels;
  double highest = -std::numeric_limits<double>::infinity();
  for (int k = 0; k < levels; ++k) highest = std::max(highest, logits[k] = kernels.widen(parameters[k]));
  double total = 0;
  for (int k = 0; k < levels; ++k) {
    const double below = logits[k] - highest;
    total += below == 0 ? 1.0 : std::exp(below / temperature);
    scratch[k] = total;
  }
  int level = 0;
  for (int k = 0; k + 1 < levels; ++k) level += scratch[k] <= u * total;
  return level;
}

}  // namespace

double ProgramSpec::multiply_adds_per_image() const {
  double sum = 0;
  for (const Layer& layer : layers) sum += static_cast<double>(std::count_if(layer.mask.begin(), layer.mask.end(), [](auto m) { return m != 0; }));
  return sum * height * width;
}

template <class S>
class Program<S>::Lane {
 public:
  using T = Compute<S>;

  Lane(const Program& program) : program_(program), spec_(program.spec_), kernels_(program.kernels_), maps_(spec_.buffers.size()) {
    memory_.resize(maps_.size());
    std::size_t gradients = 0;
    for (const Instruction& i : spec_.backward)
      if (i.kind == Kind::conv_grad_weight) gradients = spec_.layers.size();
    weight_grads.resize(gradients);
    bias_grads.resize(gradients);
    for (std::size_t l = 0; l < gradients; ++l) {
      const std::size_t padded = round_up(spec_.layers[l].out_channels, kernels_.lanes);
      weight_grads[l].resize(program.gradient_terms_[l].size() * padded);
      bias_grads[l].resize(padded);
    }
    image_is_packed_ = true;
    const auto elementwise = [&](const Instruction& i) {
      return (i.kind != Kind::conv && i.kind != Kind::conv_grad_weight && (i.first == spec_.image || i.second == spec_.image)) ||
             i.residual == spec_.image;
    };
    for (const auto* list : {&spec_.forward, &spec_.backward})
      for (const Instruction& i : *list) image_is_packed_ = image_is_packed_ && !elementwise(i);
  }

  // Lays the buffers out for so many images side by side, all zero.
  void lay_out(int images) {
    if (images != images_) {
      images_ = images;
      for (std::size_t b = 0; b < maps_.size(); ++b) lay_out_buffer(static_cast<int>(b));
      bind_offsets(spec_.forward, forward_offsets_);
      bind_offsets(spec_.backward, backward_offsets_);
    }
  }
  void clear() {
    for (auto& memory : memory_) memory.clear();
  }
  void clear_gradients() {
    for (auto& g : weight_grads) g.clear();
    for (auto& g : bias_grads) g.clear();
  }

  const Map<S>& map(int buffer) const { return maps_[buffer]; }

  // Runs instruction `index` of a list over `positions` columns of row y, from x on.
  void forward(std::size_t index, int y, int x, int positions) const {
    const Instruction& i = spec_.forward[index];
    const int pixels = positions * images_;
    if (i.kind == Kind::conv) {
      run_conv(i, forward_offsets_[index], y, x, pixels);
      return;
    }
    ElementArgs<S> a{};
    const Map<S>& out = maps_[i.out];
    a.first = maps_[i.first].at(y, x);
    a.second = i.second == none ? nullptr : maps_[i.second].at(y, x);
    a.out = out.at(y, x);
    a.count = pixels * out.channel_stride;
    (i.kind == Kind::relu ? kernels_.relu : i.kind == Kind::add ? kernels_.add : kernels_.gate)(a);
  }

  void backward(std::size_t index) {
    const Instruction& i = spec_.backward[index];
    if (i.kind == Kind::conv_grad_weight) {
      run_weight_grad(i, backward_offsets_[index]);
      return;
    }
    for (int y = 0; y < spec_.height; ++y) {
      const int pixels = spec_.width * images_;
      if (i.kind == Kind::conv_grad_input) {
        run_input_grad(i, backward_offsets_[index], y, pixels);
        continue;
      }
      ElementArgs<S> a{};
      const Map<S>& out = maps_[i.out];
      a.first = i.first == none ? nullptr : maps_[i.first].at(y, 0);
      a.second = i.second == none ? nullptr : maps_[i.second].at(y, 0);
      a.grad = maps_[i.grad].at(y, 0);
      a.mask = i.mask == none ? nullptr : maps_[i.mask].at(y, 0);
      a.out = out.at(y, 0);
      a.out2 = i.out2 == none ? nullptr : maps_[i.out2].at(y, 0);
      a.accumulate = i.accumulate;
      a.accumulate2 = i.accumulate2;
      a.count = pixels * out.channel_stride;
      (i.kind == Kind::gate_grad ? kernels_.gate_grad : kernels_.masked_add)(a);
    }
  }

  void set_level(int image, int channel, int y, int x, int level) const {
    const Map<S>& m = maps_[spec_.image];
    m.at(y, x)[image * m.channel_stride + channel] = kernels_.narrow(spec_.scale * level + spec_.shift);
  }

  void load_image(const std::uint8_t* levels) const {
    for (int c = 0; c < spec_.channels; ++c)
      for (int y = 0; y < spec_.height; ++y)
        for (int x = 0; x < spec_.width; ++x) set_level(0, c, y, x, *levels++);
  }

  std::vector<Aligned<T>> weight_grads, bias_grads;

 private:
  using Offsets = std::vector<std::vector<std::int32_t>>;  // [phase of the row][k]

  void lay_out_buffer(int b) {
    const BufferSpec& spec = spec_.buffers[b];
    Map<S>& m = maps_[b];
    const bool packed = b == spec_.image && image_is_packed_;
    m.channel_stride = packed ? round_up(spec.channels, Numbers<S>::group) : round_up(spec.channels, kernels_.lanes);
    m.rows = spec.rows;
    m.top = spec.top;
    std::size_t size = static_cast<std::size_t>(images_) * m.channel_stride;
    if (spec.scratch) {
      m.position = m.row = 0;
      m.left = 0;
      m.rows = 1;
    } else {
      // The zeros right of a row are those left of the next one.
      const int side = std::max(spec.left, spec.right);
      const int rows = spec.rows == 0 ? spec.top + spec_.height + spec.bottom : spec.rows;
      m.left = side;
      m.position = images_ * m.channel_stride;
      m.row = (spec_.width + side) * m.position;
      size = static_cast<std::size_t>(rows) * m.row + side * m.position;
    }
    if (size > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
      throw std::length_error("a map of " + std::to_string(spec.channels) + " channels over " + std::to_string(images_) + " image(s) of " +
                              std::to_string(spec_.height) + " x " + std::to_string(spec_.width) + " pixels is too large for the native walk");
    memory_[b].resize(size);
    memory_[b].clear();
    m.data = memory_[b].get();
  }

  void bind_offsets(const std::vector<Instruction>& list, std::vector<Offsets>& bound) const {
    bound.assign(list.size(), {});
    for (std::size_t n = 0; n < list.size(); ++n) {
      const Instruction& i = list[n];
      if (i.layer == none) continue;
      if (i.kind == Kind::conv_grad_weight) {
        bound[n].push_back(pair_offsets(maps_[i.first], program_.gradient_terms_[i.layer]));
        continue;
      }
      const bool transposed = i.kind == Kind::conv_grad_input;
      const Map<S>& from = maps_[transposed ? i.grad : i.first];
      const std::vector<Term>& terms = transposed ? program_.backward_terms_[i.layer] : program_.forward_terms_[i.layer];
      const int sign = transposed ? -1 : 1;
      bound[n].resize(from.phases());
      for (int phase = 0; phase < from.phases(); ++phase)
        for (const Term& term : terms)
          bound[n][phase].push_back(static_cast<std::int32_t>(from.offset(phase, sign * term.tap.dy, sign * term.tap.dx) + term.channel));
    }
  }

  void run_conv(const Instruction& i, const Offsets& offsets, int y, int x, int pixels) const {
    const Map<S>& in = maps_[i.first];
    const std::vector<std::int32_t>& k = offsets[in.phase(y)];
    ConvArgs<S> a{};
    a.x = in.at(y, x);
    a.x_stride = in.channel_stride;
    a.offsets = k.data();
    a.depth = static_cast<int>(k.size());
    a.weight = program_.forward_weights_[i.layer].get();
    a.bias = program_.biases_[i.layer].get();
    a.channels = round_up(spec_.layers[i.layer].out_channels, kernels_.lanes);
    a.pixels = pixels;
    if (i.residual != none) {
      a.residual = maps_[i.residual].at(y, x);
      a.residual_stride = maps_[i.residual].channel_stride;
    }
    if (i.out != none) {
      a.out = maps_[i.out].at(y, x);
      a.out_stride = maps_[i.out].channel_stride;
    }
    if (i.act != none) {
      a.act = maps_[i.act].at(y, x);
      a.act_stride = maps_[i.act].channel_stride;
    }
    kernels_.conv(a);
  }

  void run_input_grad(const Instruction& i, const Offsets& offsets, int y, int pixels) const {
    const Map<S>& grad = maps_[i.grad];
    const Map<S>& out = maps_[i.out];
    ConvArgs<S> a{};
    a.x = grad.at(y, 0);
    a.x_stride = grad.channel_stride;
    a.offsets = offsets[0].data();
    a.depth = static_cast<int>(offsets[0].size());
    a.weight = program_.backward_weights_[i.layer].get();
    a.channels = round_up(spec_.layers[i.layer].in_channels, kernels_.lanes);
    a.pixels = pixels;
    a.out = out.at(y, 0);
    a.out_stride = out.channel_stride;
    if (i.mask != none) {
      a.mask = maps_[i.mask].at(y, 0);
      a.mask_stride = maps_[i.mask].channel_stride;
    }
    a.accumulate = i.accumulate;
    kernels_.conv(a);
  }

  // The weight gradient sums over pixels. Where the processor multiplies two values at once (bfloat16), those are two neighbouring
  // pixels' values of one channel: each row is copied as pairs (0, 1), (2, 3) … and, for taps at odd distances, (1, 2), (3, 4) …
  static constexpr bool in_pairs = Numbers<S>::group == 2;

  int pairs_in_row(const Map<S>& map) const { return (spec_.width + 2 * map.left) / 2 + 1; }

  // Offsets of the terms seen from the pixel (or pair of pixels) whose gradient they are multiplied by.
  std::vector<std::int32_t> pair_offsets(const Map<S>& from, const std::vector<Term>& terms) const {
    std::vector<std::int32_t> offsets;
    for (const Term& term : terms) {
      std::ptrdiff_t offset = from.offset(0, term.tap.dy, term.tap.dx);
      if (in_pairs) {
        const int at = from.left + term.tap.dx;  // position in the row of the first pixel's neighbour
        const std::ptrdiff_t row = 2 * static_cast<std::ptrdiff_t>(pairs_in_row(from)) * from.channel_stride;
        offset = term.tap.dy * row + (at % 2 * pairs_in_row(from) + at / 2) * from.channel_stride;
      }
      offsets.push_back(static_cast<std::int32_t>(offset + term.channel));
    }
    return offsets;
  }

  // Rows [−top, height) of a map as pairs, even ones and then odd ones; returns row 0.
  Pair<S>* as_pairs(const Map<S>& map, bool even, bool odd, int top, Aligned<Pair<S>>& to) {
    const int pairs = pairs_in_row(map), positions = spec_.width + 2 * map.left;
    const std::ptrdiff_t half = static_cast<std::ptrdiff_t>(pairs) * map.channel_stride, row = 2 * half;
    to.resize((top + spec_.height) * row);
    const int channels = static_cast<int>(map.channel_stride);
    for (int y = -top; y < spec_.height; ++y)
      for (int parity = 0; parity < 2; ++parity) {
        if (!(parity == 0 ? even : odd)) continue;
        kernels_.interleave(map.at(y, -map.left), positions, channels, parity, pairs, to.get() + (y + top) * row + parity * half);
      }
    return to.get() + top * row;
  }

  void run_weight_grad(const Instruction& i, const Offsets& offsets) {
    const Map<S>& in = maps_[i.first];
    const Map<S>& grad = maps_[i.grad];
    WeightGradArgs<S> a{};
    a.offsets = offsets[0].data();
    a.depth = static_cast<int>(offsets[0].size());
    a.x_stride = in.channel_stride;
    a.grad_stride = grad.channel_stride;
    a.channels = round_up(spec_.layers[i.layer].out_channels, kernels_.lanes);
    a.rows = spec_.height;
    a.weight_grad = weight_grads[i.layer].get();
    a.bias_grad = bias_grads[i.layer].get();
    if constexpr (in_pairs) {
      bool even = false, odd = false;
      int top = 0;
      for (const Tap& tap : spec_.layers[i.layer].taps) {
        ((in.left + tap.dx) % 2 == 0 ? even : odd) = true;
        top = std::max(top, -tap.dy);
      }
      a.x = as_pairs(in, even, odd, top, x_pairs_);
      a.x_row = 2 * static_cast<std::ptrdiff_t>(pairs_in_row(in)) * in.channel_stride;
      // The gradient's own pairs begin at x = 0; a border of zeros follows the last pixel of an odd row.
      const bool border_is_odd = grad.left % 2 != 0;
      const Pair<S>* const pairs = as_pairs(grad, !border_is_odd, border_is_odd, 0, grad_pairs_);
      a.grad_row = 2 * static_cast<std::ptrdiff_t>(pairs_in_row(grad)) * grad.channel_stride;
      a.grad = pairs + ((border_is_odd ? pairs_in_row(grad) : 0) + grad.left / 2) * grad.channel_stride;
      a.pixels = (spec_.width + 1) / 2;
    } else {
      a.x = in.at(0, 0);
      a.x_row = in.row;
      a.grad = grad.at(0, 0);
      a.grad_row = grad.row;
      a.pixels = spec_.width * images_;
    }
    kernels_.weight_grad(a);
  }

  Aligned<Pair<S>> x_pairs_, grad_pairs_;
  const Program& program_;
  const ProgramSpec& spec_;
  const KernelTable<S>& kernels_;
  std::vector<Map<S>> maps_;
  std::vector<Aligned<S>> memory_;
  std::vector<Offsets> forward_offsets_, backward_offsets_;
  int images_ = 0;
  bool image_is_packed_ = true;  // no padding between its pixels: only convolutions read it
};

template <class S>
Program<S>::Program(ProgramSpec spec, const KernelTable<S>& kernels) : spec_(std::move(spec)), kernels_(kernels) {
  for (const Layer& layer : spec_.layers) {
    constexpr int group = Numbers<S>::group;
    gradient_terms_.push_back(forward_terms(layer));
    forward_terms_.push_back(grouped(gradient_terms_.back(), group));
    backward_terms_.push_back(grouped(backward_terms(layer), group));
    const std::size_t padded = round_up(layer.out_channels, kernels_.lanes);
    forward_weights_.emplace_back(forward_terms_.back().size() * group * padded);
    biases_.emplace_back(padded);
    const std::size_t padded_in = round_up(layer.in_channels, kernels_.lanes);
    backward_weights_.emplace_back(spec_.backward.empty() ? 0 : backward_terms_.back().size() * group * padded_in);
  }
}

template <class S>
Program<S>::~Program() = default;

template <class S>
void Program<S>::pack(const Parameters<T>& parameters, int threads) {
  const int layers = static_cast<int>(spec_.layers.size());
  parallel(threads, [&](int thread) {
    for (int l = thread; l < layers; l += threads) {
      const Layer& layer = spec_.layers[l];
      pack_forward<S>(layer, forward_terms_[l], parameters.weights[l], kernels_, forward_weights_[l].get());
      if (!spec_.backward.empty()) pack_backward<S>(layer, backward_terms_[l], parameters.weights[l], kernels_, backward_weights_[l].get());
      std::copy_n(parameters.biases[l], layer.out_channels, biases_[l].get());
    }
  });
}

template <class S>
void Program<S>::prepare_lanes(int threads, int images) {
  while (static_cast<int>(lanes_.size()) < threads) lanes_.push_back(std::make_unique<Lane>(*this));
  for (int t = 0; t < threads; ++t) lanes_[t]->lay_out(images);
}

template <class S>
double Program<S>::forward_image(Lane& lane, const std::uint8_t* image, T scale) const {
  lane.load_image(image);
  for (std::size_t i = 0; i < spec_.forward.size(); ++i)
    for (int y = 0; y < spec_.height; ++y) lane.forward(i, y, 0, spec_.width);
  double nats = 0;
  for (int y = 0; y < spec_.height; ++y)
    for (int x = 0; x < spec_.width; ++x) {
      const S* const logits = lane.map(spec_.output).at(y, x);
      S* const grad = scale == 0 ? nullptr : lane.map(spec_.output_grad).at(y, x);
      for (int c = 0; c < spec_.channels; ++c) {
        const int first = c * spec_.levels, level = image[(c * spec_.height + y) * spec_.width + x];
        nats += kernels_.softmax({logits + first, spec_.levels, level, scale, grad ? grad + first : nullptr});
      }
    }
  return nats;
}

template <class S>
void Program<S>::score(const Parameters<T>& parameters, const std::uint8_t* levels, int images, double* nats, T* map) {
  const std::lock_guard<std::mutex> lock(one_at_a_time_);
  const int threads = threads_for(images, images * spec_.multiply_adds_per_image());
  pack(parameters, threads);
  prepare_lanes(threads, 1);
  const std::size_t values = spec_.channels * pixels();
  const int channels = spec_.buffers[spec_.output].channels;
  parallel(threads, [&](int thread) {
    Lane& lane = *lanes_[thread];
    const Share share = share_of(images, thread, threads);
    for (int n = share.begin; n < share.end; ++n) {
      nats[n] = forward_image(lane, levels + n * values, 0);
      if (!map) continue;
      T* to = map + n * pixels() * channels;
      for (int y = 0; y < spec_.height; ++y)
        for (int x = 0; x < spec_.width; ++x)
          for (int c = 0; c < channels; ++c) *to++ = static_cast<T>(kernels_.widen(lane.map(spec_.output).at(y, x)[c]));
    }
  });
}

template <class S>
void Program<S>::train(const Parameters<T>& parameters, const std::uint8_t* levels, int images, double* nats, const std::vector<T*>& weight_grads,
                       const std::vector<T*>& bias_grads) {
  const std::lock_guard<std::mutex> lock(one_at_a_time_);
  const int threads = threads_for(images, 3 * images * spec_.multiply_adds_per_image());
  pack(parameters, threads);
  prepare_lanes(threads, 1);
  parallel(threads, [&](int thread) {
    Lane& lane = *lanes_[thread];
    lane.clear_gradients();
    const Share share = share_of(images, thread, threads);
    for (int n = share.begin; n < share.end; ++n) {
      nats[n] = forward_image(lane, levels + n * spec_.channels * pixels(), T(1) / images);
      for (std::size_t i = 0; i < spec_.backward.size(); ++i) lane.backward(i);
    }
  });
  // Threads are added up in their order: for a given number of threads the result is the same to the last bit.
  const int layers = static_cast<int>(spec_.layers.size());
  parallel(threads, [&](int thread) {
    for (int l = thread; l < layers; l += threads) {
      std::vector<const T*> parts;
      for (int t = 0; t < threads; ++t) parts.push_back(lanes_[t]->weight_grads[l].get());
      unpack_gradient<T>(spec_.layers[l], gradient_terms_[l], parts, kernels_.lanes, weight_grads[l]);
      for (int c = 0; c < spec_.layers[l].out_channels; ++c) {
        T sum = 0;
        for (int t = 0; t < threads; ++t) sum += lanes_[t]->bias_grads[l].get()[c];
        bias_grads[l][c] = sum;
      }
    }
  });
}

template <class S>
void Program<S>::sample(const Parameters<T>& parameters, std::uint8_t* levels, const std::uint8_t* known, const double* uniforms, int images,
                        double temperature, T* map, const Progress& progress) {
  const std::lock_guard<std::mutex> lock(one_at_a_time_);
  constexpr int widest_tile = 32;  // images side by side: enough to fill register tiles, few enough for their rows to stay in cache
  const int threads = threads_for(images, images * spec_.multiply_adds_per_image());
  const int rounds = (images + threads * widest_tile - 1) / (threads * widest_tile);
  const int tiles = std::min(images, threads * rounds);
  pack(parameters, threads);
  prepare_lanes(threads, tiles == 0 ? 1 : (images + tiles - 1) / tiles);
  const std::size_t values = spec_.channels * pixels();
  const int channels = spec_.buffers[spec_.output].channels;
  const int total = rounds * spec_.height;
  std::vector<std::atomic<int>> rows_done(threads);  // by each thread, over all its tiles
  int reported = 0;
  std::atomic<bool> stopped{false};
  const auto report = [&](int rows) {
    if (!progress || rows == reported) return;
    reported = rows;
    try {
      progress(rows, total);
    } catch (...) {
      stopped = true;
      throw;
    }
  };
  const auto run_phase = [&](const Lane& lane, Phase phase, int y, int x, int positions) {
    for (std::size_t i = 0; i < spec_.forward.size(); ++i) {
      // With several image channels every pixel node runs before each channel's draw, those that see their own pixel too.
      const bool due = spec_.forward[i].phase == phase || (phase == Phase::pixel && spec_.channels > 1 && spec_.forward[i].phase == Phase::late);
      if (due) lane.forward(i, y, x, positions);
    }
  };
  const auto draw_tile = [&](Lane& lane, int thread, int begin, int count) {
    lane.lay_out(count);
    lane.clear();
    std::vector<double> scratch(2 * spec_.levels);
    for (int y = 0; y < spec_.height; ++y) {
      run_phase(lane, Phase::row, y, 0, spec_.width);
      for (int x = 0; x < spec_.width; ++x) {
        for (int c = 0; c < spec_.channels; ++c) {
          run_phase(lane, Phase::pixel, y, x, 1);
          const Map<S>& output = lane.map(spec_.output);
          for (int i = 0; i < count; ++i) {
            const std::size_t at = (begin + i) * values + (static_cast<std::size_t>(c) * spec_.height + y) * spec_.width + x;
            if (!known[at]) {
              const double u = uniforms[(begin + i) * values + (static_cast<std::size_t>(y) * spec_.width + x) * spec_.channels + c];
              const S* logits = output.at(y, x) + i * output.channel_stride + c * spec_.levels;
              levels[at] = static_cast<std::uint8_t>(draw(kernels_, logits, spec_.levels, u, temperature, scratch.data()));
            }
            if (map) {
              T* const to = map + ((begin + i) * pixels() + static_cast<std::size_t>(y) * spec_.width + x) * channels;
              const S* const from = output.at(y, x) + i * output.channel_stride;
              for (int k = c * spec_.levels; k < (c + 1) * spec_.levels; ++k) to[k] = static_cast<T>(kernels_.widen(from[k]));
            }
            lane.set_level(i, c, y, x, levels[at]);
          }
        }
        run_phase(lane, Phase::late, y, x, 1);
      }
      ++rows_done[thread];
      if (thread == 0) report(*std::min_element(rows_done.begin(), rows_done.end()));
      if (stopped) return;
    }
  };
  parallel(threads, [&](int thread) {
    for (int t = thread; t < tiles && !stopped; t += threads) {
      const Share share = share_of(images, t, tiles);
      draw_tile(*lanes_[thread], thread, share.begin, share.end - share.begin);
    }
  });
  report(total);
}

template class Program<float>;
template class Program<double>;
template class Program<bfloat16>;

}  // namespace genlab
