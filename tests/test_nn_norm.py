"""Normalization layers: moments, running statistics, layouts, precision, and PyTorch's answers."""

from __future__ import annotations

import numpy as np
import pytest
from support import assert_near

import leafgrad as torch
from leafgrad import nn
from leafgrad.nn import functional as F

RANDOM = np.random.default_rng(3)


def normal(*shape, offset=0.0):
    return RANDOM.normal(offset, 1.0, shape)


def batch_moments(x):
    axis = (0, *range(2, x.ndim))
    return x.mean(axis), x.var(axis, ddof=1)


# ---- Batch normalization


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (nn.BatchNorm1d, (6, 3)),
        (nn.BatchNorm1d, (6, 3, 5)),
        (nn.BatchNorm2d, (4, 3, 5, 2)),
        (nn.BatchNorm3d, (4, 3, 2, 3, 2)),
    ],
)
def test_batch_norm_has_mean_zero_and_variance_one_in_each_channel(make, shape):
    x, layer = normal(*shape, offset=2), make(3, dtype=torch.float64)
    y = layer(torch.tensor(x)).detach().numpy()
    mean, var = batch_moments(y)
    n = y.size / 3
    np.testing.assert_allclose(mean, 0, atol=1e-12)
    np.testing.assert_allclose(var * (n - 1) / n, 1, rtol=1e-4)


def test_running_moments_move_towards_those_of_each_batch_and_serve_evaluation():
    layer = nn.BatchNorm2d(3, momentum=0.25, dtype=torch.float64)
    mean, var = np.zeros(3), np.ones(3)
    for _ in range(3):
        x = normal(4, 3, 5, 2, offset=1)
        layer(torch.tensor(x))
        own_mean, own_var = batch_moments(x)
        mean, var = 0.75 * mean + 0.25 * own_mean, 0.75 * var + 0.25 * own_var
    assert_near(layer.running_mean, mean, rtol=1e-12)
    assert_near(layer.running_var, var, rtol=1e-12)
    assert layer.num_batches_tracked.item() == 3
    layer.eval()
    y = layer(torch.tensor(x))
    shape = (1, 3, 1, 1)
    assert_near(y, (x - mean.reshape(shape)) / np.sqrt(var.reshape(shape) + 1e-5), rtol=1e-10)
    assert layer.num_batches_tracked.item() == 3
    assert_near(layer.running_mean, mean, rtol=1e-12)


def test_without_momentum_the_running_moments_are_averages_of_all_batches():
    layer = nn.BatchNorm1d(2, momentum=None, dtype=torch.float64)
    batches = [normal(7, 2) for _ in range(4)]
    for x in batches:
        layer(torch.tensor(x))
    assert_near(layer.running_mean, np.mean([x.mean(0) for x in batches], 0), rtol=1e-12)
    assert_near(layer.running_var, np.mean([x.var(0, ddof=1) for x in batches], 0), rtol=1e-12)
    layer.reset_running_stats()
    assert layer.running_mean.tolist() == [0, 0] and layer.running_var.tolist() == [1, 1]
    assert layer.num_batches_tracked.item() == 0


def test_untracked_batch_norm_uses_the_batch_in_evaluation_too():
    layer = nn.BatchNorm1d(2, affine=False, track_running_stats=False, dtype=torch.float64).eval()
    x = normal(9, 2, offset=5)
    assert_near(layer(torch.tensor(x)), (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5), rtol=1e-9)
    assert list(layer.state_dict()) == [] and layer.running_mean is None


def test_state_and_text_of_batch_norm():
    layer = nn.BatchNorm2d(3)
    assert list(layer.state_dict()) == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert repr(layer) == ("BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)")
    assert layer.num_batches_tracked.dtype == torch.int64 and layer.num_batches_tracked.shape == ()
    other = nn.BatchNorm2d(3)
    layer(torch.ones(2, 3, 2, 2))
    other.load_state_dict(layer.state_dict())
    assert other.num_batches_tracked.item() == 1 and torch.equal(other.running_mean, layer.running_mean)
    assert nn.BatchNorm1d(3, bias=False).bias is None


def test_a_checkpoint_from_before_batches_were_counted_loads():
    layer = nn.BatchNorm1d(2)
    state = layer.state_dict()
    del state["num_batches_tracked"]
    with pytest.raises(RuntimeError, match="num_batches_tracked"):
        layer.load_state_dict(state)
    layer.load_state_dict(dict(state))  # without metadata: as old as can be


