// Pooling: maxima and averages over windows, and the ways back.
//
// Planes (an image's channel each) are spread over threads; within a plane rows of outputs are computed a tap at a
// time, so that the inner loops run along memory.  Images are contiguous; see kernels/conv_shape.h for the geometry.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/conv_shape.h"
#include "kernels/isa.h"
#include "kernels/unroll.h"
#include "runtime/pool.h"
#include "runtime/strided.h"

namespace lg::LG_ISA {
namespace {

constexpr int64_t block = 128;  // outputs of a row that are computed together

template <class F>
void for_planes(const PoolShape& s, F&& f) {
  const int64_t work = s.outputs() * (s.adaptive ? 1 : s.taps()) + s.inputs();
  parallel_for(s.planes, std::max<int64_t>(1, 4 * default_grain / (work + 1)), [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) f(plane);
  });
}

/// The inputs [begin, end) that output o of dimension d covers; `full` counts the padding too.
struct Extent {
  int64_t begin, end, full;
  Extent(const PoolShape& s, int d, int64_t o) {
    if (s.adaptive) {
      begin = o * s.in[d] / s.out[d];
      end = ((o + 1) * s.in[d] + s.out[d] - 1) / s.out[d];
      full = end - begin;
      return;
    }
    const int64_t first = o * s.stride[d] - s.padding[d];
    const int64_t last = std::min(first + s.kernel[d], s.in[d] + s.padding[d]);
    full = last - first;
    begin = std::max<int64_t>(first, 0);
    end = std::max(begin, std::min(last, s.in[d]));
  }
  int64_t size() const { return end - begin; }
};

/// Calls f(z, y, x extents, output) for each output of a plane.
template <class F>
void for_windows(const PoolShape& s, F&& f) {
  int64_t o = 0;
  for (int64_t i = 0; i < s.out[0]; ++i) {
    const Extent z(s, 0, i);
    for (int64_t j = 0; j < s.out[1]; ++j) {
      const Extent y(s, 1, j);
      for (int64_t k = 0; k < s.out[2]; ++k, ++o) f(z, y, Extent(s, 2, k), o);
    }
  }
}

/// Calls f(output row, z, y) for the rows of a plane's outputs; z and y are those of the window's first tap.
template <class F>
void for_output_rows(const PoolShape& s, F&& f) {
  for (int64_t i = 0; i < s.out[0]; ++i)
    for (int64_t j = 0; j < s.out[1]; ++j)
      f(i * s.out[1] + j, i * s.stride[0] - s.padding[0], j * s.stride[1] - s.padding[1]);
}

/// Calls f(tap, row of inputs, shift) for the taps of a window that meet a row; see Reach for the shift.
template <class F>
void for_taps(const PoolShape& s, int64_t z, int64_t y, F&& f) {
  int64_t tap = 0;
  for (int64_t i = 0; i < s.kernel[0]; ++i)
    for (int64_t j = 0; j < s.kernel[1]; ++j) {
      const int64_t zi = z + i * s.dilation[0], yj = y + j * s.dilation[1];
      if (uint64_t(zi) >= uint64_t(s.in[0]) || uint64_t(yj) >= uint64_t(s.in[1])) {
        tap += s.kernel[2];
        continue;
      }
      for (int64_t k = 0; k < s.kernel[2]; ++k, ++tap)
        f(int32_t(tap), zi * s.in[1] + yj, k * s.dilation[2] - s.padding[2]);
    }
}

/// Offset of a tap from the window's first one.
int64_t offset_of(const PoolShape& s, int64_t tap) {
  const int64_t k = tap % s.kernel[2], j = tap / s.kernel[2] % s.kernel[1], i = tap / s.kernel[2] / s.kernel[1];
  return (i * s.dilation[0] * s.in[1] + j * s.dilation[1]) * s.in[2] + k * s.dilation[2];
}

/// Where the first tap of the first window of an output row lies (outside of the plane, if it is padding).
int64_t base_of(const PoolShape& s, int64_t z, int64_t y) { return (z * s.in[1] + y) * s.in[2] - s.padding[2]; }

/// One tap of a block of outputs: best = max(best, x), with NaN the greatest.  The last NaN counts, else the first
/// maximum; tap -1 stands for none yet.
template <class T, class Step>
inline void take_greater(const T* x, Step step, int64_t n, int32_t tap, Compute<T>* best, int32_t* which) {
  for (int64_t o = 0; o < n; ++o) {
    const Compute<T> v = x[o * step];
    const bool take = (v > best[o]) | (v != v) | (which[o] < 0);
    best[o] = take ? v : best[o];
    which[o] = take ? tap : which[o];
  }
}

struct One {
  operator int64_t() const { return 1; }
};
struct Two {
  operator int64_t() const { return 2; }
};
/// f(step) with the common steps as constants.
template <class F>
inline void with_step(int64_t step, F&& f) {
  if (step == 1) return f(One());
  if (step == 2) return f(Two());
  f(step);
}

template <class T>
void max_rows(const PoolShape& s, T* y, void* where, bool as_taps, const T* x) {
  for_output_rows(s, [&](int64_t row, int64_t z, int64_t line) {
    for (int64_t first = 0; first < s.out[2]; first += block) {
      const int64_t n = std::min(block, s.out[2] - first), at = row * s.out[2] + first;
      Compute<T> best[block];
      int32_t which[block];
      std::fill_n(best, n, Compute<T>(0));
      std::fill_n(which, n, -1);
      for_taps(s, z, line, [&](int32_t tap, int64_t source, int64_t shift) {
        const Reach reach(s.in[2], s.out[2], s.stride[2], shift);
        const int64_t begin = std::max(first, reach.begin), end = std::min(first + n, reach.end);
        if (begin >= end) return;
        const T* from = x + source * s.in[2] + shift + begin * s.stride[2];
        with_step(s.stride[2], [&](auto step) {
          take_greater(from, step, end - begin, tap, best + begin - first, which + begin - first);
        });
      });
      for (int64_t o = 0; o < n; ++o) y[at + o] = T(best[o]);
      if (as_taps) {
        uint8_t* to = static_cast<uint8_t*>(where) + at;
        for (int64_t o = 0; o < n; ++o) to[o] = uint8_t(which[o]);
      } else {
        int64_t* to = static_cast<int64_t*>(where) + at;
        const int64_t base = base_of(s, z, line) + first * s.stride[2];
        for (int64_t o = 0; o < n; ++o) to[o] = base + o * s.stride[2] + offset_of(s, which[o]);
      }
    }
  });
}

template <class T>
void max_adaptive(const PoolShape& s, T* y, int64_t* where, const T* x) {
  for_windows(s, [&](const Extent& z, const Extent& line, const Extent& across, int64_t o) {
    int64_t found = (z.begin * s.in[1] + line.begin) * s.in[2] + across.begin;
    Compute<T> best = x[found];
    for (int64_t i = z.begin; i < z.end; ++i)
      for (int64_t j = line.begin; j < line.end; ++j)
        for (int64_t k = across.begin; k < across.end; ++k) {
          const int64_t at = (i * s.in[1] + j) * s.in[2] + k;
          const Compute<T> v = x[at];
          if (v > best || v != v) {
            best = v;
            found = at;
          }
        }
    y[o] = T(best);
    where[o] = found;
  });
}

/// Calls f(output, input) for each output of a plane and the input that its maximum came from.
template <class F>
void for_sources(const PoolShape& s, const void* where, bool as_taps, F&& f) {
  if (!as_taps) {
    const int64_t* from = static_cast<const int64_t*>(where);
    for (int64_t o = 0; o < s.outputs(); ++o) f(o, from[o]);
    return;
  }
  int64_t offsets[256];
  for (int64_t tap = 0; tap < s.taps(); ++tap) offsets[tap] = offset_of(s, tap);
  const uint8_t* from = static_cast<const uint8_t*>(where);
  for_output_rows(s, [&](int64_t row, int64_t z, int64_t line) {
    const int64_t base = base_of(s, z, line), at = row * s.out[2];
    for (int64_t o = 0; o < s.out[2]; ++o) f(at + o, base + o * s.stride[2] + offsets[from[at + o]]);
  });
}

/// Do windows of 2x2 lie side by side and cover all?
bool is_halving(const PoolShape& s) {
  bool halves = s.kernel[0] == 1 && s.stride[0] == 1;
  for (int d = 0; d < 3; ++d) halves &= s.padding[d] == 0 && s.dilation[d] == 1;
  for (int d = 1; d < 3; ++d) halves &= s.kernel[d] == 2 && s.stride[d] == 2 && s.in[d] == 2 * s.out[d];
  return halves;
}

/// Maxima of pairs of neighbours, then of pairs of rows: both go along memory however narrow the image is.  The order
/// of the taps is kept, so ties and NaN are decided as in max_rows.
template <class T>
void max_halving(const PoolShape& s, T* y, uint8_t* which, const T* x) {
  using A = Compute<T>;
  constexpr int64_t room = 1024;  // outputs that are held at a time
  const int64_t width = s.out[2], rows = s.out[0] * s.out[1], step = std::max<int64_t>(1, room / width);
  const int64_t columns = std::min(width, room);
  A pair[2 * room];
  int32_t right[2 * room], tap[room];
  for (int64_t first = 0; first < rows; first += step)
    for (int64_t column = 0; column < width; column += columns) {
      const int64_t count = std::min(step, rows - first), n = std::min(columns, width - column);
      // Narrow rows are joined: an image's row of pairs ends where the next one begins.
      const int64_t runs = n == width ? 1 : 2, length = n == width ? 2 * count * width : n;
      for (int64_t run = 0; run < runs; ++run) {
        const T* from = x + (2 * first + run) * s.in[2] + 2 * column;
        for (int64_t i = 0; i < length; ++i) {
          const A a = from[2 * i], b = from[2 * i + 1];
          const bool take = (b > a) | (b != b);
          pair[run * n + i] = take ? b : a;
          right[run * n + i] = take ? 1 : 0;
        }
      }
      for (int64_t row = 0; row < count; ++row) {
        const A *above = pair + 2 * row * n, *below = above + n;
        const int32_t *place = right + 2 * row * n, *place_below = place + n;
        T* to = y + (first + row) * width + column;
        for (int64_t o = 0; o < n; ++o) {
          const bool take = (below[o] > above[o]) | (below[o] != below[o]);
          to[o] = T(take ? below[o] : above[o]);
          tap[row * n + o] = take ? 2 + place_below[o] : place[o];
        }
      }
      uint8_t* to = which + first * width + column;
      for (int64_t o = 0; o < count * n; ++o) to[o] = uint8_t(tap[o]);
    }
}

/// Then every input is written once, along memory.  The taps of several rows are widened at once: loops over numbers of
/// one size become vectors even where rows are short.
template <class T>
void scatter_halving(const PoolShape& s, T* dx, const T* g, const uint8_t* which) {
  constexpr int64_t room = 1024;
  int32_t tap[room];
  const int64_t outputs = s.outputs(), width = s.out[2];
  for (int64_t first = 0; first < outputs;) {
    // Whole rows, or a part of a long one.
    const int64_t column = first % width, rows = std::max<int64_t>(1, room / width);
    const int64_t count = std::min({width > room ? width - column : rows * width, room, outputs - first});
    for (int64_t o = 0; o < count; ++o) tap[o] = which[first + o];
    for (int64_t o = 0; o < count; o += width) {
      const int64_t n = std::min(width, count - o);
      T* to = dx + 2 * (2 * ((first + o) / width) * width + column);
      for (int row = 0; row < 4; row += 2, to += 2 * width)
        for (int64_t i = 0; i < n; ++i) {
          to[2 * i] = tap[o + i] == row ? g[first + o + i] : T(0);
          to[2 * i + 1] = tap[o + i] == row + 1 ? g[first + o + i] : T(0);
        }
    }
    first += count;
  }
}

int64_t divisor_of(const PoolShape& s, const Extent& z, const Extent& y, const Extent& x) {
  if (s.divisor == Divisor::Given) return s.given;
  if (s.divisor == Divisor::Inside) return z.size() * y.size() * x.size();
  return z.full * y.full * x.full;
}

/// For the widths of a plane's windows: what the row of outputs at (i, j) is divided by, into d[0 .. n).
template <class A>
void divisors(const PoolShape& s, int64_t i, int64_t j, int64_t first, int64_t n, A* d) {
  const Extent z(s, 0, i), y(s, 1, j);
  for (int64_t o = 0; o < n; ++o) d[o] = A(divisor_of(s, z, y, Extent(s, 2, first + o)));
}

template <class T>
void average_rows(const PoolShape& s, T* y, const T* x) {
  using A = Compute<T>;
  for_output_rows(s, [&](int64_t row, int64_t z, int64_t line) {
    for (int64_t first = 0; first < s.out[2]; first += block) {
      const int64_t n = std::min(block, s.out[2] - first);
      A sum[block] = {}, d[block];
      for_taps(s, z, line, [&](int32_t, int64_t source, int64_t shift) {
        const Reach reach(s.in[2], s.out[2], s.stride[2], shift);
        const int64_t begin = std::max(first, reach.begin), end = std::min(first + n, reach.end);
        if (begin >= end) return;
        const T* from = x + source * s.in[2] + shift + begin * s.stride[2];
        A* to = sum + begin - first;
        with_step(s.stride[2], [&](auto step) {
          for (int64_t o = 0; o < end - begin; ++o) to[o] += A(from[o * step]);
        });
      });
      divisors(s, row / s.out[1], row % s.out[1], first, n, d);
      for (int64_t o = 0; o < n; ++o) y[row * s.out[2] + first + o] = T(sum[o] / d[o]);
    }
  });
}

/// The adjoint: each input gets its share of the cotangent of every window that it lies in.
template <class T>
void spread_rows(const PoolShape& s, T* dx, const T* g) {
  std::fill_n(dx, s.inputs(), T(0));
  for_output_rows(s, [&](int64_t row, int64_t z, int64_t line) {
    for (int64_t first = 0; first < s.out[2]; first += block) {
      const int64_t n = std::min(block, s.out[2] - first);
      T share[block], d[block];
      divisors(s, row / s.out[1], row % s.out[1], first, n, d);
      for (int64_t o = 0; o < n; ++o) share[o] = g[row * s.out[2] + first + o] / d[o];
      for_taps(s, z, line, [&](int32_t, int64_t target, int64_t shift) {
        const Reach reach(s.in[2], s.out[2], s.stride[2], shift);
        const int64_t begin = std::max(first, reach.begin), end = std::min(first + n, reach.end);
        if (begin >= end) return;
        T* to = dx + target * s.in[2] + shift + begin * s.stride[2];
        const T* from = share + begin - first;
        with_step(s.stride[2], [&](auto step) {
          for (int64_t o = 0; o < end - begin; ++o) to[o * step] += from[o];
        });
      });
    }
  });
}

template <class T, class F>
void for_elements(const PoolShape& s, const Extent& z, const Extent& y, const Extent& x, T* plane, F&& f) {
  for (int64_t i = z.begin; i < z.end; ++i)
    for (int64_t j = y.begin; j < y.end; ++j) {
      T* row = plane + (i * s.in[1] + j) * s.in[2];
      for (int64_t k = x.begin; k < x.end; ++k) f(row[k]);
    }
}

template <class F>
void dispatch_ordered(DType dtype, F&& f) {
  if (is_floating(dtype))
    dispatch_floating(dtype, f);
  else
    dispatch_integral(dtype, f);
}

}  // namespace

