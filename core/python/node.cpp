// Node's Python type: names, edges, hooks, saved tensors, as graph tools read them.
#include "python/node.h"

#include <structmember.h>

#include <cstring>

#include "autograd/recorder.h"
#include "autograd/saved_hooks.h"
#include "python/convert.h"
#include "python/function.h"
#include "python/hooks.h"
#include "python/tensor.h"

namespace lg {

using namespace binding;

namespace {

NodeObject* raw(PyObject* self) { return reinterpret_cast<NodeObject*>(self); }

/// As PyTorch says it: two nodes of the engine carry their namespace, operators do not.
PyObject* node_name(PyObject* self, PyObject*) {
  bool engine = raw(self)->kind == NodeKind::Accumulate || !std::strcmp(raw(self)->name, "CopySlices");
  return PyUnicode_FromFormat("%s%s", engine ? "torch::autograd::" : "", raw(self)->name);
}

PyObject* next_functions(PyObject* self, void*) {
  return guarded([&] { return node_next_functions(raw(self)); });
}
PyObject* metadata(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    NodeExtra& extra = extra_of(raw(self));
    if (!extra.metadata) extra.metadata = Object::steal(PyDict_New());
    if (!extra.metadata) throw PythonError();
    if (extra.traceback) PyDict_SetItemString(extra.metadata.get(), "traceback_", extra.traceback.get());
    if (extra.parent) {
      Object parent = Object::steal(node_to_python(extra.parent));
      PyDict_SetItemString(extra.metadata.get(), "parent_", parent.get());
    }
    return Py_NewRef(extra.metadata.get());
  });
}
PyObject* variable(PyObject* self, void*) {
  if (raw(self)->kind != NodeKind::Accumulate) {
    PyErr_Format(PyExc_AttributeError, "'%s' object has no attribute 'variable'", raw(self)->name);
    return nullptr;
  }
  return Py_NewRef(raw(self)->leaf.py());
}
PyObject* sequence_nr(PyObject* self, PyObject*) { return PyLong_FromUnsignedLongLong(raw(self)->sequence); }
PyObject* input_metadata(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    const auto& outputs = raw(self)->outputs;
    PyObject* tuple = PyTuple_New(Py_ssize_t(outputs.size()));
    for (size_t i = 0; i < outputs.size(); ++i) {
      Object shape = Object::steal(size_to_python(outputs[i].sizes)),
             dtype = Object::steal(dtype_to_python(outputs[i].dtype)),
             device = Object::steal(device_to_python(outputs[i].device));
      Object kwargs = Object::steal(
          Py_BuildValue("{s:O,s:O,s:O}", "shape", shape.get(), "dtype", dtype.get(), "device", device.get()));
      PyTuple_SET_ITEM(tuple, Py_ssize_t(i), call_python("types", "SimpleNamespace", nullptr, kwargs.get()));
    }
    return tuple;
  });
}

PyObject* add_node_hook(Object& dict, PyObject* hook) {
  if (!dict) dict = Object::steal(call_python("collections", "OrderedDict", nullptr, nullptr));
  Object args = Object::steal(PyTuple_Pack(1, dict.get()));
  Object handle = Object::steal(call_python("leafgrad.utils.hooks", "RemovableHandle", args.get(), nullptr));
  Object id = Object::steal(PyObject_GetAttrString(handle.get(), "id"));
  if (!id || PyObject_SetItem(dict.get(), id.get(), hook) < 0) throw PythonError();
  return handle.release();
}
PyObject* register_hook(PyObject* self, PyObject* hook) {
  return guarded([&] { return add_node_hook(extra_of(raw(self)).post_hooks, hook); });
}
PyObject* register_prehook(PyObject* self, PyObject* hook) {
  return guarded([&] { return add_node_hook(extra_of(raw(self)).pre_hooks, hook); });
}

