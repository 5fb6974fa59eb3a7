// gather, scatter and their kin: an index tensor says, element by element, where along one dimension to read or write.
#include <algorithm>

#include "ops/index.h"
#include "python/convert.h"

namespace lg {

namespace {

void check_shapes(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  if (index.numel() == 0) return;
  auto dims = [](const Tensor& t) { return std::max<int64_t>(t.dim(), 1); };
  check(dims(index) == dims(x), op, "(): Index tensor must have the same number of dimensions as ",
        src ? "self" : "input", " tensor: ", index.sizes(), " for ", x.sizes());
  check(!src || dims(index) == dims(src), op,
        "(): Index tensor must have the same number of dimensions as src tensor: ", index.sizes(), " for ",
        src ? src.sizes() : Dims());
  for (int64_t d = 0; d < index.dim(); ++d) {
    check(d == dim || index.size(d) <= length_of(x, d), op, "(): Size does not match at dimension ", d,
          " expected index ", index.sizes(), " to be no larger than self ", x.sizes(), " apart from dimension ", dim);
    check(!src || index.size(d) <= length_of(src, d), op, "(): Expected index ", index.sizes(),
          " to be no larger than src ", src ? src.sizes() : Dims(), " in every dimension");
  }
}

/// The corner of `t` that an index of `sizes` speaks of.
Tensor corner(const Tensor& t, const Dims& sizes) {
  Tensor part = t;
  for (int64_t d = 0; d < std::min(t.dim(), sizes.size()); ++d)
    if (part.size(d) != sizes[d]) part = narrow(part, d, 0, sizes[d]);
  return part;
}

/// The adjoint of corner: `part` in the leading corner of zeros of `sizes`.
Tensor in_corner(const Tensor& part, const Dims& sizes) {
  if (part.sizes() == sizes) return part;
  if (part.numel() == product(sizes)) return reshape(part, sizes);
  Tensor y = zeros(sizes, part.dtype(), part.device());
  copy_(corner(y, part.sizes()), part);
  return y;
}

/// A write of src, or of one number where src is null.
template <class Rule>
Tensor scatter_any(const char* op, const char* node, const Tensor& x, int64_t dim, const Tensor& index,
                   const Tensor& src, const Scalar& value, ScatterReduce how, bool in_place, Rule rule) {
  dim = wrap_dim(op, x, dim);
  Tensor at = as_int64(op, index);
  check(!src || src.dtype() == x.dtype(), op, "(): Expected self.dtype to be equal to src.dtype: ", x.dtype(), " and ",
        src ? src.dtype() : x.dtype());
  check_shapes(op, x, dim, at, src);
  check_range(op, ErrorKind::Runtime, at, 0, length_of(x, dim), dim);
  Tensor given = src ? src : full({}, value, x.dtype());
  auto write = [&](const Tensor& y) {
    if (at.numel() == 0 || y.is_meta()) return;
    NoGrad guard;
    Tensor positions = at_least_1d(kept_apart(op, y, at)), values = kept_apart(op, y, given);
    Dims strides = src ? at_least_1d(values).strides() : Dims(positions.dim(), 0);
    Tensor part = make_alias(values, positions.sizes(), strides, values.offset());
    y.kernels().scatter(at_least_1d(y).strided(), positions.strided(), part.strided(), dim, how);
  };
  return written(op, node, x, src, in_place, write, [&](Recorder& record) { rule(record, at, dim); });
}

Tensor scatter_put(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, bool in_place);
Tensor scatter_number(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value,
                      bool in_place) {
  return scatter_any(op, "ScatterBackward1", x, dim, index, none, value, ScatterReduce::None, in_place,
                     [&](Recorder& record, const Tensor& at, int64_t d) {
                       record.vjp([at = record.save("index", at), d](const Tensor& g) {
                         return scatter_number("scatter", g, d, *at, 0.0, false);
                       });
                     });
}

Tensor scatter_put(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                   bool in_place) {
  return scatter_any(
      op, "ScatterBackward0", x, dim, index, src, {}, ScatterReduce::None, in_place,
      [&](Recorder& record, const Tensor& at, int64_t d) {
        record.vjp([at = record.save("index", at), d, sizes = src.sizes()](const Tensor& g, Needs need) -> Grads {
          Tensor indices = *at;
          return {need[0] ? scatter_number("scatter", g, d, indices, 0.0, false) : none,
                  need[1] ? in_corner(gather(g, d, indices), sizes) : none};
        });
      });
}

Tensor scatter_sum(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                   bool in_place) {
  return scatter_any(
      op, "ScatterAddBackward0", x, dim, index, src, {}, ScatterReduce::Add, in_place,
      [&](Recorder& record, const Tensor& at, int64_t d) {
        record.vjp([at = record.save("index", at, 1), d, sizes = src.sizes()](const Tensor& g, Needs need) -> Grads {
          return {need[0] ? g : none, need[1] ? in_corner(gather(g, d, *at), sizes) : none};
        });
      });
}

/// The forms with reduce='add' or 'multiply', which have no derivative.
Tensor scatter_with(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                    const Scalar& value, const std::string& reduce, bool in_place) {
  check(reduce == "add" || reduce == "multiply", op, "(): reduce argument must be either add or multiply., got ",
        reduce);
  ScatterReduce how = reduce == "add" ? ScatterReduce::Add : ScatterReduce::Multiply;
  return scatter_any(op, "torch::autograd::NotImplemented", x, dim, index, src, value, how, in_place,
                     [](Recorder& record, const Tensor&, int64_t) {
                       record.vjp([](const Tensor&) -> Tensor {
                         fail(ErrorKind::NotImplemented,
                              "the derivative for 'scatter' with reduce= is not implemented; use "
                              "scatter_add or scatter_reduce");
                       });
                     });
}

}  // namespace

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index) {
  dim = wrap_dim("gather", x, dim);
  Tensor at = as_int64("gather", index);
  check_shapes("gather", x, dim, at, none);
  Tensor y = make_tensor(at.sizes(), x.dtype(), x.device());
  bool ok = !y.is_meta();
  if (y.numel())
    x.kernels().gather(at_least_1d(y).strided(), at_least_1d(x).strided(), at_least_1d(at).strided(), dim, &ok);
  if (!ok) check_range("gather", ErrorKind::Runtime, at, 0, length_of(x, dim), dim);
  if (Recorder record{"GatherBackward0", y, x})
    record.vjp([at = record.save("index", at), sizes = x.sizes(), dim](const Tensor& g) {
      return scatter_add(zeros(sizes, g.dtype(), g.device()), dim, *at, g);
    });
  return y;
}

Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  return scatter_put("scatter", x, dim, index, src, false);
}
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  return scatter_sum("scatter_add", x, dim, index, src, false);
}

