// Our own matrix product, after Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008): a
// block of `panel_height` rows x `panel_width` columns of sums stays in registers while k runs; panels of b are packed,
// and a is packed where its layout would hurt.  See docs/design/matmul.md.
#include "kernels/gemm.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/gemm_pack.h"
#include "kernels/workspace.h"

namespace lg::LG_ISA {
namespace {

// Of k at a time: a panel of a stays in the first cache, one of b in the second.
constexpr int64_t depth = 512;
// Rows of a at a time, which stay in the second cache when packed.
constexpr int64_t height = 37 * panel_height;

/// k in parts of about the same size.
int64_t part_of(int64_t k) {
  const int64_t parts = (k + depth - 1) / depth;
  return (k + parts - 1) / parts;
}

template <class R>
constexpr int64_t line = 64 / int64_t(sizeof(R));  // numbers in a line of the cache

/// f of 0 to n - 1, which are constants to it: what it indexes can stay in registers.
template <int n, class F>
[[gnu::always_inline]] inline void each(F f) {
  [&]<int... i>(std::integer_sequence<int, i...>) __attribute__((always_inline)) {
    (f(std::integral_constant<int, i>()), ...);
  }(std::make_integer_sequence<int, n>());
}

/// A panel of a times one of b, in real numbers: strides and the width are those of the real and imaginary parts.
template <class R>
struct Tile {
  int64_t k;
  const R* a;  // element (r, l) at a[r * unit + l * stride], or with the two exchanged if it lies by rows
  int64_t stride;
  const R* b;
  int64_t b_row;
  const R* next;  // what to bring into the cache meanwhile, a line for each of k
  R* c;
  int64_t c_row;
  int64_t width;  // that c has, at most two vectors
  bool accumulate;
};

template <class T, int rows, int vectors, bool by_rows>
[[gnu::noinline]] void multiply(const Tile<Real<T>>& t) {
  using R = Real<T>;
  using Vec = Vector<R>;
  constexpr int lanes = vector_lanes<T>, unit = is_complex_v<T> ? 2 : 1, sums = rows * vectors;
  const int64_t k = t.k, b_row = t.b_row, a_row = by_rows ? t.stride : unit, a_column = by_rows ? unit : t.stride;
  const R *a = t.a, *b = t.b, *next = t.next;
  auto c = [&](int i) __attribute__((always_inline)) { return t.c + i / vectors * t.c_row + i % vectors * lanes; };
  Vec sum[sums];
  each<sums>([&](auto i) __attribute__((always_inline)) {
    sum[i] = Vec{};
    __builtin_prefetch(c(i));
  });
  for (int64_t l = 0; l < k; ++l, a += a_column, b += b_row, next += line<R>) {
    const Vec y[2] = {load_vector(b), load_vector(b + (vectors - 1) * lanes)};
    __builtin_prefetch(next, 0, 2);
    each<rows>([&](auto r) __attribute__((always_inline)) {
      const R* x = a + r * a_row;
      sum[r * vectors] += x[0] * y[0];
      if constexpr (vectors == 2) sum[r * 2 + 1] += x[0] * y[1];
      if constexpr (is_complex_v<T>) {
        sum[r * 2] -= x[1] * y[1];
        sum[r * 2 + 1] += x[1] * y[0];
      }
    });
  }
  if constexpr (is_complex_v<T>)
    each<rows>([&](auto r) __attribute__((always_inline)) { interleave(sum[r * 2], sum[r * 2 + 1]); });
  if (t.width == vectors * lanes)
    return each<sums>([&](auto i) __attribute__((always_inline)) {
      store_vector(c(i), t.accumulate ? load_vector(c(i)) + sum[i] : sum[i]);
    });
  R out[sums * lanes];  // the last columns: through a buffer, since c ends here
  each<sums>([&](auto i) __attribute__((always_inline)) { store_vector(out + i * lanes, sum[i]); });
  for (int r = 0; r < rows; ++r)
    for (int64_t j = 0; j < t.width; ++j) {
      R& to = t.c[r * t.c_row + j];
      const R value = out[r * vectors * lanes + j];
      to = t.accumulate ? to + value : value;
    }
}

template <class T, int vectors, bool by_rows, int rows = panel_height>
void multiply_rows(int count, const Tile<Real<T>>& t) {
  if (count == rows) return multiply<T, rows, vectors, by_rows>(t);
  if constexpr (rows > 1) multiply_rows<T, vectors, by_rows, rows - 1>(count, t);
}

template <class T>
void multiply(int count, bool by_rows, const Tile<Real<T>>& t) {
  if constexpr (is_complex_v<T>) {
    multiply_rows<T, 2, false>(count, t);
  } else {
    const bool narrow = t.width <= vector_lanes<T>;
    if (by_rows)
      narrow ? multiply_rows<T, 1, true>(count, t) : multiply_rows<T, 2, true>(count, t);
    else
      narrow ? multiply_rows<T, 1, false>(count, t) : multiply_rows<T, 2, false>(count, t);
  }
}

/// A panel of b, packed or where it lies.
template <class R>
struct RightPanel {
  const R* data;
  int64_t row;
  const R* next;  // the panel to be used after it, or null
};

/// c (+)= a b for rows of a whose panels are ready, k up to `depth`; right_panel(j, width) gives the panels of b.
template <class T, class F>
void multiply_block(int64_t m, int64_t n, int64_t k, const LeftPanels<T>& left, F right_panel, MatrixView<T> c,
                    bool accumulate) {
  using R = Real<T>;
  constexpr int unit = sizeof(T) / sizeof(R);
  for (int64_t j = 0; j < n; j += panel_width<T>) {
    const int64_t width = std::min<int64_t>(panel_width<T>, n - j);
    const RightPanel<R> right = right_panel(j, width);
    Tile<R> tile{k, nullptr, 0, right.data, right.row, nullptr, nullptr, c.row * unit, width * unit, accumulate};
    const R* next = right.next;
    for (int64_t i = 0; i < m;) {
      const int count = next_panel(m - i);
      const MatrixView<const T> a = left.at(i, count);
      const bool by_rows = a.column == 1;
      tile.a = reinterpret_cast<const R*>(a.data);
      tile.stride = unit * (by_rows ? a.row : a.column);
      tile.c = reinterpret_cast<R*>(&c.at(i, j));
      tile.next = next && next < right.next + k * panel_row<T> ? next : right.data;
      multiply<T>(count, by_rows, tile);
      if (next) next += k * line<R>;
      i += count;
    }
  }
}

/// Part of b in packed panels, made and used by all threads: each part of k in turn, and in it panel by panel.
template <class T>
struct SharedPanels {
  MatrixView<const T> b;
  int64_t n, k, part, panels;
  Real<T>* packed;

