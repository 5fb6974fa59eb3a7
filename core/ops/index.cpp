// Operators that read and write at indices.  Every index is checked before anything is read or written.
#include <algorithm>

#include "ops/evaluate.h"
#include "ops/index.h"
#include "ops/reduce.h"
#include "python/convert.h"
#include "python/indexing.h"
#include "runtime/alloc.h"

namespace lg {

Tensor as_int64(const char* op, const Tensor& index) {
  check(index.dtype() == DType::Int64 || index.dtype() == DType::Int32 || index.numel() == 0, op,
        "(): Expected dtype int32/int64 for index, got ", index.dtype());
  return cast(index, DType::Int64);
}

void check_range(const char* op, ErrorKind kind, const Tensor& index, int64_t low, int64_t size, int64_t dim) {
  if (index.is_meta() || index.numel() == 0) return;
  int64_t extremes[2];
  index.kernels().index_extremes(extremes, index.strided());
  int64_t bad = extremes[0] < low ? extremes[0] : extremes[1];
  if (extremes[0] < low || extremes[1] >= size)
    fail(kind, op, "(): index ", bad, " is out of bounds for dimension ", dim, " with size ", size);
}

Tensor at_least_1d(const Tensor& t) { return t.dim() ? t : make_alias(t, {1}, {1}, t.offset()); }

Tensor kept_apart(const char* op, const Tensor& x, const Tensor& t) {
  if (!t || t.is_meta() || t.numel() == 0) return t;
  // The very same elements are no trouble to pointwise operators; here each write may change what is read next.
  bool same = t.data() == x.data() && itemsize(t.dtype()) == itemsize(x.dtype()) && t.sizes() == x.sizes() &&
              t.strides() == x.strides();
  check(!same, op,
        ": unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory "
        "location. Please clone() the tensor before performing the operation.");
  if (x->storage == t->storage) return apart_from(x, t);
  // Two storages can lie on one array of NumPy's.
  auto begin = [](const Tensor& a) { return static_cast<const char*>(a->storage->data); };
  auto end = [&](const Tensor& a) { return begin(a) + a->storage->bytes; };
  if (end(x) <= begin(t) || end(t) <= begin(x)) return t;
  NoGrad guard;
  return clone(t);
}

static int64_t outer_of(const Tensor& x, int64_t dim) { return product({x.sizes().data(), size_t(dim)}); }
static int64_t inner_of(const Tensor& x, int64_t dim) {
  return x.dim() ? product({x.sizes().data() + dim + 1, size_t(x.dim() - dim - 1)}) : 1;
}

// ---- nonzero and masks

namespace {

/// A mask ready for the kernels: contiguous, with the number of true elements before each chunk.
struct Mask {
  Tensor mask;
  int64_t count = 0;
  Scratch memory;

  explicit Mask(const Tensor& given)
      : mask(contiguous(given)), memory(size_t(given.numel() / mask_chunk + 1) * sizeof(int64_t)) {
    int64_t chunks = (mask.numel() + mask_chunk - 1) / mask_chunk;
    mask.kernels().mask_counts(starts(), mask.strided());
    for (int64_t c = 0; c < chunks; ++c) count += std::exchange(starts()[c], count);
  }
  int64_t* starts() const { return memory.as<int64_t>(); }
};

}  // namespace

Tensor nonzero(const Tensor& x) {
  if (x.is_meta())
    fail(ErrorKind::NotImplemented, "nonzero: the result's shape depends on values, which a meta tensor does not have");
  NoGrad guard;
  Mask m(x.dtype() == DType::Bool ? x : ne(x, number(int64_t(0))));
  // Column by column in memory: who takes the coordinates apart gets dense vectors.
  Tensor y = make_strided({m.count, x.dim()}, {1, m.count}, DType::Int64);
  if (m.count && x.dim()) x.kernels().nonzero(y.strided(), m.mask.strided(), m.starts());
  return y;
}

static Object nonzero_any(const Tensor& x, bool as_tuple) {
  Tensor coordinates = nonzero(as_tuple && x.dim() == 0 ? reshape(x, {1}) : x);
  if (!as_tuple) return Object::steal(coordinates.release());
  return Object::steal(binding::to_python(binding::Overload(), unbind(coordinates, 1)));
}

// ---- advanced indexing

namespace {

/// Indices as they are saved: int64, or bool masks.
Tensors ready(const Tensors& given) {
  NoGrad guard;
  Tensors ts;
  for (const Tensor& t : given) {
    DType d = t ? t.dtype() : DType::Int64;
    check_index(d == DType::Int64 || d == DType::Int32 || d == DType::Bool || d == DType::UInt8,
                "tensors used as indices must be long, int, byte or bool tensors, got ", d);
    if (d == DType::UInt8) {
      warn("indexing with dtype torch.uint8 is now deprecated: make the mask a torch.bool tensor.");
      ts.push_back(ne(t, number(int64_t(0))));
    } else {
      ts.push_back(t && d == DType::Int32 ? cast(t, DType::Int64) : t);
    }
  }
  return ts;
}

/// Indices ready for use: one int64 tensor for each indexed dimension, broadcast to one shape.
struct AdvancedIndex {
  Tensors indices;  // null for a dimension that is kept whole; all others of shape `common`
  Dims common;
  Dims lead, rest;  // dimensions kept whole, before and after the indexed ones in the result
  Dims result;
  bool adjacent = true;

