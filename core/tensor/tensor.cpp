// Making and freeing tensors.  A tensor is a Python object: exact Tensors are recycled through a free list, subclasses
// go through their type's allocator.
#include "tensor/tensor.h"

#include "autograd/autograd.h"

namespace lg {

namespace {

PyTypeObject* type_ = nullptr;

constexpr int free_list_limit = 32768;
PyObject* free_list[free_list_limit];
int free_count = 0;

TensorObject* newest = nullptr;  // of all that are alive

void link(TensorObject* t) {
  t->newer = nullptr;
  t->older = newest;
  if (newest) newest->newer = t;
  newest = t;
}
void unlink(TensorObject* t) {
  (t->newer ? t->newer->older : newest) = t->older;
  if (t->older) t->older->newer = t->newer;
}

/// Memory with a valid object header (one reference) and every field constructed but storage and version.
TensorObject* new_object(PyTypeObject* type) {
  PyObject* object;
  if (type == type_) {
    if (free_count) {
      object = PyObject_Init(free_list[--free_count], type);
    } else {
      object = reinterpret_cast<PyObject*>(_PyObject_GC_New(type));
    }
  } else {
    object = type->tp_alloc(type, 0);
  }
  if (!object) throw PythonError();
  auto* t = reinterpret_cast<TensorObject*>(object);
  t->dict = nullptr;
  t->weakrefs = nullptr;
  t->storage = nullptr;
  t->version = nullptr;
  t->offset = 0;
  t->numel = 0;
  new (&t->sizes) Dims();
  new (&t->strides) Dims();
  t->device = Device::Cpu;
  t->requires_grad = false;
  t->wrapped_number = false;
  t->inference = thread_mode.inference;
  t->contiguous = true;
  t->origin = thread_mode.asked ? Origin::Operator : Origin::NoGrad;
  t->output_nr = 0;
  t->grad_fn = nullptr;
  t->grad = nullptr;
  t->extra = nullptr;
  link(t);
  return t;
}

/// Elements from the first to past the last that (sizes, strides) reach; checks for overflow.
int64_t extent(const Dims& sizes, const Dims& strides) {
  int64_t last = 0;
  for (int64_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0) return 0;
    int64_t step;
    check(!__builtin_mul_overflow(sizes[i] - 1, strides[i], &step) && !__builtin_add_overflow(last, step, &last),
          "Storage size calculation overflowed with sizes=", sizes, " and strides=", strides);
  }
  return last + 1;
}

void check_geometry(const char* what, const Dims& sizes, const Dims& strides, int64_t offset, DType dtype,
                    const Storage* storage) {
  check(sizes.size() == strides.size(), what, ": mismatch in length of strides and shape: sizes ", sizes, ", strides ",
        strides);
  for (int64_t s : strides) check(s >= 0, what, ": negative strides are not supported, got ", strides);
  check(offset >= 0, what, ": the storage offset must not be negative, got ", offset);
  checked_numel(sizes, itemsize(dtype));
  int64_t count = extent(sizes, strides), end, bytes;
  if (count == 0) return;
  bool fits = !__builtin_add_overflow(offset, count, &end) && !__builtin_mul_overflow(end, itemsize(dtype), &bytes) &&
              bytes <= storage->bytes;
  check(fits, "setStorage: sizes ", sizes, ", strides ", strides, ", storage offset ", offset, ", and itemsize ",
        itemsize(dtype), " reach out of bounds for storage of size ", storage->bytes);
}

}  // namespace

PyTypeObject* tensor_type() { return type_; }
void set_tensor_type(PyTypeObject* type) { type_ = type; }

void set_geometry(TensorObject* t, Dims sizes, Dims strides) {
  t->numel = product(sizes);
  t->contiguous = is_contiguous(sizes, strides);
  t->sizes = std::move(sizes);
  t->strides = std::move(strides);
}

/// The error of a refused allocation, with the tensor that it was for.
[[noreturn, gnu::cold]] static void refuse(const Error& error, const Dims& sizes, DType dtype) {
  throw Error(error.kind, text(error.message, " It was for a tensor of shape ", sizes, " and dtype ", dtype, "."));
}

