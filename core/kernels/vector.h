// Vectors of the instruction set that a file is compiled for, as GCC's and clang's vector extension has them.
#pragma once

#include <cstdint>
#include <utility>

#include "kernels/isa.h"

namespace lg::LG_ISA {

#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
inline constexpr int vector_bytes = 32;
#else
inline constexpr int vector_bytes = 16;
#endif

template <class T, int bytes>
struct VectorOf {
  typedef T type __attribute__((vector_size(bytes), aligned(alignof(T)), may_alias));
};
/// `bytes` wide, at any address that suits a T.
template <class T, int bytes = vector_bytes>
using Vector = typename VectorOf<T, bytes>::type;

template <class T, int bytes = vector_bytes>
inline Vector<T, bytes> load_vector(const T* p) {
  return *reinterpret_cast<const Vector<T, bytes>*>(p);
}
template <class V, class T>
inline void store_vector(T* p, V v) {
  *reinterpret_cast<Vector<T, sizeof(V)>*>(p) = v;
}

/// The lanes of both in turn: a becomes a0 b0 a1 b1 ..., b goes on from there.
template <class V, size_t... l>
inline void interleave(V& a, V& b, std::index_sequence<l...>) {
  constexpr int n = sizeof...(l);
  const V low = __builtin_shufflevector(a, b, (int(l) % 2 * n + int(l) / 2)...);
  b = __builtin_shufflevector(a, b, (int(l) % 2 * n + (n + int(l)) / 2)...);
  a = low;
}
template <class V>
inline void interleave(V& a, V& b) {
  interleave(a, b, std::make_index_sequence<sizeof(V) / sizeof(a[0])>());
}

/// One exchange of a transposition: where the numbers of row and column differ in the bit `step`, a pair of rows swaps.
template <int step, class V, size_t... l>
inline void exchange(V& a, V& b, std::index_sequence<l...>) {
  constexpr int n = sizeof...(l);
  const V low = __builtin_shufflevector(a, b, (int(l) & step ? n + int(l) - step : int(l))...);
  b = __builtin_shufflevector(a, b, (int(l) & step ? n + int(l) : int(l) + step)...);
  a = low;
}
template <int step, class V, int n>
inline void transpose_square(V (&v)[n]) {
  if constexpr (step < n) {
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i)
      if (!(i & step)) exchange<step>(v[i], v[i + step], std::make_index_sequence<n>());
    transpose_square<2 * step>(v);
  }
}

/// to[j * to_row + i] = from[i * from_row + j] for a square whose sides are a vector of `bytes`.
template <int bytes, class U>
inline void copy_square(U* to, int64_t to_row, const U* from, int64_t from_row) {
  constexpr int side = bytes / int(sizeof(U));
  Vector<U, bytes> v[side];
#pragma GCC unroll 16
  for (int i = 0; i < side; ++i) v[i] = load_vector<U, bytes>(from + i * from_row);
  transpose_square<1>(v);
#pragma GCC unroll 16
  for (int i = 0; i < side; ++i) store_vector(to + i * to_row, v[i]);
}

}  // namespace lg::LG_ISA
