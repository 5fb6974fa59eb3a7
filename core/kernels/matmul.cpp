// Matrix products.
//
// Three ways, by size.  Small products run simple loops: a block of four rows and one vector of columns stays in
// registers, and a call costs some tens of nanoseconds where gemm would take some hundreds.  Products with a vector are
// bound by memory and run loops of their own.  All else goes to gemm, which adds up k in an order that depends on k
// alone, so results have the same bits on any number of threads.  Transposed operands are passed on as they are; other
// layouts are packed.
#include <algorithm>
#include <type_traits>

#include "kernels/gemm.h"
#include "kernels/isa.h"
#include "kernels/vector.h"
#include "kernels/workspace.h"
#include "runtime/alloc.h"
#include "runtime/pool.h"
#include "runtime/strided.h"

namespace lg::LG_ISA {
namespace {

/// Sums of integers wrap, so they are kept unsigned.
template <class T>
using Sum = std::conditional_t<std::is_integral_v<T>, uint64_t, Compute<T>>;
template <class T>
inline constexpr bool is_gemm_type = std::is_same_v<T, float> || std::is_same_v<T, double> || is_complex_v<T>;
template <class T>
inline constexpr bool has_vectors = std::is_same_v<T, float> || std::is_same_v<T, double>;

constexpr int64_t small_work = 16384;         // m * n * k up to which simple loops beat gemm's set-up
constexpr int64_t small_pack = 4096;          // elements of the small path's buffer on the stack
constexpr int64_t parallel_work = 100000;     // m * n * k of one chunk
constexpr int64_t least_shared = 1'000'000;   // m * n * k from which one product is spread over threads,
constexpr int64_t surely_shared = 8'000'000;  // and each of several

template <class T>
using View = MatrixView<T>;

template <class T>
struct Product {
  int64_t m, n, k;
  View<const T> a, b;
  View<T> c;  // column stride 1, except where a product with a vector has been turned round
  bool accumulate;
};

template <class T>
inline Sum<T> load(T x) {
  return Sum<T>(Compute<T>(x));
}

template <class T>
inline void store(T& c, Sum<T> value, bool accumulate) {
  c = T(accumulate ? Sum<T>(load(c) + value) : value);
}

// ---- small products

/// `rows` rows from i on, one vector of columns from j on.  Rows of b are contiguous.
template <class T, int bytes, int rows>
inline void block(const Product<T>& p, int64_t i, int64_t j) {
  using V = Vector<T, bytes>;
  V sum[rows] = {};
  for (int64_t l = 0; l < p.k; ++l) {
    V b = *reinterpret_cast<const V*>(p.b.data + l * p.b.row + j);
    for (int r = 0; r < rows; ++r) sum[r] += p.a.at(i + r, l) * b;
  }
  for (int r = 0; r < rows; ++r) {
    V* c = reinterpret_cast<V*>(&p.c.at(i + r, j));
    *c = p.accumulate ? *c + sum[r] : sum[r];
  }
}

template <class T, int bytes>
inline int64_t columns_by(const Product<T>& p, int64_t j) {
  constexpr int64_t width = bytes / int64_t(sizeof(T));
  for (; j + width <= p.n; j += width) {
    int64_t i = 0;
    for (; i + 4 <= p.m; i += 4) block<T, bytes, 4>(p, i, j);
    for (; i < p.m; ++i) block<T, bytes, 1>(p, i, j);
  }
  return j;
}

template <class T>
void scalar_columns(const Product<T>& p, int64_t j) {
  for (; j < p.n; ++j)
    for (int64_t i = 0; i < p.m; ++i) {
      Sum<T> sum = 0;
      for (int64_t l = 0; l < p.k; ++l) sum += load(p.a.at(i, l)) * load(p.b.at(l, j));
      store(p.c.at(i, j), sum, p.accumulate);
    }
}

template <class T>
void pack(View<const T> from, int64_t rows, int64_t columns, T* to) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) to[i * columns + j] = from.at(i, j);
}

template <class T>
bool is_small(const Product<T>& p) {
  return p.m * p.n * p.k <= small_work && (!has_vectors<T> || p.b.column == 1 || p.k * p.n <= small_pack);
}

template <class T>
void small_product(Product<T> p) {
  if constexpr (has_vectors<T>) {
    T packed[small_pack];
    if (p.b.column != 1) {
      pack(p.b, p.k, p.n, packed);
      p.b = {packed, p.n, 1};
    }
    int64_t j = columns_by<T, 64>(p, 0);
    if constexpr (sizeof(T) == 4) j = columns_by<T, 32>(p, j);
    scalar_columns(p, columns_by<T, 16>(p, j));
  } else {
    scalar_columns(p, 0);
  }
}

