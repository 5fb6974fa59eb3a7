// DLPack: the protocol by which array libraries hand memory to each other, https://dmlc.github.io/dlpack.
//
// The structs below are its C interface.  A capsule may be consumed once: the consumer renames it and calls the deleter
// when it is done.  Legacy capsules ("dltensor") know neither version nor flags; versioned ones can say "read-only".
#include <memory>

#include "ops/ops.h"
#include "python/convert.h"
#include "python/numpy.h"

namespace lg {

using namespace binding;

namespace {

struct DLDevice {
  int32_t type, id;
};
struct DLDataType {
  uint8_t code, bits;
  uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t* shape;
  int64_t* strides;  // in elements; null: row-major without gaps
  uint64_t byte_offset;
};
struct Legacy {
  DLTensor tensor;
  void* context;
  void (*deleter)(Legacy*);
  static constexpr const char *name = "dltensor", *used_name = "used_dltensor";
};
struct Versioned {
  uint32_t major, minor;
  void* context;
  void (*deleter)(Versioned*);
  uint64_t flags;
  DLTensor tensor;
  static constexpr const char *name = "dltensor_versioned", *used_name = "used_dltensor_versioned";
};
constexpr int32_t cpu_device = 1;
constexpr uint64_t read_only_flag = 1, copied_flag = 2;
enum Code : uint8_t { Int = 0, UInt = 1, Float = 2, BFloat = 4, ComplexCode = 5, BoolCode = 6 };

DLDataType dlpack_type(DType d) {
  uint8_t bits = uint8_t(8 * itemsize(d));
  switch (info(d).kind) {
    case Kind::Boolean: return {BoolCode, bits, 1};
    case Kind::Integral: return {d == DType::UInt8 ? UInt : Int, bits, 1};
    case Kind::Floating: return {d == DType::BFloat16 ? BFloat : Float, bits, 1};
    default: return {ComplexCode, bits, 1};
  }
}

DType dtype_of_dlpack(DLDataType type) {
  for (const DTypeInfo& candidate : dtype_infos) {
    DLDataType ours = dlpack_type(candidate.dtype);
    if (ours.code == type.code && ours.bits == type.bits && type.lanes == 1) return candidate.dtype;
  }
  fail(ErrorKind::Buffer, "from_dlpack: unsupported data type: code ", int(type.code), ", ", int(type.bits), " bits, ",
       type.lanes, " lanes");
}

// ---- out

/// What an exported capsule owns.  Its deleter may be called from a thread without the GIL.
template <class Managed>
struct Export {
  Managed managed;
  Tensor tensor;
  Dims sizes, strides;

  static void destroy(Managed* managed) {
    PyGILState_STATE state = PyGILState_Ensure();
    delete static_cast<Export*>(managed->context);
    PyGILState_Release(state);
  }
};

template <class Managed>
void destroy_capsule(PyObject* capsule) {
  if (!PyCapsule_IsValid(capsule, Managed::name)) return;  // consumed
  auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, Managed::name));
  managed->deleter(managed);
}

template <class Managed>
PyObject* export_capsule(const Tensor& t, uint64_t flags) {
  auto owned = std::make_unique<Export<Managed>>();
  owned->tensor = make_alias(t);
  owned->sizes = t.sizes();
  owned->strides = t.strides();
  pin_storage(t);
  owned->managed.tensor = {
      t.data(), {cpu_device, 0}, int32_t(t.dim()), dlpack_type(t.dtype()), owned->sizes.data(), owned->strides.data(),
      0};
  owned->managed.context = owned.get();
  owned->managed.deleter = &Export<Managed>::destroy;
  if constexpr (std::is_same_v<Managed, Versioned>) {
    owned->managed.major = 1;
    owned->managed.minor = 0;
    owned->managed.flags = flags;
  }
  PyObject* capsule = PyCapsule_New(&owned->managed, Managed::name, &destroy_capsule<Managed>);
  if (!capsule) throw PythonError();
  owned.release();
  return capsule;
}