/// grad_fn(*grads): the rule by hand.
PyObject* call(PyObject* self, PyObject* args, PyObject*) {
  return guarded([&]() -> PyObject* {
    NodeObject* node = raw(self);
    Node keep = Node::borrow(node);
    Grads grads;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); ++i) {
      PyObject* g = PyTuple_GET_ITEM(args, i);
      check_type(g == Py_None || is_tensor(g), "expected Variable or None (got ", Py_TYPE(g)->tp_name, ")");
      grads.push_back(g == Py_None ? Tensor() : as_tensor_handle(g));
    }
    check(grads.size() == node->outputs.size(), node->name, " expects ", node->outputs.size(), " gradients, got ",
          grads.size());
    if (node->kind == NodeKind::Accumulate) {
      if (grads[0]) accumulate_into(node->leaf, grads[0]);
      Py_RETURN_NONE;
    }
    Grads results = node->apply(node, grads);
    if (results.size() == 1) return Py_NewRef(results[0] ? results[0].py() : Py_None);
    return grads_to_tuple(results);
  });
}

/// `_raw_saved_<name>`: a slot of a node, which takes hooks of its own.
struct SlotObject {
  PyObject_HEAD NodeObject* node;  // counted
  size_t index;
};
void slot_dealloc(PyObject* self) {
  Py_XDECREF(reinterpret_cast<PyObject*>(reinterpret_cast<SlotObject*>(self)->node));
  PyObject_Free(self);
}
PyObject* slot_register_hooks(PyObject* self, PyObject* args) {
  PyObject *pack, *unpack;
  if (!PyArg_ParseTuple(args, "OO", &pack, &unpack)) return nullptr;
  return guarded([&]() -> PyObject* {
    check_type(PyCallable_Check(pack) && PyCallable_Check(unpack), "register_hooks expects two functions");
    auto* slot = reinterpret_cast<SlotObject*>(self);
    register_saved_hooks(slot->node, slot->node->saved[slot->index], Object::borrow(pack), Object::borrow(unpack));
    Py_RETURN_NONE;
  });
}
PyMethodDef slot_methods[] = {{"register_hooks", slot_register_hooks, METH_VARARGS,
                               "register_hooks(pack, unpack): keep what pack makes of the tensor."},
                              {nullptr, nullptr, 0, nullptr}};
PyTypeObject slot_type = [] {
  PyTypeObject t = {PyVarObject_HEAD_INIT(nullptr, 0)};
  t.tp_name = "leafgrad.autograd.SavedTensor";
  t.tp_basicsize = sizeof(SlotObject);
  t.tp_dealloc = slot_dealloc;
  t.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION;
  t.tp_methods = slot_methods;
  t.tp_doc = "A tensor as a node keeps it.";
  return t;
}();

PyObject* raw_saved(NodeObject* node, size_t index) {
  auto* slot = PyObject_New(SlotObject, &slot_type);
  if (!slot) throw PythonError();
  slot->node = reinterpret_cast<NodeObject*>(Py_NewRef(reinterpret_cast<PyObject*>(node)));
  slot->index = index;
  return reinterpret_cast<PyObject*>(slot);
}

/// `_saved_<name>`: what the rule keeps.
PyObject* get_attribute(PyObject* self, PyObject* name) {
  const char* text = PyUnicode_AsUTF8(name);
  bool is_raw = text && !std::strncmp(text, "_raw", 4);
  if (is_raw) text += 4;
  if (text && !std::strncmp(text, "_saved_", 7)) {
    NodeObject* node = raw(self);
    for (size_t i = 0; i < node->saved.size(); ++i) {
      SavedTensor& saved = node->saved[i];
      if (!saved.name || std::strcmp(saved.name, text + 7)) continue;
      return guarded([&] { return is_raw ? raw_saved(node, i) : unpack_saved(node, saved).release(); });
    }
  }
  return PyObject_GenericGetAttr(self, name);
}
PyObject* directory(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    Object names = Object::steal(PyObject_Dir(reinterpret_cast<PyObject*>(Py_TYPE(self))));
    for (SavedTensor& saved : raw(self)->saved) {
      if (!saved.name) continue;
      for (const char* form : {"_saved_%s", "_raw_saved_%s"}) {
        Object name = Object::steal(PyUnicode_FromFormat(form, saved.name));
        if (!name || PyList_Append(names.get(), name.get()) < 0) throw PythonError();
      }
    }
    return names.release();
  });
}
PyObject* repr(PyObject* self) { return PyUnicode_FromFormat("<%s object at %p>", raw(self)->name, self); }

