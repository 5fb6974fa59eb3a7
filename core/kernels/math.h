// Elementwise functions that kernels call: one name for every type, branch free where the compiler should vectorize.
//
// The float forms of exp, log, tanh, sigmoid, sin, cos and erf are our own, because a call into libm cannot be
// vectorized. Each states its greatest error in ulp, measured over all floats (tests/test_math.py).  The coefficients
// are weighted least-squares fits, driven to the minimax by Lawson's reweighting.  Everything else stands on libm.
#pragma once

#include <bit>
#include <cmath>
#include <limits>

#include "kernels/isa.h"
#include "runtime/dtype.h"
#include "runtime/strided.h"

namespace lg::LG_ISA::math {

template <class T>
inline constexpr T infinity = std::numeric_limits<T>::infinity();
template <class T>
inline constexpr T nan = std::numeric_limits<T>::quiet_NaN();
template <class T>
inline constexpr T pi = T(3.14159265358979323846);
inline constexpr double ln2_ = 0.69314718055994530942, ln10_ = 2.30258509299404568402;

/// c0 + c1 x + c2 x**2 + ..., by Horner's rule.
template <class T, class... C>
inline T polynomial(T x, T c0, C... c) {
  if constexpr (sizeof...(c) == 0)
    return c0;
  else
    return c0 + x * polynomial(x, T(c)...);
}

// ---- float forms

/// 1.1 ulp.
inline float exp(float x) {
  constexpr float round = 0x1.8p23f;  // adding and subtracting it rounds to an integer, which stays in the low bits
  float c = x < -104.f ? -104.f : x;  // NaN passes both
  c = c > 89.f ? 89.f : c;
  float t = c * 1.44269504f + round, n = t - round;
  int32_t k = std::bit_cast<int32_t>(t) - std::bit_cast<int32_t>(round);
  float r = c - n * 0x1.62e4p-1f;  // ln 2 in two parts: 16 bits, so that n times it is exact, and the rest
  r = r - n * 0x1.7f7d1cp-20f;
  float y = 1.f + (r + r * r *
                           polynomial(r, 5.000000101e-01f, 1.666651289e-01f, 4.166618726e-02f, 8.369598221e-03f,
                                      1.395171916e-03f));
  // 2**k in two factors: a result below the normal range is rounded once, by the last product.
  int32_t h = k >> 1;
  return y * std::bit_cast<float>((h + 127) << 23) * std::bit_cast<float>((k - h + 127) << 23);
}

/// e**x for x below 88, 1.1 ulp: fewer steps than exp, since 2**k needs but one factor if the rest is held 2**-64
/// small.
inline float exp_below(float x) {
  constexpr float round = 0x1.8p23f, small = 0x1p-64f;
  const float c = x < -104.f ? -104.f : x;  // NaN passes
  const float t = c * 1.44269504f + round, n = t - round;
  const float r = (c - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;
  const float y = polynomial(r, small, small, small * 5.000000101e-01f, small * 1.666651289e-01f,
                             small * 4.166618726e-02f, small * 8.369598221e-03f, small * 1.395171916e-03f);
  // The low bits of t are k; its other bits vanish in the shift.
  return y * std::bit_cast<float>((std::bit_cast<uint32_t>(t) << 23) + ((64u + 127u) << 23));
}

/// 0.9 ulp.
inline float log(float x) {
  bool subnormal = x < 0x1p-126f;
  uint32_t u = std::bit_cast<uint32_t>(subnormal ? x * 0x1p23f : x);
  int32_t k = int32_t(u - 0x3f3504f3u) >> 23;  // x = m 2**k with m in [sqrt(1/2), sqrt(2))
  float f = std::bit_cast<float>(u - (uint32_t(k) << 23)) - 1.f, n = float(k) - (subnormal ? 23.f : 0.f);
  float p = polynomial(f, 3.333331164e-01f, -2.500000979e-01f, 2.000219422e-01f, -1.666805173e-01f, 1.421789916e-01f,
                       -1.240330438e-01f, 1.189900954e-01f, -1.169572562e-01f, 6.746469793e-02f);
  float s = f * f, y = n * 0x1.62e4p-1f + (f + (s * (f * p - 0.5f) + n * 0x1.7f7d1cp-20f));
  float special = x == 0.f ? -infinity<float> : nan<float>;
  y = x < infinity<float> ? y : x;
  return x > 0.f ? y : special;
}

/// log(1 + x) for x in [0, 1]: what 1 + x has lost is added to first order.
inline float log1p_below(float x) {
  const float u = 1.f + x;
  return log(u) + (x - (u - 1.f)) / u;
}

/// 2.4 ulp, down to the subnormal results.
inline float sigmoid(float x) {
  const float e = exp_below(-std::fabs(x));
  return (x < 0.f ? e : 1.f) / (1.f + e);
}

/// h / (h + 1) with 2h = e**2x - 1; 2.5 ulp.  With 2x = n ln 2 + 2r it is 2h = 2**n (e**2r - 1) + 2**n - 1: the sum is
/// exact for n = 0, and cancels nothing, since the sign of x is put on at the end.
inline float tanh(float x) {
  constexpr float round = 0x1.8p23f;
  const float size = std::fabs(x), c = size > 10.f ? 10.f : size;  // NaN passes
  const float t = c * 2.88539008f + round, n = t - round, r = c - n * 0.346573591f;
  const float p = r + r * r *
                          polynomial(r, 1.f, 6.666666269e-01f, 3.333319426e-01f, 1.333367079e-01f, 4.458349571e-02f,
                                     1.264856663e-02f);
  const float power = std::bit_cast<float>((std::bit_cast<uint32_t>(t) << 23) + (127u << 23));
  const float h = power * p + (power * 0.5f - 0.5f);
  return std::copysign(h / (h + 1.f), x);
}

/// 1.3 ulp: x P(x**2) below 1, 1 - e**Q(|x|) above.
inline float erf(float x) {
  float t = std::fabs(x), s = x * x, c = t > 4.f ? 4.f : t;
  float small = x + x * polynomial(s, 1.283791660e-01f, -3.761262582e-01f, 1.128358515e-01f, -2.685381193e-02f,
                                   5.188327673e-03f, -8.010193509e-04f, 7.853860966e-05f);
  float large = 1.f - exp_below(polynomial(c, -3.004377575e-04f, -1.127251417e+00f, -6.378831537e-01f,
                                           -1.033272869e-01f, 2.194039955e-02f, -2.972433922e-03f, 1.888227534e-04f));
  return t < 1.f ? small : std::copysign(large, x);
}

/// Sine of x plus `quarter` right angles; 0.6 ulp.  The argument is reduced in double, which is enough up to 2**20.
inline float sin_reduced(float x, int64_t quarter) {
  constexpr double round = 0x1.8p52;
  double t = double(x) * 0.63661977236758134308 + round, n = t - round;
  int64_t k = std::bit_cast<int64_t>(t) + quarter;
  double r = (double(x) - n * 0x1.921fb544p+0) - n * 0x1.0b4611a626331p-34, s = r * r;
  double sine = r + r * s * polynomial(s, -1.666666664e-01, 8.333329267e-03, -1.983929613e-04, 2.717939906e-06);
  double cosine = 1. + s * polynomial(s, -4.999999971e-01, 4.166662202e-02, -1.388672130e-03, 2.438637113e-05);
  double y = (k & 1) ? cosine : sine;
  return float(std::bit_cast<double>(std::bit_cast<int64_t>(y) ^ ((k & 2) << 62)));
}
inline bool reducible(float x) { return std::fabs(x) <= 0x1p20f; }

/// log2 |x| of a float in double, 1e-12 relative; -infinity at 0.  With s = (m - 1) / (m + 1):
/// log m = 2 (s + s**3 / 3 + s**5 / 5 + ...).
inline double log2_wide(float x) {
  const uint64_t u = std::bit_cast<uint64_t>(std::fabs(double(x)));
  const int64_t k = int64_t(u - 0x3fe6a09e667f3bcdull) >> 52;  // x = m 2**k with m in [sqrt(1/2), sqrt(2))
  const double m = std::bit_cast<double>(u - (uint64_t(k) << 52)), s = (m - 1.) / (m + 1.), t = s * s;
  const double log_m =
      s * polynomial(t, 2.8853900817779268, 0.96179669392597561, 0.57707801635558537, 0.41219858311113238,
                     0.32059889797532519, 0.26230818925253878, 0.22195308321368666, 0.1923593387851951);
  // The number k without a conversion from int64, which AVX2 does not have.
  const double n = std::bit_cast<double>(k + 0x4338000000000000) - 0x1.8p52;
  const double y = x == 0.f ? -infinity<double> : n + log_m;
  return std::fabs(x) < infinity<float> ? y : std::fabs(double(x));
}

/// 2**t in double, 3e-10 relative, for t in [-200, 200]: beyond what a float holds on either side.
inline double exp2_wide(double t) {
  constexpr double round = 0x1.8p52;
  double c = t < -200. ? -200. : t;
  c = c > 200. ? 200. : c;
  const double shifted = c + round, r = c - (shifted - round);
  const double y =
      polynomial(r, 1., 0.69314718055994531, 0.24022650695910071, 0.055504108664821580, 0.0096181291076284772,
                 0.0013333558146428443, 0.00015403530393381609, 1.5252733804059840e-05, 1.3215486790144307e-06);
  const int64_t k = std::bit_cast<int64_t>(shifted) - std::bit_cast<int64_t>(round);
  return std::bit_cast<double>(std::bit_cast<int64_t>(y) + (k << 52));
}

/// |a|**b as 2**(b log2 |a|) in double, then the sign and the special cases of C's pow; 0.51 ulp.
inline float pow(float a, float b) {
  const float y = float(exp2_wide(double(b) * log2_wide(a)));
  const float size = std::fabs(b), nearest = (size + 0x1p23f) - 0x1p23f;  // rounded to a whole number, if below 2**23
  const float whole = size < 0x1p23f ? nearest : size;
  const int32_t last_bit = std::bit_cast<int32_t>(size + 0x1p23f) << 31;  // a whole number's, in the sign's place
  const int32_t odd_bit = size < 0x1p23f ? last_bit : size < 0x1p24f ? std::bit_cast<int32_t>(size) << 31 : 0;
  const int32_t odd = whole == size ? odd_bit : 0;
  float z = std::bit_cast<float>(std::bit_cast<int32_t>(y) | (odd & std::bit_cast<int32_t>(a)));
  const float broken = whole == size ? z : nan<float>;
  z = a < 0.f ? broken : z;
  z = a == -infinity<float> ? std::bit_cast<float>(std::bit_cast<int32_t>(y) | odd) : z;
  z = a == a ? z : a;
  z = b == b ? z : b;
  const float at_minus_one = size == infinity<float> ? 1.f : z;
  z = a == -1.f ? at_minus_one : z;
  z = a == 1.f ? 1.f : z;
  return b == 0.f ? 1.f : z;
}

// ---- the same names for the other types

inline double exp(double x) { return std::exp(x); }
inline double exp_below(double x) { return std::exp(x); }
inline double log(double x) { return std::log(x); }
inline double log1p_below(double x) { return std::log1p(x); }
inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
inline double tanh(double x) { return std::tanh(x); }
inline double erf(double x) { return std::erf(x); }
template <class T>
std::complex<T> exp(std::complex<T> x) {
  return std::exp(x);
}
template <class T>
std::complex<T> log(std::complex<T> x) {
  return std::log(x);
}
template <class T>
std::complex<T> tanh(std::complex<T> x) {
  return std::tanh(x);
}

// Complex functions that libm does not have: the terms that would cancel are written out.
template <class T>
std::complex<T> expm1(std::complex<T> x) {  // e**a cos b - 1 = (e**a - 1) cos b - 2 sin(b/2)**2
  T s = std::sin(x.imag() / 2);
  return {std::expm1(x.real()) * std::cos(x.imag()) - 2 * s * s, std::exp(x.real()) * std::sin(x.imag())};
}
template <class T>
std::complex<T> log1p(std::complex<T> x) {  // |1 + x|**2 - 1 = a (2 + a) + b**2
  T a = x.real(), b = x.imag();
  if (std::abs(a) > T(0.5) || std::abs(b) > T(0.5)) return std::log(T(1) + x);
  return {std::log1p(a * (2 + a) + b * b) / 2, std::atan2(b, 1 + a)};
}
template <class T>
T expm1(T x) {
  return std::expm1(x);
}
template <class T>
T log1p(T x) {
  return std::log1p(x);
}

#define LG_FROM_STD(name) \
  template <class T>      \
  T name(T x) {           \
    return std::name(x);  \
  }
LG_FROM_STD(sqrt);
LG_FROM_STD(tan);
LG_FROM_STD(asin);
LG_FROM_STD(acos);
LG_FROM_STD(atan);
LG_FROM_STD(sinh);
LG_FROM_STD(cosh);
LG_FROM_STD(asinh);
LG_FROM_STD(acosh);
LG_FROM_STD(atanh);
LG_FROM_STD(erfc);
LG_FROM_STD(sin);
LG_FROM_STD(cos);
LG_FROM_STD(log10);
#undef LG_FROM_STD

template <class T>
T log2(T x) {
  if constexpr (is_complex_v<T>)
    return std::log(x) * Real<T>(1 / ln2_);
  else
    return std::log2(x);
}
template <class T>
T exp2(T x) {
  if constexpr (is_complex_v<T>)
    return std::exp(x * Real<T>(ln2_));
  else
    return std::exp2(x);
}
template <class T>
std::complex<T> sigmoid(std::complex<T> x) {
  return T(1) / (T(1) + std::exp(-x));
}

/// Complex quotient, scaled by the larger part of b so that b's square cannot overflow.
template <class T>
T divide(T a, T b) {
  if constexpr (is_complex_v<T>) {
    using R = Real<T>;
    R scale = std::fmax(std::fabs(b.real()), std::fabs(b.imag()));
    R c = b.real() / scale, d = b.imag() / scale, bottom = (c * c + d * d) * scale;
    return T((a.real() * c + a.imag() * d) / bottom, (a.imag() * c - a.real() * d) / bottom);
  } else {
    return a / b;
  }
}
template <class T>
T reciprocal(T x) {
  return divide(T(1), x);
}
template <class T>
T rsqrt(T x) {
  return divide(T(1), math::sqrt(x));
}
template <class T>
T times_conj(T a, T b) {
  if constexpr (is_complex_v<T>)
    return a * std::conj(b);
  else
    return a * b;
}

// ---- signs, rounding, classification: integers are whole and finite

template <class T>
Real<T> abs(T x) {
  if constexpr (std::is_unsigned_v<T>)
    return x;
  else if constexpr (std::is_integral_v<T>)
    return x < 0 ? T(-x) : x;
  else
    return std::abs(x);
}
template <class T>
Real<T> angle(T x) {
  if constexpr (is_complex_v<T>)
    return std::arg(x);
  else
    return x < 0 ? pi<T> : x != x ? x : T(0);
}
template <class T>
T sgn(T x) {
  if constexpr (is_complex_v<T>)
    return x == T(0) ? T(0) : x / std::abs(x);
  else
    return T((x > T(0)) - (x < T(0)));
}
#define LG_ROUNDING(name, function)      \
  template <class T>                     \
  T name(T x) {                          \
    if constexpr (std::is_integral_v<T>) \
      return x;                          \
    else                                 \
      return std::function(x);           \
  }
LG_ROUNDING(floor, floor)
LG_ROUNDING(ceil, ceil)
LG_ROUNDING(trunc, trunc)
LG_ROUNDING(round, nearbyint)
#undef LG_ROUNDING

/// Rounds at 10**-decimals, halves to even.  The power is always positive, so that it is exact for small counts.
template <class T>
T round_decimals(T x, T decimals) {
  T power = std::pow(T(10), std::fabs(decimals));
  return decimals < 0 ? std::nearbyint(x / power) * power : std::nearbyint(x * power) / power;
}
template <class T>
bool is_nan(T x) {
  return x != x;
}
template <class T>
bool is_inf(T x) {
  if constexpr (is_complex_v<T>)
    return is_inf(x.real()) | is_inf(x.imag());
  else if constexpr (std::is_integral_v<T>)
    return false;
  else
    return std::fabs(x) == infinity<T>;
}
template <class T>
bool is_finite(T x) {
  if constexpr (is_complex_v<T>)
    return is_finite(x.real()) & is_finite(x.imag());
  else if constexpr (std::is_integral_v<T>)
    return true;
  else
    return std::fabs(x) < infinity<T>;
}
template <class T>
bool sign_bit(T x) {
  if constexpr (std::is_floating_point_v<T>)
    return std::signbit(x);
  else
    return x < T(0);
}

// ---- larger and smaller: maximum and minimum give NaN if there is one, fmax and fmin avoid it

template <class T>
T maximum(T a, T b) {
  return (a > b) | (a != a) ? a : b;
}
template <class T>
T minimum(T a, T b) {
  return (a < b) | (a != a) ? a : b;
}
template <class T>
T fmax(T a, T b) {
  return (a >= b) | (b != b) ? a : b;
}
template <class T>
T fmin(T a, T b) {
  return (a <= b) | (b != b) ? a : b;
}
template <class T>
T clamp(T x, T low, T high) {  // one select a line: nested ones are not vectorized
  T y = x < low ? low : x;
  y = y > high ? high : y;
  y = low != low ? low : y;
  return high != high ? high : y;
}
template <class T>
T relu(T x) {
  return x < T(0) ? T(0) : x;
}
template <class T>
T nan_to_num(T x, T nan, T positive, T negative) {
  T y = x == infinity<T> ? positive : x;
  y = x == -infinity<T> ? negative : y;
  return x != x ? nan : y;
}

// ---- division: integer quotients never trap (divisors of 0 are refused before; -1 wraps)

template <class T>
T divide_trunc(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return std::trunc(a / b);
  else if constexpr (std::is_signed_v<T>)
    return b == T(-1) ? T(-a) : b == 0 ? T(0) : T(a / b);
  else
    return b == 0 ? T(0) : T(a / b);
}
template <class T>
T fmod(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return std::fmod(a, b);
  else if constexpr (std::is_signed_v<T>)
    return b == T(-1) || b == 0 ? T(0) : T(a % b);
  else
    return b == 0 ? T(0) : T(a % b);
}
/// As Python's %: the sign of b.
template <class T>
T remainder(T a, T b) {
  T r = fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? T(r + b) : r;
}
/// As Python's //: for floats, (a - a % b) / b rounded, which a / b alone would get wrong near whole quotients.
template <class T>
T divide_floor(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (b == 0) return a / b;
    T r = std::fmod(a, b), q = (a - r) / b;
    if (r != 0 && (r < 0) != (b < 0)) q -= 1;
    if (q == 0) return std::copysign(T(0), a / b);
    T whole = std::floor(q);
    return q - whole > T(0.5) ? whole + 1 : whole;
  } else {
    T q = divide_trunc(a, b), r = fmod(a, b);
    return r != 0 && (r < 0) != (b < 0) ? T(q - 1) : q;
  }
}

template <class T>
T shift_left(T a, T b) {
  return b < 0 || b >= T(8 * sizeof(T)) ? T(0) : T(std::make_unsigned_t<T>(a) << b);
}
template <class T>
T shift_right(T a, T b) {
  return b < 0 || b >= T(8 * sizeof(T)) ? (a < 0 ? T(-1) : T(0)) : T(a >> b);
}

// ---- powers

template <class T>
T pow(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b < 0) return a == 1 ? T(1) : a == T(-1) ? (b & 1 ? T(-1) : T(1)) : T(0);
    T y = 1;
    for (; b > 0; b = T(b >> 1)) {
      if (b & 1) y = T(y * a);
      a = T(a * a);
    }
    return y;
  } else if constexpr (is_complex_v<T>) {
    if (b == T(0)) return T(1);
    if (a == T(0) && b.imag() == 0 && b.real() > 0) return T(0);
    return std::pow(a, b);
  } else {
    return std::pow(a, b);
  }
}
template <class T>
T atan2(T a, T b) {
  return std::atan2(a, b);
}
template <class T>
T hypot(T a, T b) {
  return std::hypot(a, b);
}
template <class T>
T copysign(T a, T b) {
  return std::copysign(a, b);
}
template <class T>
T nextafter(T a, T b) {
  return std::nextafter(a, b);
}
template <class T>
T xlogy(T a, T b) {
  return b != b ? b : a == 0 ? T(0) : a * math::log(b);
}
template <class T>
T sinc(T x) {
  return x == T(0) ? T(1) : divide(math::sin(x * pi<Real<T>>), x * pi<Real<T>>);
}

