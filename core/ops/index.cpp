// Operators that read and write at indices.  Every index is checked before anything is read or written.
#include <algorithm>

#include "kernels/table.h"
#include "ops/ops.h"
#include "python/convert.h"
#include "python/indexing.h"
#include "runtime/alloc.h"

namespace lg {

namespace {

Tensor as_int64(const char* op, const Tensor& index) {
  check_index(is_integral(index.dtype(), /*with_bool=*/false), op, "(): Expected dtype int32/int64 for index, got ", index.dtype());
  return cast(index, DType::Int64);
}

/// Indices in [low, size); the error names the offender.
void check_range(const char* op, const Tensor& index, int64_t low, int64_t size, int64_t dim) {
  if (index.is_meta() || index.numel() == 0) return;
  int64_t extremes[2];
  index.kernels().index_extremes(extremes, index.strided());
  int64_t bad = extremes[0] < low ? extremes[0] : extremes[1];
  check_index(extremes[0] >= low && extremes[1] < size, op, "(): index ", bad, " is out of bounds for dimension ", dim, " with size ",
              size);
}

/// y = x with a write, in place or on a copy.  `write(y)` fills; `rule(record)` says the derivative for inputs (x, src).
template <class Write, class Rule>
Tensor written(const char* op, const char* node, const Tensor& x, const Tensor& src, bool in_place, Write write, Rule rule) {
  Tensor y;
  if (in_place) {
    check_inplace(op, x, src);
    if (is_view(x) && grad_enabled() && (requires_grad(x) || (src && requires_grad(src))))
      return assign(op, x, written(op, node, x, src, false, write, rule));
    write(x);
    x.bump_version();
    y = x;
  } else {
    {
      NoGrad guard;
      y = clone(x);
    }
    write(y);
  }
  const Tensor inputs[] = {x, src};
  if (Recorder record(node, {&y, 1}, inputs); record) rule(record);
  return y;
}

int64_t outer_of(const Tensor& x, int64_t dim) { return product({x.sizes().data(), size_t(dim)}); }
int64_t inner_of(const Tensor& x, int64_t dim) {
  return x.dim() ? product({x.sizes().data() + dim + 1, size_t(x.dim() - dim - 1)}) : 1;
}
int64_t length_of(const Tensor& x, int64_t dim) { return x.dim() ? x.size(dim) : 1; }

}  // namespace

// ---- nonzero and masks

Tensor nonzero(const Tensor& x) {
  if (x.is_meta()) fail(ErrorKind::NotImplemented, "nonzero: the result's shape depends on values, which a meta tensor does not have");
  NoGrad guard;
  Tensor mask = x.dtype() == DType::Bool ? x : ne(x, number(int64_t(0)));
  int64_t count = mask.numel() ? item_of(sum(mask)).to<int64_t>() : 0;
  Tensor y = make_tensor({count, x.dim()}, DType::Int64);
  if (count && x.dim()) x.kernels().nonzero(y.strided(), mask.strided());
  return y;
}

static Object nonzero_any(const Tensor& x, bool as_tuple) {
  Tensor coordinates = nonzero(as_tuple && x.dim() == 0 ? reshape(x, {1}) : x);
  if (!as_tuple) return Object::steal(coordinates.release());
  return Object::steal(binding::to_python(binding::Overload(), unbind(coordinates, 1)));
}

// ---- advanced indexing

namespace {

/// Indices ready for use: one int64 tensor for each indexed dimension, broadcast to one shape.
struct AdvancedIndex {
  Tensors indices;     // null for a dimension that is kept whole; all others of shape `common`
  Dims common;
  Dims lead, rest;     // dimensions kept whole, before and after the indexed ones in the result
  Dims result;
  bool adjacent = true;

