// The part of autograd that tensors see: leaf rules, edges, views, versions and in-place history.
#pragma once

#include "autograd/grad_mode.h"
#include "autograd/node.h"

namespace lg {

enum class Creation : uint8_t { Default, NoGrad, MultiOutput, Inference, Function };

/// What few tensors have.
struct TensorExtra {
  Tensor base;                // a view's owner of memory, never itself a view
  uint32_t view_version = 0;  // version of the counter when grad_fn was last right for this view
  Creation creation = Creation::Default;
  bool retains_grad = false;
  bool stops_views = false;           // a custom Function's view-like output
  uint32_t place = 0;                 // where the view was made, if the lens was on; see tensor/lens.h
  NodeObject* accumulator = nullptr;  // not counted: the AccumulateGrad node clears it when it dies
  Object hooks;                       // dict id -> function, of the current grad_fn (tensor hooks)
  Object post_accumulate_hooks;       // dict id -> function
  Object name;

  // Every view has one: recycled as tensors are.
  static void* operator new(size_t);
  static void operator delete(void*) noexcept;
};

TensorExtra& extra_of(const Tensor& t);  // made on first use

bool requires_grad(const Tensor& t);
/// Is `t` a view whose base was written in place since, so that its history is yet to be renewed?
inline bool is_stale(const Tensor& t) {
  const TensorExtra* extra = t->extra;
  return extra && extra->base && !t->inference && extra->view_version != t.version() &&
         (t->grad_fn || extra->base->requires_grad);
}
/// History of `t`, renewed first if t is a view whose base was changed in place since.
const Node grad_fn(const Tensor& t);
inline bool is_leaf(const Tensor& t) { return !grad_fn(t); }
/// Where t's gradient goes: grad_fn's output, or the leaf's AccumulateGrad; null edge if none is needed.
Edge gradient_edge(const Tensor& t);
Node accumulator_of(const Tensor& leaf);
void set_requires_grad(const Tensor& t, bool on);
/// `t` becomes output `nr` of `node`.  A retained gradient follows; hooks registered so far stay with the old history.
void set_history(const Tensor& t, const Node& node, uint32_t nr);
/// Of a tensor that requires grad.
void retain_grad(const Tensor& t);
void detach_in_place(const Tensor& t);

/// Sizes as Python writes a tuple, for messages.
std::string tuple_text(const Dims& sizes);
/// dtype and shape: float32 (2, 3)
std::string describe(const Tensor& t);

/// Root of t's views: t itself or its base.
inline Tensor view_base(const Tensor& t) { return t->extra && t->extra->base ? t->extra->base : t; }
inline bool is_view(const Tensor& t) { return t->extra && bool(t->extra->base); }

/// A view of `x` for differentiation: shares storage and version, knows its base.  The caller records.
Tensor make_view(const Tensor& x, const Dims& sizes, const Dims& strides, int64_t offset,
                 Creation creation = Creation::Default);
/// The same for a part of x's own elements, in any order: nothing to check.
Tensor make_part_view(const Tensor& x, const Dims& sizes, const Dims& strides, int64_t offset,
                      Creation creation = Creation::Default);

/// Records x.copy_(src), which has been done: x, or the base that x is a view of, gets new history.
void record_copy(const Tensor& x, const Tensor& src);
inline bool will_record(const Tensor& x) { return grad_enabled() && requires_grad(x); }

/// Raises if `x` is a view of a kind that must not change, which is what `event` ("is being") tells of.
void check_view_may_change(const char* op, const Tensor& x, const char* event);
/// Refuses what must not be written: leaves and views of leaves that require grad, multi-output views, expanded memory,
/// read-only memory, inference tensors outside inference mode.  Call before anything is written.
/// `other`: an operand whose history x would get.
void check_inplace(const char* op, const Tensor& x, const Tensor& other = Tensor());
/// For in-place ops: x takes over y's value and y's history.  Checks, copies, bumps the version.  Returns x.
Tensor assign(const char* op, const Tensor& x, const Tensor& y);

}  // namespace lg
