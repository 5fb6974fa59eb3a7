"""Initial values: functions that fill a tensor in place, outside the graph, and return it.

Those that keep the variance of signals constant from layer to layer start from the fans of a weight
(`_calculate_fan_in_and_fan_out`) and the gain of the non-linearity (`calculate_gain`).
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from leafgrad import _core
from leafgrad.autograd.grad_mode import no_grad

if TYPE_CHECKING:
    from leafgrad._core import Generator, Tensor

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

_LINEAR = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Factor by which weights before `nonlinearity` are scaled so that it keeps the variance of its input.

    Args:
        nonlinearity: a name from `nn.functional`: linear and convolutions (1), sigmoid (1), tanh (5/3), relu (sqrt 2),
            leaky_relu (``sqrt(2 / (1 + slope**2))``), selu (3/4).
        param: the slope of leaky_relu, 0.01 by default.
    """
    if nonlinearity in _LINEAR or nonlinearity == "sigmoid":
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity == "selu":
        return 3.0 / 4
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}")


@no_grad()
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with draws from the uniform distribution on ``[a, b)``."""
    return tensor.uniform_(a, b, generator=generator)


@no_grad()
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with draws from the normal distribution."""
    return tensor.normal_(mean, std, generator=generator)


@no_grad()
def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with draws from the normal distribution cut off outside ``[a, b]``.

    Source: rejection sampling. Draws from the normal itself are kept if they fall into the interval; where that has
    less than 30 % of the mass, uniform draws are kept with the density, relative to its peak, as probability.
    """
    if tensor.is_meta or tensor.numel() == 0:
        return tensor
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=3,
        )
    mass = (math.erf((b - mean) / std / math.sqrt(2)) - math.erf((a - mean) / std / math.sqrt(2))) / 2
    if mass > 0.3:
        _truncate_normal_draws(tensor, mean, std, a, b, generator)
    else:
        _thin_uniform_draws(tensor, mean, std, a, b, generator)
    return tensor


def _truncate_normal_draws(tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Any) -> None:
    low, high = tensor.new_tensor(a).item(), tensor.new_tensor(b).item()  # as the tensor's dtype rounds them
    tensor.normal_(mean, std, generator=generator)
    while True:
        outside = (tensor < low) | (tensor > high)
        if not outside.any():
            return
        again = _core.empty_like(tensor).normal_(mean, std, generator=generator)
        tensor.copy_(_core.where(outside, again, tensor))


def _thin_uniform_draws(tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Any) -> None:
    def accepted(candidates: Tensor) -> Tensor:
        log_density = ((candidates - mean) / std).pow(2).mul(-0.5)
        return _core.empty_like(tensor).uniform_(generator=generator).log() <= log_density - log_peak

    peak = max(a, min(mean, b))
    log_peak = -0.5 * ((peak - mean) / std) ** 2
    tensor.uniform_(a, b, generator=generator)
    pending = ~accepted(tensor)
    while pending.any():
        candidates = _core.empty_like(tensor).uniform_(a, b, generator=generator)
        tensor.copy_(_core.where(pending, candidates, tensor))
        pending = pending & ~accepted(candidates)


@no_grad()
def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with `val`."""
    return tensor.fill_(val)


@no_grad()
def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones."""
    return tensor.fill_(1.0)


@no_grad()
def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros."""
    return tensor.zero_()


