#include "toy_gan_ensemble.hpp"

#include <algorithm>
#include <atomic>

#include "parallel.hpp"

namespace genlab {

bool toy_gan_ensemble_advance(const InstructionSet& kernels, const ToyGanEnsembleArgs& a, const std::function<bool()>& stop) {
  const std::ptrdiff_t block = toy_gan_ensemble_block;
  const std::ptrdiff_t blocks = (a.runs + block - 1) / block;
  std::atomic<bool> stopped{false};
  ToyGanEnsembleArgs piece = a;
  for (std::uint32_t done = 0; done < a.steps && !stopped; done += piece.steps) {
    piece.first_step = a.first_step + done;
    piece.steps = std::min(toy_gan_ensemble_piece, a.steps - done);
    // Some 200 operations a step.
    const double operations = 200.0 * static_cast<double>(a.runs) * piece.steps;
    // Threads take the next block as they get free: on a shared machine they are not equally fast.
    std::atomic<std::ptrdiff_t> next{0};
    parallel(threads_for(blocks, operations), [&](int thread) {
      for (std::ptrdiff_t index = next++; index < blocks; index = next++) {
        if (thread == 0 && stop()) stopped = true;
        if (stopped) return;
        kernels.toy_gan_ensemble_advance(piece, index * block);
      }
    });
  }
  return stopped;
}

}  // namespace genlab
