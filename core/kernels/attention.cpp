// Attention by blocks:  out = softmax(scale q k^T + mask) v, without the matrix of all weights.
//
// A tile of query rows meets one block of keys after the other.  It keeps the greatest score m of each row and the sum
// l of e**(score - m), and rescales both, and the output so far, when a block brings a greater one (Milakov and
// Gimelshein, "Online normalizer calculation for softmax", 2018; Dao et al., "FlashAttention", 2022).  What is kept for
// backward is m + log l for each row, from which the weights are computed once more.  k^T, and in backward v^T, are
// packed into panels once for each head; all else is read where it lies.  See docs/design/attention.md.
#include <cmath>
#include <limits>

#include "kernels/math.h"
#include "kernels/tile.h"
#include "runtime/alloc.h"
#include "runtime/pool.h"
#include "runtime/strided.h"

namespace lg::LG_ISA {
namespace {

constexpr int64_t key_block = 512;      // scores of a tile of rows against a block of keys stay in the nearest cache
constexpr int64_t query_block = 32;     // rows of backward's blocks: enough depth for the sums into dk and dv
constexpr int64_t query_task = 64;      // rows of a task of forward
constexpr int64_t least_work = 500000;  // multiplications of a chunk
constexpr int64_t most_chunks = 256;    // each has room of its own
constexpr int64_t least_tasks = 8;      // backward splits the queries of a head if there are fewer heads

/// Tasks of a chunk, when each takes `work` multiplications.
int64_t grain_of(int64_t tasks, int64_t work) {
  return std::max({int64_t(1), least_work / (work + 1), (tasks + most_chunks - 1) / most_chunks});
}

/// Matrices of one tensor, one for each head: all dimensions but the last two number the heads.
template <class T>
struct Heads {
  Strided memory;

  explicit Heads(const Strided& s) : memory(s) {}
  int64_t row() const { return memory.strides[memory.ndim - 2]; }
  int64_t column() const { return memory.strides[memory.ndim - 1]; }
  T* at(int64_t head) const {
    T* data = memory.as<T>();
    for (int64_t d = memory.ndim - 3; d >= 0; --d) {
      data += head % memory.sizes[d] * memory.strides[d];
      head /= memory.sizes[d];
    }
    return data;
  }
};

struct Sizes {
  int64_t heads, queries, keys, depth, values;  // depth of q and k; values: depth of v
  double scale;
  bool causal;

  Sizes(const Strided& q, const Strided& v, double scale, bool causal)
      : heads(product({q.sizes, size_t(q.ndim - 2)})),
        queries(q.sizes[q.ndim - 2]),
        keys(v.sizes[v.ndim - 2]),
        depth(q.sizes[q.ndim - 1]),
        values(v.sizes[v.ndim - 1]),
        scale(scale),
        causal(causal) {}
  /// From one row of scores to the next.
  template <class T>
  int64_t stride() const {
    return round_up(std::min(keys, key_block), panel_width<T>);
  }
  /// Keys that the queries before `end` see.
  int64_t seen(int64_t end) const { return causal ? std::min(keys, end) : keys; }
};

/// Transposed matrices of all heads in panels: element (d, j) is x[j][d].
template <class T>
class Panels {
 public:
  Panels(const Sizes& s, const Strided& x, int64_t depth)
      : each_(packed_size<T>(depth, s.keys)), depth_(depth), scratch_(size_t(s.heads * each_) * sizeof(T)) {
    const Heads<const T> from(x);
    parallel_for(s.heads, std::max<int64_t>(1, default_grain / (each_ + 1)), [&](int64_t begin, int64_t end) {
      for (int64_t h = begin; h < end; ++h)
        pack_panels(scratch_.template as<T>() + h * each_, depth, s.keys, from.at(h), from.column(), from.row());
    });
  }
  /// From key `j` on, a multiple of a panel's width.
  Right<T> at(int64_t head, int64_t j) const {
    return {scratch_.template as<const T>() + head * each_ + j * depth_, panel_width<T>, depth_ * panel_width<T>};
  }