  AdvancedIndex(const Tensor& x, const Tensors& given) {
    for (const Tensor& t : given) {
      if (t && t.dtype() == DType::Bool)
        expand_mask(x, t);
      else
        indices.push_back(t);
    }
    check_index(int64_t(indices.size()) <= x.dim(), "too many indices for tensor of dimension ", x.dim(), " (got ",
                indices.size(), ")");
    while (int64_t(indices.size()) < x.dim()) indices.push_back(Tensor());
    bool seen = false, gap = false;
    for (const Tensor& t : indices) {
      if (t) {
        if (seen && gap) adjacent = false;
        common = seen ? broadcast(common, t.sizes()) : t.sizes();
        seen = true;
      } else if (seen) {
        gap = true;
      }
    }
    bool before = true;
    for (int64_t d = 0; d < x.dim(); ++d) {
      if (indices[size_t(d)]) {
        int64_t size = x.size(d);
        check_index(size > 0 || product(common) == 0, "index is out of bounds for dimension with size 0");
        if (x.is_meta()) check_range(x, d);  // nothing is read or written that would check it
        before = false;
      } else if (before && adjacent) {
        lead.push_back(d);
      } else {
        rest.push_back(d);
      }
    }
    for (int64_t d : lead) result.push_back(x.size(d));
    for (int64_t n : common) result.push_back(n);
    for (int64_t d : rest) result.push_back(x.size(d));
  }

  int64_t count(const Tensor& x) const {
    int64_t n = product(common);
    for (int64_t d : lead) n *= x.size(d);
    return n;
  }

  void check_range(const Tensor& x, int64_t d) const {
    lg::check_range("index", ErrorKind::Index, indices[size_t(d)], -x.size(d), x.size(d), d);
  }

  /// The only dimension that is indexed; -1 if there are several.
  int64_t only_dim() const {
    int64_t only = -1;
    for (int64_t d = 0; d < int64_t(indices.size()); ++d) {
      if (!indices[size_t(d)]) continue;
      if (only >= 0) return -1;
      only = d;
    }
    return only;
  }

  /// Offset in x, in elements, of each block of `rest` that is read or written.  Checks the indices.
  void positions(const Tensor& x, int64_t* out) const {
    Dims shape;
    for (int64_t d : lead) shape.push_back(x.size(d));
    for (int64_t n : common) shape.push_back(n);
    const Kernels& kernels = x.kernels();
    bool add = false, ok = true;
    for (int64_t d = 0; d < x.dim() && ok; ++d) {
      const Tensor& t = indices[size_t(d)];
      if (!t) continue;
      Tensor wide = expand(t, shape);
      kernels.index_positions(out, wide.strided(), x.size(d), x.stride(d), std::exchange(add, true), &ok);
      if (!ok) check_range(x, d);
    }
    for (int64_t i = 0; i < lead.size(); ++i) {
      Dims one(shape.size(), 1);
      one[i] = shape[i];
      Tensor steps = reshape(arange(int64_t(0), shape[i], int64_t(1), DType::Int64), one);
      Tensor wide = expand(steps, shape);
      kernels.index_positions(out, wide.strided(), shape[i], x.stride(lead[i]), std::exchange(add, true), &ok);
    }
  }

  /// x with its `rest` dimensions only.
  Strided block(const Tensor& x, Dims& sizes, Dims& strides) const {
    for (int64_t d : rest) {
      sizes.push_back(x.size(d));
      strides.push_back(x.stride(d));
    }
    return {x.data(), x.dtype(), rest.size(), sizes.data(), strides.data()};
  }

