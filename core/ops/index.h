// What index.cpp and scatter.cpp share: indices made ready, memory kept apart, and writes that are recorded.
#pragma once

#include "kernels/table.h"
#include "ops/ops.h"

namespace lg {

/// int32 and int64 indices as int64; an empty index may have any dtype.
Tensor as_int64(const char* op, const Tensor& index);
/// Indices in [low, size); the error names the offender.
void check_range(const char* op, ErrorKind kind, const Tensor& index, int64_t low, int64_t size, int64_t dim);
/// `t`, read while x is written: refused where it is x or certainly lies across it, else out of the way.
Tensor kept_apart(const char* op, const Tensor& x, const Tensor& t);
/// A 0-dim tensor seen as a vector of one.
Tensor at_least_1d(const Tensor& t);

inline int64_t length_of(const Tensor& x, int64_t dim) { return x.dim() ? x.size(dim) : 1; }

/// y = x with a write, in place or on a copy.  `write(y)` fills; `rule(record)` says the derivative for inputs (x,
/// src), or x alone where src is null.
template <class Write, class Rule>
Tensor written(const char* op, const char* node, const Tensor& x, const Tensor& src, bool in_place, Write write,
               Rule rule) {
  Tensor y;
  if (in_place) {
    check_inplace(op, x, src);
    if (is_view(x) && grad_enabled() && (requires_grad(x) || (src && requires_grad(src))))
      return assign(op, x, written(op, node, x, src, false, write, rule));
    write(x);
    x.bump_version();
    y = x;
  } else {
    {
      NoGrad guard;
      y = clone(x);
    }
    write(y);
  }
  const Tensor inputs[] = {x, src};
  if (Recorder record(node, {&y, 1}, {inputs, src ? size_t(2) : size_t(1)}); record) rule(record);
  return y;
}

}  // namespace lg
