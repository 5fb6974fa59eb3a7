// Softmax and layer normalisation: one pass over memory each way, a row (or a bundle of columns) at a time while it is
// in the nearest cache.  Halves compute in float.
#include <cmath>

#include "kernels/lanes.h"
#include "kernels/lines.h"
#include "kernels/math.h"
#include "runtime/alloc.h"

namespace lg::LG_ISA {
namespace {

template <class T>
void softmax_row(T* y, const T* x, int64_t n, bool log) {
  using A = Compute<T>;
  const A top = lane_max<A>(x, n);
  // An infinite maximum gives NaN below, as it should; NaN in x reaches every y through the sum.
  if constexpr (!std::is_same_v<T, A>) {  // halves are too coarse to hold the exponentials in between
    const A total = lane_sum<A>(n, [&](int64_t i) { return math::exp(A(x[i]) - top); }), shift = math::log(total);
    if (log)
      for (int64_t i = 0; i < n; ++i) y[i] = T(A(x[i]) - top - shift);
    else
      for (int64_t i = 0; i < n; ++i) y[i] = T(math::exp(A(x[i]) - top) / total);
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = math::exp(x[i] - top);
    const A total = lane_sum<A>(n, [&](int64_t i) { return y[i]; }), shift = math::log(total);
    if (log)
      for (int64_t i = 0; i < n; ++i) y[i] = x[i] - top - shift;
    else
      for (int64_t i = 0; i < n; ++i) y[i] /= total;
  }
}

/// The same for a bundle of neighbouring columns, row after row.
template <class T, class Steps>
void softmax_columns(T* y, const T* x, int64_t n, int64_t y_stride, int64_t x_stride, int64_t count, Steps steps,
                     bool log) {
  using A = Compute<T>;
  A top[bundle], total[bundle];
  for (int64_t j = 0; j < count; ++j) {
    top[j] = -A(INFINITY);
    total[j] = 0;
  }
  auto at = [&](int64_t i, int64_t j) { return A(x[i * x_stride + j * steps[1]]); };
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < count; ++j) top[j] = at(i, j) > top[j] ? at(i, j) : top[j];
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < count; ++j) total[j] += math::exp(at(i, j) - top[j]);
  if (log)
    for (int64_t j = 0; j < count; ++j) top[j] += math::log(total[j]);
  for (int64_t i = 0; i < n; ++i) {
    T* out = y + i * y_stride;
    if (log)
      for (int64_t j = 0; j < count; ++j) out[j * steps[0]] = T(at(i, j) - top[j]);
    else
      for (int64_t j = 0; j < count; ++j) out[j * steps[0]] = T(math::exp(at(i, j) - top[j]) / total[j]);
  }
}

/// dx = y * (g - sum(g * y)) or dx = g - e**y * sum(g) for a bundle of columns.
template <class T, class Steps>
void softmax_slope_columns(T* dx, const T* g, const T* y, int64_t n, int64_t to, int64_t from, int64_t at,
                           int64_t count, Steps steps, bool log) {
  using A = Compute<T>;
  A total[bundle] = {};
  for (int64_t i = 0; i < n; ++i) {
    const T *gi = g + i * from, *yi = y + i * at;
    if (log)
      for (int64_t j = 0; j < count; ++j) total[j] += A(gi[j * steps[1]]);
    else
      for (int64_t j = 0; j < count; ++j) total[j] += A(gi[j * steps[1]]) * A(yi[j * steps[2]]);
  }
  for (int64_t i = 0; i < n; ++i) {
    const T *gi = g + i * from, *yi = y + i * at;
    T* out = dx + i * to;
    if (log)
      for (int64_t j = 0; j < count; ++j)
        out[j * steps[0]] = T(A(gi[j * steps[1]]) - math::exp(A(yi[j * steps[2]])) * total[j]);
    else
      for (int64_t j = 0; j < count; ++j) out[j * steps[0]] = T(A(yi[j * steps[2]]) * (A(gi[j * steps[1]]) - total[j]));
  }
}

}  // namespace

/// y[i] = e**x[i] / sum_j e**x[j] along `dim`, or its logarithm.  The maximum is subtracted first: nothing overflows.
void softmax(Strided y, Strided x, int64_t dim, bool log) {
  const int64_t n = line_size(x, dim), y_stride = line_stride(y, dim), x_stride = line_stride(x, dim);
  dispatch_floating(x.dtype, [&]<class T>() {
    for_lines<2>({y, x}, dim, 8 * n, [&](const Bundle<2>& b) {
      T* out = y.as<T>() + b.offset[0];
      const T* in = x.as<const T>() + b.offset[1];
      if (x_stride != 1 || y_stride != 1)
        return with_steps(b, [&](auto steps) { softmax_columns(out, in, n, y_stride, x_stride, b.count, steps, log); });
      for (int64_t j = 0; j < b.count; ++j) softmax_row(out + j * b.step[0], in + j * b.step[1], n, log);
    });
  });
}

