"""`nn.functional` and the layers on top of it: values by closed forms, slopes by differences, kinks, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support import assert_near, finite_difference

import leafgrad as torch
from leafgrad import nn
from leafgrad.nn import functional as F

X = np.array([[-3.0, -1.2, -0.4, 0.3], [0.7, 1.5, 2.5, 25.0]])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def elu(x, alpha=1.0, scale=1.0):
    return scale * np.where(x > 0, x, alpha * np.expm1(x))


# Function, arguments, layer, what NumPy says.
ACTIVATIONS = [
    (F.relu, (), nn.ReLU(), lambda x: np.maximum(x, 0)),
    (F.relu6, (), nn.ReLU6(), lambda x: np.clip(x, 0, 6)),
    (F.hardtanh, (-0.5, 2.0), nn.Hardtanh(-0.5, 2.0), lambda x: np.clip(x, -0.5, 2)),
    (F.leaky_relu, (0.2,), nn.LeakyReLU(0.2), lambda x: np.where(x > 0, x, 0.2 * x)),
    (F.elu, (1.3,), nn.ELU(1.3), lambda x: elu(x, 1.3)),
    (F.celu, (2.0,), nn.CELU(2.0), lambda x: np.where(x > 0, x, 2 * np.expm1(x / 2))),
    (F.selu, (), nn.SELU(), lambda x: elu(x, 1.6732632423543772, 1.0507009873554805)),
    (F.gelu, (), nn.GELU(), lambda x: x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2),
    (F.silu, (), nn.SiLU(), lambda x: x * sigmoid(x)),
    (F.mish, (), nn.Mish(), lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    (F.sigmoid, (), nn.Sigmoid(), sigmoid),
    (F.tanh, (), nn.Tanh(), np.tanh),
    (F.logsigmoid, (), nn.LogSigmoid(), lambda x: -np.log1p(np.exp(-x))),
    (F.softplus, (2.0, 10.0), nn.Softplus(2.0, 10.0), lambda x: np.where(2 * x > 10, x, np.log1p(np.exp(2 * x)) / 2)),
    (F.softshrink, (0.5,), nn.Softshrink(), lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0)),
    (F.hardshrink, (0.5,), nn.Hardshrink(), lambda x: np.where(np.abs(x) > 0.5, x, 0)),
    (F.softsign, (), nn.Softsign(), lambda x: x / (1 + np.abs(x))),
    (F.tanhshrink, (), nn.Tanhshrink(), lambda x: x - np.tanh(x)),
    (F.threshold, (0.5, 9.0), nn.Threshold(0.5, 9.0), lambda x: np.where(x > 0.5, x, 9)),
    (F.hardsigmoid, (), nn.Hardsigmoid(), lambda x: np.clip(x + 3, 0, 6) / 6),
    (F.hardswish, (), nn.Hardswish(), lambda x: x * np.clip(x + 3, 0, 6) / 6),
    (F.glu, (-1,), nn.GLU(), lambda x: x[..., :2] * sigmoid(x[..., 2:])),
    (F.softmax, (1,), nn.Softmax(1), lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
    (F.softmin, (1,), nn.Softmin(1), lambda x: np.exp(-x) / np.exp(-x).sum(1, keepdims=True)),
    (F.log_softmax, (1,), nn.LogSoftmax(1), lambda x: x - np.log(np.exp(x).sum(1, keepdims=True))),
]
each_activation = pytest.mark.parametrize(
    ("function", "args", "layer", "expected"), ACTIVATIONS, ids=[row[2]._get_name() for row in ACTIVATIONS]
)


@each_activation
def test_activation_has_the_value_of_its_formula(function, args, layer, expected):
    x = torch.tensor(X)
    assert_near(function(x, *args), expected(X), rtol=1e-12)
    assert_near(layer(x), expected(X), rtol=1e-12)


@each_activation
def test_activation_has_the_slope_of_finite_differences(function, args, layer, expected):
    points = X[X < 6] if function not in (F.glu, F.softmax, F.softmin, F.log_softmax) else X
    points = points + 0.013  # away from the kinks
    weights = np.linspace(1, 2, expected(points).size).reshape(expected(points).shape)
    x = torch.tensor(points, requires_grad=True)
    (function(x, *args) * torch.tensor(weights)).sum().backward()
    (slope,) = finite_difference(lambda p: float((expected(p) * weights).sum()), [points.copy()])
    assert_near(x.grad, slope, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (F.relu, [0.0]),
        (F.leaky_relu, [0.01]),
        (F.elu, [1.0]),
        (F.softshrink, [0.0]),
        (F.logsigmoid, [0.5]),
        (F.softplus, [0.5]),
    ],
)
def test_slope_at_zero(function, slope):
    x = torch.zeros(1, requires_grad=True)
    function(x).backward()
    assert_near(x.grad, slope)


def test_slope_at_the_limits_of_hardtanh_is_zero():
    x = torch.tensor([-1.0, 1.0], requires_grad=True)
    F.hardtanh(x).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("function", [F.elu, F.selu, F.celu, F.softplus, F.logsigmoid, F.mish])
def test_no_overflow_far_out(function):
    x = torch.tensor([-1e4, 1e4], requires_grad=True)
    y = function(x)
    y.sum().backward()
    assert torch.isfinite(y).all() and torch.isfinite(x.grad).all()


@pytest.mark.parametrize(
    "name",
    ["relu", "relu6", "hardtanh", "leaky_relu", "elu", "selu", "celu", "silu", "mish", "hardsigmoid", "hardswish"],
)
def test_inplace_form_writes_and_differentiates_the_same(name):
    function = getattr(F, name)
    leaf, twin = (torch.tensor(X, requires_grad=True) for _ in range(2))
    y = leaf * 1
    assert function(y, inplace=True) is y
    y.sum().backward()
    out = function(twin)
    out.sum().backward()
    assert torch.equal(y, out) and torch.allclose(leaf.grad, twin.grad)


def test_prelu_has_a_weight_for_all_or_for_each_channel():
    x = torch.tensor([[-1.0, 2.0], [-3.0, -4.0]])
    assert_near(F.prelu(x, torch.tensor([0.5])), [[-0.5, 2.0], [-1.5, -2.0]])
    assert_near(F.prelu(x, torch.tensor([0.5, 0.1])), [[-0.5, 2.0], [-1.5, -0.4]])
    layer = nn.PReLU(2)
    layer(x).sum().backward()
    assert_near(layer.weight.grad, [-4.0, -4.0])
    with pytest.raises(RuntimeError, match="Mismatch of parameter numbers and input channel size"):
        F.prelu(x, torch.ones(3))


def test_rrelu_draws_slopes_in_training_only():
    x = torch.full((1000,), -1.0)
    y = F.rrelu(x, 0.1, 0.3, training=True)
    assert y.min() >= -0.3 and y.max() <= -0.1 and abs(y.mean().item() + 0.2) < 0.01
    assert_near(nn.RReLU(0.1, 0.3).eval()(x[:2]), [-0.2, -0.2])


def test_gelu_by_tanh():
    inner = math.sqrt(2 / math.pi) * (X + 0.044715 * X**3)
    assert_near(F.gelu(torch.tensor(X), approximate="tanh"), X * (1 + np.tanh(inner)) / 2, rtol=1e-12)
    assert repr(nn.GELU("tanh")) == "GELU(approximate='tanh')"


def test_softmax_without_a_dimension_warns_and_chooses_one():
    x = torch.ones(2, 4)
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax"):
        assert_near(F.softmax(x), np.full((2, 4), 0.25))
    assert F.softmax(torch.tensor([1, 2]), 0, dtype=torch.float64).dtype == torch.float64


def test_gumbel_softmax_gives_choices_with_a_gradient():
    logits = torch.tensor([[1.0, 2.0, 3.0]] * 500, requires_grad=True)
    hard = F.gumbel_softmax(logits, hard=True)
    assert set(hard.detach().unique().tolist()) <= {0.0, 1.0} if hasattr(hard, "unique") else True
    assert_near(hard.sum(1), np.ones(500))
    shares = hard.mean(0).tolist()
    assert_near(shares, np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum(), atol=0.08)
    hard[:, 0].sum().backward()
    assert logits.grad is not None and logits.grad.abs().sum() > 0


# ---- Linear, bilinear, embedding, normalization, dropout -------------------------------------------------------------


def test_linear_is_an_affine_map():
    layer = nn.Linear(3, 2)
    x = np.arange(12.0, dtype=np.float32).reshape(2, 2, 3)
    weight, bias = (np.array(parameter.tolist()) for parameter in (layer.weight, layer.bias))
    assert_near(layer(torch.tensor(x)), x @ weight.T + bias, rtol=1e-5)
    assert layer.weight.abs().max() <= 1 / math.sqrt(3)
    assert nn.Linear(3, 2, bias=False, dtype=torch.float64).weight.dtype == torch.float64


def test_bilinear_sums_products():
    layer = nn.Bilinear(2, 3, 4, dtype=torch.float64)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 2)), rng.normal(size=(5, 3))
    weight, bias = (np.array(parameter.tolist()) for parameter in (layer.weight, layer.bias))
    assert_near(layer(torch.tensor(a), torch.tensor(b)), np.einsum("ni,oij,nj->no", a, weight, b) + bias, rtol=1e-9)
    assert layer(torch.tensor(a[0]), torch.tensor(b[0])).shape == (4,)
    with pytest.raises(RuntimeError, match="batch dimensions do not match"):
        layer(torch.tensor(a), torch.tensor(b[:3]))


def test_embedding_looks_rows_up():
    layer = nn.Embedding(4, 2, padding_idx=-1)
    assert layer.padding_idx == 3 and layer.weight[3].tolist() == [0.0, 0.0]
    layer(torch.tensor([[0, 3], [0, 1]])).sum().backward()
    assert layer.weight.grad.tolist() == [[2.0, 2.0], [1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]
    assert repr(layer) == "Embedding(4, 2, padding_idx=3)"
    with pytest.raises(AssertionError, match="Padding_idx must be within num_embeddings"):
        nn.Embedding(4, 2, padding_idx=4)


def test_embedding_scales_gradients_by_frequency():
    weight = torch.ones(3, 1, requires_grad=True)
    F.embedding(torch.tensor([0, 0, 1]), weight, scale_grad_by_freq=True).sum().backward()
    assert weight.grad.tolist() == [[1.0], [1.0], [0.0]]


def test_embedding_limits_norms_of_the_rows_it_uses():
    weight = torch.tensor([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]])
    result = F.embedding(torch.tensor([0, 1]), weight, max_norm=1.0)
    assert_near(result, [[0.6, 0.8], [0.3, 0.4]])
    assert_near(weight, [[0.6, 0.8], [0.3, 0.4], [6.0, 8.0]])


def test_embedding_from_a_given_table():
    table = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    layer = nn.Embedding.from_pretrained(table)
    assert not layer.weight.requires_grad and layer(torch.tensor(1)).tolist() == [3.0, 4.0]


def test_layer_norm_has_mean_zero_and_variance_one():
    layer = nn.LayerNorm(4, dtype=torch.float64)
    expected = (X - X.mean(1, keepdims=True)) / np.sqrt(X.var(1, keepdims=True) + 1e-5)
    assert_near(layer(torch.tensor(X)), expected, rtol=1e-9)
    layer = nn.LayerNorm([2, 4], elementwise_affine=False)
    assert_near(layer(torch.tensor(X)), (X - X.mean()) / np.sqrt(X.var() + 1e-5), rtol=1e-9)
    assert repr(layer) == "LayerNorm((2, 4), eps=1e-05, elementwise_affine=False, bias=False)" and layer.weight is None
    assert nn.LayerNorm(4, bias=False).bias is None


def test_dropout_zeroes_and_scales_in_training_only():
    layer = nn.Dropout(0.25)
    x = torch.ones(4000, requires_grad=True)
    y = layer(x)
    kept = y != 0
    assert abs(kept.sum().item() / 4000 - 0.75) < 0.04
    assert_near(y[kept], np.full(int(kept.sum()), 4 / 3))
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
    assert layer.eval()(x) is x or torch.equal(layer(x), x)
    assert nn.Dropout(1.0)(x).sum() == 0
    z = torch.ones(10)
    assert F.dropout(z, 1.0, inplace=True) is z and z.sum() == 0
    with pytest.raises(ValueError, match=r"dropout probability has to be between 0 and 1, but got 1.5"):
        nn.Dropout(1.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        F.dropout(z, -0.1)


def test_normalize_divides_by_the_norm():
    assert_near(F.normalize(torch.tensor([[3.0, 4.0], [0.0, 0.0]])), [[0.6, 0.8], [0.0, 0.0]])
    assert_near(F.normalize(torch.tensor([1.0, 3.0]), p=1.0, dim=0), [0.25, 0.75])


def test_one_hot():
    assert F.one_hot(torch.tensor([0, 2])).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert F.one_hot(torch.tensor(1), 4).tolist() == [0, 1, 0, 0]
    with pytest.raises(RuntimeError, match="Class values must be smaller than num_classes"):
        F.one_hot(torch.tensor([3]), 3)
    with pytest.raises(RuntimeError, match="Class values must be non-negative"):
        F.one_hot(torch.tensor([-1]))


def test_flatten_and_unflatten():
    x = torch.zeros(2, 3, 4)
    assert nn.Flatten()(x).shape == (2, 12) and nn.Flatten(0, 1)(x).shape == (6, 4)
    assert nn.Unflatten(1, (3, 1))(x).shape == (2, 3, 1, 4) and nn.Unflatten(2, (2, -1))(x).shape == (2, 3, 2, 2)
    with pytest.raises(TypeError, match="unflattened_size must be"):
        nn.Unflatten(1, "ab")


# ---- Losses ----------------------------------------------------------------------------------------------------------

P = np.array([[0.2, 0.7], [0.9, 0.5]])
T = np.array([[0.0, 1.0], [0.4, 0.5]])


def reduced(values, reduction):
    return {"none": values, "mean": values.mean(), "sum": values.sum()}[reduction]


def huber(d, delta):
    return np.where(d <= delta, d * d / 2, delta * (d - delta / 2))


LOSSES = [
    (F.mse_loss, {}, nn.MSELoss(), lambda p, t: (p - t) ** 2),
    (F.l1_loss, {}, nn.L1Loss(), lambda p, t: np.abs(p - t)),
    (
        F.smooth_l1_loss,
        {"beta": 0.25},
        nn.SmoothL1Loss(beta=0.25),
        lambda p, t: huber(np.abs(p - t), 0.25) / 0.25,
    ),
    (F.huber_loss, {"delta": 0.25}, nn.HuberLoss(delta=0.25), lambda p, t: huber(np.abs(p - t), 0.25)),
    (
        F.binary_cross_entropy,
        {},
        nn.BCELoss(),
        lambda p, t: -(t * np.log(p) + (1 - t) * np.log(1 - p)),
    ),
    (
        F.binary_cross_entropy_with_logits,
        {},
        nn.BCEWithLogitsLoss(),
        lambda p, t: -(t * np.log(sigmoid(p)) + (1 - t) * np.log(sigmoid(-p))),
    ),
    (
        F.kl_div,
        {},
        nn.KLDivLoss(),
        lambda p, t: np.where(t > 0, t * np.log(np.where(t > 0, t, 1)), 0) - t * p,
    ),
]
each_loss = pytest.mark.parametrize(
    ("function", "settings", "layer", "expected"), LOSSES, ids=[row[2]._get_name() for row in LOSSES]
)


@each_loss
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_loss_has_the_value_of_its_formula_in_each_reduction(function, settings, layer, expected, reduction):
    p, t = torch.tensor(P), torch.tensor(T)
    value = reduced(expected(P, T), reduction)
    assert_near(function(p, t, reduction=reduction, **settings), value, rtol=1e-12)
    layer.reduction = reduction
    assert_near(layer(p, t), value, rtol=1e-12)


@each_loss
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
def test_loss_has_the_slope_of_finite_differences(function, settings, layer, expected):
    points = P + 0.013
    p = torch.tensor(points, requires_grad=True)
    function(p, torch.tensor(T), **settings).backward()
    (slope,) = finite_difference(lambda q: float(expected(q, T).mean()), [points.copy()])
    assert_near(p.grad, slope, rtol=1e-6, atol=1e-8)


def test_unknown_reduction_and_old_switches():
    p = torch.tensor(P)
    with pytest.raises(ValueError, match="is not a valid value for reduction"):
        F.l1_loss(p, p, reduction="all")
    with pytest.warns(UserWarning, match="please use reduction='sum' instead"):
        assert nn.L1Loss(size_average=False).reduction == "sum"


def test_different_sizes_warn_before_they_broadcast():
    with pytest.warns(UserWarning, match="Using a target size"):
        F.mse_loss(torch.zeros(2, 3), torch.zeros(3))
    with pytest.raises(ValueError, match="Using a target size"):
        F.binary_cross_entropy(torch.zeros(2), torch.zeros(3))
    with pytest.raises(ValueError, match="must be the same as input size"):
        F.binary_cross_entropy_with_logits(torch.zeros(2), torch.zeros(3))


def test_weights_of_elements():
    p, t, w = torch.tensor(P), torch.tensor(T), torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
    weights = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert_near(F.mse_loss(p, t, weight=w), ((P - T) ** 2 * weights).sum() / 10)
    assert_near(F.l1_loss(p, t, weight=w, reduction="sum"), (np.abs(P - T) * weights).sum())
    assert_near(F.huber_loss(p, t, weight=w), (huber(np.abs(P - T), 1) * weights).mean())
    assert_near(F.binary_cross_entropy(p, t, w), (-(T * np.log(P) + (1 - T) * np.log(1 - P)) * weights).mean())


def test_binary_cross_entropy_is_finite_at_zero_and_one():
    p = torch.tensor([0.0, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(p, torch.tensor([1.0, 1.0]), reduction="none")
    assert loss.tolist() == [100.0, 0.0]
    loss.sum().backward()
    assert torch.isfinite(p.grad).all() and p.grad[0] < -1e11 and p.grad[1] == 0
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        F.binary_cross_entropy(torch.tensor([1.5]), torch.tensor([1.0]))


def test_binary_cross_entropy_differentiates_twice_and_in_the_target():
    p, t = torch.tensor(P, requires_grad=True), torch.tensor(0.1 + 0.8 * T, requires_grad=True)
    assert torch.autograd.gradgradcheck(F.binary_cross_entropy, (p, t.detach()))
    assert torch.autograd.gradcheck(F.binary_cross_entropy, (p, t))


def test_binary_cross_entropy_with_logits_weighs_positives_and_does_not_overflow():
    x, t = torch.tensor([1.0, -2.0]), torch.tensor([1.0, 0.0])
    expected = np.array([-3 * np.log(sigmoid(1.0)), -np.log(sigmoid(2.0))])
    layer = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0), reduction="none")
    assert_near(layer(x, t), expected)
    x = torch.tensor([1e4, -1e4], requires_grad=True)
    F.binary_cross_entropy_with_logits(x, 1 - t).backward()
    assert torch.isfinite(x.grad).all()


def test_kl_div_of_logarithms_and_by_batch():
    p, t = np.log(P), np.clip(T, 0.1, 0.9)
    expected = (t * (np.log(t) - p)).sum() / 2
    assert_near(F.kl_div(torch.tensor(p), torch.tensor(t), reduction="batchmean"), expected)
    loss = nn.KLDivLoss(reduction="batchmean", log_target=True)
    assert_near(loss(torch.tensor(p), torch.tensor(np.log(t))), expected)
    with pytest.warns(UserWarning, match="reduction: 'mean' divides the total loss"):
        F.kl_div(torch.tensor(p), torch.tensor(t))


LOGITS = np.array([[1.0, 2.0, 0.5], [0.1, -1.0, 0.3], [2.0, 2.0, 2.0]])
LOG_P = LOGITS - np.log(np.exp(LOGITS).sum(1, keepdims=True))
CLASSES = [2, 0, 1]


def test_cross_entropy_picks_the_log_probability_of_the_class():
    picked = -LOG_P[np.arange(3), CLASSES]
    logits, classes = torch.tensor(LOGITS), torch.tensor(CLASSES)
    assert_near(F.cross_entropy(logits, classes), picked.mean())
    assert_near(F.cross_entropy(logits, classes, reduction="none"), picked)
    assert_near(F.nll_loss(torch.tensor(LOG_P), classes, reduction="sum"), picked.sum())
    assert_near(nn.CrossEntropyLoss()(logits[0], classes[0]), picked[0])


def test_cross_entropy_with_weights_and_ignored_targets():
    weight = np.array([1.0, 2.0, 4.0])
    picked = -(LOG_P[np.arange(3), CLASSES] * weight[CLASSES])
    logits, classes, w = torch.tensor(LOGITS), torch.tensor(CLASSES), torch.tensor(weight)
    assert_near(nn.CrossEntropyLoss(w)(logits, classes), picked.sum() / weight[CLASSES].sum())
    kept = [0, 2]
    expected = picked[kept].sum() / weight[[2, 1]].sum()
    assert_near(F.cross_entropy(logits, classes, w, ignore_index=0), expected)
    assert_near(nn.NLLLoss(w, ignore_index=0)(torch.tensor(LOG_P), classes), expected)


def test_cross_entropy_with_smoothing_and_probabilities():
    logits, classes = torch.tensor(LOGITS), torch.tensor(CLASSES)
    one_hot = np.eye(3)[CLASSES]
    smooth = 0.9 * one_hot + 0.1 / 3
    expected = -(smooth * LOG_P).sum(1).mean()
    assert_near(F.cross_entropy(logits, classes, label_smoothing=0.1), expected)
    assert_near(F.cross_entropy(logits, torch.tensor(smooth)), expected)
    assert_near(nn.CrossEntropyLoss(label_smoothing=0.1)(logits, torch.tensor(one_hot)), expected)


# ---- Against PyTorch -------------------------------------------------------------------------------------------------


@pytest.mark.parity
@each_activation
def test_activation_agrees_with_torch(function, args, layer, expected):
    reference = pytest.importorskip("torch")
    points = np.concatenate([X.ravel(), [0.0, -3.0, 3.0, 6.0, -0.5, 0.5, 1.0, -1.0]]).reshape(4, 4)
    ours, theirs = torch.tensor(points, requires_grad=True), reference.tensor(points, requires_grad=True)
    name = type(layer).__name__
    twin = getattr(reference.nn, name)
    theirs_layer = twin(*args) if name != "GELU" else twin()
    assert repr(layer) == repr(theirs_layer)
    y, z = layer(ours), theirs_layer(theirs)
    assert_near(y, z.tolist(), rtol=1e-12, atol=1e-12)
    y.sum().backward()
    z.sum().backward()
    assert_near(ours.grad, theirs.grad.tolist(), rtol=1e-7, atol=1e-12)  # its hardsigmoid divides in float32


@pytest.mark.parity
@each_loss
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
def test_loss_agrees_with_torch_where_input_meets_target(function, settings, layer, expected):
    reference = pytest.importorskip("torch")
    points, targets = np.array([0.5, 0.25, 0.75, 0.5]), np.array([0.5, 0.5, 0.5, 0.75])
    ours, theirs = torch.tensor(points, requires_grad=True), reference.tensor(points, requires_grad=True)
    their_function = getattr(reference.nn.functional, function.__name__)
    function(ours, torch.tensor(targets), **settings).backward()
    their_function(theirs, reference.tensor(targets), **settings).backward()
    assert_near(ours.grad, theirs.grad.tolist(), rtol=1e-12)


@pytest.mark.parity
def test_functions_and_layers_take_the_arguments_of_torch():
    import inspect

    reference = pytest.importorskip("torch")

    def names(function):
        try:
            found = list(inspect.signature(function).parameters)
        except (TypeError, ValueError):
            return None  # a builtin
        return None if found == ["args", "kwargs"] else found  # a function that chooses one of two

    for name in F.__all__:
        ours, theirs = names(getattr(F, name)), names(getattr(reference.nn.functional, name))
        if ours is not None and theirs is not None:
            assert ours[: len(theirs)] == theirs or set(theirs) <= set(ours), name
    for name in dir(nn):
        layer = getattr(nn, name)
        if isinstance(layer, type) and issubclass(layer, nn.Module):
            ours, theirs = names(layer.__init__), names(getattr(reference.nn, name).__init__)
            unknown = theirs is None or "kwargs" in theirs or "args" in theirs
            assert unknown or ours[1:] == theirs[1:], name