def test_batch_norm_refuses_what_does_not_fit():
    m, v = torch.zeros(3), torch.ones(3)
    for layer, x, said in [
        (nn.BatchNorm1d(3), torch.ones(3), r"expected 2D or 3D input \(got 1D input\)"),
        (nn.BatchNorm2d(3), torch.ones(3, 3), r"expected 4D input \(got 2D input\)"),
        (nn.BatchNorm3d(3), torch.ones(3, 3, 1, 1), r"expected 5D input \(got 4D input\)"),
        (nn.BatchNorm1d(3), torch.ones(1, 3), "Expected more than 1 value per channel when training"),
        (nn.BatchNorm1d(3, eps=0.0), torch.ones(2, 3), "eps must be positive during training, but got 0"),
    ]:
        with pytest.raises(ValueError, match=said):
            layer(x)
    for call, said in [
        (lambda: F.batch_norm(torch.ones(2, 4), m, v), "running_mean should contain 4 elements not 3"),
        (lambda: F.batch_norm(torch.ones(2, 3), m, v, torch.ones(2)), "weight should contain 3 elements not 2"),
        (lambda: F.batch_norm(torch.ones(2, 3), None, None), "running_mean must be defined in evaluation mode"),
        (lambda: F.batch_norm(torch.ones(2, 3), m, None), "running_var must be defined in evaluation mode"),
        (lambda: F.batch_norm(torch.ones(2, 3), m.double(), v), "mixed dtype"),
        (lambda: F.batch_norm(torch.ones(2, 3).half(), m.double(), v), "mixed dtype"),
        (lambda: F.batch_norm(torch.ones(2, 3), m.clone().requires_grad_(), v), "not differentiable"),
        (lambda: F.batch_norm(torch.ones(3), None, None, training=True), "imension|out of range|Size"),
    ]:
        with pytest.raises((RuntimeError, IndexError), match=said):
            call()
    with pytest.raises(ValueError, match="must either both be None or neither be None"):
        F.batch_norm(torch.ones(2, 3), m, None, training=True)
    with pytest.raises(NotImplementedError, match="batch_norm"):
        F.batch_norm(torch.ones(2, 3, dtype=torch.int64), m, v, training=True)


def test_batch_norm_of_nothing_leaves_the_running_moments():
    for shape in [(0, 3), (0, 3, 2), (2, 3, 0)]:
        m, v, w = torch.zeros(3), torch.ones(3), torch.ones(3, requires_grad=True)
        x = torch.ones(*shape, requires_grad=True)
        y = torch.batch_norm(x, w, None, m, v, True, 0.1, 1e-5, False)
        y.sum().backward()
        assert y.shape == shape and m.tolist() == [0] * 3 and v.tolist() == [1] * 3
        assert w.grad.tolist() == [0] * 3 and x.grad.shape == shape
    assert F.batch_norm(torch.ones(2, 0, 4), None, None, training=True).shape == (2, 0, 4)


# Planes in one piece and in several, few channels and many, a matrix of one tile and of several.
LARGE = [(3, 5, 50000), (4, 20, 33, 31), (2, 17, 7, 7), (1000, 3), (300, 40), (40, 5000), (65, 3, 4)]


@pytest.mark.leafgrad_only  # to these tolerances
@pytest.mark.parametrize("shape", LARGE, ids=str)
def test_moments_of_float32_far_from_zero_are_precise(shape):
    x = normal(*shape, offset=100).astype(np.float32)
    w, b = normal(shape[1]).astype(np.float32), normal(shape[1]).astype(np.float32)
    m, v = torch.zeros(shape[1]), torch.ones(shape[1])
    y = F.batch_norm(torch.tensor(x), m, v, torch.tensor(w), torch.tensor(b), training=True, momentum=1.0)
    wide = x.astype(np.float64)
    mean, var = batch_moments(wide)
    np.testing.assert_allclose(m.numpy(), mean, rtol=1e-7)
    np.testing.assert_allclose(v.numpy(), var, rtol=1e-6)
    axis, to = (0, *range(2, x.ndim)), [1, -1] + [1] * (x.ndim - 2)
    expected = (wide - mean.reshape(to)) / np.sqrt(wide.var(axis, keepdims=True) + 1e-5)
    # The mean, rounded to float32, is off by at most 4e-6 deviations.
    np.testing.assert_allclose(y.numpy(), expected * w.reshape(to) + b.reshape(to), rtol=2e-6, atol=2e-5)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", LARGE, ids=str)
