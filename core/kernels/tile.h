// Tiles: the innermost part of a matrix product, for kernels whose products are too small or too entangled with other
// work for gemm (a recurrent step, a block of attention).
//
// A tile is `tile_rows` rows by two vectors of the result, kept in registers while the inner dimension runs.  The right
// operand is read a vector at a time, so its columns are dense: as they lie in memory, or packed into panels two
// vectors wide.  The left one is read element by element, with any strides.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/isa.h"
#include "kernels/vector.h"

namespace lg::LG_ISA {

#if defined(__AVX512F__)
inline constexpr int64_t tile_rows = 8;  // 16 of 32 registers hold sums
#elif defined(__AVX2__)
inline constexpr int64_t tile_rows = 6;  // 12 of 16
#else
inline constexpr int64_t tile_rows = 4;
#endif

template <class T>
struct Lanes {
  typedef T type __attribute__((vector_size(vector_bytes), aligned(alignof(T)), may_alias));
};
template <class T>
inline constexpr int64_t lanes_of = vector_bytes / int64_t(sizeof(T));
template <class T>
inline constexpr int64_t panel_width = 2 * lanes_of<T>;

inline int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

/// The left operand: element (i, l) at data[i * row + l * column].
template <class T>
struct Left {
  const T* data;
  int64_t row, column;
};
/// The right operand, k by n: row l of panel p begins at data[p * panel + l * row].
template <class T>
struct Right {
  const T* data;
  int64_t row, panel;
};
/// Rows that lie densely in memory, their length a multiple of a vector.
template <class T>
Right<T> right_rows(const T* data, int64_t row) {
  return {data, row, panel_width<T>};
}

/// c = a b, or c += a b, for `rows` rows and `vectors` vectors of columns.
template <class T, int rows, int vectors>
inline void tile(int64_t k, Left<T> a, const T* b, int64_t b_row, T* c, int64_t c_row, bool accumulate) {
  using V = typename Lanes<T>::type;
  V sum[rows][vectors] = {};
  for (int64_t l = 0; l < k; ++l) {
    V x[vectors];
    for (int v = 0; v < vectors; ++v) x[v] = *reinterpret_cast<const V*>(b + l * b_row + v * lanes_of<T>);
    for (int r = 0; r < rows; ++r)
      for (int v = 0; v < vectors; ++v) sum[r][v] += a.data[r * a.row + l * a.column] * x[v];
  }
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v) {
      V* to = reinterpret_cast<V*>(c + r * c_row + v * lanes_of<T>);
      *to = accumulate ? *to + sum[r][v] : sum[r][v];
    }
}

/// The same for any number of rows: full tiles, then smaller ones.
template <class T, int vectors>
void tile_column(int64_t m, int64_t k, Left<T> a, const T* b, int64_t b_row, T* c, int64_t c_row, bool accumulate) {
  auto take = [&]<int rows>() {
    tile<T, rows, vectors>(k, a, b, b_row, c, c_row, accumulate);
    a.data += rows * a.row;
    c += rows * c_row;
    m -= rows;
  };
  while (m >= tile_rows) take.template operator()<int(tile_rows)>();
  if constexpr (tile_rows > 4)
    if (m >= 4) take.template operator()<4>();
  if (m >= 2) take.template operator()<2>();
  if (m >= 1) take.template operator()<1>();
}

/// c[m, n] = a[m, k] b[k, n], or +=; n is a multiple of a vector, and c has room for it.
template <class T>
void tile_product(int64_t m, int64_t n, int64_t k, Left<T> a, Right<T> b, T* c, int64_t c_row, bool accumulate) {
  for (int64_t j = 0; j < n; j += panel_width<T>, b.data += b.panel) {
    if (n - j >= panel_width<T>)
      tile_column<T, 2>(m, k, a, b.data, b.row, c + j, c_row, accumulate);
    else
      tile_column<T, 1>(m, k, a, b.data, b.row, c + j, c_row, accumulate);
  }
}

/// Elements that pack_panels fills.
template <class T>
int64_t packed_size(int64_t k, int64_t n) {
  return k * round_up(n, panel_width<T>);
}
/// `count` columns of a panel, each dense in memory, `column` apart: squares turn in registers.
template <class T>
void pack_dense_columns(T* panel, int64_t k, int64_t count, const T* b, int64_t column) {
  constexpr int64_t width = panel_width<T>, side = lanes_of<T>;
  auto single = [=](int64_t i, int64_t begin) {
    for (int64_t l = begin; l < k; ++l) panel[l * width + i] = b[i * column + l];
  };
  const int64_t whole = count / side * side, deep = k / side * side;
  for (int64_t i = 0; i < whole; i += side)
    for (int64_t l = 0; l < deep; l += side)
      copy_square<vector_bytes>(panel + l * width + i, width, b + i * column + l, column);
  for (int64_t i = 0; i < count; ++i) single(i, i < whole ? deep : 0);
}

/// Panels of the k by n matrix with element (l, j) at b[l * row + j * column]; zeros beyond its last column.
template <class T>
Right<T> pack_panels(T* to, int64_t k, int64_t n, const T* b, int64_t row, int64_t column) {
  constexpr int64_t width = panel_width<T>;
  for (int64_t j = 0; j < n; j += width) {
    T* panel = to + j * k;
    const int64_t count = std::min(width, n - j);
    if (count < width) std::fill_n(panel, k * width, T(0));
    if (row == 1)
      pack_dense_columns(panel, k, count, b + j * column, column);
    else if (column == 1)
      for (int64_t l = 0; l < k; ++l)
        for (int64_t i = 0; i < count; ++i) panel[l * width + i] = b[l * row + j + i];
    else
      for (int64_t i = 0; i < count; ++i)
        for (int64_t l = 0; l < k; ++l) panel[l * width + i] = b[l * row + (j + i) * column];
  }
  return {to, width, k * width};
}

}  // namespace lg::LG_ISA
