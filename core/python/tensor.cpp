// Tensor's Python type: number and mapping slots on the thin path, attributes, and the methods of autograd.
//
// The operators' methods are added by Ops::publish, long-tail methods by Python (leafgrad/_tensor.py).  A number slot
// goes straight to the C++ operator when both operands are plain tensors or numbers; subclasses go through the Op
// object.
#include "python/tensor.h"

#include <structmember.h>

#include "autograd/engine.h"
#include "ops/ops.h"
#include "python/convert.h"
#include "python/indexing.h"
#include "python/layout.h"
#include "python/node.h"
#include "python/numpy.h"
#include "python/storage.h"
#include "python/subclass.h"

namespace lg {

using namespace binding;

PyObject* call_python(const char* module, const char* function, PyObject* args, PyObject* kwargs) {
  Object m = Object::steal(PyImport_ImportModule(module));
  Object f = m ? Object::steal(PyObject_GetAttrString(m.get(), function)) : nullptr;
  Object own = args ? Object::borrow(args) : Object::steal(PyTuple_New(0));
  PyObject* result = f ? PyObject_Call(f.get(), own.get(), kwargs) : nullptr;
  if (!result) throw PythonError();
  return result;
}

std::string explanation(const char* function, PyObject* args) {
  Object made = Object::steal(call_python("leafgrad.lens.messages", function, args, nullptr));
  const char* utf8 = PyUnicode_AsUTF8(made.get());
  if (!utf8) throw PythonError();
  return utf8;
}
std::string why_no_grad(const Tensor& t) {
  return explanation("why_no_grad", Object::steal(PyTuple_Pack(1, t.py())).get());
}

namespace {

Tensor self_of(PyObject* self) { return as_tensor_handle(self); }
TensorObject* raw(PyObject* self) { return reinterpret_cast<TensorObject*>(self); }

// ---- number slots

using Binary = Tensor (*)(const Tensor&, const Tensor&);

const Ops* all_ops = nullptr;

bool is_operand(PyObject* o) { return is_tensor(o) || is_number(o); }

PyObject* call_named(const char* name, PyObject* const* args, Py_ssize_t count) {
  OpObject* op = all_ops->find(name);
  check_internal(op, "no operator ", name);
  return PyObject_Vectorcall(reinterpret_cast<PyObject*>(op), args, size_t(count), nullptr);
}

/// `reflected(number, tensor)`: what Python's __radd__ and its kind compute in PyTorch.
template <Binary f, Binary reflected = f>
PyObject* binary(PyObject* a, PyObject* b, const char* name) {
  PyTypeObject* plain = tensor_type();
  bool a_plain = Py_TYPE(a) == plain, b_plain = Py_TYPE(b) == plain;
  PyObject* args[] = {a, b};
  if (a_plain && b_plain)
    return guarded([&] {
      return seen(name, f(reinterpret_cast<const Tensor&>(a), reinterpret_cast<const Tensor&>(b)).release(), args);
    });
  if (!is_operand(a) || !is_operand(b)) Py_RETURN_NOTIMPLEMENTED;
  if (has_subclass(args, 2)) return guarded([&] { return call_named(name, args, 2); });
  return guarded([&] {
    TensorArg x = From<Tensor>::convert(a, {}), y = From<Tensor>::convert(b, {});
    return seen(name, (is_tensor(a) ? f(x, y) : reflected(x, y)).release(), args);
  });
}

template <Binary f>
PyObject* inplace(PyObject* a, PyObject* b, const char* name) {
  if (!is_operand(b)) Py_RETURN_NOTIMPLEMENTED;
  PyObject* args[] = {a, b};
  if (has_subclass(args, 2)) return guarded([&] { return call_named(name, args, 2); });
  return guarded([&] {
    TensorArg y = From<Tensor>::convert(b, {});
    if (lens) [[unlikely]]
      lens->writing(name, a);
    f(reinterpret_cast<const Tensor&>(a), y);
    return seen(name, Py_NewRef(a), args);
  });
}

template <Binary f>
Tensor swapped(const Tensor& a, const Tensor& b) {
  return f(b, a);
}
Tensor divided_number(const Tensor& a, const Tensor& b) { return mul(reciprocal(b), a); }

PyObject* slot_add(PyObject* a, PyObject* b) { return binary<add, swapped<add>>(a, b, "add"); }
PyObject* slot_mul(PyObject* a, PyObject* b) { return binary<mul, swapped<mul>>(a, b, "mul"); }
PyObject* slot_div(PyObject* a, PyObject* b) { return binary<div, divided_number>(a, b, "div"); }
#define SLOT(name) \
  PyObject* slot_##name(PyObject* a, PyObject* b) { return binary<name>(a, b, #name); }
#define SLOT_(name) \
  PyObject* slot_i##name(PyObject* a, PyObject* b) { return inplace<name##_>(a, b, #name "_"); }
SLOT(sub);
SLOT(floor_divide);
SLOT(remainder);
SLOT(matmul);
SLOT(bitwise_and);
SLOT(bitwise_or);
SLOT(bitwise_xor);
SLOT(bitwise_left_shift);
SLOT(bitwise_right_shift);
SLOT_(add);
SLOT_(sub);
SLOT_(mul);
SLOT_(div);
SLOT_(floor_divide);
SLOT_(remainder);
SLOT_(bitwise_and);
SLOT_(bitwise_or);
SLOT_(bitwise_xor);
SLOT_(bitwise_left_shift);
SLOT_(bitwise_right_shift);
#undef SLOT
#undef SLOT_

PyObject* slot_pow(PyObject* a, PyObject* b, PyObject* modulus) {
  if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
  return binary<pow>(a, b, "pow");
}
PyObject* slot_ipow(PyObject* a, PyObject* b, PyObject*) { return inplace<pow_>(a, b, "pow_"); }

template <Tensor (*f)(const Tensor&)>
PyObject* unary(PyObject* a, const char* name) {
  if (has_subclass(&a, 1)) return guarded([&] { return call_named(name, &a, 1); });
  return guarded([&] { return seen(name, f(reinterpret_cast<const Tensor&>(a)).release(), {&a, 1}); });
}
PyObject* slot_neg(PyObject* a) { return unary<neg>(a, "neg"); }
PyObject* slot_abs(PyObject* a) { return unary<abs>(a, "abs"); }
PyObject* slot_invert(PyObject* a) { return unary<bitwise_not>(a, "bitwise_not"); }
PyObject* slot_positive(PyObject* a) { return Py_NewRef(a); }

void check_single(const Tensor& t, const char* what) {
  check(t.numel() == 1,
        t.numel() == 0 ? "Boolean value of Tensor with no values is ambiguous"
                       : "Boolean value of Tensor with more than one value is ambiguous",
        " (", what, " of shape ", t.sizes(), ")");
}
int slot_bool(PyObject* a) {
  try {
    Tensor t = self_of(a);
    check_single(t, "bool()");
    return item_of(t).to<bool>();
  } catch (...) {
    raise_current();
    return -1;
  }
}
PyObject* slot_int(PyObject* a) {
  return guarded([&]() -> PyObject* {
    Scalar v = item_of(self_of(a));
    if (v.is_integral()) return PyLong_FromLongLong(v.to<int64_t>());
    check_type(!v.is_complex() || v.to<complex128>().imag() == 0,
               "value cannot be converted to type int64_t without overflow");
    return PyLong_FromDouble(v.to<double>());
  });
}
PyObject* slot_float(PyObject* a) {
  return guarded([&] {
    Scalar v = item_of(self_of(a));
    check(!v.is_complex() || v.to<complex128>().imag() == 0,
          "value cannot be converted to type double without overflow");
    return PyFloat_FromDouble(v.to<double>());
  });
}
PyObject* slot_index(PyObject* a) {
  return guarded([&] {
    Tensor t = self_of(a);
    check_type(t.numel() == 1 && is_integral(t.dtype()),
               "only integer tensors of a single element can be converted to an index");
    return PyLong_FromLongLong(item_of(t).to<int64_t>());
  });
}
PyObject* complex_of_tensor(PyObject* a, PyObject*) {
  return guarded([&] {
    complex128 v = item_of(self_of(a)).to<complex128>();
    return PyComplex_FromDoubles(v.real(), v.imag());
  });
}

PyObject* slot_compare(PyObject* a, PyObject* b, int op) {
  switch (op) {
    case Py_EQ: return binary<eq>(a, b, "eq");
    case Py_NE: return binary<ne>(a, b, "ne");
    case Py_LT: return binary<lt>(a, b, "lt");
    case Py_LE: return binary<le>(a, b, "le");
    case Py_GT: return binary<gt>(a, b, "gt");
    default: return binary<ge>(a, b, "ge");
  }
}
// Identity: tensors compare elementwise, but are keys of dicts.
Py_hash_t slot_hash(PyObject* self) { return Py_hash_t(reinterpret_cast<uintptr_t>(self) >> 4); }

Py_ssize_t slot_length(PyObject* self) {
  if (raw(self)->sizes.empty()) {
    PyErr_SetString(PyExc_TypeError, "len() of a 0-d tensor");
    return -1;
  }
  return Py_ssize_t(raw(self)->sizes[0]);
}
PyObject* slot_subscript(PyObject* self, PyObject* key) {
  return guarded([&]() -> PyObject* {
    if (has_subclass(&self, 1) && !torch_function_disabled()) {
      Object method = Object::steal(PyObject_GetAttrString(reinterpret_cast<PyObject*>(tensor_type()), "__getitem__"));
      PyObject* args[] = {self, key};
      return method ? call_for_subclass(method.get(), args, 2, nullptr) : nullptr;
    }
    return get_item(reinterpret_cast<const Tensor&>(self), key).release();
  });
}
int slot_assign(PyObject* self, PyObject* key, PyObject* value) {
  return guarded_int([&] {
    check_type(value != nullptr, "Tensor does not support deleting items");
    if (has_subclass(&self, 1) && !torch_function_disabled()) {
      Object method = Object::steal(PyObject_GetAttrString(reinterpret_cast<PyObject*>(tensor_type()), "__setitem__"));
      PyObject* args[] = {self, key, value};
      Object done = method ? Object::steal(call_for_subclass(method.get(), args, 3, nullptr)) : nullptr;
      if (!done) throw PythonError();
      return;
    }
    set_item(self_of(self), key, value);
  });
}

// ---- attributes

PyObject* get_shape(PyObject* self, void*) {
  return guarded([&] { return size_to_python(raw(self)->sizes); });
}
PyObject* get_dtype(PyObject* self, void*) { return dtype_to_python(raw(self)->dtype); }
PyObject* get_device(PyObject* self, void*) {
  return guarded([&] { return device_to_python(raw(self)->device); });
}
PyObject* get_ndim(PyObject* self, void*) { return PyLong_FromLongLong(raw(self)->sizes.size()); }
PyObject* get_requires_grad(PyObject* self, void*) {
  return guarded([&] { return PyBool_FromLong(requires_grad(self_of(self))); });
}
int put_requires_grad(PyObject* self, PyObject* value, void*) {
  return guarded_int([&] {
    check(value && PyBool_Check(value), "requires_grad must be a bool");
    Tensor t = self_of(self);
    set_requires_grad(t, value == Py_True && is_leaf(t));  // on a non-leaf not even True may be assigned
  });
}
PyObject* get_is_leaf(PyObject* self, void*) {
  return guarded([&] { return PyBool_FromLong(is_leaf(self_of(self))); });
}
PyObject* get_grad_fn(PyObject* self, void*) {
  return guarded([&] { return node_to_python(grad_fn(self_of(self))); });
}

/// The gradient of a non-leaf that nobody asked to keep.
void warn_not_kept(PyObject* t) {
  Object args = Object::steal(PyTuple_Pack(1, t));
  Object::steal(call_python("leafgrad.lens.messages", "warn_gradient_not_kept", args.get(), nullptr));
}
PyObject* get_grad(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    TensorObject* t = raw(self);
    if (t->grad) return Py_NewRef(reinterpret_cast<PyObject*>(t->grad));
    if (t->grad_fn && !(t->extra && t->extra->retains_grad)) warn_not_kept(self);
    Py_RETURN_NONE;
  });
}
PyObject* get_grad_quietly(PyObject* self, void*) {
  PyObject* grad = reinterpret_cast<PyObject*>(raw(self)->grad);
  return Py_NewRef(grad ? grad : Py_None);
}
int put_grad(PyObject* self, PyObject* value, void*) {
  return guarded_int([&] {
    TensorObject* t = raw(self);
    PyObject* next = nullptr;
    if (value && value != Py_None) {
      check_type(is_tensor(value), "assigned grad expected to be a Tensor or None but got grad of type ",
                 Py_TYPE(value)->tp_name);
      TensorObject* g = raw(value);
      check(value != self, "can't assign Variable as its own grad");
      check(g->dtype == t->dtype, "assigned grad has data of a different type: ", g->dtype, ", but the tensor is ",
            t->dtype);
      check(g->device == t->device, "assigned grad has data located on a different device");
      check(g->sizes == t->sizes, "assigned grad has data of a different size: ", g->sizes, ", but the tensor has ",
            t->sizes);
      next = Py_NewRef(value);
    }
    PyObject* before = reinterpret_cast<PyObject*>(std::exchange(t->grad, reinterpret_cast<TensorObject*>(next)));
    track(t);
    Py_XDECREF(before);
  });
}

