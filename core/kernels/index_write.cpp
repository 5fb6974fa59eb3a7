// Kernels that write at indices: put, add, reduce.  Indices are int64, checked and non-negative.
//
// Two indices may name one place, so threads must not share places, and what meets there must meet in the order of the
// indices: sums then have the same bits on any number of threads, and of equal indices the last one wins.  `scatter`
// gives each thread whole lines along its dimension.  The others make each thread the owner of a stretch of the output:
// it looks at all indices and follows those that lead there (grouping the indices by a counting sort first took twice
// as long on two threads).
#include <algorithm>
#include <cstring>

#include "kernels/index.h"
#include "kernels/kinds.h"
#include "kernels/loop.h"

namespace lg::LG_ISA {

namespace {

template <class T>
inline T add(T a, T b) {
  if constexpr (std::is_same_v<T, bool>)
    return a || b;
  else if constexpr (std::is_integral_v<T>)
    return T(std::make_unsigned_t<T>(a) + std::make_unsigned_t<T>(b));
  else
    return T(Compute<T>(a) + Compute<T>(b));
}

template <class T>
T reduce(T a, T b, ScatterReduce how) {
  using C = Compute<T>;
  switch (how) {
    case ScatterReduce::Add: return add(a, b);
    case ScatterReduce::Multiply: return T(C(a) * C(b));
    default: break;
  }
  if constexpr (!is_complex_v<T>) {
    if (C(a) != C(a)) return a;
    if (C(b) != C(b)) return b;
    if (how == ScatterReduce::Maximum) return C(a) < C(b) ? b : a;
    if (how == ScatterReduce::Minimum) return C(b) < C(a) ? b : a;
  }
  return b;
}

struct Put {
  template <class T>
  void operator()(T& a, T b) const {
    a = b;
  }
};
struct Add {
  template <class T>
  void operator()(T& a, T b) const {
    a = add(a, b);
  }
};

template <class T>
void zero(T* out, int64_t n) {
  std::memset(static_cast<void*>(out), 0, size_t(n) * sizeof(T));
}

/// f<T>(store) for a dtype: values are put whatever they mean, and added as what they are.
template <class F>
void with_store(DType dtype, bool accumulate, F&& f) {
  if (accumulate)
    dispatch_all(dtype, [&]<class T>() { f.template operator()<T>(Add()); });
  else
    dispatch_size(itemsize(dtype), [&]<class T>() { f.template operator()<T>(Put()); });
}

/// Where blocks of `inner` elements go: block i to place(i) * unit, for places in [0, places).
template <class Place>
struct Target {
  int64_t count, inner, unit, places;
  Place place;
};

/// Columns [from, end) of one block.
template <class T, class Store>
inline void write_block(T* __restrict row, const T* __restrict values, int64_t in_step, int64_t from, int64_t end,
                        Store store) {
  if (in_step)
    for (int64_t c = from; c < end; ++c) store(row[c], values[c]);
  else
    for (int64_t c = from; c < end; ++c) store(row[c], *values);
}

/// The same of all blocks, in order.
template <class T, class Place, class Store>
void write_columns(T* out, const T* in, int64_t in_step, const Target<Place> to, int64_t from, int64_t end,
                   Store store) {
  if (to.inner == 1)
    for (int64_t i = 0; i < to.count; ++i) store(out[to.place(i) * to.unit], in[i * in_step]);
  else
    for (int64_t i = 0; i < to.count; ++i)
      write_block(out + to.place(i) * to.unit, in + i * to.inner * in_step, in_step, from, end, store);
}

/// The blocks that go to places in [low, high), in order.  Their numbers are first picked out of some hundred, without
/// a branch that would be guessed wrong half of the time; so it is also known which rows come next.
template <class T, class Place, class Store>
void write_owned(T* out, const T* in, int64_t in_step, const Target<Place> to, int64_t low, int64_t high, Store store) {
  constexpr int64_t batch = 512;
  const int64_t inner = to.inner, bytes = inner * int64_t(sizeof(T));
  uint32_t mine[batch + 1];
  for (int64_t begin = 0; begin < to.count; begin += batch) {
    const int64_t size = std::min(batch, to.count - begin);
    int64_t n = 0;
    for (int64_t i = 0; i < size; ++i) {
      mine[n] = uint32_t(i);
      n += uint64_t(to.place(begin + i) - low) < uint64_t(high - low);
    }
    auto row_of = [&](int64_t k) { return out + to.place(begin + mine[k]) * to.unit; };
    auto values_of = [&](int64_t k) { return in + (begin + mine[k]) * inner * in_step; };
    if (inner == 1) {
      for (int64_t k = 0; k < n; ++k) store(*row_of(k), *values_of(k));
      continue;
    }
    for (int64_t k = 0; k < n; ++k) {
      if (k + rows_ahead < n) {
        prefetch<true>(row_of(k + rows_ahead), bytes);
        prefetch<false>(values_of(k + rows_ahead), in_step * bytes);
      }
      write_block(row_of(k), values_of(k), in_step, 0, inner, store);
    }
  }
}

/// Dense blocks `in` (or one value for all elements, in_step = 0) to their places.  `fresh`: the output holds nothing
/// yet, and is zeroed first.
template <class T, class Place, class Store>
void write_blocks(T* out, const T* in, int64_t in_step, const Target<Place>& to, bool fresh, Store store) {
  constexpr int64_t cache_bytes = 256 << 10;
  constexpr int most_owners = 8;  // each looks at all places
  const int64_t work = to.count * to.inner;
  if (fresh)
    parallel_for(to.places * to.unit, 4 * default_grain,
                 [&](int64_t begin, int64_t end) { zero(out + begin, end - begin); });
  if (work > (to.inner == 1 ? 8 : 2) * default_grain && to.places * to.unit * int64_t(sizeof(T)) > cache_bytes) {
    // Whose a place is makes no difference to the order in which it is written to.
    const int64_t owners = std::min(num_threads(), most_owners), share = (to.places + owners - 1) / owners;
    parallel_for(owners, 1, [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) write_owned(out, in, in_step, to, o * share, (o + 1) * share, store);
    });
    return;
  }
  // A small output, all of it in the cache: threads take columns.
  const int64_t grain = std::max<int64_t>(16, default_grain / std::max<int64_t>(to.count, 1));
  parallel_for(to.inner, grain,
               [&](int64_t begin, int64_t end) { write_columns(out, in, in_step, to, begin, end, store); });
}

/// out[i * out_step + at[i] * along] gets in[i], for i in order.
template <class T, class Store>
void scatter_run(T* out, int64_t out_step, int64_t along, const int64_t* at, int64_t at_step, const T* in,
                 int64_t in_step, int64_t n, Store store) {
  if (at_step == 1 && in_step == 1 && out_step == 0 && along == 1)
    for (int64_t i = 0; i < n; ++i) store(out[at[i]], in[i]);
  else
    for (int64_t i = 0; i < n; ++i) store(out[i * out_step + at[i * at_step] * along], in[i * in_step]);
}

}  // namespace

