"""Operators that cut, join and rearrange tensors, composed of native views and copies.

As in `_composites`, value and derivative follow from the parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leafgrad import _core
from leafgrad._composites import with_out
from leafgrad._core import Tensor
from leafgrad._tensor import tensor_method

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "block_diag",
    "cartesian_prod",
    "combinations",
    "diagflat",
    "dsplit",
    "hsplit",
    "narrow_copy",
    "nonzero_static",
    "repeat_interleave",
    "tensor_split",
    "unravel_index",
    "vsplit",
]


# ---- Cutting ---------------------------------------------------------------------------------------------------------


def _cuts(length: int, sections: int) -> list[int]:
    """Where to cut `length` into `sections` parts whose sizes differ by at most one, the longer ones first."""
    if sections <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
    size, longer = divmod(length, sections)
    return [part * size + min(part, longer) for part in range(1, sections)]


@tensor_method
def tensor_split(
    input: Tensor,
    indices_or_sections: int | Sequence[int] | Tensor | None = None,
    dim: int = 0,
    *,
    indices: Sequence[int] | None = None,
    sections: int | None = None,
) -> tuple[Tensor, ...]:
    """Views of parts along `dim`: as many as the number given, or cut at the indices given."""
    if input.dim() == 0:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    where: Any = next((given for given in (indices_or_sections, indices, sections) if given is not None), None)
    if isinstance(where, Tensor):
        if where.dtype != _core.int64 or where.dim() > 1:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or one-dimensional long "
                f"tensor, but got {where.dtype} with {where.dim()} dims"
            )
        where = where.tolist()
    length = input.size(dim)
    if isinstance(where, int):
        where = _cuts(length, where)
    elif where is None:
        raise TypeError("tensor_split() needs the number of sections or the indices to cut at")
    starts, ends = [0, *where], [*where, length]
    return tuple(_slice(input, dim, start, end) for start, end in zip(starts, ends, strict=True))


def _slice(input: Tensor, dim: int, start: int, end: int) -> Tensor:
    """`input[start:end]` along `dim`."""
    return input[(slice(None),) * (dim % input.dim()) + (slice(start, end),)]


def _split_evenly(name: str, input: Tensor, where: Any, dim: int, least: int) -> tuple[Tensor, ...]:
    """`tensor_split` for a tensor of at least `least` dimensions; a number of sections must divide the size."""
    if input.dim() < least:
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor with {input.dim()} "
            "dimensions!"
        )
    if isinstance(where, int) and (where <= 0 or input.size(dim) % where):
        raise RuntimeError(
            f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension {input.size(dim)} "
            f"is not divisible by the split_size {where}!"
        )
    return tensor_split(input, where, dim)


@tensor_method
def hsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Parts side by side: cut along dimension 1, a vector along 0."""
    return _split_evenly("hsplit", input, indices_or_sections, 0 if input.dim() == 1 else 1, 1)


@tensor_method
def vsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Parts one below the other: cut along dimension 0."""
    return _split_evenly("vsplit", input, indices_or_sections, 0, 2)


@tensor_method
def dsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Parts one behind the other: cut along dimension 2."""
    return _split_evenly("dsplit", input, indices_or_sections, 2, 3)


