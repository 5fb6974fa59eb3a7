// dtype, device and Size as Python types, and conversions between Python's values and ours.
#include "python/convert.h"

#include <cmath>
#include <cstring>

#include "autograd/autograd.h"
#include "ops/ops.h"

namespace lg {

using namespace binding;

namespace {

// ---- dtype

struct DTypeObject {
  PyObject_HEAD DType dtype;
};
DTypeObject* dtype_objects[num_dtypes];

DType dtype_of_object(PyObject* self) { return reinterpret_cast<DTypeObject*>(self)->dtype; }
PyObject* dtype_repr(PyObject* self) { return PyUnicode_FromFormat("torch.%s", name(dtype_of_object(self))); }
PyObject* dtype_reduce(PyObject* self, PyObject*) { return PyUnicode_FromString(name(dtype_of_object(self))); }
PyObject* dtype_is_floating(PyObject* self, void*) { return PyBool_FromLong(is_floating(dtype_of_object(self))); }
PyObject* dtype_is_complex(PyObject* self, void*) { return PyBool_FromLong(is_complex(dtype_of_object(self))); }
PyObject* dtype_is_signed(PyObject* self, void*) {
  DType d = dtype_of_object(self);
  return PyBool_FromLong(d != DType::Bool && d != DType::UInt8);
}
PyObject* dtype_itemsize(PyObject* self, void*) { return PyLong_FromLongLong(itemsize(dtype_of_object(self))); }
PyObject* dtype_to_real(PyObject* self, PyObject*) { return dtype_to_python(real_of(dtype_of_object(self))); }
PyObject* dtype_to_complex(PyObject* self, PyObject*) { return dtype_to_python(complex_of(dtype_of_object(self))); }

PyGetSetDef dtype_getset[] = {{"is_floating_point", dtype_is_floating, nullptr, nullptr, nullptr},
                              {"is_complex", dtype_is_complex, nullptr, nullptr, nullptr},
                              {"is_signed", dtype_is_signed, nullptr, nullptr, nullptr},
                              {"itemsize", dtype_itemsize, nullptr, nullptr, nullptr},
                              {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMethodDef dtype_methods[] = {{"__reduce__", dtype_reduce, METH_NOARGS, nullptr},
                               {"to_real", dtype_to_real, METH_NOARGS, nullptr},
                               {"to_complex", dtype_to_complex, METH_NOARGS, nullptr},
                               {nullptr, nullptr, 0, nullptr}};

PyTypeObject dtype_type = [] {
  PyTypeObject t = {PyVarObject_HEAD_INIT(nullptr, 0)};
  t.tp_name = "leafgrad.dtype";
  t.tp_basicsize = sizeof(DTypeObject);
  t.tp_flags = Py_TPFLAGS_DEFAULT;
  t.tp_repr = dtype_repr;
  t.tp_getset = dtype_getset;
  t.tp_methods = dtype_methods;
  return t;
}();

// ---- device

struct DeviceObject {
  PyObject_HEAD Device device;
  int index;  // -1: none given
};
extern PyTypeObject device_type;

const char* device_name(Device d) { return d == Device::Cpu ? "cpu" : "meta"; }

PyObject* make_device(Device device, int index) {
  auto* o = PyObject_New(DeviceObject, &device_type);
  if (!o) throw PythonError();
  o->device = device;
  o->index = index;
  return reinterpret_cast<PyObject*>(o);
}

Device parse_device(const char* text, int* index) {
  const char* colon = std::strchr(text, ':');
  std::string kind = colon ? std::string(text, colon) : std::string(text);
  *index = -1;
  if (colon) {
    char* end;
    long value = std::strtol(colon + 1, &end, 10);
    check(end != colon + 1 && !*end && value >= 0, "Invalid device string: '", text, "'");
    *index = int(value);
  }
  if (kind == "cpu") return Device::Cpu;
  if (kind == "meta") return Device::Meta;
  fail(ErrorKind::Runtime, "device '", text, "' is not available: leafgrad has the devices 'cpu' and 'meta'");
}

PyObject* device_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"type", "index", nullptr};
  PyObject* kind;
  PyObject* index = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O", const_cast<char**>(names), &kind, &index)) return nullptr;
  if (Py_TYPE(kind) == &device_type) return Py_NewRef(kind);
  return guarded([&] {
    check_type(PyUnicode_Check(kind), "device(): argument 'type' must be str, not ", Py_TYPE(kind)->tp_name);
    int from_text;
    Device d = parse_device(PyUnicode_AsUTF8(kind), &from_text);
    if (index != Py_None) {
      check(from_text < 0, "type (string) must not include an index because index was passed explicitly");
      from_text = int(integer_from_python(index));
    }
    return make_device(d, from_text);
  });
}
PyObject* device_repr(PyObject* self) {
  auto* d = reinterpret_cast<DeviceObject*>(self);
  return d->index < 0 ? PyUnicode_FromFormat("device(type='%s')", device_name(d->device))
                      : PyUnicode_FromFormat("device(type='%s', index=%d)", device_name(d->device), d->index);
}
PyObject* device_str(PyObject* self) {
  auto* d = reinterpret_cast<DeviceObject*>(self);
  return d->index < 0 ? PyUnicode_FromString(device_name(d->device))
                      : PyUnicode_FromFormat("%s:%d", device_name(d->device), d->index);
}
PyObject* device_kind(PyObject* self, void*) {
  return PyUnicode_FromString(device_name(reinterpret_cast<DeviceObject*>(self)->device));
}
PyObject* device_index(PyObject* self, void*) {
  int index = reinterpret_cast<DeviceObject*>(self)->index;
  if (index < 0) Py_RETURN_NONE;
  return PyLong_FromLong(index);
}
PyObject* device_compare(PyObject* a, PyObject* b, int op) {
  if ((op != Py_EQ && op != Py_NE) || Py_TYPE(a) != Py_TYPE(b)) Py_RETURN_NOTIMPLEMENTED;
  auto *x = reinterpret_cast<DeviceObject*>(a), *y = reinterpret_cast<DeviceObject*>(b);
  return PyBool_FromLong((x->device == y->device && x->index == y->index) == (op == Py_EQ));
}
Py_hash_t device_hash(PyObject* self) {
  auto* d = reinterpret_cast<DeviceObject*>(self);
  return Py_hash_t(d->device) * 131 + d->index + 2;
}
PyObject* device_reduce(PyObject* self, PyObject*) {
  Object text = Object::steal(device_str(self));
  return Py_BuildValue("O(O)", &device_type, text.get());
}
PyGetSetDef device_getset[] = {{"type", device_kind, nullptr, nullptr, nullptr},
                               {"index", device_index, nullptr, nullptr, nullptr},
                               {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMethodDef device_methods[] = {{"__reduce__", device_reduce, METH_NOARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};
PyTypeObject device_type = [] {
  PyTypeObject t = {PyVarObject_HEAD_INIT(nullptr, 0)};
  t.tp_name = "leafgrad.device";
  t.tp_basicsize = sizeof(DeviceObject);
  t.tp_flags = Py_TPFLAGS_DEFAULT;
  t.tp_new = device_new;
  t.tp_repr = device_repr;
  t.tp_str = device_str;
  t.tp_hash = device_hash;
  t.tp_richcompare = device_compare;
  t.tp_getset = device_getset;
  t.tp_methods = device_methods;
  return t;
}();

// ---- Size: a tuple that prints as torch.Size and knows its product

extern PyTypeObject size_type;

PyObject* size_of_tuple(PyObject* tuple) {  // steals
  if (!tuple) return nullptr;
  Py_ssize_t n = PyTuple_GET_SIZE(tuple);
  PyObject* size = size_type.tp_alloc(&size_type, n);
  for (Py_ssize_t i = 0; size && i < n; ++i) PyTuple_SET_ITEM(size, i, Py_NewRef(PyTuple_GET_ITEM(tuple, i)));
  Py_DECREF(tuple);
  return size;
}
PyObject* size_new(PyTypeObject*, PyObject* args, PyObject*) {
  PyObject* source = nullptr;
  if (!PyArg_ParseTuple(args, "|O", &source)) return nullptr;
  PyObject* tuple = source ? PySequence_Tuple(source) : PyTuple_New(0);
  if (!tuple) return nullptr;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); ++i) {
    PyObject* item = PyTuple_GET_ITEM(tuple, i);
    if (!PyLong_Check(item) && !is_integer(item)) {
      PyErr_Format(PyExc_TypeError, "torch.Size() takes an iterable of 'int' (item %zd is '%s')", i,
                   Py_TYPE(item)->tp_name);
      Py_DECREF(tuple);
      return nullptr;
    }
  }
  return size_of_tuple(tuple);
}
PyObject* size_repr(PyObject* self) {
  Object list = Object::steal(PySequence_List(self));
  return list ? PyUnicode_FromFormat("torch.Size(%R)", list.get()) : nullptr;
}
PyObject* size_numel(PyObject* self, PyObject*) {
  int64_t n = 1;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self); ++i) n *= PyLong_AsLongLong(PyTuple_GET_ITEM(self, i));
  return PyLong_FromLongLong(n);
}
PyObject* size_concat(PyObject* a, PyObject* b) {
  if (!PyTuple_Check(b)) {
    PyErr_Format(PyExc_TypeError, "can only concatenate tuple (not \"%s\") to torch.Size", Py_TYPE(b)->tp_name);
    return nullptr;
  }
  return size_of_tuple(PyTuple_Type.tp_as_sequence->sq_concat(a, b));
}
PyObject* size_repeat(PyObject* a, Py_ssize_t n) {
  // An exact tuple first: repeating once would hand the Size itself back.
  Object plain = Object::steal(PyTuple_GetSlice(a, 0, PyTuple_GET_SIZE(a)));
  return plain ? size_of_tuple(PyTuple_Type.tp_as_sequence->sq_repeat(plain.get(), n)) : nullptr;
}
PyObject* size_subscript(PyObject* self, PyObject* key) {
  PyObject* item = PyTuple_Type.tp_as_mapping->mp_subscript(self, key);
  return item && PySlice_Check(key) ? size_of_tuple(item) : item;
}
PyObject* size_reduce(PyObject* self, PyObject*) {
  Object plain = Object::steal(PyTuple_GetSlice(self, 0, PyTuple_GET_SIZE(self)));
  Object list = Object::steal(PySequence_List(plain.get()));
  Object as_tuple = Object::steal(PyList_AsTuple(list.get()));
  return Py_BuildValue("O(O)", &size_type, as_tuple.get());
}
PySequenceMethods size_sequence = {.sq_concat = size_concat, .sq_repeat = size_repeat};
PyMappingMethods size_mapping = {.mp_subscript = size_subscript};
PyMethodDef size_methods[] = {{"numel", size_numel, METH_NOARGS, "Product of the sizes."},
                              {"__reduce__", size_reduce, METH_NOARGS, nullptr},
                              {nullptr, nullptr, 0, nullptr}};
PyTypeObject size_type = [] {
  PyTypeObject t = {PyVarObject_HEAD_INIT(nullptr, 0)};
  t.tp_name = "leafgrad.Size";
  t.tp_flags = Py_TPFLAGS_DEFAULT;
  t.tp_base = &PyTuple_Type;
  t.tp_new = size_new;
  t.tp_repr = size_repr;
  t.tp_as_sequence = &size_sequence;
  t.tp_as_mapping = &size_mapping;
  t.tp_methods = size_methods;
  return t;
}();

/// A NumPy scalar (numpy.float32(1), numpy.int64(2), numpy.bool(True)), told by its type's name: NumPy may not be
/// loaded.
bool is_numpy_scalar(PyObject* o) {
  PyTypeObject* type = Py_TYPE(o);
  const PyNumberMethods* number = type->tp_as_number;
  return std::strncmp(type->tp_name, "numpy.", 6) == 0 && std::strcmp(type->tp_name, "numpy.ndarray") != 0 && number &&
         (number->nb_float || number->nb_index);
}

int64_t long_as_int64(PyObject* o) {
  int64_t v = PyLong_AsLongLong(o);
  if (v == -1 && PyErr_Occurred()) {
    PyErr_Clear();
    fail(ErrorKind::Overflow, "Overflow when unpacking long: the integer does not fit 64 bits");
  }
  return v;
}

}  // namespace

