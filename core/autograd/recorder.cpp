// Recording: edges from the inputs, metadata of the outputs, saved tensors; and reading what was saved.
#include "autograd/recorder.h"

#include "autograd/saved_hooks.h"
#include "ops/ops.h"

namespace lg {

void Recorder::start(const char* name, std::span<const Tensor> outputs, std::span<const Tensor> inputs) {
  // Integer results carry no gradient.
  bool differentiable = false;
  for (const Tensor& y : outputs) differentiable |= y && is_inexact(y.dtype());
  if (!differentiable) return;
  node_ = make_node(name);
  for (const Tensor& x : inputs) {
    if (x)
      node_->edges.emplace_back(gradient_edge(x));
    else
      node_->edges.emplace_back();
  }
  for (const Tensor& y : outputs) {
    OutputMeta& meta = node_->outputs.emplace_back();
    if (y) {
      meta.sizes = y.sizes();
      meta.dtype = y.dtype();
      meta.device = y.device();
    }
  }
  outputs_ = outputs;
}

void Recorder::attach() {
  for (size_t i = 0; i < outputs_.size(); ++i)
    if (outputs_[i] && is_inexact(outputs_[i].dtype())) set_history(outputs_[i], node_, uint32_t(i));
}

Recorder::~Recorder() = default;

const Grads& Recorder::with_zeros(NodeObject* node, Grads& gs) {
  for (size_t i = 0; i < node->outputs.size(); ++i) {
    const OutputMeta& meta = node->outputs[i];
    if (!gs[i] && is_inexact(meta.dtype)) gs[i] = zeros(meta.sizes, meta.dtype, meta.device);
  }
  return gs;
}

Saved Recorder::save(const char* name, const Tensor& t) {
  if (!t) return {};
  bool is_output = false;
  for (size_t i = 0; i < outputs_.size(); ++i) is_output |= outputs_[i].is(t);
  SavedTensor& slot = node_->saved.emplace_back();
  save_tensor(slot, t, is_output);
  slot.name = name;
  for (size_t i = 0; i < outputs_.size(); ++i)
    if (outputs_[i].is(t)) slot.output_nr = uint32_t(i);
  return Saved(node_.get(), uint32_t(node_->saved.size() - 1));
}

Tensor Saved::operator*() const {
  check_internal(node_, "a rule read a tensor that it did not save");
  return unpack_saved(node_, node_->saved[index_]);
}

/// Keeps in place of `t` what `pack` makes of it.
static void pack_saved(SavedTensor& slot, const Tensor& t, const Object& pack, const Object& unpack) {
  NoGrad guard;
  Tensor passed = make_alias(t);
  slot.packed = Object::steal(PyObject_CallOneArg(pack.get(), passed.py()));
  if (!slot.packed) throw PythonError();
  check(t.version() == slot.version,
        "A saved tensor pack hook is modifying its input in place. Tensors passed as input "
        "to pack hook can not be modified in-place.");
  slot.unpack = unpack;
  if (!slot.is_output && requires_grad(t)) {
    Edge edge = gradient_edge(t);
    slot.grad_fn = edge.node;
    slot.output_nr = edge.nr;
  }
}

void save_tensor(SavedTensor& slot, const Tensor& t, bool is_output) {
  check(!t->inference,
        "Inference tensors cannot be saved for backward. Clone it in normal mode to use it in autograd.");
  slot.is_output = is_output;
  slot.version = t.version();
  if (const SavedHooks* hooks = saved_hooks_top()) return pack_saved(slot, t, hooks->pack, hooks->unpack);
  slot.tensor = is_output ? make_alias(t) : t;
  if (lens) [[unlikely]]
    lens->became(t, Role::Saved);
}

void register_saved_hooks(const NodeObject* node, SavedTensor& slot, const Object& pack, const Object& unpack) {
  check(!node->released,
        "Calling register_hooks on a saved tensor after it has been freed. Saved intermediate values of the "
        "graph are freed when you call .backward() or autograd.grad().");
  check(!slot.unpack,
        "Calling register_hooks on a saved tensor whose hooks have already been set. Only one pair of hooks is "
        "allowed at a time.");
  check(bool(slot.tensor), "Calling register_hooks on a saved tensor with value None is forbidden");
  Tensor t = slot.tensor;
  pack_saved(slot, t, pack, unpack);
  slot.tensor.reset();
}

static std::string describe(const SavedTensor& saved) {
  const Tensor& t = saved.tensor;
  return text(saved.is_output ? "its saved result" : "its saved input", saved.name ? " '" : "",
              saved.name ? saved.name : "", saved.name ? "'" : "", ", ", describe(t));
}

/// Who wrote last, and what to do about it.
static std::string last_write(const VersionCounter& version) {
  const std::string by = version.writer ? text("The last write was by ", version.writer) : std::string();
  if (!version.in_step) return by + (by.empty() ? "" : ". ") + "Clone it before that write, or write after backward.";
  return by + " in an optimizer's step. Call step() after the last backward through the graph.";
}

Tensor unpack_saved(NodeObject* node, SavedTensor& saved) {
  if (node->released || (!saved.tensor && !saved.unpack)) {
    if (!node->released) return {};
    const std::string freed = node->freed ? "; here that was" + at_place(node->freed) : "";
    fail(ErrorKind::Runtime, node->name, made_at(node->place),
         ": Trying to backward through the graph a second time (or directly access saved tensors after they have "
         "already been freed). Saved intermediate values of the graph are freed when you call .backward() or "
         "autograd.grad()",
         freed,
         ". If a value computed before links two graphs (a hidden state, a running loss), detach() it. Specify "
         "retain_graph=True in the first backward only if you really need the same graph twice.");
  }
  Node history = saved.is_output ? Node::borrow(node) : saved.grad_fn;
  if (saved.unpack) {
    Object got = Object::steal(PyObject_CallOneArg(saved.unpack.get(), saved.packed.get()));
    if (!got) throw PythonError();
    check_type(is_tensor(got.get()),
               "Output of saved tensor unpack_hook expected to be a Tensor but got result of type ",
               Py_TYPE(got.get())->tp_name);
    Tensor plain = make_alias(Tensor::borrow(reinterpret_cast<TensorObject*>(got.get())));
    if (!history) return plain;
    if (history->kind == NodeKind::Accumulate) return adopt_accumulator(plain, history);
    set_history(plain, history, saved.output_nr);
    return plain;
  }
  const Tensor& t = saved.tensor;
  if (t.version() != saved.version) [[unlikely]] {
    fail(ErrorKind::Runtime, node->name, made_at(node->place),
         ": one of the variables needed for gradient computation has been modified by an "
         "inplace operation: ",
         describe(saved), ", is at version ", t.version(), "; expected version ", saved.version, " instead. ",
         last_write(*t->version));
  }
  if (!saved.is_output || !grad_enabled()) return t;
  Tensor with_history = make_alias(t);
  set_history(with_history, history, saved.output_nr);
  return with_history;
}

}  // namespace lg
