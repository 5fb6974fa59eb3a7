// Our own matrix product, after Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008): a
// block of `panel_height` rows x `panel_width` columns of sums stays in registers while k runs; panels of b are packed,
// and a is packed where its layout would hurt.  See docs/design/matmul.md.
#include "kernels/gemm.h"

#include <algorithm>
#include <utility>

#include "kernels/amx.h"
#include "kernels/gemm_pack.h"
#include "kernels/shared_pack.h"
#include "kernels/workspace.h"

namespace lg::LG_ISA {
namespace {

// Of k at a time: a panel of a stays in the first cache, one of b in the second.
constexpr int64_t depth = 512;
// Rows of a at a time, which stay in the second cache when packed.
constexpr int64_t height = 37 * panel_height;

constexpr int64_t most_strip = 4;           // panels of b that a thread packs at a time
constexpr int64_t shared_bytes = 16 << 20;  // of a that are packed at a time for all threads
constexpr int64_t near_bytes = 1 << 20;     // of a or b that stay in the second cache

/// k in parts of about the same size.
int64_t part_of(int64_t k) {
  const int64_t parts = (k + depth - 1) / depth;
  return (k + parts - 1) / parts;
}

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
  const R *a = t.a, *b = t.b;
  auto c = [&](int i) __attribute__((always_inline)) { return t.c + i / vectors * t.c_row + i % vectors * lanes; };
  Vec sum[sums];
  each<sums>([&](auto i) __attribute__((always_inline)) {
    sum[i] = Vec{};
    __builtin_prefetch(c(i));
  });
  for (int64_t l = 0; l < k; ++l, a += a_column, b += b_row) {
    const Vec y[2] = {load_vector(b), load_vector(b + (vectors - 1) * lanes)};
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
};

/// c (+)= a b for a block of a; right_panel(j) gives the panels of b.
template <class T, class F>
void multiply_block(const LeftPanels<T>& left, int64_t n, F right_panel, MatrixView<T> c, bool accumulate) {
  using R = Real<T>;
  constexpr int unit = sizeof(T) / sizeof(R);
  for (int64_t j = 0; j < n; j += panel_width<T>) {
    const int64_t width = std::min<int64_t>(panel_width<T>, n - j);
    const RightPanel<R> right = right_panel(j);
    Tile<R> tile{left.k, nullptr, 0, right.data, right.row, nullptr, c.row * unit, width * unit, accumulate};
    for (int64_t i = 0; i < left.m;) {
      const int count = next_panel(left.m - i);
      const MatrixView<const T> a = left.at(i, count);
      const bool by_rows = a.column == 1;
      tile.a = reinterpret_cast<const R*>(a.data);
      tile.stride = unit * (by_rows ? a.row : a.column);
      tile.c = reinterpret_cast<R*>(&c.at(i, j));
      multiply<T>(count, by_rows, tile);
      i += count;
    }
  }
}

/// May b be read where it lies?  Its rows are near one another, or too few rows of a will use it.
template <class T>
bool is_direct(int64_t m, int64_t k, MatrixView<const T> b) {
  const int64_t bytes = b.row * int64_t(sizeof(T));
  const bool near = bytes < 2048 && k * bytes <= near_bytes;
  return !is_complex_v<T> && b.column == 1 && (near || m <= 2 * panel_height);
}

/// Panels of b for one thread, n columns of k: packed, or read where they lie if they are whole vectors.
template <class T>
struct RightPanels {
  MatrixView<const T> b;
  int64_t n, k;
  bool direct;
  Real<T>* room;

  int64_t width(int64_t j) const { return std::min<int64_t>(panel_width<T>, n - j); }
  bool is_packed(int64_t j) const { return !direct || width(j) % vector_lanes<T> != 0; }
  Real<T>* place(int64_t j) const { return room + j / panel_width<T> * panel_row<T> * k; }
  void pack(int64_t j) const {
    if (is_packed(j)) pack_columns<T>({&b.at(0, j), b.row, b.column}, k, width(j), place(j));
  }
  RightPanel<Real<T>> at(int64_t j) const {
    if constexpr (!is_complex_v<T>)
      if (!is_packed(j)) return {&b.at(0, j), b.row};
    return {place(j), panel_row<T>};
  }
};

int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

/// How a product is cut for all threads: in tasks of a strip of b, which the task packs for itself, and a stretch of
/// blocks of a.  Those are packed before, for all tasks, or by the task too if b is one strip.
template <class T>
struct Cut {
  static constexpr int64_t block = 8 * panel_height;
  int64_t blocks, strip, across, stretch, down;
  bool alone;  // no two tasks read the same block of a

  static int64_t right_bytes(int64_t strip, int64_t part) { return strip * part * int64_t(sizeof(T)); }

