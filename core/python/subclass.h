// Subclasses of Tensor in Python: __torch_function__, and results of the subclass's type.
#pragma once

#include "python/def.h"

namespace lg {

/// Is a tensor of another type than Tensor itself among the arguments?
extern PyTypeObject*
    parameter_type;  // nn.Parameter: a subclass that behaves as plain Tensor; set by _register_parameter
inline bool has_subclass(PyObject* const* args, Py_ssize_t count) {
  PyTypeObject* plain = tensor_type();
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyTypeObject* type = Py_TYPE(args[i]);
    if (type != plain && type != parameter_type && type->tp_basicsize >= plain->tp_basicsize &&
        PyType_IsSubtype(type, plain))
      return true;
  }
  return false;
}
bool torch_function_disabled();
/// The call as the subclass wants it: through its own __torch_function__, or the plain result turned into the subclass.
PyObject* call_for_subclass(PyObject* function, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);
/// Is there an argument that is no tensor, but answers for itself through __torch_function__?
bool has_torch_function(PyObject* const* args, Py_ssize_t count);
bool is_operator(PyObject* object);
/// The operator itself, whatever the types.
PyObject* call_op(const OpObject* op, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);
PyObject* disabled_impl(PyObject*, PyObject* const* args, Py_ssize_t nargs);
PyObject* tensor_torch_function(PyObject* cls, PyObject* const* args, Py_ssize_t nargs);
extern PyMethodDef subclass_methods[];  // of the module

}  // namespace lg
