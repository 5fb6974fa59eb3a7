// unfold and fold of images: im2col and its adjoint, which are each other's derivative.
#include "kernels/table.h"
#include "ops/conv.h"

namespace lg {
namespace {

/// A number for height and one for width.
Dims pair_of(const char* name, const Dims& given, int64_t least, const char* rule) {
  check(given.size() == 1 || given.size() == 2, "It is expected ", name, " equals to 2, but got size ", given.size());
  const Dims pair = given.size() == 1 ? Dims(2, given[0]) : given;
  check(!any_below(pair, least) && pair[0] < INT32_MAX && pair[1] < INT32_MAX, name, " should be ", rule,
        ", but got height: ", pair[0], " width: ", pair[1]);
  return pair;
}

struct Blocks {
  Dims kernel, dilation, padding, stride;

  Blocks(const Dims& kernel_size, const Dims& dilation, const Dims& padding, const Dims& stride)
      : kernel(pair_of("kernel size", kernel_size, 1, "greater than zero")),
        dilation(pair_of("dilation", dilation, 1, "greater than zero")),
        padding(pair_of("padding", padding, 0, "non-negative")),
        stride(pair_of("stride", stride, 1, "greater than zero")) {}

  /// For images (channels, height, width).
  ConvShape of(int64_t batch, int64_t channels, const int64_t* image) const {
    ConvShape s;
    s.batch = batch;
    s.in_channels = channels;
    for (int d = 0; d < 2; ++d) {
      check(double(dilation[d]) * double(kernel[d]) < INT32_MAX, "dilation is too large: ", dilation);
      s.in[1 + d] = image[d];
      s.kernel[1 + d] = kernel[d];
      s.dilation[1 + d] = dilation[d];
      s.padding[1 + d] = padding[d];
      s.stride[1 + d] = stride[d];
      const int64_t room = image[d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1;
      s.out[1 + d] = room < 0 ? 0 : room / stride[d] + 1;
    }
    check(s.out[1] > 0 && s.out[2] > 0, "Given input with spatial size ", Dims(image, 2), ", kernel_size=", kernel,
          ", dilation=", dilation, ", padding=", padding, ", stride=", stride,
          ", calculated shape of the array of sliding blocks as ", Dims{s.out[1], s.out[2]},
          ", but its components must be at least one.");
    return s;
  }
};

/// im2col, or its adjoint.
Tensor unfolded(const Tensor& x, const ConvShape& s, bool adjoint, bool batched) {
  Dims size = adjoint ? Dims{s.in_channels, s.in[1], s.in[2]} : Dims{s.in_channels * s.taps(), s.outputs()};
  if (batched) size.insert(0, s.batch);
  Tensor y = computed(size, x, [&](const Tensor& y, DType dtype) {
    if (y.numel() == 0) return;
    const auto kernel = adjoint ? y.kernels().fold : y.kernels().unfold;
    kernel(y.strided(), plain(x, dtype).strided(), s);
  });
  if (Recorder record{adjoint ? "Col2ImBackward0" : "Im2ColBackward0", y, x})
    record.vjp([s, adjoint, batched](const Tensor& g) { return unfolded(g, s, !adjoint, batched); });
  return y;
}

/// Only the batch may be empty.
void check_shape(const Tensor& x, int64_t rank) {
  bool fits = x.dim() == rank || x.dim() == rank + 1;
  for (int64_t d = x.dim() - rank; fits && d < x.dim(); ++d) fits = x.size(d) > 0;
  check(
      fits, "Expected ", rank, "D or ", rank + 1,
      "D (batch mode) tensor for input with possibly 0 batch size and non-zero other dimensions, but got: ", x.sizes());
}

Tensor unfold_images(const Tensor& x, const Dims& kernel_size, const Dims& dilation, const Dims& padding,
                     const Dims& stride) {
  const Blocks blocks(kernel_size, dilation, padding, stride);
  check_shape(x, 3);
  check_implemented(is_floating(x.dtype()), "im2col", x);
  const bool batched = x.dim() == 4;
  const int64_t channels = x.size(-3);
  return unfolded(x, blocks.of(batched ? x.size(0) : 1, channels, x.sizes().data() + x.dim() - 2), false, batched);
}

Tensor fold_images(const Tensor& x, const Dims& output_size, const Dims& kernel_size, const Dims& dilation,
                   const Dims& padding, const Dims& stride) {
  const Blocks blocks(kernel_size, dilation, padding, stride);
  const Dims image = pair_of("output size", output_size, 1, "greater than zero");
  check_shape(x, 2);
  check_implemented(is_floating(x.dtype()), "col2im", x);
  const bool batched = x.dim() == 3;
  const int64_t rows = x.size(-2), taps = product(blocks.kernel);
  check(rows % taps == 0,
        "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got ",
        "input.size(1)=", rows, " and kernel_size=", blocks.kernel, ".");
  const ConvShape s = blocks.of(batched ? x.size(0) : 1, rows / taps, image.data());
  check(x.size(-1) == s.outputs(), "Given output_size=", image, ", kernel_size=", blocks.kernel,
        ", dilation=", blocks.dilation, ", padding=", blocks.padding, ", stride=", blocks.stride,
        ", expected size of input's dimension 2 to match the calculated number of sliding blocks ", s.out[1], " * ",
        s.out[2], " = ", s.outputs(), ", but got input.size(2)=", x.size(-1), ".");
  return unfolded(x, s, true, batched);
}

}  // namespace

void def_unfold(Ops& ops) {
  ops.def("_im2col", &unfold_images, "input"_a, "kernel_size"_a, "dilation"_a, "padding"_a, "stride"_a,
          "Windows of images (N, C, H, W) as columns (N, C * taps, windows).")
      .function_only();
  ops.def("_col2im", &fold_images, "input"_a, "output_size"_a, "kernel_size"_a, "dilation"_a, "padding"_a, "stride"_a,
          "The adjoint of _im2col: images in which windows are added where they lie.")
      .function_only();
}

}  // namespace lg