 private:
  int64_t each_, depth_;
  Scratch scratch_;
};

/// Rows of all heads as right operands: where they lie if they are dense and whole vectors long, else padded copies.
template <class T>
class DenseRows {
 public:
  DenseRows(const Sizes& s, const Strided& x)
      : heads_(x),
        rows_(x.sizes[x.ndim - 2]),
        width_(round_up(x.sizes[x.ndim - 1], lanes_of<T>)),
        direct_(x.sizes[x.ndim - 1] == width_ && x.strides[x.ndim - 1] == 1),
        scratch_(direct_ ? 0 : size_t(s.heads * rows_ * width_) * sizeof(T)) {
    if (direct_) return;
    const int64_t count = x.sizes[x.ndim - 1];
    parallel_for(s.heads, std::max<int64_t>(1, default_grain / (rows_ * width_ + 1)), [&](int64_t begin, int64_t end) {
      for (int64_t h = begin; h < end; ++h) {
        const T* from = heads_.at(h);
        T* to = scratch_.template as<T>() + h * rows_ * width_;
        for (int64_t i = 0; i < rows_; ++i, to += width_) {
          for (int64_t d = 0; d < count; ++d) to[d] = from[i * heads_.row() + d * heads_.column()];
          std::fill(to + count, to + width_, T(0));
        }
      }
    });
  }
  int64_t width() const { return width_; }
  Right<T> at(int64_t head, int64_t i) const {
    if (direct_) return right_rows(heads_.at(head) + i * heads_.row(), heads_.row());
    return right_rows(scratch_.template as<const T>() + (head * rows_ + i) * width_, width_);
  }

 private:
  Heads<const T> heads_;
  int64_t rows_, width_;
  bool direct_;
  Scratch scratch_;
};

/// The mask's row for one query: null data for none.
template <class T>
struct Mask {
  Strided memory;
  Heads<const T> added;
  Heads<const bool> allowed;

  explicit Mask(const Strided& m) : memory(m), added(m), allowed(m) {}

  /// s[j] = scale s[j] + mask, or -inf where a boolean mask is false.
  void apply(int64_t head, int64_t i, int64_t first, T* s, int64_t n, T scale) const {
    if (!memory.data) {
      for (int64_t j = 0; j < n; ++j) s[j] *= scale;
    } else if (memory.dtype == DType::Bool) {
      const bool* m = allowed.at(head) + i * allowed.row() + first * allowed.column();
      if (const int64_t step = allowed.column(); step == 1)
        for (int64_t j = 0; j < n; ++j) s[j] = m[j] ? s[j] * scale : -math::infinity<T>;
      else
        for (int64_t j = 0; j < n; ++j) s[j] = m[j * step] ? s[j] * scale : -math::infinity<T>;
    } else {
      const T* m = added.at(head) + i * added.row() + first * added.column();
      if (const int64_t step = added.column(); step == 1)
        for (int64_t j = 0; j < n; ++j) s[j] = s[j] * scale + m[j];
      else
        for (int64_t j = 0; j < n; ++j) s[j] = s[j] * scale + m[j * step];
    }
  }
};

/// Rows of scores are whole vectors long, so the sums and maxima over them have no tails.
template <class T>
T greatest(const T* s, int64_t n) {
  using V = typename Lanes<T>::type;
  V top = *reinterpret_cast<const V*>(s);
  for (int64_t j = lanes_of<T>; j < n; j += lanes_of<T>) {
    const V x = *reinterpret_cast<const V*>(s + j);
    top = x > top ? x : top;
  }
  T result = top[0];
  for (int64_t l = 1; l < lanes_of<T>; ++l) result = std::max(result, T(top[l]));
  return result;
}
template <class T>
T total(const T* s, int64_t n) {
  using V = typename Lanes<T>::type;
  V sum = {};
  for (int64_t j = 0; j < n; j += lanes_of<T>) sum += *reinterpret_cast<const V*>(s + j);
  T result = 0;
  for (int64_t l = 0; l < lanes_of<T>; ++l) result += sum[l];
  return result;
}

/// Scores of one block of keys to e**(score - m); m, l and the output so far follow.
template <class T>
void soften(T* s, int64_t n, T* m, T* l, T* out, int64_t width) {
  const T top = std::max(*m, greatest(s, n)), shift = top == -math::infinity<T> ? T(0) : top;
  for (int64_t j = 0; j < n; ++j) s[j] = math::exp_below(s[j] - shift);
  if (*l != T(0)) {
    const T factor = math::exp_below(*m - shift);
    *l *= factor;
    for (int64_t d = 0; d < width; ++d) out[d] *= factor;
  }
  *l += total(s, n);
  *m = top;
}

template <class T>
void write_scaled(T* to, int64_t step, const T* from, int64_t n, T factor) {
  if (step == 1)
    for (int64_t d = 0; d < n; ++d) to[d] = from[d] * factor;
  else
    for (int64_t d = 0; d < n; ++d) to[d * step] = from[d] * factor;
}

/// Sum of the products of two rows, which are read a vector at a time if they are dense.
template <class T>
T dot(const T* a, int64_t a_step, const T* b, int64_t b_step, int64_t n) {
  using V = typename Lanes<T>::type;
  V sums = {};
  int64_t d = 0;
  if (a_step == 1 && b_step == 1)
    for (; d + lanes_of<T> <= n; d += lanes_of<T>)
      sums += *reinterpret_cast<const V*>(a + d) * *reinterpret_cast<const V*>(b + d);
  T sum = 0;
  for (int64_t l = 0; l < lanes_of<T>; ++l) sum += sums[l];
  for (; d < n; ++d) sum += a[d * a_step] * b[d * b_step];
  return sum;
}

template <class F>
void dispatch_whole(DType dtype, F&& f) {
  dtype == DType::Float64 ? f.template operator()<double>() : f.template operator()<float>();
}

// ---- forward

template <class T>
struct Forward {
  const Sizes& s;
  Heads<T> out;
  T* lse;
  Heads<const T> q;
  const Panels<T>& kt;
  const DenseRows<T>& v;
  Mask<T> mask;

