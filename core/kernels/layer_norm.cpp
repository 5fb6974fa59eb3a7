// Layer normalisation and, without a mean, RMS normalisation: a row at a time while it is in the nearest cache.
// Halves compute in float.  See docs/design/normalisation.md.
#include "kernels/lanes.h"
#include "kernels/stream.h"
#include "runtime/alloc.h"
#include "runtime/pool.h"
#include "runtime/strided.h"

namespace lg::LG_ISA {
namespace {

template <class T, class A>
void scale_row(T* __restrict y, const T* __restrict x, const T* __restrict w, const T* __restrict b, int64_t n, A mean,
               A rstd) {
  if (w && b)
    for (int64_t i = 0; i < n; ++i) y[i] = T((A(x[i]) - mean) * rstd * A(w[i]) + A(b[i]));
  else if (w)
    for (int64_t i = 0; i < n; ++i) y[i] = T((A(x[i]) - mean) * rstd * A(w[i]));
  else if (b)
    for (int64_t i = 0; i < n; ++i) y[i] = T((A(x[i]) - mean) * rstd + A(b[i]));
  else
    normalise_plane(y, x, n, mean, rstd, A(0));
}

template <class T>
double mean_square(const T* x, int64_t n) {
  using A = Compute<T>;
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += near_block) {
    const T* in = x + begin;
    total += double(lane_sum<A>(std::min(near_block, n - begin), [in](int64_t i) { return A(in[i]) * A(in[i]); }));
  }
  return total / double(n);
}

/// Rows whose gradients are computed side by side: the sums for dweight and dbias go through the cache half as often.
/// Four were slower: their rows, a power of two apart, compete for the same lines.
constexpr int64_t joint_rows = 2;

/// What the gradient of a row takes besides its elements; see layer_norm_backward.
template <class A>
struct RowSlope {
  A mean, rstd, level, tilt;
};

template <bool weighted, class T, class A>
RowSlope<A> row_slope(const T* g, const T* x, const T* w, int64_t n, A mean, A rstd, bool centred) {
  const Two<A> sums = lane_sums<A>(n, [=](int64_t i, A& a, A& b) {
    const A v = weighted ? A(g[i]) * A(w[i]) : A(g[i]);
    a += v;
    b += v * (A(x[i]) - mean);
  });
  return {mean, rstd, centred ? sums.first / A(n) : A(0), sums.second * rstd / A(n)};
}

/// Columns [0, n) of `count` rows, `step` apart in g and x: dx if `sloped`, its rows `out` apart, and if `summed` their
/// shares of dweight and dbias added to dw and db.
template <int count, bool weighted, bool sloped, bool summed, class T, class A>
void slope_columns(T* __restrict dx, A* __restrict dw, A* __restrict db, const T* __restrict g, const T* __restrict x,
                   const T* __restrict w, int64_t n, int64_t step, int64_t out, const RowSlope<A>* rows) {
  RowSlope<A> row[count];
  for (int k = 0; k < count; ++k) row[k] = rows[k];
  for (int64_t i = 0; i < n; ++i) {
    const A factor = weighted ? A(w[i]) : A(1);
    A a = 0, b = 0;
#pragma GCC unroll 2
    for (int k = 0; k < count; ++k) {
      const A gi = A(g[k * step + i]), h = (A(x[k * step + i]) - row[k].mean) * row[k].rstd;
      if (sloped) dx[k * out + i] = T(row[k].rstd * (gi * factor - row[k].level - h * row[k].tilt));
      a += gi * h;
      b += gi;
    }
    if (summed) dw[i] += a, db[i] += b;
  }
}

/// The same for whole rows of n elements.
template <int count, bool weighted, bool sloped, bool summed, class T, class A>
void slope_rows(T* dx, A* dw, A* db, const T* g, const T* x, const T* w, int64_t n, const A* mean, const A* rstd,
                bool streamed) {
  RowSlope<A> rows[count];
  for (int k = 0; k < count; ++k) {
    const A m = mean ? mean[k] : A(0);
    rows[k] = sloped ? row_slope<weighted>(g + k * n, x + k * n, w, n, m, rstd[k], mean) : RowSlope<A>{m, rstd[k]};
  }
  auto columns = [&](T* to, int64_t begin, int64_t width, int64_t out) {
    slope_columns<count, weighted, sloped, summed>(to, dw + begin, db + begin, g + begin, x + begin, w + begin, width,
                                                   n, out, rows);
  };
  if (!sloped || !streamed) return columns(dx, 0, n, n);
  alignas(64) T buffer[count][stream_block];
  for (int64_t begin = 0; begin < n; begin += stream_block) {
    const int64_t width = std::min(stream_block, n - begin);
    columns(buffer[0], begin, width, stream_block);
    for (int k = 0; k < count; ++k)
      stream(reinterpret_cast<char*>(dx + k * n + begin), reinterpret_cast<const char*>(buffer[k]),
             width * int64_t(sizeof(T)));
  }
}

/// Rows go in at most 64 chunks, each with sums of its own for dweight and dbias: how many depends on sizes only.
int64_t rows_each(int64_t rows, int64_t n) {
  return std::max((rows + 63) / 64, std::max<int64_t>(1, default_grain / (4 * n + 1)));
}

/// The groups' sums, n to a group and every `step`, added up column by column.
template <class T, class A>
void add_groups(T* y, const A* parts, int64_t n, int64_t step, int64_t groups) {
  if (!y) return;
  constexpr int64_t width = 256;
  parallel_for((n + width - 1) / width, 1 + default_grain / (width * (groups + 1)), [=](int64_t first, int64_t last) {
    for (int64_t begin = first * width; begin < std::min(n, last * width); begin += width) {
      const int64_t count = std::min(width, n - begin);
      A total[width] = {};
      for (int64_t group = 0; group < groups; ++group) {
        const A* part = parts + group * step + begin;
        for (int64_t i = 0; i < count; ++i) total[i] += part[i];
      }
      for (int64_t i = 0; i < count; ++i) y[begin + i] = T(total[i]);
    }
  });
}

}  // namespace

