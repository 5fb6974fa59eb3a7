// Convolution: the value and its two adjoints, as matrix products over tiles of unrolled pixels.
//
// A tile's unrolled inputs, (channels x taps) by pixels, stay in the nearest large cache, and gemm multiplies them by
// the weights.  What is worth more is taken first: Winograd's algorithm, loops for depthwise convolutions, and for 1x1
// ones no unrolling at all.  All tensors are contiguous: images (batch, groups x channels, pixels), weights (groups x
// out_channels, in_channels, taps).  See docs/design/convolution.md.
#include <algorithm>
#include <cstring>

#include "kernels/conv_ways.h"
#include "kernels/gemm.h"
#include "kernels/unroll.h"
#include "kernels/workspace.h"
#include "runtime/strided.h"

namespace lg::LG_ISA {
namespace {

constexpr int64_t tile_bytes = 256 << 10;     // of unrolled pixels: a quarter of the second-level cache
constexpr int64_t chunk_work = 500000;        // multiplications worth a chunk of their own
constexpr int64_t most_partials = 16;         // sums into which the weights' gradient is split
constexpr int64_t partial_pixels = 256;       // that each takes in
constexpr int64_t partial_bytes = 256 << 20;  // that these may take in all

bool is_pointwise(const Window& w) {
  bool plain = true;
  for (int d = 0; d < 3; ++d) plain &= w.kernel[d] == 1 && w.stride[d] == 1 && w.padding[d] == 0 && w.in[d] == w.out[d];
  return plain;
}

bool has_unit_stride(const Window& w) { return w.stride[0] == 1 && w.stride[1] == 1 && w.stride[2] == 1; }

/// How the output pixels of an image are cut.
template <class T>
struct Tiles {
  int64_t pixels, size, count;
  bool unrolled;  // false: the input itself is the matrix

  explicit Tiles(const ConvShape& s) : pixels(s.outputs()), unrolled(!is_pointwise(s)) {
    const int64_t most = tile_bytes / int64_t(sizeof(T)) / std::max<int64_t>(1, s.depth());
    size = std::min(pixels, std::max<int64_t>(64, most / 64 * 64));
    count = (pixels + size - 1) / size;
    size = std::min(pixels, ((pixels + count - 1) / count + 15) / 16 * 16);
    count = (pixels + size - 1) / size;
  }
  int64_t bytes(const ConvShape& s) const {
    return unrolled ? (s.depth() * size * int64_t(sizeof(T)) + 63) / 64 * 64 : 0;
  }
};

/// One tile of one group of one image.
template <class T>
struct Tile {
  int64_t image, group, first, count;

