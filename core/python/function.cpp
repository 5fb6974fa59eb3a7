// Custom Functions.  The node of a call is also its ctx: what forward tells it stands in FunctionData until the outputs
// are wrapped, what backward needs stands in the node's saved tensors.  autograd/function.py has the class users derive
// from.
#include "python/function.h"

#include <algorithm>

#include "autograd/anomaly.h"
#include "autograd/saved_hooks.h"
#include "ops/ops.h"
#include "python/convert.h"
#include "python/hooks.h"
#include "python/node.h"

namespace lg {

using namespace binding;

namespace {

struct FunctionData {
  Object to_save, saved_for_forward, dirty, non_differentiable;  // tuples, as forward gave them; null if it did not
  Object needs_input_grad;                                       // tuple of bool, one for each argument
  bool materialize_grads = true;
  bool saved = false;
  SmallVec<bool, 8> is_tensor_argument;
  SmallVec<bool, 4> is_tensor_output;
};

NodeObject* raw(PyObject* self) { return reinterpret_cast<NodeObject*>(self); }
FunctionData& data(NodeObject* node) { return *static_cast<FunctionData*>(node->closure); }
FunctionData& data(PyObject* self) { return data(raw(self)); }

bool contains(const Object& tuple, PyObject* item) {
  if (!tuple) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple.get()); ++i)
    if (PyTuple_GET_ITEM(tuple.get(), i) == item) return true;
  return false;
}

/// (a gradient or None for each argument) from whatever backward returned; one for each edge.
Grads results_of(NodeObject* node, PyObject* returned) {
  FunctionData& d = data(node);
  Object tuple = PyTuple_Check(returned) ? Object::borrow(returned) : Object::steal(PyTuple_Pack(1, returned));
  size_t expected = d.is_tensor_argument.size(), got = size_t(PyTuple_GET_SIZE(tuple.get()));
  // More than expected is fine if the rest is None.
  size_t meant = got;
  while (meant > expected && PyTuple_GET_ITEM(tuple.get(), Py_ssize_t(meant - 1)) == Py_None) --meant;
  check(meant == expected, "function ", node->name, " returned an incorrect number of gradients (expected ", expected,
        ", got ", got, "): backward returns one for each argument of forward, None where there is none");
  Grads grads;
  for (size_t i = 0; i < expected; ++i) {
    PyObject* item = PyTuple_GET_ITEM(tuple.get(), Py_ssize_t(i));
    if (!d.is_tensor_argument[i]) {
      check(item == Py_None, "function ", node->name, " returned a gradient different from None at position ", i + 1,
            ", but the corresponding forward input was not a Variable");
      continue;
    }
    check_type(item == Py_None || is_tensor(item), "function ", node->name, " returned a value of type ",
               Py_TYPE(item)->tp_name, " at position ", i + 1, ": expected Variable or None (got ",
               Py_TYPE(item)->tp_name, ")");
    grads.push_back(item == Py_None ? Tensor() : as_tensor_handle(item));
  }
  return grads;
}

/// The rule of a Function node: calls the user's backward.
Grads apply_function(NodeObject* node, Grads& gs) {
  FunctionData& d = data(node);
  Object args = Object::steal(PyTuple_New(Py_ssize_t(node->outputs.size())));
  for (size_t i = 0; i < node->outputs.size(); ++i) {
    Tensor g = i < gs.size() ? gs[i] : Tensor();
    if (!g && d.materialize_grads && d.is_tensor_output[i]) {
      const OutputMeta& meta = node->outputs[i];
      g = zeros(meta.sizes, meta.dtype, meta.device);
    }
    PyTuple_SET_ITEM(args.get(), Py_ssize_t(i), g ? g.release() : Py_NewRef(Py_None));
  }
  gs.clear();
  Object apply = Object::steal(PyObject_GetAttrString(reinterpret_cast<PyObject*>(node), "apply"));
  Object returned = apply ? Object::steal(PyObject_CallObject(apply.get(), args.get())) : nullptr;
  if (!returned) throw PythonError();
  return results_of(node, returned.get());
}

