// Sorting and selection along a dimension.
//
// Elements are sorted as unsigned keys of their own width, whose order is the elements' order with NaN greatest and -0
// equal to 0; so there is one sort for each width, whatever the dtype.  A key goes with its index, which breaks ties:
// every order here is stable.  Long lines are sorted by radix, one byte a pass, skipping bytes that all keys share; a
// single very long one on all threads.
#include <atomic>
#include <bit>
#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/lines.h"
#include "runtime/alloc.h"

namespace lg::LG_ISA {
namespace {

template <class T>
using KeyOf = std::conditional_t<
    sizeof(T) == 1, uint8_t,
    std::conditional_t<sizeof(T) == 2, uint16_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>>;

template <class T>
KeyOf<T> key_of(T x) {
  using K = KeyOf<T>;
  constexpr K top = K(K(1) << (8 * sizeof(K) - 1));
  if constexpr (std::is_same_v<T, bool> || std::is_unsigned_v<T>)
    return K(x);
  else if constexpr (std::is_integral_v<T>)
    return K(K(x) ^ top);
  else {
    using C = Compute<T>;
    if (C(x) != C(x)) return K(~K(0));
    if (C(x) == C(0)) return top;
    const K bits = std::bit_cast<K>(x);
    return bits & top ? K(~bits) : K(bits | top);
  }
}

template <class K>
struct Keyed {
  K key;
  int32_t index;
  bool operator<(const Keyed& o) const { return key != o.key ? key < o.key : index < o.index; }
};

template <class T, class K = KeyOf<T>>
void load_keys(const T* line, int64_t stride, int64_t n, bool descending, Keyed<K>* keys) {
  const K flip = descending ? K(~K(0)) : K(0);
  for (int64_t i = 0; i < n; ++i) keys[i] = {K(key_of(line[i * stride]) ^ flip), int32_t(i)};
}

/// Sorts keys, whose indices ascend, with room for as many in `other`.
template <class K>
void sort_keys(Keyed<K>* keys, Keyed<K>* other, int64_t n) {
  if (n < 256) return std::sort(keys, keys + n);
  Keyed<K>* from = keys;
  for (size_t byte = 0; byte < sizeof(K); ++byte) {
    int64_t start[256] = {};
    auto digit = [&](const Keyed<K>& k) { return uint8_t(k.key >> (8 * byte)); };
    for (int64_t i = 0; i < n; ++i) ++start[digit(from[i])];
    if (start[digit(from[0])] == n) continue;
    int64_t sum = 0;
    for (int64_t& s : start) s = std::exchange(sum, sum + s);
    for (int64_t i = 0; i < n; ++i) other[start[digit(from[i])]++] = from[i];
    std::swap(from, other);
  }
  if (from != keys) std::copy(from, from + n, keys);
}

/// The same for one long line, on all threads: each chunk knows how many keys of each digit go before its own, so that
/// all can move their keys at once, and the order is that of sort_keys.
template <class K>
void sort_keys_spread(Keyed<K>* keys, Keyed<K>* other, int64_t n) {
  constexpr int64_t digits = 256;
  const int64_t chunk = std::max<int64_t>(default_grain, (n + 63) / 64), chunks = (n + chunk - 1) / chunk;
  Scratch table(size_t(chunks * digits) * sizeof(int64_t));
  int64_t* starts = table.as<int64_t>();  // of digit d in chunk c: starts[c * digits + d]
  auto for_chunks = [&](auto&& f) {
    parallel_for(chunks, 1, [&](int64_t first, int64_t last) {
      for (int64_t c = first; c < last; ++c) f(starts + c * digits, c * chunk, std::min(n, (c + 1) * chunk));
    });
  };
  std::atomic<K> differing{0};  // bits in which keys differ
  parallel_for(n, default_grain, [&, from = keys](int64_t begin, int64_t end) {
    K bits = 0;
    for (int64_t i = begin; i < end; ++i) bits |= K(from[i].key ^ from[0].key);
    differing.fetch_or(bits, std::memory_order_relaxed);
  });
  Keyed<K>*from = keys, *to = other;
  for (size_t shift = 0; shift < 8 * sizeof(K); shift += 8) {
    if (uint8_t(differing >> shift) == 0) continue;
    for_chunks([from, shift](int64_t* start, int64_t begin, int64_t end) {
      int64_t count[digits] = {};
      for (int64_t i = begin; i < end; ++i) ++count[uint8_t(from[i].key >> shift)];
      std::copy(count, count + digits, start);
    });
    int64_t sum = 0;
    for (int64_t d = 0; d < digits; ++d)
      for (int64_t c = 0; c < chunks; ++c) starts[c * digits + d] = std::exchange(sum, sum + starts[c * digits + d]);
    for_chunks([from, to, shift](int64_t* start, int64_t begin, int64_t end) {
      int64_t next[digits];
      std::copy(start, start + digits, next);
      for (int64_t i = begin; i < end; ++i) to[next[uint8_t(from[i].key >> shift)]++] = from[i];
    });
    std::swap(from, to);
  }
  if (from != keys)
    parallel_for(n, default_grain,
                 [&](int64_t begin, int64_t end) { std::copy(from + begin, from + end, keys + begin); });
}

constexpr int64_t long_line = 4 * default_grain;

constexpr int64_t step = 64;  // elements between looks at how many candidates there are
/// Candidates that best_keys gathers at most; lines not much longer than that are taken whole.
int64_t candidates(int64_t n, int64_t k) {
  const int64_t room = std::max<int64_t>(4 * k, 128);
  return n <= 2 * room ? n : room;
}

/// The first k in order, k > 0, of a line's keys.  Of a long line only what beats the best k so far is looked at again.
/// `keys` has room for `step` more than there are candidates.
template <class T, class K = KeyOf<T>>
void best_keys(const T* line, int64_t stride, int64_t n, int64_t k, bool descending, Keyed<K>* keys) {
  const int64_t room = candidates(n, k);
  int64_t size = room;
  load_keys(line, stride, size, descending, keys);
  if (size < n) {
    const K flip = descending ? K(~K(0)) : K(0);
    K limit;
    auto shrink = [&] {
      std::nth_element(keys, keys + k - 1, keys + size);
      size = k;
      limit = keys[k - 1].key;
    };
    shrink();
    for (int64_t at = room; at < n; at += step) {
      if (size + step > room) shrink();
      const int64_t end = std::min(n, at + step);
      for (int64_t i = at; i < end; ++i) {  // an equal key further on loses
        const K key = K(key_of(line[i * stride]) ^ flip);
        keys[size] = {key, int32_t(i)};
        size += key < limit;
      }
    }
  }
  if (k < size) std::nth_element(keys, keys + k, keys + size);
  std::sort(keys, keys + k);
}

/// Calls f(line, its keys, room for as many keys, bundle, j) for each line of x, with a buffer of each task's own.
template <class T, int K, class F>
void for_keyed_lines(const Strided (&tensors)[K], int64_t dim, bool descending, F&& f) {
  using Key = KeyOf<T>;
  const Strided& x = tensors[K - 1];
  const int64_t n = line_size(x, dim), stride = line_stride(x, dim);
  for_lines<K>(tensors, dim, 16 * n, [&](const Bundle<K>& b) {
    std::vector<Keyed<Key>> keys(size_t(2 * n));  // small next to the sort; freed on the thread that took it
    for (int64_t j = 0; j < b.count; ++j) {
      const T* line = x.as<const T>() + b.offset[K - 1] + j * b.step[K - 1];
      load_keys(line, stride, n, descending, keys.data());
      f(line, keys.data(), keys.data() + n, b, j);
    }
  });
}

}  // namespace

void sort(Strided values, Strided indices, Strided x, int64_t dim, bool descending) {
  const int64_t n = line_size(x, dim), stride = line_stride(x, dim);
  const int64_t v = line_stride(values, dim), ix = line_stride(indices, dim);
  dispatch_real(x.dtype, [&]<class T>() {
    if (n >= long_line && x.numel() == n) {
      using Key = KeyOf<T>;
      Scratch memory(size_t(2 * n) * sizeof(Keyed<Key>));
      auto* keys = memory.as<Keyed<Key>>();
      const T* line = x.as<const T>();
      parallel_for(n, default_grain, [&](int64_t begin, int64_t end) {
        load_keys(line + begin * stride, stride, end - begin, descending, keys + begin);
        for (int64_t i = begin; i < end; ++i) keys[i].index += int32_t(begin);
      });
      sort_keys_spread(keys, keys + n, n);
      parallel_for(n, default_grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          values.as<T>()[i * v] = line[keys[i].index * stride];
          indices.as<int64_t>()[i * ix] = keys[i].index;
        }
      });
      return;
    }
    for_keyed_lines<T, 3>({values, indices, x}, dim, descending,
                          [&](const T* line, auto* keys, auto* other, const Bundle<3>& b, int64_t j) {
                            sort_keys(keys, other, n);
                            T* value = values.as<T>() + b.offset[0] + j * b.step[0];
                            int64_t* index = indices.as<int64_t>() + b.offset[1] + j * b.step[1];
                            for (int64_t i = 0; i < n; ++i) {
                              value[i * v] = line[keys[i].index * stride];
                              index[i * ix] = keys[i].index;
                            }
                          });
  });
}

