// Kernels that write at indices: put, add, reduce.  Indices are int64, checked and non-negative.
//
// Two indices may name one place, so threads must not share places, and what meets there must meet in the order of the
// indices: sums then have the same bits on any number of threads, and of equal indices the last one wins.  `scatter`
// gives each thread whole lines along its dimension.  The others group the indices by where they lead (`by_bucket`) and
// give each thread whole stretches of the output, which also keeps that stretch in its cache.
#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/index.h"
#include "kernels/kinds.h"
#include "kernels/loop.h"
#include "runtime/alloc.h"

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

/// use(b, items, n) for every bucket b: make(i) of all i in [0, count) with bucket(i) == b, in order.  A counting sort,
/// in chunks: each chunk knows how many items of each bucket the chunks before it have.
template <class Item, class Bucket, class Make, class Use>
void by_bucket(int64_t count, int64_t buckets, Bucket&& bucket, Make&& make, Use&& use) {
  const int64_t chunk = std::max<int64_t>(default_grain / 2, (count + 63) / 64), chunks = (count + chunk - 1) / chunk;
  Scratch memory(size_t(count) * sizeof(Item)), table(size_t(chunks * buckets + 1) * sizeof(int64_t));
  Item* items = memory.as<Item>();
  int64_t* starts = table.as<int64_t>();  // of bucket b in chunk c: starts[c * buckets + b]
  auto for_chunks = [&](auto&& f) {
    parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c)
        for (int64_t i = c * chunk; i < std::min(count, (c + 1) * chunk); ++i) f(starts + c * buckets, i);
    });
  };
  std::fill(starts, starts + chunks * buckets, 0);
  for_chunks([&](int64_t* mine, int64_t i) { ++mine[bucket(i)]; });
  int64_t sum = 0;
  for (int64_t b = 0; b < buckets; ++b)
    for (int64_t c = 0; c < chunks; ++c) starts[c * buckets + b] = std::exchange(sum, sum + starts[c * buckets + b]);
  for_chunks([&](int64_t* mine, int64_t i) { items[mine[bucket(i)]++] = make(i); });
  // The last chunk's starts have moved to the buckets' ends.
  const int64_t* ends = starts + (chunks - 1) * buckets;
  parallel_for(buckets, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t first = b ? ends[b - 1] : 0;
      use(b, items + first, ends[b] - first);
    }
  });
}

/// Where blocks of `inner` elements go: block i to place(i) * unit, for places in [0, places).
template <class Place>
struct Target {
  int64_t count, inner, unit, places;
  Place place;
  bool fresh;  // the output holds nothing yet: it is zeroed first
};

constexpr int64_t cache_bytes = 256 << 10;  // of the output at a time: stays in the second-level cache

/// The least shift that makes at most `most` buckets, and none smaller than `bytes`.
int64_t bucket_shift(int64_t places, int64_t place_bytes, int64_t bytes, int64_t most) {
  int64_t shift = 0;
  while ((place_bytes << shift) < bytes || ((places - 1) >> shift) >= most) ++shift;
  return shift;
}

/// Single elements, carried along with their places, so that each bucket reads one short stretch of memory.
template <class T, class Place, class Store>
void write_elements(T* out, const T* in, int64_t in_step, const Target<Place>& to, Store store) {
  struct Item {
    uint32_t place;  // from the bucket's begin
    T value;
  };
  const int64_t shift = bucket_shift(to.places, to.unit * int64_t(sizeof(T)), 64 << 10, 128);
  const int64_t low = (int64_t(1) << shift) - 1;
  by_bucket<Item>(
      to.count, ((to.places - 1) >> shift) + 1, [&](int64_t i) { return to.place(i) >> shift; },
      [&](int64_t i) { return Item{uint32_t(to.place(i) & low), in[i * in_step]}; },
      [&](int64_t b, const Item* items, int64_t n) {
        T* mine = out + (b << shift) * to.unit;
        if (to.fresh) zero(mine, std::min(low + 1, to.places - (b << shift)) * to.unit);
        for (int64_t k = 0; k < n; ++k) store(mine[int64_t(items[k].place) * to.unit], items[k].value);
      });
}

/// Rows: each bucket has the numbers of its blocks.
template <class T, class Place, class Store>
void write_rows(T* out, const T* in, int64_t in_step, const Target<Place>& to, Store store) {
  const int64_t shift = bucket_shift(to.places, to.unit * int64_t(sizeof(T)), cache_bytes, 4096), inner = to.inner;
  const int64_t bytes = inner * int64_t(sizeof(T)), size = int64_t(1) << shift;
  by_bucket<uint32_t>(
      to.count, ((to.places - 1) >> shift) + 1, [&](int64_t i) { return to.place(i) >> shift; },
      [](int64_t i) { return uint32_t(i); },
      [&](int64_t b, const uint32_t* blocks, int64_t n) {
        if (to.fresh) zero(out + (b << shift) * to.unit, std::min(size, to.places - (b << shift)) * to.unit);
        for (int64_t k = 0; k < n; ++k) {
          if (k + rows_ahead < n) {
            const int64_t next = blocks[k + rows_ahead];
            if (in_step) prefetch<false>(in + next * inner, bytes);
            if (!to.fresh) prefetch<true>(out + to.place(next) * to.unit, bytes);
          }
          T* __restrict row = out + to.place(blocks[k]) * to.unit;
          const T* __restrict values = in + int64_t(blocks[k]) * inner * in_step;
          if (in_step)
            for (int64_t c = 0; c < inner; ++c) store(row[c], values[c]);
          else
            for (int64_t c = 0; c < inner; ++c) store(row[c], *values);
        }
      });
}