PyObject* get_data(PyObject* self, void*) {
  return guarded([&] {
    // A version counter of its own: writes through .data are not seen by saved tensors.
    Tensor alias = make_alias(self_of(self));
    release(alias->version);
    alias->version = new_version();
    alias->origin = requires_grad(self_of(self)) ? Origin::Detached : raw(self)->origin;
    return alias.release();
  });
}
int put_data(PyObject* self, PyObject* value, void*) {
  return guarded_int([&] {
    check(value != nullptr, "Deleting tensor data is not allowed. Delete tensor instead!");
    check_type(is_tensor(value), "Variable data has to be a tensor, but got ", Py_TYPE(value)->tp_name);
    TensorObject *t = raw(self), *v = raw(value);
    check(!requires_grad(self_of(self)) || is_inexact(v->dtype),
          "data set to a tensor that requires gradients must be floating "
          "point or complex dtype");
    retain(v->storage);
    release(std::exchange(t->storage, v->storage));
    t->dtype = v->dtype;
    t->device = v->device;
    t->offset = v->offset;
    set_geometry(t, v->sizes, v->strides);
    // The leaf's AccumulateGrad was made for the old shape.
    if (t->extra && t->extra->accumulator) {
      OutputMeta& meta = t->extra->accumulator->outputs[0];
      meta = {t->sizes, t->dtype, t->device};
    }
  });
}

