// The reduction loop: one way through memory for every reduction over any set of dimensions.
//
// A reduction is a small struct R: `lift` takes an element to R::Value, `merge` joins two values (scalars or whole
// vector registers), `identity` starts, `plain` says that lifting leaves the bits as they are, and `centred` that
// `lift` also gets a value that belongs to the output.  `reduce` picks the loop from the strides: rows of contiguous
// memory with many vector lanes, or, where the kept dimension is the contiguous one, bundles of columns.  Partial
// results are merged as a tree whose shape depends on sizes only: sums are as accurate as pairwise summation, and bits
// do not depend on threads.
//
// Elements come from a `Source`: a pointer, or what R::Source says, which can be advanced and indexed like one.
#pragma once

#include <algorithm>
#include <cstring>

#include "kernels/isa.h"
#include "kernels/vector.h"
#include "runtime/alloc.h"
#include "runtime/pool.h"
#include "runtime/strided.h"

#pragma GCC diagnostic ignored "-Wpsabi"  // the vector types below never cross a function boundary that is not inlined

namespace lg::LG_ISA {

template <class R>
struct SourceOf {
  using Type = const typename R::In*;
};
template <class R>
  requires requires { typename R::Source; }
struct SourceOf<R> {
  using Type = typename R::Source;
};
template <class R>
using Source = typename SourceOf<R>::Type;

/// Merges a stream of partial results as a binary tree.
template <class R>
class Tree {
 public:
  using A = typename R::Value;
  void push(A value) {
    for (int64_t n = count_++; n & 1; n >>= 1) value = R::merge(part_[--depth_], value);
    part_[depth_++] = value;
  }
  A total() const {
    if (!depth_) return R::identity();
    A value = part_[depth_ - 1];
    for (int d = depth_ - 2; d >= 0; --d) value = R::merge(part_[d], value);
    return value;
  }

 private:
  A part_[64];
  int depth_ = 0;
  int64_t count_ = 0;
};

/// Up to `row_block` contiguous elements in 256 bytes of accumulators: as many registers as that takes, so that the
/// order of merges, and with it every bit, is the same on all instruction sets.
inline constexpr int64_t row_block = 1024;

template <class R>
typename R::Value reduce_block(const R& r, Source<R> x, int64_t n, typename R::Value centre) {
  using A = typename R::Value;
  A total = R::identity();
  int64_t i = 0;
  if constexpr (std::is_arithmetic_v<A>) {
    using V = Vector<A>;
    constexpr int64_t group = 256 / sizeof(A), lanes = sizeof(V) / sizeof(A), registers = group / lanes;
    if (n >= group) {
      V sums[registers];
      for (V& v : sums) v = V{} + R::identity();
      for (; i + group <= n; i += group)
#pragma GCC unroll 16
        for (int64_t k = 0; k < registers; ++k) {
          V v;
          if constexpr (R::plain) {
            std::memcpy(&v, x + i + k * lanes, sizeof v);
          } else {
            alignas(V) A lifted[lanes];
            for (int64_t j = 0; j < lanes; ++j) lifted[j] = r.lift(x[i + k * lanes + j], centre);
            std::memcpy(&v, lifted, sizeof v);
          }
          sums[k] = R::merge(sums[k], v);
        }
      alignas(64) A lane[group];
      std::memcpy(lane, sums, sizeof lane);
      for (int64_t half = group / 2; half; half /= 2)
        for (int64_t j = 0; j < half; ++j) lane[j] = R::merge(lane[j], lane[j + half]);
      total = lane[0];
    }
  }
  for (; i < n; ++i) total = R::merge(total, r.lift(x[i], centre));
  return total;
}

/// The same where elements are `stride` apart, or are complex.
template <class R>
typename R::Value reduce_strided_block(const R& r, Source<R> x, int64_t n, int64_t stride, typename R::Value centre) {
  using A = typename R::Value;
  A lane[8] = {R::identity(), R::identity(), R::identity(), R::identity(),
               R::identity(), R::identity(), R::identity(), R::identity()};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int64_t j = 0; j < 8; ++j) lane[j] = R::merge(lane[j], r.lift(x[(i + j) * stride], centre));
  for (; i < n; ++i) lane[i % 8] = R::merge(lane[i % 8], r.lift(x[i * stride], centre));
  for (int64_t half = 4; half; half /= 2)
    for (int64_t j = 0; j < half; ++j) lane[j] = R::merge(lane[j], lane[j + half]);
  return lane[0];
}

