"""Scaled dot product attention: the kernel against its definition, and what it promises beyond."""

from __future__ import annotations

import importlib
import itertools

import numpy as np
import pytest
from support import assert_near, refuses

import leafgrad
from leafgrad.nn import functional as F

SIZES = [
    ((2, 3), 5, 7, 8, 8),
    ((3, 2), 128, 128, 32, 32),
    ((1, 2), 70, 600, 20, 24),  # beyond a block of keys, odd sizes
    ((3,), 33, 33, 16, 48),
    ((), 4, 4, 3, 5),
    ((2, 12), 40, 40, 64, 16),  # more heads than backward splits
]


def definition(q, k, v, mask, causal):
    """With the matrix of weights, in operators."""
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if causal:
        scores = scores.masked_fill(~leafgrad.ones(scores.shape[-2:], dtype=leafgrad.bool).tril(), -leafgrad.inf)
    if mask is not None:
        scores = scores + mask if mask.is_floating_point() else scores.masked_fill(~mask, -leafgrad.inf)
    return scores.softmax(-1) @ v


def tensors(sizes, dtype=leafgrad.float64):
    batch, queries, keys, depth, values = sizes
    shapes = ((queries, depth), (keys, depth), (keys, values))
    return [leafgrad.randn(*batch, *shape, dtype=dtype).requires_grad_() for shape in shapes]


