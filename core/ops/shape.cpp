// Shape operators.  Views first: each shares its input's storage, and its rule puts the gradient back where it came
// from; then the operators that copy.
#include <algorithm>

#include "kernels/table.h"
#include "ops/ops.h"
#include "python/convert.h"

namespace lg {

// The adjoint of a view: g in its place within zeros of the input's sizes.  Its own derivative is the view again.
template <class View>
static Tensor embed(const char* name, const Tensor& g, const Dims& sizes, View view) {
  Tensor y;
  {
    NoGrad guard;
    y = zeros(sizes, g.dtype(), g.device());
    Tensor place = view(y);
    y.kernels().copy(place.strided(), g.strided());
  }
  if (Recorder record{name, y, g}) record.vjp([view](const Tensor& gg) { return view(gg); });
  return y;
}

// ---- views that only regroup dimensions: the rule is a reshape

static Tensor reshaped_view(const char* name, const Tensor& x, const Dims& sizes, const Dims& strides) {
  Tensor y = make_view(x, sizes, strides, x.offset());
  if (Recorder record{name, y, x}) record.vjp([sizes = x.sizes()](const Tensor& g) { return reshape(g, sizes); });
  return y;
}

Tensor alias(const Tensor& x) {
  Tensor y = make_part_view(x, x.sizes(), x.strides(), x.offset());
  if (Recorder record{"AliasBackward0", y, x}) record.vjp([](const Tensor& g) { return g; });
  return y;
}

Tensor view(const Tensor& x, const Dims& size) {
  Dims sizes = infer_size("view", size, x.numel()), strides;
  check(view_strides(x.sizes(), x.strides(), sizes, &strides),
        "view: view size is not compatible with input tensor's size and "
        "stride (at least one dimension spans across two contiguous subspaces): ",
        x.sizes(), " with strides ", x.strides(), " as ", sizes, ". Use .reshape(...) instead.");
  return reshaped_view("ViewBackward0", x, sizes, strides);
}

Tensor reshape(const Tensor& x, const Dims& size) {
  Dims sizes = infer_size("reshape", size, x.numel()), strides;
  if (view_strides(x.sizes(), x.strides(), sizes, &strides))
    return reshaped_view(x.is_contiguous() ? "ViewBackward0" : "ReshapeAliasBackward0", x, sizes, strides);
  Tensor dense = clone(x), y;
  dense = contiguous(dense);
  // A view in memory, but nobody else can see the copy: no view for autograd.
  y = make_alias(dense, sizes, contiguous_strides(sizes), 0);
  if (Recorder record{"UnsafeViewBackward0", y, dense})
    record.vjp([old = x.sizes()](const Tensor& g) { return reshape(g, old); });
  return y;
}

Tensor flatten(const Tensor& x, int64_t start_dim, int64_t end_dim) {
  int64_t first = wrap_dim("flatten", x, start_dim), last = wrap_dim("flatten", x, end_dim);
  check(first <= last, "flatten() has invalid args: start_dim cannot come after end_dim");
  if (x.dim() == 0) return reshape(x, {1});
  if (first == last) return x;
  Dims sizes;
  for (int64_t i = 0; i < x.dim(); ++i) {
    if (i <= first || i > last)
      sizes.push_back(x.size(i));
    else
      sizes[first] *= x.size(i);
  }
  return reshape(x, sizes);
}

static Tensor unflatten(const Tensor& x, int64_t dim, const Dims& parts) {
  dim = wrap_dim("unflatten", x, dim);
  check(!parts.empty(), "unflatten: sizes must be non-empty");
  Dims inferred = infer_size("unflatten", parts, x.size(dim)), sizes;
  for (int64_t i = 0; i < x.dim(); ++i) {
    if (i != dim)
      sizes.push_back(x.size(i));
    else
      for (int64_t p : inferred) sizes.push_back(p);
  }
  return view(x, sizes);
}

static Tensor squeezed(const char* name, const Tensor& x, const Dims& drop) {
  Dims sizes, strides;
  for (int64_t i = 0; i < x.dim(); ++i) {
    if (x.size(i) == 1 && std::find(drop.begin(), drop.end(), i) != drop.end()) continue;
    sizes.push_back(x.size(i));
    strides.push_back(x.stride(i));
  }
  return reshaped_view(name, x, sizes, strides);
}
Tensor squeeze(const Tensor& x) { return squeezed("SqueezeBackward0", x, wrap_dims("squeeze", {}, x.dim())); }
Tensor squeeze(const Tensor& x, const Dims& dims) {
  return squeezed(dims.size() == 1 ? "SqueezeBackward1" : "SqueezeBackward2", x,
                  dims.empty() ? Dims() : wrap_dims("squeeze", dims, std::max<int64_t>(x.dim(), 1)));
}
Tensor unsqueeze(const Tensor& x, int64_t dim) {
  dim = wrap_dim("unsqueeze", dim, x.dim() + 1);
  Dims sizes = x.sizes(), strides = x.strides();
  int64_t stride = dim < x.dim() ? x.size(dim) * x.stride(dim) : 1;
  sizes.insert(dim, 1);
  strides.insert(dim, stride);
  Tensor y = make_view(x, sizes, strides, x.offset());
  if (Recorder record{"UnsqueezeBackward0", y, x}) record.vjp([dim](const Tensor& g) { return squeeze(g, {dim}); });
  return y;
}

// ---- views that reorder or repeat

Tensor expand(const Tensor& x, const Dims& size) {
  check(size.size() >= x.dim(), "expand: the number of sizes provided (", size.size(),
        ") must be greater or equal to the number "
        "of dimensions in the tensor (",
        x.dim(), ")");
  Dims sizes = size, strides(size.size());
  int64_t shift = size.size() - x.dim();
  for (int64_t i = 0; i < size.size(); ++i) {
    int64_t have = i < shift ? 1 : x.size(i - shift);
    if (size[i] == -1 && i >= shift) sizes[i] = have;
    check(sizes[i] >= 0, "expand: The expanded size of the tensor (", size[i], ") isn't allowed in dimension ", i,
          i < shift ? ", a leading, non-existing dimension" : "", "; sizes are ", x.sizes(), " and ", size);
    check(have == sizes[i] || have == 1, "expand: The expanded size of the tensor (", size[i],
          ") must match the existing size (", have, ") at non-singleton dimension ", i, ".  Target sizes: ", size,
          ".  Tensor sizes: ", x.sizes());
    strides[i] = i < shift || have != sizes[i] ? 0 : x.stride(i - shift);
  }
  // Leading dimensions of size 1 keep strides as PyTorch gives them.
  Tensor y = make_view(x, sizes, strides, x.offset());
  // The engine sums over what was broadcast.
  if (Recorder record{"ExpandBackward0", y, x}) record.vjp([](const Tensor& g) { return g; });
  return y;
}

static Tensor permuted(const Tensor& x, const Dims& dims) {
  Dims sizes, strides;
  for (int64_t d : dims) {
    sizes.push_back(x.size(d));
    strides.push_back(x.stride(d));
  }
  return make_view(x, sizes, strides, x.offset());
}
Tensor permute(const Tensor& x, const Dims& dims) {
  check(dims.size() == x.dim(),
        "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the "
        "desired ordering of dimensions i.e. input.dim() = ",
        x.dim(), " is not equal to len(dims) = ", dims.size());
  Dims order, inverse(dims.size(), -1);
  for (int64_t i = 0; i < dims.size(); ++i) {
    int64_t d = wrap_dim("permute", x, dims[i]);
    check(inverse[d] < 0, "permute(): duplicate dims are not allowed, got ", dims);
    inverse[d] = i;
    order.push_back(d);
  }
  Tensor y = permuted(x, order);
  if (Recorder record{"PermuteBackward0", y, x}) record.vjp([inverse](const Tensor& g) { return permute(g, inverse); });
  return y;
}

static Tensor swapped(const char* name, const Tensor& x, int64_t a, int64_t b) {
  Dims sizes = x.sizes(), strides = x.strides();
  if (!sizes.empty()) {
    std::swap(sizes[a], sizes[b]);
    std::swap(strides[a], strides[b]);
  }
  Tensor y = make_part_view(x, sizes, strides, x.offset());
  if (Recorder record{name, y, x}) record.vjp([a, b](const Tensor& g) { return transpose(g, a, b); });
  return y;
}
Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1) {
  return swapped("TransposeBackward0", x, wrap_dim("transpose", x, dim0), wrap_dim("transpose", x, dim1));
}
Tensor t(const Tensor& x) {
  check(x.dim() <= 2, "t() expects a tensor with <= 2 dimensions, but self is ", x.dim(), "D");
  return swapped("TBackward0", x, 0, x.dim() == 2 ? 1 : 0);
}
Tensor mT(const Tensor& x) {
  check(x.dim() >= 2, "tensor.mT is only supported on matrices or batches of matrices. Got ", x.dim(), "-D tensor.");
  return transpose(x, -2, -1);
}
Tensor mH(const Tensor& x) { return is_complex(x.dtype()) ? conj(mT(x)) : mT(x); }

