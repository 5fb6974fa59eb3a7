// What the operators of normalisation share.
#pragma once

#include "kernels/table.h"
#include "ops/reduce.h"

namespace lg {

/// Its own contiguous memory in `dtype`, without a record; null stays null.
inline Tensor plain(const Tensor& t, DType dtype) {
  if (!t) return t;
  NoGrad off;
  return contiguous(cast(t, dtype));
}
inline Strided look(const Tensor& t) { return t ? t.strided() : Strided(); }

}  // namespace lg
