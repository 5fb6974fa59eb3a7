// Batch normalisation and, over a view of the same, instance normalisation.  See docs/design/normalisation.md.
#include "ops/norm.h"

namespace lg {

namespace {

struct Running {
  const Tensor &mean, &var;
};

void check_channels(const char* op, const char* name, const Tensor& t, int64_t channels) {
  check(!t || t.numel() == channels, op, ": ", name, " should contain ", channels, " elements not ", t ? t.numel() : 0);
}

/// Parameters have x's dtype; those of halves may all be float32.
void check_parameter_dtypes(const char* op, const Tensor& x, std::initializer_list<const Tensor*> parameters) {
  bool same = true, wide_ones = true;
  for (const Tensor* t : parameters) {
    if (!*t) continue;
    same &= (*t)->dtype == x.dtype();
    wide_ones &= (*t)->dtype == wide(x.dtype());
  }
  const bool is_half = wide(x.dtype()) != x.dtype();
  check(same || (is_half && wide_ones), op, ": mixed dtype (CPU): ",
        is_half ? "expect parameter to have scalar type of Float" : "all inputs must share same datatype.");
}

void check_batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const Running& running, bool training,
                      double eps) {
  check_implemented(is_floating(x.dtype()), "batch_norm", x);
  check(training || running.mean, "batch_norm: running_mean must be defined in evaluation mode");
  check(training || running.var, "batch_norm: running_var must be defined in evaluation mode");
  check_value(bool(running.mean) == bool(running.var),
              "batch_norm: running_mean and running_var must either both be None or neither be None");
  check_value(!training || eps > 0, "batch_norm eps must be positive during training, but got ", eps);
  const int64_t channels = x.dim() > 1 ? x.size(1) : 0;
  check_channels("batch_norm", "running_mean", running.mean, channels);
  check_channels("batch_norm", "running_var", running.var, channels);
  check_channels("batch_norm", "weight", weight, channels);
  check_channels("batch_norm", "bias", bias, channels);
  check(x.dim() >= 2, "batch_norm: expected an input of at least 2 dimensions, (N, C, *), got ", x.dim());
  check_parameter_dtypes("batch_norm", x, {&weight, &bias, &running.mean, &running.var});
  for (auto [name, t] : {std::pair{"running_mean", &running.mean}, {"running_var", &running.var}})
    check(!*t || !grad_enabled() || !requires_grad(*t), "batch_norm: not differentiable with respect to argument '",
          name, "'. This input cannot have requires_grad True.");
}

/// Channels last: the order of dimensions in which they lie in memory.
Dims channels_to_the_end(int64_t ndim) {
  Dims order{0};
  for (int64_t d = 2; d < ndim; ++d) order.push_back(d);
  order.push_back(1);
  return order;
}

bool has_channels_last(const Tensor& x) {
  if (x.dim() < 3 || x.is_contiguous()) return false;
  Dims sizes, strides;
  for (int64_t d : channels_to_the_end(x.dim())) {
    sizes.push_back(x.size(d));
    strides.push_back(x.stride(d));
  }
  return is_contiguous(sizes, strides);
}

/// x with dense memory, channels last if asked.
Tensor laid_out(const Tensor& x, bool channels_last) {
  NoGrad off;
  if (!channels_last) return contiguous(x);
  if (has_channels_last(x)) return x;
  const Dims order = channels_to_the_end(x.dim());
  Dims back(x.dim(), 0);
  for (int64_t d = 0; d < x.dim(); ++d) back[order[d]] = d;
  return permute(contiguous(permute(x, order)), back);
}

/// Dense memory as the kernel sees it: (N, C, M), where channels last are the columns of a matrix.
class Planes {
 public:
  Planes(const Tensor& x, bool channels_last) {
    const int64_t N = x.size(0), C = x.size(1);
    int64_t M = 1;
    for (int64_t d = 2; d < x.dim(); ++d) M *= x.size(d);
    sizes_ = channels_last ? Dims{N * M, C, 1} : Dims{N, C, M};
    strides_ = contiguous_strides(sizes_);
  }
  Strided of(const Tensor& t) const {
    return t ? Strided{t.data(), t.dtype(), 3, sizes_.data(), strides_.data()} : Strided();
  }

 private:
  Dims sizes_, strides_;
};

/// The derivative in operators, with  h = (x - mean) * rstd  and the moments from the input itself in training:
/// dx = rstd * weight * (g - mean(g) - h * mean(g * h)),  dweight = sum(g * h),  dbias = sum(g).
Grads batch_norm_slopes(const Tensor& g, const Tensor& input, const Tensor& weight, const Tensor& mean_,
                        const Tensor& rstd_, bool training, double eps, Needs need) {
  const Tensor x = to_dtype(input, wide(input.dtype()));
  Dims others{0}, shape(x.dim(), 1);
  for (int64_t d = 2; d < x.dim(); ++d) others.push_back(d);
  shape[1] = x.size(1);
  auto average = [&](const Tensor& t) { return mean(t, others, true); };
  const Tensor centred = x - (training ? average(x) : reshape(mean_, shape));
  const Tensor rstd = training ? rsqrt(average(centred * centred) + Scalar(eps)) : reshape(rstd_, shape);
  const Tensor h = centred * rstd;
  Grads grads{none, none, none};
  if (need[0]) {
    const Tensor scale = weight ? rstd * reshape(weight, shape) : rstd;
    grads[0] = training ? scale * (g - average(g) - h * average(g * h)) : scale * g;
  }
  if (need[1]) grads[1] = sum(g * h, others, false);
  if (need[2]) grads[2] = sum(g, others, false);
  return grads;
}

/// The moments that evaluation uses, or room for those of training; what was copied is written back by `keep`.
struct Statistics {
  Tensor mean, rstd, running_mean, running_var;
};

Statistics statistics(const Tensor& x, const Running& running, bool training, double eps) {
  NoGrad off;
  const DType dtype = wide(x.dtype());
  Statistics s{{}, {}, plain(running.mean, dtype), plain(running.var, dtype)};
  if (!training) {
    s.mean = s.running_mean;
    s.rstd = rsqrt(s.running_var + Scalar(eps));
    return s;
  }
  s.mean = make_tensor({x.size(1)}, dtype, x.device());
  s.rstd = make_tensor({x.size(1)}, dtype, x.device());
  return s;
}

}  // namespace