static Tensor movedim(const Tensor& x, const Dims& source, const Dims& destination) {
  check(source.size() == destination.size(), "movedim: Invalid source or destination dims: source (", source,
        " dims) should "
        "contain the same number of dims as destination (",
        destination, " dims)");
  int64_t n = x.dim();
  Dims order(n, -1), taken(n, 0);
  if (n == 0) return alias(x);
  for (int64_t i = 0; i < source.size(); ++i) {
    int64_t s = wrap_dim("movedim", x, source[i]), d = wrap_dim("movedim", x, destination[i]);
    check(!taken[s] && order[d] < 0, "movedim: repeated dim in `source` (", source, ") or `destination` (", destination,
          ")");
    order[d] = s;
    taken[s] = 1;
  }
  int64_t next = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (order[i] >= 0) continue;
    while (taken[next]) ++next;
    order[i] = next++;
  }
  return permute(x, order);
}

// ---- views of a part

Tensor select(const Tensor& x, int64_t dim, int64_t index) {
  check_index(x.dim() > 0, "select() cannot be applied to a 0-dim tensor.");
  dim = wrap_dim("select", x, dim);
  int64_t size = x.size(dim);
  check_index(index >= -size && index < size, "select(): index ", index, " out of range for tensor of size ", x.sizes(),
              " at dimension ", dim);
  if (index < 0) index += size;
  Dims sizes = x.sizes(), strides = x.strides();
  int64_t offset = x.offset() + index * strides[dim];
  sizes.erase(dim);
  strides.erase(dim);
  Tensor y = make_part_view(x, sizes, strides, offset);
  if (Recorder record{"SelectBackward0", y, x})
    record.vjp([sizes = x.sizes(), dim = int32_t(dim), index](const Tensor& g) {
      return embed("SelectBackwardBackward0", g, sizes,
                   [dim, index](const Tensor& t) { return select(t, dim, index); });
    });
  return y;
}

