// Memory of other Python objects as tensors, tensors' memory for others, and the functions that take data in.
//
// Everything goes through the buffer protocol: a memoryview holds the exporter's memory for as long as the tensor
// lives, so a bytearray cannot be resized under it.  The other way, a view of a tensor holds an alias of it, which
// keeps the storage whatever happens to the tensor itself.
#include "python/numpy.h"

#include <cstring>
#include <memory>

#include "ops/ops.h"
#include "python/convert.h"

namespace lg {

using namespace binding;

namespace {

// ---- formats of the struct module

const char* format_of(DType d) {
  switch (d) {
    case DType::Bool: return "?";
    case DType::UInt8: return "B";
    case DType::Int8: return "b";
    case DType::Int16: return "h";
    case DType::Int32: return "i";
    case DType::Int64: return sizeof(long) == 8 ? "l" : "q";
    case DType::Float16: return "e";
    case DType::Float32: return "f";
    case DType::Float64: return "d";
    case DType::Complex64: return "Zf";
    case DType::Complex128: return "Zd";
    case DType::BFloat16: break;
  }
  return nullptr;
}

std::optional<DType> dtype_of_format(const char* format, int64_t size) {
  if (std::strchr("@=<|", *format) && *format) ++format;
  if (format[0] == 'Z' && format[1] && !format[2]) {
    if (format[1] == 'f') return DType::Complex64;
    if (format[1] == 'd') return DType::Complex128;
    return {};
  }
  if (!format[0] || format[1]) return {};
  switch (*format) {
    case '?': return DType::Bool;
    case 'e': return DType::Float16;
    case 'f': return DType::Float32;
    case 'd': return DType::Float64;
    case 'b':
    case 'h':
    case 'i':
    case 'l':
    case 'q': return size == 1 ? DType::Int8 : size == 2 ? DType::Int16 : size == 4 ? DType::Int32 : DType::Int64;
    case 'B': return DType::UInt8;
    default: return {};
  }
}

Object attribute(PyObject* object, const char* name) {
  Object value = Object::steal(PyObject_GetAttrString(object, name));
  if (!value) throw PythonError();
  return value;
}

[[noreturn]] void refuse_element_type(PyObject* object) {
  PyErr_Clear();
  std::string type = Py_TYPE(object)->tp_name;
  if (is_ndarray(object)) {
    Object name = attribute(attribute(attribute(object, "dtype").get(), "type").get(), "__name__");
    type = std::string("np.ndarray of type numpy.") + PyUnicode_AsUTF8(name.get());
  }
  fail(ErrorKind::Type, "can't convert ", type,
       ". The only supported types are: float64, float32, float16, complex64, complex128, "
       "int64, int32, int16, int8, uint8, and bool.");
}

/// The object's memory, held by a memoryview.
struct Memory {
  Object view;
  Py_buffer* buffer;
  DType dtype;

