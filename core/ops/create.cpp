// Making tensors: filled, counted out, or in the likeness of another.  None of these is recorded, but for `complex`.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/table.h"
#include "ops/ops.h"

namespace lg {
namespace {

using OptDType = std::optional<DType>;
using OptDevice = std::optional<Device>;

DType inferred_dtype(const Scalar& value) {
  switch (value.kind()) {
    case Kind::Floating: return default_dtype();
    case Kind::Complex: return default_complex();
    default: return value.natural_dtype();
  }
}

void fill_with(const Tensor& y, const Scalar& value) {
  dispatch_all(y.dtype(), [&]<class T>() {
    T element = value.checked<T>();
    y.kernels().fill(y.strided(), &element);
  });
}

/// Is the memory between the first and the last element all its own, each used once?
bool is_dense(const Tensor& x) {
  Dims order(x.dim());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return x.stride(a) < x.stride(b); });
  int64_t expected = 1;
  for (int64_t d : order) {
    if (x.size(d) == 1) continue;
    if (x.stride(d) != expected) return false;
    expected *= x.size(d);
  }
  return true;
}

/// Strides for a dense tensor of x's shape whose dimensions lie in memory in the same order as x's.
Dims dense_strides_like(const Tensor& x) {
  int64_t ndim = x.dim();
  Dims order(ndim);
  std::iota(order.begin(), order.end(), 0);
  // Insertion from the back keeps the order of dimensions that strides cannot tell apart (size 1, expanded).
  auto before = [&](int64_t a, int64_t b) {  // does a belong outside b?
    int64_t sa = x.stride(a), sb = x.stride(b);
    if (sa == 0 || sb == 0) return 0;
    if (sa != sb) return sa > sb ? 1 : -1;
    return x.size(a) < x.size(b) ? -1 : 0;
  };
  for (int64_t i = ndim - 2; i >= 0; --i) {
    for (int64_t at = i, j = i + 1; j < ndim; ++j) {
      int relation = before(order[at], order[j]);
      if (relation > 0) break;
      if (relation < 0) {
        std::swap(order[at], order[j]);
        at = j;
      }
    }
  }
  Dims strides(ndim);
  int64_t stride = 1;
  for (int64_t i = ndim - 1; i >= 0; --i) {
    strides[order[i]] = stride;
    stride *= std::max<int64_t>(x.size(order[i]), 1);
  }
  return strides;
}

bool asks_contiguous(PyObject* memory_format) {
  if (!memory_format || memory_format == Py_None) return false;
  Object text = Object::steal(PyObject_Str(memory_format));
  if (!text) throw PythonError();
  return PyUnicode_CompareWithASCIIString(text.get(), "torch.contiguous_format") == 0;
}

Tensor empty_as(const Tensor& x, OptDType dtype, OptDevice device, PyObject* memory_format = nullptr) {
  DType d = dtype.value_or(x.dtype());
  Device where = device.value_or(x.device());
  if (asks_contiguous(memory_format)) return make_tensor(x.sizes(), d, where);
  if (x.is_contiguous()) {
    Tensor y = make_tensor(x.sizes(), d, where);
    y->strides = x.strides();  // a dimension of size 1 may have any
    return y;
  }
  return make_strided(x.sizes(), is_dense(x) ? x.strides() : dense_strides_like(x), d, where);
}

Tensor filled(Tensor y, const Scalar& value) {
  fill_with(y, value);
  return y;
}

// ---- what Python calls

