// The table of kernels that each instruction set fills (csrc/kernels.cpp), and the arguments they take.
//
// Layouts. A *pixel* is a run of channels; kernels see a row of `pixels` of them, `stride` values apart. Where a walk takes several
// images at once, the images of one position lie side by side and count as pixels too. Channels are padded with zeros to whole vectors.
//
// Weights are packed [panel][k][panel width]: a panel is two vectors of output channels (the last may be one), k runs over the live
// (tap, input channel) pairs, and offsets[k] says where x[k] lies, seen from the pixel.
//
// bfloat16 maps and weights are multiplied two channels at a time (their products are summed in float): there k runs over pairs of
// neighbouring channels, and a packed weight is a pair too.
#pragma once

#include <cstddef>
#include <cstdint>

namespace genlab {

inline int round_up(int value, int multiple) { return (value + multiple - 1) / multiple * multiple; }

// The upper half of a float.
struct bfloat16 {
  std::uint16_t bits;
};

// How values of a kind are computed with: `Compute` holds sums, biases and gradients of weights; `group` neighbouring channels are
// multiplied at once; `Pair` is what the weight gradient reads: one value, or those of two neighbouring pixels side by side.
template <class S>
struct Numbers {
  using Compute = S;
  using Pair = S;
  static constexpr int group = 1;
};
template <>
struct Numbers<bfloat16> {
  using Compute = float;
  using Pair = std::uint32_t;
  static constexpr int group = 2;
};
template <class S>
using Compute = typename Numbers<S>::Compute;
template <class S>
using Pair = typename Numbers<S>::Pair;

// out[p] = bias + sum_k x[p·x_stride + offsets[k]] · w[k]   (+ residual[p]), in the order of k whatever the tile,
// then   store:  out = that;  act = max(0, that)
// or     accumulate / mask:  out (+)= mask > 0 ? that : 0
template <class S>
struct ConvArgs {
  const S* x;
  std::ptrdiff_t x_stride;
  const std::int32_t* offsets;
  int depth;               // number of k
  const S* weight;         // packed
  const Compute<S>* bias;  // padded, or null
  int channels;            // padded output channels, a multiple of the vector
  int pixels;
  S* out;  // or null
  std::ptrdiff_t out_stride;
  S* act;  // or null
  std::ptrdiff_t act_stride;
  const S* residual;  // or null
  std::ptrdiff_t residual_stride;
  const S* mask;  // or null
  std::ptrdiff_t mask_stride;
  bool accumulate;
};

// out[p][o] = sum over taps and channels of x[p·x_stride + offsets[tap] + c] · w[o][tap][c]: a convolution to fewer channels than a vector
// holds, which would be mostly padding as a tile of `conv`. Here the vector runs over the channels that are summed up.
template <class S>
struct NarrowConvArgs {
  const S* x;
  std::ptrdiff_t x_stride;
  const std::int32_t* offsets;
  int taps;
  int channels;  // of x, padded
  const S* weight;
  int outputs;
  int pixels;
  S* out;
  std::ptrdiff_t out_stride;
};

// weight_grad[k][c] += sum over rows and pixels of x[offsets[k]] · grad[c]
template <class S>
struct WeightGradArgs {
  const Pair<S>* x;
  std::ptrdiff_t x_stride, x_row;
  const std::int32_t* offsets;
  int depth;
  const Pair<S>* grad;
  std::ptrdiff_t grad_stride, grad_row;
  int channels;  // padded
  int rows, pixels;
  Compute<S>* weight_grad;  // [depth][channels]
  Compute<S>* bias_grad;    // [channels], += sum of grad; or null
  Pair<S>* turned;          // room for the gradient of all outputs, rows of `turned_pairs` pairs each (bfloat16 only)
};
// Room that the gradient's rows take where they are turned (csrc/matrix_unit.hpp): blocks of 16 pairs.
inline int turned_pairs(int pairs) { return round_up(pairs, 16); }

// Element by element over `count` values that lie together.
template <class S>
struct ElementArgs {
  const S* first;
  const S* second;
  const S* grad;
  const S* mask;
  S* out;
  bool accumulate;
  std::ptrdiff_t count;
};

// A pixel of two halves, `channels` each, one after the other.
// Gates: out[p][c] = f(x[p][c]) · σ(x[p][channels + c]) for every c < channels, and 0 in the padding of out. Backwards out (+)= the gradient
// of x, two halves.
// Concatenated ELUs: out[p] = [elu(x[p]), elu(−x[p])]. Backwards x is what was made and grad its gradient, both of two halves: out (+)= the
// gradient of what was read.
template <class S>
struct HalvesArgs {
  const S* x;
  std::ptrdiff_t x_stride;
  const S* grad;  // backwards
  std::ptrdiff_t grad_stride;
  S* out;
  std::ptrdiff_t out_stride;
  int channels;  // of a half
  int pixels;
  bool accumulate;  // backwards
};

// out[p][c] (+)= h >= least ? scale · x[p][c] : 0, h = mixed(mixed(position + low) ^ high) a hash of 32 bits of position = first_position +
// p · channels + c.
template <class S>
struct DropoutArgs {
  const S* x;
  std::ptrdiff_t x_stride;
  S* out;
  std::ptrdiff_t out_stride;
  int channels;
  int pixels;
  std::uint32_t first_position, low, high, least;
  Compute<S> scale;
  bool accumulate;
};

// A step of an LSTM at each pixel: i, f, o, g = σ, σ, σ, tanh of the four sums, `channels` each, that lie one behind the other;
// cell = f · before + i · g;  state = out = o · tanh(cell). Pixels lie a `step` apart.
template <class S>
struct LstmArgs {
  const S* sums;
  S* gates;  // i, f, o, g are kept here, as the sums lie; or null
  std::ptrdiff_t sums_step;
  const S* before;
  S* cell;
  std::ptrdiff_t cell_step;
  S* state;
  std::ptrdiff_t state_step;
  S* out;
  std::ptrdiff_t out_step;
  int channels, pixels;
};

// And back: from the gradient of h (`hidden`) and what later pixels carry back to this one's cell, that of the four sums, and carry = ∂/∂before.
template <class S>
struct LstmGradArgs {
  const S* gates;
  std::ptrdiff_t gates_step;
  const S* cell;
  const S* before;
  std::ptrdiff_t cell_step;
  const S* hidden;
  std::ptrdiff_t hidden_step;
  const S* later;
  S* carry;
  std::ptrdiff_t carry_step;
  S* sums;
  std::ptrdiff_t sums_step;
  int channels, pixels;
};

// out[c] (+)= sum over rows and pixels of grad[c], where mask > 0 if there is one: summed up in Compute, stored once.
template <class S>
struct PixelSumArgs {
  const S* grad;
  std::ptrdiff_t grad_stride, grad_row;
  const S* mask;  // or null
  std::ptrdiff_t mask_stride, mask_row;
  int rows, pixels;
  int channels;  // padded
  S* out;
  bool accumulate;
};

// Softmax cross-entropy of one pixel's levels. Returns nats; writes scale·(p − onehot) to grad unless it is null.
template <class S>
struct SoftmaxArgs {
  const S* logits;
  int levels;
  int target;
  Compute<S> scale;
  S* grad;
};

// One pixel's levels, channel by channel.
struct LogisticPixel {
  const std::uint8_t* first;
  std::ptrdiff_t channel_stride;
  int level(int channel) const { return first[channel * channel_stride]; }
};

// A discretised mixture of logistics (csrc/logistic_kernels.cpp, where its parameters' order and its formula stand).
template <class S>
struct LogisticArgs {
  const S* parameters;
  int components, channels, levels;
  LogisticPixel pixel;
  Compute<S> scale;
  S* grad;       // takes scale times the gradient of nats; or null
  double* work;  // (2 + 4 channels + pairs of channels) rows of components, each padded to `logistic_padding`, and the levels
};
constexpr int logistic_padding = 8;

template <class S>
struct KernelTable {
  int lanes;  // values in a vector
  int panel;  // output channels in a panel
  void (*conv)(const ConvArgs<S>&);
  void (*narrow_conv)(const NarrowConvArgs<S>&);
  void (*weight_grad)(const WeightGradArgs<S>&);
  void (*relu)(const ElementArgs<S>&);
  void (*add)(const ElementArgs<S>&);
  void (*sigmoid)(const ElementArgs<S>&);       // out = σ(first)
  void (*sigmoid_grad)(const ElementArgs<S>&);  // out = grad · first · (1 − first), where first is a sigmoid
  void (*gate)(const HalvesArgs<S>&);           // f = tanh
  void (*gate_grad)(const HalvesArgs<S>&);
  void (*identity_gate)(const HalvesArgs<S>&);  // f(x) = x
  void (*identity_gate_grad)(const HalvesArgs<S>&);
  void (*masked_add)(const ElementArgs<S>&);  // out (+)= mask ? (mask > 0 ? grad : 0) : grad
  void (*concat_elu)(const HalvesArgs<S>&);
  void (*concat_elu_grad)(const HalvesArgs<S>&);
  void (*dropout)(const DropoutArgs<S>&);
  void (*lstm)(const LstmArgs<S>&);
  void (*lstm_grad)(const LstmGradArgs<S>&);
  void (*pixel_sum)(const PixelSumArgs<S>&);
  double (*softmax)(const SoftmaxArgs<S>&);
  double (*logistic_nats)(const LogisticArgs<S>&);
  int (*logistic_draw)(const LogisticArgs<S>&, int channel, double u, double temperature);  // given the levels of the channels before
  S (*narrow)(double);
  double (*widen)(S);
  // `positions` pixels of `channels`, `step` values apart, as pairs of neighbours: (0, 1), (2, 3) … or, from `start` = 1 on, (1, 2),
  // (3, 4) …; beyond them there are zeros (bfloat16 only).
  void (*interleave)(const S* row, int positions, std::ptrdiff_t step, int channels, int start, int pairs, Pair<S>* to);
};

struct ToyGanArgs;
struct ToyGanEnsembleArgs;

struct InstructionSet {
  const char* name;
  KernelTable<float> f32;
  KernelTable<double> f64;
  const KernelTable<bfloat16>* bf16;  // null where the processor has no bfloat16 dot product
  void (*toy_gan_train)(const ToyGanArgs&);
  void (*toy_gan_ensemble_advance)(const ToyGanEnsembleArgs&, std::ptrdiff_t first_run);  // a block of runs

  template <class S>
  const KernelTable<S>& table() const;
};

template <>
inline const KernelTable<float>& InstructionSet::table<float>() const {
  return f32;
}
template <>
inline const KernelTable<double>& InstructionSet::table<double>() const {
  return f64;
}

extern const InstructionSet kernels_baseline;
extern const InstructionSet kernels_avx2;
extern const InstructionSet kernels_avx512;
extern const InstructionSet kernels_avx512bf16;

// The preprocessor is the one place where the build can hand the name of an instruction set to a source.
#define GENLAB_JOIN_(a, b) a##b
#define GENLAB_JOIN(a, b) GENLAB_JOIN_(a, b)

}  // namespace genlab
