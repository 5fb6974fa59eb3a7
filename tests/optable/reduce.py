"""Reductions, moments, norms and scans."""

from __future__ import annotations

import numpy as np
import scipy.special

from . import ALL, FLOATING, INEXACT, INTEGRAL, NUMBERS, REAL, Op, S, X

WHOLE = [S((3, 4)), S(()), S((2, 3, 5))]
ALONG = [S((3, 4), dim=1), S((3, 4), dim=0, keepdim=True), S((2, 3, 5), dim=-2), S((4,), dim=0), S((), dim=0)]
DIMS = [*ALONG, S((2, 3, 5), dim=(0, 2)), S((2, 3, 5), dim=(1, -1), keepdim=True), S((3, 4), dim=())]
ORDERED = (*REAL, "bool")


def axes(x, dim):
    """PyTorch's `dim` as NumPy's axis: a 0-dim tensor has dimension 0, and an empty tuple means all."""
    if x.ndim == 0 or dim is None or dim == ():
        return None
    return dim


def reduced(function, **fixed):
    """A NumPy reduction with PyTorch's arguments."""

    def call(x, dim=None, keepdim=False, dtype=None):
        x = np.asarray(x if dtype is None else x.astype(dtype.__str__().split(".")[-1]))
        return function(x, axis=axes(x, dim), keepdims=keepdim, **fixed)

    return call


def with_index(values, index):
    """max and min: values and indices along one dimension, the value alone without."""

    def call(x, dim=None, keepdim=False):
        if dim is None:
            return values(x)
        x1 = np.atleast_1d(x)
        picked = values(x1, axis=dim, keepdims=keepdim), index(x1, axis=dim, keepdims=keepdim)
        return picked if x.ndim else tuple(np.reshape(p, ()) for p in picked)

    return call


def arg(function):
    """argmax and argmin."""

    def call(x, dim=None, keepdim=False):
        return function(x, axis=axes(x, dim), keepdims=keepdim)

    return call


def moments(function):
    """var and std with PyTorch's `unbiased` and `correction`."""

    def call(x, dim=None, unbiased=True, keepdim=False, correction=None):
        ddof = correction if correction is not None else int(unbiased)
        return function(x, axis=axes(x, dim), ddof=ddof, keepdims=keepdim)

    return call


def with_mean(function):
    """var_mean and std_mean."""
    first = moments(function)

    def call(x, dim=None, unbiased=True, keepdim=False, correction=None):
        return first(x, dim, unbiased, keepdim, correction), np.mean(x, axis=axes(x, dim), keepdims=keepdim)

    return call


def p_norm(x, p="fro", dim=None, keepdim=False):
    """(sum |x|**p)**(1/p), with its limits."""
    size, axis = np.abs(x), axes(x, dim)
    p = 2 if p == "fro" else p
    if p == 0:
        return np.sum(size != 0, axis=axis, keepdims=keepdim).astype(size.dtype)
    if np.isinf(p):
        return (np.max if p > 0 else np.min)(size, axis=axis, keepdims=keepdim)
    return np.sum(size**p, axis=axis, keepdims=keepdim) ** (1 / p)


def scan(function):
    """A NumPy scan; a 0-dim tensor is its own."""

    def call(x, dim):
        return function(x, axis=dim) if x.ndim else np.asarray(function(x, axis=None)).reshape(())

    return call


def running(extreme):
    """cummax and cummin: the index of the last of equals."""

    def call(x, dim):
        values = extreme.accumulate(np.atleast_1d(x), axis=dim)
        indices = np.zeros(values.shape, np.int64)
        moved, at = np.moveaxis(np.atleast_1d(x), dim, 0), np.moveaxis(indices, dim, 0)
        best = np.moveaxis(values, dim, 0)
        for i in range(moved.shape[0]):
            hit = moved[i] == best[i]
            at[i] = np.where(hit, i, at[i - 1] if i else 0)
        return values.reshape(x.shape), indices.reshape(x.shape)

    return call