  explicit Memory(PyObject* object) : view(Object::steal(PyMemoryView_FromObject(object))) {
    if (!view) refuse_element_type(object);
    buffer = PyMemoryView_GET_BUFFER(view.get());
    const char* format = buffer->format ? buffer->format : "B";
    check_value(
        (*format != '>' && *format != '!') || buffer->itemsize == 1,
        "given numpy array has byte order different from the native byte order. Conversion between byte orders is "
        "currently not supported: use array.astype(array.dtype.newbyteorder('='))");
    std::optional<DType> known =
        dtype_of_format(*format == '>' || *format == '!' ? format + 1 : format, buffer->itemsize);
    if (!known || itemsize(*known) != buffer->itemsize) refuse_element_type(object);
    dtype = *known;
  }
};

/// Is each element where the hardware wants it?
bool is_aligned(const void* data, DType dtype) {
  return reinterpret_cast<uintptr_t>(data) % uintptr_t(itemsize(real_of(dtype))) == 0;
}

/// Copies element by element, whatever the alignment.
void copy_bytes(const Py_buffer* from, const Tensor& to) {
  int64_t ndim = to.dim(), size = from->itemsize;
  Dims index(ndim);
  char* out = static_cast<char*>(to.data());
  for (int64_t i = 0; i < to.numel(); ++i, out += size) {
    const char* in = static_cast<const char*>(from->buf);
    for (int64_t d = 0; d < ndim; ++d) in += index[d] * from->strides[d];
    std::memcpy(out, in, size_t(size));
    for (int64_t d = ndim - 1; d >= 0 && ++index[d] == to.size(d); --d) index[d] = 0;
  }
}

}  // namespace

bool is_ndarray(PyObject* object) {
  static PyTypeObject* ndarray = nullptr;
  if (ndarray) return PyObject_TypeCheck(object, ndarray);
  if (std::strncmp(Py_TYPE(object)->tp_name, "numpy.", 6) != 0 &&
      !PyType_HasFeature(Py_TYPE(object), Py_TPFLAGS_HEAPTYPE))
    return false;
  Object name = Object::steal(PyUnicode_FromString("numpy"));
  Object numpy = Object::steal(PyImport_GetModule(name.get()));
  Object type = numpy ? Object::steal(PyObject_GetAttrString(numpy.get(), "ndarray")) : Object();
  if (!type) {  // not loaded, or half way through its own import
    PyErr_Clear();
    return false;
  }
  ndarray = reinterpret_cast<PyTypeObject*>(type.release());
  return PyObject_TypeCheck(object, ndarray);
}

bool is_numpy_scalar(PyObject* object) {
  return std::strncmp(Py_TYPE(object)->tp_name, "numpy.", 6) == 0 && !is_ndarray(object) &&
         PyObject_CheckBuffer(object);
}

DType dtype_of_buffer(PyObject* object) { return Memory(object).dtype; }

Tensor tensor_over_buffer(PyObject* object) {
  Memory memory(object);
  Py_buffer* b = memory.buffer;
  Dims sizes, strides;
  bool aligned = is_aligned(b->buf, memory.dtype), empty = false;
  int64_t last = 0;
  for (int d = 0; d < b->ndim; ++d) {
    check_value(
        b->strides[d] >= 0 || b->shape[d] <= 1,
        "At least one stride in the given numpy array is negative, and tensors with negative strides are not currently "
        "supported. Make a copy first: array.copy()");
    int64_t stride = b->shape[d] <= 1 ? b->itemsize : b->strides[d];
    aligned = aligned && stride % b->itemsize == 0;
    empty = empty || b->shape[d] == 0;
    sizes.push_back(b->shape[d]);
    strides.push_back(stride / b->itemsize);
    last += (b->shape[d] - 1) * strides.back();
  }
  if (aligned)
    return make_borrowed(b->buf, empty ? 0 : (last + 1) * b->itemsize, sizes,
                         empty ? contiguous_strides(sizes) : strides, memory.dtype, memory.view.get(), b->readonly);
  Tensor t = make_tensor(sizes, memory.dtype);
  copy_bytes(b, t);
  return t;
}

// ---- a tensor's own buffer

namespace {

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  view->obj = nullptr;
  try {
    Tensor t = as_tensor_handle(self);
    auto refuse = [](const auto&... parts) { fail(ErrorKind::Buffer, parts...); };
    if (requires_grad(t)) refuse("Can't export tensors that require gradient, use tensor.detach()");
    if (t.is_meta()) refuse("a meta tensor has no memory to export");
    if (!format_of(t.dtype())) refuse("the buffer protocol has no format for ", t.dtype());
    if ((flags & PyBUF_WRITABLE) && t->storage->read_only) refuse("the tensor's memory is read-only");
    bool by_columns = t.dim() == 2 && t.size(0) > 0 && t.stride(0) == 1 && t.stride(1) == t.size(0);
    bool wants_c = !(flags & PyBUF_STRIDES & ~PyBUF_ND) || (flags & PyBUF_C_CONTIGUOUS) == PyBUF_C_CONTIGUOUS;
    bool wants_f = (flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS;
    bool wants_any = (flags & PyBUF_ANY_CONTIGUOUS) == PyBUF_ANY_CONTIGUOUS;
    if (wants_c && !t.is_contiguous()) refuse("the tensor is not contiguous");
    if (wants_f && !by_columns && !(t.is_contiguous() && t.dim() < 2)) refuse("the tensor is not Fortran contiguous");
    if (wants_any && !t.is_contiguous() && !by_columns) refuse("the tensor is not contiguous");
    Tensor alias = make_alias(t);
    auto geometry = std::make_unique<Py_ssize_t[]>(size_t(2 * t.dim() + 1));
    for (int64_t d = 0; d < t.dim(); ++d) {
      geometry[size_t(d)] = t.size(d);
      geometry[size_t(t.dim() + d)] = t.stride(d) * itemsize(t.dtype());
    }
    pin_storage(t);
    view->buf = t.data();
    view->len = t.bytes();
    view->itemsize = itemsize(t.dtype());
    view->readonly = t->storage->read_only;
    view->ndim = int(t.dim());
    view->format = (flags & PyBUF_FORMAT) ? const_cast<char*>(format_of(t.dtype())) : nullptr;
    view->shape = (flags & PyBUF_ND) ? geometry.get() : nullptr;
    view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? geometry.get() + t.dim() : nullptr;
    view->suboffsets = nullptr;
    view->internal = geometry.release();
    view->obj = alias.release();
    return 0;
  } catch (...) {
    raise_current();
    return -1;
  }
}

void release_buffer(PyObject*, Py_buffer* view) { delete[] static_cast<Py_ssize_t*>(view->internal); }

PyObject* numpy_function(const char* name) {
  Object numpy = Object::steal(PyImport_ImportModule("numpy"));
  PyObject* function = numpy ? PyObject_GetAttrString(numpy.get(), name) : nullptr;
  if (!function) throw PythonError();
  return function;
}

/// An ndarray over the tensor's memory.
PyObject* to_ndarray(const Tensor& t) {
  static PyObject* asarray = numpy_function("asarray");
  check_type(!t.is_meta(), "can't convert meta device type tensor to numpy. It has no data.");
  check_type(t.dtype() != DType::BFloat16,
             "Got unsupported ScalarType BFloat16: NumPy has no bfloat16. Use .float() first.");
  Tensor alias = make_alias(t);
  Object view = Object::steal(PyMemoryView_FromObject(alias.py()));
  PyObject* array = view ? PyObject_CallOneArg(asarray, view.get()) : nullptr;
  if (!array) throw PythonError();
  return array;
}

PyObject* to_ndarray_checked(PyObject* self) {
  Tensor t = as_tensor_handle(self);
  check(!requires_grad(t), "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.");
  return to_ndarray(t);
}

// ---- methods

PyObject* method_numpy(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&] {
    static const char* const names[] = {"force"};
    PyObject* values[1];
    parse_arguments("numpy", names, 1, 0, 0, args, nargs, kwnames, values);
    bool force = optional_bool("numpy", "force", values[0], false);
    return force ? to_ndarray(as_tensor_handle(self)) : to_ndarray_checked(self);
  });
}

