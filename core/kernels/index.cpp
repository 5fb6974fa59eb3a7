// Kernels that read at indices.  Those that write there are in index_write.cpp, those led by a mask in mask.cpp.
//
// Indices are int64.  A kernel that takes them unchecked says whether all were in range; its output is good only then.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/index.h"
#include "kernels/loop.h"

namespace lg::LG_ISA {

namespace {

/// Are all n indices in [low, size), low <= 0?  A number out of range has its sign bit in one of the two terms.
bool in_range(const char* index, int64_t stride, int64_t n, int64_t low, int64_t size) {
  int64_t signs = 0;
  if (stride == 8) {
    const int64_t* at = reinterpret_cast<const int64_t*>(index);
    for (int64_t i = 0; i < n; ++i) signs |= (at[i] - low) | (size - 1 - at[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) {
      const int64_t at = *reinterpret_cast<const int64_t*>(index + i * stride);
      signs |= (at - low) | (size - 1 - at);
    }
  }
  return signs >= 0;
}

std::pair<int64_t, int64_t> extremes_of(const int64_t* in, int64_t step, int64_t n) {
  int64_t low = in[0], high = in[0];
  if (step == 1)
    for (int64_t i = 0; i < n; ++i) {
      const int64_t at = in[i];
      low = at < low ? at : low;
      high = at > high ? at : high;
    }
  else
    for (int64_t i = 0; i < n; ++i) {
      low = std::min(low, in[i * step]);
      high = std::max(high, in[i * step]);
    }
  return {low, high};
}

/// y[i] = x[i * step + index[i] * along].
template <class T>
void gather_run(T* y, int64_t y_step, const T* x, int64_t step, const int64_t* index, int64_t index_step, int64_t along,
                int64_t n) {
  if (y_step == 1 && index_step == 1 && step == 0 && along == 1)
    for (int64_t i = 0; i < n; ++i) y[i] = x[index[i]];
  else if (y_step == 1 && index_step == 1)
    for (int64_t i = 0; i < n; ++i) y[i] = x[i * step + index[i] * along];
  else
    for (int64_t i = 0; i < n; ++i) y[i * y_step] = x[i * step + index[i * index_step] * along];
}

}  // namespace

/// y[..i..] = x[..index[..i..]..] along dim; y and index have one shape.
void gather(Strided y, Strided x, Strided index, int64_t dim, bool* ok) {
  std::vector<int64_t> rest(x.strides, x.strides + x.ndim);  // x's strides with none along dim
  rest[size_t(dim)] = 0;
  const int64_t along = x.strides[dim], size = x.sizes[dim];
  const Strided operands[] = {y, index, {x.data, x.dtype, x.ndim, index.sizes, rest.data()}};
  const Plan p = make_plan(operands, 3);
  std::atomic<bool> good{true};
  dispatch_size(itemsize(x.dtype), [&]<class T>() {
    parallel_for(p.numel, default_grain / 4, [&](int64_t begin, int64_t end) {
      for_each_run(p, begin, end, [&](char* const* at, const int64_t* strides, int64_t n) {
        if (!in_range(at[1], strides[1], n, 0, size)) return good.store(false, std::memory_order_relaxed);
        gather_run(reinterpret_cast<T*>(at[0]), strides[0] / int64_t(sizeof(T)), reinterpret_cast<const T*>(at[2]),
                   strides[2] / int64_t(sizeof(T)), reinterpret_cast<const int64_t*>(at[1]), strides[1] / 8, along, n);
      });
    });
  });
  *ok = good;
}

/// y = rows of x: y[o, i, ...] = x[o, index[i], ...] for contiguous x and y seen as (outer, n, inner).  A negative
/// index counts from the end.
void index_rows(Strided y, Strided x, Strided index, int64_t outer, int64_t rows, int64_t inner) {
  const int64_t count = index.numel(), step = index.ndim ? index.strides[0] : 0;
  const int64_t* at = index.as<const int64_t>();
  auto row = [=](int64_t i) { return at[i * step] < 0 ? at[i * step] + rows : at[i * step]; };
  const int64_t grain = std::max<int64_t>(1, default_grain / 4 / std::max<int64_t>(inner, 1));
  // f(o, from, to): indices [from, to) in block o.
  auto for_blocks = [&](auto&& f) {
    parallel_for(outer * count, grain, [&](int64_t begin, int64_t end) {
      for (int64_t o = begin / count; begin < end; ++o) {
        const int64_t from = begin - o * count, to = std::min(count, end - o * count);
        f(o, from, to);
        begin = (o + 1) * count;
      }
    });
  };
  if (inner == 1) {
    dispatch_size(itemsize(x.dtype), [&]<class T>() {
      for_blocks([&](int64_t o, int64_t from, int64_t to) {
        const T* in = x.as<const T>() + o * rows;
        T* out = y.as<T>() + o * count;
        for (int64_t i = from; i < to; ++i) out[i] = in[row(i)];
      });
    });
    return;
  }
  const int64_t bytes = inner * itemsize(x.dtype);
  for_blocks([&](int64_t o, int64_t from, int64_t to) {
    const char* in = x.as<const char>() + o * rows * bytes;
    char* out = y.as<char>() + o * count * bytes;
    for (int64_t i = from; i < to; ++i) {
      if (i + rows_ahead < to) prefetch<false>(in + row(i + rows_ahead) * bytes, bytes);
      copy_bytes(out + i * bytes, in + row(i) * bytes, bytes);
    }
  });
}

/// y[i] = the block of x at positions[i]: advanced indexing.  `x` has the dimensions that are copied whole, and
/// `positions` the offset of each block in elements.
void index_read(Strided y, Strided x, const int64_t* positions, int64_t count) {
  const int64_t inner = x.numel(), grain = std::max<int64_t>(1, default_grain / 4 / std::max<int64_t>(inner, 1));
  if (inner == 0) return;
  dispatch_size(itemsize(x.dtype), [&]<class T>() {
    const T* in = x.as<const T>();
    T* out = y.as<T>();
    if (inner == 1)
      parallel_for(count, grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) out[i] = in[positions[i]];
      });
    else if (x.contiguous())
      parallel_for(count, grain, [&](int64_t begin, int64_t end) {
        const int64_t bytes = inner * int64_t(sizeof(T));
        for (int64_t i = begin; i < end; ++i) {
          if (i + rows_ahead < end) prefetch<false>(in + positions[i + rows_ahead], bytes);
          copy_bytes(out + i * inner, in + positions[i], bytes);
        }
      });
    else
      parallel_for(count, grain, [&, offsets = offsets_of(x)](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          for (int64_t c = 0; c < inner; ++c) out[i * inner + c] = in[positions[i] + offsets[size_t(c)]];
      });
  });
}