template <class T>
T logaddexp(T a, T b) {
  if constexpr (is_complex_v<T>) {
    if (a.real() < b.real()) std::swap(a, b);
    if (is_inf(a.real()) && a == b) return a;
    return a + math::log1p(std::exp(b - a));
  } else {
    if (a == b && is_inf(a)) return a;  // inf - inf would be NaN
    return maximum(a, b) + std::log1p(std::exp(-std::fabs(a - b)));
  }
}
template <class T>
T logaddexp2(T a, T b) {
  if (a == b && is_inf(a)) return a;
  return maximum(a, b) + std::log1p(std::exp2(-std::fabs(a - b))) * T(1 / ln2_);
}
/// a at 0, b at 1, both exactly.
template <class T>
T lerp(T a, T b, T w) {
  return std::abs(w) < Real<T>(0.5) ? a + w * (b - a) : b - (b - a) * (T(1) - w);
}

// ---- activations

template <class T>
T silu(T x) {
  return x * math::sigmoid(x);
}
template <class T>
T silu_slope(T x) {
  T s = math::sigmoid(x);
  return s * (T(1) + x * (T(1) - s));
}
template <class T>
T normal_cdf(T x) {
  return T(0.5) * (T(1) + math::erf(x * T(0.70710678118654752440)));
}
template <class T>
T gelu_erf(T x) {
  return x * normal_cdf(x);
}
template <class T>
T gelu_erf_slope(T x) {
  return normal_cdf(x) + x * math::exp_below(T(-0.5) * x * x) * T(0.39894228040143267794);
}