def test_gradients_of_large_batches_agree_with_the_formula(shape, training):
    x, g, w = normal(*shape), normal(*shape), normal(shape[1])
    axis, to = (0, *range(2, x.ndim)), [1, -1] + [1] * (x.ndim - 2)
    mean, var = x.mean(axis, keepdims=True), x.var(axis, keepdims=True)
    n = x.size / shape[1]
    h, rstd = (x - mean) / np.sqrt(var + 1e-5), 1 / np.sqrt(var + 1e-5)
    dw, db = (g * h).sum(axis), g.sum(axis)
    dx = rstd * w.reshape(to) * g
    if training:
        dx = rstd * w.reshape(to) * (g - db.reshape(to) / n - h * dw.reshape(to) / n)
    for dtype, rtol in [(torch.float64, 1e-10), (torch.float32, 2e-4)]:
        tensors = [torch.tensor(a, dtype=dtype, requires_grad=True) for a in (x, w, np.zeros(shape[1]))]
        moments = [torch.tensor(a.reshape(-1), dtype=dtype) for a in (mean, var)]
        F.batch_norm(tensors[0], *moments, *tensors[1:], training=training).backward(torch.tensor(g, dtype=dtype))
        for tensor, expected in zip(tensors, (dx, dw, db), strict=True):
            scale = np.abs(expected).max()
            np.testing.assert_allclose(tensor.grad.numpy(), expected, rtol=rtol, atol=rtol * scale / 10)


