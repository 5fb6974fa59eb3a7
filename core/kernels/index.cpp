// Kernels that read and write at indices.  Indices are int64, checked and non-negative: the operators see to that.
#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/isa.h"
#include "kernels/kinds.h"
#include "runtime/pool.h"
#include "runtime/strided.h"

namespace lg::LG_ISA {

namespace {

/// Walks all positions of a shape in row-major order with an offset for each of several strided operands.
template <int N>
class Walk {
 public:
  Walk(int64_t ndim, const int64_t* sizes, const int64_t* const (&strides)[N], int64_t start)
      : ndim_(ndim), sizes_(sizes) {
    for (int k = 0; k < N; ++k) strides_[k] = strides[k];
    for (int64_t d = ndim - 1; d >= 0; --d) {
      at_[d] = start % sizes[d];
      start /= sizes[d];
      for (int k = 0; k < N; ++k) offset[k] += at_[d] * strides_[k][d];
    }
  }
  void next() {
    for (int64_t d = ndim_ - 1; d >= 0; --d) {
      for (int k = 0; k < N; ++k) offset[k] += strides_[k][d];
      if (++at_[d] < sizes_[d]) return;
      for (int k = 0; k < N; ++k) offset[k] -= sizes_[d] * strides_[k][d];
      at_[d] = 0;
    }
  }
  int64_t position(int64_t d) const { return at_[d]; }
  int64_t offset[N] = {};

 private:
  int64_t ndim_;
  const int64_t* sizes_;
  const int64_t* strides_[N];
  int64_t at_[64] = {};
};

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

}  // namespace

/// y[..i..] = x[..index[..i..]..] along dim; y and index have one shape.
void gather(Strided y, Strided x, Strided index, int64_t dim) {
  dispatch_size(itemsize(x.dtype), [&]<class T>() {
    const T* in = x.as<const T>();
    T* out = y.as<T>();
    const int64_t* at = index.as<const int64_t>();
    std::vector<int64_t> rest(x.strides, x.strides + x.ndim);  // x's strides with none along dim
    rest[size_t(dim)] = 0;
    int64_t along = x.strides[dim];
    parallel_for(y.numel(), default_grain / 4, [&](int64_t begin, int64_t end) {
      Walk<3> w(y.ndim, y.sizes, {y.strides, index.strides, rest.data()}, begin);
      for (int64_t i = begin; i < end; ++i, w.next()) out[w.offset[0]] = in[w.offset[2] + at[w.offset[1]] * along];
    });
  });
}

/// y[..index[..i..]..] = src[..i..] along dim, in order, so that the last of equal indices wins; src may be one value.
void scatter(Strided y, Strided index, Strided src, int64_t dim, ScatterReduce how) {
  std::vector<int64_t> rest(y.strides, y.strides + y.ndim);
  rest[size_t(dim)] = 0;
  int64_t along = y.strides[dim], count = index.numel();
  if (count == 0) return;
  auto run = [&]<class T>(auto&& store) {
    const T* in = src.as<const T>();
    T* out = y.as<T>();
    const int64_t* at = index.as<const int64_t>();
    Walk<3> w(index.ndim, index.sizes, {src.strides, index.strides, rest.data()}, 0);
    for (int64_t i = 0; i < count; ++i, w.next()) store(out[w.offset[2] + at[w.offset[1]] * along], in[w.offset[0]]);
  };
  if (how == ScatterReduce::None) {
    dispatch_size(itemsize(y.dtype), [&]<class T>() { run.template operator()<T>([](T& a, T b) { a = b; }); });
  } else {
    dispatch_all(y.dtype, [&]<class T>() { run.template operator()<T>([how](T& a, T b) { a = reduce(a, b, how); }); });
  }
}

/// y = rows of x: y[o, i, ...] = x[o, index[i], ...] for contiguous x and y seen as (outer, n, inner).
void index_rows(Strided y, Strided x, Strided index, int64_t outer, int64_t rows, int64_t inner) {
  int64_t count = index.numel(), bytes = inner * itemsize(x.dtype);
  const char* in = x.as<const char>();
  char* out = y.as<char>();
  const int64_t* at = index.as<const int64_t>();
  int64_t step = index.ndim ? index.strides[0] : 0;
  parallel_for(outer * count, std::max<int64_t>(1, default_grain / std::max<int64_t>(inner, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t k = begin; k < end; ++k)
                   std::memcpy(out + k * bytes, in + (k / count * rows + at[k % count * step]) * bytes, size_t(bytes));
               });
}

/// y[o, index[i], ...] += x[o, i, ...] for contiguous x and y seen as (outer, rows, inner).  Threads take outer blocks
/// or columns, never the same element, and each adds in the order of the indices: the bits do not depend on their
/// number.
void index_add_rows(Strided y, Strided x, Strided index, int64_t outer, int64_t rows, int64_t inner) {
  int64_t count = index.numel();
  const int64_t* at = index.as<const int64_t>();
  int64_t step = index.ndim ? index.strides[0] : 0;
  dispatch_all(y.dtype, [&]<class T>() {
    const T* in = x.as<const T>();
    T* out = y.as<T>();
    auto columns = [&](int64_t o, int64_t from, int64_t to) {
      for (int64_t i = 0; i < count; ++i) {
        T* to_row = out + (o * rows + at[i * step]) * inner;
        const T* from_row = in + (o * count + i) * inner;
        for (int64_t c = from; c < to; ++c) to_row[c] = add(to_row[c], from_row[c]);
      }
    };
    if (outer > 1) {
      parallel_for(outer, std::max<int64_t>(1, default_grain / std::max<int64_t>(count * inner, 1)),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t o = begin; o < end; ++o) columns(o, 0, inner);
                   });
    } else {
      int64_t grain = std::max<int64_t>(16, default_grain / std::max<int64_t>(count, 1));
      parallel_for(inner, grain, [&](int64_t begin, int64_t end) { columns(0, begin, end); });
    }
  });
}

