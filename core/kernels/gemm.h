// The matrix product of one thread: what matmul, convolutions and recurrent nets cut their work into.
//
// Built for AVX2 and AVX-512 it is our own; for other instruction sets it is the BLAS library's.  See
// docs/design/matmul.md.
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

/// Call before gemm, GIL held, on the thread that spreads the work: it may have to load a library.
template <class T>
void prepare_gemm();

/// c[m, n] = a[m, k] b[k, n], or c += a b, on the calling thread.  T: float, double, complex64, complex128.  One stride
/// of a and of b is 1, c's column stride is 1, nothing overlaps c; no number exceeds 2^31 - 1.
template <class T>
void gemm(int64_t m, int64_t n, int64_t k, MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c,
          bool accumulate);

}  // namespace lg::LG_ISA
