// The table of kernels that each instruction set fills (csrc/kernels.cpp), and the arguments they take.
//
// Layouts. A *pixel* is a run of channels; kernels see a row of `pixels` of them, `stride` values apart. Where a walk takes several
// images at once, the images of one position lie side by side and count as pixels too. Channels are padded with zeros to whole vectors.
//
// Weights are packed [panel][k][panel width]: a panel is two vectors of output channels (the last may be one), k runs over the live
// (tap, input channel) pairs, and offsets[k] says where x[k] lies, seen from the pixel.
#pragma once

#include <cstddef>
#include <cstdint>

namespace genlab {

// out[p] = bias + sum_k x[p·x_stride + offsets[k]] · w[k]   (+ residual[p]), in the order of k whatever the tile,
// then   store:  out = that;  act = max(0, that)
// or     accumulate / mask:  out (+)= mask > 0 ? that : 0
template <class T>
struct ConvArgs {
  const T* x;
  std::ptrdiff_t x_stride;
  const std::int32_t* offsets;
  int depth;        // number of k
  const T* weight;  // packed
  const T* bias;    // padded, or null
  int channels;     // padded output channels, a multiple of the vector
  int pixels;
  T* out;  // or null
  std::ptrdiff_t out_stride;
  T* act;  // or null
  std::ptrdiff_t act_stride;
  const T* residual;  // or null
  std::ptrdiff_t residual_stride;
  const T* mask;  // or null
  std::ptrdiff_t mask_stride;
  bool accumulate;
};

// weight_grad[k][c] += sum over rows and pixels of x[offsets[k]] · grad[c]
template <class T>
struct WeightGradArgs {
  const T* x;
  std::ptrdiff_t x_stride, x_row;
  const std::int32_t* offsets;
  int depth;
  const T* grad;
  std::ptrdiff_t grad_stride, grad_row;
  int channels;  // padded
  int rows, pixels;
  T* weight_grad;  // [depth][channels]
  T* bias_grad;    // [channels], += sum of grad
};

// Element by element over `count` values that lie together.
template <class T>
struct ElementArgs {
  const T* first;
  const T* second;
  const T* grad;
  const T* mask;
  T* out;
  T* out2;
  bool accumulate, accumulate2;
  std::ptrdiff_t count;
};

// Softmax cross-entropy of one pixel's levels. Returns nats; writes scale·(p − onehot) to grad unless it is null.
template <class T>
struct SoftmaxArgs {
  const T* logits;
  int levels;
  int target;
  T scale;
  T* grad;
};

template <class T>
struct KernelTable {
  int lanes;  // values in a vector
  int panel;  // output channels in a panel
  void (*conv)(const ConvArgs<T>&);
  void (*weight_grad)(const WeightGradArgs<T>&);
  void (*relu)(const ElementArgs<T>&);
  void (*add)(const ElementArgs<T>&);
  void (*gate)(const ElementArgs<T>&);
  void (*masked_add)(const ElementArgs<T>&);  // out (+)= mask ? (mask > 0 ? grad : 0) : grad
  void (*gate_grad)(const ElementArgs<T>&);
  double (*softmax)(const SoftmaxArgs<T>&);
};

struct InstructionSet {
  const char* name;
  KernelTable<float> f32;
  KernelTable<double> f64;

  template <class T>
  const KernelTable<T>& table() const;
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

inline int round_up(int value, int multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace genlab
