// The native steps of optimizers, over a list of parameters in one call.  See docs/design/optimizers.md.
//
// They take what is common (dense tensors of one dtype, float32 or float64, none of which overlaps another) and give
// back the positions of the parameters that they left alone: those take the step composed of operators in Python.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/table.h"
#include "ops/ops.h"
#include "python/subclass.h"

namespace lg {

namespace {

bool is_plain(const Tensor& t, const Tensor& like) {
  PyTypeObject* type = Py_TYPE(t.py());
  return (type == tensor_type() || type == parameter_type) && t.dtype() == like.dtype() && !t.is_meta() &&
         t.is_contiguous() && t.sizes() == like.sizes();
}

bool is_counter(const Tensor& t) {
  return (t.dtype() == DType::Float32 || t.dtype() == DType::Float64) && t.numel() == 1 && !t.is_meta();
}
double count_step(const Tensor& t) {
  return t.dtype() == DType::Float64 ? *t.data<double>() += 1 : *t.data<float>() += 1;
}

Dims all_of(const Tensors& params) {
  Dims all;
  for (size_t i = 0; i < params.size(); ++i) all.push_back(int64_t(i));
  return all;
}

/// The parameters that a native step takes, with a call of the kernel for each dtype.
class Step {
 public:
  explicit Step(const char* op, const Tensors& params, const Tensors& grads) : op_(op), params_(params), grads_(grads) {
    check(params.size() == grads.size(), op, ": ", params.size(), " parameters and ", grads.size(), " gradients");
  }

  /// Takes parameter i with the tensors it has for state, if they are plain; null ends the state.
  void offer(size_t i, const Tensor& a = none, const Tensor& b = none, const Tensor& c = none,
             const Tensor& steps = none) {
    const Tensor& param = params_[i];
    const Tensor tensors[] = {param, grads_[i], a, b, c};
    bool plain = param.dtype() == DType::Float32 || param.dtype() == DType::Float64;
    for (const Tensor& t : tensors) plain = plain && (!t || is_plain(t, param));
    if (!plain || (steps && !is_counter(steps))) {
      left_.push_back(int64_t(i));
      return;
    }
    check_inplace(op_, param);
    for (const Tensor& t : {a, b, c, steps})
      if (t) check_inplace(op_, t);
    taken_.push_back({i, {param, a, b, c, steps}});
  }

  /// make(position, steps) fills in what is the parameter's own; run(dtype, items, count, numel) calls the kernel.
  template <class Make, class Run>
  Dims run(Make&& make, Run&& run) {
    if (overlap()) return all_of(params_);
    for (DType dtype : {DType::Float32, DType::Float64}) {
      std::vector<OptimItem> items;
      int64_t numel = 0;
      for (const Taken& each : taken_) {
        const Tensor& param = each.written[0];
        if (param.dtype() != dtype) continue;
        OptimItem item = make(each.written[4]);
        item.first = numel;
        item.param = param.data();
        item.grad = grads_[each.position].data();
        for (int k = 0; k < 3; ++k) item.moments[k] = each.written[k + 1] ? each.written[k + 1].data() : nullptr;
        if (param.numel()) items.push_back(item);
        numel += param.numel();
        for (const Tensor& t : each.written)
          if (t) t.bump_version();
      }
      if (!items.empty()) run(dtype, items.data(), int64_t(items.size()), numel);
    }
    return left_;
  }

 private:
  struct Taken {
    size_t position;
    Tensor written[5];  // the parameter, up to three of its states, its step counter; null where there is none
  };

  /// Does anything that is written share memory with another tensor here, as it does if a parameter comes twice?
  bool overlap() const {
    std::vector<std::pair<const char*, const char*>> ranges;
    auto add = [&](const Tensor& t) {
      const char* begin = t ? t.data<const char>() : nullptr;
      if (begin && t.numel()) ranges.emplace_back(begin, begin + t.bytes());
    };
    for (const Taken& each : taken_) {
      add(grads_[each.position]);
      for (const Tensor& t : each.written) add(t);
    }
    std::sort(ranges.begin(), ranges.end());
    for (size_t i = 1; i < ranges.size(); ++i)
      if (ranges[i].first < ranges[i - 1].second) return true;
    return false;
  }