Tensor py_empty(Dims size, OptDType dtype, OptDevice device, PyObject*) {
  return make_tensor(std::move(size), dtype.value_or(default_dtype()), device.value_or(Device::Cpu));
}
Tensor py_zeros(Dims size, OptDType dtype, OptDevice device) {
  return filled(py_empty(std::move(size), dtype, device, nullptr), Scalar(0));
}
Tensor py_ones(Dims size, OptDType dtype, OptDevice device) {
  return filled(py_empty(std::move(size), dtype, device, nullptr), Scalar(1));
}
Tensor py_full(Dims size, Scalar value, OptDType dtype, OptDevice device) {
  return filled(py_empty(std::move(size), dtype.value_or(inferred_dtype(value)), device, nullptr), value);
}
Tensor py_empty_like(const Tensor& x, OptDType dtype, OptDevice device, PyObject* memory_format) {
  return empty_as(x, dtype, device, memory_format);
}
Tensor py_zeros_like(const Tensor& x, OptDType dtype, OptDevice device, PyObject* memory_format) {
  return filled(empty_as(x, dtype, device, memory_format), Scalar(0));
}
Tensor py_ones_like(const Tensor& x, OptDType dtype, OptDevice device, PyObject* memory_format) {
  return filled(empty_as(x, dtype, device, memory_format), Scalar(1));
}
Tensor py_full_like(const Tensor& x, Scalar value, OptDType dtype, OptDevice device, PyObject* memory_format) {
  return filled(empty_as(x, dtype, device, memory_format), value);
}
Tensor new_empty(const Tensor& x, Dims size, OptDType dtype, OptDevice device) {
  return make_tensor(std::move(size), dtype.value_or(x.dtype()), device.value_or(x.device()));
}
Tensor new_zeros(const Tensor& x, Dims size, OptDType dtype, OptDevice device) {
  return filled(new_empty(x, std::move(size), dtype, device), Scalar(0));
}
Tensor new_ones(const Tensor& x, Dims size, OptDType dtype, OptDevice device) {
  return filled(new_empty(x, std::move(size), dtype, device), Scalar(1));
}
Tensor new_full(const Tensor& x, Dims size, Scalar value, OptDType dtype, OptDevice device) {
  return filled(new_empty(x, std::move(size), dtype, device), value);
}

Tensor strided_tensor(Dims size, Dims stride, DType dtype, Device device) {
  check(size.size() == stride.size(), "empty_strided: dimensionality of sizes (", size.size(),
        ") must match dimensionality of strides (", stride.size(), ")");
  for (int64_t s : stride)
    check(s >= 0, "empty_strided: negative strides are not supported: sizes=", size, " and strides=", stride);
  return make_strided(std::move(size), std::move(stride), dtype, device);
}
Tensor empty_strided(Dims size, Dims stride, OptDType dtype, OptDevice device) {
  return strided_tensor(std::move(size), std::move(stride), dtype.value_or(default_dtype()),
                        device.value_or(Device::Cpu));
}
Tensor new_empty_strided(const Tensor& x, Dims size, Dims stride, OptDType dtype, OptDevice device) {
  return strided_tensor(std::move(size), std::move(stride), dtype.value_or(x.dtype()), device.value_or(x.device()));
}
Tensor scalar_tensor(Scalar value, OptDType dtype, OptDevice device) {
  return filled(make_tensor({}, dtype.value_or(default_dtype()), device.value_or(Device::Cpu)), value);
}

Tensor eye_of(int64_t n, int64_t m, OptDType dtype, OptDevice device) {
  check(n >= 0, "eye: n must be greater or equal to 0, got ", n);
  check(m >= 0, "eye: m must be greater or equal to 0, got ", m);
  Tensor y = py_zeros({n, m}, dtype, device);
  int64_t length = std::min(n, m), stride = m + 1;
  if (length == 0) return y;
  Strided diagonal{y.data(), y.dtype(), 1, &length, &stride};
  dispatch_all(y.dtype(), [&]<class T>() {
    T one = T(1);
    y.kernels().fill(diagonal, &one);
  });
  return y;
}
Tensor eye(int64_t n, OptDType dtype, OptDevice device) { return eye_of(n, n, dtype, device); }
Tensor eye_rectangular(int64_t n, int64_t m, OptDType dtype, OptDevice device) { return eye_of(n, m, dtype, device); }

Tensor arange_end(Scalar end, OptDType dtype, OptDevice device) {
  return arange(Scalar(0), end, Scalar(1), dtype, device.value_or(Device::Cpu));
}
Tensor arange_start(Scalar start, Scalar end, Scalar step, OptDType dtype, OptDevice device) {
  return arange(start, end, step, dtype, device.value_or(Device::Cpu));
}

void require_arange_dtype(const char* op, DType dtype, bool with_complex) {
  if (dtype == DType::Bool || (!with_complex && is_complex(dtype)))
    fail(ErrorKind::NotImplemented, op, ": \"", op, "_cpu\" not implemented for '", name(dtype), "'");
}