/// The k greatest (least) of each line, in order; k is the size of `values` along `dim`.
void topk(Strided values, Strided indices, Strided x, int64_t dim, bool largest) {
  const int64_t n = line_size(x, dim), stride = line_stride(x, dim), k = line_size(values, dim);
  const int64_t v = line_stride(values, dim), ix = line_stride(indices, dim);
  dispatch_real(x.dtype, [&]<class T>() {
    using Key = KeyOf<T>;
    if (k == 0) return;
    for_lines<3>({values, indices, x}, dim, 4 * n, [&](const Bundle<3>& b) {
      const auto room = size_t(candidates(n, k) + step);
      std::vector<Keyed<Key>> keys(room);  // freed on the thread that took it
      for (int64_t j = 0; j < b.count; ++j) {
        const T* line = x.as<const T>() + b.offset[2] + j * b.step[2];
        best_keys(line, stride, n, k, largest, keys.data());
        T* value = values.as<T>() + b.offset[0] + j * b.step[0];
        int64_t* index = indices.as<int64_t>() + b.offset[1] + j * b.step[1];
        for (int64_t i = 0; i < k; ++i) {
          value[i * v] = line[keys[size_t(i)].index * stride];
          index[i * ix] = keys[size_t(i)].index;
        }
      }
    });
  });
}

