// One run of the toy GAN in double, step by step; the formulas are in genlab/kernels/toy_gan.py.
//
// faces [faces][4], z [steps], states [rows][13] (w, b, v, c), losses [rows][2] (D's, G's); rows: after every record_every-th step
// and after the last. A run may be made in pieces: steps [begin, end), from `state` and back into it.
#pragma once

namespace genlab {

constexpr int toy_gan_pixels = 4;
constexpr int toy_gan_state = 3 * toy_gan_pixels + 1;
constexpr long toy_gan_piece = 1L << 20;  // steps after which Ctrl-C is heard: some 50 milliseconds

struct ToyGanArgs {
  const double* faces;
  int face_count;
  const double* z;
  long steps;
  long begin, end;
  double* state;
  double learning_rate;
  bool minimax;
  long record_every;
  double* states;
  double* losses;
};

}  // namespace genlab