void init_convert(PyObject* module) {
  for (PyTypeObject* type : {&dtype_type, &device_type, &size_type})
    if (PyType_Ready(type) < 0) throw PythonError();
  const char* aliases[][2] = {{"float", "float32"},    {"double", "float64"},    {"half", "float16"},
                              {"short", "int16"},      {"int", "int32"},         {"long", "int64"},
                              {"cfloat", "complex64"}, {"cdouble", "complex128"}};
  for (int i = 0; i < num_dtypes; ++i) {
    dtype_objects[i] = PyObject_New(DTypeObject, &dtype_type);
    dtype_objects[i]->dtype = DType(i);
    PyObject* object = reinterpret_cast<PyObject*>(dtype_objects[i]);
    if (PyObject_SetAttrString(module, name(DType(i)), object) < 0) throw PythonError();
    for (auto& alias : aliases)
      if (!std::strcmp(alias[1], name(DType(i))) && PyObject_SetAttrString(module, alias[0], object) < 0)
        throw PythonError();
  }
  if (PyObject_SetAttrString(module, "dtype", reinterpret_cast<PyObject*>(&dtype_type)) < 0 ||
      PyObject_SetAttrString(module, "device", reinterpret_cast<PyObject*>(&device_type)) < 0 ||
      PyObject_SetAttrString(module, "Size", reinterpret_cast<PyObject*>(&size_type)) < 0)
    throw PythonError();
}

