// Tensor: a dtype, a shape and strides over a storage, and the hooks on which autograd hangs its part.
//
// `TensorObject` is the Python object itself; `Tensor` is the counted handle that all C++ code uses (null means "no
// tensor").  What few tensors have (a base, hooks, a retained gradient) lives apart in `TensorExtra`.
#pragma once

#include <memory>

#include "runtime/dims.h"
#include "runtime/object.h"
#include "runtime/strided.h"
#include "tensor/lens.h"
#include "tensor/storage.h"

namespace lg {

struct Kernels;
struct NodeObject;
struct TensorExtra;
// A change of the table does not concern those who only know tensors: they include kernels/table.h to call a kernel.
const Kernels& cpu_kernels();
const Kernels& meta_kernels();

/// How a tensor that does not require grad came to be.  Only messages and the leaf lens read it.
enum class Origin : uint8_t {
  Operator,  // an operator's result while gradients were recorded: no input required any
  NoGrad,    // made while they were not
  Detached,  // shares memory with a tensor that required grad
  User,      // made by a factory, or of data from outside
};

struct TensorObject {
  PyObject_HEAD PyObject* dict;  // attributes set by the user; made when first needed
  PyObject* weakrefs;
  Storage* storage;
  VersionCounter* version;
  int64_t offset;  // first element, in elements from the storage's begin
  int64_t numel;
  Dims sizes, strides;  // strides in elements
  DType dtype;
  Device device;
  bool requires_grad;           // set by the user on a leaf, by the recorder on results
  bool wrapped_number;          // stands for a Python number: lowest category in type promotion
  bool inference;               // made in inference mode: no version counter, never saved
  bool contiguous;              // row-major without gaps
  Origin origin;                // for messages
  uint32_t output_nr;           // which output of grad_fn
  NodeObject* grad_fn;          // counted; null on leaves
  TensorObject* grad;           // counted; .grad
  TensorExtra* extra;           // owned; see autograd/extra.h
  TensorObject *newer, *older;  // the list of all that are alive; see live_tensors
};

class Tensor {
 public:
  Tensor() = default;
  Tensor(std::nullptr_t) {}
  explicit Tensor(Ref<TensorObject> object) : object_(std::move(object)) {}
  static Tensor borrow(TensorObject* object) { return Tensor(Ref<TensorObject>::borrow(object)); }
  static Tensor steal(TensorObject* object) { return Tensor(Ref<TensorObject>::steal(object)); }

  explicit operator bool() const { return bool(object_); }
  bool is(const Tensor& other) const { return object_ == other.object_; }
  TensorObject* get() const { return object_.get(); }
  TensorObject* operator->() const { return object_.get(); }
  PyObject* py() const { return object_.py(); }
  PyObject* release() { return object_.release(); }
  void reset() { object_ = nullptr; }
  bool unique() const { return Py_REFCNT(object_.py()) == 1; }

  const Dims& sizes() const { return object_->sizes; }
  const Dims& strides() const { return object_->strides; }
  int64_t size(int64_t d) const { return object_->sizes[d < 0 ? d + dim() : d]; }  // d already checked
  int64_t stride(int64_t d) const { return object_->strides[d < 0 ? d + dim() : d]; }
  int64_t dim() const { return object_->sizes.size(); }
  int64_t numel() const { return object_->numel; }
  int64_t offset() const { return object_->offset; }
  DType dtype() const { return object_->dtype; }
  Device device() const { return object_->device; }
  bool is_meta() const { return object_->device == Device::Meta; }
  bool is_contiguous() const { return object_->contiguous; }
  int64_t bytes() const { return numel() * itemsize(dtype()); }

  /// First element; null on meta.
  void* data() const {
    char* base = static_cast<char*>(object_->storage->data);
    return base ? base + object_->offset * itemsize(dtype()) : nullptr;
  }
  template <class T>
  T* data() const {
    return static_cast<T*>(data());
  }
  Strided strided() const { return {data(), dtype(), dim(), sizes().data(), strides().data()}; }
  const Kernels& kernels() const { return is_meta() ? meta_kernels() : cpu_kernels(); }

  uint32_t version() const { return object_->version->value; }
  /// After each write in place.
  void bump_version() const {
    ++object_->version->value;
    if (lens) [[unlikely]]
      lens->written(*this);
  }

