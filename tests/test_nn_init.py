"""`nn.init`: each filler's moments, bounds and structure."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support import assert_near

import leafgrad as torch
from leafgrad.nn import init


def array(tensor):
    return np.array(tensor.tolist())


def test_gains():
    assert init.calculate_gain("linear") == init.calculate_gain("conv2d") == init.calculate_gain("sigmoid") == 1
    assert init.calculate_gain("tanh") == 5 / 3 and init.calculate_gain("selu") == 3 / 4
    assert_near(init.calculate_gain("relu"), math.sqrt(2))
    assert_near(init.calculate_gain("leaky_relu", 0.2), math.sqrt(2 / 1.04))
    with pytest.raises(ValueError, match="negative_slope True not a valid number"):
        init.calculate_gain("leaky_relu", True)
    with pytest.raises(ValueError, match="Unsupported nonlinearity sin"):
        init.calculate_gain("sin")


def test_constants():
    w = torch.empty(2, 3, requires_grad=True)
    assert init.ones_(w) is w and w.tolist() == [[1.0] * 3] * 2 and w.is_leaf
    assert init.zeros_(w).sum() == 0
    assert init.constant_(w, 0.3).sum().item() == pytest.approx(1.8)
    assert init.eye_(w).tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]] and w.requires_grad
    with pytest.raises(ValueError, match="Only tensors with 2 dimensions are supported"):
        init.eye_(torch.empty(2))


def test_dirac_passes_channels_unchanged():
    w = init.dirac_(torch.empty(4, 2, 3), groups=2)
    expected = np.zeros((4, 2, 3))
    expected[0, 0, 1] = expected[1, 1, 1] = expected[2, 0, 1] = expected[3, 1, 1] = 1
    assert_near(w, expected)
    with pytest.raises(ValueError, match="dim 0 must be divisible by groups"):
        init.dirac_(torch.empty(3, 1, 3), groups=2)
    with pytest.raises(ValueError, match="Only tensors with 3, 4, or 5 dimensions"):
        init.dirac_(torch.empty(2, 2))


def test_uniform_and_normal_have_their_moments():
    w = array(init.uniform_(torch.empty(100, 100), -1, 3))
    assert -1 <= w.min() < -0.99 and 2.99 < w.max() < 3 and abs(w.mean() - 1) < 0.05
    w = array(init.normal_(torch.empty(100, 100), 2, 0.5))
    assert abs(w.mean() - 2) < 0.03 and abs(w.std() - 0.5) < 0.02


@pytest.mark.parametrize(("mean", "std", "a", "b"), [(0, 1, -2, 2), (0, 1, -0.2, 0.1), (1, 2, 3, 9), (0, 1, 2, 5)])
def test_truncated_normal_has_the_moments_of_its_density(mean, std, a, b):
    w = array(init.trunc_normal_(torch.empty(200, 200), mean, std, a, b))
    grid = np.linspace(a, b, 20001)
    density = np.exp(-(((grid - mean) / std) ** 2) / 2)
    density /= density.sum()
    expected = (grid * density).sum()
    spread = math.sqrt(((grid - expected) ** 2 * density).sum())
    assert w.min() >= np.float32(a) and w.max() <= np.float32(b)
    assert abs(w.mean() - expected) < 5 * spread / 200 and abs(w.std() - spread) < 0.03 * spread


def test_truncated_normal_far_from_its_interval_warns():
    with pytest.warns(UserWarning, match="mean is more than 2 std from"):
        init.trunc_normal_(torch.empty(3), 10.0, 1.0, -2.0, 2.0)


def test_xavier_and_kaiming_have_the_deviation_of_their_fans():
    w = torch.empty(80, 60, 5)  # fan_in 300, fan_out 400
    for fill, expected in [
        (lambda: init.xavier_uniform_(w, gain=2.0), 2 * math.sqrt(2 / 700)),
        (lambda: init.xavier_normal_(w), math.sqrt(2 / 700)),
        (lambda: init.kaiming_uniform_(w, nonlinearity="relu"), math.sqrt(2 / 300)),
        (lambda: init.kaiming_normal_(w, mode="fan_out", nonlinearity="linear"), math.sqrt(1 / 400)),
        (lambda: init.kaiming_uniform_(w, a=math.sqrt(5)), math.sqrt(1 / 900)),
    ]:
        assert abs(array(fill()).std() / expected - 1) < 0.03
    with pytest.raises(ValueError, match="Fan in and fan out can not be computed"):
        init.xavier_normal_(torch.empty(3))
    with pytest.raises(ValueError, match="Mode fan not supported"):
        init.kaiming_normal_(w, mode="fan")
    with pytest.warns(UserWarning, match="zero-element tensors is a no-op"):
        init.kaiming_uniform_(torch.empty(0, 3))


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 3), (3, 2, 4)])
def test_orthogonal_rows_or_columns(shape):
    w = init.orthogonal_(torch.empty(shape, dtype=torch.float64), gain=2.0)
    flat = array(w).reshape(shape[0], -1)
    product = flat @ flat.T if flat.shape[0] <= flat.shape[1] else flat.T @ flat
    assert_near(product, 4 * np.eye(len(product)), atol=1e-10)
    with pytest.raises(ValueError, match="Only tensors with 2 or more dimensions"):
        init.orthogonal_(torch.empty(3))


def test_sparse_zeroes_a_share_of_each_column():
    w = array(init.sparse_(torch.empty(10, 6), 0.25, std=1.0))
    assert ((w == 0).sum(0) == 3).all()


def test_a_generator_makes_draws_repeatable():
    draws = []
    for _ in range(2):
        generator = torch.Generator().manual_seed(5)
        draws.append(init.xavier_uniform_(torch.empty(3, 3), generator=generator))
    assert torch.equal(*draws)


def test_old_names_warn():
    with pytest.warns(FutureWarning, match="`nn.init.normal` is now deprecated in favor of `nn.init.normal_`"):
        init.normal(torch.empty(2))