 private:
  static Dims broadcast(const Dims& a, const Dims& b) {
    try {
      return broadcast_sizes("index", a, b);
    } catch (const Error&) {
      fail(ErrorKind::Index, "shape mismatch: indexing tensors could not be broadcast together with shapes ", a, ", ",
           b);
    }
  }
  void expand_mask(const Tensor& x, const Tensor& mask) {
    int64_t at = int64_t(indices.size());
    for (int64_t i = 0; i < mask.dim(); ++i)
      check_index(at + i < x.dim() && mask.size(i) == x.size(at + i), "The shape of the mask ", mask.sizes(),
                  " at index ", i, " does not match the shape of the indexed tensor ", x.sizes(), " at index ", at + i);
    for (const Tensor& column : unbind(nonzero(mask), 1)) indices.push_back(column);
  }
};

Tensor read_at(const Tensor& x, const AdvancedIndex& a) {
  Tensor y = make_tensor(a.result, x.dtype(), x.device());
  if (y.numel() == 0 || x.is_meta()) return y;
  if (int64_t d = a.only_dim(); d >= 0 && x.is_contiguous()) {
    a.check_range(x, d);
    Tensor at = reshape(a.indices[size_t(d)], {-1});
    x.kernels().index_rows(y.strided(), x.strided(), at.strided(), outer_of(x, d), x.size(d), inner_of(x, d));
    return y;
  }
  int64_t count = a.count(x);
  Scratch scratch(size_t(count) * sizeof(int64_t));
  a.positions(x, scratch.as<int64_t>());
  Dims sizes, strides;
  x.kernels().index_read(y.strided(), a.block(x, sizes, strides), scratch.as<int64_t>(), count);
  return y;
}

/// `fresh`: y, which is contiguous, holds nothing yet; what no index names becomes 0.
void write_at(const Tensor& y, const AdvancedIndex& a, const Tensor& values, bool accumulate, bool fresh = false) {
  NoGrad guard;
  const Tensor same = cast(values, y.dtype());
  const bool single = same.numel() == 1;
  const Tensor wide = single ? reshape(same, {}) : contiguous(expand(same, a.result));
  if (y.numel() == 0 || y.is_meta()) return;
  const int64_t count = a.count(y);
  if (product(a.result) == 0 && !fresh) return;
  if (int64_t d = a.only_dim(); d >= 0 && accumulate && !single && y.is_contiguous()) {
    a.check_range(y, d);
    Tensor at = reshape(a.indices[size_t(d)], {-1});
    y.kernels().index_add_rows(y.strided(), wide.strided(), at.strided(), outer_of(y, d), y.size(d), inner_of(y, d),
                               fresh);
    return;
  }
  Scratch scratch(size_t(count) * sizeof(int64_t));
  a.positions(y, scratch.as<int64_t>());
  int64_t extent = 1;
  for (int64_t d = 0; d < y.dim(); ++d) extent += (y.size(d) - 1) * y.stride(d);
  Dims sizes, strides;
  y.kernels().index_write(a.block(y, sizes, strides), wide.strided(), scratch.as<int64_t>(), count, extent, accumulate,
                          fresh);
}

/// Is the index one mask of all dimensions of x, so that no positions are needed?
bool is_mask_of(const Tensor& x, const Tensors& indices) {
  return indices.size() == 1 && indices[0] && indices[0].dtype() == DType::Bool && indices[0].sizes() == x.sizes() &&
         x.dim() > 0 && x.is_contiguous() && !x.is_meta() && !indices[0].is_meta();
}
Tensor read_masked(const Tensor& x, const Tensor& mask) {
  Mask m(mask);
  Tensor y = make_tensor({m.count}, x.dtype());
  x.kernels().masked_read(y.strided(), x.strided(), m.mask.strided(), m.starts());
  return y;
}
/// Values in order, at least as many as are wanted, or one for all.
void write_masked(const Tensor& y, const Mask& m, const Tensor& values, bool fresh = false) {
  y.kernels().masked_write(y.strided(), m.mask.strided(), values.strided(), m.starts(), fresh);
}

/// The derivative of x[indices]: g added to zeros there.
Tensor index_slope(const Tensor& g, const Tensors& indices, const Dims& sizes) {
  Tensor dx = make_tensor(sizes, g.dtype(), g.device());
  if (is_mask_of(dx, indices))
    write_masked(dx, Mask(indices[0]), contiguous(g), true);
  else
    write_at(dx, AdvancedIndex(dx, indices), g, true, true);
  return dx;
}

/// Saved index tensors, as handles in a rule.
struct SavedIndices {
  SmallVec<Saved, 3> handles;
  SavedIndices(Recorder& record, const Tensors& indices) {
    for (const Tensor& t : indices) handles.push_back(record.save("indices", t));
  }
  Tensors operator*() const {
    Tensors ts;
    for (const Saved& s : handles) ts.push_back(s ? *s : Tensor());
    return ts;
  }
};

Tensor put(const char* op, const Tensor& x, const Tensors& given, const Tensor& values, bool accumulate,
           bool in_place) {
  Tensors indices = ready(given);
  const bool masked = is_mask_of(x, indices) && values.numel() == 1 && values.dim() <= 1 && !accumulate;
  AdvancedIndex a(x, masked ? Tensors() : indices);
  if (masked) a.result = {1};  // as long as the mask says, which makes no difference to one value
  check(values.dtype() == x.dtype(), "Index put requires the source and destination dtypes match, got ",
        scalar_type_name(x.dtype()), " for the destination and ", scalar_type_name(values.dtype()), " for the source.");
  check(is_expandable_to(values.sizes(), a.result), "shape mismatch: value tensor of shape ", values.sizes(),
        " cannot be broadcast to indexing result of shape ", a.result);
  if (in_place)
    for (const Tensor& t : indices) kept_apart(op, x, t);
  return written(
      op, "IndexPutBackward0", x, values, in_place,
      [&](const Tensor& y) {
        NoGrad guard;
        if (masked)
          write_masked(y, Mask(indices[0]), reshape(kept_apart(op, y, values), {}));
        else
          write_at(y, a, kept_apart(op, y, values), accumulate);
      },
      [&](Recorder& record) {
        record.vjp([at = SavedIndices(record, indices), accumulate](const Tensor& g, Needs need) -> Grads {
          Tensors indices = *at;
          Tensor dx = accumulate || !need[0] ? g : index_put(g, indices, zeros({}, g.dtype(), g.device()), false);
          return {need[0] ? dx : none, need[1] ? index(g, indices) : none};
        });
      });
}

}  // namespace

Tensor index(const Tensor& x, const Tensors& given) {
  Tensors indices = ready(given);
  Tensor y = is_mask_of(x, indices) ? read_masked(x, indices[0]) : read_at(x, AdvancedIndex(x, indices));
  if (Recorder record{"IndexBackward0", y, x})
    record.vjp([at = SavedIndices(record, indices), sizes = x.sizes()](const Tensor& g) {
      if (!grad_enabled()) return index_slope(g, *at, sizes);
      return index_put(zeros(sizes, g.dtype(), g.device()), *at, g, /*accumulate=*/true);
    });
  return y;
}
Tensor index_put(const Tensor& x, const Tensors& indices, const Tensor& values, bool accumulate) {
  return put("index_put", x, indices, values, accumulate, false);
}
Tensor index_put_(const Tensor& x, const Tensors& indices, const Tensor& values, bool accumulate) {
  return put("index_put_", x, indices, values, accumulate, true);
}

static Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source);

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  check(mask.dtype() == DType::Bool, "masked_select: expected BoolTensor for mask, got ", mask.dtype());
  Dims sizes = broadcast_sizes("masked_select", x.sizes(), mask.sizes());
  Tensor y;
  {
    NoGrad guard;
    Tensor wide = at_least_1d(expand(x, sizes)), wide_mask = at_least_1d(expand(mask, sizes));
    y = is_mask_of(wide, {wide_mask}) ? read_masked(wide, wide_mask) : read_at(wide, AdvancedIndex(wide, {wide_mask}));
  }
  if (Recorder record{"MaskedSelectBackward0", y, x})
    record.vjp([mask = record.save("mask", mask), sizes](const Tensor& g) {
      return masked_scatter(zeros(sizes, g.dtype(), g.device()), *mask, g);
    });
  return y;
}