PyObject* to_dlpack(const Tensor& source, bool versioned, bool copy) {
  if (requires_grad(source)) fail(ErrorKind::Buffer, "Can't export tensors that require gradient, use tensor.detach()");
  if (source.is_meta()) fail(ErrorKind::Buffer, "Cannot pack tensors on meta");
  Tensor t = copy ? clone(source) : source;
  if (versioned)
    return export_capsule<Versioned>(t, (t->storage->read_only ? read_only_flag : 0) | (copy ? copied_flag : 0));
  if (t->storage->read_only)
    fail(ErrorKind::Buffer, "__dlpack__: a legacy capsule cannot say that memory is read-only");
  return export_capsule<Legacy>(t, 0);
}

/// max_version: a pair of integers, or None for a consumer that knows only legacy capsules.
bool wants_versioned(PyObject* version) {
  if (!version || version == Py_None) return false;
  Dims numbers = is_dims(version) ? dims_from_python(version) : Dims();
  check_type(numbers.size() == 2, "__dlpack__: max_version must be None or a pair of ints");
  return numbers[0] >= 1;
}

void check_target(PyObject* device) {
  if (!device || device == Py_None) return;
  Dims numbers = is_dims(device) ? dims_from_python(device) : Dims();
  check_type(numbers.size() == 2, "__dlpack__: dl_device must be None or a pair of ints");
  if (numbers[0] != cpu_device)
    fail(ErrorKind::Buffer, "__dlpack__: only the cpu device (1, 0) is available, not ", numbers);
}

// ---- in

/// Owns a consumed struct: a capsule whose destructor calls the producer's deleter.
template <class Managed>
Object owner_of(Managed* managed) {
  Object owner = Object::steal(PyCapsule_New(managed, "leafgrad.dlpack", [](PyObject* capsule) {
    auto* held = static_cast<Managed*>(PyCapsule_GetPointer(capsule, "leafgrad.dlpack"));
    if (held->deleter) held->deleter(held);
  }));
  if (!owner) throw PythonError();
  return owner;
}

Tensor tensor_over(const DLTensor& source, PyObject* owner, bool read_only) {
  if (source.device.type != cpu_device)
    fail(ErrorKind::Buffer, "from_dlpack: the memory is not on the cpu: device type ", source.device.type);
  DType dtype = dtype_of_dlpack(source.dtype);
  check(source.ndim >= 0 && source.ndim <= 64, "from_dlpack: ", source.ndim, " dimensions");
  Dims sizes(source.shape, source.ndim);
  int64_t numel = checked_numel(sizes, itemsize(dtype)), last = 0;
  Dims strides = source.strides && numel ? Dims(source.strides, source.ndim) : contiguous_strides(sizes);
  for (int64_t d = 0; d < source.ndim; ++d) {
    if (sizes[d] == 1) strides[d] = 1;
    check_value(strides[d] >= 0, "from_dlpack: negative strides are not supported: ", strides);
    int64_t step;
    bool fits = !__builtin_mul_overflow(sizes[d] - 1, strides[d], &step) && !__builtin_add_overflow(last, step, &last);
    check(fits || numel == 0, "from_dlpack: strides overflow: ", strides);
  }
  char* data = static_cast<char*>(source.data) + source.byte_offset;
  check(numel == 0 || source.data, "from_dlpack: the capsule has no memory");
  check(reinterpret_cast<uintptr_t>(data) % uintptr_t(itemsize(real_of(dtype))) == 0 || numel == 0,
        "from_dlpack: the memory is not aligned for ", dtype);
  return make_borrowed(data, numel ? (last + 1) * itemsize(dtype) : 0, sizes, strides, dtype, owner, read_only);
}

template <class Managed>
Tensor consume(PyObject* capsule) {
  auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, Managed::name));
  if (!managed) throw PythonError();
  bool read_only = false;
  if constexpr (std::is_same_v<Managed, Versioned>) {
    if (managed->major != 1)
      fail(ErrorKind::Buffer, "from_dlpack: DLPack version ", managed->major, " is not supported");
    read_only = managed->flags & read_only_flag;
  }
  if (PyCapsule_SetName(capsule, Managed::used_name) < 0) throw PythonError();
  return tensor_over(managed->tensor, owner_of(managed).get(), read_only);
}