PyObject* get_version(PyObject* self, void*) {
  return guarded([&] {
    check(!raw(self)->inference, "Inference tensors do not track version counter.");
    return PyLong_FromUnsignedLong(raw(self)->version->value);
  });
}
PyObject* get_base(PyObject* self, void*) {
  TensorExtra* extra = raw(self)->extra;
  return Py_NewRef(extra && extra->base ? extra->base.py() : Py_None);
}
PyObject* get_retains_grad(PyObject* self, void*) {
  return PyBool_FromLong(raw(self)->grad_fn && raw(self)->extra && raw(self)->extra->retains_grad);
}
/// (grad_fn or None, is it out of date?), without renewing it.
PyObject* get_history(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    Object node = Object::steal(node_to_python(Node::borrow(raw(self)->grad_fn)));
    return PyTuple_Pack(2, node.get(), is_stale(self_of(self)) ? Py_True : Py_False);
  });
}
PyObject* get_origin(PyObject* self, void*) {
  switch (raw(self)->origin) {
    case Origin::Operator: return PyUnicode_FromString("operator");
    case Origin::NoGrad: return PyUnicode_FromString("no_grad");
    case Origin::Detached: return PyUnicode_FromString("detached");
    case Origin::User: return PyUnicode_FromString("user");
  }
  Py_UNREACHABLE();
}
PyObject* get_output_nr(PyObject* self, void*) { return PyLong_FromUnsignedLong(raw(self)->output_nr); }
PyObject* get_itemsize(PyObject* self, void*) { return PyLong_FromLongLong(itemsize(raw(self)->dtype)); }
PyObject* get_nbytes(PyObject* self, void*) {
  return PyLong_FromLongLong(raw(self)->numel * itemsize(raw(self)->dtype));
}
PyObject* get_is_cpu(PyObject* self, void*) { return PyBool_FromLong(raw(self)->device == Device::Cpu); }
PyObject* get_is_meta(PyObject* self, void*) { return PyBool_FromLong(raw(self)->device == Device::Meta); }
PyObject* get_false(PyObject*, void*) { Py_RETURN_FALSE; }
PyObject* get_layout(PyObject*, void*) { return Py_NewRef(strided_layout()); }
PyObject* get_name(PyObject* self, void*) {
  TensorExtra* extra = raw(self)->extra;
  return Py_NewRef(extra && extra->name ? extra->name.get() : Py_None);
}
int put_name(PyObject* self, PyObject* value, void*) {
  return guarded_int([&] { extra_of(self_of(self)).name = Object::borrow(value); });
}
template <Tensor (*f)(const Tensor&)>
PyObject* get_view(PyObject* self, void*) {
  return guarded([&] { return f(self_of(self)).release(); });
}
Tensor transposed_all(const Tensor& x) {
  Dims dims;
  for (int64_t i = x.dim() - 1; i >= 0; --i) dims.push_back(i);
  return permute(x, dims);
}
Tensor matrix_only_mH(const Tensor& x) {
  check(x.dim() == 2 || x.dim() == 0, "tensor.H is only supported on matrices (2-D tensors). Got ", x.dim(),
        "-D tensor. Use mH.");
  return x.dim() == 0 ? conj(x) : mH(x);
}
PyObject* get_hooks(PyObject* self, void*) {
  TensorExtra* extra = raw(self)->extra;
  return Py_NewRef(extra && extra->hooks ? extra->hooks.get() : Py_None);
}
int put_hooks(PyObject* self, PyObject* value, void*) {
  return guarded_int(
      [&] { extra_of(self_of(self)).hooks = value && value != Py_None ? Object::borrow(value) : Object(); });
}
PyObject* get_post_accumulate_hooks(PyObject* self, void*) {
  TensorExtra* extra = raw(self)->extra;
  return Py_NewRef(extra && extra->post_accumulate_hooks ? extra->post_accumulate_hooks.get() : Py_None);
}

