// The matrix product: on one thread, for what convolutions cut their work into, and on all of them.
// See docs/design/matmul.md.
#pragma once

#include <cstdint>

#include "kernels/isa.h"
#include "runtime/dtype.h"

namespace lg::LG_ISA {

/// A matrix in memory; strides in elements.
template <class T>
struct MatrixView {
  T* data;
  int64_t row, column;

  T& at(int64_t i, int64_t j) const { return data[i * row + j * column]; }
  MatrixView transposed() const { return {data, column, row}; }
};

/// Bytes of working memory that gemm needs for these sizes and all lesser ones.
template <class T>
int64_t gemm_bytes(int64_t m, int64_t k);

/// c[m, n] = a[m, k] b[k, n], or c += a b, on the calling thread.  T: float, double, complex64, complex128.  One stride
/// of a and of b is 1, c's column stride is 1, nothing overlaps c; `room` has gemm_bytes(m, k).
template <class T>
void gemm(int64_t m, int64_t n, int64_t k, MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c,
          bool accumulate, void* room);

/// The same on all threads, with the same bits; not within a chunk.
template <class T>
void shared_gemm(int64_t m, int64_t n, int64_t k, MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c,
                 bool accumulate);

}  // namespace lg::LG_ISA
