"""Reading and writing at indices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from . import ALL, INEXACT, INTEGRAL, REAL, Op, S, Sample, X

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Indexing(Op):
    """`x[key]`, the parts of the key given one by one."""

    def function(self, library: Any) -> Callable[..., Any]:
        """With the parts as positional arguments, since index tensors are among them."""
        return lambda x, *key: x[key]


@dataclass(frozen=True)
class Putting(Op):
    """`index_put(x, indices, values)`, called with x, values and then the indices."""

    def function(self, library: Any) -> Callable[..., Any]:
        """With the indices as positional arguments."""
        return lambda x, values, *key, **kwargs: library.index_put(x, key, values, **kwargs)


def AT(*shape, below=2):
    """An index tensor: numbers from 0, below a size."""
    return X(shape, 0, below - 1, "int64")


def M(*shape):
    """A mask."""
    return X(shape, dtype="bool")


def lines(x, dim, index):
    """Every position of `index` as a full index of x: its own coordinates, but along dim what it says."""
    where = list(np.indices(index.shape))
    if x.ndim:
        where[dim] = index
    return tuple(where)


def getitem(x, *key):
    """NumPy's, but integers come first, as in PyTorch: they are no index arrays."""
    if not any(isinstance(part, np.ndarray | list) for part in key):
        return x[key]
    whole = slice(None)
    view = x[tuple(whole if isinstance(part, np.ndarray | list) else part for part in key)]
    rest = [part for part in key if isinstance(part, bool) or not isinstance(part, int)]
    return view[tuple(whole if part is None or isinstance(part, slice) else part for part in rest)]


def gather(x, dim, index):
    """x at those places."""
    return x[lines(x, dim, index)]


def scatter(x, dim, index, src, reduce=None):
    """One write after another, so that the last wins."""
    y, dim = x.copy(), dim % x.ndim
    for k in np.ndindex(index.shape):
        to = (*k[:dim], index[k], *k[dim + 1 :])
        value = src[k] if isinstance(src, np.ndarray) else src
        y[to] = value if reduce is None else y[to] + value if reduce == "add" else y[to] * value
    return y


def scatter_add(x, dim, index, src):
    """Sums."""
    y = x.copy()
    np.add.at(y, lines(x, dim, index), src[tuple(slice(n) for n in index.shape)])
    return y


def scatter_reduce(x, dim, index, src, reduce, include_self=True):
    """All the values for each place, then one reduction."""
    groups, dim = {}, dim % x.ndim
    for k in np.ndindex(index.shape):
        groups.setdefault((*k[:dim], index[k], *k[dim + 1 :]), []).append(src[k])
    y = x.copy()
    ways = {"sum": np.sum, "prod": np.prod, "mean": np.mean, "amax": np.max, "amin": np.min}
    for place, values in groups.items():
        values = np.array(([x[place]] if include_self else []) + values)
        integers = reduce == "mean" and values.dtype.kind in "iu"
        y[place] = values.sum(dtype=x.dtype) // len(values) if integers else ways[reduce](values)
    return y


def index_add(x, dim, index, source, alpha=1):
    """np.add.at along dim."""
    y = np.moveaxis(x.copy(), dim, 0)
    np.add.at(y, index, np.moveaxis(source, dim, 0) * np.asarray(alpha).astype(x.dtype))
    return np.moveaxis(y, 0, dim)


def index_copy(x, dim, index, source):
    """Slices replaced."""
    y = x.copy()
    y[(slice(None),) * dim + (index,)] = source
    return y


def put(x, index, source, accumulate=False):
    """Flat positions."""
    y = x.copy().reshape(-1)
    if accumulate:
        np.add.at(y, index, source)
    else:
        y[index] = source
    return y.reshape(x.shape)


def index_put(x, values, *key, accumulate=False):
    """x[key] = values, or +=."""
    y = x.copy()
    if accumulate:
        np.add.at(y, key, values)
    else:
        y[key] = values
    return y


def masked_scatter(x, mask, source):
    """np.place knows repetition; here the source is long enough."""
    y = np.broadcast_to(x, np.broadcast_shapes(x.shape, mask.shape)).copy()
    mask = np.broadcast_to(mask, y.shape)
    y[mask] = source.reshape(-1)[: mask.sum()]
    return y


def masked_select(x, mask):
    """Both broadcast."""
    x, mask = np.broadcast_arrays(x, mask)
    return x[mask]


def take_along_dim(x, index, dim=None):
    """NumPy's, which broadcasts and counts from the end as well."""
    return np.take_along_axis(x, index, dim)


FIXED = X((2,), 1, 1, "int64")  # [1, 1]: places told apart by nothing but order
KEYS = [  # Ellipsis, slices, numbers, arrays
    S((3, 4), 1),
    S((3, 4), -1, 2),
    S((3, 4), slice(1, None)),
    S((5, 4), slice(None, None, 2), slice(-3, 9)),
    S((3, 4), None, Ellipsis, None, 0),
    S((3, 4), Ellipsis),
    S((), None),
    S((3, 4), True),
    S((3, 4), AT(2, below=3)),
    S((3, 4), X((2,), -3, 2, "int64"), AT(2, 2, below=4)),
    S((2, 3, 4), slice(None), AT(2, below=3)),
    S((2, 3, 4), AT(2), slice(None), AT(2)),
    S((2, 3, 4), slice(None), AT(3, below=3), AT(3, below=4)),
    S((2, 3, 4), 1, slice(None), AT(2)),
    S((2, 3, 4), None, AT(2), Ellipsis, 0),
    S((3, 4), AT(0)),
    S((3, 4), X((2,), 0, 2, "int32")),
    Sample((X((3, 4)), [0, 2])),
    Sample((X((3, 4)), [True, False, True])),
]
MASKS = [
    S((3, 4), M(3, 4)),
    S((3, 4), M(3)),
    S((2, 3, 4), slice(None), M(3), 1),
    S((2, 3, 4), slice(None), M(3, 4)),
    S((2, 3), M(2), None),
]
ROWS = (3, 4)