Node make_function_node(PyTypeObject* type) {
  // Recycled and freed like other nodes, without recursion: see node.cpp.
  if (type->tp_dealloc != node_dealloc) type->tp_dealloc = node_dealloc;
  PyObject* object = type->tp_alloc(type, 0);
  if (!object) throw PythonError();
  NodeObject* node = raw(object);
  construct_node(node, type->tp_name, NodeKind::Function);
  if (lens) [[unlikely]]
    lens->made(node);
  node->closure = new FunctionData();
  node->destroy = [](void* d) { delete static_cast<FunctionData*>(d); };
  node->apply = apply_function;
  if (anomaly.enabled) record_traceback(node);
  return Node::steal(node);
}

/// One call: arguments, the outputs as forward gave them, and what becomes of each.
class Call {
 public:
  Call(PyObject* cls, PyObject* const* args, Py_ssize_t nargs) : cls_(cls) {
    Object type = Object::steal(PyObject_GetAttrString(cls, "_backward_cls"));
    if (!type) throw PythonError();
    node_ = make_function_node(reinterpret_cast<PyTypeObject*>(type.get()));
    FunctionData& d = data(node_.get());
    d.needs_input_grad = Object::steal(PyTuple_New(nargs));
    arguments_ = Object::steal(PyTuple_New(nargs));
    for (Py_ssize_t i = 0; i < nargs; ++i) {
      bool tensor = is_tensor(args[i]), needs = tensor && requires_grad(as_tensor_handle(args[i]));
      d.is_tensor_argument.push_back(tensor);
      PyTuple_SET_ITEM(d.needs_input_grad.get(), i, PyBool_FromLong(needs));
      PyTuple_SET_ITEM(arguments_.get(), i, Py_NewRef(args[i]));
      records_ |= needs;
      if (tensor) inputs_.push_back(as_tensor_handle(args[i]));
    }
    records_ &= grad_enabled();
    for (const Tensor& x : inputs_) {
      if (records_) node_->edges.push_back(gradient_edge(x));
      versions_.push_back(x->version->value);
    }
  }

  PyObject* run() {
    Object output = forward();
    bool single = !PyTuple_Check(output.get());
    outputs_ = single ? Object::steal(PyTuple_Pack(1, output.get())) : output;
    describe_outputs();
    Object wrapped = Object::steal(wrap_outputs());
    if (records_) save(wrapped.get());
    forget();
    return single ? Py_NewRef(PyTuple_GET_ITEM(wrapped.get(), 0)) : wrapped.release();
  }

 private:
  Object forward() {
    NoGrad guard;
    Object has_setup = Object::steal(PyObject_GetAttrString(cls_, "_has_setup_context"));
    Object f = Object::steal(PyObject_GetAttrString(cls_, "forward"));
    if (!has_setup || !f) throw PythonError();
    Object output;
    if (has_setup.get() == Py_True) {
      output = Object::steal(PyObject_CallObject(f.get(), arguments_.get()));
      if (!output) throw PythonError();
      Object done =
          Object::steal(PyObject_CallMethod(cls_, "setup_context", "OOO", node_.py(), arguments_.get(), output.get()));
      if (!done) throw PythonError();
    } else {
      Py_ssize_t n = PyTuple_GET_SIZE(arguments_.get());
      Object with_ctx = Object::steal(PyTuple_New(n + 1));
      PyTuple_SET_ITEM(with_ctx.get(), 0, Py_NewRef(node_.py()));
      for (Py_ssize_t i = 0; i < n; ++i)
        PyTuple_SET_ITEM(with_ctx.get(), i + 1, Py_NewRef(PyTuple_GET_ITEM(arguments_.get(), i)));
      output = Object::steal(PyObject_CallObject(f.get(), with_ctx.get()));
      if (!output) throw PythonError();
    }
    return output;
  }

