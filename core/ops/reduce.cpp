// Reductions and scans: sums, products, extremes, moments, norms, and their running forms.
//
// Each operator is a function with its rule; `Reduction` (reduce.h) has the shapes.  Kernels know few dtypes where many
// would not pay: operators cast to `wide` before and back after.
#include "ops/reduce.h"
#include "kernels/table.h"

#include <algorithm>
#include <cmath>

namespace lg {

// ---- shapes

int64_t checked_dim(const char* op, const Tensor& x, int64_t dim, bool needs_element) {
  dim = wrap_dim(op, dim, x.dim());
  check_index(!needs_element || x.dim() == 0 || x.size(dim) > 0, op, "(): Expected reduction dim ", dim,
              " to have non-zero size.");
  return dim;
}

Reduction::Reduction(const char* op, const Tensor& x, const Dims& dims, bool keepdim) : kept(x.sizes()) {
  const int64_t n = x.dim();
  for (int64_t d : dims) {
    d = wrap_dim(op, d, n);
    check(!(mask >> d & 1), op, ": dim ", d, " appears multiple times in the list of dims");
    mask |= uint64_t(1) << d;
  }
  if (dims.empty()) mask = ~uint64_t(0);
  for (int64_t d = 0; d < n; ++d) {
    if (over(d)) {
      count *= kept[d];
      kept[d] = 1;
      if (!keepdim) continue;
    }
    result.push_back(kept[d]);
  }
  strides = contiguous_strides(kept);
}

Tensor keep_dims(const Tensor& g, uint64_t mask, const Dims& sizes) {
  if (g.dim() == sizes.size()) return g;
  Dims kept = sizes;
  for (int64_t d = 0; d < kept.size(); ++d)
    if (mask >> d & 1) kept[d] = 1;
  return view(g, kept);
}

Tensor spread(const Tensor& g, uint64_t mask, const Dims& sizes) { return expand(keep_dims(g, mask, sizes), sizes); }

Tensor scatter_back(const Tensor& g, int64_t dim, const Tensor& indices, const Dims& sizes, bool keepdim) {
  if (sizes.empty()) return g;
  const Tensor zero = zeros(sizes, g.dtype(), g.device());
  if (keepdim) return scatter(zero, dim, indices, g);
  return scatter(zero, dim, unsqueeze(indices, dim), unsqueeze(g, dim));
}

void warn(const char* message) {
  if (PyErr_WarnEx(PyExc_UserWarning, message, 1) < 0) throw PythonError();
}

// ---- sums and means

namespace {

/// What sums and extremes know: int8 and int16 go as int32.
Tensor for_kernel(const Tensor& x) {
  return x.dtype() == DType::Int8 || x.dtype() == DType::Int16 ? cast(x, DType::Int32) : x;
}

/// Sum or mean without a record.  Integers are added as int64; then, as in PyTorch, the result takes `dtype`.
Tensor total(const Tensor& input, const Reduction& r, DType dtype, bool mean) {
  const bool integers = is_integral(input.dtype()) && is_integral(dtype);
  const Tensor x = integers ? for_kernel(input) : cast(input, dtype == DType::Bool ? DType::Int64 : dtype);
  Tensor y = r.make(is_integral(x.dtype()) ? DType::Int64 : x.dtype(), x.device());
  x.kernels().sum(r.look(y), x.strided(), mean ? double(r.count) : 1);
  return cast(y, dtype);
}

DType sum_dtype(const Tensor& x, std::optional<DType> dtype) {
  return dtype ? *dtype : is_integral(x.dtype()) ? DType::Int64 : x.dtype();
}

DType mean_dtype(const Tensor& x, std::optional<DType> dtype) {
  check(!dtype || is_inexact(*dtype),
        "mean(): could not infer output dtype. Optional dtype must be either a floating "
        "point or complex dtype. Got: ",
        scalar_type_name(dtype.value_or(x.dtype())));
  check(dtype || is_inexact(x.dtype()),
        "mean(): could not infer output dtype. Input dtype must be either a floating "
        "point or complex dtype. Got: ",
        scalar_type_name(x.dtype()));
  return dtype.value_or(x.dtype());
}

}  // namespace

// y = sum(x).   dL/dx = g, spread.
Tensor sum(const Tensor& x) {
  Tensor y = make_tensor({}, is_integral(x.dtype()) ? DType::Int64 : x.dtype(), x.device());
  x.kernels().sum(y.strided(), for_kernel(x).strided(), 1);  // a 0-dim y: all of x
  if (Recorder record{"SumBackward0", y, x})
    record.vjp([sizes = x.sizes()](const Tensor& g) { return expand(g, sizes); });
  return y;
}

Tensor sum(const Tensor& x, const Dims& dims, bool keepdim, std::optional<DType> dtype) {
  const Reduction r("sum", x, dims, keepdim);
  Tensor y = total(x, r, sum_dtype(x, dtype), false);
  if (Recorder record{"SumBackward1", y, x})
    record.vjp([mask = r.mask, sizes = x.sizes()](const Tensor& g) { return spread(g, mask, sizes); });
  return y;
}

static Tensor sum_as(const Tensor& x, std::optional<DType> dtype) {
  if (!dtype) return sum(x);
  Tensor y = total(x, Reduction("sum", x, {}, false), *dtype, false);
  if (Recorder record{"SumBackward0", y, x})
    record.vjp([sizes = x.sizes()](const Tensor& g) { return expand(g, sizes); });
  return y;
}

/// The sum over what broadcasting `sizes` to x's shape adds or stretches.
static Reduction unbroadcast(const Tensor& x, const Dims& sizes) {
  const int64_t extra = x.dim() - sizes.size();
  Dims dims;
  for (int64_t d = 0; d < x.dim(); ++d)
    if (d < extra || (sizes[d - extra] == 1 && x.size(d) != 1)) dims.push_back(d);
  Reduction r("sum_to_size", x, dims, true);
  r.result = sizes;
  return r;
}

/// Is every element of g the same one, as in the gradient of a sum, and are they too many to write out in no time?
static bool is_constant(const Tensor& g) {
  return g.numel() > 4096 && std::all_of(g.strides().begin(), g.strides().end(), [](int64_t s) { return s == 0; });
}

Tensor slope_of_product(const Tensor& g, const Tensor& b, Needs need, size_t input) {
  const Dims& sizes = need.sizes(input);
  if (!grad_enabled() && b->wrapped_number && is_constant(g) && !need.watched(input)) {  // stays one element
    return expand(as_strided(g, Dims(), Dims()) * conj(b), g.sizes());
  }
  const bool real = g.dtype() == DType::Float32 || g.dtype() == DType::Float64;
  if (grad_enabled() || !real || b.dtype() != g.dtype() || g.sizes() == sizes || b.sizes() != g.sizes() ||
      b.strides() != g.strides())
    return g * conj(b);
  const Reduction r = unbroadcast(g, sizes);
  Tensor y = r.make(g.dtype(), g.device());
  g.kernels().sum_product(r.look(y), g.strided(), b.strided());
  return y;
}

Tensor sum_to_size(const Tensor& x, const Dims& sizes) {
  if (x.sizes() == sizes) return x;
  check(is_expandable_to(sizes, x.sizes()), "sum_to_size: size {", sizes, "} is not expandable to size {", x.sizes(),
        "}.");
  const Reduction r = unbroadcast(x, sizes);
  Tensor y = total(x, r, sum_dtype(x, {}), false);
  if (Recorder record{"SumBackward1", y, x})
    record.vjp([mask = r.mask, sizes = x.sizes()](const Tensor& g) {
      Dims kept = sizes;
      for (int64_t d = 0; d < kept.size(); ++d)
        if (mask >> d & 1) kept[d] = 1;
      return expand(view(g, kept), sizes);
    });
  return y;
}

// y = sum(x) / n.
static Tensor mean_as(const char* node, const Tensor& x, const Dims& dims, bool keepdim, std::optional<DType> dtype) {
  const Reduction r("mean", x, dims, keepdim);
  Tensor y = total(x, r, mean_dtype(x, dtype), true);
  if (Recorder record{node, y, x})
    record.vjp([mask = r.mask, sizes = x.sizes(), n = r.count](const Tensor& g) {
      return spread(g, mask, sizes) / Scalar(n);
    });
  return y;
}

Tensor mean(const Tensor& x) { return mean_as("MeanBackward0", x, {}, false, {}); }
Tensor mean(const Tensor& x, const Dims& dims, bool keepdim, std::optional<DType> dtype) {
  return mean_as("MeanBackward1", x, dims, keepdim, dtype);
}

// Sum of what is not NaN.
static Tensor nansum(const Tensor& x, const std::optional<Dims>& dims, bool keepdim, std::optional<DType> dtype) {
  check(!is_complex(x.dtype()), "nansum: nansum on CPU does not support complex inputs");
  if (!is_floating(x.dtype())) return sum(x, dims.value_or(Dims()), keepdim, dtype);
  const Reduction r("nansum", x, dims.value_or(Dims()), keepdim);
  Tensor y;
  {
    NoGrad off;
    y = total(masked_fill(x, isnan(x), number(0)), r, sum_dtype(x, dtype), false);
  }
  if (Recorder record{"NansumBackward0", y, x})
    record.vjp([x = record.save("self", x), mask = r.mask](const Tensor& g) {
      return spread(g, mask, x->sizes()) * logical_not(isnan(*x));
    });
  return y;
}

static Tensor nanmean(const Tensor& x, const std::optional<Dims>& dims, bool keepdim, std::optional<DType> dtype) {
  check(is_inexact(x.dtype()), "nanmean(): expected input to have floating point or complex dtype but got ",
        scalar_type_name(x.dtype()));
  const Tensor count = sum(logical_not(isnan(detach(x))), dims.value_or(Dims()), keepdim);
  return nansum(x, dims, keepdim, dtype) / count;
}

static Tensor count_nonzero(const Tensor& x, const std::optional<Dims>& dims) {
  return sum(ne(detach(x), number(0)), dims.value_or(Dims()), false);
}

// ---- products

namespace {

bool has_zero(const Tensor& x) {
  if (x.is_meta()) return false;
  Tensor none_zero = make_tensor({}, DType::Bool);
  x.kernels().any({none_zero.data(), DType::Bool, 0, nullptr, nullptr}, x.strided(), true);
  return !*none_zero.data<bool>();
}

/// Product of all other elements along `dim`, without a division: exact where there are zeros.
Tensor product_of_others(const Tensor& x, int64_t dim) {
  const int64_t n = x.size(dim);
  Dims one = x.sizes();
  one[dim] = 1;
  const Tensor first = ones(one, x.dtype(), x.device());
  const Tensor before = cumprod(cat({first, narrow(x, dim, 0, n - 1)}, dim), dim);
  const Tensor after = cumprod(cat({first, flip(narrow(x, dim, 1, n - 1), {dim})}, dim), dim);
  return before * flip(after, {dim});
}

Tensor product(const Tensor& input, const Reduction& r, DType dtype) {
  const Tensor x = cast(cast(input, dtype), wide(dtype));
  Tensor y = r.make(x.dtype(), x.device());
  x.kernels().prod(r.look(y), x.strided());
  return cast(y, dtype);
}

}  // namespace

// dL/dx = g * y / x, or the product of the others where a zero is among them.
static Tensor prod(const Tensor& x, std::optional<DType> dtype) {
  Tensor y = product(x, Reduction("prod", x, {}, false), sum_dtype(x, dtype));
  if (Recorder record{"ProdBackward0", y, x})
    record.vjp([x = record.save("self", x), y = record.save("result", y)](const Tensor& g) {
      const Tensor in = *x;
      if (in.numel() == 0) return zeros_like(in);
      if (!has_zero(in)) return g * conj(*y / in);
      if (in.dim() == 0) return expand(g, in.sizes());
      return g * conj(reshape(product_of_others(reshape(in, {-1}), 0), in.sizes()));
    });
  return y;
}

static Tensor prod_as(const Tensor& x, int64_t dim, bool keepdim, std::optional<DType> dtype) {
  dim = checked_dim("prod", x, dim);
  Tensor y = product(x, Reduction("prod", x, {dim}, keepdim), sum_dtype(x, dtype));
  if (Recorder record{"ProdBackward1", y, x})
    record.vjp([x = record.save("self", x), y = record.save("result", y), dim](const Tensor& g) {
      const Tensor in = *x;
      if (in.dim() == 0) return g;
      const uint64_t mask = uint64_t(1) << dim;
      const Tensor to = keep_dims(g, mask, in.sizes());
      if (!has_zero(in)) return to * conj(keep_dims(*y, mask, in.sizes()) / in);
      return to * conj(product_of_others(in, dim));
    });
  return y;
}

Tensor prod(const Tensor& x, int64_t dim, bool keepdim) { return prod_as(x, dim, keepdim, {}); }

// ---- extremes

Tensor share_evenly(const Tensor& g, const Tensor& x, const Tensor& y, uint64_t mask) {
  const Tensor to = keep_dims(g, mask, x.sizes()), top = keep_dims(detach(y), mask, x.sizes()), in = detach(x);
  const Tensor hit = to_dtype(logical_or(eq(in, top), logical_and(isnan(in), isnan(top))), g.dtype());
  Dims dims;
  for (int64_t d = 0; d < x.dim(); ++d)
    if (mask >> d & 1) dims.push_back(d);
  const Tensor count = dims.empty() ? hit : sum(hit, dims, true);
  return to * (hit / count);
}

namespace {

Tensor extreme(const char* op, const Tensor& x, const Reduction& r, bool largest) {
  check_implemented(!is_complex(x.dtype()), op, x);
  const Tensor in = is_floating(x.dtype()) ? cast(x, wide(x.dtype())) : for_kernel(x);
  Tensor y = r.make(in.dtype(), x.device());
  (largest ? x.kernels().amax : x.kernels().amin)(r.look(y), in.strided());
  return cast(y, x.dtype());
}

Tensor extreme_over(const char* op, const char* node, const Tensor& x, const Dims& dims, bool keepdim, bool largest) {
  const Reduction r(op, x, dims, keepdim);
  if (x.numel() == 0) {
    check(!dims.empty(), op,
          "(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim "
          "with the 'dim' argument.");
    for (int64_t d : dims) checked_dim(op, x, d, true);
  }
  Tensor y = extreme(op, x, r, largest);
  if (Recorder record{node, y, x})
    record.vjp([x = record.save("self", x), y = record.save("result", y), mask = r.mask](const Tensor& g) {
      return share_evenly(g, *x, *y, mask);
    });
  return y;
}

/// Index of the first element along `dim` that equals `values`, which has the dimension reduced.
Tensor index_of(const Tensor& x, const Tensor& values, const Reduction& r, int64_t dim) {
  Tensor indices = r.make(DType::Int64, x.device());
  x.kernels().index_of(r.look(indices), x.strided(), r.look(values), dim);
  return indices;
}

std::pair<Tensor, Tensor> extreme_along(const char* op, const char* node, const Tensor& x, int64_t dim, bool keepdim,
                                        bool largest) {
  dim = checked_dim(op, x, dim, true);
  const Reduction r(op, x, {dim}, keepdim);
  Tensor values = extreme(op, x, r, largest), indices = index_of(x, values, r, dim);
  if (Recorder record{node, values, x})
    record.vjp([indices = record.save("indices", indices), sizes = x.sizes(), dim, keepdim](const Tensor& g) {
      return scatter_back(g, dim, *indices, sizes, keepdim);
    });
  return {values, indices};
}

Tensor arg_extreme(const char* op, const Tensor& x, std::optional<int64_t> dim, bool keepdim, bool largest) {
  check(!is_complex(x.dtype()), op, "(): does not support complex input");
  check(x.dtype() != DType::Bool, op, "(): does not support bool input");
  if (dim) {
    const int64_t d = checked_dim(op, x, *dim, true);
    const Reduction r(op, x, {d}, keepdim);
    return index_of(x, extreme(op, x, r, largest), r, d);
  }
  check_index(x.numel() > 0, op, "(): Expected reduction dim to be specified for input.numel() == 0.");
  NoGrad off;
  const Tensor line = reshape(x, {-1});
  const Reduction r(op, line, {0}, false);
  Tensor y = index_of(line, extreme(op, line, r, largest), r, 0);
  return keepdim ? view(y, Dims(x.dim(), 1)) : y;
}

Tensor extreme_of_all(const char* op, const char* node, const Tensor& x, bool largest) {
  check(x.numel() > 0, op,
        "(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim "
        "with the 'dim' argument.");
  return extreme_over(op, node, x, {}, false, largest);
}

std::pair<Tensor, Tensor> aminmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  check(dim || x.numel() > 0,
        "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.");
  const Reduction r("aminmax", x, dim ? Dims{checked_dim("aminmax", x, *dim, true)} : Dims(), keepdim);
  const Tensor both[] = {extreme("aminmax", x, r, false), extreme("aminmax", x, r, true)};
  if (Recorder record{"AminmaxBackward0", both, {&x, 1}})
    record.vjp([x = record.save("self", x), low = record.save("min", both[0]), high = record.save("max", both[1]),
                mask = r.mask](const Grads& g) {
      return share_evenly(g[0], *x, *low, mask) + share_evenly(g[1], *x, *high, mask);
    });
  return {both[0], both[1]};
}

}  // namespace

