// Group normalisation: the moments of neighbouring channels of an image.  See docs/design/normalisation.md.
#include "kernels/lanes.h"
#include "runtime/alloc.h"
#include "runtime/pool.h"
#include "runtime/strided.h"

namespace lg::LG_ISA {
namespace {

/// f(group) for the groups of all images, in parallel; `size` elements each.
template <class F>
void each_group(int64_t groups, int64_t size, F f) {
  parallel_for(groups, std::max<int64_t>(1, default_grain / (4 * size + 1)), [&](int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; ++group) f(group);
  });
}

}  // namespace

/// y = (x - mean) * rstd * weight + bias for each group of channels of each image.  x is contiguous (N, C, M); mean and
/// rstd hold a number a group; weight and bias, one a channel, may be null.  All but x and y have the computing dtype.
void group_norm(Strided y, Strided mean, Strided rstd, Strided x, Strided weight, Strided bias, int64_t groups,
                double eps) {
  const int64_t N = x.sizes[0], C = x.sizes[1], M = x.sizes[2], D = C / groups;
  dispatch_floating(x.dtype, [&]<class T>() {
    using A = Compute<T>;
    const A *w = weight.as<const A>(), *b = bias.as<const A>();
    each_group(N * groups, D * M, [&](int64_t group) {
      const T* in = x.as<const T>() + group * D * M;
      T* out = y.as<T>() + group * D * M;
      const Moments m = moments_of(in, D * M);
      const A centre = mean.as<A>()[group] = A(m.mean);
      const A r = rstd.as<A>()[group] = A(m.count ? 1 / std::sqrt(m.squares / m.count + eps) : 0);
      const int64_t first = group % groups * D;
      for (int64_t c = 0; c < D; ++c)
        normalise_plane(out + c * M, in + c * M, M, centre, w ? r * w[first + c] : r, b ? b[first + c] : A(0));
    });
  });
}

/// With h = (x - mean) * rstd, gw = g * weight and means over the group:
/// dx = rstd * (gw - mean(gw) - h * mean(gw * h)),  dweight = sum(g * h),  dbias = sum(g) over images and planes.
/// Any of the three may have null data: not wanted.
void group_norm_backward(Strided dx, Strided dweight, Strided dbias, Strided g, Strided x, Strided mean, Strided rstd,
                         Strided weight, int64_t groups) {
  const int64_t N = x.sizes[0], C = x.sizes[1], M = x.sizes[2], D = C / groups;
  dispatch_floating(x.dtype, [&]<class T>() {
    using A = Compute<T>;
    const A* w = weight.as<const A>();
    const A *means = mean.as<const A>(), *rstds = rstd.as<const A>();
    Scratch scratch(size_t(N * C) * sizeof(Two<double>));
    Two<double>* planes = scratch.as<Two<double>>();  // sums of g and of g * (x - mean) of each
    each_group(N * groups, D * M, [&](int64_t group) {
      const T *gs = g.as<const T>() + group * D * M, *in = x.as<const T>() + group * D * M;
      Two<double>* own = planes + group * D;
      const A m = means[group], r = rstds[group];
      const int64_t first = group % groups * D;
      Two<double> all{0, 0};
      for (int64_t c = 0; c < D; ++c) {
        own[c] = slope_sums(gs + c * M, in + c * M, M, m);
        const double factor = w ? double(w[first + c]) : 1;
        all.first += factor * own[c].first;
        all.second += factor * own[c].second;
      }
      if (!dx.data) return;
      T* out = dx.as<T>() + group * D * M;
      const double share = double(r) / double(D * M);
      const A level = A(all.first * share), tilt = A(all.second * share * double(r) * double(r));
      for (int64_t c = 0; c < D; ++c)
        slope_plane(out + c * M, gs + c * M, in + c * M, M, m, w ? r * w[first + c] : r, level, tilt);
    });
    if (!dweight.data && !dbias.data) return;
    parallel_for(C, 1 + default_grain / (4 * N + 1), [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c) {
        Two<double> all{0, 0};
        for (int64_t n = 0; n < N; ++n) {
          all.first += planes[n * C + c].first;
          all.second += planes[n * C + c].second * double(rstds[n * groups + c / D]);
        }
        if (dweight.data) dweight.as<A>()[c] = A(all.second);
        if (dbias.data) dbias.as<A>()[c] = A(all.first);
      }
    });
  });
}

}  // namespace lg::LG_ISA
