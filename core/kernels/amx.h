// Products of float32 matrices by the matrix tiles (AMX) of newer server processors.  See docs/design/matmul.md.
#pragma once

#include "kernels/gemm.h"

namespace lg::LG_ISA {

/// Are tiles there, and is a product of this size faster by them?
bool tiles_serve(int64_t m, int64_t n, int64_t k);

/// shared_gemm, where tiles_serve.
void tile_gemm(int64_t m, int64_t n, int64_t k, MatrixView<const float> a, MatrixView<const float> b,
               MatrixView<float> c, bool accumulate);

}  // namespace lg::LG_ISA
