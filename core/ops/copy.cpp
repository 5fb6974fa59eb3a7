// Copies: clone, contiguous, conversion of dtype and device, writing into a tensor, and leaving the graph.
#include <cstring>

#include "kernels/table.h"
#include "ops/evaluate.h"

namespace lg {
namespace {

using OptDType = std::optional<DType>;
using OptDevice = std::optional<Device>;

enum class Format { Preserve, Contiguous, ChannelsLast, ChannelsLast3d };

/// torch.preserve_format and its kind, by what they print.  None: the operator's own default.
Format format_from(const char* op, PyObject* object, Format fallback) {
  if (!object || object == Py_None) return fallback;
  const Object text = Object::steal(PyObject_Str(object));
  if (!text) throw PythonError();
  auto is = [&](const char* name) { return PyUnicode_CompareWithASCIIString(text.get(), name) == 0; };
  if (is("torch.preserve_format")) return Format::Preserve;
  if (is("torch.contiguous_format")) return Format::Contiguous;
  if (is("torch.channels_last")) return Format::ChannelsLast;
  if (is("torch.channels_last_3d")) return Format::ChannelsLast3d;
  fail(ErrorKind::Type, op, "(): argument 'memory_format' must be torch.memory_format, not ", Py_TYPE(object)->tp_name);
}

/// Strides with dimension 1 innermost, the others in their order.
Dims channels_last_strides(const Dims& sizes, Format format) {
  const int64_t n = format == Format::ChannelsLast ? 4 : 5;
  check(sizes.size() == n, "required rank ", n, " tensor to use channels_last", n == 5 ? "_3d" : "", " format");
  Dims strides(n);
  int64_t next = 1;
  auto place = [&](int64_t d) {
    strides[d] = next;
    next *= std::max<int64_t>(sizes[d], 1);
  };
  place(1);
  for (int64_t d = n - 1; d > 1; --d) place(d);
  place(0);
  return strides;
}

Tensor empty_in(const Tensor& x, DType dtype, Device device, Format format) {
  if (format == Format::Preserve) {
    const Tensor like = empty_like(x, dtype);
    return device == x.device() ? like : make_strided(x.sizes(), like.strides(), dtype, device);
  }
  if (format == Format::Contiguous) return make_tensor(x.sizes(), dtype, device);
  return make_strided(x.sizes(), channels_last_strides(x.sizes(), format), dtype, device);
}

bool has_format(const Tensor& x, Format format) {
  if (format == Format::Preserve) return true;
  if (format == Format::Contiguous) return x.is_contiguous();
  const Dims wanted = channels_last_strides(x.sizes(), format);
  for (int64_t d = 0; d < x.dim(); ++d)
    if (x.size(d) != 1 && x.stride(d) != wanted[d]) return false;
  return true;
}

void copy_values(const Tensor& y, const Tensor& x) {
  if (y.is_meta() || y.numel() == 0) return;
  if (x.is_meta()) fail(ErrorKind::NotImplemented, "Cannot copy out of meta tensor; no data!");
  if (y->contiguous && x->contiguous && y.dtype() == x.dtype() && y.sizes() == x.sizes() && y.bytes() <= 1024) {
    std::memmove(y.data(), x.data(), size_t(y.bytes()));
    return;
  }
  y.kernels().copy(y.strided(), x.strided());
}

Tensor copied(const char* node, const Tensor& x, DType dtype, Device device, Format format) {
  Tensor y = empty_in(x, dtype, device, format);
  copy_values(y, x);
  if (!is_inexact(dtype)) return y;  // integers have no gradient
  if (Recorder record{node, y, x})
    record.vjp([from = x.device()](const Tensor& g) {
      return g.device() == from ? g : copied("ToCopyBackward0", g, g.dtype(), from, Format::Preserve);
    });
  return y;
}

Tensor clone_as(const Tensor& x, PyObject* memory_format) {
  return copied("CloneBackward0", x, x.dtype(), x.device(), format_from("clone", memory_format, Format::Preserve));
}
Tensor contiguous_as(const Tensor& x, PyObject* memory_format) {
  const Format format = format_from("contiguous", memory_format, Format::Contiguous);
  check(format != Format::Preserve, "preserve memory format is unsupported by the contiguous operator");
  return has_format(x, format) ? x : copied("CloneBackward0", x, x.dtype(), x.device(), format);
}

// ---- to

Tensor converted(const Tensor& x, OptDType dtype, OptDevice device, bool copy, PyObject* memory_format) {
  const DType d = dtype.value_or(x.dtype());
  const Device where = device.value_or(x.device());
  const Format format = format_from("to", memory_format, Format::Preserve);
  if (!copy && d == x.dtype() && where == x.device() && has_format(x, format)) return x;
  return copied("ToCopyBackward0", x, d, where, format);
}
Tensor to_device(const Tensor& x, OptDevice device, OptDType dtype, bool non_blocking, bool copy,
                 PyObject* memory_format) {
  return converted(x, dtype, device, copy, memory_format);
}
Tensor to_type(const Tensor& x, DType dtype, bool non_blocking, bool copy, PyObject* memory_format) {
  return converted(x, dtype, {}, copy, memory_format);
}
Tensor to_other(const Tensor& x, const Tensor& other, bool non_blocking, bool copy, PyObject* memory_format) {
  return converted(x, other.dtype(), other.device(), copy, memory_format);
}
template <DType dtype>
Tensor as_type(const Tensor& x, PyObject* memory_format) {
  return converted(x, dtype, {}, false, memory_format);
}
Tensor cpu(const Tensor& x, PyObject* memory_format) { return converted(x, {}, Device::Cpu, false, memory_format); }

/// type() names the tensor's type; type(what) converts to it.
Object type(const Tensor& x, PyObject* wanted, bool non_blocking) {
  auto name_of = [](DType d) { return text("torch.", scalar_type_name(d), "Tensor"); };
  if (wanted == Py_None) return Object::steal(PyUnicode_FromString(name_of(x.dtype()).c_str()));
  DType d{};
  bool found = binding::dtype_from_python(wanted, &d);
  if (!found && PyUnicode_Check(wanted)) {
    const char* text = PyUnicode_AsUTF8(wanted);
    for (int i = 0; i < num_dtypes && !found; ++i) {
      d = DType(i);
      found = name_of(d) == text;
    }
    check_value(found, "invalid type: '", text, "'");
  }
  check_type(found, "type(): argument 'dtype' must be a torch.dtype or the name of a tensor type, not ",
             Py_TYPE(wanted)->tp_name);
  return Object::steal(converted(x, d, {}, false, nullptr).release());
}
Tensor type_as(const Tensor& x, const Tensor& other) {
  return converted(x, other.dtype(), other.device(), false, nullptr);
}

// ---- writing

Tensor copy_from(const Tensor& x, const Tensor& src, bool non_blocking) { return copy_(x, src); }

/// Fills with a number, checked against the dtype's range, or with a zero-dim tensor.
Tensor fill_with(const Tensor& x, const Tensor& value) {
  check(value.dim() == 0, "fill_ only supports 0-dimension value tensor but got tensor with ", value.dim(),
        " dimensions.");
  check_inplace("fill_", x, value);
  if (!x.is_meta() && x.numel()) {
    if (value.is_meta()) fail(ErrorKind::NotImplemented, "fill_: the value is on the meta device and has no data");
    dispatch_all(x.dtype(), [&]<class T>() {
      const T element = value->wrapped_number ? value_of(value).checked<T>() : value_of(value).to<T>();
      x.kernels().fill(x.strided(), &element);
    });
  }
  x.bump_version();
  return x;
}

}  // namespace

Tensor clone(const Tensor& x) { return copied("CloneBackward0", x, x.dtype(), x.device(), Format::Preserve); }
Tensor contiguous(const Tensor& x) {
  return x.is_contiguous() ? x : copied("CloneBackward0", x, x.dtype(), x.device(), Format::Contiguous);
}
Tensor to_dtype(const Tensor& x, DType dtype) {
  return x.dtype() == dtype ? x : copied("ToCopyBackward0", x, dtype, x.device(), Format::Preserve);
}
Tensor cast(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  Tensor y = empty_like(x, dtype);
  copy_values(y, x);
  return y;
}
Tensor detach(const Tensor& x) {
  Tensor y = make_alias(x);
  y->origin = requires_grad(x) ? Origin::Detached : x->origin;
  return y;
}

Tensor copy_(const Tensor& x, const Tensor& src) {
  if (!(x.sizes() == src.sizes())) {
    const Dims sizes = broadcast_sizes("copy_", x.sizes(), src.sizes());
    check(sizes == x.sizes(), "output with shape ", x.sizes(), " doesn't match the broadcast shape ", sizes);
  }
  check_inplace("copy_", x, src);
  if (x.is(src)) return x;
  copy_values(x, apart_from(x, src));
  x.bump_version();
  record_copy(x, src);
  return x;
}

Tensor fill_(const Tensor& x, const Tensor& value) {
  if (rebases(x, value)) {
    check(value.dim() == 0, "fill_ only supports 0-dimension value tensor but got tensor with ", value.dim(),
          " dimensions.");
    return copy_(x, value);
  }
  fill_with(x, value);
  const Tensor inputs[] = {x, value};
  if (Recorder record{value->wrapped_number ? "FillBackward2" : "FillBackward3", {&x, 1}, inputs})
    record.vjp(
        [](const Tensor& g, Needs need) -> Grads { return {need[0] ? zeros_like(g) : none, need[1] ? sum(g) : none}; });
  return x;
}
Tensor zero_(const Tensor& x) {
  if (rebases(x)) return copy_(x, zeros_like(x));
  check_inplace("zero_", x);
  if (!x.is_meta() && x.numel()) {
    const char element[16] = {};
    x.kernels().fill(x.strided(), element);
  }
  x.bump_version();
  if (Recorder record{"ZeroBackward0", x, x}) record.vjp([](const Tensor& g) { return zeros_like(g); });
  return x;
}
// ---- promotion, as Python asks for it

static DType result_type_of(const Tensor& a, const Tensor& b) { return result_type(a, b); }

static Tensor fill(const Tensor& x, const Tensor& value) { return fill_(clone(x), value); }

void def_copy(Ops& ops) {
  const Arg input = "input"_a, format = "memory_format"_a = None, non_blocking = "non_blocking"_a = false,
            copy = "copy"_a = false;
  ops.def("clone", &clone_as, input, kw_only, format, "A copy; recorded.").no_out();
  ops.def("contiguous", &contiguous_as, input, format,
          "The tensor itself if it is row-major without gaps, else such a copy.")
      .method_only()
      .no_out();

  const char* to_text =
      "The tensor with another dtype, device or memory format; itself if nothing changes and not `copy`.";
  ops.def("to", &to_device, input, "device"_a = None, "dtype"_a = None, non_blocking, copy, kw_only, format, to_text)
      .method_only()
      .no_out();
  ops.def("to", &to_type, input, "dtype"_a, non_blocking, copy, kw_only, format, to_text).method_only().no_out();
  ops.def("to", &to_other, input, "tensor"_a, non_blocking, copy, kw_only, format, to_text).method_only().no_out();
  ops.def("type", &type, input, "dtype"_a = None, non_blocking, "Name of the tensor's type, or the tensor as another.")
      .method_only()
      .no_out();
  ops.def("type_as", &type_as, input, "other"_a, "The tensor with the dtype and device of `other`.")
      .method_only()
      .no_out();
  ops.def("cpu", &cpu, input, format, "The tensor on the cpu.").method_only().no_out();
  const auto conversion = [&](const char* name, Tensor (*function)(const Tensor&, PyObject*)) {
    ops.def(name, function, input, format, "The tensor as another dtype; itself if it has that dtype.")
        .method_only()
        .no_out();
  };
  conversion("float", &as_type<DType::Float32>);
  conversion("double", &as_type<DType::Float64>);
  conversion("half", &as_type<DType::Float16>);
  conversion("bfloat16", &as_type<DType::BFloat16>);
  conversion("int", &as_type<DType::Int32>);
  conversion("long", &as_type<DType::Int64>);
  conversion("short", &as_type<DType::Int16>);
  conversion("char", &as_type<DType::Int8>);
  conversion("byte", &as_type<DType::UInt8>);
  conversion("bool", &as_type<DType::Bool>);
  conversion("cfloat", &as_type<DType::Complex64>);
  conversion("cdouble", &as_type<DType::Complex128>);

  ops.def("copy_", &copy_from, input, "src"_a.or_number(), non_blocking,
          "Overwrites the tensor with `src`, broadcast and converted.")
      .method_only()
      .no_out();
  ops.def("fill_", &fill_, input, "value"_a.or_number(), "Overwrites every element with one value.").no_out();
  ops.def("fill", &fill, input, "value"_a.or_number(), "A copy in which every element is one value.").no_out();
  ops.def("zero_", &zero_, input, "Overwrites every element with 0.").no_out();

  ops.def("result_type", &result_type_of, "tensor1"_a.or_number(), "tensor2"_a.or_number(),
          "dtype of an operation on both.")
      .function_only()
      .no_out();
  ops.def("promote_types", &promote, "type1"_a, "type2"_a, "The least dtype that holds both.").no_out();
  ops.def("can_cast", &can_cast, "from_"_a, "to"_a,
          "May an operation whose result is of one dtype write into the other?")
      .no_out();
}

}  // namespace lg