Scalar item_of(const Tensor& t) {
  check(t.numel() == 1, "a Tensor with ", t.numel(), " elements cannot be converted to Scalar");
  check(!t.is_meta(), "item: a meta tensor has no value");
  return dispatch_all(t.dtype(), [&]<class T>() -> Scalar {
    T v = *t.data<T>();
    if constexpr (std::is_same_v<T, bool>)
      return Scalar(v);
    else if constexpr (is_complex_v<T>)
      return Scalar(complex128(v));
    else if constexpr (is_floating_v<T>)
      return Scalar(double(Compute<T>(v)));
    else
      return Scalar(int64_t(v));
  });
}

bool any_requires_grad(PyObject* const* args, Py_ssize_t nargs) {
  for (Py_ssize_t i = 0; i < nargs; ++i) {
    if (is_tensor(args[i]) && requires_grad(as_tensor_handle(args[i]))) return true;
    if (PyTuple_Check(args[i]) || PyList_Check(args[i])) {
      Py_ssize_t n = PySequence_Fast_GET_SIZE(args[i]);
      if (any_requires_grad(PySequence_Fast_ITEMS(args[i]), n)) return true;
    }
  }
  return false;
}

void check_layout(const char* op, PyObject* key, PyObject* value) {
  if (value == Py_None || value == Py_False) return;
  const char* what = PyUnicode_AsUTF8(key);
  Object text_of = Object::steal(PyObject_Str(value));
  const char* text = text_of ? PyUnicode_AsUTF8(text_of.get()) : "";
  bool plain =
      std::strstr(text, "strided") || std::strstr(text, "contiguous_format") || std::strstr(text, "preserve_format");
  check(plain, op, "(): ", what, "=", text, " is not supported: leafgrad's tensors are strided and on the CPU");
}