/// y = (x - mean) * rstd * weight + bias for each row of n elements, rstd = 1 / sqrt(var + eps).  Where `mean` has null
/// data it counts as 0:  rstd = 1 / sqrt(mean(x * x) + eps).  All contiguous; weight and bias may be null; mean and
/// rstd hold a number a row, float for halves.
void layer_norm(Strided y, Strided mean, Strided rstd, Strided x, Strided weight, Strided bias, int64_t n, double eps) {
  const int64_t rows = n ? x.numel() / n : 0;
  const bool streamed = 2 * x.numel() * itemsize(x.dtype) >= streamed_bytes;
  dispatch_floating(x.dtype, [&]<class T>() {
    using A = Compute<T>;
    parallel_for(rows, rows_each(rows, n), [=](int64_t begin, int64_t end) {
      const T *w = weight.as<const T>(), *b = bias.as<const T>();
      for (int64_t row = begin; row < end; ++row) {
        const T* in = x.as<const T>() + row * n;
        double centre = 0, var;
        if (mean.data) {
          const Moments m = moments_of(in, n);
          centre = m.mean;
          var = m.squares / double(n);
          mean.as<A>()[row] = A(centre);
        } else {
          var = mean_square(in, n);
        }
        const A m = A(centre), r = rstd.as<A>()[row] = A(1 / std::sqrt(var + eps));
        fill_run(y.as<T>() + row * n, n, streamed, [=](T* to, int64_t i, int64_t count) {
          scale_row(to, in + i, w ? w + i : w, b ? b + i : b, count, m, r);
        });
      }
    });
  });
}

/// With h = (x - mean) * rstd and gw = g * weight:  dx = rstd * (gw - mean(gw) - h * mean(gw * h)),  dweight = sum(g *
/// h), dbias = sum(g) over rows; without mean(gw) where `mean` has null data.  Any of the three may have null data: not
/// wanted.
void layer_norm_backward(Strided dx, Strided dweight, Strided dbias, Strided g, Strided x, Strided mean, Strided rstd,
                         Strided weight, int64_t n) {
  const int64_t rows = n ? x.numel() / n : 0;
  const int64_t each = rows_each(rows, n), groups = (rows + each - 1) / each;
  const bool sums = dweight.data || dbias.data, streamed = 3 * x.numel() * itemsize(x.dtype) >= streamed_bytes;
  dispatch_floating(x.dtype, [&]<class T>() {
    using A = Compute<T>;
    Scratch scratch(sums ? size_t(2 * groups * n) * sizeof(A) : 0);
    A* parts = scratch.as<A>();
    auto run = [&]<bool weighted, bool sloped, bool summed>() {
      parallel_for(groups, 1, [=](int64_t first, int64_t last) {
        for (int64_t group = first; group < last; ++group) {
          A *dw = parts + 2 * group * n, *db = dw + n;
          if (summed) std::fill_n(dw, 2 * n, A(0));
          auto some = [&]<int count>(int64_t row) {
            slope_rows<count, weighted, sloped, summed>(dx.as<T>() + row * n, dw, db, g.as<const T>() + row * n,
                                                        x.as<const T>() + row * n, weight.as<const T>(), n,
                                                        mean.data ? mean.as<const A>() + row : nullptr,
                                                        rstd.as<const A>() + row, streamed);
          };
          const int64_t end = std::min(rows, (group + 1) * each);
          int64_t row = group * each;
          for (; row + joint_rows <= end; row += joint_rows) some.template operator()<joint_rows>(row);
          for (; row < end; ++row) some.template operator()<1>(row);
        }
      });
    };
    auto with_weight = [&]<bool sloped, bool summed>() {
      if (weight.data)
        run.template operator()<true, sloped, summed>();
      else
        run.template operator()<false, sloped, summed>();
    };
    if (!dx.data)
      with_weight.template operator()<false, true>();
    else if (sums)
      with_weight.template operator()<true, true>();
    else
      with_weight.template operator()<true, false>();
    add_groups(dweight.as<T>(), parts, n, 2 * n, groups);
    add_groups(dbias.as<T>(), parts + n, n, 2 * n, groups);
  });
}

}  // namespace lg::LG_ISA