PyGetSetDef getset[] = {
    {"shape", get_shape, nullptr, "Sizes of the dimensions, as a Size.", nullptr},
    {"dtype", get_dtype, nullptr, "Type of the elements.", nullptr},
    {"device", get_device, nullptr, "Where the elements are.", nullptr},
    {"ndim", get_ndim, nullptr, "Number of dimensions.", nullptr},
    {"requires_grad", get_requires_grad, put_requires_grad, "Does backward compute this tensor's gradient?", nullptr},
    {"is_leaf", get_is_leaf, nullptr, "Is it no operation's result, so that backward keeps its gradient?", nullptr},
    {"grad_fn", get_grad_fn, nullptr, "The node that made it; None on a leaf.", nullptr},
    {"grad", get_grad, put_grad, "The accumulated gradient, or None.", nullptr},
    {"_grad", get_grad_quietly, put_grad, "As grad, without a warning on non-leaves.", nullptr},
    {"data", get_data, put_data, "The same memory without history and with a version counter of its own.", nullptr},
    {"output_nr", get_output_nr, nullptr, "Which output of grad_fn it is.", nullptr},
    {"_version", get_version, nullptr, "How often the memory was written in place.", nullptr},
    {"_base", get_base, nullptr, "The tensor that this one is a view of, or None.", nullptr},
    {"retains_grad", get_retains_grad, nullptr, "Is it a non-leaf whose gradient backward keeps?", nullptr},
    {"_history", get_history, nullptr, "(grad_fn, is it out of date?) as it stands, without renewing a view's.",
     nullptr},
    {"_origin", get_origin, nullptr, "How it came to be, if it does not require grad; see lens/subject.py.", nullptr},
    {"itemsize", get_itemsize, nullptr, "Bytes of an element.", nullptr},
    {"nbytes", get_nbytes, nullptr, "Bytes of all elements.", nullptr},
    {"is_cpu", get_is_cpu, nullptr, nullptr, nullptr},
    {"is_meta", get_is_meta, nullptr, nullptr, nullptr},
    {"is_cuda", get_false, nullptr, nullptr, nullptr},
    {"is_sparse", get_false, nullptr, nullptr, nullptr},
    {"is_quantized", get_false, nullptr, nullptr, nullptr},
    {"is_nested", get_false, nullptr, nullptr, nullptr},
    {"is_mkldnn", get_false, nullptr, nullptr, nullptr},
    {"layout", get_layout, nullptr, nullptr, nullptr},
    {"name", get_name, put_name, "A name of the user's choice.", nullptr},
    {"T", get_view<transposed_all>, nullptr, "Dimensions in reverse order.", nullptr},
    {"mT", get_view<mT>, nullptr, "Last two dimensions swapped.", nullptr},
    {"H", get_view<matrix_only_mH>, nullptr, "Conjugate transpose of a matrix.", nullptr},
    {"mH", get_view<mH>, nullptr, "Conjugate transpose of the last two dimensions.", nullptr},
    {"_backward_hooks", get_hooks, put_hooks, nullptr, nullptr},
    {"_post_accumulate_grad_hooks", get_post_accumulate_hooks, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

// ---- methods

PyObject* m_size(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&]() -> PyObject* {
    Py_ssize_t total = nargs + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0);
    if (total == 0 || args[0] == Py_None) return size_to_python(raw(self)->sizes);
    const Dims& sizes = raw(self)->sizes;
    int64_t dim = integer_from_python(args[0]);
    check_index(sizes.size() > 0 && dim >= -sizes.size() && dim < sizes.size(),
                "Dimension out of range (expected to be in range "
                "of [",
                -std::max<int64_t>(sizes.size(), 1), ", ", std::max<int64_t>(sizes.size(), 1) - 1, "], but got ", dim,
                ")");
    return PyLong_FromLongLong(sizes[dim < 0 ? dim + sizes.size() : dim]);
  });
}
PyObject* m_stride(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&]() -> PyObject* {
    const Dims& strides = raw(self)->strides;
    Py_ssize_t total = nargs + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0);
    if (total && args[0] != Py_None)
      return PyLong_FromLongLong(strides[wrap_dim("stride", integer_from_python(args[0]), strides.size())]);
    PyObject* tuple = PyTuple_New(strides.size());
    for (int64_t i = 0; tuple && i < strides.size(); ++i) PyTuple_SET_ITEM(tuple, i, PyLong_FromLongLong(strides[i]));
    return tuple;
  });
}
PyObject* m_dim(PyObject* self, PyObject*) { return PyLong_FromLongLong(raw(self)->sizes.size()); }
PyObject* m_numel(PyObject* self, PyObject*) { return PyLong_FromLongLong(raw(self)->numel); }
PyObject* m_element_size(PyObject* self, PyObject*) { return PyLong_FromLongLong(itemsize(raw(self)->dtype)); }
PyObject* m_storage_offset(PyObject* self, PyObject*) { return PyLong_FromLongLong(raw(self)->offset); }
PyObject* m_data_ptr(PyObject* self, PyObject*) { return PyLong_FromVoidPtr(self_of(self).data()); }
PyObject* m_is_contiguous(PyObject* self, PyObject* const*, Py_ssize_t, PyObject*) {
  return PyBool_FromLong(raw(self)->contiguous);
}
PyObject* m_is_floating_point(PyObject* self, PyObject*) { return PyBool_FromLong(is_floating(raw(self)->dtype)); }
PyObject* m_is_complex(PyObject* self, PyObject*) { return PyBool_FromLong(is_complex(raw(self)->dtype)); }
PyObject* m_is_signed(PyObject* self, PyObject*) {
  return PyBool_FromLong(raw(self)->dtype != DType::Bool && raw(self)->dtype != DType::UInt8);
}
PyObject* m_is_inference(PyObject* self, PyObject*) { return PyBool_FromLong(raw(self)->inference); }
PyObject* m_is_view(PyObject* self, PyObject*) { return PyBool_FromLong(is_view(self_of(self))); }
PyObject* m_false(PyObject*, PyObject*) { Py_RETURN_FALSE; }

