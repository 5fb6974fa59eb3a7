// Our own matrix product of one thread, after Goto and van de Geijn, "Anatomy of high-performance matrix
// multiplication" (2008): a block of `rows` x `columns` sums stays in registers while k runs; panels of b are packed
// one at a time into the nearest caches, and a is packed where its layout would hurt.  See docs/design/matmul.md.
#include "kernels/gemm.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "kernels/vector.h"
#include "runtime/blas.h"
#include "runtime/pool.h"

namespace lg::LG_ISA {
namespace {

template <class T>
inline constexpr bool is_ours = vector_bytes > 16 && (std::is_same_v<T, float> || std::is_same_v<T, double>);

#if defined(__AVX512F__)
constexpr int rows = 14;  // 28 of 32 registers hold sums
#else
constexpr int rows = 6;  // 12 of 16
#endif
constexpr int vectors = 2;
template <class T>
constexpr int lanes = vector_bytes / int(sizeof(T));
template <class T>
constexpr int columns = vectors * lanes<T>;
constexpr int64_t depth = 384;   // of k at a time: a panel of a stays in the first cache, one of b in the second
constexpr int64_t height = 518;  // rows of a at a time: 37 panels of 14, which stay in the second cache when packed

constexpr int64_t ahead = 12;  // rows that packing asks for in advance: each lies in another page

/// Sums of R rows and V vectors of columns over k.  Element (r, l) of a stands at a[r * a_row + l * a_column].
template <class T>
struct Tile {
  int64_t k;
  const T* a;
  int64_t stride;  // a_row if a_column is 1, else a_column, a_row being 1
  const T* b;
  int64_t b_row;
  T* c;
  int64_t c_row;
  int64_t width;  // columns that c has, up to V vectors
  bool accumulate;
};

template <class T, int R, int V, bool by_rows>
[[gnu::noinline]] void multiply(const Tile<T>& t) {
  using Vec = Vector<T>;
  Vec sum[R][V];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
      sum[r][v] = Vec{};
      __builtin_prefetch(t.c + r * t.c_row + v * lanes<T>);
    }
  const int64_t k = t.k, b_row = t.b_row, a_row = by_rows ? t.stride : 1, a_column = by_rows ? 1 : t.stride;
  const T *a = t.a, *b = t.b;
  for (int64_t l = 0; l < k; ++l) {
    Vec y[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) y[v] = load_vector(b + l * b_row + v * lanes<T>);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) sum[r][v] += a[r * a_row + l * a_column] * y[v];
  }
  if (t.width < V * lanes<T>) {  // the last columns: through a buffer, since c ends here
    T out[R][V * lanes<T>];
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < V; ++v) store_vector(&out[r][v * lanes<T>], sum[r][v]);
    for (int r = 0; r < R; ++r)
      for (int64_t j = 0; j < t.width; ++j) {
        T& c = t.c[r * t.c_row + j];
        c = t.accumulate ? c + out[r][j] : out[r][j];
      }
    return;
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
      T* c = t.c + r * t.c_row + v * lanes<T>;
      store_vector(c, t.accumulate ? load_vector(c) + sum[r][v] : sum[r][v]);
    }
}

template <class T, int V, bool by_rows, int R = rows>
void multiply_rows(int count, const Tile<T>& t) {
  if (count == R) return multiply<T, R, V, by_rows>(t);
  if constexpr (R > 1) multiply_rows<T, V, by_rows, R - 1>(count, t);
}

template <class T>
void multiply(int count, bool by_rows, const Tile<T>& t) {
  const bool narrow = t.width <= lanes<T>;
  if (by_rows)
    narrow ? multiply_rows<T, 1, true>(count, t) : multiply_rows<T, 2, true>(count, t);
  else
    narrow ? multiply_rows<T, 1, false>(count, t) : multiply_rows<T, 2, false>(count, t);
}

/// Rows of the next panel when `left` remain: full, except that a short last panel shares with the one before.
inline int panel_rows(int64_t left) {
  if (left <= rows) return int(left);
  return left < rows + rows / 2 ? int((left + 1) / 2) : rows;
}

template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;

/// to[l * count + r] = a[r, l] for `count` rows and k columns.
template <class T>
void pack_rows(MatrixView<const T> a, int count, int64_t k, T* to) {
  if (a.row == 1) {
    constexpr int half = 32 / int(sizeof(T));
    for (int64_t l = 0; l < k; ++l) {
      const T* from = a.data + l * a.column;
      __builtin_prefetch(from + ahead * a.column);
      if (count >= half && count <= 2 * half) {  // two vectors that overlap
        store_vector(to + l * count, load_vector<T, 32>(from));
        store_vector(to + l * count + count - half, load_vector<T, 32>(from + count - half));
      } else {
        for (int r = 0; r < count; ++r) to[l * count + r] = from[r];
      }
    }
    return;
  }
  using U = Bits<T>;
  constexpr int64_t side = 32 / sizeof(U);
  int64_t done = 0;  // columns
  for (; done + side <= k; done += side) {
    int r = 0;
    for (; r + side <= count; r += side)
      copy_square<32>(reinterpret_cast<U*>(to + done * count + r), count, reinterpret_cast<const U*>(&a.at(r, done)),
                      a.row);
    for (; r < count; ++r)
      for (int64_t l = done; l < done + side; ++l) to[l * count + r] = a.at(r, l);
  }
  for (; done < k; ++done)
    for (int r = 0; r < count; ++r) to[done * count + r] = a.at(r, done);
}

