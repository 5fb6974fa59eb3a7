// 3x3 convolution by Winograd's minimal filtering F(4x4, 3x3): 36 products for 16 outputs, where the definition has
// 144.
//
//   y = A' [ (G w G') . (B' d B) ] A      for each 4x4 tile of outputs and the 6x6 tile d of inputs that it sees
//   dw = G' [ sum over tiles of (A g A') . (B' d B) ] G
//
// "." is by element, so each of the 36 elements is a matrix product over channels: (out x in) by (in x tiles), which
// gemm does.  Lavin and Gray, "Fast algorithms for convolutional neural networks" (2016); points 0, 1, -1, 2, -2,
// infinity. The transforms run over vectors of tiles: pixels are first dealt out by their place within a tile, so that
// the same place of neighbouring tiles is neighbouring memory.  Error and speed: docs/design/convolution.md.
#include <algorithm>
#include <atomic>
#include <cmath>

#include "kernels/conv_ways.h"
#include "kernels/gemm.h"
#include "kernels/workspace.h"

namespace lg::LG_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int64_t lanes = 16;
#elif defined(__AVX__)
constexpr int64_t lanes = 8;
#else
constexpr int64_t lanes = 4;
#endif
typedef float Vec __attribute__((vector_size(lanes * 4)));
typedef float Loose __attribute__((vector_size(lanes * 4), aligned(4), may_alias));

inline Vec load(const float* p) { return *reinterpret_cast<const Loose*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<Loose*>(p) = v; }

constexpr int64_t points = 36;
constexpr int64_t tiles_wanted = 128;   // in a task
constexpr int64_t least_channels = 16;  // on both sides; with fewer the transforms cost more than they save
constexpr int64_t least_tiles = 64;     // in all, for the weights' transform to pay
constexpr int64_t most_partials = 16;   // of the weights' gradient
constexpr int64_t partial_bytes = 256 << 20;

// ---- the six matrices, in one dimension; T is a number or a vector of them

template <class T>
inline void inputs_1d(const T* d, T* v) {  // B' d
  const T even = d[4] - 4 * d[2], odd = d[3] - 4 * d[1], wide = d[4] - d[2], twice = 2 * (d[3] - d[1]);
  v[0] = 4 * d[0] - 5 * d[2] + d[4];
  v[1] = even + odd;
  v[2] = even - odd;
  v[3] = wide + twice;
  v[4] = wide - twice;
  v[5] = 4 * d[1] - 5 * d[3] + d[5];
}
template <class T>
inline void weights_1d(const T* w, T* u) {  // G w
  const T ends = w[0] + w[2], far = w[0] / 24 + w[2] / 6;
  u[0] = w[0] / 4;
  u[1] = (ends + w[1]) / -6;
  u[2] = (ends - w[1]) / -6;
  u[3] = far + w[1] / 12;
  u[4] = far - w[1] / 12;
  u[5] = w[2];
}
template <class T>
inline void outputs_1d(const T* m, T* y) {  // A' m
  const T near = m[1] + m[2], far = m[3] + m[4], near_odd = m[1] - m[2], far_odd = m[3] - m[4];
  y[0] = m[0] + near + far;
  y[1] = near_odd + 2 * far_odd;
  y[2] = near + 4 * far;
  y[3] = near_odd + 8 * far_odd + m[5];
}
template <class T>
inline void gradients_1d(const T* g, T* v) {  // A g
  const T near = g[0] + g[2], near_odd = g[1] + g[3], far = g[0] + 4 * g[2], far_odd = 2 * g[1] + 8 * g[3];
  v[0] = g[0];
  v[1] = near + near_odd;
  v[2] = near - near_odd;
  v[3] = far + far_odd;
  v[4] = far - far_odd;
  v[5] = g[3];
}
template <class T>
inline void weight_sums_1d(const T* s, T* w) {  // G' s
  const T near = (s[1] + s[2]) / -6, far = (s[3] + s[4]) / 24;
  w[0] = s[0] / 4 + near + far;
  w[1] = (s[2] - s[1]) / 6 + (s[3] - s[4]) / 12;
  w[2] = near + 4 * far + s[5];
}

