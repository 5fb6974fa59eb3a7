"""Losses."""

from __future__ import annotations

import numpy as np
import scipy.special

from . import FLOATING, Op, S, X


def reduced(loss, reduction, weights=None):
    """None, mean (weighted) or sum."""
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    return loss.sum() / weights.sum() if weights is not None else loss.mean()


def class_axis(x):
    """Where classes are."""
    return 0 if x.ndim == 1 else 1


def nll_loss(x, target, weight=None, ignore_index=-100, reduction="mean"):
    """Minus the log-probability of each target."""
    axis = class_axis(x)
    used = target != ignore_index
    index = np.where(used, target, 0)
    picked = np.take_along_axis(x, np.expand_dims(index, axis), axis).squeeze(axis)
    weights = np.where(used, 1.0 if weight is None else weight[index], 0)
    return reduced(-picked * weights, reduction, weights)


def cross_entropy(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """Of logits, with classes or probabilities as targets."""
    axis = class_axis(x)
    log_p, classes = scipy.special.log_softmax(x, axis), x.shape[axis]
    shape = [classes if d == axis else 1 for d in range(x.ndim)]
    factors = np.ones(shape) if weight is None else weight.reshape(shape)
    if target.shape == x.shape:
        target = target * (1 - label_smoothing) + label_smoothing / classes
        loss = -(log_p * target * factors).sum(axis)
        return loss if reduction == "none" else loss.sum() / (loss.size if reduction == "mean" else 1)
    hard = nll_loss(log_p, target, weight, ignore_index, reduction)
    used = target != ignore_index
    smooth = np.where(used, -(log_p * factors).sum(axis), 0)
    weights = np.where(used, 1.0 if weight is None else weight[np.where(used, target, 0)], 0)
    return (1 - label_smoothing) * hard + label_smoothing / classes * reduced(smooth, reduction, weights)


def mse_loss(x, target, reduction="mean"):
    """Squared difference."""
    return reduced((x - target) ** 2, reduction)


def smooth_l1_loss(x, target, reduction="mean", beta=1.0):
    """Squared near 0, linear beyond beta."""
    d = np.abs(x - target)
    return reduced(np.where(d < beta, d * d / 2 / beta, d - beta / 2), reduction)


def huber_loss(x, target, reduction="mean", delta=1.0):
    """Squared near 0, linear beyond delta."""
    d = np.abs(x - target)
    return reduced(np.where(d <= delta, d * d / 2, delta * (d - delta / 2)), reduction)


def logit_loss(x, target, reduction="mean"):
    """Cross entropy of the logistic function of x."""
    return reduced(np.logaddexp(0, x) - x * target, reduction)


def pairs(**options):
    """Two tensors of one shape, under each reduction."""
    return [S((3, 4), (3, 4), reduction=how, **options) for how in ("mean", "sum", "none")]


def classes(*shape):
    """Targets among three classes, 0 to 2."""
    return X(shape, 0, 2, dtype="int64")


WEIGHT = X((3,), 0.5, 2)
TARGETS = [
    S((5, 3), classes(5)),
    S((5, 3), classes(5), reduction="sum"),
    S((5, 3), classes(5), reduction="none"),
    S((5, 3), classes(5), ignore_index=1),
    S((2, 3, 4), classes(2, 4)),
    S((2, 3, 4), classes(2, 4), reduction="none"),
    S((2, 3, 4, 2), classes(2, 4, 2), reduction="none"),
    S((2, 3, 2, 1, 2), classes(2, 2, 1, 2), ignore_index=0),
    S((3,), classes()),
]
WEIGHTED = [  # a weight of classes is a constant, so these take no part in the derivatives' tests
    S((5, 3), classes(5), WEIGHT),
    S((5, 3), classes(5), WEIGHT, reduction="none"),
    S((5, 3), classes(5), WEIGHT, ignore_index=1),
    S((2, 3, 4, 2), classes(2, 4, 2), WEIGHT, ignore_index=2),
]
SOFT = [
    S((5, 3), X((5, 3), 0, 1)),
    S((5, 3), X((5, 3), 0, 1), WEIGHT, reduction="sum"),
    S((2, 3, 4), X((2, 3, 4), 0, 1), WEIGHT, reduction="none", label_smoothing=0.2),
    S((5, 3), X((5, 3), 0, 1), label_smoothing=0.1),
]
SMOOTH = [
    S((5, 3), classes(5), label_smoothing=0.1),
    S((5, 3), classes(5), label_smoothing=0.1, reduction="sum"),
    S((2, 3, 4), classes(2, 4), label_smoothing=0.3, reduction="none", ignore_index=1),
]
SMOOTH_WEIGHTED = [
    S((5, 3), classes(5), WEIGHT, label_smoothing=0.3, ignore_index=1),
    S((2, 3, 4), classes(2, 4), WEIGHT, label_smoothing=0.3, reduction="none"),
]

OPS = [
    Op("nn.functional.nll_loss", nll_loss, TARGETS, FLOATING),
    Op("nn.functional.nll_loss", nll_loss, WEIGHTED, FLOATING, grad=False),
    Op("nn.functional.cross_entropy", cross_entropy, [*TARGETS, *SOFT, *SMOOTH], FLOATING, rtol=2),
    Op("nn.functional.cross_entropy", cross_entropy, [*WEIGHTED, *SMOOTH_WEIGHTED], FLOATING, grad=False, rtol=2),
    Op("nn.functional.mse_loss", mse_loss, pairs(), FLOATING),
    Op("nn.functional.smooth_l1_loss", smooth_l1_loss, [*pairs(), *pairs(beta=0.5)], FLOATING),
    Op("nn.functional.huber_loss", huber_loss, [*pairs(), *pairs(delta=0.5)], FLOATING),
    Op(
        "nn.functional.binary_cross_entropy_with_logits",
        logit_loss,
        [S((3, 4), X((3, 4), 0, 1), reduction=how) for how in ("mean", "sum", "none")],
        FLOATING,
    ),
]
