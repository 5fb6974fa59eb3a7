// Complex tensors as pairs of real numbers, and back: views of another dtype over the same memory.
#include "ops/ops.h"

namespace lg {
namespace {

/// A view whose elements are of another dtype.  It is made over x's own geometry first, so that a view outside the
/// storage cannot arise.
Tensor reinterpreted(const Tensor& x, DType dtype, Dims sizes, Dims strides, int64_t offset) {
  Tensor y = make_view(x, x.sizes(), x.strides(), x.offset());
  y->dtype = dtype;
  y->offset = offset;
  set_geometry(y.get(), std::move(sizes), std::move(strides));
  return y;
}

}  // namespace

Tensor view_as_real(const Tensor& x) {
  check(is_complex(x.dtype()), "view_as_real is only supported for complex tensors");
  Dims sizes = x.sizes(), strides = x.strides();
  for (int64_t& s : strides) s *= 2;
  sizes.push_back(2);
  strides.push_back(1);
  Tensor y = reinterpreted(x, real_of(x.dtype()), std::move(sizes), std::move(strides), 2 * x.offset());
  if (Recorder record{"ViewAsRealBackward0", y, x})
    record.vjp([](const Tensor& g) { return view_as_complex(contiguous(g)); });
  return y;
}

Tensor view_as_complex(const Tensor& x) {
  check(x.dtype() == DType::Float32 || x.dtype() == DType::Float64,
        "view_as_complex is only supported for floating point tensors of 32 or 64 bits, but got a tensor of dtype ",
        x.dtype());
  check(x.dim() > 0 && x.size(-1) == 2, "Tensor must have a last dimension of size 2");
  check(x.stride(-1) == 1, "Tensor must have a last dimension with stride 1");
  Dims sizes = x.sizes(), strides = x.strides();
  sizes.erase(x.dim() - 1);
  strides.erase(x.dim() - 1);
  for (int64_t& s : strides) {
    check(s % 2 == 0, "Tensor must have a stride divisible by 2 for all but last dimension");
    s /= 2;
  }
  check(x.offset() % 2 == 0, "Tensor must have a storage_offset divisible by 2");
  Tensor y = reinterpreted(x, complex_of(x.dtype()), std::move(sizes), std::move(strides), x.offset() / 2);
  if (Recorder record{"ViewAsComplexBackward0", y, x}) record.vjp([](const Tensor& g) { return view_as_real(g); });
  return y;
}

Tensor seen_as(const Tensor& x, DType dtype) {
  if (is_complex(x.dtype()) == is_complex(dtype)) return x;
  if (is_complex(x.dtype())) return view_as_real(x);
  return view_as_complex(as_strided(x, {x.numel() / 2, 2}, {2, 1}));
}

Tensor real(const Tensor& x) { return is_complex(x.dtype()) ? select(view_as_real(x), -1, 0) : x; }
Tensor imag(const Tensor& x) {
  check(is_complex(x.dtype()), "imag is not implemented for tensors with non-complex dtypes.");
  return select(view_as_real(x), -1, 1);
}

void def_complex(Ops& ops) {
  ops.def("view_as_real", &view_as_real, "input"_a, "A view with a last dimension of size 2: real and imaginary part.")
      .function_only()
      .no_out();
  ops.def("view_as_complex", &view_as_complex, "input"_a, "A view of pairs, the last dimension, as complex numbers.")
      .function_only()
      .no_out();
  ops.def("real", &real, "input"_a, "A view of the real parts; the tensor itself if it is real.")
      .function_only()
      .no_out();
  ops.def("imag", &imag, "input"_a, "A view of the imaginary parts.").function_only().no_out();
}

}  // namespace lg
