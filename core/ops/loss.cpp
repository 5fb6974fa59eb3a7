// Losses: negative log likelihood, cross entropy, and those of pairs of numbers.  Every check comes before the first
// write.
#include "ops/norm.h"

namespace lg {

namespace {

enum class Reduce { None, Mean, Sum };

Reduce reduction_of(const std::string& name) {
  if (name == "mean") return Reduce::Mean;
  if (name == "sum") return Reduce::Sum;
  check_value(name == "none", name, " is not a valid value for reduction");
  return Reduce::None;
}

int64_t class_dim(const Tensor& x) { return x.dim() == 1 ? 0 : 1; }

void check_weight(const Tensor& weight, int64_t classes, const Tensor& x) {
  if (!weight) return;
  check(weight.dim() == 1 && weight.numel() == classes, "weight tensor should be defined either for all ", classes,
        " classes or no classes but got weight tensor of shape: ", weight.sizes());
  check(weight.dtype() == x.dtype(), "nll_loss: expected scalar type ", scalar_type_name(x.dtype()), " but found ",
        scalar_type_name(weight.dtype()));
}

void check_constant(const Tensor& weight) {
  check(!weight || !grad_enabled() || !requires_grad(weight),
        "nll_loss: not differentiable with respect to argument "
        "'weight'. This input cannot have requires_grad True.");
}

/// Shapes and dtypes; then that every target is a class.
void check_targets(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t ignore) {
  check_value(x.dim() > 0, "nll_loss: Expected 1 or more dimensions (got 0)");
  check_implemented(is_floating(x.dtype()), "nll_loss", x);
  check_value(x.dim() == 1 || (target.dim() > 0 && x.size(0) == target.size(0)),
              "nll_loss: Expected input batch_size (", x.size(0), ") to match target batch_size (",
              target.dim() ? target.size(0) : 0, ").");
  if (x.dim() <= 2) {
    check(target.dim() <= 1, "nll_loss: 0D or 1D target tensor expected, multi-target not supported");
    check(x.dim() == 2 || target.numel() == 1, "nll_loss: For 1D input, 1 target is expected, got ", target.numel());
  } else {
    Dims expected = x.sizes();
    expected.erase(1);
    check(target.sizes() == expected, "nll_loss: Expected target size ", expected, ", got ", target.sizes());
  }
  check(target.dtype() == DType::Int64 || target.dtype() == DType::UInt8,
        "nll_loss: expected target dtype to be Long or Byte, but got ", scalar_type_name(target.dtype()));
  const int64_t classes = x.size(class_dim(x));
  check_weight(weight, classes, x);
  check_constant(weight);
  if (target.is_meta()) return;
  const Tensor all = contiguous(cast(target, DType::Int64));
  const int64_t* t = all.data<int64_t>();
  for (int64_t i = 0; i < all.numel(); ++i)
    check_index(t[i] == ignore || (t[i] >= 0 && t[i] < classes), "Target ", t[i], " is out of bounds.");
}

/// (N, C, M) sizes of x of any rank: classes second, whatever follows joined.
Dims batches(const Tensor& x) {
  const int64_t N = x.dim() == 1 ? 1 : x.size(0), C = x.size(class_dim(x));
  int64_t M = 1;
  for (int64_t d = 2; d < x.dim(); ++d) M *= x.size(d);
  return {N, C, M};
}

/// The rule in operators: g, times a constant for each target, goes to the target's class.
Tensor nll_slope(const Tensor& g, const Tensor& target, const Tensor& weight, const Tensor& total, const Dims& sizes,
                 int64_t ignore) {
  const int64_t classes = sizes.size() == 1 ? 0 : 1;
  Tensor share, index;
  {
    NoGrad off;
    const Tensor ignored = eq(target, number(ignore));
    index = masked_fill(target, ignored, number(0));
    share =
        weight ? reshape(index_select(weight, 0, reshape(index, {-1})), index.sizes()) : ones_like(index, g.dtype());
    share = masked_fill(-share, ignored, number(0));
    if (total) share = share / total;
    index = sizes.size() == 1 ? reshape(index, {1}) : unsqueeze(index, classes);
  }
  const Tensor values = sizes.size() == 1 ? reshape(g * share, {1}) : unsqueeze(g * share, classes);
  return scatter(zeros(sizes, g.dtype(), g.device()), classes, index, values);
}

/// Sum of a contiguous tensor, without a record.
Tensor plain_sum(const Tensor& x) {
  NoGrad off;
  return sum(x);
}

}  // namespace

/// x as (N, C, M), without a record.
static Tensor joined(const Tensor& x, const Dims& shape) {
  NoGrad off;
  return reshape(x, shape);
}

static Tensor nll_of_images(const Tensor&, const Tensor&, const Tensor&, int64_t, const std::string&);

// loss = -weight[target] * x[target]; a mean is divided by the sum of those weights.
Tensor nll_loss(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t ignore,
                const std::string& reduction) {
  const Reduce mode = reduction_of(reduction);
  check_targets(x, target, weight, ignore);
  if (x.dim() == 3 || x.dim() > 4) return nll_of_images(x, target, weight, ignore, reduction);
  const Tensor classes = contiguous(cast(target, DType::Int64));
  const Tensor factors = weight ? cast(contiguous(detach(weight)), x.dtype()) : none;
  const Dims shape = batches(x);
  const Tensor log_p = x.dim() <= 2 ? x : joined(x, shape);
  // A rank of 1 or 2 needs no view: only strides for the dimensions that it lacks.
  const Dims strides = x.dim() == 1   ? Dims{0, x.stride(0), 0}
                       : x.dim() == 2 ? Dims{x.stride(0), x.stride(1), 0}
                                      : log_p.strides();
  const Strided look{log_p.data(), log_p.dtype(), 3, shape.data(), strides.data()};
  Tensor each = make_tensor(target.sizes(), x.dtype(), x.device()), weights = empty_like(each);
  x.kernels().nll(each.strided(), weights.strided(), look, classes.strided(), factors ? factors.strided() : Strided(),
                  ignore);
  Tensor y = each, total;
  if (mode != Reduce::None) y = plain_sum(each);
  if (mode == Reduce::Mean) {
    NoGrad off;
    total = plain_sum(weights);
    y = y / total;
  }
  if (Recorder record{x.dim() <= 2 ? "NllLossBackward0" : "NllLoss2DBackward0", y, x})
    record.vjp([target = record.save("target", classes), weight = record.save("weight", factors),
                total = record.save("total_weight", total), sizes = x.sizes(), ignore](const Tensor& g) {
      const Tensor t = *target, w = weight ? *weight : none, divisor = total ? *total : none;
      if (grad_enabled()) return nll_slope(g, t, w, divisor, sizes, ignore);
      Tensor dx = make_tensor(sizes, g.dtype(), g.device());
      const Dims shape = batches(dx), strides = contiguous_strides(shape);
      const Tensor same = contiguous(g);
      dx.kernels().nll_backward({dx.data(), dx.dtype(), 3, shape.data(), strides.data()}, same.strided(), t.strided(),
                                w ? w.strided() : Strided(), divisor ? divisor.strided() : Strided(), ignore);
      return dx;
    });
  return y;
}

// PyTorch's graph has these ranks as four dimensions.
static Tensor nll_of_images(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t ignore,
                            const std::string& reduction) {
  const Dims shape = batches(x);
  const Tensor y = nll_loss(reshape(x, {shape[0], shape[1], 1, shape[2]}), reshape(target, {shape[0], 1, shape[2]}),
                            weight, ignore, reduction);
  return reduction == "none" ? view(y, target.sizes()) : y;
}

namespace {

/// `weight` shaped to multiply x along its classes.
Tensor class_weights(const Tensor& weight, const Tensor& x) {
  Dims shape(x.dim(), 1);
  shape[class_dim(x)] = weight.numel();
  return view(weight, shape);
}

/// x / n under the name that PyTorch's graph has for a number as divisor.
Tensor divided(const Tensor& x, double n) {
  Tensor y;
  {
    NoGrad off;
    y = x / Scalar(n);
  }
  if (Recorder record{"DivBackward1", y, x}) record.vjp([n](const Tensor& g) { return g / Scalar(n); });
  return y;
}

/// Cross entropy with probabilities as targets.
Tensor soft_cross_entropy(const Tensor& log_p, const Tensor& probabilities, const Tensor& weight, Reduce mode,
                          double smoothing) {
  const int64_t classes = log_p.size(class_dim(log_p));
  Tensor target = probabilities;
  if (smoothing > 0) target = target * Scalar(1 - smoothing) + Scalar(smoothing / double(classes));
  Tensor terms = log_p * target;
  if (weight) terms = terms * class_weights(weight, log_p);
  if (mode == Reduce::None) return -sum(terms, {class_dim(log_p)}, false);
  const Tensor y = -sum(terms);
  return mode == Reduce::Sum ? y : divided(y, double(log_p.numel()) / double(classes));
}

/// The derivative of fused_cross_entropy in operators: through log_p = log_softmax(x).
Tensor cross_entropy_slope(const Tensor& g, const Tensor& x, const Tensor& target, const Tensor& weight,
                           const Tensor& total, int64_t ignore, double smoothing) {
  const int64_t dim = class_dim(x);
  const Tensor log_p = log_softmax(x, dim);
  Tensor slope = nll_slope(g * Scalar(1 - smoothing), target, weight, total, x.sizes(), ignore);
  if (smoothing > 0) {
    Tensor share;
    {
      NoGrad off;
      const Tensor factors = weight ? class_weights(weight, x) : ones_like(x, x.dtype());
      const Tensor used = unsqueeze(logical_not(eq(target, number(ignore))), dim);
      share = factors * used * Scalar(-smoothing / double(x.size(dim)));
      if (total) share = share / total;
    }
    const bool one_each = g.dim() > 0 && x.dim() > 1;
    slope = slope + share * (one_each ? unsqueeze(g, dim) : g);
  }
  return slope - exp(log_p) * sum(slope, {dim}, true);
}

/// Of (N, C) or (C) logits and classes, in a pass each way.  Backward needs the logits and two numbers a row.
Tensor fused_cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t ignore, Reduce mode,
                           double smoothing) {
  check_targets(x, target, weight, ignore);
  const Tensor classes = contiguous(cast(target, DType::Int64));
  const Tensor factors = weight ? contiguous(detach(weight)) : none, logits = plain(x, x.dtype());
  const Dims shape{x.dim() == 1 ? 1 : x.size(0), x.size(class_dim(x))}, strides = contiguous_strides(shape);
  auto matrix = [&](const Tensor& t) { return Strided{t.data(), t.dtype(), 2, shape.data(), strides.data()}; };
  Tensor each = make_tensor(target.sizes(), x.dtype(), x.device()), weights = empty_like(each);
  const Tensor moments = make_tensor({shape[0], 2}, wide(x.dtype()), x.device());
  x.kernels().cross_entropy(each.strided(), weights.strided(), moments.strided(), matrix(logits), classes.strided(),
                            look(factors), ignore, smoothing);
  Tensor y = each, total;
  if (mode != Reduce::None) y = plain_sum(each);
  if (mode == Reduce::Mean) {
    NoGrad off;
    total = plain_sum(weights);
    y = y / total;
  }
  if (Recorder record{smoothing > 0 ? "AddBackward0" : "NllLossBackward0", y, x})
    record.vjp([x = record.save("self", x), target = record.save("target", classes),
                weight = record.save("weight", factors), total = record.save("total_weight", total),
                moments = record.save("moments", moments), ignore, smoothing](const Tensor& g) {
      const Tensor in = *x, t = *target, w = weight ? *weight : none, divisor = total ? *total : none;
      if (grad_enabled()) return cross_entropy_slope(g, in, t, w, divisor, ignore, smoothing);
      const Tensor logits = plain(in, in.dtype()), same = plain(g, in.dtype());
      Tensor dx = make_tensor(in.sizes(), in.dtype(), in.device());
      const Dims shape{in.dim() == 1 ? 1 : in.size(0), in.size(class_dim(in))}, strides = contiguous_strides(shape);
      auto matrix = [&](const Tensor& t) { return Strided{t.data(), t.dtype(), 2, shape.data(), strides.data()}; };
      dx.kernels().cross_entropy_backward(matrix(dx), same.strided(), moments->strided(), matrix(logits), t.strided(),
                                          look(w), look(divisor), ignore, smoothing);
      return dx;
    });
  return y;
}

/// The share of label smoothing: mean over classes of -log_p, where the target is not ignored.
Tensor smooth_loss(const Tensor& log_p, const Tensor& target, const Tensor& weight, int64_t ignore, Reduce mode) {
  const Tensor weighed = weight ? log_p * class_weights(weight, log_p) : log_p;
  const Tensor ignored = eq(target, number(ignore));
  const Tensor loss = masked_fill(-sum(weighed, {class_dim(log_p)}, false), ignored, number(0));
  if (mode == Reduce::None) return loss;
  if (mode == Reduce::Sum) return sum(loss);
  if (!weight) return sum(loss) / sum(logical_not(ignored));
  const Tensor index = reshape(masked_fill(to_dtype(target, DType::Int64), ignored, number(0)), {-1});
  const Tensor used = masked_fill(reshape(index_select(weight, 0, index), target.sizes()), ignored, number(0));
  return sum(loss) / sum(used);
}

}  // namespace

