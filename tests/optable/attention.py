"""Attention."""

from __future__ import annotations

import numpy as np
import scipy.special

from . import FLOATING, Op, S, X


def attention(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None):
    """The definition, in NumPy; a query that sees no key gives zeros."""
    scores = q @ np.swapaxes(k, -2, -1) * (1 / np.sqrt(q.shape[-1]) if scale is None else scale)
    if is_causal:
        scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -np.inf)
    if attn_mask is not None:
        scores = np.where(attn_mask, scores, -np.inf) if attn_mask.dtype == bool else scores + attn_mask
    with np.errstate(all="ignore"):
        return np.nan_to_num(scipy.special.softmax(scores, -1), nan=0) @ v


OPS = [
    Op(
        "nn.functional.scaled_dot_product_attention",
        attention,
        [
            S((2, 3, 5, 4), (2, 3, 6, 4), (2, 3, 6, 4)),
            S((2, 3, 5, 4), (2, 3, 6, 4), (2, 3, 6, 4), is_causal=True),
            S((1, 2, 5, 4), (1, 2, 6, 4), (1, 2, 6, 4), X((5, 6), dtype="bool")),
            S((1, 2, 9, 16), (1, 2, 11, 16), (1, 2, 11, 16), X((1, 1, 1, 11), dtype="bool"), scale=0.3),
        ],
        FLOATING,
        rtol=4,
    ),
    Op(
        "nn.functional.scaled_dot_product_attention",
        attention,
        [
            S((5, 4), (6, 4), (6, 3)),
            S((2, 5, 4), (1, 6, 4), (2, 6, 3)),
            S((1, 2, 5, 4), (1, 2, 6, 4), (1, 2, 6, 4), (2, 1, 6)),  # the mask has a gradient too
        ],
        FLOATING,
        parity=False,  # PyTorch composes these, so that its last node is another
        rtol=4,
    ),
]
