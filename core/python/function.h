// Custom Functions: nodes whose rule is written in Python.
#pragma once

#include "autograd/node.h"

namespace lg {

int function_traverse(NodeObject* node, visitproc visit, void* arg);
void function_clear(NodeObject* node);
void init_function(PyObject* module);

}  // namespace lg