DType linspace_dtype(const char* op, const Scalar& start, const Scalar& end, int64_t steps, OptDType dtype) {
  check(steps >= 0, op, ": number of steps must be non-negative, got ", steps);
  bool complex = start.is_complex() || end.is_complex();
  if (!dtype) return complex ? default_complex() : default_dtype();
  check(!complex || is_complex(*dtype), op, ": inferred dtype ", default_complex(),
        " can't be safely cast to passed dtype ", *dtype);
  require_arange_dtype(op, *dtype, true);
  return *dtype;
}

Tensor linspace(Scalar start, Scalar end, int64_t steps, OptDType dtype, OptDevice device) {
  DType d = linspace_dtype("linspace", start, end, steps, dtype);
  Tensor y = make_tensor({steps}, d, device.value_or(Device::Cpu));
  y.kernels().linspace(y.strided(), start.to<complex128>(), end.to<complex128>());
  return y;
}

Tensor logspace(Scalar start, Scalar end, int64_t steps, double base, OptDType dtype, OptDevice device) {
  DType d = linspace_dtype("logspace", start, end, steps, dtype);
  DType exact = is_complex(d) ? DType::Complex128 : DType::Float64;
  return cast(pow(number(Scalar(base)), linspace(start, end, steps, exact, device)), d);
}

int64_t triangle_size(int64_t rows, int64_t columns, int64_t diagonal, bool upper) {
  int64_t count = 0;
  for (int64_t i = 0; i < rows; ++i) {
    int64_t kept = std::clamp<int64_t>(i + diagonal + (upper ? 0 : 1), 0, columns);
    count += upper ? columns - kept : kept;
  }
  return count;
}

Tensor triangle_indices(const char* op, int64_t rows, int64_t columns, int64_t diagonal, bool upper, OptDType dtype,
                        OptDevice device) {
  check(rows >= 0, op, ": row must be non-negative, got ", rows);
  check(columns >= 0, op, ": col must be non-negative, got ", columns);
  DType d = dtype.value_or(DType::Int64);
  if (!is_integral(d, false)) fail(ErrorKind::NotImplemented, op, ": not implemented for '", name(d), "'");
  diagonal = std::clamp(diagonal, -rows - 1, columns + 1);
  Tensor y = make_tensor({2, triangle_size(rows, columns, diagonal, upper)}, d, device.value_or(Device::Cpu));
  y.kernels().triangle_indices(y.strided(), rows, columns, diagonal, upper);
  return y;
}
Tensor tril_indices(int64_t row, int64_t col, int64_t offset, OptDType dtype, OptDevice device) {
  return triangle_indices("tril_indices", row, col, offset, false, dtype, device);
}
Tensor triu_indices(int64_t row, int64_t col, int64_t offset, OptDType dtype, OptDevice device) {
  return triangle_indices("triu_indices", row, col, offset, true, dtype, device);
}

/// The real (0) or imaginary (1) parts of y as memory.
struct Parts {
  Dims strides;
  Strided memory;
  Parts(const Tensor& y, int64_t part) : strides(y.strides()) {
    for (int64_t& s : strides) s *= 2;
    DType real = real_of(y.dtype());
    char* first = static_cast<char*>(y.data());
    memory = {first ? first + part * itemsize(real) : nullptr, real, y.dim(), y.sizes().data(), strides.data()};
  }
};

// y = real + i imag.   dL/dreal = Re g, dL/dimag = Im g.
Tensor complex(const Tensor& real, const Tensor& imag) {
  auto allowed = [](DType d) { return d == DType::Float16 || d == DType::Float32 || d == DType::Float64; };
  check(allowed(real.dtype()) && allowed(imag.dtype()),
        "complex: Expected both inputs to be Half, Float or Double tensors but got ", real.dtype(), " and ",
        imag.dtype());
  check(real.dtype() == imag.dtype(), "complex: Expected object of scalar type ", real.dtype(), " but got scalar type ",
        imag.dtype(), " for second argument");
  Tensor y =
      make_tensor(broadcast_sizes("complex", real.sizes(), imag.sizes()), complex_of(real.dtype()), real.device());
  y.kernels().copy(Parts(y, 0).memory, real.strided());
  y.kernels().copy(Parts(y, 1).memory, imag.strided());
  if (Recorder record{"ComplexBackward0", y, real, imag}) {
    record.save("real", real);
    record.save("imag", imag);
    // Casting to a real dtype keeps the real part; -i g turns the imaginary part into it.
    record.vjp([d = real.dtype()](const Tensor& g, Needs need) -> Grads {
      return {need[0] ? to_dtype(g, d) : none, need[1] ? to_dtype(g * Scalar(complex128(0, -1)), d) : none};
    });
  }
  return y;
}

}  // namespace

