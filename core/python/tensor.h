// Tensor's Python type.
#pragma once

#include "python/def.h"

namespace lg {

void init_tensor_type(PyObject* module);
/// The operators that slots fall back to for subclasses.
void set_slot_operators(const Ops& ops);
/// Calls module.function(*args, **kwargs); new reference; throws PythonError.
PyObject* call_python(const char* module, const char* function, PyObject* args, PyObject* kwargs);
/// Sentences for a message, by a function of lens/messages.py.
std::string explanation(const char* function, PyObject* args);
/// Why `t` does not require grad, and what to do: to follow the first sentence of an error.
std::string why_no_grad(const Tensor& t);

}  // namespace lg