Tensor amax(const Tensor& x, const Dims& dims, bool keepdim) {
  return extreme_over("amax", "AmaxBackward0", x, dims, keepdim, true);
}
Tensor amin(const Tensor& x, const Dims& dims, bool keepdim) {
  return extreme_over("amin", "AminBackward0", x, dims, keepdim, false);
}
std::pair<Tensor, Tensor> max(const Tensor& x, int64_t dim, bool keepdim) {
  return extreme_along("max", "MaxBackward0", x, dim, keepdim, true);
}
std::pair<Tensor, Tensor> min(const Tensor& x, int64_t dim, bool keepdim) {
  return extreme_along("min", "MinBackward0", x, dim, keepdim, false);
}
Tensor argmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  return arg_extreme("argmax", x, dim, keepdim, true);
}
Tensor argmin(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  return arg_extreme("argmin", x, dim, keepdim, false);
}

// ---- any and all

namespace {

/// `zero` false: is any element nonzero?  true: are all?  uint8 answers in uint8, as it always has in PyTorch.
Tensor any_over(const char* op, const Tensor& x, const Dims& dims, bool keepdim, bool zero) {
  const Reduction r(op, x, dims, keepdim);
  Tensor y = r.make(DType::Bool, x.device());
  x.kernels().any(r.look(y), x.strided(), zero);
  return x.dtype() == DType::UInt8 ? cast(y, DType::UInt8) : y;
}

/// With dimensions: an empty tuple, here, means none.
Tensor any_along(const char* op, const Tensor& x, const std::optional<Dims>& dims, bool keepdim, bool zero) {
  if (!dims || !dims->empty()) return any_over(op, x, dims.value_or(Dims()), keepdim, zero);
  return cast(cast(x, DType::Bool), x.dtype() == DType::UInt8 ? DType::UInt8 : DType::Bool);
}

}  // namespace

