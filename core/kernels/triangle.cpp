// Triangles of matrices: y = x below (or above) a diagonal, 0 elsewhere.  y is contiguous.
#include "kernels/isa.h"
#include "runtime/pool.h"
#include "runtime/strided.h"

namespace lg::LG_ISA {

void triangle(Strided y, Strided x, int64_t diagonal, bool upper) {
  int64_t rows = x.sizes[x.ndim - 2], columns = x.sizes[x.ndim - 1];
  int64_t row_stride = x.strides[x.ndim - 2], column_stride = x.strides[x.ndim - 1];
  int64_t matrices = rows > 0 && columns > 0 ? y.numel() / (rows * columns) : 0;
  dispatch_size(itemsize(x.dtype), [&]<class T>() {
    parallel_for(matrices * rows, std::max<int64_t>(1, default_grain / std::max<int64_t>(columns, 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t k = begin; k < end; ++k) {
                     int64_t row = k % rows, matrix = k / rows, offset = row * row_stride;
                     for (int64_t d = x.ndim - 3; d >= 0; --d) {
                       offset += matrix % x.sizes[d] * x.strides[d];
                       matrix /= x.sizes[d];
                     }
                     const T* in = x.as<const T>() + offset;
                     T* out = y.as<T>() + k * columns;
                     for (int64_t c = 0; c < columns; ++c) {
                       bool keep = upper ? c - row >= diagonal : c - row <= diagonal;
                       out[c] = keep ? in[c * column_stride] : T{};
                     }
                   }
                 });
  });
}

}  // namespace lg::LG_ISA