  AdvancedIndex(const Tensor& x, const Tensors& given) {
    for (const Tensor& t : given) {
      if (!t || !(t.dtype() == DType::Bool || t.dtype() == DType::UInt8)) {
        indices.push_back(t ? as_int64("index", t) : t);
        continue;
      }
      expand_mask(x, t);
    }
    check_index(int64_t(indices.size()) <= x.dim(), "too many indices for tensor of dimension ", x.dim(), " (got ", indices.size(), ")");
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
        check_range("index", indices[size_t(d)], -size, size, d);
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

  /// Offset in x, in elements, of each block of `rest` that is read or written.
  void positions(const Tensor& x, int64_t* out) const {
    Dims shape;
    for (int64_t d : lead) shape.push_back(x.size(d));
    for (int64_t n : common) shape.push_back(n);
    std::fill(out, out + product(shape), 0);
    const Kernels& kernels = x.kernels();
    for (int64_t d = 0; d < x.dim(); ++d) {
      const Tensor& t = indices[size_t(d)];
      if (!t) continue;
      Tensor wide = expand(t, shape);
      kernels.index_positions(out, wide.strided(), x.size(d), x.stride(d));
    }
    for (int64_t i = 0; i < lead.size(); ++i) {
      Dims one(shape.size(), 1);
      one[i] = shape[i];
      Tensor steps = reshape(arange(int64_t(0), shape[i], int64_t(1), DType::Int64), one);
      Tensor wide = expand(steps, shape);
      kernels.index_positions(out, wide.strided(), shape[i], x.stride(lead[i]));
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
      fail(ErrorKind::Index, "shape mismatch: indexing tensors could not be broadcast together with shapes ", a, ", ", b);
    }
  }
  void expand_mask(const Tensor& x, const Tensor& mask) {
    int64_t at = int64_t(indices.size());
    for (int64_t i = 0; i < mask.dim(); ++i)
      check_index(at + i < x.dim() && mask.size(i) == x.size(at + i), "The shape of the mask ", mask.sizes(), " at index ", i,
                  " does not match the shape of the indexed tensor ", x.sizes(), " at index ", at + i);
    for (const Tensor& column : unbind(nonzero(mask), 1)) indices.push_back(column);
  }
};

Tensor read_at(const Tensor& x, const AdvancedIndex& a) {
  Tensor y = make_tensor(a.result, x.dtype(), x.device());
  if (y.numel() == 0 || x.is_meta()) return y;
  int64_t count = a.count(x);
  Scratch scratch(size_t(count) * sizeof(int64_t));
  a.positions(x, scratch.as<int64_t>());
  Dims sizes, strides;
  x.kernels().index_read(y.strided(), a.block(x, sizes, strides), scratch.as<int64_t>(), count);
  return y;
}

void write_at(const Tensor& y, const AdvancedIndex& a, const Tensor& values, bool accumulate) {
  NoGrad guard;
  Tensor wide = contiguous(expand(cast(values, y.dtype()), a.result));
  if (wide.numel() == 0 || y.is_meta()) return;
  int64_t count = a.count(y);
  Scratch scratch(size_t(count) * sizeof(int64_t));
  a.positions(y, scratch.as<int64_t>());
  Dims sizes, strides;
  y.kernels().index_write(a.block(y, sizes, strides), wide.strided(), scratch.as<int64_t>(), count, accumulate);
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

Tensor put(const char* op, const Tensor& x, const Tensors& given, const Tensor& values, bool accumulate, bool in_place) {
  AdvancedIndex a(x, given);
  check(values.dtype() == x.dtype() || values.dim() == 0, "Index put requires the source and destination dtypes match, got ", x.dtype(),
        " for the destination and ", values.dtype(), " for the source.");
  check(is_expandable_to(values.sizes(), a.result), "shape mismatch: value tensor of shape ", values.sizes(),
        " cannot be broadcast to indexing result of shape ", a.result);
  return written(op, "IndexPutBackward0", x, values, in_place, [&](const Tensor& y) { write_at(y, a, values, accumulate); },
                 [&](Recorder& record) {
                   record.vjp([at = SavedIndices(record, a.indices), accumulate](const Tensor& g, Needs need) -> Grads {
                     Tensors indices = *at;
                     Tensor dx = accumulate || !need[0] ? g : index_put(g, indices, zeros({}, g.dtype(), g.device()), false);
                     return {need[0] ? dx : none, need[1] ? index(g, indices) : none};
                   });
                 });
}

}  // namespace

Tensor index(const Tensor& x, const Tensors& given) {
  AdvancedIndex a(x, given);
  Tensor y = read_at(x, a);
  if (Recorder record{"IndexBackward0", y, x})
    record.vjp([at = SavedIndices(record, a.indices), sizes = x.sizes()](const Tensor& g) {
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

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  check(mask.dtype() == DType::Bool, "masked_select: expected BoolTensor for mask, got ", mask.dtype());
  Dims sizes = broadcast_sizes("masked_select", x.sizes(), mask.sizes());
  Tensor y;
  Tensors at;
  {
    NoGrad guard;
    for (const Tensor& column : unbind(nonzero(expand(mask, sizes)), 1)) at.push_back(column);
    Tensor wide = expand(x, sizes);
    y = at.empty() ? (item_of(mask).to<bool>() ? reshape(x, {1}) : empty({0}, x.dtype())) : read_at(wide, AdvancedIndex(wide, at));
    if (at.empty()) y = contiguous(make_alias(clone(y)));
  }
  if (Recorder record{"MaskedSelectBackward0", y, x})
    record.vjp([at = SavedIndices(record, at), sizes](const Tensor& g) {
      Tensors indices = *at;
      if (indices.empty()) return sum(g);
      return index_put(zeros(sizes, g.dtype(), g.device()), indices, g, /*accumulate=*/false);
    });
  return y;
}

// ---- along one dimension

static int64_t check_along(const char* op, const Tensor& x, int64_t dim, const Tensor& index) {
  dim = wrap_dim(op, x, dim);
  check_index(index.dim() <= 1, op, "(): Index is supposed to be a vector, but got dim: ", index.dim());
  return dim;
}

Tensor index_select(const Tensor& x, int64_t dim, const Tensor& given) {
  dim = check_along("index_select", x, dim, given);
  Tensor at = as_int64("index_select", given);
  check_range("index_select", at, 0, length_of(x, dim), dim);
  Dims sizes = x.sizes();
  if (x.dim()) sizes[dim] = at.numel();
  Tensor y = make_tensor(sizes, x.dtype(), x.device());
  if (y.numel() && !x.is_meta()) {
    NoGrad guard;
    Tensor dense = contiguous(x);
    x.kernels().index_rows(y.strided(), dense.strided(), at.strided(), outer_of(x, dim), length_of(x, dim), inner_of(x, dim));
  }
  if (Recorder record{"IndexSelectBackward0", y, x})
    record.vjp([at = record.save("index", at), sizes = x.sizes(), dim](const Tensor& g) {
      return index_add(zeros(sizes, g.dtype(), g.device()), dim, *at, g, int64_t(1));
    });
  return y;
}

static Tensor index_add_any(const char* op, const Tensor& x, int64_t dim, const Tensor& given, const Tensor& source, const Scalar& alpha,
                            bool in_place) {
  dim = check_along(op, x, dim, given);
  Tensor at = as_int64(op, given);
  check(x.dtype() == source.dtype(), op, "(): self and source expected to have the same dtype, but got (self) ", x.dtype(), " and (source) ",
        source.dtype());
  check(length_of(source, dim) == at.numel() && source.dim() == x.dim(), op, "(): Number of indices (", at.numel(), ") should be equal to ",
        "source.size(dim): (", length_of(source, std::min(dim, std::max<int64_t>(source.dim() - 1, 0))), "), for dim: ", dim);
  for (int64_t d = 0; d < x.dim(); ++d)
    check(d == dim || x.size(d) == source.size(d), op, "(): source tensor shape must match self tensor shape, excluding the specified "
          "dimension. Got self.shape = ", x.sizes(), " source.shape = ", source.sizes());
  check_range(op, at, 0, length_of(x, dim), dim);
  auto write = [&](const Tensor& y) {
    if (y.is_meta() || source.numel() == 0) return;
    NoGrad guard;
    Tensor dense = contiguous(source);
    if (alpha.is_complex() || alpha.to<double>() != 1) dense = dense * alpha;
    Tensor target = y.is_contiguous() ? y : contiguous(y);
    y.kernels().index_add_rows(target.strided(), dense.strided(), at.strided(), outer_of(y, dim), length_of(y, dim), inner_of(y, dim));
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
static Tensor checked_index(const char* op, const Tensor& x, int64_t dim, const Tensor& given) {
  Tensor at = as_int64(op, given);
  check_range(op, at, 0, x.size(dim), dim);
  return at;
}
static Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& given, const Tensor& source) {
  dim = check_along("index_copy", x, dim, given);
  check_index(x.dim() > 0 && source.dim() == x.dim(), "index_copy(): source and self must have the same number of dimensions, at least 1");
  check_index(source.size(dim) == given.numel(), "index_copy(): Number of indices (", given.numel(), ") should be equal to source.size(dim) (",
              source.size(dim), ")");
  return index_put(x, only_along(dim, checked_index("index_copy", x, dim, reshape(given, {-1}))), source, false);
}
static Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& given, const Tensor& value) {
  dim = check_along("index_fill", x, dim, given);
  check(value.dim() == 0, "index_fill_ only supports a 0-dimensional value tensor, but got tensor with ", value.dim(), " dimension(s).");
  return index_put(x, only_along(dim, checked_index("index_fill", x, dim, reshape(given, {-1}))), to_dtype(value, x.dtype()), false);
}

// ---- gather and scatter

static void check_gather_shapes(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor* src) {
  int64_t n = std::max<int64_t>(x.dim(), 1), m = std::max<int64_t>(index.dim(), 1);
  check(n == m || index.numel() == 0, op, "(): Index tensor must have the same number of dimensions as ", src ? "self" : "input", " tensor: ",
        index.sizes(), " for ", x.sizes());
  if (index.numel() == 0) return;
  for (int64_t d = 0; d < index.dim(); ++d) {
    int64_t have = x.dim() ? x.size(d) : 1;
    check(d == dim || index.size(d) <= have, op, "(): Size does not match at dimension ", d, " expected index ", index.sizes(),
          " to be no larger than self ", x.sizes(), " apart from dimension ", dim);
    if (src && src->dim())
      check(index.size(d) <= src->size(d), op, "(): Expected index ", index.sizes(), " to be no larger than src ", src->sizes(),
            " in every dimension");
  }
}

Tensor gather(const Tensor& x, int64_t dim, const Tensor& given) {
  dim = wrap_dim("gather", x, dim);
  check(given.dtype() == DType::Int64 || given.dtype() == DType::Int32, "gather(): Expected dtype int32/int64 for index");
  Tensor at = as_int64("gather", given);
  check_gather_shapes("gather", x, dim, at, nullptr);
  check_range("gather", at, 0, length_of(x, dim), dim);
  Tensor y = make_tensor(at.sizes(), x.dtype(), x.device());
  if (y.numel()) {
    // 0-dim tensors count as vectors of one.
    Tensor flat_x = x.dim() ? x : make_alias(x, {1}, {1}, x.offset());
    Tensor flat_y = at.dim() ? y : make_alias(y, {1}, {1}, 0), flat_at = at.dim() ? at : make_alias(at, {1}, {1}, at.offset());
    x.kernels().gather(flat_y.strided(), flat_x.strided(), flat_at.strided(), dim);
  }
  if (Recorder record{"GatherBackward0", y, x})
    record.vjp([at = record.save("index", at), sizes = x.sizes(), dim](const Tensor& g) {
      return scatter_add(zeros(sizes, g.dtype(), g.device()), dim, *at, g);
    });
  return y;
}

/// Writes src at the indices; the rule is left to the caller's kind.
template <class Rule>
static Tensor scatter_any(const char* op, const char* node, const Tensor& x, int64_t dim, const Tensor& given, const Tensor& src,
                          ScatterReduce how, bool in_place, Rule rule) {
  dim = wrap_dim(op, x, dim);
  check(given.dtype() == DType::Int64 || given.dtype() == DType::Int32, op, "(): Expected dtype int32/int64 for index");
  check(src->wrapped_number || src.dtype() == x.dtype(), op, "(): Expected self.dtype to be equal to src.dtype: ", x.dtype(), " and ",
        src.dtype());
  Tensor at = as_int64(op, given);
  check_gather_shapes(op, x, dim, at, src->wrapped_number ? &at : &src);
  check_range(op, at, 0, length_of(x, dim), dim);
  auto write = [&](const Tensor& y) {
    if (at.numel() == 0 || y.is_meta()) return;
    Tensor value = cast(src, y.dtype());
    auto flat = [](const Tensor& t) { return t.dim() ? t : make_alias(t, {1}, {1}, t.offset()); };
    Tensor flat_y = flat(y), flat_at = flat(at), part;
    // The indexed corner of src, or one value for all.
    Dims strides = src->wrapped_number ? Dims(flat_at.dim(), 0) : flat(value).strides();
    part = make_alias(value, flat_at.sizes(), strides, value.offset());
    y.kernels().scatter(flat_y.strided(), flat_at.strided(), part.strided(), dim, how);
  };
  return written(op, node, x, src, in_place, write, [&](Recorder& record) { rule(record, at, dim); });
}

/// `part` in the leading corner of zeros of `sizes`.
static Tensor in_corner(const Tensor& part, const Dims& sizes) {
  Tensor y = zeros(sizes, part.dtype(), part.device()), corner = y;
  for (int64_t d = 0; d < part.dim(); ++d) corner = narrow(corner, d, 0, part.size(d));
  copy_(corner, part);
  return y;
}

static Tensor scatter_put(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, bool in_place) {
  return scatter_any(op, "ScatterBackward0", x, dim, index, src, ScatterReduce::None, in_place,
                     [&](Recorder& record, const Tensor& at, int64_t d) {
                       record.vjp([at = record.save("index", at), d, sizes = src.sizes()](const Tensor& g, Needs need) -> Grads {
                         Grads gs(2);
                         Tensor indices = *at;
                         if (need[0]) gs[0] = scatter(g, d, indices, number(0.0));
                         if (need[1]) {
                           Tensor part = gather(g, d, indices);
                           gs[1] = part.sizes() == sizes ? part : in_corner(part, sizes);
                         }
                         return gs;
                       });
                     });
}
static Tensor scatter_sum(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, bool in_place) {
  return scatter_any(op, "ScatterAddBackward0", x, dim, index, src, ScatterReduce::Add, in_place,
                     [&](Recorder& record, const Tensor& at, int64_t d) {
                       record.vjp([at = record.save("index", at, 1), d, sizes = src.sizes()](const Tensor& g, Needs need) -> Grads {
                         Grads gs(2);
                         if (need[0]) gs[0] = g;
                         if (need[1]) {
                           Tensor part = gather(g, d, *at);
                           gs[1] = part.sizes() == sizes ? part : in_corner(part, sizes);
                         }
                         return gs;
                       });
                     });
}
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  return scatter_put("scatter", x, dim, index, src, false);
}
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  return scatter_sum("scatter_add", x, dim, index, src, false);
}
static Tensor scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  return scatter_put("scatter_", x, dim, index, src, true);
}
static Tensor scatter_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  return scatter_sum("scatter_add_", x, dim, index, src, true);
}

static Tensor scatter_with(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, const std::string& reduce,
                           bool in_place) {
  check(reduce == "add" || reduce == "multiply", op, "(): reduce argument must be either add or multiply, got ", reduce);
  bool adds = reduce == "add";
  return scatter_any(op, "ScatterBackward2", x, dim, index, src, adds ? ScatterReduce::Add : ScatterReduce::Multiply, in_place,
                     [&](Recorder& record, const Tensor&, int64_t) {
                       record.vjp([](const Tensor&) -> Tensor {
                         fail(ErrorKind::NotImplemented, "the derivative for 'scatter' with reduce= is not implemented; use scatter_add");
                       });
                     });
}
static Tensor scatter_reduced(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, const std::string& reduce) {
  return scatter_with("scatter", x, dim, index, src, reduce, false);
}
static Tensor scatter_reduced_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, const std::string& reduce) {
  return scatter_with("scatter_", x, dim, index, src, reduce, true);
}