// Targets are class indices, or probabilities if they have x's shape.
Tensor cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight, int64_t ignore_index,
                     const std::string& reduction, double label_smoothing) {
  const Reduce mode = reduction_of(reduction);
  check_value(x.dim() > 0, "cross_entropy: Expected 1 or more dimensions (got 0)");
  check(label_smoothing >= 0 && label_smoothing <= 1,
        "label_smoothing must be between 0.0 and 1.0. Got: ", label_smoothing);
  if (x.sizes() == target.sizes()) {
    check(is_floating(target.dtype()),
          "cross_entropy: Expected floating point type for target with class probabilities, got ",
          scalar_type_name(target.dtype()));
    check(ignore_index < 0, "cross_entropy: ignore_index is not supported for floating point target");
    check_weight(weight, x.size(class_dim(x)), x);
    return soft_cross_entropy(log_softmax(x, class_dim(x)), target, weight, mode, label_smoothing);
  }
  if (x.dim() <= 2 && is_floating(x.dtype()))
    return fused_cross_entropy(x, target, weight, ignore_index, mode, label_smoothing);
  const Tensor log_p = log_softmax(x, class_dim(x));
  const Tensor y = nll_loss(log_p, target, weight, ignore_index, reduction);
  if (label_smoothing == 0) return y;
  const double share = label_smoothing / double(x.size(class_dim(x)));
  return y * Scalar(1 - label_smoothing) + smooth_loss(log_p, target, weight, ignore_index, mode) * Scalar(share);
}