Tensor all(const Tensor& x) { return any_over("all", x, {}, false, true); }
Tensor any(const Tensor& x) { return any_over("any", x, {}, false, false); }

// ---- moments

namespace {

/// Variance, and the mean if it is asked for, without a record.
Tensor moments(const char* op, const Tensor& x, const Reduction& r, double correction, Tensor* mean) {
  check(is_inexact(x.dtype()), op, ": std and var only support floating point and complex dtypes");
  if (double(r.count) <= correction)
    warn(text(op,
              "(): degrees of freedom is <= 0. Correction should be strictly less than the reduction factor (input "
              "numel divided by output numel).")
             .c_str());
  const double divisor = std::max(0.0, double(r.count) - correction);
  if (is_complex(x.dtype())) {
    NoGrad off;
    Tensor m = total(x, r, x.dtype(), true);
    const Tensor d = abs(x - keep_dims(m, r.mask, x.sizes()));
    Tensor y = total(d * d, r, d.dtype(), false) / Scalar(divisor);
    if (mean) *mean = m;
    return y;
  }
  const Tensor in = cast(x, wide(x.dtype()));
  Tensor y = r.make(in.dtype(), x.device()), m = mean ? r.make(in.dtype(), x.device()) : none;
  x.kernels().var(r.look(y), mean ? r.look(m) : Strided(), in.strided(), divisor);
  if (mean) *mean = cast(m, x.dtype());
  return cast(y, x.dtype());
}

// var = sum |x - mean|**2 / (n - correction).   dL/dx = 2 g (x - mean) / (n - correction).
Tensor var_backward(const Tensor& g, const Tensor& x, uint64_t mask, double correction, int64_t n) {
  Dims dims;
  for (int64_t d = 0; d < x.dim(); ++d)
    if (mask >> d & 1) dims.push_back(d);
  const Tensor centred = x.dim() ? x - mean(x, dims, true) : x - x;
  return keep_dims(g, mask, x.sizes()) * centred * Scalar(2.0 / std::max(0.0, double(n) - correction));
}

/// The slope of a square root, 0 at 0: what PyTorch gives std there.
Tensor std_backward(const Tensor& g, const Tensor& y) {
  return masked_fill(g / (y * Scalar(2)), eq(y, number(0)), number(0));
}

std::pair<Tensor, Tensor> std_var_mean(const char* op, const char* node, const Tensor& x, const Dims& dims,
                                       double correction, bool keepdim, bool root) {
  const Reduction r(op, x, dims, keepdim);
  Tensor m, y = moments(op, x, r, correction, &m);
  if (root) {
    NoGrad off;
    y = sqrt(y);
  }
  const Tensor both[] = {y, m};
  if (Recorder record{node, both, {&x, 1}})
    record.vjp([x = record.save("self", x), y = root ? record.save("result0", y) : Saved(), mask = r.mask, correction,
                n = r.count](const Grads& g) {
      const Tensor in = *x;
      const Tensor of_var = y ? std_backward(g[0], *y) : g[0];
      return var_backward(of_var, in, mask, correction, n) + spread(g[1], mask, in.sizes()) / Scalar(n);
    });
  return {y, m};
}

std::pair<Tensor, Tensor> var_mean(const Tensor& x, const Dims& dims, double correction, bool keepdim) {
  return std_var_mean("var_mean", "VarMeanBackward0", x, dims, correction, keepdim, false);
}
std::pair<Tensor, Tensor> std_mean(const Tensor& x, const Dims& dims, double correction, bool keepdim) {
  return std_var_mean("std_mean", "StdMeanBackward0", x, dims, correction, keepdim, true);
}

}  // namespace