/// extremes[0], [1] = least and greatest index, of at least one.
void index_extremes(int64_t* extremes, Strided index) {
  const Plan p = make_plan(&index, 1);
  std::atomic<int64_t> least{std::numeric_limits<int64_t>::max()}, greatest{std::numeric_limits<int64_t>::min()};
  parallel_for(p.numel, default_grain, [&](int64_t begin, int64_t end) {
    int64_t low = std::numeric_limits<int64_t>::max(), high = std::numeric_limits<int64_t>::min();
    for_each_run(p, begin, end, [&](char* const* at, const int64_t* strides, int64_t n) {
      const auto [least_here, greatest_here] = extremes_of(reinterpret_cast<const int64_t*>(at[0]), strides[0] / 8, n);
      low = std::min(low, least_here);
      high = std::max(high, greatest_here);
    });
    for (int64_t seen = least; low < seen && !least.compare_exchange_weak(seen, low);) {}
    for (int64_t seen = greatest; high > seen && !greatest.compare_exchange_weak(seen, high);) {}
  });
  extremes[0] = least;
  extremes[1] = greatest;
}

/// positions[i] = index[i] * step, or more by that if `add`; a negative index counts from `size`.
void index_positions(int64_t* positions, Strided index, int64_t size, int64_t step, bool add, bool* ok) {
  std::vector<int64_t> dense(size_t(index.ndim), 1);
  for (int64_t d = index.ndim - 2; d >= 0; --d) dense[size_t(d)] = dense[size_t(d) + 1] * index.sizes[d + 1];
  const Strided operands[] = {{positions, DType::Int64, index.ndim, index.sizes, dense.data()}, index};
  const Plan p = make_plan(operands, 2);
  std::atomic<bool> good{true};
  parallel_for(p.numel, default_grain / 2, [&](int64_t begin, int64_t end) {
    for_each_run(p, begin, end, [&](char* const* pointers, const int64_t* strides, int64_t n) {
      if (!in_range(pointers[1], strides[1], n, -size, size)) return good.store(false, std::memory_order_relaxed);
      int64_t* __restrict out = reinterpret_cast<int64_t*>(pointers[0]);
      const int64_t* __restrict in = reinterpret_cast<const int64_t*>(pointers[1]);
      const int64_t stride = strides[1] / 8;
      auto position = [=](int64_t i) { return (i < 0 ? i + size : i) * step; };
      if (add && stride == 1)
        for (int64_t i = 0; i < n; ++i) out[i] += position(in[i]);
      else if (add)
        for (int64_t i = 0; i < n; ++i) out[i] += position(in[i * stride]);
      else
        for (int64_t i = 0; i < n; ++i) out[i] = position(in[i * stride]);
    });
  });
  *ok = *ok && good;
}

}  // namespace lg::LG_ISA