/// Applies `along`, which makes `to` numbers of `from`, to the columns and then to the rows of a square.
template <int from, int to, class T, class F>
inline void both_ways(const T (&in)[from][from], T (&out)[to][to], F along) {
  T half[to][from];
  for (int j = 0; j < from; ++j) {
    T column[from], result[to];
    for (int i = 0; i < from; ++i) column[i] = in[i][j];
    along(column, result);
    for (int i = 0; i < to; ++i) half[i][j] = result[i];
  }
  for (int i = 0; i < to; ++i) along(half[i], out[i]);
}

// ---- tasks

/// How the tiles are grouped: a task has some rows of tiles of one image, or several whole images.
struct Grid {
  const ConvShape& s;
  int64_t down, across;  // tiles of an image
  int64_t rows, images;  // of a task
  int64_t bands, tasks;

  explicit Grid(const ConvShape& s) : s(s), down((s.out[1] + 3) / 4), across((s.out[2] + 3) / 4) {
    rows = std::clamp<int64_t>(tiles_wanted / across, 1, down);
    bands = (down + rows - 1) / rows;
    rows = (down + bands - 1) / bands;
    bands = (down + rows - 1) / rows;
    images = bands > 1 ? 1 : std::clamp<int64_t>(tiles_wanted / (down * across), 1, std::max<int64_t>(1, s.batch));
    tasks = bands * ((s.batch + images - 1) / images);
  }
  int64_t most_tiles() const { return images * rows * across; }
  /// Elements between two rows of a transformed matrix: vectors may run over its end.
  int64_t pitch() const { return (most_tiles() + 2 * lanes - 1) / lanes * lanes; }
  /// Elements between the matrices of two points; not a multiple of a page, lest all fall into the same cache sets.
  int64_t plane(int64_t channels) const { return channels * pitch() + 16; }
  /// Elements in which one channel of one image is dealt out, by rows and columns within the tile.
  int64_t dealt(int64_t columns) const { return 4 * columns * deal_pitch(); }
  int64_t deal_pitch() const { return (rows + 1) * across + lanes; }
};

struct Task {
  int64_t first_image, images, first_row, rows, tiles;  // tiles: of one image

  Task(const Grid& g, int64_t number) {
    first_image = number / g.bands * g.images;
    images = std::min(g.images, g.s.batch - first_image);
    first_row = number % g.bands * g.rows;
    rows = std::min(g.rows, g.down - first_row);
    tiles = rows * g.across;
  }
  int64_t all_tiles() const { return images * tiles; }
};

/// Deals out rows [4 first_row, + lines) of an image, shifted by the padding: place (i % 4, j) of tile (i / 4, t) is
/// out[(i % 4 * columns + j) * pitch + i / 4 * across + t].
void deal(const float* x, int64_t height, int64_t width, int64_t pad_y, int64_t pad_x, const Grid& grid,
          int64_t first_row, int64_t lines, int64_t columns, float* line, float* out) {
  const int64_t pitch = grid.deal_pitch(), n = grid.across, end = 4 * n + 4;
  const int64_t from = std::clamp<int64_t>(pad_x, 0, end), to = std::clamp(width + pad_x, from, end);
  std::fill_n(line, end, 0.0f);
  for (int64_t i = 0; i < lines; ++i) {
    float* places = out + i % 4 * columns * pitch + i / 4 * n;
    const int64_t y = 4 * first_row + i - pad_y;
    if (y < 0 || y >= height) {
      for (int64_t j = 0; j < columns; ++j) std::fill_n(places + j * pitch, n, 0.0f);
      continue;
    }
    const float* source = x + y * width - pad_x;
    for (int64_t k = from; k < to; ++k) line[k] = source[k];
    float *p0 = places, *p1 = p0 + pitch, *p2 = p1 + pitch, *p3 = p2 + pitch;
    for (int64_t t = 0; t < n; ++t) {
      p0[t] = line[4 * t];
      p1[t] = line[4 * t + 1];
      p2[t] = line[4 * t + 2];
      p3[t] = line[4 * t + 3];
    }
    if (columns == 4) continue;
    float *p4 = p3 + pitch, *p5 = p4 + pitch;
    for (int64_t t = 0; t < n; ++t) {
      p4[t] = line[4 * t + 4];
      p5[t] = line[4 * t + 5];
    }
  }
}

