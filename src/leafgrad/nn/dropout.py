"""Dropout: elements zeroed at random in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leafgrad.nn import functional as F
from leafgrad.nn.module import Module

if TYPE_CHECKING:
    from leafgrad._core import Tensor

__all__ = ["Dropout"]


class Dropout(Module):
    """In training, zeroes each element with probability `p` and scales the others by ``1 / (1 - p)``.

    Source: Hinton et al., "Improving neural networks by preventing co-adaptation of feature detectors" (2012).
    """

    __constants__ = ("inplace", "p")

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"