  Cut(int64_t m, int64_t n, int64_t part) : blocks((m + block - 1) / block) {
    const int64_t panels = (n + panel_width<T> - 1) / panel_width<T>, threads = num_threads();
    // Each strip goes through all of a, which only few may do if it does not stay in the second cache.  But two tasks a
    // thread must be left.
    const int64_t most = std::clamp<int64_t>(panels * blocks / (2 * threads), 1, most_strip);
    const bool stays = m * part * int64_t(sizeof(T)) < near_bytes;
    alone = panels <= most;
    strip = (stays && !alone ? std::clamp<int64_t>(panels / (8 * threads), 1, most) : std::min(panels, most)) *
            panel_width<T>;
    across = (n + strip - 1) / strip;
    const int64_t wanted = std::clamp<int64_t>(4 * threads / across, 1, blocks);
    stretch = (blocks + wanted - 1) / wanted;
    down = (blocks + stretch - 1) / stretch;
  }
};

/// c (+)= a b on all threads, k being so short that all of a may be packed.
template <class T>
struct SharedProduct {
  int64_t m, n, k;
  MatrixView<const T> a, b;
  MatrixView<T> c;
  bool accumulate;
  bool pack_a;
  T* a_room;  // for all of it, or null
  bool direct;
  Workspace& rooms;  // for a strip of b, and a block of a where tasks pack it

  void run(const Cut<T>& cut, int64_t part) {
    pack_and_multiply(
        a_room ? cut.blocks : 0, cut.across * cut.down,
        [&](int64_t number) {
          for (int64_t l = 0; l < k; l += part) shared_left(number, l, part).pack();
        },
        [&](int64_t number) {
          const int64_t first = number / cut.across * cut.stretch, j = number % cut.across * cut.strip;
          multiply(cut, first, std::min(first + cut.stretch, cut.blocks), j, part);
        });
  }

 private:
  /// A block and the part of k that begins with l, packed at `room`.
  LeftPanels<T> left(int64_t number, int64_t l, int64_t part, T* room) const {
    const int64_t i = number * Cut<T>::block;
    return {{&a.at(i, l), a.row, a.column}, std::min(Cut<T>::block, m - i), std::min(part, k - l), room};
  }
  LeftPanels<T> shared_left(int64_t number, int64_t l, int64_t part) const {
    const int64_t i = number * Cut<T>::block, terms = std::min(part, k - l);
    return left(number, l, part, a_room ? a_room + l * m + i * terms : nullptr);
  }
  void multiply(const Cut<T>& cut, int64_t first, int64_t last, int64_t j, int64_t part) const {
    const Workspace::Piece room(rooms);
    const int64_t width = std::min(cut.strip, n - j);
    T* own_room = pack_a && !a_room ? room.as<T>(Cut<T>::right_bytes(cut.strip, part)) : nullptr;
    for (int64_t l = 0; l < k; l += part) {
      const RightPanels<T> right{
          {&b.at(l, j), b.row, b.column}, width, std::min(part, k - l), direct, room.as<Real<T>>()};
      for (int64_t x = 0; x < width; x += panel_width<T>) right.pack(x);
      for (int64_t number = first; number < last; ++number) {
        const LeftPanels<T> block = own_room ? left(number, l, part, own_room) : shared_left(number, l, part);
        if (own_room) block.pack();
        multiply_block<T>(
            block, width, [&](int64_t x) { return right.at(x); }, {&c.at(number * Cut<T>::block, j), c.row, 1},
            accumulate || l > 0);
      }
    }
  }
};

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
  const bool pack_a = is_complex_v<T> || (is_awkward(a) && n >= 3 * panel_width<T>);
  const bool direct = is_direct(m, k, b);
  for (int64_t l = 0; l < k; l += part) {
    const int64_t terms = std::min(part, k - l);
    for (int64_t i = 0; i < m; i += height) {
      const LeftPanels<T> left{
          {&a.at(i, l), a.row, a.column}, std::min(height, m - i), terms, pack_a ? rows_room : nullptr};
      left.pack();
      auto right = [&](int64_t j) {
        const int64_t width = std::min<int64_t>(panel_width<T>, n - j);
        const RightPanels<T> one{{&b.at(l, j), b.row, b.column}, width, terms, direct, panel};
        one.pack(0);
        return one.at(0);
      };
      multiply_block<T>(left, n, right, {&c.at(i, 0), c.row, 1}, accumulate || l > 0);
    }
  }
}

template <class T>
void shared_gemm(int64_t m, int64_t n, int64_t k, MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c,
                 bool accumulate) {
  if constexpr (std::is_same_v<T, float>)
    if (tiles_serve(m, n, k)) return tile_gemm(m, n, k, a, b, c, accumulate);
  const int64_t size = sizeof(T), part = part_of(k), terms = std::min(k, 8 * part);
  const bool pack_a = is_awkward(a), pack_before = pack_a && !Cut<T>(m, n, part).alone;
  const int64_t rows = pack_before ? std::min(m, round_up(shared_bytes / (size * terms), Cut<T>::block)) : m;
  const Cut<T> cut(rows, n, part);
  Scratch a_room(pack_before ? size_t(rows * terms * size) : 0);
  const int64_t own_bytes = pack_a && !pack_before ? Cut<T>::block * part * size : 0;
  Workspace rooms(Cut<T>::right_bytes(cut.strip, part) + own_bytes, cut.across * cut.down);
  for (int64_t l = 0; l < k; l += terms)
    for (int64_t i = 0; i < m; i += rows) {
      const int64_t count = std::min(rows, m - i);
      SharedProduct<T>{count,
                       n,
                       std::min(terms, k - l),
                       {&a.at(i, l), a.row, a.column},
                       {&b.at(l, 0), b.row, b.column},
                       {&c.at(i, 0), c.row, 1},
                       accumulate || l > 0,
                       pack_a,
                       pack_before ? a_room.as<T>() : nullptr,
                       is_direct(m, k, b),
                       rooms}
          .run(Cut<T>(count, n, part), part);
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
