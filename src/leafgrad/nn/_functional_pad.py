"""Padding: `pad` of `nn.functional`. A constant is native; the other modes read `input` at mirrored, nearest or cyclic
positions, a dimension at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leafgrad import _core

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leafgrad._core import Tensor


def _positions(mode: str, size: int, before: int, behind: int) -> Tensor:
    """Where along a dimension of `size` each element of the padded one comes from."""
    places = _core.arange(-before, size + behind)
    if mode == "reflect":
        return (size - 1) - ((size - 1) - places.abs()).abs()
    if mode == "replicate":
        return places.clamp(0, size - 1)
    return places.remainder(size)


def _check_reach(mode: str, input: Tensor, pad: Sequence[int], dim: int, before: int, behind: int) -> None:
    size = input.shape[dim]
    if size + before + behind < 1 or size == 0:
        raise RuntimeError(
            f"pad: input of shape {tuple(input.shape)} with padding {tuple(pad)} leaves nothing of dimension {dim}"
        )
    if mode == "reflect" and max(before, behind) >= size:
        raise RuntimeError(
            "Padding size should be less than the corresponding input dimension, but got: padding "
            f"({before}, {behind}) at dimension {dim} of input {list(input.shape)}"
        )
    if mode == "circular" and max(before, behind) > size:
        raise RuntimeError("Padding value causes wrapping around more than once.")


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """`input` with elements added before and behind its last dimensions.

    Args:
        input: of any shape for ``'constant'``; else ``(N, C, *)`` or ``(C, *)`` with one to three spatial dimensions,
            all of which are padded.
        pad: two numbers a dimension, before and behind, the last dimension first; negative ones cut off.
        mode: ``'constant'``; ``'reflect'`` mirrors at the outermost elements, ``'replicate'`` repeats them, and
            ``'circular'`` begins again at the other end.
        value: the constant, by default 0.

    Raises:
        RuntimeError: `pad` does not fit the shape, or reaches further than the mode can.
        NotImplementedError: another mode, or `pad` does not cover the spatial dimensions.
    """
    if len(pad) % 2 != 0:
        raise RuntimeError(f"Padding length must be divisible by 2, but got {len(pad)}")
    if mode == "constant":
        return _core.constant_pad_nd(input, pad, 0 if value is None else value)
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    spatial = len(pad) // 2
    if not 1 <= spatial <= 3 or input.dim() - spatial not in (1, 2):
        raise NotImplementedError(
            f"Padding size {len(pad)} is not supported for {input.dim()}D input tensor: it has to pad all of one to "
            "three spatial dimensions."
        )
    result = input
    for number in range(spatial):
        before, behind = pad[2 * number : 2 * number + 2]
        dim = input.dim() - 1 - number
        _check_reach(mode, input, pad, dim, before, behind)
        if before or behind:
            result = result.index_select(dim, _positions(mode, input.shape[dim], before, behind).to(input.device))
    return result.clone() if result is input else result