  Tile(const ConvShape& s, const Tiles<T>& tiles, int64_t number)
      : image(number / tiles.count / s.groups), group(number / tiles.count % s.groups) {
    first = number % tiles.count * tiles.size;
    count = std::min(tiles.size, tiles.pixels - first);
  }
  const T* inputs(const ConvShape& s, const T* x) const {
    return x + (image * s.groups + group) * s.in_channels * s.inputs();
  }
  /// The first pixel of the tile in the outputs' first channel.
  template <class U>
  U* outputs(const ConvShape& s, U* y) const {
    return y + (image * s.groups + group) * s.out_channels * s.outputs() + first;
  }
  /// The inputs that the tile sees, a matrix depth x count.
  MatrixView<const T> matrix(const ConvShape& s, const Tiles<T>& tiles, const T* x, T* room) const {
    if (!tiles.unrolled) return {inputs(s, x) + first, s.inputs(), 1};
    unroll<T>(s, s.in_channels, inputs(s, x), first, count, room, count);
    return {room, count, 1};
  }
};

int64_t grain_for(int64_t work) { return std::max<int64_t>(1, chunk_work / std::max<int64_t>(1, work)); }

/// y = weight * x + bias, tile by tile.
template <class T>
void forward(T* y, const T* x, const T* weight, const T* bias, const ConvShape& s) {
  if constexpr (std::is_same_v<T, float>)
    if (fits_winograd(s) && winograd(y, x, weight, bias, s)) return;
  if (s.in_channels == 1 && s.groups > 1) return depthwise(y, x, weight, bias, s);
  const Tiles<T> tiles(s);
  const int64_t depth = s.depth(), tasks = s.batch * s.groups * tiles.count;
  const int64_t grain = grain_for(tiles.size * depth * s.out_channels);
  const int64_t matrix = tiles.bytes(s);
  Workspace space(matrix + gemm_bytes<T>(s.out_channels, depth), (tasks + grain - 1) / grain);
  parallel_for(tasks, grain, [&](int64_t begin, int64_t end) {
    Workspace::Piece piece(space);
    for (int64_t task = begin; task < end; ++task) {
      const Tile<T> tile(s, tiles, task);
      const MatrixView<const T> seen = tile.matrix(s, tiles, x, piece.as<T>());
      T* out = tile.outputs(s, y);
      if (bias)
        for (int64_t k = 0; k < s.out_channels; ++k)
          std::fill_n(out + k * tiles.pixels, tile.count, bias[tile.group * s.out_channels + k]);
      gemm<T>(s.out_channels, tile.count, depth, {weight + tile.group * s.out_channels * depth, depth, 1}, seen,
              {out, tiles.pixels, 1}, bias != nullptr, piece.as<void>(matrix));
    }
  });
}

/// The weights of the convolution that is the adjoint of one with unit stride: taps in reverse, channels exchanged.
template <class T>
void flip_weights(const T* w, T* flipped, const ConvShape& s) {
  const int64_t taps = s.taps();
  for (int64_t group = 0; group < s.groups; ++group)
    for (int64_t k = 0; k < s.out_channels; ++k)
      for (int64_t c = 0; c < s.in_channels; ++c) {
        const T* from = w + ((group * s.out_channels + k) * s.in_channels + c) * taps;
        T* to = flipped + ((group * s.in_channels + c) * s.out_channels + k) * taps;
        for (int64_t i = 0; i < taps; ++i) to[i] = from[taps - 1 - i];
      }
}

ConvShape adjoint_of(const ConvShape& s) {
  ConvShape a = s;
  std::swap(a.in_channels, a.out_channels);
  for (int d = 0; d < 3; ++d) {
    std::swap(a.in[d], a.out[d]);
    a.padding[d] = (s.kernel[d] - 1) * s.dilation[d] - s.padding[d];
  }
  return a;
}

/// dx = weight^T g, rolled up; a task has some channels of one image to itself.
template <class T>
void input_by_rolling(T* dx, const T* g, const T* weight, const T* bias, const ConvShape& s) {
  const int64_t depth = s.depth(), taps = s.taps(), images = s.batch * s.groups;
  const int64_t blocks = std::min(s.in_channels, (most_partials + images - 1) / images);
  const int64_t width = (s.in_channels + blocks - 1) / blocks;
  ConvShape part = s;
  part.in_channels = width;
  Tiles<T> tiles(part);
  tiles.unrolled = true;
  const int64_t tasks = images * blocks, grain = grain_for(tiles.pixels * width * taps * s.out_channels);
  const int64_t matrix = tiles.bytes(part);
  Workspace space(matrix + gemm_bytes<T>(width * taps, s.out_channels), (tasks + grain - 1) / grain);
  parallel_for(tasks, grain, [&](int64_t begin, int64_t end) {
    Workspace::Piece piece(space);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t image = task / blocks, group = image % s.groups, channel = task % blocks * width;
      const int64_t count = std::min(width, s.in_channels - channel);
      if (count <= 0) continue;
      T* to = dx + (image * s.in_channels + channel) * s.inputs();
      for (int64_t c = 0; c < count; ++c)
        std::fill_n(to + c * s.inputs(), s.inputs(), bias ? bias[group * s.in_channels + channel + c] : T(0));
      const T* w = weight + group * s.out_channels * depth + channel * taps;
      for (int64_t first = 0; first < tiles.pixels; first += tiles.size) {
        const int64_t pixels = std::min(tiles.size, tiles.pixels - first);
        gemm<T>(count * taps, pixels, s.out_channels, {w, 1, depth},
                {g + image * s.out_channels * tiles.pixels + first, tiles.pixels, 1}, {piece.as<T>(), pixels, 1}, false,
                piece.as<void>(matrix));
        roll_up<T>(s, count, to, first, pixels, piece.as<T>(), pixels);
      }
    }
  });
}

template <class T>
void input(T* dx, const T* g, const T* weight, const T* bias, const ConvShape& s) {
  if (s.in_channels == 1 && s.groups > 1) return depthwise_input(dx, g, weight, bias, s);
  const ConvShape adjoint = adjoint_of(s);
  // Rolling goes over the inputs' channels, a flipped convolution over the outputs': the fewer the better.
  const bool cheap_to_roll =
      2 * s.in_channels < s.out_channels && !is_pointwise(s) && !(std::is_same_v<T, float> && fits_winograd(adjoint));
  if (!has_unit_stride(s) || cheap_to_roll) return input_by_rolling(dx, g, weight, bias, s);
  Scratch flipped(size_t(s.groups * s.out_channels * s.depth()) * sizeof(T));
  flip_weights(weight, flipped.as<T>(), s);
  forward(dx, g, flipped.as<T>(), bias, adjoint);
}

/// dw = sum over tiles of g (out_channels x pixels) seen^T (pixels x depth).  The tiles are split among a number of
/// partial sums that depends on the shape alone; these are added in their order.
template <class T>
void weight_gradient(T* dw, const T* x, const T* g, const ConvShape& s) {
  if constexpr (std::is_same_v<T, float>)
    if (fits_winograd(s) && winograd_weight(dw, x, g, s)) return;
  if (s.in_channels == 1 && s.groups > 1) return depthwise_weight(dw, x, g, s);
  const Tiles<T> tiles(s);
  const int64_t depth = s.depth(), per_group = s.out_channels * depth, n = s.groups * per_group;
  const int64_t all = s.batch * tiles.count;  // tiles of one group
  // Each is as large as the weights, so it takes in some pixels at least.
  const int64_t wanted = std::clamp<int64_t>(s.batch * tiles.pixels / partial_pixels, std::min<int64_t>(2, all),
                                             std::min(most_partials, all));
  const int64_t partials = std::clamp<int64_t>(partial_bytes / (n * int64_t(sizeof(T))), 1, wanted);
  Scratch memory(partials > 1 ? size_t(partials * n) * sizeof(T) : 0);
  T* sums = partials > 1 ? memory.as<T>() : dw;
  const int64_t matrix = tiles.bytes(s);
  Workspace space(matrix + gemm_bytes<T>(s.out_channels, tiles.size), partials * s.groups);
  parallel_for(partials * s.groups, grain_for(all / partials * tiles.size * per_group),
               [&](int64_t begin, int64_t end) {
                 Workspace::Piece piece(space);
                 for (int64_t task = begin; task < end; ++task) {
                   const int64_t partial = task / s.groups, group = task % s.groups;
                   const int64_t from = all * partial / partials, to = all * (partial + 1) / partials;
                   for (int64_t i = from; i < to; ++i) {
                     const int64_t number = (i / tiles.count * s.groups + group) * tiles.count + i % tiles.count;
                     const Tile<T> tile(s, tiles, number);
                     gemm<T>(s.out_channels, depth, tile.count, {tile.outputs(s, g), tiles.pixels, 1},
                             tile.matrix(s, tiles, x, piece.as<T>()).transposed(),
                             {sums + partial * n + group * per_group, depth, 1}, i > from, piece.as<void>(matrix));
                   }
                 }
               });
  if (partials == 1) return;
  parallel_for(n, default_grain / 4, [&](int64_t begin, int64_t end) {
    std::copy(sums + begin, sums + end, dw + begin);
    for (int64_t partial = 1; partial < partials; ++partial)
      for (int64_t i = begin; i < end; ++i) dw[i] += sums[partial * n + i];
  });
}

template <class F>
void dispatch(DType dtype, F&& f) {
  if (dtype == DType::Float32)
    f.template operator()<float>();
  else
    f.template operator()<double>();
}

}  // namespace