PyObject* m_requires_grad_(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&] {
    bool on = true;
    if (nargs + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0) > 0) {
      check_type(PyBool_Check(args[0]), "requires_grad_(): argument 'requires_grad' must be bool, not ",
                 Py_TYPE(args[0])->tp_name);
      on = args[0] == Py_True;
    }
    set_requires_grad(self_of(self), on);
    return Py_NewRef(self);
  });
}
PyObject* m_retain_grad(PyObject* self, PyObject*) {
  return guarded([&] {
    Tensor t = self_of(self);
    if (!requires_grad(t))
      fail(ErrorKind::Runtime, "can't retain_grad on Tensor that has requires_grad=False.", why_no_grad(t));
    retain_grad(t);
    return Py_NewRef(Py_None);
  });
}
PyObject* m_detach(PyObject* self, PyObject*) {
  return guarded([&] { return detach(self_of(self)).release(); });
}
PyObject* m_detach_(PyObject* self, PyObject*) {
  return guarded([&] {
    detach_in_place(self_of(self));
    return Py_NewRef(self);
  });
}

/// A RemovableHandle over `dict`, with `hook` put in under its id.
PyObject* add_hook(const Object& dict, PyObject* hook) {
  Object args = Object::steal(PyTuple_Pack(1, dict.get()));
  Object handle = Object::steal(call_python("leafgrad.utils.hooks", "RemovableHandle", args.get(), nullptr));
  Object id = Object::steal(PyObject_GetAttrString(handle.get(), "id"));
  if (!id || PyObject_SetItem(dict.get(), id.get(), hook) < 0) throw PythonError();
  return handle.release();
}
Object new_hook_dict() { return Object::steal(call_python("collections", "OrderedDict", nullptr, nullptr)); }

