// A feature map in memory: [row][x][image][channel], with a border of zeros as wide as taps reach.
//
// The zeros right of a row are those left of the next one. A map may remember a ring of rows alone, or one pixel alone; a map of one
// pixel that stands for all pixels of an image (a class, say) has no distance from one of them to the next.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "packing.hpp"

namespace genlab {

struct MapShape {
  int height, width;
  int top, bottom, left, right;  // the border
  int rows;                      // remembered; 0: all
  bool everywhere;               // one pixel in memory, wherever it is asked for
};

template <class S>
struct Map {
  S* data = nullptr;
  std::ptrdiff_t channel_stride = 0;  // from one image to the next at a position
  std::ptrdiff_t position = 0;        // from one x to the next
  std::ptrdiff_t row = 0;
  int height = 0, width = 0;
  int rows = 0;  // remembered; 0: all
  int top = 0, left = 0;

  // Strides for `images` side by side whose pixels lie `stride` values apart; returns how many values that takes in memory.
  std::size_t lay_out(const MapShape& shape, int images, int stride, const std::string& what) {
    height = shape.height;
    width = shape.width;
    channel_stride = stride;
    if (shape.everywhere) {
      rows = top = left = 0;
      position = row = 0;
      return within_limits(static_cast<double>(images) * stride, what);
    }
    const int side = std::max(shape.left, shape.right);
    rows = shape.rows;
    top = shape.rows == 0 ? shape.top : 0;
    left = side;
    const double remembered = rows == 0 ? static_cast<double>(shape.top) + height + shape.bottom : rows;
    const double line = (static_cast<double>(width) + side) * images * stride;
    const std::size_t size = within_limits(remembered * line + static_cast<double>(side) * images * stride, what);
    position = static_cast<std::ptrdiff_t>(images) * stride;
    row = (static_cast<std::ptrdiff_t>(width) + side) * position;
    return size;
  }

  int slot(int y) const { return rows == 0 ? y + top : y >= 0 ? y % rows : (y % rows + rows) % rows; }
  // Where pixel (y, x) of the first image begins.
  S* at(int y, int x) const { return data + slot(y) * row + (x + left) * position; }
  int phases() const { return rows == 0 ? 1 : rows; }
  int phase(int y) const { return rows == 0 ? 0 : y % rows; }
  // From one pixel to the next as kernels count them: images side by side, or the positions of one image's row.
  std::ptrdiff_t stride(int images) const { return images > 1 ? channel_stride : position; }

  // Where the terms of a convolution lie, seen from a pixel of a row of that phase.
  std::vector<std::int32_t> offsets(const std::vector<Term>& terms, int phase = 0) const {
    std::vector<std::int32_t> result;
    result.reserve(terms.size());
    for (const Term& term : terms) {
      const std::ptrdiff_t lines = slot(phase + term.at.dy) - slot(phase);
      result.push_back(static_cast<std::int32_t>(lines * row + term.at.dx * position + term.channel));
    }
    return result;
  }

 private:
  static std::size_t within_limits(double size, const std::string& what) {
    if (size > std::numeric_limits<std::int32_t>::max()) throw std::length_error(what + " is too large: over 2^31 values");
    return static_cast<std::size_t>(size);
  }
};

}  // namespace genlab