def test_channels_last_in_memory_stay_last_and_give_the_same():
    x, g = normal(4, 6, 5, 3), normal(4, 6, 5, 3)
    results = []
    for last in (False, True):
        t = torch.tensor(x)
        if last:
            t = t.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        t.requires_grad_()
        layer = nn.BatchNorm2d(6, dtype=torch.float64)
        y = layer(t)
        y.backward(torch.tensor(g))
        assert y.stride() == t.stride() and t.grad.shape == t.shape
        results.append((y, t.grad, layer.weight.grad, layer.bias.grad, layer.running_mean, layer.running_var))
    for a, b in zip(*results, strict=True):
        assert_near(a.detach(), b.detach().numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_halves_may_have_parameters_and_moments_of_their_own_or_of_float32(dtype):
    x = torch.tensor(normal(8, 3, 4)).to(dtype)
    expected = F.batch_norm(x.float(), None, None, training=True)
    for other in (dtype, torch.float32):
        m, v = torch.zeros(3, dtype=other), torch.ones(3, dtype=other)
        w = torch.ones(3, dtype=other, requires_grad=True)
        y = F.batch_norm(x, m, v, w, None, training=True)
        assert y.dtype == dtype
        assert_near(y.float().detach(), expected.numpy(), rtol=1e-2, atol=1e-2)
        y.sum().backward()
        assert w.grad.dtype == other
        assert_near(m.float(), 0.1 * x.float().mean((0, 2)).numpy(), rtol=2e-2, atol=1e-3)


def test_second_derivative_of_batch_norm_with_running_moments():
    from leafgrad.autograd import gradcheck, gradgradcheck

    x = torch.tensor(normal(3, 2, 2), requires_grad=True)
    w, b = (torch.tensor(normal(2), requires_grad=True) for _ in range(2))
    m, v = torch.tensor(normal(2)), torch.tensor(normal(2) ** 2 + 0.5)
    for training in (False, True):

        def call(x, w, b, training=training):
            return F.batch_norm(x, m.clone(), v.clone(), w, b, training)

        assert gradcheck(call, (x, w, b)) and gradgradcheck(call, (x, w, b))


@pytest.mark.parity
@pytest.mark.parametrize("momentum", [0.1, None])
def test_a_batch_norm_layer_trains_as_pytorch_does(momentum):
    theirs = pytest.importorskip("torch")
    x = normal(4, 3, 6, 5).astype(np.float32)
    ends = []
    for t in (torch, theirs):
        layer = t.nn.BatchNorm2d(3, momentum=momentum)
        inputs = t.tensor(x, requires_grad=True)
        for _ in range(3):
            (layer(inputs) ** 2 * inputs).sum().backward()
        y = layer.eval()(inputs)
        y.sum().backward()
        state = {name: value.double().tolist() for name, value in layer.state_dict().items()}
        ends.append((y, inputs.grad, layer.weight.grad, layer.bias.grad, state, y.grad_fn.name()))
    (*mine, state, name), (*wanted, their_state, their_name) = ends
    assert name == their_name and state.keys() == their_state.keys()
    for a, b in zip(mine, wanted, strict=True):
        assert_near(a.detach(), b.detach().numpy(), rtol=1e-4, atol=1e-4)
    for key, value in their_state.items():
        assert_near(state[key], value)


# ---- The other normalizations


def test_group_norm_with_one_group_and_with_one_for_each_channel():
    x = normal(3, 4, 5, 2, offset=3)
    one = nn.GroupNorm(1, 4, dtype=torch.float64)(torch.tensor(x))
    assert_near(one, F.layer_norm(torch.tensor(x), [4, 5, 2]).numpy(), rtol=1e-9)
    each = nn.GroupNorm(4, 4, affine=False)(torch.tensor(x))
    assert_near(each, F.instance_norm(torch.tensor(x)).numpy(), rtol=1e-9)
    assert repr(nn.GroupNorm(2, 4)) == "GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)"
    assert nn.GroupNorm(2, 4, bias=False).bias is None


def test_group_norm_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"num_channels \(4\) must be divisible by num_groups \(3\)"):
        nn.GroupNorm(3, 4)
    x = torch.ones(2, 4, 3)
    for call, said in [
        (lambda: F.group_norm(x, 3), "divisible by num_groups, but got input of shape"),
        (lambda: F.group_norm(x, -2), "Expected num groups to be greater than 0, got -2"),
        (lambda: F.group_norm(x, 2, torch.ones(3)), "Expected weight to be a vector of size equal to the number"),
        (lambda: F.group_norm(x, 2, torch.ones(4), torch.ones(3)), "Expected bias to be a vector of size equal"),
        (lambda: F.group_norm(torch.ones(3), 1), "Expected at least 2 dimensions"),
        (lambda: F.group_norm(x.double(), 2, torch.ones(4)), "mixed dtype"),
    ]:
        with pytest.raises(RuntimeError, match=said):
            call()
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        F.group_norm(torch.ones(1, 4), 4)
    with pytest.raises(NotImplementedError):
        F.group_norm(torch.ones(2, 4, dtype=torch.int64), 2)
    for shape in [(0, 4, 2), (2, 4, 0)]:
        w, x = torch.ones(4, requires_grad=True), torch.ones(*shape, requires_grad=True)
        F.group_norm(x, 2, w).sum().backward()
        assert x.grad.shape == shape and (shape[0] != 0 or w.grad.tolist() == [0] * 4)


@pytest.mark.parametrize("shape", [(2, 4, 30000), (3, 8, 33, 31), (70, 6)], ids=str)
def test_large_group_norm_agrees_with_the_formula(shape):
    x, g, w = normal(*shape, offset=5), normal(*shape), normal(shape[1])
    to = [1, -1] + [1] * (x.ndim - 2)
    split = (shape[0], 2, -1)
    inputs = x.reshape(split)
    rstd = 1 / np.sqrt(inputs.var(2, keepdims=True) + 1e-5)
    h = (inputs - inputs.mean(2, keepdims=True)) * rstd
    gw = (g * w.reshape(to)).reshape(split)
    dx = (rstd * (gw - gw.mean(2, keepdims=True) - h * (gw * h).mean(2, keepdims=True))).reshape(shape)
    axis = (0, *range(2, x.ndim))
    for dtype, rtol in [(torch.float64, 1e-10), (torch.float32, 3e-4)]:
        tensors = [torch.tensor(a, dtype=dtype, requires_grad=True) for a in (x, w, np.zeros(shape[1]))]
        y = F.group_norm(tensors[0], 2, *tensors[1:])
        np.testing.assert_allclose(y.detach().numpy(), h.reshape(shape) * w.reshape(to), rtol=rtol, atol=rtol)
        y.backward(torch.tensor(g, dtype=dtype))
        for tensor, expected in zip(tensors, (dx, (g * h.reshape(shape)).sum(axis), g.sum(axis)), strict=True):
            scale = np.abs(expected).max()
            np.testing.assert_allclose(tensor.grad.numpy(), expected, rtol=rtol, atol=rtol * scale / 10)