/// v[point][channel][tile] = B' d B for the tiles of a task.  `room` is for one channel of one image, its slack zero.
void transform_inputs(const Grid& grid, const Task& task, const float* x, float* v, float* line, float* room) {
  const ConvShape& s = grid.s;
  const int64_t pitch = grid.pitch(), plane = grid.plane(s.in_channels), deal_pitch = grid.deal_pitch();
  for (int64_t c = 0; c < s.in_channels; ++c)
    for (int64_t image = 0; image < task.images; ++image) {
      const float* source = x + ((task.first_image + image) * s.in_channels + c) * s.inputs();
      deal(source, s.in[1], s.in[2], s.padding[1], s.padding[2], grid, task.first_row, 4 * task.rows + 2, 6, line,
           room);
      float* to = v + c * pitch + image * task.tiles;
      for (int64_t t = 0; t < task.tiles; t += lanes) {
        Vec d[6][6], out[6][6];
        for (int i = 0; i < 6; ++i)
          for (int j = 0; j < 6; ++j) d[i][j] = load(room + (i % 4 * 6 + j) * deal_pitch + i / 4 * grid.across + t);
        both_ways(d, out, [](const Vec* in, Vec* result) { inputs_1d(in, result); });
        for (int i = 0; i < 6; ++i)
          for (int j = 0; j < 6; ++j) store(to + (i * 6 + j) * plane + t, out[i][j]);
      }
    }
}

/// v[point][channel][tile] = A g A'.
void transform_gradients(const Grid& grid, const Task& task, const float* g, float* v, float* line, float* room) {
  const ConvShape& s = grid.s;
  const int64_t pitch = grid.pitch(), plane = grid.plane(s.out_channels), deal_pitch = grid.deal_pitch();
  for (int64_t k = 0; k < s.out_channels; ++k)
    for (int64_t image = 0; image < task.images; ++image) {
      const float* source = g + ((task.first_image + image) * s.out_channels + k) * s.outputs();
      deal(source, s.out[1], s.out[2], 0, 0, grid, task.first_row, 4 * task.rows, 4, line, room);
      float* to = v + k * pitch + image * task.tiles;
      for (int64_t t = 0; t < task.tiles; t += lanes) {
        Vec d[4][4], out[6][6];
        for (int i = 0; i < 4; ++i)
          for (int j = 0; j < 4; ++j) d[i][j] = load(room + (i * 4 + j) * deal_pitch + t);
        both_ways(d, out, [](const Vec* in, Vec* result) { gradients_1d(in, result); });
        for (int i = 0; i < 6; ++i)
          for (int j = 0; j < 6; ++j) store(to + (i * 6 + j) * plane + t, out[i][j]);
      }
    }
}

/// Writes the tiles out[place][tile] of one image's channel as rows of pixels.
void collect(const float* out, const Grid& grid, const Task& task, float* y) {
  const int64_t height = grid.s.out[1], width = grid.s.out[2], pitch = grid.deal_pitch(), whole = width / 4;
  for (int64_t row = 4 * task.first_row; row < std::min(height, 4 * (task.first_row + task.rows)); ++row) {
    const float* from = out + row % 4 * 4 * pitch + (row / 4 - task.first_row) * grid.across;
    const float *p0 = from, *p1 = p0 + pitch, *p2 = p1 + pitch, *p3 = p2 + pitch;
    float* to = y + row * width;
    for (int64_t t = 0; t < whole; ++t) {
      to[4 * t] = p0[t];
      to[4 * t + 1] = p1[t];
      to[4 * t + 2] = p2[t];
      to[4 * t + 3] = p3[t];
    }
    for (int64_t k = 4 * whole; k < width; ++k) to[k] = from[k % 4 * pitch + whole];
  }
}