void resize_tensor(const Tensor& t, const Dims& sizes) {
  int64_t numel = checked_numel(sizes, itemsize(t.dtype())), end;
  Dims strides = contiguous_strides(sizes);
  check(!__builtin_add_overflow(numel, t.offset(), &end), "resize_: size overflows");
  int64_t bytes = end * itemsize(t.dtype());
  if (bytes > t->storage->bytes) grow_storage(t->storage, bytes);
  set_geometry(t.get(), sizes, std::move(strides));
}

namespace binding {

PyObject* dtype_to_python(DType dtype) { return Py_NewRef(reinterpret_cast<PyObject*>(dtype_objects[int(dtype)])); }

PyObject* device_to_python(Device device) {
  static PyObject* cpu = make_device(Device::Cpu, -1);
  static PyObject* meta = make_device(Device::Meta, -1);
  return Py_NewRef(device == Device::Cpu ? cpu : meta);
}

PyObject* size_to_python(const Dims& sizes) {
  PyObject* size = size_type.tp_alloc(&size_type, sizes.size());
  if (!size) throw PythonError();
  for (int64_t i = 0; i < sizes.size(); ++i) PyTuple_SET_ITEM(size, i, PyLong_FromLongLong(sizes[i]));
  return size;
}

PyObject* scalar_to_python(const Scalar& s) {
  switch (s.kind()) {
    case Kind::Boolean: return PyBool_FromLong(s.to<bool>());
    case Kind::Integral: return PyLong_FromLongLong(s.to<int64_t>());
    case Kind::Floating: return PyFloat_FromDouble(s.to<double>());
    default: {
      complex128 v = s.to<complex128>();
      return PyComplex_FromDoubles(v.real(), v.imag());
    }
  }
}

bool dtype_from_python(PyObject* object, DType* out) {
  if (Py_TYPE(object) == &dtype_type)
    *out = dtype_of_object(object);
  else if (object == reinterpret_cast<PyObject*>(&PyFloat_Type))
    *out = DType::Float64;
  else if (object == reinterpret_cast<PyObject*>(&PyLong_Type))
    *out = DType::Int64;
  else if (object == reinterpret_cast<PyObject*>(&PyBool_Type))
    *out = DType::Bool;
  else if (object == reinterpret_cast<PyObject*>(&PyComplex_Type))
    *out = DType::Complex128;
  else
    return false;
  return true;
}

bool device_from_python(PyObject* object, Device* out) {
  int index;
  if (Py_TYPE(object) == &device_type)
    *out = reinterpret_cast<DeviceObject*>(object)->device;
  else if (PyUnicode_Check(object))
    *out = parse_device(PyUnicode_AsUTF8(object), &index);
  else
    return false;
  return true;
}

bool is_number(PyObject* o) {
  return PyFloat_Check(o) || PyLong_Check(o) || PyComplex_Check(o) || (!is_tensor(o) && is_numpy_scalar(o));
}

bool is_integer(PyObject* o) {
  if (PyLong_CheckExact(o)) return true;
  if (PyBool_Check(o)) return false;
  if (is_tensor(o)) {
    Tensor t = as_tensor_handle(o);
    return t.numel() == 1 && t.dim() == 0 && is_integral(t.dtype(), /*with_bool=*/false);
  }
  return PyLong_Check(o) || PyIndex_Check(o);
}

Scalar scalar_from_python(PyObject* o) {
  if (PyFloat_Check(o)) return PyFloat_AS_DOUBLE(o);
  if (PyBool_Check(o)) return o == Py_True;
  if (PyLong_Check(o)) return long_as_int64(o);
  if (PyComplex_Check(o)) return complex128(PyComplex_RealAsDouble(o), PyComplex_ImagAsDouble(o));
  if (is_tensor(o)) return item_of(as_tensor_handle(o));
  // A NumPy scalar knows its Python equivalent.
  Object plain = Object::steal(PyObject_CallMethod(o, "item", nullptr));
  if (!plain) throw PythonError();
  check_type(!is_numpy_scalar(plain.get()), "a number of type ", Py_TYPE(o)->tp_name, " has no Python equivalent");
  return scalar_from_python(plain.get());
}

int64_t integer_from_python(PyObject* o) {
  if (PyLong_Check(o)) return long_as_int64(o);
  Object index = Object::steal(PyNumber_Index(o));
  if (!index) throw PythonError();
  return long_as_int64(index.get());
}

double double_from_python(PyObject* o) {
  double v = PyFloat_AsDouble(o);
  if (v == -1 && PyErr_Occurred()) throw PythonError();
  return v;
}

bool is_dims(PyObject* o) {
  if (PyTuple_Check(o) || PyList_Check(o)) {
    Py_ssize_t n = PySequence_Fast_GET_SIZE(o);
    PyObject** items = PySequence_Fast_ITEMS(o);
    for (Py_ssize_t i = 0; i < n; ++i)
      if (!is_integer(items[i])) return false;
    return true;
  }
  return is_integer(o);
}

Dims dims_from_python(PyObject* o) {
  Dims dims;
  if (PyTuple_Check(o) || PyList_Check(o)) {
    // An item's __index__ may run Python code that changes a list: hold a tuple.
    Object items = PyTuple_Check(o) ? Object::borrow(o) : Object::steal(PyList_AsTuple(o));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items.get()); ++i)
      dims.push_back(integer_from_python(PyTuple_GET_ITEM(items.get(), i)));
  } else {
    dims.push_back(integer_from_python(o));
  }
  return dims;
}

