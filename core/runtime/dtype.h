// The dtypes: their list, their facts, and the dispatch from a runtime dtype to a C++ type.
#pragma once

#include <complex>
#include <cstdint>
#include <type_traits>

#include "runtime/error.h"
#include "runtime/half.h"

namespace lg {

using complex64 = std::complex<float>;
using complex128 = std::complex<double>;

//      enumerator  C++ type    name         numpy  kind
#define LG_DTYPES(X)                                   \
  X(Bool, bool, "bool", "|b1", Boolean)                \
  X(UInt8, uint8_t, "uint8", "|u1", Integral)          \
  X(Int8, int8_t, "int8", "|i1", Integral)             \
  X(Int16, int16_t, "int16", "<i2", Integral)          \
  X(Int32, int32_t, "int32", "<i4", Integral)          \
  X(Int64, int64_t, "int64", "<i8", Integral)          \
  X(Float16, half, "float16", "<f2", Floating)         \
  X(BFloat16, bfloat16, "bfloat16", "", Floating)      \
  X(Float32, float, "float32", "<f4", Floating)        \
  X(Float64, double, "float64", "<f8", Floating)       \
  X(Complex64, complex64, "complex64", "<c8", Complex) \
  X(Complex128, complex128, "complex128", "<c16", Complex)

enum class DType : uint8_t {
#define X(name, type, text, numpy, kind) name,
  LG_DTYPES(X)
#undef X
};
enum class Kind : uint8_t { Boolean, Integral, Floating, Complex };

struct DTypeInfo {
  DType dtype;
  const char* name;
  const char* numpy;  // array-interface code, empty where NumPy has no such type
  Kind kind;
  uint8_t itemsize;
};
inline constexpr DTypeInfo dtype_infos[] = {
#define X(name, type, text, numpy, kind) {DType::name, text, numpy, Kind::kind, sizeof(type)},
    LG_DTYPES(X)
#undef X
};
inline constexpr int num_dtypes = sizeof(dtype_infos) / sizeof(dtype_infos[0]);

inline constexpr const DTypeInfo& info(DType d) { return dtype_infos[int(d)]; }
inline constexpr int64_t itemsize(DType d) { return info(d).itemsize; }
inline constexpr const char* name(DType d) { return info(d).name; }
inline constexpr bool is_floating(DType d) { return info(d).kind == Kind::Floating; }
inline constexpr bool is_complex(DType d) { return info(d).kind == Kind::Complex; }
inline constexpr bool is_inexact(DType d) { return info(d).kind >= Kind::Floating; }
inline constexpr bool is_integral(DType d, bool with_bool = true) {
  return info(d).kind == Kind::Integral || (with_bool && d == DType::Bool);
}
/// The real dtype of a complex one's parts; a real dtype is its own.
inline constexpr DType real_of(DType d) {
  return d == DType::Complex64 ? DType::Float32 : d == DType::Complex128 ? DType::Float64 : d;
}
inline constexpr DType complex_of(DType d) {
  return d == DType::Float64 || d == DType::Complex128 ? DType::Complex128 : DType::Complex64;
}
/// What PyTorch's messages and tensor type names call it: Float, Long, ...
inline constexpr const char* scalar_type_name(DType d) {
  constexpr const char* names[] = {"Bool", "Byte",     "Char",  "Short",  "Int",          "Long",
                                   "Half", "BFloat16", "Float", "Double", "ComplexFloat", "ComplexDouble"};
  return names[int(d)];
}
inline std::ostream& operator<<(std::ostream& out, DType d) { return out << name(d); }

template <class T>
inline constexpr DType dtype_of = DType(-1);
#define X(name, type, text, numpy, kind) \
  template <>                            \
  inline constexpr DType dtype_of<type> = DType::name;
LG_DTYPES(X)
#undef X

template <class T>
inline constexpr bool is_complex_v = std::is_same_v<T, complex64> || std::is_same_v<T, complex128>;
template <class T>
inline constexpr bool is_half_v = std::is_same_v<T, half> || std::is_same_v<T, bfloat16>;
template <class T>
inline constexpr bool is_floating_v = std::is_floating_point_v<T> || is_half_v<T>;
template <class T>
inline constexpr bool is_inexact_v = is_floating_v<T> || is_complex_v<T>;

/// The type in which arithmetic on T happens: float for the two halves, T itself otherwise.
template <class T>
using Compute = std::conditional_t<is_half_v<T>, float, T>;
/// The type in which sums over T are kept.
template <class T>
using Acc = std::conditional_t<std::is_integral_v<T>, int64_t, Compute<T>>;

template <class T>
struct RealOf {
  using type = T;
};
template <class T>
struct RealOf<std::complex<T>> {
  using type = T;
};
template <class T>
using Real = typename RealOf<T>::type;

// dispatch_*(dtype, [&]<class T>() {...}) calls the generic lambda with the C++ type.
#define LG_DISPATCH_CASE(name, type, text, numpy, kind) \
  case DType::name: return f.template operator()<type>();

template <class F>
inline decltype(auto) dispatch_all(DType d, F&& f) {
  switch (d) { LG_DTYPES(LG_DISPATCH_CASE) }
  fail(ErrorKind::Runtime, "leafgrad bug: dtype ", int(d));
}
#undef LG_DISPATCH_CASE

template <class F>
inline decltype(auto) dispatch_floating(DType d, F&& f) {
  switch (d) {
    case DType::Float16: return f.template operator()<half>();
    case DType::BFloat16: return f.template operator()<bfloat16>();
    case DType::Float32: return f.template operator()<float>();
    case DType::Float64: return f.template operator()<double>();
    default: fail(ErrorKind::Runtime, "not implemented for '", name(d), "': a floating dtype is needed");
  }
}
template <class F>
inline decltype(auto) dispatch_inexact(DType d, F&& f) {
  if (d == DType::Complex64) return f.template operator()<complex64>();
  if (d == DType::Complex128) return f.template operator()<complex128>();
  return dispatch_floating(d, f);
}
template <class F>
inline decltype(auto) dispatch_integral(DType d, F&& f) {  // without bool
  switch (d) {
    case DType::UInt8: return f.template operator()<uint8_t>();
    case DType::Int8: return f.template operator()<int8_t>();
    case DType::Int16: return f.template operator()<int16_t>();
    case DType::Int32: return f.template operator()<int32_t>();
    case DType::Int64: return f.template operator()<int64_t>();
    default: fail(ErrorKind::Runtime, "not implemented for '", name(d), "': an integer dtype is needed");
  }
}
/// Everything but complex.
template <class F>
inline decltype(auto) dispatch_real(DType d, F&& f) {
  if (d == DType::Bool) return f.template operator()<bool>();
  if (is_integral(d)) return dispatch_integral(d, f);
  return dispatch_floating(d, f);
}
/// By the size of the element alone, for kernels that only move bytes.
struct alignas(8) Bytes16 {
  uint64_t a, b;
};
template <class F>
inline decltype(auto) dispatch_size(int64_t bytes, F&& f) {
  switch (bytes) {
    case 1: return f.template operator()<uint8_t>();
    case 2: return f.template operator()<uint16_t>();
    case 4: return f.template operator()<uint32_t>();
    case 8: return f.template operator()<uint64_t>();
    default: return f.template operator()<Bytes16>();
  }
}

/// Value conversion with PyTorch's rules: to bool is != 0, complex to real drops the imaginary part, and a float
/// outside the integer's range gives a defined (wrapped or extreme) value instead of undefined behaviour.
template <class To, class From>
inline To convert(From x) {
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else if constexpr (is_complex_v<To>) {
    if constexpr (is_complex_v<From>)
      return To(Real<To>(x.real()), Real<To>(x.imag()));
    else
      return To(Real<To>(Compute<From>(x)), 0);
  } else if constexpr (is_complex_v<From>) {
    if constexpr (std::is_same_v<To, bool>)
      return x.real() != 0 || x.imag() != 0;
    else
      return convert<To>(x.real());
  } else if constexpr (std::is_same_v<To, bool>) {
    return Compute<From>(x) != Compute<From>(0);
  } else if constexpr (std::is_integral_v<To> && is_floating_v<From>) {
    Compute<From> v = x;
    // int64 first, as the hardware does; what does not fit becomes INT64_MIN, then wraps into narrower types.
    bool fits = v >= Compute<From>(-0x1p63) && v < Compute<From>(0x1p63);
    return To(fits ? int64_t(v) : INT64_MIN);
  } else {
    return To(Compute<From>(x));
  }
}

}  // namespace lg
