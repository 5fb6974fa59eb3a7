// The panels that gemm multiplies: their shape, and packing into it.
//
// A panel of b is two vectors wide: 2 lanes of consecutive columns, or, of complex numbers, the real parts of one lane
// of columns and then their imaginary parts.  A panel of a is up to `panel_height` rows, column after column.
#pragma once

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "kernels/gemm.h"
#include "kernels/vector.h"

namespace lg::LG_ISA {

#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int panel_height = 14;  // 28 of 32 registers hold sums
#elif defined(__AVX2__)
inline constexpr int panel_height = 6;  // 12 of 16
#else
inline constexpr int panel_height = 4;  // 8 of 16; without FMA a product needs one for itself
#endif
/// Numbers in a vector, real or imaginary parts.
template <class T>
inline constexpr int vector_lanes = vector_bytes / int(sizeof(Real<T>));
/// Columns of a panel of b.
template <class T>
inline constexpr int panel_width = is_complex_v<T> ? vector_lanes<T> : 2 * vector_lanes<T>;
/// Reals in a row of it.
template <class T>
inline constexpr int panel_row = 2 * vector_lanes<T>;

inline constexpr int move_bytes = vector_bytes < 32 ? vector_bytes : 32;  // that packing moves at a time
inline constexpr int64_t ahead = 12;  // rows that packing asks for in advance: each lies in another page

/// Rows of the next panel when `left` remain: full, except that a short last panel shares with the one before.
inline int next_panel(int64_t left) {
  if (left <= panel_height) return int(left);
  return left < panel_height + panel_height / 2 ? int((left + 1) / 2) : panel_height;
}

/// to[i * to_row + j] = from[i + j * from_row] for `rows` x `columns`: squares that turn in registers, side by side
/// with the last one reaching back over its neighbour.  Down a strip first, because its few lines of `from` stay in the
/// cache.
template <class T>
inline void pack_transposed(T* to, int64_t to_row, const T* from, int64_t from_row, int64_t rows, int64_t columns) {
  int64_t squares = 0;  // rows that they cover
  if constexpr (sizeof(T) <= 8) {
    using U = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    constexpr int64_t side = move_bytes / sizeof(U);
    if (columns >= side) squares = rows / side * side;
    for (int64_t done = 0; done < columns && squares > 0; done += side) {
      const int64_t j = std::min(done, columns - side);
      for (int64_t i = 0; i < squares; i += side)
        copy_square<move_bytes>(reinterpret_cast<U*>(to + i * to_row + j), to_row,
                                reinterpret_cast<const U*>(from + i + j * from_row), from_row);
    }
  }
  for (int64_t j = 0; j < columns; ++j)
    for (int64_t i = squares; i < rows; ++i) to[i * to_row + j] = from[i + j * from_row];
}

/// A column of a panel of a, `count` consecutive numbers.
template <class T>
inline void copy_column(const T* from, int count, T* to) {
  constexpr int half = move_bytes / int(sizeof(T));
  if constexpr (!is_complex_v<T>)
    if (count >= half && count <= 2 * half) {  // two vectors that overlap
      store_vector(to, load_vector<T, move_bytes>(from));
      store_vector(to + count - half, load_vector<T, move_bytes>(from + count - half));
      return;
    }
  std::copy_n(from, count, to);
}

/// A panel of b: k rows of `width` columns, zeros beyond.
template <class T>
void pack_columns(MatrixView<const T> b, int64_t k, int64_t width, Real<T>* to) {
  constexpr int64_t row = panel_row<T>, lanes = vector_lanes<T>;
  if constexpr (is_complex_v<T>) {
    for (int64_t l = 0; l < k; ++l) {
      for (int64_t j = 0; j < width; ++j) {
        to[l * row + j] = b.at(l, j).real();
        to[l * row + lanes + j] = b.at(l, j).imag();
      }
      for (int64_t j = width; j < lanes; ++j) to[l * row + j] = to[l * row + lanes + j] = 0;
    }
  } else if (b.column == 1) {
    for (int64_t l = 0; l < k; ++l) {
      T* out = to + l * row;
      for (int v = 0; v < 2; ++v) __builtin_prefetch(&b.at(l, v * lanes) + ahead * b.row);
      if (width == row) {
        for (int v = 0; v < 2; ++v) store_vector(out + v * lanes, load_vector(&b.at(l, v * lanes)));
      } else {
        std::copy_n(&b.at(l, 0), width, out);
        std::fill(out + width, out + row, T(0));
      }
    }
  } else {
    pack_transposed(to, row, b.data, b.column, k, width);
    for (int64_t l = 0; l < k && width < row; ++l) std::fill(to + l * row + width, to + (l + 1) * row, T(0));
  }
}

/// Would rows of a be slow to read where they lie?  One page apart, they fall into the same lines of the first cache,
/// and columns far apart cost an address translation each.  Complex numbers are always packed, which spares as many
/// forms of the innermost loop.
template <class T>
bool is_awkward(MatrixView<const T> a) {
  const int64_t step = (a.column == 1 ? a.row : a.column) * int64_t(sizeof(T));
  return is_complex_v<T> || (a.column == 1 ? step % 4096 == 0 || step > 16384 : step > 256);
}

/// A block of a, m rows of k, read where it lies or packed.
template <class T>
struct LeftPanels {
  MatrixView<const T> a;
  int64_t m, k;
  T* packed;  // room for m * k, or null

  /// Panel by panel, or, where columns are consecutive, all panels at once, so that each line is read once.
  void pack() const {
    if (!packed) return;
    if (a.row != 1)
      return each_panel(
          [&](int64_t i, int count) { pack_transposed(packed + i * k, count, &a.at(i, 0), a.row, k, count); });
    for (int64_t l = 0; l < k; ++l) {
      for (int64_t i = 0; i < m; i += 64 / int64_t(sizeof(T))) __builtin_prefetch(&a.at(i, l) + ahead * a.column);
      each_panel([&](int64_t i, int count) { copy_column(&a.at(i, l), count, packed + i * k + l * count); });
    }
  }
  /// The panel of `count` rows that begins with row i.
  MatrixView<const T> at(int64_t i, int count) const {
    if (packed) return {packed + i * k, 1, count};
    return {&a.at(i, 0), a.row, a.column};
  }

 private:
  template <class F>
  void each_panel(F f) const {
    for (int64_t i = 0; i < m;) {
      const int count = next_panel(m - i);
      f(i, count);
      i += count;
    }
  }
};

}  // namespace lg::LG_ISA