READS = [
    Indexing("Tensor.__getitem__", getitem, KEYS + MASKS),
    Op(
        "gather",
        gather,
        [
            S(ROWS, 0, AT(2, 4, below=3)),
            S(ROWS, 1, AT(3, 6, below=4)),
            S(ROWS, -1, AT(2, 1, below=4)),
            S((3,), 0, AT(5, below=3)),
            S((), 0, X((), 0, 0, "int64")),
            S(ROWS, 0, AT(0, 4)),
        ],
    ),
    Op(
        "take_along_dim",
        take_along_dim,
        [S(ROWS, X((2, 4), -3, 2, "int64"), 0), S(ROWS, AT(3, 1), 1), S(ROWS, AT(5, below=12))],
    ),
    Op(
        "index_select",
        lambda x, dim, i: np.take(x, i, dim),
        [
            S(ROWS, 0, AT(5, below=3)),
            S(ROWS, -1, AT(2, below=4)),
            S((2, 3, 4), 1, X((2,), 0, 2, "int32")),
            S(ROWS, 0, AT(0)),
        ],
    ),
    Op("take", np.take, [S(ROWS, X((2, 3), -12, 11, "int64")), S((4,), X((), 0, 3, "int64")), S(ROWS, AT(0))]),
    Op("masked_select", masked_select, [S(ROWS, M(3, 4)), S(ROWS, M(4)), S((4,), M(3, 4)), S((), M(3))]),
]

WRITES = [
    Putting(
        "index_put",
        index_put,
        [
            S(ROWS, (4,), X((1,), 1, 1, "int64")),
            S(ROWS, (2,), AT(2, below=3), FIXED, accumulate=True),
            S(ROWS, (), M(3, 4)),
            S(ROWS, (), M(3)),
            S(ROWS, (1, 4), AT(3, below=3), accumulate=True),
        ],
        inplace=False,  # there the arguments come in another order
    ),
    Op(  # no place twice: PyTorch gives the gradient of the last value to all that were written there
        "scatter",
        scatter,
        [
            S(ROWS, 0, AT(1, 4, below=3), (1, 4)),
            S(ROWS, 1, AT(3, 1, below=4), (3, 1)),
            S(ROWS, 0, AT(2, 2), 3),
            S((3,), -1, AT(1, below=3), (1,)),
            S(ROWS, 0, AT(0, 4), (0, 4)),
        ],
    ),
    Op(
        "scatter_add",
        scatter_add,
        [
            S(ROWS, 0, AT(2, 4, below=3), (2, 4)),
            S(ROWS, 1, AT(3, 2, below=4), (3, 2)),
            S((3,), 0, AT(5, below=3), (5,)),
        ],
    ),
    Op(
        "index_copy",
        index_copy,
        [S(ROWS, 0, X((1,), 2, 2, "int64"), (1, 4)), S(ROWS, 1, X((1,), 0, 3, "int64"), (3, 1))],
    ),
    Op(
        "index_fill",
        index_copy,
        [S(ROWS, 0, AT(2, below=3), 2), S(ROWS, 1, X((1,), 0, 3, "int64"), ()), S((4,), 0, AT(0), 1)],
    ),
    Op("put", put, [S(ROWS, X((1, 1), 5, 5, "int64"), (1, 1)), S(ROWS, X((4,), -12, 11, "int64"), (4,), True)]),
    Op("masked_scatter", masked_scatter, [S(ROWS, M(3, 4), (15,)), S(ROWS, M(4), (3, 5)), S((4,), M(3, 4), (12,))]),
]

ADDS = [
    Op(
        "index_add",
        index_add,
        [
            S(ROWS, 0, AT(5, below=3), (5, 4)),
            S(ROWS, 1, AT(3, below=4), (3, 3), alpha=2),
            S((2, 3, 2), 1, AT(4, below=3), (2, 4, 2)),
        ],
    ),
]

# Reductions of values that are all different, so that a maximum has a derivative.
REDUCED = [
    S(X((3, 4), 0.5, 2), 0, AT(4, 4, below=3), X((4, 4), 0.5, 2), reduce, include_self=own)
    for reduce in ("sum", "prod", "mean", "amax", "amin")
    for own in (True, False)
] + [S(ROWS, 1, AT(2, 3, below=4), (2, 3), "amax"), S((3,), -1, AT(6, below=3), (6,), "mean")]


def each(dtypes, *ops):
    """The ops with these dtypes."""
    return [replace(op, dtypes=dtypes) for op in ops]


OPS = each(ALL, *READS, *WRITES) + each((*INEXACT, *INTEGRAL), *ADDS)
OPS += [
    Op(
        "scatter_reduce",
        scatter_reduce,
        REDUCED[:2] + REDUCED[4:6] + REDUCED[-1:],
        (*REAL, "complex64", "complex128"),
        complex_grad=False,
        rtol=4,
    ),
    Op("scatter_reduce", scatter_reduce, REDUCED[2:4] + REDUCED[6:-1], REAL, rtol=4),
    Op("nonzero", lambda x: np.stack(np.nonzero(x), -1), [S(ROWS), S((0, 2))], ALL, grad=False),
    Op("argwhere", np.argwhere, [S(ROWS), S(())], ALL, grad=False),
]
