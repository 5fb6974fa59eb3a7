// A derivative that can be differentiated again, for operators whose fast rule cannot: their value is computed once
// more from our own operators, with a graph, and that graph is walked.
#pragma once

#include "autograd/recorder.h"

namespace lg {

/// The gradients of f(inputs) for the cotangents `gs` of its outputs, with a graph.  For a rule while grad mode is on.
template <class F>
Grads slopes_by_recomputing(F&& f, Tensors inputs, const Grads& gs, Needs need);

Grads slopes_of(const Tensors& outputs, const Tensors& inputs, const Grads& gs);
/// Each input that needs a gradient under a name of its own, so that two which are one tensor, or of which one was
/// computed from the other, stay apart.
void set_apart(Tensors* inputs, Needs need);

template <class F>
Grads slopes_by_recomputing(F&& f, Tensors inputs, const Grads& gs, Needs need) {
  set_apart(&inputs, need);
  return slopes_of(f(inputs), inputs, gs);
}

}  // namespace lg
