// Filling new tensors with ramps and index lists.  Outputs are contiguous, or one-dimensional with any stride.
#include <algorithm>
#include <cmath>

#include "kernels/isa.h"
#include "runtime/pool.h"
#include "runtime/strided.h"

namespace lg::LG_ISA {
namespace {

template <class T, class Value>
void fill_line(Strided y, Value&& value) {
  int64_t stride = y.strides[0];
  parallel_for(y.sizes[0], default_grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y.as<T>()[i * stride] = value(i);
  });
}

/// step i + start, rounded once where that is possible.
template <class S>
inline S multiply_add(S step, int64_t i, S start) {
  if constexpr (is_complex_v<S>)
    return step * Real<S>(i) + start;
  else
    return std::fma(step, S(i), start);
}

}  // namespace

void arange(Strided y, double start, double step) {
  dispatch_real(y.dtype, [&]<class T>() {
    fill_line<T>(y, [=](int64_t i) { return convert<T>(multiply_add(step, i, start)); });
  });
}

void arange_integers(Strided y, int64_t start, int64_t step) {
  dispatch_integral(y.dtype, [&]<class T>() {
    fill_line<T>(y, [=](int64_t i) { return T(uint64_t(start) + uint64_t(i) * uint64_t(step)); });
  });
}

/// Counts from the nearer end, so that both ends are met exactly.
void linspace(Strided y, complex128 start, complex128 end) {
  int64_t steps = y.sizes[0];
  dispatch_all(y.dtype, [&]<class T>() {
    using S = std::conditional_t<std::is_integral_v<T>, double, Compute<T>>;  // integers are truncated at the end
    S a = convert<S>(convert<T>(start)), b = convert<S>(convert<T>(end));
    S step = steps > 1 ? (b - a) / S(Real<S>(steps - 1)) : S(0);
    fill_line<T>(y, [=](int64_t i) {
      bool first_half = i < steps / 2 || steps == 1;
      return convert<T>(first_half ? multiply_add(step, i, a) : multiply_add(-step, steps - 1 - i, b));
    });
  });
}

/// y is (2, count): the row and column numbers of a triangle, row by row.
void triangle_indices(Strided y, int64_t rows, int64_t columns, int64_t diagonal, bool upper) {
  int64_t count = y.sizes[1], at = 0;
  dispatch_integral(y.dtype, [&]<class T>() {
    T* row = y.as<T>();
    T* column = row + count;
    for (int64_t i = 0; i < rows; ++i) {
      int64_t begin = upper ? std::clamp<int64_t>(i + diagonal, 0, columns) : 0;
      int64_t end = upper ? columns : std::clamp<int64_t>(i + diagonal + 1, 0, columns);
      for (int64_t j = begin; j < end; ++j, ++at) row[at] = T(i), column[at] = T(j);
    }
  });
}

}  // namespace lg::LG_ISA
