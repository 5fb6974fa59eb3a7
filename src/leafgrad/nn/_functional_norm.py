"""The normalizations of `nn.functional`, which are native, with PyTorch's arguments and checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leafgrad import _core

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leafgrad._core import Tensor

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "rms_norm"]


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


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`batch_norm` of each image by itself.

    Args:
        input: ``(N, C, *)``.
        running_mean: ``(C)``; used where the input's own mean is not; otherwise moved towards its average.
        running_var: ``(C)``; likewise the variance.
        weight: ``(C)``.
        bias: ``(C)``.
        use_input_stats: take the moments of each channel of each image.
        momentum: share of the batch in what the running moments become.
        eps: added to the variance.

    Source: Ulyanov, Vedaldi and Lempitsky, "Instance normalization" (2016).
    """
    if use_input_stats:
        spatial = 1
        for n in input.shape[2:]:
            spatial *= n
        if spatial == 1:
            raise ValueError(f"Expected more than 1 spatial element when training, got input size {input.size()}")
    return _core.instance_norm(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """``(x - mean) / sqrt(variance + eps) * weight + bias``, with moments of groups of channels of each image.

    Shape: ``(N, C, *), (C), (C) -> (N, C, *)``; `num_groups` divides C.
    Source: Wu and He, "Group normalization" (2018).
    """
    if input.dim() < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {input.dim()}")
    per_group = input.shape[0] * input.shape[1] // num_groups
    for n in input.shape[2:]:
        per_group *= n
    if per_group == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {list(input.shape)}")
    return _core.group_norm(input, num_groups, weight, bias, eps)


def rms_norm(
    input: Tensor,
    normalized_shape: list[int] | tuple[int, ...],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """``x / sqrt(mean(x**2) + eps) * weight``, with the mean over the last dimensions, `normalized_shape`.

    By default `eps` is the difference between 1 and the next number of the computing dtype, float32 for halves.

    Source: Zhang and Sennrich, "Root mean square layer normalization" (2019).
    """
    return _core.rms_norm(input, normalized_shape, weight, eps)


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """``x / (k + alpha * mean)**beta``, with the mean of the squares of `size` neighbouring channels, zeros beyond.

    Shape: ``(N, C, *)``, in and out.
    Source: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks" (2012).
    """
    if input.dim() < 3:
        raise ValueError(f"Expected 3D or higher dimensionality input (got {input.dim()} dimensions)")
    if input.numel() == 0:
        return input
    channels = input.shape[1]
    squares = input.square()
    # The neighbours of channel c are c - size // 2 to c + (size - 1) // 2: a sum of shifted copies.
    padding = [input.shape[0], 0, *input.shape[2:]]
    parts = []
    for width in (size // 2, (size - 1) // 2):
        padding[1] = width
        parts.append(squares.new_zeros(padding))
    padded = _core.cat([parts[0], squares, parts[1]], 1)
    total = padded.narrow(1, 0, channels)
    for shift in range(1, size):
        total = total + padded.narrow(1, shift, channels)
    return input / (total * (alpha / size) + k) ** beta