/// NumPy's protocol: __array__(dtype=None, copy=None).
PyObject* method_array(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&]() -> PyObject* {
    static const char* const names[] = {"dtype", "copy"};
    PyObject* values[2];
    parse_arguments("__array__", names, 2, 2, 0, args, nargs, kwnames, values);
    Object array = Object::steal(to_ndarray_checked(self));
    bool converts = values[0] && values[0] != Py_None;
    if (converts) {
      Object dtype = Object::steal(PyObject_CallOneArg(Object::steal(numpy_function("dtype")).get(), values[0]));
      int same = dtype ? PyObject_RichCompareBool(dtype.get(), attribute(array.get(), "dtype").get(), Py_EQ) : -1;
      if (same < 0) throw PythonError();
      converts = !same;
      check_value(!converts || values[1] != Py_False, "Unable to avoid copy while creating an array as requested.");
    }
    PyObject* result = converts               ? PyObject_CallMethod(array.get(), "astype", "O", values[0])
                       : values[1] == Py_True ? PyObject_CallMethod(array.get(), "copy", nullptr)
                                              : array.release();
    if (!result) throw PythonError();
    return result;
  });
}

/// What a NumPy function made of a tensor becomes a tensor again.
PyObject* method_array_wrap(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return guarded([&] {
    check_type(nargs >= 1 && is_ndarray(args[0]), "__array_wrap__: expected an array");
    return tensor_over_buffer(args[0]).release();
  });
}

PyObject* method_tolist(PyObject* self, PyObject*) {
  return guarded([&] { return to_list(as_tensor_handle(self)); });
}

PyObject* method_item(PyObject* self, PyObject*) {
  return guarded([&] {
    Tensor t = as_tensor_handle(self);
    check(!t.is_meta(), "Tensor.item() cannot be called on meta tensors");
    return scalar_to_python(item_of(t));
  });
}

// ---- functions

/// Where a tensor of data is to go; a tensor that has none cannot come back.
Tensor on_device(const Tensor& t, std::optional<Device> device) {
  if (!device || *device == t.device()) return t;
  if (t.is_meta()) fail(ErrorKind::NotImplemented, "Cannot copy out of meta tensor; no data!");
  return make_strided(t.sizes(), t.strides(), t.dtype(), *device);
}

