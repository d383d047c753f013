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
                            false,
                            {{first, Port::reads_at_taps, Port::layer_in, true},
                             {residual, Port::reads, Port::layer_out, false},
                             {out, Port::writes, Port::layer_out, false},
                             {act, Port::writes, Port::layer_out, false}}};

template <class S>
class Conv final : public Operation<S> {
 public:
  Conv(const Instruction& i, Workspace<S>& w) : Operation<S>(i, w, i.has(out) ? out : act) {
    const auto& packed = w.layers[i.layer];
    const Map<S>& in = this->map(first);
    for (int phase = 0; phase < in.phases(); ++phase) offsets_.push_back(in.offsets(packed.forward_terms, 1, phase));
    a_.x_stride = this->stride(first);
    a_.depth = static_cast<int>(packed.forward_terms.size());
    a_.weight = packed.forward.get();
    a_.bias = packed.bias.get();
    a_.channels = static_cast<int>(w.layers.padded_outputs(i.layer));
    if (i.has(residual)) a_.residual_stride = this->stride(residual);
    if (i.has(out)) a_.out_stride = this->stride(out);
    if (i.has(act)) a_.act_stride = this->stride(act);
    one_by_one_ = this->mixed_ && w.images > 1;  // no one stride leads from image to image and from pixel to pixel
  }
  void run(int y, int x, int positions) override {
    if (one_by_one_ && positions > 1) {
      for (int p = 0; p < positions; ++p) run(y, x + p, 1);
      return;
    }
    const Map<S>& in = this->map(first);
    ConvArgs<S> a = a_;
    a.x = in.at(y, x);
    a.offsets = offsets_[in.phase(y)].data();
    a.pixels = positions * this->w_.images;
    a.residual = this->at(residual, y, x);
    a.out = this->at(out, y, x);
    a.act = this->at(act, y, x);
    this->w_.kernels.conv(a);
  }

 private:
  ConvArgs<S> a_{};                                 // all that is the same for every pixel
  std::vector<std::vector<std::int32_t>> offsets_;  // [phase of the row][k]
  bool one_by_one_;
};

// out (+)= layerᵀ(grad), where mask > 0
inline const Form conv_grad_input_form{"conv_grad_input",
                                       true,
                                       true,
                                       true,
                                       true,
                                       false,
                                       {{grad, Port::reads_at_mirrored_taps, Port::layer_out, true},
                                        {mask, Port::reads, Port::layer_in, false},
                                        {out, Port::writes, Port::layer_in, true}}};

template <class S>
class ConvGradInput final : public Operation<S> {
 public:
  ConvGradInput(const Instruction& i, Workspace<S>& w) : Operation<S>(i, w, out) {
    const auto& packed = w.layers[i.layer];
    offsets_ = this->map(grad).offsets(packed.backward_terms, -1);
    a_.x_stride = this->stride(grad);
    a_.offsets = offsets_.data();
    a_.depth = static_cast<int>(offsets_.size());
    a_.weight = packed.backward.get();
    a_.channels = round_up(w.layers.layer(i.layer).in_channels, w.kernels.lanes);
    a_.out_stride = this->stride(out);
    if (i.has(mask)) a_.mask_stride = this->stride(mask);
    a_.accumulate = i.accumulate;
  }
  void run(int y, int x, int positions) override {
    ConvArgs<S> a = a_;
    a.x = this->at(grad, y, x);
    a.pixels = positions * this->w_.images;
    a.out = this->at(out, y, x);
    a.mask = this->at(mask, y, x);
    this->w_.kernels.conv(a);
  }

 private:
  ConvArgs<S> a_{};
  std::vector<std::int32_t> offsets_;
};

// The layer's weight and bias gradient += first ⊗ grad, summed over all pixels at once.
inline const Form conv_grad_weight_form{"conv_grad_weight",
                                        true,
                                        true,
                                        false,
                                        false,
                                        false,
                                        {{first, Port::reads_at_taps, Port::layer_in, true}, {grad, Port::reads, Port::layer_out, true}}};

