// Batch normalisation: moments over all but the channels.  See docs/design/normalisation.md.
//
// x is contiguous (N, C, M).  Its channels are either planes of M neighbours, cut into pieces, or (M = 1) columns of a
// matrix, cut into tiles of rows.  Both go the same three ways: partial sums of each piece, the channel's sums from
// them in a fixed order, then the result of each piece.
#include "kernels/lanes.h"
#include "runtime/alloc.h"
#include "runtime/pool.h"
#include "runtime/strided.h"

namespace lg::LG_ISA {
namespace {

/// What a channel's moments become: its elements are mapped by (x - mean) * rstd.
template <class A>
struct Statistics {
  A *mean, *rstd, *running_mean, *running_var;  // the running ones may be null
  double momentum, eps;

  void set(int64_t c, const Moments& m) const {
    mean[c] = A(m.mean);
    rstd[c] = m.count ? A(1 / std::sqrt(m.squares / m.count + eps)) : A(0);
    if (!running_mean || m.count == 0) return;
    running_mean[c] = A((1 - momentum) * double(running_mean[c]) + momentum * m.mean);
    running_var[c] = A((1 - momentum) * double(running_var[c]) + momentum * (m.squares / (m.count - 1)));
  }
};

/// The slope of a channel: dx = scale * g - (level + (x - mean) * tilt), from its sums of g and g * (x - mean).
template <class A>
struct Slope {
  A mean, scale, level, tilt;
  Slope(A mean, A rstd, A weight, Two<double> sums, double count)
      : mean(mean),
        scale(rstd * weight),
        level(A(sums.first / count * double(scale))),
        tilt(A(sums.second / count * double(rstd) * double(rstd) * double(scale))) {}
};

// ---- planes

/// Pieces of the planes of N x C: `each` of them to a channel.
struct Pieces {
  static constexpr int64_t length = 16384;
  int64_t N, C, M, to_plane = (M + length - 1) / length, each = N * to_plane;

  struct Piece {
    int64_t offset, count;
  };
  Piece piece(int64_t c, int64_t i) const {
    const int64_t begin = i % to_plane * length;
    return {(i / to_plane * C + c) * M + begin, std::min(length, M - begin)};
  }

  /// first(c, i) for all pieces, middle(c) for channels, last(c, i) for all pieces.  A channel goes through all three
  /// while it is in the second-level cache, if it fits there and there are enough of them to share out.
  template <class First, class Middle, class Last>
  void run(int64_t itemsize, First first, Middle middle, Last last) const {
    const int64_t work = 4 * N * M;
    if (C >= 16 && N * M * itemsize <= 512 * 1024) {
      parallel_for(C, std::max<int64_t>(1, default_grain / (work + 1)), [&](int64_t begin, int64_t end) {
        for (int64_t c = begin; c < end; ++c) {
          for (int64_t i = 0; i < each; ++i) first(c, i);
          middle(c);
          for (int64_t i = 0; i < each; ++i) last(c, i);
        }
      });
      return;
    }
    auto all = [&](auto& f) {  // in the order of memory
      const int64_t grain = std::max<int64_t>(1, default_grain / (2 * std::min(M, length) + 1));
      parallel_for(C * each, grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t plane = i / to_plane;
          f(plane % C, plane / C * to_plane + i % to_plane);
        }
      });
    };
    all(first);
    parallel_for(C, std::max<int64_t>(1, default_grain / (8 * each + 1)), [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c) middle(c);
    });
    all(last);
  }
};

// ---- columns: the same of C channels side by side, over tiles of rows

struct Tiles {
  int64_t rows, C, height = std::max<int64_t>(16, 4096 / C), count = (rows + height - 1) / height;

  /// f(tile, first row, number of rows) for each.
  template <class F>
  void run(F f) const {
    parallel_for(count, std::max<int64_t>(1, default_grain / (4 * height * C)), [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) f(t, t * height, std::min(height, rows - t * height));
    });
  }
  /// f(first column, number) for bundles of columns.
  template <class F>
  void columns(F f) const {
    constexpr int64_t width = 64;
    parallel_for((C + width - 1) / width, 1 + default_grain / (width * (count + 1)), [&](int64_t begin, int64_t end) {
      for (int64_t c = begin * width; c < std::min(C, end * width); c += width) f(c, std::min(width, C - c));
    });
  }
};

/// Means and sums of squared deviations of the columns of a tile.
template <class T, class A>
void column_moments(A* __restrict mean, A* __restrict squares, A* __restrict rest, const T* __restrict x, int64_t rows,
                    int64_t C) {
  std::fill_n(mean, C, A(0));
  std::fill_n(squares, C, A(0));
  std::fill_n(rest, C, A(0));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < C; ++c) mean[c] += A(x[r * C + c]);
  for (int64_t c = 0; c < C; ++c) mean[c] /= A(rows);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < C; ++c) {
      const A d = A(x[r * C + c]) - mean[c];
      rest[c] += d;
      squares[c] += d * d;
    }
}