// ---- scatter_reduce: y = x, or nothing, combined with all of src that goes to the same place

namespace {

enum class Reduce : uint8_t { Sum, Prod, Mean, Maximum, Minimum };

Reduce reduce_from(const std::string& name) {
  if (name == "sum") return Reduce::Sum;
  if (name == "prod") return Reduce::Prod;
  if (name == "mean") return Reduce::Mean;
  if (name == "amax") return Reduce::Maximum;
  if (name == "amin") return Reduce::Minimum;
  fail(ErrorKind::Runtime, "scatter_reduce: reduce argument must be either sum, prod, mean, amax or amin, got ", name);
}

/// How many values go into each place, at least 1.
Tensor counts(const Tensor& like, int64_t dim, const Tensor& at, bool include_self) {
  NoGrad guard;
  Tensor n = include_self ? ones_like(like) : zeros_like(like);
  n = scatter_add(n, dim, at, ones(at.sizes(), like.dtype(), like.device()));
  return masked_fill(n, eq(n, number(int64_t(0))), Scalar(1));
}

Tensor equal_to(const Tensor& a, const Tensor& b, DType dtype) { return cast(eq(a, b), dtype); }

/// t, whose own derivative is not known: where several factors are 0, what it is depends on each of them.
Tensor without_derivative(const Tensor& t) {
  Tensor y = make_alias(t);
  if (Recorder record{"torch::autograd::NotImplemented", y, t})
    record.vjp([](const Tensor&) -> Tensor {
      fail(ErrorKind::NotImplemented,
           "scatter_reduce(): double backward is not supported where more than one zero of src "
           "goes into a product");
    });
  return y;
}

Tensor reduced(const Tensor& x, int64_t dim, const Tensor& at, const Tensor& src, Reduce how, bool include_self);

// Product over one place: dy/ds is the product of the others, y / s, or, for the only 0, what y is without it.
Grads product_backward(const Tensor& g, const Tensor& x, const Tensor& src, const Tensor& y, const Tensor& at,
                       int64_t dim, bool include_self, Needs need) {
  Grads gs(2);
  if (need[0]) {
    Tensor nonzero_x = masked_fill(x, eq(x, number(int64_t(0))), Scalar(1));
    gs[0] = g * reduced(nonzero_x, dim, at, src, Reduce::Prod, include_self) / nonzero_x;
  }
  if (need[1]) {
    Tensor is_zero = eq(src, number(int64_t(0)));
    Tensor zeros_here = gather(scatter_add(zeros_like(x), dim, at, cast(is_zero, x.dtype())), dim, at);
    Tensor only_zero = is_zero & eq(zeros_here, number(int64_t(1)));
    Tensor others = reduced(x, dim, at, masked_fill(src, only_zero, Scalar(1)), Reduce::Prod, include_self);
    Tensor quotient = gather(g * y, dim, at) / masked_fill(src, is_zero, Scalar(1));
    gs[1] = where(only_zero, gather(g * others, dim, at), quotient);
    if (!g.is_meta() && item_of(any(gt(zeros_here, number(int64_t(1))))).to<bool>()) gs[1] = without_derivative(gs[1]);
  }
  return gs;
}

/// Gradients of x and of the indexed corner of src.
Grads reduced_backward(const Tensor& g, const Tensor& x, const Tensor& src, const Tensor& y, const Tensor& at,
                       int64_t dim, Reduce how, bool include_self, Needs need) {
  Grads gs(2);
  if (how == Reduce::Sum || how == Reduce::Mean) {
    Tensor each = how == Reduce::Sum ? g : g / counts(g, dim, at, include_self);
    gs = {need[0] ? each : none, need[1] ? gather(each, dim, at) : none};
  } else if (how == Reduce::Prod) {
    gs = product_backward(g, x, src, y, at, dim, include_self, need);
  } else {  // shared evenly by all that equal the extreme
    Tensor x_wins = equal_to(x, y, g.dtype()), src_wins = equal_to(src, gather(y, dim, at), g.dtype());
    Tensor each = g / scatter_add(x_wins, dim, at, src_wins);
    gs = {need[0] ? x_wins * each : none, need[1] ? src_wins * gather(each, dim, at) : none};
  }
  if (gs[0] && !include_self) gs[0] = scatter_number("scatter", gs[0], dim, at, 0.0, false);
  return gs;
}

/// y[..at..] = all of src that goes there, and x's own unless !include_self.
void reduce_into(const Tensor& y, int64_t dim, const Tensor& at, const Tensor& src, Reduce how, bool include_self) {
  if (!include_self) {
    // The neutral element; for an extreme any of the values will do.
    if (how == Reduce::Maximum || how == Reduce::Minimum)
      scatter_put("scatter_reduce", y, dim, at, src, true);
    else
      scatter_number("scatter_reduce", y, dim, at, int64_t(how == Reduce::Prod), true);
  }
  constexpr ScatterReduce ways[] = {ScatterReduce::Add, ScatterReduce::Multiply, ScatterReduce::Add,
                                    ScatterReduce::Maximum, ScatterReduce::Minimum};
  scatter_any("scatter_reduce", "", y, dim, at, src, {}, ways[int(how)], true,
              [](Recorder&, const Tensor&, int64_t) {});
  if (how != Reduce::Mean) return;
  Tensor n = counts(y, dim, at, include_self);
  copy_(y, is_inexact(y.dtype()) ? y / n : floor_divide(y, n));
}

Tensor reduced(const Tensor& x, int64_t dim, const Tensor& at, const Tensor& src, Reduce how, bool include_self) {
  Tensor y;
  {
    NoGrad guard;
    y = clone(x);
    reduce_into(y, dim, at, src, how, include_self);
  }
  if (Recorder record{"ScatterReduceBackward0", y, x, src}) {
    bool linear = how == Reduce::Sum || how == Reduce::Mean;
    record.vjp([x = record.save("self", linear ? none : x), src = record.save("src", linear ? none : src),
                y = record.save("result", linear ? none : y), at = record.save("index", at), sizes = src.sizes(), dim,
                how, include_self](const Tensor& g, Needs need) {
      Tensor indices = *at;
      Grads gs = reduced_backward(g, x ? *x : none, src ? corner(*src, indices.sizes()) : none, y ? *y : none, indices,
                                  dim, how, include_self, need);
      if (gs[1]) gs[1] = in_corner(gs[1], sizes);
      return gs;
    });
  }
  return y;
}

Tensor scatter_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, const std::string& reduce,
                      bool include_self) {
  Reduce how = reduce_from(reduce);
  dim = wrap_dim("scatter_reduce", x, dim);
  bool orders = how == Reduce::Maximum || how == Reduce::Minimum;
  if (orders && is_complex(x.dtype()))
    fail(ErrorKind::NotImplemented, "scatter_reduce: \"", reduce, "\" not implemented for '",
         scalar_type_name(x.dtype()), "'");
  return reduced(x, dim, as_int64("scatter_reduce", index), src, how, include_self);
}

