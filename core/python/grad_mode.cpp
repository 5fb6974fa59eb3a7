// no_grad and enable_grad as context managers: what lies beneath the classes in autograd/grad_mode.py, which add the
// use as a decorator.  A `with` block around a few small operations should not cost as much as they do.
#include <Python.h>
#include <structmember.h>

#include "autograd/grad_mode.h"
#include "python/autograd.h"
#include "runtime/error.h"

namespace lg {

namespace {

struct Keeper {
  PyObject_HEAD char before;  // the mode to go back to
};

/// no_grad() makes one; no_grad(function) makes one and lets it decorate.
PyObject* make(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  PyObject* func = nullptr;
  static const char* names[] = {"func", nullptr};
  if ((PyTuple_GET_SIZE(args) || kwargs) &&
      !PyArg_ParseTupleAndKeywords(args, kwargs, "|O", const_cast<char**>(names), &func))
    return nullptr;
  PyObject* self = type->tp_alloc(type, 0);
  if (!self || !func || func == Py_None) return self;
  PyObject* decorated = PyObject_CallOneArg(self, func);
  Py_DECREF(self);
  return decorated;
}

template <bool on>
PyObject* enter(PyObject* self, PyObject*) {
  reinterpret_cast<Keeper*>(self)->before = thread_mode.grad;
  thread_mode.grad = thread_mode.asked = on;
  Py_RETURN_NONE;
}
PyObject* leave(PyObject* self, PyObject* const*, Py_ssize_t) {
  thread_mode.grad = thread_mode.asked = reinterpret_cast<Keeper*>(self)->before;
  Py_RETURN_NONE;
}

template <bool on>
PyObject* make_type(const char* name) {
  static PyMethodDef methods[] = {
      {"__enter__", enter<on>, METH_NOARGS, nullptr},
      {"__exit__", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(leave)), METH_FASTCALL, nullptr},
      {nullptr, nullptr, 0, nullptr}};
  static PyMemberDef members[] = {{"prev", T_BOOL, offsetof(Keeper, before), 0, nullptr}, {}};
  static PyType_Slot slots[] = {
      {Py_tp_new, reinterpret_cast<void*>(make)}, {Py_tp_methods, methods}, {Py_tp_members, members}, {0, nullptr}};
  static PyType_Spec spec = {name, sizeof(Keeper), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
  return PyType_FromSpec(&spec);
}

}  // namespace

void init_grad_mode(PyObject* module) {
  for (auto [name, type] : {std::pair{"_NoGrad", make_type<false>("leafgrad._core._NoGrad")},
                            {"_EnableGrad", make_type<true>("leafgrad._core._EnableGrad")}})
    if (!type || PyModule_AddObject(module, name, type) < 0) throw PythonError();
}

}  // namespace lg
