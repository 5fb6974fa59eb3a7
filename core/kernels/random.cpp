// Filling tensors with random numbers, in PyTorch's order of draws, so that a seed gives its numbers.
//
// The generator is one sequence, hence nothing here is spread over threads.  A dense tensor is filled in the order of
// its memory, whatever the order of its dimensions.
#include "runtime/generator.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <numeric>

#include "kernels/isa.h"
#include "kernels/kinds.h"
#include "runtime/alloc.h"
#include "runtime/pool.h"
#include "runtime/strided.h"

namespace lg::LG_ISA {
namespace {

/// The dimensions of y, outermost stride first.
Dims memory_order(const Strided& y) {
  Dims order(y.ndim);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return y.strides[a] > y.strides[b]; });
  return order;
}

/// Calls f(offset in y, offset in x) for each element, outermost stride of y first.
template <class F>
void each_in_memory_order(const Strided& y, const Strided& x, F&& f) {
  int64_t count = y.numel();
  if (count == 0) return;
  const Dims order = memory_order(y);
  Dims index(y.ndim);
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

// The two approximations below are the single-precision ones of Moshier's Cephes library (1989), without branches, so
// that eight lanes go at once.  PyTorch's float32 stream has their bits, fused multiplications included.

inline float log_approximation(float x) {
  uint32_t bits = std::bit_cast<uint32_t>(x);
  float exponent = float(int32_t(bits >> 23) - 126), m = std::bit_cast<float>((bits & 0x007fffff) | 0x3f000000);
  bool low = m < 0.707106781186547524f;  // m is in [0.5, 1); bring it to [0.7, 1.4) - 1
  exponent -= low ? 1.0f : 0.0f;
  m = (m - 1) + (low ? m : 0.0f);
  float z = m * m, y = 7.0376836292e-2f;
  y = std::fma(y, m, -1.1514610310e-1f);
  y = std::fma(y, m, 1.1676998740e-1f);
  y = std::fma(y, m, -1.2420140846e-1f);
  y = std::fma(y, m, 1.4249322787e-1f);
  y = std::fma(y, m, -1.6668057665e-1f);
  y = std::fma(y, m, 2.0000714765e-1f);
  y = std::fma(y, m, -2.4999993993e-1f);
  y = std::fma(y, m, 3.3333331174e-1f);
  y = std::fma(y * m, z, exponent * -2.12194440e-4f);  // log 2 in two parts
  return std::fma(exponent, 0.693359375f, m + std::fma(-z, 0.5f, y));
}

/// For x >= 0.
inline void sincos_approximation(float x, float* sine, float* cosine) {
  int32_t octant = (int32_t(x * 1.27323954473516f) + 1) & ~1;
  float n = float(octant);
  x = std::fma(n, -0.78515625f, x);  // pi/4 in three parts
  x = std::fma(n, -2.4187564849853515625e-4f, x);
  x = std::fma(n, -3.77489497744594108e-8f, x);
  float z = x * x;
  float c = std::fma(2.443315711809948e-5f, z, -1.388731625493765e-3f);
  c = std::fma(c, z, 4.166664568298827e-2f) * z;
  c = std::fma(c, z, -(z * 0.5f)) + 1;
  float s = std::fma(-1.9515295891e-4f, z, 8.3321608736e-3f);
  s = std::fma(s, z, -1.6666654611e-1f) * z;
  s = std::fma(s, x, x);
  bool swapped = octant & 2;
  float first = swapped ? c : s, second = swapped ? s : c;
  *sine = (octant & 4) ? -first : first;
  *cosine = ((octant + 2) & 4) ? -second : second;
}

/// Sixteen uniforms to sixteen normals (Box and Muller 1958): the first eight make radii, the others angles.
inline void box_muller(float* x, float mean, float std) {
  for (int i = 0; i < 8; ++i) {
    float radius = std::sqrt(-2 * log_approximation(1 - x[i])), sine, cosine;
    sincos_approximation(2 * std::numbers::pi_v<float> * x[i + 8], &sine, &cosine);
    x[i] = std::fma(radius * cosine, std, mean);
    x[i + 8] = std::fma(radius * sine, std, mean);
  }
}
inline void box_muller(double* x, double mean, double std) {
  for (int i = 0; i < 8; ++i) {
    double radius = std::sqrt(-2 * std::log(1 - x[i])), angle = 2 * std::numbers::pi * x[i + 8];
    x[i] = std::fma(radius * std::cos(angle), std, mean);
    x[i + 8] = std::fma(radius * std::sin(angle), std, mean);
  }
}

template <class T>
void normal_blocks(T* y, int64_t n, Generator& g, double mean, double std) {
  using C = Compute<T>;
  auto block_at = [&](int64_t begin) {
    C block[16];
    for (C& x : block) x = uniform<T>(g);
    box_muller(block, C(mean), C(std));
    std::copy(block, block + 16, y + begin);
  };
  for (int64_t i = 0; i + 16 <= n; i += 16) block_at(i);
  if (n % 16 == 0) return;
  // The last block is a whole one too.  float and double have drawn numbers for the rest, which are then not used.
  for (int64_t i = 0; i < n % 16 && !is_half_v<T>; ++i) uniform<T>(g);
  block_at(n - 16);
}

/// Draws the next n words.
void draw_words(Generator& g, uint32_t* out, int64_t n) {
  while (n > 0) {
    int64_t count;
    const uint32_t* words = g.words(n, &count);
    for (int64_t i = 0; i < count; ++i) out[i] = Generator::temper(words[i]);
    out += count;
    n -= count;
  }
}

/// 1 with probability p, else 0.  Each element takes 53 bits u of two words, and is 1 if u 2**-53 < p.
void bernoulli(const Strided& y, Generator& g, double p) {
  constexpr int64_t block = 1024;
  constexpr uint64_t low21 = (uint64_t(1) << 21) - 1;
  const uint64_t bound = uint64_t(std::ceil(p * 0x1p53));
  dispatch_all(y.dtype, [&]<class T>() {
    const T one = convert<T>(true), zero = convert<T>(false);
    if (!y.contiguous())
      return fill_each<T>(y, [&] { return (g.random64() & (low21 << 32 | 0xffffffff)) < bound ? one : zero; });
    uint32_t words[2 * block];
    T* out = y.as<T>();
    for (int64_t left = y.numel(); left > 0; left -= block, out += block) {
      const int64_t count = std::min(block, left);
      draw_words(g, words, 2 * count);
      for (int64_t i = 0; i < count; ++i)
        out[i] = ((words[2 * i] & low21) << 32 | words[2 * i + 1]) < bound ? one : zero;
    }
  });
}

}  // namespace

