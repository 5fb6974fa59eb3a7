// Random tensors and in-place filling.  The kernels draw; here are ranges, dtypes and the (zero) derivatives.
#include "kernels/table.h"
#include "runtime/generator.h"

#include <cmath>
#include <limits>

#include "ops/ops.h"

namespace lg {
namespace {

using OptDType = std::optional<DType>;
using OptDevice = std::optional<Device>;

[[noreturn]] void refuse_dtype(const char* op, DType dtype) {
  fail(ErrorKind::NotImplemented, op, ": \"", op, "\" not implemented for '", name(dtype), "'");
}

/// A complex tensor as real numbers: its memory with a further dimension of two.
struct RealParts {
  Dims sizes, strides;
  Strided memory;
  explicit RealParts(const Tensor& y) : sizes(y.sizes()), strides(y.strides()) {
    for (int64_t& s : strides) s *= 2;
    sizes.push_back(2);
    strides.push_back(1);
    memory = {y.data(), real_of(y.dtype()), y.dim() + 1, sizes.data(), strides.data()};
  }
};

void fill_uniform(const char* op, const Tensor& y, Generator* g, double from, double to) {
  if (!is_inexact(y.dtype())) refuse_dtype(op, y.dtype());
  if (is_complex(y.dtype()))
    y.kernels().draw(RealParts(y).memory, *g, Distribution::Uniform, from, to);
  else
    y.kernels().draw(y.strided(), *g, Distribution::Uniform, from, to);
}

/// A complex normal's parts share the variance.
void fill_normal(const char* op, const Tensor& y, Generator* g, double mean, double std) {
  check(std >= 0, op, ": normal expects std >= 0.0, but found std ", std);
  if (!is_inexact(y.dtype())) refuse_dtype(op, y.dtype());
  if (is_complex(y.dtype()))
    y.kernels().normal(RealParts(y).memory, *g, mean, std / std::sqrt(2.0));
  else
    y.kernels().normal(y.strided(), *g, mean, std);
}

/// Digits that T's floating numbers have: all integers up to 2^digits are exact.
int64_t largest_integer(DType dtype) {
  switch (dtype) {
    case DType::Bool: return 1;
    case DType::UInt8: return UINT8_MAX;
    case DType::Int8: return INT8_MAX;
    case DType::Int16: return INT16_MAX;
    case DType::Int32: return INT32_MAX;
    case DType::Float16: return 1 << 11;
    case DType::BFloat16: return 1 << 8;
    case DType::Float32: return 1 << 24;
    case DType::Float64: return int64_t(1) << 53;
    default: return INT64_MAX;
  }
}
int64_t smallest_integer(DType dtype) {
  if (dtype == DType::Bool || dtype == DType::UInt8) return 0;
  return is_floating(dtype) ? -largest_integer(dtype) : -largest_integer(dtype) - 1;
}

/// Uniform integers in [from, to); without `to`, up to the dtype's greatest.
void fill_integers(const char* op, const Tensor& y, Generator* g, int64_t from, std::optional<int64_t> to) {
  DType d = y.dtype();
  if (is_complex(d)) refuse_dtype(op, d);
  int64_t least = smallest_integer(d), most = largest_integer(d), last = most;
  if (to) {
    check(from < *to, op, ": random_ expects 'from' to be less than 'to', but got from=", from, " >= to=", *to);
    last = *to - 1;
  }
  bool exact = is_integral(d);  // a float tensor may be given integers that it rounds
  check(!exact || (from >= least && from <= most), op, ": from is out of bounds for ", name(d));
  check(!exact || (last >= least && last <= most), op, ": to - 1 is out of bounds for ", name(d));
  uint64_t range = uint64_t(last) - uint64_t(from) + 1;  // 0: all 64 bits, taken as they are
  if (range == 0) from = 0;
  y.kernels().random_integers(y.strided(), *g, range, from, range == 0 || range >= (uint64_t(1) << 28));
}

// ---- in place.  The old value has no influence on the new one: dL/dx = 0.

Tensor overwritten(const char* node, const Tensor& x) {
  x.bump_version();
  if (Recorder record{node, x, x}) record.vjp([](const Tensor& g) { return zeros_like(g); });
  return x;
}

Tensor uniform_(const Tensor& x, double from, double to, Generator* g) {
  check(from <= to, "uniform_ expects to return a [from, to) range, but found from=", from, " > to=", to);
  check_inplace("uniform_", x);
  double most = x.dtype() == DType::Float64 ? std::numeric_limits<double>::max() : std::numeric_limits<float>::max();
  check(to - from <= most, "uniform_ expects to-from <= the greatest ", x.dtype(), ", but found to=", to,
        " and from=", from);
  fill_uniform("uniform_", x, g, from, to);
  return overwritten("UniformBackward0", x);
}
Tensor normal_(const Tensor& x, double mean, double std, Generator* g) {
  check_inplace("normal_", x);
  fill_normal("normal_", x, g, mean, std);
  return overwritten("NormalBackward0", x);
}
Tensor random_from_to(const Tensor& x, int64_t from, std::optional<int64_t> to, Generator* g) {
  check_inplace("random_", x);
  fill_integers("random_", x, g, from, to);
  return overwritten("RandomBackward0", x);
}
Tensor random_to(const Tensor& x, int64_t to, Generator* g) {
  check_inplace("random_", x);
  fill_integers("random_", x, g, 0, to);
  return overwritten("RandomBackward1", x);
}
Tensor random_(const Tensor& x, Generator* g) {
  check_inplace("random_", x);
  if (is_complex(x.dtype())) refuse_dtype("random_", x.dtype());
  bool wide = x.dtype() == DType::Int64 || x.dtype() == DType::Float64;
  x.kernels().random_integers(x.strided(), *g, uint64_t(largest_integer(x.dtype())) + 1, 0, wide);
  return overwritten("RandomBackward2", x);
}

void check_probability(const char* op, double p) {
  check(p >= 0 && p <= 1, op, " expects p to be in [0, 1], but got p=", p);
}
void check_probabilities(const char* op, const Tensor& p) {
  if (p.is_meta() || p.numel() == 0) return;
  Tensor values = contiguous(detach(p));
  dispatch_floating(p.dtype(), [&]<class T>() {
    for (int64_t i = 0; i < values.numel(); ++i) {
      Compute<T> v = values.data<T>()[i];
      check(v >= 0 && v <= 1, op, ": Expected p_in >= 0 && p_in <= 1 to be true, but element ", i, " is ", v);
    }
  });
}

void fill_bernoulli(const char* op, const Tensor& y, const Tensor& p, Generator* g) {
  if (!is_floating(p.dtype())) refuse_dtype(op, p.dtype());
  check_probabilities(op, p);
  Tensor all = expand(detach(p), y.sizes());
  y.kernels().bernoulli_each(y.strided(), all.strided(), *g);
}

Tensor bernoulli_(const Tensor& x, double p, Generator* g) {
  check_probability("bernoulli_", p);
  check_inplace("bernoulli_", x);
  x.kernels().draw(x.strided(), *g, Distribution::Bernoulli, p, 0);
  return overwritten("BernoulliBackward2", x);
}
Tensor bernoulli_tensor_(const Tensor& x, const Tensor& p, Generator* g) {
  check_inplace("bernoulli_", x);
  fill_bernoulli("bernoulli_", x, p, g);
  return overwritten("BernoulliBackward1", x);
}

Tensor draw_(const char* op, const char* node, const Tensor& x, Generator* g, Distribution distribution, double a,
             double b) {
  check_inplace(op, x);
  x.kernels().draw(x.strided(), *g, distribution, a, b);
  return overwritten(node, x);
}
void require_floating(const char* op, const Tensor& x) {
  check(is_floating(x.dtype()), op, ": a continuous distribution: dtype must be a floating point but you specified ",
        x.dtype());
}
Tensor exponential_(const Tensor& x, double lambd, Generator* g) {
  require_floating("exponential_", x);
  check(lambd > 0, "exponential_ expects lambda > 0.0, but found lambda=", lambd);
  return draw_("exponential_", "ExponentialBackward0", x, g, Distribution::Exponential, lambd, 0);
}
Tensor geometric_(const Tensor& x, double p, Generator* g) {
  check(p > 0 && p < 1, "geometric_ expects p to be in (0, 1), but got p=", p);
  if (is_complex(x.dtype()) || x.dtype() == DType::Bool) refuse_dtype("geometric_", x.dtype());
  return draw_("geometric_", "GeometricBackward0", x, g, Distribution::Geometric, p, 0);
}
Tensor cauchy_(const Tensor& x, double median, double sigma, Generator* g) {
  require_floating("cauchy_", x);
  check(sigma > 0, "cauchy_ expects sigma > 0.0, but found sigma=", sigma);
  return draw_("cauchy_", "CauchyBackward0", x, g, Distribution::Cauchy, median, sigma);
}
Tensor log_normal_(const Tensor& x, double mean, double std, Generator* g) {
  require_floating("log_normal_", x);
  check(std > 0, "log_normal_ expects std > 0.0, but found std=", std);
  return draw_("log_normal_", "LogNormalBackward0", x, g, Distribution::LogNormal, mean, std);
}

// ---- new tensors

Tensor rand(Dims size, Generator* g, OptDType dtype, OptDevice device) {
  Tensor y = make_tensor(std::move(size), dtype.value_or(default_dtype()), device.value_or(Device::Cpu));
  fill_uniform("rand", y, g, 0, 1);
  return y;
}
Tensor randn(Dims size, Generator* g, OptDType dtype, OptDevice device) {
  Tensor y = make_tensor(std::move(size), dtype.value_or(default_dtype()), device.value_or(Device::Cpu));
  fill_normal("randn", y, g, 0, 1);
  return y;
}
Tensor randint_from(int64_t low, int64_t high, Dims size, Generator* g, OptDType dtype, OptDevice device) {
  Tensor y = make_tensor(std::move(size), dtype.value_or(DType::Int64), device.value_or(Device::Cpu));
  fill_integers("randint", y, g, low, high);
  return y;
}
Tensor randint(int64_t high, Dims size, Generator* g, OptDType dtype, OptDevice device) {
  return randint_from(0, high, std::move(size), g, dtype, device);
}
Tensor randperm(int64_t n, Generator* g, OptDType dtype, OptDevice device) {
  check(n >= 0, "randperm: n must be non-negative, got ", n);
  DType d = dtype.value_or(DType::Int64);
  if (is_complex(d) || d == DType::Bool) refuse_dtype("randperm", d);
  check(n == 0 || n - 1 <= largest_integer(d), "randperm: n is too large for ", d, ": ", n);
  Tensor y = make_tensor({n}, d, device.value_or(Device::Cpu));
  y.kernels().permutation(y.strided(), *g);
  return y;
}

Tensor like(const Tensor& x, OptDType dtype, OptDevice device) {
  if (device && *device != x.device()) return make_tensor(x.sizes(), dtype.value_or(x.dtype()), *device);
  return empty_like(x, dtype);
}
Tensor rand_like(const Tensor& x, Generator* g, OptDType dtype, OptDevice device, PyObject*) {
  Tensor y = like(x, dtype, device);
  fill_uniform("rand_like", y, g, 0, 1);
  return y;
}
Tensor randn_like(const Tensor& x, Generator* g, OptDType dtype, OptDevice device, PyObject*) {
  Tensor y = like(x, dtype, device);
  fill_normal("randn_like", y, g, 0, 1);
  return y;
}
Tensor randint_like_from(const Tensor& x, int64_t low, int64_t high, Generator* g, OptDType dtype, OptDevice device,
                         PyObject*) {
  Tensor y = like(x, dtype, device);
  fill_integers("randint_like", y, g, low, high);
  return y;
}
Tensor randint_like(const Tensor& x, int64_t high, Generator* g, OptDType dtype, OptDevice device, PyObject* format) {
  return randint_like_from(x, 0, high, g, dtype, device, format);
}

// ---- drawn from tensors of parameters.  A sample is not differentiable in them: dL/dmean = dL/dstd = 0.

void check_std(const Tensor& std) {
  check(!is_complex(std.dtype()), "normal expects standard deviation to be non-complex");
  if (std.is_meta() || std.numel() == 0) return;
  Tensor values = contiguous(cast(detach(std), DType::Float64));
  for (int64_t i = 0; i < values.numel(); ++i)
    check(values.data<double>()[i] >= 0, "normal expects all elements of std >= 0.0, but element ", i, " is ",
          values.data<double>()[i]);
}

Tensor recorded_constant(const char* node, const Tensor& y, const Tensor& a, const Tensor& b = {}) {
  if (Recorder record{node, y, a, b})
    record.vjp([](const Tensor& g, Needs need) -> Grads {
      Tensor zero = zeros_like(g);
      return {need[0] ? zero : none, zero};
    });
  return y;
}

Tensor normal_tensors(const Tensor& mean, const Tensor& std, Generator* g) {
  check_std(std);
  Tensor y = make_tensor(broadcast_sizes("normal", mean.sizes(), std.sizes()), result_type(mean, std), mean.device());
  fill_normal("normal", y, g, 0, 1);
  NoGrad off;
  return y * std + mean;
}
Tensor normal_both(const Tensor& mean, const Tensor& std, Generator* g) {
  return recorded_constant("NormalBackward3", normal_tensors(mean, std, g), mean, std);
}
Tensor normal_mean(const Tensor& mean, double std, Generator* g) {
  check(std >= 0, "normal expects std >= 0.0, but found std ", std);
  Tensor y = empty_like(mean);
  fill_normal("normal", y, g, 0, std);
  {
    NoGrad off;
    y = y + mean;
  }
  if (Recorder record{"NormalBackward1", y, mean}) record.vjp([](const Tensor& g) { return zeros_like(g); });
  return y;
}
Tensor normal_std(double mean, const Tensor& std, Generator* g) {
  check_std(std);
  Tensor y = empty_like(std);
  fill_normal("normal", y, g, 0, 1);
  {
    NoGrad off;
    y = y * std + Scalar(mean);
  }
  if (Recorder record{"NormalBackward2", y, std}) record.vjp([](const Tensor& g) { return zeros_like(g); });
  return y;
}
Tensor normal_numbers(double mean, double std, Dims size, Generator* g, OptDType dtype, OptDevice device) {
  Tensor y = make_tensor(std::move(size), dtype.value_or(default_dtype()), device.value_or(Device::Cpu));
  fill_normal("normal", y, g, mean, std);
  return y;
}

Tensor bernoulli(const Tensor& p, Generator* g) {
  Tensor y = empty_like(p);
  fill_bernoulli("bernoulli", y, p, g);
  if (Recorder record{"BernoulliBackward0", y, p}) record.vjp([](const Tensor& g) { return zeros_like(g); });
  return y;
}
Tensor bernoulli_p(const Tensor& x, double p, Generator* g) {
  check_probability("bernoulli", p);
  Tensor y = empty_like(x);
  y.kernels().draw(y.strided(), *g, Distribution::Bernoulli, p, 0);
  if (Recorder record{"BernoulliBackward2", y, x}) record.vjp([](const Tensor& g) { return zeros_like(g); });
  return y;
}

/// Rows of weights must be finite and not negative, and have a positive sum.
void check_weights(const Tensor& weights, int64_t samples, bool replacement) {
  int64_t categories = weights.size(-1), rows = categories ? weights.numel() / categories : 0;
  Tensor values = contiguous(cast(weights, DType::Float64));
  for (int64_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (int64_t j = 0; j < categories; ++j) {
      double v = values.data<double>()[row * categories + j];
      check(std::isfinite(v) && v >= 0,
            "multinomial: probability tensor contains either `inf`, `nan` or element < 0: ", v, " at row ", row,
            ", column ", j);
      sum += v;
    }
    check(sum > 0, "multinomial: invalid multinomial distribution (sum of probabilities <= 0) in row ", row);
  }
}

/// Without replacement: the greatest of p / e, e exponential, are a draw in proportion to p (Efraimidis and Spirakis
/// 2006).
Tensor multinomial(const Tensor& p, int64_t samples, bool replacement, Generator* g) {
  check(p.dim() == 1 || p.dim() == 2, "multinomial: prob_dist must be 1 or 2 dim, got ", p.dim());
  check(is_floating(p.dtype()), "multinomial only supports floating-point dtypes for input, got: ", p.dtype());
  check(samples > 0, "multinomial: cannot sample n_sample <= 0 samples");
  check(replacement || samples <= p.size(-1),
        "multinomial: cannot sample n_sample > prob_dist.size(-1) samples without replacement: ", samples, " of ",
        p.size(-1));
  check(p.size(-1) > 0 || p.numel() == 0, "multinomial: no categories");
  NoGrad off;
  Tensor weights = detach(p);
  Dims size = p.sizes();
  size[p.dim() - 1] = samples;
  if (p.is_meta()) return make_tensor(size, DType::Int64, Device::Meta);
  check_weights(weights, samples, replacement);
  if (!replacement || samples == 1) {
    Tensor q = empty_like(weights);
    q.kernels().draw(q.strided(), *g, Distribution::Exponential, 1, 0);
    q = weights / q;
    return samples == 1 ? argmax(q, -1, true) : topk(q, samples, -1, true, true).second;
  }
  Tensor y = make_tensor(size, DType::Int64);
  Tensor y2 = p.dim() == 1 ? unsqueeze(y, 0) : y, w2 = p.dim() == 1 ? unsqueeze(weights, 0) : weights;
  y2.kernels().multinomial(y2.strided(), w2.strided(), *g);
  return y;
}

void check_dropout(double p) {
  check_value(p >= 0 && p <= 1, "dropout probability has to be between 0 and 1, but got ", p);
}

Tensor dropout_(const Tensor& x, double p, bool train) {
  check_dropout(p);
  check_inplace("dropout_", x);
  if (p == 0 || !train || x.numel() == 0) return x;
  return assign("dropout_", x, dropout(x, p, train));
}

}  // namespace

// y = x scale where the mask holds, else 0.   dL/dx = the same of g.  The mask's strides are dense.
static Tensor masked_scale(const Tensor& x, const Tensor& mask, double scale) {
  Tensor y = empty_like(mask, x.dtype()), in = x;
  if (!(x.strides() == mask.strides())) {
    NoGrad off;
    in = copy_(empty_like(mask, x.dtype()), x);
  }
  x.kernels().masked_scale(y.strided(), in.strided(), mask.strided(), scale);
  if (Recorder record{"MulBackward0", y, x})
    record.vjp([mask = record.save("other", mask), scale](const Tensor& g) { return masked_scale(g, *mask, scale); });
  return y;
}

Tensor dropout(const Tensor& x, double p, bool train) {
  check_dropout(p);
  if (p == 0 || !train || x.numel() == 0) return x;
  if (!is_inexact(x.dtype())) fail(ErrorKind::Runtime, "dropout: result type Float can't be cast to ", x.dtype());
  if (p == 1) return x * zeros({}, x.dtype(), x.device());
  Tensor mask = empty_like(x, DType::Bool), in_memory_order = make_alias(mask, {x.numel()}, {1}, 0);
  x.kernels().draw(in_memory_order.strided(), default_generator(), Distribution::Bernoulli, 1 - p, 0);
  return masked_scale(x, mask, 1 / (1 - p));
}

void def_random(Ops& ops) {
  auto generator = "generator"_a = None, dtype = "dtype"_a = None, device = "device"_a = None;
  auto format = "memory_format"_a = None;

  ops.def("rand", &rand, "size"_a.varargs(), kw_only, generator, dtype, device, "Uniform numbers in [0, 1).").factory();
  ops.def("randn", &randn, "size"_a.varargs(), kw_only, generator, dtype, device, "Standard normal numbers.").factory();
  ops.def("randint", &randint, "high"_a, "size"_a, kw_only, generator, dtype, device, "Uniform integers in [0, high).")
      .factory();
  ops.def("randint", &randint_from, "low"_a, "high"_a, "size"_a, kw_only, generator, dtype, device,
          "Uniform integers in [low, high).")
      .factory();
  ops.def("randperm", &randperm, "n"_a, kw_only, generator, dtype, device, "The integers below n in random order.")
      .factory();
  ops.def("rand_like", &rand_like, "input"_a, kw_only, generator, dtype, device, format,
          "Uniform numbers in the likeness of `input`.")
      .factory()
      .function_only();
  ops.def("randn_like", &randn_like, "input"_a, kw_only, generator, dtype, device, format,
          "Standard normal numbers in the likeness of `input`.")
      .factory()
      .function_only();
  ops.def("randint_like", &randint_like, "input"_a, "high"_a, kw_only, generator, dtype, device, format,
          "Uniform integers in [0, high) in the likeness of `input`.")
      .factory()
      .function_only();
  ops.def("randint_like", &randint_like_from, "input"_a, "low"_a, "high"_a, kw_only, generator, dtype, device, format,
          "Uniform integers in [low, high) in the likeness of `input`.")
      .factory()
      .function_only();
  ops.def("normal", &normal_both, "mean"_a, "std"_a, kw_only, generator, "Normal numbers, each with its mean and std.")
      .function_only();
  ops.def("normal", &normal_mean, "mean"_a, "std"_a = 1.0, kw_only, generator, "Normal numbers, each with its mean.")
      .function_only();
  ops.def("normal", &normal_std, "mean"_a, "std"_a, kw_only, generator, "Normal numbers, each with its std.")
      .function_only();
  ops.def("normal", &normal_numbers, "mean"_a, "std"_a, "size"_a, kw_only, generator, dtype, device, "Normal numbers.")
      .function_only()
      .factory();
  ops.def("bernoulli", &bernoulli, "input"_a, kw_only, generator, "1 with the probability that `input` says, else 0.");
  ops.def("bernoulli", &bernoulli_p, "input"_a, "p"_a, kw_only, generator,
          "1 with probability p, else 0, in the likeness of `input`.");
  ops.def("multinomial", &multinomial, "input"_a, "num_samples"_a, "replacement"_a = false, kw_only, generator,
          "Category numbers drawn in proportion to the weights in each row of `input`.");

  ops.def("uniform_", &uniform_, "input"_a, "from"_a = 0.0, "to"_a = 1.0, kw_only, generator,
          "Fills with uniform numbers.")
      .method_only();
  ops.def("normal_", &normal_, "input"_a, "mean"_a = 0.0, "std"_a = 1.0, kw_only, generator,
          "Fills with normal numbers.")
      .method_only();
  ops.def("random_", &random_from_to, "input"_a, "from"_a, "to"_a, kw_only, generator,
          "Fills with integers in [from, to).")
      .method_only();
  ops.def("random_", &random_to, "input"_a, "to"_a, kw_only, generator, "Fills with integers in [0, to).")
      .method_only();
  ops.def("random_", &random_, "input"_a, kw_only, generator,
          "Fills with integers of the dtype's whole range from 0 on.")
      .method_only();
  ops.def("bernoulli_", &bernoulli_tensor_, "input"_a, "p"_a, kw_only, generator,
          "Fills with 1 with probability p, else 0.")
      .method_only();
  ops.def("bernoulli_", &bernoulli_, "input"_a, "p"_a = 0.5, kw_only, generator,
          "Fills with 1 with probability p, else 0.")
      .method_only();
  ops.def("exponential_", &exponential_, "input"_a, "lambd"_a = 1.0, kw_only, generator,
          "Fills with exponential numbers of rate lambd.")
      .method_only();
  ops.def("geometric_", &geometric_, "input"_a, "p"_a, kw_only, generator,
          "Fills with numbers of trials up to the first success.")
      .method_only();
  ops.def("cauchy_", &cauchy_, "input"_a, "median"_a = 0.0, "sigma"_a = 1.0, kw_only, generator,
          "Fills with Cauchy numbers.")
      .method_only();
  ops.def("log_normal_", &log_normal_, "input"_a, "mean"_a = 1.0, "std"_a = 2.0, kw_only, generator,
          "Fills with numbers whose logarithm is normal.")
      .method_only();
  ops.def("dropout", &dropout, "input"_a, "p"_a, "train"_a,
          "Zeroes each element with probability p and scales the rest by 1/(1-p).")
      .function_only();
  ops.def("dropout_", &dropout_, "input"_a, "p"_a, "train"_a, "dropout in place.").function_only();
}

}  // namespace lg