PyObject* m_register_hook(PyObject* self, PyObject* hook) {
  return guarded([&] {
    Tensor t = self_of(self);
    if (!requires_grad(t))
      fail(ErrorKind::Runtime, "cannot register a hook on a tensor that doesn't require gradient.", why_no_grad(t));
    Node node = grad_fn(t);
    TensorExtra& extra = extra_of(t);
    if (!extra.hooks) {
      extra.hooks = new_hook_dict();
      if (node) extra_of(node.get()).tensor_hooks.push_back({t->output_nr, extra.hooks, false});
    }
    return add_hook(extra.hooks, hook);
  });
}
PyObject* m_register_post_accumulate_grad_hook(PyObject* self, PyObject* hook) {
  return guarded([&] {
    Tensor t = self_of(self);
    if (!requires_grad(t))
      fail(ErrorKind::Runtime, "cannot register a hook on a tensor that doesn't require gradient.", why_no_grad(t));
    check(is_leaf(t), "post accumulate grad hooks cannot be registered on non-leaf tensors; this one was made by ",
          t->grad_fn ? t->grad_fn->name : "");
    TensorExtra& extra = extra_of(t);
    if (!extra.post_accumulate_hooks) extra.post_accumulate_hooks = new_hook_dict();
    return add_hook(extra.post_accumulate_hooks, hook);
  });
}

PyObject* m_backward(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&]() -> PyObject* {
    Tensor t = self_of(self);
    bool plain = nargs == 0 && !kwnames && t.numel() == 1 && is_floating(t.dtype());
    if (plain && requires_grad(t)) {
      BackwardRequest request;
      request.roots.push_back(gradient_edge(t));
      request.gradients.push_back(ones(t.sizes(), t.dtype(), t.device()));
      run_backward(std::move(request));
      Py_RETURN_NONE;
    }
    // gradient, retain_graph, create_graph, inputs: autograd.backward's order is another
    const char* names[] = {"grad_tensors", "retain_graph", "create_graph", "inputs"};
    check_type(nargs <= 4, "backward() takes at most 4 arguments");
    Object kwargs = Object::steal(PyDict_New());
    for (Py_ssize_t i = 0; i < nargs; ++i) PyDict_SetItemString(kwargs.get(), names[i], args[i]);
    for (Py_ssize_t k = 0; kwnames && k < PyTuple_GET_SIZE(kwnames); ++k) {
      const char* key = PyUnicode_AsUTF8(PyTuple_GET_ITEM(kwnames, k));
      PyDict_SetItemString(kwargs.get(), std::strcmp(key, "gradient") ? key : "grad_tensors", args[nargs + k]);
    }
    Object tensors = Object::steal(PyTuple_Pack(1, self));
    return call_python("leafgrad.autograd", "backward", tensors.get(), kwargs.get());
  });
}

Tensor aliased_as(PyTypeObject* type, const Tensor& t) {
  check_type(PyType_IsSubtype(type, tensor_type()), "the class must be a subclass of Tensor");
  return make_object(type, t);
}
PyObject* m_as_subclass(PyObject* self, PyObject* cls) {
  return guarded([&] {
    check_type(PyType_Check(cls), "as_subclass(): the argument must be a class");
    Tensor t = self_of(self), result = aliased_as(reinterpret_cast<PyTypeObject*>(cls), t);
    if (Recorder record{"AliasBackward0", result, t}) record.vjp([](const Tensor& g) { return g; });
    return result.release();
  });
}
PyObject* m_make_subclass(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"cls", "data", "require_grad", nullptr};
  PyObject *cls, *data;
  int wants_grad = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|p", const_cast<char**>(names), &cls, &data, &wants_grad))
    return nullptr;
  return guarded([&] {
    check_type(PyType_Check(cls) && is_tensor(data),
               "_make_subclass(cls, data, require_grad=False): data must be a Tensor");
    Tensor result = aliased_as(reinterpret_cast<PyTypeObject*>(cls), self_of(data));
    result->origin = Origin::User;
    set_requires_grad(result, wants_grad);
    return result.release();
  });
}

/// Tensor(): the legacy constructor.  Sizes give an uninitialised tensor, data a copy, both of the default dtype.
PyObject* tensor_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    Py_ssize_t n = PyTuple_GET_SIZE(args);
    PyObject* first = n ? PyTuple_GET_ITEM(args, 0) : nullptr;
    if (type != tensor_type() && n == 0 && kwargs && PyDict_GET_SIZE(kwargs)) kwargs = nullptr;
    check_type(!kwargs || PyDict_GET_SIZE(kwargs) == 0,
               "Tensor() takes no keyword arguments; use leafgrad.tensor(...)");
    Tensor t;
    bool sizes = n == 0;
    for (Py_ssize_t i = 0; i < n; ++i) sizes = is_integer(PyTuple_GET_ITEM(args, i)) && (i == 0 || sizes);
    if (sizes) {
      t = empty(n ? dims_from_python(args) : Dims{0});
    } else if (n == 1 && is_tensor(first)) {
      t = make_alias(self_of(first));
    } else {
      Object data = Object::steal(PyTuple_Pack(1, first)), dtype = Object::steal(dtype_to_python(default_dtype()));
      Object named = Object::steal(Py_BuildValue("{s:O}", "dtype", dtype.get()));
      check_type(n == 1, "Tensor() received an invalid combination of arguments");
      Object made = Object::steal(call_python("leafgrad._core", "tensor", data.get(), named.get()));
      t = self_of(made.get());
    }
    if (type != tensor_type()) t = make_object(type, t);
    t->origin = Origin::User;
    return t.release();
  });
}

