// Shape rules: sizes, strides, broadcasting, views.  Nothing here touches memory.
#include <algorithm>

#include <vector>

#include "tensor/tensor.h"

namespace lg {

Dims contiguous_strides(const Dims& sizes) {
  Dims strides;
  strides.resize(sizes.size());
  int64_t step = 1;
  for (int64_t i = sizes.size() - 1; i >= 0; --i) {
    strides[i] = step;
    // An empty dimension counts as one, so that strides stay as PyTorch has them.
    check(!__builtin_mul_overflow(step, std::max<int64_t>(sizes[i], 1), &step),
          "Stride calculation overflowed with sizes=", sizes);
  }
  return strides;
}

bool is_contiguous(const Dims& sizes, const Dims& strides) {
  int64_t expected = 1;
  for (int64_t i = sizes.size() - 1; i >= 0; --i) {
    if (sizes[i] == 0) return true;
    if (sizes[i] == 1) continue;
    if (strides[i] != expected) {
      // Emptiness further out makes any strides contiguous.
      return std::find(sizes.begin(), sizes.begin() + i, 0) != sizes.begin() + i;
    }
    expected *= sizes[i];
  }
  return true;
}

int64_t checked_numel(const Dims& sizes, int64_t itemsize) {
  check(sizes.size() <= 64, "tensors have at most 64 dimensions, got ", sizes.size());
  int64_t numel = 1;
  bool overflow = false;
  for (int64_t s : sizes) {
    check(s >= 0, "Trying to create tensor with negative dimension ", s, ": ", sizes);
    overflow |= __builtin_mul_overflow(numel, s, &numel);
  }
  int64_t bytes;
  if (overflow && std::find(sizes.begin(), sizes.end(), 0) != sizes.end()) {
    contiguous_strides(sizes);  // zero elements, but the strides may not exist
    return 0;
  }
  check(!overflow && !__builtin_mul_overflow(numel, itemsize, &bytes),
        "Storage size calculation overflowed with sizes=", sizes);
  return numel;
}

Dims broadcast_sizes(const char* op, const Dims& a, const Dims& b) {
  if (a == b) return a;
  const Dims& longer = a.size() >= b.size() ? a : b;
  const Dims& shorter = a.size() >= b.size() ? b : a;
  Dims result = longer;
  int64_t shift = longer.size() - shorter.size();
  for (int64_t i = 0; i < shorter.size(); ++i) {
    int64_t m = longer[shift + i], n = shorter[i];
    check(m == n || m == 1 || n == 1, op, ": The size of tensor a (", a[a.size() - shorter.size() + i],
          ") must match the size of tensor b (", b[b.size() - shorter.size() + i], ") at non-singleton dimension ",
          shift + i, "; input is ", a, ", other is ", b);
    if (m == 1) result[shift + i] = n;
  }
  return result;
}

bool is_expandable_to(const Dims& from, const Dims& to) {
  if (from.size() > to.size()) return false;
  int64_t shift = to.size() - from.size();
  for (int64_t i = 0; i < from.size(); ++i)
    if (from[i] != to[shift + i] && from[i] != 1) return false;
  return true;
}

int64_t wrap_dim(const char* op, int64_t dim, int64_t ndim) {
  int64_t bound = std::max<int64_t>(ndim, 1);
  check_index(dim >= -bound && dim < bound, op, ": Dimension out of range (expected to be in range of [", -bound, ", ",
              bound - 1, "], but got ", dim, ")");
  return dim < 0 ? dim + bound : dim;
}

Dims wrap_dims(const char* op, const Dims& dims, int64_t ndim) {
  Dims result;
  if (dims.empty()) {
    for (int64_t i = 0; i < ndim; ++i) result.push_back(i);
    return result;
  }
  for (int64_t d : dims) result.push_back(wrap_dim(op, d, ndim));
  std::sort(result.begin(), result.end());
  for (int64_t i = 1; i < result.size(); ++i)
    check(result[i] != result[i - 1], op, ": dim ", result[i], " appears multiple times in the list of dims");
  return result;
}

// Walks both shapes from the last dimension: a block of old dimensions that is contiguous in itself may be cut anew.
bool view_strides(const Dims& sizes, const Dims& strides, const Dims& wanted, Dims* result) {
  *result = Dims(wanted.size());
  int64_t numel = product(sizes);
  if (numel == 0) {
    *result = contiguous_strides(wanted);
    return true;
  }
  int64_t w = wanted.size() - 1, block_stride = sizes.empty() ? 1 : strides.back(), block = 1, taken = 1;
  for (int64_t i = sizes.size() - 1; i >= 0; --i) {
    block *= sizes[i];
    bool ends = i == 0 || (sizes[i - 1] != 1 && strides[i - 1] != block * block_stride);
    if (!ends) continue;
    while (w >= 0 && (taken < block || wanted[w] == 1)) {
      (*result)[w] = taken * block_stride;
      taken *= wanted[w--];
    }
    if (taken != block) return false;
    if (i > 0) {
      block_stride = strides[i - 1];
      block = taken = 1;
    }
  }
  if (sizes.empty())
    while (w >= 0) (*result)[w--] = 1;
  return w < 0;
}

Dims infer_size(const char* op, Dims wanted, int64_t numel) {
  int64_t known = 1, hole = -1;
  bool overflow = false;
  for (int64_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == -1) {
      check(hole < 0, op, ": only one dimension can be inferred, got ", wanted);
      hole = i;
    } else {
      check(wanted[i] >= 0, op, ": invalid shape dimension ", wanted[i], " in ", wanted);
      overflow |= __builtin_mul_overflow(known, wanted[i], &known);
    }
  }
  if (hole >= 0 && !overflow) {
    check(known != 0 || numel != 0, op, ": cannot reshape tensor of 0 elements into shape ", wanted,
          " because the unspecified dimension size -1 can be any value and is ambiguous");
    if (known != 0 && numel % known == 0) {
      wanted[hole] = numel / known;
      return wanted;
    }
  }
  check(!overflow && hole < 0 && known == numel, op, ": shape '", wanted, "' is invalid for input of size ", numel);
  return wanted;
}

bool has_internal_overlap(const Tensor& t) {
  if (t.is_contiguous() || t.numel() < 2) return false;
  Dims dims;  // by stride, innermost first
  for (int64_t d = 0; d < t.dim(); ++d) {
    if (t.size(d) == 1) continue;
    if (t.stride(d) == 0) return true;
    int64_t at = dims.size();
    while (at > 0 && t.stride(dims[at - 1]) > t.stride(d)) --at;
    dims.insert(at, d);
  }
  int64_t reach = 0;
  bool nested = true;  // each stride steps over all that the inner dimensions reach
  for (int64_t d : dims) {
    nested &= t.stride(d) > reach;
    reach += (t.size(d) - 1) * t.stride(d);
  }
  if (nested) return false;
  if (reach + 1 < t.numel()) return true;        // more elements than places
  if (reach > (int64_t(1) << 20)) return false;  // too large to try, and only as_strided makes such tensors
  std::vector<bool> taken(size_t(reach) + 1);
  for (int64_t i = 0; i < t.numel(); ++i) {
    int64_t rest = i, place = 0;
    for (int64_t d : dims) {
      place += rest % t.size(d) * t.stride(d);
      rest /= t.size(d);
    }
    if (taken[size_t(place)]) return true;
    taken[size_t(place)] = true;
  }
  return false;
}

}  // namespace lg
