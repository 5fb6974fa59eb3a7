"""Functions of the layers, without parameters of their own: `leafgrad.nn.functional`, usually imported as ``F``.

What costs time is native and only wrapped here (linear, relu, gelu, silu, softmax, layer_norm, embedding, dropout, and
the losses of classification and regression); the rest are composites, whose derivative follows from their parts. Where
a composite is written with a detour, the detour keeps the derivative right at a kink or at an infinite value, and a
comment says which.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from leafgrad import _core
from leafgrad._composites import cosine_similarity, pairwise_distance
from leafgrad._core import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    gelu,
    linear,
    scaled_dot_product_attention,
)
from leafgrad.autograd.function import Function
from leafgrad.autograd.grad_mode import no_grad
from leafgrad.nn._functional_attention import multi_head_attention_forward
from leafgrad.nn._functional_embedding import embedding_bag
from leafgrad.nn._functional_norm import (
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    rms_norm,
)
from leafgrad.nn._functional_pad import pad
from leafgrad.nn._functional_pool import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d,
    adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d,
    adaptive_max_pool3d_with_indices,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    fold,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    max_pool1d,
    max_pool1d_with_indices,
    max_pool2d,
    max_pool2d_with_indices,
    max_pool3d,
    max_pool3d_with_indices,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
    unfold,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from leafgrad._core import Tensor
    from leafgrad._core import dtype as DType

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d",
    "adaptive_max_pool3d_with_indices",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "celu_",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "elu",
    "elu_",
    "embedding",
    "embedding_bag",
    "fold",
    "gelu",
    "glu",
    "group_norm",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "huber_loss",
    "instance_norm",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "leaky_relu_",
    "linear",
    "local_response_norm",
    "log_softmax",
    "logsigmoid",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
    "max_pool3d",
    "max_pool3d_with_indices",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "mish",
    "mse_loss",
    "multi_head_attention_forward",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "pairwise_distance",
    "prelu",
    "relu",
    "relu6",
    "relu_",
    "rms_norm",
    "rrelu",
    "rrelu_",
    "scaled_dot_product_attention",
    "selu",
    "selu_",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
    "threshold_",
    "unfold",
]


def _apply(function: Callable[[Tensor], Tensor], x: Tensor, inplace: bool) -> Tensor:
    """``function(x)``, written into `x` itself if `inplace`."""
    if not inplace:
        return function(x)
    # What the function saves must not be the memory that is about to be overwritten, hence the clone.
    return x.copy_(function(x.clone()))


# ---- Linear maps -----------------------------------------------------------------------------------------------------


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Bilinear map of the last dimensions, ``y[o] = sum_ij x1[i] weight[o, i, j] x2[j] + bias[o]``.

    Shape: ``(*, in1), (*, in2), (out, in1, in2), (out) -> (*, out)``.
    """
    if input1.shape[:-1] != input2.shape[:-1]:
        raise RuntimeError(
            "bilinear(): input batch dimensions do not match: "
            f"input1 is {tuple(input1.shape)}, input2 is {tuple(input2.shape)}"
        )
    out, in1, in2 = weight.shape
    if input1.shape[-1] != in1 or input2.shape[-1] != in2:
        raise RuntimeError(
            f"bilinear(): the inputs' last sizes are {input1.shape[-1]} and {input2.shape[-1]}, "
            f"weight of shape {tuple(weight.shape)} takes {in1} and {in2}"
        )
    mixed = input1 @ weight.permute(1, 0, 2).reshape(in1, out * in2)  # one product for all outputs
    result = (mixed.reshape(*input1.shape[:-1], out, in2) @ input2.unsqueeze(-1)).squeeze(-1)
    return result if bias is None else result + bias


