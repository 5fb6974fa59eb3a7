"""Pointwise operators where the op table does not reach: layouts, dtypes, promotion, masks, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import leafgrad
from leafgrad import tensor

# ---- layouts


@st.composite
def views(draw, shape):
    """A tensor that broadcasts to `shape`, and its numbers: fewer dimensions, steps, any order in memory."""
    shape = list(shape)
    missing = draw(st.integers(0, len(shape)))
    own = [1 if draw(st.booleans()) and draw(st.booleans()) else n for n in shape[missing:]]
    steps = [draw(st.sampled_from([1, 1, 2, 3])) for _ in own]
    order = draw(st.permutations(range(len(own))))
    dtype = draw(st.sampled_from(["float32", "float64", "int64", "int8", "uint8", "float16"]))
    whole = (
        np.random.default_rng(draw(st.integers(0, 99))).integers(0, 9, [own[d] * steps[d] for d in order]).astype(dtype)
    )
    inverse = np.argsort(order)
    slices = tuple(slice(None, None, s) for s in steps)
    return tensor(whole).permute([int(d) for d in inverse])[slices], whole.transpose(inverse)[slices]


@given(st.data())
def test_any_layouts_and_dtypes_add_as_in_numpy(data):
    shape = data.draw(st.lists(st.sampled_from([0, 1, 2, 3, 5, 70]), max_size=4).filter(lambda s: np.prod(s) < 5000))
    (a, x), (b, y) = data.draw(views(shape)), data.draw(views(shape))
    result = a + b
    expected = x.astype(np.float64) + y.astype(np.float64)
    assert result.shape == expected.shape
    np.testing.assert_array_equal(result.double().numpy(), expected)


@pytest.mark.parametrize("columns", [101, 1024])
def test_large_results_are_right_wherever_rows_begin(columns):
    """Results beyond the last-level cache are written past it, whole vectors at a time; rows begin between them."""
    rows = 9 * 2**20 // columns
    x, row = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns), np.arange(columns, dtype=np.float32)
    a, b = tensor(x), tensor(row)
    np.testing.assert_array_equal((a + b).numpy(), x + row)
    np.testing.assert_array_equal((a[1:] + a[:-1]).numpy(), x[1:] + x[:-1])
    np.testing.assert_array_equal(a[:, :-1].clone().numpy(), x[:, :-1])
    a += b
    np.testing.assert_array_equal(a.numpy(), x + row)


@given(st.data())
def test_writing_into_any_layout_touches_only_the_view(data):
    shape = data.draw(st.lists(st.sampled_from([1, 2, 3, 66]), min_size=1, max_size=3))
    order = data.draw(st.permutations(range(len(shape))))
    base = leafgrad.zeros([2 * shape[d] for d in order])
    view = base.permute([int(d) for d in np.argsort(order)])[tuple(slice(1, None, 2) for _ in shape)]
    b, y = data.draw(views(shape))
    view += b
    expected = np.broadcast_to(y.astype(np.float32), shape)
    np.testing.assert_array_equal(view.numpy(), expected)
    assert base.sum().item() == pytest.approx(float(expected.sum()))


@pytest.mark.parametrize("shape", [(300_000,), (1000, 700), (40_000, 3), (3, 40_000), (20, 30, 7, 11)])
def test_work_spread_over_threads_gives_what_one_element_at_a_time_gives(shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    row = np.arange(shape[-1], dtype=np.float64)
    t = tensor(x)
    np.testing.assert_array_equal((t + t).numpy(), x + x)
    np.testing.assert_array_equal((t + tensor(row, dtype=leafgrad.float32)).numpy(), x + row.astype(np.float32))
    np.testing.assert_array_equal((t * tensor(row)).numpy(), x * row)
    np.testing.assert_array_equal((t > 0).numpy(), x > 0)
    np.testing.assert_array_equal(
        (t.mT if len(shape) > 1 else t).contiguous().numpy(), x.swapaxes(-1, -2) if len(shape) > 1 else x
    )


def test_result_lies_in_memory_as_its_inputs_do():
    x = leafgrad.zeros(2, 3, 4).permute(2, 0, 1)
    assert (x + 1).stride() == x.stride() and x.exp().stride() == x.stride()
    assert (x + leafgrad.zeros(4, 2, 3)).stride() == x.stride()
    assert leafgrad.zeros(3, 4)[:, ::2].exp().stride() == (2, 1)


# ---- dtypes


def test_a_number_keeps_float_precision_beside_halves():
    x = tensor([1000.0], dtype=leafgrad.float16)
    assert (x * 0.1).item() == 100.0  # 0.1 as a half would give 99.94


@pytest.mark.parametrize("value", [2, 2.5, True])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float32", "float64", "complex64"])
def test_a_number_and_a_zero_dim_tensor_do_not_lift_a_tensor_of_their_kind(dtype, value):
    x = leafgrad.ones(2, dtype=getattr(leafgrad, dtype))
    kinds = {"bool": 0, "uint8": 1, "int64": 1, "float16": 2, "float32": 2, "float64": 2, "complex64": 3}
    lifted = {bool: 0, int: 1, float: 2}[type(value)] > kinds[dtype]
    wanted = {bool: "bool", int: "int64", float: "float32"}[type(value)] if lifted else dtype
    assert (x * value).dtype == (value * x).dtype == getattr(leafgrad, wanted)
    if not isinstance(value, float):
        assert (x * tensor(value)).dtype == getattr(leafgrad, wanted)


def test_result_type_promote_types_and_can_cast():
    f, i = leafgrad.ones(1), leafgrad.ones(1, dtype=leafgrad.int64)
    assert leafgrad.result_type(i, 1.5) == leafgrad.float32 and leafgrad.result_type(1, 1.5) == leafgrad.float32
    assert leafgrad.result_type(f, tensor(1.0, dtype=leafgrad.float64)) == leafgrad.float32
    assert leafgrad.promote_types(leafgrad.uint8, leafgrad.int8) == leafgrad.int16
    assert leafgrad.promote_types(leafgrad.float16, leafgrad.bfloat16) == leafgrad.float32
    assert leafgrad.can_cast(leafgrad.int64, leafgrad.float16) and not leafgrad.can_cast(
        leafgrad.float32, leafgrad.int32
    )


def test_in_place_keeps_the_dtype_or_refuses():
    x = leafgrad.ones(2)
    x += leafgrad.ones(2, dtype=leafgrad.float64)
    assert x.dtype == leafgrad.float32 and x.tolist() == [2.0, 2.0]
    with pytest.raises(RuntimeError, match="result type Float can't be cast to the desired output type Long"):
        tensor([1, 2]).add_(1.5)
    with pytest.raises(RuntimeError, match="result type Float can't be cast"):
        tensor([1, 2]).div_(2)
    with pytest.raises(RuntimeError, match=r"output with shape \[2\] doesn't match the broadcast shape \[3, 2\]"):
        leafgrad.ones(2).add_(leafgrad.ones(3, 2))


def test_default_dtype_decides_what_integers_become():
    leafgrad.set_default_dtype(leafgrad.float64)
    try:
        assert tensor([1, 2]).sqrt().dtype == (tensor([1]) / 2).dtype == (tensor([1]) * 1.5).dtype == leafgrad.float64
    finally:
        leafgrad.set_default_dtype(leafgrad.float32)


# ---- integers


def test_integer_division_by_zero_is_an_error_not_a_signal():
    x = tensor([1, 2])
    for operation in (
        lambda: x // 0,
        lambda: x % 0,
        lambda: leafgrad.fmod(x, 0),
        lambda: x // tensor([1, 0]),
        lambda: leafgrad.div(x, 0, rounding_mode="trunc"),
        lambda: x.floor_divide_(0),
    ):
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            operation()
    assert x.tolist() == [1, 2]
    assert (x / 0).tolist() == [float("inf")] * 2


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
def test_the_least_integer_divided_by_minus_one_wraps(dtype):
    least = leafgrad.iinfo(getattr(leafgrad, dtype)).min
    x = tensor([least], dtype=getattr(leafgrad, dtype))
    assert (x // -1).item() == least and (x % -1).item() == 0 and (-x).item() == least and x.abs().item() == least
    assert (x // tensor([-1], dtype=x.dtype)).item() == least


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1).filter(bool))
def test_floor_division_and_remainder_are_pythons(a, b):
    x, y = tensor([a]), tensor([b])
    wrap = (a // b + 2**63) % 2**64 - 2**63
    assert (x // y).item() == wrap and (x % y).item() == a % b


@given(st.floats(-1e6, 1e6), st.floats(-1e3, 1e3).filter(lambda b: abs(b) > 1e-3))
def test_floor_division_and_remainder_of_floats_are_pythons(a, b):
    x, y = tensor([a], dtype=leafgrad.float64), tensor([b], dtype=leafgrad.float64)
    assert (x // y).item() == a // b and (x % y).item() == a % b


def test_shifts_by_more_than_the_width_are_defined():
    x = tensor([1, -1, 5])
    assert (x << 100).tolist() == [0, 0, 0] and (x >> 100).tolist() == [0, -1, 0] and (x << -1).tolist() == [0, 0, 0]
    assert (tensor([1], dtype=leafgrad.int8) << 7).item() == -128
    assert (tensor([3], dtype=leafgrad.uint8) << 9).item() == 0


def test_integer_powers_are_exact_and_negative_ones_refused():
    assert (tensor([3, -2, 7]) ** 3).tolist() == [27, -8, 343]
    assert (tensor([3]) ** tensor([39])).item() == 3**39
    assert (2 ** tensor([0, 5, 62])).tolist() == [1, 32, 2**62]
    assert (tensor([1, -1, 2]) ** tensor([-3, -3, -3])).tolist() == [1, -1, 0]
    with pytest.raises(RuntimeError, match="Integers to negative integer powers are not allowed"):
        tensor([2]) ** -1


def test_bool_arithmetic_is_logic_where_it_has_a_meaning():
    t, f = tensor([True]), tensor([False])
    assert (t + t).item() is True and (t * f).item() is False and (t ^ t).item() is False and (~t).item() is False
    for operation in (lambda: t - f, lambda: -t, lambda: 1 - t):
        with pytest.raises(RuntimeError, match="bool"):
            operation()


# ---- masks, clamp, keywords


def test_where_takes_numbers_and_gives_indices():
    c = tensor([True, False, True])
    assert leafgrad.where(c, 1, 2).dtype == leafgrad.int64 and leafgrad.where(c, 1.5, 2).dtype == leafgrad.float32
    assert leafgrad.where(c)[0].tolist() == [0, 2]
    assert tensor([1.0, 2.0, 3.0]).where(c, 0).tolist() == [1.0, 0.0, 3.0]
    with pytest.raises(RuntimeError, match="where expected condition to be a boolean tensor"):
        leafgrad.where(tensor([1, 0, 1]), 1, 2)


def test_where_does_not_let_the_branch_not_taken_through():
    x = tensor([0.0, 4.0], requires_grad=True)
    leafgrad.where(x > 0, x.sqrt(), 0.0)[1].backward()
    y = leafgrad.where(tensor([True, False]), tensor([1.0, float("nan")]), tensor([float("inf"), 2.0]))
    assert y.tolist() == [1.0, 2.0]


def test_masked_fill_checks_mask_and_value():
    x, m = leafgrad.ones(2), tensor([True, False])
    with pytest.raises(RuntimeError, match="only supports boolean masks"):
        x.masked_fill(tensor([1, 0]), 0)
    with pytest.raises(RuntimeError, match="0-dimensional value tensor"):
        x.masked_fill(m, x)
    with pytest.raises(RuntimeError, match="without overflow"):
        tensor([1, 2]).masked_fill(m, float("inf"))


def test_clamp_takes_bounds_of_one_kind_and_lets_nan_through():
    x = tensor([-1.0, 0.5, float("nan")])
    assert x.clamp(0, 1).tolist()[:2] == [0.0, 0.5] and x.clamp(0, 1)[2].isnan()
    assert x.clamp(max=tensor([0.0, 0.0, 0.0])).tolist()[:2] == [-1.0, 0.0]
    assert tensor([1, 5]).clamp(min=2.5).tolist() == [2.5, 5.0]
    with pytest.raises(RuntimeError, match="At least one of 'min' or 'max' must not be None"):
        x.clamp()
    with pytest.raises(TypeError):
        x.clamp(0, x)


def test_alpha_must_be_of_the_tensors_kind():
    i = tensor([1, 2])
    with pytest.raises(RuntimeError, match="argument alpha must not be a floating point number"):
        leafgrad.add(i, i, alpha=1.5)
    with pytest.raises(RuntimeError, match="Boolean alpha only supported for Boolean results"):
        leafgrad.add(i, i, alpha=True)
    with pytest.raises(RuntimeError, match="must not be a complex number"):
        leafgrad.add(i / 2, i, alpha=1j)
    assert i.sub(i, alpha=3).tolist() == [-2, -4] and leafgrad.rsub(i, 1, alpha=2).tolist() == [-1, -3]


def test_unknown_modes_are_named():
    x = leafgrad.ones(2)
    with pytest.raises(RuntimeError, match="rounding_mode to be one of None, 'trunc', or 'floor' but found 'up'"):
        leafgrad.div(x, x, rounding_mode="up")
    with pytest.raises(RuntimeError, match="approximate argument must be either none or tanh"):
        leafgrad.nn.functional.gelu(x, approximate="x")


def test_maximum_splits_the_gradient_of_a_tie():
    a, b = (tensor([1.0, 2.0, 3.0], requires_grad=True), tensor([1.0, 3.0, 2.0], requires_grad=True))
    leafgrad.maximum(a, b).sum().backward()
    assert a.grad.tolist() == [0.5, 0.0, 1.0] and b.grad.tolist() == [0.5, 1.0, 0.0]


def test_in_place_square_by_itself_saves_the_old_value():
    x = tensor([3.0], requires_grad=True)
    y = x * 1
    y.mul_(y.clone())
    y.backward()
    assert x.grad.item() == 6.0


def test_writes_across_overlapping_memory_are_refused_or_right():
    x = leafgrad.arange(6.0)
    with pytest.raises(RuntimeError, match="refer to a single memory location"):
        x[1:].add_(x[:-1])
    m = leafgrad.arange(12.0).reshape(3, 4)
    m[:, 2:] += m[:, :2]
    assert m.tolist() == [[0, 1, 2, 4], [4, 5, 10, 12], [8, 9, 18, 20]]
    x[::2] += x[1::2]
    assert x.tolist() == [1, 1, 5, 3, 9, 5]
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
        leafgrad.zeros(1).expand(4).add_(1)


def test_devices_do_not_mix_except_for_numbers():
    meta = leafgrad.ones(2, device="meta")
    assert (meta + 1).is_meta and (meta * tensor(2.0)).is_meta
    with pytest.raises(RuntimeError, match="device"):
        leafgrad.ones(2) + meta


def test_views_of_complex_parts_share_memory_and_gradient():
    z = leafgrad.zeros(2, dtype=leafgrad.complex64)
    z.real.fill_(1.0)
    z.imag = tensor([2.0, 3.0])
    assert z.tolist() == [1 + 2j, 1 + 3j]
    w = tensor([1 + 1j, 2 - 1j], requires_grad=True)
    y = w * 1
    y.real.mul_(3.0)
    (y.real**2 + y.imag).sum().backward()
    # d/dRe (3 Re)**2 = 18 Re, d/dIm Im = 1
    assert w.grad.tolist() == [18 + 1j, 36 + 1j]
    with pytest.raises(RuntimeError, match="imag is not implemented for tensors with non-complex dtypes"):
        leafgrad.imag(leafgrad.ones(2))


@pytest.mark.leafgrad_only
def test_the_gradient_of_a_large_scaled_sum_is_not_written_out():
    x = leafgrad.ones(100, 50, dtype=leafgrad.float64, requires_grad=True)
    loss = (x.exp() * 3).sum()
    before = leafgrad._core._memory_stats()["live_bytes"]
    leafgrad._core._reset_peak()
    loss.backward()
    assert leafgrad._core._memory_stats()["peak_bytes"] - before < 1.1 * 8 * 5000  # the leaf's gradient
    assert x.grad.stride() == (50, 1)
    leafgrad.testing.assert_close(x.grad, 3 * x.detach().exp())


def test_whoever_sees_the_gradient_of_a_large_scaled_sum_may_write_to_it():
    x = leafgrad.ones(100, 50, dtype=leafgrad.float64, requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: g.add_(1))
    y.retain_grad()
    (y * 3).sum().backward()
    assert y.grad.stride() == x.grad.stride() == (50, 1)
    assert y.grad[3, 4] == 4 and x.grad[3, 4] == 8
    z = x.exp()
    (g,) = leafgrad.autograd.grad((z * 3).sum(), z)
    assert g.add_(1).stride() == (50, 1) and g[0, 0] == 4
