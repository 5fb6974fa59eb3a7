// Convolutions of one, two and three dimensions, and transposed ones.
//
// y = w * x is linear in x and in w, so there are three maps: the convolution itself, its adjoint in x (which is the
// transposed convolution), and its adjoint in w.  The derivative of each is written with the other two, which makes
// derivatives of every order.  An optional bias is added by the first two.  See docs/design/convolution.md.
#include "ops/conv.h"

#include "kernels/table.h"

namespace lg {
namespace {

/// How the kernel goes over the image: spatial dimensions as many as the operator has.
struct Steps {
  Dims stride, padding, dilation;  // padding: before the first element
  int64_t groups;
};

Tensor convolve(const Tensor& x, const Tensor& w, const Tensor& bias, const Steps& steps, bool adjoint,
                const Dims& size);

/// The geometry in which `seen` is the side with the kernel's windows and `made` the other: for the transposed
/// convolution the result is seen.
ConvShape shape_of(const Dims& seen, const Dims& weight, const Dims& made, const Steps& steps) {
  ConvShape s;
  s.batch = seen[0];
  s.groups = steps.groups;
  s.in_channels = weight[1];
  s.out_channels = weight[0] / steps.groups;
  const int64_t n = steps.stride.size();
  for (int64_t d = 0; d < n; ++d) {
    const int64_t to = 3 - n + d;
    s.in[to] = seen[2 + d];
    s.out[to] = made[2 + d];
    s.kernel[to] = weight[2 + d];
    s.stride[to] = steps.stride[d];
    s.padding[to] = steps.padding[d];
    s.dilation[to] = steps.dilation[d];
  }
  checked_numel(made, 8);
  return s;
}

/// dw = sum over images and pixels of g times what the weight met there.
/// dL/dx = v transposed-convolved with g,  dL/dg = v convolved with x,  for the cotangent v of dw.
Tensor weight_gradient(const Tensor& x, const Tensor& g, const Steps& steps, const Dims& size) {
  const ConvShape s = shape_of(x.sizes(), size, g.sizes(), steps);
  Tensor dw = computed(size, x, [&](const Tensor& dw, DType dtype) {
    if (s.batch == 0 || dw.numel() == 0 || s.outputs() == 0) return void(zero_(dw));
    dw.kernels().conv_weight(dw.strided(), plain(x, dtype).strided(), plain(g, dtype).strided(), s);
  });
  if (Recorder record{"ConvolutionBackwardBackward0", dw, x, g})
    record.vjp([x = record.save("input", x, 1), g = record.save("grad_output", g, 0), steps, seen = x.sizes(),
                made = g.sizes()](const Tensor& v, Needs need) -> Grads {
      return {need[0] ? convolve(*g, v, none, steps, true, seen) : none,
              need[1] ? convolve(*x, v, none, steps, false, made) : none};
    });
  return dw;
}

/// Sum over all dimensions but the channels'.
Tensor bias_gradient(const Tensor& g, int64_t channels) {
  if (g.size(1) != channels) return zeros({channels}, g.dtype(), g.device());  // from no channels come none
  Dims dims{0};
  for (int64_t d = 2; d < g.dim(); ++d) dims.push_back(d);
  return sum(g, dims, false);
}

/// y = w * x + bias with y of `size`, or the adjoint of w in place of w.
/// dL/dx = adjoint of w (or w) applied to g,  dL/dw as above,  dL/dbias = sum of g.
Tensor convolve(const Tensor& x, const Tensor& w, const Tensor& bias, const Steps& steps, bool adjoint,
                const Dims& size) {
  const ConvShape s =
      adjoint ? shape_of(size, w.sizes(), x.sizes(), steps) : shape_of(x.sizes(), w.sizes(), size, steps);
  Tensor y = computed(size, x, [&](const Tensor& y, DType dtype) {
    if (y.numel() == 0) return;
    const Tensor b = plain(bias, dtype);
    if (x.numel() == 0 || w.numel() == 0) {
      Dims column(y.dim(), 1);
      column[1] = size[1];
      return void(b ? copy_(y, view(b, column)) : zero_(y));
    }
    const auto kernel = adjoint ? y.kernels().conv_input : y.kernels().conv;
    kernel(y.strided(), plain(x, dtype).strided(), plain(w, dtype).strided(), look(b), s);
  });
  if (Recorder record{"ConvolutionBackward0", y, x, w, bias})
    record.vjp([x = record.save("input", x, 1), w = record.save("weight", w, 0), steps, adjoint, x_size = x.sizes(),
                w_size = w.sizes()](const Tensor& g, Needs need) -> Grads {
      Grads grads{none, none, none};
      if (need[0]) grads[0] = convolve(g, *w, none, steps, !adjoint, x_size);
      if (need[1]) grads[1] = adjoint ? weight_gradient(g, *x, steps, w_size) : weight_gradient(*x, g, steps, w_size);
      if (need[2]) grads[2] = bias_gradient(g, w_size[adjoint ? 1 : 0] * (adjoint ? steps.groups : 1));
      return grads;
    });
  return y;
}

// ---- arguments

/// One number stands for all spatial dimensions.
Dims each_dim(const char* name, const Dims& given, int64_t n) {
  if (given.size() == 1) return Dims(n, given[0]);
  check(given.size() == n, "expected ", name, " to be a single integer value or a list of ", n,
        " values to match the convolution dimensions, but got ", name, "=", given);
  return given;
}

struct Arguments {
  Dims stride, padding, dilation, output_padding;
  bool transposed;
  int64_t groups;
};

void check_numbers(const Arguments& a) {
  check(!any_below(a.padding, 0), "negative padding is not supported");
  check(!any_below(a.output_padding, 0), "negative output_padding is not supported");
  check(!any_below(a.stride, 1), "non-positive stride is not supported");
  check(!any_below(a.dilation, 1), "non-positive dilation is not supported");
  check(a.groups > 0, "non-positive groups is not supported");
}

void check_channels(const Tensor& x, const Tensor& w, const Tensor& bias, const Arguments& a) {
  const char* kind = a.transposed ? "transposed=" : "groups=";
  const int64_t count = a.transposed ? 1 : a.groups;
  check(w.size(0) >= a.groups, "Given groups=", a.groups, ", expected weight to be at least ", a.groups,
        " at dimension 0, but got weight of size ", w.sizes(), " instead");
  check(w.size(0) % a.groups == 0, "Given groups=", a.groups, ", expected weight to be divisible by ", a.groups,
        " at dimension 0, but got weight of size [", w.sizes(), "] instead");
  const int64_t wanted = a.transposed ? w.size(0) : w.size(1) * a.groups;
  check(x.size(1) == wanted, "Given ", kind, count, ", weight of size ", w.sizes(), ", expected input", x.sizes(),
        " to have ", wanted, " channels, but got ", x.size(1), " channels instead");
  const int64_t made = a.transposed ? w.size(1) * a.groups : w.size(0);
  check(!bias || (bias.dim() == 1 && bias.size(0) == made), "Given ", kind, count, ", weight of size ", w.sizes(),
        ", expected bias to be 1-dimensional with ", made, " elements, but got bias of size ",
        bias ? bias.sizes() : Dims(), " instead");
}

void check_dtypes(const Tensor& x, const Tensor& w, const Tensor& bias) {
  check(x.dtype() == w.dtype(), "convolution: expected scalar type ", scalar_type_name(x.dtype()), " but found ",
        scalar_type_name(w.dtype()), ": input and weight should be the same");
  check(!bias || x.dtype() == bias.dtype(), "convolution: Input type (", x.dtype(), ") and bias type (",
        bias ? bias.dtype() : x.dtype(), ") should be the same");
  check_implemented(is_inexact(x.dtype()), "convolution", x);
  check(x.device() == w.device() && (!bias || bias.device() == x.device()),
        "convolution: Expected all tensors to be on the same device, but found at least two devices, cpu and meta");
}

/// The inputs that a kernel's window spans.
int64_t span_of(const Tensor& w, const Arguments& a, int64_t d) {
  int64_t span;
  check(!__builtin_mul_overflow(a.dilation[d], w.size(2 + d) - 1, &span) && span < INT32_MAX,
        "convolution: dilation is too large: ", a.dilation);
  return span + 1;
}

/// Sizes of the result; `behind` is the padding after the last element.
Dims result_size(const Tensor& x, const Tensor& w, const Arguments& a, const Dims& behind) {
  // Of no channels PyTorch makes none, bias or not.
  Dims size{x.size(0), x.size(1) ? w.size(0) : 0}, padded, kernel;
  bool fits = true;
  for (int64_t d = 0; d < a.stride.size(); ++d) {
    const int64_t span = span_of(w, a, d);
    check(a.padding[d] < INT32_MAX && behind[d] < INT32_MAX, "convolution: padding is too large: ", a.padding);
    padded.push_back(x.size(2 + d) + a.padding[d] + behind[d]);
    kernel.push_back(span);
    fits &= span <= padded[d] && w.size(2 + d) > 0;
    size.push_back((padded[d] - span) / a.stride[d] + 1);
  }
  auto by = [](const Dims& dims) {
    std::string out;
    for (int64_t v : dims) out += (out.empty() ? "" : " x ") + std::to_string(v);
    return out;
  };
  check(fits, "Calculated padded input size per channel: (", by(padded), "). Kernel size: (", by(kernel),
        "). Kernel size can't be greater than actual input size");
  return size;
}

Dims transposed_size(const Tensor& x, const Tensor& w, const Arguments& a) {
  Dims size{x.size(0), w.size(1) * a.groups};
  for (int64_t d = 0; d < a.stride.size(); ++d) {
    check(a.output_padding[d] < std::max(a.stride[d], a.dilation[d]),
          "output padding must be smaller than either stride or dilation, but got output_padding=", a.output_padding,
          ", stride=", a.stride, ", dilation=", a.dilation);
    int64_t most;
    check(!__builtin_mul_overflow(x.size(2 + d), a.stride[d], &most) && most < INT32_MAX && a.padding[d] < INT32_MAX,
          "convolution: stride or padding is too large: ", a.stride, ", ", a.padding);
    size.push_back((x.size(2 + d) - 1) * a.stride[d] - 2 * a.padding[d] + span_of(w, a, d) + a.output_padding[d]);
    check(size.back() > 0, "Given input size per channel: ", Dims(x.sizes().data() + 2, a.stride.size()),
          ". Calculated output size per channel: ", Dims(size.data() + 2, size.size() - 2),
          ". Output size is too small");
  }
  return size;
}

Tensor batched_convolution(const Tensor& x, const Tensor& w, const Tensor& bias, const Arguments& a,
                           const Dims& behind);

/// (a + bi)(c + di) with three real convolutions, after Gauss.
Tensor complex_convolution(const Tensor& x, const Tensor& w, const Tensor& bias, const Arguments& a,
                           const Dims& behind) {
  const Tensor xr = real(x), xi = imag(x), wr = real(w), wi = imag(w), br = bias ? real(bias) : none,
               bi = bias ? imag(bias) : none;
  const Tensor rr = batched_convolution(xr, wr, br, a, behind), ii = batched_convolution(xi, wi, none, a, behind);
  const Tensor all = batched_convolution(xr + xi, wr + wi, bias ? br + bi : none, a, behind);
  return (rr - ii) + (all - rr - ii) * Scalar(complex128(0, 1));
}

Tensor batched_convolution(const Tensor& x, const Tensor& w, const Tensor& bias, const Arguments& a,
                           const Dims& behind) {
  if (is_complex(x.dtype())) return complex_convolution(x, w, bias, a, behind);
  const Steps steps{a.stride, a.padding, a.dilation, a.groups};
  return convolve(x, w, bias, steps, a.transposed,
                  a.transposed ? transposed_size(x, w, a) : result_size(x, w, a, behind));
}

void check_images(const Tensor& x) {
  bool some = x.size(0) == 0 || x.size(1) == 0;
  for (int64_t d = 2; !some && d < x.dim(); ++d)
    check(x.size(d) > 0, "Only zero batch or zero channel inputs are supported, but got input shape: ", x.sizes());
}

/// The lists in `a` already have a number for each spatial dimension.
Tensor checked_convolution(const Tensor& x, const Tensor& w, const Tensor& bias, const Arguments& a,
                           const Dims& behind) {
  check_numbers(a);
  check_dtypes(x, w, bias);
  check_channels(x, w, bias, a);
  check_images(x);
  return batched_convolution(x, w, bias, a, behind);
}

/// Adds the batch that `x` lacks, and takes it from the result.
template <class F>
Tensor with_batch(const char* op, const Tensor& x, const Tensor& w, int64_t n, F&& convolution) {
  check(x.dim() == n + 1 || x.dim() == n + 2, "Expected ", n + 1, "D (unbatched) or ", n + 2, "D (batched) input to ",
        op, ", but got input of size: ", x.sizes());
  check(w.dim() == n + 2, op, ": expected a weight of ", n + 2, " dimensions for an input of ", n,
        " spatial dimensions, but got weight of size ", w.sizes());
  return x.dim() == n + 2 ? convolution(x) : squeeze(convolution(unsqueeze(x, 0)), Dims{0});
}

template <int n>
constexpr const char* conv_name = n == 1   ? "conv1d"
                                  : n == 2 ? "conv2d"
                                           : "conv3d";
template <int n>
constexpr const char* transposed_name = n == 1   ? "conv_transpose1d"
                                        : n == 2 ? "conv_transpose2d"
                                                 : "conv_transpose3d";

template <int n>
Tensor conv(const Tensor& input, const Tensor& weight, const Tensor& bias, const Dims& stride, const Dims& padding,
            const Dims& dilation, int64_t groups) {
  return with_batch(conv_name<n>, input, weight, n, [&](const Tensor& x) {
    const Arguments a{each_dim("stride", stride, n),
                      each_dim("padding", padding, n),
                      each_dim("dilation", dilation, n),
                      {},
                      false,
                      groups};
    return checked_convolution(x, weight, bias, a, a.padding);
  });
}

/// padding='valid' is none; 'same' is what keeps the size, the odd one behind.
template <int n>
Tensor conv_named(const Tensor& input, const Tensor& weight, const Tensor& bias, const Dims& stride,
                  const std::string& padding, const Dims& dilation, int64_t groups) {
  check(padding == "same" || padding == "valid", "Invalid padding string: '", padding, "'");
  return with_batch(conv_name<n>, input, weight, n, [&](const Tensor& x) {
    Arguments a{each_dim("stride", stride, n), Dims(n, 0), each_dim("dilation", dilation, n), {}, false, groups};
    Dims behind = a.padding;
    check_numbers(a);
    for (int64_t d = 0; padding == "same" && d < n; ++d) {
      check(a.stride[d] == 1, "padding='same' is not supported for strided convolutions");
      const int64_t total = span_of(weight, a, d) - 1;
      a.padding[d] = total / 2;
      behind[d] = total - a.padding[d];
    }
    return checked_convolution(x, weight, bias, a, behind);
  });
}

template <int n>
Tensor conv_transpose(const Tensor& input, const Tensor& weight, const Tensor& bias, const Dims& stride,
                      const Dims& padding, const Dims& output_padding, int64_t groups, const Dims& dilation) {
  return with_batch(transposed_name<n>, input, weight, n, [&](const Tensor& x) {
    const Arguments a{each_dim("stride", stride, n),
                      each_dim("padding", padding, n),
                      each_dim("dilation", dilation, n),
                      each_dim("output_padding", output_padding, n),
                      true,
                      groups};
    return checked_convolution(x, weight, bias, a, a.padding);
  });
}

Tensor convolution(const Tensor& x, const Tensor& w, const std::optional<Tensor>& bias, const Dims& stride,
                   const Dims& padding, const Dims& dilation, bool transposed, const Dims& output_padding,
                   int64_t groups) {
  const int64_t n = w.dim() - 2;
  check(n >= 1 && n <= 3 && x.dim() == w.dim(),
        "convolution: expected an input and a weight of 3, 4 or 5 dimensions, but got input of size ", x.sizes(),
        " and weight of size ", w.sizes());
  const Arguments a{each_dim("stride", stride, n),
                    each_dim("padding", padding, n),
                    each_dim("dilation", dilation, n),
                    each_dim("output_padding", output_padding, n),
                    transposed,
                    groups};
  return checked_convolution(x, w, bias.value_or(none), a, a.padding);
}

constexpr const char* conv_doc =
    "Convolution of images (N, C, *) or (C, *), strictly cross-correlation, with `weight`.";
constexpr const char* transposed_doc = "Transposed convolution: what the derivative of a convolution does to images.";

template <int n>
void def_dims(Ops& ops) {
  ops.def(conv_name<n>, &conv<n>, "input"_a, "weight"_a, "bias"_a = None, "stride"_a = 1, "padding"_a = 0,
          "dilation"_a = 1, "groups"_a = 1, conv_doc)
      .function_only();
  ops.def(conv_name<n>, &conv_named<n>, "input"_a, "weight"_a, "bias"_a = None, "stride"_a = 1, "padding"_a = "valid",
          "dilation"_a = 1, "groups"_a = 1, conv_doc)
      .function_only();
  ops.def(transposed_name<n>, &conv_transpose<n>, "input"_a, "weight"_a, "bias"_a = None, "stride"_a = 1,
          "padding"_a = 0, "output_padding"_a = 0, "groups"_a = 1, "dilation"_a = 1, transposed_doc)
      .function_only();
}

}  // namespace

void def_conv(Ops& ops) {
  def_dims<1>(ops);
  def_dims<2>(ops);
  def_dims<3>(ops);
  ops.def("convolution", &convolution, "input"_a, "weight"_a, "bias"_a, "stride"_a, "padding"_a, "dilation"_a,
          "transposed"_a, "output_padding"_a, "groups"_a, "Convolution of any rank, or its transpose.")
      .function_only();
}

}  // namespace lg