  /// Queries [begin, end), at most a tile of them.  scores: tile_rows rows; sums: as many of v's width.
  void tile(int64_t head, int64_t begin, int64_t end, T* scores, T* sums) const {
    const int64_t rows = end - begin, width = v.width(), seen = s.seen(end), stride = s.stride<T>();
    T m[tile_rows], l[tile_rows] = {};
    std::fill_n(m, rows, -math::infinity<T>);
    std::fill_n(sums, rows * width, T(0));
    for (int64_t first = 0; first < seen; first += key_block) {
      const int64_t n = std::min(key_block, seen - first), padded = round_up(n, panel_width<T>);
      tile_product(rows, padded, s.depth, {q.at(head) + begin * q.row(), q.row(), q.column()}, kt.at(head, first),
                   scores, stride, false);
      for (int64_t i = 0; i < rows; ++i) {
        T* row = scores + i * stride;
        const int64_t own = std::clamp<int64_t>(s.seen(begin + i + 1) - first, 0, n);
        mask.apply(head, begin + i, first, row, own, T(s.scale));
        std::fill(row + own, row + padded, -math::infinity<T>);
        soften(row, padded, m + i, l + i, sums + i * width, width);
      }
      tile_product(rows, width, n, {scores, stride, 1}, v.at(head, first), sums, width, true);
    }
    T* to = out.at(head) + begin * out.row();
    for (int64_t i = 0; i < rows; ++i, to += out.row()) {
      // A row that sees no key is zero, and so is all that comes back through it.
      write_scaled(to, out.column(), sums + i * width, s.values, l[i] == T(0) ? T(0) : T(1) / l[i]);
      lse[head * s.queries + begin + i] = l[i] == T(0) ? math::infinity<T> : m[i] + std::log(l[i]);
    }
  }
};

// ---- backward

/// With p = e**(score - lse) and D = sum(g * out) for each row:  dv = p^T g,  dp = g v^T,  ds = p (dp - D),
/// dq = scale ds k,  dk = scale ds^T q.
template <class T>
struct Backward {
  const Sizes& s;
  Heads<T> dq;
  Heads<const T> g, q, out;
  const T* lse;
  const Panels<T>&kt, &vt;
  const DenseRows<T>&k_rows, &q_rows, &g_rows;
  Mask<T> mask;

  /// Room for a block of queries: weights and their slopes, then dq.
  int64_t room() const { return query_block * (2 * s.stride<T>() + q_rows.width()); }