/// The element of rank k (from 0) of each line and its index.  For a median k is -1: the lower middle, or NaN if the
/// line has one; with `skip_nan` the lower middle of the others.
void select_rank(Strided values, Strided indices, Strided x, int64_t dim, int64_t k, bool skip_nan) {
  const int64_t n = line_size(x, dim), stride = line_stride(x, dim);
  dispatch_real(x.dtype, [&]<class T>() {
    using C = Compute<T>;
    for_keyed_lines<T, 3>({values, indices, x}, dim, false,
                          [&](const T* line, auto* keys, auto*, const Bundle<3>& b, int64_t j) {
                            int64_t rank = k, nans = 0;
                            if (k < 0) {
                              for (int64_t i = 0; i < n; ++i) nans += C(line[i * stride]) != C(line[i * stride]);
                              if (skip_nan)
                                rank = nans == n ? 0 : (n - nans - 1) / 2;
                              else
                                rank = nans ? n - nans : (n - 1) / 2;  // NaN are the greatest: the first of them
                            }
                            std::nth_element(keys, keys + rank, keys + n);
                            values.as<T>()[b.offset[0] + j * b.step[0]] = line[keys[rank].index * stride];
                            indices.as<int64_t>()[b.offset[1] + j * b.step[1]] = keys[rank].index;
                          });
  });
}

/// The most frequent element of each line, the least of several, and its last index.
void mode(Strided values, Strided indices, Strided x, int64_t dim) {
  const int64_t n = line_size(x, dim), stride = line_stride(x, dim);
  dispatch_real(x.dtype, [&]<class T>() {
    for_keyed_lines<T, 3>({values, indices, x}, dim, false,
                          [&](const T* line, auto* keys, auto* other, const Bundle<3>& b, int64_t j) {
                            sort_keys(keys, other, n);
                            int64_t best = 0, most = 0;
                            for (int64_t i = 0, run = 0; i < n; ++i) {
                              run = i && keys[i].key == keys[i - 1].key ? run + 1 : 1;
                              if (run > most) {
                                most = run;
                                best = i;
                              }
                            }
                            values.as<T>()[b.offset[0] + j * b.step[0]] = line[keys[best].index * stride];
                            indices.as<int64_t>()[b.offset[1] + j * b.step[1]] = keys[best].index;
                          });
  });
}

/// For each value its place in the ascending line of `sorted` with the same leading dimensions (or in the only line);
/// `right`: behind equals.  `sorted` and `values` share a dtype; `sorter` (data may be null) gives the order.
void searchsorted(Strided y, Strided sorted, Strided values, Strided sorter, bool right) {
  const int64_t n = sorted.sizes[sorted.ndim - 1], lines = n ? sorted.numel() / n : 1, count = values.numel();
  const int64_t each = lines ? count / lines : 0;
  dispatch_real(sorted.dtype, [&]<class T>() {
    parallel_for(count, 2048, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t start = sorted.ndim == 1 ? 0 : i / each * n;
        const T* line = sorted.as<const T>() + start;
        const int64_t* order = sorter.data ? sorter.as<const int64_t>() + start : nullptr;
        const auto key = key_of(values.as<const T>()[i]);
        int64_t low = 0, high = n;
        while (low < high) {
          const int64_t middle = low + (high - low) / 2;
          const auto k = key_of(line[order ? order[middle] : middle]);
          if (right ? k <= key : k < key)
            low = middle + 1;
          else
            high = middle;
        }
        y.as<int64_t>()[i] = low;
      }
    });
  });
}

}  // namespace lg::LG_ISA
