// What the rules of pointwise.def say, as text.
#pragma once

#include "python/def.h"

namespace lg {

extern PyMethodDef formula_methods[];  // of the module

}  // namespace lg