  const char* op_;
  const Tensors &params_, &grads_;
  std::vector<Taken> taken_;
  Dims left_;
};

}  // namespace

static Dims sgd_step(const Tensors& params, const Tensors& grads, PyObject* buffers, double lr, double momentum,
                     double dampening, double weight_decay, bool nesterov, bool maximize) {
  if (grad_enabled()) return all_of(params);  // the writes may have to be recorded
  check_type(PyList_Check(buffers) && PyList_GET_SIZE(buffers) == Py_ssize_t(params.size()),
             "_sgd_step: expected a list of a momentum buffer or None for each parameter");
  Step step("_sgd_step", params, grads);
  Dims without;
  for (size_t i = 0; i < params.size(); ++i) {
    PyObject* buffer = PyList_GET_ITEM(buffers, Py_ssize_t(i));
    if (momentum == 0)
      step.offer(i);
    else if (is_tensor(buffer))
      step.offer(i, Tensor::borrow(reinterpret_cast<TensorObject*>(buffer)));
    else
      without.push_back(int64_t(i));
  }
  const SgdSettings settings{lr, momentum, dampening, weight_decay, nesterov, maximize};
  Dims left = step.run([](const Tensor&) { return OptimItem(); },
                       [&](auto... where) { cpu_kernels().sgd(where..., settings); });
  for (int64_t i : without) left.push_back(i);
  return left;
}

static Dims adam_step(const Tensors& params, const Tensors& grads, const Tensors& means, const Tensors& squares,
                      const Tensors& largest, const Tensors& steps, double lr, double beta1, double beta2,
                      double weight_decay, double eps, bool maximize, bool decoupled) {
  if (grad_enabled()) return all_of(params);  // the writes may have to be recorded
  const size_t count = params.size();
  check(means.size() == count && squares.size() == count && steps.size() == count &&
            (largest.empty() || largest.size() == count),
        "_adam_step: ", count, " parameters, but ", means.size(), ", ", squares.size(), " and ", largest.size(),
        " moments and ", steps.size(), " step counters");
  Step step("_adam_step", params, grads);
  for (size_t i = 0; i < count; ++i) step.offer(i, means[i], squares[i], largest.empty() ? none : largest[i], steps[i]);
  const AdamSettings settings{beta1,   beta2, eps, decoupled ? 0 : weight_decay, decoupled ? 1 - lr * weight_decay : 1,
                              maximize};
  return step.run(
      [&](const Tensor& counter) {
        const double t = count_step(counter);
        OptimItem item{};
        item.step_size = lr / (1 - std::pow(beta1, t));
        item.correction = std::sqrt(1 - std::pow(beta2, t));
        return item;
      },
      [&](auto... where) { cpu_kernels().adam(where..., settings); });
}

void def_optim(Ops& ops) {
  ops.def("_sgd_step", &sgd_step, "params"_a, "grads"_a, "buffers"_a, "lr"_a, "momentum"_a, "dampening"_a,
          "weight_decay"_a, "nesterov"_a, "maximize"_a,
          "A step of optim.SGD in place; gives the positions of parameters that it left alone.")
      .function_only()
      .no_out();
  ops.def("_adam_step", &adam_step, "params"_a, "grads"_a, "means"_a, "squares"_a, "largest"_a, "steps"_a, "lr"_a,
          "beta1"_a, "beta2"_a, "weight_decay"_a, "eps"_a, "maximize"_a, "decoupled"_a,
          "A step of optim.Adam in place; gives the positions of parameters that it left alone.")
      .function_only()
      .no_out();
}

}  // namespace lg
