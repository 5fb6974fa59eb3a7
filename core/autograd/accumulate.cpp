// Leaves take their gradients in.
#include "autograd/engine.h"
#include "ops/ops.h"
#include "python/hooks.h"
#include "runtime/pool.h"

namespace lg {

/// Does nobody but this handle see the gradient's memory?
static bool sole_owner(const Tensor& g) {
  if (!g.unique() || g->storage->owner) return false;
  // Under no_grad a view still keeps its base; if only the view does, the memory is ours all the same.
  uint32_t own = is_view(g) && Py_REFCNT(g->extra->base.py()) == 1 ? 2 : 1;
  return g->storage->refs == own && g->storage->bytes == g.bytes();
}

static bool same_layout(const Tensor& a, const Tensor& b) {
  return (a.is_contiguous() && b.is_contiguous()) || a.strides() == b.strides();
}

void accumulate_into(const Tensor& leaf, Tensor grad) {
  TensorObject* l = leaf.get();
  if (!l->grad) {
    Tensor taken;
    if (!grad_enabled() && !requires_grad(grad) && same_layout(grad, leaf) && sole_owner(grad)) {
      taken = is_view(grad) ? make_alias(grad) : grad;
    } else {
      // A copy in the leaf's own layout.
      taken = empty_like(leaf, grad.dtype());
      taken = copy_(taken, grad);
    }
    if (lens) [[unlikely]]
      lens->became(taken, Role::LeafGradient);
    l->grad = reinterpret_cast<TensorObject*>(taken.release());
    track(l);
    return;
  }
  Tensor have = Tensor::borrow(l->grad);
  if (!grad_enabled() && !have->inference) {
    // Several threads may accumulate into one leaf; holding the GIL throughout keeps the sum whole.
    GilHold hold;
    add_(have, grad);
  } else {
    Tensor sum = have + grad;
    if (lens) [[unlikely]]
      lens->became(sum, Role::LeafGradient);
    TensorObject* old = std::exchange(l->grad, reinterpret_cast<TensorObject*>(sum.release()));
    Py_XDECREF(reinterpret_cast<PyObject*>(old));
  }
}

Tensor fit_gradient(const NodeObject* from, size_t index, Tensor grad, const OutputMeta& meta) {
  if (!(grad.sizes() == meta.sizes)) {
    check(is_expandable_to(meta.sizes, grad.sizes()), "Function ", from ? from->name : "backward",
          " returned an invalid gradient at index ", index, " - got ", grad.sizes(),
          " but expected shape compatible with ", meta.sizes);
    grad = sum_to_size(grad, meta.sizes);
  }
  if (grad.dtype() != meta.dtype) grad = to_dtype(grad, meta.dtype);
  return grad;
}

}  // namespace lg
