// Convolution: sum = layer(first) + residual; out = sum (if wanted); act = max(0, sum) (if wanted). And the ways back, to the input and to
// the weights.
#pragma once

#include "operation.hpp"

namespace genlab {

inline const Form conv_form{"conv",
                            false,
                            true,
                            true,
                            false,
                            {{first, Port::reads_at_taps, Port::layer_in, true},
                             {residual, Port::reads, Port::layer_out, false},
                             {out, Port::writes, Port::layer_out, false},
                             {act, Port::writes, Port::layer_out, false}}};

// A convolution's register tile over pixels of one step: from a map `down` times as fine or `up` times as coarse as what is computed. Going
// up, the pixels of a phase (y % up, x % up) have the same taps and lie `up` apart; so each phase is a convolution of its own. The gradient
// to the input of a layer that goes down is such a one that goes up, and the reverse.
template <class S>
class Tiles : public Operation<S> {
 public:
  void run(int y, int x, int positions) override {
    if (one_by_one_ && positions > 1) {
      for (int p = 0; p < positions; ++p) run(y, x + p, 1);
      return;
    }
    for (int q = 0; q < up_ && q < positions; ++q) run_phase(y, x + q, (positions - q + up_ - 1) / up_);
  }

 protected:
  using Part = typename Layers<S>::Part;

  Tiles(const Instruction& i, Workspace<S>& w, Slot domain, Slot source, const std::vector<Part>& parts, int down, int up)
      : Operation<S>(i, w, domain), source_(source), parts_(parts), down_(down), up_(up) {
    const Map<S>& in = this->map(source);
    for (const Part& part : parts)
      for (int phase = 0; phase < in.phases(); ++phase) offsets_.push_back(in.offsets(part.terms, phase));
    // No one stride leads from image to image and from pixel to pixel.
    one_by_one_ = w.images > 1 && (this->mixed_ || down > 1 || up > 1);
    a_.x_stride = step(source, down);
    if (i.has(residual)) a_.residual_stride = step(residual, up);
    if (i.has(mask)) a_.mask_stride = step(mask, up);
    if (i.has(out)) a_.out_stride = step(out, up);
    if (i.has(act)) a_.act_stride = step(act, up);
    a_.accumulate = i.accumulate;
  }

  ConvArgs<S> a_{};  // all that is the same for every pixel

 private:
  std::ptrdiff_t step(Slot slot, int pixels) const { return this->stride(slot) * (one_by_one_ ? 1 : pixels); }

  void run_phase(int y, int x, int count) {
    const Map<S>& in = this->map(source_);
    const int row = y * down_ / up_, column = x * down_ / up_;
    const int phase = y % up_ * up_ + x % up_;
    ConvArgs<S> a = a_;
    a.x = in.at(row, column);
    a.offsets = offsets_[phase * in.phases() + in.phase(row)].data();
    a.depth = static_cast<int>(parts_[phase].terms.size());
    a.weight = parts_[phase].weight.get();
    a.pixels = count * this->w_.images;
    a.residual = this->at(residual, y, x);
    a.mask = this->at(mask, y, x);
    a.out = this->at(out, y, x);
    a.act = this->at(act, y, x);
    this->w_.kernels.conv(a);
  }