bool is_tensor_sequence(PyObject* o) {
  if (!PyTuple_Check(o) && !PyList_Check(o)) return false;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i)
    if (!is_tensor(PySequence_Fast_ITEMS(o)[i])) return false;
  return true;
}

Tensors tensors_from_python(PyObject* o) {
  Tensors ts;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i)
    ts.push_back(as_tensor_handle(PySequence_Fast_ITEMS(o)[i]));
  return ts;
}

Tensor wrapped_number(PyObject* number) {
  if (PyFloat_CheckExact(number)) {
    Tensor t = make_tensor(Dims(), DType::Float64);
    *t.data<double>() = PyFloat_AS_DOUBLE(number);
    t->wrapped_number = true;
    return t;
  }
  return lg::number(scalar_from_python(number));
}

bool From<Scalar>::accepts(PyObject* o, const Arg&) {
  return is_number(o) || (is_tensor(o) && as_tensor_handle(o).dim() == 0 && !requires_grad(as_tensor_handle(o)));
}
bool From<double>::accepts(PyObject* o, const Arg&) {
  return !PyComplex_Check(o) && (is_number(o) || (is_tensor(o) && as_tensor_handle(o).dim() == 0));
}
std::string From<std::string>::convert(PyObject* o, const Arg&) {
  const char* utf8 = PyUnicode_AsUTF8(o);
  if (!utf8) throw PythonError();
  return utf8;
}

