"""Sorting and selection."""

from __future__ import annotations

import numpy as np

from . import ALL, FLOATING, INTEGRAL, REAL, Op, S, X

ORDERED = (*REAL, "bool")


def sort(x, dim=-1, descending=False, stable=True):
    """Stable, both ways, with indices."""
    if x.ndim == 0:
        return x, np.zeros((), np.int64)
    key = x.astype(np.int64) if x.dtype.kind in "biu" else x
    indices = np.argsort(-key if descending else key, axis=dim, kind="stable")
    return np.take_along_axis(x, indices, dim), indices


def topk(x, k, dim=-1, largest=True, sorted=True):
    """The first k of a sort."""
    values, indices = sort(x, dim, largest)
    return tuple(np.take(a, range(k), dim) if x.ndim else a for a in (values, indices))


def picked(x, place, dim, keepdim):
    """Value and index of one place in the sorted order."""
    values, indices = sort(np.atleast_1d(x), dim)
    result = tuple(np.take(a, [place] if keepdim else place, dim) for a in (values, indices))
    return result if x.ndim else tuple(a.reshape(()) for a in result)


def kthvalue(x, k, dim=-1, keepdim=False):
    """The k-th least, from 1."""
    return picked(x, k - 1, dim, keepdim)


def median(x, dim=None, keepdim=False):
    """The lower of two middles."""
    if dim is None:
        return np.sort(x, axis=None)[(x.size - 1) // 2]
    return picked(x, ((x.shape[dim] if x.ndim else 1) - 1) // 2, dim, keepdim)


def searchsorted(sequence, values, right=False, side=None):
    """NumPy's, for one line."""
    return np.searchsorted(sequence, values, side or ("right" if right else "left"))


SAMPLES = [  # PyTorch orders equals by chance unless `stable`; long samples have some
    S((3, 4)),
    S((3, 4), dim=0),
    S((3, 4), stable=True, dim=0),
    S((2, 300, 3), dim=1, descending=True, stable=True),
    S((400,), descending=True, stable=True),
    S(()),
]
DISTINCT = [S((3, 4), dim=1), S((2, 5, 3), dim=-2, keepdim=True), S((7,), dim=0), S((), dim=0)]
RISING = X((1,), 0.5, 0.5)

OPS = [
    Op("sort", sort, SAMPLES, ORDERED),
    Op("argsort", lambda *a, **k: sort(*a, **k)[1], SAMPLES, ORDERED, grad=False),
    Op("msort", lambda x: np.sort(x, axis=0), [S((3, 4)), S((5,))], ORDERED),
    Op("topk", topk, [S((3, 4), 2), S((3, 4), 2, 0), S((3, 4), 3, 1, False), S((7,), 7), S((), 1)], FLOATING),
    Op("kthvalue", kthvalue, [S((3, 4), 2), S((3, 4), 3, 0, True), S((), 1)], FLOATING),
    Op("median", median, [S((3, 4)), S((5,)), S(()), *DISTINCT], FLOATING),
    Op("nanmedian", median, [S((3, 4)), S((5,)), S(()), *DISTINCT], FLOATING),
    Op("mode", None, DISTINCT, (*FLOATING, *INTEGRAL)),
    Op("unique", np.unique, [S((3, 4)), S(())], ALL[:-3], grad=False),
    Op("searchsorted", searchsorted, [S(RISING, (3, 4)), S(RISING, (3,), right=True)], REAL, grad=False),
    Op("bucketize", lambda x, b, right=False: searchsorted(b, x, right), [S((3, 4), RISING)], REAL, grad=False),
]
