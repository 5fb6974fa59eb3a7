// Softmax, log_softmax and layer normalisation: a native pass each way.  Where backward is itself recorded, the
// derivative is spelled out in operators instead, so that it can be differentiated again.
#include "ops/norm.h"

namespace lg {

namespace {

Tensor softmax_value(const char* op, const Tensor& x, int64_t dim, bool log) {
  check_implemented(is_floating(x.dtype()), op, x);
  Tensor y = empty_like(x);
  x.kernels().softmax(y.strided(), x.strided(), dim, log);
  return y;
}

Tensor softmax_slope(const Tensor& g, const Tensor& y, int64_t dim, bool log) {
  Tensor dx = empty_like(y);
  const Tensor same = cast(g, y.dtype());
  y.kernels().softmax_backward(dx.strided(), same.strided(), y.strided(), dim, log);
  return dx;
}

Tensor sum_along(const Tensor& x, int64_t dim) { return x.dim() ? sum(x, {dim}, true) : x; }

}  // namespace

// y = e**x / sum(e**x) along `dim`.   dL/dx = y * (g - sum(g * y)).
Tensor softmax(const Tensor& input, int64_t dim, std::optional<DType> dtype) {
  const Tensor x = dtype ? to_dtype(input, *dtype) : input;
  dim = checked_dim("softmax", x, dim);
  Tensor y = softmax_value("softmax", x, dim, false);
  if (Recorder record{"SoftmaxBackward0", y, x})
    record.vjp([saved = record.save("result", y), dim](const Tensor& g) {
      const Tensor y = *saved;
      return grad_enabled() ? y * (g - sum_along(g * y, dim)) : softmax_slope(g, y, dim, false);
    });
  return y;
}

// y = x - log(sum(e**x)) along `dim`.   dL/dx = g - e**y * sum(g).
Tensor log_softmax(const Tensor& input, int64_t dim, std::optional<DType> dtype) {
  const Tensor x = dtype ? to_dtype(input, *dtype) : input;
  dim = checked_dim("log_softmax", x, dim);
  Tensor y = softmax_value("log_softmax", x, dim, true);
  if (Recorder record{"LogSoftmaxBackward0", y, x})
    record.vjp([saved = record.save("result", y), dim](const Tensor& g) {
      const Tensor y = *saved;
      return grad_enabled() ? g - exp(y) * sum_along(g, dim) : softmax_slope(g, y, dim, true);
    });
  return y;
}

namespace {

void check_layer_norm(const Tensor& x, const Dims& shape, const Tensor& weight, const Tensor& bias) {
  check(!shape.empty(),
        "layer_norm: Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
        "element, but got normalized_shape = ",
        shape);
  const int64_t outer = x.dim() - shape.size();
  bool fits = outer >= 0;
  for (int64_t d = 0; fits && d < shape.size(); ++d) fits = x.size(outer + d) == shape[d];
  check(fits, "layer_norm: Given normalized_shape=", shape, ", expected input with shape [*, ", text(shape).substr(1),
        ", but got input of size", x.sizes());
  for (auto [name, t] : {std::pair{"weight", &weight}, {"bias", &bias}}) {
    if (!*t) continue;
    check((*t)->sizes == shape, "layer_norm: Expected ", name, " to be of same shape as normalized_shape, but got ",
          name, " of shape ", t->sizes(), " and normalized_shape = ", shape);
    check((*t)->dtype == x.dtype() || ((*t)->dtype == DType::Float32 && wide(x.dtype()) == DType::Float32),
          "layer_norm: mixed dtype (CPU): expect parameter to have scalar type of Float");
  }
  check_implemented(is_floating(x.dtype()), "layer_norm", x);
}

/// The derivative in operators, from the input alone:  h = (x - mean) * rstd,
/// dx = rstd * (gw - mean(gw) - h * mean(gw * h)) with gw = g * weight,  dweight = sum(g * h),  dbias = sum(g).
Grads layer_norm_slopes(const Tensor& g, const Tensor& x, const Tensor& weight, int64_t normalized, double eps,
                        Needs need) {
  Dims inner;
  for (int64_t d = -normalized; d < 0; ++d) inner.push_back(d);
  auto average = [&](const Tensor& t) { return mean(t, inner, true); };
  const Tensor centred = x - average(x);
  const Tensor rstd = rsqrt(average(centred * centred) + Scalar(eps)), h = centred * rstd;
  Grads grads{none, none, none};
  if (need[0]) {
    const Tensor gw = weight ? g * weight : g;
    grads[0] = rstd * (gw - average(gw) - h * average(gw * h));
  }
  // The engine sums these over the leading dimensions.
  if (need[1]) grads[1] = g * h;
  if (need[2]) grads[2] = g;
  return grads;
}

}  // namespace

// y = (x - mean) / sqrt(var + eps) * weight + bias, the moments over the last dimensions.
Tensor layer_norm(const Tensor& input, const Dims& normalized_shape, const Tensor& weight, const Tensor& bias,
                  double eps) {
  check_layer_norm(input, normalized_shape, weight, bias);
  const DType dtype = input.dtype();
  const int64_t n = product(normalized_shape), outer = input.dim() - normalized_shape.size();
  const Tensor x = plain(input, dtype), w = plain(weight, dtype), b = plain(bias, dtype);
  Dims rows(input.sizes().data(), outer);
  for (int64_t i = 0; i < normalized_shape.size(); ++i) rows.push_back(1);
  Tensor y = make_tensor(input.sizes(), dtype, input.device());
  const Tensor mean = make_tensor(rows, wide(dtype), input.device()),
               rstd = make_tensor(rows, wide(dtype), input.device());
  x.kernels().layer_norm(y.strided(), mean.strided(), rstd.strided(), x.strided(), look(w), look(b), n, eps);
  if (Recorder record{"NativeLayerNormBackward0", y, input, weight, bias}) {
    const bool uses_x = record.needs(0) || record.needs(1);
    record.vjp([x = uses_x ? record.save("input", input) : Saved(), w = record.save("weight", weight, 0),
                mean = uses_x ? record.save("result1", mean) : Saved(),
                rstd = uses_x ? record.save("result2", rstd) : Saved(), sizes = normalized_shape, n,
                eps](const Tensor& g, Needs need) -> Grads {
      const Tensor weight = w ? *w : none;
      if (!x) return {none, none, g};
      if (grad_enabled()) return layer_norm_slopes(g, *x, weight, sizes.size(), eps, need);
      const Tensor in = plain(*x, x->dtype()), factor = plain(weight, in.dtype()), same = plain(g, in.dtype());
      auto room = [&](bool wanted, const Dims& size) {
        return wanted ? make_tensor(size, in.dtype(), in.device()) : Tensor();
      };
      Grads grads{room(need[0], in.sizes()), room(need[1], sizes), room(need[2], sizes)};
      in.kernels().layer_norm_backward(look(grads[0]), look(grads[1]), look(grads[2]), same.strided(), in.strided(),
                                       mean->strided(), rstd->strided(), look(factor), n);
      return grads;
    });
  }
  return y;
}

namespace {

void check_rms_norm(const Tensor& x, const Dims& shape, const Tensor& weight) {
  check(!shape.empty(),
        "rms_norm: Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but "
        "got normalized_shape = ",
        shape);
  const int64_t outer = x.dim() - shape.size();
  bool fits = outer >= 0;
  for (int64_t d = 0; fits && d < shape.size(); ++d) fits = x.size(outer + d) == shape[d];
  check(fits, "rms_norm: Given normalized_shape=", shape, ", expected input with shape [*", text(shape).substr(1),
        ", but got input of size", x.sizes());
  check(!weight || weight.sizes() == shape,
        "rms_norm: Expected weight to be of same shape as normalized_shape, but got weight of shape ",
        weight ? weight.sizes() : Dims(), " and normalized_shape = ", shape);
  check_implemented(is_floating(x.dtype()), "rms_norm", x);
}

/// With h = x * rstd:  dx = rstd * (gw - h * mean(gw * h)), gw = g * weight;  dweight = sum(g * h).
Grads rms_norm_slopes(const Tensor& g, const Tensor& x, const Tensor& weight, int64_t normalized, double eps,
                      Needs need) {
  Dims inner;
  for (int64_t d = -normalized; d < 0; ++d) inner.push_back(d);
  auto average = [&](const Tensor& t) { return mean(t, inner, true); };
  const Tensor rstd = rsqrt(average(x * x) + Scalar(eps)), h = x * rstd;
  Grads grads{none, none};
  if (need[0]) {
    const Tensor gw = weight ? g * weight : g;
    grads[0] = rstd * (gw - h * average(gw * h));
  }
  if (need[1]) grads[1] = g * h;  // the engine sums it over the leading dimensions
  return grads;
}

}  // namespace

// y = x / sqrt(mean(x**2) + eps) * weight, the mean over the last dimensions.  The node has the name of PyTorch's last
// step, a product.
Tensor rms_norm(const Tensor& input, const Dims& normalized_shape, const Tensor& weight, std::optional<double> eps_) {
  check_rms_norm(input, normalized_shape, weight);
  const DType dtype = input.dtype();
  const double step =
      wide(dtype) == DType::Float32 ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
  const double eps = eps_ ? *eps_ : step;
  const int64_t n = product(normalized_shape), outer = input.dim() - normalized_shape.size();
  const Tensor x = plain(input, dtype), w = plain(weight, dtype);
  Tensor y = make_tensor(input.sizes(), dtype, input.device());
  const Tensor rstd = make_tensor({product({input.sizes().data(), size_t(outer)})}, wide(dtype), input.device());
  x.kernels().layer_norm(y.strided(), Strided(), rstd.strided(), x.strided(), look(w), Strided(), n, eps);
  if (Recorder record{"MulBackward0", y, input, weight})
    record.vjp([x = record.save("input", input), w = record.save("weight", weight, 0), rstd = record.save("rstd", rstd),
                sizes = normalized_shape, n, eps](const Tensor& g, Needs need) -> Grads {
      const Tensor weight = w ? *w : none;
      if (grad_enabled()) return rms_norm_slopes(g, *x, weight, sizes.size(), eps, need);
      const Tensor in = plain(*x, x->dtype()), factor = plain(weight, in.dtype()), same = plain(g, in.dtype());
      auto room = [&](bool wanted, const Dims& size) {
        return wanted ? make_tensor(size, in.dtype(), in.device()) : Tensor();
      };
      Grads grads{room(need[0], in.sizes()), room(need[1], sizes)};
      in.kernels().layer_norm_backward(look(grads[0]), look(grads[1]), Strided(), same.strided(), in.strided(),
                                       Strided(), rstd->strided(), look(factor), n);
      return grads;
    });
  return y;
}

namespace {

void check_group_norm(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias) {
  check(groups > 0, "group_norm: Expected num groups to be greater than 0, got ", groups);
  check(x.dim() >= 2, "group_norm: Expected at least 2 dimensions for input tensor but received ", x.dim());
  const int64_t channels = x.size(1);
  check(channels % groups == 0,
        "group_norm: Expected number of channels in input to be divisible by num_groups, but got input of shape ",
        x.sizes(), " and num_groups=", groups);
  bool same = true, wide_ones = true;
  for (auto [name, t] : {std::pair{"weight", &weight}, {"bias", &bias}}) {
    if (!*t) continue;
    check((*t)->sizes == Dims{channels}, "group_norm: Expected ", name,
          " to be a vector of size equal to the number of channels in input, but got ", name, " of shape ", t->sizes(),
          " and input of shape ", x.sizes());
    same &= (*t)->dtype == x.dtype();
    wide_ones &= (*t)->dtype == wide(x.dtype());
  }
  check_implemented(is_floating(x.dtype()), "group_norm", x);
  check(same || wide_ones, "group_norm: mixed dtype (CPU): all inputs must share same datatype.");
}

/// The derivative in operators on x as (N, groups, D, M); see group_norm_backward in kernels/group_norm.cpp.
Grads group_norm_slopes(const Tensor& g_, const Tensor& x_, const Tensor& weight, int64_t groups, double eps,
                        Needs need) {
  const int64_t N = x_.size(0), C = x_.size(1), D = C / groups;
  const int64_t M = x_.numel() ? x_.numel() / (N * C) : 0;
  const Dims shape{N, groups, D, M}, factors{1, groups, D, 1};
  const Tensor x = reshape(to_dtype(x_, wide(x_.dtype())), shape), g = reshape(g_, shape);
  auto average = [&](const Tensor& t) { return mean(t, {2, 3}, true); };
  const Tensor centred = x - average(x);
  const Tensor rstd = rsqrt(average(centred * centred) + Scalar(eps)), h = centred * rstd;
  Grads grads{none, none, none};
  if (need[0]) {
    const Tensor gw = weight ? g * reshape(weight, factors) : g;
    grads[0] = reshape(rstd * (gw - average(gw) - h * average(gw * h)), x_.sizes());
  }
  if (need[1]) grads[1] = reshape(sum(g * h, {0, 3}, false), {C});
  if (need[2]) grads[2] = reshape(sum(g, {0, 3}, false), {C});
  return grads;
}

}  // namespace

// y = (x - mean) / sqrt(var + eps) * weight + bias, the moments over C / num_groups channels of each image.
Tensor group_norm(const Tensor& input, int64_t groups, const Tensor& weight, const Tensor& bias, double eps) {
  check_group_norm(input, groups, weight, bias);
  const DType dtype = wide(input.dtype());
  const Tensor x = plain(input, input.dtype()), w = plain(weight, dtype), b = plain(bias, dtype);
  const int64_t N = x.size(0), C = x.size(1), M = x.numel() ? x.numel() / (N * C) : 0;
  const Dims shape{N, C, M}, strides = contiguous_strides(shape);
  Tensor y = make_tensor(x.sizes(), x.dtype(), x.device());
  const Tensor mean = make_tensor({N, groups}, dtype, x.device()), rstd = empty_like(mean);
  auto planes = [](const Tensor& t, const Dims& shape, const Dims& strides) {
    return t ? Strided{t.data(), t.dtype(), 3, shape.data(), strides.data()} : Strided();
  };
  x.kernels().group_norm(planes(y, shape, strides), mean.strided(), rstd.strided(), planes(x, shape, strides), look(w),
                         look(b), groups, eps);
  if (Recorder record{"NativeGroupNormBackward0", y, input, weight, bias})
    record.vjp([x = record.save("input", input), w = record.save("weight", weight, 0),
                mean = record.save("result1", mean), rstd = record.save("result2", rstd), planes, shape, groups,
                eps](const Tensor& g, Needs need) -> Grads {
      const Tensor weight = w ? *w : none;
      if (grad_enabled()) return group_norm_slopes(g, *x, weight, groups, eps, need);
      const Tensor in = plain(*x, x->dtype()), factor = plain(weight, mean->dtype()), same = plain(g, in.dtype());
      const Dims strides = contiguous_strides(shape);
      auto sums = [&](bool wanted) { return wanted ? make_tensor({shape[1]}, mean->dtype(), in.device()) : Tensor(); };
      Grads grads{need[0] ? make_tensor(in.sizes(), in.dtype(), in.device()) : Tensor(), sums(need[1]), sums(need[2])};
      in.kernels().group_norm_backward(planes(grads[0], shape, strides), look(grads[1]), look(grads[2]),
                                       planes(same, shape, strides), planes(in, shape, strides), mean->strided(),
                                       rstd->strided(), look(factor), groups);
      return grads;
    });
  return y;
}

void def_norm(Ops& ops) {
  ops.def(
      "softmax", +[](const Tensor& x, int64_t dim, std::optional<DType> dtype) { return softmax(x, dim, dtype); },
      "input"_a, "dim"_a, "dtype"_a = None, "e**x / sum(e**x) along `dim`.");
  ops.def(
      "log_softmax",
      +[](const Tensor& x, int64_t dim, std::optional<DType> dtype) { return log_softmax(x, dim, dtype); }, "input"_a,
      "dim"_a, "dtype"_a = None, "Logarithm of softmax along `dim`, without overflow.");
  ops.def("layer_norm", &layer_norm, "input"_a, "normalized_shape"_a, "weight"_a = None, "bias"_a = None,
          "eps"_a = 1e-5, "(x - mean) / sqrt(var + eps) * weight + bias, the moments over the last dimensions.")
      .function_only()
      .no_out();
  ops.def("rms_norm", &rms_norm, "input"_a, "normalized_shape"_a, "weight"_a = None, "eps"_a = None,
          "x / sqrt(mean(x**2) + eps) * weight, the mean over the last dimensions.")
      .function_only()
      .no_out();
  ops.def(
         "group_norm",
         +[](const Tensor& input, int64_t num_groups, const Tensor& weight, const Tensor& bias, double eps,
             bool cudnn_enabled) { return group_norm(input, num_groups, weight, bias, eps); },
         "input"_a, "num_groups"_a, "weight"_a = None, "bias"_a = None, "eps"_a = 1e-5, "cudnn_enabled"_a = true,
         "(x - mean) / sqrt(var + eps) * weight + bias for each of `num_groups` groups of channels of each image.")
      .function_only()
      .no_out();
}

}  // namespace lg