namespace {

struct PairRule {
  PairLoss kind;
  double parameter;
  const char* node;
  /// The loss, and its slopes in x and target, in operators.
  Tensor (*value)(const Tensor& x, const Tensor& target, double parameter);
  Tensor (*slope)(const Tensor& x, const Tensor& target, double parameter);
  Tensor (*target_slope)(const Tensor& x, const Tensor& target, double parameter);
};

/// A loss of pairs of numbers, reduced: one pass each way over dense memory of one shape and dtype.
Tensor pair_loss(const char* op, const PairRule& rule, const Tensor& x, const Tensor& target, Reduce mode) {
  check_implemented(is_floating(result_type(x, target)), op, x);
  const bool alike = x.sizes() == target.sizes() && x.dtype() == target.dtype();
  const double parameter = rule.parameter;
  Tensor y;
  int64_t n = 1;
  if (alike) {
    y = make_tensor(mode == Reduce::None ? x.sizes() : Dims(), x.dtype(), x.device());
    if (mode == Reduce::Mean) n = x.numel();
    const Tensor a = plain(x, x.dtype()), b = plain(target, x.dtype());
    x.kernels().pair_loss(y.strided(), a.strided(), b.strided(), rule.kind, parameter, mode != Reduce::None,
                          1 / double(n));
  } else {
    NoGrad off;
    y = rule.value(x, target, parameter);
    if (mode == Reduce::Mean) n = y.numel();
    if (mode != Reduce::None) y = mode == Reduce::Mean ? mean(y) : sum(y);
  }
  if (Recorder record{rule.node, y, x, target})
    record.vjp([x = record.save("self", x), target = record.save("target", target), rule, n, alike](
                   const Tensor& g, Needs need) -> Grads {
      const Tensor a = *x, b = *target;
      const bool composed = grad_enabled() || !alike || (need[1] && rule.target_slope);
      if (composed) {
        const Tensor k = g * Scalar(1 / double(n));
        Grads grads{need[0] ? rule.slope(a, b, rule.parameter) * k : none, none};
        if (need[1])
          grads[1] = rule.target_slope ? rule.target_slope(a, b, rule.parameter) * k
                                       : (need[0] ? -grads[0] : -(rule.slope(a, b, rule.parameter) * k));
        return grads;
      }
      const Tensor in = plain(a, a.dtype()), other = plain(b, a.dtype()), same = plain(g, a.dtype());
      Tensor dx = make_tensor(in.sizes(), in.dtype(), in.device());
      dx.kernels().pair_loss_backward(dx.strided(), same.strided(), in.strided(), other.strided(), rule.kind,
                                      rule.parameter, 1 / double(n));
      return {need[0] ? dx : none, need[1] ? -dx : none};
    });
  return y;
}

Tensor squared(const Tensor& x, const Tensor& t, double) {
  const Tensor d = x - t;
  return d * d;
}
Tensor squared_slope(const Tensor& x, const Tensor& t, double) { return (x - t) * Scalar(2.0); }
Tensor smooth_l1(const Tensor& x, const Tensor& t, double beta) {
  const Tensor d = abs(x - t);
  return where(lt(d, number(beta)), d * d * Scalar(0.5 / beta), d - number(0.5 * beta));
}
Tensor smooth_l1_slope(const Tensor& x, const Tensor& t, double beta) {
  return clamp((x - t) * Scalar(1 / beta), number(-1.0), number(1.0));
}
Tensor huber(const Tensor& x, const Tensor& t, double delta) {
  const Tensor d = abs(x - t);
  return where(le(d, number(delta)), d * d * Scalar(0.5), (d - number(0.5 * delta)) * Scalar(delta));
}
Tensor huber_slope(const Tensor& x, const Tensor& t, double delta) {
  return clamp(x - t, number(-delta), number(delta));
}
Tensor logit_slope(const Tensor& x, const Tensor& t, double) { return sigmoid(x) - t; }
Tensor logit_target_slope(const Tensor& x, const Tensor&, double) { return -x; }

}  // namespace

