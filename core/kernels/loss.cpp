// Losses.  In those of classes targets are in range.
#include "kernels/kinds.h"
#include "kernels/lanes.h"
#include "kernels/math.h"
#include "runtime/alloc.h"
#include "runtime/pool.h"
#include "runtime/strided.h"

namespace lg::LG_ISA {

/// loss = -weight[target] * x[target] and the weight itself; both 0 where target is `ignore`.  x is (N, C, M) with any
/// strides, the rest are contiguous (N, M).
void nll(Strided loss, Strided weights, Strided x, Strided target, Strided weight, int64_t ignore) {
  const int64_t M = x.sizes[2], *s = x.strides, *t = target.as<const int64_t>();
  dispatch_floating(x.dtype, [&]<class T>() {
    using A = Compute<T>;
    parallel_for(x.sizes[0] * M, default_grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const bool used = t[i] != ignore;
        const A w = !used ? 0 : weight.data ? A(weight.as<const T>()[t[i]]) : 1;
        weights.as<T>()[i] = T(w);
        loss.as<T>()[i] = used ? T(-w * A(x.as<const T>()[i / M * s[0] + t[i] * s[1] + i % M * s[2]])) : T(0);
      }
    });
  });
}

/// The same shapes:  dx[target] = -weight[target] * g / total, dx = 0 elsewhere; dx is contiguous.  g is one number or
/// one each; total, the divisor of a mean, may have null data.
void nll_backward(Strided dx, Strided g, Strided target, Strided weight, Strided total, int64_t ignore) {
  const int64_t C = dx.sizes[1], M = dx.sizes[2], *t = target.as<const int64_t>();
  const int64_t g_step = g.numel() == 1 ? 0 : 1;
  dispatch_floating(dx.dtype, [&]<class T>() {
    using A = Compute<T>;
    const A divisor = total.data ? A(*total.as<const T>()) : A(1);
    parallel_for(dx.sizes[0], 1 + default_grain / (C * M + 1), [&](int64_t begin, int64_t end) {
      T* out = dx.as<T>();
      std::fill(out + begin * C * M, out + end * C * M, T(0));
      for (int64_t i = begin * M; i < end * M; ++i) {
        if (t[i] == ignore) continue;
        const A w = weight.data ? A(weight.as<const T>()[t[i]]) : 1;
        out[(i / M * C + t[i]) * M + i % M] = T(-w * A(g.as<const T>()[i * g_step]) / divisor);
      }
    });
  });
}

namespace {

/// sum of weight[c] * (shift - x[c]) over the classes.
template <class T, class A>
A weighed_sum(const T* x, const T* weight, int64_t C, A shift) {
  if (weight) return lane_sum<A>(C, [=](int64_t c) { return A(weight[c]) * (shift - A(x[c])); });
  return lane_sum<A>(C, [=](int64_t c) { return shift - A(x[c]); });
}

/// dx = e**(x - top - log_sum) * slope - weight * level.
template <class T, class A>
void entropy_slope_row(T* __restrict dx, const T* __restrict x, const T* __restrict weight, int64_t C, A top, A log_sum,
                       A slope, A level) {
  if (level == 0)
    for (int64_t c = 0; c < C; ++c) dx[c] = T(math::exp_below(A(x[c]) - top - log_sum) * slope);
  else if (!weight)
    for (int64_t c = 0; c < C; ++c) dx[c] = T(math::exp_below(A(x[c]) - top - log_sum) * slope - level);
  else
    for (int64_t c = 0; c < C; ++c) dx[c] = T(math::exp_below(A(x[c]) - top - log_sum) * slope - A(weight[c]) * level);
}

}  // namespace

