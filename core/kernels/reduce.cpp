// Reductions: each is a struct of a few lines (see reduce.h for what it must say), and a kernel that picks its types.
#include "kernels/reduce.h"

#include <cmath>
#include <limits>

#include "kernels/lines.h"

namespace lg::LG_ISA {
namespace {

/// Integer sums and products wrap; unsigned arithmetic says so without undefined behaviour.
template <class T>
using Wrapping = std::conditional_t<std::is_integral_v<T>, uint64_t, Compute<T>>;

template <class A>
struct Adds {
  using Value = A;
  static A identity() { return A(0); }
  template <class V>
  static V merge(V a, V b) {
    return a + b;
  }
};

template <class T, class A = Wrapping<T>>
struct Sum : Adds<A> {
  using In = T;
  static constexpr bool plain = std::is_same_v<T, A> || (std::is_same_v<T, int64_t> && std::is_same_v<A, uint64_t>);
  static constexpr bool centred = false;
  static A lift(T x, A) { return A(Compute<T>(x)); }
};

/// Sum of |x - centre|**2, in double: the second pass of a variance.
template <class T>
struct Deviations : Adds<double> {
  using In = T;
  static constexpr bool plain = false, centred = true;
  static double lift(T x, double centre) {
    double d = double(Compute<T>(x)) - centre;
    return d * d;
  }
};

template <class T>
struct Squares : Adds<T> {
  using In = T;
  static constexpr bool plain = false, centred = false;
  static T lift(T x, T) { return x * x; }
};

/// Products of the elements of two tensors of one layout.
template <class T>
struct Products : Adds<T> {
  using In = T;
  struct Source {
    const T *a, *b;
    Source operator+(int64_t n) const { return {a + n, b + n}; }
    T operator[](int64_t i) const { return a[i] * b[i]; }
  };
  static constexpr bool plain = false, centred = false;
  static T lift(T x, T) { return x; }
};

template <class T>
struct Magnitudes : Adds<T> {
  using In = T;
  static constexpr bool plain = false, centred = false;
  static T lift(T x, T) { return std::abs(x); }
};

template <class T>
struct Powers : Adds<T> {
  using In = T;
  static constexpr bool plain = false, centred = false;
  T p;
  explicit Powers(double p) : p(T(p)) {}
  T lift(T x, T) const { return std::pow(std::abs(x), p); }
};

template <class T>
struct Product {
  using In = T;
  using Value = Wrapping<T>;
  static constexpr bool plain = std::is_same_v<T, Value> || std::is_same_v<T, int64_t>;
  static constexpr bool centred = false;
  static Value identity() { return Value(1); }
  static Value lift(T x, Value) { return Value(x); }
  template <class V>
  static V merge(V a, V b) {
    return a * b;
  }
};

/// Greatest element; NaN wins.
template <class T>
struct Greatest {
  using In = T;
  using Value = T;
  static constexpr bool plain = true, centred = false;
  static T identity() {
    return std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
  }
  static T lift(T x, T) { return x; }
  template <class V>
  static V merge(V a, V b) {
    V m = a > b ? a : b;  // b if either is NaN
    return a != a ? a : m;
  }
};

template <class T>
struct Least {
  using In = T;
  using Value = T;
  static constexpr bool plain = true, centred = false;
  static T identity() {
    return std::is_floating_point_v<T> ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max();
  }
  static T lift(T x, T) { return x; }
  template <class V>
  static V merge(V a, V b) {
    V m = a < b ? a : b;  // b if either is NaN
    return a != a ? a : m;
  }
};

/// Is any element nonzero?  With `zero`: is any element zero?  Elements are bits: a sign, which `mask` leaves out,
/// makes no zero nonzero.
template <class U>
struct Any {
  using In = U;
  using Value = uint8_t;
  static constexpr bool plain = false, centred = false;
  U mask;
  bool zero;
  static uint8_t identity() { return 0; }
  uint8_t lift(U x, uint8_t) const { return bool(x & mask) != zero; }
  template <class V>
  static V merge(V a, V b) {
    return a | b;
  }
};
template <>
inline uint8_t Any<Bytes16>::lift(Bytes16 x, uint8_t) const {
  return bool((x.a & mask.a) | (x.b & mask.b)) != zero;
}

/// Types of sums and extremes: operators cast int8 and int16 to int32 before; bool goes as the byte that it is.
template <class F>
void dispatch_some(DType d, F&& f) {
  switch (d) {
    case DType::Bool:
    case DType::UInt8: return f.template operator()<uint8_t>();
    case DType::Int32: return f.template operator()<int32_t>();
    case DType::Int64: return f.template operator()<int64_t>();
    case DType::Float32: return f.template operator()<float>();
    default: return f.template operator()<double>();
  }
}

/// float32, float64, complex and int64: what an op casts the other dtypes to where a kernel each would be too much.
template <class F>
void dispatch_wide(DType d, F&& f) {
  if (d == DType::Int64) return f.template operator()<int64_t>();
  if (d == DType::Float32) return f.template operator()<float>();
  if (d == DType::Float64) return f.template operator()<double>();
  if (d == DType::Complex64) return f.template operator()<complex64>();
  f.template operator()<complex128>();
}

}  // namespace

void sum(Strided y, Strided x, double divisor) {
  auto inexact = [&]<class T>() {
    reduce<Sum<T>, T>({}, y, x, [d = Real<Compute<T>>(divisor)](Compute<T> a) { return T(a / d); });
  };
  if (is_inexact(x.dtype)) return dispatch_inexact(x.dtype, inexact);
  dispatch_some(x.dtype, [&]<class T>() {
    if constexpr (std::is_integral_v<T>) reduce<Sum<T>, int64_t>({}, y, x, [](uint64_t a) { return int64_t(a); });
  });
}

/// y = sum of a * b, which have the same strides; float32 and float64.
void sum_product(Strided y, Strided a, Strided b) {
  auto run = [&]<class T>() {
    reduce_from<Products<T>, T>({}, y, a, {a.as<const T>(), b.as<const T>()}, [](T x) { return x; }, nullptr);
  };
  if (a.dtype == DType::Float64)
    run.operator()<double>();
  else
    run.operator()<float>();
}

void prod(Strided y, Strided x) {
  dispatch_wide(x.dtype, [&]<class T>() { reduce<Product<T>, T>({}, y, x, [](Wrapping<T> a) { return T(a); }); });
}

void amax(Strided y, Strided x) {
  dispatch_some(x.dtype, [&]<class T>() { reduce<Greatest<T>, T>({}, y, x, [](T a) { return a; }); });
}

void amin(Strided y, Strided x) {
  dispatch_some(x.dtype, [&]<class T>() { reduce<Least<T>, T>({}, y, x, [](T a) { return a; }); });
}

void any(Strided y, Strided x, bool zero) {
  dispatch_size(itemsize(x.dtype), [&]<class U>() {
    U mask;
    std::memset(&mask, 0xff, sizeof mask);
    if (is_inexact(x.dtype)) {
      auto* byte = reinterpret_cast<unsigned char*>(&mask);
      const int64_t part = itemsize(real_of(x.dtype));  // a sign is the top bit of each (little-endian) real number
      for (int64_t i = part - 1; i < itemsize(x.dtype); i += part) byte[i] = 0x7f;
    }
    reduce<Any<U>, bool>({mask, zero}, y, x, [zero](uint8_t a) { return bool(a) != zero; });
  });
}

void var(Strided y, Strided mean, Strided x, double divisor) {
  auto run = [&]<class T>() {
    // The mean in double too, so that it is exact enough to subtract: no correction term is needed.
    Scratch scratch(size_t(y.numel()) * sizeof(double));
    double* means = scratch.as<double>();
    Strided centre = y;
    centre.data = means;
    const double n = y.numel() ? double(x.numel() / y.numel()) : 1;
    reduce<Sum<T, double>, double>({}, centre, x, [n](double a) { return a / n; });
    reduce<Deviations<T>, T>({}, y, x, [divisor](double a) { return T(a / divisor); }, means);
    if (mean.data) std::transform(means, means + y.numel(), mean.as<T>(), [](double a) { return T(a); });
  };
  if (x.dtype == DType::Float64)
    run.operator()<double>();
  else
    run.operator()<float>();
}

/// (sum |x|**p)**(1/p) for finite p != 0.
void norm(Strided y, Strided x, double p) {
  auto run = [&]<class T>() {
    if (p == 1) return reduce<Magnitudes<T>, T>({}, y, x, [](T a) { return a; });
    if (p == 2) return reduce<Squares<T>, T>({}, y, x, [](T a) { return std::sqrt(a); });
    reduce<Powers<T>, T>(Powers<T>(p), y, x, [p](T a) { return std::pow(a, T(1 / p)); });
  };
  if (x.dtype == DType::Float64)
    run.operator()<double>();
  else
    run.operator()<float>();
}

/// First index along `dim` where x equals `values` (NaN equals NaN); `values` and `indices` have size 1 there.
void index_of(Strided indices, Strided x, Strided values, int64_t dim) {
  const int64_t n = line_size(x, dim), stride = line_stride(x, dim);
  dispatch_real(x.dtype, [&]<class T>() {
    using C = Compute<T>;
    auto matches = [](T a, C value, bool nan) { return (C(a) == value) | (nan & (C(a) != C(a))); };
    for_lines<3>({indices, x, values}, dim, n, [&](const Bundle<3>& b) {
      int64_t* index = indices.as<int64_t>() + b.offset[0];
      const T* in = x.as<const T>() + b.offset[1];
      const T* value = values.as<const T>() + b.offset[2];
      if (b.count == 1 || stride == 1) {
        for (int64_t j = 0; j < b.count; ++j) {
          const C v = value[j * b.step[2]];
          const T* line = in + j * b.step[1];
          int64_t i = 0;
          for (bool found = false; !found && i + 64 <= n;) {  // blocks without a branch inside
            int hits = 0;
            for (int64_t k = 0; k < 64; ++k) hits |= matches(line[(i + k) * stride], v, v != v);
            found = hits;
            if (!found) i += 64;
          }
          while (i + 1 < n && !matches(line[i * stride], v, v != v)) ++i;
          index[j * b.step[0]] = i;
        }
        return;
      }
      C v[bundle];
      int64_t first[bundle];
      for (int64_t j = 0; j < b.count; ++j) {
        v[j] = value[j * b.step[2]];
        first[j] = n;
      }
      with_steps(b, [&](auto steps) {
        for (int64_t i = 0; i < n; ++i)
          for (int64_t j = 0; j < b.count; ++j) {
            bool hit = matches(in[i * stride + j * steps[1]], v[j], v[j] != v[j]) & (first[j] == n);
            first[j] = hit ? i : first[j];
          }
      });
      for (int64_t j = 0; j < b.count; ++j) index[j * b.step[0]] = first[j];
    });
  });
}

}  // namespace lg::LG_ISA