/// y = the maximum of each window.  `where`: uint8, the tap that it came from; or int64, its place in the plane.
void max_pool(Strided y, Strided where, Strided x, const PoolShape& s) {
  const bool as_taps = where.dtype == DType::UInt8, halving = as_taps && is_halving(s);
  dispatch_ordered(x.dtype, [&]<class T>() {
    for_planes(s, [&](int64_t plane) {
      T* out = y.as<T>() + plane * s.outputs();
      const T* in = x.as<const T>() + plane * s.inputs();
      char* places = where.as<char>() + plane * s.outputs() * (as_taps ? 1 : 8);
      if (halving)
        max_halving(s, out, reinterpret_cast<uint8_t*>(places), in);
      else if (s.adaptive)
        max_adaptive(s, out, reinterpret_cast<int64_t*>(places), in);
      else
        max_rows(s, out, places, as_taps, in);
    });
  });
}

/// dx[where] += g; 0 elsewhere.  float32, float64.
void pool_scatter(Strided dx, Strided g, Strided where, const PoolShape& s) {
  const bool as_taps = where.dtype == DType::UInt8, halving = as_taps && is_halving(s);
  dispatch_floating(dx.dtype, [&]<class T>() {
    if constexpr (std::is_floating_point_v<T>)
      for_planes(s, [&](int64_t plane) {
        T* to = dx.as<T>() + plane * s.inputs();
        const T* from = g.as<const T>() + plane * s.outputs();
        const char* places = where.as<const char>() + plane * s.outputs() * (as_taps ? 1 : 8);
        if (halving) return scatter_halving(s, to, from, reinterpret_cast<const uint8_t*>(places));
        std::fill_n(to, s.inputs(), T(0));
        for_sources(s, places, as_taps, [&](int64_t o, int64_t i) { to[i] += from[o]; });
      });
  });
}

