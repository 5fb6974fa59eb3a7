#include "ops/evaluate.h"
#include "kernels/table.h"

#include <algorithm>

namespace lg {
namespace {

/// Same dense look: the thin path's condition.
bool alike(const Tensor& a, const Tensor& b) {
  return a->contiguous && b->contiguous && a->dtype == b->dtype && a->device == b->device && a->sizes == b->sizes;
}
bool defined(Row row, DType d) { return info(row).on & kind_bit(d); }
/// Loops exist for the halves only by way of float, where a number keeps float's precision.
bool is_half(DType d) { return d == DType::Float16 || d == DType::BFloat16; }

/// b is a Python number that does not change a's dtype, and a is dense.
bool takes_number(Row row, const Tensor& a, const Tensor& b) {
  return b->wrapped_number && a->contiguous && !a->wrapped_number && !is_half(a.dtype()) && defined(row, a.dtype()) &&
         info(b.dtype()).kind <= info(a.dtype()).kind && !b.is_meta() && b.dim() == 0;
}

const char* device_name(Device d) { return d == Device::Cpu ? "cpu" : "meta"; }

/// Zero-dim tensors on the cpu go with any device.
Device common_device(Inputs inputs) {
  const Tensor* first = nullptr;
  for (const Tensor* t : inputs)
    if (*t && !(t->dim() == 0 && !t->is_meta()) && !first) first = t;
  const Device device = first ? first->device() : Device::Cpu;
  for (const Tensor* t : inputs)
    if (*t && t->device() != device && !(t->dim() == 0 && !t->is_meta()))
      fail(ErrorKind::Runtime, "Expected all tensors to be on the same device, but found at least two devices, ",
           device_name(device), " and ", device_name(t->device()), "!");
  return device;
}

Dims common_sizes(Row row, Inputs inputs) {
  const Tensor* const* it = inputs.begin();
  Dims sizes = (*it)->sizes();
  for (++it; it != inputs.end(); ++it)
    if (!((*it)->sizes() == sizes)) sizes = broadcast_sizes(info(row).name, sizes, (*it)->sizes());
  return sizes;
}

/// Strides for a result that lies in memory as its inputs do: dense, dimensions in the order of the first input that
/// has an opinion (broadcast dimensions have none).
Dims result_strides(const Dims& sizes, Inputs inputs) {
  const int64_t n = sizes.size();
  Dims order;  // innermost first
  for (int64_t d = n - 1; d >= 0; --d) order.push_back(d);
  auto stride = [&](const Tensor& t, int64_t d) {
    int64_t own = d - (n - t.dim());
    return own < 0 || t.size(own) == 1 ? 0 : t.stride(own);
  };
  auto inner = [&](int64_t a, int64_t b) {  // must a come before b, where b is before a now?
    for (const Tensor* t : inputs) {
      int64_t sa = stride(*t, a), sb = stride(*t, b);
      if (sa == 0 || sb == 0 || (sa == sb && sizes[a] == sizes[b])) continue;
      return sa != sb ? sa < sb : sizes[a] < sizes[b];
    }
    return false;
  };
  for (int64_t i = 1; i < n; ++i)
    for (int64_t j = i; j > 0 && inner(order[j], order[j - 1]); --j) std::swap(order[j], order[j - 1]);
  Dims strides(n);
  int64_t next = 1;
  for (int64_t d : order) {
    strides[d] = next;
    next *= std::max<int64_t>(sizes[d], 1);
  }
  return strides;
}

Tensor allocate_result(const Dims& sizes, DType dtype, Device device, Inputs inputs) {
  bool plain = sizes.size() < 2;
  if (!plain) {
    plain = true;
    for (const Tensor* t : inputs) plain &= (*t)->contiguous;
  }
  if (plain) return make_tensor(sizes, dtype, device);
  return make_strided(sizes, result_strides(sizes, inputs), dtype, device);
}

void run(Row row, DType d, const Tensor& out, Inputs inputs) {
  if (out.numel() == 0) return;
  Strided operands[5] = {out.strided()};
  int count = 1;
  for (const Tensor* t : inputs) operands[count++] = t->strided();
  out.kernels().pointwise(row, d, operands);
}

/// Rows whose refusal says what to do instead.
void refuse(Row row, DType d) {
  const bool boolean = d == DType::Bool;
  if (row == Row::neg)
    fail(ErrorKind::Runtime,
         "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a "
         "mask, use the `~` or `logical_not()` operator instead.");
  if (row == Row::relu && boolean) fail(ErrorKind::Runtime, "Boolean inputs not supported for relu");
  if ((row == Row::maximum || row == Row::minimum || row == Row::fmax || row == Row::fmin) && is_complex(d))
    fail(ErrorKind::Runtime, info(row).name, " not implemented for complex tensors.");
  if (row == Row::sign && is_complex(d))
    fail(ErrorKind::NotImplemented, "sign of a complex number has no order: use torch.sgn instead.");
  if (row == Row::bitwise_not)
    fail(ErrorKind::Type, "~ (operator.invert) is only implemented on integer and Boolean-type tensors, not on ",
         name(d));
}

}  // namespace

DType compute_dtype(Row row, DType d) {
  const unsigned on = info(row).on;
  if (on & kind_bit(d)) return d;
  if ((on & promotes) && is_integral(d)) return default_dtype();
  refuse(row, d);
  fail(ErrorKind::NotImplemented, '"', info(row).name, "_cpu\" not implemented for '", scalar_type_name(d), "'");
}

DType promoted(Inputs inputs) {
  Tensors all;
  for (const Tensor* t : inputs)
    if (*t) all.push_back(*t);
  return result_type(all);
}

Tensor evaluate(Row row, DType d, Inputs inputs) {
  const Dims sizes = common_sizes(row, inputs);
  Tensor y = allocate_result(sizes, result_dtype(row, d), common_device(inputs), inputs);
  run(row, d, y, inputs);
  return y;
}

void evaluate_into(Row row, DType d, const Tensor& out, Inputs inputs) {
  check_castable(result_dtype(row, d), out.dtype());
  common_device(inputs);
  const Dims sizes = common_sizes(row, inputs);
  check(sizes == out.sizes(), "output with shape ", out.sizes(), " doesn't match the broadcast shape ", sizes);
  Strided operands[5] = {out.strided()};
  Tensors kept;
  for (const Tensor* t : inputs) {
    kept.push_back(apart_from(out, *t));
    operands[kept.size()] = kept.back().strided();
  }
  if (out.numel()) out.kernels().pointwise(row, d, operands);
}

Tensor evaluate(Row row, const Tensor& x) {
  const DType d = compute_dtype(row, x.dtype());
  if (d != x.dtype() || !x->contiguous) return evaluate(row, d, {&x});
  Tensor y = make_tensor(x.sizes(), result_dtype(row, d), x.device());
  char* const data[] = {y.data<char>(), x.data<char>()};
  if (x.numel()) y.kernels().pointwise_dense(row, d, x.numel(), data, 0);
  return y;
}

void evaluate_into(Row row, const Tensor& x) {
  const DType d = compute_dtype(row, x.dtype()), result = result_dtype(row, d);
  if (result != x.dtype() || !x->contiguous) return evaluate_into(row, d, x, {&x});
  char* const data[] = {x.data<char>(), x.data<char>()};
  if (x.numel()) x.kernels().pointwise_dense(row, d, x.numel(), data, 0);
}

Tensor evaluate(Row row, const Tensor& a, const Tensor& b) {
  const DType d = a.dtype();
  if (alike(a, b) && defined(row, d) && !(a->wrapped_number | b->wrapped_number)) {
    Tensor y = make_tensor(a.sizes(), result_dtype(row, d), a.device());
    char* const data[] = {y.data<char>(), a.data<char>(), b.data<char>()};
    if (a.numel()) y.kernels().pointwise_dense(row, d, a.numel(), data, 0);
    return y;
  }
  if (takes_number(row, a, b)) {
    Tensor y = make_tensor(a.sizes(), result_dtype(row, d), a.device());
    Element number(value_of(b), d);
    char* const data[] = {y.data<char>(), a.data<char>(), number.bytes};
    if (a.numel()) y.kernels().pointwise_dense(row, d, a.numel(), data, 1 << 2);
    return y;
  }
  if (takes_number(row, b, a)) {
    Tensor y = make_tensor(b.sizes(), result_dtype(row, b.dtype()), b.device());
    Element number(value_of(a), b.dtype());
    char* const data[] = {y.data<char>(), number.bytes, b.data<char>()};
    if (b.numel()) y.kernels().pointwise_dense(row, b.dtype(), b.numel(), data, 1 << 1);
    return y;
  }
  return evaluate(row, compute_dtype(row, result_type(a, b)), {&a, &b});
}

void evaluate_into(Row row, const Tensor& a, const Tensor& b) {
  const DType d = a.dtype();
  if (defined(row, d) && result_dtype(row, d) == d) {
    if (alike(a, b) && (!shares_memory(a, b) || a->offset == b->offset)) {
      char* const data[] = {a.data<char>(), a.data<char>(), b.data<char>()};
      if (a.numel()) a.kernels().pointwise_dense(row, d, a.numel(), data, 0);
      return;
    }
    if (takes_number(row, a, b)) {
      Element number(value_of(b), d);
      char* const data[] = {a.data<char>(), a.data<char>(), number.bytes};
      if (a.numel()) a.kernels().pointwise_dense(row, d, a.numel(), data, 1 << 2);
      return;
    }
  }
  evaluate_into(row, compute_dtype(row, result_type(a, b)), a, {&a, &b});
}

void check_castable(DType from, DType to) {
  check(can_cast(from, to), "result type ", scalar_type_name(from), " can't be cast to the desired output type ",
        scalar_type_name(to));
}

namespace {

enum class Across { No, Perhaps, Certainly };

/// Does src lie across x's memory?  The same elements in the same places do not.
Across lies_across(const Tensor& x, const Tensor& src) {
  if (!shares_memory(x, src) || x.is(src) || x.is_meta() || x.numel() == 0 || src.numel() == 0) return Across::No;
  const bool same_size = itemsize(x.dtype()) == itemsize(src.dtype());
  if (same_size && x.offset() == src.offset() && x.sizes() == src.sizes() && x.strides() == src.strides())
    return Across::No;
  struct Reach {
    int64_t begin, end;  // in bytes
    bool dense;
    explicit Reach(const Tensor& t) {
      int64_t span = 1;
      for (int64_t d = 0; d < t.dim(); ++d) span += (t.size(d) - 1) * t.stride(d);
      begin = t.offset() * itemsize(t.dtype());
      end = begin + span * itemsize(t.dtype());
      dense = span == t.numel();
    }
  };
  const Reach a(x), b(src);
  if (a.end <= b.begin || b.end <= a.begin) return Across::No;
  return a.dense && b.dense ? Across::Certainly : Across::Perhaps;
}

}  // namespace

void check_not_across(const Tensor& x, const Tensor& src) {
  check(lies_across(x, src) != Across::Certainly,
        "unsupported operation: some elements of the input tensor and the "
        "written-to tensor refer to a single memory location. Please clone() the tensor before performing the "
        "operation.");
}

Tensor apart_from(const Tensor& x, const Tensor& src) {
  check_not_across(x, src);
  if (lies_across(x, src) == Across::No) return src;
  Tensor copy = make_tensor(src.sizes(), src.dtype());  // right whether they are interleaved or not
  copy.kernels().copy(copy.strided(), src.strided());
  return copy;
}

Scalar value_of(const Tensor& number) {
  return dispatch_all(number.dtype(), [&]<class T>() {
    const T v = *number.data<T>();
    if constexpr (std::is_same_v<T, bool>)
      return Scalar(v);
    else if constexpr (std::is_integral_v<T>)
      return Scalar(int64_t(v));
    else if constexpr (is_complex_v<T>)
      return Scalar(complex128(v));
    else
      return Scalar(double(Compute<T>(v)));
  });
}

Element::Element(const Scalar& value, DType dtype) {
  dispatch_all(dtype, [&]<class T>() {
    const T v = value.to<T>();
    std::memcpy(bytes, &v, sizeof v);
  });
}

}  // namespace lg
