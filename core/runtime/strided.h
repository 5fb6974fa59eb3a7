// Strided: memory as a kernel sees it.  It owns nothing; sizes and strides (in elements) live in the tensor behind it.
#pragma once

#include "runtime/dims.h"
#include "runtime/dtype.h"

namespace lg {

struct Strided {
  void* data = nullptr;  // first element; null on the meta device and for empty tensors
  DType dtype = DType::Float32;
  int64_t ndim = 0;
  const int64_t* sizes = nullptr;
  const int64_t* strides = nullptr;

  int64_t numel() const { return product({sizes, size_t(ndim)}); }
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  /// Row-major without gaps.
  bool contiguous() const {
    int64_t expected = 1;
    for (int64_t i = ndim - 1; i >= 0; --i) {
      if (sizes[i] == 1) continue;
      if (strides[i] != expected) return false;
      expected *= sizes[i];
    }
    return true;
  }
};

}  // namespace lg