// ---- flat indices

static Tensor take(const Tensor& x, const Tensor& index) {
  check(index.dtype() == DType::Int64, "take(): Expected a long tensor for index, but got ", index.dtype());
  check_index(x.numel() > 0 || index.numel() == 0, "take(): tried to take from an empty tensor");
  return lg::index(reshape(x, {-1}), {index});
}
static Tensor take_along_dim(const Tensor& x, const Tensor& indices, std::optional<int64_t> dim) {
  if (!dim) return gather(reshape(x, {-1}), 0, reshape(indices, {-1}));
  check(x.dim() == indices.dim(), "take_along_dim(): input and indices should have the same number of dimensions, but got ", x.dim(),
        " dimensions for input, and ", indices.dim(), " dimensions for indices");
  int64_t d = wrap_dim("take_along_dim", x, *dim);
  Dims xs = x.sizes(), is = indices.sizes();
  xs[d] = is[d] = 1;
  Dims common = broadcast_sizes("take_along_dim", xs, is);
  Dims x_sizes = common, index_sizes = common;
  x_sizes[d] = x.size(d);
  index_sizes[d] = indices.size(d);
  return gather(expand(x, x_sizes), d, expand(indices, index_sizes));
}

// ---- embedding: rows of a table

Tensor embedding(const Tensor& weight, const Tensor& indices, int64_t padding_idx, bool scale_grad_by_freq, bool sparse) {
  check(!sparse, "embedding: sparse gradients are not supported; pass sparse=False");
  check(weight.dim() == 2, "'weight' must be 2-D, got ", weight.sizes());
  check(indices.dtype() == DType::Int64 || indices.dtype() == DType::Int32, "embedding: Expected tensor for argument #1 'indices' to have "
        "one of the following scalar types: Long, Int; but got ", indices.dtype(), " instead");
  Tensor at;
  {
    NoGrad guard;
    at = reshape(as_int64("embedding", indices), {-1});
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
    record.vjp([at = record.save("indices", at), rows = weight.size(0), columns = weight.size(1), padding_idx,
                scale_grad_by_freq](const Tensor& g) {
      Tensor indices = *at, flat = reshape(g, {-1, columns});
      if (scale_grad_by_freq) {
        Tensor count = index_add(zeros({rows}, g.dtype()), 0, indices, ones({indices.numel()}, g.dtype()), int64_t(1));
        flat = flat / unsqueeze(index_select(count, 0, indices), 1);
      }
      if (padding_idx >= 0) flat = masked_fill(flat, unsqueeze(eq(indices, number(padding_idx)), 1), number(0.0));
      return index_add(zeros({rows, columns}, g.dtype(), g.device()), 0, indices, flat, int64_t(1));
    });
  return y;
}

static Tensor gather_sparse(const Tensor& x, int64_t dim, const Tensor& index, bool sparse_grad) {
  check(!sparse_grad, "gather(): sparse gradients are not supported; pass sparse_grad=False");
  return gather(x, dim, index);
}
static Tensor index_put_python(const Tensor& x, PyObject* indices, const Tensor& values, bool accumulate) {
  return index_put(x, indices_from_python(indices), values, accumulate);
}
static Tensor index_put_python_(const Tensor& x, PyObject* indices, const Tensor& values, bool accumulate) {
  return index_put_(x, indices_from_python(indices), values, accumulate);
}

void def_index(Ops& ops) {
  ops.def("nonzero", &nonzero_any, "input"_a, kw_only, "as_tuple"_a = false, "Coordinates of the elements that are not 0.");
  ops.def("argwhere", &nonzero, "input"_a, "Coordinates of the elements that are not 0, one row each.");
  ops.def("masked_select", &masked_select, "input"_a, "mask"_a, "Elements where the mask is true, in one dimension.");
  ops.def("index_select", &index_select, "input"_a, "dim"_a, "index"_a, "Slices at `index` along `dim`.");
  ops.def("index_add", &index_add, "input"_a, "dim"_a, "index"_a, "source"_a, kw_only, "alpha"_a = 1,
          "input[index[i]] += alpha * source[i] along `dim`, in order.");
  ops.def("index_add_", &index_add_, "input"_a, "dim"_a, "index"_a, "source"_a, kw_only, "alpha"_a = 1, "index_add in place.").method_only();
  ops.def("index_copy", &index_copy, "input"_a, "dim"_a, "index"_a, "source"_a, "input[index[i]] = source[i] along `dim`.").inplace();
  ops.def("index_fill", &index_fill, "input"_a, "dim"_a, "index"_a, "value"_a.or_number(), "input[index[i]] = value along `dim`.").inplace();
  ops.def("gather", &gather, "input"_a, "dim"_a, "index"_a, "Values at `index` along `dim`.");
  ops.def("gather", &gather_sparse, "input"_a, "dim"_a, "index"_a, kw_only, "sparse_grad"_a, "Values at `index` along `dim`.");
  ops.def("scatter", &scatter, "input"_a, "dim"_a, "index"_a, "src"_a, "Values of `src` put at `index` along `dim`.");
  ops.def("scatter", &scatter, "input"_a, "dim"_a, "index"_a, "value"_a.or_number(), "One value put at `index` along `dim`.");
  ops.def("scatter", &scatter_reduced, "input"_a, "dim"_a, "index"_a, "src"_a, kw_only, "reduce"_a, "Values added or multiplied in.");
  ops.def("scatter", &scatter_reduced, "input"_a, "dim"_a, "index"_a, "value"_a.or_number(), kw_only, "reduce"_a, "One value added or multiplied in.");
  ops.def("scatter_", &scatter_, "input"_a, "dim"_a, "index"_a, "src"_a, "scatter in place.").method_only();
  ops.def("scatter_", &scatter_, "input"_a, "dim"_a, "index"_a, "value"_a.or_number(), "scatter in place.");
  ops.def("scatter_", &scatter_reduced_, "input"_a, "dim"_a, "index"_a, "src"_a, kw_only, "reduce"_a, "scatter in place.");
  ops.def("scatter_", &scatter_reduced_, "input"_a, "dim"_a, "index"_a, "value"_a.or_number(), kw_only, "reduce"_a, "scatter in place.");
  ops.def("scatter_add", &scatter_add, "input"_a, "dim"_a, "index"_a, "src"_a, "Values of `src` added at `index` along `dim`, in order.");
  ops.def("scatter_add_", &scatter_add_, "input"_a, "dim"_a, "index"_a, "src"_a, "scatter_add in place.").method_only();
  ops.def("take", &take, "input"_a, "index"_a, "Elements at flat positions.");
  ops.def("take_along_dim", &take_along_dim, "input"_a, "indices"_a, "dim"_a = None, "Values at `indices` along `dim`, broadcast.");
  ops.def("index_put", &index_put_python, "input"_a, "indices"_a, "values"_a, "accumulate"_a = false, "Values put at index tensors.").no_out();
  ops.def("index_put_", &index_put_python_, "input"_a, "indices"_a, "values"_a, "accumulate"_a = false, "index_put in place.");
  ops.def("embedding", &embedding, "weight"_a, "indices"_a, "padding_idx"_a = -1, "scale_grad_by_freq"_a = false, "sparse"_a = false,
          "Rows of `weight` at `indices`.").function_only();
}

}  // namespace lg