 private:
  Ref<TensorObject> object_;
};

using Tensors = SmallVec<Tensor, 4>;

// ---- making tensors (tensor.cpp); none of these records anything

/// Uninitialised, contiguous.  Checks sizes and overflow.
Tensor make_tensor(Dims sizes, DType dtype, Device device = Device::Cpu);
/// Uninitialised with given strides (each >= 0); the storage is just large enough.
Tensor make_strided(Dims sizes, Dims strides, DType dtype, Device device = Device::Cpu);
/// Another look at t's storage, sharing its version counter.  Checks that it stays inside the storage.
Tensor make_alias(const Tensor& t, const Dims& sizes, const Dims& strides, int64_t offset);
/// The same for a part of t's own elements, in any order: nothing to check.
Tensor make_part(const Tensor& t, const Dims& sizes, const Dims& strides, int64_t offset);
/// Same look at the same storage: what detach() gives.
Tensor make_alias(const Tensor& t);
/// A tensor over memory of a Python object.
Tensor make_borrowed(void* data, int64_t storage_bytes, Dims sizes, Dims strides, DType dtype, PyObject* owner,
                     bool read_only);
/// 0-dim tensor of one value on cpu.
template <class T>
Tensor make_scalar(T value, DType dtype) {
  Tensor t = make_tensor(Dims(), dtype);
  dispatch_all(dtype, [&]<class E>() { *t.data<E>() = convert<E>(value); });
  return t;
}

/// All tensors that are alive, latest first: users' and the core's own aliases.
Tensors live_tensors();
/// Frees a Tensor's fields and its memory (tp_dealloc).
void tensor_dealloc(PyObject* self);
PyTypeObject* tensor_type();
void set_tensor_type(PyTypeObject* type);
/// A new, empty object of a subclass (or of Tensor itself) for `type(...)` from Python; fields are those of an empty
/// tensor.
Tensor make_object(PyTypeObject* type, const Tensor& like);
/// Makes `t` visible to the cycle collector; called when it gets anything that could close a cycle.
void track(TensorObject* t);
inline bool is_tensor(PyObject* object) {
  return Py_TYPE(object) == tensor_type() || PyType_IsSubtype(Py_TYPE(object), tensor_type());
}
/// Sets sizes and strides and what follows from them.
void set_geometry(TensorObject* t, Dims sizes, Dims strides);

// ---- shape rules (shape.cpp)

Dims contiguous_strides(const Dims& sizes);
bool is_contiguous(const Dims& sizes, const Dims& strides);
/// Product of sizes with every check: negative dimension, overflow of the count or of bytes.
int64_t checked_numel(const Dims& sizes, int64_t itemsize);
/// The common shape, or an error naming both.
Dims broadcast_sizes(const char* op, const Dims& a, const Dims& b);
bool is_expandable_to(const Dims& from, const Dims& to);
/// dim in [-ndim, ndim) to [0, ndim); a 0-dim tensor counts as 1-dim.  IndexError otherwise.
int64_t wrap_dim(const char* op, int64_t dim, int64_t ndim);
inline int64_t wrap_dim(const char* op, const Tensor& x, int64_t dim) { return wrap_dim(op, dim, x.dim()); }
/// Empty means all; checks range and duplicates; result ascending.
Dims wrap_dims(const char* op, const Dims& dims, int64_t ndim);
/// New strides that view (sizes, strides) as `wanted` without a copy; false if there are none.
bool view_strides(const Dims& sizes, const Dims& strides, const Dims& wanted, Dims* result);
/// Replaces one -1 in a wanted shape.
Dims infer_size(const char* op, Dims wanted, int64_t numel);
/// Do two elements of the tensor share memory (expand), so that writing in place would be ambiguous?
bool has_internal_overlap(const Tensor& t);

// ---- type promotion (promotion.cpp)

DType default_dtype();
void set_default_dtype(DType dtype);
inline DType default_complex() { return complex_of(default_dtype()); }
DType promote(DType a, DType b);
/// With PyTorch's three categories: tensors with dimensions, zero-dim tensors, wrapped numbers.
DType result_type(std::span<const Tensor> tensors);
DType result_type(const Tensor& a, const Tensor& b);
bool can_cast(DType from, DType to);

}  // namespace lg
