// Leaf rules, edges and views: what a tensor's place in the graph is.
#include "autograd/autograd.h"

#include <algorithm>

#include "autograd/saved_hooks.h"
#include "ops/ops.h"

namespace lg {

thread_local ThreadMode thread_mode;

std::string tuple_text(const Dims& sizes) {
  std::string out = "(";
  for (int64_t i = 0; i < sizes.size(); ++i) out += text(i ? ", " : "", sizes[i]);
  return out + (sizes.size() == 1 ? ",)" : ")");
}
std::string describe(const Tensor& t) { return text(name(t.dtype()), " ", tuple_text(t.sizes())); }

namespace {

struct FreeExtra {
  FreeExtra* next;
};
FreeExtra* free_extras = nullptr;
int free_count = 0;
constexpr int free_limit = 32768;

}  // namespace

void* TensorExtra::operator new(size_t size) {
  if (!free_extras) return ::operator new(size);
  --free_count;
  return std::exchange(free_extras, free_extras->next);
}
void TensorExtra::operator delete(void* memory) noexcept {
  if (free_count == free_limit) return ::operator delete(memory);
  ++free_count;
  free_extras = new (memory) FreeExtra{free_extras};
}

TensorExtra& extra_of(const Tensor& t) {
  if (!t->extra) {
    t->extra = new TensorExtra();
    track(t.get());
  }
  return *t->extra;
}

// In-place on the base or on another view of it has given the base new history: this view's is as_strided of that.
static void renew_view(const Tensor& t) {
  TensorExtra& extra = *t->extra;
  check_view_may_change("grad_fn", t, "its base or another view of its base has been");
  extra.view_version = t.version();
  GradMode on(true);
  Tensor fresh = as_strided(seen_as(extra.base, t.dtype()), t.sizes(), t.strides(), t.offset());
  if (fresh->grad_fn) set_history(t, Node::borrow(fresh->grad_fn), 0);
}

const Node grad_fn(const Tensor& t) {
  if (is_stale(t)) [[unlikely]]
    renew_view(t);
  return Node::borrow(t->grad_fn);
}

bool requires_grad(const Tensor& t) {
  return t->requires_grad || (is_view(t) && t->extra->base->requires_grad && is_inexact(t.dtype()));
}

Node accumulator_of(const Tensor& leaf) {
  TensorExtra& extra = extra_of(leaf);
  if (extra.accumulator) return Node::borrow(extra.accumulator);
  Node node = make_node("AccumulateGrad", NodeKind::Accumulate);
  node->leaf = leaf;
  node->outputs.push_back({leaf.sizes(), leaf.dtype(), leaf.device()});
  extra.accumulator = node.get();
  if (lens) [[unlikely]]
    lens->became(leaf, Role::Leaf);
  return node;
}

Tensor adopt_accumulator(const Tensor& alias, const Node& accumulator) {
  // The alias is a leaf in its own right, but its gradient belongs to the accumulator's leaf: an identity in between.
  Node node = make_node("AliasBackward0");
  node->edges.push_back({accumulator, 0});
  node->outputs.push_back({alias.sizes(), alias.dtype(), alias.device()});
  node->apply = [](NodeObject*, Grads& gs) -> Grads { return std::move(gs); };
  set_history(alias, node, 0);
  return alias;
}

Edge gradient_edge(const Tensor& t) {
  if (Node node = grad_fn(t)) return {node, t->output_nr};
  if (requires_grad(t)) return {accumulator_of(t), 0};
  return {};
}

void set_requires_grad(const Tensor& t, bool on) {
  if (bool(grad_fn(t))) {
    if (on) return;
    fail(ErrorKind::Runtime, "you can only change requires_grad flags of leaf variables. This one, ", describe(t),
         ", is the result of ", t->grad_fn->name, made_at(t->grad_fn->place),
         "; use detach() for a tensor that takes no part in differentiation.");
  }
  check(!on || is_inexact(t.dtype()),
        "only Tensors of floating point and complex dtype can require gradients; this one is ", t.dtype(),
        ". Write 1. instead of 1, or pass dtype=float32.");
  check(!on || !t->inference || thread_mode.inference,
        "Setting requires_grad=True on inference tensor outside InferenceMode "
        "is not allowed. Clone it first.");
  t->requires_grad = on;
}

// ---- hooks that live with the history

static NodeExtra::TensorHooks* retained(const Tensor& t) {
  if (!t->grad_fn || !t->grad_fn->extra) return nullptr;
  for (auto& hooks : t->grad_fn->extra->tensor_hooks)
    if (hooks.retains && hooks.nr == t->output_nr) return &hooks;
  return nullptr;
}

static void retain_at(const Tensor& t, NodeObject* node, uint32_t nr) {
  Object weak = Object::steal(PyWeakref_NewRef(t.py(), nullptr));  // counted, it would be a cycle
  if (!weak) throw PythonError();
  extra_of(node).tensor_hooks.push_back({nr, weak, true});
}

void set_history(const Tensor& t, const Node& node, uint32_t nr) {
  if (t->extra) [[unlikely]] {
    if (t->extra->retains_grad) {
      if (NodeExtra::TensorHooks* old = retained(t)) old->functions = nullptr;
      retain_at(t, node.get(), nr);
    }
    t->extra->hooks = nullptr;
    if (is_view(t)) t->extra->view_version = t.version();
  } else {
    track(t.get());  // with an extra it is
  }
  NodeObject* before = t->grad_fn;
  Py_INCREF(node.py());
  t->grad_fn = node.get();
  t->output_nr = nr;
  t->requires_grad = true;
  if (lens) [[unlikely]]
    lens->recorded(t, node.get());
  Py_XDECREF(reinterpret_cast<PyObject*>(before));
}

void retain_grad(const Tensor& t) {
  Node node = grad_fn(t);
  if (!node || extra_of(t).retains_grad) return;
  retain_at(t, node.get(), t->output_nr);
  extra_of(t).retains_grad = true;
}

void detach_in_place(const Tensor& t) {
  check(!is_view(t) || !bool(grad_fn(t)),
        "Can't detach views in-place: other views of the base would keep their history. "
        "Use detach() instead.");
  NodeObject* before = std::exchange(t->grad_fn, nullptr);
  if (t->requires_grad) t->origin = Origin::Detached;
  t->requires_grad = false;
  t->output_nr = 0;
  if (t->extra) {
    t->extra->retains_grad = false;
    t->extra->hooks = nullptr;
  }
  Py_XDECREF(reinterpret_cast<PyObject*>(before));
}

// ---- views

static inline Tensor with_base(Tensor v, const Tensor& x, Creation creation) {
  if (x->inference) return v;
  TensorExtra& extra = extra_of(v);
  extra.base = view_base(x);
  extra.view_version = v.version();
  if (lens) [[unlikely]]
    extra.place = lens->here();
  if (is_view(x) && x->extra->creation != Creation::Default)
    extra.creation = x->extra->creation;
  else if (thread_mode.inference)
    extra.creation = Creation::Inference;
  else if (!grad_enabled())
    extra.creation = Creation::NoGrad;
  else
    extra.creation = creation;
  return v;
}

Tensor make_view(const Tensor& x, const Dims& sizes, const Dims& strides, int64_t offset, Creation creation) {
  return with_base(make_alias(x, sizes, strides, offset), x, creation);
}
Tensor make_part_view(const Tensor& x, const Dims& sizes, const Dims& strides, int64_t offset, Creation creation) {
  return with_base(make_part(x, sizes, strides, offset), x, creation);
}

}  // namespace lg
