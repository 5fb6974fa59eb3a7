// Numbers and nested sequences to tensors, and back.
//
// Two walks: the first finds the dtype and checks the shape, the second stores.  The shape is that of the first element
// at each level.  Storing may run Python code (a number's __float__), which may change the lists that are being read;
// so every level's length is checked again as it is read, and each item is held while it is used.
#include "kernels/table.h"
#include "ops/ops.h"
#include "python/convert.h"
#include "python/numpy.h"

namespace lg {

using namespace binding;

namespace {

constexpr int64_t most_dims = 64;

bool is_text(PyObject* o) { return PyUnicode_Check(o) || PyBytes_Check(o); }

bool is_nested(PyObject* o) {
  if (PyList_CheckExact(o) || PyTuple_CheckExact(o)) return true;
  if (PyFloat_CheckExact(o) || PyLong_CheckExact(o)) return false;
  return PySequence_Check(o) && !is_text(o) && !PyDict_Check(o) && !is_tensor(o) && !is_ndarray(o) &&
         !is_numpy_scalar(o);
}

/// The items of a list or tuple as they are; of any other sequence, a tuple of what it gives.
Object items_of(PyObject* sequence) {
  if (PyList_Check(sequence) || PyTuple_Check(sequence)) return Object::borrow(sequence);
  Object items = Object::steal(PySequence_Tuple(sequence));
  if (!items) throw PythonError();
  Py_ssize_t announced = PySequence_Size(sequence);
  if (announced < 0) throw PythonError();
  check_value(announced == PyTuple_GET_SIZE(items.get()), "tensor: a sequence of type ", Py_TYPE(sequence)->tp_name,
              " says its length is ", announced, ", but gives ", PyTuple_GET_SIZE(items.get()), " items");
  return items;
}

/// Calls f(item) for each of `count` items.
template <class F>
void each_item(PyObject* sequence, int64_t count, int64_t depth, F&& f) {
  Object items = items_of(sequence);
  for (int64_t i = 0;; ++i) {
    Py_ssize_t length = PySequence_Fast_GET_SIZE(items.get());  // a list may change
    check_value(length == count, "expected sequence of length ", count, " at dim ", depth, " (got ", length, ")");
    if (i == count) return;
    Object item = Object::borrow(PySequence_Fast_GET_ITEM(items.get(), i));
    f(item.get());
  }
}

[[noreturn]] void refuse_type(PyObject* o) {
  check_type(!is_text(o), "new(): invalid data type '", Py_TYPE(o)->tp_name, "'");
  fail(ErrorKind::Runtime, "Could not infer dtype of ", Py_TYPE(o)->tp_name);
}

/// The shape and dtype of nested data.
class Survey {
 public:
  explicit Survey(PyObject* data, bool needs_dtype) : needs_dtype_(needs_dtype) {
    measure(data);
    walk(data, 0);
  }
  Dims sizes;
  DType dtype() const { return dtype_.value_or(default_dtype()); }

 private:
  void measure(PyObject* data) {
    Object current = Object::borrow(data);
    while (is_nested(current.get())) {
      check_value(sizes.size() < most_dims, "too many dimensions '", Py_TYPE(current.get())->tp_name, "'");
      Object items = items_of(current.get());
      int64_t length = PySequence_Fast_GET_SIZE(items.get());
      sizes.push_back(length);
      if (length == 0) return;
      current = Object::borrow(PySequence_Fast_GET_ITEM(items.get(), 0));
    }
    check_value(sizes.empty() || !is_text(current.get()), "too many dimensions '", Py_TYPE(current.get())->tp_name,
                "'");
    nested_ = sizes.size();
    if (is_ndarray(current.get()))
      for (int64_t s : tensor_over_buffer(current.get()).sizes()) sizes.push_back(s);
  }

  void walk(PyObject* o, int64_t depth) {
    if (is_nested(o)) {
      check_type(depth < nested_ || (nested_ < 0 && depth < sizes.size()), "expected a number at dim ", depth,
                 ", but got a ", Py_TYPE(o)->tp_name);
      each_item(o, sizes[depth], depth, [&](PyObject* item) { walk(item, depth + 1); });
    } else {
      check_type(depth == (nested_ < 0 ? sizes.size() : nested_), "expected a sequence at dim ", depth, ", but got ",
                 Py_TYPE(o)->tp_name, ": not a sequence");
      if (is_ndarray(o)) check_block(o, depth);
      if (needs_dtype_) add(dtype_of_leaf(o));
    }
  }

  void check_block(PyObject* array, int64_t depth) {
    Tensor block = tensor_over_buffer(array);
    Dims wanted(sizes.data() + depth, sizes.size() - depth);
    check_value(block.sizes() == wanted, "expected array of shape ", wanted, " at dim ", depth, " (got ", block.sizes(),
                ")");
  }

