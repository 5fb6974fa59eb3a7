"""Instance normalization."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from leafgrad.nn import functional as F
from leafgrad.nn.batchnorm import _NormBase

if TYPE_CHECKING:
    from leafgrad._core import Tensor

__all__ = ["InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"]


class _InstanceNorm(_NormBase):
    __doc__ = _NormBase.__doc__

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        single = input.dim() == self._ranks[0]  # one image, without the dimension of the batch
        channels = 0 if single else 1
        if input.shape[channels] != self.num_features:
            if self.affine:
                raise ValueError(
                    f"expected input's size at dim={channels} to match num_features ({self.num_features}), but got: "
                    f"{input.shape[channels]}."
                )
            warnings.warn(
                f"input's size at dim={channels} does not match num_features. You can silence this warning by not "
                "passing in num_features, which is not used because affine=False",
                stacklevel=2,
            )
        result = F.instance_norm(
            input.unsqueeze(0) if single else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return result.squeeze(0) if single else result


class InstanceNorm1d(_InstanceNorm):
    """`F.instance_norm` of ``(N, C, L)`` or ``(C, L)``.

    Args:
        num_features: number of channels, C.
        eps: added to the variance.
        momentum: share of a batch in what the running moments become.
        affine: learn ``weight``, starting at ones.
        track_running_stats: keep running moments, for use in evaluation; without them, the input's are used there too.
        device: where parameters and moments live.
        dtype: of the parameters and moments.
        bias: learn ``bias`` beside ``weight``, starting at zeros.

    Source: Ulyanov, Vedaldi and Lempitsky, "Instance normalization" (2016).
    """

    _ranks = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """`F.instance_norm` of ``(N, C, H, W)`` or ``(C, H, W)``; arguments of `InstanceNorm1d`."""

    _ranks = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """`F.instance_norm` of ``(N, C, D, H, W)`` or ``(C, D, H, W)``; arguments of `InstanceNorm1d`."""

    _ranks = (4, 5)
