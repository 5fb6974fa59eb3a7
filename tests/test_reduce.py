"""Reductions, scans, softmax, losses and sorting: what the op table cannot say."""

from __future__ import annotations

import math

import numpy as np
import pytest

import leafgrad
from leafgrad.autograd import gradcheck, gradgradcheck
from leafgrad.nn import functional

nan, inf = math.nan, math.inf


def double(values, requires_grad=True):
    return leafgrad.tensor(values, dtype=leafgrad.float64, requires_grad=requires_grad)


# ---- accuracy, layouts, threads


@pytest.mark.parametrize("n", [1, 7, 64, 1023, 1024, 1025, 70_000, 300_001])
def test_sum_of_float32_is_as_exact_as_pairwise_summation(n):
    x = np.random.default_rng(n).uniform(0, 1, n).astype(np.float32)
    exact = math.fsum(x.tolist())
    assert abs(leafgrad.from_numpy(x).sum().item() - exact) <= 4e-7 * exact


@pytest.mark.parametrize("shape", [(70_000, 3), (3, 70_000), (300, 40, 30), (40, 30, 300)])
@pytest.mark.parametrize("order", [None, "reversed"])
def test_sums_along_every_dimension_agree_with_numpy(shape, order):
    x = np.random.default_rng(0).normal(size=shape)
    t = leafgrad.from_numpy(x)
    if order:
        x, t = x.transpose(), t.permute(*reversed(range(len(shape))))
    for dim in range(len(shape)):
        np.testing.assert_allclose(t.sum(dim).numpy(), x.sum(dim), rtol=1e-10, atol=1e-9)
        np.testing.assert_allclose(t.amax(dim).numpy(), x.max(dim))
    np.testing.assert_allclose(t.sum().item(), x.sum(), rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(t.sum((0, -1)).numpy(), x.sum((0, -1)), rtol=1e-10, atol=1e-9)


@pytest.mark.leafgrad_only
def test_bits_of_a_result_do_not_depend_on_the_number_of_threads():
    x = leafgrad.from_numpy(np.random.default_rng(1).normal(size=(513, 1031)).astype(np.float32))
    before = leafgrad.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 5):
            leafgrad.set_num_threads(threads)
            values = [x.sum(), x.sum(0), x.sum(1), x.var(), x.norm(), x.prod(), x.softmax(0).sum(1), x.cumsum(0)]
            results.append([v.numpy().tobytes() for v in values])
    finally:
        leafgrad.set_num_threads(before)
    assert results[0] == results[1] == results[2]


def test_half_precision_sums_accumulate_in_float():
    x = leafgrad.full((4096,), 1.0, dtype=leafgrad.float16)
    assert x.sum().item() == 4096 and x.mean().item() == 1  # in float16 itself, adding 1 to 2048 changes nothing
    assert leafgrad.full((70_000,), 100.0, dtype=leafgrad.float16).mean().item() == 100  # the sum would overflow
    assert leafgrad.full((1024,), 1.0, dtype=leafgrad.bfloat16).sum().item() == 1024


def test_integers_are_summed_as_int64_and_wrap():
    assert leafgrad.full((300,), 127, dtype=leafgrad.int8).sum().item() == 300 * 127
    assert (
        leafgrad.full((300,), 127, dtype=leafgrad.int8).sum(dtype=leafgrad.int8).item() == (300 * 127 + 128) % 256 - 128
    )
    assert leafgrad.tensor([True, True, False]).sum().dtype == leafgrad.int64
    top = leafgrad.tensor([2**63 - 1, 1])
    assert top.sum().item() == -(2**63) and top.cumsum(0)[1].item() == -(2**63)


def test_variance_far_from_zero_keeps_its_digits():
    x = leafgrad.tensor([1e6, 1e6 + 1, 1e6 + 2], dtype=leafgrad.float32)
    assert x.var().item() == 1 and x.std(correction=0).item() == pytest.approx(math.sqrt(2 / 3), rel=1e-6)


# ---- empty, zero-dim, NaN, ties