/// to[l * columns + j] = b[l, j] for k rows and `width` columns, zeros beyond.
template <class T>
void pack_columns(MatrixView<const T> b, int64_t k, int64_t width, T* to) {
  constexpr int64_t full = columns<T>;
  if (b.column == 1) {
    for (int64_t l = 0; l < k; ++l) {
      T* row = to + l * full;
      for (int v = 0; v < vectors; ++v) __builtin_prefetch(&b.at(l, v * lanes<T>) + ahead * b.row);
      if (width == full) {
        for (int v = 0; v < vectors; ++v) store_vector(row + v * lanes<T>, load_vector(&b.at(l, v * lanes<T>)));
      } else {
        std::memcpy(row, &b.at(l, 0), size_t(width) * sizeof(T));
        std::fill(row + width, row + full, T(0));
      }
    }
    return;
  }
  using U = Bits<T>;
  constexpr int64_t side = 32 / sizeof(U);
  int64_t done = 0;  // columns
  for (; done + side <= width; done += side) {
    int64_t l = 0;
    for (; l + side <= k; l += side)
      copy_square<32>(reinterpret_cast<U*>(to + l * full + done), full, reinterpret_cast<const U*>(&b.at(l, done)),
                      b.column);
    for (; l < k; ++l)
      for (int64_t j = done; j < done + side; ++j) to[l * full + j] = b.at(l, j);
  }
  for (int64_t l = 0; l < k && done < full; ++l)
    for (int64_t j = done; j < full; ++j) to[l * full + j] = j < width ? b.at(l, j) : T(0);
}

/// The rows of a that one pass over b uses, packed if need be.
template <class T>
struct Panels {
  MatrixView<const T> a;
  T* packed;  // null: read where they are

  Panels(MatrixView<const T> from, int64_t m, int64_t n, int64_t k, T* room) : a(from), packed(room) {
    // Rows one page apart fall into the same lines of the first cache, and columns far apart cost an address
    // translation each; packing pays once n uses what was packed often enough.
    const bool by_rows = a.column == 1;
    const int64_t step = (by_rows ? a.row : a.column) * int64_t(sizeof(T));
    const bool awkward = by_rows ? step % 4096 == 0 || step > 16384 : step > 256;
    if (n < 3 * columns<T> || !awkward) {
      packed = nullptr;
      return;
    }
    int64_t done = 0;
    for (int64_t i = 0; i < m;) {
      const int count = panel_rows(m - i);
      pack_rows<T>({&a.at(i, 0), a.row, a.column}, count, k, packed + done);
      done += count * k;
      i += count;
    }
  }
};

/// c (+)= a b for at most `height` rows and `depth` of k.
template <class T>
void multiply_block(int64_t m, int64_t n, int64_t k, MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c,
                    bool accumulate, T* room) {
  T *panel = room, *a_room = room + columns<T> * depth;
  const Panels<T> left(a, m, n, k, a_room);
  for (int64_t j = 0; j < n; j += columns<T>) {
    const int64_t width = std::min<int64_t>(columns<T>, n - j);
    // A panel is packed unless its rows are whole vectors and too few rows of a will use it.
    const bool direct = b.column == 1 && m <= 2 * rows && width % lanes<T> == 0;
    if (!direct) pack_columns<T>({&b.at(0, j), b.row, b.column}, k, width, panel);
    Tile<T> tile{k,     nullptr, 0,         direct ? &b.at(0, j) : panel, direct ? b.row : columns<T>, nullptr,
                 c.row, width,   accumulate};
    int64_t done = 0;
    for (int64_t i = 0; i < m;) {
      const int count = panel_rows(m - i);
      const bool by_rows = !left.packed && a.column == 1;
      tile.a = left.packed ? left.packed + done : &a.at(i, 0);
      tile.stride = left.packed ? count : by_rows ? a.row : a.column;
      tile.c = &c.at(i, j);
      multiply<T>(count, by_rows, tile);
      done += count * k;
      i += count;
    }
  }
}

template <class T>
void multiply_all(int64_t m, int64_t n, int64_t k, MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c,
                  bool accumulate) {
  T* room = static_cast<T*>(thread_room(size_t(depth * (columns<T> + height)) * sizeof(T)));
  for (int64_t l = 0; l < k; l += depth)
    for (int64_t i = 0; i < m; i += height)
      multiply_block<T>(std::min(height, m - i), n, std::min(depth, k - l), {&a.at(i, l), a.row, a.column},
                        {&b.at(l, 0), b.row, b.column}, {&c.at(i, 0), c.row, 1}, accumulate || l > 0, room);
}

template <class T>
blas::Matrix<const T> as_blas(MatrixView<const T> v, int64_t columns) {
  if (v.column == 1 && v.row >= columns) return {v.data, v.row, false};
  return {v.data, v.column, true};
}

}  // namespace

template <class T>
void prepare_gemm() {
  if (!is_ours<T>) blas::load();
}

template <class T>
void gemm(int64_t m, int64_t n, int64_t k, MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c,
          bool accumulate) {
  if constexpr (is_ours<T>)
    multiply_all<T>(m, n, k, a, b, c, accumulate);
  else
    blas::gemm<T>(m, n, k, as_blas(a, k), as_blas(b, n), accumulate, {c.data, c.row});
}

#define INSTANTIATE(T)             \
  template void prepare_gemm<T>(); \
  template void gemm<T>(int64_t, int64_t, int64_t, MatrixView<const T>, MatrixView<const T>, MatrixView<T>, bool);
INSTANTIATE(float)
INSTANTIATE(double)
INSTANTIATE(complex64)
INSTANTIATE(complex128)
#undef INSTANTIATE

}  // namespace lg::LG_ISA