Tensor var(const Tensor& x, const Dims& dims, double correction, bool keepdim) {
  const Reduction r("var", x, dims, keepdim);
  Tensor y = moments("var", x, r, correction, nullptr);
  if (Recorder record{"VarBackward0", y, x})
    record.vjp([x = record.save("self", x), mask = r.mask, correction, n = r.count](const Tensor& g) {
      return var_backward(g, *x, mask, correction, n);
    });
  return y;
}

static Tensor std_(const Tensor& x, const Dims& dims, double correction, bool keepdim) {
  const Reduction r("std", x, dims, keepdim);
  Tensor y = moments("std", x, r, correction, nullptr);
  {
    NoGrad off;
    y = sqrt(y);
  }
  if (Recorder record{"StdBackward0", y, x})
    record.vjp([x = record.save("self", x), y = record.save("result", y), mask = r.mask, correction,
                n = r.count](const Tensor& g) { return var_backward(std_backward(g, *y), *x, mask, correction, n); });
  return y;
}

// ---- norms

namespace {

// With y = (sum |x|**p)**(1/p):  dL/dx = g * sgn(x) |x|**(p-1) / y**(p-1), and 0 where y is 0.
Tensor norm_backward(const Tensor& g, const Tensor& x, const Tensor& y, double p, uint64_t mask) {
  const Tensor to = keep_dims(g, mask, x.sizes()), norm = keep_dims(y, mask, x.sizes());
  if (p == 0) return none;
  if (p == 1) return to * sgn(x);
  const Tensor zero = eq(norm, number(0));
  if (p == 2) return to * masked_fill(x / norm, zero, number(0));
  if (std::isinf(p)) return sgn(x) * share_evenly(g, abs(x), y, mask);
  if (p < 2) {
    // |x|**(p-1) is infinite at 0 for p < 1; the slope there is taken as 0.
    const Tensor scaled = sgn(x) * pow(abs(x), number(p - 1)), scale = to * pow(norm, number(1 - p));
    const Tensor flat = p < 1 ? eq(x, number(0)) : zero;
    return masked_fill(scaled * scale, flat, number(0));
  }
  const Tensor scaled = x * pow(abs(x), number(p - 2));
  return scaled * masked_fill(to / pow(norm, number(p - 1)), zero, number(0));
}

Tensor norm_value(const Tensor& x, const Reduction& r, double p) {
  NoGrad off;
  const DType dtype = real_of(x.dtype());
  if (p == 0) return total(ne(x, number(0)), r, dtype, false);
  const Tensor size = is_complex(x.dtype()) || std::isinf(p) ? abs(x) : x;
  if (std::isinf(p)) return extreme("vector_norm", size, r, p > 0);
  const Tensor in = cast(size, wide(dtype));
  Tensor y = r.make(in.dtype(), x.device());
  x.kernels().norm(r.look(y), in.strided(), p);
  return cast(y, dtype);
}

}  // namespace