void draw(Strided y, Generator& g, Distribution distribution, double a, double b) {
  auto fill = [&](auto&& value) {
    // A call for each number: the generator inlined for each dtype would take a megabyte of code.
    auto next = [&]() __attribute__((noinline)) { return value(); };
    dispatch_all(y.dtype, [&]<class T>() { fill_each<T>(y, [&] { return convert<T>(next()); }); });
  };
  switch (distribution) {
    case Distribution::Uniform:
      return dispatch_floating(y.dtype, [&]<class T>() {
        using C = Compute<T>;
        C from = C(a), width = C(b) - C(a);
        fill_each<T>(y, [&] {
          T x = T(std::fma(uniform<T>(g), width, from));
          return is_half_v<T> && C(x) == C(b) ? T(from) : x;  // rounding must not reach the open end
        });
      });
    case Distribution::Bernoulli: return bernoulli(y, g, a);
    case Distribution::Exponential: return fill([&] { return -1 / a * std::log1p(-g.uniform53()); });
    case Distribution::Geometric: return fill([&] { return std::ceil(std::log(g.uniform53()) / std::log1p(-a)); });
    case Distribution::Cauchy:
      return fill([&] { return std::fma(b, std::tan(std::numbers::pi * (g.uniform53() - 0.5)), a); });
    case Distribution::LogNormal: return fill([&] { return std::exp(std::fma(g.normal(), b, a)); });
  }
}

void normal(Strided y, Generator& g, double mean, double std) {
  dispatch_floating(y.dtype, [&]<class T>() {
    int64_t n = y.numel();
    if (n >= 16 && y.contiguous())
      normal_blocks(y.as<T>(), n, g, mean, std);
    else
      fill_each<T>(y, [&] { return convert<T>(std::fma(g.normal(), std, mean)); });
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
  dispatch_floating(p.dtype, [&]<class P>() {
    auto next = [&](int64_t at) __attribute__((noinline)) { return uniform<P>(g) < Compute<P>(p.as<P>()[at]); };
    dispatch_all(y.dtype, [&]<class T>() {
      each_in_memory_order(y, p, [&](int64_t at, int64_t at_p) { y.as<T>()[at] = convert<T>(next(at_p)); });
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

/// y = x scale where `mask` holds, else x 0.  All three have the same dense strides.
void masked_scale(Strided y, Strided x, Strided mask, double scale) {
  dispatch_inexact(y.dtype, [&]<class T>() {
    using C = Compute<T>;
    const C kept = C(T(C(Real<C>(scale))));
    const T* in = x.as<const T>();
    const bool* keep = mask.as<const bool>();
    T* out = y.as<T>();
    parallel_for(y.numel(), 32768, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) out[i] = T(C(in[i]) * (keep[i] ? kept : C(0)));
    });
  });
}

}  // namespace lg::LG_ISA
