"""The native steps of optimizers: against the step composed of operators, over lists, and what they leave to it."""

from __future__ import annotations

import numpy as np
import pytest
from support import assert_near

import leafgrad as torch
from leafgrad import optim
from leafgrad.optim import adam as adam_module
from leafgrad.optim import sgd as sgd_module

SETTINGS = [
    (optim.SGD, {}),
    (optim.SGD, {"momentum": 0.9, "dampening": 0.2, "weight_decay": 0.1}),
    (optim.SGD, {"momentum": 0.5, "nesterov": True, "maximize": True}),
    (optim.Adam, {}),
    (optim.Adam, {"amsgrad": True, "weight_decay": 0.1}),
    (optim.Adam, {"betas": (0.0, 0.5), "maximize": True}),
    (optim.AdamW, {"amsgrad": True, "betas": (0.3, 0.9)}),
]
each_setting = pytest.mark.parametrize(
    ("method", "settings"), SETTINGS, ids=[f"{method.__name__}-{'-'.join(settings)}" for method, settings in SETTINGS]
)
SIZES = [(3,), (40, 50), (0,), (), (70_001,), (2, 3, 5)]


def composed(monkeypatch):
    """Have every parameter take the step composed of operators."""
    for name in ("_sgd_step", "_adam_step"):
        monkeypatch.setattr(sgd_module._core, name, lambda params, *rest: range(len(params)))
    assert adam_module._core is sgd_module._core


def train(method, settings, dtype, steps=4):
    rng = np.random.default_rng(3)
    params = [torch.tensor(rng.normal(size=size), dtype=dtype, requires_grad=True) for size in SIZES]
    optimizer = method(params, lr=0.1, **settings)
    for _ in range(steps):
        for p in params:
            p.grad = torch.tensor(rng.normal(size=p.shape), dtype=dtype)
        optimizer.step()
    return params, optimizer


@each_setting
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 3e-6), (torch.float64, 1e-14)])
def test_a_native_step_is_the_composed_one_to_rounding(method, settings, dtype, rtol, monkeypatch):
    params, optimizer = train(method, settings, dtype)
    composed(monkeypatch)
    expected, other = train(method, settings, dtype)
    for p, q in zip(params, expected, strict=True):
        assert_near(p, q.detach().numpy(), rtol=rtol, atol=rtol)
        for name, value in optimizer.state[p].items():
            assert_near(value, other.state[q][name].numpy(), rtol=rtol, atol=rtol)


@each_setting
def test_the_bits_do_not_depend_on_the_number_of_threads(method, settings):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one, _ = train(method, settings, torch.float32)
        torch.set_num_threads(3)
        three, _ = train(method, settings, torch.float32)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(p, q) for p, q in zip(one, three, strict=True))


@each_setting
def test_a_step_counts_as_a_write_to_parameters_and_state(method, settings):
    params, optimizer = train(method, settings, torch.float32, steps=2)
    written = [params[0], *optimizer.state[params[0]].values()]
    before = [tensor._version for tensor in written]
    optimizer.step()
    assert all(tensor._version > version for tensor, version in zip(written, before, strict=True))


def test_a_step_between_forward_and_backward_is_noticed():
    w = torch.ones(3, requires_grad=True)
    loss = (w * w).sum()
    w.grad = torch.ones(3)
    optim.SGD([w], lr=0.1).step()
    with pytest.raises(RuntimeError, match="has been modified by an inplace operation"):
        loss.backward()


@each_setting
def test_odd_parameters_take_the_composed_step_beside_the_others(method, settings):
    def parameters():
        plain = torch.tensor([1.0, 2.0], requires_grad=True)
        half = torch.tensor([1.0, 2.0], dtype=torch.bfloat16, requires_grad=True)
        across = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).t().requires_grad_()
        complex_ = torch.tensor([1 + 2j, 3 - 1j], requires_grad=True)
        return [plain, half, across, complex_]

    together, alone = parameters(), parameters()
    for params in (together, *([p] for p in alone)):
        optimizer = method(params, lr=0.1, **settings)
        for _ in range(3):
            for p in params:
                p.grad = torch.full_like(p, 0.5)
            optimizer.step()
    for p, q in zip(together, alone, strict=True):
        assert torch.equal(p, q)
        assert not torch.equal(p, torch.ones_like(p))


@pytest.mark.parametrize("method", [optim.SGD, optim.Adam])
def test_a_parameter_that_comes_twice_is_stepped_twice(method):
    once, twice = (torch.ones(4, requires_grad=True) for _ in range(2))
    once.grad, twice.grad = torch.ones(4), torch.ones(4)
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optimizer = method([twice, twice], lr=0.1)
    optimizer.step()
    other = method([once], lr=0.1)
    other.step()
    other.step()
    assert_near(twice, once.detach().numpy(), rtol=1e-6)


def test_a_leaf_is_refused_where_gradients_are_recorded():
    w = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        optim.sgd.sgd(
            [w],
            [torch.ones(2)],
            [None],
            weight_decay=0,
            momentum=0,
            lr=0.1,
            dampening=0,
            nesterov=False,
            maximize=False,
        )


@pytest.mark.parity
@each_setting
def test_steps_agree_with_pytorch(method, settings):
    import torch as pytorch

    params, optimizer = train(method, settings, torch.float32)
    rng = np.random.default_rng(3)
    theirs = [pytorch.tensor(rng.normal(size=size), dtype=pytorch.float32, requires_grad=True) for size in SIZES]
    other = getattr(pytorch.optim, method.__name__)(theirs, lr=0.1, foreach=False, **settings)
    for _ in range(4):
        for q in theirs:
            q.grad = pytorch.tensor(rng.normal(size=q.shape), dtype=pytorch.float32)
        other.step()
    for p, q in zip(params, theirs, strict=True):
        assert_near(p, q.detach().numpy(), rtol=1e-5, atol=1e-6)
        assert set(optimizer.state[p]) == set(other.state[q])
