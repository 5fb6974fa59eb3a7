// The leaf lens's eyes in the core: what is alive, what nodes keep, where things were made, events as they happen.
#pragma once

#include <string>

#include "python/def.h"

namespace lg {

/// " (made at train.py:12)" for a node that was recorded while the lens was on; else how to get to know the line.
std::string made_at(const NodeObject* node);

void init_lens(PyObject* module);

}  // namespace lg