// The float forms take one exponential and no quotient.  Their error is that of rounding 1 + erf: at most 1e-7 |x|, and
// 1.3e-7 in the slope.  With t = |x|, as far out as it matters:
/// x Phi(x) = max(x, 0) - t Phi(-t), where Phi(-t) = e**q(t) / 2.
inline float gelu_erf(float x) {
  const float size = std::fabs(x), t = size > 14.f ? 14.f : size;
  const float q = t * polynomial(t, -7.978852987e-01f, -3.182988763e-01f, -3.638757765e-02f, 4.895990249e-03f,
                                 -9.491753008e-05f, -1.290501241e-04f, 2.729450171e-05f, -1.965009460e-06f);
  return (x < 0.f ? 0.f : x) - 0.5f * t * exp_below(q);
}
/// Phi(x) + x phi(x) is d(t) for x < 0, else 1 - d(t), where d(t) = Phi(-t) - t phi(t) = e**(-t**2 / 2) p(t).
inline float gelu_erf_slope(float x) {
  const float size = std::fabs(x), t = size > 5.4f ? 5.4f : size;
  const float p = polynomial(t, 4.999999702e-01f, -7.978828549e-01f, 2.499725670e-01f, -1.328057796e-01f,
                             6.192390993e-02f, -2.547178417e-02f, 9.003819898e-03f, -2.590076067e-03f, 5.636480637e-04f,
                             -8.477008669e-05f, 7.708684279e-06f, -3.155390118e-07f);
  const float d = exp_below(-0.5f * x * x) * p;
  return x < 0.f ? d : 1.f - d;
}

