// Recurrent layers over a whole sequence: LSTM, GRU and the plain cells.
//
// A step is two small products, with the input and with the hidden state before, and one pass over the cell.  Rows of
// the batch do not know of each other, so threads take some rows each and go through all steps without waiting for one
// another; the weights are packed once.  Where they would not stay in the nearer caches, the input's product has been
// made for all steps at once.  Shorter
// sequences need nothing special: the rows of step t are those from begins[t] to begins[t + 1], the first rows of the
// batch, and a row's state stands still while it has no step.  See docs/design/recurrent.md.
#include <algorithm>
#include <cmath>

#include "kernels/kinds.h"
#include "kernels/math.h"
#include "kernels/tile.h"
#include "runtime/alloc.h"
#include "runtime/pool.h"

namespace lg::LG_ISA {
namespace {

constexpr int64_t most_rows = 16, least_work = 200000;  // rows of a chunk; multiplications of one

/// Gates of a cell.
int64_t gates_of(Cell cell) { return cell == Cell::Lstm ? 4 : cell == Cell::Gru ? 3 : 1; }

/// Rows of the batch that one thread takes at a time: as few as fill the tiles, but enough to be worth waking it.
int64_t rows_of(const Recurrence& r) {
  const int64_t work = r.steps * gates_of(r.cell) * r.hidden * r.hidden + 1;
  const int64_t enough = std::max((least_work + work - 1) / work, std::min<int64_t>(most_rows, (r.batch + 1) / 2));
  return std::min(r.batch, round_up(enough, 4));
}

/// Where the state before step t of a row of the batch lies: the row of the step before, or none (the initial state).
inline int64_t row_before(const Recurrence& r, int64_t t, int64_t row) {
  const int64_t before = r.reverse ? t + 1 : t - 1;
  if (before < 0 || before >= r.steps || row >= r.begins[before + 1] - r.begins[before]) return -1;
  return r.begins[before] + row;
}

/// f(t, first row in memory, first row in the batch, rows) for each step, in the order of computation or against it,
/// with the rows of [begin, end) that take part in it.
template <class F>
void for_steps(const Recurrence& r, bool onward, int64_t begin, int64_t end, F&& f) {
  for (int64_t s = 0; s < r.steps; ++s) {
    const int64_t t = onward != r.reverse ? s : r.steps - 1 - s;
    const int64_t active = std::min(end, r.begins[t + 1] - r.begins[t]);
    if (active > begin) f(t, r.begins[t] + begin, begin, active - begin);
  }
}

// ---- one row of a cell.  x: the shares of both products (GRU: of the input); y: where the activated gates go.

/// c = f c + i g,  h = o tanh(c),  with i, f, o = sigmoid and g = tanh of x + bias.
template <class T>
void lstm_row(int64_t n, const T* __restrict x, const T* __restrict bias, T* __restrict y, T* __restrict c,
              T* __restrict h, T* __restrict cells) {
  for (int64_t j = 0; j < n; ++j) {
    const T i = math::sigmoid(x[j] + bias[j]), f = math::sigmoid(x[n + j] + bias[n + j]);
    const T g = math::tanh(x[2 * n + j] + bias[2 * n + j]), o = math::sigmoid(x[3 * n + j] + bias[3 * n + j]);
    y[j] = i;
    y[n + j] = f;
    y[2 * n + j] = g;
    y[3 * n + j] = o;
    cells[j] = c[j] = f * c[j] + i * g;
    h[j] = o * math::tanh(c[j]);
  }
}

/// h = (1 - z) n + z h  with  r, z = sigmoid(x + u + bias),  n = tanh(x_n + bias_n + r m),  m = u_n + bias_m.
template <class T>
void gru_row(int64_t n, const T* __restrict x, const T* __restrict u, const T* __restrict bias, T* __restrict y,
             T* __restrict h, T* __restrict cells) {
  for (int64_t j = 0; j < n; ++j) {
    const T m = u[2 * n + j] + bias[3 * n + j];
    const T r = math::sigmoid(x[j] + u[j] + bias[j]), z = math::sigmoid(x[n + j] + u[n + j] + bias[n + j]);
    const T candidate = math::tanh(x[2 * n + j] + bias[2 * n + j] + r * m);
    y[j] = r;
    y[n + j] = z;
    y[2 * n + j] = candidate;
    cells[j] = m;
    h[j] = candidate + z * (h[j] - candidate);
  }
}

template <class T>
void plain_row(int64_t n, const T* __restrict x, const T* __restrict bias, T* __restrict h, bool relu) {
  if (relu)
    for (int64_t j = 0; j < n; ++j) h[j] = x[j] + bias[j] < T(0) ? T(0) : x[j] + bias[j];  // NaN stays
  else
    for (int64_t j = 0; j < n; ++j) h[j] = math::tanh(x[j] + bias[j]);
}

// ---- and its derivative.  dh: of the new state; left holding what reaches the old one past the product.

/// With a = dh o (1 - tanh(c)**2) + dc:  di = a g i (1 - i),  df = a c_old f (1 - f),  dg = a i (1 - g**2),
/// do = dh tanh(c) o (1 - o),  dc_old = a f.
template <class T>
void lstm_slope_row(int64_t n, const T* __restrict x, const T* __restrict c, const T* __restrict before,
                    T* __restrict dh, T* __restrict dc, T* __restrict d) {
  for (int64_t j = 0; j < n; ++j) {
    const T i = x[j], f = x[n + j], g = x[2 * n + j], o = x[3 * n + j], t = math::tanh(c[j]);
    const T a = dc[j] + dh[j] * o * (1 - t * t);
    d[j] = a * g * i * (1 - i);
    d[n + j] = a * before[j] * f * (1 - f);
    d[2 * n + j] = a * i * (1 - g * g);
    d[3 * n + j] = dh[j] * t * o * (1 - o);
    dc[j] = a * f;
    dh[j] = 0;
  }
}

/// dn = dh (1 - z) (1 - n**2),  dr = dn m r (1 - r),  dz = dh (h_old - n) z (1 - z); `u` gets dn r for the hidden
/// share.
template <class T>
void gru_slope_row(int64_t n, const T* __restrict x, const T* __restrict m, const T* __restrict before,
                   T* __restrict dh, T* __restrict d, T* __restrict u) {
  for (int64_t j = 0; j < n; ++j) {
    const T r = x[j], z = x[n + j], candidate = x[2 * n + j];
    const T dn = dh[j] * (1 - z) * (1 - candidate * candidate);
    const T dr = dn * m[j] * r * (1 - r), dz = dh[j] * (before[j] - candidate) * z * (1 - z);
    d[j] = u[j] = dr;
    d[n + j] = u[n + j] = dz;
    d[2 * n + j] = dn;
    u[2 * n + j] = dn * r;
    dh[j] *= z;
  }
}

template <class T>
void plain_slope_row(int64_t n, const T* __restrict h, T* __restrict dh, T* __restrict d, bool relu) {
  if (relu)
    for (int64_t j = 0; j < n; ++j) d[j] = h[j] > T(0) ? dh[j] : T(0);
  else
    for (int64_t j = 0; j < n; ++j) d[j] = dh[j] * (1 - h[j] * h[j]);
  std::fill_n(dh, n, T(0));
}

template <class F>
void dispatch_whole(DType dtype, F&& f) {
  dtype == DType::Float64 ? f.template operator()<double>() : f.template operator()<float>();
}

}  // namespace

/// h, c: the state, from the first to the last; out, gates, cells: a row for each step of each sequence.  All
/// contiguous. cells: the state c of an LSTM, the product m of a GRU; null for plain cells, as are gates.  x,
/// weight_ih: the input and its weight; null where `shares` holds their product already.  bias: of all gates, for a GRU
/// then that of m.
void recurrent(const Recurrence& r, Strided out, Strided h, Strided c, Strided gates, Strided cells, Strided shares,
               Strided x, Strided weight_ih, Strided weight_hh, Strided bias) {
  const int64_t n = r.hidden, all = gates_of(r.cell) * n, features = x.data ? x.sizes[x.ndim - 1] : 0;
  const bool gru = r.cell == Cell::Gru;
  dispatch_whole(out.dtype, [&]<class T>() {
    const int64_t width = round_up(all, panel_width<T>);
    Scratch packed(size_t((n + features) * width) * sizeof(T)), sums(size_t(2 * r.batch * width) * sizeof(T));
    const Right<T> w = pack_panels(packed.as<T>(), n, all, weight_hh.as<const T>(), 1, n);
    const Right<T> w_x = pack_panels(packed.as<T>() + n * width, features, all, weight_ih.as<const T>(), 1, features);
    parallel_for(r.batch, rows_of(r), [&](int64_t begin, int64_t end) {
      T *sum = sums.as<T>() + 2 * begin * width, *u = gru ? sum + (end - begin) * width : sum;
      for_steps(r, true, begin, end, [&](int64_t, int64_t at, int64_t first, int64_t rows) {
        T* state = h.as<T>() + first * n;
        if (features)
          tile_product(rows, width, features, {x.as<const T>() + at * features, features, 1}, w_x, sum, width, false);
        else
          for (int64_t i = 0; i < rows; ++i) std::copy_n(shares.as<const T>() + (at + i) * all, all, sum + i * width);
        tile_product(rows, width, n, {state, n, 1}, w, u, width, !gru);
        for (int64_t i = 0; i < rows; ++i) {
          const T* share = sum + i * width;
          T *to = state + i * n, *y = gates.as<T>() + (at + i) * all, *cell = cells.as<T>() + (at + i) * n;
          if (r.cell == Cell::Lstm)
            lstm_row(n, share, bias.as<const T>(), y, c.as<T>() + (first + i) * n, to, cell);
          else if (gru)
            gru_row(n, share, u + i * width, bias.as<const T>(), y, to, cell);
          else
            plain_row(n, share, bias.as<const T>(), to, r.cell == Cell::Relu);
          std::copy_n(to, n, out.as<T>() + (at + i) * n);
        }
      });
    });
  });
}

/// dgates: slopes of the input's shares; dhidden: of the hidden state's, where they differ (GRU), else null.
/// previous: the hidden state before each step.  dh, dc: of the last state on entry, of the first on return.
/// g: of out; may be null, as may dx, the gradient of the input, with weight_ih.
void recurrent_backward(const Recurrence& r, Strided dgates, Strided dhidden, Strided previous, Strided dh, Strided dc,
                        Strided g, Strided gates, Strided cells, Strided out, Strided h, Strided c, Strided weight,
                        Strided dx, Strided weight_ih) {
  const int64_t n = r.hidden, all = gates_of(r.cell) * n, features = dx.data ? dx.sizes[dx.ndim - 1] : 0;
  dispatch_whole(out.dtype, [&]<class T>() {
    const int64_t width = round_up(n, panel_width<T>), width_x = round_up(features, panel_width<T>);
    Scratch packed(size_t(all * (width + width_x)) * sizeof(T)), slopes(size_t(r.batch * width) * sizeof(T));
    Scratch inputs(size_t(r.batch * width_x) * sizeof(T));
    const Right<T> w = pack_panels(packed.as<T>(), all, n, weight.as<const T>(), n, 1);
    const Right<T> w_x = pack_panels(packed.as<T>() + all * width, all, features, weight_ih.as<const T>(), features, 1);
    parallel_for(r.batch, rows_of(r), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        T* to = slopes.as<T>() + row * width;
        std::copy_n(dh.as<const T>() + row * n, n, to);
        std::fill_n(to + n, width - n, T(0));
      }
      for_steps(r, false, begin, end, [&](int64_t t, int64_t at, int64_t first, int64_t rows) {
        T* d = (dhidden.data ? dhidden : dgates).as<T>() + at * all;
        for (int64_t i = 0; i < rows; ++i) {
          const int64_t row = at + i, old = row_before(r, t, first + i);
          T* slope = slopes.as<T>() + (first + i) * width;
          if (g.data)
            for (int64_t j = 0; j < n; ++j) slope[j] += g.as<const T>()[row * n + j];
          const T* state = old < 0 ? h.as<const T>() + (first + i) * n : out.as<const T>() + old * n;
          const T *x = gates.as<const T>() + row * all, *cell = cells.as<const T>() + row * n;
          T* to = dgates.as<T>() + row * all;
          std::copy_n(state, n, previous.as<T>() + row * n);
          if (r.cell == Cell::Lstm)
            lstm_slope_row(n, x, cell, old < 0 ? c.as<const T>() + (first + i) * n : cells.as<const T>() + old * n,
                           slope, dc.as<T>() + (first + i) * n, to);
          else if (r.cell == Cell::Gru)
            gru_slope_row(n, x, cell, state, slope, to, d + i * all);
          else
            plain_slope_row(n, out.as<const T>() + row * n, slope, to, r.cell == Cell::Relu);
        }
        tile_product(rows, width, all, {d, all, 1}, w, slopes.as<T>() + first * width, width, true);
        if (!features) return;
        T* to = inputs.as<T>() + first * width_x;
        tile_product(rows, width_x, all, {dgates.as<const T>() + at * all, all, 1}, w_x, to, width_x, false);
        for (int64_t i = 0; i < rows; ++i) std::copy_n(to + i * width_x, features, dx.as<T>() + (at + i) * features);
      });
      for (int64_t row = begin; row < end; ++row) std::copy_n(slopes.as<T>() + row * width, n, dh.as<T>() + row * n);
    });
  });
}

}  // namespace lg::LG_ISA