Tensor from_capsule(PyObject* capsule) {
  if (PyCapsule_IsValid(capsule, Versioned::name)) return consume<Versioned>(capsule);
  if (PyCapsule_IsValid(capsule, Legacy::name)) return consume<Legacy>(capsule);
  fail(ErrorKind::Runtime,
       "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only once, so you "
       "might have already constructed a tensor from it once.");
}

/// Asks for a versioned capsule, and again in the old way if the producer does not know the argument.
Object capsule_of(PyObject* producer) {
  Object method = Object::steal(PyObject_GetAttrString(producer, "__dlpack__"));
  Object none = Object::steal(PyTuple_New(0)), options = Object::steal(Py_BuildValue("{s:(ii)}", "max_version", 1, 0));
  if (!method || !none || !options) throw PythonError();
  PyObject* capsule = PyObject_Call(method.get(), none.get(), options.get());
  if (!capsule && PyErr_ExceptionMatches(PyExc_TypeError)) {
    PyErr_Clear();
    capsule = PyObject_CallNoArgs(method.get());
  }
  if (!capsule) throw PythonError();
  Object held = Object::steal(capsule);
  check_type(PyCapsule_CheckExact(capsule), "from_dlpack: __dlpack__ gave a ", Py_TYPE(capsule)->tp_name,
             ", not a capsule");
  return held;
}

PyObject* py_from_dlpack(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&] {
    static const char* const names[] = {"ext_tensor", "device", "copy"};
    PyObject* values[3];
    parse_arguments("from_dlpack", names, 3, 1, 1, args, nargs, kwnames, values);
    std::optional<bool> copy;
    if (values[2] && values[2] != Py_None) copy = optional_bool("from_dlpack", "copy", values[2], false);
    return from_dlpack(values[0], optional_device("from_dlpack", values[1]), copy).release();
  });
}

PyObject* py_to_dlpack(PyObject*, PyObject* tensor) {
  return guarded([&] {
    check_type(is_tensor(tensor), "to_dlpack: expected a tensor, got ", Py_TYPE(tensor)->tp_name);
    return to_dlpack(as_tensor_handle(tensor), false, false);
  });
}

}  // namespace

Tensor from_dlpack(PyObject* object, std::optional<Device> device, std::optional<bool> copy) {
  check_value(!device || *device == Device::Cpu, "from_dlpack: only device 'cpu' is available");
  bool capsule = PyCapsule_CheckExact(object);
  check_type(capsule || PyObject_HasAttrString(object, "__dlpack__"),
             "from_dlpack: expected a DLPack capsule or an object with "
             "__dlpack__, but got ",
             Py_TYPE(object)->tp_name);
  Tensor t = from_capsule(capsule ? object : capsule_of(object).get());
  return copy.value_or(false) ? clone(t) : t;
}

PyObject* tensor_dlpack(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&] {
    static const char* const names[] = {"stream", "max_version", "dl_device", "copy"};
    PyObject* values[4];
    parse_arguments("__dlpack__", names, 4, 0, 0, args, nargs, kwnames, values);
    bool no_stream =
        !values[0] || values[0] == Py_None || (PyLong_Check(values[0]) && integer_from_python(values[0]) == -1);
    check_value(no_stream, "__dlpack__: stream should be None on cpu.");
    check_target(values[2]);
    return to_dlpack(as_tensor_handle(self), wants_versioned(values[1]),
                     optional_bool("__dlpack__", "copy", values[3], false));
  });
}

PyObject* tensor_dlpack_device(PyObject* self, PyObject*) {
  return guarded([&] {
    check_value(!as_tensor_handle(self).is_meta(), "Unknown device type meta for Dlpack");
    return Py_BuildValue("(ii)", int(cpu_device), 0);
  });
}

PyMethodDef dlpack_methods[] = {
    {"from_dlpack", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(py_from_dlpack)),
     METH_FASTCALL | METH_KEYWORDS, "Tensor over the memory of a DLPack capsule, or of an object with __dlpack__."},
    {"to_dlpack", py_to_dlpack, METH_O, "Legacy DLPack capsule over the tensor's memory."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace lg