PyMethodDef methods[] = {
    {"name", node_name, METH_NOARGS, "Name of the operation's derivative."},
    {"_sequence_nr", sequence_nr, METH_NOARGS, "Later nodes have greater numbers and run first."},
    {"register_hook", register_hook, METH_O, "Call hook(grad_inputs, grad_outputs) after the node ran."},
    {"register_prehook", register_prehook, METH_O, "Call hook(grad_outputs) before the node runs."},
    {"__dir__", directory, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef getset[] = {
    {"next_functions", next_functions, nullptr, "(node, output number) of each input; (None, 0) where none is needed.",
     nullptr},
    {"metadata", metadata, nullptr, "A dict for tools.", nullptr},
    {"variable", variable, nullptr, "AccumulateGrad: the leaf.", nullptr},
    {"_input_metadata", input_metadata, nullptr, "Shape, dtype and device that each gradient must have.", nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyTypeObject type = [] {
  PyTypeObject t = {PyVarObject_HEAD_INIT(nullptr, 0)};
  t.tp_name = "leafgrad.autograd.graph.Node";
  t.tp_basicsize = sizeof(NodeObject);
  t.tp_dealloc = node_dealloc;
  t.tp_traverse = node_traverse;
  t.tp_clear = node_clear;
  t.tp_repr = repr;
  t.tp_call = call;
  t.tp_getattro = get_attribute;
  t.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE;
  t.tp_dictoffset = offsetof(NodeObject, dict);
  t.tp_weaklistoffset = offsetof(NodeObject, weakrefs);
  t.tp_methods = methods;
  t.tp_getset = getset;
  t.tp_doc = "A node of the graph: one operation's derivative.";
  return t;
}();

}  // namespace

PyTypeObject* node_type() { return &type; }

PyObject* node_next_functions(const NodeObject* node) {
  PyObject* tuple = PyTuple_New(Py_ssize_t(node->edges.size()));
  if (!tuple) throw PythonError();
  for (size_t i = 0; i < node->edges.size(); ++i) {
    Object next = Object::steal(node_to_python(node->edges[i].node));
    PyTuple_SET_ITEM(tuple, Py_ssize_t(i), Py_BuildValue("(OI)", next.get(), node->edges[i].nr));
  }
  return tuple;
}

int node_traverse(PyObject* self, visitproc visit, void* arg) {
  NodeObject* n = raw(self);
  // Not the type: the named types and Functions derive from static ones, and Python visits it for such.
  Py_VISIT(n->dict);
  for (const Edge& edge : n->edges) Py_VISIT(edge.node.py());
  for (const SavedTensor& saved : n->saved) {
    Py_VISIT(saved.tensor.py());
    Py_VISIT(saved.packed.get());
    Py_VISIT(saved.unpack.get());
    Py_VISIT(saved.grad_fn.py());
  }
  Py_VISIT(n->leaf.py());
  for (const Tensor& g : n->state.buffer) Py_VISIT(g.py());
  if (n->extra) {
    for (const auto& hooks : n->extra->tensor_hooks) Py_VISIT(hooks.functions.get());
    Py_VISIT(n->extra->pre_hooks.get());
    Py_VISIT(n->extra->post_hooks.get());
    Py_VISIT(n->extra->metadata.get());
    Py_VISIT(n->extra->traceback.get());
    Py_VISIT(n->extra->parent.py());
  }
  if (n->kind == NodeKind::Function) return function_traverse(n, visit, arg);
  return 0;
}

int node_clear(PyObject* self) {
  NodeObject* n = raw(self);
  Py_CLEAR(n->dict);
  for (Edge& edge : n->edges) edge.node = nullptr;
  release_saved(n);
  if (n->extra) {
    n->extra->tensor_hooks.clear();
    n->extra->pre_hooks = n->extra->post_hooks = n->extra->metadata = nullptr;
  }
  if (n->kind == NodeKind::Function) function_clear(n);
  return 0;
}

void init_node_type(PyObject* module) {
  if (PyType_Ready(&type) < 0 || PyType_Ready(&slot_type) < 0 ||
      PyObject_SetAttrString(module, "Node", reinterpret_cast<PyObject*>(&type)) < 0)
    throw PythonError();
}

}  // namespace lg