# ---- Activations -----------------------------------------------------------------------------------------------------


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Each element, or 0 where it is negative."""
    return input.relu_() if inplace else _core.relu(input)


def relu_(input: Tensor) -> Tensor:
    """`relu` in place."""
    return input.relu_()


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """Each element, limited to ``[min_val, max_val]``; the slope is 0 at the limits themselves."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")

    def function(x: Tensor) -> Tensor:
        # clamp alone would have the slope 1 at the limits.
        return _core.where((x > min_val) & (x < max_val), x, x.detach().clamp(min_val, max_val))

    return _apply(function, input, inplace)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """`hardtanh` in place."""
    return hardtanh(input, min_val, max_val, inplace=True)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """Each element, limited to ``[0, 6]``."""
    return hardtanh(input, 0.0, 6.0, inplace)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """Each element, or `value` where it does not exceed `threshold`."""
    return _apply(lambda x: x.masked_fill(x <= threshold, value), input, inplace)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """`threshold` in place."""
    return input.masked_fill_(input <= threshold, value)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Each element, times `negative_slope` where it is not positive."""
    return _apply(lambda x: _core.where(x > 0, x, x * negative_slope), input, inplace)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """`leaky_relu` in place."""
    return leaky_relu(input, negative_slope, inplace=True)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Each element, times `weight` where it is not positive; one weight, or one for each channel (dimension 1)."""
    channels = input.shape[1] if input.dim() > 1 else 1
    if weight.numel() not in (1, channels):
        raise RuntimeError(
            f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {weight.numel()} "
            f"and channel size = {channels}."
        )
    weight = weight.reshape(() if weight.numel() == 1 else (-1, *[1] * (input.dim() - 2)))
    return _core.where(input > 0, input, weight * input)


def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """Leaky ReLU with slopes drawn from ``[lower, upper]``; if not `training`, with their mean."""
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)

    def function(x: Tensor) -> Tensor:
        with no_grad():
            slope = _core.empty_like(x).uniform_(lower, upper)
        return _core.where(x > 0, x, x * slope)

    return _apply(function, input, inplace)


