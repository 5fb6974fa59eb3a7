"""Large reads and writes at indices, where work is spread: against NumPy, in order, on any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from support import assert_near

import leafgrad as torch
from leafgrad.nn import functional as F


@pytest.fixture(params=[1, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def numbers(*size, seed=0):
    return np.random.default_rng(seed).normal(size=size).astype(np.float32)


def indices(high, *size, low=0):
    return np.random.default_rng(7).integers(low, high, size=size)


@pytest.mark.parametrize(
    ("shape", "dim", "count"),
    [((9000, 16), 0, 12_000), ((300_000,), 0, 400_000), ((60, 70, 9), 1, 200), ((3, 5000, 8), 1, 9000)],
)
def test_index_add_and_its_derivative(shape, dim, count, threads):
    at = indices(shape[dim], count)
    source = numbers(*shape[:dim], count, *shape[dim + 1 :])
    expected = np.ones(shape, np.float32)
    where = (slice(None),) * dim + (at,)
    np.add.at(expected, where, source)
    x, s = torch.ones(shape, requires_grad=True), torch.tensor(source, requires_grad=True)
    y = torch.index_add(x, dim, torch.tensor(at), s)
    assert_near(y, expected, rtol=1e-4, atol=1e-4)
    y.backward(torch.tensor(expected))
    assert_near(s.grad, expected[where])
    assert_near(x.grad, expected)


@pytest.mark.parametrize(
    ("shape", "dim", "count"), [((9000, 16), 0, 12_000), ((60, 700), 1, 900), ((30, 40, 50), 1, 70)]
)
def test_rows_read_at_negative_indices_and_their_derivative(shape, dim, count, threads):
    at = indices(shape[dim], count, low=-shape[dim])
    where = (slice(None),) * dim + (at,)
    x = torch.tensor(numbers(*shape), requires_grad=True)
    y = x[(slice(None),) * dim + (torch.tensor(at),)]
    assert_near(y, numbers(*shape)[where])
    g = numbers(*y.shape, seed=1)
    y.backward(torch.tensor(g))
    expected = np.zeros(shape, np.float32)
    np.add.at(expected, where, g)
    assert_near(x.grad, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("count", [500, 300_000])
def test_positions_read_added_and_put(count, threads):
    size = 700
    i, j = indices(size, count, low=-size), np.random.default_rng(8).integers(0, size, count)
    x = torch.tensor(numbers(size, size), requires_grad=True)
    y = x[torch.tensor(i), torch.tensor(j)]
    assert_near(y, numbers(size, size)[i, j])
    g = numbers(count, seed=1)
    y.backward(torch.tensor(g))
    expected = np.zeros((size, size), np.float32)
    np.add.at(expected, (i, j), g)
    assert_near(x.grad, expected, rtol=1e-4, atol=1e-4)
    put, wanted = torch.zeros(size, size), np.zeros((size, size), np.float32)
    put[torch.tensor(i), torch.tensor(j)] = torch.tensor(g)
    wanted[i, j] = g  # of equal indices the last wins
    assert_near(put, wanted)


def test_blocks_that_are_not_dense():
    x = torch.tensor(numbers(5, 6, 7, 8), requires_grad=True)
    i, j = torch.tensor([0, -1, 2]), torch.tensor([1, 1, 6])
    y = x[:, i, :, i + j.clamp(max=3)]
    expected = numbers(5, 6, 7, 8)[:, [0, -1, 2], :, [1, 0, 5]]
    assert_near(y, expected)
    y.sum().backward()
    ones = np.zeros((5, 6, 7, 8), np.float32)
    np.add.at(ones, (slice(None), [0, -1, 2], slice(None), [1, 0, 5]), 1)
    assert_near(x.grad, ones)


@pytest.mark.parametrize("wrong", [700, -701])
def test_an_index_out_of_range_is_named_and_nothing_is_written(wrong):
    at = indices(700, 100_000)
    at[77_777] = wrong
    x = torch.zeros(700, 3)
    with pytest.raises(IndexError, match=f"index {wrong} is out of bounds for dimension 0 with size 700"):
        x[torch.tensor(at), 0]
    with pytest.raises(IndexError, match=f"index {wrong} is out of bounds"):
        x[torch.tensor(at)]
    with pytest.raises(IndexError, match=f"index {wrong} is out of bounds"):
        x[torch.tensor(at), torch.tensor(0)] = 1.0
    with pytest.raises(RuntimeError, match=f"index {wrong} is out of bounds"):
        torch.gather(x, 0, torch.tensor(at)[:, None])
    assert x.eq(0).all() and x._version == 0


@pytest.mark.parametrize("dim", [0, 1, 2])
@pytest.mark.parametrize("shape", [(40, 50, 60), (1, 100_000, 1), (3, 2, 40_000)])
def test_gather_and_scatter_along_each_dimension(shape, dim, threads):
    at, source = indices(shape[dim], *shape), numbers(*shape, seed=2)
    x = numbers(*shape)
    assert_near(torch.gather(torch.tensor(x), dim, torch.tensor(at)), np.take_along_axis(x, at, dim))
    grid = list(np.indices(shape, sparse=True))
    grid[dim] = at
    expected = x.copy()
    np.add.at(expected, tuple(grid), source)
    added = torch.tensor(x).scatter_add(dim, torch.tensor(at), torch.tensor(source))
    assert_near(added, expected, rtol=1e-4, atol=1e-4)
    # NumPy does not say which of equal indices wins: written line by line here.
    lines, positions, values = (np.moveaxis(a, dim, -1).reshape(-1, shape[dim]) for a in (x.copy(), at, source))
    for line, position, value in zip(lines, positions, values, strict=True):
        if len(lines) < 3000:
            for p, v in zip(position, value, strict=True):
                line[p] = v
    if len(lines) < 3000 and at.size <= 130_000:
        moved = np.moveaxis(np.empty(shape), dim, -1).shape
        put = torch.tensor(x).scatter(dim, torch.tensor(at), torch.tensor(source))
        assert_near(put, np.moveaxis(lines.reshape(moved), -1, dim))


@pytest.mark.parametrize("shape", [(100_003,), (300, 401), (7, 90, 110), (40_000, 2), (5, 1)])
def test_masks(shape, threads):
    mask = numbers(*shape, seed=4) > 0.3
    x = torch.tensor(numbers(*shape), requires_grad=True)
    m = torch.tensor(mask)
    assert m.nonzero().tolist() == np.argwhere(mask).tolist()
    for y in (x[m], torch.masked_select(x, m)):
        assert_near(y, numbers(*shape)[mask])
        g = numbers(int(mask.sum()), seed=5)
        (slope,) = torch.autograd.grad(y, x, torch.tensor(g))
        expected = np.zeros(shape, np.float32)
        expected[mask] = g
        assert_near(slope, expected)
    for value in (0.5, numbers(int(mask.sum()), seed=6)):
        written, wanted = torch.tensor(numbers(*shape)), numbers(*shape)
        written[m] = value if isinstance(value, float) else torch.tensor(value)
        wanted[mask] = value
        assert_near(written, wanted)
        assert written._version == 1


@pytest.mark.parametrize("padding", [None, 3, -1])
def test_embedding_of_a_large_table(padding, threads):
    at = indices(6000, 9000)
    weight = torch.tensor(numbers(6000, 32), requires_grad=True)
    y = F.embedding(torch.tensor(at), weight, padding_idx=padding)
    assert_near(y, numbers(6000, 32)[at])
    g = numbers(9000, 32, seed=1)
    y.backward(torch.tensor(g))
    expected = np.zeros((6000, 32), np.float32)
    np.add.at(expected, at, g)
    if padding is not None:
        expected[padding] = 0
    assert_near(weight.grad, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.complex64, torch.int64, torch.bool])
def test_sums_at_indices_have_the_same_bits_on_any_number_of_threads(dtype):
    at = torch.tensor(indices(50_000, 300_000))
    source = torch.tensor(numbers(300_000)).mul(3).to(dtype)
    before, results = torch.get_num_threads(), []
    try:
        for count in (1, 2, 5):
            torch.set_num_threads(count)
            results.append(torch.zeros(50_000, dtype=dtype).index_add(0, at, source))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(results[0], results[1]) and torch.equal(results[0], results[2])