def test_empty_reductions_give_the_identity():
    e = leafgrad.empty(0)
    assert e.sum().item() == 0 and e.prod().item() == 1 and not e.any() and e.all() and math.isnan(e.mean())
    assert e.logsumexp(0).item() == -inf and leafgrad.empty(0, 3).sum(0).tolist() == [0, 0, 0]
    assert leafgrad.empty(3, 0).prod(1).tolist() == [1, 1, 1] and leafgrad.empty(0, 3).max(1).values.shape == (0,)
    assert e.cumsum(0).shape == (0,) and e.softmax(0).shape == (0,) and e.sort().values.shape == (0,)


@pytest.mark.parametrize("name", ["max", "min", "amax", "amin", "argmax", "argmin"])
def test_extremes_of_nothing_raise(name):
    with pytest.raises((RuntimeError, IndexError), match="Expected reduction dim to be specified"):
        getattr(leafgrad.empty(0), name)()
    with pytest.raises(IndexError, match="Expected reduction dim 0 to have non-zero size"):
        getattr(leafgrad.empty(0, 3), name)(0)


def test_dimensions_are_checked():
    x = leafgrad.zeros(2, 3)
    with pytest.raises(IndexError, match="Dimension out of range"):
        x.sum(2)
    with pytest.raises(IndexError, match="Dimension out of range"):
        leafgrad.tensor(1.0).max(1)
    with pytest.raises(RuntimeError, match="appears multiple times in the list of dims"):
        x.sum((0, -2))


def test_nan_wins_every_extreme():
    x = leafgrad.tensor([[1, nan, 3, nan], [4, 3, 2, 1]])
    for name in ("max", "min"):
        values, indices = getattr(x, name)(1)
        assert math.isnan(values[0]) and indices[0].item() == 1
        assert math.isnan(getattr(x, name)())
    assert x.argmax(1).tolist() == [1, 0] and x.argmin(1).tolist() == [1, 3] and x.argmax().item() == 1
    assert math.isnan(x.median()) and x.nanmedian().item() == 2
    assert x.nansum().item() == 14 and x.nanmean(1).tolist() == [2, 2.5]
    values, indices = leafgrad.tensor([1, nan, 3, nan]).cummax(0)
    assert indices.tolist() == [0, 1, 1, 3]
    assert math.isnan(values[3])


def test_the_first_of_equals_is_the_index_of_an_extreme():
    x = leafgrad.tensor([[2, 5, 5], [1, 1, 0]])
    assert x.max(1).indices.tolist() == [1, 0] and x.argmax(0).tolist() == [0, 0, 0] and x.argmax().item() == 1
    assert leafgrad.zeros(5, 200).argmin(0).sum().item() == 0
    assert leafgrad.tensor([1, 3, 3, 2]).cummax(0).indices.tolist() == [0, 1, 2, 2]  # a scan: the last


def test_gradient_of_ties():
    def gradient(function):
        x = double([[3.0, 1.0, 3.0], [2.0, 2.0, 2.0]])
        function(x).sum().backward()
        return x.grad.tolist()

    shared = [[0.5, 0, 0.5], [1 / 3, 1 / 3, 1 / 3]]
    assert gradient(lambda x: x.amax(1)) == shared
    assert gradient(lambda x: x.max()) == [[0.5, 0, 0.5], [0, 0, 0]]
    assert gradient(lambda x: x.max(1).values) == [[1, 0, 0], [1, 0, 0]]
    assert gradient(lambda x: x.norm(inf, 1)) == shared
    assert gradient(lambda x: x.median()) == [[0, 0, 0], [1 / 3, 1 / 3, 1 / 3]]


@pytest.mark.parametrize("zeros", [[], [1], [0, 2], [0, 1, 2, 3]])
def test_products_with_zeros_have_exact_derivatives(zeros):
    values = np.array([1.5, -2.0, 3.0, 0.5])
    values[zeros] = 0
    x = double(np.stack([values, values[::-1].copy()]))
    for function in (
        lambda x: x.prod(),
        lambda x: x.prod(1),
        lambda x: x.prod(0, keepdim=True),
        lambda x: x.cumprod(1),
    ):
        assert gradcheck(function, (x,)) and gradgradcheck(function, (x,))


