// Products of float32 matrices by matrix tiles, whose unit multiplies bfloat16 and adds in float32.
//
// A float32 is exactly the sum of three bfloat16, each the rest of the one before, rounded.  Of the nine products of
// two such sums the six greatest are added up; the other three are below 2^-23 of the whole, in the order of one
// rounding.  Panels whose numbers the tiles cannot hold go to gemm.  See docs/design/matmul.md.
#include "kernels/amx.h"

#include "kernels/instruction_set.h"

#if defined(__AVX512F__) && defined(__AMX_TILE__) && defined(__AMX_BF16__)

#include <immintrin.h>

#include <algorithm>
#include <atomic>

#include "kernels/gemm_pack.h"
#include "kernels/shared_pack.h"
#include "kernels/workspace.h"

namespace lg::LG_ISA {
namespace {

using Floats = Vector<float>;
using Bits = Vector<uint32_t>;
using Halves = Vector<uint16_t>;

constexpr int side = 16;              // rows of a tile, each of so many pairs of bfloat16 or float32
constexpr int64_t step = 2 * side;    // of k that a tile of pairs covers
constexpr int64_t panel = 2 * side;   // rows of a or columns of b: two tiles
constexpr int64_t depth = 16 * step;  // of k at a time: a few panels of a and b stay in the second cache
constexpr int64_t pieces = 3;         // that a number is split into
constexpr int64_t tile_bytes = 1024;
constexpr int64_t pair_bytes = 2 * tile_bytes;  // of one piece of a panel, a step
constexpr int64_t step_bytes = pieces * pair_bytes;
constexpr int64_t block = 8 * panel;                       // rows of a that meet a strip of b
constexpr int64_t most_strip = 8 * panel;                  // columns of b that a thread packs at a time
constexpr int64_t shared_bytes = 32 << 20;                 // of a that are packed at a time for all threads
constexpr int64_t least_side = 128, least_work = 1 << 28;  // from which tiles are faster

constexpr int64_t divide_up(int64_t n, int64_t by) { return (n + by - 1) / by; }

/// What a panel holds.
struct Range {
  uint32_t least = ~0u, greatest = 0;  // magnitude, as bits of floats; the least but zero, rounded down
  bool splits = false;                 // there is a number that is not a bfloat16 itself
};

/// Rows of a or columns of b: element (line, l) at data[i * line + l * along], one of the strides being 1.
struct Lines {
  const float* data;
  int64_t line, along;
};

/// Up to 16 numbers, zeros beyond.
inline Floats load_some(const float* from, int64_t count) {
  return count >= side ? load_vector(from)
                       : _mm512_maskz_loadu_ps(__mmask16((1u << std::max<int64_t>(count, 0)) - 1), from);
}

/// A range for each lane, in twice the bits.
struct Ranges {
  Bits least = ~Bits{}, greatest{}, rests{};

