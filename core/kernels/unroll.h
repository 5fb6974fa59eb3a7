// im2col and its adjoint: the inputs that a run of output pixels sees, a row of the matrix for each channel and tap.
#pragma once

#include <algorithm>

#include "kernels/conv_shape.h"
#include "kernels/isa.h"

namespace lg::LG_ISA {

/// The outputs [begin, end) of one dimension for which o * stride + shift lies in [0, in).
struct Reach {
  int64_t begin, end;
  Reach(int64_t in, int64_t out, int64_t stride, int64_t shift) {
    auto first_at = [&](int64_t bound) { return bound <= 0 ? 0 : (bound + stride - 1) / stride; };
    begin = std::min(out, first_at(-shift));
    end = std::clamp(first_at(in - shift), begin, out);
  }
};

/// Calls f(row, begin, end, source, step) for each run of pixels [begin, end), counted from `first`, of each row
/// (channel, tap) of the matrix: pixel p there is source[(p - begin) * step], or 0 if source is null.
template <class T, class F>
inline void for_runs(const Window& w, int64_t channels, T* x, int64_t first, int64_t count, F&& f) {
  const int64_t width = w.out[2], step = w.stride[2];
  int64_t row = 0;
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t i = 0; i < w.kernel[0]; ++i)
      for (int64_t j = 0; j < w.kernel[1]; ++j)
        for (int64_t k = 0; k < w.kernel[2]; ++k, ++row) {
          const int64_t shift = k * w.dilation[2] - w.padding[2];
          const Reach reach(w.in[2], width, step, shift);
          int64_t column = first % width, oy = first / width % w.out[1], oz = first / width / w.out[1];
          for (int64_t p = 0; p < count;) {
            const int64_t end = std::min(p + width - column, count), base = p - column;
            const int64_t z = oz * w.stride[0] + i * w.dilation[0] - w.padding[0];
            const int64_t y = oy * w.stride[1] + j * w.dilation[1] - w.padding[1];
            if (uint64_t(z) >= uint64_t(w.in[0]) || uint64_t(y) >= uint64_t(w.in[1])) {
              f(row, p, end, static_cast<T*>(nullptr), step);
            } else {
              const int64_t from = std::clamp(base + reach.begin, p, end), to = std::clamp(base + reach.end, from, end);
              T* line_of = x + ((c * w.in[0] + z) * w.in[1] + y) * w.in[2];
              if (p < from) f(row, p, from, static_cast<T*>(nullptr), step);
              if (from < to) f(row, from, to, line_of + (from - base) * step + shift, step);
              if (to < end) f(row, to, end, static_cast<T*>(nullptr), step);
            }
            p = end;
            column = 0;
            if (++oy == w.out[1]) {
              oy = 0;
              ++oz;
            }
          }
        }
}

/// matrix[row * pitch + p] for the pixels [first, first + count) of one image x.
template <class T>
void unroll(const Window& w, int64_t channels, const T* x, int64_t first, int64_t count, T* matrix, int64_t pitch) {
  for_runs(w, channels, x, first, count, [&](int64_t row, int64_t begin, int64_t end, const T* source, int64_t step) {
    T* to = matrix + row * pitch + begin;
    const int64_t n = end - begin;
    if (!source)
      std::fill_n(to, n, T(0));
    else if (step == 1)
      for (int64_t p = 0; p < n; ++p) to[p] = source[p];
    else if (step == 2)  // a constant makes it vector code
      for (int64_t p = 0; p < n; ++p) to[p] = source[2 * p];
    else
      for (int64_t p = 0; p < n; ++p) to[p] = source[p * step];
  });
}

/// The adjoint: adds the matrix's numbers to where unroll reads them.
template <class T>
void roll_up(const Window& w, int64_t channels, T* x, int64_t first, int64_t count, const T* matrix, int64_t pitch) {
  for_runs(w, channels, x, first, count, [&](int64_t row, int64_t begin, int64_t end, T* to, int64_t step) {
    if (!to) return;
    const T* from = matrix + row * pitch + begin;
    const int64_t n = end - begin;
    if (step == 1)
      for (int64_t p = 0; p < n; ++p) to[p] += from[p];
    else
      for (int64_t p = 0; p < n; ++p) to[p * step] += from[p];
  });
}

}  // namespace lg::LG_ISA
