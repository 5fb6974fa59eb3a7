// The module's functions for autograd.
#pragma once

#include "runtime/object.h"

namespace lg {

void init_autograd(PyObject* module);
void init_grad_mode(PyObject* module);

}  // namespace lg
