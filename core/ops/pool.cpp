// Pooling of one, two and three dimensions.
//
// A maximum keeps where it came from, a byte for each output where the window is small; backward scatters there, and
// that scatter's own derivative gathers from there.  An average is linear, and it and its adjoint are each other's
// derivative.  One dimension is two with a height of 1.
#include "kernels/table.h"
#include "ops/conv.h"

namespace lg {
namespace {

constexpr const char* number_words[] = {"", "one", "two", "three"};

/// The names and ranks of an operator, for messages and for the graph.
struct PoolOp {
  const char* name;
  const char* node;
  int64_t n;  // spatial dimensions
};

/// One number stands for all spatial dimensions.
Dims each_dim(const PoolOp& op, const char* name, const Dims& given) {
  if (given.size() == 1) return Dims(op.n, given[0]);
  check(given.size() == op.n, op.name, ": ", name, " must either be a single int, or a tuple of ", number_words[op.n],
        " ints");
  return given;
}

/// (N, C, *) or (C, *); only the batch may be empty.
void check_images(const PoolOp& op, const Tensor& x, int64_t first_nonempty) {
  bool fits = x.dim() == op.n + 1 || x.dim() == op.n + 2;
  check(fits, op.name, "(): Expected ", op.n + 1, "D or ", op.n + 2,
        "D (batch mode) tensor for input, non-empty but for the batch, but got ", x.sizes());
  for (int64_t d = x.dim() - op.n - 1 + first_nonempty; d < x.dim(); ++d)
    check(x.size(d) > 0, op.name,
          "(): Expected input to have non-zero size for non-batch dimensions, but input has sizes ", x.sizes(),
          " with dimension ", d, " being empty");
}

PoolShape planes_of(const PoolOp& op, const Tensor& x) {
  PoolShape s;
  s.planes = product({x.sizes().data(), size_t(x.dim() - op.n)});
  for (int64_t d = 0; d < op.n; ++d) s.in[3 - op.n + d] = x.size(x.dim() - op.n + d);
  return s;
}

Dims result_size(const PoolOp& op, const Tensor& x, const PoolShape& s) {
  Dims size = x.sizes();
  for (int64_t d = 0; d < op.n; ++d) size[x.dim() - op.n + d] = s.out[3 - op.n + d];
  return size;
}

struct Windows {
  Dims kernel, stride, padding, dilation;
  bool ceil_mode;
};

/// How many windows fit, by PyTorch's rule: with ceil_mode one more may begin inside, but not in the padding behind.
int64_t count_windows(int64_t in, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation, bool ceil_mode) {
  const int64_t room = in + 2 * padding - dilation * (kernel - 1) - 1 + (ceil_mode ? stride - 1 : 0);
  const int64_t count = (room < 0 ? -((-room + stride - 1) / stride) : room / stride) + 1;
  return ceil_mode && (count - 1) * stride >= in + padding ? count - 1 : count;
}

std::string by(const int64_t* sizes, int64_t n, const char* between) {
  std::string out;
  for (int64_t d = 0; d < n; ++d) out += (d ? between : "") + std::to_string(sizes[d]);
  return out;
}

PoolShape windows_of(const PoolOp& op, const Tensor& x, const Windows& w) {
  PoolShape s = planes_of(op, x);
  for (int64_t d = 0; d < op.n; ++d) {
    const int64_t kernel = w.kernel[d], stride = w.stride[d], padding = w.padding[d], dilation = w.dilation[d];
    check(stride != 0, op.name, ": stride should not be zero");
    check(stride > 0 && stride < INT32_MAX, op.name, ": stride should be greater than zero, but got ", w.stride);
    check(dilation > 0 && double(dilation) * double(kernel) < INT32_MAX, op.name,
          ": dilation should be greater than zero, and not too large, but got dilation: ", w.dilation);
    check(padding >= 0, op.name, ": pad must be non-negative, but got pad: ", padding);
    check(padding <= ((kernel - 1) * dilation + 1) / 2, op.name,
          ": pad should be at most half of effective kernel size, but got pad=", padding, ", kernel_size=", kernel,
          " and dilation=", dilation);
    check(kernel > 0, op.name, ": kernel size should be greater than zero, but got ", w.kernel);
    const int64_t to = 3 - op.n + d;
    s.kernel[to] = kernel;
    s.stride[to] = stride;
    s.padding[to] = padding;
    s.dilation[to] = dilation;
    s.out[to] = count_windows(s.in[to], kernel, stride, padding, dilation, w.ceil_mode);
  }
  bool fits = true;
  for (int64_t v : s.out) fits &= v > 0;
  check(fits, op.name, ": Given input size: (", x.size(-op.n - 1), "x", by(s.in + 3 - op.n, op.n, "x"),
        "). Calculated output size: (", x.size(-op.n - 1), "x", by(s.out + 3 - op.n, op.n, "x"),
        "). Output size is too small");
  return s;
}

PoolShape adaptive_of(const PoolOp& op, const Tensor& x, const Dims& output_size) {
  PoolShape s = planes_of(op, x);
  s.adaptive = true;
  check(output_size.size() == op.n, op.name, ": output_size must be ", op.n);
  check(!any_below(output_size, 0), op.name,
        ": elements of output_size must be greater than or equal to 0 but received {",
        by(output_size.data(), op.n, ", "), "}");
  for (int64_t d = 0; d < op.n; ++d) {
    check(output_size[d] < INT32_MAX, op.name, ": output_size is too large: ", output_size);
    s.out[3 - op.n + d] = output_size[d];
  }
  return s;
}

// ---- maxima

Tensor gather_windows(const Tensor& x, const Tensor& where, const PoolShape& s, const Dims& size);

/// dx[where] += g.   The cotangent v of dx gives g's: v[where].
Tensor scatter_windows(const Tensor& g, const Tensor& where, const PoolShape& s, const Dims& size) {
  Tensor dx = computed(size, g, [&](const Tensor& dx, DType dtype) {
    if (dx.numel()) dx.kernels().pool_scatter(dx.strided(), plain(g, dtype).strided(), where.strided(), s);
  });
  if (Recorder record{"MaxPoolBackwardBackward0", dx, g})
    record.vjp([where = record.save("indices", where), s, made = g.sizes()](const Tensor& v) {
      return gather_windows(v, *where, s, made);
    });
  return dx;
}

/// y = x[where], and the way back.
Tensor gather_windows(const Tensor& x, const Tensor& where, const PoolShape& s, const Dims& size) {
  Tensor y = computed(size, x, [&](const Tensor& y, DType dtype) {
    if (y.numel()) y.kernels().pool_gather(y.strided(), plain(x, dtype).strided(), where.strided(), s);
  });
  if (Recorder record{"MaxPoolGatherBackward0", y, x})
    record.vjp([where = record.save("indices", where), s, seen = x.sizes()](const Tensor& g) {
      return scatter_windows(g, *where, s, seen);
    });
  return y;
}

/// y = the maximum of each window, and where it was: places in the plane (int64), or taps (uint8) if nobody wants
/// those.
std::pair<Tensor, Tensor> maxima(const PoolOp& op, const Tensor& x, const PoolShape& s, bool want_places) {
  const Dims size = result_size(op, x, s);
  const bool as_taps = !want_places && !s.adaptive && s.taps() <= 256;
  Tensor y = make_tensor(size, x.dtype(), x.device());
  Tensor where = make_tensor(size, as_taps ? DType::UInt8 : DType::Int64, x.device());
  if (y.numel()) y.kernels().max_pool(y.strided(), where.strided(), plain(x, x.dtype()).strided(), s);
  if (Recorder record{op.node, y, x})
    record.vjp([where = record.save("result1", where), s, seen = x.sizes()](const Tensor& g) {
      return scatter_windows(g, *where, s, seen);
    });
  return {y, where};
}

std::pair<Tensor, Tensor> max_pool(const PoolOp& op, const Tensor& x, const Dims& kernel_size,
                                   const std::optional<Dims>& stride, const Dims& padding, const Dims& dilation,
                                   bool ceil_mode, bool want_places) {
  const Dims kernel = each_dim(op, "kernel_size", kernel_size);
  const Windows w{kernel, stride && !stride->empty() ? each_dim(op, "stride", *stride) : kernel,
                  each_dim(op, "padding", padding), each_dim(op, "dilation", dilation), ceil_mode};
  check_images(op, x, 0);
  check_implemented(is_floating(x.dtype()) || is_integral(x.dtype(), false), op.name, x);
  return maxima(op, x, windows_of(op, x, w), want_places);
}

constexpr PoolOp max_op(int64_t n) {
  return n == 2 ? PoolOp{"max_pool2d", "MaxPool2DWithIndicesBackward0", 2}
                : PoolOp{"max_pool3d", "MaxPool3DWithIndicesBackward0", 3};
}

template <int n>
Tensor max_pool_nd(const Tensor& x, const Dims& kernel_size, const std::optional<Dims>& stride, const Dims& padding,
                   const Dims& dilation, bool ceil_mode) {
  return max_pool(max_op(n), x, kernel_size, stride, padding, dilation, ceil_mode, false).first;
}
template <int n>
std::pair<Tensor, Tensor> max_pool_nd_with_indices(const Tensor& x, const Dims& kernel_size,
                                                   const std::optional<Dims>& stride, const Dims& padding,
                                                   const Dims& dilation, bool ceil_mode) {
  return max_pool(max_op(n), x, kernel_size, stride, padding, dilation, ceil_mode, true);
}

// ---- one dimension

void check_line(const char* op, const Tensor& x) {
  check((x.dim() == 2 || x.dim() == 3) && x.size(-1) > 0 && x.size(-2) > 0, op,
        ": Expected 2 to 3 dimensions, 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:",
        x.sizes());
}

int64_t one_number(const char* op, const char* name, const Dims& given) {
  check(given.size() == 1, op, "() argument '", name, "' should contain one int (got ", given.size(), ")");
  return given[0];
}

Dims flat(int64_t v, int64_t other) { return {other, v}; }
Tensor raised(const Tensor& x) { return unsqueeze(x, -2); }
Tensor lowered(const Tensor& y) { return squeeze(y, Dims{-2}); }

std::pair<Tensor, Tensor> max_pool_line(const Tensor& x, const Dims& kernel_size, const std::optional<Dims>& stride,
                                        const Dims& padding, const Dims& dilation, bool ceil_mode, bool want_places) {
  const char* op = "max_pool1d";
  check_line(op, x);
  const int64_t k = one_number(op, "kernel_size", kernel_size), p = one_number(op, "padding", padding),
                d = one_number(op, "dilation", dilation),
                s = stride && !stride->empty() ? one_number(op, "stride", *stride) : k;
  check(k > 0, op, "() kernel_size must be greater than zero, but got ", k);
  check(s > 0, op, "() stride must be greater than zero, but got ", s);
  check(p >= 0, op, "() padding must be non-negative, but got ", p);
  check(p <= k / 2, op, "() padding should be at most half of kernel size, but got padding=", p,
        " and kernel_size=", k);
  check(d > 0, op, "() dilation must be greater than zero, but got ", d);
  check_implemented(is_floating(x.dtype()), op, x);
  auto [y, where] =
      max_pool(max_op(2), raised(x), flat(k, 1), flat(s, 1), flat(p, 0), flat(d, 1), ceil_mode, want_places);
  return {lowered(y), want_places ? lowered(where) : where};
}

Tensor max_pool1d(const Tensor& x, const Dims& kernel_size, const std::optional<Dims>& stride, const Dims& padding,
                  const Dims& dilation, bool ceil_mode) {
  return max_pool_line(x, kernel_size, stride, padding, dilation, ceil_mode, false).first;
}
std::pair<Tensor, Tensor> max_pool1d_with_indices(const Tensor& x, const Dims& kernel_size,
                                                  const std::optional<Dims>& stride, const Dims& padding,
                                                  const Dims& dilation, bool ceil_mode) {
  return max_pool_line(x, kernel_size, stride, padding, dilation, ceil_mode, true);
}

// ---- averages

/// The mean of each window, or its adjoint.
Tensor averages(const char* node, const Tensor& x, const PoolShape& s, bool adjoint, const Dims& size) {
  Tensor y;
  if (adjoint) {
    y = computed(size, x, [&](const Tensor& y, DType dtype) {
      if (x.numel() == 0) return void(zero_(y));
      if (y.numel()) y.kernels().average_pool_backward(y.strided(), plain(x, dtype).strided(), s);
    });
  } else {
    y = make_tensor(size, x.dtype(), x.device());
    if (y.numel()) y.kernels().average_pool(y.strided(), plain(x, x.dtype()).strided(), s);
  }
  if (Recorder record{node, y, x})
    record.vjp([node, s, adjoint, from = x.sizes()](const Tensor& g) { return averages(node, g, s, !adjoint, from); });
  return y;
}

constexpr PoolOp average_op(int64_t n) {
  return n == 2 ? PoolOp{"avg_pool2d", "AvgPool2DBackward0", 2} : PoolOp{"avg_pool3d", "AvgPool3DBackward0", 3};
}

template <int n>
Tensor average_pool(const Tensor& x, const Dims& kernel_size, const std::optional<Dims>& stride, const Dims& padding,
                    bool ceil_mode, bool count_include_pad, std::optional<int64_t> divisor_override) {
  const PoolOp op = average_op(n);
  const Dims kernel = each_dim(op, "kernel_size", kernel_size);
  const Windows w{kernel, stride && !stride->empty() ? each_dim(op, "stride", *stride) : kernel,
                  each_dim(op, "padding", padding), Dims(n, 1), ceil_mode};
  check(!divisor_override || *divisor_override != 0, op.name, ": divisor must be not zero");
  check_images(op, x, 0);
  check_implemented(is_floating(x.dtype()) || x.dtype() == DType::Int64, op.name, x);
  PoolShape s = windows_of(op, x, w);
  s.divisor = divisor_override ? Divisor::Given : count_include_pad ? Divisor::Padded : Divisor::Inside;
  s.given = divisor_override.value_or(0);
  return averages(op.node, x, s, false, result_size(op, x, s));
}

Tensor avg_pool1d(const Tensor& x, const Dims& kernel_size, const std::optional<Dims>& stride, const Dims& padding,
                  bool ceil_mode, bool count_include_pad) {
  const char* op = "avg_pool1d";
  check_line(op, x);
  const int64_t k = one_number(op, "kernel_size", kernel_size), p = one_number(op, "padding", padding),
                s = stride && !stride->empty() ? one_number(op, "stride", *stride) : k;
  return lowered(average_pool<2>(raised(x), flat(k, 1), flat(s, 1), flat(p, 0), ceil_mode, count_include_pad, {}));
}

// ---- adaptive

template <int n>
Tensor adaptive_average(const Tensor& x, const Dims& output_size) {
  constexpr PoolOp op = n == 2 ? PoolOp{"adaptive_avg_pool2d", "AdaptiveAvgPool2DBackward0", 2}
                               : PoolOp{"adaptive_avg_pool3d", "AdaptiveAvgPool3DBackward0", 3};
  const PoolShape s = adaptive_of(op, x, output_size);
  check_images(op, x, 1);
  check_implemented(is_floating(x.dtype()), op.name, x);
  Dims last;
  for (int64_t d = -n; d < 0; ++d) last.push_back(d);
  if (s.outputs() == 1) return mean(x, last, true);
  return averages(op.node, x, s, false, result_size(op, x, s));
}

template <int n>
std::pair<Tensor, Tensor> adaptive_max(const Tensor& x, const Dims& output_size) {
  constexpr PoolOp op = n == 2 ? PoolOp{"adaptive_max_pool2d", "AdaptiveMaxPool2DBackward0", 2}
                               : PoolOp{"adaptive_max_pool3d", "AdaptiveMaxPool3DBackward0", 3};
  const PoolShape s = adaptive_of(op, x, output_size);
  check_images(op, x, 1);
  check_implemented(is_floating(x.dtype()), op.name, x);
  return maxima(op, x, s, true);
}

Tensor adaptive_avg_pool1d(const Tensor& x, const Dims& output_size) {
  const char* op = "adaptive_avg_pool1d";
  check_line(op, x);
  return lowered(adaptive_average<2>(raised(x), flat(one_number(op, "output_size", output_size), 1)));
}
std::pair<Tensor, Tensor> adaptive_max_pool1d(const Tensor& x, const Dims& output_size) {
  const char* op = "adaptive_max_pool1d";
  check_line(op, x);
  auto [y, where] = adaptive_max<2>(raised(x), flat(one_number(op, "output_size", output_size), 1));
  return {lowered(y), lowered(where)};
}

}  // namespace

void def_pool(Ops& ops) {
  auto x = "input"_a, kernel = "kernel_size"_a, stride = "stride"_a = None, padding = "padding"_a = 0,
       dilation = "dilation"_a = 1, ceil = "ceil_mode"_a = false, count = "count_include_pad"_a = true,
       divisor = "divisor_override"_a = None, size = "output_size"_a;
  auto max = [&](const char* name, auto function) {
    ops.def(name, function, x, kernel, stride, padding, dilation, ceil, "Maximum of each window.")
        .function_only()
        .no_out();
  };
  max("max_pool1d", &max_pool1d);
  max("max_pool2d", &max_pool_nd<2>);
  max("max_pool3d", &max_pool_nd<3>);
  max("max_pool1d_with_indices", &max_pool1d_with_indices);
  max("_max_pool2d_with_indices", &max_pool_nd_with_indices<2>);
  max("_max_pool3d_with_indices", &max_pool_nd_with_indices<3>);
  ops.def("avg_pool1d", &avg_pool1d, x, kernel, stride, padding, ceil, count, "Mean of each window.")
      .function_only()
      .no_out();
  auto average = [&](const char* name, auto function) {
    ops.def(name, function, x, kernel, stride, padding, ceil, count, divisor, "Mean of each window.")
        .function_only()
        .no_out();
  };
  average("_avg_pool2d", &average_pool<2>);
  average("_avg_pool3d", &average_pool<3>);
  auto adaptive = [&](const char* name, auto function, const char* doc) {
    ops.def(name, function, x, size, doc).function_only().no_out();
  };
  const char* mean_doc = "Means of windows that cut the image into `output_size`.";
  adaptive("adaptive_avg_pool1d", &adaptive_avg_pool1d, mean_doc);
  adaptive("_adaptive_avg_pool2d", &adaptive_average<2>, mean_doc);
  adaptive("_adaptive_avg_pool3d", &adaptive_average<3>, mean_doc);
  const char* max_doc = "Maxima, and their places, of windows that cut the image into `output_size`.";
  adaptive("adaptive_max_pool1d", &adaptive_max_pool1d, max_doc);
  adaptive("_adaptive_max_pool2d", &adaptive_max<2>, max_doc);
  adaptive("_adaptive_max_pool3d", &adaptive_max<3>, max_doc);
}

}  // namespace lg
