// Negative log likelihood.  x is (N, C, M) with any strides; target, in range, and the rest are contiguous (N, M).
#include <algorithm>

#include "kernels/isa.h"
#include "runtime/pool.h"
#include "runtime/strided.h"

namespace lg::LG_ISA {

/// loss = -weight[target] * x[target] and the weight itself; both 0 where target is `ignore`.
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

/// dx[target] = -weight[target] * g / total, dx = 0 elsewhere; dx is contiguous.  g is one number or one each; total,
/// the divisor of a mean, may have null data.
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

}  // namespace lg::LG_ISA