// x with the elements where the mask is true replaced by those of `source`, one after the other.
static Tensor masked_scatter_any(const char* op, const Tensor& x, const Tensor& mask, const Tensor& source,
                                 bool in_place) {
  check(mask.dtype() == DType::Bool, op, ": masked_scatter_ only supports boolean masks, but got mask with dtype ",
        scalar_type_name(mask.dtype()));
  check(x.dtype() == source.dtype(), op, ": expected self and source to have same dtypes but got ",
        scalar_type_name(x.dtype()), " and ", scalar_type_name(source.dtype()));
  Tensor wide = at_least_1d(expand(mask, x.sizes())), values;
  Tensors at;
  if (!x.is_meta()) {
    NoGrad guard;
    for (const Tensor& column : unbind(nonzero(wide), 1)) at.push_back(column);
    int64_t count = at[0].numel();
    check(count <= source.numel(), op, ": Number of elements of source < number of ones in mask: ", source.numel(),
          " < ", count);
    values = slice(reshape(clone(source), {-1}), 0, 0, count, 1);
  }
  auto write = [&](const Tensor& y) {
    if (y.is_meta()) return;
    Tensor place = at_least_1d(y);
    write_at(place, AdvancedIndex(place, at), values, false);
  };
  return written(op, "MaskedScatterBackward0", x, source, in_place, write, [&](Recorder& record) {
    record.vjp([mask = record.save("mask", mask), sizes = source.sizes()](const Tensor& g, Needs need) -> Grads {
      Tensor where_true = *mask, dsource;
      if (need[1]) {
        Tensor taken = masked_select(g, where_true);
        dsource = reshape(cat({taken, zeros({product(sizes) - taken.numel()}, g.dtype(), g.device())}, 0), sizes);
      }
      return {need[0] ? masked_fill(g, where_true, Scalar(0)) : none, dsource};
    });
  });
}
static Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source) {
  Dims sizes = broadcast_sizes("masked_scatter", x.sizes(), mask.sizes());
  return masked_scatter_any("masked_scatter", x.sizes() == sizes ? x : expand(x, sizes), mask, source, false);
}
static Tensor masked_scatter_(const Tensor& x, const Tensor& mask, const Tensor& source) {
  return masked_scatter_any("masked_scatter_", x, mask, source, true);
}

