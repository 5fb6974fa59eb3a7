"""Sequences of different lengths: padded into one tensor, or packed without padding.

A packed sequence holds the rows of step 0 of all sequences, then those of step 1, and so on, the sequences ordered by
length, longest first; ``batch_sizes`` says how many rows each step has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from leafgrad import _core
from leafgrad._core import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class _Fields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Fields):
    """Sequences of different lengths without padding; recurrent layers take and give it.

    Args:
        data: rows of all steps, ``(sum of lengths, *)``.
        batch_sizes: int64 on the CPU, the number of rows of each step.
        sorted_indices: the order in which the sequences were brought, if they were.
        unsorted_indices: the order that takes it back; follows from `sorted_indices`.
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        if batch_sizes is None:  # one pair instead of two arguments
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU. Instances of PackedSequence should never be created manually. "
                "They should be instantiated by functions like pack_sequence and pack_padded_sequences in "
                "nn.utils.rnn."
            )
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """With `data` moved or converted, as by `Tensor.to`."""
        return self._with(self.data.to(*args, **kwargs))

    def _with(self, data: Tensor) -> PackedSequence:
        return self if data is self.data else type(self)(data, *self[1:])

    def cpu(self) -> PackedSequence:
        return self._with(self.data.cpu())

    def double(self) -> PackedSequence:
        return self._with(self.data.double())

    def float(self) -> PackedSequence:
        return self._with(self.data.float())

    def half(self) -> PackedSequence:
        return self._with(self.data.half())

    def long(self) -> PackedSequence:
        return self._with(self.data.long())

    def int(self) -> PackedSequence:
        return self._with(self.data.int())

    def short(self) -> PackedSequence:
        return self._with(self.data.short())

    def char(self) -> PackedSequence:
        return self._with(self.data.to(_core.int8))

    def byte(self) -> PackedSequence:
        return self._with(self.data.to(_core.uint8))

    @property
    def is_cuda(self) -> bool:
        return False

    def is_pinned(self) -> bool:
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The order that undoes `permutation`; None of None."""
    return None if permutation is None else permutation.argsort()


def _lengths_of(batch_sizes: np.ndarray) -> np.ndarray:
    """How many steps each sequence has, the longest first."""
    return (batch_sizes[None, :] > np.arange(batch_sizes[0])[:, None]).sum(1)


def _swapped(x: Tensor, swap: bool) -> Tensor:
    return x.transpose(0, 1) if swap else x


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | list[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack a padded batch.

    Args:
        input: ``(steps, batch, *)``, or ``(batch, steps, *)`` if `batch_first`.
        lengths: of the sequences, a list or an int64 tensor on the CPU.
        batch_first: which of the two `input` is.
        enforce_sorted: refuse sequences that are not sorted by length, longest first; else sort them.
    """
    lengths = lengths if isinstance(lengths, Tensor) else _core.tensor(lengths, dtype=_core.int64)
    if lengths.device.type != "cpu" or lengths.dim() != 1:
        raise RuntimeError(
            f"'lengths' argument should be a 1D CPU int64 tensor, but got {lengths.dim()}D {lengths.device} "
            f"{lengths.dtype} tensor"
        )
    order = None
    if not enforce_sorted:
        order = lengths.argsort(descending=True, stable=True)
        lengths = lengths.index_select(0, order)
        input = input.index_select(0 if batch_first else 1, order)
    counts = np.asarray(lengths.tolist(), np.int64)
    input = _swapped(input, batch_first)
    if input.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    steps, batch = input.shape[:2]
    if len(counts) != batch:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(counts)} (batch_size={batch})"
        )
    if (counts <= 0).any():
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if (np.diff(counts) > 0).any():
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if you "
            "do not need ONNX exportability."
        )
    if counts[0] > steps:
        raise RuntimeError(f"Expected no length greater than the number of steps, {steps}, but got {counts[0]}")
    takes_part = counts[None, :] > np.arange(counts[0])[:, None]  # (steps, batch)
    rows = input.reshape(steps * batch, *input.shape[2:])
    data = rows.index_select(0, _core.tensor(np.flatnonzero(takes_part)))
    return PackedSequence(data, _core.tensor(takes_part.sum(1)), order)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Undo `pack_padded_sequence`: a padded batch, and the lengths.

    Args:
        sequence: what was packed.
        batch_first: give ``(batch, steps, *)`` instead of ``(steps, batch, *)``.
        padding_value: for the places after a sequence's end.
        total_length: number of steps, at least that of the longest sequence.
    """
    data, sizes = sequence.data, np.asarray(sequence.batch_sizes.tolist(), np.int64)
    steps, batch = len(sizes), int(sizes[0])
    if total_length is not None:
        if total_length < steps:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {steps}"
            )
        steps = total_length
    places = np.full((steps, batch), len(data))  # of the row of padding, which stands last
    takes_part = sizes[:, None] > np.arange(batch)[None, :]
    places[: len(sizes)][takes_part] = np.arange(len(data))
    padding = data.new_full((1, *data.shape[1:]), padding_value)
    rows = _core.cat((data, padding)).index_select(0, _core.tensor(places.ravel()))
    padded = _swapped(rows.reshape(steps, batch, *data.shape[1:]), batch_first)
    lengths = _core.tensor(_lengths_of(sizes))
    if sequence.unsorted_indices is not None:
        back = sequence.unsorted_indices
        return padded.index_select(0 if batch_first else 1, back), lengths.index_select(0, back)
    return padded, lengths


def pad_sequence(
    sequences: Tensor | Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Stack sequences ``(length, *)`` into ``(longest, batch, *)``, or batch first, filled up with `padding_value`."""
    if padding_side not in ("left", "right"):
        raise RuntimeError(f'Expected padding_side to be one of left or right, but got "{padding_side}".')
    if not isinstance(sequences, Tensor) and not hasattr(sequences, "__iter__"):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    rows = sequences.unbind(0) if isinstance(sequences, Tensor) else tuple(sequences)
    if not rows:
        raise RuntimeError("received an empty list of sequences")
    longest = max(len(row) for row in rows)

    def padded(row: Tensor) -> Tensor:
        padding = row.new_full((longest - len(row), *row.shape[1:]), padding_value)
        return _core.cat((row, padding) if padding_side == "right" else (padding, row))

    return _core.stack([padded(row) for row in rows], 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The sequences of a padded batch, each with its own length."""
    rows = _swapped(padded_sequences, not batch_first)
    return [row[:length] for row, length in zip(rows, lengths.tolist(), strict=True)]


def pack_sequence(sequences: list[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences ``(length, *)``."""
    lengths = _core.tensor([len(row) for row in sequences], dtype=_core.int64)
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Undo `pack_sequence`."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
