"""Optimizers: their steps against the published formulas, groups, checks, saving and loading, hooks."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
from support import assert_near

import leafgrad as torch
from leafgrad import nn, optim

START = np.array([[1.0, -2.0], [0.5, 3.0]])


def gradients(steps=6):
    rng = np.random.default_rng(1)
    return [rng.normal(size=START.shape) for _ in range(steps)]


def sgd(p, grads, lr=0.1, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False):
    buffer = None
    for g in grads:
        g = (-g if maximize else g) + weight_decay * p
        if momentum:
            buffer = g if buffer is None else momentum * buffer + (1 - dampening) * g
            g = g + momentum * buffer if nesterov else buffer
        p = p - lr * g
    return p


def adam(
    p,
    grads,
    lr=0.1,
    betas=(0.9, 0.999),
    eps=1e-8,
    weight_decay=0.0,
    amsgrad=False,
    maximize=False,
    decoupled_weight_decay=False,
):
    m = v = largest = np.zeros_like(p)
    for t, g in enumerate(grads, 1):
        g = -g if maximize else g
        if decoupled_weight_decay:
            p = p * (1 - lr * weight_decay)
        else:
            g = g + weight_decay * p
        m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g * g
        largest = np.maximum(largest, v)
        second = (largest if amsgrad else v) / (1 - betas[1] ** t)
        p = p - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(second) + eps)
    return p


def adamw(p, grads, weight_decay=1e-2, **settings):
    return adam(p, grads, weight_decay=weight_decay, decoupled_weight_decay=True, **settings)


METHODS = [
    (optim.SGD, sgd, {}),
    (optim.SGD, sgd, {"momentum": 0.9, "dampening": 0.3}),
    (optim.SGD, sgd, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (optim.SGD, sgd, {"weight_decay": 0.1, "maximize": True}),
    (optim.Adam, adam, {}),
    (optim.Adam, adam, {"betas": (0.5, 0.7), "eps": 1e-3, "weight_decay": 0.1}),
    (optim.Adam, adam, {"amsgrad": True, "betas": (0.1, 0.2)}),
    (optim.Adam, adam, {"maximize": True}),
    (optim.AdamW, adamw, {}),
    (optim.AdamW, adamw, {"weight_decay": 0.2, "amsgrad": True}),
]
each_method = pytest.mark.parametrize(
    ("method", "formula", "settings"), METHODS, ids=[f"{row[0].__name__}-{'-'.join(row[2])}" for row in METHODS]
)


def run(method, grads, settings, start=START, dtype=None, lib=torch):
    p = lib.tensor(start, dtype=dtype or lib.float64, requires_grad=True)
    optimizer = method([p], **{"lr": 0.1, **settings})
    for grad in grads:
        p.grad = lib.tensor(grad, dtype=p.dtype)
        optimizer.step()
    return p, optimizer


@each_method
def test_steps_follow_the_formula(method, formula, settings):
    p, _ = run(method, gradients(), settings)
    assert_near(p, formula(START, gradients(), **settings), rtol=1e-12)
    assert p.is_leaf and p.requires_grad


@each_method
def test_a_learning_rate_may_be_a_tensor(method, formula, settings):
    p, _ = run(method, gradients(), {**settings, "lr": torch.tensor(0.1, dtype=torch.float64)})
    assert_near(p, formula(START, gradients(), **settings), rtol=1e-9)


@each_method
def test_saved_state_continues_where_it_was(method, formula, settings):
    grads = gradients()
    p, optimizer = run(method, grads[:3], settings)
    saved = copy.deepcopy(optimizer.state_dict())
    q = torch.tensor(p.tolist(), dtype=torch.float64, requires_grad=True)
    other = method([q], lr=99.0)
    other.load_state_dict(saved)
    for grad in grads[3:]:
        q.grad = torch.tensor(grad)
        other.step()
    assert_near(q, formula(START, grads, **settings), rtol=1e-12)


@pytest.mark.parametrize(("method", "formula"), [(optim.SGD, sgd), (optim.Adam, adam), (optim.AdamW, adamw)])
def test_a_differentiable_step_carries_gradients_to_the_learning_rate(method, formula):
    grads = gradients(1)
    lr = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    p = torch.tensor(START, requires_grad=True).clone()
    p.grad = torch.tensor(grads[0])
    method([p], lr=lr, differentiable=True).step()
    p.sum().backward()
    step = 1e-6
    slope = (formula(START, grads, lr=0.1 + step).sum() - formula(START, grads, lr=0.1 - step).sum()) / (2 * step)
    assert_near(lr.grad, slope, rtol=2e-5)  # the step number, and with it the correction of the moments, is a float32


def test_a_differentiable_step_carries_gradients_to_the_gradient():
    start = torch.tensor(START, requires_grad=True)
    grad = torch.tensor(gradients(1)[0], requires_grad=True)
    p = start.clone()
    p.grad = grad
    optim.SGD([p], lr=0.5, differentiable=True).step()
    p.sum().backward()
    assert_near(start.grad, np.ones((2, 2)))
    assert_near(grad.grad, np.full((2, 2), -0.5))


def test_complex_parameters_move_as_their_parts():
    p = torch.tensor([1 + 2j], requires_grad=True)
    optimizer = optim.Adam([p], lr=0.1)
    p.grad = torch.tensor([3 - 4j])
    optimizer.step()
    assert_near([p.detach().real.item(), p.detach().imag.item()], [0.9, 2.1], rtol=1e-5)


def test_parameters_without_gradients_stay():
    p, q = (torch.ones(2, requires_grad=True) for _ in range(2))
    optimizer = optim.Adam([p, q], lr=0.1)
    p.grad = torch.ones(2)
    optimizer.step()
    assert q.tolist() == [1.0, 1.0] and q not in optimizer.state and p.tolist() != [1.0, 1.0]


def test_training_reaches_the_minimum():
    model = nn.Linear(2, 1, dtype=torch.float64)
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 1.0]], dtype=torch.float64)
    y = x @ torch.tensor([[2.0], [-3.0]], dtype=torch.float64) + 0.5
    optimizer = optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    for _ in range(300):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
    assert_near(model.weight, [[2.0, -3.0]], atol=1e-6)
    assert_near(model.bias, [0.5], atol=1e-6)


def test_a_closure_is_called_with_gradients_on_and_its_loss_returned():
    p = torch.tensor([2.0], requires_grad=True)
    optimizer = optim.SGD([p], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with torch.no_grad():
        assert optimizer.step(closure).item() == 4.0
    assert p.item() == 0.0


# ---- Groups and checks -----------------------------------------------------------------------------------------------


def test_groups_have_their_own_settings():
    a, b, c = (torch.ones(1, requires_grad=True) for _ in range(3))
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 1.0}], lr=0.1)
    optimizer.add_param_group({"params": (c,), "maximize": True})
    for p in (a, b, c):
        p.grad = torch.ones(1)
    optimizer.step()
    assert_near([a.item(), b.item(), c.item()], [0.9, 0.0, 1.1])
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 1.0, 0.1]


def test_zeroing_gradients():
    p = torch.ones(1, requires_grad=True)
    optimizer = optim.SGD([p])
    p.grad = torch.ones(1)
    grad = p.grad
    optimizer.zero_grad(set_to_none=False)
    assert p.grad is grad and grad.item() == 0
    optimizer.zero_grad()
    assert p.grad is None


def test_names_may_come_with_the_parameters():
    model = nn.Linear(1, 1)
    optimizer = optim.SGD(model.named_parameters())
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    with pytest.raises(ValueError, match="should be with/without names"):
        optimizer.add_param_group({"params": [torch.ones(1, requires_grad=True)]})
    with pytest.raises(ValueError, match="Some param names are missing"):
        optim.SGD([("w", torch.ones(1)), torch.ones(1)])


def test_wrong_parameters_are_refused():
    p = torch.ones(1, requires_grad=True)
    with pytest.raises(TypeError, match=r"should be an iterable of Tensors or dicts, but got torch.FloatTensor"):
        optim.SGD(torch.ones(1))
    with pytest.raises(ValueError, match="optimizer got an empty parameter list"):
        optim.SGD([])
    with pytest.raises(TypeError, match="optimizer can only optimize Tensors, but one of the params is int"):
        optim.SGD([5])
    with pytest.raises(TypeError, match="organized in ordered collections"):
        optim.SGD([{"params": {p}}])
    with pytest.raises(ValueError, match="some parameters appear in more than one parameter group"):
        optim.SGD([{"params": [p]}, {"params": [p]}])
    with pytest.raises(TypeError, match="param_group must be a dict"):
        optim.SGD([p]).add_param_group([p])
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optim.SGD([p, p])


def test_a_non_leaf_cannot_be_optimized():
    with pytest.raises(ValueError, match="can't optimize a non-leaf Tensor"):
        optim.SGD([torch.randn(3, requires_grad=True) * 0.01])
    kept = torch.randn(3, requires_grad=True) * 0.01
    kept.retain_grad()
    optim.SGD([kept])


@pytest.mark.leafgrad_only
def test_the_refusal_of_a_non_leaf_says_which_and_what_made_it():
    leaf = torch.ones(1, requires_grad=True)
    optimizer = optim.SGD([leaf])
    with pytest.raises(ValueError, match=r"parameter 1 of group 1, float32 \(2, 3\), is the result of mul"):
        optimizer.add_param_group({"params": [torch.ones(1), torch.ones(2, 3, requires_grad=True) * 2]})


@pytest.mark.leafgrad_only
def test_an_empty_parameter_list_names_the_attributes_that_hide_parameters():
    class Hides(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Linear(1, 1)]
            self.weights = {"w": torch.ones(1, requires_grad=True)}
            self.scale = torch.ones(1, requires_grad=True)
            self.size = [1, 2]

    with pytest.raises(ValueError, match="empty parameter list") as caught:
        optim.SGD(Hides().parameters())
    message = str(caught.value)
    assert "Hides.layers is a plain list that holds modules: make it an nn.ModuleList" in message
    assert "Hides.weights is a plain dict that holds parameters: make it an nn.ParameterDict" in message
    assert "Hides.scale is a plain tensor that requires grad, float32 (1,): make it an nn.Parameter" in message
    assert "size" not in message
    with pytest.raises(ValueError, match="ReLU has no parameters"):
        optim.Adam(nn.ReLU().parameters())


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [
        (optim.SGD, {"lr": -1.0}, "Invalid learning rate: -1.0"),
        (optim.SGD, {"momentum": -1.0}, "Invalid momentum value: -1.0"),
        (optim.SGD, {"weight_decay": -1.0}, "Invalid weight_decay value: -1.0"),
        (optim.SGD, {"nesterov": True}, "Nesterov momentum requires a momentum and zero dampening"),
        (optim.SGD, {"lr": torch.ones(2)}, "Tensor lr must be 1-element"),
        (optim.Adam, {"lr": math.nan}, "Invalid learning rate: nan"),
        (optim.Adam, {"eps": -1.0}, "Invalid epsilon value: -1.0"),
        (optim.Adam, {"betas": (1.0, 0.9)}, "Invalid beta parameter at index 0: 1.0"),
        (optim.Adam, {"betas": (0.9, -0.1)}, "Invalid beta parameter at index 1: -0.1"),
        (optim.AdamW, {"weight_decay": -1.0}, "Invalid weight_decay value: -1.0"),
        (optim.Adam, {"lr": torch.ones(1), "foreach": True}, "lr as a Tensor is not supported"),
    ],
)
def test_wrong_settings_are_refused(method, settings, message):
    with pytest.raises(ValueError, match=message):
        method([torch.ones(1, requires_grad=True)], **settings)


def test_implementations_that_exclude_each_other():
    p = torch.ones(1, requires_grad=True)
    with pytest.raises(RuntimeError, match="`fused` does not support `differentiable`"):
        optim.Adam([p], fused=True, differentiable=True)
    with pytest.raises(RuntimeError, match="`fused` and `foreach` cannot be `True` together"):
        optim.SGD([p], fused=True, foreach=True)
    for choice in ({"fused": True}, {"foreach": True}):
        p.grad = torch.ones(1)
        optim.Adam([p], **choice).step()


# ---- Saving, loading, hooks, printing --------------------------------------------------------------------------------


def test_state_dict_has_numbers_for_parameters():
    p, optimizer = run(optim.Adam, gradients(2), {})
    saved = optimizer.state_dict()
    assert list(saved) == ["state", "param_groups"] and saved["param_groups"][0]["params"] == [0]
    assert set(saved["state"][0]) == {"step", "exp_avg", "exp_avg_sq"} and saved["state"][0]["step"].item() == 2
    assert saved["state"][0]["exp_avg"] is optimizer.state[p]["exp_avg"]


def test_loading_checks_the_groups_and_converts():
    p = torch.ones(1, requires_grad=True)
    optimizer = optim.SGD([p], lr=0.1)
    saved = optimizer.state_dict()
    with pytest.raises(ValueError, match="different number of parameter groups"):
        optimizer.load_state_dict({"state": {}, "param_groups": []})
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        optimizer.load_state_dict({"state": {}, "param_groups": [{**saved["param_groups"][0], "params": [0, 1]}]})
    _, trained = run(optim.Adam, gradients(1), {})
    q = torch.zeros(2, 2, requires_grad=True)
    other = optim.Adam([q], lr=9.0)
    other.load_state_dict(trained.state_dict())
    assert other.state[q]["exp_avg"].dtype == torch.float32 and other.param_groups[0]["lr"] == 0.1
    assert other.state[q]["step"].dtype == torch.float32


def test_optimizers_are_copied_and_pickled():
    _, optimizer = run(optim.Adam, gradients(2), {})
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        (p,) = twin.param_groups[0]["params"]
        assert twin.state[p]["step"].item() == 2
        p.grad = torch.tensor(gradients()[2])
        twin.step()
        assert_near(p, adam(START, gradients(3)), rtol=1e-12)


def test_hooks_run_around_steps():
    from leafgrad.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

    p = torch.ones(1, requires_grad=True)
    optimizer, seen = optim.SGD([p], lr=1.0), []
    handles = [
        register_optimizer_step_pre_hook(lambda o, args, kwargs: seen.append("all pre")),
        register_optimizer_step_post_hook(lambda o, args, kwargs: seen.append("all post")),
        optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append("pre")),
        optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(o is optimizer)),
    ]
    optimizer.step()
    assert seen == ["all pre", "pre", True, "all post"]
    for handle in handles:
        handle.remove()
    optimizer.step()
    assert len(seen) == 4
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: 7), {}))
    assert optimizer.step() == 7
    optimizer.register_step_pre_hook(lambda o, args, kwargs: 5)
    with pytest.raises(RuntimeError, match="must return None or a tuple"):
        optimizer.step()


def test_hooks_run_around_saving_and_loading():
    optimizer, seen = optim.SGD([torch.ones(1, requires_grad=True)], lr=1.0), []
    optimizer.register_state_dict_pre_hook(lambda o: seen.append("before save"))
    optimizer.register_state_dict_post_hook(lambda o, saved: {**saved, "extra": 1})
    optimizer.register_load_state_dict_pre_hook(lambda o, saved: seen.append(saved.pop("extra")))
    optimizer.register_load_state_dict_post_hook(lambda o: seen.append("loaded"))
    saved = optimizer.state_dict()
    optimizer.load_state_dict(saved)
    assert seen == ["before save", 1, "loaded"] and saved["extra"] == 1


def test_a_method_of_ones_own():
    class Signs(optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    p -= group["lr"] * p.grad.sign()

    p = torch.tensor([1.0, 1.0], requires_grad=True)
    optimizer, seen = Signs([p], lr=0.5), []
    optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(1))
    p.grad = torch.tensor([-3.0, 2.0])
    optimizer.step()
    assert p.tolist() == [1.5, 0.5] and seen == [1]


def test_printing():
    optimizer = optim.SGD([torch.ones(1, requires_grad=True)], lr=0.1)
    optimizer.add_param_group({"params": [torch.ones(1, requires_grad=True)], "lr": 1})
    group = (
        "Parameter Group {}\n    dampening: 0\n    differentiable: False\n    foreach: None\n    fused: None\n"
        "    lr: {}\n    maximize: False\n    momentum: 0\n    nesterov: False\n    weight_decay: 0\n"
    )
    assert repr(optimizer) == "SGD (\n" + group.format(0, 0.1) + "\n" + group.format(1, 1) + ")"


@pytest.mark.parity
@each_method
def test_float32_steps_agree_with_torch_to_an_ulp_each(method, formula, settings):
    reference = pytest.importorskip("torch")
    start = np.random.default_rng(2).normal(size=(64, 33))
    grads = [np.random.default_rng(seed).normal(size=start.shape) for seed in range(5)]
    ours, _ = run(method, grads, settings, start, torch.float32)
    theirs, other = run(getattr(reference.optim, method.__name__), grads, settings, start, reference.float32, reference)
    a, b = (np.array(p.tolist(), dtype=np.float32) for p in (ours, theirs))
    ulp = np.spacing(np.maximum(np.maximum(np.abs(b), np.abs(start)), 1).astype(np.float32))  # of what is added up
    assert (np.abs(a - b) <= len(grads) * ulp).all()
    assert repr(method([torch.ones(1, requires_grad=True)])) == repr(
        type(other)([reference.ones(1, requires_grad=True)])
    )