  void describe_outputs() {
    FunctionData& d = data(node_.get());
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(outputs_.get()); ++i) {
      PyObject* item = PyTuple_GET_ITEM(outputs_.get(), i);
      d.is_tensor_output.push_back(is_tensor(item));
      OutputMeta& meta = node_->outputs.emplace_back();
      if (!is_tensor(item)) continue;
      Tensor y = as_tensor_handle(item);
      meta = {y.sizes(), y.dtype(), y.device()};
    }
    if (!d.dirty) return;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(d.dirty.get()); ++i) {
      PyObject* item = PyTuple_GET_ITEM(d.dirty.get(), i);
      check_type(is_tensor(item), "mark_dirty can only accept input tensors, but argument ", i, " is of type ",
                 Py_TYPE(item)->tp_name);
      check(is_input(item), node_->name, ": mark_dirty only accepts input tensors, but argument ", i, " isn't one");
      bool returned = false;
      for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(outputs_.get()); ++k)
        returned |= PyTuple_GET_ITEM(outputs_.get(), k) == item;
      check(returned, node_->name,
            ": Some elements marked as dirty during the forward method were not returned as output. The "
            "inputs that are modified inplace must all be outputs of the Function.");
    }
  }

  bool is_input(PyObject* item) const {
    return std::any_of(inputs_.begin(), inputs_.end(), [&](const Tensor& x) { return x.py() == item; });
  }

  PyObject* wrap_outputs() {
    Py_ssize_t n = PyTuple_GET_SIZE(outputs_.get());
    Object wrapped = Object::steal(PyTuple_New(n));
    for (Py_ssize_t i = 0; i < n; ++i) {
      PyObject* item = PyTuple_GET_ITEM(outputs_.get(), i);
      PyObject* result = nullptr;
      for (Py_ssize_t k = 0; k < i && !result; ++k)  // returned twice: one output
        if (PyTuple_GET_ITEM(outputs_.get(), k) == item) result = Py_NewRef(PyTuple_GET_ITEM(wrapped.get(), k));
      if (!result) result = is_tensor(item) ? wrap(as_tensor_handle(item), uint32_t(i)).release() : Py_NewRef(item);
      PyTuple_SET_ITEM(wrapped.get(), i, result);
    }
    return wrapped.release();
  }

  Tensor wrap(const Tensor& y, uint32_t nr) {
    FunctionData& d = data(node_.get());
    bool input = is_input(y.py()), dirty = contains(d.dirty, y.py());
    bool differentiable = records_ && is_inexact(y.dtype()) && !contains(d.non_differentiable, y.py());
    if (dirty) return wrap_dirty(y, nr, differentiable);
    if (!differentiable) {
      if (input && records_) return detach_alias(y);
      if (y->grad_fn && records_) return detach_alias(y);
      return y;
    }
    // An input handed back as it is becomes a view-like output, so that it can have a grad_fn of its own.
    Tensor result = input ? same_type_alias(y) : y;
    if (input) {
      TensorExtra& extra = extra_of(result);
      extra.base = view_base(y);
      extra.view_version = result.version();
    }
    if (is_view(result)) result->extra->creation = Creation::Function;
    set_history(result, node_, nr);
    return result;
  }

  Tensor wrap_dirty(const Tensor& y, uint32_t nr, bool differentiable) {
    // A write through NumPy, say, leaves the counter behind.
    for (size_t i = 0; i < inputs_.size(); ++i)
      if (inputs_[i].is(y) && versions_[i] == y.version()) y.bump_version();
    if (!differentiable) return y;
    check(!(is_leaf(y) && y->requires_grad && !is_view(y)), node_->name,
          ": a leaf Variable that requires grad is being used in an "
          "in-place operation.");
    if (is_view(y)) {
      check(y->extra->creation != Creation::MultiOutput, node_->name, ": the output ", nr,
            " is a view and is being modified "
            "inplace. This view is the output of a function that returns multiple views.");
      // The base's history: its slice now comes from this node.
      Tensor value = make_alias(y);
      set_history(value, node_, nr);
      GradMode on(true);
      record_copy(y, value);
      return y;
    }
    set_history(y, node_, nr);
    return y;
  }

  static Tensor same_type_alias(const Tensor& y) { return make_object(Py_TYPE(y.py()), y); }
  static Tensor detach_alias(const Tensor& y) { return same_type_alias(y); }

  void save(PyObject* wrapped) {
    FunctionData& d = data(node_.get());
    if (!d.to_save) return;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(d.to_save.get()); ++i) {
      PyObject* item = PyTuple_GET_ITEM(d.to_save.get(), i);
      check_type(item == Py_None || is_tensor(item), "save_for_backward can only save variables, but argument ", i,
                 " is of type ", Py_TYPE(item)->tp_name);
      SavedTensor& slot = node_->saved.emplace_back();
      if (item == Py_None) continue;
      bool output = false;
      Tensor t = as_tensor_handle(item);
      for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(outputs_.get()); ++k) {
        if (PyTuple_GET_ITEM(outputs_.get(), k) != item) continue;
        Tensor made = as_tensor_handle(PyTuple_GET_ITEM(wrapped, k));
        bool own = made->grad_fn == node_.get();
        // An input handed back unchanged keeps its own history, unless it was changed in place.
        if (is_input(item) && !contains(d.dirty, item)) continue;
        output = own;
        slot.output_nr = uint32_t(k);
        t = made;
        break;
      }
      save_tensor(slot, t, output);
    }
    d.saved = true;
  }

  /// What only wrapping needed must not keep tensors alive.
  void forget() {
    FunctionData& d = data(node_.get());
    if (records_) d.to_save = nullptr;
    d.dirty = d.non_differentiable = nullptr;
  }

  PyObject* cls_;
  Node node_;
  Object arguments_, outputs_;
  Tensors inputs_;
  SmallVec<uint32_t, 4> versions_;
  bool records_ = false;
};