def test_instance_norm_normalizes_each_image_and_tracks_their_average():
    layer = nn.InstanceNorm2d(3, track_running_stats=True, affine=True, dtype=torch.float64)
    x = normal(4, 3, 5, 2, offset=1)
    y = layer(torch.tensor(x))
    expected = (x - x.mean((2, 3), keepdims=True)) / np.sqrt(x.var((2, 3), keepdims=True) + 1e-5)
    assert_near(y, expected, rtol=1e-9)
    assert_near(layer.running_mean, 0.1 * x.mean((0, 2, 3)), rtol=1e-9)
    assert_near(layer.running_var, 0.9 + 0.1 * x.var((2, 3), ddof=1).mean(0), rtol=1e-9)
    layer.eval()
    assert_near(layer(torch.tensor(x[0])), layer(torch.tensor(x))[0].detach().numpy(), rtol=1e-12)
    assert list(nn.InstanceNorm1d(3).state_dict()) == []
    assert repr(nn.InstanceNorm2d(3, affine=True)) == (
        "InstanceNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=False)"
    )


def test_instance_norm_refuses_what_does_not_fit():
    for layer, shape, said in [
        (nn.InstanceNorm1d(3), (3, 3, 3, 3), r"expected 2D or 3D input \(got 4D input\)"),
        (nn.InstanceNorm2d(3), (3, 5), r"expected 3D or 4D input \(got 2D input\)"),
        (nn.InstanceNorm3d(3), (3, 5), r"expected 4D or 5D input \(got 2D input\)"),
        (nn.InstanceNorm1d(3), (3, 3, 1), "Expected more than 1 spatial element when training"),
        (nn.InstanceNorm1d(3, affine=True), (5, 5), r"size at dim=0 to match num_features \(3\), but got: 5"),
    ]:
        with pytest.raises(ValueError, match=said):
            layer(torch.ones(*shape))
    with pytest.raises(RuntimeError, match="Expected running_mean and running_var to be defined"):
        F.instance_norm(torch.ones(2, 3, 4), use_input_stats=False)
    with pytest.warns(UserWarning, match="does not match num_features"):
        nn.InstanceNorm1d(3)(torch.tensor(normal(2, 5, 4)))


def test_rms_norm_has_mean_square_one():
    layer = nn.RMSNorm([3, 4], eps=1e-6, dtype=torch.float64)
    x = normal(5, 3, 4, offset=1)
    assert_near((layer(torch.tensor(x)) ** 2).mean((1, 2)), np.ones(5), rtol=1e-5)
    assert repr(layer) == "RMSNorm((3, 4), eps=1e-06, elementwise_affine=True)"
    assert nn.RMSNorm(4, elementwise_affine=False).weight is None
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):  # where eps matters
        small = torch.full((2, 4), 2.0**-12, dtype=dtype)
        expected = 2.0**-12 / np.sqrt(2.0**-24 + (2.0**-52 if dtype == torch.float64 else 2.0**-23))
        assert_near(F.rms_norm(small, [4]).float(), np.full((2, 4), expected), rtol=1e-2)
    for call, said in [
        (lambda: F.rms_norm(torch.ones(2, 3), [4]), r"Given normalized_shape=\[4\], expected input with shape \[\*4\]"),
        (lambda: F.rms_norm(torch.ones(2, 3), []), "at least 1-dimensional"),
        (lambda: F.rms_norm(torch.ones(2, 3), [3], torch.ones(4)), "weight to be of same shape as normalized_shape"),
    ]:
        with pytest.raises(RuntimeError, match=said):
            call()