/// y[i] = x[sum_k index_k[i] * step_k]: advanced indexing.  y's trailing dimensions (those of `x`) are copied whole.
/// `positions` holds, for each index position, the offset in x (in elements) that the indices add up to.
void index_read(Strided y, Strided x, const int64_t* positions, int64_t count) {
  dispatch_size(itemsize(x.dtype), [&]<class T>() {
    const T* in = x.as<const T>();
    T* out = y.as<T>();
    int64_t inner = x.numel();
    if (inner == 0) return;
    int64_t grain = std::max<int64_t>(1, default_grain / 4 / std::max<int64_t>(inner, 1));
    parallel_for(count, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        Walk<1> w(x.ndim, x.sizes, {x.strides}, 0);
        const T* from = in + positions[i];
        T* to = out + i * inner;
        for (int64_t c = 0; c < inner; ++c, w.next()) to[c] = from[w.offset[0]];
      }
    });
  });
}

/// The reverse: y at the positions gets (or adds) values, which are contiguous (count, y's trailing dimensions).
void index_write(Strided y, Strided values, const int64_t* positions, int64_t count, bool accumulate) {
  int64_t inner = y.numel();
  if (inner == 0) return;
  auto run = [&]<class T>(auto&& store) {
    T* out = y.as<T>();
    const T* in = values.as<const T>();
    for (int64_t i = 0; i < count; ++i) {
      Walk<1> w(y.ndim, y.sizes, {y.strides}, 0);
      T* to = out + positions[i];
      const T* from = in + i * inner;
      for (int64_t c = 0; c < inner; ++c, w.next()) store(to[w.offset[0]], from[c]);
    }
  };
  if (accumulate)
    dispatch_all(y.dtype, [&]<class T>() { run.template operator()<T>([](T& a, T b) { a = add(a, b); }); });
  else
    dispatch_size(itemsize(y.dtype), [&]<class T>() { run.template operator()<T>([](T& a, T b) { a = b; }); });
}

/// extremes[0], [1] = least and greatest index, of at least one.
void index_extremes(int64_t* extremes, Strided index) {
  const int64_t* in = index.as<const int64_t>();
  Walk<1> w(index.ndim, index.sizes, {index.strides}, 0);
  int64_t low = in[0], high = in[0], count = index.numel();
  for (int64_t i = 0; i < count; ++i, w.next()) {
    low = std::min(low, in[w.offset[0]]);
    high = std::max(high, in[w.offset[0]]);
  }
  extremes[0] = low;
  extremes[1] = high;
}

/// positions[i] += index[i] * step; a negative index counts from `size`.
void index_positions(int64_t* positions, Strided index, int64_t size, int64_t step) {
  const int64_t* in = index.as<const int64_t>();
  int64_t count = index.numel();
  if (count == 0) return;
  Walk<1> w(index.ndim, index.sizes, {index.strides}, 0);
  for (int64_t i = 0; i < count; ++i, w.next()) {
    int64_t at = in[w.offset[0]];
    positions[i] += (at < 0 ? at + size : at) * step;
  }
}

/// Coordinates of the true elements of a mask, a row of y each: y is (count, ndim).
void nonzero(Strided y, Strided mask) {
  const bool* in = mask.as<const bool>();
  int64_t* out = y.as<int64_t>();
  int64_t total = mask.numel();
  if (total == 0) return;
  Walk<1> w(mask.ndim, mask.sizes, {mask.strides}, 0);
  for (int64_t i = 0; i < total; ++i, w.next()) {
    if (!in[w.offset[0]]) continue;
    for (int64_t d = 0; d < mask.ndim; ++d) out[d * y.strides[1]] = w.position(d);
    out += y.strides[0];
  }
}

}  // namespace lg::LG_ISA