// loss = (x - target)**2
Tensor mse_loss(const Tensor& x, const Tensor& target, const std::string& reduction) {
  const PairRule rule{PairLoss::Squared, 1, "MseLossBackward0", squared, squared_slope, nullptr};
  return pair_loss("mse_loss", rule, x, target, reduction_of(reduction));
}

// loss = d**2 / (2 beta) where d = |x - target| < beta, else d - beta / 2
Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, const std::string& reduction, double beta) {
  check(beta > 0, "smooth_l1_loss does not support negative values for beta.");
  const PairRule rule{PairLoss::SmoothL1, beta, "SmoothL1LossBackward0", smooth_l1, smooth_l1_slope, nullptr};
  return pair_loss("smooth_l1_loss", rule, x, target, reduction_of(reduction));
}

// loss = d**2 / 2 where d = |x - target| <= delta, else delta (d - delta / 2)
Tensor huber_loss(const Tensor& x, const Tensor& target, const std::string& reduction, double delta) {
  check(delta > 0, "huber_loss does not support non-positive values for delta.");
  const PairRule rule{PairLoss::Huber, delta, "HuberLossBackward0", huber, huber_slope, nullptr};
  return pair_loss("huber_loss", rule, x, target, reduction_of(reduction));
}

// loss = log(1 + e**x) - x target, for x and target of one shape and dtype.   dL/dtarget = -x.
Tensor logit_loss(const Tensor& x, const Tensor& target, const std::string& reduction) {
  check(x.sizes() == target.sizes() && x.dtype() == target.dtype(), "logit_loss: one shape and dtype are needed");
  const PairRule rule{PairLoss::Logit, 1,           "BinaryCrossEntropyWithLogitsBackward0",
                      nullptr,         logit_slope, logit_target_slope};
  return pair_loss("binary_cross_entropy_with_logits", rule, x, target, reduction_of(reduction));
}

