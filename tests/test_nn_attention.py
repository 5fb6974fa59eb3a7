"""MultiheadAttention and the Transformer: PyTorch's numbers, names and errors."""

from __future__ import annotations

import importlib
import itertools
import warnings

import numpy as np
import pytest
from support import assert_near, refuses

import leafgrad
from leafgrad import nn


def both(make):
    """The module in PyTorch and here, from the same seed; names and parameters must agree."""
    torch = importlib.import_module("torch")
    modules = []
    for library in (torch, leafgrad):
        library.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's, about nested tensors
            modules.append(make(library))
    theirs, ours = modules
    assert repr(ours) == repr(theirs) and list(ours.state_dict()) == list(theirs.state_dict())
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert np.array_equal(a.detach().numpy(), b.detach().numpy())
    return (torch, theirs), (leafgrad, ours)


def assert_same(pairs, arrays, call):
    """Same results, and same gradients of inputs and parameters, of a sum over the results' sines."""
    answers = []
    for library, module in pairs:
        inputs = [library.tensor(a, requires_grad=True) for a in arrays]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's, about masks of two kinds
            results = call(library, module, *inputs)
        results[0].sin().sum().backward()
        answers.append([*results, *(x.grad for x in inputs), *(p.grad for p in module.parameters())])
    for theirs, ours in zip(*answers, strict=True):
        assert (theirs is None) == (ours is None)
        if ours is not None:
            assert tuple(ours.shape) == tuple(theirs.shape)
            np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-3, atol=2e-5)


OPTIONS = [
    {},
    {"bias": False},
    {"add_bias_kv": True, "add_zero_attn": True},
    {"kdim": 6, "batch_first": True},
    {"batch_first": True, "add_zero_attn": True},
]


@pytest.mark.parity
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_multihead_attention_is_pytorch_s(options):
    pairs = both(lambda library: library.nn.MultiheadAttention(8, 2, **options))
    random = np.random.default_rng(0)
    hidden = np.triu(np.ones((5, 5), bool), 1)
    late = np.zeros((3, 5), bool)
    late[1, 3:] = True
    masks = (None, hidden, random.standard_normal((6, 5, 5)).astype(np.float32))
    for mask, padding, shown in itertools.product(masks, (None, late), (True, False)):
        shapes = [(5, 3, 8), (5, 3, options.get("kdim", 8)), (5, 3, 8)]
        if options.get("batch_first"):
            shapes = [(b, n, d) for n, b, d in shapes]
        arrays = [random.standard_normal(shape).astype(np.float32) for shape in shapes]

        def call(library, module, *inputs, mask=mask, padding=padding, shown=shown):
            given = None if mask is None else library.tensor(mask)
            late = None if padding is None else library.tensor(padding)
            average = mask is None
            return module(*inputs, late, shown, given, average, is_causal=mask is hidden and not shown)

        assert_same(pairs, arrays, call)


@pytest.mark.parity
def test_multihead_attention_of_one_tensor_and_without_batch():
    pairs = both(lambda library: library.nn.MultiheadAttention(8, 2))
    random = np.random.default_rng(0)
    for shape in ((5, 3, 8), (5, 8)):
        array = random.standard_normal(shape).astype(np.float32)
        assert_same(pairs, [array], lambda library, module, x: module(x, x, x))


@pytest.mark.parity
@pytest.mark.parametrize(("batch_first", "norm_first"), list(itertools.product((False, True), repeat=2)))
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_transformer_is_pytorch_s(activation, batch_first, norm_first):
    pairs = both(
        lambda library: library.nn.Transformer(
            8, 2, 2, 2, 16, 0.0, activation, batch_first=batch_first, norm_first=norm_first
        )
    )
    random = np.random.default_rng(0)
    shapes = [(3, 6, 8), (3, 5, 8)] if batch_first else [(6, 3, 8), (5, 3, 8)]
    arrays = [random.standard_normal(shape).astype(np.float32) for shape in shapes]

    def call(library, module, source, target):
        mask = library.nn.Transformer.generate_square_subsequent_mask(5)
        return [module(source, target, tgt_mask=mask)]

    assert_same(pairs, arrays, call)


def test_weights_shown_are_those_of_the_fused_path():
    attention = nn.MultiheadAttention(8, 2).double()
    x = leafgrad.randn(5, 3, 8, dtype=leafgrad.float64)
    shown, weights = attention(x, x, x)
    hidden, none = attention(x, x, x, need_weights=False)
    assert none is None and weights.shape == (3, 5, 5)
    assert_near(weights.sum(-1), leafgrad.ones(3, 5))
    assert_near(shown, hidden, rtol=1e-12, atol=1e-12)


def test_bad_arguments_are_refused():
    refuses(ValueError, lambda: nn.MultiheadAttention(0, 1), lambda: nn.MultiheadAttention(4, 0))
    refuses(AssertionError, lambda: nn.MultiheadAttention(5, 2))
    attention = nn.MultiheadAttention(8, 2)
    x = leafgrad.randn(5, 3, 8)
    refuses(
        AssertionError,
        lambda: attention(x[0, 0], x, x),
        lambda: attention(x, x[0], x),
        lambda: attention(x[..., :4], x, x),
        lambda: attention(x, x, x[:4]),
        lambda: attention(x, x, x, leafgrad.zeros(5, dtype=leafgrad.bool)),
        lambda: attention(x, x, x, attn_mask=leafgrad.zeros(5, 5, dtype=leafgrad.int64)),
    )
    refuses(
        RuntimeError,
        lambda: attention(x, x, x, attn_mask=leafgrad.zeros(5, 4)),
        lambda: attention(x, x, x, attn_mask=leafgrad.zeros(5, 5, 5)),
        lambda: attention(x, x, x, is_causal=True),
        lambda: nn.TransformerEncoderLayer(8, 2, activation="swish"),
        lambda: nn.Transformer(8, 2, 1, 1, 16)(x, x[:, :2]),
        lambda: nn.Transformer(8, 2, 1, 1, 16)(x[..., :4], x),
    )
