// The module's functions for autograd.
#pragma once

#include "runtime/object.h"

namespace lg {

void init_autograd(PyObject* module);

}  // namespace lg