Tensor vector_norm(const Tensor& input, const Scalar& ord, const Dims& dims, bool keepdim, std::optional<DType> dtype) {
  const double p = ord.to<double>();
  check(is_inexact(input.dtype()), "linalg.vector_norm: Expected a floating point or complex tensor as input. Got ",
        scalar_type_name(input.dtype()));
  check(!dtype || is_complex(*dtype) == is_complex(input.dtype()), "linalg.vector_norm: dtype should be ",
        is_complex(input.dtype()) ? "complex" : "floating point", " for ", scalar_type_name(input.dtype()),
        " inputs, but got ", scalar_type_name(dtype.value_or(input.dtype())));
  check(!dtype || promote(input.dtype(), *dtype) == *dtype, "linalg.vector_norm: the dtype of the input (",
        scalar_type_name(input.dtype()), ") should be convertible without narrowing to the specified dtype (",
        scalar_type_name(dtype.value_or(input.dtype())), ")");
  const Tensor x = dtype ? to_dtype(input, *dtype) : input;
  const Reduction r("linalg.vector_norm", x, dims, keepdim);
  for (int64_t d = 0; d < x.dim() && (p < 0 || std::isinf(p)); ++d)
    check(!r.over(d) || x.size(d) > 0, "linalg.vector_norm cannot compute the ", p, " norm on ",
          dims.empty() ? text("an empty tensor") : text("the dimension ", d, " because this dimension is empty and"),
          dims.empty() ? " because the operation does" : " the operation does", " not have an identity");
  Tensor y = norm_value(x, r, p);
  if (Recorder record{"LinalgVectorNormBackward0", y, x})
    record.vjp([x = record.save("self", x), y = record.save("result", y), p, mask = r.mask](const Tensor& g) {
      return norm_backward(g, *x, *y, p, mask);
    });
  return y;
}

