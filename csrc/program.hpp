// The three walks: runs a program that genlab/causal/program.py lowered from a causal list of nodes.
//
// Scoring and training take one image at a time through all instructions, forwards and (training) backwards, before the next one starts:
// activations stay in the core's caches, and memory grows with threads, not with the batch. Sampling takes a tile of images pixel by
// pixel, and keeps of each buffer a ring of the rows that taps reach.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "heads/head.hpp"
#include "lane.hpp"

namespace genlab {

// Called with (rows drawn, rows in all) by the calling thread alone; may throw to stop. A batch too large for one tile a thread is drawn
// in rounds, and each round's rows count; `rows drawn` are finished in all images of the round.
using Progress = std::function<void(int, int)>;

// Maps and packed weights are kept as S; parameters, their gradients and all sums are of type Compute<S>. Memory is reused from call to
// call, so that a program runs one call at a time.
template <class S>
class Program {
 public:
  using T = Compute<S>;
  using Given = std::vector<GivenMap<T>>;  // in the order of ProgramSpec::given

  // `spec` was checked, and outlives the program.
  Program(const ProgramSpec& spec, const KernelTable<S>& kernels);

  // nats[n] = −log p(image n). Unless null, map[n][y][x][channel] takes the output node's channels.
  void score(const Parameters<T>& parameters, const Given& given, const std::uint8_t* levels, int images, double* nats, T* map);

  // Also the gradients of the mean of nats, in the layout of the parameters, and of the given maps that ask for theirs. What is drawn on
  // the way (dropout) follows from the key.
  void train(const Parameters<T>& parameters, const Given& given, const std::uint8_t* levels, int images, std::uint64_t key, double* nats,
             const std::vector<T*>& weight_grads, const std::vector<T*>& bias_grads);

  // Draws into levels[n][c][y][x] by inverting the distribution function at uniforms[n][y][x][c]; keeps a level where `known` is set.
  // Unless null, map[n][y][x][channel] takes the output node's channels that each value was drawn from.
  void sample(const Parameters<T>& parameters, const Given& given, std::uint8_t* levels, const std::uint8_t* known, const double* uniforms,
              int images, double temperature, T* map, const Progress& progress);

 private:
  struct Drawing;  // what `sample` draws into, and from

  void prepare_lanes(int threads, int images);
  void load_given(const Lane<S>& lane, const Given& given, std::size_t begin) const;
  // Loads an image, runs the forward instructions and returns −log p in nats; unless `scale` is 0, also the output's gradient times it.
  double forward_image(Lane<S>& lane, const Given& given, const std::uint8_t* image, std::size_t n, T scale, double* scratch) const;
  void sum_gradients(int threads, const std::vector<T*>& weight_grads, const std::vector<T*>& bias_grads) const;
  // Draws row y of images [begin, begin + count).
  void draw_row(Lane<S>& lane, const Drawing& to, int begin, int count, int y, double* scratch) const;
  void draw_channel(const Lane<S>& lane, const Drawing& to, int begin, int count, int y, int x, int channel, double* scratch) const;
  std::size_t pixels() const { return static_cast<std::size_t>(spec_.height) * spec_.width; }
  std::size_t values() const { return pixels() * spec_.channels; }

  const ProgramSpec& spec_;
  const double multiply_adds_;  // that an image costs
  const KernelTable<S>& kernels_;
  Layers<S> layers_;
  std::unique_ptr<Head<S>> head_;
  std::vector<std::unique_ptr<Lane<S>>> lanes_;
};

}  // namespace genlab