template <class T, class A>
void normalise_rows(T* __restrict y, const T* __restrict x, int64_t rows, int64_t C, const A* __restrict mean,
                    const A* __restrict scale, const A* __restrict bias) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < C; ++c) y[r * C + c] = T((A(x[r * C + c]) - mean[c]) * scale[c] + bias[c]);
}

template <class T, class A>
void column_slope_sums(A* __restrict first, A* __restrict second, const T* __restrict g, const T* __restrict x,
                       int64_t rows, int64_t C, const A* __restrict mean) {
  std::fill_n(first, C, A(0));
  std::fill_n(second, C, A(0));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < C; ++c) {
      const A v = A(g[r * C + c]);
      first[c] += v;
      second[c] += v * (A(x[r * C + c]) - mean[c]);
    }
}

template <class T, class A>
void slope_rows(T* __restrict dx, const T* __restrict g, const T* __restrict x, int64_t rows, int64_t C,
                const A* __restrict mean, const A* __restrict scale, const A* __restrict level,
                const A* __restrict tilt) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < C; ++c)
      dx[r * C + c] = T(scale[c] * A(g[r * C + c]) - (level[c] + (A(x[r * C + c]) - mean[c]) * tilt[c]));
}

// ---- both ways, for each kind

template <class T, class A>
void forward_planes(T* y, const T* x, const Pieces& p, const A* weight, const A* bias, const Statistics<A>& s,
                    bool training) {
  Scratch scratch(training ? size_t(p.C * p.each) * sizeof(Moments) : 0);
  Moments* parts = scratch.as<Moments>();
  p.run(
      sizeof(T),
      [&](int64_t c, int64_t i) {
        if (!training) return;
        const auto [offset, count] = p.piece(c, i);
        parts[c * p.each + i] = moments_of(x + offset, count);
      },
      [&](int64_t c) {
        if (!training) return;
        Moments all;
        for (int64_t i = 0; i < p.each; ++i) all.add(parts[c * p.each + i]);
        s.set(c, all);
      },
      [&](int64_t c, int64_t i) {
        const auto [offset, count] = p.piece(c, i);
        normalise_plane<T, A>(y + offset, x + offset, count, s.mean[c], weight ? s.rstd[c] * weight[c] : s.rstd[c],
                              bias ? bias[c] : A(0));
      });
}

template <class T, class A>
void forward_columns(T* y, const T* x, const Tiles& t, const A* weight, const A* bias, const Statistics<A>& s,
                     bool training) {
  const int64_t C = t.C;
  Scratch scratch(size_t((training ? 3 * t.count : 0) * C + 2 * C) * sizeof(A));
  A *parts = scratch.as<A>(), *scale = parts + (training ? 3 * t.count * C : 0), *shift = scale + C;
  if (training) {
    t.run([&](int64_t i, int64_t row, int64_t rows) {
      A* own = parts + 3 * i * C;
      column_moments(own, own + C, own + 2 * C, x + row * C, rows, C);
    });
    t.columns([&](int64_t first, int64_t count) {
      for (int64_t c = first; c < first + count; ++c) {
        Moments all;
        for (int64_t i = 0; i < t.count; ++i) {
          const A* own = parts + 3 * i * C + c;
          const double n = double(std::min(t.height, t.rows - i * t.height)), sum = double(own[2 * C]);
          all.add({n, double(own[0]) + sum / n, double(own[C]) - sum * sum / n});
        }
        s.set(c, all);
      }
    });
  }
  for (int64_t c = 0; c < C; ++c) {
    scale[c] = weight ? s.rstd[c] * weight[c] : s.rstd[c];
    shift[c] = bias ? bias[c] : A(0);
  }
  t.run([&](int64_t, int64_t row, int64_t rows) {
    normalise_rows<T, A>(y + row * C, x + row * C, rows, C, s.mean, scale, shift);
  });
}

/// Sums of g and g * (x - mean) of each channel, and from them the three gradients; dx may be null.  Outside of
/// training the moments do not depend on x, so that level and tilt are 0.
template <class A>
struct Gradients {
  A *dweight, *dbias;  // may be null
  const A *mean, *rstd, *weight;
  bool training;
  double count;

  Slope<A> slope(int64_t c, Two<double> sums) const {
    if (dweight) dweight[c] = A(sums.second * double(rstd[c]));
    if (dbias) dbias[c] = A(sums.first);
    return {mean[c], rstd[c], weight ? weight[c] : A(1), training ? sums : Two<double>{0, 0}, count};
  }
};