@pytest.mark.parametrize("mask", [None, "bool", "float"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_value_and_gradients_are_those_of_the_definition(sizes, causal, mask):
    for dtype, tolerance in ((leafgrad.float64, 1e-11), (leafgrad.float32, 2e-4)):
        inputs = tensors(sizes, dtype)
        given = None
        if mask:
            given = leafgrad.randn(*sizes[0], sizes[1], sizes[2], dtype=dtype)
            if mask == "bool":
                given = given > -1
                given[..., 0] = True  # the definition has no answer for a row without keys
        results = []
        for out in (
            F.scaled_dot_product_attention(*inputs, attn_mask=given, is_causal=causal),
            definition(*inputs, given, causal),
        ):
            results.append([out, *leafgrad.autograd.grad(out.sin().sum(), inputs)])
        for actual, expected in zip(*results, strict=True):
            assert_near(actual, expected, rtol=tolerance, atol=tolerance)


def test_layouts_that_projections_give_are_read_where_they_lie():
    whole = leafgrad.randn(2, 50, 3 * 64, dtype=leafgrad.float64, requires_grad=True)
    by_heads = [x.view(2, 50, 4, 16).transpose(1, 2) for x in whole.split(64, -1)]
    out = F.scaled_dot_product_attention(*by_heads, is_causal=True)
    assert out.stride() == (50 * 64, 16, 64, 1)  # as the query's: back to (batch, steps, heads * size) without a copy
    (gradient,) = leafgrad.autograd.grad(out.square().sum(), whole)
    copies = [x.detach().clone(memory_format=leafgrad.contiguous_format).requires_grad_() for x in by_heads]
    expected = leafgrad.autograd.grad(definition(*copies, None, True).square().sum(), copies)
    joined = leafgrad.cat([g.transpose(1, 2).reshape(2, 50, 64) for g in expected], -1)
    assert_near(gradient, joined, rtol=1e-11, atol=1e-11)


def test_a_query_without_keys_is_zero_and_lets_no_gradient_through():
    q, k, v = tensors(((2,), 4, 6, 8, 8))
    mask = leafgrad.ones(4, 6, dtype=leafgrad.bool)
    mask[2] = False
    numbers = leafgrad.zeros(4, 6, dtype=leafgrad.float64).masked_fill(~mask, -leafgrad.inf)
    for given in (mask, numbers, numbers.clone().requires_grad_()):
        out = F.scaled_dot_product_attention(q, k, v, given)
        assert (out[:, 2] == 0).all() and (out[:, 1] != 0).all()
        dq, dk, dv = leafgrad.autograd.grad(out.sum(), (q, k, v))
        assert (dq[:, 2] == 0).all() and all(g.isfinite().all() for g in (dq, dk, dv))
    assert (F.scaled_dot_product_attention(q, k[:, :0], v[:, :0]) == 0).all()


def test_memory_stays_linear_in_the_number_of_keys():
    q, k, v = (leafgrad.randn(1, 1, 2048, 16).requires_grad_() for _ in range(3))
    leafgrad.autograd.grad(F.scaled_dot_product_attention(q, k, v).sum(), (q, k, v))  # the cache is warm
    before = leafgrad._core._memory_stats()["live_bytes"]
    leafgrad._core._reset_peak()
    leafgrad.autograd.grad(F.scaled_dot_product_attention(q, k, v).sum(), (q, k, v))
    peak = leafgrad._core._memory_stats()["peak_bytes"] - before
    assert peak < 2048 * 2048  # a quarter of the matrix of weights


def test_grouped_heads_share_keys_and_values():
    q = leafgrad.randn(2, 6, 5, 4, dtype=leafgrad.float64, requires_grad=True)
    k, v = (leafgrad.randn(2, 3, 7, 4, dtype=leafgrad.float64, requires_grad=True) for _ in range(2))
    mask = leafgrad.randn(2, 6, 5, 7, dtype=leafgrad.float64) > 0
    mask[..., 0] = True
    out = F.scaled_dot_product_attention(q, k, v, mask, enable_gqa=True)
    expected = definition(q, k.repeat_interleave(2, 1), v.repeat_interleave(2, 1), mask, False)
    assert_near(out, expected, rtol=1e-11, atol=1e-12)
    for a, b in zip(*(leafgrad.autograd.grad(y.cos().sum(), (q, k, v)) for y in (out, expected)), strict=True):
        assert_near(a, b, rtol=1e-10, atol=1e-11)


def test_dropout_zeroes_weights_and_keeps_the_mean():
    q, k = (leafgrad.zeros(1, 1, 1, 4) for _ in range(2))
    v = leafgrad.ones(1, 1, 4000, 1)
    out = F.scaled_dot_product_attention(q, k.expand(1, 1, 4000, 4), v, dropout_p=0.25)
    assert 0.9 < out.item() < 1.1 and out.item() != 1
    assert_near(F.scaled_dot_product_attention(q, k.expand(1, 1, 4000, 4), v, dropout_p=0.0), [[[[1.0]]]])


def test_same_bits_on_any_number_of_threads():
    before = leafgrad.get_num_threads()
    inputs = tensors(((2, 2), 100, 100, 32, 32), leafgrad.float32)
    results = []
    try:
        for threads in (1, 2, 3):
            leafgrad.set_num_threads(threads)
            out = F.scaled_dot_product_attention(*inputs, is_causal=True)
            results.append([out, *leafgrad.autograd.grad(out.sum(), inputs)])
    finally:
        leafgrad.set_num_threads(before)
    for other in results[1:]:
        assert all(leafgrad.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_bad_arguments_are_refused():
    q, k, v = (leafgrad.randn(2, 4, 5, 8) for _ in range(3))
    attend = F.scaled_dot_product_attention
    refuses(
        RuntimeError,
        lambda: attend(q[0, 0, 0], k, v),
        lambda: attend(q, k.double(), v),
        lambda: attend(q.int(), k.int(), v.int()),
        lambda: attend(q, k[..., :3], v),
        lambda: attend(q, k[:, :, :2], v),
        lambda: attend(q[:, :3], k, v),
        lambda: attend(q, k, v, leafgrad.ones(4, 4, dtype=leafgrad.bool)),
        lambda: attend(q, k, v, leafgrad.ones(5, 5, dtype=leafgrad.int64)),
        lambda: attend(q, k, v, dropout_p=1.5),
        lambda: attend(q, k[:, :3], v[:, :3], enable_gqa=True),
    )


@pytest.mark.parity
def test_half_precision_agrees_with_pytorch():
    torch = importlib.import_module("torch")
    arrays = [np.random.default_rng(i).standard_normal((2, 2, 9, 16)).astype(np.float32) for i in range(3)]
    for name, causal in itertools.product(("float16", "bfloat16"), (False, True)):
        ours, theirs = (
            library.nn.functional.scaled_dot_product_attention(
                *(library.tensor(a).to(getattr(library, name)) for a in arrays), is_causal=causal
            )
            for library in (leafgrad, torch)
        )
        assert str(ours.dtype) == str(theirs.dtype)
        assert_near(ours.float(), theirs.float(), rtol=2e-2, atol=2e-2)