// ---- products with a vector

template <class T>
Sum<T> dot(const T* a, const Sum<T>* x, int64_t k) {
  int64_t l = 0;
  Sum<T> sum = 0;
  if constexpr (has_vectors<T>) {
    using V = Vector<T, 64>;
    constexpr int64_t width = 64 / int64_t(sizeof(T));
    V sums[4] = {};
    for (; l + 4 * width <= k; l += 4 * width)
      for (int v = 0; v < 4; ++v)
        sums[v] += *reinterpret_cast<const V*>(a + l + v * width) * *reinterpret_cast<const V*>(x + l + v * width);
    V all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    for (int64_t w = 0; w < width; ++w) sum += all[w];
  }
  for (; l < k; ++l) sum += load(a[l]) * x[l];
  return sum;
}

/// c[m, 1] = a[m, k] x[k], x contiguous.  Walks a along whichever dimension is contiguous.
template <class T>
void vector_rows(const Product<T>& p, const Sum<T>* x, int64_t begin, int64_t end) {
  if (p.a.column == 1) {
    for (int64_t i = begin; i < end; ++i) store(p.c.at(i, 0), dot(&p.a.at(i, 0), x, p.k), p.accumulate);
    return;
  }
  constexpr int64_t width = 256;
  for (int64_t i = begin; i < end; i += width) {
    int64_t count = std::min(width, end - i);
    Sum<T> sums[width] = {};
    for (int64_t l = 0; l < p.k; ++l) {
      const T* a = &p.a.at(i, l);
      if (p.a.row == 1)
        for (int64_t r = 0; r < count; ++r) sums[r] += load(a[r]) * x[l];
      else
        for (int64_t r = 0; r < count; ++r) sums[r] += load(a[r * p.a.row]) * x[l];
    }
    for (int64_t r = 0; r < count; ++r) store(p.c.at(i + r, 0), sums[r], p.accumulate);
  }
}

template <class T>
void vector_product(Product<T> p) {
  if (p.n != 1) {  // a row times a matrix: turn everything round
    std::swap(p.m, p.n);
    std::swap(p.a, p.b);
    p.a = p.a.transposed();
    p.b = p.b.transposed();
    p.c = p.c.transposed();
  }
  Scratch scratch(size_t(p.k) * sizeof(Sum<T>));
  Sum<T>* x = scratch.as<Sum<T>>();
  for (int64_t l = 0; l < p.k; ++l) x[l] = load(p.b.at(l, 0));
  int64_t grain = std::max<int64_t>(1, parallel_work / p.k);
  if (p.a.column != 1) grain = std::max<int64_t>(grain, 64);  // whole cache lines
  parallel_for(p.m, grain, [&](int64_t begin, int64_t end) { vector_rows(p, x, begin, end); });
}

// ---- batches

/// Offsets of the matrices of one batch number, by its digits in the batch's sizes.
struct Batches {
  Strided c, a, b;
  int64_t count() const { return c.ndim > 2 ? product({c.sizes, size_t(c.ndim - 2)}) : 1; }

  template <class T>
  Product<T> at(int64_t batch, Product<T> p) const {
    for (int64_t d = c.ndim - 3; d >= 0; --d) {
      int64_t digit = batch % c.sizes[d];
      batch /= c.sizes[d];
      p.a.data += digit * a.strides[d];
      p.b.data += digit * b.strides[d];
      p.c.data += digit * c.strides[d];
    }
    return p;
  }
};

// ---- gemm

/// A layout that gemm takes.
template <class T>
bool fits_gemm(View<const T> v) {
  return v.row == 1 || v.column == 1;
}

/// A matrix in a layout that gemm takes, converted to the type of the sum; packed only if need be.
template <class T>
class Operand {
 public:
  Operand(View<const T> v, int64_t rows, int64_t columns)
      : ready_(std::is_same_v<T, Sum<T>> && fits_gemm(v)),
        scratch_(ready_ ? 0 : size_t(rows * columns) * sizeof(Sum<T>)) {
    if constexpr (std::is_same_v<T, Sum<T>>) {
      if (ready_) {
        view_ = v;
        return;
      }
    }
    Sum<T>* to = scratch_.template as<Sum<T>>();
    parallel_for(rows, std::max<int64_t>(1, default_grain / columns), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for (int64_t j = 0; j < columns; ++j) to[i * columns + j] = load(v.at(i, j));
    });
    view_ = {to, columns, 1};
  }
  View<const Sum<T>> view() const { return view_; }

 private:
  bool ready_;
  Scratch scratch_;
  View<const Sum<T>> view_{};
};

