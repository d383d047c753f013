#include "toy_gan_ensemble.hpp"

#include <atomic>

#include "parallel.hpp"

namespace genlab {

void toy_gan_ensemble_advance(const InstructionSet& kernels, const ToyGanEnsembleArgs& a) {
  const std::ptrdiff_t block = toy_gan_ensemble_block;
  const std::ptrdiff_t blocks = (a.runs + block - 1) / block;
  // Some 200 operations a step.
  const double operations = 200.0 * static_cast<double>(a.runs) * a.steps;
  // Threads take the next block as they get free: on a shared machine they are not equally fast.
  std::atomic<std::ptrdiff_t> next{0};
  parallel(threads_for(blocks, operations), [&](int) {
    for (std::ptrdiff_t index = next++; index < blocks; index = next++) kernels.toy_gan_ensemble_advance(a, index * block);
  });
}

}  // namespace genlab
