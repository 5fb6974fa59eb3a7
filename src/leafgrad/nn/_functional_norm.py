"""The normalizations of `nn.functional`, which are native, with PyTorch's arguments and checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leafgrad import _core

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leafgrad._core import Tensor

__all__ = ["batch_norm", "layer_norm"]


def _values_per_channel(size: Sequence[int]) -> int:
    count = size[0]
    for n in size[2:]:
        count *= n
    return count


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """``(x - mean) / sqrt(variance + eps) * weight + bias`` for each channel, dimension 1.

    Args:
        input: ``(N, C, *)``.
        running_mean: ``(C)``; the mean outside of training. In training it is moved towards the batch's, in place.
        running_var: ``(C)``; likewise the variance, which is moved towards the batch's unbiased one.
        weight: ``(C)``.
        bias: ``(C)``.
        training: take the moments of the batch itself.
        momentum: share of the batch in what the running moments become.
        eps: added to the variance.

    Source: Ioffe and Szegedy, "Batch normalization" (2015).
    """
    if training and input.dim() > 1 and _values_per_channel(input.shape) == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {input.size()}")
    return _core.batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)


def layer_norm(
    input: Tensor,
    normalized_shape: list[int] | tuple[int, ...],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-05,
) -> Tensor:
    """``(x - mean) / sqrt(variance + eps) * weight + bias``, with moments of the last dims, `normalized_shape`."""
    return _core.layer_norm(input, normalized_shape, weight, bias, eps)
