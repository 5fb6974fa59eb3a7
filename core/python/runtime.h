// The runtime's switches and counters in Python.
#pragma once

#include "runtime/object.h"

namespace lg {

void init_runtime(PyObject* module);

}  // namespace lg
