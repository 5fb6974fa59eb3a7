// The operator families: each has a file in ops/ that ends with its def_<family>.
#pragma once

#include "python/def.h"

#define LG_FAMILIES(X) \
  X(copy)              \
  X(pointwise)         \
  X(arithmetic)        \
  X(elementary)        \
  X(selection)         \
  X(activation)        \
  X(complex)           \
  X(create)            \
  X(shape)             \
  X(index)             \
  X(scatter)           \
  X(reduce)            \
  X(norm)              \
  X(batch_norm)        \
  X(loss)              \
  X(matmul)            \
  X(conv)              \
  X(unfold)            \
  X(pool)              \
  X(pad)               \
  X(sort)              \
  X(random)            \
  X(optim)             \
  X(recurrent)         \
  X(attention)

namespace lg {
#define X(family) void def_##family(Ops& ops);
LG_FAMILIES(X)
#undef X
}  // namespace lg
