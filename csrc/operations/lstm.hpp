// A long short-term memory that walks over the image, line by line (csrc/operations/lines.hpp):
//
//     a = first + layer(state at its taps);   i, f, o, g = σ(a₁), σ(a₂), σ(a₃), tanh(a₄)
//     cell = f · cell(at the layer's tap) + i · g;   state = out = o · tanh(cell)
//
// Beyond the border state and cell are the initial ones, which the layer's bias holds: so they lie in maps of their own, and `out`, which
// others read, has a border of zeros. Backwards the same lines in reverse order:
//
//     h' = grad + layerᵀ(out at the mirrored taps);   out = ∂/∂a;   carry = ∂/∂cell(at the layer's tap)
//
// and at the end the gradients of the layer's weight, as one product over the whole image, and of the initial states.
#pragma once

#include "conv.hpp"
#include "lines.hpp"
#include "operation.hpp"

namespace genlab {

inline const Form lstm_form{"lstm",
                            false,
                            true,
                            false,
                            false,
                            {{first, Port::reads, Port::layer_out, true},
                             {out, Port::writes, Port::layer_in, true},
                             {state, Port::recurs_at_taps, Port::layer_in, true},
                             {cell, Port::recurs_at_taps, Port::layer_in, true},
                             {gates, Port::writes, Port::layer_out, false}},
                            false,
                            true};

template <class S>
class Lstm final : public Operation<S> {
 public:
  Lstm(const Instruction& i, Workspace<S>& w)
      : Operation<S>(i, w, out),
        layer_(w.layers.layer(i.layer)),
        packed_(w.layers[i.layer].forward[0]),
        bias_(w.layers[i.layer].bias.get()),
        lines_(layer_, this->height_, this->width_) {
    const Map<S>& own = this->map(state);
    for (int phase = 0; phase < own.phases(); ++phase) offsets_.push_back(own.offsets(packed_.terms, phase));
    sums_step_ = static_cast<int>(w.layers.padded_outputs(i.layer));
    if (!i.has(gates)) sums_.resize(static_cast<std::size_t>(std::max(lines_.longest(), w.images)) * sums_step_);
    initial_.resize(own.channel_stride);
  }

  void begin() override {
    fill_border(this->map(state), bias_);
    fill_border(this->map(cell), bias_ + layer_.in_channels);
  }

  void run_map() override {
    begin();
    if (this->w_.images == 1)
      for (const Line& line : lines_.all()) run_line(line, lines_.step());
    else
      for (int y = 0; y < this->height_; ++y) run(y, 0, this->width_);
  }

  void run(int y, int x, int positions) override {
    if (this->w_.images == 1 && lines_.are_rows()) return run_line({y, x, positions}, lines_.step());
    for (int p = 0; p < positions; ++p) run_line({y, layer_.leftward ? x + positions - 1 - p : x + p, this->w_.images}, {0, 0, true});
  }

 private:
  void run_line(const Line& line, const Step& step) {
    const int y = line.y, x = line.x;
    const Map<S>&own = this->map(state), &sums = this->map(first), &cells = this->map(cell);
    const bool kept = this->i_.has(gates);
    ConvArgs<S> a{};
    a.x = own.at(y, x);
    a.x_stride = step.of(own);
    a.offsets = offsets_[own.phase(y)].data();
    a.depth = static_cast<int>(packed_.terms.size());
    a.weight = packed_.weight.get();
    a.channels = sums_step_;
    a.pixels = line.pixels;
    a.residual = sums.at(y, x);
    a.residual_stride = step.of(sums);
    a.out = kept ? this->at(gates, y, x) : sums_.get();
    a.out_stride = kept ? step.of(this->map(gates)) : sums_step_;
    this->w_.kernels.conv(a);
    LstmArgs<S> l{};
    l.sums = a.out;
    l.gates = kept ? a.out : nullptr;
    l.sums_step = a.out_stride;
    l.before = cells.at(y + layer_.cell.dy, x + layer_.cell.dx);
    l.cell = cells.at(y, x);
    l.cell_step = step.of(cells);
    l.state = own.at(y, x);
    l.state_step = a.x_stride;
    l.out = this->at(out, y, x);
    l.out_step = step.of(this->map(out));
    l.channels = layer_.in_channels;
    l.pixels = line.pixels;
    this->w_.kernels.lstm(l);
  }