  void add(Bits x) {
    const Bits magnitude = x + x, less = magnitude - 1u;  // without the sign; zero becomes the greatest
    greatest = magnitude > greatest ? magnitude : greatest;
    least = less < least ? less : least;
    rests |= x;
  }
  Range all() const {
    Range range;
    uint32_t rest = 0;
    for (int i = 0; i < side; ++i) {
      range.least = std::min(range.least, least[i]);
      range.greatest = std::max(range.greatest, greatest[i]);
      rest |= rests[i];
    }
    range.least /= 2;
    range.greatest /= 2;
    range.splits = uint16_t(rest) != 0;
    return range;
  }
};

/// The pieces of each number, as floats whose lower halves are zero.
inline void split(Floats x, Bits (&piece)[pieces]) {
  for (int p = 0; p < 2; ++p) {
    piece[p] = (Bits(x) + 0x8000u) & 0xffff0000u;
    x -= Floats(piece[p]);
  }
  piece[2] = Bits(x);
}

/// The upper halves of both: 32 bfloat16.
template <size_t... l>
inline Bits upper_halves(Bits low, Bits high, std::index_sequence<l...>) {
  return Bits(__builtin_shufflevector(Halves(low), Halves(high), (2 * int(l) + 1)...));
}

/// One tile a piece from 16 lines and 32 numbers along each, in the order [line][pair]...
inline void pack_along(const Lines& from, int64_t lines, int64_t terms, Ranges& ranges, char* to) {
  for (int i = 0; i < side; ++i, to += 64) {
    Bits low[pieces], high[pieces];
    const float* x = from.data + i * from.line;
    const Floats first = i < lines ? load_some(x, terms) : Floats{};
    const Floats second = i < lines && terms > side ? load_some(x + side, terms - side) : Floats{};
    ranges.add(Bits(first));
    ranges.add(Bits(second));
    split(first, low);
    split(second, high);
    for (int p = 0; p < pieces; ++p)
      store_vector(reinterpret_cast<uint32_t*>(to + p * pair_bytes),
                   upper_halves(low[p], high[p], std::make_index_sequence<2 * side>()));
  }
}

/// ... or in the order [pair][line].
inline void pack_across(const Lines& from, int64_t lines, int64_t terms, Ranges& ranges, char* to) {
  for (int i = 0; i < side; ++i, to += 64) {
    Bits low[pieces], high[pieces];
    const float* x = from.data + 2 * i * from.along;
    const Floats first = 2 * i < terms ? load_some(x, lines) : Floats{};
    const Floats second = 2 * i + 1 < terms ? load_some(x + from.along, lines) : Floats{};
    ranges.add(Bits(first));
    ranges.add(Bits(second));
    split(first, low);
    split(second, high);
    for (int p = 0; p < pieces; ++p)
      store_vector(reinterpret_cast<uint32_t*>(to + p * pair_bytes), high[p] | low[p] >> 16);
  }
}

/// A packed panel: for each step of k and each piece two tiles; the range behind them.
struct Panel {
  char* data;

