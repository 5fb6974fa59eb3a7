"""Matrix products of every rank, the add* family and linear."""

from __future__ import annotations

import numpy as np

from . import COMPLEX, FLOATING, INTEGRAL, Op, S, X

PRODUCTS = (*FLOATING, *INTEGRAL, *COMPLEX)


def outer(a, b):
    """np.outer without its promotion to double."""
    return a[:, None] * b


def matmul(a, b):
    """np.matmul on what we also take."""
    return np.matmul(a, b)


def add_product(product):
    """beta input + alpha product(a, b), as the add* family computes it."""

    def reference(input, a, b, beta=1, alpha=1):
        kept = beta * input if beta else np.zeros_like(input)
        return kept + alpha * product(a, b)

    return reference


def linear(x, weight, bias=None):
    """x @ weight.T + bias."""
    y = x @ weight.T
    return y if bias is None else y + bias


SCALES = [{}, {"beta": 2, "alpha": 3}, {"beta": 0, "alpha": 2}]


def scaled(*shapes):
    """Each scale of the add* family on tensors of these shapes."""
    return [S(*shapes, **scales) for scales in SCALES]


OPS = [
    Op(
        "matmul",
        ref=matmul,
        dtypes=PRODUCTS,
        samples=[
            S((3,), (3,)),
            S((2, 3), (3,)),
            S((3,), (3, 4)),
            S((2, 3), (3, 4)),
            S((5, 2, 3), (3,)),
            S((5, 2, 3), (3, 4)),
            S((5, 2, 3), (5, 3, 4)),
            S((3,), (5, 3, 4)),
            S((6, 5, 2, 3), (5, 3, 4)),
            S((6, 1, 2, 3), (5, 3, 4)),
            S((0, 3), (3, 4)),
            S((2, 0), (0, 4)),
            S((0, 2, 3), (3, 4)),
        ],
        rtol=4,
    ),
    Op("mm", ref=np.matmul, dtypes=PRODUCTS, samples=[S((2, 3), (3, 4)), S((17, 9), (9, 21))], rtol=4),
    Op("bmm", ref=np.matmul, dtypes=PRODUCTS, samples=[S((2, 3, 4), (2, 4, 5))], rtol=4),
    Op("mv", ref=np.matmul, dtypes=PRODUCTS, samples=[S((2, 3), (3,))], rtol=4),
    Op("dot", ref=np.dot, dtypes=PRODUCTS, samples=[S((4,), (4,)), S((0,), (0,))], rtol=4),
    Op("vdot", ref=np.vdot, dtypes=PRODUCTS, samples=[S((4,), (4,))], rtol=4),
    Op("inner", ref=np.inner, dtypes=PRODUCTS, samples=[S((2, 3), (4, 3)), S((), (3,))], rtol=4),
    Op("outer", ref=outer, dtypes=PRODUCTS, samples=[S((3,), (4,))]),
    Op("addmm", ref=add_product(np.matmul), dtypes=PRODUCTS, samples=scaled((4,), (2, 3), (3, 4)), rtol=6),
    Op("addmv", ref=add_product(np.matmul), dtypes=PRODUCTS, samples=scaled((2,), (2, 3), (3,)), rtol=6),
    Op("addr", ref=add_product(outer), dtypes=PRODUCTS, samples=scaled((3, 4), (3,), (4,)), rtol=6),
    Op("baddbmm", ref=add_product(np.matmul), dtypes=PRODUCTS, samples=scaled((2, 1, 5), (2, 3, 4), (2, 4, 5)), rtol=6),
    Op(
        "addbmm",
        ref=add_product(lambda a, b: np.matmul(a, b).sum(0)),
        dtypes=PRODUCTS,
        samples=scaled((3, 5), (2, 3, 4), (2, 4, 5)),
        rtol=6,
    ),
    Op(
        "nn.functional.linear",
        ref=linear,
        dtypes=PRODUCTS,
        samples=[
            S((5, 3), (4, 3), (4,)),
            S((5, 3), (4, 3)),
            S((2, 5, 3), (4, 3), (4,)),
            S((2, 5, 3), (4, 3)),
            S((3,), (4, 3), (4,)),
        ],
        rtol=6,
    ),
    Op(
        "einsum",
        ref=np.einsum,
        dtypes=PRODUCTS,
        samples=[
            S("ij,jk->ik", X((2, 3)), X((3, 4))),
            S("ii->i", X((3, 3))),
            S("bij,bjk->bik", X((5, 2, 3)), X((5, 3, 4))),
            S("...ij,jk->...ik", X((5, 2, 3)), X((3, 4))),
            S("ij,ij->i", X((2, 3)), X((2, 3))),
            S("ijk,jl,kl->i", X((2, 3, 4)), X((3, 5)), X((4, 5))),
            S("iji->j", X((3, 2, 3))),
            S("bn,anm,bm->ba", X((2, 3)), X((5, 3, 4)), X((2, 4))),
        ],
        parity=False,  # PyTorch's last node is whatever its path ends with
        rtol=10,
    ),
]
