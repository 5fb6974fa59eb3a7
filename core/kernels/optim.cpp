// Steps of optimizers: one pass over a parameter, its gradient and its state, for a list of parameters in one go.
//
// All parameters lie in one imaginary row of elements that is cut into equal chunks, so that many small ones and a few
// large ones keep all threads busy alike.  What differs from run to run (is there a momentum, a decay) is a template's
// parameter, so that a loop reads and writes only what it has to: these loops wait for memory.
#include "kernels/optim.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "kernels/isa.h"
#include "runtime/dtype.h"
#include "runtime/pool.h"

namespace lg::LG_ISA {
namespace {

constexpr int64_t grain = default_grain / 2;

/// f(item, begin, end): the elements of each item that fall into a chunk.
template <class F>
void for_items(const OptimItem* items, int64_t count, int64_t numel, F&& f) {
  parallel_for(numel, grain, [&](int64_t begin, int64_t end) {
    auto starts_later = [](int64_t at, const OptimItem& item) { return at < item.first; };
    for (const OptimItem* item = std::upper_bound(items, items + count, begin, starts_later) - 1; begin < end; ++item) {
      const int64_t stop = item + 1 < items + count ? std::min(end, item[1].first) : end;
      f(*item, begin - item->first, stop - item->first);
      begin = stop;
    }
  });
}

/// f(std::bool_constant...): the flags as types.
template <class F>
void with(F&& f) {
  f();
}
template <class F, class... Rest>
void with(F&& f, bool flag, Rest... rest) {
  if (flag)
    with([&](auto... more) { f(std::true_type(), more...); }, rest...);
  else
    with([&](auto... more) { f(std::false_type(), more...); }, rest...);
}

template <class F>
void dispatch_wide(DType dtype, F&& f) {
  if (dtype == DType::Float64)
    f.template operator()<double>();
  else
    f.template operator()<float>();
}

/// A step's settings as numbers of the parameter's type.  Passed by value: nothing that is written can be one of them.
template <class T>
struct SgdNumbers {
  T sign, decay, lr, keep, take;
};
template <class T>
struct AdamNumbers {
  T sign, decay, shrink, weight, beta2, rest2, eps, step_size, correction;
  bool from_mean;
};

// g = grad + weight_decay * p;  b = momentum * b + (1 - dampening) * g;  p -= lr * (nesterov ? g + momentum * b : b).
template <bool decays, bool has_momentum, bool nesterov, class T>
void sgd_run(T* __restrict p, const T* __restrict grad, T* __restrict buffer, int64_t n, SgdNumbers<T> s) {
  for (int64_t i = 0; i < n; ++i) {
    T g = s.sign * grad[i];
    if constexpr (decays) g += s.decay * p[i];
    if constexpr (has_momentum) {
      const T b = buffer[i] = s.keep * buffer[i] + s.take * g;
      g = nesterov ? g + s.keep * b : b;
    }
    p[i] -= s.lr * g;
  }
}

// m += (1 - beta1) * (g - m);  v = beta2 * v + (1 - beta2) * g**2;  p -= step_size * m / (sqrt(v) / correction + eps).
template <bool decays, bool shrinks, bool amsgrad, class T>
void adam_run(T* __restrict p, const T* __restrict grad, T* __restrict mean, T* __restrict square,
              T* __restrict largest, int64_t n, AdamNumbers<T> s) {
  for (int64_t i = 0; i < n; ++i) {
    T g = s.sign * grad[i], x = p[i];
    if constexpr (decays) g += s.decay * x;
    if constexpr (shrinks) x *= s.shrink;
    const T m = mean[i] = (s.from_mean ? mean[i] : g) + s.weight * (g - mean[i]);
    T v = square[i] = s.beta2 * square[i] + s.rest2 * g * g;
    if constexpr (amsgrad) v = largest[i] = v > largest[i] || v != v ? v : largest[i];
    p[i] = x - s.step_size * m / (std::sqrt(v) / s.correction + s.eps);
  }
}

template <class T>
T* at(void* data, int64_t i) {
  return data ? static_cast<T*>(data) + i : nullptr;
}

}  // namespace

void sgd(DType dtype, const OptimItem* items, int64_t count, int64_t numel, const SgdSettings& s) {
  dispatch_wide(dtype, [&]<class T>() {
    const SgdNumbers<T> numbers{T(s.maximize ? -1 : 1), T(s.weight_decay), T(s.lr), T(s.momentum), T(1 - s.dampening)};
    auto run = [&](auto decays, auto has_momentum, auto nesterov) {
      for_items(items, count, numel, [&](const OptimItem& item, int64_t begin, int64_t end) {
        sgd_run<decays, has_momentum, nesterov>(at<T>(item.param, begin), static_cast<const T*>(item.grad) + begin,
                                                at<T>(item.moments[0], begin), end - begin, numbers);
      });
    };
    with(run, s.weight_decay != 0, s.momentum != 0, s.nesterov);
  });
}

void adam(DType dtype, const OptimItem* items, int64_t count, int64_t numel, const AdamSettings& s) {
  dispatch_wide(dtype, [&]<class T>() {
    // A running mean of weight w is reckoned from its nearer end, as lerp does: exact for w = 0 and w = 1.
    const bool from_mean = 1 - s.beta1 < 0.5;
    const AdamNumbers<T> shared{.sign = T(s.maximize ? -1 : 1),
                                .decay = T(s.weight_decay),
                                .shrink = T(s.shrink),
                                .weight = T(from_mean ? 1 - s.beta1 : -s.beta1),
                                .beta2 = T(s.beta2),
                                .rest2 = T(1 - s.beta2),
                                .eps = T(s.eps),
                                .step_size = 0,
                                .correction = 0,
                                .from_mean = from_mean};
    auto run = [&](auto decays, auto shrinks, auto amsgrad) {
      for_items(items, count, numel, [&](const OptimItem& item, int64_t begin, int64_t end) {
        AdamNumbers<T> numbers = shared;
        numbers.step_size = T(item.step_size);
        numbers.correction = T(item.correction);
        adam_run<decays, shrinks, amsgrad>(at<T>(item.param, begin), static_cast<const T*>(item.grad) + begin,
                                           at<T>(item.moments[0], begin), at<T>(item.moments[1], begin),
                                           at<T>(item.moments[2], begin), end - begin, numbers);
      });
    };
    with(run, s.weight_decay != 0, s.shrink != 1, count && items[0].moments[2]);
  });
}

}  // namespace lg::LG_ISA