Tensor slice(const Tensor& x, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end, int64_t step) {
  check(x.dim() > 0, "slice() cannot be applied to a 0-dim tensor.");
  dim = wrap_dim("slice", x, dim);
  check_value(step > 0, "slice step must be positive, got ", step, ": flip() reverses a dimension");
  int64_t size = x.size(dim);
  auto clip = [size](int64_t v) { return std::clamp<int64_t>(v < 0 ? v + size : v, 0, size); };
  int64_t from = clip(start.value_or(0)), to = std::max(from, clip(end.value_or(size)));
  Dims sizes = x.sizes(), strides = x.strides();
  int64_t offset = x.offset() + from * strides[dim];
  sizes[dim] = (to - from) / step + ((to - from) % step != 0);
  // A stride past 2**63 can only be that of a single element.
  if (__builtin_mul_overflow(strides[dim], step, &strides[dim])) strides[dim] = x.stride(dim);
  Tensor y = make_part_view(x, sizes, strides, offset);
  if (Recorder record{"SliceBackward0", y, x})
    record.vjp([sizes = x.sizes(), dim, from, to, step](const Tensor& g) {
      return embed("SliceBackwardBackward0", g, sizes, [=](const Tensor& t) { return slice(t, dim, from, to, step); });
    });
  return y;
}

Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length) {
  check(x.dim() > 0, "narrow() cannot be applied to a 0-dim tensor.");
  check(length >= 0, "narrow(): length must be non-negative.");
  int64_t d = wrap_dim("narrow", x, dim), size = x.size(d);
  check_index(start >= -size && start <= size, "narrow: start out of range (expected to be in range of [", -size, ", ",
              size, "], but got ", start, ")");
  if (start < 0) start += size;
  check(length <= size - start, "narrow: start (", start, ") + length (", length, ") exceeds dimension size (", size,
        ").");
  return slice(x, d, start, start + length, 1);
}

Tensor diagonal(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  int64_t a = wrap_dim("diagonal", x, dim1), b = wrap_dim("diagonal", x, dim2);
  check(a != b, "diagonal dimensions cannot be identical ", dim1, ", ", dim2);
  int64_t rows = x.size(a), columns = x.size(b);
  int64_t length =
      std::max<int64_t>(0, offset >= 0 ? std::min(rows, columns - offset) : std::min(rows + offset, columns));
  int64_t start = x.offset();
  if (length) start += offset >= 0 ? offset * x.stride(b) : -offset * x.stride(a);
  Dims sizes, strides;
  for (int64_t i = 0; i < x.dim(); ++i) {
    if (i == a || i == b) continue;
    sizes.push_back(x.size(i));
    strides.push_back(x.stride(i));
  }
  sizes.push_back(length);
  strides.push_back(x.stride(a) + x.stride(b));
  Tensor y = make_part_view(x, sizes, strides, start);
  if (Recorder record{"DiagonalBackward0", y, x})
    record.vjp([sizes = x.sizes(), offset, a, b](const Tensor& g) {
      return embed("DiagonalBackwardBackward0", g, sizes, [=](const Tensor& t) { return diagonal(t, offset, a, b); });
    });
  return y;
}

// ---- as_strided: any look at the storage

namespace {

struct Geometry {
  Dims sizes, strides;
  int64_t offset;
  int64_t end() const {  // past the last element reached
    int64_t last = offset;
    for (int64_t i = 0; i < sizes.size(); ++i) {
      if (sizes[i] == 0) return offset;
      last += (sizes[i] - 1) * strides[i];
    }
    return last + 1;
  }
  /// May two elements share memory?  Exact for what nests, as views made of other views do.
  bool overlaps() const {
    SmallVec<std::pair<int64_t, int64_t>, 6> by_stride;
    for (int64_t i = 0; i < sizes.size(); ++i)
      if (sizes[i] > 1) by_stride.push_back({strides[i], sizes[i]});
    std::sort(by_stride.begin(), by_stride.end());
    int64_t reach = 0;
    for (auto [stride, size] : by_stride) {
      if (stride <= reach) return true;
      reach += stride * (size - 1);
    }
    return false;
  }
};

/// x's values laid out in memory as `as` says, in a fresh buffer that begins at `begin`.
Tensor lay_out(const Tensor& x, const Geometry& as, int64_t begin, int64_t end) {
  Tensor flat = zeros({end - begin}, x.dtype(), x.device());
  copy_(as_strided(flat, as.sizes, as.strides, as.offset - begin), x);
  return flat;
}

/// Position of each element of the geometry, as int64.
Tensor positions(const Geometry& g, int64_t begin, Device device) {
  NoGrad guard;
  Tensor index = full({}, g.offset - begin, DType::Int64, device);
  for (int64_t i = 0; i < g.sizes.size(); ++i) {
    Tensor steps = arange(int64_t(0), g.sizes[i], int64_t(1), DType::Int64, device) * Scalar(g.strides[i]);
    index = unsqueeze(index, -1) + steps;
  }
  return reshape(index, {-1});
}

// The adjoint of x -> as_strided(x, view).  Where elements of the view share memory their gradients add up; where
// elements of x do, each gets an equal part.
Tensor as_strided_backward(const Tensor& g, const Geometry& in, const Geometry& view) {
  int64_t begin = std::min(in.offset, view.offset), end = std::max(in.end(), view.end());
  Tensor flat;
  if (view.overlaps()) {
    Tensor at = positions(view, begin, g.device());
    flat = index_add(zeros({end - begin}, g.dtype(), g.device()), 0, at, reshape(g, {-1}), int64_t(1));
  } else {
    flat = lay_out(g, view, begin, end);
  }
  if (in.overlaps()) {
    Tensor at = positions(in, begin, g.device());
    Tensor ones_flat = ones({at.numel()}, g.dtype(), g.device());
    Tensor count = index_add(zeros({end - begin}, g.dtype(), g.device()), 0, at, ones_flat, int64_t(1));
    Tensor at_least_one = where(eq(count, number(int64_t(0))), number(1.0), count);
    flat = flat / at_least_one;
  }
  return as_strided(flat, in.sizes, in.strides, in.offset - begin);
}

}  // namespace

static Tensor strided_view(const char* name, const Tensor& x, const Dims& size, const Dims& stride, int64_t offset) {
  Tensor y = make_view(x, size, stride, offset);
  if (Recorder record{name, y, x})
    record.vjp([in = Geometry{x.sizes(), x.strides(), x.offset()},
                view = Geometry{size, stride, offset}](const Tensor& g) { return as_strided_backward(g, in, view); });
  return y;
}
Tensor as_strided(const Tensor& x, const Dims& size, const Dims& stride, std::optional<int64_t> offset) {
  return strided_view("AsStridedBackward0", x, size, stride, offset.value_or(x.offset()));
}