PyObject* m_untyped_storage(PyObject* self, PyObject*) {
  return guarded([&] { return storage_to_python(raw(self)->storage); });
}

template <class F>
PyCFunction fast(F f) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

PyMethodDef methods[] = {
    {"size", fast(&m_size), METH_FASTCALL | METH_KEYWORDS, "size(dim=None): the shape, or one size of it."},
    {"stride", fast(&m_stride), METH_FASTCALL | METH_KEYWORDS,
     "stride(dim=None): steps between elements, in elements."},
    {"dim", m_dim, METH_NOARGS, "Number of dimensions."},
    {"ndimension", m_dim, METH_NOARGS, "Number of dimensions."},
    {"numel", m_numel, METH_NOARGS, "Number of elements."},
    {"nelement", m_numel, METH_NOARGS, "Number of elements."},
    {"element_size", m_element_size, METH_NOARGS, "Bytes of an element."},
    {"storage_offset", m_storage_offset, METH_NOARGS, "First element, counted from the storage's begin."},
    {"data_ptr", m_data_ptr, METH_NOARGS, "Address of the first element."},
    {"is_contiguous", fast(&m_is_contiguous), METH_FASTCALL | METH_KEYWORDS, "Is it row-major without gaps?"},
    {"is_floating_point", m_is_floating_point, METH_NOARGS, nullptr},
    {"is_complex", m_is_complex, METH_NOARGS, nullptr},
    {"is_signed", m_is_signed, METH_NOARGS, nullptr},
    {"is_inference", m_is_inference, METH_NOARGS, "Was it made in inference mode?"},
    {"_is_view", m_is_view, METH_NOARGS, "Is it a view of another tensor?"},
    {"is_conj", m_false, METH_NOARGS, "Always false: conjugation is computed at once."},
    {"is_neg", m_false, METH_NOARGS, nullptr},
    {"is_shared", m_false, METH_NOARGS, nullptr},
    {"is_pinned", m_false, METH_NOARGS, nullptr},
    {"requires_grad_", fast(&m_requires_grad_), METH_FASTCALL | METH_KEYWORDS,
     "requires_grad_(on=True): on a leaf, in place."},
    {"retain_grad", m_retain_grad, METH_NOARGS, "Have backward keep this non-leaf's gradient in .grad."},
    {"detach", m_detach, METH_NOARGS, "The same memory without history."},
    {"detach_", m_detach_, METH_NOARGS, "Forget the history: become a leaf."},
    {"register_hook", m_register_hook, METH_O, "Call hook(grad) when the gradient is ready; it may return another."},
    {"register_post_accumulate_grad_hook", m_register_post_accumulate_grad_hook, METH_O,
     "Call hook(leaf) once .grad is set."},
    {"backward", fast(&m_backward), METH_FASTCALL | METH_KEYWORDS,
     "backward(gradient=None, retain_graph=None, create_graph=False, inputs=None): see autograd.backward."},
    {"as_subclass", m_as_subclass, METH_O, "The same tensor as an object of a subclass."},
    {"_make_subclass", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&m_make_subclass)),
     METH_VARARGS | METH_KEYWORDS | METH_STATIC, "A leaf of the subclass over data's memory."},
    {"untyped_storage", m_untyped_storage, METH_NOARGS, "The memory that this tensor and its views share."},
    {"__complex__", complex_of_tensor, METH_NOARGS, nullptr},
    {"__torch_function__", fast(&tensor_torch_function), METH_FASTCALL | METH_CLASS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

// ---- garbage collection

int traverse(PyObject* self, visitproc visit, void* arg) {
  TensorObject* t = raw(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(t->dict);
  Py_VISIT(t->grad);
  Py_VISIT(t->grad_fn);
  if (t->extra) {
    Py_VISIT(t->extra->base.py());
    Py_VISIT(t->extra->hooks.get());
    Py_VISIT(t->extra->post_accumulate_hooks.get());
    Py_VISIT(t->extra->name.get());
  }
  return 0;
}
int clear(PyObject* self) {
  TensorObject* t = raw(self);
  Py_CLEAR(t->dict);
  Py_CLEAR(t->grad);
  Py_CLEAR(t->grad_fn);
  if (t->extra) {
    t->extra->hooks = nullptr;
    t->extra->post_accumulate_hooks = nullptr;
  }
  return 0;
}
/// Attributes of the user's may close a cycle.
int set_attribute(PyObject* self, PyObject* name, PyObject* value) {
  int status = PyObject_GenericSetAttr(self, name, value);
  if (status == 0 && raw(self)->dict) track(raw(self));
  return status;
}
PyObject* repr(PyObject* self) {
  return guarded([&] {
    Object args = Object::steal(PyTuple_Pack(1, self));
    return call_python("leafgrad._printing", "tensor_str", args.get(), nullptr);
  });
}

PyMemberDef members[] = {{"__dictoffset__", T_PYSSIZET, offsetof(TensorObject, dict), READONLY, nullptr},
                         {"__weaklistoffset__", T_PYSSIZET, offsetof(TensorObject, weakrefs), READONLY, nullptr},
                         {nullptr, 0, 0, 0, nullptr}};
PyGetSetDef dict_getset = {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr};

}  // namespace

void init_tensor_type(PyObject* module) {
  std::vector<PyMethodDef> all_methods;
  for (PyMethodDef* m : {methods, numpy_methods})
    for (; m->ml_name; ++m) all_methods.push_back(*m);
  all_methods.push_back({nullptr, nullptr, 0, nullptr});
  static std::vector<PyMethodDef> kept_methods = std::move(all_methods);  // the type refers to it
  std::vector<PyGetSetDef> all_getset;
  for (PyGetSetDef* g = getset; g->name; ++g) all_getset.push_back(*g);
  all_getset.push_back(dict_getset);
  all_getset.push_back({nullptr, nullptr, nullptr, nullptr, nullptr});
  static std::vector<PyGetSetDef> kept_getset = std::move(all_getset);
  auto f = [](auto* p) { return reinterpret_cast<void*>(p); };
  PyType_Slot slots[] = {{Py_tp_new, f(&tensor_new)},
                         {Py_tp_dealloc, f(&tensor_dealloc)},
                         {Py_tp_traverse, f(&traverse)},
                         {Py_tp_clear, f(&clear)},
                         {Py_tp_methods, kept_methods.data()},
                         {Py_tp_getset, kept_getset.data()},
                         {Py_tp_members, members},
                         {Py_tp_setattro, f(&set_attribute)},
                         {Py_tp_repr, f(&repr)},
                         {Py_tp_richcompare, f(&slot_compare)},
                         {Py_tp_hash, f(&slot_hash)},
                         {Py_nb_add, f(&slot_add)},
                         {Py_nb_subtract, f(&slot_sub)},
                         {Py_nb_multiply, f(&slot_mul)},
                         {Py_nb_true_divide, f(&slot_div)},
                         {Py_nb_floor_divide, f(&slot_floor_divide)},
                         {Py_nb_remainder, f(&slot_remainder)},
                         {Py_nb_power, f(&slot_pow)},
                         {Py_nb_matrix_multiply, f(&slot_matmul)},
                         {Py_nb_and, f(&slot_bitwise_and)},
                         {Py_nb_or, f(&slot_bitwise_or)},
                         {Py_nb_xor, f(&slot_bitwise_xor)},
                         {Py_nb_lshift, f(&slot_bitwise_left_shift)},
                         {Py_nb_rshift, f(&slot_bitwise_right_shift)},
                         {Py_nb_inplace_add, f(&slot_iadd)},
                         {Py_nb_inplace_subtract, f(&slot_isub)},
                         {Py_nb_inplace_multiply, f(&slot_imul)},
                         {Py_nb_inplace_true_divide, f(&slot_idiv)},
                         {Py_nb_inplace_floor_divide, f(&slot_ifloor_divide)},
                         {Py_nb_inplace_remainder, f(&slot_iremainder)},
                         {Py_nb_inplace_power, f(&slot_ipow)},
                         {Py_nb_inplace_and, f(&slot_ibitwise_and)},
                         {Py_nb_inplace_or, f(&slot_ibitwise_or)},
                         {Py_nb_inplace_xor, f(&slot_ibitwise_xor)},
                         {Py_nb_inplace_lshift, f(&slot_ibitwise_left_shift)},
                         {Py_nb_inplace_rshift, f(&slot_ibitwise_right_shift)},
                         {Py_nb_negative, f(&slot_neg)},
                         {Py_nb_positive, f(&slot_positive)},
                         {Py_nb_absolute, f(&slot_abs)},
                         {Py_nb_invert, f(&slot_invert)},
                         {Py_nb_bool, f(&slot_bool)},
                         {Py_nb_int, f(&slot_int)},
                         {Py_nb_float, f(&slot_float)},
                         {Py_nb_index, f(&slot_index)},
                         {Py_mp_length, f(&slot_length)},
                         {Py_mp_subscript, f(&slot_subscript)},
                         {Py_mp_ass_subscript, f(&slot_assign)},
                         {Py_bf_getbuffer, f(tensor_buffer.bf_getbuffer)},
                         {Py_bf_releasebuffer, f(tensor_buffer.bf_releasebuffer)},
                         {0, nullptr}};
  PyType_Spec spec = {"leafgrad.Tensor", sizeof(TensorObject), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};
  PyObject* type = PyType_FromSpec(&spec);
  if (!type) throw PythonError();
  set_tensor_type(reinterpret_cast<PyTypeObject*>(type));
  if (PyObject_SetAttrString(module, "Tensor", type) < 0) throw PythonError();
}

void set_slot_operators(const Ops& ops) { all_ops = &ops; }

}  // namespace lg
