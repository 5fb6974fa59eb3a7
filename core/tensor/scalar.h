// Scalar: a Python number on its way into an operator.
#pragma once

#include <cmath>
#include <limits>

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
    return kind_ == Kind::Boolean    ? DType::Bool
           : kind_ == Kind::Integral ? DType::Int64
           : kind_ == Kind::Floating ? DType::Float64
                                     : DType::Complex128;
  }
  template <class T>
  T to() const {
    if (is_integral()) return convert<T>(integer_);
    if (kind_ == Kind::Floating) return convert<T>(real_);
    return convert<T>(complex128(real_, imag_));
  }
  /// The same, but an error where T cannot hold the value.
  template <class T>
  T checked() const {
    check(fits<T>(), "value cannot be converted to type ", name(dtype_of<T>), " without overflow");
    return to<T>();
  }
  template <class T>
  bool fits() const {
    if constexpr (std::is_same_v<T, bool> || is_complex_v<T>) {
      return true;
    } else if constexpr (std::is_integral_v<T>) {
      constexpr int64_t most = std::numeric_limits<T>::max();
      constexpr int64_t least = std::is_signed_v<T> ? int64_t(std::numeric_limits<T>::min()) : -most;  // -1 is 255
      if (is_integral()) return integer_ >= least && integer_ <= most;
      // In this form NaN is refused, and so is 2^63, to which int64's maximum rounds as a double.
      return imag_ == 0 && real_ > double(least) - 1 && (sizeof(T) == 8 ? real_ < 0x1p63 : real_ < double(most) + 1);
    } else {
      if (is_integral()) return !std::isinf(float(Compute<T>(to<T>()))) || std::is_same_v<T, double>;
      bool overflows = std::isfinite(real_) && std::isinf(double(Compute<T>(to<T>())));
      return imag_ == 0 && !overflows;
    }
  }

 private:
  Kind kind_;
  int64_t integer_ = 0;
  double real_ = 0, imag_ = 0;
};

}  // namespace lg