// ---- the forms that Python sees

Tensor scatter_value(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value) {
  return scatter_number("scatter", x, dim, index, value, false);
}
Tensor scatter_src_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  return scatter_put("scatter_", x, dim, index, src, true);
}
Tensor scatter_value_(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value) {
  return scatter_number("scatter_", x, dim, index, value, true);
}
Tensor scatter_src_with(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                        const std::string& reduce) {
  return scatter_with("scatter", x, dim, index, src, {}, reduce, false);
}
Tensor scatter_value_with(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value,
                          const std::string& reduce) {
  return scatter_with("scatter", x, dim, index, none, value, reduce, false);
}
Tensor scatter_src_with_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                         const std::string& reduce) {
  return scatter_with("scatter_", x, dim, index, src, {}, reduce, true);
}
Tensor scatter_value_with_(const Tensor& x, int64_t dim, const Tensor& index, const Scalar& value,
                           const std::string& reduce) {
  return scatter_with("scatter_", x, dim, index, none, value, reduce, true);
}
Tensor scatter_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  return scatter_sum("scatter_add_", x, dim, index, src, true);
}
Tensor gather_dense(const Tensor& x, int64_t dim, const Tensor& index, bool sparse_grad) {
  check(!sparse_grad, "gather(): sparse gradients are not supported; pass sparse_grad=False");
  return gather(x, dim, index);
}

