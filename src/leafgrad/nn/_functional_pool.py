"""Pooling, and the windows of images as columns: part of `nn.functional`.

Images are ``(N, C, *)`` or, without a batch, ``(C, *)``, with one to three spatial dimensions. Sizes, strides
and the like are one number for all of these, or one for each. Without `stride` the windows lie side by side.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from leafgrad import _core

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leafgrad._core import Tensor

    Sizes = int | Sequence[int]

avg_pool1d = _core.avg_pool1d
adaptive_avg_pool1d = _core.adaptive_avg_pool1d


def _each(sizes: Sizes, spatial: int) -> list[int]:
    """One number for each spatial dimension."""
    return [sizes] * spatial if isinstance(sizes, int) else list(sizes)


# ---- Maxima ----------------------------------------------------------------------------------------------------------


def _max_pool(plain: Any, with_indices: Any, rank: str) -> tuple[Any, Any]:
    """``max_pool<rank>`` and ``max_pool<rank>_with_indices`` from the native pair."""

    def max_pool_with_indices(
        input: Tensor,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> tuple[Tensor, Tensor]:
        return with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)

    def max_pool(
        input: Tensor,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        native = with_indices if return_indices else plain
        return native(input, kernel_size, stride, padding, dilation, ceil_mode)

    for function, tail in ((max_pool, ""), (max_pool_with_indices, "_with_indices")):
        function.__name__ = function.__qualname__ = f"max_pool{rank}{tail}"
        function.__doc__ = """Maximum of each window; NaN counts as the greatest.

    Args:
        input: ``(N, C, *)`` or ``(C, *)``.
        kernel_size: size of a window.
        stride: from one window to the next.
        padding: elements around the image that never are the maximum, at most half a window.
        dilation: from one element of a window to the next.
        ceil_mode: let a last window begin inside and end outside.
        return_indices: give, beside the maxima, their places in the image, counted over its spatial dimensions (int64).
    """
    return max_pool, max_pool_with_indices


max_pool1d, max_pool1d_with_indices = _max_pool(_core.max_pool1d, _core.max_pool1d_with_indices, "1d")
max_pool2d, max_pool2d_with_indices = _max_pool(_core.max_pool2d, _core._max_pool2d_with_indices, "2d")
max_pool3d, max_pool3d_with_indices = _max_pool(_core.max_pool3d, _core._max_pool3d_with_indices, "3d")


def _unpooled_size(
    input: Tensor, kernel: list[int], stride: list[int], padding: list[int], wanted: Sequence[int] | None
) -> list[int]:
    """Spatial sizes of what was pooled: the least that fit, or `wanted` if those can have been it."""
    spatial = len(kernel)
    if not len(kernel) == len(stride) == len(padding):
        raise RuntimeError("max_unpool: kernel_size, stride and padding must have a number for each spatial dimension")
    if input.dim() not in (spatial + 1, spatial + 2):
        raise RuntimeError(
            f"max_unpool: Expected {spatial + 1}D or {spatial + 2}D (batch mode) input, but got {list(input.shape)}"
        )
    sizes = input.shape[-spatial:]
    least = [(sizes[d] - 1) * stride[d] + kernel[d] - 2 * padding[d] for d in range(spatial)]
    if wanted is None:
        return least
    chosen = list(wanted)[-spatial:] if len(wanted) == spatial + 2 else list(wanted)
    if len(chosen) != spatial:
        raise ValueError(
            f"output_size should be a sequence containing {spatial} or {spatial + 2} elements, but it has a length of "
            f"'{len(wanted)}'"
        )
    for d in range(spatial):
        if not least[d] - stride[d] < chosen[d] < least[d] + stride[d]:
            raise ValueError(
                f'invalid output_size "{wanted}" (dim {d} must be between {least[d] - stride[d]} and '
                f"{least[d] + stride[d]})"
            )
    return chosen


def _max_unpool(
    spatial: int,
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    output_size: Sequence[int] | None,
) -> Tensor:
    kernel = _each(kernel_size, spatial)
    size = _unpooled_size(
        input, kernel, kernel if stride is None else _each(stride, spatial), _each(padding, spatial), output_size
    )
    if indices.dtype != _core.int64:
        raise RuntimeError(f"elements in indices should be type int64 but got: {indices.dtype}")
    if indices.shape != input.shape:
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) but got indices "
            f"tensor with shape: {list(indices.shape)}"
        )
    places = math.prod(size)
    if not indices.is_meta and indices.numel() and not 0 <= indices.min().item() <= indices.max().item() < places:
        wrong = indices[(indices < 0) | (indices >= places)][0].item()
        raise RuntimeError(
            f"Found an invalid max index: {wrong} (output volumes are of size {'x'.join(map(str, size))})"
        )
    lead = list(input.shape[:-spatial])
    flat = [*lead, math.prod(input.shape[-spatial:])]
    zeros = input.new_zeros([*lead, places])
    return zeros.scatter(-1, indices.reshape(flat), input.reshape(flat)).reshape([*lead, *size])


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """`max_unpool2d` for one spatial dimension."""
    return _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros, with the elements of `input` at `indices`: what `max_pool2d` took, put back where it was.

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``.
        indices: of the same shape, places in the result's images (int64).
        kernel_size: of the windows that were pooled.
        stride: of those windows.
        padding: of those windows.
        output_size: spatial sizes of the result, where several give these windows.
    """
    return _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """`max_unpool2d` for three spatial dimensions."""
    return _max_unpool(3, input, indices, kernel_size, stride, padding, output_size)