template <class S>
class ConvGradWeight final : public Operation<S> {
 public:
  ConvGradWeight(const Instruction& i, Workspace<S>& w) : Operation<S>(i, w, grad) {
    const auto& terms = w.layers[i.layer].gradient_terms;
    offsets_ = in_pairs ? pair_offsets(terms) : this->map(first).offsets(terms, 1);
    for (const Term& term : terms) {
      ((this->map(first).left + term.tap.dx) % 2 == 0 ? even_ : odd_) = true;
      top_ = std::max(top_, -term.tap.dy);
      bottom_ = std::max(bottom_, term.tap.dy);
    }
  }
  void run(int, int, int) override {}  // never by rows: see its form
  void run_map() override {
    const Map<S>& in = this->map(first);
    const Map<S>& gradient = this->map(grad);
    Workspace<S>& w = this->w_;
    WeightGradArgs<S> a{};
    a.offsets = offsets_.data();
    a.depth = static_cast<int>(offsets_.size());
    a.x_stride = in.channel_stride;
    a.grad_stride = gradient.channel_stride;
    a.channels = static_cast<int>(w.layers.padded_outputs(this->i_.layer));
    a.rows = this->height_;
    a.weight_grad = w.weight_grads[this->i_.layer].get();
    a.bias_grad = w.bias_grads[this->i_.layer].get();
    if constexpr (in_pairs) {
      a.x = as_pairs(in, even_, odd_, top_, bottom_, w.x_pairs);
      a.x_row = 2 * static_cast<std::ptrdiff_t>(pairs_in_row(in)) * in.channel_stride;
      // The gradient's own pairs begin at x = 0; a border of zeros follows the last pixel of an odd row.
      const bool border_is_odd = gradient.left % 2 != 0;
      const Pair<S>* const pairs = as_pairs(gradient, !border_is_odd, border_is_odd, 0, 0, w.grad_pairs);
      a.grad_row = 2 * static_cast<std::ptrdiff_t>(pairs_in_row(gradient)) * gradient.channel_stride;
      a.grad = pairs + ((border_is_odd ? pairs_in_row(gradient) : 0) + gradient.left / 2) * gradient.channel_stride;
      a.pixels = (this->width_ + 1) / 2;
    } else {
      a.x = in.at(0, 0);
      a.x_row = in.row;
      a.grad = gradient.at(0, 0);
      a.grad_row = gradient.row;
      a.pixels = this->width_ * w.images;
    }
    w.kernels.weight_grad(a);
  }

 private:
  // The weight gradient sums over pixels. Where the processor multiplies two values at once (bfloat16), those are two neighbouring
  // pixels' values of one channel: each row is copied as pairs (0, 1), (2, 3) … and, for taps at odd distances, (1, 2), (3, 4) …
  static constexpr bool in_pairs = Numbers<S>::group == 2;

  static int pairs_in_row(const Map<S>& map) { return (map.width + 2 * map.left) / 2 + 1; }

  std::vector<std::int32_t> pair_offsets(const std::vector<Term>& terms) const {
    const Map<S>& from = this->map(first);
    std::vector<std::int32_t> offsets;
    for (const Term& term : terms) {
      const int left = from.left + term.tap.dx;
      const std::ptrdiff_t pair = term.tap.dy * 2 * pairs_in_row(from) + (left % 2) * pairs_in_row(from) + left / 2;
      offsets.push_back(static_cast<std::int32_t>(pair * from.channel_stride + term.channel));
    }
    return offsets;
  }

  // Rows [−top, height + bottom) of a map as pairs, even ones and then odd ones; returns row 0.
  Pair<S>* as_pairs(const Map<S>& map, bool even, bool odd, int top, int bottom, Aligned<Pair<S>>& to) const {
    const int pairs = pairs_in_row(map), positions = map.width + 2 * map.left;
    const std::ptrdiff_t half = static_cast<std::ptrdiff_t>(pairs) * map.channel_stride, row = 2 * half;
    to.resize(static_cast<std::size_t>((top + map.height + bottom) * row));
    const int channels = static_cast<int>(map.channel_stride);
    for (int y = -top; y < map.height + bottom; ++y)
      for (int parity = 0; parity < 2; ++parity) {
        if (!(parity == 0 ? even : odd)) continue;
        this->w_.kernels.interleave(map.at(y, -map.left), positions, channels, parity, pairs, to.get() + (y + top) * row + parity * half);
      }
    return to.get() + top * row;
  }

  std::vector<std::int32_t> offsets_;
  bool even_ = false, odd_ = false;
  int top_ = 0, bottom_ = 0;
};

}  // namespace genlab