Tensor with_requires_grad(Tensor t, bool on) {
  t->origin = Origin::User;
  if (on) set_requires_grad(t, true);
  return t;
}

Tensor copy_of(const Tensor& t, std::optional<DType> dtype) {
  NoGrad off;
  return dtype && *dtype != t.dtype() ? to_dtype(t, *dtype) : clone(t);
}

void warn_copy_construct() {
  if (PyErr_WarnEx(
          PyExc_UserWarning,
          "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
          "sourceTensor.detach().clone().requires_grad_(True), rather than tensor(sourceTensor): the copy is a new "
          "leaf, and no gradient reaches the source. For a copy that stays in the graph use sourceTensor.clone().",
          1) < 0)
    throw PythonError();
}

/// A tensor with memory of its own.
Tensor new_tensor_of(PyObject* data, std::optional<DType> dtype, std::optional<Device> device) {
  if (is_tensor(data)) {
    warn_copy_construct();
    return on_device(detach(copy_of(as_tensor_handle(data), dtype)), device);
  }
  if (is_ndarray(data)) return on_device(copy_of(tensor_over_buffer(data), dtype), device);
  bool exports = !PySequence_Check(data) && !is_number(data) && PyObject_HasAttrString(data, "__dlpack__");
  if (exports) return on_device(copy_of(from_dlpack(data, {}, {}), dtype), device);
  bool array_like = !PySequence_Check(data) && !is_number(data) && PyObject_HasAttrString(data, "__array__");
  if (array_like) {
    Object array = Object::steal(PyObject_CallOneArg(Object::steal(numpy_function("asarray")).get(), data));
    if (!array) throw PythonError();
    return on_device(copy_of(tensor_over_buffer(array.get()), dtype), device);
  }
  return tensor_from_data(data, dtype, device.value_or(Device::Cpu));
}

PyObject* tensor(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&] {
    static const char* const names[] = {"data", "dtype", "device", "requires_grad", "pin_memory"};
    PyObject* values[5];
    parse_arguments("tensor", names, 5, 1, 1, args, nargs, kwnames, values);
    Tensor t = new_tensor_of(values[0], optional_dtype("tensor", values[1]), optional_device("tensor", values[2]));
    return with_requires_grad(std::move(t), optional_bool("tensor", "requires_grad", values[3], false)).release();
  });
}

PyObject* method_new_tensor(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&] {
    static const char* const names[] = {"data", "dtype", "device", "requires_grad"};
    PyObject* values[4];
    parse_arguments("new_tensor", names, 4, 1, 1, args, nargs, kwnames, values);
    Tensor like = as_tensor_handle(self);
    Tensor t = new_tensor_of(values[0], optional_dtype("new_tensor", values[1]).value_or(like.dtype()),
                             optional_device("new_tensor", values[2]).value_or(like.device()));
    return with_requires_grad(std::move(t), optional_bool("new_tensor", "requires_grad", values[3], false)).release();
  });
}

/// Without a copy where dtype and device allow it.
PyObject* as_tensor(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&] {
    static const char* const names[] = {"data", "dtype", "device"};
    PyObject* values[3];
    parse_arguments("as_tensor", names, 3, 3, 1, args, nargs, kwnames, values);
    std::optional<DType> dtype = optional_dtype("as_tensor", values[1]);
    std::optional<Device> device = optional_device("as_tensor", values[2]);
    bool shares = is_tensor(values[0]) || is_ndarray(values[0]);
    if (!shares) return new_tensor_of(values[0], dtype, device).release();
    Tensor t = is_tensor(values[0]) ? as_tensor_handle(values[0]) : tensor_over_buffer(values[0]);
    return on_device(dtype ? to_dtype(t, *dtype) : t, device).release();
  });
}

PyObject* from_numpy(PyObject*, PyObject* array) {
  return guarded([&] {
    check_type(is_ndarray(array), "expected np.ndarray (got ", Py_TYPE(array)->tp_name, ")");
    return tensor_over_buffer(array).release();
  });
}