  static int64_t bytes(int64_t steps) { return steps * step_bytes + 64; }
  Range& range(int64_t steps) const { return *reinterpret_cast<Range*>(data + steps * step_bytes); }
};

/// Tiles of a are [line][pair], those of b [pair][line].
template <bool left>
void pack(const Lines& from, int64_t lines, int64_t terms, Panel to) {
  Ranges ranges;
  const bool along = from.along == 1;
  const int64_t steps = divide_up(terms, step);
  for (int64_t s = 0; s < steps; ++s)
    for (int64_t t = 0; t < 2; ++t) {
      char* tile = to.data + s * step_bytes + t * tile_bytes;
      const Lines part{from.data + s * step * from.along + t * side * from.line, from.line, from.along};
      (along ? pack_along : pack_across)(part, lines - t * side, terms - s * step, ranges, tile);
      for (int p = 0; p < pieces && along != left; ++p) {
        uint32_t* square = reinterpret_cast<uint32_t*>(tile + p * pair_bytes);
        copy_square<64>(square, side, square, side);
      }
    }
  to.range(steps) = ranges.all();
}

/// Do tiles keep the bound of the error?  They take numbers below 2^-126 for zero, so the third piece of one below
/// 2^-100 may be lost; the rest of an infinity is NaN; and products below 2^-126 vanish, which may not be all there is.
inline bool suits_tiles(const Range& a, const Range& b) {
  constexpr int64_t exponent = int64_t(1) << 23, one = 127 * exponent;
  if (std::max(a.greatest, b.greatest) >= one + 100 * exponent) return false;
  if (a.greatest == 0 || b.greatest == 0) return true;
  const int64_t greatest = int64_t(a.greatest) + b.greatest - 2 * one;  // of the products
  return std::min(a.least, b.least) >= one - 100 * exponent && -60 * exponent < greatest && greatest < 100 * exponent;
}

inline void load_left(const char* from) {
  _tile_loadd(4, from, 64);
  _tile_loadd(5, from + tile_bytes, 64);
}
inline void load_right(const char* from) {
  _tile_loadd(6, from, 64);
  _tile_loadd(7, from + tile_bytes, 64);
}
inline void multiply_tiles() {
  _tile_dpbf16ps(0, 4, 6);
  _tile_dpbf16ps(1, 4, 7);
  _tile_dpbf16ps(2, 5, 6);
  _tile_dpbf16ps(3, 5, 7);
}

/// The products of one step: of all pieces, or of the first if those are all there is.
inline void multiply_step(const char* a, const char* b, bool a_splits, bool b_splits) {
  load_right(b);
  if (a_splits) {
    load_left(a + 2 * pair_bytes);
    multiply_tiles();
    load_left(a + pair_bytes);
    multiply_tiles();
  }
  load_left(a);
  multiply_tiles();
  if (!b_splits) return;
  load_right(b + 2 * pair_bytes);
  multiply_tiles();
  load_right(b + pair_bytes);
  multiply_tiles();
  if (!a_splits) return;
  load_left(a + pair_bytes);
  multiply_tiles();
}

/// c (+)= a b for rows x columns, at most a panel each.
void multiply_panels(Panel a, Panel b, int64_t steps, MatrixView<float> c, int64_t rows, int64_t columns,
                     bool accumulate) {
  const bool a_splits = a.range(steps).splits, b_splits = b.range(steps).splits;
  std::atomic_signal_fence(std::memory_order_seq_cst);  // the compiler does not know that tiles are read from memory
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t s = 0; s < steps; ++s)
    multiply_step(a.data + s * step_bytes, b.data + s * step_bytes, a_splits, b_splits);
  alignas(64) float sums[panel][panel];
  constexpr int64_t row = sizeof(sums[0]);
  _tile_stored(0, &sums[0][0], row);
  _tile_stored(1, &sums[0][side], row);
  _tile_stored(2, &sums[side][0], row);
  _tile_stored(3, &sums[side][side], row);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; j += side) {
      const __mmask16 mask = __mmask16((1u << std::min<int64_t>(side, columns - j)) - 1);
      float* to = &c.at(i, j);
      Floats sum = load_vector(&sums[i][j]);
      if (accumulate) sum += Floats(_mm512_maskz_loadu_ps(mask, to));
      _mm512_mask_storeu_ps(to, mask, sum);
    }
}

/// All tiles have 16 rows of 64 bytes.
struct TileShapes {
  uint8_t palette = 1, start = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {side, side, side, side, side, side, side, side};
};
constexpr TileShapes tile_shapes;

