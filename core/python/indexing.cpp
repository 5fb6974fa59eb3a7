// x[key] and x[key] = value: a key becomes views (ints, slices, None, Ellipsis) and then, if it has index tensors, one
// read or write by advanced indexing.
#include "python/indexing.h"

#include "ops/ops.h"
#include "ops/reduce.h"
#include "python/convert.h"
#include "python/tensor.h"

namespace lg {

using namespace binding;

namespace {

bool is_ellipsis(PyObject* o) { return o == Py_Ellipsis; }

/// What a list, a range, an array stands for as an index.
Tensor index_tensor(PyObject* object) {
  if (is_tensor(object)) return as_tensor_handle(object);
  Object args = Object::steal(PyTuple_Pack(1, object));
  Object made = Object::steal(call_python("leafgrad._core", "as_tensor", args.get(), nullptr));
  Tensor t = as_tensor_handle(made.get());
  // An empty list has no dtype of its own.
  return t.numel() == 0 && is_inexact(t.dtype()) ? cast(t, DType::Int64) : t;
}

bool is_index_tensor(PyObject* o) {
  return is_tensor(o) || PyList_Check(o) || PyTuple_Check(o) || PyRange_Check(o) ||
         (PySequence_Check(o) && !PyUnicode_Check(o) && !PyBytes_Check(o));
}

/// An old habit of NumPy's, which PyTorch still knows: a short list with a sequence, slice, None or ... in it is a
/// tuple.
Object key_tuple(PyObject* key) {
  if (PyTuple_Check(key)) return Object::borrow(key);
  if (PyList_Check(key) && PyList_GET_SIZE(key) < 32) {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(key); ++i) {
      PyObject* o = PyList_GET_ITEM(key, i);
      if (!is_tensor(o) && !PySequence_Check(o) && !PySlice_Check(o) && o != Py_None && !is_ellipsis(o)) continue;
      warn("Using a non-tuple sequence for multidimensional indexing is deprecated; write x[tuple(seq)] for x[seq].");
      return Object::steal(PyList_AsTuple(key));
    }
  }
  return Object::steal(PyTuple_Pack(1, key));
}

bool is_mask(const Tensor& t) { return t.dtype() == DType::Bool || t.dtype() == DType::UInt8; }

std::optional<int64_t> bound(PyObject* o) {
  if (o == Py_None) return std::nullopt;
  Object index = Object::steal(PyNumber_Index(o));
  if (!index) throw PythonError();
  // Bounds clip: one beyond 64 bits is as good as the greatest.
  int overflow;
  int64_t v = PyLong_AsLongLongAndOverflow(index.get(), &overflow);
  return overflow > 0 ? INT64_MAX : overflow < 0 ? INT64_MIN + 1 : v;
}

Tensor take_slice(const Tensor& x, int64_t dim, PyObject* key, bool keep_whole) {
  auto* s = reinterpret_cast<PySliceObject*>(key);
  std::optional<int64_t> step = bound(s->step), start = bound(s->start), stop = bound(s->stop);
  check_value(step.value_or(1) != 0, "slice step cannot be zero");
  check_value(step.value_or(1) > 0, "step must be greater than zero: leafgrad slices go forward, flip() reverses");
  bool whole = step.value_or(1) == 1 && start.value_or(0) == 0 && stop.value_or(INT64_MAX) >= x.size(dim);
  return whole && !keep_whole ? x : slice(x, dim, start, stop, step.value_or(1));
}

int64_t position(PyObject* o) {
  Object index = PyLong_CheckExact(o) ? Object::borrow(o) : Object::steal(PyNumber_Index(o));
  if (!index) throw PythonError();
  int overflow;
  int64_t v = PyLong_AsLongLongAndOverflow(index.get(), &overflow);
  check_index(!overflow, "index is out of range: it does not fit 64 bits");
  return v;
}

/// `axis`: what the dimension was called before other parts of the key took theirs away.
Tensor select_at(const Tensor& x, int64_t dim, int64_t index, int64_t axis) {
  int64_t size = x.size(dim);
  check_index(index >= -size && index < size, "index ", index, " is out of bounds for dimension ", axis, " with size ",
              size);
  return select(x, dim, index);
}

[[noreturn]] void bad_key(PyObject* o) {
  fail(ErrorKind::Index,
       "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got ",
       Py_TYPE(o)->tp_name, ")");
}

/// The key's views of x, and the index tensors left over, one slot for each dimension of that view.
struct Parsed {
  Tensor view;
  Tensors indices;
  bool advanced = false;
};

Parsed parse(const Tensor& x, PyObject* key) {
  Object tuple = key_tuple(key);
  Py_ssize_t n = PyTuple_GET_SIZE(tuple.get());
  // First pass: how many dimensions does the key speak of?
  SmallVec<Tensor, 4> tensors(static_cast<size_t>(n));
  int64_t specified = 0;
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* o = PyTuple_GET_ITEM(tuple.get(), i);
    if (o == Py_None || is_ellipsis(o) || PyBool_Check(o)) continue;
    if (PySlice_Check(o) || (!is_tensor(o) && PyIndex_Check(o) && !PySequence_Check(o))) {
      ++specified;
      continue;
    }
    if (!is_index_tensor(o)) bad_key(o);
    tensors[size_t(i)] = index_tensor(o);
    const Tensor& t = tensors[size_t(i)];
    check(!t.is_meta() || x.is_meta(),
          "indices should be on the same device as the indexed tensor (cpu), but one is on meta");
    check_index(is_mask(t) || t.dtype() == DType::Int64 || t.dtype() == DType::Int32,
                "tensors used as indices must be long, int, byte or bool tensors, got ", t.dtype());
    specified += is_mask(t) ? t.dim() : 1;
  }
  check_index(specified <= x.dim(),
              x.dim() == 0 ? "invalid index of a 0-dim tensor. Use `tensor.item()` in Python to convert a 0-dim "
                             "tensor to a number; too many indices"
                           : "too many indices",
              " for tensor of dimension ", x.dim());
  Parsed p{x, {}, false};
  bool single = PySlice_Check(key);
  int64_t dim = 0;     // of the view made so far
  int64_t axis = 0;    // of x
  int64_t folded = 0;  // dimensions of masks beyond the one slot that each takes in `indices`
  auto put = [&](const Tensor& t) {
    while (int64_t(p.indices.size()) < dim - folded) p.indices.push_back(Tensor());
    p.indices.push_back(t);
    p.advanced = true;
  };
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* o = PyTuple_GET_ITEM(tuple.get(), i);
    const Tensor& t = tensors[size_t(i)];
    if (o == Py_None) {
      p.view = unsqueeze(p.view, dim++);
    } else if (is_ellipsis(o)) {
      dim += x.dim() - specified;
      axis += x.dim() - specified;
    } else if (PySlice_Check(o)) {
      p.view = take_slice(p.view, dim++, o, single);
      ++axis;
    } else if (PyBool_Check(o) || (t && t.dim() == 0 && is_mask(t))) {
      // A truth value is a mask of a new dimension.
      p.view = unsqueeze(p.view, dim);
      put(t ? reshape(cast(t, DType::Bool), {1}) : full({1}, o == Py_True, DType::Bool));
      ++dim;
    } else if (!t || t.dim() == 0) {
      p.view = select_at(p.view, dim, t ? item_of(t).to<int64_t>() : position(o), axis++);
    } else {
      put(t);
      dim += is_mask(t) ? t.dim() : 1;
      axis += is_mask(t) ? t.dim() : 1;
      if (is_mask(t)) folded += t.dim() - 1;
    }
  }
  return p;
}

}  // namespace

