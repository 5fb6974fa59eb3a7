// The leaf lens's eyes in the core: what is alive, what nodes keep, where things were made, events as they happen.
#pragma once

#include "python/def.h"

namespace lg {

void init_lens(PyObject* module);

}  // namespace lg