/// y[o, index[i], ...] += x[o, i, ...] for contiguous x and y seen as (outer, rows, inner); a negative index counts
/// from the end.  `fresh`: y holds nothing yet, and what no index names becomes 0.
void index_add_rows(Strided y, Strided x, Strided index, int64_t outer, int64_t rows, int64_t inner, bool fresh) {
  const int64_t count = index.numel(), step = index.ndim ? index.strides[0] : 0;
  const int64_t* at = index.as<const int64_t>();
  auto row = [=](int64_t i) { return at[i * step] < 0 ? at[i * step] + rows : at[i * step]; };
  const Target<decltype(row)> to{count, inner, inner, rows, row};
  if (rows * inner == 0) return;
  dispatch_all(y.dtype, [&]<class T>() {
    const T* in = x.as<const T>();
    T* out = y.as<T>();
    const int64_t size = rows * inner, taken = count * inner;
    if (outer < 8) {
      for (int64_t o = 0; o < outer; ++o) write_blocks(out + o * size, in + o * taken, 1, to, fresh, Add());
      return;
    }
    parallel_for(outer, std::max<int64_t>(1, default_grain / std::max<int64_t>(taken, 1)),
                 [&](int64_t begin, int64_t end) {
                   if (fresh) zero(out + begin * size, (end - begin) * size);
                   for (int64_t o = begin; o < end; ++o)
                     write_columns(out + o * size, in + o * taken, 1, to, 0, inner, Add());
                 });
  });
}