void def_loss(Ops& ops) {
  ops.def("nll_loss", &nll_loss, "input"_a, "target"_a, "weight"_a = None, "ignore_index"_a = -100,
          "reduction"_a = "mean", "Negative log likelihood of the classes `target` under log-probabilities `input`.")
      .function_only()
      .no_out();
  ops.def("cross_entropy", &cross_entropy, "input"_a, "target"_a, "weight"_a = None, "ignore_index"_a = -100,
          "reduction"_a = "mean", "label_smoothing"_a = 0.0,
          "Cross entropy between logits `input` and classes, or probabilities, `target`.")
      .function_only()
      .no_out();
  ops.def("mse_loss", &mse_loss, "input"_a, "target"_a, "reduction"_a = "mean", "Squared difference, reduced.")
      .function_only()
      .no_out();
  ops.def("smooth_l1_loss", &smooth_l1_loss, "input"_a, "target"_a, "reduction"_a = "mean", "beta"_a = 1.0,
          "d**2 / (2 beta) where d = |input - target| is below `beta`, else d - beta / 2; reduced.")
      .function_only()
      .no_out();
  ops.def("huber_loss", &huber_loss, "input"_a, "target"_a, "reduction"_a = "mean", "delta"_a = 1.0,
          "d**2 / 2 where d = |input - target| is at most `delta`, else delta (d - delta / 2); reduced.")
      .function_only()
      .no_out();
  ops.def("_logit_loss", &logit_loss, "input"_a, "target"_a, "reduction"_a = "mean",
          "log(1 + e**input) - input * target, of one shape and dtype; reduced.")
      .function_only()
      .no_out();
}

}  // namespace lg