PyObject* function_apply(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return guarded([&] {
    check_type(nargs > 0, "_function_apply needs the class");
    return Call(args[0], args + 1, nargs - 1).run();
  });
}

// ---- ctx

PyObject* keep_tuple(Object& slot, PyObject* args) {
  slot = Object::borrow(args);
  Py_RETURN_NONE;
}
PyObject* save_for_backward(PyObject* self, PyObject* args) { return keep_tuple(data(self).to_save, args); }
PyObject* save_for_forward(PyObject* self, PyObject* args) { return keep_tuple(data(self).saved_for_forward, args); }
PyObject* mark_dirty(PyObject* self, PyObject* args) { return keep_tuple(data(self).dirty, args); }
PyObject* mark_non_differentiable(PyObject* self, PyObject* args) {
  return keep_tuple(data(self).non_differentiable, args);
}
PyObject* set_materialize_grads(PyObject* self, PyObject* on) {
  int truth = PyObject_IsTrue(on);
  if (truth < 0) return nullptr;
  data(self).materialize_grads = truth;
  Py_RETURN_NONE;
}

PyObject* saved_tensors(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    NodeObject* node = raw(self);
    if (!data(node).saved) {
      // Inside forward or jvp, or where nothing was recorded.
      Object& given = data(node).saved_for_forward ? data(node).saved_for_forward : data(node).to_save;
      return given ? Py_NewRef(given.get()) : PyTuple_New(0);
    }
    PyObject* tuple = PyTuple_New(Py_ssize_t(node->saved.size()));
    Object owner = Object::steal(tuple);
    for (size_t i = 0; i < node->saved.size(); ++i) {
      SavedTensor& slot = node->saved[i];
      bool empty = !slot.tensor && !slot.unpack && !node->released;
      Tensor t = empty ? Tensor() : unpack_saved(node, slot);
      PyTuple_SET_ITEM(tuple, Py_ssize_t(i), t ? t.release() : Py_NewRef(Py_None));
    }
    return owner.release();
  });
}
PyObject* get_object(const Object& o) { return Py_NewRef(o ? o.get() : Py_None); }
PyObject* get_needs(PyObject* self, void*) { return get_object(data(self).needs_input_grad); }
PyObject* get_to_save(PyObject* self, void*) { return get_object(data(self).to_save); }
PyObject* get_dirty(PyObject* self, void*) { return get_object(data(self).dirty); }
PyObject* get_non_differentiable(PyObject* self, void*) { return get_object(data(self).non_differentiable); }
PyObject* get_saved_for_forward(PyObject* self, void*) { return get_object(data(self).saved_for_forward); }
PyObject* get_materialize(PyObject* self, void*) { return PyBool_FromLong(data(self).materialize_grads); }
int put_materialize(PyObject* self, PyObject* value, void*) {
  int truth = value ? PyObject_IsTrue(value) : 0;
  if (truth >= 0) data(self).materialize_grads = truth;
  return truth < 0 ? -1 : 0;
}

