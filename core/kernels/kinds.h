// Small enumerations among the parameters of kernels.
#pragma once

#include <cstdint>

namespace lg {

enum class ScatterReduce : uint8_t { None, Add, Multiply, Maximum, Minimum };
enum class Distribution : uint8_t { Uniform, Bernoulli, Exponential, Geometric, Cauchy, LogNormal };

}  // namespace lg
