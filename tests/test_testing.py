"""``leafgrad.testing``: what ``assert_close`` accepts, what it says, and what ``make_tensor`` draws."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import leafgrad as torch
from leafgrad.testing import assert_close, make_tensor

tensor = torch.tensor
inf, nan = math.inf, math.nan


def _message(*args, **options):
    with pytest.raises(AssertionError) as error:
        assert_close(*args, **options)
    return str(error.value)


@pytest.mark.parametrize(
    ("actual", "expected", "options"),
    [
        (lambda: tensor([1.0]), lambda: tensor([1.0 + 5e-6]), {}),
        (lambda: tensor([1.0]), lambda: tensor([1.5]), {"rtol": 0, "atol": 0.5}),
        (lambda: tensor([10.0]), lambda: tensor([9.0]), {"rtol": 0.12, "atol": 0}),
        (lambda: tensor([inf, -inf]), lambda: tensor([inf, -inf]), {}),
        (lambda: tensor([nan]), lambda: tensor([nan]), {"equal_nan": True}),
        (lambda: tensor([1, 2]), lambda: tensor([1.0, 2.0]), {"check_dtype": False}),
        (lambda: tensor([1.0], dtype=torch.bfloat16), lambda: tensor([1.0078125], dtype=torch.bfloat16), {}),
        (lambda: tensor([1 + 2j]), lambda: tensor([1 + 2j]), {}),
        (lambda: torch.zeros(2, 3).t(), lambda: torch.zeros(3, 2), {}),
        (lambda: torch.zeros(0, 3), lambda: torch.zeros(0, 3), {}),
        (lambda: torch.nn.Parameter(tensor([1.0])), lambda: tensor([1.0]), {}),
        (lambda: np.array([1.0, 2.0]), lambda: np.array([1.0, 2.0]), {}),
        (lambda: 1.0, lambda: 1.0 + 1e-8, {}),
        (lambda: nan, lambda: nan, {"equal_nan": True}),
        (lambda: None, lambda: None, {}),
        (lambda: True, lambda: True, {}),
        (lambda: [tensor([1.0]), (2, {"a": 3.0})], lambda: (tensor([1.0]), [2, {"a": 3.0}]), {}),
        (lambda: torch.empty(2, device="meta"), lambda: torch.empty(2, device="meta"), {}),
    ],
)
def test_close_pairs_pass(actual, expected, options):
    assert_close(actual(), expected(), **options)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64", "complex128"])
def test_default_tolerances_follow_the_dtype(dtype):
    parts = {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)
    rtol = {"float16": 1e-3, "bfloat16": 1.6e-2, "float32": 1.3e-6, "float64": 1e-7}[parts]
    expected = tensor([1000.0], dtype=getattr(torch, dtype))  # so large that atol does not matter
    assert_close(tensor([1000 * (1 + 0.9 * rtol)], dtype=torch.float64), expected, check_dtype=False)
    assert "not close" in _message(tensor([1000 * (1 + 1.1 * rtol)], dtype=torch.float64), expected, check_dtype=False)


def test_message_tells_index_and_size_of_the_greatest_differences():
    text = _message(tensor([[1.0, 2.0], [3.0, 8.0]]), tensor([[1.0, 1.0], [3.0, 6.0]]))
    assert text == (
        "Tensor-likes are not close!\n\n"
        "Mismatched elements: 2 / 4 (50.0%)\n"
        "Greatest absolute difference: 2.0 at index (1, 1) (up to 1e-05 allowed)\n"
        "Greatest relative difference: 1.0 at index (0, 1) (up to 1.3e-06 allowed)"
    )


def test_exact_comparison_says_equal():
    text = _message(tensor([1, 2]), tensor([1, 4]))
    assert text == (
        "Tensor-likes are not equal!\n\n"
        "Mismatched elements: 1 / 2 (50.0%)\n"
        "Greatest absolute difference: 2 at index (1,)\n"
        "Greatest relative difference: 0.5 at index (1,)"
    )


def test_scalars_are_told_by_value():
    assert _message(1.0, 2.0) == (
        "Scalars are not close!\n\nExpected 2.0 but got 1.0.\n"
        "Absolute difference: 1.0 (up to 1e-07 allowed)\nRelative difference: 0.5 (up to 1e-07 allowed)"
    )
    assert "Expected 4 but got 3." in _message(tensor(3), tensor(4))


@pytest.mark.parametrize(
    ("actual", "expected", "options", "phrase"),
    [
        (lambda: tensor([1.0]), lambda: tensor([nan]), {}, "Greatest absolute difference: nan at index (0,)"),
        (lambda: tensor([nan]), lambda: tensor([nan]), {}, "Greatest absolute difference: nan"),
        (lambda: tensor([1.0]), lambda: tensor([inf]), {}, "Greatest absolute difference: inf"),
        (lambda: tensor([inf]), lambda: tensor([-inf]), {}, "not close"),
        (lambda: tensor([1]), lambda: tensor([1, 2]), {}, "attribute 'shape' do not match: torch.Size([1])"),
        (
            lambda: tensor([1]),
            lambda: tensor([1.0]),
            {},
            "attribute 'dtype' do not match: torch.int64 != torch.float32",
        ),
        (lambda: torch.zeros(1), lambda: torch.empty(1, device="meta"), {}, "attribute 'device' do not match"),
        (
            lambda: torch.zeros(2, 3).t(),
            lambda: torch.zeros(3, 2),
            {"check_stride": True},
            "attribute 'stride()' do not match: (1, 3) != (2, 1)",
        ),
        (lambda: [1.0], lambda: [1.0, 2.0], {}, "length of the sequences mismatch: 1 != 2"),
        (lambda: {"a": 1}, lambda: {"b": 1}, {}, "Missing keys in the actual mapping: ['b']"),
        (lambda: {"a": [1, 2]}, lambda: {"a": [1, 3]}, {}, "The failure occurred for item ['a'][1]"),
        (lambda: tensor([1.0]), lambda: None, {}, "None mismatch"),
        (lambda: True, lambda: False, {}, "Booleans mismatch: True is not False"),
        (lambda: 1.0, lambda: 1, {}, "types do not match"),
        (lambda: tensor([True]), lambda: tensor([False]), {}, "Mismatched elements: 1 / 1 (100.0%)"),
    ],
)
def test_differing_pairs_raise(actual, expected, options, phrase):
    assert phrase in _message(actual(), expected(), **options)


@pytest.mark.leafgrad_only
def test_integer_differences_do_not_overflow():
    assert f"Greatest absolute difference: {2**63}" in _message(tensor([2**62]), tensor([-(2**62)]))


@pytest.mark.leafgrad_only
def test_a_boolean_is_not_a_number():
    with pytest.raises(TypeError, match="No comparison pair"):
        assert_close(True, 1)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [("a", "a"), ({1}, {1}), (tensor([1.0]), 1.0), (tensor([1.0]), [1.0]), (np.array([1.0]), tensor([1.0]))],
)
def test_pairs_of_unlike_kinds_raise_type_error(actual, expected):
    with pytest.raises(TypeError, match="No comparison pair was able to handle inputs of type"):
        assert_close(actual, expected)


def test_subclasses_can_be_refused():
    with pytest.raises(TypeError, match="No comparison pair"):
        assert_close(torch.nn.Parameter(tensor([1.0])), tensor([1.0]), allow_subclasses=False)


def test_one_tolerance_without_the_other_is_refused():
    with pytest.raises(ValueError, match="but got no atol"):
        assert_close(1.0, 1.0, rtol=1)
    with pytest.raises(ValueError, match="but got no rtol"):
        assert_close(1.0, 1.0, atol=1)


@pytest.mark.leafgrad_only
def test_negative_tolerance_is_refused():
    with pytest.raises(ValueError, match="rtol must not be negative"):
        assert_close(1.0, 1.0, rtol=-1, atol=0)


def test_msg_replaces_or_changes_the_text():
    assert _message(1, 2, msg="own words") == "own words"
    assert _message([1], [2], msg=lambda text: "seen: " + text).startswith("seen: Scalars are not equal!")


# ---- make_tensor

RANGES = {
    "bool": (0, 1), "uint8": (0, 9), "int8": (-9, 9), "int64": (-9, 9), "float16": (-9, 9), "bfloat16": (-9, 9),
    "float32": (-9, 9), "float64": (-9, 9),
}  # fmt: skip


@pytest.mark.parametrize("dtype", RANGES)
def test_make_tensor_draws_from_the_whole_default_range(dtype):
    t = make_tensor(2000, dtype=getattr(torch, dtype), device="cpu")
    assert t.dtype == getattr(torch, dtype)
    low, high = RANGES[dtype]
    values = np.array(t.tolist(), dtype=float)
    assert values.min() >= low
    assert values.max() <= high
    assert values.max() - values.min() > 0.8 * (high - low)
    assert abs(values.mean() - (low + high) / 2) < (high - low) / 20


def test_make_tensor_of_complex_numbers_draws_both_parts():
    values = np.array(make_tensor(2000, dtype=torch.complex64, device="cpu").tolist())
    assert values.real.min() < -8 < 8 < values.real.max()
    assert values.imag.min() < -8 < 8 < values.imag.max()


def test_make_tensor_options():
    assert make_tensor((2, 3), dtype=torch.float32, device="cpu").shape == (2, 3)
    assert make_tensor(2, 3, dtype=torch.float32, device="cpu").shape == (2, 3)
    assert make_tensor((), dtype=torch.float32, device="cpu").shape == ()
    assert make_tensor(2, dtype=torch.float32, device="cpu", requires_grad=True).requires_grad
    t = make_tensor((2, 3), dtype=torch.float32, device="cpu", noncontiguous=True)
    assert t.stride() == (6, 2)
    assert not t.is_contiguous()
    assert all(make_tensor(50, dtype=torch.bool, device="cpu", exclude_zero=True).tolist())
    assert 0 not in make_tensor(200, dtype=torch.int8, device="cpu", low=0, high=2, exclude_zero=True).tolist()
    assert set(make_tensor(50, dtype=torch.int8, device="cpu", low=1.5, high=3).tolist()) == {2}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_make_tensor_never_gives_the_upper_end(dtype):
    values = make_tensor(5000, dtype=getattr(torch, dtype), device="cpu", low=1, high=1.05).tolist()
    assert all(1 <= x < 1.05 for x in values)


def test_make_tensor_cuts_the_range_to_the_dtype():
    values = make_tensor(3000, dtype=torch.int8, device="cpu", low=-1000, high=1000).tolist()
    assert min(values) < -120
    assert max(values) > 120
    assert all(map(math.isfinite, make_tensor(100, dtype=torch.float64, device="cpu", low=-inf, high=inf).tolist()))


@pytest.mark.parametrize(
    ("options", "phrase"),
    [
        ({"dtype": torch.float32, "low": 2, "high": 1}, "`low` must be less than `high`, but got 2 >= 1"),
        ({"dtype": torch.float32, "low": nan}, "cannot be NaN"),
        ({"dtype": torch.int8, "requires_grad": True}, "not supported for boolean and integral dtypes"),
        (
            {"dtype": torch.float32, "noncontiguous": True, "memory_format": torch.contiguous_format},
            "mutually exclusive",
        ),
    ],
)
def test_make_tensor_refuses(options, phrase):
    with pytest.raises(ValueError, match=re.escape(phrase)):
        make_tensor(2, device="cpu", **options)


def test_make_tensor_warns_of_an_empty_range():
    with pytest.warns(FutureWarning, match="low *== *high"):
        assert make_tensor((), dtype=torch.float32, device="cpu", low=3, high=3).item() == 3
