"""Pooling layers, their inverse, and windows as columns; see the functions of the same names in `nn.functional`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leafgrad.nn import functional as F
from leafgrad.nn.module import Module

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from leafgrad._core import Tensor

    Sizes = int | tuple[int, ...]

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "Fold",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
    "Unfold",
]


def _each(sizes: Any, spatial: int) -> tuple[int, ...]:
    return (sizes,) * spatial if isinstance(sizes, int) else tuple(sizes)


class _MaxPool(Module):
    __constants__ = ("ceil_mode", "dilation", "kernel_size", "padding", "return_indices", "stride")
    function: Callable[..., Any]

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        return self.function(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """`MaxPool2d` for one spatial dimension."""

    function = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    """Maximum of each window; arguments of `F.max_pool2d`.

    Shape: ``(N, C, H, W) -> (N, C, H', W')``, the batch optional.
    """

    function = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPool):
    """`MaxPool2d` for three spatial dimensions."""

    function = staticmethod(F.max_pool3d)


class _MaxUnpool(Module):
    function: Callable[..., Tensor]
    spatial: int

    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> None:
        super().__init__()
        self.kernel_size = _each(kernel_size, self.spatial)
        self.stride = _each(stride if stride is not None else kernel_size, self.spatial)
        self.padding = _each(padding, self.spatial)

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        return self.function(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """`MaxUnpool2d` for one spatial dimension."""

    function, spatial = staticmethod(F.max_unpool1d), 1


class MaxUnpool2d(_MaxUnpool):
    """Puts the maxima that `MaxPool2d` with ``return_indices`` found back where they were, among zeros."""

    function, spatial = staticmethod(F.max_unpool2d), 2


class MaxUnpool3d(_MaxUnpool):
    """`MaxUnpool2d` for three spatial dimensions."""

    function, spatial = staticmethod(F.max_unpool3d), 3


class AvgPool1d(Module):
    """`AvgPool2d` for one spatial dimension, without `divisor_override`."""

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = _each(kernel_size, 1)
        self.stride = _each(stride if stride is not None else kernel_size, 1)
        self.padding = _each(padding, 1)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AvgPool(Module):
    __constants__ = ("ceil_mode", "count_include_pad", "divisor_override", "kernel_size", "padding", "stride")
    function: Callable[..., Tensor]

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return self.function(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPool):
    """Mean of each window; arguments of `F.avg_pool2d`.

    Shape: ``(N, C, H, W) -> (N, C, H', W')``, the batch optional.
    """

    function = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPool):
    """`AvgPool2d` for three spatial dimensions."""

    function = staticmethod(F.avg_pool3d)


class _LPPool(Module):
    __constants__ = ("ceil_mode", "kernel_size", "norm_type", "stride")
    function: Callable[..., Tensor]

    def __init__(
        self, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return self.function(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """`LPPool2d` for one spatial dimension."""

    function = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPool):
    """``(sum of x**p)**(1 / p)`` over each window, for ``p = norm_type``."""

    function = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPool):
    """`LPPool2d` for three spatial dimensions."""

    function = staticmethod(F.lp_pool3d)


class _AdaptivePool(Module):
    """``output_size`` is one number or one for each spatial dimension; None keeps the input's."""

    __constants__ = ("output_size",)
    function: Callable[..., Any]

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Any:
        return self.function(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptivePool):
    """`AdaptiveAvgPool2d` for one spatial dimension."""

    function = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptivePool):
    """Means of windows that cut an image evenly into `output_size`."""

    function = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptivePool):
    """`AdaptiveAvgPool2d` for three spatial dimensions."""

    function = staticmethod(F.adaptive_avg_pool3d)


class _AdaptiveMaxPool(_AdaptivePool):
    __constants__ = ("output_size", "return_indices")

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        return self.function(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """`AdaptiveMaxPool2d` for one spatial dimension."""

    function = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """Maxima of windows that cut an image evenly into `output_size`; with `return_indices` their places too."""

    function = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """`AdaptiveMaxPool2d` for three spatial dimensions."""

    function = staticmethod(F.adaptive_max_pool3d)


class _Columns(Module):
    __constants__ = ("dilation", "kernel_size", "padding", "stride")

    def __init__(self, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Unfold(_Columns):
    """The windows of images, each as a column; see `F.unfold`."""

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)


class Fold(_Columns):
    """Images from columns, the adjoint of `Unfold`; see `F.fold`."""

    __constants__ = ("dilation", "kernel_size", "output_size", "padding", "stride")

    def __init__(
        self, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
    ) -> None:
        super().__init__(kernel_size, dilation, padding, stride)
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}, {super().extra_repr()}"
