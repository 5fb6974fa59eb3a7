"""Batch normalization, and what all layers with running moments share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import leafgrad
from leafgrad._core import empty, ones, zeros
from leafgrad.nn import functional as F
from leafgrad.nn import init
from leafgrad.nn.module import Module
from leafgrad.nn.parameter import Parameter

if TYPE_CHECKING:
    from leafgrad._core import Tensor

__all__ = ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d"]


class _NormBase(Module):
    """A scale and a shift for each of `num_features` channels, and their running moments.

    Args:
        num_features: number of channels, the size of dimension 1.
        eps: added to the variance.
        momentum: share of a batch in what the running moments become; None: the average over all batches.
        affine: learn ``weight``, starting at ones.
        track_running_stats: keep running moments, for use in evaluation; without them, the batch's are used there too.
        device: where parameters and moments live.
        dtype: of the parameters and moments.
        bias: learn ``bias`` beside ``weight``, starting at zeros.
    """

    _version = 2  # since then a state_dict has num_batches_tracked
    __constants__ = ("affine", "eps", "momentum", "num_features", "track_running_stats")
    _ranks: ClassVar[tuple[int, ...]]
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        where = {"device": device, "dtype": dtype}
        self.register_parameter("weight", Parameter(empty(num_features, **where)) if affine else None)
        self.register_parameter("bias", Parameter(empty(num_features, **where)) if affine and bias else None)
        tracked = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, **where) if tracked else None)
        self.register_buffer("running_var", ones(num_features, **where) if tracked else None)
        count = leafgrad.tensor(0, dtype=leafgrad.int64, device=device) if tracked else None
        self.register_buffer("num_batches_tracked", count)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Running mean to zeros, variance to ones, the count of batches to 0."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """The running moments as `reset_running_stats` does; weight to ones, bias to zeros."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in self._ranks:
            expected = " or ".join(f"{n}D" for n in self._ranks)
            raise ValueError(f"expected {expected} input (got {input.dim()}D input)")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *rest: Any
    ) -> None:
        key = prefix + "num_batches_tracked"
        old = local_metadata.get("version") is None or local_metadata["version"] < 2
        if old and self.num_batches_tracked is not None and key not in state_dict:
            kept = self.num_batches_tracked
            state_dict[key] = leafgrad.tensor(0) if kept.is_meta else kept
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class _BatchNorm(_NormBase):
    __doc__ = _NormBase.__doc__

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        momentum = 0.0 if self.momentum is None else self.momentum
        tracks = self.track_running_stats
        if self.training and tracks and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                momentum = 1.0 / float(self.num_batches_tracked)
        # What is not tracked is not updated, even if somebody has set it; what is there is used in evaluation.
        return F.batch_norm(
            input,
            self.running_mean if not self.training or tracks else None,
            self.running_var if not self.training or tracks else None,
            self.weight,
            self.bias,
            self.training or (self.running_mean is None and self.running_var is None),
            momentum,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    """`F.batch_norm` of ``(N, C)`` or ``(N, C, L)``.

    Args:
        num_features: number of channels, C.
        eps: added to the variance.
        momentum: share of a batch in what the running moments become; None: the average over all batches.
        affine: learn ``weight``, starting at ones.
        track_running_stats: keep running moments, for use in evaluation; without them, the batch's are used there too.
        device: where parameters and moments live.
        dtype: of the parameters and moments.
        bias: learn ``bias`` beside ``weight``, starting at zeros.

    Source: Ioffe and Szegedy, "Batch normalization" (2015).
    """

    _ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """`F.batch_norm` of ``(N, C, H, W)``; arguments of `BatchNorm1d`."""

    _ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """`F.batch_norm` of ``(N, C, D, H, W)``; arguments of `BatchNorm1d`."""

    _ranks = (5,)