template <class R>
void reduce_row(const R& r, Tree<R>& tree, Source<R> x, int64_t n, int64_t stride, typename R::Value centre) {
  for (int64_t i = 0; i < n; i += row_block) {
    int64_t m = std::min(row_block, n - i);
    if (stride == 1 && std::is_arithmetic_v<typename R::Value>)
      tree.push(reduce_block(r, x + i, m, centre));
    else
      tree.push(reduce_strided_block(r, x + i * stride, m, stride, centre));
  }
}

/// Accumulators of a bundle of columns, in four levels: each holds at most 64 merges before it moves up a level.
template <class R>
class Columns {
 public:
  using A = typename R::Value;
  static constexpr int64_t width = 128;
  static constexpr int64_t period = 64;

  explicit Columns(int64_t count) : count_(count) {
    for (A* level : {level_[0], level_[1], level_[2], level_[3]}) std::fill_n(level, count, R::identity());
  }
  void add(const R& r, Source<R> x, int64_t rows, int64_t stride, const A* centre) {
    const int64_t count = count_;  // a copy: the compiler cannot tell that no store to a level changes the member
    for (int64_t i = 0; i < rows;) {
      int64_t end = std::min(rows, i + period - pending_);
      pending_ += end - i;
      A* __restrict level = level_[0];
      for (; i + 4 <= end; i += 4) {
        const Source<R> a = x + i * stride, b = a + stride, c = b + stride, d = c + stride;
        for (int64_t j = 0; j < count; ++j) {
          const A middle = centre[R::centred ? j : 0];
          A left = R::merge(r.lift(a[j], middle), r.lift(b[j], middle));
          A right = R::merge(r.lift(c[j], middle), r.lift(d[j], middle));
          level[j] = R::merge(level[j], R::merge(left, right));
        }
      }
      for (; i < end; ++i)
        for (int64_t j = 0; j < count; ++j)
          level[j] = R::merge(level[j], r.lift(x[i * stride + j], centre[R::centred ? j : 0]));
      if (pending_ == period) carry();
    }
  }
  const A* total() {
    for (int level = 0; level < 3; ++level) move_up(level);
    return level_[3];
  }

 private:
  void carry() {
    pending_ = 0;
    ++blocks_;
    move_up(0);
    if (blocks_ % period == 0) move_up(1);
    if (blocks_ % (period * period) == 0) move_up(2);
  }
  void move_up(int level) {
    const int64_t count = count_;
    A* __restrict from = level_[level], * __restrict to = level_[level + 1];
    for (int64_t j = 0; j < count; ++j) {
      to[j] = R::merge(to[j], from[j]);
      from[j] = R::identity();
    }
  }
  int64_t count_, pending_ = 0, blocks_ = 0;
  alignas(64) A level_[4][width];
};

/// Dimensions of a reduction: which are kept, which are reduced, outermost first by stride, neighbours joined.
struct ReducePlan {
  Dims kept, kept_x, kept_y;  // sizes; strides in x and in y
  Dims reduced, reduced_x;    // sizes; strides in x
  bool by_columns;            // the innermost kept dimension is the contiguous one

  ReducePlan(const Strided& y, const Strided& x) {
    Dims order;
    for (int64_t d = 0; d < x.ndim; ++d) {
      if (x.sizes[d] == 1) continue;
      int64_t at = order.size();
      while (at > 0 && x.strides[order[at - 1]] < x.strides[d]) --at;
      order.insert(at, d);
    }
    for (int64_t d : order) {
      if (y.ndim && y.sizes[d] == x.sizes[d])
        keep(x.sizes[d], x.strides[d], y.strides[d]);
      else
        reduce(x.sizes[d], x.strides[d]);
    }
    if (reduced.empty()) reduce(1, 1);
    by_columns = !kept.empty() && kept_x.back() == 1 && reduced_x.back() != 1;
  }