// ---- what other operators call

Tensor empty(const Dims& size, OptDType dtype, Device device) {
  return make_tensor(size, dtype.value_or(default_dtype()), device);
}
Tensor empty_like(const Tensor& x, OptDType dtype) { return empty_as(x, dtype, {}); }
Tensor full(const Dims& size, const Scalar& value, OptDType dtype, Device device) {
  return py_full(size, value, dtype, device);
}
Tensor zeros(const Dims& size, OptDType dtype, Device device) { return py_zeros(size, dtype, device); }
Tensor ones(const Dims& size, OptDType dtype, Device device) { return py_ones(size, dtype, device); }
Tensor zeros_like(const Tensor& x, OptDType dtype) { return filled(empty_as(x, dtype, {}), Scalar(0)); }
Tensor ones_like(const Tensor& x, OptDType dtype) { return filled(empty_as(x, dtype, {}), Scalar(1)); }
Tensor full_like(const Tensor& x, const Scalar& value, OptDType dtype) { return filled(empty_as(x, dtype, {}), value); }

Tensor number(const Scalar& value, Device device) {
  Tensor y = make_tensor({}, value.natural_dtype(), device);
  if (void* at = y.data()) switch (value.kind()) {  // every `x * 2` comes this way: no kernel
      case Kind::Boolean: *static_cast<bool*>(at) = value.to<bool>(); break;
      case Kind::Integral: *static_cast<int64_t*>(at) = value.to<int64_t>(); break;
      case Kind::Floating: *static_cast<double*>(at) = value.to<double>(); break;
      case Kind::Complex: *static_cast<complex128*>(at) = value.to<complex128>(); break;
    }
  y->wrapped_number = true;
  return y;
}

Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, OptDType dtype, Device device) {
  bool integers = start.is_integral() && end.is_integral() && step.is_integral();
  DType d = dtype.value_or(integers ? DType::Int64 : default_dtype());
  require_arange_dtype("arange", d, false);
  check(!start.is_complex() && !end.is_complex() && !step.is_complex(), "arange: complex bounds are not supported");
  double first = start.to<double>(), last = end.to<double>(), stride = step.to<double>();
  check(stride != 0, "arange: step must be nonzero");
  check(std::isfinite(first) && std::isfinite(last), "arange: unsupported range: ", first, " -> ", last);
  check(std::isfinite(stride), "arange: step must be finite, got ", stride);
  check(stride > 0 ? last >= first : last <= first,
        "arange: upper bound and lower bound inconsistent with step sign: ", first, " -> ", last, " by ", stride);
  double size = std::ceil((last - first) / stride);
  if (integers || d == DType::Int64) {  // exactly, in 128 bits: doubles cannot tell 2^53 from 2^53 + 1
    __int128 a = start.checked<int64_t>(), b = end.checked<int64_t>(), s = step.checked<int64_t>();
    check(s != 0, "arange: step must be nonzero");
    __int128 count = (b - a + s - (s > 0 ? 1 : -1)) / s;
    check(count <= INT64_MAX, "arange: invalid size, possible overflow?");
    Tensor y = make_tensor({int64_t(count)}, d, device);
    if (is_integral(d))
      y.kernels().arange_integers(y.strided(), int64_t(a), int64_t(s));
    else
      y.kernels().arange(y.strided(), first, stride);
    return y;
  }
  check(size < 0x1p63, "arange: invalid size, possible overflow?");
  Tensor y = make_tensor({int64_t(size)}, d, device);
  if (is_integral(d))
    y.kernels().arange_integers(y.strided(), start.checked<int64_t>(), step.checked<int64_t>());
  else
    y.kernels().arange(y.strided(), first, stride);
  return y;
}

