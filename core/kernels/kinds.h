// Small enumerations and structs among the parameters of kernels.
#pragma once

#include <cstdint>

namespace lg {

enum class ScatterReduce : uint8_t { None, Add, Multiply, Maximum, Minimum };
/// Losses of pairs of numbers: their difference d squared; quadratic near 0 and linear beyond `parameter`, in two
/// scalings; cross entropy of a logit.
enum class PairLoss : uint8_t { Squared, SmoothL1, Huber, Logit };
enum class Distribution : uint8_t { Uniform, Bernoulli, Exponential, Geometric, Cauchy, LogNormal };
enum class Cell : uint8_t { Lstm, Gru, Tanh, Relu };

/// The course of a recurrent layer over sequences of different lengths, the longest first.
struct Recurrence {
  Cell cell;
  bool reverse;  // from the last step to the first
  int64_t steps, batch, hidden;
  const int64_t* begins;  // rows of step t: [begins[t], begins[t + 1]), the first of the batch
};

/// Elements of a mask that are worked on at a time; see kernels/mask.cpp.
inline constexpr int64_t mask_chunk = 16384;

}  // namespace lg