template <class T, class A>
void backward_planes(T* dx, const T* g, const T* x, const Pieces& p, const Gradients<A>& out) {
  Scratch scratch(size_t(p.C * p.each) * sizeof(Two<double>) + size_t(p.C) * sizeof(Slope<A>));
  Two<double>* parts = scratch.as<Two<double>>();
  Slope<A>* slopes = reinterpret_cast<Slope<A>*>(parts + p.C * p.each);
  const bool sums = out.training || out.dweight || out.dbias;
  p.run(
      2 * sizeof(T),
      [&](int64_t c, int64_t i) {
        const auto [offset, count] = p.piece(c, i);
        parts[c * p.each + i] = sums ? slope_sums(g + offset, x + offset, count, out.mean[c]) : Two<double>{0, 0};
      },
      [&](int64_t c) {
        Two<double> all{0, 0};
        for (int64_t i = 0; i < p.each; ++i) {
          all.first += parts[c * p.each + i].first;
          all.second += parts[c * p.each + i].second;
        }
        slopes[c] = out.slope(c, all);
      },
      [&](int64_t c, int64_t i) {
        if (!dx) return;
        const auto [offset, count] = p.piece(c, i);
        const Slope<A> s = slopes[c];
        if (out.training)
          return slope_plane(dx + offset, g + offset, x + offset, count, s.mean, s.scale, s.level, s.tilt);
        normalise_plane(dx + offset, g + offset, count, A(0), s.scale, A(0));
      });
}

template <class T, class A>
void backward_columns(T* dx, const T* g, const T* x, const Tiles& t, const Gradients<A>& out) {
  const int64_t C = t.C;
  Scratch scratch(size_t((2 * t.count + 3) * C) * sizeof(A));
  A *parts = scratch.as<A>(), *scale = parts + 2 * t.count * C, *level = scale + C, *tilt = level + C;
  t.run([&](int64_t i, int64_t row, int64_t rows) {
    A* own = parts + 2 * i * C;
    column_slope_sums(own, own + C, g + row * C, x + row * C, rows, C, out.mean);
  });
  t.columns([&](int64_t first, int64_t count) {
    for (int64_t c = first; c < first + count; ++c) {
      Two<double> all{0, 0};
      for (int64_t i = 0; i < t.count; ++i) {
        all.first += double(parts[2 * i * C + c]);
        all.second += double(parts[(2 * i + 1) * C + c]);
      }
      const Slope<A> s = out.slope(c, all);
      scale[c] = s.scale;
      level[c] = s.level;
      tilt[c] = s.tilt;
    }
  });
  if (!dx) return;
  t.run([&](int64_t, int64_t row, int64_t rows) {
    if (out.training) return slope_rows(dx + row * C, g + row * C, x + row * C, rows, C, out.mean, scale, level, tilt);
    for (int64_t r = row; r < row + rows; ++r)
      for (int64_t c = 0; c < C; ++c) dx[r * C + c] = T(scale[c] * A(g[r * C + c]));
  });
}

}  // namespace

/// y = (x - mean) * rstd * weight + bias for each channel.  In training mean and rstd are the channel's, written, and
/// the running moments, if any, move towards it by `momentum`; otherwise mean and rstd are read.  All but x and y, and
/// weight and bias, which may be null, have x's computing dtype.
void batch_norm(Strided y, Strided mean, Strided rstd, Strided running_mean, Strided running_var, Strided x,
                Strided weight, Strided bias, bool training, double momentum, double eps) {
  const int64_t N = x.sizes[0], C = x.sizes[1], M = x.sizes[2];
  if (C == 0) return;
  dispatch_floating(x.dtype, [&]<class T>() {
    using A = Compute<T>;
    const Statistics<A> s{mean.as<A>(), rstd.as<A>(), running_mean.as<A>(), running_var.as<A>(), momentum, eps};
    if (M == 1)
      forward_columns(y.as<T>(), x.as<const T>(), {N, C}, weight.as<const A>(), bias.as<const A>(), s, training);
    else
      forward_planes(y.as<T>(), x.as<const T>(), {N, C, M}, weight.as<const A>(), bias.as<const A>(), s, training);
  });
}

/// With h = (x - mean) * rstd and n elements in a channel:  dweight = sum(g * h),  dbias = sum(g),
/// dx = rstd * weight * (g - dbias / n - h * dweight / n), without the last two terms outside of training.
/// Any of the three may have null data: not wanted.
void batch_norm_backward(Strided dx, Strided dweight, Strided dbias, Strided g, Strided x, Strided mean, Strided rstd,
                         Strided weight, bool training) {
  const int64_t N = x.sizes[0], C = x.sizes[1], M = x.sizes[2];
  if (C == 0) return;
  dispatch_floating(x.dtype, [&]<class T>() {
    using A = Compute<T>;
    const Gradients<A> out{dweight.as<A>(),      dbias.as<A>(), mean.as<const A>(),   rstd.as<const A>(),
                           weight.as<const A>(), training,      double(N) * double(M)};
    if (M == 1)
      backward_columns(dx.as<T>(), g.as<const T>(), x.as<const T>(), {N, C}, out);
    else
      backward_planes(dx.as<T>(), g.as<const T>(), x.as<const T>(), {N, C, M}, out);
  });
}

}  // namespace lg::LG_ISA