  /// p and ds of queries [begin, begin + rows), at most a tile of them, against n keys from `first` on.
  void weights(int64_t head, int64_t begin, int64_t rows, int64_t first, int64_t n, const T* deltas, T* p,
               T* ds) const {
    const int64_t seen = std::clamp<int64_t>(s.seen(begin + rows) - first, 0, n), all = round_up(n, panel_width<T>);
    const int64_t padded = round_up(seen, panel_width<T>), stride = s.stride<T>();
    tile_product(rows, padded, s.depth, {q.at(head) + begin * q.row(), q.row(), q.column()}, kt.at(head, first), p,
                 stride, false);
    tile_product(rows, padded, s.values, {g.at(head) + begin * g.row(), g.row(), g.column()}, vt.at(head, first), ds,
                 stride, false);
    for (int64_t i = 0; i < rows; ++i) {
      T *pi = p + i * stride, *di = ds + i * stride;
      const int64_t own = std::clamp<int64_t>(s.seen(begin + i + 1) - first, 0, n);
      const T shift = lse[head * s.queries + begin + i], delta = deltas[i];
      mask.apply(head, begin + i, first, pi, own, T(s.scale));
      for (int64_t j = 0; j < own; ++j) {
        pi[j] = math::exp_below(pi[j] - shift);
        di[j] = pi[j] * (di[j] - delta);
      }
      std::fill(pi + own, pi + all, T(0));
      std::fill(di + own, di + all, T(0));
    }
  }

