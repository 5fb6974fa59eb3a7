"""`Flatten` and `Unflatten`: layers that only change the shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leafgrad.nn.module import Module

if TYPE_CHECKING:
    from leafgrad._core import Tensor

__all__ = ["Flatten", "Unflatten"]


class Flatten(Module):
    """Joins the dimensions from `start_dim` to `end_dim`; by default all but the batch."""

    __constants__ = ("end_dim", "start_dim")

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Splits dimension `dim` into the dimensions `unflattened_size`.

    Args:
        dim: the dimension, by number; by name where `unflattened_size` gives names.
        unflattened_size: a tuple of sizes, one of them perhaps -1; or a tuple of pairs of name and size.
    """

    __constants__ = ("dim", "unflattened_size")

    def __init__(self, dim: int | str, unflattened_size: Any) -> None:
        super().__init__()
        if isinstance(dim, int):
            self._require_tuple(unflattened_size, int, "ints")
        elif isinstance(dim, str):
            self._require_tuple(unflattened_size, tuple, "tuples")
        else:
            raise TypeError("invalid argument type for dim parameter")
        self.dim = dim
        self.unflattened_size = unflattened_size

    @staticmethod
    def _require_tuple(sizes: Any, kind: type, plural: str) -> None:
        if not isinstance(sizes, tuple | list if kind is int else tuple):
            raise TypeError(f"unflattened_size must be a tuple of {plural}, but found type {type(sizes).__name__}")
        for position, size in enumerate(sizes):
            if not isinstance(size, kind):
                raise TypeError(
                    f"unflattened_size must be tuple of {plural}, but found element of type {type(size).__name__} "
                    f"at pos {position}"
                )

    def forward(self, input: Tensor) -> Tensor:
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