/// `count` elements (-1: all) of `dtype` from byte `offset` of an object's memory.
Tensor over_bytes(PyObject* object, DType dtype, int64_t count, int64_t offset) {
  check_value(PyObject_CheckBuffer(object), "frombuffer: object does not implement Python buffer protocol.");
  Object view = Object::steal(PyMemoryView_FromObject(object));
  if (!view) throw PythonError();
  Py_buffer* b = PyMemoryView_GET_BUFFER(view.get());
  check_value(PyBuffer_IsContiguous(b, 'C'), "frombuffer: the buffer is not contiguous");
  int64_t length = b->len, size = itemsize(dtype);
  check_value(length > 0 && count != 0, "frombuffer: both buffer length (", length, ") and count (", count,
              ") must not be 0");
  check_value(offset >= 0 && offset < length, "frombuffer: offset (", offset,
              " bytes) must be non-negative and no greater than buffer length (", length, " bytes) minus 1");
  check_value(count > 0 || (length - offset) % size == 0, "frombuffer: buffer length (", length,
              " bytes) after offset (", offset, " bytes) must be a multiple of element size (", size, ")");
  check_value(count < 0 || count <= (length - offset) / size, "frombuffer: requested buffer length (", count, " * ",
              size, " bytes) after offset (", offset, " bytes) must not be greater than actual buffer length (", length,
              " bytes)");
  int64_t n = count < 0 ? (length - offset) / size : count;
  char* data = static_cast<char*>(b->buf) + offset;
  if (is_aligned(data, dtype)) return make_borrowed(data, n * size, {n}, {1}, dtype, view.get(), b->readonly);
  Tensor t = make_tensor({n}, dtype);
  std::memcpy(t.data(), data, size_t(n * size));
  return t;
}

PyObject* frombuffer(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&] {
    static const char* const names[] = {"buffer", "dtype", "count", "offset", "requires_grad"};
    PyObject* values[5];
    parse_arguments("frombuffer", names, 5, 1, 1, args, nargs, kwnames, values);
    std::optional<DType> dtype = optional_dtype("frombuffer", values[1]);
    check_type(dtype.has_value(), "frombuffer() missing 1 required positional arguments: \"dtype\"");
    int64_t count = values[2] ? integer_from_python(values[2]) : -1,
            offset = values[3] ? integer_from_python(values[3]) : 0;
    Tensor t = over_bytes(values[0], *dtype, count, offset);
    return with_requires_grad(std::move(t), optional_bool("frombuffer", "requires_grad", values[4], false)).release();
  });
}

/// What asarray may share memory with; null if it can only be copied from.
Tensor shared_tensor(PyObject* object, std::optional<DType> dtype) {
  if (is_tensor(object)) return as_tensor_handle(object);
  if (is_ndarray(object)) return tensor_over_buffer(object);
  if (PyCapsule_CheckExact(object) || (!is_number(object) && PyObject_HasAttrString(object, "__dlpack__")))
    return from_dlpack(object, {}, {});
  if (PyObject_CheckBuffer(object) && !is_number(object))
    return over_bytes(object, dtype.value_or(default_dtype()), -1, 0);
  return {};
}

PyObject* asarray(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&] {
    static const char* const names[] = {"obj", "dtype", "device", "copy", "requires_grad"};
    PyObject* values[5];
    parse_arguments("asarray", names, 5, 1, 1, args, nargs, kwnames, values);
    std::optional<DType> dtype = optional_dtype("asarray", values[1]);
    std::optional<Device> device = optional_device("asarray", values[2]);
    bool must_copy = optional_bool("asarray", "copy", values[3], false), may_copy = values[3] != Py_False;
    bool wants_grad = optional_bool("asarray", "requires_grad", values[4], false);
    Tensor t = shared_tensor(values[0], dtype);
    if (t) {
      bool converts = dtype && *dtype != t.dtype();
      check_value(may_copy || !converts, "can't alias tensor with dtype '", t.dtype(), "' into dtype '",
                  dtype.value_or(t.dtype()), "'.");
      check_value(may_copy || !device || *device == t.device(), "can't alias tensor to another device.");
      if (values[4] == Py_False && requires_grad(t)) t = detach(t);
      if (converts)
        t = to_dtype(t, *dtype);
      else if (must_copy)
        t = clone(t);
    } else {
      check_value(may_copy, "can't alias arbitrary sequence into a tensor.");
      t = tensor_from_data(values[0], dtype, Device::Cpu);
    }
    t = on_device(t, device);
    if (wants_grad && !requires_grad(t))
      t = with_requires_grad(is_tensor(values[0]) && t.is(as_tensor_handle(values[0])) ? detach(t) : t, true);
    return t.release();
  });
}