@no_grad()
def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the identity: as many inputs as possible pass a linear layer unchanged."""
    if tensor.dim() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    tensor.zero_()
    tensor.diagonal().fill_(1.0)
    return tensor


@no_grad()
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill the weight of a convolution, 3 to 5 dimensions, so that as many channels as possible pass unchanged.

    Args:
        tensor: ``(out_channels, in_channels / groups, *kernel)``.
        groups: groups of the convolution; each gets the same weights.
    """
    if tensor.dim() not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    out_channels, in_channels, *kernel = tensor.shape
    if out_channels % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    if tensor.is_meta:
        return tensor
    tensor.zero_()
    center = tuple(size // 2 for size in kernel)
    per_group = out_channels // groups
    for group in range(groups):
        for channel in range(min(per_group, in_channels)):
            tensor[(group * per_group + channel, channel, *center)] = 1
    return tensor


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """Numbers of inputs that one output depends on, and of outputs that one input reaches, in a weight tensor."""
    if tensor.dim() < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    fan_out, fan_in, *kernel = tensor.shape
    receptive_field = math.prod(kernel)
    return fan_in * receptive_field, fan_out * receptive_field


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    mode = mode.lower()
    valid_modes = ["fan_in", "fan_out"]
    if mode not in valid_modes:
        raise ValueError(f"Mode {mode} not supported, please use one of {valid_modes}")
    return _calculate_fan_in_and_fan_out(tensor)[valid_modes.index(mode)]


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill from the uniform distribution with standard deviation ``gain * sqrt(2 / (fan_in + fan_out))``.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010).
    """
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    std = gain * math.sqrt(2.0 / float(fan_in + fan_out))
    bound = math.sqrt(3.0) * std  # the uniform distribution on [-bound, bound] has deviation bound / sqrt(3)
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill from the normal distribution with standard deviation ``gain * sqrt(2 / (fan_in + fan_out))``.

    Source: as `xavier_uniform_`.
    """
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / float(fan_in + fan_out)), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float | None:
    """The deviation that keeps the variance through `nonlinearity`; None, with a warning, for an empty tensor."""
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return None
    return calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill from the uniform distribution with standard deviation ``gain / sqrt(fan)``.

    Args:
        tensor: a weight of 2 or more dimensions.
        a: slope of leaky_relu on the negative side.
        mode: ``'fan_in'`` keeps the variance of the forward pass, ``'fan_out'`` that of the backward pass.
        nonlinearity: what follows the layer; see `calculate_gain`.
        generator: where the draws come from.

    Source: He et al., "Delving deep into rectifiers" (2015).
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    if std is None:
        return tensor
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill from the normal distribution with deviation ``gain / sqrt(fan)``; arguments of `kaiming_uniform_`."""
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else normal_(tensor, 0.0, std, generator)


@no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill with a (semi-)orthogonal matrix times `gain`; trailing dimensions count as one.

    Source: Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks" (2013);
    the signs of R make Q uniformly distributed, after Mezzadri, "How to generate random matrices" (2007).
    """
    if tensor.dim() < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0 or tensor.is_meta:
        return tensor
    import numpy

    rows = tensor.size(0)
    columns = tensor.numel() // rows
    draws = tensor.new_empty((rows, columns)).normal_(0, 1, generator=generator).numpy()
    q, r = numpy.linalg.qr(draws.T if rows < columns else draws)
    q = q * numpy.sign(numpy.diagonal(r))
    tensor.view(rows, columns).copy_(_core.from_numpy(numpy.ascontiguousarray(q.T if rows < columns else q)))
    return tensor.mul_(gain)


@no_grad()
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Fill a matrix from the normal distribution, then put the fraction `sparsity` of each column to zero.

    Source: Martens, "Deep learning via Hessian-free optimization" (2010).
    """
    if tensor.dim() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    if tensor.is_meta:
        return tensor
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    tensor.normal_(0, std, generator=generator)
    for column in range(columns):
        tensor[_core.randperm(rows)[:zeros], column] = 0
    return tensor


def _deprecated(function: Any) -> Any:
    """`function` under its old name without the underscore, with a warning."""
    new_name = function.__name__
    old_name = new_name[:-1]

    def renamed(*args: Any, **kwargs: Any) -> Any:
        warnings.warn(
            f"`nn.init.{old_name}` is now deprecated in favor of `nn.init.{new_name}`.", FutureWarning, stacklevel=2
        )
        return function(*args, **kwargs)

    renamed.__name__ = renamed.__qualname__ = old_name
    renamed.__doc__ = f"Old name of `{new_name}`."
    return renamed


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)