@pytest.mark.parametrize("n", [1, 7, 31, 128, 1000, 2048, 5000])
@pytest.mark.parametrize("kind", ["layer", "rms"])
def test_rows_of_any_length_agree_with_the_formula(n, kind):
    rows = 5
    x, g, w, b = normal(rows, n, offset=1), normal(rows, n), normal(n), normal(n)
    mean = x.mean(1, keepdims=True) if kind == "layer" else 0.0
    rstd = 1 / np.sqrt(((x - mean) ** 2).mean(1, keepdims=True) + 1e-5)
    h, gw = (x - mean) * rstd, g * w
    dx = gw - h * (gw * h).mean(1, keepdims=True)
    if kind == "layer":
        dx = dx - gw.mean(1, keepdims=True)
    wanted = [h * w + (b if kind == "layer" else 0), dx * rstd, (g * h).sum(0), g.sum(0)]
    for dtype, rtol in [(torch.float64, 1e-9), (torch.float32, 1e-4)]:
        t = [torch.tensor(a, dtype=dtype, requires_grad=True) for a in (x, w, b)]
        if kind == "layer":
            y = F.layer_norm(t[0], [n], t[1], t[2], 1e-5)
        else:
            y = F.rms_norm(t[0], [n], t[1], 1e-5)
        y.backward(torch.tensor(g, dtype=dtype))
        results = [y, *(a.grad for a in t if a.grad is not None)]
        for actual, expected in zip(results, wanted, strict=False):
            top = max(1.0, np.abs(expected).max(), rstd.max() if n == 1 else 0)
            np.testing.assert_allclose(actual.detach().numpy(), expected, rtol=rtol, atol=rtol * top)


@pytest.mark.leafgrad_only  # to this tolerance
def test_layer_norm_far_from_zero_is_precise():
    x = normal(40, 1024, offset=1000).astype(np.float32)
    wide = x.astype(np.float64)
    expected = (wide - wide.mean(1, keepdims=True)) / wide.std(1, keepdims=True)
    y = F.layer_norm(torch.tensor(x), [1024], eps=0.0).numpy()
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=4e-5)  # the mean is rounded: 3e-5 deviations


def test_text_and_refusal_of_local_response_norm():
    assert repr(nn.LocalResponseNorm(2)) == "LocalResponseNorm(2, alpha=0.0001, beta=0.75, k=1.0)"
    with pytest.raises(ValueError, match="Expected 3D or higher dimensionality"):
        F.local_response_norm(torch.ones(3, 3), 2)


@pytest.mark.parity
def test_local_response_norm_is_pytorchs():
    theirs = pytest.importorskip("torch")
    x = normal(2, 6, 4, 3)
    for size in (1, 2, 3, 4, 9):
        mine, wanted = torch.tensor(x, requires_grad=True), theirs.tensor(x, requires_grad=True)
        y, z = F.local_response_norm(mine, size, 0.3), theirs.nn.functional.local_response_norm(wanted, size, 0.3)
        y.sum().backward()
        z.sum().backward()
        assert_near(y.detach(), z.detach().numpy(), rtol=1e-10)
        assert_near(mine.grad, wanted.grad.numpy(), rtol=1e-8)


# ---- Large results, which are written past the caches


def large(n):
    """Rows of n floats, 17 MiB together: what goes in and out exceeds the last-level cache."""
    return torch.from_numpy(RANDOM.normal(0, 1, (17 * 2**18 // n, n)).astype(np.float32))


@pytest.mark.parametrize("n", [101, 1024, 5000])
def test_large_normalizations_are_those_of_their_rows(n):
    x, weight, bias = large(n), torch.linspace(0.5, 2, n), torch.linspace(-1, 1, n)
    for function in (lambda x: F.layer_norm(x, (n,), weight, bias), lambda x: F.softmax(x, -1), torch.clone):
        whole = x.clone().requires_grad_()
        y = function(whole)
        (gradient,) = torch.autograd.grad(y, whole, x.flip(0))
        for rows in (slice(0, 5), slice(-4, None)):
            part = x[rows].clone().requires_grad_()
            again = function(part)
            assert torch.equal(y[rows], again)
            (expected,) = torch.autograd.grad(again, part, x.flip(0)[rows])
            torch.testing.assert_close(gradient[rows], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("odd", [64, 128])
def test_layer_norm_is_exact_where_a_row_begins_far_from_its_mean(odd):
    x = normal(64, 1024)
    x[:, :odd] += 1e4
    x = torch.tensor(x, dtype=torch.float32)
    expected = F.layer_norm(x.double(), (1024,))
    torch.testing.assert_close(F.layer_norm(x, (1024,)).double(), expected, rtol=1e-5, atol=1e-5)