  // What lies outside the image; of a ring of rows everything, for there the border of one row is another's place.
  void fill_border(const Map<S>& map, const Compute<S>* values) {
    for (int c = 0; c < layer_.in_channels; ++c) initial_[c] = static_cast<S>(this->w_.kernels.narrow(values[c]));
    const bool ring = map.rows != 0;
    for (int y = ring ? 0 : -map.top; y < (ring ? map.rows : map.height); ++y)
      for (int x = -map.left; x < map.width + map.left; ++x) {
        if (!ring && y >= 0 && x == 0) x = map.width;
        for (int n = 0; n < this->w_.images; ++n) std::copy(initial_.begin(), initial_.end(), map.at(y, x) + n * map.channel_stride);
      }
  }

  const Layer& layer_;
  const typename Layers<S>::Part& packed_;  // of the one phase that there is
  const Compute<S>* bias_;
  const Lines lines_;
  std::vector<std::vector<std::int32_t>> offsets_;  // [phase of the row][k]
  Aligned<S> sums_;                                 // of a line, where they are not kept
  int sums_step_;
  std::vector<S> initial_;  // a pixel
};

inline const Form lstm_grad_form{"lstm_grad",
                                 true,
                                 true,
                                 false,
                                 false,
                                 {{grad, Port::reads, Port::layer_in, true},
                                  {gates, Port::reads, Port::layer_out, true},
                                  {cell, Port::reads_at_taps, Port::layer_in, true},
                                  {out, Port::recurs_at_mirrored_taps, Port::layer_out, true},
                                  {carry, Port::recurs_at_mirrored_taps, Port::layer_in, true}},
                                 false,
                                 true};

template <class S>
class LstmGrad final : public Operation<S> {
 public:
  LstmGrad(const Instruction& i, Workspace<S>& w)
      : Operation<S>(i, w, out),
        layer_(w.layers.layer(i.layer)),
        packed_(w.layers[i.layer].backward[0]),
        lines_(layer_, this->height_, this->width_) {
    offsets_ = this->map(out).offsets(packed_.terms);
    hidden_step_ = round_up(layer_.in_channels, w.kernels.lanes);
    hidden_.resize(static_cast<std::size_t>(lines_.longest()) * hidden_step_);
  }
  void run(int, int, int) override {}  // never by rows: see its form
  void run_map() override {
    const auto& lines = lines_.all();
    for (auto line = lines.rbegin(); line != lines.rend(); ++line) run_line(*line);
  }

 private:
  void run_line(const Line& line) {
    const int y = line.y, x = line.x;
    const Step& step = lines_.step();
    const Map<S>&sums = this->map(out), &cells = this->map(cell), &carried = this->map(carry);
    ConvArgs<S> a{};
    a.x = sums.at(y, x);
    a.x_stride = step.of(sums);
    a.offsets = offsets_.data();
    a.depth = static_cast<int>(offsets_.size());
    a.weight = packed_.weight.get();
    a.channels = hidden_step_;
    a.pixels = line.pixels;
    a.residual = this->at(grad, y, x);
    a.residual_stride = step.of(this->map(grad));
    a.out = hidden_.get();
    a.out_stride = hidden_step_;
    this->w_.kernels.conv(a);
    LstmGradArgs<S> l{};
    l.gates = this->at(gates, y, x);
    l.gates_step = step.of(this->map(gates));
    l.cell = cells.at(y, x);
    l.before = cells.at(y + layer_.cell.dy, x + layer_.cell.dx);
    l.cell_step = step.of(cells);
    l.hidden = hidden_.get();
    l.hidden_step = hidden_step_;
    l.later = carried.at(y - layer_.cell.dy, x - layer_.cell.dx);
    l.carry = carried.at(y, x);
    l.carry_step = step.of(carried);
    l.sums = sums.at(y, x);
    l.sums_step = a.x_stride;
    l.channels = layer_.in_channels;
    l.pixels = line.pixels;
    this->w_.kernels.lstm_grad(l);
  }