def test_std_of_equal_elements_has_no_nan_gradient():
    x = leafgrad.ones(3, requires_grad=True)
    x.std().backward()
    assert x.grad.tolist() == [0, 0, 0]
    y = leafgrad.zeros(3, requires_grad=True)
    y.norm().backward()
    assert y.grad.tolist() == [0, 0, 0]


def test_few_degrees_of_freedom_warn():
    with pytest.warns(UserWarning, match="degrees of freedom is <= 0"):
        assert math.isnan(leafgrad.tensor([1.0]).var())


def test_logsumexp_and_softmax_do_not_overflow():
    x = double([1000.0, 1000.0, -1000.0])
    assert x.logsumexp(0).item() == pytest.approx(1000 + math.log(2))
    assert x.softmax(0).tolist() == [0.5, 0.5, 0] and x.log_softmax(0)[0].item() == pytest.approx(-math.log(2))
    y = x.logcumsumexp(0)
    y.sum().backward()
    assert y[2].item() == pytest.approx(1000 + math.log(2)) and np.isfinite(x.grad.numpy()).all()
    assert leafgrad.tensor([-inf, -inf]).logsumexp(0).item() == -inf
    assert leafgrad.tensor([inf, 1.0]).logsumexp(0).item() == inf


@pytest.mark.parametrize("call", [
    lambda x: x.mean(),
    lambda x: x.softmax(0),
    lambda x: x.var(),
    lambda x: x.norm(),
])  # fmt: skip
def test_integers_have_no_mean(call):
    with pytest.raises(RuntimeError):
        call(leafgrad.tensor([1, 2, 3]))


def test_results_that_are_pairs_have_names():
    x = leafgrad.tensor([3.0, 1.0, 2.0])
    assert x.max(0).values.item() == 3 and x.sort().indices.tolist() == [1, 2, 0] and x.aminmax().max.item() == 3
    values, indices = x.topk(2)
    assert values.tolist() == [3, 2] and indices.tolist() == [0, 2]


def test_out_is_filled():
    x, y = leafgrad.tensor([[1.0, 2.0], [3.0, 4.0]]), leafgrad.empty(2)
    assert leafgrad.sum(x, 0, out=y) is y and y.tolist() == [4, 6]
    values, indices = leafgrad.empty(2), leafgrad.empty(2, dtype=leafgrad.int64)
    leafgrad.max(x, 1, out=(values, indices))
    assert values.tolist() == [2, 4] and indices.tolist() == [1, 1]


def test_scans_in_place():
    x = leafgrad.tensor([1, 2, 3], dtype=leafgrad.int8)
    assert x.cumsum_(0) is x and x.tolist() == [1, 3, 6] and x.dtype == leafgrad.int8
    assert x.cumprod_(0).tolist() == [1, 3, 18]


def test_sum_to_size_undoes_broadcasting():
    x = leafgrad.ones(4, 2, 3, requires_grad=True)
    y = x.sum_to_size(2, 1)
    assert y.tolist() == [[12], [12]] and x.sum_to_size(4, 2, 3) is x
    (y * leafgrad.tensor([[1.0], [2.0]])).sum().backward()
    assert x.grad[0].tolist() == [[1, 1, 1], [2, 2, 2]]
    with pytest.raises(RuntimeError, match="not expandable to size"):
        x.sum_to_size(3, 3)


# ---- sorting


@pytest.mark.parametrize("n", [5, 255, 256, 5000])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "int8", "uint8", "bool"])
@pytest.mark.parametrize("descending", [False, True])
def test_sort_is_stable_and_puts_nan_last(n, dtype, descending):
    values = np.random.default_rng(n).integers(-3, 4, n)
    x = (values > 0 if dtype == "bool" else np.abs(values) if dtype == "uint8" else values).astype(dtype)
    if dtype.startswith("float"):
        x[::3] = nan
        x[1::7] = -0.0
    result, indices = leafgrad.from_numpy(x).sort(stable=True, descending=descending)
    rank = np.where(np.isnan(x), np.inf, x.astype(np.float64))
    expected = np.argsort(-rank if descending else rank, kind="stable")
    assert indices.tolist() == expected.tolist()
    np.testing.assert_array_equal(result.numpy(), x[expected])