  SharedPanels(MatrixView<const T> from, int64_t columns, int64_t rows, Real<T>* to)
      : b(from),
        n(columns),
        k(rows),
        part(part_of(rows)),
        panels((columns + panel_width<T> - 1) / panel_width<T>),
        packed(to) {}

  Real<T>* at(int64_t l, int64_t panel) const {
    return packed + (l * panels + panel * std::min(part, k - l)) * panel_row<T>;
  }
  void pack(int64_t panel) const {
    const int64_t j = panel * panel_width<T>;
    for (int64_t l = 0; l < k; l += part)
      pack_columns<T>({&b.at(l, j), b.row, b.column}, std::min(part, k - l), std::min<int64_t>(panel_width<T>, n - j),
                      at(l, panel));
  }
  /// c (+)= a b on one thread, once all is packed.
  void multiply(int64_t m, MatrixView<const T> a, MatrixView<T> c, bool accumulate, T* room) const {
    for (int64_t l = 0; l < k; l += part) {
      const int64_t rows = std::min(part, k - l);
      const LeftPanels<T> left({&a.at(0, l), a.row, a.column}, m, n, rows, room);
      auto panel = [&](int64_t j, int64_t) {
        const Real<T>* here = at(l, j / panel_width<T>);
        return RightPanel<Real<T>>{here, panel_row<T>, here + rows * panel_row<T>};
      };
      multiply_block<T>(m, n, rows, left, panel, c, accumulate || l > 0);
    }
  }
};

constexpr int64_t shared_bytes = 16 << 20;  // of b that are packed at a time
constexpr int64_t near_bytes = 1 << 20;     // of b that stay in the second cache
constexpr int64_t most_rows = 8 * panel_height;

/// Rows cut for all threads: large pieces, which use a panel of b often, then smaller ones, so that all end together.
std::vector<int64_t> cut(int64_t m, int64_t b_bytes) {
  const int64_t least = (b_bytes <= near_bytes ? 1 : 2) * panel_height;
  std::vector<int64_t> bounds{0};
  for (int64_t left = m; left > 0;) {
    int64_t piece = std::clamp(left / (4 * num_threads()) / panel_height * panel_height, least, most_rows);
    if (left < piece + panel_height) piece = left;
    bounds.push_back(bounds.back() + piece);
    left -= piece;
  }
  return bounds;
}

/// Waits until `done` has come to `all`.  Others work on it: their chunks were begun before this one.
inline void wait_for(const std::atomic<int64_t>& done, int64_t all) {
  while (done.load(std::memory_order_acquire) < all) std::this_thread::yield();
}

}  // namespace

template <class T>
int64_t gemm_bytes(int64_t m, int64_t k) {
  return std::min(depth, k) * (panel_row<T> * int64_t(sizeof(Real<T>)) + std::min(height, m) * int64_t(sizeof(T)));
}

template <class T>
void gemm(int64_t m, int64_t n, int64_t k, MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c,
          bool accumulate, void* room) {
  using R = Real<T>;
  const int64_t part = part_of(k);
  R* panel = static_cast<R*>(room);
  T* rows_room = reinterpret_cast<T*>(panel + part * panel_row<T>);
  for (int64_t l = 0; l < k; l += part) {
    const int64_t terms = std::min(part, k - l);
    for (int64_t i = 0; i < m; i += height) {
      const int64_t rows = std::min(height, m - i);
      const LeftPanels<T> left({&a.at(i, l), a.row, a.column}, rows, n, terms, rows_room);
      auto pack = [&](int64_t j, int64_t width) -> RightPanel<R> {
        const MatrixView<const T> from{&b.at(l, j), b.row, b.column};
        if constexpr (!is_complex_v<T>)  // packed unless its rows are whole vectors and too few rows of a will use it
          if (b.column == 1 && rows <= 2 * panel_height && width % vector_lanes<T> == 0)
            return {from.data, b.row, nullptr};
        pack_columns<T>(from, terms, width, panel);
        return {panel, panel_row<T>, nullptr};
      };
      multiply_block<T>(rows, n, terms, left, pack, {&c.at(i, 0), c.row, 1}, accumulate || l > 0);
    }
  }
}

template <class T>
void shared_gemm(int64_t m, int64_t n, int64_t k, MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c,
                 bool accumulate) {
  const int64_t terms = std::min(k, 8 * depth), row_bytes = panel_row<T> * int64_t(sizeof(Real<T>));
  const int64_t all_panels = (n + panel_width<T> - 1) / panel_width<T>;
  const int64_t panels = std::clamp<int64_t>(shared_bytes / (row_bytes * terms), 1, all_panels);
  const int64_t columns = panels * panel_width<T>, bytes = panels * terms * row_bytes;
  const std::vector<int64_t> bounds = cut(m, bytes);
  const int64_t pieces = int64_t(bounds.size()) - 1;
  Scratch memory{size_t(bytes)};
  Workspace space(std::min(depth, k) * (most_rows + panel_height) * int64_t(sizeof(T)), pieces);
  for (int64_t l = 0; l < k; l += terms)
    for (int64_t j = 0; j < n; j += columns) {
      const SharedPanels<T> right({&b.at(l, j), b.row, b.column}, std::min(columns, n - j), std::min(terms, k - l),
                                  memory.as<Real<T>>());
      std::atomic<int64_t> packed{0};
      auto run = [&](int64_t task) {
        if (task < right.panels) {
          right.pack(task);
          packed.fetch_add(1, std::memory_order_release);
          return;
        }
        wait_for(packed, right.panels);
        const int64_t i = bounds[size_t(task - right.panels)], rows = bounds[size_t(task - right.panels + 1)] - i;
        const Workspace::Piece room(space);
        right.multiply(rows, {&a.at(i, l), a.row, a.column}, {&c.at(i, j), c.row, 1}, accumulate || l > 0,
                       room.as<T>());
      };
      parallel_for(right.panels + pieces, 1, [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) run(task);
      });
    }
}

#define INSTANTIATE(T)                                                                                             \
  template int64_t gemm_bytes<T>(int64_t, int64_t);                                                                \
  template void gemm<T>(int64_t, int64_t, int64_t, MatrixView<const T>, MatrixView<const T>, MatrixView<T>, bool,  \
                        void*);                                                                                    \
  template void shared_gemm<T>(int64_t, int64_t, int64_t, MatrixView<const T>, MatrixView<const T>, MatrixView<T>, \
                               bool);
INSTANTIATE(float)
INSTANTIATE(double)
INSTANTIATE(complex64)
INSTANTIATE(complex128)
#undef INSTANTIATE

}  // namespace lg::LG_ISA
