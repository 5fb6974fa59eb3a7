"""Batch and instance normalization."""

from __future__ import annotations

import numpy as np

from . import FLOATING, Op, S, X


def channels(v, ndim):
    """One number a channel, to broadcast against the whole."""
    return np.reshape(v, [1, -1] + [1] * (ndim - 2))


def scaled(x, mean, var, weight, bias, eps):
    """The definition, in NumPy."""
    y = (x - mean) / np.sqrt(var + eps)
    y = y if weight is None else y * channels(weight, x.ndim)
    return y if bias is None else y + channels(bias, x.ndim)


def batch_norm(x, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """Moments of all but the channels."""
    axis = (0, *range(2, x.ndim))
    if training:
        return scaled(x, x.mean(axis, keepdims=True), x.var(axis, keepdims=True), weight, bias, eps)
    return scaled(x, channels(running_mean, x.ndim), channels(running_var, x.ndim), weight, bias, eps)


# The running moments are constants, which a test of derivatives would ask to require grad: without in those.
DIFFERENTIABLE = [
    S((5, 3), None, None, training=True),
    S((5, 3), None, None, X((3,), 0.5, 2), (3,), training=True),
    S((2, 3, 4), None, None, X((3,), 0.5, 2), (3,), training=True),
    S((2, 2, 3, 3), None, None, X((2,), 0.5, 2), training=True, eps=0.1),
    S((2, 2, 2, 1, 3), None, None, None, (2,), training=True),
    S((20, 2, 3), None, None, training=True),
]
VAR = X((3,), 0.5, 2)
RUNNING = [
    S((5, 3), (3,), VAR, training=True),
    S((4, 3, 35), (3,), VAR, X((3,), 0.5, 2), (3,), training=True),
    S((5, 3), (3,), VAR),
    S((2, 3, 4), (3,), VAR, X((3,), 0.5, 2), (3,)),
    S((2, 3, 4, 2), (3,), VAR, None, (3,), eps=0.1),
]

OPS = [
    Op("nn.functional.batch_norm", batch_norm, DIFFERENTIABLE, FLOATING),
    Op("nn.functional.batch_norm", batch_norm, RUNNING, FLOATING, grad=False),
]
