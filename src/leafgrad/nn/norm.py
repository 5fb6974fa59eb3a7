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

__all__ = ["LayerNorm"]


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