/// gather with input and indices broadcast against each other; indices count modulo the size, so from the end as well.
Tensor take_along_dim(const Tensor& x, const Tensor& indices, std::optional<int64_t> dim) {
  check(indices.dtype() == DType::Int64, "torch.take_along_dim(): dtype of indices should be Long but got ",
        scalar_type_name(indices.dtype()));
  if (!dim) return gather(reshape(x, {-1}), 0, reshape(indices, {-1}));
  check(x.dim() == indices.dim(),
        "torch.take_along_dim(): input and indices should have the same number of dimensions, but got ", x.dim(),
        " dimensions for input, and ", indices.dim(), " dimensions for indices");
  int64_t d = wrap_dim("take_along_dim", x, *dim);
  Dims common = x.sizes(), index_sizes = indices.sizes();
  if (x.dim()) common[d] = index_sizes[d] = 1;
  common = broadcast_sizes("take_along_dim", common, index_sizes);
  Dims x_sizes = common;
  index_sizes = common;
  if (x.dim()) {
    x_sizes[d] = x.size(d);
    index_sizes[d] = indices.size(d);
  }
  int64_t length = length_of(x, d);
  Tensor at = length ? remainder(indices, number(length)) : indices;
  return gather(expand(x, x_sizes), d, expand(at, index_sizes));
}

}  // namespace

void def_scatter(Ops& ops) {
  ops.def("gather", &gather, "input"_a, "dim"_a, "index"_a, "Values at `index` along `dim`.");
  ops.def("gather", &gather_dense, "input"_a, "dim"_a, "index"_a, kw_only, "sparse_grad"_a,
          "Values at `index` along `dim`.");
  ops.def("scatter", &scatter, "input"_a, "dim"_a, "index"_a, "src"_a, "Values of `src` put at `index` along `dim`.");
  ops.def("scatter", &scatter_value, "input"_a, "dim"_a, "index"_a, "value"_a, "One value put at `index` along `dim`.");
  ops.def("scatter", &scatter_src_with, "input"_a, "dim"_a, "index"_a, "src"_a, kw_only, "reduce"_a,
          "Values added or multiplied in.");
  ops.def("scatter", &scatter_value_with, "input"_a, "dim"_a, "index"_a, "value"_a, kw_only, "reduce"_a,
          "One value added or multiplied in.");
  ops.def("scatter_", &scatter_src_, "input"_a, "dim"_a, "index"_a, "src"_a, "scatter in place.").method_only();
  ops.def("scatter_", &scatter_value_, "input"_a, "dim"_a, "index"_a, "value"_a, "scatter in place.");
  ops.def("scatter_", &scatter_src_with_, "input"_a, "dim"_a, "index"_a, "src"_a, kw_only, "reduce"_a,
          "scatter in place.");
  ops.def("scatter_", &scatter_value_with_, "input"_a, "dim"_a, "index"_a, "value"_a, kw_only, "reduce"_a,
          "scatter in place.");
  ops.def("scatter_add", &scatter_add, "input"_a, "dim"_a, "index"_a, "src"_a,
          "Values of `src` added at `index` along `dim`, in order.");
  ops.def("scatter_add_", &scatter_add_, "input"_a, "dim"_a, "index"_a, "src"_a, "scatter_add in place.").method_only();
  ops.def("scatter_reduce", &scatter_reduce, "input"_a, "dim"_a, "index"_a, "src"_a, "reduce"_a, kw_only,
          "include_self"_a = true,
          "Values of `src` combined at `index` along `dim`: 'sum', 'prod', 'mean', 'amax' or 'amin'.")
      .inplace();
  ops.def("take_along_dim", &take_along_dim, "input"_a, "indices"_a, "dim"_a = None,
          "Values at `indices` along `dim`, broadcast.");
}

}  // namespace lg
