// Type promotion: which dtype an operation on several tensors has.
//
// Two dtypes promote to the least one that holds both kinds.  Several tensors fall into three categories: those with
// dimensions, zero-dim tensors, and Python numbers; a lower category only counts where its kind (bool, integer,
// floating, complex) is above that of the higher ones.
#include "tensor/tensor.h"

namespace lg {
namespace {

DType the_default = DType::Float32;

DType promote_integers(DType a, DType b) {
  if (a == DType::Bool) return b;
  if (b == DType::Bool) return a;
  // The enum is ordered by width, but unsigned and signed bytes only fit into 16 bits together.
  if (a == DType::UInt8 && b == DType::Int8) return DType::Int16;
  if (b == DType::UInt8 && a == DType::Int8) return DType::Int16;
  return std::max(a, b);
}

/// The lower category's dtype lifts the higher one's only to another kind.
DType combine(DType higher, DType lower) {
  if (is_complex(higher)) return higher;
  if (is_floating(higher)) return is_complex(lower) ? complex_of(higher) : higher;
  if (higher == DType::Bool || is_inexact(lower)) return promote(higher, lower);
  return higher;
}

struct Category {
  bool any = false;
  DType dtype = DType::Bool;
  void add(DType d) {
    dtype = any ? promote(dtype, d) : d;
    any = true;
  }
};

}  // namespace

DType default_dtype() { return the_default; }

void set_default_dtype(DType dtype) {
  check_type(is_floating(dtype), "only floating-point types are supported as the default type");
  the_default = dtype;
}

DType promote(DType a, DType b) {
  if (a == b) return a;
  if (!is_inexact(a) && !is_inexact(b)) return promote_integers(a, b);
  if (!is_inexact(a)) return b;
  if (!is_inexact(b)) return a;
  if (is_complex(a) || is_complex(b)) {
    bool wide = a == DType::Complex128 || b == DType::Complex128 || a == DType::Float64 || b == DType::Float64;
    return wide ? DType::Complex128 : DType::Complex64;
  }
  if ((a == DType::Float16 && b == DType::BFloat16) || (b == DType::Float16 && a == DType::BFloat16))
    return DType::Float32;  // neither holds the other
  return std::max(a, b);
}

DType result_type(std::span<const Tensor> tensors) {
  Category with_dims, zero_dim, numbers;
  for (const Tensor& t : tensors) {
    if (!t) continue;
    DType d = t.dtype();
    if (t->wrapped_number)
      numbers.add(is_complex(d) ? default_complex() : is_floating(d) ? default_dtype() : d);
    else
      (t.dim() > 0 ? with_dims : zero_dim).add(d);
  }
  Category result = numbers;
  for (const Category& higher : {zero_dim, with_dims}) {
    if (!higher.any) continue;
    result.dtype = result.any ? combine(higher.dtype, result.dtype) : higher.dtype;
    result.any = true;
  }
  return result.dtype;
}

DType result_type(const Tensor& a, const Tensor& b) {
  if (a.dtype() == b.dtype() && !a->wrapped_number && !b->wrapped_number) return a.dtype();
  const Tensor both[] = {a, b};
  return result_type(both);
}

bool can_cast(DType from, DType to) {
  if (is_complex(from) && !is_complex(to)) return false;
  if (is_floating(from) && is_integral(to)) return false;
  return !(from != DType::Bool && to == DType::Bool);
}

}  // namespace lg