static Tensor unfold(const Tensor& x, int64_t dim, int64_t size, int64_t step) {
  dim = wrap_dim("unfold", x, dim);
  int64_t have = x.dim() ? x.size(dim) : 1;
  check(size >= 0 && size <= have, "unfold: maximum size for tensor at dimension ", dim, " is ", have, " but size is ",
        size);
  check(step > 0, "unfold: step is ", step, " but must be > 0");
  Dims sizes = x.sizes(), strides = x.strides();
  if (x.dim() == 0) return strided_view("UnfoldBackward0", x, {size}, {1}, x.offset());
  sizes[dim] = (have - size) / step + 1;
  strides[dim] *= step;
  sizes.push_back(size);
  strides.push_back(x.stride(dim));
  return strided_view("UnfoldBackward0", x, sizes, strides, x.offset());
}

static Tensor view_dtype(const Tensor& x, DType dtype) {
  int64_t from = itemsize(x.dtype()), to = itemsize(dtype);
  Dims sizes = x.sizes(), strides = x.strides();
  int64_t offset = x.offset();
  if (from != to) {
    check(x.dim() > 0, "view: self.dim() cannot be 0 to view ", x.dtype(), " as ", dtype, " (different element sizes)");
    check(x.stride(-1) == 1, "view: self.stride(-1) must be 1 to view ", x.dtype(), " as ", dtype,
          " (different element sizes), but got ", x.stride(-1));
    int64_t last = x.dim() - 1;
    auto scale = [&](int64_t v, const char* what) {
      check(v * from % to == 0, "view: ", what, " must be divisible by ", to / std::max<int64_t>(from, 1), " to view ",
            x.dtype(), " as ", dtype, ", but got ", v);
      return v * from / to;
    };
    sizes[last] = scale(sizes[last], "self.size(-1)");
    offset = scale(offset, "self.storage_offset()");
    for (int64_t i = 0; i < last; ++i) strides[i] = scale(strides[i], "self.stride()");
  }
  Tensor y = make_part_view(x, x.sizes(), x.strides(), x.offset());
  y->dtype = dtype;
  y->offset = offset;
  set_geometry(y.get(), std::move(sizes), std::move(strides));
  return y;
}

// ---- several views at once

static Tensors split_views(const char* name, const Tensor& x, const Dims& sizes, int64_t dim) {
  Tensors ys;
  int64_t start = 0;
  for (int64_t n : sizes) {
    Dims part = x.sizes();
    part[dim] = n;
    ys.push_back(make_part_view(x, part, x.strides(), x.offset() + start * x.stride(dim), Creation::MultiOutput));
    start += n;
  }
  if (Recorder record(name, ys, {&x, 1}); record)
    record.vjp([dim](const Grads& gs) {
      Tensors parts;
      for (const Tensor& g : gs) parts.push_back(g);
      return cat(parts, dim);
    });
  return ys;
}

Tensors split(const Tensor& x, int64_t size, int64_t dim) {
  check(x.dim() > 0, "split expects at least a 1-dimensional tensor");
  dim = wrap_dim("split", x, dim);
  int64_t total = x.size(dim);
  check(size >= 0, "split expects split_size be non-negative, but got split_size=", size);
  check(size > 0 || total == 0, "split_size can only be 0 if dimension size is 0, but got dimension size of ", total);
  Dims sizes;
  for (int64_t at = 0; at < total; at += std::min(size, total - at)) sizes.push_back(std::min(size, total - at));
  if (total == 0) sizes.push_back(0);
  return split_views("SplitBackward0", x, sizes, dim);
}

static Tensors split_with_sizes(const Tensor& x, const Dims& sizes, int64_t dim) {
  check(x.dim() > 0, "split expects at least a 1-dimensional tensor");
  dim = wrap_dim("split", x, dim);
  int64_t total = 0;
  for (int64_t s : sizes) {
    check(s >= 0, "split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes=", sizes);
    check(!__builtin_add_overflow(total, s, &total), "split_with_sizes: sizes overflow: ", sizes);
  }
  check(total == x.size(dim), "split_with_sizes expects split_sizes to sum exactly to ", x.size(dim),
        " (input tensor's size at "
        "dimension ",
        dim, "), but got split_sizes=", sizes);
  return split_views("SplitWithSizesBackward0", x, sizes, dim);
}

static Tensors chunk(const Tensor& x, int64_t chunks, int64_t dim) {
  check(x.dim() > 0, "chunk expects at least a 1-dimensional tensor");
  check(chunks > 0, "chunk expects `chunks` to be greater than 0, got: ", chunks);
  dim = wrap_dim("chunk", x, dim);
  int64_t total = x.size(dim), size = (total + chunks - 1) / chunks;
  if (size == 0) return split_with_sizes(x, Dims(chunks, 0), dim);
  return split(x, size, dim);
}

Tensors unbind(const Tensor& x, int64_t dim) {
  check_index(x.dim() > 0, "unbind: Dimension specified as ", dim, " but tensor has no dimensions");
  dim = wrap_dim("unbind", x, dim);
  Dims sizes = x.sizes(), strides = x.strides();
  sizes.erase(dim);
  strides.erase(dim);
  Tensors ys;
  for (int64_t i = 0; i < x.size(dim); ++i)
    ys.push_back(make_part_view(x, sizes, strides, x.offset() + i * x.stride(dim), Creation::MultiOutput));
  if (ys.empty()) return ys;
  if (Recorder record("UnbindBackward0", ys, {&x, 1}); record)
    record.vjp([dim](const Grads& gs) {
      Tensors parts;
      for (const Tensor& g : gs) parts.push_back(g);
      return stack(parts, dim);
    });
  return ys;
}

// ---- joining

static DType joined_dtype(const Tensors& xs) {
  DType dtype = xs[0].dtype();
  for (const Tensor& x : xs)
    if (x.dtype() != dtype) return result_type(xs);
  return dtype;
}

static bool is_skipped(const Tensor& x) { return x.dim() == 1 && x.size(0) == 0; }  // an empty vector joins anything