MOMENTS = [
    S((3, 4)),
    S((3, 4), dim=1),
    S((2, 3, 5), dim=(0, 2), keepdim=True),
    S((3, 4), dim=0, unbiased=False),
    S((3, 4), dim=-1, correction=0),
    S((3, 4), unbiased=False),
    S((2, 3, 5), dim=1, correction=2),
]
PRODUCTS = [
    S(X((3, 4), 0.5, 2)),
    S(X((3, 4), 0.5, 2), dim=1),
    S(X((2, 3, 4), 0.5, 2), dim=-2, keepdim=True),
    S(X((), 0.5, 2)),
]
SCANS = [S((3, 4), dim=1), S((3, 4), dim=0), S((2, 3, 5), dim=-2), S((), dim=0)]
NORMS = [
    S((3, 4)),
    S((3, 4), p=1, dim=1),
    S((3, 4), p=3, dim=0, keepdim=True),
    S((2, 3, 4), p=1.5, dim=(0, 2)),
    S((3, 4), p=float("inf"), dim=1),
    S((3, 4), p=float("-inf")),
    S((3, 4), p=0, dim=1),
    S(X((3, 4), 0.5, 2), p=-2, dim=1),
]

OPS = [
    Op("sum", reduced(np.sum), [*WHOLE, *DIMS], ALL),
    Op("mean", reduced(np.mean), [*WHOLE, *DIMS], INEXACT),
    Op("nansum", reduced(np.nansum), [*WHOLE, *DIMS], FLOATING + INTEGRAL),
    Op("nanmean", reduced(np.nanmean), [*WHOLE, *DIMS], FLOATING),
    Op("prod", reduced(np.prod), PRODUCTS, NUMBERS),
    Op("count_nonzero", reduced(np.count_nonzero), [S((3, 4)), S((2, 3, 5), dim=1)], ALL, grad=False),
    Op("amax", reduced(np.max), DIMS, ORDERED),
    Op("amin", reduced(np.min), DIMS, ORDERED),
    Op("max", with_index(np.max, np.argmax), [*WHOLE, *ALONG], ORDERED),
    Op("min", with_index(np.min, np.argmin), [*WHOLE, *ALONG], ORDERED),
    Op(
        "aminmax",
        lambda x, dim=None, keepdim=False: (reduced(np.min)(x, dim, keepdim), reduced(np.max)(x, dim, keepdim)),
        [S((3, 4)), S((3, 4), dim=1), S((2, 3, 5), dim=-2, keepdim=True)],
        ORDERED,
    ),
    Op("argmax", arg(np.argmax), [*WHOLE, *ALONG, S((3, 4), keepdim=True)], REAL, grad=False),
    Op("argmin", arg(np.argmin), [*WHOLE, *ALONG, S((3, 4), keepdim=True)], REAL, grad=False),
    Op("any", reduced(np.any), [*WHOLE, *ALONG, S((2, 3, 5), dim=(0, 2))], ALL, grad=False),
    Op("all", reduced(np.all), [*WHOLE, *ALONG, S((2, 3, 5), dim=(0, 2))], ALL, grad=False),
    Op("var", moments(np.var), MOMENTS, INEXACT),
    Op("std", moments(np.std), MOMENTS, INEXACT),
    Op("var_mean", with_mean(np.var), MOMENTS, INEXACT),
    Op("std_mean", with_mean(np.std), MOMENTS, INEXACT),
    Op("norm", p_norm, NORMS, INEXACT),
    Op(
        "logsumexp",
        lambda x, dim, keepdim=False: scipy.special.logsumexp(x, axis=axes(x, dim), keepdims=keepdim),
        DIMS,
        FLOATING,
    ),
    Op("cumsum", scan(np.cumsum), SCANS, ALL, inplace=True),
    Op("cumprod", scan(np.cumprod), SCANS, ALL, inplace=True),
    Op("logcumsumexp", scan(np.logaddexp.accumulate), SCANS[:3], FLOATING),
    Op("cummax", running(np.maximum), SCANS, (*REAL, "bool")),
    Op("cummin", running(np.minimum), SCANS, (*REAL, "bool")),
]
