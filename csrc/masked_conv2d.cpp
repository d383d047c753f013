#include "masked_conv2d.hpp"

#include <algorithm>
#include <cstdint>

#include "map.hpp"
#include "memory.hpp"
#include "parallel.hpp"

namespace genlab {
namespace {

// One image with a border of zeros: [row][x][channel], channels `stride` apart from pixel to pixel.
template <class T>
struct Padded {
  Aligned<T> memory;
  Map<T> map;
  int side_rows;

  Padded(const Layer& layer, ConvShape shape, int stride) : side_rows(layer.height / 2) {
    const int side_columns = layer.width / 2;
    memory.resize(map.lay_out({shape.height, shape.width, side_rows, side_rows, side_columns, side_columns, 0, false}, 1, stride, "an image of x"));
    map.data = memory.get();
  }
  T* at(int y, int x) { return map.at(y, x); }

  // Takes rows [begin, end) of an image of `channels`; rows beyond the image stay zero.
  void load(const T* image, int channels, ConvShape shape, int begin, int end) {
    for (int y = std::max(begin, 0); y < std::min(end, shape.height); ++y) {
      const T* from = image + static_cast<std::ptrdiff_t>(y) * shape.width * channels;
      if (map.channel_stride == channels) {
        std::copy_n(from, static_cast<std::ptrdiff_t>(shape.width) * channels, at(y, 0));
        continue;
      }
      for (int x = 0; x < shape.width; ++x, from += channels) std::copy_n(from, channels, at(y, x));
    }
  }
};

template <class T>
double operations(const Layer& layer, ConvShape shape) {
  const double live = static_cast<double>(std::count_if(layer.mask.begin(), layer.mask.end(), [](auto m) { return m != 0; }));
  return live * shape.images * shape.height * shape.width;
}

// A row of convolution into an image whose pixels lie `channels` apart, by way of `line` where that is no whole number of vectors.
template <class T>
void conv_row(const KernelTable<T>& kernels, ConvArgs<T> a, T* to, int channels, Aligned<T>& line) {
  a.channels = round_up(channels, kernels.lanes);
  a.out = a.channels == channels ? to : line.get();
  a.out_stride = a.channels;
  kernels.conv(a);
  if (a.channels == channels) return;
  for (int x = 0; x < a.pixels; ++x)
    std::copy_n(line.get() + static_cast<std::ptrdiff_t>(x) * a.channels, channels, to + static_cast<std::ptrdiff_t>(x) * channels);
}

}  // namespace

template <class T>
void masked_conv2d_forward(const KernelTable<T>& kernels, const Layer& layer, ConvShape shape, const T* x, const T* weight, const T* bias, T* y) {
  const std::vector<Term> terms = forward_terms(layer);
  const int padded_out = round_up(layer.out_channels, kernels.lanes);
  Aligned<T> packed(terms.size() * padded_out), padded_bias(padded_out);
  pack_forward<T>(layer, terms, weight, kernels, packed.get());
  if (bias) std::copy_n(bias, layer.out_channels, padded_bias.get());
  // With fewer images than threads, each image is cut into bands of rows.
  const int bands =
      shape.images >= thread_count() || shape.images == 0 ? 1 : std::min(shape.height, (thread_count() + shape.images - 1) / shape.images);
  const int items = shape.images * bands;
  const int threads = threads_for(items, operations<T>(layer, shape));
  parallel(threads, [&](int thread) {
    Padded<T> image(layer, shape, layer.in_channels);
    const std::vector<std::int32_t> offsets = image.map.offsets(terms);
    Aligned<T> line(static_cast<std::size_t>(shape.width) * padded_out);
    const Share share = share_of(items, thread, threads);
    for (int item = share.begin; item < share.end; ++item) {
      const int n = item / bands, band = item % bands;
      const int begin = shape.height * band / bands, end = shape.height * (band + 1) / bands;
      const std::size_t pixels = static_cast<std::size_t>(shape.height) * shape.width;
      image.load(x + n * pixels * layer.in_channels, layer.in_channels, shape, begin - image.side_rows, end + image.side_rows);
      for (int row = begin; row < end; ++row) {
        ConvArgs<T> a{};
        a.x = image.at(row, 0);
        a.x_stride = image.map.channel_stride;
        a.offsets = offsets.data();
        a.depth = static_cast<int>(offsets.size());
        a.weight = packed.get();
        a.bias = padded_bias.get();
        a.pixels = shape.width;
        conv_row(kernels, a, y + (n * pixels + static_cast<std::size_t>(row) * shape.width) * layer.out_channels, layer.out_channels, line);
      }
    }
  });
}

template <class T>
void masked_conv2d_backward(const KernelTable<T>& kernels, const Layer& layer, ConvShape shape, const T* grad, const T* x, const T* weight, T* grad_x,
                            T* grad_weight, T* grad_bias) {
  const int padded_out = round_up(layer.out_channels, kernels.lanes), padded_in = round_up(layer.in_channels, kernels.lanes);
  const bool narrow = 4 * layer.in_channels <= kernels.lanes;
  const std::vector<Term> terms = forward_terms(layer), back_terms = grouped(backward_terms(layer), narrow ? padded_out : 1);
  Aligned<T> packed(back_terms.size() * (narrow ? layer.in_channels * padded_out : padded_in));
  if (narrow)
    pack_narrow_backward<T>(layer, back_terms, weight, padded_out, packed.get());
  else
    pack_backward<T>(layer, back_terms, weight, kernels, packed.get());
  const int threads = threads_for(shape.images, 2 * operations<T>(layer, shape));
  std::vector<Aligned<T>> weight_parts(threads), bias_parts(threads);
  for (int t = 0; t < threads; ++t) {
    weight_parts[t].resize(terms.size() * padded_out);
    bias_parts[t].resize(padded_out);
  }
  parallel(threads, [&](int thread) {
    Padded<T> image(layer, shape, layer.in_channels), gradient(layer, shape, padded_out);
    const std::vector<std::int32_t> offsets = image.map.offsets(terms), back_offsets = gradient.map.offsets(back_terms);
    Aligned<T> line(static_cast<std::size_t>(shape.width) * padded_in);
    const std::size_t pixels = static_cast<std::size_t>(shape.height) * shape.width;
    const Share share = share_of(shape.images, thread, threads);
    for (int n = share.begin; n < share.end; ++n) {
      image.load(x + n * pixels * layer.in_channels, layer.in_channels, shape, 0, shape.height);
      const T* const grad_image = grad + n * pixels * layer.out_channels;
      // The weight gradient needs no border around the gradient: whole vectors are read where they lie.
      const bool in_place = padded_out == layer.out_channels;
      if (grad_x || !in_place) gradient.load(grad_image, layer.out_channels, shape, 0, shape.height);
      for (int row = 0; grad_x && row < shape.height; ++row) {
        T* const to = grad_x + (n * pixels + static_cast<std::size_t>(row) * shape.width) * layer.in_channels;
        if (narrow) {
          kernels.narrow_conv({gradient.at(row, 0), gradient.map.channel_stride, back_offsets.data(), static_cast<int>(back_offsets.size()),
                               padded_out, packed.get(), layer.in_channels, shape.width, to, layer.in_channels});
          continue;
        }
        ConvArgs<T> a{};
        a.x = gradient.at(row, 0);
        a.x_stride = gradient.map.channel_stride;
        a.offsets = back_offsets.data();
        a.depth = static_cast<int>(back_offsets.size());
        a.weight = packed.get();
        a.pixels = shape.width;
        conv_row(kernels, a, to, layer.in_channels, line);
      }
      WeightGradArgs<T> a{};
      a.x = image.at(0, 0);
      a.x_stride = image.map.channel_stride;
      a.x_row = image.map.row;
      a.offsets = offsets.data();
      a.depth = static_cast<int>(offsets.size());
      a.grad = in_place ? grad_image : gradient.at(0, 0);
      a.grad_stride = padded_out;
      a.grad_row = in_place ? static_cast<std::ptrdiff_t>(shape.width) * padded_out : gradient.map.row;
      a.channels = padded_out;
      a.rows = shape.height;
      a.pixels = shape.width;
      a.weight_grad = weight_parts[thread].get();
      a.bias_grad = bias_parts[thread].get();
      kernels.weight_grad(a);
    }
  });
  std::vector<const T*> parts;
  for (const auto& part : weight_parts) parts.push_back(part.get());
  unpack_gradient<T>(layer, terms, parts, kernels.lanes, grad_weight);
  for (int o = 0; o < layer.out_channels; ++o) {
    grad_bias[o] = 0;
    for (const auto& part : bias_parts) grad_bias[o] += part.get()[o];
  }
}

#define GENLAB_INSTANTIATE(T)                                                                                               \
  template void masked_conv2d_forward<T>(const KernelTable<T>&, const Layer&, ConvShape, const T*, const T*, const T*, T*); \
  template void masked_conv2d_backward<T>(const KernelTable<T>&, const Layer&, ConvShape, const T*, const T*, const T*, T*, T*, T*);
GENLAB_INSTANTIATE(float)
GENLAB_INSTANTIATE(double)
#undef GENLAB_INSTANTIATE

}  // namespace genlab