// ---- along one dimension

static Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value);

static int64_t check_along(const char* op, const Tensor& x, int64_t dim, const Tensor& index) {
  dim = wrap_dim(op, x, dim);
  check_index(index.dim() <= 1, op, "(): Index is supposed to be a vector, but got dim: ", index.dim());
  return dim;
}

/// The derivative of slices at an index, which is checked: g's slices added to zeros there.
static Tensor sum_rows(const Dims& sizes, int64_t dim, const Tensor& at, const Tensor& g) {
  if (grad_enabled() || sizes.size() == 0)
    return index_add(zeros(sizes, g.dtype(), g.device()), dim, at, g, int64_t(1));
  Tensor dx = make_tensor(sizes, g.dtype(), g.device());
  dx.kernels().index_add_rows(dx.strided(), contiguous(g).strided(), at.strided(), outer_of(dx, dim), dx.size(dim),
                              inner_of(dx, dim), /*fresh=*/true);
  return dx;
}

Tensor index_select(const Tensor& x, int64_t dim, const Tensor& given) {
  dim = check_along("index_select", x, dim, given);
  Tensor at = as_int64("index_select", given);
  check(x.dim() > 0 || at.numel() == 1, "index_select(): Index to scalar can have only 1 value, got ", at.numel(),
        " value(s)");
  check(length_of(x, dim) > 0 || at.numel() == 0, "index_select(): self indexing axis dim should be positive");
  check_range("index_select", ErrorKind::Index, at, 0, length_of(x, dim), dim);
  Dims sizes = x.sizes();
  if (x.dim()) sizes[dim] = at.numel();
  Tensor y = make_tensor(sizes, x.dtype(), x.device());
  if (y.numel() && !x.is_meta()) {
    NoGrad guard;
    Tensor dense = contiguous(x);
    x.kernels().index_rows(y.strided(), dense.strided(), at.strided(), outer_of(x, dim), length_of(x, dim),
                           inner_of(x, dim));
  }
  if (Recorder record{"IndexSelectBackward0", y, x})
    record.vjp([at = record.save("index", at), sizes = x.sizes(), dim](const Tensor& g) {
      return sum_rows(sizes, dim, *at, g);
    });
  return y;
}

static Tensor index_add_any(const char* op, const Tensor& x, int64_t dim, const Tensor& given, const Tensor& source,
                            const Scalar& alpha, bool in_place) {
  dim = check_along(op, x, dim, given);
  Tensor at = as_int64(op, given);
  check(x.dtype() == source.dtype(), op, "(): self and source expected to have the same dtype, but got (self) ",
        x.dtype(), " and (source) ", source.dtype());
  check(length_of(source, dim) == at.numel() && source.dim() == x.dim(), op, "(): Number of indices (", at.numel(),
        ") should be equal to ", "source.size(dim): (",
        length_of(source, std::min(dim, std::max<int64_t>(source.dim() - 1, 0))), "), for dim: ", dim);
  for (int64_t d = 0; d < x.dim(); ++d)
    check(d == dim || x.size(d) == source.size(d), op,
          "(): source tensor shape must match self tensor shape, excluding the specified "
          "dimension. Got self.shape = ",
          x.sizes(), " source.shape = ", source.sizes());
  check_range(op, ErrorKind::Runtime, at, 0, length_of(x, dim), dim);
  auto write = [&](const Tensor& y) {
    if (y.is_meta() || source.numel() == 0) return;
    NoGrad guard;
    Tensor dense = contiguous(kept_apart(op, y, source)), at_rows = kept_apart(op, y, at);
    if (alpha.is_complex() || alpha.to<double>() != 1) dense = dense * alpha;
    Tensor target = y.is_contiguous() ? y : contiguous(y);
    y.kernels().index_add_rows(target.strided(), dense.strided(), at_rows.strided(), outer_of(y, dim),
                               length_of(y, dim), inner_of(y, dim), /*fresh=*/false);
    if (!target.is(y)) y.kernels().copy(y.strided(), target.strided());
  };
  return written(op, "IndexAddBackward0", x, source, in_place, write, [&](Recorder& record) {
    record.vjp([at = record.save("index", at, 1), dim, alpha](const Tensor& g, Needs need) -> Grads {
      Tensor dsource;
      if (need[1]) dsource = index_select(g, dim, *at);
      if (need[1] && (alpha.is_complex() || alpha.to<double>() != 1)) dsource = dsource * alpha;
      return {need[0] ? g : none, dsource};
    });
  });
}
Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, const Scalar& alpha) {
  return index_add_any("index_add", x, dim, index, source, alpha, false);
}
static Tensor index_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, const Scalar& alpha) {
  return index_add_any("index_add_", x, dim, index, source, alpha, true);
}