def test_gradients_of_selections_go_back_to_where_the_values_were():
    x = double([[3.0, 1.0, 2.0], [5.0, 6.0, 4.0]])
    (x.sort(1).values * double([[1.0, 2.0, 3.0]], requires_grad=False)).sum().backward()
    assert x.grad.tolist() == [[3, 1, 2], [2, 3, 1]]
    x.grad = None
    x.topk(1, dim=1).values.sum().backward()
    assert x.grad.tolist() == [[1, 0, 0], [0, 1, 0]]


def test_selection_arguments_are_checked():
    x = leafgrad.zeros(3)
    for k in (4, -1):
        with pytest.raises(RuntimeError, match="selected index k out of range"):
            x.topk(k)
    for k in (0, 4):
        with pytest.raises(RuntimeError, match="selected number k out of range"):
            x.kthvalue(k)
    with pytest.raises(RuntimeError, match="does not support complex"):
        leafgrad.zeros(2, dtype=leafgrad.complex64).sort()


@pytest.mark.parametrize("dim", [None, 0, 1])
def test_unique_agrees_with_numpy(dim):
    x = np.random.default_rng(3).integers(0, 2, (40, 3))
    found = leafgrad.unique(leafgrad.from_numpy(x), return_inverse=True, return_counts=True, dim=dim)
    expected = np.unique(x, return_inverse=True, return_counts=True, axis=dim)
    for a, e in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a.numpy(), np.asarray(e).reshape(a.shape))
    assert isinstance(leafgrad.unique(leafgrad.from_numpy(x)), leafgrad.Tensor)


def test_unique_consecutive_joins_only_neighbours():
    values, inverse, counts = leafgrad.tensor([1, 1, 2, 2, 2, 1]).unique_consecutive(True, True)
    assert (values.tolist(), inverse.tolist(), counts.tolist()) == ([1, 2, 1], [0, 0, 1, 1, 1, 2], [2, 3, 1])
    rows = leafgrad.tensor([[1, 2], [1, 2], [3, 4]])
    assert leafgrad.unique_consecutive(rows, dim=0).tolist() == [[1, 2], [3, 4]]


def test_unique_has_no_derivative():
    x = leafgrad.tensor([1.0, 1.0], requires_grad=True)
    with pytest.raises(NotImplementedError, match="derivative for '_unique2' is not implemented"):
        x.unique().sum().backward()


def test_searchsorted_agrees_with_numpy():
    line, values = np.array([1.0, 3.0, 3.0, 7.0]), np.array([[0.0, 3.0, 9.0], [1.0, 7.0, nan]])
    for right in (False, True):
        found = leafgrad.searchsorted(leafgrad.from_numpy(line), leafgrad.from_numpy(values), right=right)
        np.testing.assert_array_equal(found.numpy(), np.searchsorted(line, values, "right" if right else "left"))
    assert leafgrad.bucketize(leafgrad.tensor([2, 4]), leafgrad.tensor([1, 3]), out_int32=True).dtype == leafgrad.int32
    shuffled, sorter = leafgrad.tensor([3, 1, 2]), leafgrad.tensor([1, 2, 0])
    assert leafgrad.searchsorted(shuffled, leafgrad.tensor([2]), sorter=sorter).tolist() == [1]
    assert leafgrad.searchsorted(leafgrad.tensor([1, 2]), leafgrad.tensor([1.5, 2])).tolist() == [1, 1]


# ---- losses


def test_a_target_out_of_range_is_an_index_error():
    x = leafgrad.zeros(2, 3, requires_grad=True)
    for bad in (3, -1, 5):
        with pytest.raises(IndexError, match=f"Target {bad} is out of bounds"):
            functional.cross_entropy(x, leafgrad.tensor([0, bad]))
    assert functional.cross_entropy(x, leafgrad.tensor([0, -100])).item() == pytest.approx(math.log(3))