/// With log_p = x - top - log_sum, top = max(x), log_sum = log(sum(e**(x - top))) of each row of x, contiguous (N, C):
/// loss = -(1 - s) weight[target] log_p[target] - s / C sum(weight * log_p), where s is `smoothing`; also
/// weight[target].  Both 0 where target is `ignore`.  top and log_sum go to the two columns of `moments`.
void cross_entropy(Strided loss, Strided weights, Strided moments, Strided x, Strided target, Strided weight,
                   int64_t ignore, double smoothing) {
  const int64_t N = x.sizes[0], C = x.sizes[1], *t = target.as<const int64_t>();
  dispatch_floating(x.dtype, [&]<class T>() {
    using A = Compute<T>;
    const T* w = weight.as<const T>();
    const A hard = A(1 - smoothing), soft = A(smoothing / double(C));
    parallel_for(N, std::max<int64_t>(1, default_grain / (8 * C + 1)), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const T* row = x.as<const T>() + i * C;
        loss.as<T>()[i] = weights.as<T>()[i] = T(0);
        if (t[i] == ignore) continue;
        const A top = lane_max<A>(row, C);
        const A log_sum = math::log(lane_sum<A>(C, [=](int64_t c) { return math::exp_below(A(row[c]) - top); }));
        A value = hard * (w ? A(w[t[i]]) : A(1)) * (log_sum - (A(row[t[i]]) - top));
        if (soft != 0) value += soft * weighed_sum(row, w, C, top + log_sum);
        loss.as<T>()[i] = T(value);
        weights.as<T>()[i] = w ? w[t[i]] : T(1);
        moments.as<A>()[2 * i] = top;
        moments.as<A>()[2 * i + 1] = log_sum;
      }
    });
  });
}

/// With p = e**log_p, W = sum(weight) and k = g / total:
/// dx = k ((1 - s) weight[target] (p - [c = target]) + s / C (p W - weight)), 0 where target is `ignore`.  g is one
/// number or one each; total, the divisor of a mean, may have null data.
void cross_entropy_backward(Strided dx, Strided g, Strided moments, Strided x, Strided target, Strided weight,
                            Strided total, int64_t ignore, double smoothing) {
  const int64_t N = x.sizes[0], C = x.sizes[1], *t = target.as<const int64_t>(), g_step = g.numel() == 1 ? 0 : 1;
  dispatch_floating(x.dtype, [&]<class T>() {
    using A = Compute<T>;
    const T* w = weight.as<const T>();
    const A divisor = total.data ? A(*total.as<const T>()) : A(1);
    const A all = w ? lane_sum<A>(C, [=](int64_t c) { return A(w[c]); }) : A(C);
    const A hard = A(1 - smoothing), soft = A(smoothing / double(C));
    parallel_for(N, std::max<int64_t>(1, default_grain / (8 * C + 1)), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        T* out = dx.as<T>() + i * C;
        if (t[i] == ignore) {
          std::fill_n(out, C, T(0));
          continue;
        }
        const T* row = x.as<const T>() + i * C;
        const A k = A(g.as<const T>()[i * g_step]) / divisor, own = k * hard * (w ? A(w[t[i]]) : A(1));
        const A top = moments.as<const A>()[2 * i], log_sum = moments.as<const A>()[2 * i + 1];
        const A slope = own + k * soft * all, level = k * soft;
        entropy_slope_row(out, row, w, C, top, log_sum, slope, level);
        const int64_t c = t[i];
        out[c] = T(math::exp_below(A(row[c]) - top - log_sum) * slope - level * (w ? A(w[c]) : A(1)) - own);
      }
    });
  });
}

// ---- pairs of numbers

namespace {

/// The loss of x against t, and its slope in x.
template <class A, PairLoss kind>
struct Pair {
  A parameter, half = A(0.5) * parameter, inverse = 1 / parameter;