/// y = A' m A + bias for the tiles of a task; false if something is not finite.
bool transform_outputs(const Grid& grid, const Task& task, const float* m, const float* bias, float* y, float* room) {
  const ConvShape& s = grid.s;
  const int64_t pitch = grid.pitch(), plane = grid.plane(s.out_channels), deal_pitch = grid.deal_pitch();
  Vec zero = {};  // stays 0 while everything is finite
  for (int64_t k = 0; k < s.out_channels; ++k)
    for (int64_t image = 0; image < task.images; ++image) {
      const float* from = m + k * pitch + image * task.tiles;
      const float add = bias ? bias[k] : 0;
      for (int64_t t = 0; t < task.tiles; t += lanes) {
        Vec in[6][6], out[4][4];
        for (int i = 0; i < 6; ++i)
          for (int j = 0; j < 6; ++j) in[i][j] = load(from + (i * 6 + j) * plane + t);
        both_ways(in, out, [](const Vec* in, Vec* result) { outputs_1d(in, result); });
        Vec zeros = {};
        for (int i = 0; i < 4; ++i)
          for (int j = 0; j < 4; ++j) {
            zeros += out[i][j] * 0;
            store(room + (i * 4 + j) * deal_pitch + t, out[i][j] + add);
          }
        // Lanes beyond the tiles hold what earlier tasks left: they must not decide anything.
        for (int64_t lane = std::min(lanes, task.tiles - t); lane < lanes; ++lane) zeros[lane] = 0;
        zero += zeros;
      }
      collect(room, grid, task, y + ((task.first_image + image) * s.out_channels + k) * s.outputs());
    }
  float sum = 0;
  for (int64_t i = 0; i < lanes; ++i) sum += zero[i];
  return sum == 0;
}

/// u[point][out][in] = G w G'.
void transform_weights(const float* w, float* u, const ConvShape& s) {
  const int64_t plane = s.out_channels * s.in_channels;
  parallel_for(plane, 4096, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += lanes) {
      const int64_t count = std::min(lanes, end - i);
      Vec in[3][3] = {}, out[6][6];
      for (int64_t lane = 0; lane < count; ++lane)
        for (int tap = 0; tap < 9; ++tap) in[tap / 3][tap % 3][lane] = w[(i + lane) * 9 + tap];
      both_ways(in, out, [](const Vec* in, Vec* result) { weights_1d(in, result); });
      for (int point = 0; point < points; ++point) {
        float* to = u + point * plane + i;
        const Vec v = out[point / 6][point % 6];
        if (count == lanes)
          store(to, v);
        else
          for (int64_t lane = 0; lane < count; ++lane) to[lane] = v[lane];
      }
    }
  });
}

/// dw = G' s G, the sums' partials added in their order; false if something is not finite.
bool transform_sums(const float* sums, int64_t partials, float* dw, const ConvShape& s) {
  const int64_t plane = s.out_channels * s.in_channels;
  std::atomic<bool> finite{true};
  parallel_for(plane, 4096, [&](int64_t begin, int64_t end) {
    Vec zero = {};
    for (int64_t i = begin; i < end; i += lanes) {
      const int64_t count = std::min(lanes, end - i);
      Vec in[6][6] = {}, out[3][3];
      for (int64_t partial = 0; partial < partials; ++partial)
        for (int point = 0; point < points; ++point) {
          const float* from = sums + (partial * points + point) * plane + i;
          Vec& to = in[point / 6][point % 6];
          if (count == lanes)
            to += load(from);
          else
            for (int64_t lane = 0; lane < count; ++lane) to[lane] += from[lane];
        }
      both_ways(in, out, [](const Vec* in, Vec* result) { weight_sums_1d(in, result); });
      for (int tap = 0; tap < 9; ++tap) {
        const Vec v = out[tap / 3][tap % 3];
        zero += v * 0;
        for (int64_t lane = 0; lane < count; ++lane) dw[(i + lane) * 9 + tap] = v[lane];
      }
    }
    for (int64_t lane = 0; lane < lanes; ++lane)
      if (!(zero[lane] == 0)) finite = false;
  });
  return finite;
}

/// The room of a running task: a line, a dealt-out channel, one to be collected, and transformed matrices of `a` and
/// `b` channels.  What is collected has a place of its own: its idle lanes would come back as inputs, and grow.
struct Room {
  float *line, *dealt, *collected, *first, *second;
  Room(const Grid& grid, int64_t a, float* memory) {
    line = memory;
    dealt = line + line_size(grid);
    collected = dealt + grid.dealt(6);
    first = collected + grid.dealt(4);
    second = first + points * grid.plane(a);
    std::fill(dealt, collected, 0.0f);
  }
  static int64_t line_size(const Grid& grid) { return 4 * grid.across + 8; }
  static int64_t bytes(const Grid& grid, int64_t a, int64_t b) {
    const int64_t floats = line_size(grid) + grid.dealt(6) + grid.dealt(4) + points * (grid.plane(a) + grid.plane(b));
    return (4 * floats + 63) / 64 * 64;
  }
};

}  // namespace