/// Index tensors for advanced indexing that mean "index along dim".
static Tensors only_along(int64_t dim, const Tensor& index) {
  Tensors ts;
  for (int64_t d = 0; d < dim; ++d) ts.push_back(Tensor());
  ts.push_back(index);
  return ts;
}

// x[.., index[i], ..] = source[.., i, ..] along dim; a source of no dimensions is one slice of x without dimensions.
static Tensor index_copy_any(const char* op, const Tensor& x, int64_t dim, const Tensor& given, const Tensor& source,
                             bool in_place) {
  dim = check_along(op, x, dim, given);
  Tensor at = reshape(as_int64(op, given), {-1}), row = at_least_1d(source);
  check(x.dtype() == source.dtype(), op, "(): self and source expected to have the same dtype, but got (self) ",
        x.dtype(), " and (source) ", source.dtype());
  check_index(row.dim() == std::max<int64_t>(x.dim(), 1), op,
              "(): When source and destination are not scalars, their dimensionality must "
              "match. Source dimensionality (",
              source.dim(), "), destination dimensionality (", x.dim(), ")");
  check_index(row.size(dim) == at.numel(), op, "(): Number of indices (", at.numel(),
              ") should be equal to source.size(dim) (", row.size(dim), ")");
  for (int64_t d = 0; d < x.dim(); ++d)
    check(d == dim || x.size(d) == row.size(d), op,
          "(): Source/destination tensor must have same slice shapes. Destination ", x.sizes(), " at dimension ", dim,
          " and source ", source.sizes());
  check_range(op, ErrorKind::Index, at, 0, length_of(x, dim), dim);
  auto write = [&](const Tensor& y) {
    Tensor place = at_least_1d(y);
    write_at(place, AdvancedIndex(place, only_along(dim, kept_apart(op, y, at))), kept_apart(op, y, row), false);
  };
  return written(op, "IndexCopyBackward0", x, source, in_place, write, [&](Recorder& record) {
    record.vjp([at = record.save("index", at), dim, sizes = source.sizes()](const Tensor& g, Needs need) -> Grads {
      return {need[0] ? index_fill(g, dim, *at, 0.0) : none,
              need[1] ? reshape(index_select(g, dim, *at), sizes) : none};
    });
  });
}
static Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  return index_copy_any("index_copy", x, dim, index, source, false);
}
static Tensor index_copy_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
  return index_copy_any("index_copy_", x, dim, index, source, true);
}

// One value, a number where `value` has no history of its own, in all slices at the index.
static Tensor index_fill_any(const char* op, const char* node, const Tensor& x, int64_t dim, const Tensor& given,
                             const Tensor& value, bool is_number, bool in_place) {
  dim = check_along(op, x, dim, given);
  check(value.dim() == 0, op, ": index_fill_ only supports a 0-dimensional value tensor, but got tensor with ",
        value.dim(), " dimension(s).");
  int64_t length = length_of(x, dim);
  Tensor at = reshape(as_int64(op, given), {-1});
  check_range(op, ErrorKind::Index, at, -length, length, dim);
  if (at.numel()) at = remainder(at, number(length));
  auto write = [&](const Tensor& y) {
    Tensor place = at_least_1d(y);
    write_at(place, AdvancedIndex(place, only_along(dim, at)), value, false);
  };
  return written(op, node, x, is_number ? none : value, in_place, write, [&](Recorder& record) {
    record.vjp([at = record.save("index", at), dim, is_number](const Tensor& g, Needs need) -> Grads {
      Tensor dvalue = !is_number && need[1] ? sum(index_select(g, dim, *at)) : none;
      return {need[0] ? index_fill(g, dim, *at, 0.0) : none, dvalue};
    });
  });
}
static Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value) {
  return index_fill_any("index_fill", "IndexFillBackward0", x, dim, index, full({}, value, x.dtype()), true, false);
}
static Tensor index_fill_(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value) {
  return index_fill_any("index_fill_", "IndexFillBackward0", x, dim, index, full({}, value, x.dtype()), true, true);
}
static Tensor index_fill_tensor(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value) {
  return index_fill_any("index_fill", "IndexFillBackward1", x, dim, index, value, false, false);
}
static Tensor index_fill_tensor_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value) {
  return index_fill_any("index_fill_", "IndexFillBackward1", x, dim, index, value, false, true);
}

