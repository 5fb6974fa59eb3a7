// Convolutions with one input channel a group: loops over rows of pixels, a tap at a time, where a matrix product would
// have a single column.
#include <algorithm>

#include "kernels/conv_ways.h"
#include "kernels/unroll.h"
#include "runtime/pool.h"

namespace lg::LG_ISA {
namespace {

/// Calls f(tap, y row offset, x row offset, begin, end, shift) for each tap and each row of outputs that it reaches:
/// output o of [begin, end) sees input o * stride + shift.
template <class F>
void for_rows(const Window& w, F&& f) {
  for (int64_t oz = 0; oz < w.out[0]; ++oz)
    for (int64_t oy = 0; oy < w.out[1]; ++oy)
      for (int64_t i = 0; i < w.kernel[0]; ++i)
        for (int64_t j = 0; j < w.kernel[1]; ++j) {
          const int64_t z = oz * w.stride[0] + i * w.dilation[0] - w.padding[0];
          const int64_t y = oy * w.stride[1] + j * w.dilation[1] - w.padding[1];
          if (uint64_t(z) >= uint64_t(w.in[0]) || uint64_t(y) >= uint64_t(w.in[1])) continue;
          for (int64_t k = 0; k < w.kernel[2]; ++k) {
            const int64_t shift = k * w.dilation[2] - w.padding[2];
            const Reach reach(w.in[2], w.out[2], w.stride[2], shift);
            f((i * w.kernel[1] + j) * w.kernel[2] + k, (oz * w.out[1] + oy) * w.out[2], (z * w.in[1] + y) * w.in[2],
              reach.begin, reach.end, shift);
          }
        }
}

int64_t grain_for(const ConvShape& s) {
  return std::max<int64_t>(1, default_grain / (s.outputs() * s.taps() * s.out_channels + 1));
}

template <class T>
T dot(const T* a, const T* b, int64_t n, int64_t step) {
  constexpr int64_t lanes = 16;
  T sum[lanes] = {}, total = 0;
  int64_t i = 0;
  if (step == 1)
    for (; i + lanes <= n; i += lanes)
      for (int64_t lane = 0; lane < lanes; ++lane) sum[lane] += a[i + lane] * b[i + lane];
  for (; i < n; ++i) total += a[i] * b[i * step];
  for (T v : sum) total += v;
  return total;
}

}  // namespace

template <class T>
void depthwise(T* y, const T* x, const T* weight, const T* bias, const ConvShape& s) {
  const int64_t channels = s.groups * s.out_channels, step = s.stride[2];
  parallel_for(s.batch * channels, grain_for(s), [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) {
      const int64_t channel = plane % channels;
      T* out = y + plane * s.outputs();
      const T *in = x + plane / s.out_channels * s.inputs(), *w = weight + channel * s.taps();
      std::fill_n(out, s.outputs(), bias ? bias[channel] : T(0));
      for_rows(s, [&](int64_t tap, int64_t to, int64_t from, int64_t first, int64_t last, int64_t shift) {
        const T factor = w[tap];
        T* row = out + to;
        const T* source = in + from + shift;
        if (step == 1)
          for (int64_t o = first; o < last; ++o) row[o] += factor * source[o];
        else
          for (int64_t o = first; o < last; ++o) row[o] += factor * source[o * step];
      });
    }
  });
}

template <class T>
void depthwise_input(T* dx, const T* g, const T* weight, const T* bias, const ConvShape& s) {
  const int64_t step = s.stride[2];
  parallel_for(s.batch * s.groups, grain_for(s), [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) {
      const int64_t group = plane % s.groups;
      T* out = dx + plane * s.inputs();
      std::fill_n(out, s.inputs(), bias ? bias[group] : T(0));
      for (int64_t k = 0; k < s.out_channels; ++k) {
        const T *in = g + (plane * s.out_channels + k) * s.outputs(),
                *w = weight + (group * s.out_channels + k) * s.taps();
        for_rows(s, [&](int64_t tap, int64_t from, int64_t to, int64_t first, int64_t last, int64_t shift) {
          const T factor = w[tap];
          T* row = out + to + shift;
          const T* source = in + from;
          if (step == 1)
            for (int64_t o = first; o < last; ++o) row[o] += factor * source[o];
          else
            for (int64_t o = first; o < last; ++o) row[o * step] += factor * source[o];
        });
      }
    }
  });
}

/// A task has the weights of some channels to itself and goes through the images in their order.
template <class T>
void depthwise_weight(T* dw, const T* x, const T* g, const ConvShape& s) {
  const int64_t channels = s.groups * s.out_channels;
  parallel_for(channels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t channel = begin; channel < end; ++channel) {
      T* sum = dw + channel * s.taps();
      std::fill_n(sum, s.taps(), T(0));
      for (int64_t image = 0; image < s.batch; ++image) {
        const T* out = g + (image * channels + channel) * s.outputs();
        const T* in = x + (image * s.groups + channel / s.out_channels) * s.inputs();
        for_rows(s, [&](int64_t tap, int64_t at, int64_t from, int64_t first, int64_t last, int64_t shift) {
          if (first < last)
            sum[tap] += dot(out + at + first, in + from + shift + first * s.stride[2], last - first, s.stride[2]);
        });
      }
    }
  });
}

#define INSTANTIATE(T)                                                                  \
  template void depthwise<T>(T*, const T*, const T*, const T*, const ConvShape&);       \
  template void depthwise_input<T>(T*, const T*, const T*, const T*, const ConvShape&); \
  template void depthwise_weight<T>(T*, const T*, const T*, const ConvShape&);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace lg::LG_ISA
