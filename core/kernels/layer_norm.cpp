// Layer normalisation and, without a mean, RMS normalisation: a row at a time while it is in the nearest cache.
// Halves compute in float.  See docs/design/normalisation.md.
#include "kernels/lanes.h"
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

/// One row's dx, and its share of dweight and dbias added to dw and db; see layer_norm_backward.
template <bool weighted, class T, class A>
void slope_row(T* __restrict dx, A* __restrict dw, A* __restrict db, const T* __restrict g, const T* __restrict x,
               const T* __restrict w, int64_t n, A mean, A rstd, bool centred) {
  auto gw = [=](int64_t i) { return weighted ? A(g[i]) * A(w[i]) : A(g[i]); };
  if (!dx) {
    for (int64_t i = 0; i < n; ++i) {
      dw[i] += A(g[i]) * ((A(x[i]) - mean) * rstd);
      db[i] += A(g[i]);
    }
    return;
  }
  const Two<A> sums = lane_sums<A>(n, [=](int64_t i, A& a, A& b) {
    const A v = gw(i);
    a += v;
    b += v * (A(x[i]) - mean);
  });
  const A level = centred ? sums.first / A(n) : A(0), tilt = sums.second * rstd / A(n);
  if (!dw) {
    for (int64_t i = 0; i < n; ++i) dx[i] = T(rstd * (gw(i) - level - (A(x[i]) - mean) * rstd * tilt));
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    const A h = (A(x[i]) - mean) * rstd;
    dx[i] = T(rstd * (gw(i) - level - h * tilt));
    dw[i] += A(g[i]) * h;
    db[i] += A(g[i]);
  }
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
  dispatch_floating(x.dtype, [&]<class T>() {
    using A = Compute<T>;
    parallel_for(rows, std::max<int64_t>(1, default_grain / (4 * n + 1)), [=](int64_t begin, int64_t end) {
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
        const A r = rstd.as<A>()[row] = A(1 / std::sqrt(var + eps));
        scale_row(y.as<T>() + row * n, in, weight.as<const T>(), bias.as<const T>(), n, A(centre), r);
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
  // Rows go in at most 64 groups, each with sums of its own for dweight and dbias: the groups depend on sizes only.
  const int64_t each = std::max((rows + 63) / 64, std::max<int64_t>(1, default_grain / (4 * n + 1)));
  const int64_t groups = (rows + each - 1) / each;
  dispatch_floating(x.dtype, [&]<class T>() {
    using A = Compute<T>;
    const T* w = weight.as<const T>();
    const bool sums = dweight.data || dbias.data;
    Scratch scratch(sums ? size_t(2 * groups * n) * sizeof(A) : 0);
    A* parts = scratch.as<A>();
    parallel_for(groups, 1, [=](int64_t first, int64_t last) {
      for (int64_t group = first; group < last; ++group) {
        A* dw = sums ? parts + 2 * group * n : nullptr;
        if (sums) std::fill_n(dw, 2 * n, A(0));
        for (int64_t row = group * each; row < std::min(rows, (group + 1) * each); ++row) {
          const A m = mean.data ? mean.as<const A>()[row] : A(0), r = rstd.as<const A>()[row];
          T* out = dx.data ? dx.as<T>() + row * n : nullptr;
          const T *gs = g.as<const T>() + row * n, *in = x.as<const T>() + row * n;
          if (w)
            slope_row<true>(out, dw, dw + n, gs, in, w, n, m, r, mean.data);
          else
            slope_row<false>(out, dw, dw + n, gs, in, w, n, m, r, mean.data);
        }
      }
    });
    add_groups(dweight.as<T>(), parts, n, 2 * n, groups);
    add_groups(dbias.as<T>(), parts + n, n, 2 * n, groups);
  });
}

}  // namespace lg::LG_ISA
