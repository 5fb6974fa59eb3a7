// BLAS: OpenBLAS from the scipy-openblas32 package, found and loaded when the first large product needs it.
//
// It runs single-threaded; kernels spread tiles over our own pool.  Matrices are row-major.
#pragma once

#include <cstdint>

#include "runtime/dtype.h"

namespace lg::blas {

/// Loads the library; call with the GIL held, before work is spread over threads.  Throws if it is not installed.
void load();

/// A matrix as BLAS takes it: rows `stride` elements apart, or, if transposed, columns.
template <class T>
struct Matrix {
  T* data;
  int64_t stride;
  bool transposed = false;
};

/// c[m, n] = a[m, k] b[k, n], or c += a b.  T: float, double, complex64, complex128.  No number may exceed 2^31 - 1.
template <class T>
void gemm(int64_t m, int64_t n, int64_t k, Matrix<const T> a, Matrix<const T> b, bool accumulate, Matrix<T> c);

}  // namespace lg::blas
