"""Softmax, log_softmax, layer and RMS normalisation."""

from __future__ import annotations

import numpy as np
import scipy.special

from . import FLOATING, Op, S, X


def soft(function):
    """SciPy's softmax with PyTorch's arguments."""

    def call(x, dim):
        return function(x, axis=dim) if x.ndim else function(x)

    return call


def layer_norm(x, shape, weight=None, bias=None, eps=1e-5):
    """The definition, in NumPy."""
    axis = tuple(range(-len(shape), 0))
    y = (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def rms_norm(x, shape, weight=None, eps=None):
    """The definition, in NumPy; the default eps is negligible here."""
    axis = tuple(range(-len(shape), 0))
    y = x / np.sqrt((x * x).mean(axis, keepdims=True) + (eps or 0))
    return y if weight is None else y * weight


SAMPLES = [S((3, 4), dim=1), S((3, 4), dim=0), S((2, 3, 40), dim=-1), S((2, 5, 70), dim=1), S((), dim=0)]

OPS = [
    Op("softmax", soft(scipy.special.softmax), SAMPLES, FLOATING),
    Op("log_softmax", soft(scipy.special.log_softmax), SAMPLES, FLOATING),
    Op(
        "nn.functional.layer_norm",
        layer_norm,
        [
            S((3, 4), [4]),
            S((3, 4), [4], X((4,), 0.5, 2), (4,)),
            S((2, 3, 40), [3, 40], (3, 40)),
            S((2, 3, 20), [20], None, (20,), eps=0.1),
        ],
        FLOATING,
    ),
    Op(
        "nn.functional.rms_norm",
        rms_norm,
        [
            S((3, 4), [4]),
            S((3, 4), [4], X((4,), 0.5, 2)),
            S((2, 3, 40), [3, 40], (3, 40), eps=1e-5),
            S((5, 37), [37], X((37,), 0.5, 2), eps=0.1),
        ],
        FLOATING,
    ),
]
