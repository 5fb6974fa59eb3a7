// The geometry of convolutions and pooling.  There are always three spatial dimensions; where an operator has fewer,
// those before it have size 1, so that one kernel serves all ranks.
#pragma once

#include <cstdint>

namespace lg {

struct Window {
  int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1};
  int64_t kernel[3] = {1, 1, 1}, stride[3] = {1, 1, 1}, dilation[3] = {1, 1, 1};
  int64_t padding[3] = {0, 0, 0};  // before the first element; behind the last there is as much as `out` asks for

  int64_t inputs() const { return in[0] * in[1] * in[2]; }
  int64_t outputs() const { return out[0] * out[1] * out[2]; }
  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
};

struct ConvShape : Window {
  int64_t batch = 1, groups = 1;
  int64_t in_channels = 1, out_channels = 1;  // of one group

  /// Numbers that go into one output: the inner size of the matrix product.
  int64_t depth() const { return in_channels * taps(); }
};

enum class Divisor : uint8_t { Padded, Inside, Given };

struct PoolShape : Window {
  int64_t planes = 1;     // batch times channels
  bool adaptive = false;  // window o covers floor(o in / out) to ceil((o + 1) in / out); the fields of Window lie idle
  Divisor divisor = Divisor::Padded;  // of an average: elements of the window with its padding, without, or `given`
  int64_t given = 0;
};

}  // namespace lg