/// The thread's tiles, as long as it lives.
class Tiles {
 public:
  Tiles() { _tile_loadconfig(&tile_shapes); }
  ~Tiles() { _tile_release(); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

/// c (+)= a b: panels of a are packed first, for all threads; then come tasks of a strip of b, packed by each for
/// itself, and all blocks of a or a stretch of them.
struct TileProduct {
  int64_t m, n, k;
  MatrixView<const float> a, b;
  MatrixView<float> c;
  bool accumulate;
  int64_t part;   // of k, at most `depth` and a multiple of `step`
  int64_t strip;  // columns of a task
  char* a_room;
  Workspace& b_rooms;

  void run() const {
    const int64_t blocks = divide_up(m, block), strips = divide_up(n, strip);
    const int64_t wanted = std::clamp<int64_t>(divide_up(4 * num_threads(), strips), 1, blocks);
    const int64_t stretch = divide_up(blocks, wanted) * block;
    pack_and_multiply(
        divide_up(m, panel), strips * divide_up(m, stretch), [&](int64_t number) { pack_left(number * panel); },
        [&](int64_t number) {
          const int64_t i = number / strips * stretch, j = number % strips * strip;
          multiply(i, std::min(i + stretch, m), j, std::min(j + strip, n));
        });
  }

 private:
  int64_t terms(int64_t l) const { return std::min(part, k - l); }
  int64_t panel_bytes() const { return Panel::bytes(part / step); }
  Panel left(int64_t i, int64_t l) const {
    return {a_room + (l / part * divide_up(m, panel) + i / panel) * panel_bytes()};
  }

  void pack_left(int64_t i) const {
    for (int64_t l = 0; l < k; l += part)
      pack<true>({&a.at(i, l), a.row, a.column}, std::min(panel, m - i), terms(l), left(i, l));
  }

  void multiply(int64_t first, int64_t last, int64_t begin, int64_t end) const {
    const Workspace::Piece room(b_rooms);
    const Tiles tiles;
    auto right = [&](int64_t j) { return Panel{room.as<char>((j - begin) / panel * panel_bytes())}; };
    void* gemm_room = room.as<void>(strip / panel * panel_bytes());
    for (int64_t l = 0; l < k; l += part) {
      for (int64_t j = begin; j < end; j += panel)
        pack<false>({&b.at(l, j), b.column, b.row}, std::min(panel, n - j), terms(l), right(j));
      for (int64_t i_block = first; i_block < last; i_block += block)
        for (int64_t j = begin; j < end; j += panel)
          for (int64_t i = i_block; i < std::min(i_block + block, last); i += panel)
            multiply_pair(i, j, l, right(j), gemm_room);
    }
  }

  void multiply_pair(int64_t i, int64_t j, int64_t l, Panel right, void* gemm_room) const {
    const int64_t rows = std::min(panel, m - i), columns = std::min(panel, n - j), steps = divide_up(terms(l), step);
    const MatrixView<float> to{&c.at(i, j), c.row, 1};
    const bool add = accumulate || l > 0;
    if (suits_tiles(left(i, l).range(steps), right.range(steps)))
      multiply_panels(left(i, l), right, steps, to, rows, columns, add);
    else
      gemm<float>(rows, columns, terms(l), {&a.at(i, l), a.row, a.column}, {&b.at(l, j), b.row, b.column}, to, add,
                  gemm_room);
  }
};

}  // namespace

bool tiles_serve(int64_t m, int64_t n, int64_t k) {
  return std::min({m, n, k}) >= least_side && m * n * k >= least_work && has_tiles();
}

void tile_gemm(int64_t m, int64_t n, int64_t k, MatrixView<const float> a, MatrixView<const float> b,
               MatrixView<float> c, bool accumulate) {
  const int64_t part = divide_up(divide_up(k, divide_up(k, depth)), step) * step, terms = std::min(k, 4 * part);
  const int64_t panel_bytes = Panel::bytes(part / step), left_bytes = divide_up(terms, part) * panel_bytes;
  const int64_t rows = std::min(m, shared_bytes / left_bytes * panel);
  const int64_t strip = std::min(divide_up(n, panel) * panel, most_strip);
  Scratch a_room(size_t(divide_up(rows, panel) * left_bytes));
  Workspace b_rooms(strip / panel * panel_bytes + gemm_bytes<float>(panel, part), num_threads());
  for (int64_t l = 0; l < k; l += terms)
    for (int64_t i = 0; i < m; i += rows)
      TileProduct{std::min(rows, m - i),
                  n,
                  std::min(terms, k - l),
                  {&a.at(i, l), a.row, a.column},
                  {&b.at(l, 0), b.row, b.column},
                  {&c.at(i, 0), c.row, 1},
                  accumulate || l > 0,
                  part,
                  strip,
                  a_room.as<char>(),
                  b_rooms}
          .run();
}

}  // namespace lg::LG_ISA

#else

namespace lg::LG_ISA {

bool tiles_serve(int64_t, int64_t, int64_t) { return false; }
void tile_gemm(int64_t, int64_t, int64_t, MatrixView<const float>, MatrixView<const float>, MatrixView<float>, bool) {}

}  // namespace lg::LG_ISA

#endif
