// Kernels led by a mask: where it is true, what stands there, what is to be written there.
//
// A mask is contiguous and cut into chunks of `mask_chunk` elements.  `mask_counts` says how many are true in each;
// from their running sum each chunk knows where its results begin, so that all chunks can work at once.
#include <algorithm>
#include <cstring>

#include "kernels/kinds.h"
#include "kernels/loop.h"

namespace lg::LG_ISA {

namespace {

constexpr int64_t block = 1024;

/// f(chunk, begin, end) for each chunk of n elements, in parallel.
template <class F>
void for_chunks(int64_t n, F&& f) {
  parallel_for((n + mask_chunk - 1) / mask_chunk, 1, [&](int64_t first, int64_t last) {
    for (int64_t c = first; c < last; ++c) f(c, c * mask_chunk, std::min(n, (c + 1) * mask_chunk));
  });
}

/// out[0..] = value(i) for the true i in [begin, end); gives how many.  No branch: false ones are overwritten, in a
/// buffer, since the place behind the last one belongs to another chunk.
template <class T, class Value>
int64_t compress(T* out, const bool* mask, int64_t begin, int64_t end, Value&& value) {
  T* const start = out;
  for (int64_t i = begin; i < end; i += block) {
    T buffer[block + 1];
    int64_t k = 0;
    const int64_t stop = std::min(end, i + block);
    for (int64_t j = i; j < stop; ++j) {
      buffer[k] = value(j);
      k += mask[j];
    }
    std::copy(buffer, buffer + k, out);
    out += k;
  }
  return out - start;
}

template <class T>
void write_one(T* __restrict out, const uint8_t* __restrict mask, T value, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const T old = out[i];  // read in any case, so that no branch is needed
    out[i] = mask[i] ? value : old;
  }
}
template <class T>
void write_next(T* __restrict out, const bool* __restrict mask, const T* __restrict values, int64_t n, bool fresh) {
  if (fresh) std::memset(out, 0, size_t(n) * sizeof(T));
  for (int64_t i = 0; i < n; ++i)
    if (mask[i]) out[i] = *values++;
}

}  // namespace

/// counts[c] = how many of chunk c are true.
void mask_counts(int64_t* counts, Strided mask) {
  const uint8_t* in = mask.as<const uint8_t>();
  for_chunks(mask.numel(), [&](int64_t c, int64_t begin, int64_t end) {
    int32_t count = 0;
    for (int64_t i = begin; i < end; ++i) count += in[i];
    counts[c] = count;
  });
}

/// Coordinates of the true elements, a row of y each: y is (count, ndim), its columns dense.
void nonzero(Strided y, Strided mask, const int64_t* starts) {
  const bool* in = mask.as<const bool>();
  const int64_t last = mask.ndim - 1, width = mask.sizes[last];
  for_chunks(mask.numel(), [&](int64_t c, int64_t begin, int64_t end) {
    int64_t *out = y.as<int64_t>() + starts[c], coordinates[max_dims];
    while (begin < end) {  // row by row of the mask
      const int64_t row = begin / width, stop = std::min(end, (row + 1) * width);
      const int64_t count =
          compress(out + last * y.strides[1], in, begin, stop, [=](int64_t i) { return i - row * width; });
      if (count) {
        int64_t rest = row;
        for (int64_t d = last - 1; d >= 0; --d) {
          coordinates[d] = rest % mask.sizes[d];
          rest /= mask.sizes[d];
        }
        for (int64_t d = 0; d < last; ++d) std::fill_n(out + d * y.strides[1], count, coordinates[d]);
      }
      out += count;
      begin = stop;
    }
  });
}

/// y = the elements of contiguous x where the mask is true.
void masked_read(Strided y, Strided x, Strided mask, const int64_t* starts) {
  const bool* in = mask.as<const bool>();
  dispatch_size(itemsize(x.dtype), [&]<class T>() {
    const T* values = x.as<const T>();
    for_chunks(mask.numel(), [&](int64_t c, int64_t begin, int64_t end) {
      compress(y.as<T>() + starts[c], in, begin, end, [=](int64_t i) { return values[i]; });
    });
  });
}

/// Contiguous y where the mask is true gets `values`, one after the other, or a 0-dim value.  `fresh` (with several
/// values): y holds nothing yet, and becomes 0 elsewhere.
void masked_write(Strided y, Strided mask, Strided values, const int64_t* starts, bool fresh) {
  const bool* in = mask.as<const bool>();
  dispatch_size(itemsize(y.dtype), [&]<class T>() {
    T* out = y.as<T>();
    for_chunks(mask.numel(), [&](int64_t c, int64_t begin, int64_t end) {
      if (values.ndim == 0)
        write_one(out + begin, mask.as<const uint8_t>() + begin, *values.as<const T>(), end - begin);
      else
        write_next(out + begin, in + begin, values.as<const T>() + starts[c], end - begin, fresh);
    });
  });
}

}  // namespace lg::LG_ISA
