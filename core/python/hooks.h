// Calling users' hooks from the engine.
#pragma once

#include "autograd/engine.h"

namespace lg {

/// Tensor hooks (in order of registration), then retained gradients, for every output of `node`.
void run_tensor_hooks(NodeObject* node, Grads& grads);
void run_pre_hooks(NodeObject* node, Grads& grads);
void run_post_hooks(NodeObject* node, Grads& results, const Grads& grads);
void run_post_accumulate_hooks(const Tensor& leaf);
/// Gradients as a tuple with None for missing ones; new reference.
PyObject* grads_to_tuple(const Grads& grads);

}  // namespace lg