  A value(A x, A t) const {
    const A d = x - t, distance = std::fabs(d);
    if constexpr (kind == PairLoss::Squared)
      return d * d;
    else if constexpr (kind == PairLoss::SmoothL1)
      return distance < parameter ? A(0.5) * d * d * inverse : distance - half;
    else if constexpr (kind == PairLoss::Huber)
      return distance <= parameter ? A(0.5) * d * d : parameter * (distance - half);
    else  // log(1 + e**x) - x t, without overflow
      return (x > 0 ? x : A(0)) - x * t + math::log1p_below(math::exp_below(-std::fabs(x)));
  }
  A slope(A x, A t) const {
    const A d = x - t;
    if constexpr (kind == PairLoss::Squared)
      return 2 * d;
    else if constexpr (kind == PairLoss::SmoothL1)
      return math::clamp(d * inverse, A(-1), A(1));
    else if constexpr (kind == PairLoss::Huber)
      return math::clamp(d, -parameter, parameter);
    else
      return math::sigmoid(x) - t;
  }
};

template <class A, class F>
void with_pair(PairLoss kind, double parameter, F f) {
  switch (kind) {
    case PairLoss::Squared: return f(Pair<A, PairLoss::Squared>{A(parameter)});
    case PairLoss::SmoothL1: return f(Pair<A, PairLoss::SmoothL1>{A(parameter)});
    case PairLoss::Huber: return f(Pair<A, PairLoss::Huber>{A(parameter)});
    case PairLoss::Logit: return f(Pair<A, PairLoss::Logit>{A(parameter)});
  }
}

template <class T, class P>
void pair_values(T* __restrict y, const T* __restrict x, const T* __restrict t, int64_t n, P pair) {
  using A = Compute<T>;
  for (int64_t i = 0; i < n; ++i) y[i] = T(pair.value(A(x[i]), A(t[i])));
}

template <class T, class P>
double pair_sum(const T* x, const T* t, int64_t n, P pair) {
  using A = Compute<T>;
  double total = 0;
  A values[near_block];
  for (int64_t begin = 0; begin < n; begin += near_block) {
    const int64_t count = std::min(near_block, n - begin);
    for (int64_t i = 0; i < count; ++i) values[i] = pair.value(A(x[begin + i]), A(t[begin + i]));
    total += double(lane_sum<A>(count, [v = &values[0]](int64_t i) { return v[i]; }));
  }
  return total;
}

template <class T, class A, class P>
void pair_slopes(T* __restrict dx, const T* __restrict g, const T* __restrict x, const T* __restrict t, int64_t n,
                 A factor, bool one, P pair) {
  if (one) {
    const A k = A(*g) * factor;
    for (int64_t i = 0; i < n; ++i) dx[i] = T(pair.slope(A(x[i]), A(t[i])) * k);
  } else {
    for (int64_t i = 0; i < n; ++i) dx[i] = T(pair.slope(A(x[i]), A(t[i])) * (A(g[i]) * factor));
  }
}

}  // namespace

/// The loss of each pair of x and target, or, to `reduce`, `factor` times their sum.  All contiguous.
void pair_loss(Strided y, Strided x, Strided target, PairLoss kind, double parameter, bool reduce, double factor) {
  const int64_t n = x.numel();
  constexpr int64_t piece = default_grain / 2;
  dispatch_floating(x.dtype, [&]<class T>() {
    const T *xs = x.as<const T>(), *ts = target.as<const T>();
    T* out = y.as<T>();
    with_pair<Compute<T>>(kind, parameter, [=](auto pair) {
      if (!reduce)
        return parallel_for(n, piece, [=](int64_t begin, int64_t end) {
          pair_values(out + begin, xs + begin, ts + begin, end - begin, pair);
        });
      const int64_t pieces = (n + piece - 1) / piece;
      Scratch scratch(size_t(pieces) * sizeof(double));
      double* parts = scratch.as<double>();
      parallel_for(n, piece, [=](int64_t begin, int64_t end) {
        parts[begin / piece] = pair_sum(xs + begin, ts + begin, end - begin, pair);
      });
      double total = 0;
      for (int64_t i = 0; i < pieces; ++i) total += parts[i];
      *out = T(Compute<T>(total * factor));
    });
  });
}

/// dx = g * factor * slope, g one number or one each.
void pair_loss_backward(Strided dx, Strided g, Strided x, Strided target, PairLoss kind, double parameter,
                        double factor) {
  const bool one = g.numel() == 1;
  dispatch_floating(x.dtype, [&]<class T>() {
    using A = Compute<T>;
    const T *gs = g.as<const T>(), *xs = x.as<const T>(), *ts = target.as<const T>();
    T* out = dx.as<T>();
    with_pair<A>(kind, parameter, [=](auto pair) {
      parallel_for(x.numel(), default_grain / 2, [=](int64_t begin, int64_t end) {
        pair_slopes(out + begin, one ? gs : gs + begin, xs + begin, ts + begin, end - begin, A(factor), one, pair);
      });
    });
  });
}

}  // namespace lg::LG_ISA
