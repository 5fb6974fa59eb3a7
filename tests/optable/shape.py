"""Shapes: views, parts, joins, copies in another order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from . import ALL, Op, S

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Joining(Op):
    """An operator on a list of tensors; a sample gives them one by one."""

    def function(self, library: Any) -> Callable[..., Any]:
        """With the tensors as positional arguments, as gradcheck wants them."""
        joined = super().function(library)
        return lambda *tensors, **kwargs: joined(list(tensors), **kwargs)


def sizes(call):
    """A reference that takes sizes or dimensions one by one or as one tuple."""
    return lambda x, *dims: call(x, dims[0] if dims and isinstance(dims[0], tuple) else dims)


def squeeze(x, dim=None):
    """np.squeeze that leaves other sizes than 1 alone."""
    dims = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    return np.squeeze(x, tuple(d for d in dims if x.ndim and x.shape[d] == 1))


def expand(x, *shape):
    """np.broadcast_to, where -1 keeps a size."""
    kept = (1,) * (len(shape) - x.ndim) + x.shape
    return np.broadcast_to(x, [k if n == -1 else n for n, k in zip(shape, kept, strict=True)])


def diag_embed(x, offset=0, dim1=-2, dim2=-1):
    """Matrices whose diagonals are the last dimension of x, one np.diag each."""
    flat = x.reshape(-1, x.shape[-1])
    matrices = np.stack([np.diag(row, offset) for row in flat])
    return np.moveaxis(matrices.reshape(*x.shape[:-1], *matrices.shape[1:]), (-2, -1), (dim1, dim2))


def as_strided(x, size, stride, storage_offset=0):
    """Each element by its place in the flat array."""
    places = np.tensordot(stride, np.indices(size), 1) + storage_offset
    return x.reshape(-1)[places]


def unfold(x, dim, size, step):
    """Windows, every `step`-th of them."""
    windows = np.lib.stride_tricks.sliding_window_view(x, size, dim)
    return windows[(slice(None),) * (dim % x.ndim) + (slice(None, None, step),)]


def split(x, size, dim=0):
    """np.split at multiples, or of given sizes."""
    cuts = range(size, x.shape[dim], size) if isinstance(size, int) else np.cumsum(size)[:-1]
    return np.split(x, list(cuts), dim)


def chunk(x, chunks, dim=0):
    """Split into parts of equal size, the last shorter."""
    return split(x, -(-x.shape[dim] // chunks), dim)


def unbind(x, dim=0):
    """The slices."""
    return list(np.moveaxis(x, dim, 0))


def repeat_interleave(x, repeats, dim=None):
    """np.repeat."""
    return np.repeat(x, repeats, dim)


def tensor_split(x, where, dim=0):
    """np.array_split cuts longer parts first, too."""
    return np.array_split(x, list(where) if isinstance(where, tuple) else where, dim)


def part_replaced(place):
    """x with `place(x, ...)`, a view, replaced."""

    def function(x, src, *args, **kwargs):
        y = x.copy()
        place(y, *args, **kwargs)[...] = src
        return y

    return function


def diagonal_of(x, offset=0, dim1=0, dim2=1):
    """A writable diagonal."""
    view = np.diagonal(x, offset, dim1, dim2)
    view.flags.writeable = True
    return view


def slice_of(x, dim=0, start=None, end=None, step=1):
    """x[start:end:step] along dim."""
    return x[(slice(None),) * dim + (slice(start, end, step),)]


def select(x, dim, index):
    """One slice."""
    return x[(slice(None),) * (dim % x.ndim) + (index,)]


def roll(x, shifts, dims=None):
    """np.roll."""
    return np.roll(x, shifts, dims)


def block_diag(*blocks):
    """scipy.linalg.block_diag, which keeps no dtype."""
    blocks = [np.atleast_2d(block) for block in blocks]
    y = np.zeros(np.sum([block.shape for block in blocks], 0), blocks[0].dtype)
    top = left = 0
    for block in blocks:
        y[top : top + block.shape[0], left : left + block.shape[1]] = block
        top, left = top + block.shape[0], left + block.shape[1]
    return y


VIEWS = [
    Op(
        "Tensor.view",
        sizes(np.reshape),
        [S((3, 4), 4, 3), S((3, 4), 2, -1, 2), S((2, 0), 0, 5), S((), 1, 1)],
        any_layout=False,
    ),
    Op("Tensor.reshape", sizes(np.reshape), [S((3, 4), 6, 2), S((3, 4), -1), S((2, 3, 0), 0, 7), S((), 1)]),
    Op(
        "flatten",
        lambda x, a=0, b=-1: x.reshape(*x.shape[:a], -1, *x.shape[b % x.ndim + 1 :]) if x.ndim else x[None],
        [S((2, 3, 4)), S((2, 3, 4), 1), S((2, 3, 4, 2), 1, 2), S(())],
    ),
    Op("ravel", np.ravel, [S((3, 4)), S(()), S((0, 2))]),
    Op(
        "Tensor.unflatten",
        lambda x, dim, s: x.reshape(*x.shape[:dim], *s, *x.shape[dim + 1 :]),
        [S((2, 6), 1, [2, 3]), S((6, 2), 0, [3, -1])],
    ),
    Op(
        "squeeze", squeeze, [S((1, 3, 1)), S((1, 3, 1), 0), S((1, 3, 1), 1), S((3, 1), -1), S((1, 3, 1), [0, 2]), S(())]
    ),
    Op("unsqueeze", np.expand_dims, [S((3, 4), 0), S((3, 4), -1), S((3, 4), 1), S((), 0), S((0,), 1)]),
    Op("Tensor.expand", expand, [S((3, 1), 3, 4), S((3, 1), 2, -1, 4), S((), 2, 3), S((0, 1), 0, 3)]),
    Op("broadcast_to", lambda x, shape: np.broadcast_to(x, shape), [S((3, 1), [2, 3, 4])]),
    Op("Tensor.permute", sizes(np.transpose), [S((2, 3, 4), 2, 0, 1), S((2, 3, 4), -1, 0, 1), S((0, 2), 1, 0)]),
    Op("transpose", np.swapaxes, [S((2, 3, 4), 0, 2), S((2, 3), -1, -2), S((2, 0), 0, 1)]),
    Op("swapaxes", np.swapaxes, [S((2, 3, 4), 0, 1)]),
    Op("swapdims", np.swapaxes, [S((2, 3, 4), 0, 1)]),
    Op("t", np.transpose, [S((3, 4)), S((3,)), S(())]),
    Op("adjoint", lambda x: np.conj(np.swapaxes(x, -1, -2)), [S((2, 3, 4))], parity=False),
    Op("movedim", np.moveaxis, [S((2, 3, 4), 0, 2), S((2, 3, 4), [0, 1], [2, 0])]),
    Op("moveaxis", np.moveaxis, [S((2, 3, 4), -1, 0)]),
    Op("select", select, [S((2, 3, 4), 0, 1), S((2, 3, 4), -1, -2), S((3,), 0, 0)]),
    Op("narrow", lambda x, dim, start, n: slice_of(x, dim, start, start + n), [S((3, 4), 1, 1, 2), S((3, 4), 0, 1, 0)]),
    Op("diagonal", np.diagonal, [S((3, 4)), S((3, 4), 1), S((3, 4), -2), S((2, 3, 4), 0, 1, 2), S((3, 4), 9)]),
    Op(
        "as_strided",
        as_strided,
        [S((3, 4), [2, 2], [1, 2], 3), S((6,), [3, 2], [1, 1]), S((4,), [2, 3], [0, 1])],
        any_layout=False,
    ),
    Op("Tensor.unfold", unfold, [S((3, 6), 1, 2, 2), S((5,), 0, 3, 1), S((4, 3), -2, 2, 1)]),
]

PARTS = [
    Op("split", split, [S((5, 3), 2), S((3, 4), 3, 1), S((3, 4), [1, 3], 1), S((5,), 5)]),
    Op("chunk", chunk, [S((5, 3), 2), S((3, 4), 3, 1)]),
    Op("unbind", unbind, [S((3, 4)), S((3, 2), 1)]),
    Op("tensor_split", tensor_split, [S((7, 2), 3), S((3, 5), [1, 3], 1)]),
    Op("hsplit", tensor_split, [S((4,), 2)]),
    Op("vsplit", tensor_split, [S((4, 2), 2), S((4, 2), [1])]),
    Op("dsplit", lambda x, where: np.dsplit(x, where), [S((2, 3, 4), 2)]),
]

JOINS = [
    Joining(
        "cat",
        lambda *xs, dim=0: np.concatenate(xs, dim),
        [S((2, 3), (1, 3)), S((2, 3), (2, 1), (2, 2), dim=1), S((0, 3), (2, 3)), S((2,), (3,), dim=-1)],
    ),
    Joining("stack", lambda *xs, dim=0: np.stack(xs, dim), [S((2, 3), (2, 3)), S((2,), (2,), (2,), dim=-1), S((), ())]),
    Joining("hstack", lambda *xs: np.hstack(xs), [S((2, 3), (2, 1)), S((2,), (3,)), S((), ())]),
    Joining("vstack", lambda *xs: np.vstack(xs), [S((2, 3), (1, 3)), S((3,), (3,))]),
    Joining("dstack", lambda *xs: np.dstack(xs), [S((2, 3), (2, 3)), S((3,), (3,))]),
    Joining("column_stack", lambda *xs: np.column_stack(xs), [S((2,), (2, 3)), S((), ())]),
    Op("block_diag", block_diag, [S((2, 3), (1, 2), (2,))], parity=False),
    Op(
        "cartesian_prod",
        lambda a, b: np.stack([g.ravel() for g in np.meshgrid(a, b, indexing="ij")], 1),
        [S((2,), (3,))],
    ),
]

COPIES = [
    Op("Tensor.repeat", lambda x, *n: np.tile(x, n), [S((2, 3), 2, 1), S((3,), 2, 3), S((), 2), S((2,), 0)]),
    Op("tile", lambda x, n: np.tile(x, n), [S((2, 3), [2]), S((2, 3), [2, 1, 2])]),
    Op("repeat_interleave", repeat_interleave, [S((2, 3), 2), S((2, 3), 2, 1), S((), 3)]),
    Op("flip", np.flip, [S((2, 3), [0]), S((2, 3), [0, 1]), S((2, 0), [1]), S((2, 3, 2), [-1])]),
    Op("fliplr", np.fliplr, [S((2, 3))]),
    Op("flipud", np.flipud, [S((2, 3)), S((3,))]),
    Op(
        "rot90",
        lambda x, k=1, dims=(0, 1): np.rot90(x, k, dims),
        [S((2, 3)), S((2, 3), 2), S((2, 3), -1, [1, 0])],
        parity=False,
    ),
    Op("roll", roll, [S((2, 3), 1), S((2, 3), -1, 1), S((3, 4), [1, 2], [0, 1]), S((0, 2), 1, 0), S((4,), 9, 0)]),
    Op("tril", np.tril, [S((3, 4)), S((3, 4), 1), S((2, 3, 3), -1), S((4, 0))]),
    Op("triu", np.triu, [S((3, 4)), S((3, 4), 1), S((2, 3, 3), -1)]),
    Op("diag", np.diag, [S((3,)), S((3,), -1), S((3, 4)), S((3, 4), 1)]),
    Op("diagflat", np.diagflat, [S((2, 2)), S((3,), 1)]),
    Op("diag_embed", diag_embed, [S((2, 3)), S((3,), 1), S((2, 3), -1, 0, 2)]),
    Op("select_scatter", part_replaced(select), [S((3, 4), (4,), 0, 1), S((3, 4), (3,), 1, -1)]),
    Op(
        "slice_scatter",
        part_replaced(slice_of),
        [S((4, 3), (2, 3), 0, 1, 3), S((3, 5), (3, 2), dim=1, start=1, step=2)],
    ),
    Op(
        "diagonal_scatter",
        part_replaced(diagonal_of),
        [S((3, 4), (3,)), S((3, 4), (2,), -1), S((2, 3, 3), (2, 3), 0, 1, 2)],
    ),
]


def in_all_dtypes(op: Op) -> Op:
    """The moving of elements knows no dtype. Views are not written in place, and many have no such form."""
    return replace(op, dtypes=ALL, inplace=op.name in ("tril", "triu"))


OPS = [in_all_dtypes(op) for op in VIEWS + PARTS + JOINS + COPIES]