bool fits_winograd(const ConvShape& s) {
  const bool is_3x3 =
      s.kernel[0] == 1 && s.kernel[1] == 3 && s.kernel[2] == 3 && s.padding[0] == 0 && s.in[0] == s.out[0];
  const bool is_plain =
      s.groups == 1 && s.stride[1] == 1 && s.stride[2] == 1 && s.dilation[1] == 1 && s.dilation[2] == 1;
  const int64_t tiles = (s.out[1] + 3) / 4 * ((s.out[2] + 3) / 4);
  return is_3x3 && is_plain && s.in[0] == 1 && s.in_channels >= least_channels && s.out_channels >= least_channels &&
         8 * tiles <= s.outputs() &&  // at least half of the tiles' pixels are wanted
         s.batch * tiles >= least_tiles;
}

bool winograd(float* y, const float* x, const float* weight, const float* bias, const ConvShape& s) {
  const Grid grid(s);
  const int64_t C = s.in_channels, K = s.out_channels, pitch = grid.pitch();
  Scratch transformed(size_t(points * K * C) * sizeof(float));
  float* u = transformed.as<float>();
  const int64_t room_bytes = Room::bytes(grid, C, K);
  Workspace space(room_bytes + gemm_bytes<float>(K, C), grid.tasks);
  transform_weights(weight, u, s);
  std::atomic<bool> finite{true};
  parallel_for(grid.tasks, 1, [&](int64_t begin, int64_t end) {
    Workspace::Piece piece(space);
    const Room room(grid, C, piece.as<float>());
    for (int64_t number = begin; number < end; ++number) {
      const Task task(grid, number);
      transform_inputs(grid, task, x, room.first, room.line, room.dealt);
      // Whole vectors of tiles: the outputs' transform reads as many.
      const int64_t n = (task.all_tiles() + lanes - 1) / lanes * lanes;
      for (int64_t point = 0; point < points; ++point)
        gemm<float>(K, n, C, {u + point * K * C, C, 1}, {room.first + point * grid.plane(C), pitch, 1},
                    {room.second + point * grid.plane(K), pitch, 1}, false, piece.as<void>(room_bytes));
      if (!transform_outputs(grid, task, room.second, bias, y, room.collected)) finite = false;
    }
  });
  return finite;
}

bool winograd_weight(float* dw, const float* x, const float* g, const ConvShape& s) {
  const Grid grid(s);
  const int64_t C = s.in_channels, K = s.out_channels, pitch = grid.pitch(), size = points * K * C;
  // A partial sum is large, so each takes in a few tasks at least.
  const int64_t wanted = std::clamp<int64_t>(grid.tasks / 4, std::min<int64_t>(2, grid.tasks), most_partials);
  const int64_t partials = std::clamp<int64_t>(partial_bytes / (size * int64_t(sizeof(float))), 1, wanted);
  Scratch memory(size_t(partials * size) * sizeof(float));
  const int64_t room_bytes = Room::bytes(grid, C, K);
  Workspace space(room_bytes + gemm_bytes<float>(K, grid.pitch()), partials);
  parallel_for(partials, 1, [&](int64_t begin, int64_t end) {
    Workspace::Piece piece(space);
    const Room room(grid, C, piece.as<float>());
    for (int64_t partial = begin; partial < end; ++partial) {
      const int64_t from = grid.tasks * partial / partials, to = grid.tasks * (partial + 1) / partials;
      for (int64_t number = from; number < to; ++number) {
        const Task task(grid, number);
        transform_inputs(grid, task, x, room.first, room.line, room.dealt);
        transform_gradients(grid, task, g, room.second, room.line, room.dealt);
        for (int64_t point = 0; point < points; ++point)
          gemm<float>(K, C, task.all_tiles(), {room.second + point * grid.plane(K), pitch, 1},
                      {room.first + point * grid.plane(C), 1, pitch},
                      {memory.as<float>() + partial * size + point * K * C, C, 1}, number > from,
                      piece.as<void>(room_bytes));
      }
    }
  });
  return transform_sums(memory.as<float>(), partials, dw, s);
}

}  // namespace lg::LG_ISA
