// Tensor's Python type.
#pragma once

#include "python/def.h"

namespace lg {

void init_tensor_type(PyObject* module);
/// The operators that slots fall back to for subclasses.
void set_slot_operators(const Ops& ops);
/// Calls module.function(*args, **kwargs); new reference; throws PythonError.
PyObject* call_python(const char* module, const char* function, PyObject* args, PyObject* kwargs);

}  // namespace lg
