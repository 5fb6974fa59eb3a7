"""Normalization by channels: batch, instance, group and local response."""

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


def instance_norm(x, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, eps=1e-5):
    """Moments of each channel of each image."""
    axis = tuple(range(2, x.ndim))
    if use_input_stats:
        return scaled(x, x.mean(axis, keepdims=True), x.var(axis, keepdims=True), weight, bias, eps)
    return scaled(x, channels(running_mean, x.ndim), channels(running_var, x.ndim), weight, bias, eps)


def group_norm(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Moments of groups of channels of each image."""
    groups = x.reshape(x.shape[0], num_groups, -1)
    groups = (groups - groups.mean(2, keepdims=True)) / np.sqrt(groups.var(2, keepdims=True) + eps)
    y = groups.reshape(x.shape)
    y = y if weight is None else y * channels(weight, x.ndim)
    return y if bias is None else y + channels(bias, x.ndim)


def local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0):
    """The definition: the mean of the squares of neighbouring channels, zeros beyond."""
    count = x.shape[1]
    mean = np.stack(
        [(x[:, max(0, c - size // 2) : c + (size - 1) // 2 + 1] ** 2).sum(1) / size for c in range(count)], 1
    )
    return x / (k + alpha * mean) ** beta


OPS = [
    Op(
        "nn.functional.instance_norm",
        instance_norm,
        [
            S((2, 3, 4)),
            S((2, 3, 2, 2), None, None, X((3,), 0.5, 2), (3,)),
            S((2, 2, 1, 3, 2), None, None, None, (2,), eps=0.1),
        ],
        FLOATING,
    ),
    Op(
        "nn.functional.instance_norm",
        instance_norm,
        [S((2, 3, 4), (3,), VAR, use_input_stats=False), S((2, 3, 4), (3,), VAR, X((3,), 0.5, 2), (3,))],
        FLOATING,
        grad=False,
    ),
    Op(
        "nn.functional.group_norm",
        group_norm,
        [
            S((2, 4, 3), 2),
            S((3, 4), 2, X((4,), 0.5, 2), (4,)),
            S((2, 6, 2, 3), 3, X((6,), 0.5, 2)),
            S((2, 3, 5), 1, X((3,), 0.5, 2), (3,), eps=0.1),
            S((1, 4, 2, 2), 4, X((4,), 0.5, 2), (4,)),
        ],
        FLOATING,
    ),
    Op(
        "nn.functional.group_norm",
        group_norm,
        [S((2, 3, 5), 1, None, (3,))],
        FLOATING,
        parity=False,  # PyTorch's backward refuses a bias without a weight
    ),
    Op(
        "nn.functional.local_response_norm",
        local_response_norm,
        [S((2, 5, 3), 3, alpha=0.5), S((2, 5, 2, 2), 2, alpha=0.5, beta=0.5, k=2.0), S((1, 2, 3), 5)],
        FLOATING,
        parity=False,  # PyTorch's node is that of its average pooling
    ),
    Op("nn.functional.batch_norm", batch_norm, DIFFERENTIABLE, FLOATING),
    Op("nn.functional.batch_norm", batch_norm, RUNNING, FLOATING, grad=False),
]
