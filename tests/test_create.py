"""Tensors made from nothing: shapes, dtypes, values, and sizes that must be refused."""

import numpy as np
import pytest
from support import assert_near

import leafgrad


def test_dtype_follows_the_kind_of_number():
    assert leafgrad.full((2,), 3).dtype == leafgrad.int64
    assert leafgrad.full((2,), True).dtype == leafgrad.bool
    assert leafgrad.full((2,), 3.0).dtype == leafgrad.float32
    assert leafgrad.full((2,), 3j).dtype == leafgrad.complex64
    assert leafgrad.arange(3).dtype == leafgrad.int64
    assert leafgrad.arange(3.0).dtype == leafgrad.float32
    assert leafgrad.zeros(2).dtype == leafgrad.linspace(0, 1, 2).dtype == leafgrad.float32


@pytest.mark.parametrize("size", [(), (0,), (3,), (2, 0, 4), (2, 3, 4)], ids=str)
@pytest.mark.parametrize("name", ["zeros", "ones"])
def test_shape_is_what_was_asked_for(name, size):
    make, value = getattr(leafgrad, name), {"zeros": 0, "ones": 1}[name]
    for tensor in (make(size), make(list(size)), make(size=size), make(*size) if size else make(size)):
        assert tensor.shape == size and tensor.is_leaf and tensor.tolist() == np.full(size, value).tolist()


def test_requires_grad_makes_a_leaf():
    w = leafgrad.ones(2, requires_grad=True)
    assert w.requires_grad and w.is_leaf


@pytest.mark.parametrize(
    "args", [(5,), (1, 5), (0, 10, 3), (10, 0, -3), (0, 1, 0.1), (5.0, 0.0, -0.5), (3, 3), (-2.5,) * 2], ids=str
)
def test_arange_counts_as_numpy_does(args):
    assert_near(leafgrad.arange(*args, dtype=leafgrad.float64), np.arange(*args), rtol=1e-15)


def test_arange_of_integers_is_exact_beyond_doubles():
    start = 2**53
    assert leafgrad.arange(start, start + 4).tolist() == [start + i for i in range(4)]


@pytest.mark.parametrize("steps", [0, 1, 2, 7, 100])
def test_linspace_meets_both_ends(steps):
    line = leafgrad.linspace(-3, 7, steps, dtype=leafgrad.float64)
    assert_near(line, np.linspace(-3, 7, steps), rtol=1e-15, atol=1e-15)
    assert_near(leafgrad.logspace(-1, 2, steps, dtype=leafgrad.float64), np.logspace(-1, 2, steps), rtol=1e-12)


@pytest.mark.parametrize(("n", "m"), [(3, 3), (2, 4), (4, 2), (0, 3)])
def test_eye_has_ones_on_the_diagonal(n, m):
    assert leafgrad.eye(n, m).tolist() == np.eye(n, m).tolist()


@pytest.mark.parametrize("offset", [-5, -1, 0, 1, 5])
def test_triangle_indices_are_numpys(offset):
    for ours, theirs in ((leafgrad.tril_indices, np.tril_indices), (leafgrad.triu_indices, np.triu_indices)):
        assert ours(3, 4, offset).tolist() == [i.tolist() for i in theirs(3, offset, 4)]


@pytest.mark.parametrize(
    ("strides", "size", "expected"),
    [((1, 3), (3, 4), (1, 3)), ((0, 1), (4, 3), (3, 1)), ((8, 2), (2, 4), (4, 1)), ((1, 10), (3, 4), (1, 3))],
)
def test_empty_like_keeps_the_order_of_dimensions(strides, size, expected):
    x = leafgrad.zeros(100).as_strided(size, strides)
    assert leafgrad.empty_like(x).stride() == expected


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: leafgrad.empty(-1), RuntimeError, "negative dimension -1"),
        (lambda: leafgrad.empty(2**62), RuntimeError, "Storage size calculation overflowed"),
        (lambda: leafgrad.zeros(2**31, 2**31, 4), RuntimeError, "Storage size calculation overflowed"),
        (lambda: leafgrad.zeros(0, 2**62, 2**62), RuntimeError, "Stride calculation overflowed"),
        (lambda: leafgrad.arange(0, 1e18), MemoryError, "4000000000000000000 bytes"),
        (lambda: leafgrad.arange(0, 1e18), RuntimeError, "tried to allocate"),
        (lambda: leafgrad.linspace(0, 1, 2**50), MemoryError, "bytes"),
        (lambda: leafgrad.linspace(0, 1, -1), RuntimeError, "steps must be non-negative"),
        (lambda: leafgrad.arange(0, 1, 0), RuntimeError, "step must be nonzero"),
        (lambda: leafgrad.arange(0, float("inf")), RuntimeError, "unsupported range"),
        (lambda: leafgrad.arange(float("nan")), RuntimeError, "unsupported range"),
        (lambda: leafgrad.arange(5, 1), RuntimeError, "inconsistent with step sign"),
        (lambda: leafgrad.arange(0, 1e19), RuntimeError, "invalid size, possible overflow"),
        (lambda: leafgrad.full((2,), 1000, dtype=leafgrad.int8), RuntimeError, "without overflow"),
        (lambda: leafgrad.full((2,), 2**70), OverflowError, "64 bits"),
        (lambda: leafgrad.eye(-1), RuntimeError, "greater or equal to 0"),
        (lambda: leafgrad.empty_strided((2, 2), (1,)), RuntimeError, "dimensionality"),
        (lambda: leafgrad.empty_strided((2, 2), (-1, 1)), RuntimeError, "strides"),
    ],
)
def test_impossible_sizes_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_complex_takes_its_parts_and_gives_their_gradients():
    real, imag = leafgrad.tensor([1.0, 2.0], requires_grad=True), leafgrad.tensor([3.0, 4.0], requires_grad=True)
    z = leafgrad.complex(real, imag)
    assert z.tolist() == [1 + 3j, 2 + 4j]
    (z * leafgrad.tensor([2 + 1j, 1j])).abs().sum().backward()
    # d|w z|/d(real, imag) = |w| (real, imag) / |z|
    scale = np.abs([2 + 1j, 1j]) / np.abs([1 + 3j, 2 + 4j])
    assert_near(real.grad, scale * [1, 2])
    assert_near(imag.grad, scale * [3, 4])
