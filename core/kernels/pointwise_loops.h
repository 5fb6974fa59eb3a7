// Dense loops from elements: what the pointwise_*.cpp files share.
//
// Each file turns its rows of pointwise.def into a table of loops.  Loops exist for seven types; the others are fed
// through run_blocks' buffers: halves as float, bool as uint8, int8 and int16 as int32.
#pragma once

#include "kernels/loop.h"
#include "kernels/math.h"
#include "kernels/pointwise.h"

namespace lg::LG_ISA {

struct RowLoops {
  DenseLoop of[num_dtypes] = {};
};
// In the order of Row: rows of one input, of two, of more.
extern const RowLoops unary_loops[], binary_loops[], other_loops[];

/// Elements in memory: a bool is read as the byte it is.
template <class T>
using Cell = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;

// `ivdep`: an operand is either the output itself, element for element, or does not overlap it.
template <class F, class T>
void loop1(char* const* p, int64_t n) {
  using Y = Cell<decltype(F::template of<T>(T()))>;
  Y* y = reinterpret_cast<Y*>(p[0]);
  const T* x = reinterpret_cast<const T*>(p[1]);
  if constexpr (requires { F::reducible(x[0]); }) {
    bool all = true;
    for (int64_t i = 0; i < n; ++i) all &= F::reducible(x[i]);
    if (all) {
#pragma GCC ivdep
      for (int64_t i = 0; i < n; ++i) y[i] = F::reduced(x[i]);
      return;
    }
  }
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = F::template of<T>(x[i]);
}

template <class F, class T>
void loop2(char* const* p, int64_t n) {
  using Y = Cell<decltype(F::template of<T>(T(), T()))>;
  Y* y = reinterpret_cast<Y*>(p[0]);
  const T *a = reinterpret_cast<const T*>(p[1]), *b = reinterpret_cast<const T*>(p[2]);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = F::template of<T>(a[i], b[i]);
}

template <class F, class T>
void loop3(char* const* p, int64_t n) {
  T* y = reinterpret_cast<T*>(p[0]);
  const T *a = reinterpret_cast<const T*>(p[1]), *b = reinterpret_cast<const T*>(p[2]),
          *c = reinterpret_cast<const T*>(p[3]);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = F::template of<T>(a[i], b[i], c[i]);
}

template <class F, class T>
void loop4(char* const* p, int64_t n) {
  T* y = reinterpret_cast<T*>(p[0]);
  const T *a = reinterpret_cast<const T*>(p[1]), *b = reinterpret_cast<const T*>(p[2]),
          *c = reinterpret_cast<const T*>(p[3]), *d = reinterpret_cast<const T*>(p[4]);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = F::template of<T>(a[i], b[i], c[i], d[i]);
}

template <class F, int inputs, class T>
constexpr DenseLoop loop_of() {
  if constexpr (inputs == 1)
    return &loop1<F, T>;
  else if constexpr (inputs == 2)
    return &loop2<F, T>;
  else if constexpr (inputs == 3)
    return &loop3<F, T>;
  else
    return &loop4<F, T>;
}
template <class F, int inputs, unsigned on>
constexpr RowLoops loops_of() {
  RowLoops r;
  if constexpr ((on & (integers | booleans)) != 0) r.of[int(DType::UInt8)] = loop_of<F, inputs, uint8_t>();
  if constexpr ((on & integers) != 0) {
    r.of[int(DType::Int32)] = loop_of<F, inputs, int32_t>();
    r.of[int(DType::Int64)] = loop_of<F, inputs, int64_t>();
  }
  if constexpr ((on & floats) != 0) {
    r.of[int(DType::Float32)] = loop_of<F, inputs, float>();
    r.of[int(DType::Float64)] = loop_of<F, inputs, double>();
  }
  if constexpr ((on & complexes) != 0) {
    r.of[int(DType::Complex64)] = loop_of<F, inputs, complex64>();
    r.of[int(DType::Complex128)] = loop_of<F, inputs, complex128>();
  }
  return r;
}

}  // namespace lg::LG_ISA