Tensor cat(const Tensors& xs, int64_t dim) {
  check_value(!xs.empty(), "cat: expected a non-empty list of Tensors");
  const Tensor* model = &xs[0];
  for (const Tensor& x : xs) {
    check(x.dim() > 0, "cat: zero-dimensional tensor (at position ", &x - xs.begin(), ") cannot be concatenated");
    if (is_skipped(*model) && !is_skipped(x)) model = &x;
  }
  dim = wrap_dim("cat", *model, dim);
  Dims sizes = model->sizes(), lengths;
  sizes[dim] = 0;
  for (size_t k = 0; k < xs.size(); ++k) {
    const Tensor& x = xs[k];
    if (is_skipped(x) && model->dim() != 1) {
      lengths.push_back(-1);
      continue;
    }
    check(x.dim() == model->dim(), "cat: Tensors must have same number of dimensions: got ", model->dim(), " and ",
          x.dim());
    for (int64_t i = 0; i < x.dim(); ++i)
      check(i == dim || x.size(i) == model->size(i), "cat: Sizes of tensors must match except in dimension ", dim,
            ". Expected size ", model->size(i), " but got size ", x.size(i), " for tensor number ", k, " in the list.");
    lengths.push_back(x.size(dim));
    sizes[dim] += x.size(dim);
  }
  Tensor y = make_tensor(sizes, joined_dtype(xs), xs[0].device());
  int64_t at = 0;
  for (size_t k = 0; k < xs.size(); ++k) {
    if (lengths[k] <= 0) continue;
    Dims part = sizes;
    part[dim] = lengths[k];
    Tensor place = make_alias(y, std::move(part), y.strides(), at * y.stride(dim));
    y.kernels().copy(place.strided(), xs[k].strided());
    at += lengths[k];
  }
  if (Recorder record("CatBackward0", {&y, 1}, xs); record)
    record.vjp([lengths, dim](const Tensor& g, Needs need) {
      Grads gs(lengths.size());
      int64_t at = 0;
      for (int64_t k = 0; k < lengths.size(); ++k) {
        bool skipped = lengths[k] < 0;
        if (need[k]) gs[k] = skipped ? zeros({0}, g.dtype(), g.device()) : narrow(g, dim, at, lengths[k]);
        at += skipped ? 0 : lengths[k];
      }
      return gs;
    });
  return y;
}

Tensor stack(const Tensors& xs, int64_t dim) {
  check(!xs.empty(), "stack expects a non-empty TensorList");
  dim = wrap_dim("stack", dim, xs[0].dim() + 1);
  Dims sizes = xs[0].sizes();
  sizes.insert(dim, int64_t(xs.size()));
  for (const Tensor& x : xs)
    check(x.sizes() == xs[0].sizes(), "stack expects each tensor to be equal size, but got ", xs[0].sizes(),
          " at entry 0 and ", x.sizes(), " at entry ", &x - xs.begin());
  Tensor y = make_tensor(sizes, joined_dtype(xs), xs[0].device());
  Dims strides = y.strides();
  strides.erase(dim);
  for (size_t k = 0; k < xs.size(); ++k) {
    Tensor place = make_alias(y, xs[k].sizes(), strides, int64_t(k) * y.stride(dim));
    y.kernels().copy(place.strided(), xs[k].strided());
  }
  if (Recorder record("StackBackward0", {&y, 1}, xs); record)
    record.vjp([dim, count = int64_t(xs.size())](const Tensor& g, Needs need) {
      Grads gs(static_cast<size_t>(count));
      for (int64_t k = 0; k < count; ++k)
        if (need[size_t(k)]) gs[size_t(k)] = select(g, dim, k);
      return gs;
    });
  return y;
}

// ---- copies in another order

/// x tiled: each dimension d of the result reads as (repeats, size).
Tensor repeat(const Tensor& x, const Dims& repeats) {
  check(repeats.size() >= x.dim(),
        "repeat: Number of dimensions of repeat dims can not be smaller than number of dimensions of "
        "tensor: ",
        repeats, " for ", x.sizes());
  int64_t shift = repeats.size() - x.dim();
  Dims sizes, paired, source_strides, summed;
  for (int64_t i = 0; i < repeats.size(); ++i) {
    check(repeats[i] >= 0, "repeat: Trying to create tensor with negative dimension ", repeats[i], ": ", repeats);
    int64_t size = i < shift ? 1 : x.size(i - shift), total;
    check(!__builtin_mul_overflow(size, repeats[i], &total), "repeat: size overflows: ", repeats, " times ", x.sizes());
    sizes.push_back(total);
    summed.push_back(paired.size());
    paired.push_back(repeats[i]);
    paired.push_back(size);
    source_strides.push_back(0);
    source_strides.push_back(i < shift ? 0 : x.stride(i - shift));
  }
  Tensor y = make_tensor(sizes, x.dtype(), x.device());
  Tensor target = make_alias(y, paired, contiguous_strides(paired), 0);
  Strided source{x.data(), x.dtype(), paired.size(), paired.data(), source_strides.data()};
  if (y.numel()) y.kernels().copy(target.strided(), source);
  if (Recorder record{"RepeatBackward0", y, x})
    record.vjp([paired, summed, sizes = x.sizes()](const Tensor& g) {
      return reshape(sum(reshape(g, paired), summed, /*keepdim=*/false), sizes);
    });
  return y;
}

Tensor flip(const Tensor& x, const Dims& dims) {
  Dims wrapped = dims.empty() ? Dims() : wrap_dims("flip", dims, std::max<int64_t>(x.dim(), 1));
  Tensor y = empty_like(x);
  // Read backwards: a source with negative strides that starts at its last element.
  Dims strides = x.strides();
  int64_t start = 0;
  for (int64_t d : wrapped) {
    if (x.dim() == 0) break;
    start += (x.size(d) - 1) * x.stride(d);
    strides[d] = -strides[d];
  }
  if (x.numel()) {
    char* first = x.is_meta() ? nullptr : x.data<char>() + start * itemsize(x.dtype());
    y.kernels().copy(y.strided(), {first, x.dtype(), x.dim(), x.sizes().data(), strides.data()});
  }
  if (Recorder record{"FlipBackward0", y, x}) record.vjp([wrapped](const Tensor& g) { return flip(g, wrapped); });
  return y;
}

