// In-place operations: what may be written, and the history afterwards.  See docs/design/inplace.md.
#include "autograd/autograd.h"
#include "kernels/table.h"
#include "ops/ops.h"

namespace lg {

void check_view_may_change(const char* op, const Tensor& x, const char* event) {
  const TensorExtra& extra = *x->extra;
  if (extra.creation == Creation::Default) return;
  std::string what = text(op, ": ");
  if (x->grad_fn)
    what += text("Output ", x->output_nr, " of ", x->grad_fn->name, " is a view and ", event, " modified inplace. ");
  const std::string which = text(" The view: ", describe(x), ", made", made_at(extra.place), ".");
  switch (extra.creation) {
    case Creation::Default: break;
    case Creation::NoGrad:
      fail(ErrorKind::Runtime, what, "A view was created in no_grad mode and ", event,
           " modified inplace with grad mode enabled: whether the write should be recorded is ambiguous. Make the view "
           "outside no_grad, or write inside it.",
           which);
    case Creation::Inference:
      fail(ErrorKind::Runtime, what, "A view was created in inference mode and ", event,
           " modified inplace in normal mode. Make the view outside inference_mode, or clone() it.", which);
    case Creation::MultiOutput:
      fail(ErrorKind::Runtime, what, x->grad_fn ? "" : text("A view ", event, " modified inplace. "),
           "This view is the output of a function that returns multiple views. Such functions do not allow the output "
           "views to be modified inplace. You should replace the inplace operation by an out-of-place one, or take the "
           "views one by one (select, narrow).",
           which);
    case Creation::Function:
      fail(ErrorKind::Runtime, what,
           "This view was created inside a custom Function (or because an input was returned as-is) and the autograd "
           "logic to handle view+inplace would override the custom backward associated with the custom Function, "
           "leading to incorrect gradients. This behavior is forbidden. Clone the output of the Function first.",
           which);
  }
}

/// How the view comes of the leaf: leaf float32 (2, 3) -> SelectBackward0 (3,) -> SliceBackward0 (1,)
static std::string way_from_leaf(const Tensor& view, const Tensor& leaf) {
  std::string way;
  const NodeObject* node = view->grad_fn;
  for (; node && node->kind != NodeKind::Accumulate; node = node->edges[0].node.get())
    way = text(" -> ", node->name, " ", tuple_text(node->outputs[0].sizes)) + way;
  return text("leaf ", describe(leaf)) + way;
}

static void check_view(const char* op, const Tensor& x) {
  check_view_may_change(op, x, "is being");
  const Tensor& base = x->extra->base;
  if (!is_leaf(base) || !requires_grad(x)) return;
  fail(ErrorKind::Runtime, op,
       ": a view of a leaf Variable that requires grad is being used in an in-place operation. The view comes of ",
       way_from_leaf(x, base),
       ". Use no_grad() to update the leaf, or clone() the leaf first for an edit that is part of the graph.");
}

void check_inplace(const char* op, const Tensor& x, const Tensor& other) {
  check_value(!x->storage->read_only, op,
              ": the tensor shares memory with a read-only object; clone() it before writing.");
  check(!x->inference || thread_mode.inference, op,
        ": Inplace update to inference tensor outside InferenceMode is not allowed."
        " You can make a clone to get a normal tensor before doing inplace update.");
  check(!has_internal_overlap(x), op,
        ": unsupported operation: more than one element of the written-to tensor refers to a "
        "single memory location. Please clone() the tensor before performing the operation.");
  if (grad_enabled()) {
    bool other_records = other && requires_grad(other);
    if (other_records || requires_grad(x)) {
      check(!other_records || is_inexact(x.dtype()), op, ": a tensor of dtype ", x.dtype(),
            " cannot take a value that requires "
            "grad; convert it, or detach() the value.");
      if (is_view(x))
        check_view(op, x);
      else
        check(
            !(is_leaf(x) && x->requires_grad), op,
            ": a leaf Variable that requires grad is being used in an in-place "
            "operation. For an update use `with no_grad():`; for an edit that is part of the graph clone() the leaf, ",
            describe(x), ", first.");
    }
  }
  x->version->writer = op;
  x->version->in_step = thread_mode.step;
}

// The rule of CopySlices.  A base b has had a slice overwritten with src: db is g with the slice zeroed, dsrc the slice
// of g.
static void record_slice_copy(const Tensor& view, const Tensor& src) {
  Tensor base = view_base(view);
  const Tensor inputs[] = {base, src};
  Recorder record("CopySlices", {&base, 1}, inputs);
  if (!record) return;
  int64_t start = is_complex(base.dtype()) == is_complex(view.dtype()) ? base.offset()  // in elements of the view
                  : is_complex(base.dtype())                           ? 2 * base.offset()
                                                                       : base.offset() / 2;
  record.vjp([sizes = base.sizes(), strides = base.strides(), view_sizes = view.sizes(), view_strides = view.strides(),
              offset = view.offset() - start, dtype = view.dtype()](const Tensor& g, Needs need) -> Grads {
    // as_strided speaks of memory, so the gradient is first laid out as the base was.
    auto laid_out = [&] { return copy_(make_strided(sizes, strides, g.dtype(), g.device()), g); };
    auto slice = [&](const Tensor& t) { return as_strided(seen_as(t, dtype), view_sizes, view_strides, offset); };
    Grads gs(2);
    if (need[0]) {
      gs[0] = laid_out();
      zero_(slice(gs[0]));
    }
    if (need[1]) gs[1] = clone(slice(laid_out()));
    return gs;
  });
}

void record_copy(const Tensor& x, const Tensor& src) {
  if (!grad_enabled() || !(requires_grad(x) || requires_grad(src))) return;
  if (is_view(x)) return record_slice_copy(x, src);
  const Tensor inputs[] = {x, src};
  if (Recorder record("CopyBackwards", {&x, 1}, inputs); record)
    record.vjp(
        [](const Tensor& g, Needs need) -> Grads { return {need[0] ? zeros_like(g) : none, need[1] ? g : none}; });
}

// The operator saw x before the write.  If its node saved x itself, give it a copy of what it saw.
static void keep_old_value(const Tensor& x, NodeObject* node) {
  for (SavedTensor& saved : node->saved) {
    if (!saved.tensor || saved.is_output || saved.tensor->version != x->version) continue;
    Tensor old = saved.tensor;
    Edge edge = gradient_edge(old);
    NoGrad guard;
    if (lens) [[unlikely]]
      lens->became(old, Role::Released);
    saved.tensor = clone(old);
    if (lens) [[unlikely]]
      lens->became(saved.tensor, Role::Saved);
    saved.version = 0;
    if (edge.node && edge.node->kind != NodeKind::Accumulate) set_history(saved.tensor, edge.node, edge.nr);
  }
}

Tensor assign(const char* op, const Tensor& x, const Tensor& result) {
  check(result.sizes() == x.sizes(), op, ": output with shape ", x.sizes(), " doesn't match the broadcast shape ",
        result.sizes());
  check(can_cast(result.dtype(), x.dtype()), op, ": result type ", scalar_type_name(result.dtype()),
        " can't be cast to the desired output type ", scalar_type_name(x.dtype()));
  check_inplace(op, x, result);
  Tensor y = to_dtype(result, x.dtype());
  Node history = grad_enabled() ? grad_fn(y) : Node();
  if (history) keep_old_value(x, history.get());
  if (is_view(x) || (will_record(x) && !history) || (will_record(y) && !history)) return copy_(x, y);
  if (!y.is(x)) x.kernels().copy(x.strided(), y.strided());
  x.bump_version();
  if (history) set_history(x, history, y->output_nr);
  return x;
}

}  // namespace lg
