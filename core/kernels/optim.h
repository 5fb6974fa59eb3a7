// What the optimizers' kernels are given: the memory of each parameter and the settings that all of them share.
#pragma once

#include <cstdint>

namespace lg {

/// One parameter, all of whose tensors are dense and of one dtype.
struct OptimItem {
  int64_t first;      // element with which it begins when all parameters lie in one row
  void* param;        // written
  const void* grad;   // read
  void* moments[3];   // SGD: the momentum buffer.  Adam: first and second moment, greatest second moment or null
  double step_size;   // Adam: lr / (1 - beta1**t)
  double correction;  // Adam: sqrt(1 - beta2**t)
};

struct SgdSettings {
  double lr, momentum, dampening, weight_decay;
  bool nesterov, maximize;
};

struct AdamSettings {
  double beta1, beta2, eps;
  double weight_decay;  // times the parameter, added to the gradient
  double shrink;        // times the parameter, before its step: 1 - lr * weight_decay where the decay is decoupled
  bool maximize;
};

}  // namespace lg
