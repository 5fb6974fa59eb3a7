"""Convolution layers, plain and transposed, for one to three spatial dimensions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from leafgrad._core import empty
from leafgrad.nn import functional as F
from leafgrad.nn import init
from leafgrad.nn.module import Module
from leafgrad.nn.parameter import Parameter

if TYPE_CHECKING:
    from collections.abc import Callable

    from leafgrad._core import Tensor

    Sizes = int | tuple[int, ...]

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


def _each(sizes: Any, spatial: int) -> tuple[int, ...]:
    """One number for each spatial dimension."""
    return tuple(sizes) if isinstance(sizes, Iterable) else (sizes,) * spatial


class _ConvNd(Module):
    """What all convolution layers share: parameters, their first values, and how the layer prints."""

    __constants__ = (
        "stride",
        "padding",
        "dilation",
        "groups",
        "padding_mode",
        "output_padding",
        "in_channels",
        "out_channels",
        "kernel_size",
    )
    spatial: int
    transposed = False
    in_channels: int
    out_channels: int
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: str | tuple[int, ...]
    dilation: tuple[int, ...]
    output_padding: tuple[int, ...]
    groups: int
    padding_mode: str
    weight: Tensor
    bias: Tensor | None

    def _set_up(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes,
        padding: str | Sizes,
        dilation: Sizes,
        output_padding: Sizes,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups != 0:
            raise ValueError("out_channels must be divisible by groups")
        if padding_mode not in _PADDING_MODES:
            raise ValueError(f"padding_mode must be one of {_PADDING_MODES}, but got padding_mode='{padding_mode}'")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = _each(kernel_size, self.spatial)
        self.stride = _each(stride, self.spatial)
        self.padding = padding if isinstance(padding, str) else _each(padding, self.spatial)
        self.dilation = _each(dilation, self.spatial)
        self.output_padding = _each(output_padding, self.spatial)
        self.padding_mode = padding_mode
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"Invalid padding string {padding!r}, should be one of {{'same', 'valid'}}")
            if padding == "same" and any(step != 1 for step in self.stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        self._reversed_padding_repeated_twice = self._padding_around()
        channels = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        shape = (channels[0], channels[1] // groups, *self.kernel_size)
        self.weight = Parameter(empty(shape, device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(empty(out_channels, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def _padding_around(self) -> list[int]:
        """The padding as `F.pad` wants it: before and behind, the last dimension first."""
        around = []
        for dim in reversed(range(self.spatial)):
            if isinstance(self.padding, str):
                total = self.dilation[dim] * (self.kernel_size[dim] - 1) if self.padding == "same" else 0
                around += [total // 2, total - total // 2]
            else:
                around += [self.padding[dim]] * 2
        return around

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, uniformly from ``[-s, s]`` with ``s = 1/sqrt(inputs of an output)``."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # its bound is sqrt(6 / (1 + 5) / fan_in)
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in != 0:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        parts = [
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}",
            f"padding={self.padding}" if self.padding != (0,) * len(self.padding) else "",
            f"dilation={self.dilation}" if self.dilation != (1,) * len(self.dilation) else "",
            f"output_padding={self.output_padding}" if self.output_padding != (0,) * len(self.output_padding) else "",
            f"groups={self.groups}" if self.groups != 1 else "",
            "bias=False" if self.bias is None else "",
            f"padding_mode={self.padding_mode}" if self.padding_mode != "zeros" else "",
        ]
        return ", ".join(part for part in parts if part)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.__dict__.setdefault("padding_mode", "zeros")


class _Conv(_ConvNd):
    """The plain layers; subclasses say the number of spatial dimensions and the function."""

    function: Callable[..., Tensor]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: str | Sizes = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self._set_up(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            0,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = (0,) * self.spatial
        return self.function(input, weight, bias, self.stride, padding, self.dilation, self.groups)

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight, self.bias)


class Conv1d(_Conv):
    """`Conv2d` for one spatial dimension.

    Shape: ``(N, in_channels, L) -> (N, out_channels, L')``, the batch optional.
    """

    spatial = 1
    function = staticmethod(F.conv1d)


class Conv2d(_Conv):
    """Convolution of images: each output is the inner product of a window, over all channels, with a learned kernel.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: size of the window; one number, or one for each spatial dimension, as for all that follow.
        stride: from one window to the next.
        padding: added at all sides; or ``'valid'`` for none and ``'same'`` for an output of the input's size.
        dilation: from one element of the window to the next.
        groups: cut the channels into this many convolutions side by side.
        bias: learn an additive ``bias``.
        padding_mode: what is added: ``'zeros'``, ``'reflect'``, ``'replicate'`` or ``'circular'``; see `F.pad`.
        device: where the parameters live.
        dtype: of the parameters.

    Shape: ``(N, in_channels, H, W) -> (N, out_channels, H', W')``, the batch optional, with
    ``H' = (H + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1``.

    Example:
        >>> import leafgrad
        >>> from leafgrad import nn
        >>> nn.Conv2d(3, 8, kernel_size=3, padding=1)(leafgrad.ones(4, 3, 32, 32)).shape
        torch.Size([4, 8, 32, 32])
    """

    spatial = 2
    function = staticmethod(F.conv2d)


class Conv3d(_Conv):
    """`Conv2d` for three spatial dimensions.

    Shape: ``(N, in_channels, D, H, W) -> (N, out_channels, D', H', W')``, the batch optional.
    """

    spatial = 3
    function = staticmethod(F.conv3d)


class _ConvTranspose(_ConvNd):
    """The transposed layers; subclasses say the number of spatial dimensions and the function."""

    transposed = True
    function: Callable[..., Tensor]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        padding_mode: PaddingMode = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        self._set_up(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            output_padding,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def _output_padding(self, input: Tensor, output_size: list[int] | None) -> tuple[int, ...]:
        """What makes the result as large as `output_size`; an error if nothing does."""
        if output_size is None:
            return self.output_padding
        lead = 2 if input.dim() == self.spatial + 2 else 1
        sizes = list(output_size)[lead:] if len(output_size) == lead + self.spatial else list(output_size)
        if len(sizes) != self.spatial:
            raise ValueError(
                f"{type(self).__name__}: for {input.dim()}D input, output_size must have {self.spatial} or "
                f"{lead + self.spatial} elements (got {len(output_size)})"
            )
        assert not isinstance(self.padding, str)
        least = [
            (input.shape[lead + d] - 1) * self.stride[d]
            - 2 * self.padding[d]
            + self.dilation[d] * (self.kernel_size[d] - 1)
            + 1
            for d in range(self.spatial)
        ]
        most = [low + step - 1 for low, step in zip(least, self.stride, strict=True)]
        if any(not low <= size <= high for low, size, high in zip(least, sizes, most, strict=True)):
            raise ValueError(
                f"requested an output size of {output_size}, but valid sizes range from {least} to {most} "
                f"(for an input of {input.size()[lead:]})"
            )
        return tuple(size - low for low, size in zip(least, sizes, strict=True))

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        padding = self._output_padding(input, output_size)
        return self.function(
            input, self.weight, self.bias, self.stride, self.padding, padding, self.groups, self.dilation
        )


class ConvTranspose1d(_ConvTranspose):
    """`ConvTranspose2d` for one spatial dimension."""

    spatial = 1
    function = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution: what the derivative of a `Conv2d` of the same sizes does to a cotangent.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: size of what each input adds to the output; numbers as for `Conv2d`.
        stride: from what one input adds to what the next one does.
        padding: cut off at all sides.
        output_padding: added at the end, as several sizes have the same convolution; less than stride or dilation.
        groups: cut the channels into this many convolutions side by side.
        bias: learn an additive ``bias``.
        dilation: from one element of the kernel to the next.
        padding_mode: ``'zeros'`` alone.
        device: where the parameters live.
        dtype: of the parameters.

    Shape: ``(N, in_channels, H, W) -> (N, out_channels, H', W')``, the batch optional, with
    ``H' = (H - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1``. A call may name the size,
    ``layer(x, output_size=(H', W'))``, in place of `output_padding`.
    """

    spatial = 2
    function = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """`ConvTranspose2d` for three spatial dimensions."""

    spatial = 3
    function = staticmethod(F.conv_transpose3d)
