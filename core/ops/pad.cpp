// Padding with a constant.  The other modes are composites, in nn/_functional_pad.py.
#include <algorithm>

#include "ops/ops.h"

namespace lg {
namespace {

Dims negated(Dims dims) {
  for (int64_t& v : dims) v = -v;
  return dims;
}

/// x with pad[0] elements of `value` before and pad[1] behind the last dimension, pad[2] and pad[3] the one before...;
/// negative numbers cut elements off.   dL/dx = the same with the opposite numbers.
Tensor constant_pad_nd(const Tensor& x, const Dims& pad, const Scalar& value) {
  check(pad.size() % 2 == 0, "constant_pad_nd: Padding length must be divisible by 2");
  check(pad.size() <= 2 * x.dim(),
        "constant_pad_nd: Padding length should be less than or equal to two times the input ",
        "dimension but got padding length ", pad.size(), " and input of dimension ", x.dim());
  Tensor y;
  {
    NoGrad off;
    Dims size = x.sizes();
    Tensor kept = x;
    for (int64_t i = 0; 2 * i < pad.size(); ++i) {
      const int64_t d = x.dim() - 1 - i, before = pad[2 * i], behind = pad[2 * i + 1], have = x.size(d);
      constexpr int64_t most = int64_t(1) << 48;
      check(std::abs(before) < most && std::abs(behind) < most && have + before + behind >= 0,
            "constant_pad_nd: The input size ", have, ", plus negative padding ", before, " and ", behind,
            " resulted in a negative output size, which is invalid. Check dimension ", d, " of your input.");
      size[d] = have + before + behind;
      const int64_t from = std::min(have, std::max<int64_t>(0, -before)), to = have - std::max<int64_t>(0, -behind);
      kept = narrow(kept, d, from, std::max<int64_t>(0, to - from));
    }
    y = full(size, value, x.dtype(), x.device());
    Tensor inside = y;
    for (int64_t i = 0; 2 * i < pad.size(); ++i) {
      const int64_t d = x.dim() - 1 - i;
      inside = narrow(inside, d, std::min(size[d], std::max<int64_t>(0, pad[2 * i])), kept.size(d));
    }
    copy_(inside, kept);
  }
  if (Recorder record{"ConstantPadNdBackward0", y, x})
    record.vjp([opposite = negated(pad)](const Tensor& g) { return constant_pad_nd(g, opposite, Scalar(int64_t(0))); });
  return y;
}

}  // namespace

void def_pad(Ops& ops) {
  ops.def("constant_pad_nd", &constant_pad_nd, "input"_a, "pad"_a, "value"_a = 0,
          "`input` with elements of `value` before and behind: two numbers a dimension, the last dimension first.")
      .function_only()
      .no_out();
}

}  // namespace lg