/// dx = y * (g - sum(g * y)); for the logarithm dx = g - e**y * sum(g).
void softmax_backward(Strided dx, Strided g, Strided y, int64_t dim, bool log) {
  const int64_t n = line_size(y, dim);
  const int64_t to = line_stride(dx, dim), from = line_stride(g, dim), at = line_stride(y, dim);
  dispatch_floating(y.dtype, [&]<class T>() {
    using A = Compute<T>;
    for_lines<3>({dx, g, y}, dim, 4 * n, [&](const Bundle<3>& b) {
      T* out = dx.as<T>() + b.offset[0];
      const T* gs = g.as<const T>() + b.offset[1];
      const T* ys = y.as<const T>() + b.offset[2];
      if (to == 1 && from == 1 && at == 1) {
        for (int64_t j = 0; j < b.count; ++j) {
          T* out_row = out + j * b.step[0];
          const T *gr = gs + j * b.step[1], *yr = ys + j * b.step[2];
          const A total = log ? lane_sum<A>(n, [&](int64_t i) { return A(gr[i]); })
                              : lane_sum<A>(n, [&](int64_t i) { return A(gr[i]) * A(yr[i]); });
          if (log)
            for (int64_t i = 0; i < n; ++i) out_row[i] = T(A(gr[i]) - math::exp(A(yr[i])) * total);
          else
            for (int64_t i = 0; i < n; ++i) out_row[i] = T(A(yr[i]) * (A(gr[i]) - total));
        }
        return;
      }
      with_steps(b, [&](auto steps) { softmax_slope_columns(out, gs, ys, n, to, from, at, b.count, steps, log); });
    });
  });
}

/// y = (x - mean) / sqrt(var + eps) * weight + bias for each row of n elements.  All contiguous; weight and bias may be
/// null; mean and rstd hold a number a row, float for halves.
void layer_norm(Strided y, Strided mean, Strided rstd, Strided x, Strided weight, Strided bias, int64_t n, double eps) {
  const int64_t rows = n ? x.numel() / n : 0;
  dispatch_floating(x.dtype, [&]<class T>() {
    using A = Compute<T>;
    const T *w = weight.as<const T>(), *c = bias.as<const T>();
    parallel_for(rows, std::max<int64_t>(1, default_grain / (4 * n + 1)), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const T* in = x.as<const T>() + row * n;
        T* out = y.as<T>() + row * n;
        const A m = lane_sum<A>(n, [&](int64_t i) { return A(in[i]); }) / A(n);
        const A v = lane_sum<A>(n, [&](int64_t i) { return (A(in[i]) - m) * (A(in[i]) - m); }) / A(n);
        const A r = 1 / std::sqrt(v + A(eps));
        mean.as<A>()[row] = m;
        rstd.as<A>()[row] = r;
        if (w && c)
          for (int64_t i = 0; i < n; ++i) out[i] = T((A(in[i]) - m) * r * A(w[i]) + A(c[i]));
        else
          for (int64_t i = 0; i < n; ++i) out[i] = T((A(in[i]) - m) * r * (w ? A(w[i]) : 1) + (c ? A(c[i]) : 0));
      }
    });
  });
}

/// With h = (x - mean) * rstd and gw = g * weight:  dx = rstd * (gw - mean(gw) - h * mean(gw * h)),  dweight = sum(g *
/// h), dbias = sum(g) over rows.  Any of the three may have null data: not wanted.
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
    parallel_for(groups, 1, [&](int64_t first, int64_t last) {
      for (int64_t group = first; group < last; ++group) {
        A *dw = scratch.as<A>() + 2 * group * n, *db = dw + n;
        if (sums) std::fill_n(dw, 2 * n, A(0));
        for (int64_t row = group * each; row < std::min(rows, (group + 1) * each); ++row) {
          const T *gs = g.as<const T>() + row * n, *in = x.as<const T>() + row * n;
          const A m = mean.as<const A>()[row], r = rstd.as<const A>()[row];
          auto gw = [&](int64_t i) { return w ? A(gs[i]) * A(w[i]) : A(gs[i]); };
          auto h = [&](int64_t i) { return (A(in[i]) - m) * r; };
          if (dx.data) {
            T* out = dx.as<T>() + row * n;
            const A a = lane_sum<A>(n, gw) / A(n);
            const A b = lane_sum<A>(n, [&](int64_t i) { return gw(i) * h(i); }) / A(n);
            for (int64_t i = 0; i < n; ++i) out[i] = T(r * (gw(i) - a - h(i) * b));
          }
          if (sums)
            for (int64_t i = 0; i < n; ++i) {
              dw[i] += A(gs[i]) * h(i);
              db[i] += A(gs[i]);
            }
        }
      }
    });
    for (int64_t i = 0; i < n && sums; ++i) {
      A dw = 0, db = 0;
      for (int64_t group = 0; group < groups; ++group) {
        dw += scratch.as<A>()[2 * group * n + i];
        db += scratch.as<A>()[(2 * group + 1) * n + i];
      }
      if (dweight.data) dweight.as<T>()[i] = T(dw);
      if (dbias.data) dbias.as<T>()[i] = T(db);
    }
  });
}

}  // namespace lg::LG_ISA
