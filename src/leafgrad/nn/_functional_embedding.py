"""`embedding_bag`: rows of a table, looked up and reduced bag by bag.  `embedding` itself is in `functional`."""

from __future__ import annotations

from typing import Any

from leafgrad import _core
from leafgrad._core import Tensor

__all__ = ["embedding_bag"]


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Sum, mean or maximum of the rows of `weight` that each bag of indices names; zeros for an empty bag.

    Args:
        input: integer indices: ``(B, N)`` for B bags of N, or ``(N,)`` for bags that begin at `offsets`.
        weight: ``(number of rows, size)``.
        offsets: ``(B,)``, ascending from 0: where each bag begins in a one-dimensional `input`.
        max_norm: rows that are looked up are first scaled down to this norm, in place.
        norm_type: order of that norm.
        scale_grad_by_freq: divide the gradient of a row by how often it is looked up; not for ``'max'``.
        mode: ``'sum'``, ``'mean'`` or ``'max'``.
        sparse: accepted, but not for ``'max'``; the gradient is dense all the same.
        per_sample_weights: factor of each row, of the shape of `input`; for ``'sum'`` only.
        include_last_offset: `offsets` has one more entry, the end of the last bag.
        padding_idx: a row that counts for nothing and gets no gradient.

    Shape: ``(B, N)`` or ``(N)``, ``(V, E) -> (B, E)``.
    """
    _check_arguments(input, weight, offsets, per_sample_weights)
    _check_mode(mode, scale_grad_by_freq, sparse, per_sample_weights)
    if offsets is None:
        bags = input.shape[0]
        bag = _core.arange(bags).repeat_interleave(input.shape[1])
        input = input.reshape(-1)
        per_sample_weights = None if per_sample_weights is None else per_sample_weights.reshape(-1)
    else:
        bags, bag = _bags_of(input, offsets, include_last_offset)
    if padding_idx is not None:
        rows = weight.shape[0]
        if not -rows <= padding_idx < rows:
            raise AssertionError("padding_idx must be within the number of embeddings")
        kept = input != padding_idx % rows
        input, bag = input[kept], bag[kept]
        per_sample_weights = None if per_sample_weights is None else per_sample_weights[kept]
    from leafgrad.nn.functional import embedding  # which imports this module

    rows = embedding(input, weight, None, max_norm, norm_type, scale_grad_by_freq)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(1)
    if mode == "max":
        return _largest(rows, bag, bags)
    total = rows.new_zeros(bags, rows.shape[1]).index_add(0, bag, rows)
    if mode == "sum":
        return total
    sizes = _core.zeros(bags, dtype=rows.dtype).index_add(0, bag, _core.ones(len(bag), dtype=rows.dtype))
    return total / sizes.clamp(min=1).unsqueeze(1)


def _check_arguments(input: Tensor, weight: Tensor, offsets: Any, per_sample_weights: Tensor | None) -> None:
    if per_sample_weights is not None and input.shape != per_sample_weights.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then it must have the "
            f"same shape as the input ({input.shape})"
        )
    if weight.dim() != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.dim()}")
    if input.dim() == 2 and offsets is not None:
        raise ValueError(
            "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length "
            f"sequences. However, found offsets of type {type(offsets)}"
        )
    if input.dim() == 1 and not (isinstance(offsets, Tensor) and offsets.dim() == 1):
        raise ValueError(f"offsets has to be a 1D Tensor but got {None if offsets is None else offsets.dim()}")
    if input.dim() not in (1, 2):
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}")


def _check_mode(mode: str, scale_grad_by_freq: bool, sparse: bool, per_sample_weights: Tensor | None) -> None:
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if mode == "max" and sparse:
        raise ValueError("max mode does not support sparse weights")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' "
            f"(got mode='{mode}')."
        )


def _bags_of(input: Tensor, offsets: Tensor, include_last_offset: bool) -> tuple[int, Tensor]:
    """The number of bags, and the bag in which each index is."""
    if include_last_offset and len(offsets) == 0:
        raise RuntimeError("include_last_offset: number of offset should be at least 1")
    if len(offsets):
        if offsets[0].item() != 0:
            raise RuntimeError(
                "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. "
                f"However, got {offsets[0].item()}"
            )
        if offsets[-1].item() > len(input):
            raise RuntimeError(
                f"offsets[-1] can not be greater than input's length({len(input)}), but got {offsets[-1].item()}"
            )
    if include_last_offset:
        offsets = offsets[:-1]
    places = _core.arange(len(input), dtype=offsets.dtype)
    return len(offsets), _core.searchsorted(offsets, places, right=True) - 1


def _largest(rows: Tensor, bag: Tensor, bags: int) -> Tensor:
    """The largest element of each column in each bag; the gradient goes to the first of equal ones."""
    count, size = rows.shape
    if count == 0:
        return rows.new_zeros(bags, size) + rows.sum()  # zeros that know where they come from
    where = bag.unsqueeze(1).expand(count, size)
    values = rows.detach()
    largest = values.new_zeros(bags, size).scatter_reduce(0, where, values, "amax", include_self=False)
    place = _core.arange(count).unsqueeze(1).expand(count, size)
    place = place.masked_fill(values != largest.index_select(0, bag), count)
    first = _core.full((bags, size), count).scatter_reduce(0, where, place, "amin")
    return _core.where(first < count, rows.gather(0, first.clamp(max=count - 1)), rows.new_zeros(()))
