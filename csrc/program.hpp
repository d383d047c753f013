// The three walks: runs a program that genlab/causal/program.py lowered from a causal list of nodes.
//
// Every buffer is laid out [row][x][image][channel], with a border of zeros as wide as taps reach. Scoring and training take one image
// at a time through all instructions, forwards and (training) backwards, before the next one starts: activations stay in the core's
// caches, and memory grows with threads, not with the batch. Sampling takes a tile of images pixel by pixel, and keeps of each buffer
// a ring of the rows that taps reach.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kernels.hpp"
#include "memory.hpp"
#include "packing.hpp"

namespace genlab {

constexpr int none = -1;

struct BufferSpec {
  int channels, top, bottom, left, right;
  int rows;      // remembered rows; 0: all
  bool scratch;  // only the current pixel
};

enum class Kind { conv, relu, add, gate, conv_grad_weight, conv_grad_input, relu_grad, add_grad, gate_grad };
enum class Phase { row, pixel, late };

struct Instruction {
  Kind kind;
  Phase phase;
  int layer, first, second, grad, mask, residual, out, out2, act;
  bool accumulate, accumulate2;
};

struct ProgramSpec {
  int channels, height, width, levels;
  double scale, shift;  // the image enters as scale · level + shift
  int image, output, output_grad;
  std::vector<Layer> layers;
  std::vector<BufferSpec> buffers;
  std::vector<Instruction> forward, backward;

  double multiply_adds_per_image() const;
};

// Called with (rows drawn, rows in all) by the calling thread alone; may throw to stop. A batch too large for one tile a thread is drawn
// in rounds, and each round's rows count; `rows drawn` are finished in all images of the round.
using Progress = std::function<void(int, int)>;

template <class T>
struct Parameters {
  std::vector<const T*> weights;  // per layer [out][in][row][column]
  std::vector<const T*> biases;   // per layer [out]
};

// Maps and packed weights are kept as S; parameters, their gradients and all sums are of type Compute<S>.
template <class S>
class Program {
 public:
  using T = Compute<S>;

  Program(ProgramSpec spec, const KernelTable<S>& kernels);
  ~Program();

  const ProgramSpec& spec() const { return spec_; }

  // nats[n] = −log p(image n). Unless null, map[n][y][x][channel] takes the output node's channels.
  void score(const Parameters<T>& parameters, const std::uint8_t* levels, int images, double* nats, T* map);

  // Also the gradients of the mean of nats, in the layout of the parameters.
  void train(const Parameters<T>& parameters, const std::uint8_t* levels, int images, double* nats, const std::vector<T*>& weight_grads,
             const std::vector<T*>& bias_grads);

  // Draws into levels[n][c][y][x] by inverting the distribution function at uniforms[n][y][x][c]; keeps a level where `known` is set.
  // Unless null, map[n][y][x][channel] takes the output node's channels that each value was drawn from.
  void sample(const Parameters<T>& parameters, std::uint8_t* levels, const std::uint8_t* known, const double* uniforms, int images,
              double temperature, T* map, const Progress& progress);

 private:
  class Lane;  // one thread's memory, and the instructions bound to it

  void pack(const Parameters<T>& parameters, int threads);
  // Loads an image, runs the forward instructions and returns −log p in nats; unless `scale` is 0, also the output's gradient times it.
  double forward_image(Lane& lane, const std::uint8_t* image, T scale) const;
  void prepare_lanes(int threads, int images);
  std::size_t pixels() const { return static_cast<std::size_t>(spec_.height) * spec_.width; }

  const ProgramSpec spec_;
  const KernelTable<S>& kernels_;
  std::vector<std::vector<Term>> gradient_terms_, forward_terms_, backward_terms_;  // the last two with channels in groups
  std::vector<Aligned<S>> forward_weights_, backward_weights_;
  std::vector<Aligned<T>> biases_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::mutex one_at_a_time_;  // lanes and packed weights are reused from call to call
};

}  // namespace genlab
