// The engine: runs backward over a graph.
#pragma once

#include "autograd/autograd.h"

namespace lg {

struct BackwardRequest {
  SmallVec<Edge, 1> roots;
  Grads gradients;  // one for each root, of its shape
  bool keep_graph = false;
  bool create_graph = false;
  bool accumulate = true;    // into the leaves' .grad; false: only return what was asked for
  SmallVec<Edge, 2> inputs;  // empty: all leaves
};

/// Runs it.  Returns a gradient (or a null Tensor) for each of `inputs` if not accumulating.
Grads run_backward(BackwardRequest request);
/// Number of the backward that runs in this thread; -1 outside one.
int64_t current_task_id();
/// Is some backward that runs in this thread after given inputs only?  A checkpoint's own backward would then go
/// astray.
bool is_backward_limited();
/// Will the backward that runs in this thread run `node`?
bool will_execute_node(NodeObject* node);
/// Does the backward that runs `node`'s rule have a use for the gradient of the input behind `edge`?
bool is_wanted(const NodeObject* node, const Edge& edge);

/// Calls the functions of a hook dict on `grad`; each may replace it.
Tensor call_tensor_hooks(PyObject* functions, Tensor grad);
/// Takes `grad` into leaf.grad: without a copy if nobody else holds it, added in place or, with a graph, out of place.
void accumulate_into(const Tensor& leaf, Tensor grad);
/// The gradient as `meta` wants it: summed over what was broadcast, cast; an error if it cannot be.
Tensor fit_gradient(const NodeObject* from, size_t index, Tensor grad, const OutputMeta& meta);

}  // namespace lg