def rrelu_(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Tensor:
    """`rrelu` in place."""
    return rrelu(input, lower, upper, training, inplace=True)


def _elu(x: Tensor, alpha: float, scale: float = 1.0, input_scale: float = 1.0) -> Tensor:
    # exp of the limited input: the branch that is not taken must not overflow, since 0 * inf in its slope is nan.
    negative = (x.clamp(max=0) * input_scale).expm1() * (alpha * scale)
    return _core.where(x > 0, x * scale if scale != 1.0 else x, negative)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Each element, or ``alpha * (e**x - 1)`` where it is not positive."""
    return _apply(lambda x: _elu(x, alpha), input, inplace)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`elu` in place."""
    return elu(input, alpha, inplace=True)


# The fixed point that keeps mean 0 and variance 1; Klambauer et al., "Self-normalizing neural networks" (2017).
_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """``scale * elu(x, alpha)`` with the two constants that keep mean 0 and variance 1 from layer to layer."""
    return _apply(lambda x: _elu(x, _SELU_ALPHA, _SELU_SCALE), input, inplace)


def selu_(input: Tensor) -> Tensor:
    """`selu` in place."""
    return selu(input, inplace=True)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Each element, or ``alpha * (e**(x / alpha) - 1)`` where it is not positive."""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _apply(lambda x: _elu(x, alpha, 1.0, 1.0 / alpha), input, inplace)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`celu` in place."""
    return celu(input, alpha, inplace=True)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """``x * sigmoid(x)``."""
    return _apply(_core.silu, input, inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """``x * tanh(softplus(x))``."""
    return _apply(lambda x: x * softplus(x).tanh(), input, inplace)


def sigmoid(input: Tensor) -> Tensor:
    """``1 / (1 + e**-x)``."""
    return input.sigmoid()


def logsigmoid(input: Tensor) -> Tensor:
    """``log(sigmoid(x))``, without overflow."""
    # minimum has the slope 1/2 at 0, which is right there, since abs has the slope 0.
    return _core.minimum(input, _core.zeros_like(input)) - (-input.abs()).exp().log1p()


def tanh(input: Tensor) -> Tensor:
    """Hyperbolic tangent of each element."""
    return input.tanh()


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """``relu6(x + 3) / 6``: the sigmoid's piecewise linear relative."""
    return _apply(lambda x: hardtanh(x + 3, 0.0, 6.0) / 6, input, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """``x * hardsigmoid(x)``."""
    return _apply(lambda x: x * hardsigmoid(x), input, inplace)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """``log(1 + e**(beta x)) / beta``; the element itself where ``beta x`` exceeds `threshold`."""
    scaled = input * beta
    # The exponent is limited: the branch that is not taken must not overflow, since 0 * inf in its slope is nan.
    return _core.where(scaled > threshold, input, scaled.clamp(max=threshold).exp().log1p() / beta)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Each element moved towards 0 by `lambd`, and 0 where it does not come so far."""
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    inside = _core.where(input < -lambd, input + lambd, input * 0)
    return _core.where(input > lambd, input - lambd, inside)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Each element, or 0 where it lies in ``[-lambd, lambd]``."""
    return input.masked_fill((input >= -lambd) & (input <= lambd), 0)


def softsign(input: Tensor) -> Tensor:
    """``x / (1 + |x|)``."""
    return input / (input.abs() + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """``x - tanh(x)``."""
    return input - input.tanh()


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half of `dim` times the sigmoid of the second half."""
    if input.dim() == 0:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    size = input.shape[dim]
    if size % 2 != 0:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim % input.dim()} is size {size}")
    return input.narrow(dim, 0, size // 2) * input.narrow(dim, size // 2, size // 2).sigmoid()


def _implicit_dim(name: str, input: Tensor, stacklevel: int) -> int:
    """The dimension that the old rule chooses where none is given."""
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        stacklevel=stacklevel,
    )
    return 0 if input.dim() in (0, 1, 3) else 1


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None) -> Tensor:
    """``e**x / sum(e**x)`` along `dim`; converted to `dtype` first if given."""
    if dim is None:
        dim = _implicit_dim("softmax", input, _stacklevel)
    return _core.softmax(input, dim, dtype)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None) -> Tensor:
    """`softmax` of the negative elements."""
    if dim is None:
        dim = _implicit_dim("softmin", input, _stacklevel)
    return _core.softmax(-input, dim, dtype)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None) -> Tensor:
    """Logarithm of `softmax`, without overflow."""
    if dim is None:
        dim = _implicit_dim("log_softmax", input, _stacklevel)
    return _core.log_softmax(input, dim, dtype)


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """A sample that approximates the one-hot choice by probabilities ``softmax(logits)``.

    Args:
        logits: unnormalized log-probabilities.
        tau: temperature; the smaller, the nearer to one-hot.
        hard: give one-hot vectors whose gradient is that of the soft sample.
        eps: has no effect.
        dim: dimension of the choices.

    Source: Jang et al., "Categorical reparameterization with Gumbel-softmax" (2017).
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    with no_grad():
        exponential = -_core.empty_like(logits).uniform_().neg().log1p()  # 1 - u is never 0
        gumbels = -exponential.log()
    soft = _core.softmax((logits + gumbels) / tau, dim)
    if not hard:
        return soft
    chosen = soft.detach().argmax(dim, keepdim=True)
    one_hot = _core.zeros_like(soft.detach()).scatter_(dim, chosen, 1.0)
    return one_hot - soft.detach() + soft


# ---- Dropout, embedding, normalization -------------------------------------------------------------------------------


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero each element with probability `p` and scale the others by ``1 / (1 - p)``; nothing if not `training`."""
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    result = _core.dropout(input, p, training)
    return input.copy_(result) if inplace else result


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Vectors with a 1 at the place that each class index names, else 0.

    Shape: ``(*) -> (*, num_classes)``; by default one more than the largest index. dtype int64, in and out.
    """
    if tensor.dtype != _core.int64:
        raise RuntimeError(f"one_hot is only applicable to index tensor of type LongTensor, got {tensor.dtype}.")
    if tensor.numel() == 0:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return tensor.new_zeros(*tensor.shape, num_classes)
    if tensor.min().item() < 0:
        raise RuntimeError("Class values must be non-negative.")
    largest = int(tensor.max().item())
    if num_classes == -1:
        num_classes = largest + 1
    elif num_classes < 1:
        raise RuntimeError("num_classes should be positive")
    elif largest >= num_classes:
        raise RuntimeError(
            f"Class values must be smaller than num_classes: the largest is {largest}, num_classes {num_classes}."
        )
    return tensor.new_zeros(*tensor.shape, num_classes).scatter_(-1, tensor.unsqueeze(-1), 1)


@no_grad()
def _renormalize_rows(weight: Tensor, rows: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale those of `rows` of `weight` whose norm exceeds `max_norm` down to it, in place."""
    used = _core.zeros(weight.shape[0], dtype=_core.bool)
    used[rows.reshape(-1)] = True
    norms = weight.norm(norm_type, dim=1, keepdim=True)
    scale = max_norm / (norms + 1e-7)
    weight.mul_(_core.where(used.unsqueeze(1) & (norms > max_norm), scale, _core.ones_like(scale)))


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of `weight` that the indices `input` name.

    Args:
        input: integer indices of any shape.
        weight: ``(number of rows, size)``.
        padding_idx: a row that gets no gradient.
        max_norm: rows that are looked up are first scaled down to this norm, in place.
        norm_type: order of that norm.
        scale_grad_by_freq: divide the gradient of a row by how often it is looked up.
        sparse: accepted; the gradient is dense all the same.

    Shape: ``(*), (N, E) -> (*, E)``.
    """
    rows = weight.shape[0]
    if padding_idx is None:
        padding_idx = -1
    elif padding_idx >= rows or padding_idx < -rows:
        raise AssertionError("Padding_idx must be within num_embeddings")
    elif padding_idx < 0:
        padding_idx += rows
    if max_norm is not None:
        _renormalize_rows(weight, input, max_norm, norm_type)
    return _core.embedding(weight, input, padding_idx, scale_grad_by_freq, False)


def normalize(
    input: Tensor, p: float = 2.0, dim: int | tuple[int, ...] = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """`input` divided by its `p`-norm along `dim`, or by `eps` where the norm is smaller."""
    result = input / input.norm(p, dim, keepdim=True).clamp(min=eps).expand_as(input)
    return result if out is None else out.copy_(result)


# ---- Losses ----------------------------------------------------------------------------------------------------------


def _legacy_reduction(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The reduction's name; the two old switches override it, with a warning."""
    if size_average is None and reduce is None:
        return reduction
    averaged = size_average is None or size_average
    reduction = "none" if reduce is False else ("mean" if averaged else "sum")
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.", stacklevel=3
    )
    return reduction


def _reduce(loss: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    if reduction == "none":
        return loss
    raise ValueError(f"{reduction} is not a valid value for reduction")


def _weighted_mean(loss: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    """`loss` times `weight`, reduced; the mean is weighted too."""
    if weight is None:
        return _reduce(loss, reduction)
    if reduction == "mean":
        return (loss * weight).sum() / weight.sum()
    return _reduce(loss * weight, reduction)


def _warn_of_sizes(input: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
    if target.shape != input.shape:
        warnings.warn(
            f"Using a target size ({target.size()}) that is different to the input size ({input.size()}). This will "
            "likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=3,
        )
    if weight is not None and weight.shape != input.shape:
        raise ValueError(
            f"Weights and input must have the same size: they are {tuple(weight.shape)} and {tuple(input.shape)}."
        )


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross entropy between the classes' logits `input` and `target`.

    Args:
        input: ``(N, C, *)`` or ``(C)`` unnormalized log-probabilities.
        target: class indices ``(N, *)`` or ``()``, or probabilities of the shape of `input`.
        weight: ``(C)`` factors of the classes.
        size_average: deprecated.
        ignore_index: a target that counts nothing, for indices.
        reduce: deprecated.
        reduction: ``'none'``, ``'mean'`` (over targets, weighted by `weight`) or ``'sum'``.
        label_smoothing: share of the target that is spread evenly over all classes, in ``[0, 1]``.
    """
    reduction = _legacy_reduction(size_average, reduce, reduction)
    return _core.cross_entropy(
        input,
        target,
        weight=weight,
        ignore_index=ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of the classes `target` under log-probabilities `input`; arguments of `cross_entropy`."""
    reduction = _legacy_reduction(size_average, reduce, reduction)
    return _core.nll_loss(input, target, weight=weight, ignore_index=ignore_index, reduction=reduction)


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """``(input - target)**2``, reduced; with `weight`, of the shape of `input`, a weighted mean or sum."""
    reduction = _legacy_reduction(size_average, reduce, reduction)
    _warn_of_sizes(input, target, weight)
    if weight is None:
        return _core.mse_loss(input, target, reduction=reduction)
    return _weighted_mean((input - target).square(), weight, reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """``|input - target|``, reduced; with `weight`, of the shape of `input`, a weighted mean or sum."""
    reduction = _legacy_reduction(size_average, reduce, reduction)
    _warn_of_sizes(input, target, weight)
    return _weighted_mean((input - target).abs(), weight, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """``d**2 / (2 beta)`` where ``d = |input - target|`` is below `beta`, else ``d - beta / 2``; reduced.

    Source: Girshick, "Fast R-CNN" (2015).
    """
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    reduction = _legacy_reduction(size_average, reduce, reduction)
    _warn_of_sizes(input, target)
    if beta == 0:
        return _reduce((input - target).abs(), reduction)
    return _core.smooth_l1_loss(input, target, reduction=reduction, beta=beta)


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """``d**2 / 2`` where ``d = |input - target|`` is at most `delta`, else ``delta * (d - delta / 2)``; reduced.

    Source: Huber, "Robust estimation of a location parameter" (1964).
    """
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    _warn_of_sizes(input, target, weight)
    if weight is None:
        return _core.huber_loss(input, target, reduction=reduction, delta=delta)
    distance = (input - target).abs()
    loss = _core.where(distance <= delta, 0.5 * distance.square(), delta * (distance - 0.5 * delta))
    return _reduce(loss * weight, reduction)


class _BinaryCrossEntropy(Function):
    """``-(t log p + (1 - t) log(1 - p))`` of each element, the logarithms limited to at least -100.

    A function of its own for its slope in p, ``(p - t) / (p (1 - p))``: by parts it would be nan at 0 and 1.
    """

    @staticmethod
    def forward(ctx: Any, p: Tensor, t: Tensor) -> Tensor:
        ctx.save_for_backward(p, t)
        return (t - 1) * (-p).log1p().clamp(min=-100) - t * p.log().clamp(min=-100)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None]:
        p, t = ctx.saved_tensors
        grad_p = g * (p - t) / ((1 - p) * p).clamp(min=1e-12) if ctx.needs_input_grad[0] else None
        grad_t = None
        if ctx.needs_input_grad[1]:
            grad_t = g * ((-p).log1p().clamp(min=-100) - p.log().clamp(min=-100))
        return grad_p, grad_t


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Cross entropy between the probabilities `input` and `target` of the same shape, times `weight`; reduced.

    Logarithms are limited to at least -100, so that no element is infinite.
    """
    reduction = _legacy_reduction(size_average, reduce, reduction)
    if target.shape != input.shape:
        raise ValueError(
            f"Using a target size ({target.size()}) that is different to the input size ({input.size()}) is "
            "deprecated. Please ensure they have the same size."
        )
    for name, values in (("input", input.detach()), ("target", target.detach())):
        if not ((values >= 0) & (values <= 1)).all():
            raise RuntimeError(f"binary_cross_entropy: all elements of {name} should be between 0 and 1")
    loss = _BinaryCrossEntropy.apply(input, target)
    return _reduce(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """`binary_cross_entropy` of ``sigmoid(input)``, without overflow.

    Args:
        input: logits of any shape.
        target: probabilities of the same shape.
        weight: factors of the elements, broadcast.
        size_average: deprecated.
        reduce: deprecated.
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        pos_weight: factors of the positive parts, broadcast.
    """
    reduction = _legacy_reduction(size_average, reduce, reduction)
    if target.shape != input.shape:
        raise ValueError(f"Target size ({target.size()}) must be the same as input size ({input.size()})")
    if weight is None and pos_weight is None and target.dtype == input.dtype:
        return _core._logit_loss(input, target, reduction=reduction)
    positive = 1 if pos_weight is None else (pos_weight - 1) * target + 1
    loss = (1 - target) * input - positive * logsigmoid(input)
    return _reduce(loss if weight is None else loss * weight, reduction)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """Kullback-Leibler divergence, ``t (log t - input)`` of each element; reduced.

    Args:
        input: log-probabilities.
        target: probabilities ``t``, or their logarithms if `log_target`.
        size_average: deprecated.
        reduce: deprecated.
        reduction: ``'none'``, ``'batchmean'`` (the sum over the size of dimension 0), ``'mean'`` (over all elements)
            or ``'sum'``.
        log_target: whether `target` holds logarithms.
    """
    reduction = _legacy_reduction(size_average, reduce, reduction)
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size. 'batchmean' divides "
            "only by the batch size, and aligns with the KL math definition.",
            stacklevel=2,
        )
    if log_target:
        loss = target.exp() * (target - input)
    else:
        loss = _core.xlogy(target, target) - target * input
    if reduction == "batchmean":
        return loss.sum() / input.shape[0] if input.dim() > 0 else loss.sum()
    return _reduce(loss, reduction)
