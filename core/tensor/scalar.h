// Scalar: a Python number on its way into an operator.
#pragma once

#include "runtime/dtype.h"

namespace lg {

class Scalar {
 public:
  Scalar() : Scalar(int64_t(0)) {}
  Scalar(bool v) : kind_(Kind::Boolean), integer_(v) {}
  Scalar(int v) : Scalar(int64_t(v)) {}
  Scalar(int64_t v) : kind_(Kind::Integral), integer_(v) {}
  Scalar(double v) : kind_(Kind::Floating), real_(v) {}
  Scalar(complex128 v) : kind_(Kind::Complex), real_(v.real()), imag_(v.imag()) {}

  Kind kind() const { return kind_; }
  bool is_integral() const { return kind_ <= Kind::Integral; }
  bool is_complex() const { return kind_ == Kind::Complex; }
  /// What torch.tensor() would give it, for promotion: bool, int64, float64, complex128.
  DType natural_dtype() const {
    return kind_ == Kind::Boolean ? DType::Bool : kind_ == Kind::Integral ? DType::Int64
         : kind_ == Kind::Floating ? DType::Float64 : DType::Complex128;
  }
  template <class T>
  T to() const {
    if (is_integral()) return convert<T>(integer_);
    if (kind_ == Kind::Floating) return convert<T>(real_);
    return convert<T>(complex128(real_, imag_));
  }

 private:
  Kind kind_;
  int64_t integer_ = 0;
  double real_ = 0, imag_ = 0;
};

}  // namespace lg
