// Nodes as Python objects: allocation, destruction without recursion, and the type that carries a node's name.
#include "autograd/node.h"

#include <cstring>
#include <string>
#include <unordered_map>

#include "autograd/anomaly.h"
#include "autograd/engine.h"
#include "python/node.h"

namespace lg {

namespace {

constexpr int free_list_limit = 32768;
PyObject* free_list[free_list_limit];
int free_count = 0;

// initial-exec: one load per access, as with thread_mode.
thread_local uint64_t next_sequence __attribute__((tls_model("initial-exec"))) = 0;
constexpr uint64_t accumulate_sequence = UINT64_MAX;

void tell_released(NodeObject* n) {
  if (!lens) [[likely]]
    return;
  for (const SavedTensor& saved : n->saved)
    if (saved.tensor) lens->became(saved.tensor, Role::Released);
}

/// Releases what a node holds; may queue further nodes.
void destroy(NodeObject* n) {
  if (n->kind == NodeKind::Accumulate && n->leaf && n->leaf->extra && n->leaf->extra->accumulator == n)
    n->leaf->extra->accumulator = nullptr;
  if (n->destroy) n->destroy(n->closure);
  Py_CLEAR(n->dict);
  delete std::exchange(n->extra, nullptr);
  tell_released(n);
  n->state.~NodeState();
  n->leaf.~Tensor();
  n->saved.~SmallVec();
  n->outputs.~SmallVec();
  n->edges.~SmallVec();
  PyObject* self = reinterpret_cast<PyObject*>(n);
  PyTypeObject* type = Py_TYPE(self);
  // Named types are immortal and share the layout, so their objects may be recycled as plain nodes.
  if (n->kind != NodeKind::Function && free_count < free_list_limit) {
    free_list[free_count++] = self;
  } else {
    type->tp_free(self);
  }
  if (type->tp_flags & Py_TPFLAGS_HEAPTYPE) Py_DECREF(type);
}

// Destroying a node drops its edges, which may destroy the next node, a million deep: they wait here for their turn.
thread_local std::vector<NodeObject*>* dying __attribute__((tls_model("initial-exec"))) = nullptr;

}  // namespace

void construct_node(NodeObject* n, const char* name, NodeKind kind) {
  n->dict = nullptr;
  n->weakrefs = nullptr;
  n->name = name;
  n->sequence = kind == NodeKind::Accumulate ? accumulate_sequence : next_sequence++;
  new (&n->edges) SmallVec<Edge, 3>();
  new (&n->outputs) SmallVec<OutputMeta, 1>();
  new (&n->saved) SmallVec<SavedTensor, 2>();
  n->kind = kind;
  n->released = false;
  n->python_type = kind == NodeKind::Function;
  n->place = n->freed = 0;
  new (&n->leaf) Tensor();
  n->extra = nullptr;
  new (&n->state) NodeState();
  n->apply = nullptr;
  n->destroy = nullptr;
  n->closure = nullptr;
}

Node make_node(const char* name, NodeKind kind) {
  PyObject* object;
  if (free_count) {
    object = PyObject_Init(free_list[--free_count], node_type());
  } else {
    object = reinterpret_cast<PyObject*>(_PyObject_GC_New(node_type()));
    if (!object) throw PythonError();
  }
  auto* n = reinterpret_cast<NodeObject*>(object);
  construct_node(n, name, kind);
  PyObject_GC_Track(object);
  if (anomaly.enabled) [[unlikely]]
    record_traceback(n);
  if (lens) [[unlikely]]
    lens->made(n);
  return Node::steal(n);
}

void node_dealloc(PyObject* self) {
  auto* n = reinterpret_cast<NodeObject*>(self);
  PyObject_GC_UnTrack(self);
  if (n->weakrefs) PyObject_ClearWeakRefs(self);
  if (dying) {
    dying->push_back(n);
    return;
  }
  std::vector<NodeObject*> queue;
  dying = &queue;
  destroy(n);
  while (!queue.empty()) {
    NodeObject* next = queue.back();
    queue.pop_back();
    destroy(next);
  }
  dying = nullptr;
}

NodeExtra& extra_of(NodeObject* node) {
  if (!node->extra) node->extra = new NodeExtra();
  return *node->extra;
}

void release_saved(NodeObject* node) {
  node->released = true;
  tell_released(node);
  if (lens) [[unlikely]]
    node->freed = lens->here();
  // Cleared in place: the rule's handles index into this vector.
  for (SavedTensor& s : node->saved) {
    s.tensor.reset();
    s.packed = s.unpack = nullptr;
    s.grad_fn = nullptr;
  }
}

size_t Needs::size() const { return node_->edges.size(); }
bool Needs::operator[](size_t i) const {
  return i < node_->edges.size() && node_->edges[i].node && is_wanted(node_, node_->edges[i]);
}
bool Needs::watched(size_t i) const {
  const NodeObject* next = node_->edges[i].node.get();
  return current_node != node_ || node_->extra || next->extra || next->kind != NodeKind::Operator ||
         is_backward_limited();
}
const Dims& Needs::sizes(size_t i) const {
  const Edge& edge = node_->edges[i];
  return edge.node->outputs[edge.nr].sizes;
}

PyObject* node_to_python(const Node& node) {
  if (!node) Py_RETURN_NONE;
  if (!node->python_type) {
    Py_SET_TYPE(node.get(), named_node_type(node->name));
    Py_INCREF(Py_TYPE(node.get()));
    node->python_type = true;
  }
  return Py_NewRef(node.py());
}

// A type for each name, derived from Node and kept for ever.
PyTypeObject* named_node_type(const char* name) {
  static std::unordered_map<std::string, PyTypeObject*> types;
  PyTypeObject*& type = types[name];
  if (!type) {
    std::string qualified = std::string("leafgrad.autograd.graph.") + name;
    PyObject* made = PyObject_CallFunction(reinterpret_cast<PyObject*>(&PyType_Type), "s(O){s:s,s:()}", name,
                                           node_type(), "__module__", "leafgrad.autograd.graph", "__slots__");
    if (!made) throw PythonError();
    type = reinterpret_cast<PyTypeObject*>(made);
    // Made by our own hand only, and freed like plain nodes.
    type->tp_dealloc = node_type()->tp_dealloc;
    type->tp_new = nullptr;
    PyType_Modified(type);
  }
  return type;
}

}  // namespace lg
