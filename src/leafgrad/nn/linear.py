"""Linear layers: `Linear`, `Bilinear`, and `Identity`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from leafgrad._core import empty
from leafgrad.nn import functional as F
from leafgrad.nn import init
from leafgrad.nn.module import Module
from leafgrad.nn.parameter import Parameter

if TYPE_CHECKING:
    from leafgrad._core import Tensor

__all__ = ["Bilinear", "Identity", "Linear"]


class Identity(Module):
    """Hands its input on; takes any arguments, so that it can stand in for another layer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        return input


class Linear(Module):
    """Affine map of the last dimension, ``y = x @ weight.T + bias``.

    Args:
        in_features: size of the input's last dimension.
        out_features: size of the output's last dimension.
        bias: learn an additive ``bias``.
        device: where the parameters live.
        dtype: of the parameters.

    Shape: ``(*, in_features) -> (*, out_features)``; dtype of ``weight``.
    Source: initial scale ``1/sqrt(in_features)`` after LeCun et al., "Efficient BackProp" (1998).

    Example:
        >>> import leafgrad
        >>> from leafgrad import nn
        >>> nn.Linear(20, 30)(leafgrad.ones(128, 20)).shape
        torch.Size([128, 30])
    """

    __constants__ = ("in_features", "out_features")
    in_features: int
    out_features: int
    weight: Tensor

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(empty((out_features, in_features), device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(empty(out_features, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, uniformly from ``[-s, s]`` with ``s = 1/sqrt(in_features)``."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # its bound is sqrt(6 / (1 + 5) / in_features)
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class NonDynamicallyQuantizableLinear(Linear):
    """`Linear` under the name that PyTorch prints for the last projection of `MultiheadAttention`."""


class Bilinear(Module):
    """Bilinear map of two inputs, ``y[o] = sum_ij x1[i] weight[o, i, j] x2[j] + bias[o]``.

    Args:
        in1_features: size of the first input's last dimension.
        in2_features: size of the second input's last dimension.
        out_features: size of the output's last dimension.
        bias: learn an additive ``bias``.
        device: where the parameters live.
        dtype: of the parameters.

    Shape: ``(*, in1_features), (*, in2_features) -> (*, out_features)``.
    """

    __constants__ = ("in1_features", "in2_features", "out_features")
    in1_features: int
    in2_features: int
    out_features: int
    weight: Tensor

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got {in1_features}")
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        self.weight = Parameter(empty((out_features, in1_features, in2_features), device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(empty(out_features, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, uniformly from ``[-s, s]`` with ``s = 1/sqrt(in1_features)``."""
        bound = 1 / math.sqrt(self.weight.size(1))
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )
