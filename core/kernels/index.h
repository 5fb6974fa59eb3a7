// What the kernels that read and those that write at indices share: rows far apart in memory, moved fast.
#pragma once

#include <cstring>
#include <vector>

#include "kernels/isa.h"
#include "runtime/strided.h"

namespace lg::LG_ISA {

/// How many rows before its use a row is asked for, so that memory answers in time.
inline constexpr int64_t rows_ahead = 8;

/// Asks for the first 512 bytes of a row; the hardware follows from there.
template <bool write>
inline void prefetch(const void* row, int64_t bytes) {
  for (int64_t b = 0; b < bytes && b < 512; b += 64) __builtin_prefetch(static_cast<const char*>(row) + b, write);
}

/// memcpy without the call where rows are short.
inline void copy_bytes(void* to, const void* from, int64_t bytes) {
  char* out = static_cast<char*>(to);
  const char* in = static_cast<const char*>(from);
  if (bytes <= 1024 && bytes % 32 == 0)
    for (int64_t b = 0; b < bytes; b += 32) std::memcpy(out + b, in + b, 32);
  else
    std::memcpy(out, in, size_t(bytes));
}

/// Offsets of all elements of a tensor, in elements, in row-major order.
inline std::vector<int64_t> offsets_of(const Strided& x) {
  std::vector<int64_t> offsets{0};
  for (int64_t d = 0; d < x.ndim; ++d) {
    std::vector<int64_t> finer;
    finer.reserve(offsets.size() * size_t(x.sizes[d]));
    for (int64_t offset : offsets)
      for (int64_t i = 0; i < x.sizes[d]; ++i) finer.push_back(offset + i * x.strides[d]);
    offsets = std::move(finer);
  }
  return offsets;
}

}  // namespace lg::LG_ISA
