// layout and memory_format as Python types: constants that programs written for PyTorch pass around.
//
// Every tensor is strided; the names of the other layouts exist so that a comparison with one of them is False.
#include "python/layout.h"

#include <string>

namespace lg {
namespace {

struct NamedObject {
  PyObject_HEAD const char* name;
};

const char* name_of(PyObject* self) { return reinterpret_cast<NamedObject*>(self)->name; }
PyObject* named_repr(PyObject* self) { return PyUnicode_FromFormat("torch.%s", name_of(self)); }
PyObject* named_reduce(PyObject* self, PyObject*) { return PyUnicode_FromString(name_of(self)); }

// By name, so that pickle and copy find the one object there is.
PyMethodDef named_methods[] = {{"__reduce__", named_reduce, METH_NOARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};

PyTypeObject named_type(const char* name) {
  PyTypeObject t = {PyVarObject_HEAD_INIT(nullptr, 0)};
  t.tp_name = name;
  t.tp_basicsize = sizeof(NamedObject);
  t.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION;
  t.tp_repr = named_repr;
  t.tp_methods = named_methods;
  return t;
}
PyTypeObject layout_type = named_type("leafgrad.layout");
PyTypeObject memory_format_type = named_type("leafgrad.memory_format");

PyObject* strided = nullptr;

PyObject* add(PyObject* module, PyTypeObject* type, const char* name) {
  auto* o = PyObject_New(NamedObject, type);
  if (!o) throw PythonError();
  o->name = name;
  auto* object = reinterpret_cast<PyObject*>(o);
  if (PyObject_SetAttrString(module, name, object) < 0) throw PythonError();
  return object;  // kept for ever
}

}  // namespace

PyObject* strided_layout() { return strided; }

void init_layout(PyObject* module) {
  if (PyType_Ready(&layout_type) < 0 || PyType_Ready(&memory_format_type) < 0 ||
      PyObject_SetAttrString(module, "layout", reinterpret_cast<PyObject*>(&layout_type)) < 0 ||
      PyObject_SetAttrString(module, "memory_format", reinterpret_cast<PyObject*>(&memory_format_type)) < 0)
    throw PythonError();
  strided = add(module, &layout_type, "strided");
  for (const char* name : {"sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc", "jagged"})
    add(module, &layout_type, name);
  for (const char* name : {"contiguous_format", "preserve_format", "channels_last", "channels_last_3d"})
    add(module, &memory_format_type, name);
}

}  // namespace lg