void def_create(Ops& ops) {
  auto dtype = "dtype"_a = None, device = "device"_a = None, memory_format = "memory_format"_a = None;
  ops.def("empty", &py_empty, "size"_a.varargs(), kw_only, dtype, device, memory_format,
          "Uninitialised tensor of shape `size`.")
      .factory();
  ops.def("zeros", &py_zeros, "size"_a.varargs(), kw_only, dtype, device, "Tensor of shape `size` filled with 0.")
      .factory();
  ops.def("ones", &py_ones, "size"_a.varargs(), kw_only, dtype, device, "Tensor of shape `size` filled with 1.")
      .factory();
  ops.def("full", &py_full, "size"_a, "fill_value"_a, kw_only, dtype, device,
          "Tensor of shape `size` filled with `fill_value`, whose kind gives the dtype.")
      .factory();
  ops.def("empty_like", &py_empty_like, "input"_a, kw_only, dtype, device, memory_format,
          "Uninitialised tensor of `input`'s shape, dtype and order of dimensions in memory.")
      .factory()
      .function_only();
  ops.def("zeros_like", &py_zeros_like, "input"_a, kw_only, dtype, device, memory_format,
          "Zeros in the likeness of `input`.")
      .factory()
      .function_only();
  ops.def("ones_like", &py_ones_like, "input"_a, kw_only, dtype, device, memory_format,
          "Ones in the likeness of `input`.")
      .factory()
      .function_only();
  ops.def("full_like", &py_full_like, "input"_a, "fill_value"_a, kw_only, dtype, device, memory_format,
          "`fill_value` in the likeness of `input`.")
      .factory()
      .function_only();
  ops.def("new_empty", &new_empty, "input"_a, "size"_a.varargs(), kw_only, dtype, device,
          "Uninitialised tensor of shape `size`, with this tensor's dtype and device.")
      .factory()
      .method_only();
  ops.def("new_zeros", &new_zeros, "input"_a, "size"_a.varargs(), kw_only, dtype, device,
          "Zeros with this tensor's dtype and device.")
      .factory()
      .method_only();
  ops.def("new_ones", &new_ones, "input"_a, "size"_a.varargs(), kw_only, dtype, device,
          "Ones with this tensor's dtype and device.")
      .factory()
      .method_only();
  ops.def("new_full", &new_full, "input"_a, "size"_a, "fill_value"_a, kw_only, dtype, device,
          "`fill_value` with this tensor's dtype and device.")
      .factory()
      .method_only();
  ops.def("empty_strided", &empty_strided, "size"_a, "stride"_a, kw_only, dtype, device,
          "Uninitialised tensor with the given strides, in elements.")
      .factory();
  ops.def("new_empty_strided", &new_empty_strided, "input"_a, "size"_a, "stride"_a, kw_only, dtype, device,
          "Uninitialised tensor with the given strides and this tensor's dtype and device.")
      .factory()
      .method_only();
  ops.def("scalar_tensor", &scalar_tensor, "s"_a, kw_only, dtype, device, "0-dim tensor of one number.").factory();
  ops.def("eye", &eye, "n"_a, kw_only, dtype, device, "Identity matrix, n by n.").factory();
  ops.def("eye", &eye_rectangular, "n"_a, "m"_a, kw_only, dtype, device, "Ones on the diagonal, n by m.").factory();
  ops.def("arange", &arange_end, "end"_a, kw_only, dtype, device, "0, 1, 2, ... below `end`.").factory();
  ops.def("arange", &arange_start, "start"_a, "end"_a, "step"_a = 1, kw_only, dtype, device,
          "From `start` by `step`, up to but without `end`.")
      .factory();
  ops.def("linspace", &linspace, "start"_a, "end"_a, "steps"_a, kw_only, dtype, device,
          "`steps` evenly spaced values, both ends included.")
      .factory();
  ops.def("logspace", &logspace, "start"_a, "end"_a, "steps"_a, "base"_a = 10.0, kw_only, dtype, device,
          "`base` to the power of `steps` evenly spaced exponents.")
      .factory();
  ops.def("tril_indices", &tril_indices, "row"_a, "col"_a, "offset"_a = 0, kw_only, dtype, device,
          "Row and column numbers of the lower triangle, as a (2, n) tensor.")
      .factory();
  ops.def("triu_indices", &triu_indices, "row"_a, "col"_a, "offset"_a = 0, kw_only, dtype, device,
          "Row and column numbers of the upper triangle, as a (2, n) tensor.")
      .factory();
  ops.def("complex", &complex, "real"_a, "imag"_a, "Complex tensor with the given real and imaginary parts.")
      .function_only();
}

}  // namespace lg