Tensor get_item(const Tensor& x, PyObject* key) {
  if (PyLong_CheckExact(key) && x.dim() > 0) return select_at(x, 0, position(key), 0);
  Parsed p = parse(x, key);
  if (p.advanced) return index(p.view, p.indices);
  if (!p.view.is(x)) return p.view;
  return alias(x);  // x[...], x[()]: a view of its own
}

/// What is assigned, as a tensor that `x` can take.
static Tensor value_for(const Tensor& x, PyObject* value) {
  if (is_tensor(value)) return as_tensor_handle(value);
  if (!is_number(value))
    fail(ErrorKind::Type, "can't assign a ", Py_TYPE(value)->tp_name, " to a torch.", scalar_type_name(x.dtype()),
         "Tensor");
  return full({}, scalar_from_python(value), x.dtype(), x.device());
}

/// Leading dimensions of size 1 of a value do not count.
static Tensor without_leading_ones(const Tensor& v, int64_t dims) {
  Tensor t = v;
  while (t.dim() > dims && t.size(0) == 1) t = select(t, 0, 0);
  return t;
}

void set_item(const Tensor& x, PyObject* key, PyObject* object) {
  Tensor value = value_for(x, object);
  Parsed p = parse(x, key);
  if (!p.advanced) {
    Tensor v = without_leading_ones(value, p.view.dim());
    check(is_expandable_to(v.sizes(), p.view.sizes()), "shape mismatch: value tensor of shape ", value.sizes(),
          " cannot be broadcast to "
          "indexing result of shape ",
          p.view.sizes());
    copy_(p.view, v);
    return;
  }
  Tensor typed = value.numel() == 1 ? to_dtype(value, x.dtype()) : value;
  index_put_(p.view, p.indices, without_leading_ones(typed, 0), /*accumulate=*/false);
}

Tensors indices_from_python(PyObject* sequence) {
  check_type(PyTuple_Check(sequence) || PyList_Check(sequence), "indices must be a tuple or list of tensors");
  Tensors ts;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence); ++i) {
    PyObject* o = PySequence_Fast_ITEMS(sequence)[i];
    check_type(o == Py_None || is_tensor(o), "indices must be tensors or None, got ", Py_TYPE(o)->tp_name);
    ts.push_back(o == Py_None ? Tensor() : as_tensor_handle(o));
  }
  return ts;
}

}  // namespace lg
