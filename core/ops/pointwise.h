// Included by ops.h inside namespace lg: the rows of pointwise.def as functions, and what goes with them.
// For row `exp`: exp(x) and, in place, exp_(x).  For row `mul`: mul(a, b) and mul_(a, b).

#define UNARY(name, ...)        \
  Tensor name(const Tensor& x); \
  Tensor name##_(const Tensor& x);
#define PREDICATE(name, ...) Tensor name(const Tensor& x);
#define BINARY(name, ...)                        \
  Tensor name(const Tensor& a, const Tensor& b); \
  Tensor name##_(const Tensor& a, const Tensor& b);
#define RELATION BINARY
#define BITWISE BINARY
#include "pointwise.def"

// Arithmetic.  Numbers come as 0-dim tensors, see number().
Tensor add(const Tensor& a, const Tensor& b);
Tensor add_(const Tensor& a, const Tensor& b);
Tensor add(const Tensor& a, const Tensor& b, const Scalar& alpha);  // a + alpha b
Tensor add_(const Tensor& a, const Tensor& b, const Scalar& alpha);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor sub_(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b, const Scalar& alpha);
Tensor sub_(const Tensor& a, const Tensor& b, const Scalar& alpha);
Tensor rsub(const Tensor& a, const Tensor& b, const Scalar& alpha);  // b - alpha a
Tensor div(const Tensor& a, const Tensor& b);
Tensor div_(const Tensor& a, const Tensor& b);
enum class Rounding : uint8_t { Floor, Trunc };
Tensor div(const Tensor& a, const Tensor& b, Rounding rounding);
Tensor floor_divide(const Tensor& a, const Tensor& b);
Tensor floor_divide_(const Tensor& a, const Tensor& b);
Tensor remainder(const Tensor& a, const Tensor& b);
Tensor remainder_(const Tensor& a, const Tensor& b);
Tensor fmod(const Tensor& a, const Tensor& b);
Tensor pow(const Tensor& a, const Tensor& b);
Tensor pow_(const Tensor& a, const Tensor& b);
Tensor square(const Tensor& x);
Tensor copysign(const Tensor& a, const Tensor& b);
Tensor xlogy(const Tensor& a, const Tensor& b);
Tensor polygamma(int64_t n, const Tensor& x);

Tensor abs(const Tensor& x);
Tensor sgn(const Tensor& x);
Tensor angle(const Tensor& x);
Tensor conj(const Tensor& x);  // x itself if it is real
Tensor round(const Tensor& x);
Tensor bitwise_not(const Tensor& x);
Tensor nan_to_num(const Tensor& x, double nan, std::optional<double> posinf, std::optional<double> neginf);

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value);
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Scalar& value);
Tensor masked_fill_(const Tensor& x, const Tensor& mask, const Tensor& value);
Tensor clamp(const Tensor& x, const Tensor& min, const Tensor& max);  // either may be null
Tensor clamp_min(const Tensor& x, const Tensor& min);
Tensor clamp_max(const Tensor& x, const Tensor& max);
Tensor lerp(const Tensor& a, const Tensor& b, const Tensor& weight);
Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value);
Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value);
Tensor gelu(const Tensor& x, const std::string& approximate);

// Rules with a kernel of their own: one pass instead of three.
Tensor sigmoid_backward(const Tensor& g, const Tensor& y);
Tensor tanh_backward(const Tensor& g, const Tensor& y);
Tensor relu_backward(const Tensor& g, const Tensor& y);
Tensor silu_backward(const Tensor& g, const Tensor& x);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator-(const Tensor& x) { return neg(x); }
inline Tensor operator&(const Tensor& a, const Tensor& b) { return bitwise_and(a, b); }
inline Tensor operator|(const Tensor& a, const Tensor& b) { return bitwise_or(a, b); }
inline Tensor operator~(const Tensor& x) { return bitwise_not(x); }
inline Tensor operator+(const Tensor& a, const Scalar& b) { return add(a, number(b)); }
inline Tensor operator-(const Tensor& a, const Scalar& b) { return sub(a, number(b)); }
inline Tensor operator-(const Scalar& a, const Tensor& b) { return sub(number(a), b); }
inline Tensor operator*(const Tensor& a, const Scalar& b) { return mul(a, number(b)); }
inline Tensor operator/(const Tensor& a, const Scalar& b) { return div(a, number(b)); }