PyObject* to_python(const Overload& o, Tensors ts) {
  PyObject* tuple = o.named ? PyStructSequence_New(o.named) : PyTuple_New(Py_ssize_t(ts.size()));
  if (!tuple) throw PythonError();
  for (size_t i = 0; i < ts.size(); ++i) {
    PyObject* item = ts[i] ? ts[i].release() : Py_NewRef(Py_None);
    if (o.named)
      PyStructSequence_SetItem(tuple, Py_ssize_t(i), item);
    else
      PyTuple_SET_ITEM(tuple, Py_ssize_t(i), item);
  }
  return tuple;
}

PyObject* raise_current() noexcept {
  try {
    throw;
  } catch (const PythonError&) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_RuntimeError, "leafgrad bug: an exception was announced but not set");
  } catch (const Error& e) { PyErr_SetString(exception_class(e.kind), e.what()); } catch (const std::bad_alloc&) {
    PyErr_SetString(exception_class(ErrorKind::Memory), "leafgrad: the system has no more memory");
  } catch (const std::exception& e) { PyErr_Format(PyExc_RuntimeError, "leafgrad bug: %s", e.what()); }
  return nullptr;
}

}  // namespace binding

/// Out of memory is a MemoryError, as Python has it, and a RuntimeError, as PyTorch has it.
static PyObject* out_of_memory_class() {
  static PyObject* made = [] {
    Object bases = Object::steal(PyTuple_Pack(2, PyExc_MemoryError, PyExc_RuntimeError));
    return PyErr_NewExceptionWithDoc("leafgrad.OutOfMemoryError", "Memory could not be had.", bases.get(), nullptr);
  }();
  return made;
}

PyObject* exception_class(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::Runtime: return PyExc_RuntimeError;
    case ErrorKind::Value: return PyExc_ValueError;
    case ErrorKind::Type: return PyExc_TypeError;
    case ErrorKind::Index: return PyExc_IndexError;
    case ErrorKind::Attribute: return PyExc_AttributeError;
    case ErrorKind::NotImplemented: return PyExc_NotImplementedError;
    case ErrorKind::Overflow: return PyExc_OverflowError;
    case ErrorKind::Memory: return out_of_memory_class() ? out_of_memory_class() : PyExc_MemoryError;
    case ErrorKind::Buffer: return PyExc_BufferError;
    case ErrorKind::ZeroDivision: return PyExc_ZeroDivisionError;
    case ErrorKind::LinAlg: return PyExc_RuntimeError;
  }
  return PyExc_RuntimeError;
}

}  // namespace lg