/// torch.norm: `p` is a number, "fro" or None (both 2).
static Tensor norm(const Tensor& x, PyObject* p, const std::optional<Dims>& dims, bool keepdim,
                   std::optional<DType> dtype) {
  Scalar ord(2);
  if (PyUnicode_Check(p)) {
    check(PyUnicode_CompareWithASCIIString(p, "fro") == 0, "norm: linalg.matrix_norm: Order ", PyUnicode_AsUTF8(p),
          " not supported.");
  } else if (p != Py_None) {
    check_type(binding::is_number(p), "norm(): argument 'p' must be a number, 'fro' or None");
    ord = binding::scalar_from_python(p);
  }
  return vector_norm(x, ord, dims.value_or(Dims()), keepdim, dtype);
}

// y = log(sum e**x), computed as m + log(sum e**(x - m)) with the maximum m.   dL/dx = g e**(x - y).
Tensor logsumexp(const Tensor& input, const Dims& dims, bool keepdim) {
  const Tensor x = is_inexact(input.dtype()) ? input : cast(input, default_dtype());
  const Reduction r("logsumexp", x, dims, keepdim);
  Tensor y;
  {
    NoGrad off;
    if (x.numel() == 0) {
      y = log(total(x, r, x.dtype(), false));
    } else {
      // Of a complex x the real part decides.  An infinite maximum would give inf - inf.
      const Tensor part = is_complex(x.dtype()) ? real(x) : x;
      Tensor m = extreme("logsumexp", part, r, true);
      m = masked_fill(m, eq(abs(m), number(INFINITY)), number(0));
      const Tensor terms = exp(x - keep_dims(m, r.mask, x.sizes()));
      y = log(total(terms, r, x.dtype(), false)) + m;
    }
  }
  if (Recorder record{"LogsumexpBackward0", y, input})
    record.vjp([x = record.save("self", input), y = record.save("result", y), mask = r.mask](const Tensor& g) {
      const Tensor in = *x;
      return keep_dims(g, mask, in.sizes()) * conj(exp(in - keep_dims(*y, mask, in.sizes())));
    });
  return y;
}

// ---- scans

namespace {

using ScanKernel = void (*)(Strided, Strided, int64_t);

Tensor scanned(const Tensor& input, int64_t dim, DType dtype, ScanKernel kernel) {
  const Tensor x = cast(cast(input, dtype), wide(dtype));
  Tensor y = make_tensor(x.sizes(), x.dtype(), x.device());
  kernel(y.strided(), x.strided(), dim);
  return cast(y, dtype);
}

/// Sum from each element to the end.
Tensor reverse_cumsum(const Tensor& x, int64_t dim) {
  return x.dim() == 0 ? x : flip(cumsum(flip(x, {dim}), dim), {dim});
}

/// The rule of cumprod where x holds zeros: each derivative is a sum of products that leave one element out.
Tensor cumprod_backward_with_zeros(const Tensor& g, const Tensor& x, int64_t dim) {
  const int64_t n = x.size(dim);
  Tensors parts;
  for (int64_t k = 0; k < n; ++k) {
    const Tensor before = k ? prod(narrow(x, dim, 0, k), dim, true) : ones_like(narrow(x, dim, 0, 1));
    const Tensor without =
        k == n - 1 ? before : cat({before, before * cumprod(narrow(x, dim, k + 1, n - k - 1), dim)}, dim);
    parts.push_back(sum(narrow(g, dim, k, n - k) * conj(without), {dim}, true));
  }
  return cat(parts, dim);
}

std::pair<Tensor, Tensor> running_extreme(const char* op, const char* node, const Tensor& x, int64_t dim,
                                          bool largest) {
  check_implemented(!is_complex(x.dtype()), op, x);
  dim = checked_dim(op, x, dim);
  Tensor values = make_tensor(x.sizes(), x.dtype(), x.device()),
         indices = make_tensor(x.sizes(), DType::Int64, x.device());
  x.kernels().cum_extreme(values.strided(), indices.strided(), x.strided(), dim, largest);
  if (Recorder record{node, values, x})
    record.vjp([indices = record.save("indices", indices), dim, sizes = x.sizes()](const Tensor& g) {
      if (sizes.empty()) return g;
      return scatter_add(zeros(sizes, g.dtype(), g.device()), dim, *indices, g);
    });
  return {values, indices};
}

}  // namespace

Tensor cumsum(const Tensor& x, int64_t dim, std::optional<DType> dtype) {
  dim = checked_dim("cumsum", x, dim);
  Tensor y = scanned(x, dim, sum_dtype(x, dtype), x.kernels().cumsum);
  if (Recorder record{"CumsumBackward0", y, x}) record.vjp([dim](const Tensor& g) { return reverse_cumsum(g, dim); });
  return y;
}

// dL/dx[k] = sum over i >= k of g[i] y[i] / x[k].
Tensor cumprod(const Tensor& x, int64_t dim, std::optional<DType> dtype) {
  dim = checked_dim("cumprod", x, dim);
  Tensor y = scanned(x, dim, sum_dtype(x, dtype), x.kernels().cumprod);
  if (Recorder record{"CumprodBackward0", y, x})
    record.vjp([x = record.save("self", x), y = record.save("result", y), dim](const Tensor& g) {
      const Tensor in = *x;
      if (in.dim() == 0 || in.numel() == 0) return g;
      if (has_zero(in)) return cumprod_backward_with_zeros(g, in, dim);
      return reverse_cumsum(g * conj(*y), dim) / conj(in);
    });
  return y;
}