  void add(DType d) { dtype_ = dtype_ && *dtype_ != d ? promote(*dtype_, d) : d; }

  DType dtype_of_leaf(PyObject* o) const {
    if (PyFloat_CheckExact(o)) return default_dtype();
    if (PyBool_Check(o)) return DType::Bool;
    if (PyLong_Check(o)) return DType::Int64;
    if (is_tensor(o)) return as_tensor_handle(o).dtype();
    if (is_ndarray(o) || is_numpy_scalar(o)) return dtype_of_buffer(o);
    if (PyFloat_Check(o)) return default_dtype();
    if (PyComplex_Check(o)) return default_complex();
    refuse_type(o);
  }

  bool needs_dtype_;
  int64_t nested_ = -1;  // levels of sequences above numbers or arrays; -1: some level is empty, so there are none
  std::optional<DType> dtype_;
};

template <class T>
T element_from_python(PyObject* o) {
  auto from = [](const Scalar& s) {
    if constexpr (std::is_integral_v<T>)
      return s.checked<T>();
    else
      return s.to<T>();
  };
  if (PyFloat_CheckExact(o)) return from(PyFloat_AS_DOUBLE(o));
  if (PyLong_Check(o) && !is_inexact_v<T>) return from(scalar_from_python(o));
  if (PyLong_Check(o)) return from(double_from_python(o));
  bool number = PyFloat_Check(o) || PyComplex_Check(o) || is_tensor(o) || is_numpy_scalar(o);
  if (is_tensor(o))
    check_value(as_tensor_handle(o).numel() == 1, "only one element tensors can be converted to Python scalars");
  // Anything that knows how to be a float will do where the dtype was given.
  check_type(number || (Py_TYPE(o)->tp_as_number && Py_TYPE(o)->tp_as_number->nb_float) || PyIndex_Check(o),
             "must be real number, not ", Py_TYPE(o)->tp_name);
  Scalar s = number ? scalar_from_python(o) : Scalar(double_from_python(o));
  check_type(is_complex_v<T> || !s.is_complex() || is_tensor(o), "must be real number, not complex");
  return from(s);
}

template <class T>
void store(PyObject* o, int64_t depth, const Tensor& to, T*& at) {
  if (is_nested(o)) {
    check_value(depth < to.dim(), "tensor: the data changed while it was read");
    return each_item(o, to.size(depth), depth, [&](PyObject* item) { store(item, depth + 1, to, at); });
  }
  if (is_ndarray(o)) {
    Tensor block = tensor_over_buffer(o);
    Dims sizes(to.sizes().data() + depth, to.dim() - depth), strides = contiguous_strides(sizes);
    check_value(block.sizes() == sizes, "tensor: the data changed while it was read");
    to.kernels().copy({at, to.dtype(), sizes.size(), sizes.data(), strides.data()}, block.strided());
    at += block.numel();
    return;
  }
  check_value(depth == to.dim(), "tensor: the data changed while it was read");
  *at++ = element_from_python<T>(o);
}

template <class T>
PyObject* number_to_python(T v) {
  if constexpr (std::is_same_v<T, bool>)
    return PyBool_FromLong(v);
  else if constexpr (std::is_integral_v<T>)
    return PyLong_FromLongLong(v);
  else if constexpr (is_complex_v<T>)
    return PyComplex_FromDoubles(v.real(), v.imag());
  else
    return PyFloat_FromDouble(double(Compute<T>(v)));
}

template <class T>
PyObject* list_at(const Tensor& t, int64_t dim, const T* at) {
  if (dim == t.dim()) return number_to_python(*at);
  Object list = Object::steal(PyList_New(t.size(dim)));
  if (!list) throw PythonError();
  for (int64_t i = 0; i < t.size(dim); ++i) {
    PyObject* item = list_at(t, dim + 1, at + i * t.stride(dim));
    if (!item) throw PythonError();
    PyList_SET_ITEM(list.get(), i, item);
  }
  return list.release();
}

}  // namespace

Tensor tensor_from_data(PyObject* data, std::optional<DType> dtype, Device device) {
  check_type(!is_text(data), "new(): invalid data type '", Py_TYPE(data)->tp_name, "'");
  Survey survey(data, !dtype);
  Tensor t = make_tensor(survey.sizes, dtype.value_or(survey.dtype()), device);
  t->origin = Origin::User;
  if (t.is_meta() || t.numel() == 0) return t;
  dispatch_all(t.dtype(), [&]<class T>() {
    T* at = t.data<T>();
    store<T>(data, 0, t, at);
  });
  return t;
}

PyObject* to_list(const Tensor& t) {
  if (t.is_meta()) fail(ErrorKind::NotImplemented, "tolist: Cannot copy out of meta tensor; no data!");
  return dispatch_all(t.dtype(), [&]<class T>() -> PyObject* { return list_at<T>(t, 0, t.data<T>()); });
}

}  // namespace lg