// ---- flat indices: the tensor as if it had one dimension

static Tensor flat_index(const char* op, const Tensor& x, const Tensor& index) {
  check(index.dtype() == DType::Int64, op, "(): Expected a long tensor for index, but got ",
        scalar_type_name(index.dtype()));
  check_index(x.numel() > 0 || index.numel() == 0, op, "(): tried to take from an empty tensor");
  Tensor at = reshape(index, {-1});
  if (at.is_meta() || at.numel() == 0) return at;
  int64_t extremes[2], n = x.numel();
  at.kernels().index_extremes(extremes, at.strided());
  check_index(extremes[0] >= -n && extremes[1] < n, op, "(): out of range: tried to access index ",
              extremes[0] < -n ? extremes[0] : extremes[1], " on a tensor of ", n, " elements.");
  return at;
}
static Tensor put_flat(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate);

static Tensor take(const Tensor& x, const Tensor& index) {
  Tensor y;
  {
    NoGrad guard;
    Tensor at = flat_index("take", x, index), flat = reshape(x, {-1});
    y = make_alias(read_at(flat, AdvancedIndex(flat, {at})), index.sizes(), contiguous_strides(index.sizes()), 0);
  }
  if (Recorder record{"TakeBackward0", y, x})
    record.vjp([at = record.save("index", index), sizes = x.sizes()](const Tensor& g) {
      return put_flat(zeros(sizes, g.dtype(), g.device()), *at, g, /*accumulate=*/true);
    });
  return y;
}

static Tensor put_any(const char* op, const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate,
                      bool in_place) {
  check(x.dtype() == source.dtype(), op,
        "(): self and source expected to have the same dtype, but got self.dtype = ", x.dtype(),
        " and source.dtype = ", source.dtype());
  check(index.numel() == source.numel(), op,
        "(): Expected source and index to have the same number of elements, but got source.numel() = ", source.numel(),
        ", index.numel() = ", index.numel());
  Tensor at = flat_index(op, x, index);
  auto write = [&](const Tensor& y) {
    NoGrad guard;
    Tensor values = reshape(kept_apart(op, y, source), {-1}), positions = kept_apart(op, y, at), dense = contiguous(y);
    Tensor flat = make_alias(dense, {y.numel()}, {1}, dense.offset());
    write_at(flat, AdvancedIndex(flat, {positions}), values, accumulate);
    if (!dense.is(y)) y.kernels().copy(y.strided(), dense.strided());
  };
  return written(op, "PutBackward0", x, source, in_place, write, [&](Recorder& record) {
    record.vjp(
        [at = record.save("index", index), sizes = source.sizes(), accumulate](const Tensor& g, Needs need) -> Grads {
          Tensor dx = accumulate || !need[0] ? g : put_flat(g, *at, zeros(sizes, g.dtype(), g.device()), false);
          return {need[0] ? dx : none, need[1] ? reshape(take(g, *at), sizes) : none};
        });
  });
}
static Tensor put_flat(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
  return put_any("put", x, index, source, accumulate, false);
}
static Tensor put_(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
  return put_any("put_", x, index, source, accumulate, true);
}

// ---- embedding: rows of a table

Tensor embedding(const Tensor& weight, const Tensor& indices, int64_t padding_idx, bool scale_grad_by_freq,
                 bool sparse) {
  check(!sparse, "embedding: sparse gradients are not supported; pass sparse=False");
  check(weight.dim() == 2, "'weight' must be 2-D, got ", weight.sizes());
  check(indices.dtype() == DType::Int64 || indices.dtype() == DType::Int32,
        "embedding: Expected tensor for argument #1 'indices' to have "
        "one of the following scalar types: Long, Int; but got ",
        indices.dtype(), " instead");
  Tensor at;
  {
    NoGrad guard;
    at = reshape(cast(indices, DType::Int64), {-1});
  }
  if (!at.is_meta() && at.numel()) {
    int64_t extremes[2];
    at.kernels().index_extremes(extremes, at.strided());
    check_index(extremes[0] >= 0 && extremes[1] < weight.size(0), "embedding: index out of range in self: index ",
                extremes[0] < 0 ? extremes[0] : extremes[1], ", table of ", weight.size(0), " rows");
  }
  Dims sizes = indices.sizes();
  sizes.push_back(weight.size(1));
  Tensor y = make_tensor(sizes, weight.dtype(), weight.device());
  if (y.numel() && !y.is_meta()) {
    NoGrad guard;
    Tensor dense = contiguous(weight);
    weight.kernels().index_rows(y.strided(), dense.strided(), at.strided(), 1, weight.size(0), weight.size(1));
  }
  if (Recorder record{"EmbeddingBackward0", y, weight})
    record.vjp([at = record.save("indices", indices), rows = weight.size(0), columns = weight.size(1), padding_idx,
                scale_grad_by_freq](const Tensor& g) {
      Tensor indices = reshape(cast(*at, DType::Int64), {-1}), flat = reshape(g, {indices.numel(), columns});
      if (scale_grad_by_freq) {
        Tensor count = index_add(zeros({rows}, g.dtype()), 0, indices, ones({indices.numel()}, g.dtype()), int64_t(1));
        flat = flat / unsqueeze(index_select(count, 0, indices), 1);
      }
      if (padding_idx >= 0 && grad_enabled())
        flat = masked_fill(flat, unsqueeze(eq(indices, number(padding_idx)), 1), number(0.0));
      Tensor dweight = sum_rows({rows, columns}, 0, indices, flat);
      if (padding_idx >= 0 && padding_idx < rows && !grad_enabled()) zero_(select(dweight, 0, padding_idx));
      return dweight;
    });
  return y;
}

