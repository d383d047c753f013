// A convolution's weights in the order the register tile wants them, and back.
//
// torch's layout is weight[out][in][row][column]. The tile multiplies along k, the live (tap, input channel) pairs in raster order of
// the taps; its transpose along the live (tap, output channel) pairs. Masked weights are packed as zeros, whatever they hold.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels.hpp"

namespace genlab {

struct Tap {
  int dy, dx;
};

// The least whole number that is at least a / b.
inline int divided_up(int a, int b) { return a >= 0 ? (a + b - 1) / b : -(-a / b); }

// A tap lies `dilation` pixels from the next one; the weight has an entry for each. A layer may read a map that is `down` times as fine
// as what it computes, or `up` times as coarse: taps count pixels of the finer of the two, and each serves one phase of its pixels.
struct Layer {
  int out_channels, in_channels, height, width;
  std::vector<Tap> taps;
  std::vector<std::uint8_t> mask;  // [out][in][row][column]
  int dilation = 1, down = 1, up = 1;
  // Of a recurrent layer the outputs are four gates' sums; it reads its own state at taps that come earlier in its scan, within a row to the
  // right or leftward, and its cell at one of them; the bias holds the initial state and the initial cell.
  bool recurrent = false, leftward = false;
  Tap cell{0, 0};

  int biases() const { return recurrent ? 2 * in_channels : out_channels; }

  std::size_t index(int out, int in, const Tap& tap) const {
    const int row = height / 2 + tap.dy / dilation, column = width / 2 + tap.dx / dilation;
    return ((static_cast<std::size_t>(out) * in_channels + in) * height + row) * width + column;
  }
  std::size_t weights() const { return static_cast<std::size_t>(out_channels) * in_channels * height * width; }
};

// Where a tap reads the layer's input, in pixels of that, seen from the one that lies on the pixel computed; and where, for the gradient of
// its input, it reads that of its result.
inline Tap input_tap(const Layer& layer, const Tap& tap) { return {divided_up(tap.dy, layer.up), divided_up(tap.dx, layer.up)}; }
inline Tap mirrored_tap(const Layer& layer, const Tap& tap) { return {divided_up(-tap.dy, layer.down), divided_up(-tap.dx, layer.down)}; }

// A row of the packed matrix: a tap and a channel of the side that is summed over, and where that is read.
struct Term {
  Tap tap;
  int channel;
  Tap at;
};

// The live terms of the forward sum (tap, input channel), or of the backward sum (tap, output channel), of pixels (y, x) with
// y % ratio · ratio + x % ratio = phase, where ratio is `up` forwards and `down` backwards.
std::vector<Term> forward_terms(const Layer& layer, int phase = 0);
std::vector<Term> backward_terms(const Layer& layer, int phase = 0);

// The same with `group` neighbouring channels to a term, named by the first.
std::vector<Term> grouped(const std::vector<Term>& terms, int group);

// to[panel][term][panel width]; `to` holds terms.size() · group · round_up(channels, lanes) values.
template <class S>
void pack_forward(const Layer& layer, const std::vector<Term>& terms, const Compute<S>* weight, const KernelTable<S>& kernels, S* to);
template <class S>
void pack_backward(const Layer& layer, const std::vector<Term>& terms, const Compute<S>* weight, const KernelTable<S>& kernels, S* to);

// to[in][term][padded out], a term for each live tap: what `narrow_conv` multiplies the gradient of an image of few channels from.
template <class T>
void pack_narrow_backward(const Layer& layer, const std::vector<Term>& taps, const T* weight, int padded_out, T* to);

// weight_grad[out][in][row][column] = sum over threads of packed[thread][term][padded out]; zero where masked.
template <class T>
void unpack_gradient(const Layer& layer, const std::vector<Term>& terms, const std::vector<const T*>& packed, int lanes, T* weight_grad);

}  // namespace genlab
