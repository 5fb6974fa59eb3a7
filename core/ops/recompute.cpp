// See recompute.h.
#include "ops/recompute.h"

#include "autograd/engine.h"
#include "ops/ops.h"

namespace lg {

void set_apart(Tensors* inputs, Needs need) {
  for (size_t i = 0; i < inputs->size(); ++i)
    if ((*inputs)[i]) (*inputs)[i] = need[i] ? alias((*inputs)[i]) : detach((*inputs)[i]);
}

Grads slopes_of(const Tensors& outputs, const Tensors& inputs, const Grads& gs) {
  BackwardRequest request;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i] || !gs[i] || !requires_grad(outputs[i])) continue;
    request.roots.push_back(gradient_edge(outputs[i]));
    request.gradients.push_back(gs[i]);
  }
  for (const Tensor& x : inputs)
    if (x && requires_grad(x)) request.inputs.push_back(gradient_edge(x));
  request.keep_graph = request.create_graph = true;
  request.accumulate = false;
  const Grads found = run_backward(std::move(request));
  Grads grads;
  size_t next = 0;
  for (const Tensor& x : inputs) grads.push_back(x && requires_grad(x) ? found[next++] : none);
  return grads;
}

}  // namespace lg
