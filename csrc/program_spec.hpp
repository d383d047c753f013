// What a program is: instructions over buffers, as genlab/causal/program.py lowers them from a causal list of nodes.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "map.hpp"
#include "packing.hpp"

namespace genlab {

constexpr int none = -1;

// The fields of an instruction that name buffers.
enum Slot { first, second, grad, mask, residual, out, act, state, cell, gates, carry, slots };
extern const std::array<const char*, slots> slot_names;

// What an operation does with one of its slots (csrc/operations/).
struct Port {
  // What recurs is written, and read at pixels where the same instruction wrote it before.
  enum Access { reads, reads_at_taps, reads_at_mirrored_taps, writes, writes_sum_over_pixels, recurs_at_taps, recurs_at_mirrored_taps };
  // As many as every other port that says `same`, which stands before those that say `twice` (as many), or as a layer's.
  enum Channels { same, twice, layer_in, layer_out };
  Slot slot;
  Access access;
  Channels channels;
  bool required;

  bool is_read() const { return access == reads || access == reads_at_taps || access == reads_at_mirrored_taps; }
  bool recurs() const { return access == recurs_at_taps || access == recurs_at_mirrored_taps; }
};

// What is to be known of an operation before it runs.
struct Form {
  const char* name;
  bool backward;  // stands on the way back
  bool has_layer;
  bool by_rows;      // can be run over a part of a row
  bool accumulates;  // may add to `out`
  std::vector<Port> ports;
  bool draws = false;      // from a training step's key
  bool recurrent = false;  // its layer is, and no other's
};

// The operations' forms by name; null if there is none.
const Form* find_form(const std::string& name);
std::string form_names();

enum class Mode { score, train, sample };
enum class Phase { given, row, pixel, late };
// How the pixels of a map are gone through: `maps` finishes one instruction over the whole map before the next begins; neighbours in the
// list that say `rows` take turns row by row, backwards from the last row to the first.
enum class Sweep { maps, rows };

struct BufferSpec {
  int channels;
  MapShape shape;
  int stride;    // its pixels lie so many of the image's apart
  bool scratch;  // only the current pixel
};

struct Instruction {
  const Form* form;
  Phase phase;
  Sweep sweep;
  int layer;
  std::array<int, slots> buffer;
  bool accumulate;
  double rate;  // of values left out, by what is drawn for `stream`
  int stream;

  int operator[](Slot slot) const { return buffer[slot]; }
  bool has(Slot slot) const { return buffer[slot] != none; }
};

// A map that is there before an image is drawn: the buffer that holds it, and the one for its gradient.
struct GivenSpec {
  int buffer, grad;
};

struct ProgramSpec {
  Mode mode;
  int channels, height, width, levels;
  std::string distribution;
  double scale, shift;  // the image enters as scale · level + shift
  int image, output, output_grad;
  std::vector<GivenSpec> given;
  std::vector<Layer> layers;
  std::vector<BufferSpec> buffers;
  std::vector<Instruction> forward, backward;

  double multiply_adds_per_image() const;
};

// Every rule that keeps the walks within their memory and every value written before it is read.
// Throws std::invalid_argument, one sentence, if one is broken.
void check(const ProgramSpec& spec);

}  // namespace genlab