Tensor make_tensor(Dims sizes, DType dtype, Device device) {
  int64_t numel = checked_numel(sizes, itemsize(dtype));
  Storage* storage;
  try {
    storage = new_storage(numel * itemsize(dtype), device);
  } catch (const Error& error) { refuse(error, sizes, dtype); }
  TensorObject* t = new_object(type_);
  t->storage = storage;
  t->version = new_version();
  t->dtype = dtype;
  t->device = device;
  t->numel = numel;
  t->strides = contiguous_strides(sizes);
  t->sizes = std::move(sizes);
  return Tensor::steal(t);
}

Tensor make_strided(Dims sizes, Dims strides, DType dtype, Device device) {
  checked_numel(sizes, itemsize(dtype));
  for (int64_t s : strides) check(s >= 0, "empty_strided: strides must not be negative, got ", strides);
  int64_t bytes;
  check(!__builtin_mul_overflow(extent(sizes, strides), itemsize(dtype), &bytes),
        "Storage size calculation overflowed with sizes=", sizes, " and strides=", strides);
  Storage* storage = new_storage(bytes, device);
  TensorObject* t = new_object(type_);
  t->storage = storage;
  t->version = new_version();
  t->dtype = dtype;
  t->device = device;
  set_geometry(t, std::move(sizes), std::move(strides));
  return Tensor::steal(t);
}

static inline Tensor share(PyTypeObject* type, const Tensor& like) {
  TensorObject* t = new_object(type);
  t->storage = like->storage;
  retain(t->storage);
  t->version = like->version;
  retain(t->version);
  t->dtype = like->dtype;
  t->device = like->device;
  t->inference = like->inference;
  t->offset = like->offset;
  return Tensor::steal(t);
}

Tensor make_part(const Tensor& like, const Dims& sizes, const Dims& strides, int64_t offset) {
  Tensor t = share(type_, like);
  t->offset = offset;
  t->numel = product(sizes);
  t->contiguous = is_contiguous(sizes, strides);
  t->sizes = sizes;
  t->strides = strides;
  return t;
}

Tensor make_alias(const Tensor& like, const Dims& sizes, const Dims& strides, int64_t offset) {
  check_geometry("as_strided", sizes, strides, offset, like.dtype(), like->storage);
  return make_part(like, sizes, strides, offset);
}

Tensor make_object(PyTypeObject* type, const Tensor& like) {
  Tensor t = share(type, like);
  t->sizes = like->sizes;
  t->strides = like->strides;
  t->numel = like->numel;
  t->contiguous = like->contiguous;
  return t;
}

Tensor make_alias(const Tensor& like) { return make_object(type_, like); }

Tensor make_borrowed(void* data, int64_t storage_bytes, Dims sizes, Dims strides, DType dtype, PyObject* owner,
                     bool read_only) {
  Storage* storage = borrow_storage(data, storage_bytes, owner, read_only);
  TensorObject* t;
  try {
    check_geometry("from_buffer", sizes, strides, 0, dtype, storage);
    t = new_object(type_);
  } catch (...) {
    release(storage);
    throw;
  }
  t->storage = storage;
  t->version = new_version();
  t->dtype = dtype;
  t->origin = Origin::User;
  set_geometry(t, std::move(sizes), std::move(strides));
  return Tensor::steal(t);
}

void track(TensorObject* t) {
  PyObject* object = reinterpret_cast<PyObject*>(t);
  if (!PyObject_GC_IsTracked(object)) PyObject_GC_Track(object);
}

Tensors live_tensors() {
  Tensors all;
  for (TensorObject* t = newest; t; t = t->older)
    if (t->storage && Py_REFCNT(t) > 0) all.push_back(Tensor::borrow(t));  // 0: it is being freed just now
  return all;
}

void tensor_dealloc(PyObject* self) {
  auto* t = reinterpret_cast<TensorObject*>(self);
  PyObject_GC_UnTrack(self);
  unlink(t);
  if (t->weakrefs) PyObject_ClearWeakRefs(self);
  Py_CLEAR(t->dict);
  if (t->extra) delete std::exchange(t->extra, nullptr);
  Py_CLEAR(t->grad);
  Py_CLEAR(t->grad_fn);
  if (t->storage) release(t->storage);
  if (t->version) release(t->version);
  t->sizes.~Dims();
  t->strides.~Dims();
  PyTypeObject* type = Py_TYPE(self);
  if (type == type_ && free_count < free_list_limit)
    free_list[free_count++] = self;
  else
    type->tp_free(self);
  Py_DECREF(type);
}

}  // namespace lg
