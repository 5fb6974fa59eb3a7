"""`EmbeddingBag`: against a loop over the bags, its derivatives, its checks, and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
from support import assert_near

import leafgrad as torch
from leafgrad import nn
from leafgrad.autograd import gradcheck, gradgradcheck
from leafgrad.nn import functional as F

INPUT = [1, 2, 2, 0, 4, 1, 2]
OFFSETS = [0, 3, 3, 5]  # the second bag is empty
each_mode = pytest.mark.parametrize("mode", ["sum", "mean", "max"])


def table():
    return torch.tensor(np.random.default_rng(2).normal(size=(5, 3)), requires_grad=True)


def by_loop(weight, bags, mode, padding_idx=None):
    rows = []
    for bag in bags:
        chosen = weight[[i for i in bag if i != padding_idx]]
        rows.append(getattr(np, mode)(chosen, axis=0) if len(chosen) else np.zeros(weight.shape[1]))
    return np.stack(rows)


@each_mode
@pytest.mark.parametrize("padding_idx", [None, 2])
def test_bags_are_reduced(mode, padding_idx):
    weight = table()
    bags = [INPUT[0:3], [], INPUT[3:5], INPUT[5:]]
    expected = by_loop(weight.detach().numpy(), bags, mode, padding_idx)
    indices, offsets = torch.tensor(INPUT), torch.tensor(OFFSETS)
    assert_near(F.embedding_bag(indices, weight, offsets, mode=mode, padding_idx=padding_idx), expected)
    ends = torch.tensor([*OFFSETS, len(INPUT)])
    last = F.embedding_bag(indices, weight, ends, mode=mode, include_last_offset=True, padding_idx=padding_idx)
    assert_near(last, expected)
    square = torch.tensor([INPUT[:3], INPUT[3:6]])
    expected = by_loop(weight.detach().numpy(), square.tolist(), mode, padding_idx)
    assert_near(F.embedding_bag(square, weight, mode=mode, padding_idx=padding_idx), expected)


@each_mode
def test_derivatives(mode):
    def function(weight):
        return F.embedding_bag(torch.tensor(INPUT), weight, torch.tensor(OFFSETS), mode=mode)

    assert gradcheck(function, (table(),)) and gradgradcheck(function, (table(),))
    if mode == "sum":
        factors = torch.linspace(0.5, 2, len(INPUT), dtype=torch.float64).requires_grad_()

        def weighted(weight, factors):
            return F.embedding_bag(
                torch.tensor(INPUT), weight, torch.tensor(OFFSETS), mode="sum", per_sample_weights=factors
            )

        assert gradcheck(weighted, (table(), factors)) and gradgradcheck(weighted, (table(), factors))


def test_of_equal_rows_the_first_gets_the_gradient_of_the_maximum():
    weight = torch.ones(3, 2, requires_grad=True)
    F.embedding_bag(torch.tensor([[2, 1, 0]]), weight, mode="max").sum().backward()
    assert weight.grad.tolist() == [[0, 0], [0, 0], [1, 1]]


def test_gradients_divided_by_how_often_a_row_is_looked_up():
    weight = table()
    F.embedding_bag(
        torch.tensor(INPUT), weight, torch.tensor(OFFSETS), mode="sum", scale_grad_by_freq=True
    ).sum().backward()
    assert_near(weight.grad.sum(dim=1), [3, 3, 3, 0, 3])  # PyTorch 2.13 divides the last row by another row's count


@each_mode
def test_no_indices_at_all(mode):
    weight = table()
    y = F.embedding_bag(torch.tensor([], dtype=torch.int64), weight, torch.tensor([0, 0]), mode=mode)
    assert y.tolist() == [[0, 0, 0], [0, 0, 0]]
    y.sum().backward()
    assert weight.grad.eq(0).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"mode": "median"}, ValueError, "mode has to be one of sum"),
        ({"input": [[0]], "offsets": [0]}, ValueError, "if input is 2D, then offsets has to be None"),
        ({"offsets": None}, ValueError, "offsets has to be a 1D Tensor"),
        ({"offsets": [1]}, RuntimeError, r"offsets\[0\] has to be 0"),
        ({"offsets": [0, 9]}, RuntimeError, r"offsets\[-1\] can not be greater than input's length"),
        ({"input": [[[0]]], "offsets": None}, ValueError, "input has to be 1D or 2D Tensor"),
        ({"mode": "max", "scale_grad_by_freq": True}, ValueError, "max mode does not support scaling"),
        ({"mode": "max", "sparse": True}, ValueError, "max mode does not support sparse"),
        ({"per_sample_weights": [1.0, 2.0]}, NotImplementedError, "only supported for mode='sum'"),
        ({"per_sample_weights": [1.0], "mode": "sum"}, ValueError, "must have the same shape as the input"),
        ({"input": [0, 5]}, IndexError, "index out of range"),
        ({"padding_idx": 5}, AssertionError, "padding_idx must be within"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, message):
    call = {"input": [0, 1], "offsets": [0, 1], **arguments}
    for name in ("input", "offsets", "per_sample_weights"):
        if call.get(name) is not None:
            call[name] = torch.tensor(call[name])
    with pytest.raises(error, match=message):
        F.embedding_bag(weight=torch.ones(5, 2), **call)


def test_module():
    layer = nn.EmbeddingBag(5, 3, mode="sum", padding_idx=-1, max_norm=1.0)
    assert repr(layer) == "EmbeddingBag(5, 3, max_norm=1.0, mode='sum', padding_idx=4)"
    assert layer.weight[4].eq(0).all()
    assert layer(torch.tensor([[0, 1], [4, 4]])).shape == (2, 3)
    assert layer.weight[:2].norm(dim=1).le(1.0 + 1e-5).all()
    frozen = nn.EmbeddingBag.from_pretrained(torch.ones(4, 2), mode="mean")
    assert frozen(torch.tensor([[0, 3]])).tolist() == [[1, 1]] and not frozen.weight.requires_grad
    with pytest.raises(AssertionError, match="padding_idx must be within num_embeddings"):
        nn.EmbeddingBag(5, 3, padding_idx=5)


@pytest.mark.parity
@each_mode
@pytest.mark.parametrize("padding_idx", [None, 2])
def test_agrees_with_pytorch(mode, padding_idx):
    import torch as pytorch

    results = []
    for lib in (torch, pytorch):
        lib.manual_seed(4)
        layer = lib.nn.EmbeddingBag(5, 3, mode=mode, padding_idx=padding_idx)
        y = layer(lib.tensor(INPUT), lib.tensor(OFFSETS))
        (y * lib.arange(12.0).reshape(4, 3)).sum().backward()
        results.append((y.tolist(), layer.weight.grad.tolist(), list(layer.state_dict())))
    for ours, theirs in zip(results[0][:2], results[1][:2], strict=True):
        assert_near(torch.tensor(ours), theirs, rtol=1e-5)
    assert results[0][2] == results[1][2]