static Tensor rolled_once(const Tensor& x, int64_t shift, int64_t dim) {
  int64_t size = x.size(dim), by = size ? ((shift % size) + size) % size : 0;
  if (by == 0) return clone(x);
  return cat({narrow(x, dim, size - by, by), narrow(x, dim, 0, size - by)}, dim);
}
Tensor roll(const Tensor& x, const Dims& shifts, const Dims& dims) {
  check(!shifts.empty(), "roll: `shifts` required");
  check(shifts.size() == (dims.empty() ? 1 : dims.size()),
        "roll: shifts and dimensions must align. shifts: ", shifts.size(), ", dims:", dims.size());
  Tensor y;
  {
    NoGrad guard;
    if (dims.empty()) {
      y = x.numel() ? reshape(rolled_once(reshape(x, {-1}), shifts[0], 0), x.sizes()) : clone(x);
    } else {
      y = x;
      for (int64_t i = 0; i < dims.size(); ++i) {
        check_index(x.dim() > 0, "roll: Dimension specified as ", dims[i], " but tensor has no dimensions");
        y = rolled_once(y, shifts[i], wrap_dim("roll", x, dims[i]));
      }
    }
    if (is_view(y)) y = make_alias(y);
  }
  if (Recorder record{"RollBackward0", y, x})
    record.vjp([shifts, dims](const Tensor& g) {
      Dims back = shifts;
      for (int64_t& s : back) s = -s;
      return roll(g, back, dims);
    });
  return y;
}

static Tensor triangle(const char* op, const char* node, const Tensor& x, int64_t diagonal, bool upper) {
  check(x.dim() >= 2, op, ": input tensor must have at least 2 dimensions");
  Tensor y = make_tensor(x.sizes(), x.dtype(), x.device());
  x.kernels().triangle(y.strided(), x.strided(), diagonal, upper);
  if (Recorder record{node, y, x})
    record.vjp([diagonal, upper](const Tensor& g) { return upper ? triu(g, diagonal) : tril(g, diagonal); });
  return y;
}
Tensor tril(const Tensor& x, int64_t diagonal) { return triangle("tril", "TrilBackward0", x, diagonal, false); }
Tensor triu(const Tensor& x, int64_t diagonal) { return triangle("triu", "TriuBackward0", x, diagonal, true); }

static Tensor diag_embed(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  int64_t n = x.dim() + 1, a = wrap_dim("diag_embed", dim1, n), b = wrap_dim("diag_embed", dim2, n);
  check(x.dim() > 0, "diag_embed: the input must have at least one dimension");
  check(a != b, "diagonal dimensions cannot be identical ", dim1, ", ", dim2);
  int64_t side = x.size(-1) + std::abs(offset);
  Dims sizes = x.sizes();
  sizes.resize(n - 2);
  sizes.insert(std::min(a, b), side);
  sizes.insert(std::max(a, b), side);
  return embed("DiagEmbedBackward0", x, sizes, [=](const Tensor& t) { return diagonal(t, offset, a, b); });
}

static Tensor diag(const Tensor& x, int64_t offset) {
  check(x.dim() == 1 || x.dim() == 2, "diag(): Supports 1D or 2D tensors. Got ", x.dim(), "D");
  if (x.dim() == 1) return diag_embed(x, offset, 0, 1);
  Tensor y;
  {
    NoGrad guard;
    y = clone(diagonal(x, offset, 0, 1));
  }
  if (Recorder record{"DiagonalBackward0_copy", y, x})
    record.vjp([sizes = x.sizes(), offset](const Tensor& g) {
      return embed("DiagonalBackwardBackward0", g, sizes, [=](const Tensor& t) { return diagonal(t, offset, 0, 1); });
    });
  return y;
}

// ---- a copy with one part replaced

// The part is view(x); its place in the gradient of x is zero.
template <class View>
static Tensor with_part(const char* node, const Tensor& x, const Tensor& src, View view) {
  Tensor y;
  {
    NoGrad guard;
    y = clone(x);
    Tensor place = view(y);
    check(place.sizes() == src.sizes(),
          "expected src to have a size equal to the slice of self. src size = ", src.sizes(),
          ", slice size = ", place.sizes());
    copy_(place, src);
  }
  if (Recorder record{node, y, x, src})
    record.vjp([node, view, sizes = src.sizes()](const Tensor& g, Needs need) -> Grads {
      return {need[0] ? with_part(node, g, zeros(sizes, g.dtype(), g.device()), view) : none, need[1] ? view(g) : none};
    });
  return y;
}
static Tensor select_scatter(const Tensor& x, const Tensor& src, int64_t dim, int64_t index) {
  return with_part("SelectScatterBackward0", x, src, [=](const Tensor& t) { return select(t, dim, index); });
}
static Tensor slice_scatter(const Tensor& x, const Tensor& src, int64_t dim, std::optional<int64_t> start,
                            std::optional<int64_t> end, int64_t step) {
  return with_part("SliceScatterBackward0", x, src, [=](const Tensor& t) { return slice(t, dim, start, end, step); });
}
static Tensor diagonal_scatter(const Tensor& x, const Tensor& src, int64_t offset, int64_t dim1, int64_t dim2) {
  return with_part("DiagonalScatterBackward0", x, src,
                   [=](const Tensor& t) { return diagonal(t, offset, dim1, dim2); });
}
static Tensor as_strided_scatter(const Tensor& x, const Tensor& src, const Dims& size, const Dims& stride,
                                 std::optional<int64_t> offset) {
  return with_part(
      "AsStridedScatterBackward0", x, src, [=, geometry = Geometry{x.sizes(), x.strides(), 0}](const Tensor& t) {
        // The strides speak of x's memory, so a gradient is laid out as x was.
        bool same = t.strides() == geometry.strides && t.offset() == 0;
        Tensor dense = same ? t : copy_(make_strided(geometry.sizes, geometry.strides, t.dtype(), t.device()), t);
        return as_strided(dense, size, stride, offset);
      });
}

