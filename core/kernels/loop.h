// From strides to loops: the only place that walks over tensors of any layout.
//
// A Plan describes n operands (the output first) over one shape: broadcast dimensions get stride 0, size-1 dimensions
// vanish, the rest are ordered by the output's strides and merged where every operand allows it, so that most calls end
// as one long row.  Two ways to run a plan: `for_each_run` hands out rows with their strides; `run_blocks` feeds a
// dense loop, and whatever is not dense or has another dtype goes through a small buffer.  So an operator needs one
// loop per type, and that one is contiguous and vectorized.
#pragma once

#include <algorithm>
#include <cstring>

#include "kernels/isa.h"
#include "kernels/pointwise.h"
#include "kernels/stream.h"
#include "runtime/pool.h"
#include "runtime/strided.h"

namespace lg::LG_ISA {

inline constexpr int max_operands = 5, max_dims = 64;

/// y[i] = f(x[i]...) over dense memory: operands[0] is y.  An input may be y itself.
using DenseLoop = void (*)(char* const* operands, int64_t n);

/// n elements from src to dst, converted; strides in bytes.
using ConvertLoop = void (*)(char* dst, int64_t dst_stride, const char* src, int64_t src_stride, int64_t n);
ConvertLoop convert_loop(DType to, DType from);

struct Plan {
  int operands, ndim;
  int64_t numel;
  int64_t sizes[max_dims];                  // innermost first, ndim >= 1
  int64_t strides[max_operands][max_dims];  // in bytes
  char* data[max_operands];
};

/// Operands are aligned at their last dimension and broadcast to the first one.
inline Plan make_plan(const Strided* x, int count) {
  Plan p;
  p.operands = count;
  p.numel = 1;
  int n = 0;
  for (int64_t d = x[0].ndim - 1; d >= 0; --d) {
    int64_t size = x[0].sizes[d];
    p.numel *= size;
    if (size == 1) continue;
    p.sizes[n] = size;
    for (int k = 0; k < count; ++k) {
      int64_t own = d - (x[0].ndim - x[k].ndim);
      p.strides[k][n] = own < 0 || x[k].sizes[own] == 1 ? 0 : x[k].strides[own] * itemsize(x[k].dtype);
    }
    ++n;
  }
  for (int k = 0; k < count; ++k) p.data[k] = x[k].as<char>();

  // Inner dimensions first, as the output lies in memory; the inputs decide where it does not.  Insertion sort: n is
  // small.
  auto inner = [&](int a, int b) {
    for (int k = 0; k < count; ++k)
      if (p.strides[k][a] != p.strides[k][b]) return p.strides[k][a] < p.strides[k][b];
    return false;
  };
  for (int i = 1; i < n; ++i)
    for (int j = i; j > 0 && inner(j, j - 1); --j) {
      std::swap(p.sizes[j], p.sizes[j - 1]);
      for (int k = 0; k < count; ++k) std::swap(p.strides[k][j], p.strides[k][j - 1]);
    }

  int last = 0;
  for (int i = 1; i < n; ++i) {
    bool merges = true;
    for (int k = 0; k < count; ++k) merges &= p.strides[k][i] == p.strides[k][last] * p.sizes[last];
    if (merges) {
      p.sizes[last] *= p.sizes[i];
      continue;
    }
    ++last;
    p.sizes[last] = p.sizes[i];
    for (int k = 0; k < count; ++k) p.strides[k][last] = p.strides[k][i];
  }
  p.ndim = n ? last + 1 : 1;
  if (n == 0) {
    p.sizes[0] = 1;
    for (int k = 0; k < count; ++k) p.strides[k][0] = 0;
  }
  return p;
}

/// A position in a plan: the odometer that all walks share.
struct Position {
  int64_t index[max_dims];
  Position(const Plan& p, int64_t linear) {
    for (int d = 0; d < p.ndim; ++d) {
      index[d] = linear % p.sizes[d];
      linear /= p.sizes[d];
    }
  }
  char* at(const Plan& p, int k) const {
    char* address = p.data[k];
    for (int d = 0; d < p.ndim; ++d) address += index[d] * p.strides[k][d];
    return address;
  }
  int64_t row_left(const Plan& p) const { return p.sizes[0] - index[0]; }
  /// By at most row_left.
  void advance(const Plan& p, int64_t n) {
    index[0] += n;
    for (int d = 0; d + 1 < p.ndim && index[d] == p.sizes[d]; ++d) {
      index[d] = 0;
      ++index[d + 1];
    }
  }
};

/// f(pointers, strides, n) for each row, or part of one, of elements [begin, end).
template <class F>
inline void for_each_run(const Plan& p, int64_t begin, int64_t end, F&& f) {
  int64_t strides[max_operands];
  for (int k = 0; k < p.operands; ++k) strides[k] = p.strides[k][0];
  for (int64_t i = begin; i < end;) {
    Position at(p, i);
    char* pointers[max_operands];
    for (int k = 0; k < p.operands; ++k) pointers[k] = at.at(p, k);
    int64_t n = std::min(at.row_left(p), end - i);
    f(pointers, strides, n);
    i += n;
    if (at.index[0] > 0 || p.ndim == 1) continue;
    // Whole rows along the second dimension follow without looking for their places.
    for (int64_t row = at.index[1] + 1; row < p.sizes[1] && i < end; ++row, i += n) {
      for (int k = 0; k < p.operands; ++k) pointers[k] += p.strides[k][1];
      n = std::min(p.sizes[0], end - i);
      f(pointers, strides, n);
    }
  }
}

/// What run_blocks needs to know of an operand.
struct Feed {
  int64_t itemsize;     // of the dtype in the loop
  ConvertLoop convert;  // to the loop's dtype; for the output, from it
  bool same_dtype;
  bool linear;            // dense in the plan's order
  bool repeats;           // the same in every row, and in row-by-row plans the same throughout
  bool streamed = false;  // of the output: written past the caches
};

/// Rows at least this long run by themselves; shorter ones are strung together in the buffers.
inline bool runs_by_row(const Plan& p) { return p.sizes[0] >= 64 || p.ndim == 1; }

/// Work for one thread: whole rows where rows are short, so that what repeats is laid out once.
inline int64_t chunk(const Plan& p, int64_t grain) {
  return runs_by_row(p) ? grain : (grain + p.sizes[0] - 1) / p.sizes[0] * p.sizes[0];
}

/// Runs `loop` over elements [begin, end) of a plan; `begin` is the start of a row where rows are short.
inline void run_blocks(const Plan& p, const Feed* feeds, DenseLoop loop, int64_t begin, int64_t end) {
  constexpr int64_t buffer_bytes = 4096;  // five of them stay in the first-level cache
  alignas(64) char buffers[max_operands][buffer_bytes];
  const bool by_row = runs_by_row(p);
  bool direct[max_operands], buffered = false;
  int64_t block = buffer_bytes;
  for (int k = 0; k < p.operands; ++k) {
    const Feed& f = feeds[k];
    direct[k] = f.same_dtype && !f.streamed && (f.linear || (by_row && p.strides[k][0] == f.itemsize));
    buffered |= !direct[k];
    block = std::min(block, buffer_bytes / f.itemsize);
  }
  if (!by_row) block = block / p.sizes[0] * p.sizes[0];
  if (!buffered) block = end - begin;

  // Between memory and a dense buffer, row by row.
  auto transfer = [&](int k, Position at, int64_t n, bool out) {
    const int64_t item = feeds[k].itemsize;
    char* buffer = buffers[k];
    while (n > 0) {
      int64_t run = std::min(at.row_left(p), n);
      if (out)
        feeds[k].convert(at.at(p, k), p.strides[k][0], buffer, item, run);
      else
        feeds[k].convert(buffer, item, at.at(p, k), p.strides[k][0], run);
      at.advance(p, run);
      buffer += run * item;
      n -= run;
    }
  };
  Position at(p, begin);
  for (int k = 1; k < p.operands; ++k)
    if (feeds[k].repeats && !direct[k]) transfer(k, at, std::min(block, end - begin), false);
  for (int64_t i = begin; i < end;) {
    int64_t n = std::min(block, end - i);
    if (by_row) n = std::min(n, at.row_left(p));
    char* operands[max_operands];
    for (int k = 0; k < p.operands; ++k) {
      if (direct[k])
        operands[k] = feeds[k].linear ? p.data[k] + i * feeds[k].itemsize : at.at(p, k);
      else
        operands[k] = buffers[k];
      if (k > 0 && !direct[k] && !feeds[k].repeats) transfer(k, at, n, false);
    }
    loop(operands, n);
    if (feeds[0].streamed)
      stream(p.data[0] + i * feeds[0].itemsize, buffers[0], n * feeds[0].itemsize);
    else if (!direct[0])
      transfer(0, at, n, true);
    i += n;
    if (by_row)
      at.advance(p, n);
    else if (i < end)
      at = Position(p, i);
  }
}

}  // namespace lg::LG_ISA
