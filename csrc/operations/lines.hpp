// The pixels of a map in the order of a recurrent layer's scan. Those that do not wait for each other form a line: a row, if every tap lies
// in an earlier one; else a diagonal of the pixels with one x + slope · y (of the mirrored map, for a scan to the left), where the slope is
// the least at which every tap leads to an earlier diagonal. The pixels of a line lie at a constant distance in memory.
#pragma once

#include <algorithm>
#include <vector>

#include "../map.hpp"

namespace genlab {

struct Line {
  int y, x, pixels;  // its first pixel, and how many there are
};

// From one pixel of a line to the next, or from one image to the next at a pixel.
struct Step {
  int dy, dx;
  bool images;

  template <class S>
  std::ptrdiff_t of(const Map<S>& map) const {
    return images ? map.channel_stride : dy * map.row + dx * map.position;
  }
};

class Lines {
 public:
  Lines(const Layer& layer, int height, int width) {
    are_rows_ = std::all_of(layer.taps.begin(), layer.taps.end(), [](const Tap& tap) { return tap.dy < 0; });
    if (are_rows_) {
      for (int y = 0; y < height; ++y) lines_.push_back({y, 0, width});
      step_ = {0, 1, false};
      return;
    }
    const int onward = layer.leftward ? -1 : 1;
    int slope = 0;
    for (const Tap& tap : layer.taps)
      if (tap.dy < 0) slope = std::max(slope, floor_of(onward * tap.dx, -tap.dy) + 1);
    slope = std::min(slope, width);  // then each pixel is a line of its own, in raster order
    const int last_line = width - 1 + slope * (height - 1);
    for (int d = 0; d <= last_line; ++d) {
      const int first = slope == 0 ? 0 : std::max(0, -floor_of(width - 1 - d, slope));
      const int last = slope == 0 ? height - 1 : std::min(height - 1, d / slope);
      const int x = d - slope * first;
      if (first <= last) lines_.push_back({first, layer.leftward ? width - 1 - x : x, last - first + 1});
    }
    step_ = {1, -slope * onward, false};
  }

  const std::vector<Line>& all() const { return lines_; }
  const Step& step() const { return step_; }
  bool are_rows() const { return are_rows_; }
  int longest() const {
    int most = 0;
    for (const Line& line : lines_) most = std::max(most, line.pixels);
    return most;
  }

 private:
  static int floor_of(int value, int divisor) { return value >= 0 ? value / divisor : -((divisor - 1 - value) / divisor); }

  std::vector<Line> lines_;
  Step step_{};
  bool are_rows_;
};

}  // namespace genlab
