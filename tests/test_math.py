"""Accuracy of the elementwise functions, in units in the last place, over the whole range of floats."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

import leafgrad

# Every exponent and both signs; random low bits, so that other floats are met than in the fits.
ALL_FLOATS = (np.arange(0, 2**32, 4001, dtype=np.uint64) % 2**32).astype(np.uint32).view(np.float32)
FINITE = ALL_FLOATS[np.isfinite(ALL_FLOATS)]


def ulps(actual, exact):
    """Distance from the exact value in units of the float nearest to it."""
    with np.errstate(over="ignore", under="ignore"):
        nearest = exact.astype(np.float32)
    comparable = np.isfinite(nearest) & np.isfinite(actual)
    assert np.array_equal(np.isnan(actual), np.isnan(nearest))
    overflows = np.isinf(actual) != np.isinf(nearest)  # one float further on either side of the largest
    assert np.all(np.abs(exact[overflows]) > 3.4e38)
    unit = np.maximum(np.spacing(np.abs(nearest[comparable])), np.float32(2.0**-149))
    return np.abs(actual[comparable].astype(np.float64) - exact[comparable]) / unit


@pytest.mark.leafgrad_only
@pytest.mark.parametrize(
    ("name", "reference", "bound"),
    [
        ("exp", np.exp, 1.1),
        ("log", np.log, 1.0),
        ("tanh", np.tanh, 2.5),
        ("sigmoid", scipy.special.expit, 2.4),
        ("erf", scipy.special.erf, 1.4),
        ("sin", np.sin, 0.6),
        ("cos", np.cos, 0.6),
        ("sqrt", np.sqrt, 0.51),
        ("expm1", np.expm1, 1.5),
        ("log1p", np.log1p, 1.5),
        ("exp2", np.exp2, 1.5),
        ("log2", np.log2, 1.5),
        ("erfc", scipy.special.erfc, 2.5),
    ],
)
def test_float32_function_is_within_its_stated_error(name, reference, bound):
    with np.errstate(all="ignore"):
        exact = reference(FINITE.astype(np.float64))
    actual = getattr(leafgrad, name)(leafgrad.tensor(FINITE)).numpy()
    assert ulps(actual, exact).max() <= bound


@pytest.mark.leafgrad_only
def test_float32_gelu_and_its_slope_are_as_near_as_their_largest_term():
    x = leafgrad.tensor(FINITE[np.abs(FINITE) < 1e30], requires_grad=True)
    y = leafgrad.nn.functional.gelu(x)
    y.sum().backward()
    exact = x.detach().numpy().astype(np.float64)
    cdf = scipy.special.ndtr(exact)
    slope = cdf + exact * np.exp(-(exact**2) / 2) / np.sqrt(2 * np.pi)
    assert np.all(np.abs(y.detach().numpy() - exact * cdf) <= 1e-7 * np.abs(exact) + 2.0**-149)
    assert np.abs(x.grad.numpy() - slope).max() <= 1.3e-7


@pytest.mark.leafgrad_only
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_one_huge_argument_does_not_spoil_its_neighbours(name):
    x = np.full(1000, 0.5, np.float32)
    x[500] = 1e30
    exact = getattr(np, name)(x.astype(np.float64))
    assert ulps(getattr(leafgrad, name)(leafgrad.tensor(x)).numpy(), exact).max() <= 0.6


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [
        ("exp", [np.inf, -np.inf, 0.0], [np.inf, 0.0, 1.0]),
        ("log", [np.inf, 0.0, 1.0, -1.0], [np.inf, -np.inf, 0.0, np.nan]),
        ("tanh", [np.inf, -np.inf, -0.0], [1.0, -1.0, -0.0]),
        ("sigmoid", [np.inf, -np.inf, 0.0], [1.0, 0.0, 0.5]),
        ("erf", [np.inf, -np.inf, -0.0], [1.0, -1.0, -0.0]),
        ("sin", [np.inf, -0.0], [np.nan, -0.0]),
        ("relu", [np.inf, -np.inf, -1.0], [np.inf, 0.0, 0.0]),
        ("erfinv", [1.0, -1.0, 2.0, 0.0], [np.inf, -np.inf, np.nan, 0.0]),
        ("lgamma", [1.0, 2.0, 0.0, -1.0], [0.0, 0.0, np.inf, np.inf]),
        ("digamma", [0.0, -1.0], [-np.inf, np.nan]),
        ("sinc", [0.0], [1.0]),
        ("round", [0.5, 1.5, 2.5, -0.5], [0.0, 2.0, 2.0, -0.0]),
        ("rsqrt", [0.0, np.inf, -1.0], [np.inf, 0.0, np.nan]),
        ("reciprocal", [0.0, -0.0, np.inf], [np.inf, -np.inf, 0.0]),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_special_values(name, at, value, dtype):
    y = getattr(leafgrad, name)(leafgrad.tensor([*at, np.nan], dtype=getattr(leafgrad, dtype))).numpy()
    expected = np.array([*value, np.nan], dtype)
    np.testing.assert_array_equal(y, expected)
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(y[known]), np.signbit(expected[known]))


@pytest.mark.leafgrad_only
@pytest.mark.parametrize(("name", "order"), [("digamma", 0), ("polygamma", 1), ("polygamma", 2), ("polygamma", 4)])
def test_polygamma_functions_match_scipy(name, order):
    x = np.linspace(0.05, 30, 500)
    expected = scipy.special.digamma(x) if order == 0 else scipy.special.polygamma(order, x)
    args = (leafgrad.tensor(x),) if order == 0 else (order, leafgrad.tensor(x))
    np.testing.assert_allclose(getattr(leafgrad, name)(*args).numpy(), expected, rtol=1e-11, atol=1e-13)


def test_erfinv_undoes_erf_to_the_last_digits():
    x = np.linspace(-5, 5, 1001)
    y = scipy.special.erf(x)
    np.testing.assert_allclose(
        leafgrad.erfinv(leafgrad.tensor(y)).numpy(), scipy.special.erfinv(y), rtol=1e-13, atol=1e-15
    )


@pytest.mark.leafgrad_only
def test_complex_functions_are_exact_near_the_points_where_terms_cancel():
    z = leafgrad.tensor([1e-9 + 1e-9j, -1e-9 + 2e-9j], dtype=leafgrad.complex128)
    np.testing.assert_allclose(leafgrad.expm1(z).numpy(), scipy.special.expm1(z.numpy()), rtol=1e-14)
    np.testing.assert_allclose(leafgrad.log1p(z).numpy(), scipy.special.log1p(z.numpy()), rtol=1e-14)


def test_complex_quotient_does_not_overflow_on_the_way():
    a = leafgrad.tensor([1e30 + 1e30j], dtype=leafgrad.complex64)
    np.testing.assert_allclose((a / a).numpy(), [1 + 0j], atol=1e-6)
