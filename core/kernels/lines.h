// Lines: the one-dimensional runs of tensors along a dimension, for kernels that treat each run apart (softmax, scans,
// sorting).  Lines are handed out in bundles of neighbours, so that a kernel whose dimension is not the innermost can
// go through memory row by row, a bundle wide.
#pragma once

#include <algorithm>

#include "kernels/isa.h"
#include "runtime/pool.h"
#include "runtime/strided.h"

namespace lg::LG_ISA {

inline constexpr int64_t bundle = 64;

/// `count` neighbouring lines; line j of tensor k starts `offset[k] + j * step[k]` elements from its data.
template <int K>
struct Bundle {
  int64_t offset[K];
  int64_t step[K];
  int64_t count;
  int64_t first;  // number of the first line, in row-major order
};

inline int64_t line_size(const Strided& t, int64_t dim) { return t.ndim ? t.sizes[dim] : 1; }
inline int64_t line_stride(const Strided& t, int64_t dim) { return t.ndim ? t.strides[dim] : 1; }

/// The steps of a bundle whose lines are next to each other in every tensor.
struct Ones {
  constexpr int64_t operator[](int) const { return 1; }
};

/// Calls f(steps) with b's steps, as constants where they are all 1: then loops over neighbours become vector code.
template <int K, class F>
void with_steps(const Bundle<K>& b, F&& f) {
  bool dense = true;
  for (int64_t s : b.step) dense &= s == 1;
  if (dense)
    f(Ones());
  else
    f(&b.step[0]);
}

/// Calls f(const Bundle<K>&) for all lines along `dim`, in parallel.  The tensors agree in all sizes but that of `dim`;
/// `work` is about the cost of a line in elements of a light loop.
template <int K, class F>
void for_lines(const Strided (&tensors)[K], int64_t dim, int64_t work, F&& f) {
  // The other dimensions, neighbours joined where every tensor allows it.
  Dims sizes;
  Dims strides[K];
  for (int64_t d = 0; d < tensors[0].ndim; ++d) {
    int64_t size = tensors[0].sizes[d];
    if (d == dim || size == 1) continue;
    bool joins = !sizes.empty();
    for (int k = 0; k < K && joins; ++k) joins = strides[k].back() == tensors[k].strides[d] * size;
    if (joins)
      sizes[sizes.size() - 1] *= size;
    else
      sizes.push_back(size);
    for (int k = 0; k < K; ++k) {
      if (joins)
        strides[k][strides[k].size() - 1] = tensors[k].strides[d];
      else
        strides[k].push_back(tensors[k].strides[d]);
    }
  }
  if (sizes.empty()) {
    sizes.push_back(1);
    for (Dims& s : strides) s.push_back(1);
  }
  const int64_t outer = sizes.size() - 1, inner = sizes[outer];
  if (product(sizes) == 0) return;
  const int64_t per_row = (inner + bundle - 1) / bundle, tasks = product(sizes) / inner * per_row;
  const int64_t grain = std::max<int64_t>(1, default_grain / (std::max<int64_t>(1, work) * std::min(inner, bundle)));
  parallel_for(tasks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      Bundle<K> b;
      int64_t row = task / per_row, column = task % per_row * bundle;
      b.first = row * inner + column;
      b.count = std::min(bundle, inner - column);
      for (int k = 0; k < K; ++k) {
        b.step[k] = strides[k][outer];
        b.offset[k] = column * b.step[k];
      }
      for (int64_t d = outer - 1; d >= 0; --d) {
        for (int k = 0; k < K; ++k) b.offset[k] += row % sizes[d] * strides[k][d];
        row /= sizes[d];
      }
      f(b);
    }
  });
}

}  // namespace lg::LG_ISA