 private:
  void keep(int64_t size, int64_t in_x, int64_t in_y) {
    int64_t last = kept.size() - 1;
    if (last >= 0 && kept_x[last] == in_x * size && kept_y[last] == in_y * size) {
      kept[last] *= size;
      kept_x[last] = in_x;
      kept_y[last] = in_y;
    } else {
      kept.push_back(size);
      kept_x.push_back(in_x);
      kept_y.push_back(in_y);
    }
  }
  void reduce(int64_t size, int64_t in_x) {
    int64_t last = reduced.size() - 1;
    if (last >= 0 && reduced_x[last] == in_x * size) {
      reduced[last] *= size;
      reduced_x[last] = in_x;
    } else {
      reduced.push_back(size);
      reduced_x.push_back(in_x);
    }
  }
};

/// Calls f(x offset) for each index of the reduced dimensions but the innermost; the outermost runs over [begin, end).
template <class F>
void for_reduced_rows(const ReducePlan& plan, int64_t begin, int64_t end, F&& f) {
  const int64_t inner = plan.reduced.size() - 1;
  if (inner == 0) return f(begin * plan.reduced_x[0]);
  int64_t rows = end - begin;
  for (int64_t d = 1; d < inner; ++d) rows *= plan.reduced[d];
  for (int64_t row = 0; row < rows; ++row) {
    int64_t rest = row, offset = begin * plan.reduced_x[0];
    for (int64_t d = inner - 1; d > 0; --d) {
      offset += rest % plan.reduced[d] * plan.reduced_x[d];
      rest /= plan.reduced[d];
    }
    f(offset + rest * plan.reduced_x[0]);
  }
}

/// Where results go.  A plain function pointer, so that the loops are compiled once for a reduction, not once a use.
template <class A>
struct Sink {
  void* context;
  /// `count` values to offsets first, first + step ...
  void (*put)(void* context, int64_t first, int64_t step, const A* values, int64_t count);
  void put_one(int64_t at, A value) const { put(context, at, 0, &value, 1); }
};

/// Reduces the tasks [first, last), a task being an output or a bundle of columns, over the slice [begin, end) of the
/// outermost reduced dimension; the sink gets the results with their offsets in y.
template <class R>
[[gnu::noinline]] void reduce_tasks(const R& r, const ReducePlan& plan, Source<R> x, const typename R::Value* centre,
                                    int64_t first, int64_t last, int64_t begin, int64_t end,
                                    Sink<typename R::Value> sink) {
  using A = typename R::Value;
  const int64_t innermost = plan.reduced.size() - 1, stride = plan.reduced_x[innermost];
  const int64_t n = innermost == 0 ? end - begin : plan.reduced[innermost];
  const int64_t columns = plan.by_columns ? plan.kept.back() : 1;
  const int64_t bundles = (columns + Columns<R>::width - 1) / Columns<R>::width;
  for (int64_t task = first; task < last; ++task) {
    int64_t rest = plan.by_columns ? task / bundles : task, from = 0, to = 0;
    const int64_t dims = plan.kept.size() - plan.by_columns;
    for (int64_t d = dims - 1; d > 0; --d) {
      from += rest % plan.kept[d] * plan.kept_x[d];
      to += rest % plan.kept[d] * plan.kept_y[d];
      rest /= plan.kept[d];
    }
    if (dims > 0) {  // the outermost needs no division
      from += rest * plan.kept_x[0];
      to += rest * plan.kept_y[0];
    }
    if (!plan.by_columns) {
      const A c = R::centred ? centre[to] : A();
      if (innermost == 0 && n <= row_block && stride == 1) {
        sink.put_one(to, reduce_block(r, x + from + begin, n, c));
        continue;
      }
      Tree<R> tree;
      for_reduced_rows(plan, begin, end, [&](int64_t row) { reduce_row(r, tree, x + from + row, n, stride, c); });
      sink.put_one(to, tree.total());
      continue;
    }
    const int64_t column = task % bundles * Columns<R>::width, step = plan.kept_y.back();
    const int64_t count = std::min(Columns<R>::width, columns - column);
    A centres[R::centred ? Columns<R>::width : 1] = {};
    if constexpr (R::centred)
      for (int64_t j = 0; j < count; ++j) centres[j] = centre[to + (column + j) * step];
    Columns<R> bundle_of(count);
    for_reduced_rows(plan, begin, end,
                     [&](int64_t row) { bundle_of.add(r, x + from + column + row, n, stride, centres); });
    sink.put(sink.context, to + column * step, step, bundle_of.total(), count);
  }
}

