// Many runs of the toy GAN in float, side by side in the lanes of vectors; the formulas are in genlab/kernels/toy_gan_ensemble.py.
//
// state [13][runs] (w, b, v, c) is changed in place; keys [2][runs]; learning_rate [runs]; faces [faces][4].
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "kernels.hpp"

namespace genlab {

// Runs that a thread takes at a time: a multiple of what every instruction set trains side by side.
constexpr int toy_gan_ensemble_block = 64;
// Steps that it makes with them before it looks whether to stop: some 20 milliseconds.
constexpr std::uint32_t toy_gan_ensemble_piece = 1u << 15;

struct ToyGanEnsembleArgs {
  float* state;
  const std::uint32_t* keys;
  const float* learning_rate;
  std::ptrdiff_t runs;
  const float* faces;
  int face_count;
  bool minimax;
  std::uint32_t first_step, steps;
};

// All runs, a block at a time, blocks split over threads. A run is the same whatever the others, the block and the thread. The calling
// thread asks `stop` between pieces of its work; once it is true, all threads leave their runs where they are. Whether it was.
bool toy_gan_ensemble_advance(const InstructionSet& kernels, const ToyGanEnsembleArgs& a, const std::function<bool()>& stop);

}  // namespace genlab