  /// Queries [begin, end), at most a block of them: writes dq, adds to dk and dv, whose rows are padded.
  void block(int64_t head, int64_t begin, int64_t end, T* scratch, T* dk, T* dv) const {
    const int64_t rows = end - begin, depth = q_rows.width(), values = g_rows.width(), seen = s.seen(end);
    const int64_t stride = s.stride<T>();
    T *p = scratch, *ds = p + query_block * stride, *sums = ds + query_block * stride;
    T deltas[query_block];
    const T *gs = g.at(head) + begin * g.row(), *outs = out.at(head) + begin * out.row();
    for (int64_t i = 0; i < rows; ++i)
      deltas[i] = dot(gs + i * g.row(), g.column(), outs + i * out.row(), out.column(), s.values);
    std::fill_n(sums, rows * depth, T(0));
    for (int64_t first = 0; first < seen; first += key_block) {
      const int64_t n = std::min(key_block, seen - first);
      for (int64_t i = 0; i < rows; i += tile_rows)
        weights(head, begin + i, std::min(tile_rows, rows - i), first, n, deltas + i, p + i * stride, ds + i * stride);
      tile_product(n, values, rows, {p, 1, stride}, g_rows.at(head, begin), dv + first * values, values, true);
      tile_product(n, depth, rows, {ds, 1, stride}, q_rows.at(head, begin), dk + first * depth, depth, true);
      tile_product(rows, depth, n, {ds, stride, 1}, k_rows.at(head, first), sums, depth, true);
    }
    if (!dq.memory.data) return;
    T* to = dq.at(head) + begin * dq.row();
    for (int64_t i = 0; i < rows; ++i)
      write_scaled(to + i * dq.row(), dq.column(), sums + i * depth, s.depth, T(s.scale));
  }
};

/// to = factor * the sum of `groups` matrices, one after the other from `from` on, rows `width` apart; it is gathered
/// in the first.
template <class T>
void write_sums(const Strided& to, int64_t head, int64_t width, T* from, int64_t groups, T factor) {
  if (!to.data) return;
  const Heads<T> heads(to);
  const int64_t rows = to.sizes[to.ndim - 2], columns = to.sizes[to.ndim - 1], size = rows * width;
  for (int64_t group = 1; group < groups; ++group)
    for (int64_t i = 0; i < size; ++i) from[i] += from[group * size + i];
  T* row = heads.at(head);
  for (int64_t i = 0; i < rows; ++i)
    write_scaled(row + i * heads.row(), heads.column(), from + i * width, columns, factor);
}

}  // namespace

/// All have the same leading dimensions, of which inputs may repeat some (stride 0).  lse: a number for each query,
/// dense. mask: null, bool, or of q's dtype; expanded to (..., queries, keys).
void attention(Strided out, Strided lse, Strided q, Strided k, Strided v, Strided mask, double scale, bool causal) {
  const Sizes s(q, v, scale, causal);
  if (out.numel() == 0) return;
  dispatch_whole(q.dtype, [&]<class T>() {
    const Panels<T> kt(s, k, s.depth);
    const DenseRows<T> rows(s, v);
    const Forward<T> forward{s, Heads<T>(out), lse.as<T>(), Heads<const T>(q), kt, rows, Mask<T>(mask)};
    const int64_t tasks = (s.queries + query_task - 1) / query_task, all = s.heads * tasks;
    const int64_t grain = grain_of(all, query_task * s.keys * (s.depth + s.values));
    const int64_t room = tile_rows * (s.stride<T>() + rows.width());
    Scratch scratch(size_t((all + grain - 1) / grain * room) * sizeof(T));
    parallel_for(all, grain, [&](int64_t begin, int64_t end) {
      T *scores = scratch.as<T>() + begin / grain * room, *sums = scores + tile_rows * s.stride<T>();
      for (int64_t task = begin; task < end; ++task) {
        const int64_t first = task % tasks * query_task, last = std::min(s.queries, first + query_task);
        for (int64_t i = first; i < last; i += tile_rows)
          forward.tile(task / tasks, i, std::min(last, i + tile_rows), scores, sums);
      }
    });
  });
}

/// Null data: not wanted.  The queries of a head are dealt out to several tasks where there are few heads; each has
/// sums of its own for dk and dv, added in their order at the end.
void attention_backward(Strided dq, Strided dk, Strided dv, Strided g, Strided q, Strided k, Strided v, Strided out,
                        Strided lse, Strided mask, double scale, bool causal) {
  const Sizes s(q, v, scale, causal);
  if (s.heads == 0) return;
  dispatch_whole(q.dtype, [&]<class T>() {
    const Panels<T> kt(s, k, s.depth), vt(s, v, s.values);
    const DenseRows<T> k_rows(s, k), q_rows(s, q), g_rows(s, g);
    const Backward<T> backward{s,
                               Heads<T>(dq),
                               Heads<const T>(g),
                               Heads<const T>(q),
                               Heads<const T>(out),
                               lse.as<const T>(),
                               kt,
                               vt,
                               k_rows,
                               q_rows,
                               g_rows,
                               Mask<T>(mask)};
    const int64_t blocks = (s.queries + query_block - 1) / query_block;
    const int64_t groups = std::clamp<int64_t>(least_tasks / s.heads, 1, std::max<int64_t>(1, blocks));
    const int64_t dk_size = s.keys * q_rows.width(), dv_size = s.keys * g_rows.width();
    const int64_t tasks = s.heads * groups;
    const int64_t grain = grain_of(tasks, s.queries * s.keys * (3 * s.depth + 2 * s.values) / groups);
    const int64_t chunks = (tasks + grain - 1) / grain;
    Scratch sums(size_t(tasks * (dk_size + dv_size)) * sizeof(T)), rooms(size_t(chunks * backward.room()) * sizeof(T));
    T *dk_sums = sums.as<T>(), *dv_sums = dk_sums + tasks * dk_size;
    auto write = [&](int64_t head) {
      write_sums(dk, head, q_rows.width(), dk_sums + head * groups * dk_size, groups, T(s.scale));
      write_sums(dv, head, g_rows.width(), dv_sums + head * groups * dv_size, groups, T(1));
    };
    parallel_for(tasks, grain, [&](int64_t begin, int64_t end) {
      T* room = rooms.as<T>() + begin / grain * backward.room();
      for (int64_t task = begin; task < end; ++task) {
        T *own_dk = dk_sums + task * dk_size, *own_dv = dv_sums + task * dv_size;
        std::fill_n(own_dk, dk_size, T(0));
        std::fill_n(own_dv, dv_size, T(0));
        for (int64_t b = task % groups; b < blocks; b += groups)
          backward.block(task / groups, b * query_block, std::min(s.queries, (b + 1) * query_block), room, own_dk,
                         own_dv);
        if (groups == 1) write(task);
      }
    });
    if (groups > 1)
      for (int64_t head = 0; head < s.heads; ++head) write(head);
  });
}

}  // namespace lg::LG_ISA