/// Products of operands that gemm takes: a large one after the other on all threads, others side by side.
template <class T>
void gemm_product(const Batches& batches, const Product<T>& first) {
  const int64_t count = batches.count(), work = first.m * first.n * first.k;
  if (work >= (count == 1 ? least_shared : surely_shared)) {
    for (int64_t batch = 0; batch < count; ++batch) {
      const Product<T> p = batches.at(batch, first);
      shared_gemm<T>(p.m, p.n, p.k, p.a, p.b, p.c, p.accumulate);
    }
    return;
  }
  const int64_t grain = std::max<int64_t>(1, least_shared / work);
  Workspace space(gemm_bytes<T>(first.m, first.k), (count + grain - 1) / grain);
  parallel_for(count, grain, [&](int64_t begin, int64_t end) {
    const Workspace::Piece room(space);
    for (int64_t batch = begin; batch < end; ++batch) {
      const Product<T> p = batches.at(batch, first);
      gemm<T>(p.m, p.n, p.k, p.a, p.b, p.c, p.accumulate, room.as<void>());
    }
  });
}

/// Integers: rows spread over threads.
template <class T>
void plain_product(const Product<T>& p) {
  parallel_for(p.m, std::max<int64_t>(1, parallel_work / (p.n * p.k)), [&](int64_t begin, int64_t end) {
    Product<T> rows = p;
    rows.m = end - begin;
    rows.a.data += begin * p.a.row;
    rows.c.data += begin * p.c.row;
    scalar_columns(rows, 0);
  });
}

/// One product whose operands have to be packed first.
template <class T>
void packed_product(const Product<T>& p) {
  Operand<T> a(p.a, p.m, p.k), b(p.b, p.k, p.n);
  gemm_product<T>(Batches(), {p.m, p.n, p.k, a.view(), b.view(), p.c, p.accumulate});
}

/// float16 and bfloat16: computed in float, rounded once at the end.
template <class T>
void half_product(const Product<T>& p) {
  Operand<T> a(p.a, p.m, p.k), b(p.b, p.k, p.n);
  Scratch scratch(size_t(p.m * p.n) * sizeof(float));
  View<float> sums{scratch.as<float>(), p.n, 1};
  gemm_product<float>(Batches(), {p.m, p.n, p.k, a.view(), b.view(), sums, false});
  parallel_for(p.m, std::max<int64_t>(1, default_grain / p.n), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t j = 0; j < p.n; ++j) store(p.c.at(i, j), sums.at(i, j), p.accumulate);
  });
}

// ---- by size

template <class T>
View<T> view_of(const Strided& s) {
  return {s.as<T>(), s.strides[s.ndim - 2], s.strides[s.ndim - 1]};
}

template <class T>
void run(const Batches& batches, const Product<T>& first) {
  int64_t count = batches.count(), work = first.m * first.n * first.k;
  if (is_small(first)) {
    if (count == 1) return small_product(first);
    return parallel_for(count, std::max<int64_t>(1, parallel_work / std::max<int64_t>(work, 1)),
                        [&](int64_t begin, int64_t end) {
                          for (int64_t batch = begin; batch < end; ++batch) small_product(batches.at(batch, first));
                        });
  }
  bool vector = first.m == 1 || first.n == 1;
  if constexpr (is_gemm_type<T>)
    if (!vector && fits_gemm(first.a) && fits_gemm(first.b)) return gemm_product(batches, first);
  for (int64_t batch = 0; batch < count; ++batch) {
    Product<T> p = batches.at(batch, first);
    if (vector)
      vector_product(p);
    else if constexpr (is_half_v<T>)
      half_product(p);
    else if constexpr (is_gemm_type<T>)
      packed_product(p);
    else
      plain_product(p);
  }
}

}  // namespace

void matmul(Strided c, Strided a, Strided b, bool accumulate) {
  if (c.numel() == 0) return;
  int64_t m = c.sizes[c.ndim - 2], n = c.sizes[c.ndim - 1], k = a.sizes[a.ndim - 1];
  auto go = [&]<class T>() {
    run<T>({c, a, b}, {m, n, k, view_of<const T>(a), view_of<const T>(b), view_of<T>(c), accumulate});
  };
  if (is_inexact(c.dtype))
    dispatch_inexact(c.dtype, go);
  else
    dispatch_integral(c.dtype, go);
}

}  // namespace lg::LG_ISA
