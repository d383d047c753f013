#include "program.hpp"

#include <algorithm>
#include <atomic>

#include "parallel.hpp"

namespace genlab {

template <class S>
Program<S>::Program(const ProgramSpec& spec, const KernelTable<S>& kernels)
    : spec_(spec),
      multiply_adds_(spec.multiply_adds_per_image()),
      kernels_(kernels),
      layers_(spec.layers, kernels, spec.mode == Mode::train),
      head_(make_head<S>(spec.distribution, spec.channels, spec.levels, spec.buffers[spec.output].channels, kernels)) {}

template <class S>
void Program<S>::prepare_lanes(int threads, int images) {
  while (static_cast<int>(lanes_.size()) < threads) lanes_.push_back(std::make_unique<Lane<S>>(spec_, layers_, kernels_));
  for (int t = 0; t < threads; ++t) lanes_[t]->lay_out(images);
}

template <class S>
void Program<S>::load_given(const Lane<S>& lane, const Given& given, std::size_t begin) const {
  for (std::size_t g = 0; g < given.size(); ++g) lane.load_given(spec_.given[g].buffer, given[g], begin);
}

template <class S>
double Program<S>::forward_image(Lane<S>& lane, const Given& given, const std::uint8_t* image, std::size_t n, T scale, double* scratch) const {
  lane.load_image(image);
  load_given(lane, given, n);
  lane.forward();
  double nats = 0;
  for (int y = 0; y < spec_.height; ++y)
    for (int x = 0; x < spec_.width; ++x) {
      const PixelLevels levels{image + static_cast<std::ptrdiff_t>(y) * spec_.width + x, static_cast<std::ptrdiff_t>(pixels())};
      S* const grad = scale == 0 ? nullptr : lane.map(spec_.output_grad).at(y, x);
      nats += head_->nats(lane.map(spec_.output).at(y, x), levels, scale, grad, scratch);
    }
  return nats;
}

template <class S>
void Program<S>::score(const Parameters<T>& parameters, const Given& given, const std::uint8_t* levels, int images, double* nats, T* map) {
  const int threads = threads_for(images, images * multiply_adds_);
  layers_.pack(parameters, threads);
  prepare_lanes(threads, 1);
  const int channels = head_->parameters();
  parallel(threads, [&](int thread) {
    Lane<S>& lane = *lanes_[thread];
    std::vector<double> scratch(head_->scratch());
    const Share share = share_of(images, thread, threads);
    for (int n = share.begin; n < share.end; ++n) {
      nats[n] = forward_image(lane, given, levels + n * values(), n, 0, scratch.data());
      if (!map) continue;
      T* to = map + n * pixels() * channels;
      for (int y = 0; y < spec_.height; ++y)
        for (int x = 0; x < spec_.width; ++x)
          for (int c = 0; c < channels; ++c) *to++ = static_cast<T>(kernels_.widen(lane.map(spec_.output).at(y, x)[c]));
    }
  });
}

template <class S>
void Program<S>::train(const Parameters<T>& parameters, const Given& given, const std::uint8_t* levels, int images, std::uint64_t key, double* nats,
                       const std::vector<T*>& weight_grads, const std::vector<T*>& bias_grads) {
  const int threads = threads_for(images, 3 * images * multiply_adds_);
  layers_.pack(parameters, threads);
  prepare_lanes(threads, 1);
  parallel(threads, [&](int thread) {
    Lane<S>& lane = *lanes_[thread];
    lane.clear_gradients();
    std::vector<double> scratch(head_->scratch());
    const Share share = share_of(images, thread, threads);
    for (int n = share.begin; n < share.end; ++n) {
      lane.draw_for(key, n);
      nats[n] = forward_image(lane, given, levels + n * values(), n, T(1) / images, scratch.data());
      lane.backward();
      for (std::size_t g = 0; g < given.size(); ++g)
        if (given[g].gradient) lane.store_given_gradient(spec_.given[g].grad, given[g], n);
    }
  });
  sum_gradients(threads, weight_grads, bias_grads);
}

// Threads are added up in their order: for a given number of threads the result is the same to the last bit.
template <class S>
void Program<S>::sum_gradients(int threads, const std::vector<T*>& weight_grads, const std::vector<T*>& bias_grads) const {
  parallel(threads, [&](int thread) {
    for (int l = thread; l < layers_.size(); l += threads) {
      std::vector<const T*> parts;
      for (int t = 0; t < threads; ++t) parts.push_back(lanes_[t]->weight_grad(l));
      unpack_gradient<T>(spec_.layers[l], layers_[l].gradient_terms, parts, kernels_.lanes, weight_grads[l]);
      for (int c = 0; c < spec_.layers[l].biases(); ++c) {
        T sum = 0;
        for (int t = 0; t < threads; ++t) sum += lanes_[t]->bias_grad(l)[c];
        bias_grads[l][c] = sum;
      }
    }
  });
}

template <class S>
struct Program<S>::Drawing {
  std::uint8_t* levels;
  const std::uint8_t* known;
  const double* uniforms;
  double temperature;
  T* map;
};

template <class S>
void Program<S>::draw_channel(const Lane<S>& lane, const Drawing& to, int begin, int count, int y, int x, int channel, double* scratch) const {
  const Map<S>& output = lane.map(spec_.output);
  const std::size_t pixel = static_cast<std::size_t>(y) * spec_.width + x;
  for (int i = 0; i < count; ++i) {
    const std::size_t image = (static_cast<std::size_t>(begin) + i) * values();
    const S* const parameters = output.at(y, x) + i * output.channel_stride;
    std::uint8_t& level = to.levels[image + channel * pixels() + pixel];
    if (!to.known[image + channel * pixels() + pixel]) {
      const PixelLevels earlier{to.levels + image + pixel, static_cast<std::ptrdiff_t>(pixels())};
      const double u = to.uniforms[image + pixel * spec_.channels + channel];
      level = static_cast<std::uint8_t>(head_->draw(parameters, channel, earlier, u, to.temperature, scratch));
    }
    if (to.map) {
      T* const copy = to.map + ((static_cast<std::size_t>(begin) + i) * pixels() + pixel) * head_->parameters();
      const auto range = head_->read_by(channel);
      for (int k = range.first; k < range.last; ++k) copy[k] = static_cast<T>(kernels_.widen(parameters[k]));
    }
    lane.set_level(i, channel, y, x, level);
  }
}

template <class S>
void Program<S>::draw_row(Lane<S>& lane, const Drawing& to, int begin, int count, int y, double* scratch) const {
  // Where the network sees each channel before the next is drawn, every pixel node runs before each, those that see their own pixel too.
  const bool again = spec_.channels > 1 && head_->channel_by_channel();
  lane.forward_row(y);
  for (int x = 0; x < spec_.width; ++x) {
    for (int c = 0; c < spec_.channels; ++c) {
      if (c == 0 || again) lane.forward_pixel(y, x, again);
      draw_channel(lane, to, begin, count, y, x, c, scratch);
    }
    lane.forward_late(y, x);
  }
}

template <class S>
void Program<S>::sample(const Parameters<T>& parameters, const Given& given, std::uint8_t* levels, const std::uint8_t* known, const double* uniforms,
                        int images, double temperature, T* map, const Progress& progress) {
  constexpr int widest_tile = 32;  // images side by side: enough to fill register tiles, few enough for their rows to stay in cache
  const int threads = threads_for(images, images * multiply_adds_);
  const int rounds = (images + threads * widest_tile - 1) / (threads * widest_tile);
  const int tiles = std::min(images, threads * rounds);
  layers_.pack(parameters, threads);
  prepare_lanes(threads, tiles == 0 ? 1 : (images + tiles - 1) / tiles);
  const Drawing to{levels, known, uniforms, temperature, map};
  const int total = rounds * spec_.height;
  std::vector<std::atomic<int>> rows_done(threads);  // by each thread, over all its tiles
  int reported = 0;
  std::atomic<bool> stopped{false};
  const auto report = [&](int rows) {
    if (!progress || rows == reported) return;
    reported = rows;
    try {
      progress(rows, total);
    } catch (...) {
      stopped = true;
      throw;
    }
  };
  const auto draw_tile = [&](Lane<S>& lane, int thread, int begin, int count) {
    lane.lay_out(count);
    lane.clear();
    load_given(lane, given, begin);
    lane.begin();
    lane.forward_given();
    std::vector<double> scratch(head_->scratch());
    for (int y = 0; y < spec_.height; ++y) {
      draw_row(lane, to, begin, count, y, scratch.data());
      ++rows_done[thread];
      if (thread == 0) report(*std::min_element(rows_done.begin(), rows_done.end()));
      if (stopped) return;
    }
  };
  parallel(threads, [&](int thread) {
    for (int t = thread; t < tiles && !stopped; t += threads) {
      const Share share = share_of(images, t, tiles);
      draw_tile(*lanes_[thread], thread, share.begin, share.end - share.begin);
    }
  });
  report(total);
}

template class Program<float>;
template class Program<double>;
template class Program<bfloat16>;

}  // namespace genlab