// y = (x - mean) / sqrt(var + eps) * weight + bias for each channel, the moments over the rest: the batch's own in
// training, the running ones otherwise.  In training these move towards the batch's, with its unbiased variance.
Tensor batch_norm(const Tensor& input, const Tensor& weight, const Tensor& bias, const Tensor& running_mean,
                  const Tensor& running_var, bool training, double momentum, double eps) {
  const Running running{running_mean, running_var};
  check_batch_norm(input, weight, bias, running, training, eps);
  const DType dtype = wide(input.dtype());
  const bool last = has_channels_last(input);
  const Tensor x = laid_out(input, last), w = plain(weight, dtype), b = plain(bias, dtype), y = empty_like(x);
  const Planes planes(x, last);
  const Statistics s = statistics(x, running, training, eps);
  x.kernels().batch_norm(planes.of(y), s.mean.strided(), s.rstd.strided(), look(s.running_mean), look(s.running_var),
                         planes.of(x), look(w), look(b), training, momentum, eps);
  if (training && running_mean) {
    NoGrad off;
    if (!s.running_mean.is(running_mean)) copy_(running_mean, s.running_mean);
    if (!s.running_var.is(running_var)) copy_(running_var, s.running_var);
  }
  if (Recorder record{"NativeBatchNormBackward0", y, input, weight, bias}) {
    record.vjp([x = record.save("input", input), w = record.save("weight", weight, 0),
                mean = record.save("result1", s.mean), rstd = record.save("result2", s.rstd), last, training,
                eps](const Tensor& g, Needs need) -> Grads {
      const Tensor input = *x, weight = w ? *w : none;
      if (grad_enabled()) return batch_norm_slopes(g, input, weight, *mean, *rstd, training, eps, need);
      const Tensor in = laid_out(input, last), same = laid_out(cast(g, in.dtype()), last);
      const Tensor factor = plain(weight, mean->dtype());
      auto sums = [&](bool wanted) { return wanted ? empty_like(*mean) : Tensor(); };
      Grads grads{need[0] ? empty_like(in) : Tensor(), sums(need[1]), sums(need[2])};
      const Planes planes(in, last);
      in.kernels().batch_norm_backward(planes.of(grads[0]), look(grads[1]), look(grads[2]), planes.of(same),
                                       planes.of(in), mean->strided(), rstd->strided(), look(factor), training);
      return grads;
    });
  }
  return y;
}

// Batch normalisation in training with each image's channel as a channel.  Running moments move towards the average.
Tensor instance_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& running_mean,
                     const Tensor& running_var, bool use_input_stats, double momentum, double eps) {
  check(use_input_stats || (running_mean && running_var),
        "instance_norm: Expected running_mean and running_var to be defined when use_input_stats is false");
  check_index(x.dim() >= 2,
              "instance_norm: Dimension out of range: expected an input of at least 2 dimensions, "
              "(N, C, *), got ",
              x.dim());
  const int64_t N = x.size(0), C = x.size(1);
  auto repeated = [&](const Tensor& t) { return t ? repeat(t, {N}) : none; };
  Dims shape = x.sizes();
  shape[0] = 1;
  shape[1] = N * C;
  const Tensor mean_each = repeated(running_mean), var_each = repeated(running_var);
  const Tensor y = batch_norm(view(contiguous(x), shape), repeated(weight), repeated(bias), mean_each, var_each,
                              use_input_stats, momentum, eps);
  if (use_input_stats) {
    NoGrad off;
    if (running_mean) copy_(running_mean, mean(reshape(mean_each, {N, C}), {0}, false));
    if (running_var) copy_(running_var, mean(reshape(var_each, {N, C}), {0}, false));
  }
  return view(y, x.sizes());
}

void def_batch_norm(Ops& ops) {
  ops.def(
         "batch_norm",
         +[](const Tensor& input, const Tensor& weight, const Tensor& bias, const Tensor& running_mean,
             const Tensor& running_var, bool training, double momentum, double eps, bool cudnn_enabled) {
           return batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps);
         },
         "input"_a, "weight"_a = None, "bias"_a = None, "running_mean"_a = None, "running_var"_a = None,
         "training"_a = false, "momentum"_a = 0.1, "eps"_a = 1e-5, "cudnn_enabled"_a = true,
         "(x - mean) / sqrt(var + eps) * weight + bias for each channel, of the batch or with running moments.")
      .function_only()
      .no_out();
  ops.def(
         "instance_norm",
         +[](const Tensor& input, const Tensor& weight, const Tensor& bias, const Tensor& running_mean,
             const Tensor& running_var, bool use_input_stats, double momentum, double eps, bool cudnn_enabled) {
           return instance_norm(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps);
         },
         "input"_a, "weight"_a = None, "bias"_a = None, "running_mean"_a = None, "running_var"_a = None,
         "use_input_stats"_a = true, "momentum"_a = 0.1, "eps"_a = 1e-5, "cudnn_enabled"_a = true,
         "(x - mean) / sqrt(var + eps) * weight + bias for each channel of each image.")
      .function_only()
      .no_out();
}

}  // namespace lg