namespace {

/// The rule of logcumsumexp in operators, to be differentiated again; x is shifted by its maximum, lest e**x overflow.
Tensor logcumsumexp_slope(const Tensor& g, const Tensor& x, const Tensor& y, int64_t dim) {
  const Tensor top = amax(detach(x), {dim}, true);
  return exp(x - top) * reverse_cumsum(g * exp(top - y), dim);
}

}  // namespace

// dL/dx[k] = sum over i >= k of g[i] e**(x[k] - y[i]).
static Tensor logcumsumexp(const Tensor& x, int64_t dim) {
  check_implemented(is_floating(x.dtype()), "logcumsumexp", x);
  dim = checked_dim("logcumsumexp", x, dim);
  Tensor y = scanned(x, dim, x.dtype(), x.kernels().logcumsumexp);
  if (Recorder record{"LogcumsumexpBackward0", y, x})
    record.vjp([x = record.save("self", x), y = record.save("result", y), dim](const Tensor& g) {
      const Tensor in = *x, out = *y;
      if (in.dim() == 0 || in.numel() == 0) return g;
      if (grad_enabled()) return logcumsumexp_slope(g, in, out, dim);
      const DType dtype = wide(in.dtype());
      const Tensor gs = cast(g, dtype), xs = cast(in, dtype), ys = cast(out, dtype);
      Tensor dx = make_tensor(in.sizes(), dtype, in.device());
      in.kernels().logcumsumexp_backward(dx.strided(), gs.strided(), xs.strided(), ys.strided(), dim);
      return cast(dx, in.dtype());
    });
  return y;
}

// ---- names

namespace {

Dims all_or(const std::optional<Dims>& dims) { return dims.value_or(Dims()); }
double bessel(bool unbiased) { return unbiased ? 1 : 0; }

template <auto of>
void def_moment(Ops& ops, const char* name, const char* doc) {
  ops.def(
      name,
      +[](const Tensor& x, std::optional<Dims> dim, bool unbiased, bool keepdim) {
        return of(x, all_or(dim), bessel(unbiased), keepdim);
      },
      "input"_a, "dim"_a, "unbiased"_a = true, "keepdim"_a = false, doc);
  ops.def(
      name,
      +[](const Tensor& x, std::optional<Dims> dim, std::optional<double> correction, bool keepdim) {
        return of(x, all_or(dim), correction.value_or(1), keepdim);
      },
      "input"_a, "dim"_a = None, kw_only, "correction"_a = None, "keepdim"_a = false, doc);
  ops.def(
      name, +[](const Tensor& x, bool unbiased) { return of(x, Dims(), bessel(unbiased), false); }, "input"_a,
      "unbiased"_a = true, doc);
}

void def_sums(Ops& ops) {
  ops.def("sum", &sum_as, "input"_a, kw_only, "dtype"_a = None, "Sum of all elements, or along `dim`.");
  ops.def(
      "sum",
      +[](const Tensor& x, std::optional<Dims> dim, bool keepdim, std::optional<DType> dtype) {
        return sum(x, all_or(dim), keepdim, dtype);
      },
      "input"_a, "dim"_a, "keepdim"_a = false, kw_only, "dtype"_a = None, "Sum along `dim`.");
  ops.def(
      "mean",
      +[](const Tensor& x, std::optional<DType> dtype) { return mean_as("MeanBackward0", x, {}, false, dtype); },
      "input"_a, kw_only, "dtype"_a = None, "Mean of all elements, or along `dim`.");
  ops.def(
      "mean",
      +[](const Tensor& x, std::optional<Dims> dim, bool keepdim, std::optional<DType> dtype) {
        return mean(x, all_or(dim), keepdim, dtype);
      },
      "input"_a, "dim"_a, "keepdim"_a = false, kw_only, "dtype"_a = None, "Mean along `dim`.");
  ops.def("nansum", &nansum, "input"_a, "dim"_a = None, "keepdim"_a = false, kw_only, "dtype"_a = None,
          "Sum of the elements that are not NaN.");
  ops.def("nanmean", &nanmean, "input"_a, "dim"_a = None, "keepdim"_a = false, kw_only, "dtype"_a = None,
          "Mean of the elements that are not NaN.");
  ops.def("count_nonzero", &count_nonzero, "input"_a, "dim"_a = None, "Number of elements that are not zero.").no_out();
  ops.def(
         "sum_to_size", +[](const Tensor& x, const Dims& size) { return size.empty() ? sum(x) : sum_to_size(x, size); },
         "input"_a, "size"_a.varargs(),
         "Sum over the dimensions that broadcasting `size` "
         "to the shape of `input` would add or stretch.")
      .method_only();
  ops.def("prod", static_cast<Tensor (*)(const Tensor&, std::optional<DType>)>(&prod), "input"_a, kw_only,
          "dtype"_a = None, "Product of all elements, or along `dim`.");
  ops.def("prod", &prod_as, "input"_a, "dim"_a, "keepdim"_a = false, kw_only, "dtype"_a = None, "Product along `dim`.");
}

template <auto of_all, auto along, auto of_two>
void def_extreme(Ops& ops, const char* name, const char* doc) {
  ops.def(name, +[](const Tensor& x) { return of_all(x); }, "input"_a, doc);
  // Before `dim`, which a 0-dim integer tensor would fit as well.
  ops.def(name, +[](const Tensor& x, const Tensor& other) { return of_two(x, other); }, "input"_a, "other"_a, doc);
  ops.def(
         name, +[](const Tensor& x, int64_t dim, bool keepdim) { return along(x, dim, keepdim); }, "input"_a, "dim"_a,
         "keepdim"_a = false, doc)
      .returns({"values", "indices"});
}

Tensor max_of_all(const Tensor& x) { return extreme_of_all("max", "MaxBackward1", x, true); }
Tensor min_of_all(const Tensor& x) { return extreme_of_all("min", "MinBackward1", x, false); }
using Along = std::pair<Tensor, Tensor> (*)(const Tensor&, int64_t, bool);
using OfTwo = Tensor (*)(const Tensor&, const Tensor&);

void def_extremes(Ops& ops) {
  def_extreme<&max_of_all, static_cast<Along>(&max), static_cast<OfTwo>(&maximum)>(
      ops, "max", "Greatest of all elements; along `dim`, with its index; or the greater of two tensors' elements.");
  def_extreme<&min_of_all, static_cast<Along>(&min), static_cast<OfTwo>(&minimum)>(
      ops, "min", "Least of all elements; along `dim`, with its index; or the lesser of two tensors' elements.");
  ops.def(
      "amax", +[](const Tensor& x, std::optional<Dims> dim, bool keepdim) { return amax(x, all_or(dim), keepdim); },
      "input"_a, "dim"_a = None, "keepdim"_a = false, "Greatest element along `dim`; equals share the gradient.");
  ops.def(
      "amin", +[](const Tensor& x, std::optional<Dims> dim, bool keepdim) { return amin(x, all_or(dim), keepdim); },
      "input"_a, "dim"_a = None, "keepdim"_a = false, "Least element along `dim`; equals share the gradient.");
  ops.def("aminmax", &aminmax, "input"_a, kw_only, "dim"_a = None, "keepdim"_a = false, "Least and greatest element.")
      .returns({"min", "max"});
  ops.def("argmax", &argmax, "input"_a, "dim"_a = None, "keepdim"_a = false,
          "Index of the greatest element, the first one.");
  ops.def("argmin", &argmin, "input"_a, "dim"_a = None, "keepdim"_a = false,
          "Index of the least element, the first one.");
}

template <bool zero>
void def_any(Ops& ops, const char* name, const char* doc) {
  static constexpr const char* op = zero ? "all" : "any";
  ops.def(name, +[](const Tensor& x) { return any_over(op, x, {}, false, zero); }, "input"_a, doc);
  ops.def(
      name,
      +[](const Tensor& x, std::optional<Dims> dim, bool keepdim) { return any_along(op, x, dim, keepdim, zero); },
      "input"_a, "dim"_a, "keepdim"_a = false, doc);
}

}  // namespace