def test_losses_check_shapes_and_dtypes():
    x = leafgrad.zeros(3, 4)
    with pytest.raises(ValueError, match=r"Expected input batch_size \(3\) to match target batch_size \(2\)"):
        functional.nll_loss(x, leafgrad.tensor([0, 1]))
    with pytest.raises(RuntimeError, match="multi-target not supported"):
        functional.nll_loss(x, leafgrad.zeros(3, 4, dtype=leafgrad.int64))
    with pytest.raises(RuntimeError, match="expected target dtype to be Long or Byte"):
        functional.nll_loss(x, leafgrad.zeros(3, dtype=leafgrad.int32))
    with pytest.raises(RuntimeError, match=r"Expected target size \[3, 1\], got \[3, 2\]"):
        functional.nll_loss(leafgrad.zeros(3, 4, 1), leafgrad.zeros(3, 2, dtype=leafgrad.int64))
    with pytest.raises(RuntimeError, match="weight tensor should be defined either for all 4 classes"):
        functional.nll_loss(x, leafgrad.tensor([0, 1, 2]), weight=leafgrad.ones(3))
    with pytest.raises(ValueError, match="foo is not a valid value for reduction"):
        functional.cross_entropy(x, leafgrad.tensor([0, 1, 2]), reduction="foo")
    with pytest.raises(RuntimeError, match="label_smoothing must be between"):
        functional.cross_entropy(x, leafgrad.tensor([0, 1, 2]), label_smoothing=2.0)


def test_nothing_but_ignored_targets_give_nan():
    x = leafgrad.zeros(2, 3)
    assert math.isnan(functional.cross_entropy(x, leafgrad.tensor([-100, -100])))
    assert functional.cross_entropy(x, leafgrad.tensor([-100, -100]), reduction="sum").item() == 0


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_weighted_nll_loss_has_right_derivatives(reduction):
    x = double(np.random.default_rng(5).normal(size=(4, 3)))
    weight, target = double([0.5, 2.0, 1.0], requires_grad=False), leafgrad.tensor([0, 2, 1, 2])

    def loss(x):
        return functional.cross_entropy(x, target, weight, ignore_index=1, reduction=reduction, label_smoothing=0.1)

    assert gradcheck(loss, (x,)) and gradgradcheck(loss, (x,))
    with pytest.raises(RuntimeError, match="not differentiable with respect to argument 'weight'"):
        functional.nll_loss(x, target, weight.requires_grad_())


def test_layer_norm_checks_its_shapes():
    x = leafgrad.zeros(3, 4)
    with pytest.raises(RuntimeError, match=r"Given normalized_shape=\[3\], expected input with shape \[\*, 3\]"):
        functional.layer_norm(x, [3])
    with pytest.raises(RuntimeError, match="Expected normalized_shape to be at least 1-dimensional"):
        functional.layer_norm(x, [])
    with pytest.raises(RuntimeError, match="Expected weight to be of same shape as normalized_shape"):
        functional.layer_norm(x, [4], leafgrad.ones(3))


def test_layer_norm_needs_no_input_for_the_gradient_of_its_bias():
    x, bias = leafgrad.randn(3, 4), leafgrad.zeros(4, requires_grad=True)
    functional.layer_norm(x, [4], None, bias).sum().backward()
    assert bias.grad.tolist() == [3, 3, 3, 3]


def test_a_zero_dim_integer_beside_max_is_the_other_tensor():
    assert leafgrad.tensor([1, 9]).max(leafgrad.tensor(5)).tolist() == [5, 9]
    assert leafgrad.min(leafgrad.tensor([1, 9]), leafgrad.tensor(5)).tolist() == [1, 5]


def test_sum_to_size_of_bools_counts():
    x = leafgrad.tensor([[True, True], [False, True]])
    assert x.sum_to_size(1, 2).tolist() == [[1, 2]] and x.sum_to_size(1, 2).dtype == leafgrad.int64