// ---- in place on the geometry alone: the tensor itself becomes the view

static Tensor become(const char* op, const Tensor& x, const Tensor& v) {
  check_inplace(op, x);
  check(!is_view(x) || !grad_enabled() || !requires_grad(x), op,
        ": a view that requires grad cannot change its own shape in place");
  set_geometry(x.get(), v.sizes(), v.strides());
  x->offset = v.offset();
  x.bump_version();
  if (v->grad_fn && grad_enabled()) set_history(x, Node::borrow(v->grad_fn), v->output_nr);
  return x;
}
static Tensor squeeze_(const Tensor& x) { return become("squeeze_", x, squeeze(x)); }
static Tensor squeeze_dims_(const Tensor& x, const Dims& dims) { return become("squeeze_", x, squeeze(x, dims)); }
static Tensor unsqueeze_(const Tensor& x, int64_t dim) { return become("unsqueeze_", x, unsqueeze(x, dim)); }
static Tensor transpose_(const Tensor& x, int64_t a, int64_t b) { return become("transpose_", x, transpose(x, a, b)); }
static Tensor t_(const Tensor& x) { return become("t_", x, t(x)); }
static Tensor as_strided_(const Tensor& x, const Dims& size, const Dims& stride, std::optional<int64_t> offset) {
  return become("as_strided_", x, as_strided(x, size, stride, offset));
}

// ---- resize_, set_: memory by hand

static Tensor resize_(const Tensor& x, const Dims& size) {
  check(!requires_grad(x), "cannot resize variables that require grad");
  resize_tensor(x, size);
  return x;
}
static Tensor set_(const Tensor& x, const Tensor& source) {
  check(!requires_grad(x) || is_leaf(x), "set_: only leaves and tensors without grad may change their storage");
  check(source.dtype() == x.dtype(), "set_: source is ", source.dtype(), ", the tensor is ", x.dtype());
  retain(source->storage);
  release(std::exchange(x->storage, source->storage));
  x->offset = source.offset();
  set_geometry(x.get(), source.sizes(), source.strides());
  x.bump_version();
  return x;
}

static Tensor expand_as(const Tensor& x, const Tensor& other) { return expand(x, other.sizes()); }
static Tensor view_as(const Tensor& x, const Tensor& other) { return view(x, other.sizes()); }
static Tensor reshape_as(const Tensor& x, const Tensor& other) { return reshape(x, other.sizes()); }
static Tensor squeeze_one(const Tensor& x, int64_t dim) { return squeeze(x, {dim}); }
static Tensor squeeze_several(const Tensor& x, const Dims& dims) {
  return squeezed("SqueezeBackward2", x,
                  dims.empty() ? Dims() : wrap_dims("squeeze", dims, std::max<int64_t>(x.dim(), 1)));
}
static Tensor movedim_one(const Tensor& x, int64_t source, int64_t destination) {
  return movedim(x, Dims{source}, Dims{destination});
}
static Tensor squeeze_all(const Tensor& x) { return squeeze(x); }
static Tensor ravel(const Tensor& x) { return view(contiguous(x), {-1}); }
static Tensor resize_as_(const Tensor& x, const Tensor& other) { return resize_(x, other.sizes()); }
static bool is_set_to(const Tensor& x, const Tensor& other) {
  return x->storage == other->storage && x.offset() == other.offset() && x.sizes() == other.sizes() &&
         x.strides() == other.strides();
}
static Tensor roll_default(const Tensor& x, const Dims& shifts, const std::optional<Dims>& dims) {
  return roll(x, shifts, dims.value_or(Dims()));
}