/// y = finish(reduction of x), whose elements are `in`'s.  `y` has x's dimensions, size 1 where reduced, or none at
/// all, and is contiguous. `centre`, where the reduction uses one, holds a value for each output, laid out as y.
template <class R, class Out, class Finish>
void reduce_from(const R& r, Strided y, Strided x, Source<R> in, const Finish& finish,
                 const typename R::Value* centre) {
  using A = typename R::Value;
  const int64_t outputs = y.numel(), total = x.numel();
  Out* out = y.as<Out>();
  if (outputs == 0) return;
  if (total == 0) {
    std::fill_n(out, outputs, finish(R::identity()));
    return;
  }
  // The hot small case: all of a contiguous tensor.
  if (outputs == 1 && total <= row_block && x.contiguous()) {
    const A c = R::centred ? *centre : A();
    if constexpr (std::is_arithmetic_v<A>)
      *out = finish(reduce_block(r, in, total, c));
    else
      *out = finish(reduce_strided_block(r, in, total, 1, c));
    return;
  }
  const ReducePlan plan(y, x);
  const int64_t outer = plan.reduced[0], each = total / outputs;
  int64_t tasks = outputs;
  if (plan.by_columns) {
    const int64_t columns = plan.kept.back();
    tasks = outputs / columns * ((columns + Columns<R>::width - 1) / Columns<R>::width);
  }
  // Few outputs of much work are split along the outermost reduced dimension; the threshold looks at sizes only.
  const int64_t slice = std::max<int64_t>(outer / 64, std::max<int64_t>(1, default_grain * outer / total));
  const int64_t slices = tasks < 16 && total >= 2 * default_grain ? (outer + slice - 1) / slice : 1;
  if (slices == 1) {
    const int64_t grain = std::max<int64_t>(1, default_grain / (each * (outputs / tasks)));
    struct Finished {
      Out* out;
      const Finish& finish;
    } finished{out, finish};
    const Sink<A> sink{&finished, [](void* context, int64_t first, int64_t step, const A* values, int64_t count) {
                         auto* f = static_cast<Finished*>(context);
                         for (int64_t j = 0; j < count; ++j) f->out[first + j * step] = f->finish(values[j]);
                       }};
    parallel_for(tasks, grain,
                 [&](int64_t first, int64_t last) { reduce_tasks(r, plan, in, centre, first, last, 0, outer, sink); });
    return;
  }
  Scratch scratch(size_t(slices * outputs) * sizeof(A));
  A* partial = scratch.as<A>();
  parallel_for(slices, 1, [&](int64_t first, int64_t last) {
    for (int64_t s = first; s < last; ++s) {
      const Sink<A> sink{partial + s * outputs,
                         [](void* row, int64_t first, int64_t step, const A* values, int64_t count) {
                           for (int64_t j = 0; j < count; ++j) static_cast<A*>(row)[first + j * step] = values[j];
                         }};
      reduce_tasks(r, plan, in, centre, 0, tasks, s * slice, std::min(outer, (s + 1) * slice), sink);
    }
  });
  for (int64_t count = slices; count > 1;) {  // the upper half joins the lower one
    const int64_t half = (count + 1) / 2, n = (count - half) * outputs;
    const A* upper = partial + half * outputs;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) partial[i] = R::merge(partial[i], upper[i]);
    count = half;
  }
  for (int64_t o = 0; o < outputs; ++o) out[o] = finish(partial[o]);
}

template <class R, class Out, class Finish>
void reduce(const R& r, Strided y, Strided x, const Finish& finish, const typename R::Value* centre = nullptr) {
  reduce_from<R, Out>(r, y, x, x.as<const typename R::In>(), finish, centre);
}

}  // namespace lg::LG_ISA