void conv(Strided y, Strided x, Strided weight, Strided bias, const ConvShape& s) {
  dispatch(y.dtype,
           [&]<class T>() { forward(y.as<T>(), x.as<const T>(), weight.as<const T>(), bias.as<const T>(), s); });
}

void conv_input(Strided dx, Strided g, Strided weight, Strided bias, const ConvShape& s) {
  dispatch(dx.dtype,
           [&]<class T>() { input(dx.as<T>(), g.as<const T>(), weight.as<const T>(), bias.as<const T>(), s); });
}

void conv_weight(Strided dw, Strided x, Strided g, const ConvShape& s) {
  dispatch(dw.dtype, [&]<class T>() { weight_gradient(dw.as<T>(), x.as<const T>(), g.as<const T>(), s); });
}

/// y[image, (channel, tap), pixel]: the unrolled images themselves.  Any float32 or float64.
void unfold(Strided y, Strided x, const ConvShape& s) {
  dispatch(y.dtype, [&]<class T>() {
    const int64_t planes = s.batch * s.in_channels, rows = s.taps() * s.outputs();
    parallel_for(planes, grain_for(rows), [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p)
        unroll<T>(s, 1, x.as<const T>() + p * s.inputs(), 0, s.outputs(), y.as<T>() + p * rows, s.outputs());
    });
  });
}

/// Its adjoint: x is the sum of what unfold would have read there.
void fold(Strided x, Strided y, const ConvShape& s) {
  dispatch(x.dtype, [&]<class T>() {
    const int64_t planes = s.batch * s.in_channels, rows = s.taps() * s.outputs();
    parallel_for(planes, grain_for(rows), [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        T* to = x.as<T>() + p * s.inputs();
        std::fill_n(to, s.inputs(), T(0));
        roll_up<T>(s, 1, to, 0, s.outputs(), y.as<const T>() + p * rows, s.outputs());
      }
    });
  });
}

}  // namespace lg::LG_ISA
