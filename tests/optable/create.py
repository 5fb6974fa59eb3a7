"""Tensors in the likeness of others.  What is made from nothing is tested in test_create.py."""

from __future__ import annotations

import numpy as np

from . import ALL, Op, S

LIKE = dict(dtypes=ALL, grad=False)

OPS = [
    Op("zeros_like", ref=np.zeros_like, samples=[S((2, 3)), S(())], **LIKE),
    Op("ones_like", ref=np.ones_like, samples=[S((2, 3))], **LIKE),
    Op("full_like", ref=np.full_like, samples=[S((2, 3), 1)], **LIKE),
    Op("Tensor.new_zeros", ref=lambda x, size: np.zeros(size, x.dtype), samples=[S((2,), [3, 4])], **LIKE),
    Op("Tensor.new_ones", ref=lambda x, size: np.ones(size, x.dtype), samples=[S((2,), [3, 4])], **LIKE),
    Op("Tensor.new_full", ref=lambda x, size, v: np.full(size, v, x.dtype), samples=[S((2,), [3, 4], 1)], **LIKE),
    Op(
        "complex",
        ref=lambda a, b: a + 1j * b,
        samples=[S((2, 3), (2, 3)), S((2, 1), (3,))],
        dtypes=("float32", "float64"),
    ),
]
