"""Normalization layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leafgrad._core import empty
from leafgrad.nn import functional as F
from leafgrad.nn import init
from leafgrad.nn.module import Module
from leafgrad.nn.parameter import Parameter

if TYPE_CHECKING:
    from leafgrad._core import Tensor

__all__ = ["GroupNorm", "LayerNorm", "LocalResponseNorm", "RMSNorm"]


class LayerNorm(Module):
    """``(x - mean) / sqrt(variance + eps) * weight + bias``, with the moments of the last dimensions.

    Args:
        normalized_shape: sizes of those dimensions; one number for the last alone.
        eps: added to the variance.
        elementwise_affine: learn ``weight``, starting at ones.
        bias: learn ``bias`` too, starting at zeros.
        device: where the parameters live.
        dtype: of the parameters.

    Shape: ``(*, *normalized_shape)``, in and out.
    Source: Ba, Kiros and Hinton, "Layer normalization" (2016).
    """

    __constants__ = ("elementwise_affine", "eps", "normalized_shape")
    normalized_shape: tuple[int, ...]

    def __init__(
        self,
        normalized_shape: int | list[int] | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine

        def parameter() -> Parameter:
            return Parameter(empty(self.normalized_shape, device=device, dtype=dtype))

        self.register_parameter("weight", parameter() if elementwise_affine else None)
        self.register_parameter("bias", parameter() if elementwise_affine and bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight to ones, bias to zeros."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """``x / sqrt(mean(x**2) + eps) * weight``, with the mean over the last dimensions.

    Args:
        normalized_shape: sizes of those dimensions; one number for the last alone.
        eps: added to the mean; None: the smallest step from 1 of the computing dtype, float32 for halves.
        elementwise_affine: learn ``weight``, starting at ones.
        device: where the parameter lives.
        dtype: of the parameter.

    Shape: ``(*, *normalized_shape)``, in and out.
    Source: Zhang and Sennrich, "Root mean square layer normalization" (2019).
    """

    __constants__ = ("elementwise_affine", "eps", "normalized_shape")
    normalized_shape: tuple[int, ...]

    def __init__(
        self,
        normalized_shape: int | list[int] | tuple[int, ...],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        weight = Parameter(empty(self.normalized_shape, device=device, dtype=dtype)) if elementwise_affine else None
        self.register_parameter("weight", weight)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight to ones."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Module):
    """``(x - mean) / sqrt(variance + eps) * weight + bias``, with the moments of groups of channels of each image.

    Args:
        num_groups: number of groups; it divides `num_channels`.
        num_channels: size of dimension 1.
        eps: added to the variance.
        affine: learn ``weight``, starting at ones, for each channel.
        device: where the parameters live.
        dtype: of the parameters.
        bias: learn ``bias`` beside ``weight``, starting at zeros.

    Shape: ``(N, C, *)``, in and out.
    Source: Wu and He, "Group normalization" (2018).
    """

    __constants__ = ("affine", "eps", "num_channels", "num_groups")

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups != 0:
            raise ValueError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine

        def parameter() -> Parameter:
            return Parameter(empty(num_channels, device=device, dtype=dtype))

        self.register_parameter("weight", parameter() if affine else None)
        self.register_parameter("bias", parameter() if affine and bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight to ones, bias to zeros."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """``x / (k + alpha * mean)**beta``, with the mean of the squares of `size` neighbouring channels.

    Args:
        size: number of neighbours.
        alpha: factor of the mean.
        beta: exponent.
        k: added to the mean.

    Shape: ``(N, C, *)``, in and out.
    Source: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks" (2012).
    """

    __constants__ = ("alpha", "beta", "k", "size")

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
