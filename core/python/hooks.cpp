#include "python/hooks.h"

#include "ops/ops.h"

namespace lg {

PyObject* grads_to_tuple(const Grads& grads) {
  PyObject* tuple = PyTuple_New(Py_ssize_t(grads.size()));
  if (!tuple) throw PythonError();
  for (size_t i = 0; i < grads.size(); ++i)
    PyTuple_SET_ITEM(tuple, Py_ssize_t(i), Py_NewRef(grads[i] ? grads[i].py() : Py_None));
  return tuple;
}

/// The functions of a hook dict as they are now: a hook may add or remove others while it runs.
static Object snapshot(PyObject* functions) {
  Object list = Object::steal(PyDict_Values(functions));
  if (!list) throw PythonError();
  return list;
}

static std::string name_of(PyObject* function) {
  Object name = Object::steal(PyObject_GetAttrString(function, "__name__"));
  if (!name) PyErr_Clear();
  const char* utf8 = name && PyUnicode_Check(name.get()) ? PyUnicode_AsUTF8(name.get()) : nullptr;
  return utf8 ? utf8 : Py_TYPE(function)->tp_name;
}

static Tensor checked_replacement(PyObject* function, PyObject* result, const Tensor& grad) {
  check_type(is_tensor(result), "expected Variable, but hook returned '", Py_TYPE(result)->tp_name, "'; '",
             name_of(function), "' must return a tensor or None");
  Tensor replaced = Tensor::borrow(reinterpret_cast<TensorObject*>(result));
  if (grad) {
    check(replaced.sizes() == grad.sizes(), "hook '", name_of(function), "' has changed the size of value: from ",
          grad.sizes(), " to ", replaced.sizes());
    check(replaced.dtype() == grad.dtype(), "hook '", name_of(function), "' has changed the type of value (was ",
          grad.dtype(), ", got ", replaced.dtype(), ")");
  }
  return replaced;
}

Tensor call_tensor_hooks(PyObject* functions, Tensor grad) {
  Object list = snapshot(functions);
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list.get()); ++i) {
    PyObject* function = PyList_GET_ITEM(list.get(), i);
    Object result = Object::steal(PyObject_CallOneArg(function, grad ? grad.py() : Py_None));
    if (!result) throw PythonError();
    if (result.get() != Py_None) grad = checked_replacement(function, result.get(), grad);
  }
  return grad;
}

static void retain(PyObject* weak, const Tensor& grad) {
  PyObject* object = PyWeakref_GetObject(weak);
  if (object == Py_None || !grad) return;
  Tensor t = Tensor::borrow(reinterpret_cast<TensorObject*>(object));
  if (!t->grad) {
    // A copy: a rule of the user's may write into the gradient that it is given.
    t->grad = reinterpret_cast<TensorObject*>(clone(grad).release());
    track(t.get());
  } else {
    Tensor sum = Tensor::borrow(t->grad) + grad;
    PyObject* old = reinterpret_cast<PyObject*>(std::exchange(t->grad, reinterpret_cast<TensorObject*>(sum.release())));
    Py_DECREF(old);
  }
  if (lens) [[unlikely]]
    lens->became(Tensor::borrow(t->grad), Role::RetainedGradient);
}

void run_tensor_hooks(NodeObject* node, Grads& grads) {
  if (node->kind == NodeKind::Accumulate) {
    TensorExtra* extra = node->leaf->extra;
    if (!extra || !extra->hooks) return;
    Object functions = extra->hooks;
    grads[0] = call_tensor_hooks(functions.get(), grads[0]);
    return;
  }
  if (!node->extra) return;
  auto hooks = node->extra->tensor_hooks;  // a copy: a hook may register more
  for (auto& h : hooks)
    if (!h.retains && h.functions) grads[h.nr] = call_tensor_hooks(h.functions.get(), grads[h.nr]);
  for (auto& h : hooks)
    if (h.retains && h.functions) retain(h.functions.get(), grads[h.nr]);
}

/// Takes a hook's tuple over: None entries become missing gradients.
static void replace_all(PyObject* function, PyObject* result, Grads& grads) {
  Object sequence = is_tensor(result) ? Object::steal(PyTuple_Pack(1, result)) : Object::borrow(result);
  check_type(PyTuple_Check(sequence.get()), "expected dict of hook results to be a tuple, but hook '",
             name_of(function), "' returned '", Py_TYPE(result)->tp_name, "'");
  check(size_t(PyTuple_GET_SIZE(sequence.get())) == grads.size(), "hook '", name_of(function),
        "' has returned an incorrect number of values (got ", PyTuple_GET_SIZE(sequence.get()), ", but expected ",
        grads.size(), ")");
  for (size_t i = 0; i < grads.size(); ++i) {
    PyObject* item = PyTuple_GET_ITEM(sequence.get(), Py_ssize_t(i));
    grads[i] = item == Py_None ? Tensor() : checked_replacement(function, item, grads[i]);
  }
}

void run_pre_hooks(NodeObject* node, Grads& grads) {
  Object list = snapshot(node->extra->pre_hooks.get());
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list.get()); ++i) {
    PyObject* function = PyList_GET_ITEM(list.get(), i);
    Object arguments = Object::steal(grads_to_tuple(grads));
    Object result = Object::steal(PyObject_CallOneArg(function, arguments.get()));
    if (!result) throw PythonError();
    if (result.get() != Py_None) replace_all(function, result.get(), grads);
  }
}

void run_post_hooks(NodeObject* node, Grads& results, const Grads& grads) {
  Object list = snapshot(node->extra->post_hooks.get());
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list.get()); ++i) {
    PyObject* function = PyList_GET_ITEM(list.get(), i);
    Object first = Object::steal(grads_to_tuple(results)), second = Object::steal(grads_to_tuple(grads));
    PyObject* arguments[] = {first.get(), second.get()};
    Object result = Object::steal(PyObject_Vectorcall(function, arguments, 2, nullptr));
    if (!result) throw PythonError();
    if (result.get() != Py_None) replace_all(function, result.get(), results);
  }
}

void run_post_accumulate_hooks(const Tensor& leaf) {
  if (!leaf->extra || !leaf->extra->post_accumulate_hooks) return;
  Object list = snapshot(leaf->extra->post_accumulate_hooks.get());
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list.get()); ++i) {
    PyObject* function = PyList_GET_ITEM(list.get(), i);
    Object result = Object::steal(PyObject_CallOneArg(function, leaf.py()));
    if (!result) throw PythonError();
    check(result.get() == Py_None, "Tensor post accumulate grad hooks should return None, but '", name_of(function),
          "' returned '", Py_TYPE(result.get())->tp_name, "'");
  }
}

}  // namespace lg
