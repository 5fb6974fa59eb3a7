// Generator's Python type, and the functions of the default generator.
#pragma once

#include "python/def.h"

namespace lg {

/// Generator, default_generator, manual_seed, seed, initial_seed, get_rng_state, set_rng_state.
void init_generator(PyObject* module);

}  // namespace lg
