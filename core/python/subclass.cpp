#include "python/subclass.h"

#include "python/convert.h"

namespace lg {

namespace {

thread_local bool disabled = false;
PyObject* hook_name = PyUnicode_InternFromString("__torch_function__");

/// The type's own __torch_function__ (new reference), or null if it inherits Tensor's or has switched it off.
Object own_function(PyTypeObject* type, bool* off) {
  *off = false;
  Object f = Object::steal(PyObject_GetAttr(reinterpret_cast<PyObject*>(type), hook_name));
  if (!f) {
    PyErr_Clear();
    return nullptr;
  }
  if (PyCFunction_Check(f.get())) {
    // Tensor's own is a C function; `_disabled_torch_function_impl` another.
    *off = PyCFunction_GET_FUNCTION(f.get()) ==
           reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&disabled_impl));
    return nullptr;
  }
  return f;
}

Object as_subclass(PyObject* result, PyTypeObject* type) {
  if (is_tensor(result)) {
    if (Py_TYPE(result) != tensor_type()) return Object::borrow(result);
    return Object::steal(PyObject_CallMethod(result, "as_subclass", "O", type));
  }
  if (PyTuple_CheckExact(result) || PyList_CheckExact(result)) {
    Object items = Object::steal(PySequence_List(result));
    for (Py_ssize_t i = 0; items && i < PyList_GET_SIZE(items.get()); ++i) {
      Object item = as_subclass(PyList_GET_ITEM(items.get(), i), type);
      if (!item || PyList_SetItem(items.get(), i, item.release()) < 0) return nullptr;
    }
    return PyTuple_CheckExact(result) ? Object::steal(PyList_AsTuple(items.get())) : items;
  }
  return Object::borrow(result);
}

/// The function without a look at the types: an operator, or a method of Tensor.
PyObject* call_plain(PyObject* function, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  if (is_operator(function)) return call_op(reinterpret_cast<OpObject*>(function), args, nargs, kwnames);
  bool before = std::exchange(disabled, true);
  PyObject* result = PyObject_Vectorcall(function, args, size_t(nargs), kwnames);
  disabled = before;
  return result;
}

PyObject* register_parameter(PyObject*, PyObject* type) {
  parameter_type = reinterpret_cast<PyTypeObject*>(Py_NewRef(type));
  Py_RETURN_NONE;
}

PyObject* set_disabled(PyObject*, PyObject* on) {
  bool before = disabled;
  disabled = on == Py_True;
  return PyBool_FromLong(before);
}

}  // namespace

bool has_torch_function(PyObject* const* args, Py_ssize_t count) {
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* type = reinterpret_cast<PyObject*>(Py_TYPE(args[i]));
    if (!is_tensor(args[i]) && PyObject_HasAttr(type, hook_name)) return true;
  }
  return false;
}

PyTypeObject* parameter_type = nullptr;
bool torch_function_disabled() { return disabled; }

PyObject* disabled_impl(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs < 2) {
    PyErr_SetString(PyExc_TypeError, "__torch_function__ takes (func, types, args=(), kwargs=None)");
    return nullptr;
  }
  bool before = std::exchange(disabled, true);
  Object empty = Object::steal(PyTuple_New(0));
  PyObject* kwargs = nargs > 3 && args[3] != Py_None ? args[3] : nullptr;
  PyObject* result = PyObject_Call(args[0], nargs > 2 ? args[2] : empty.get(), kwargs);
  disabled = before;
  return result;
}

PyObject* call_for_subclass(PyObject* function, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  Py_ssize_t count = nargs + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0);
  PyTypeObject* result_type = nullptr;
  std::vector<std::pair<PyTypeObject*, Object>> handlers;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyTypeObject* type = Py_TYPE(args[i]);
    if (type == tensor_type() || type == parameter_type || PyLong_CheckExact(args[i]) || args[i] == Py_None) continue;
    bool off, seen = false;
    for (auto& h : handlers) seen |= h.first == type;
    if (seen) continue;
    Object own = own_function(type, &off);
    if (own) {
      // A subclass of an earlier type goes first.
      auto at = handlers.begin();
      while (at != handlers.end() && !PyType_IsSubtype(type, at->first)) ++at;
      handlers.insert(at, {type, own});
    } else if (!off && PyType_IsSubtype(type, tensor_type()) && (!result_type || PyType_IsSubtype(type, result_type))) {
      result_type = type;
    }
  }
  if (handlers.empty()) {
    Object result = Object::steal(call_plain(function, args, nargs, kwnames));
    if (!result || !result_type) return result.release();
    return as_subclass(result.get(), result_type).release();
  }
  Object types = Object::steal(PyTuple_New(Py_ssize_t(handlers.size())));
  for (size_t i = 0; i < handlers.size(); ++i)
    PyTuple_SET_ITEM(types.get(), Py_ssize_t(i), Py_NewRef(reinterpret_cast<PyObject*>(handlers[i].first)));
  Object positional = Object::steal(PyTuple_New(nargs)), named = Object::steal(PyDict_New());
  for (Py_ssize_t i = 0; i < nargs; ++i) PyTuple_SET_ITEM(positional.get(), i, Py_NewRef(args[i]));
  for (Py_ssize_t k = 0; kwnames && k < PyTuple_GET_SIZE(kwnames); ++k)
    PyDict_SetItem(named.get(), PyTuple_GET_ITEM(kwnames, k), args[nargs + k]);
  for (auto& [type, handler] : handlers) {
    Object result = Object::steal(
        PyObject_CallFunctionObjArgs(handler.get(), function, types.get(), positional.get(), named.get(), nullptr));
    if (!result) throw PythonError();
    if (result.get() != Py_NotImplemented) return result.release();
  }
  PyErr_Format(PyExc_TypeError, "no implementation found for %R on types that implement __torch_function__", function);
  throw PythonError();
}

/// Tensor.__torch_function__(cls, func, types, args=(), kwargs=None): the plain call, results as `cls`.
PyObject* tensor_torch_function(PyObject* cls, PyObject* const* args, Py_ssize_t nargs) {
  Object result = Object::steal(disabled_impl(nullptr, args, nargs));
  if (!result || cls == reinterpret_cast<PyObject*>(tensor_type())) return result.release();
  return as_subclass(result.get(), reinterpret_cast<PyTypeObject*>(cls)).release();
}

PyMethodDef subclass_methods[] = {
    {"_disabled_torch_function_impl", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&disabled_impl)),
     METH_FASTCALL, "Runs the function without __torch_function__."},
    {"_set_torch_function_disabled", set_disabled, METH_O,
     "Switches __torch_function__ off for this thread; returns what it was."},
    {"_register_parameter", register_parameter, METH_O, "Names the subclass whose objects behave as plain tensors."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace lg
