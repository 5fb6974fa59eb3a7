// What the families reduce, norm, loss and sort share: the shapes of a reduction and the way back.
#pragma once

#include "ops/ops.h"

namespace lg {

/// The dimensions that a reduction goes over, a bit each, and the shapes that follow.
struct Reduction {
  uint64_t mask = 0;
  int64_t count = 1;  // elements that go into one result
  Dims kept;          // x's sizes, 1 where reduced
  Dims result;        // the result's sizes: `kept`, or without the reduced dimensions
  Dims strides;       // of a contiguous tensor of sizes `kept`

  /// Empty `dims` means all.
  Reduction(const char* op, const Tensor& x, const Dims& dims, bool keepdim);
  bool over(int64_t d) const { return mask >> d & 1; }
  Tensor make(DType dtype, Device device) const { return make_tensor(result, dtype, device); }
  /// A result as the kernels want it: with x's dimensions.
  Strided look(const Tensor& y) const { return {y.data(), y.dtype(), kept.size(), kept.data(), strides.data()}; }
};

/// The way back: g, a result's cotangent, over the dimensions that were reduced.
Tensor spread(const Tensor& g, uint64_t mask, const Dims& sizes);
/// The same with the reduced dimensions left at size 1.
Tensor keep_dims(const Tensor& g, uint64_t mask, const Dims& sizes);

/// Cotangent of a selection along `dim` (max, sort, topk...): g goes where the values came from.
Tensor scatter_back(const Tensor& g, int64_t dim, const Tensor& indices, const Dims& sizes, bool keepdim);

/// Cotangent of an extreme or a median: g, shared evenly by the elements of x that equal it; NaN equals NaN.
Tensor share_evenly(const Tensor& g, const Tensor& x, const Tensor& y, uint64_t mask);

/// The dtype in which kernels that have few types work: int64 for integers, float32 for halves.
inline DType wide(DType d) {
  return is_integral(d) ? DType::Int64 : d == DType::Float16 || d == DType::BFloat16 ? DType::Float32 : d;
}
/// The default float for integers and bool.
inline DType inexact(DType d) { return is_inexact(d) ? d : default_dtype(); }

inline void check_implemented(bool ok, const char* op, const Tensor& x) {
  if (!ok) [[unlikely]]
    fail(ErrorKind::NotImplemented, op, ": \"", op, "\" not implemented for '", scalar_type_name(x.dtype()), "'");
}
/// For one dimension: IndexError for a bad one or, where a result needs an element, an empty one.
int64_t checked_dim(const char* op, const Tensor& x, int64_t dim, bool needs_element = false);
/// Issues Python's UserWarning.
void warn(const char* message);

// ---- reduce.cpp, beside what ops.h has
Tensor vector_norm(const Tensor& x, const Scalar& ord, const Dims& dims, bool keepdim, std::optional<DType> dtype = {});
Tensor var(const Tensor& x, const Dims& dims, double correction, bool keepdim);
Tensor cumprod(const Tensor& x, int64_t dim, std::optional<DType> dtype = {});

}  // namespace lg
