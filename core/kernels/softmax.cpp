// Softmax and its logarithm: one pass over memory each way, a row (or a bundle of columns) at a time while it is in the
// nearest cache.  Halves compute in float.
#include <cmath>

#include "kernels/lanes.h"
#include "kernels/lines.h"
#include "kernels/math.h"
#include "kernels/stream.h"

namespace lg::LG_ISA {
namespace {

/// e / total, given r = 1 / total: the product, corrected by what it lacks, is the rounded quotient.
template <class A>
inline A quotient(A e, A total, A r) {
#ifdef __FMA__
  const A q = e * r;
  return q + (e - q * total) * r;
#else
  return e / total;
#endif
}

/// A row of exponentials that stays in the nearest cache until their sum is known.
constexpr int64_t near_row = 4096;

/// to[i] = e**(x[i] - top), and their sum.
template <class T>
T exponentials(T* __restrict to, const T* __restrict x, int64_t n, T top) {
  return lane_sum<T>(n, [=](int64_t i) { return to[i] = math::exp_below(x[i] - top); });
}

template <class T>
void softmax_row(T* y, const T* x, int64_t n, bool log, bool streamed) {
  using A = Compute<T>;
  const A top = lane_max<A>(x, n);
  // An infinite maximum gives NaN below, as it should; NaN in x reaches every y through the sum.
  if (log) {
    const A shift = math::log(lane_sum<A>(n, [=](int64_t i) { return math::exp_below(A(x[i]) - top); }));
    fill_run(y, n, streamed, [=](T* __restrict to, int64_t begin, int64_t count) {
      const T* __restrict in = x + begin;
      for (int64_t i = 0; i < count; ++i) to[i] = T(A(in[i]) - top - shift);
    });
  } else if constexpr (std::is_same_v<T, A>) {
    alignas(64) T room[near_row];
    T* e = n <= near_row ? room : y;
    const A total = exponentials(e, x, n, top), r = 1 / total;
    fill_run(y, n, streamed && e != y, [=](T* to, int64_t begin, int64_t count) {
      const T* in = e + begin;
#pragma GCC ivdep
      for (int64_t i = 0; i < count; ++i) to[i] = quotient(in[i], total, r);
    });
  } else {  // halves are too coarse to hold the exponentials in between
    const A total = lane_sum<A>(n, [=](int64_t i) { return math::exp_below(A(x[i]) - top); }), r = 1 / total;
    for (int64_t i = 0; i < n; ++i) y[i] = T(math::exp_below(A(x[i]) - top) * r);
  }
}

/// dx = y * (g - sum(g * y)) or dx = g - e**y * sum(g).
template <class T>
void softmax_slope_row(T* dx, const T* g, const T* y, int64_t n, bool log, bool streamed) {
  using A = Compute<T>;
  const A total = log ? lane_sum<A>(n, [=](int64_t i) { return A(g[i]); })
                      : lane_sum<A>(n, [=](int64_t i) { return A(g[i]) * A(y[i]); });
  fill_run(dx, n, streamed, [=](T* __restrict to, int64_t begin, int64_t count) {
    const T* __restrict gs = g + begin, * __restrict ys = y + begin;
    if (log)
      for (int64_t i = 0; i < count; ++i) to[i] = T(A(gs[i]) - math::exp_below(A(ys[i])) * total);
    else
      for (int64_t i = 0; i < count; ++i) to[i] = T(A(ys[i]) * (A(gs[i]) - total));
  });
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
    for (int64_t j = 0; j < count; ++j) total[j] += math::exp_below(at(i, j) - top[j]);
  if (log)
    for (int64_t j = 0; j < count; ++j) top[j] += math::log(total[j]);
  for (int64_t i = 0; i < n; ++i) {
    T* out = y + i * y_stride;
    if (log)
      for (int64_t j = 0; j < count; ++j) out[j * steps[0]] = T(at(i, j) - top[j]);
    else
      for (int64_t j = 0; j < count; ++j) out[j * steps[0]] = T(math::exp_below(at(i, j) - top[j]) / total[j]);
  }
}

/// softmax_slope_row for a bundle of columns.
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
        out[j * steps[0]] = T(A(gi[j * steps[1]]) - math::exp_below(A(yi[j * steps[2]])) * total[j]);
    else
      for (int64_t j = 0; j < count; ++j) out[j * steps[0]] = T(A(yi[j * steps[2]]) * (A(gi[j * steps[1]]) - total[j]));
  }
}

}  // namespace

/// y[i] = e**x[i] / sum_j e**x[j] along `dim`, or its logarithm.  The maximum is subtracted first: nothing overflows.
void softmax(Strided y, Strided x, int64_t dim, bool log) {
  const int64_t n = line_size(x, dim), y_stride = line_stride(y, dim), x_stride = line_stride(x, dim);
  const bool streamed = 2 * x.numel() * itemsize(x.dtype) >= streamed_bytes;
  dispatch_floating(x.dtype, [&]<class T>() {
    for_lines<2>({y, x}, dim, 8 * n, [&](const Bundle<2>& b) {
      T* out = y.as<T>() + b.offset[0];
      const T* in = x.as<const T>() + b.offset[1];
      if (x_stride != 1 || y_stride != 1)
        return with_steps(b, [&](auto steps) { softmax_columns(out, in, n, y_stride, x_stride, b.count, steps, log); });
      for (int64_t j = 0; j < b.count; ++j) softmax_row(out + j * b.step[0], in + j * b.step[1], n, log, streamed);
    });
  });
}

/// dx = y * (g - sum(g * y)); for the logarithm dx = g - e**y * sum(g).
void softmax_backward(Strided dx, Strided g, Strided y, int64_t dim, bool log) {
  const int64_t n = line_size(y, dim);
  const int64_t to = line_stride(dx, dim), from = line_stride(g, dim), at = line_stride(y, dim);
  const bool streamed = 3 * y.numel() * itemsize(y.dtype) >= streamed_bytes;
  dispatch_floating(y.dtype, [&]<class T>() {
    for_lines<3>({dx, g, y}, dim, 4 * n, [&](const Bundle<3>& b) {
      T* out = dx.as<T>() + b.offset[0];
      const T* gs = g.as<const T>() + b.offset[1];
      const T* ys = y.as<const T>() + b.offset[2];
      if (to == 1 && from == 1 && at == 1) {
        for (int64_t j = 0; j < b.count; ++j)
          softmax_slope_row(out + j * b.step[0], gs + j * b.step[1], ys + j * b.step[2], n, log, streamed);
        return;
      }
      with_steps(b, [&](auto steps) { softmax_slope_columns(out, gs, ys, n, to, from, at, b.count, steps, log); });
    });
  });
}

}  // namespace lg::LG_ISA