PyMethodDef functions[] = {
    {"tensor", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(tensor)), METH_FASTCALL | METH_KEYWORDS,
     "New leaf tensor with a copy of `data`: numbers, nested sequences, arrays."},
    {"as_tensor", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(as_tensor)), METH_FASTCALL | METH_KEYWORDS,
     "Tensor of `data`, sharing memory with a tensor or array where dtype and device allow it."},
    {"asarray", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(asarray)), METH_FASTCALL | METH_KEYWORDS,
     "Tensor of `obj`; `copy` says whether memory must, must not or may be copied."},
    {"from_numpy", from_numpy, METH_O, "Tensor over the memory of a NumPy array."},
    {"frombuffer", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(frombuffer)), METH_FASTCALL | METH_KEYWORDS,
     "1-dim tensor over the memory of an object with the buffer protocol."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

PyBufferProcs tensor_buffer = {get_buffer, release_buffer};

PyMethodDef numpy_methods[] = {
    {"numpy", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(method_numpy)), METH_FASTCALL | METH_KEYWORDS,
     "NumPy array over the tensor's memory; with force=True also of a tensor that requires grad."},
    {"__array__", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(method_array)), METH_FASTCALL | METH_KEYWORDS,
     nullptr},
    {"__array_wrap__", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(method_array_wrap)), METH_FASTCALL,
     nullptr},
    {"tolist", method_tolist, METH_NOARGS, "The values in nested lists; a number for a 0-dim tensor."},
    {"item", method_item, METH_NOARGS, "The value of a one-element tensor as a Python number."},
    {"new_tensor", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(method_new_tensor)),
     METH_FASTCALL | METH_KEYWORDS,
     "New tensor with a copy of `data`, with this tensor's dtype and device unless others are given."},
    {"__dlpack__", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(tensor_dlpack)), METH_FASTCALL | METH_KEYWORDS,
     nullptr},
    {"__dlpack_device__", tensor_dlpack_device, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

void init_numpy(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0 || PyModule_AddFunctions(module, dlpack_methods) < 0)
    throw PythonError();
  // NumPy's binary operators stand back for Tensor's.
  Object priority = Object::steal(PyLong_FromLong(1000));
  if (PyObject_SetAttrString(reinterpret_cast<PyObject*>(tensor_type()), "__array_priority__", priority.get()) < 0)
    throw PythonError();
}

// ---- arguments

void parse_arguments(const char* function, const char* const* names, int count, int positional, int required,
                     PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, PyObject** values) {
  check_type(nargs <= positional, function, "() takes ", positional, " positional argument", positional == 1 ? "" : "s",
             " but ", nargs, " were given");
  for (int i = 0; i < count; ++i) values[i] = i < nargs ? args[i] : nullptr;
  Py_ssize_t keywords = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
  for (Py_ssize_t k = 0; k < keywords; ++k) {
    PyObject* key = PyTuple_GET_ITEM(kwnames, k);
    int i = 0;
    while (i < count && PyUnicode_CompareWithASCIIString(key, names[i]) != 0) ++i;
    check_type(i < count, function, "() got an unexpected keyword argument '", PyUnicode_AsUTF8(key), "'");
    check_type(!values[i], function, "() got multiple values for argument '", names[i], "'");
    values[i] = args[nargs + k];
  }
  for (int i = 0; i < required; ++i)
    check_type(values[i], function, "() missing 1 required positional arguments: \"", names[i], "\"");
}

std::optional<DType> optional_dtype(const char* function, PyObject* object) {
  if (!object || object == Py_None) return {};
  DType dtype;
  check_type(dtype_from_python(object, &dtype), function, "(): argument 'dtype' must be torch.dtype, not ",
             Py_TYPE(object)->tp_name);
  return dtype;
}

std::optional<Device> optional_device(const char* function, PyObject* object) {
  if (!object || object == Py_None) return {};
  Device device;
  check_type(device_from_python(object, &device), function, "(): argument 'device' must be torch.device, not ",
             Py_TYPE(object)->tp_name);
  return device;
}

bool optional_bool(const char* function, const char* name, PyObject* object, bool fallback) {
  if (!object || object == Py_None) return fallback;
  check_type(PyBool_Check(object), function, "(): argument '", name, "' must be bool, not ", Py_TYPE(object)->tp_name);
  return object == Py_True;
}

}  // namespace lg