PyMethodDef methods[] = {
    {"save_for_backward", save_for_backward, METH_VARARGS, "Keep tensors for backward: ctx.saved_tensors."},
    {"save_for_forward", save_for_forward, METH_VARARGS, "Keep tensors for jvp."},
    {"mark_dirty", mark_dirty, METH_VARARGS, "Name the inputs that forward changed in place."},
    {"mark_non_differentiable", mark_non_differentiable, METH_VARARGS, "Name outputs without a derivative."},
    {"set_materialize_grads", set_materialize_grads, METH_O,
     "Give backward zeros (True) or None for missing gradients."},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef getset[] = {{"saved_tensors", saved_tensors, nullptr, "What save_for_backward kept.", nullptr},
                        {"saved_variables", saved_tensors, nullptr, "Old name of saved_tensors.", nullptr},
                        {"needs_input_grad", get_needs, nullptr, "One bool for each argument of forward.", nullptr},
                        {"to_save", get_to_save, nullptr, nullptr, nullptr},
                        {"dirty_tensors", get_dirty, nullptr, nullptr, nullptr},
                        {"non_differentiable", get_non_differentiable, nullptr, nullptr, nullptr},
                        {"saved_for_forward", get_saved_for_forward, nullptr, nullptr, nullptr},
                        {"materialize_grads", get_materialize, put_materialize, nullptr, nullptr},
                        {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyTypeObject type = [] {
  PyTypeObject t = {PyVarObject_HEAD_INIT(nullptr, 0)};
  t.tp_name = "leafgrad._core._FunctionNode";
  t.tp_basicsize = sizeof(NodeObject);
  t.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE;
  t.tp_dealloc = node_dealloc;
  t.tp_traverse = node_traverse;
  t.tp_clear = node_clear;
  t.tp_methods = methods;
  t.tp_getset = getset;
  t.tp_doc = "Node of a custom Function, and its ctx.";
  return t;
}();

PyMethodDef module_methods[] = {
    {"_function_apply", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&function_apply)), METH_FASTCALL,
     "_function_apply(cls, *args): one call of a custom Function."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

int function_traverse(NodeObject* node, visitproc visit, void* arg) {
  if (!node->closure) return 0;
  FunctionData& d = data(node);
  for (const Object* o : {&d.to_save, &d.saved_for_forward, &d.dirty, &d.non_differentiable, &d.needs_input_grad})
    Py_VISIT(o->get());
  return 0;
}

void function_clear(NodeObject* node) {
  FunctionData& d = data(node);
  d.to_save = d.saved_for_forward = d.dirty = d.non_differentiable = nullptr;
}

void init_function(PyObject* module) {
  type.tp_base = node_type();
  if (PyType_Ready(&type) < 0 ||
      PyObject_SetAttrString(module, "_FunctionNode", reinterpret_cast<PyObject*>(&type)) < 0 ||
      PyModule_AddFunctions(module, module_methods) < 0)
    throw PythonError();
}

}  // namespace lg