/// The block of y at positions[i] gets values[i], or more by it: advanced indexing.  `y` has the dimensions that are
/// written whole; positions, in elements, are less than `extent`; `values` is contiguous or a single element.
void index_write(Strided y, Strided values, const int64_t* positions, int64_t count, int64_t extent, bool accumulate,
                 bool fresh) {
  const int64_t inner = y.numel(), in_step = values.ndim ? 1 : 0;
  if (inner == 0) return;
  auto place = [=](int64_t i) { return positions[i]; };
  const Target<decltype(place)> to{count, inner, 1, extent, place};
  with_store(y.dtype, accumulate, [&]<class T>(auto store) {
    T* out = y.as<T>();
    const T* in = values.as<const T>();
    if (y.contiguous()) return write_blocks(out, in, in_step, to, fresh, store);
    if (fresh) zero(out, extent);
    const auto offsets = offsets_of(y);
    for (int64_t i = 0; i < count; ++i)
      for (int64_t c = 0; c < inner; ++c) store(out[positions[i] + offsets[size_t(c)]], in[(i * inner + c) * in_step]);
  });
}

/// y[..index[..i..]..] = src[..i..] along dim, in order, so that the last of equal indices wins; src may be one value.
void scatter(Strided y, Strided index, Strided src, int64_t dim, ScatterReduce how) {
  const int64_t n = index.sizes[dim], along = y.strides[dim], index_step = index.strides[dim];
  const int64_t src_step = src.strides[dim], lines = n ? index.numel() / n : 0;
  if (lines == 0) return;
  // The lines: all dimensions but this one.
  auto without = [dim](const Strided& t, const int64_t* values, int64_t* kept) {
    std::copy(values, values + dim, kept);
    std::copy(values + dim + 1, values + t.ndim, kept + dim);
  };
  int64_t sizes[max_dims], strides[3][max_dims];
  without(index, index.sizes, sizes);
  const Strided* tensors[] = {&index, &src, &y};
  Strided operands[3];
  for (int k = 0; k < 3; ++k) {
    without(*tensors[k], tensors[k]->strides, strides[k]);
    operands[k] = {tensors[k]->data, tensors[k]->dtype, index.ndim - 1, sizes, strides[k]};
  }
  const Plan p = make_plan(operands, 3);
  auto run = [&]<class T>(auto store) {
    if (lines == 1 && y.contiguous()) {
      const int64_t* at = index.as<const int64_t>();
      auto place = [=](int64_t i) { return at[i * index_step]; };
      const Target<decltype(place)> to{n, 1, along, y.sizes[dim], place};
      return write_blocks(y.as<T>(), src.as<const T>(), src_step, to, false, store);
    }
    // Whole lines, and enough side by side where they lie across memory.
    const int64_t grain = std::max<int64_t>(index_step == 1 ? 1 : 256, default_grain / 2 / n);
    parallel_for(lines, grain, [&](int64_t begin, int64_t end) {
      for_each_run(p, begin, end, [&](char* const* pointers, const int64_t* steps, int64_t m) {
        const int64_t *at = reinterpret_cast<const int64_t*>(pointers[0]), at_step = steps[0] / 8;
        const T* in = reinterpret_cast<const T*>(pointers[1]);
        T* out = reinterpret_cast<T*>(pointers[2]);
        const int64_t in_step = steps[1] / int64_t(sizeof(T)), out_step = steps[2] / int64_t(sizeof(T));
        // Within a line in order; otherwise as memory lies.
        if (index_step <= at_step || m == 1)
          for (int64_t j = 0; j < m; ++j)
            scatter_run(out + j * out_step, 0, along, at + j * at_step, index_step, in + j * in_step, src_step, n,
                        store);
        else
          for (int64_t k = 0; k < n; ++k)
            scatter_run(out, out_step, along, at + k * index_step, at_step, in + k * src_step, in_step, m, store);
      });
    });
  };
  if (how == ScatterReduce::None)
    dispatch_size(itemsize(y.dtype), [&]<class T>() { run.template operator()<T>(Put()); });
  else if (how == ScatterReduce::Add)
    dispatch_all(y.dtype, [&]<class T>() { run.template operator()<T>(Add()); });
  else
    dispatch_all(y.dtype, [&]<class T>() { run.template operator()<T>([how](T& a, T b) { a = reduce(a, b, how); }); });
}

}  // namespace lg::LG_ISA
