// Filling tensors with random numbers, in PyTorch's order of draws, so that a seed gives its numbers.
//
// The generator is one sequence, hence nothing here is spread over threads.  A dense tensor is filled in the order of
// its memory, whatever the order of its dimensions.
#include "runtime/generator.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "kernels/table.h"
#include "runtime/alloc.h"

namespace lg::LG_ISA {
namespace {

/// Calls f(offset in y, offset in x) for each element, outermost stride of y first.
template <class F>
void each_in_memory_order(const Strided& y, const Strided& x, F&& f) {
  int64_t count = y.numel();
  if (count == 0) return;
  Dims order(y.ndim), index(y.ndim);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return y.strides[a] > y.strides[b]; });
  int64_t at_y = 0, at_x = 0;
  for (;;) {
    f(at_y, at_x);
    int64_t level = y.ndim - 1;
    for (; level >= 0; --level) {
      int64_t d = order[level];
      at_y += y.strides[d];
      at_x += x.strides[d];
      if (++index[level] < y.sizes[d]) break;
      at_y -= y.strides[d] * y.sizes[d];
      at_x -= x.strides[d] * y.sizes[d];
      index[level] = 0;
    }
    if (level < 0) return;
  }
}

template <class T, class F>
void fill_each(const Strided& y, F&& value) {
  T* data = y.as<T>();
  if (y.contiguous()) {
    for (int64_t i = 0, n = y.numel(); i < n; ++i) data[i] = value();
  } else {
    each_in_memory_order(y, y, [&](int64_t at, int64_t) { data[at] = value(); });
  }
}

/// Uniform in [0, 1) with the bits that T's arithmetic has.
template <class T>
inline Compute<T> uniform(Generator& g) {
  if constexpr (std::is_same_v<T, double>)
    return g.uniform53();
  else
    return g.uniform24();
}

/// Sixteen uniforms to sixteen normals (Box and Muller 1958): the first eight make radii, the others angles.
template <class T>
void box_muller(T* x, T mean, T std) {
  for (int i = 0; i < 8; ++i) {
    T radius = std::sqrt(-2 * std::log(1 - x[i])), angle = T(2 * std::numbers::pi * double(x[i + 8]));
    x[i] = radius * std::cos(angle) * std + mean;
    x[i + 8] = radius * std::sin(angle) * std + mean;
  }
}

template <class T>
void normal_blocks(T* y, int64_t n, Generator& g, double mean, double std) {
  using C = Compute<T>;
  for (int64_t i = 0; i < n; i += 16) {
    // The last block is a whole one too, and overwrites what the one before had there.
    int64_t begin = std::min(i, n - 16);
    C block[16];
    for (C& x : block) x = uniform<T>(g);
    box_muller(block, C(mean), C(std));
    std::copy(block, block + 16, y + begin);
  }
}

}  // namespace

void draw(Strided y, Generator& g, Distribution distribution, double a, double b) {
  auto fill = [&](auto&& value) {
    dispatch_all(y.dtype, [&]<class T>() { fill_each<T>(y, [&] { return convert<T>(value()); }); });
  };
  switch (distribution) {
    case Distribution::Uniform:
      return dispatch_floating(y.dtype, [&]<class T>() {
        using C = Compute<T>;
        C from = C(a), width = C(b) - C(a);
        fill_each<T>(y, [&] { return T(uniform<T>(g) * width + from); });
      });
    case Distribution::Bernoulli: return fill([&] { return g.uniform53() < a; });
    case Distribution::Exponential: return fill([&] { return -1 / a * std::log1p(-g.uniform53()); });
    case Distribution::Geometric: return fill([&] { return std::ceil(std::log(g.uniform53()) / std::log1p(-a)); });
    case Distribution::Cauchy: return fill([&] { return a + b * std::tan(std::numbers::pi * (g.uniform53() - 0.5)); });
    case Distribution::LogNormal: return fill([&] { return std::exp(g.normal() * b + a); });
  }
}

void normal(Strided y, Generator& g, double mean, double std) {
  dispatch_floating(y.dtype, [&]<class T>() {
    int64_t n = y.numel();
    if (n >= 16 && y.contiguous())
      normal_blocks(y.as<T>(), n, g, mean, std);
    else
      fill_each<T>(y, [&] { return convert<T>(g.normal() * std + mean); });
  });
}

/// base + a number below `range` (0: all 64 bits), from 64 bits if `wide` and from 32 otherwise.
void random_integers(Strided y, Generator& g, uint64_t range, int64_t base, bool wide) {
  dispatch_real(y.dtype, [&]<class T>() {
    fill_each<T>(y, [&] {
      uint64_t bits = wide ? g.random64() : g.random();
      return convert<T>(int64_t((range ? bits % range : bits) + uint64_t(base)));
    });
  });
}

void bernoulli_each(Strided y, Strided p, Generator& g) {
  dispatch_all(y.dtype, [&]<class T>() {
    dispatch_floating(p.dtype, [&]<class P>() {
      each_in_memory_order(y, p, [&](int64_t at, int64_t at_p) {
        y.as<T>()[at] = convert<T>(uniform<P>(g) < Compute<P>(p.as<P>()[at_p]));
      });
    });
  });
}

/// Fisher and Yates's shuffle.
void permutation(Strided y, Generator& g) {
  int64_t n = y.sizes[0], stride = y.strides[0];
  bool wide = n >= int64_t(UINT32_MAX / 20);
  dispatch_real(y.dtype, [&]<class T>() {
    T* data = y.as<T>();
    for (int64_t i = 0; i < n; ++i) data[i * stride] = convert<T>(i);
    for (int64_t i = 0; i < n - 1; ++i) {
      uint64_t bits = wide ? g.random64() : g.random();
      std::swap(data[i * stride], data[(i + int64_t(bits % uint64_t(n - i))) * stride]);
    }
  });
}

/// y (rows, samples) of int64: the first category whose cumulated share reaches a uniform number.  p (rows,
/// categories).
void multinomial(Strided y, Strided p, Generator& g) {
  int64_t categories = p.sizes[1];
  dispatch_floating(p.dtype, [&]<class T>() {
    using C = Compute<T>;
    Scratch scratch(size_t(categories) * sizeof(C));
    C* share = scratch.as<C>();
    for (int64_t row = 0; row < y.sizes[0]; ++row) {
      C sum = 0;
      for (int64_t j = 0; j < categories; ++j) share[j] = sum += C(p.as<T>()[row * p.strides[0] + j * p.strides[1]]);
      for (int64_t j = 0; j < categories; ++j) share[j] /= sum;
      share[categories - 1] = 1;
      for (int64_t i = 0; i < y.sizes[1]; ++i)
        y.as<int64_t>()[row * y.strides[0] + i * y.strides[1]] =
            std::lower_bound(share, share + categories, g.uniform53()) - share;
    }
  });
}

/// noise = 1/keep with probability `keep`, else 0; y = x noise.  y and noise have the same strides.
void dropout(Strided y, Strided noise, Strided x, Generator& g, double keep) {
  dispatch_inexact(y.dtype, [&]<class T>() {
    T kept = T(Compute<T>(Real<Compute<T>>(1) / Real<Compute<T>>(keep))), none = T(Compute<T>(0));
    each_in_memory_order(y, x, [&](int64_t at, int64_t at_x) {
      T n = g.uniform53() < keep ? kept : none;
      noise.as<T>()[at] = n;
      y.as<T>()[at] = T(Compute<T>(x.as<T>()[at_x]) * Compute<T>(n));
    });
  });
}

}  // namespace lg::LG_ISA