  const Layer& layer_;
  const typename Layers<S>::Part& packed_;
  const Lines lines_;
  std::vector<std::int32_t> offsets_;
  Aligned<S> hidden_;  // of a line
  int hidden_step_;
};

// The weight's gradient += first ⊗ grad, and those of the initial states: what pixels at the border hand on beyond it.
inline const Form lstm_grad_weight_form{
    "lstm_grad_weight",
    true,
    true,
    false,
    false,
    {{first, Port::reads_at_taps, Port::layer_in, true}, {grad, Port::reads, Port::layer_out, true}, {carry, Port::reads, Port::layer_in, true}},
    false,
    true};

template <class S>
class LstmGradWeight final : public ConvGradWeight<S> {
 public:
  LstmGradWeight(const Instruction& i, Workspace<S>& w)
      : ConvGradWeight<S>(i, w, false),
        layer_(w.layers.layer(i.layer)),
        packed_(w.layers[i.layer].backward[0]),
        step_(w.layers.padded_outputs(i.layer)) {
    for (const Term& term : packed_.terms) {
      const auto is_its = [&](const Tap& tap) { return tap.dy == term.tap.dy && tap.dx == term.tap.dx; };
      const auto tap = std::find_if(layer_.taps.begin(), layer_.taps.end(), is_its) - layer_.taps.begin();
      offsets_.push_back(static_cast<std::int32_t>(tap * step_ + term.channel));
    }
    outside_.resize(layer_.taps.size() * step_);
    state_.resize(round_up(layer_.in_channels, w.kernels.lanes));
  }

  void run_map() override {
    ConvGradWeight<S>::run_map();
    S* to = outside_.get();
    for (const Tap& tap : layer_.taps) {
      sum_outside(tap, this->map(grad), to);
      to += step_;
    }
    ConvArgs<S> a{};
    a.x = outside_.get();
    a.offsets = offsets_.data();
    a.depth = static_cast<int>(offsets_.size());
    a.weight = packed_.weight.get();
    a.channels = round_up(layer_.in_channels, this->w_.kernels.lanes);
    a.pixels = 1;
    a.out = state_.get();
    this->w_.kernels.conv(a);
    add_state(0);
    sum_outside(layer_.cell, this->map(carry), state_.get());
    add_state(layer_.in_channels);
  }

 private:
  // Σ of a map over the pixels whose tap leads out of the image: the first rows, and of the others the first or last columns.
  void sum_outside(const Tap& tap, const Map<S>& from, S* to) {
    const int rows = std::min(-tap.dy, this->height_), columns = std::min(std::abs(tap.dx), this->width_);
    PixelSumArgs<S> a{};
    a.grad_stride = from.position;
    a.grad_row = from.row;
    a.channels = static_cast<int>(from.channel_stride);
    a.out = to;
    a.grad = from.at(0, 0);
    a.rows = rows;
    a.pixels = this->width_;
    this->w_.kernels.pixel_sum(a);
    a.grad = from.at(rows, tap.dx < 0 ? 0 : this->width_ - columns);
    a.rows = this->height_ - rows;
    a.pixels = columns;
    a.accumulate = true;
    this->w_.kernels.pixel_sum(a);
  }

  void add_state(int at) {
    Compute<S>* const bias = this->w_.bias_grads[this->i_.layer].get() + at;
    for (int c = 0; c < layer_.in_channels; ++c) bias[c] += static_cast<Compute<S>>(this->w_.kernels.widen(state_.get()[c]));
  }

  const Layer& layer_;
  const typename Layers<S>::Part& packed_;
  std::ptrdiff_t step_;
  std::vector<std::int32_t> offsets_;
  Aligned<S> outside_;  // [tap][channel]
  Aligned<S> state_;
};

}  // namespace genlab