void def_reduce(Ops& ops) {
  def_sums(ops);
  def_extremes(ops);
  def_any<false>(ops, "any", "Is any element nonzero?");
  def_any<true>(ops, "all", "Is every element nonzero?");
  def_moment<&var>(ops, "var", "Variance, divided by n - correction.");
  def_moment<&std_>(ops, "std", "Standard deviation: the variance's square root.");
  def_moment<&var_mean>(ops, "var_mean", "Variance and mean.");
  def_moment<&std_mean>(ops, "std_mean", "Standard deviation and mean.");
  ops.def("norm", &norm, "input"_a, "p"_a = "fro", "dim"_a = None, "keepdim"_a = false, "dtype"_a = None,
          "(sum |x|**p)**(1/p): the p-norm of all elements, or along `dim`.");
  ops.def(
         "linalg_vector_norm",
         +[](const Tensor& x, Scalar ord, std::optional<Dims> dim, bool keepdim, std::optional<DType> dtype) {
           return vector_norm(x, ord, all_or(dim), keepdim, dtype);
         },
         "input"_a, "ord"_a = 2, "dim"_a = None, "keepdim"_a = false, kw_only, "dtype"_a = None,
         "The `ord`-norm of all elements, or along `dim`.")
      .function_only();
  ops.def(
      "logsumexp", +[](const Tensor& x, const Dims& dim, bool keepdim) { return logsumexp(x, dim, keepdim); },
      "input"_a, "dim"_a, "keepdim"_a = false, "log(sum(e**x)) along `dim`, without overflow.");
  ops.def("cumsum", &cumsum, "input"_a, "dim"_a, kw_only, "dtype"_a = None, "Running sum along `dim`.").inplace();
  ops.def("cumprod", &cumprod, "input"_a, "dim"_a, kw_only, "dtype"_a = None, "Running product along `dim`.").inplace();
  ops.def("logcumsumexp", &logcumsumexp, "input"_a, "dim"_a, "Running logsumexp along `dim`.");
  ops.def(
         "cummax",
         +[](const Tensor& x, int64_t dim) { return running_extreme("cummax", "CummaxBackward0", x, dim, true); },
         "input"_a, "dim"_a, "Running maximum along `dim` and its index, the last of equals.")
      .returns({"values", "indices"});
  ops.def(
         "cummin",
         +[](const Tensor& x, int64_t dim) { return running_extreme("cummin", "CumminBackward0", x, dim, false); },
         "input"_a, "dim"_a, "Running minimum along `dim` and its index, the last of equals.")
      .returns({"values", "indices"});
}

}  // namespace lg
