// UntypedStorage, the Python type.
#pragma once

#include "python/def.h"

namespace lg {

void init_storage_type(PyObject* module);
PyObject* storage_to_python(Storage* storage);  // new reference

}  // namespace lg
