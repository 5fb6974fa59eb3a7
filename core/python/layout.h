// layout and memory_format, the Python types.
#pragma once

#include "python/def.h"

namespace lg {

void init_layout(PyObject* module);
PyObject* strided_layout();  // borrowed

}  // namespace lg
