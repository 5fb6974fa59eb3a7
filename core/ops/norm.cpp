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
}

}  // namespace lg
