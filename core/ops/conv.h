// What convolution, unfolding and pooling share: plain memory for kernels that know float32 and float64.
#pragma once

#include <algorithm>

#include "ops/reduce.h"

namespace lg {

inline DType kernel_dtype(DType d) { return d == DType::Float64 ? d : DType::Float32; }

/// The memory of t as the kernels want it: contiguous, in `dtype`; null stays null.  Not recorded.
inline Tensor plain(const Tensor& t, DType dtype) { return t ? contiguous(cast(t, dtype)) : t; }
inline Strided look(const Tensor& t) { return t ? t.strided() : Strided(); }

/// A kernel's result in `like`'s dtype: fill(y, dtype) writes y in the dtype in which the kernels compute.
template <class F>
Tensor computed(const Dims& size, const Tensor& like, F&& fill) {
  NoGrad off;
  const DType dtype = kernel_dtype(like.dtype());
  const Tensor y = make_tensor(size, dtype, like.device());
  fill(y, dtype);
  return cast(y, like.dtype());
}

inline bool any_below(const Dims& dims, int64_t least) {
  return std::any_of(dims.begin(), dims.end(), [&](int64_t v) { return v < least; });
}

}  // namespace lg