/// y = x[where].  float32, float64.
void pool_gather(Strided y, Strided x, Strided where, const PoolShape& s) {
  const bool as_taps = where.dtype == DType::UInt8;
  dispatch_floating(y.dtype, [&]<class T>() {
    for_planes(s, [&](int64_t plane) {
      T* to = y.as<T>() + plane * s.outputs();
      const T* from = x.as<const T>() + plane * s.inputs();
      for_sources(s, where.as<const char>() + plane * s.outputs() * (as_taps ? 1 : 8), as_taps,
                  [&](int64_t o, int64_t i) { to[o] = from[i]; });
    });
  });
}

/// y = the mean of each window; halves are summed in float, and int64 is truncated.
void average_pool(Strided y, Strided x, const PoolShape& s) {
  auto go = [&]<class T>() {
    for_planes(s, [&](int64_t plane) {
      T* out = y.as<T>() + plane * s.outputs();
      const T* in = x.as<const T>() + plane * s.inputs();
      if (!s.adaptive) return average_rows(s, out, in);
      for_windows(s, [&](const Extent& z, const Extent& line, const Extent& across, int64_t o) {
        Compute<T> sum = 0;
        for_elements(s, z, line, across, in, [&](const T& v) { sum += Compute<T>(v); });
        out[o] = T(sum / Compute<T>(divisor_of(s, z, line, across)));
      });
    });
  };
  if (x.dtype == DType::Int64)
    go.operator()<int64_t>();
  else
    dispatch_floating(x.dtype, go);
}

/// Its adjoint.  float32, float64.
void average_pool_backward(Strided dx, Strided g, const PoolShape& s) {
  dispatch_floating(dx.dtype, [&]<class T>() {
    if constexpr (std::is_floating_point_v<T>)
      for_planes(s, [&](int64_t plane) {
        T* to = dx.as<T>() + plane * s.inputs();
        const T* from = g.as<const T>() + plane * s.outputs();
        if (!s.adaptive) return spread_rows(s, to, from);
        std::fill_n(to, s.inputs(), T(0));
        for_windows(s, [&](const Extent& z, const Extent& line, const Extent& across, int64_t o) {
          const T share = from[o] / T(divisor_of(s, z, line, across));
          for_elements(s, z, line, across, to, [&](T& v) { v += share; });
        });
      });
  });
}

}  // namespace lg::LG_ISA