@tensor_method
def narrow_copy(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """What `narrow` shows, as a copy."""
    return input.narrow(dim, start, length).clone()


# ---- Joining ---------------------------------------------------------------------------------------------------------


def block_diag(*tensors: Tensor) -> Tensor:
    """A matrix with the tensors, seen as matrices, one after the other along its diagonal, and 0 elsewhere."""
    blocks = []
    for tensor in tensors:
        if tensor.dim() > 2:
            raise RuntimeError(
                f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Got a tensor of shape {tensor.shape}"
            )
        blocks.append(tensor if tensor.dim() == 2 else tensor.reshape(1, -1))
    width = sum(block.size(1) for block in blocks)
    rows, left = [], 0
    for block in blocks:
        height, columns = block.shape
        before, after = block.new_zeros(height, left), block.new_zeros(height, width - left - columns)
        rows.append(_core.cat([before, block, after], 1))
        left += columns
    return _core.cat(rows, 0) if rows else _core.empty(1, 0)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All tuples of one element of each vector, a row each; the last vector varies fastest. One vector is its own."""
    from leafgrad._composites import meshgrid

    for tensor in tensors:
        if tensor.dim() != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {tensor.shape}")
    if len(tensors) == 1:
        return tensors[0]
    return _core.stack([grid.flatten() for grid in meshgrid(*tensors, indexing="ij")], 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of `r` elements of a vector, a row each, in the order of their positions."""
    from itertools import combinations, combinations_with_replacement

    if input.dim() != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {input.shape}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return input.new_empty(0)
    choose = combinations_with_replacement if with_replacement else combinations
    rows = list(choose(range(input.size(0)), r))
    return input[_core.tensor(rows, dtype=_core.int64).reshape(len(rows), r)]


@tensor_method
@with_out
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """A matrix with all elements of `input` along a diagonal."""
    return _core.diag(input.reshape(-1), offset)


# ---- Rearranging -----------------------------------------------------------------------------------------------------


def _repeated_positions(repeats: Tensor) -> Tensor:
    """Position n as often as `repeats[n]` says: [1, 2, 0] gives [0, 1, 1]."""
    if repeats.dim() != 1:
        raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
    if repeats.dtype not in (_core.int32, _core.int64):
        raise RuntimeError("repeats has to be Long or Int tensor")
    if repeats.numel() == 0:
        return repeats.clone()
    if bool((repeats < 0).any()):
        raise RuntimeError("repeats can not be negative")
    ends = repeats.cumsum(0)
    return _core.searchsorted(ends, _core.arange(int(ends[-1])), right=True).to(repeats.dtype)


@tensor_method
def repeat_interleave(
    input: Tensor, repeats: int | Tensor | None = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Each slice along `dim` repeated in place.

    Args:
        input: the tensor; without `repeats` it is itself the counts, and the result is positions.
        repeats: how often, for all slices or for each.
        dim: along which dimension; by default the tensor is flattened.
        output_size: size of the result along `dim`, if known.
    """
    if repeats is None:
        return _repeated_positions(input)
    if dim is None:
        input, dim = input.flatten(), 0
    if isinstance(repeats, int):
        if repeats < 0:
            raise RuntimeError("Repeats must be non-negative")
        dim = dim + input.dim() if dim < 0 else dim
        wide = input.unsqueeze(dim + 1)
        sizes = list(wide.shape)
        sizes[dim + 1] = repeats
        return wide.expand(sizes).clone().flatten(dim, dim + 1)
    if not isinstance(repeats, Tensor):
        raise TypeError(
            "repeat_interleave() received an invalid combination of arguments: repeats must be an int or a Tensor, not "
            f"{type(repeats).__name__}"
        )
    length = input.size(dim)
    if repeats.dim() == 0 or (repeats.dim() == 1 and repeats.size(0) == 1):
        repeats = repeats.reshape(1).expand(length)
    elif repeats.dim() != 1:
        raise RuntimeError("repeats must be 0-dim or 1-dim tensor")
    if repeats.size(0) != length:
        raise RuntimeError(
            "repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{repeats.size(0)} and input.size({dim}) = {length}"
        )
    positions = _repeated_positions(repeats)
    if output_size is not None and positions.numel() != output_size:
        raise RuntimeError(f"repeat_interleave: output_size is {output_size}, repeats add up to {positions.numel()}")
    return input.index_select(dim, positions)


@tensor_method
def fill_diagonal_(self: Tensor, fill_value: float, wrap: bool = False) -> Tensor:
    """Writes one value to the main diagonal; with `wrap` a tall matrix's diagonal starts anew below its end."""
    if self.dim() < 2:
        raise RuntimeError("fill_diagonal_: dimensions must larger than 1")
    if self.dim() > 2:
        if len(set(self.shape)) > 1:
            raise RuntimeError("fill_diagonal_: all dimensions of input must be of equal length")
        self.as_strided((self.size(0),), (sum(self.stride()),)).fill_(fill_value)
        return self
    rows, columns = self.shape
    for top in range(0, rows, columns + 1) if wrap else [0]:
        self[top:].diagonal().fill_(fill_value)
    return self


# ---- Positions -------------------------------------------------------------------------------------------------------


def unravel_index(indices: Tensor, shape: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Coordinates, a tensor for each dimension, of flat positions in a tensor of `shape`."""
    if not isinstance(indices, Tensor):
        raise TypeError(f"unravel_index() argument 'indices' must be Tensor, not {type(indices).__name__}")
    if indices.is_floating_point() or indices.is_complex() or indices.dtype == _core.bool:
        raise ValueError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(size < 0 for size in sizes):
        raise ValueError(f"'shape' cannot have negative values, but got {sizes}")
    coordinates = []
    for size in reversed(sizes):
        coordinates.append(indices % size)
        indices = indices.div(size, rounding_mode="floor")
    return tuple(reversed(coordinates))


@tensor_method
def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """The first `size` rows of `nonzero`, made up with rows of `fill_value` where there are fewer."""
    found = input.nonzero()[:size]
    missing = size - found.size(0)
    return _core.cat([found, found.new_full((missing, input.dim()), fill_value)], 0) if missing else found.clone()
