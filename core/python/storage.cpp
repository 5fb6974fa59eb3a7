// UntypedStorage: a tensor's memory as Python sees it, to ask what it weighs and which tensors share it.
#include "python/storage.h"

namespace lg {

using namespace binding;

namespace {

struct StorageObject {
  PyObject_HEAD Storage* storage;  // counted
};
extern PyTypeObject storage_type;

Storage* storage_of(PyObject* self) { return reinterpret_cast<StorageObject*>(self)->storage; }

void storage_dealloc(PyObject* self) {
  release(storage_of(self));
  PyObject_Free(self);
}

// Two objects are equal when they stand for the same memory: Python gets a new object for every question.
PyObject* storage_compare(PyObject* a, PyObject* b, int op) {
  if (Py_TYPE(b) != &storage_type || (op != Py_EQ && op != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
  return PyBool_FromLong((storage_of(a) == storage_of(b)) == (op == Py_EQ));
}
Py_hash_t storage_hash(PyObject* self) { return Py_hash_t(reinterpret_cast<uintptr_t>(storage_of(self)) >> 4); }
Py_ssize_t storage_length(PyObject* self) { return storage_of(self)->bytes; }

PyObject* storage_repr(PyObject* self) {
  const Storage* s = storage_of(self);
  return PyUnicode_FromFormat("<leafgrad.UntypedStorage of %lld bytes on %s>", static_cast<long long>(s->bytes),
                              s->device == Device::Meta ? "meta" : "cpu");
}

PyObject* storage_data_ptr(PyObject* self, PyObject*) { return PyLong_FromVoidPtr(storage_of(self)->data); }
PyObject* storage_nbytes(PyObject* self, PyObject*) { return PyLong_FromLongLong(storage_of(self)->bytes); }
PyObject* storage_resizable(PyObject* self, PyObject*) { return PyBool_FromLong(storage_of(self)->resizable); }

PyObject* storage_resize(PyObject* self, PyObject* size) {
  return guarded([&] {
    int64_t bytes = integer_from_python(size);
    Storage* s = storage_of(self);
    // Whatever looks at the storage has been checked against its present end.
    check(bytes >= s->bytes, "resize_: a storage can only grow, here from ", s->bytes, " bytes and not to ", bytes,
          ": tensors look at its memory. To free it, drop all tensors that share it.");
    if (bytes > s->bytes) grow_storage(s, bytes);
    return Py_NewRef(self);
  });
}

PyObject* storage_cdata(PyObject* self, void*) { return PyLong_FromVoidPtr(storage_of(self)); }
PyObject* storage_device(PyObject* self, void*) {
  return guarded([&] { return device_to_python(storage_of(self)->device); });
}

PyMethodDef storage_methods[] = {
    {"data_ptr", storage_data_ptr, METH_NOARGS, "Address of the first byte; 0 on meta."},
    {"nbytes", storage_nbytes, METH_NOARGS, "Size in bytes."},
    {"size", storage_nbytes, METH_NOARGS, "Size in bytes."},
    {"resizable", storage_resizable, METH_NOARGS, "False for memory borrowed from NumPy, DLPack or a buffer."},
    {"resize_", storage_resize, METH_O, "Grow to this many bytes; what is there is kept."},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef storage_getset[] = {
    {"_cdata", storage_cdata, nullptr, "A number that tells this storage from all others alive.", nullptr},
    {"device", storage_device, nullptr, "Where the memory is.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PySequenceMethods storage_sequence = [] {
  PySequenceMethods m{};
  m.sq_length = storage_length;
  return m;
}();

PyTypeObject storage_type = [] {
  PyTypeObject t = {PyVarObject_HEAD_INIT(nullptr, 0)};
  t.tp_name = "leafgrad.UntypedStorage";
  t.tp_doc = "The memory that a tensor and its views share.";
  t.tp_basicsize = sizeof(StorageObject);
  t.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION;
  t.tp_dealloc = storage_dealloc;
  t.tp_repr = storage_repr;
  t.tp_richcompare = storage_compare;
  t.tp_hash = storage_hash;
  t.tp_as_sequence = &storage_sequence;
  t.tp_methods = storage_methods;
  t.tp_getset = storage_getset;
  return t;
}();

}  // namespace

PyObject* storage_to_python(Storage* storage) {
  auto* o = PyObject_New(StorageObject, &storage_type);
  if (!o) throw PythonError();
  o->storage = storage;
  retain(storage);
  return reinterpret_cast<PyObject*>(o);
}

void init_storage_type(PyObject* module) {
  if (PyType_Ready(&storage_type) < 0 ||
      PyObject_SetAttrString(module, "UntypedStorage", reinterpret_cast<PyObject*>(&storage_type)) < 0)
    throw PythonError();
}

}  // namespace lg
