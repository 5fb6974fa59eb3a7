// Node's Python type: grad_fn as tools read it.
#pragma once

#include "autograd/node.h"

namespace lg {

void construct_node(NodeObject* node, const char* name, NodeKind kind);
void node_dealloc(PyObject* self);
int node_traverse(PyObject* self, visitproc visit, void* arg);
int node_clear(PyObject* self);
PyTypeObject* named_node_type(const char* name);
/// (node, nr) pairs for every edge.
PyObject* node_next_functions(const NodeObject* node);

}  // namespace lg