void def_shape(Ops& ops) {
  ops.def("view", &view, "input"_a, "size"_a.varargs(), "The same elements in another shape, without a copy.")
      .method_only();
  ops.def("view", &view_dtype, "input"_a, "dtype"_a, "The same bytes as another dtype.").method_only();
  ops.def("reshape", &reshape, "input"_a, "shape"_a.varargs(),
          "The same elements in another shape; a view where possible.");
  ops.def("flatten", &flatten, "input"_a, "start_dim"_a = 0, "end_dim"_a = -1, "Joins a range of dimensions into one.");
  ops.def("ravel", &ravel, "input"_a, "All elements in one dimension.");
  ops.def("unflatten", &unflatten, "input"_a, "dim"_a, "sizes"_a, "Splits a dimension into several.");
  ops.def("squeeze", &squeeze_all, "input"_a, "Without dimensions of size 1.").no_out();
  ops.def("squeeze", &squeeze_one, "input"_a, "dim"_a, "Without the named dimension, if it has size 1.").no_out();
  ops.def("squeeze", &squeeze_several, "input"_a, "dim"_a, "Without the named dimensions, where they have size 1.")
      .no_out();
  ops.def("unsqueeze", &unsqueeze, "input"_a, "dim"_a, "With a dimension of size 1 put in.");
  ops.def("expand", &expand, "input"_a, "size"_a.varargs(),
          "A view with dimensions of size 1 repeated; -1 keeps a size.")
      .method_only();
  ops.def("expand_as", &expand_as, "input"_a, "other"_a, "Expanded to the shape of `other`.").method_only();
  ops.def("broadcast_to", &expand, "input"_a, "size"_a, "A view with dimensions of size 1 repeated.");
  ops.def("view_as", &view_as, "input"_a, "other"_a, "A view in the shape of `other`.").method_only();
  ops.def("reshape_as", &reshape_as, "input"_a, "other"_a, "In the shape of `other`.").method_only();
  ops.def("permute", &permute, "input"_a, "dims"_a.varargs(), "Dimensions in another order.");
  ops.def("transpose", &transpose, "input"_a, "dim0"_a, "dim1"_a, "Two dimensions swapped.").alias("swapdims");
  ops.def("swapaxes", &transpose, "input"_a, "axis0"_a, "axis1"_a, "Two dimensions swapped.");
  ops.def("t", &t, "input"_a, "Transpose of a matrix; a vector is returned as it is.");
  ops.def("movedim", &movedim_one, "input"_a, "source"_a, "destination"_a, "A dimension moved to a new place.")
      .alias("moveaxis");
  ops.def("movedim", &movedim, "input"_a, "source"_a, "destination"_a, "Dimensions moved to new places.")
      .alias("moveaxis");
  ops.def("select", &select, "input"_a, "dim"_a, "index"_a, "One slice along `dim`.");
  ops.def("narrow", &narrow, "input"_a, "dim"_a, "start"_a, "length"_a, "`length` slices along `dim`, from `start`.");
  ops.def("diagonal", &diagonal, "input"_a, "offset"_a = 0, "dim1"_a = 0, "dim2"_a = 1, "A diagonal, as a view.");
  ops.def("diag_embed", &diag_embed, "input"_a, "offset"_a = 0, "dim1"_a = -2, "dim2"_a = -1,
          "Matrices with given diagonals.");
  ops.def("diag", &diag, "input"_a, "diagonal"_a = 0, "Diagonal of a matrix, or matrix of a diagonal.");
  ops.def("select_scatter", &select_scatter, "input"_a, "src"_a, "dim"_a, "index"_a,
          "A copy with one slice replaced by `src`.");
  ops.def("slice_scatter", &slice_scatter, "input"_a, "src"_a, "dim"_a = 0, "start"_a = None, "end"_a = None,
          "step"_a = 1, "A copy with a range of slices replaced by `src`.");
  ops.def("diagonal_scatter", &diagonal_scatter, "input"_a, "src"_a, "offset"_a = 0, "dim1"_a = 0, "dim2"_a = 1,
          "A copy with a diagonal replaced by `src`.");
  ops.def("as_strided_scatter", &as_strided_scatter, "input"_a, "src"_a, "size"_a, "stride"_a,
          "storage_offset"_a = None, "A copy with what as_strided looks at replaced by `src`.");
  ops.def("as_strided", &as_strided, "input"_a, "size"_a, "stride"_a, "storage_offset"_a = None,
          "Any look at the storage.");
  ops.def("unfold", &unfold, "input"_a, "dimension"_a, "size"_a, "step"_a, "Windows along a dimension, as a view.")
      .method_only();
  ops.def("split", &split, "tensor"_a, "split_size"_a, "dim"_a = 0, "Parts of equal size along `dim`.").no_out();
  ops.def("split", &split, "tensor"_a, "split_size_or_sections"_a, "dim"_a = 0, "Parts of equal size along `dim`.")
      .no_out();
  ops.def("split", &split_with_sizes, "tensor"_a, "split_size"_a, "dim"_a = 0, "Parts of given sizes.").no_out();
  ops.def("split", &split_with_sizes, "tensor"_a, "split_size_or_sections"_a, "dim"_a = 0, "Parts of given sizes.")
      .no_out();
  ops.def("split_with_sizes", &split_with_sizes, "input"_a, "split_sizes"_a, "dim"_a = 0, "Parts of given sizes.")
      .no_out();
  ops.def("chunk", &chunk, "input"_a, "chunks"_a, "dim"_a = 0, "At most `chunks` parts along `dim`.").no_out();
  ops.def("unbind", &unbind, "input"_a, "dim"_a = 0, "All slices along `dim`.").no_out();
  ops.def("cat", &cat, "tensors"_a, "dim"_a = 0, "Tensors joined along a dimension.")
      .alias("concat")
      .alias("concatenate");
  ops.def("stack", &stack, "tensors"_a, "dim"_a = 0, "Tensors joined along a new dimension.");
  ops.def("repeat", &repeat, "input"_a, "repeats"_a.varargs(), "The tensor tiled.").method_only();
  ops.def("flip", &flip, "input"_a, "dims"_a.varargs(), "Dimensions reversed.");
  ops.def("roll", &roll_default, "input"_a, "shifts"_a, "dims"_a = None,
          "Elements shifted along dimensions, around the end.");
  ops.def("tril", &tril, "input"_a, "diagonal"_a = 0, "Lower triangle of matrices; 0 elsewhere.").inplace();
  ops.def("triu", &triu, "input"_a, "diagonal"_a = 0, "Upper triangle of matrices; 0 elsewhere.").inplace();
  ops.def("squeeze_", &squeeze_, "input"_a, "squeeze in place.").method_only();
  ops.def("squeeze_", &squeeze_dims_, "input"_a, "dim"_a, "squeeze in place.").method_only();
  ops.def("unsqueeze_", &unsqueeze_, "input"_a, "dim"_a, "unsqueeze in place.").method_only();
  ops.def("transpose_", &transpose_, "input"_a, "dim0"_a, "dim1"_a, "transpose in place.").method_only();
  ops.def("swapdims_", &transpose_, "input"_a, "dim0"_a, "dim1"_a, "transpose in place.").method_only();
  ops.def("swapaxes_", &transpose_, "input"_a, "axis0"_a, "axis1"_a, "transpose in place.").method_only();
  ops.def("t_", &t_, "input"_a, "t in place.").method_only();
  ops.def("as_strided_", &as_strided_, "input"_a, "size"_a, "stride"_a, "storage_offset"_a = None,
          "as_strided in place.");
  ops.def("resize_", &resize_, "input"_a, "size"_a.varargs(), "Another size in place; new elements are uninitialised.")
      .method_only();
  ops.def("resize_as_", &resize_as_, "input"_a, "other"_a, "The size of `other`, in place.").method_only();
  ops.def("is_set_to", &is_set_to, "input"_a, "tensor"_a, "Do both look at the same memory in the same way?")
      .method_only();
  ops.def("set_", &set_, "input"_a, "source"_a, "Looks at the memory of `source` from now on.").method_only();
}

}  // namespace lg