static Tensor index_put_python(const Tensor& x, PyObject* indices, const Tensor& values, bool accumulate) {
  return index_put(x, indices_from_python(indices), values, accumulate);
}
static Tensor index_put_python_(const Tensor& x, PyObject* indices, const Tensor& values, bool accumulate) {
  return index_put_(x, indices_from_python(indices), values, accumulate);
}

void def_index(Ops& ops) {
  ops.def("nonzero", &nonzero_any, "input"_a, kw_only, "as_tuple"_a = false,
          "Coordinates of the elements that are not 0.");
  ops.def("argwhere", &nonzero, "input"_a, "Coordinates of the elements that are not 0, one row each.");
  ops.def("masked_select", &masked_select, "input"_a, "mask"_a, "Elements where the mask is true, in one dimension.");
  ops.def("index_select", &index_select, "input"_a, "dim"_a, "index"_a, "Slices at `index` along `dim`.");
  ops.def("index_add", &index_add, "input"_a, "dim"_a, "index"_a, "source"_a, kw_only, "alpha"_a = 1,
          "input[index[i]] += alpha * source[i] along `dim`, in order.");
  ops.def("index_add_", &index_add_, "input"_a, "dim"_a, "index"_a, "source"_a, kw_only, "alpha"_a = 1,
          "index_add in place.")
      .method_only();
  ops.def("index_copy", &index_copy, "input"_a, "dim"_a, "index"_a, "source"_a,
          "input[index[i]] = source[i] along `dim`.");
  ops.def("index_copy_", &index_copy_, "input"_a, "dim"_a, "index"_a, "source"_a, "index_copy in place.").method_only();
  ops.def("index_fill", &index_fill_tensor, "input"_a, "dim"_a, "index"_a, "value"_a,
          "input[index[i]] = value along `dim`.");
  ops.def("index_fill", &index_fill, "input"_a, "dim"_a, "index"_a, "value"_a, "input[index[i]] = value along `dim`.");
  ops.def("index_fill_", &index_fill_tensor_, "input"_a, "dim"_a, "index"_a, "value"_a, "index_fill in place.")
      .method_only();
  ops.def("index_fill_", &index_fill_, "input"_a, "dim"_a, "index"_a, "value"_a, "index_fill in place.").method_only();
  ops.def("masked_scatter", &masked_scatter, "input"_a, "mask"_a, "source"_a,
          "Elements of `source`, in order, where the mask is true.");
  ops.def("masked_scatter_", &masked_scatter_, "input"_a, "mask"_a, "source"_a, "masked_scatter in place.")
      .method_only();
  ops.def("put", &put_flat, "input"_a, "index"_a, "source"_a, "accumulate"_a = false,
          "Elements put, or added, at flat positions.");
  ops.def("put_", &put_, "input"_a, "index"_a, "source"_a, "accumulate"_a = false, "put in place.").method_only();
  ops.def("take", &take, "input"_a, "index"_a, "Elements at flat positions.");
  ops.def("index_put", &index_put_python, "input"_a, "indices"_a, "values"_a, "accumulate"_a = false,
          "Values put at index tensors.")
      .no_out();
  ops.def("index_put_", &index_put_python_, "input"_a, "indices"_a, "values"_a, "accumulate"_a = false,
          "index_put in place.");
  ops.def("embedding", &embedding, "weight"_a, "indices"_a, "padding_idx"_a = -1, "scale_grad_by_freq"_a = false,
          "sparse"_a = false, "Rows of `weight` at `indices`.")
      .function_only();
}

}  // namespace lg
