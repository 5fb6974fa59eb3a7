// Anomaly mode: remembers where each node was made, and checks gradients for NaN.
#pragma once

#include "autograd/node.h"

namespace lg {

struct Anomaly {
  bool enabled = false;
  bool check_nan = true;
};
extern Anomaly anomaly;

/// Keeps the Python stack of now with the node, and the node whose backward is running.
void record_traceback(NodeObject* node);
/// Warns with the forward's stack of `node` (and of its parents): called when its backward failed.
void print_traceback(NodeObject* node);
/// Raises if a gradient that `node` returned holds NaN.
void check_nan(NodeObject* node, const Grads& grads);
/// The node whose backward runs in this thread, for parents.
extern thread_local NodeObject* current_node;

}  // namespace lg