# ---- Averages --------------------------------------------------------------------------------------------------------


def avg_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Mean of each window.

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``.
        kernel_size: size of a window.
        stride: from one window to the next.
        padding: zeros around the image, at most half a window.
        ceil_mode: let a last window begin inside and end outside.
        count_include_pad: divide by the elements of the window with its padding, else by those of the image alone.
        divisor_override: divide by this instead.
    """
    return _core._avg_pool2d(input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """`avg_pool2d` for three spatial dimensions."""
    return _core._avg_pool3d(input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def _lp_pool(
    average: Any, spatial: int, x: Tensor, p: float, kernel_size: Sizes, stride: Sizes | None, ceil_mode: bool
) -> Tensor:
    mean = average(x.pow(p), kernel_size, stride, 0, ceil_mode)
    positive = mean.sign() * mean.abs().relu()  # the sign keeps odd powers, and the slope at 0 is 0
    return (positive * math.prod(_each(kernel_size, spatial))).pow(1.0 / p)


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
) -> Tensor:
    """`lp_pool2d` for one spatial dimension."""
    return _lp_pool(avg_pool1d, 1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
) -> Tensor:
    """``(sum of x**p)**(1 / p)`` over each window, for ``p = norm_type``."""
    return _lp_pool(avg_pool2d, 2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
) -> Tensor:
    """`lp_pool2d` for three spatial dimensions."""
    return _lp_pool(avg_pool3d, 3, input, norm_type, kernel_size, stride, ceil_mode)


# ---- Adaptive --------------------------------------------------------------------------------------------------------


def _adaptive_size(name: str, input: Tensor, output_size: Any, spatial: int) -> list[int]:
    """One number for each spatial dimension; None keeps the input's."""
    sizes = [output_size] * spatial if output_size is None or isinstance(output_size, int) else list(output_size)
    if len(sizes) != spatial:
        raise RuntimeError(f"{name}: output_size must be {spatial}")
    if input.dim() < spatial:
        raise RuntimeError(f"{name}(): Expected {spatial + 1}D or {spatial + 2}D tensor, but got {list(input.shape)}")
    return [input.shape[d - spatial] if size is None else size for d, size in enumerate(sizes)]


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Means of windows that cut an image evenly into `output_size`.

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``.
        output_size: one number, or one for height and one for width; None keeps the input's.
    """
    return _core._adaptive_avg_pool2d(input, _adaptive_size("adaptive_avg_pool2d", input, output_size, 2))


def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """`adaptive_avg_pool2d` for three spatial dimensions."""
    return _core._adaptive_avg_pool3d(input, _adaptive_size("adaptive_avg_pool3d", input, output_size, 3))


def adaptive_max_pool1d_with_indices(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """`adaptive_max_pool1d` with the maxima's places."""
    return _core.adaptive_max_pool1d(input, output_size)


def adaptive_max_pool2d_with_indices(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """`adaptive_max_pool2d` with the maxima's places."""
    return _core._adaptive_max_pool2d(input, _adaptive_size("adaptive_max_pool2d", input, output_size, 2))


def adaptive_max_pool3d_with_indices(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """`adaptive_max_pool3d` with the maxima's places."""
    return _core._adaptive_max_pool3d(input, _adaptive_size("adaptive_max_pool3d", input, output_size, 3))


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """`adaptive_max_pool2d` for one spatial dimension."""
    values, indices = adaptive_max_pool1d_with_indices(input, output_size)
    return (values, indices) if return_indices else values


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima of windows that cut an image evenly into `output_size`; with `return_indices` their places too."""
    values, indices = adaptive_max_pool2d_with_indices(input, output_size)
    return (values, indices) if return_indices else values


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """`adaptive_max_pool2d` for three spatial dimensions."""
    values, indices = adaptive_max_pool3d_with_indices(input, output_size)
    return (values, indices) if return_indices else values


# ---- Windows as columns ----------------------------------------------------------------------------------------------


def unfold(input: Tensor, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> Tensor:
    """The windows of images, each as a column (im2col).

    Shape: ``(N, C, H, W) -> (N, C * taps, windows)``, the batch optional.
    """
    return _core._im2col(input, kernel_size, dilation, padding, stride)


def fold(
    input: Tensor,
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Tensor:
    """Images from columns, `unfold`'s adjoint: where windows overlap their elements are added (col2im).

    Shape: ``(N, C * taps, windows) -> (N, C, *output_size)``, the batch optional.
    """
    return _core._col2im(input, output_size, kernel_size, dilation, padding, stride)