  Slot source_;
  const std::vector<Part>& parts_;  // a part for each phase of its pixels
  int down_, up_;
  std::vector<std::vector<std::int32_t>> offsets_;  // [phase of the pixel, phase of the row in a ring of them][k]
  bool one_by_one_;
};

template <class S>
class Conv final : public Tiles<S> {
 public:
  Conv(const Instruction& i, Workspace<S>& w)
      : Tiles<S>(i, w, i.has(out) ? out : act, first, w.layers[i.layer].forward, w.layers.layer(i.layer).down, w.layers.layer(i.layer).up) {
    this->a_.bias = w.layers[i.layer].bias.get();
    this->a_.channels = static_cast<int>(w.layers.padded_outputs(i.layer));
  }
};

// out (+)= layerᵀ(grad), where mask > 0
inline const Form conv_grad_input_form{"conv_grad_input",
                                       true,
                                       true,
                                       true,
                                       true,
                                       {{grad, Port::reads_at_mirrored_taps, Port::layer_out, true},
                                        {mask, Port::reads, Port::layer_in, false},
                                        {out, Port::writes, Port::layer_in, true}}};

template <class S>
class ConvGradInput final : public Tiles<S> {
 public:
  ConvGradInput(const Instruction& i, Workspace<S>& w)
      : Tiles<S>(i, w, out, grad, w.layers[i.layer].backward, w.layers.layer(i.layer).up, w.layers.layer(i.layer).down) {
    this->a_.channels = round_up(w.layers.layer(i.layer).in_channels, w.kernels.lanes);
  }
};

// The layer's weight and bias gradient += first ⊗ grad, summed over all pixels at once.
inline const Form conv_grad_weight_form{
    "conv_grad_weight", true, true, false, false, {{first, Port::reads_at_taps, Port::layer_in, true}, {grad, Port::reads, Port::layer_out, true}}};

template <class S>
class ConvGradWeight : public Operation<S> {
 public:
  ConvGradWeight(const Instruction& i, Workspace<S>& w, bool with_bias = true)
      : Operation<S>(i, w, grad), layer_(w.layers.layer(i.layer)), with_bias_(with_bias) {
    const auto& terms = w.layers[i.layer].gradient_terms;
    offsets_ = in_pairs ? pair_offsets(terms) : this->map(first).offsets(terms);
    needed_.resize(2 * layer_.down);
    for (const Term& term : terms) {
      const int left = this->map(first).left + term.at.dx;
      needed_[left % layer_.down * 2 + left / layer_.down % 2] = true;
      top_ = std::max(top_, -term.at.dy);
      bottom_ = std::max(bottom_, term.at.dy);
    }
    for (int phase = 0; phase < layer_.up * layer_.up; ++phase) depth_.push_back(static_cast<int>(forward_terms(layer_, phase).size()));
  }
  void run(int, int, int) override {}  // never by rows: see its form
  // The gradient's pixels of one phase after another, each with the terms that serve it.
  void run_map() override {
    const Map<S>& in = this->map(first);
    Workspace<S>& w = this->w_;
    WeightGradArgs<S> a{};
    a.offsets = offsets_.data();
    a.channels = static_cast<int>(w.layers.padded_outputs(this->i_.layer));
    a.weight_grad = w.weight_grads[this->i_.layer].get();
    a.bias_grad = with_bias_ ? w.bias_grads[this->i_.layer].get() : nullptr;
    if constexpr (in_pairs) {
      a.x = as_pairs(in, w.x_pairs);
      a.x_stride = in.channel_stride;
      a.x_row = layer_.down * pairs_of_row(in);
    } else {
      a.x = in.at(0, 0);
      a.x_stride = layer_.down * in.channel_stride;
      a.x_row = layer_.down * in.row;
    }
    const int up = layer_.up;
    for (int phase = 0; phase < up * up; ++phase) {
      const int y = phase / up, x = phase % up;
      a.depth = depth_[phase];
      a.rows = (this->height_ - y + up - 1) / up;
      a.pixels = (this->width_ - x + up - 1) / up;
      if (a.rows > 0 && a.pixels > 0) {
        take_gradient(a, y, x);
        w.kernels.weight_grad(a);
      }
      a.offsets += a.depth;
      a.weight_grad += static_cast<std::ptrdiff_t>(a.depth) * a.channels;
    }
  }

 private:
  // The weight gradient sums over pixels. Where the processor multiplies two values at once (bfloat16), those are two neighbouring
  // pixels' values of one channel: each row is copied as pairs (0, 1), (2, 3) … and, for taps at odd distances, (1, 2), (3, 4) …
  // Neighbours are pixels that the sum goes through one after the other: `down` of the input's, `up` of the gradient's apart.
  static constexpr bool in_pairs = Numbers<S>::group == 2;

