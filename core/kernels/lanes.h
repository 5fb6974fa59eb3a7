// Sums and maxima of a run of elements in lanes: several accumulators side by side, which the compiler keeps in vector
// registers.  The order of additions depends on the number of elements alone.
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/isa.h"
#include "runtime/dtype.h"

namespace lg::LG_ISA {

inline constexpr int64_t lanes = 16;

template <class A>
struct Two {
  A first, second;
};

/// Two sums over [0, n): f(i, a, b) adds the i-th terms to a and b.
template <class A, class F>
inline Two<A> lane_sums(int64_t n, F&& f) {
  A a[lanes] = {}, b[lanes] = {}, last_a = 0, last_b = 0;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int64_t j = 0; j < lanes; ++j) f(i + j, a[j], b[j]);
  for (; i < n; ++i) f(i, last_a, last_b);
  for (int64_t half = lanes / 2; half; half /= 2)
    for (int64_t j = 0; j < half; ++j) {
      a[j] += a[j + half];
      b[j] += b[j + half];
    }
  return {a[0] + last_a, b[0] + last_b};
}

/// sum of f(i) over [0, n).
template <class A, class F>
inline A lane_sum(int64_t n, F&& f) {
  A lane[lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int64_t j = 0; j < lanes; ++j) lane[j] += f(i + j);
  A total = 0;
  for (; i < n; ++i) total += f(i);
  for (int64_t half = lanes / 2; half; half /= 2)
    for (int64_t j = 0; j < half; ++j) lane[j] += lane[j + half];
  return total + lane[0];
}

template <class A, class T>
inline A lane_max(const T* x, int64_t n) {
  A lane[lanes], top = -A(INFINITY);
  for (A& v : lane) v = top;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int64_t j = 0; j < lanes; ++j) lane[j] = A(x[i + j]) > lane[j] ? A(x[i + j]) : lane[j];
  for (; i < n; ++i) top = std::max(top, A(x[i]));
  for (A v : lane) top = std::max(top, v);
  return top;
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

/// Moments of x[0..n): a block at a time, first its sum, then deviations from its rounded mean, which they also
/// correct.
template <class T>
inline Moments moments_of(const T* x, int64_t n) {
  using A = Compute<T>;
  Moments all;
  for (int64_t begin = 0; begin < n; begin += near_block) {
    const T* in = x + begin;
    const int64_t count = std::min(near_block, n - begin);
    const A centre = lane_sum<A>(count, [&](int64_t i) { return A(in[i]); }) / A(count);
    const Two<A> rest = lane_sums<A>(count, [&](int64_t i, A& sum, A& squares) {
      const A d = A(in[i]) - centre;
      sum += d;
      squares += d * d;
    });
    const double shift = double(rest.first) / double(count);
    all.add({double(count), double(centre) + shift, double(rest.second) - double(rest.first) * shift});
  }
  return all;
}

}  // namespace lg::LG_ISA
