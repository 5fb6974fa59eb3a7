// Activations whose gradient is one pass; each of these gradients is differentiable again.
#include "ops/evaluate.h"

namespace lg {

/// g f'(y) as one kernel, where `slope_slope(g, y)` is g f''(y) in plain operators.
template <class F>
static Tensor backward_pass(Row row, const char* node, const char* saved_name, const Tensor& g, const Tensor& y,
                            Tensor (*again)(const Tensor&, const Tensor&), F slope_slope) {
  Tensor dx = evaluate(row, g, y);
  if (Recorder record{node, dx, g, y})
    record.vjp([sg = record.save("grad_output", g, 1), sy = record.save(saved_name, y), again, slope_slope](
                   const Tensor& gg, Needs need) -> Grads {
      const Tensor y = *sy;
      // dx = g conj(f'(y)) is linear in g; in y it is antilinear, which puts the conjugate on the incoming cotangent.
      return {need[0] ? again(gg, conj(y)) : none, need[1] ? conj(gg) * slope_slope(*sg, conj(y)) : none};
    });
  return dx;
}

Tensor sigmoid_backward(const Tensor& g, const Tensor& y) {
  return backward_pass(Row::sigmoid_backward, "SigmoidBackwardBackward0", "output", g, y, &sigmoid_backward,
                       [](const Tensor& g, const Tensor& y) { return g * (1 - y * 2); });
}
Tensor tanh_backward(const Tensor& g, const Tensor& y) {
  return backward_pass(Row::tanh_backward, "TanhBackwardBackward0", "output", g, y, &tanh_backward,
                       [](const Tensor& g, const Tensor& y) { return g * (y * -2); });
}
Tensor silu_backward(const Tensor& g, const Tensor& x) {
  return backward_pass(Row::silu_backward, "SiluBackwardBackward0", "self", g, x, &silu_backward,
                       [](const Tensor& g, const Tensor& x) {
                         const Tensor s = sigmoid(x), t = 1 - s;
                         return g * s * t * (x * (t - s) + 2);
                       });
}
Tensor relu_backward(const Tensor& g, const Tensor& y) {
  Tensor dx = evaluate(Row::relu_backward, g, y);
  if (Recorder record{"ThresholdBackwardBackward0", dx, g})
    record.vjp([saved = record.save("self", y)](const Tensor& gg) { return relu_backward(gg, *saved); });
  return dx;
}

namespace {

Tensor gelu_erf_backward(const Tensor& g, const Tensor& x) {  // x Phi(x): f'' = phi(x) (2 - x**2)
  return backward_pass(Row::gelu_erf_backward, "GeluBackwardBackward0", "self", g, x, &gelu_erf_backward,
                       [](const Tensor& g, const Tensor& x) {
                         const Tensor squared = x * x;
                         return g * exp(squared * -0.5) * 0.39894228040143267794 * (2 - squared);
                       });
}
Tensor gelu_tanh_backward(const Tensor& g, const Tensor& x) {  // x (1 + tanh u) / 2 with u = k (x + c x**3)
  return backward_pass(Row::gelu_tanh_backward, "GeluBackwardBackward0", "self", g, x, &gelu_tanh_backward,
                       [](const Tensor& g, const Tensor& x) {
                         constexpr double k = 0.79788456080286535588, c = 0.044715;
                         const Tensor squared = x * x, u = tanh((x + x * squared * c) * k),
                                      du = (squared * (3 * c) + 1) * k;
                         return g * (1 - u * u) * (du + x * x * (3 * k * c) - x * u * du * du);
                       });
}

}  // namespace

Tensor gelu(const Tensor& x, const std::string& approximate) {
  check(approximate == "none" || approximate == "tanh", "approximate argument must be either none or tanh.");
  const bool by_tanh = approximate == "tanh";
  Tensor y = evaluate(by_tanh ? Row::gelu_tanh : Row::gelu_erf, x);
  if (Recorder record{"GeluBackward0", y, x})
    record.vjp([saved = record.save("self", x), by_tanh](const Tensor& g) {
      return by_tanh ? gelu_tanh_backward(g, *saved) : gelu_erf_backward(g, *saved);
    });
  return y;
}

void def_activation(Ops& ops) {
  const Arg input = "input"_a;
  ops.def("gelu", &gelu, input, kw_only, "approximate"_a = "none", "Gaussian error linear unit, x * Phi(x).")
      .function_only();
}

}  // namespace lg