  void take_gradient(WeightGradArgs<S>& a, int y, int x) const {
    const Map<S>& gradient = this->map(grad);
    const std::ptrdiff_t step = layer_.up * gradient.channel_stride;
    if constexpr (in_pairs) {
      Aligned<Pair<S>>& to = this->w_.grad_pairs;
      const int pairs = (a.pixels + 1) / 2;
      a.grad_stride = gradient.channel_stride;
      a.grad_row = pairs * gradient.channel_stride;
      to.resize(static_cast<std::size_t>(a.rows * a.grad_row));
      for (int row = 0; row < a.rows; ++row)
        this->w_.kernels.interleave(gradient.at(y + layer_.up * row, x), a.pixels, step, static_cast<int>(gradient.channel_stride), 0, pairs,
                                    to.get() + row * a.grad_row);
      a.grad = to.get();
      a.pixels = pairs;
      this->w_.grad_turned.resize(static_cast<std::size_t>(a.rows) * turned_pairs(pairs) * a.channels);
      a.turned = this->w_.grad_turned.get();
    } else {
      a.grad = gradient.at(y, x);
      a.grad_stride = step;
      a.grad_row = layer_.up * gradient.row;
    }
  }

  // Pixels of a row with its borders that lie `down` apart, from the first on: there are as many, or one fewer, from the next ones on.
  int line(const Map<S>& map) const { return (map.width + 2 * map.left + layer_.down - 1) / layer_.down; }
  int pairs_of_line(const Map<S>& map) const { return line(map) / 2 + 1; }
  std::ptrdiff_t pairs_of_row(const Map<S>& map) const {
    return 2 * static_cast<std::ptrdiff_t>(layer_.down) * pairs_of_line(map) * map.channel_stride;
  }

  std::vector<std::int32_t> pair_offsets(const std::vector<Term>& terms) const {
    const Map<S>& from = this->map(first);
    std::vector<std::int32_t> offsets;
    for (const Term& term : terms) {
      const int left = from.left + term.at.dx, pixel = left / layer_.down;
      const std::ptrdiff_t line = left % layer_.down * 2 + pixel % 2;
      offsets.push_back(
          static_cast<std::int32_t>(term.at.dy * pairs_of_row(from) + (line * pairs_of_line(from) + pixel / 2) * from.channel_stride + term.channel));
    }
    return offsets;
  }

  // Rows [−top, height + bottom) of the input as pairs: of each row the lines that are needed, even pairs and then odd ones; returns row 0.
  Pair<S>* as_pairs(const Map<S>& map, Aligned<Pair<S>>& to) const {
    const int pairs = pairs_of_line(map), down = layer_.down, channels = static_cast<int>(map.channel_stride);
    const std::ptrdiff_t row = pairs_of_row(map);
    to.resize(static_cast<std::size_t>((top_ + map.height + bottom_) * row));
    for (int y = -top_; y < map.height + bottom_; ++y)
      for (int n = 0; n < 2 * down; ++n) {
        if (!needed_[n]) continue;
        const int begin = n / 2, positions = (map.width + 2 * map.left - begin + down - 1) / down;
        this->w_.kernels.interleave(map.at(y, begin - map.left), positions, down * map.channel_stride, channels, n % 2, pairs,
                                    to.get() + (y + top_) * row + n * pairs * map.channel_stride);
      }
    return to.get() + top_ * row;
  }

  const Layer& layer_;
  const bool with_bias_;
  std::vector<std::int32_t> offsets_;
  std::vector<int> depth_;    // of each phase
  std::vector<bool> needed_;  // [pixel of `down`, parity of the pairs]
  int top_ = 0, bottom_ = 0;
};

}  // namespace genlab
