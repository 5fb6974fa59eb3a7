// Scans: running sums, products and extremes along a dimension.  Float sums run in double, as PyTorch's do.
#include <cmath>

#include "kernels/lines.h"

namespace lg::LG_ISA {
namespace {

/// y[i] = step(y[i - 1], x[i]) along `dim`, starting from step(start, x[0]).  Neighbouring lines advance together.
template <class T, class A, class Step>
void scan(Strided y, Strided x, int64_t dim, A start, Step step) {
  const int64_t n = line_size(x, dim), x_stride = line_stride(x, dim), y_stride = line_stride(y, dim);
  for_lines<2>({y, x}, dim, n, [&](const Bundle<2>& b) {
    T* out = y.as<T>() + b.offset[0];
    const T* in = x.as<const T>() + b.offset[1];
    if (x_stride == 1) {
      for (int64_t j = 0; j < b.count; ++j) {
        A running = start;
        for (int64_t i = 0; i < n; ++i) {
          running = step(running, A(in[j * b.step[1] + i]));
          out[j * b.step[0] + i * y_stride] = T(running);
        }
      }
      return;
    }
    A running[bundle];
    for (int64_t j = 0; j < b.count; ++j) running[j] = start;
    with_steps(b, [&](auto steps) {
      for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < b.count; ++j) {
          running[j] = step(running[j], A(in[i * x_stride + j * steps[1]]));
          out[i * y_stride + j * steps[0]] = T(running[j]);
        }
    });
  });
}

template <class F>
void dispatch_scan(DType d, F&& f) {
  if (d == DType::Int64) return f.template operator()<int64_t, uint64_t>();  // wraps without undefined behaviour
  if (d == DType::Float32) return f.template operator()<float, double>();
  if (d == DType::Float64) return f.template operator()<double, double>();
  if (d == DType::Complex64) return f.template operator()<complex64, complex128>();
  f.template operator()<complex128, complex128>();
}

}  // namespace

void cumsum(Strided y, Strided x, int64_t dim) {
  dispatch_scan(x.dtype, [&]<class T, class A>() { scan<T>(y, x, dim, A(0), [](A a, A v) { return a + v; }); });
}

void cumprod(Strided y, Strided x, int64_t dim) {
  dispatch_scan(x.dtype, [&]<class T, class A>() { scan<T>(y, x, dim, A(1), [](A a, A v) { return a * v; }); });
}

/// log(e**x[0] + ... + e**x[i]); float32 and float64.
void logcumsumexp(Strided y, Strided x, int64_t dim) {
  auto step = [](double a, double v) {
    const double top = std::max(a, v), low = std::min(a, v);
    if (a != a || v != v) return a + v;
    return std::isinf(top) ? top : top + std::log1p(std::exp(low - top));  // two infinities of one sign: themselves
  };
  if (x.dtype == DType::Float32)
    scan<float>(y, x, dim, -double(INFINITY), step);
  else
    scan<double>(y, x, dim, -double(INFINITY), step);
}

/// dx[k] = e**(x[k] - y[k]) * r[k], where r[k] = sum over i >= k of g[i] e**(y[k] - y[i]) = g[k] + e**(y[k] - y[k+1])
/// r[k+1]. y rises, so that no exponent is positive.
void logcumsumexp_backward(Strided dx, Strided g, Strided x, Strided y, int64_t dim) {
  const int64_t n = line_size(x, dim);
  const int64_t to = line_stride(dx, dim), gi = line_stride(g, dim), xi = line_stride(x, dim), yi = line_stride(y, dim);
  auto run = [&]<class T>() {
    // Equal infinities differ by 0.
    auto ratio = [](T low, T high) { return low == high ? T(1) : std::exp(low - high); };
    for_lines<4>({dx, g, x, y}, dim, 8 * n, [&](const Bundle<4>& b) {
      for (int64_t j = 0; j < b.count; ++j) {
        T* out = dx.as<T>() + b.offset[0] + j * b.step[0];
        const T* gs = g.as<const T>() + b.offset[1] + j * b.step[1];
        const T* xs = x.as<const T>() + b.offset[2] + j * b.step[2];
        const T* ys = y.as<const T>() + b.offset[3] + j * b.step[3];
        T r = 0;
        for (int64_t k = n - 1; k >= 0; --k) {
          r = gs[k * gi] + (k + 1 < n ? ratio(ys[k * yi], ys[(k + 1) * yi]) * r : T(0));
          out[k * to] = std::exp(xs[k * xi] - ys[k * yi]) * r;
        }
      }
    });
  };
  if (x.dtype == DType::Float32)
    run.operator()<float>();
  else
    run.operator()<double>();
}

/// Running maximum (or minimum) and where it stands; the later of equals, and NaN once met stays.
void cum_extreme(Strided values, Strided indices, Strided x, int64_t dim, bool largest) {
  const int64_t n = line_size(x, dim), from = line_stride(x, dim), to = line_stride(values, dim);
  dispatch_real(x.dtype, [&]<class T>() {
    using C = Compute<T>;
    for_lines<2>({values, x}, dim, n, [&](const Bundle<2>& b) {  // `indices` is laid out as `values`
      for (int64_t j = 0; j < b.count; ++j) {
        const int64_t out = b.offset[0] + j * b.step[0];
        const T* line = x.as<const T>() + b.offset[1] + j * b.step[1];
        int64_t best = 0;
        for (int64_t i = 0; i < n; ++i) {
          const C v = line[i * from], top = line[best * from];
          if (v != v || (top == top && (largest ? v >= top : v <= top))) best = i;
          values.as<T>()[out + i * to] = line[best * from];
          indices.as<int64_t>()[out + i * to] = best;
        }
      }
    });
  });
}

}  // namespace lg::LG_ISA
