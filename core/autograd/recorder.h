// Recorder: how an operator says its derivative.
//
//   if (Recorder record{"SoftmaxBackward0", y, x})
//     record.vjp([saved = record.save("result", y), dim](const Tensor& g) { ... return dx; });
//
// It is false, and costs one test, when grad mode is off or no input requires grad.  A rule takes the cotangent of the
// output, or `const Grads&` where there are several outputs (missing ones arrive as zeros), and optionally `Needs`; it
// returns one Tensor or one per input (a null Tensor for "none").  The engine sums over broadcast dimensions and casts.
// For an in-place operator the output is the input itself: call it after the write, and name the inputs' old state.
#pragma once

#include <type_traits>

#include "autograd/autograd.h"

namespace lg {

inline const Tensor none{};

/// Handle of a saved tensor, for a rule's capture list.  Reading it checks the version counter.
class Saved {
 public:
  Saved() = default;
  Saved(NodeObject* node, uint32_t index) : node_(node), index_(index) {}
  explicit operator bool() const { return node_ != nullptr; }
  Tensor operator*() const;
  struct Arrow {
    Tensor tensor;
    Tensor* operator->() { return &tensor; }
  };
  Arrow operator->() const { return {**this}; }

 private:
  NodeObject* node_ = nullptr;
  uint32_t index_ = 0;
};
Tensor unpack_saved(NodeObject* node, SavedTensor& saved);

class Recorder {
 public:
  Recorder(const char* name, const Tensor& output, const Tensor& a) : Recorder(name, {&output, 1}, {&a, 1}) {}
  Recorder(const char* name, const Tensor& output, const Tensor& a, const Tensor& b) {
    if (!grad_enabled() || !(wants(a) || wants(b))) return;
    const Tensor inputs[] = {a, b};
    start(name, {&output, 1}, inputs);
  }
  Recorder(const char* name, const Tensor& output, const Tensor& a, const Tensor& b, const Tensor& c) {
    if (!grad_enabled() || !(wants(a) || wants(b) || wants(c))) return;
    const Tensor inputs[] = {a, b, c};
    start(name, {&output, 1}, inputs);
  }
  Recorder(const char* name, std::span<const Tensor> outputs, std::span<const Tensor> inputs) {
    if (!grad_enabled()) return;
    for (const Tensor& t : inputs) {
      if (!wants(t)) continue;
      start(name, outputs, inputs);
      break;
    }
  }
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  explicit operator bool() const { return bool(node_); }
  bool needs(size_t i) const { return bool(node_->edges[i].node); }
  /// Saves `t` under PyTorch's attribute name (`_saved_<name>`).  A null tensor gives an empty handle.
  Saved save(const char* name, const Tensor& t);
  /// Only if input `needed_by` needs a gradient; otherwise an empty handle that must not be read.
  Saved save(const char* name, const Tensor& t, size_t needed_by) { return needs(needed_by) ? save(name, t) : Saved(); }

  template <class F>
  void vjp(F rule) {
    using C = std::decay_t<F>;
    NodeObject* n = node_.get();
    if constexpr (sizeof(C) <= sizeof(n->inline_closure))
      n->closure = new (n->inline_closure) C(std::move(rule));
    else
      n->closure = new C(std::move(rule));
    if constexpr (sizeof(C) > sizeof(n->inline_closure))
      n->destroy = [](void* c) { delete static_cast<C*>(c); };
    else if constexpr (!std::is_trivially_destructible_v<C>)
      n->destroy = [](void* c) { static_cast<C*>(c)->~C(); };
    n->apply = [](NodeObject* node, Grads& gs) -> Grads { return call(*static_cast<C*>(node->closure), node, gs); };
    attach();
  }

 private:
  static bool wants(const Tensor& t) { return t && (t->requires_grad || (t->extra && requires_grad(t))); }
  void start(const char* name, std::span<const Tensor> outputs, std::span<const Tensor> inputs);
  void attach();  // gives the outputs their history

  template <class C>
  static Grads call(C& rule, NodeObject* node, Grads& gs) {
    Needs needs(node);
    if constexpr (std::is_invocable_v<C&, const Tensor&, Needs>)
      return pack(rule(gs[0], needs));
    else if constexpr (std::is_invocable_v<C&, const Tensor&>)
      return pack(rule(gs[0]));
    else if constexpr (std::is_invocable_v<C&, const Grads&, Needs>)
      return pack(rule(with_zeros(node, gs), needs));
    else
      return pack(rule(with_zeros(node, gs)));
  }
  static Grads pack(Tensor g) {
    Grads gs;
    gs.push_back(std::move(g));
    return gs;
  }
  static Grads pack(Grads gs) { return gs; }
  static const Grads& with_zeros(NodeObject* node, Grads& gs);

  Node node_;
  std::span<const Tensor> outputs_;  // the caller's, who keeps them
};

}  // namespace lg