/// Columns [from, end) of all blocks, in order.
template <class T, class Place, class Store>
void write_columns(T* out, const T* in, int64_t in_step, const Target<Place>& to, int64_t from, int64_t end,
                   Store store) {
  if (to.inner == 1) {
    for (int64_t i = 0; i < to.count; ++i) store(out[to.place(i) * to.unit], in[i * in_step]);
    return;
  }
  for (int64_t i = 0; i < to.count; ++i) {
    T* __restrict row = out + to.place(i) * to.unit;
    const T* __restrict values = in + i * to.inner * in_step;
    if (in_step)
      for (int64_t c = from; c < end; ++c) store(row[c], values[c]);
    else
      for (int64_t c = from; c < end; ++c) store(row[c], *values);
  }
}

/// Dense blocks `in` (or one value for all elements, in_step = 0) to their places.
template <class T, class Place, class Store>
void write_blocks(T* out, const T* in, int64_t in_step, const Target<Place>& to, Store store) {
  const int64_t bytes = to.places * to.unit * int64_t(sizeof(T)), work = to.count * to.inner;
  const bool spread = work > 2 * default_grain && to.count < std::numeric_limits<uint32_t>::max();
  if (spread && to.inner == 1 && bytes > cache_bytes) return write_elements(out, in, in_step, to, store);
  if (spread && to.inner > 1 && bytes > cache_bytes) return write_rows(out, in, in_step, to, store);
  if (to.fresh)
    parallel_for(to.places * to.unit, 8 * default_grain,
                 [&](int64_t begin, int64_t end) { zero(out + begin, end - begin); });
  if (to.inner == 1) return write_columns(out, in, in_step, to, 0, 1, store);
  // A small output, all of it in the cache: threads take columns.
  const int64_t grain = std::max<int64_t>(16, default_grain / std::max<int64_t>(to.count, 1));
  parallel_for(to.inner, grain,
               [&](int64_t begin, int64_t end) { write_columns(out, in, in_step, to, begin, end, store); });
}

}  // namespace

/// y[o, index[i], ...] += x[o, i, ...] for contiguous x and y seen as (outer, rows, inner); a negative index counts
/// from the end.  `fresh`: y holds nothing yet, and what no index names becomes 0.
void index_add_rows(Strided y, Strided x, Strided index, int64_t outer, int64_t rows, int64_t inner, bool fresh) {
  const int64_t count = index.numel(), step = index.ndim ? index.strides[0] : 0;
  const int64_t* at = index.as<const int64_t>();
  auto row = [=](int64_t i) { return at[i * step] < 0 ? at[i * step] + rows : at[i * step]; };
  const Target<decltype(row)> to{count, inner, inner, rows, row, fresh};
  if (rows * inner == 0) return;
  dispatch_all(y.dtype, [&]<class T>() {
    const T* in = x.as<const T>();
    T* out = y.as<T>();
    const int64_t size = rows * inner, taken = count * inner;
    if (outer < 8) {
      for (int64_t o = 0; o < outer; ++o) write_blocks(out + o * size, in + o * taken, 1, to, Add());
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
  const Target<decltype(place)> to{count, inner, 1, extent, place, fresh};
  with_store(y.dtype, accumulate, [&]<class T>(auto store) {
    T* out = y.as<T>();
    const T* in = values.as<const T>();
    if (y.contiguous()) return write_blocks(out, in, in_step, to, store);
    const auto offsets = offsets_of(y);
    for (int64_t i = 0; i < count; ++i)
      for (int64_t c = 0; c < inner; ++c)
        store(out[positions[i] + offsets[size_t(c)]], in[(i * inner + c) * in_step]);
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
  auto run = [&]<class T>(auto&& store) {
    if (lines == 1 && y.contiguous()) {
      const int64_t* at = index.as<const int64_t>();
      auto place = [=](int64_t i) { return at[i * index_step]; };
      const Target<decltype(place)> to{n, 1, along, y.sizes[dim], place, false};
      return write_blocks(y.as<T>(), src.as<const T>(), src_step, to, store);
    }
    parallel_for(lines, std::max<int64_t>(1, default_grain / 2 / n), [&](int64_t begin, int64_t end) {
      for_each_run(p, begin, end, [&](char* const* pointers, const int64_t* steps, int64_t m) {
        const int64_t *at = reinterpret_cast<const int64_t*>(pointers[0]), at_step = steps[0] / 8;
        const T* in = reinterpret_cast<const T*>(pointers[1]);
        T* out = reinterpret_cast<T*>(pointers[2]);
        const int64_t in_step = steps[1] / int64_t(sizeof(T)), out_step = steps[2] / int64_t(sizeof(T));
        // Within a line in order; otherwise as memory lies.
        if (index_step <= at_step || m == 1) {
          for (int64_t j = 0; j < m; ++j)
            for (int64_t k = 0; k < n; ++k)
              store(out[j * out_step + at[j * at_step + k * index_step] * along], in[j * in_step + k * src_step]);
        } else {
          for (int64_t k = 0; k < n; ++k)
            for (int64_t j = 0; j < m; ++j)
              store(out[j * out_step + at[j * at_step + k * index_step] * along], in[j * in_step + k * src_step]);
        }
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