/// tanh(sqrt(2/pi) (x + 0.044715 x**3)); Hendrycks and Gimpel, "Gaussian Error Linear Units" (2016).
template <class T>
T gelu_inner(T x) {
  return math::tanh(T(0.79788456080286535588) * (x + T(0.044715) * x * x * x));
}
template <class T>
T gelu_tanh(T x) {
  return T(0.5) * x * (T(1) + gelu_inner(x));
}
template <class T>
T gelu_tanh_slope(T x) {
  T u = gelu_inner(x), du = T(0.79788456080286535588) * (T(1) + T(3 * 0.044715) * x * x);
  return T(0.5) * (T(1) + u) + T(0.5) * x * (T(1) - u * u) * du;
}

// ---- special functions; float goes through double

/// Starts from Winitzki's closed form (relative error 4e-3); three of Halley's steps reach the last bits.
inline double erfinv(double x) {
  if (!(std::fabs(x) < 1)) return std::fabs(x) == 1 ? x * infinity<double> : nan<double>;
  double t = std::fabs(x), l = std::log1p(-t * t), u = 2 / (pi<double> * 0.147) + l / 2;
  double y = std::sqrt(std::sqrt(u * u - l / 0.147) - u);
  for (int i = 0; i < 3; ++i) {
    double error = t < 0.5 ? std::erf(y) - t : (1 - t) - std::erfc(y);
    double step = error / (1.1283791670955125739 * std::exp(-y * y));
    y -= step / (1 + y * step);
  }
  return std::copysign(y, x);
}
inline double lgamma(double x) {
#ifdef __GLIBC__
  int sign;  // std::lgamma writes a global
  return ::lgamma_r(x, &sign);
#else
  return std::lgamma(x);
#endif
}
/// Reflection to x > 0, recurrence to x >= 10, then the asymptotic series in 1/x**2.
inline double digamma(double x) {
  if (x == 0) return std::copysign(infinity<double>, -x);
  double y = 0;
  if (x < 0) {
    double whole, fraction = std::modf(x, &whole);
    if (fraction == 0) return nan<double>;
    y = -pi<double> / std::tan(pi<double> * fraction);
    x = 1 - x;
  }
  for (; x < 10; x += 1) y -= 1 / x;
  double s = 1 / (x * x);
  return y + std::log(x) - 0.5 / x -
         s * polynomial(s, 1. / 12, -1. / 120, 1. / 252, -1. / 240, 1. / 132, -691. / 32760, 1. / 12);
}
/// Hurwitz zeta for s > 1, q > 0: nine terms, then Euler and Maclaurin's formula.
inline double zeta(double s, double q) {
  double total = 0;
  for (int i = 0; i < 9; ++i) total += std::pow(q + i, -s);
  double w = q + 9, power = std::pow(w, -s);
  total += power * w / (s - 1) + power / 2;
  // B_2k / (2k)!
  constexpr double c[] = {1. / 12,           -1. / 720,
                          1. / 30240,        -1. / 1209600,
                          1. / 47900160,     -691. / 1307674368000.,
                          1. / 74724249600., -3617. / 10670622842880000.};
  double rising = s * power / w;
  for (int k = 0; k < 8; ++k) {
    total += c[k] * rising;
    rising *= (s + 2 * k + 1) * (s + 2 * k + 2) / (w * w);
  }
  return total;
}
/// n-th derivative of digamma: (-1)**(n+1) n! zeta(n + 1, x); below 0 the recurrence leads up.
inline double polygamma(double n, double x) {
  if (n == 0) return digamma(x);
  if (x <= 0 && x == std::floor(x)) return std::fmod(n, 2) == 1 ? infinity<double> : nan<double>;
  double total = 0;
  for (; x < 0 && x > -1e6; x += 1) total += std::pow(x, -(n + 1));
  double factor = std::exp(lgamma(n + 1)) * (std::fmod(n, 2) == 1 ? 1 : -1);
  return factor * (total + zeta(n + 1, x));
}
inline float erfinv(float x) { return float(erfinv(double(x))); }
inline float lgamma(float x) { return float(lgamma(double(x))); }
inline float digamma(float x) { return float(digamma(double(x))); }
inline float polygamma(float n, float x) { return float(polygamma(double(n), double(x))); }

}  // namespace lg::LG_ISA::math
