// Copies and fills: any dtype to any dtype, any layout to any layout.
//
// Everything stands on one table of loops that convert n elements between two strided rows.  Two refinements: equal
// dense layouts are one memcpy, and transposes go tile by tile, so that both sides use whole cache lines.
#include <array>

#include "kernels/loop.h"
#include "kernels/vector.h"

namespace lg::LG_ISA {
namespace {

/// A bool in memory may be any byte: it is read as one.
template <class To, class From>
void convert_row(char* dst, int64_t ds, const char* src, int64_t ss, int64_t n) {
  using In = std::conditional_t<std::is_same_v<From, bool>, uint8_t, From>;
  if (ds == sizeof(To) && ss == sizeof(In)) {
    To* y = reinterpret_cast<To*>(dst);
    const In* x = reinterpret_cast<const In*>(src);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = convert<To>(x[i]);
    return;
  }
  for (int64_t i = 0; i < n; ++i)
    *reinterpret_cast<To*>(dst + i * ds) = convert<To>(*reinterpret_cast<const In*>(src + i * ss));
}

template <class T>
void move_row(char* dst, int64_t ds, const char* src, int64_t ss, int64_t n) {
  T* y = reinterpret_cast<T*>(dst);
  if (ds == sizeof(T) && ss == sizeof(T)) {
    std::memcpy(dst, src, size_t(n) * sizeof(T));
  } else if (ds == sizeof(T) && ss == 0) {
    std::fill_n(y, n, *reinterpret_cast<const T*>(src));
  } else if (ds == sizeof(T)) {
    for (int64_t i = 0; i < n; ++i) y[i] = *reinterpret_cast<const T*>(src + i * ss);
  } else {
    for (int64_t i = 0; i < n; ++i) *reinterpret_cast<T*>(dst + i * ds) = *reinterpret_cast<const T*>(src + i * ss);
  }
}

template <class To, class From>
constexpr ConvertLoop row_loop() {
  if constexpr (!std::is_same_v<To, From>)
    return &convert_row<To, From>;
  else if constexpr (sizeof(To) == 1)
    return &move_row<uint8_t>;
  else if constexpr (sizeof(To) == 2)
    return &move_row<uint16_t>;
  else if constexpr (sizeof(To) == 4)
    return &move_row<uint32_t>;
  else if constexpr (sizeof(To) == 8)
    return &move_row<uint64_t>;
  else
    return &move_row<Bytes16>;
}
template <class To>
constexpr std::array<ConvertLoop, num_dtypes> loops_to = {
#define X(name, type, ...) row_loop<To, type>(),
    LG_DTYPES(X)
#undef X
};
constexpr const std::array<ConvertLoop, num_dtypes>* convert_loops[] = {
#define X(name, type, ...) &loops_to<type>,
    LG_DTYPES(X)
#undef X
};

/// dst[i, j] = src[j, i]: i runs along dst's inner dimension, j along src's.  Tile by tile, so that both sides use
/// whole cache lines; in a tile by squares that turn in registers.
template <class T>
void transpose_tiles(char* dst, int64_t dst_j, const char* src, int64_t src_i, int64_t ni, int64_t nj) {
  constexpr int64_t tile = 64;
  constexpr bool has_squares = sizeof(T) == 4 || sizeof(T) == 8;
  constexpr int64_t side = has_squares ? vector_bytes / int64_t(sizeof(T)) : 1;
  const int64_t item = sizeof(T);
  auto single = [&](int64_t i0, int64_t i1, int64_t j0, int64_t j1) {
    for (int64_t j = j0; j < j1; ++j) {
      T* y = reinterpret_cast<T*>(dst + j * dst_j);
      for (int64_t i = i0; i < i1; ++i) y[i] = *reinterpret_cast<const T*>(src + i * src_i + j * item);
    }
  };
  for (int64_t j0 = 0; j0 < nj; j0 += tile)
    for (int64_t i0 = 0; i0 < ni; i0 += tile) {
      const int64_t i1 = std::min(i0 + tile, ni), j1 = std::min(j0 + tile, nj);
      int64_t j = j0;
      if constexpr (has_squares)
        for (; j + side <= j1; j += side) {
          int64_t i = i0;
          for (; i + side <= i1; i += side)
            copy_square<vector_bytes>(reinterpret_cast<T*>(dst + j * dst_j) + i, dst_j / item,
                                      reinterpret_cast<const T*>(src + i * src_i) + j, src_i / item);
          single(i, i1, j, j + side);
        }
      single(i0, i1, j, j1);
    }
}

/// The dimension along which src is dense while dst is dense along dimension 0, or -1.
int transposed_dimension(const Plan& p, int64_t item) {
  // Squares need whole elements from row to row.
  if (p.strides[0][0] != item || p.strides[1][0] <= item || p.strides[1][0] % item || p.sizes[0] < 8) return -1;
  for (int d = 1; d < p.ndim; ++d)
    if (p.strides[1][d] == item && p.sizes[d] >= 8 && p.strides[0][d] % item == 0) return d;
  return -1;
}

/// Both sides dense along dimension 0, but for less than it takes to make a call of memcpy worth its cost.
bool has_short_rows(const Plan& p, int64_t item) {
  return p.ndim > 1 && p.strides[0][0] == item && p.strides[1][0] == item && p.sizes[0] * item % 16 == 0 &&
         p.sizes[0] * item <= 1024;
}
void copy_short_rows(const Plan& p, int64_t item) {
  const int64_t rows = p.numel / p.sizes[0], bytes = p.sizes[0] * item;
  parallel_for(rows, std::max<int64_t>(1, default_grain / p.sizes[0]), [&](int64_t begin, int64_t end) {
    Position at(p, begin * p.sizes[0]);
    for (int64_t row = begin; row < end;) {
      char* dst = at.at(p, 0);
      const char* src = at.at(p, 1);
      const int64_t count = std::min(p.sizes[1] - at.index[1], end - row);
      for (int64_t r = 0; r < count; ++r, dst += p.strides[0][1], src += p.strides[1][1])
        for (int64_t i = 0; i < bytes; i += 16) store_vector(dst + i, load_vector<char, 16>(src + i));
      row += count;
      if (row < end) at = Position(p, row * p.sizes[0]);
    }
  });
}

void copy_transposed(Plan p, int d, int64_t item) {
  // Dimensions 0 and d are one tile-wise transpose; the others are walked, split further along d to give every thread
  // work.
  std::swap(p.sizes[1], p.sizes[d]);
  for (int k = 0; k < 2; ++k) std::swap(p.strides[k][1], p.strides[k][d]);
  const int64_t ni = p.sizes[0], nj = p.sizes[1], strip = std::max<int64_t>(32, default_grain / ni / 32 * 32);
  const int64_t strips = (nj + strip - 1) / strip, rest = p.numel / (ni * nj);
  parallel_for(rest * strips, std::max<int64_t>(1, default_grain / (ni * std::min(strip, nj))),
               [&](int64_t begin, int64_t end) {
                 for (int64_t s = begin; s < end; ++s) {
                   char* dst = p.data[0];
                   const char* src = p.data[1];
                   int64_t outer = s / strips, j = s % strips * strip;
                   for (int k = 2; k < p.ndim; ++k) {
                     dst += outer % p.sizes[k] * p.strides[0][k];
                     src += outer % p.sizes[k] * p.strides[1][k];
                     outer /= p.sizes[k];
                   }
                   dispatch_size(item, [&]<class T>() {
                     transpose_tiles<T>(dst + j * p.strides[0][1], p.strides[0][1], src + j * item, p.strides[1][0], ni,
                                        std::min(strip, nj - j));
                   });
                 }
               });
}

}  // namespace

ConvertLoop convert_loop(DType to, DType from) { return (*convert_loops[int(to)])[size_t(from)]; }

void copy(Strided dst, Strided src) {
  const ConvertLoop convert = convert_loop(dst.dtype, src.dtype);
  const Strided operands[] = {dst, src};
  const Plan plan = make_plan(operands, 2);
  if (plan.numel == 0) return;
  if (dst.dtype == src.dtype) {
    const int64_t item = itemsize(dst.dtype);
    if (int d = transposed_dimension(plan, item); d > 0) return copy_transposed(plan, d, item);
    if (has_short_rows(plan, item)) return copy_short_rows(plan, item);
  }
  const int64_t item = itemsize(dst.dtype);
  const bool streamed = dst.dtype == src.dtype && 2 * plan.numel * item >= streamed_bytes;
  parallel_for(plan.numel, default_grain, [&](int64_t begin, int64_t end) {
    for_each_run(plan, begin, end, [&](char* const* p, const int64_t* s, int64_t n) {
      if (streamed && s[0] == item && s[1] == item)
        stream(p[0], p[1], n * item);
      else
        convert(p[0], s[0], p[1], s[1], n);
    });
  });
}

void fill(Strided dst, const void* value) {
  static constexpr int64_t none = 0;
  copy(dst, {const_cast<void*>(value), dst.dtype, 0, &none, &none});
}

}  // namespace lg::LG_ISA
