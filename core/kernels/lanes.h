// Sums and maxima of a run of elements in lanes: several accumulators side by side, which the compiler keeps in vector
// registers.  The order of additions depends on the number of elements alone.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>

#include "kernels/isa.h"
#include "runtime/dtype.h"

namespace lg::LG_ISA {

/// Several of the widest registers: the latency of one addition passes under others.  Two sums at a time must fit.
#if defined(__AVX512F__)
inline constexpr int64_t lanes = 64;
#else
inline constexpr int64_t lanes = 32;
#endif

template <class A>
struct Two {
  A first, second;
};

/// All lanes joined by `join`, halves of them at a time.
template <int64_t n = lanes, class A, class F>
inline A fold(A* lane, F join) {
  if constexpr (n == 1) {
    return lane[0];
  } else {
    for (int64_t j = 0; j < n / 2; ++j) lane[j] = join(lane[j], lane[j + n / 2]);
    return fold<n / 2>(lane, join);
  }
}

/// Two sums over [0, n): f(i, a, b) adds the i-th terms to a and b.
template <class A, class F>
inline Two<A> lane_sums(int64_t n, F f) {
  A a[lanes] = {}, b[lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int64_t j = 0; j < lanes; ++j) f(i + j, a[j], b[j]);
  for (int64_t j = 0; j < n - i; ++j) f(i + j, a[j], b[j]);
  return {fold(a, std::plus()), fold(b, std::plus())};
}

/// sum of f(i) over [0, n).
template <class A, class F>
inline A lane_sum(int64_t n, F f) {
  A lane[lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int64_t j = 0; j < lanes; ++j) lane[j] += f(i + j);
  for (int64_t j = 0; j < n - i; ++j) lane[j] += f(i + j);
  return fold(lane, std::plus());
}

/// The largest of x[0..n), without regard to NaN; -inf of nothing.
template <class A, class T>
inline A lane_max(const T* x, int64_t n) {
  auto larger = [](A a, A b) { return b > a ? b : a; };
  A lane[lanes];
  for (A& v : lane) v = -A(INFINITY);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int64_t j = 0; j < lanes; ++j) lane[j] = larger(lane[j], A(x[i + j]));
  for (int64_t j = 0; j < n - i; ++j) lane[j] = larger(lane[j], A(x[i + j]));
  return fold(lane, larger);
}

/// Number, mean, and sum of squared deviations of some elements, in double: float32 moments lose nothing but the
/// rounding of sums within a block.
struct Moments {
  double count = 0, mean = 0, squares = 0;

  /// Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances" (1979).
  void add(const Moments& other) {
    if (other.count == 0) return;
    const double total = count + other.count, step = other.mean - mean, share = other.count / total;
    squares += other.squares + step * step * count * share;
    mean += step * share;
    count = total;
  }
};

/// Elements that stay in the nearest cache between two passes: a block of each of two inputs.
inline constexpr int64_t near_block = 2048;

/// Of a block, in one pass: deviations from `centre`, the mean of its first elements, are summed with their squares and
/// then corrected.  With a share p of the elements near `centre` the variance is at least p * (mean - centre)**2: the
/// correction takes at most 1 / p = n / lanes times the variance away from the sum of squares, some bits at the worst,
/// and next to nothing where the first elements are like the rest.
template <class T>
inline Moments block_moments(const T* x, int64_t n) {
  using A = Compute<T>;
  const int64_t few = std::min(n, lanes);
  const A centre = lane_sum<A>(few, [x](int64_t i) { return A(x[i]); }) / A(few);
  const Two<A> rest = lane_sums<A>(n, [x, centre](int64_t i, A& sum, A& squares) {
    const A d = A(x[i]) - centre;
    sum += d;
    squares += d * d;
  });
  const double shift = double(rest.first) / double(n), squares = double(rest.second) - double(rest.first) * shift;
  return {double(n), double(centre) + shift, squares < 0 ? 0 : squares};  // NaN stays
}

/// Moments of x[0..n), block by block.
template <class T>
inline Moments moments_of(const T* x, int64_t n) {
  if (0 < n && n <= near_block) return block_moments(x, n);
  Moments all;
  for (int64_t begin = 0; begin < n; begin += near_block)
    all.add(block_moments(x + begin, std::min(near_block, n - begin)));
  return all;
}

/// Sums of g and of g * (x - mean), block by block.
template <class T, class A>
inline Two<double> slope_sums(const T* g, const T* x, int64_t n, A mean) {
  Two<double> all{0, 0};
  for (int64_t begin = 0; begin < n; begin += near_block) {
    const T *gs = g + begin, *in = x + begin;
    const Two<A> sums = lane_sums<A>(std::min(near_block, n - begin), [gs, in, mean](int64_t i, A& a, A& b) {
      a += A(gs[i]);
      b += A(gs[i]) * (A(in[i]) - mean);
    });
    all.first += double(sums.first);
    all.second += double(sums.second);
  }
  return all;
}

/// y = (x - mean) * scale + bias.
template <class T, class A>
inline void normalise_plane(T* __restrict y, const T* __restrict x, int64_t n, A mean, A scale, A bias) {
  for (int64_t i = 0; i < n; ++i) y[i] = T((A(x[i]) - mean) * scale + bias);
}

/// dx = g * scale - (level + (x - mean) * tilt).
template <class T, class A>
inline void slope_plane(T* __restrict dx, const T* __restrict g, const T* __restrict x, int64_t n, A mean, A scale,
                        A level, A tilt) {
  for (int64_t i = 0; i < n; ++i) dx[i] = T(A(g[i]) * scale - (level + (A(x[i]) - mean) * tilt));
}

}  // namespace lg::LG_ISA
