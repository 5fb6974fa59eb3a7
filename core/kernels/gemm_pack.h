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
inline constexpr int panel_height = 6;  // 12 of 16, and the product needs none
#else
inline constexpr int panel_height = 4;  // 8 of 16
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

inline constexpr int64_t ahead = 12;  // rows that packing asks for in advance: each lies in another page

/// Rows of the next panel when `left` remain: full, except that a short last panel shares with the one before.
inline int next_panel(int64_t left) {
  if (left <= panel_height) return int(left);
  return left < panel_height + panel_height / 2 ? int((left + 1) / 2) : panel_height;
}

/// to[i * to_row + j] = from[i + j * from_row] for `rows` x `columns`, by squares that turn in registers.
template <class T>
inline void pack_transposed(T* to, int64_t to_row, const T* from, int64_t from_row, int64_t rows, int64_t columns) {
  int64_t done = 0;  // rows
  if constexpr (sizeof(T) <= 8) {
    using U = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    constexpr int64_t side = 32 / sizeof(U);
    for (; done + side <= rows; done += side) {
      int64_t j = 0;
      for (; j + side <= columns; j += side)
        copy_square<32>(reinterpret_cast<U*>(to + done * to_row + j), to_row,
                        reinterpret_cast<const U*>(from + done + j * from_row), from_row);
      for (; j < columns; ++j)
        for (int64_t i = done; i < done + side; ++i) to[i * to_row + j] = from[i + j * from_row];
    }
  }
  for (; done < rows; ++done)
    for (int64_t j = 0; j < columns; ++j) to[done * to_row + j] = from[done + j * from_row];
}

/// to[l * count + r] = a[r, l] for `count` rows and k columns.
template <class T>
void pack_rows(MatrixView<const T> a, int count, int64_t k, T* to) {
  if (a.row != 1) return pack_transposed(to, count, a.data, a.row, k, count);
  constexpr int half = 32 / int(sizeof(T));
  for (int64_t l = 0; l < k; ++l) {
    const T* from = a.data + l * a.column;
    __builtin_prefetch(from + ahead * a.column);
    if (!is_complex_v<T> && count >= half && count <= 2 * half) {  // two vectors that overlap
      if constexpr (!is_complex_v<T>) {
        store_vector(to + l * count, load_vector<T, 32>(from));
        store_vector(to + l * count + count - half, load_vector<T, 32>(from + count - half));
      }
    } else {
      std::copy_n(from, count, to + l * count);
    }
  }
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

/// Rows of a, read where they lie or packed.
template <class T>
class LeftPanels {
 public:
  /// `room` for m * k elements; `n` columns will be multiplied.
  LeftPanels(MatrixView<const T> a, int64_t m, int64_t n, int64_t k, T* room) : a_(a), k_(k) {
    // Rows one page apart fall into the same lines of the first cache, and columns far apart cost an address
    // translation each; packing pays once n uses what was packed often enough.  Complex panels are always packed, which
    // spares as many forms of the innermost loop.
    const int64_t step = (a.column == 1 ? a.row : a.column) * int64_t(sizeof(T));
    const bool awkward = a.column == 1 ? step % 4096 == 0 || step > 16384 : step > 256;
    if (!is_complex_v<T> && (n < 3 * panel_width<T> || !awkward)) return;
    packed_ = room;
    for (int64_t i = 0; i < m;) {
      const int count = next_panel(m - i);
      pack_rows<T>({&a.at(i, 0), a.row, a.column}, count, k, room + i * k);
      i += count;
    }
  }
  /// The panel of `count` rows that begins with row i.
  MatrixView<const T> at(int64_t i, int count) const {
    if (packed_) return {packed_ + i * k_, 1, count};
    return {&a_.at(i, 0), a_.row, a_.column};
  }

 private:
  MatrixView<const T> a_;
  int64_t k_;
  const T* packed_ = nullptr;
};

}  // namespace lg::LG_ISA
