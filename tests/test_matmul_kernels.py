"""Matrix products large enough for the blocked kernel: against NumPy in double precision within a bound, in every
layout, under every instruction set, with the same bits on any number of threads."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import leafgrad as torch
from leafgrad import _core

# Sizes beside full panels, blocks and parts of the inner dimension; some are spread over threads and some are not.
SIZES = [(29, 33, 40), (14, 64, 600), (113, 129, 77), (300, 37, 385), (7, 130, 1030), (520, 260, 513), (130, 40, 4200)]
# Enough work for matrix tiles, where the processor has them.
TILED = [(700, 650, 600), (1030, 129, 2100), (130, 1050, 2000)] if _core._instruction_set() == "amx" else []
UNIT = {"float32": 2.0**-24, "float64": 2.0**-53, "complex64": 2.0**-24, "complex128": 2.0**-53}


def numbers(rng, dtype, *size):
    x = rng.standard_normal(size)
    return (x + 1j * rng.standard_normal(size) if dtype.startswith("complex") else x).astype(dtype)


def matrix(values, transposed, padding):
    """The same values with the other dimension contiguous, and rows or columns further apart."""
    values = values.T if transposed else values
    wide = np.zeros((values.shape[0], values.shape[1] + padding), values.dtype)
    wide[:, : values.shape[1]] = values
    view = torch.from_numpy(wide)[:, : values.shape[1]]
    return view.t() if transposed else view


def product_and_bound(a, b, dtype):
    """a @ b in double precision, and how far from it a sum of `dtype` may be."""
    wide = "complex128" if dtype.startswith("complex") else "float64"
    a, b = a.astype(wide), b.astype(wide)
    return a @ b, 2 * (a.shape[-1] + 4) * UNIT[dtype] * (np.abs(a) @ np.abs(b)) + np.finfo("float32").tiny


@pytest.mark.parametrize("dtype", UNIT)
@pytest.mark.parametrize("padding", [0, 3, 1024])
def test_every_layout_is_within_the_error_bound_of_a_sum(dtype, padding):
    rng = np.random.default_rng(0)
    for m, n, k in [*SIZES, *(TILED if dtype == "float32" else [])]:
        a, b = numbers(rng, dtype, m, k), numbers(rng, dtype, k, n)
        exact, bound = product_and_bound(a, b, dtype)
        for left in (False, True):
            for right in (False, True):
                ours = matrix(a, left, padding) @ matrix(b, right, padding)
                assert (np.abs(ours.numpy() - exact) <= bound).all()


@pytest.mark.parametrize("dtype", UNIT)
def test_addition_to_what_is_there(dtype):
    rng = np.random.default_rng(1)
    for m, n, k in [*SIZES, *(TILED if dtype == "float32" else [])]:
        a, b, c = numbers(rng, dtype, m, k), numbers(rng, dtype, k, n), numbers(rng, dtype, m, n)
        ours = torch.from_numpy(c.copy()).addmm_(torch.from_numpy(a), torch.from_numpy(b))
        exact = c.astype("complex128") + a.astype("complex128") @ b.astype("complex128")
        bound = 2 * (k + 8) * UNIT[dtype] * (np.abs(c) + np.abs(a) @ np.abs(b))
        assert (np.abs(ours.numpy() - exact) <= bound).all()


@pytest.mark.leafgrad_only
@pytest.mark.parametrize("dtype", UNIT)
def test_the_number_of_threads_does_not_change_a_bit(dtype):
    rng = np.random.default_rng(2)
    before = torch.get_num_threads()
    try:
        for m, n, k in [*SIZES, *(TILED if dtype == "float32" else []), (260, 130, 4200), (1100, 70, 90)]:
            a, b = numbers(rng, dtype, 3, m, k), numbers(rng, dtype, 3, k, n)
            for left, right in ((a, b), (a[0], b[0]), (a[1].T.copy().T, b[1]), (a[2], b[2].T.copy().T)):
                results = []
                for threads in (1, 2, 5):
                    torch.set_num_threads(threads)
                    results.append((torch.from_numpy(left) @ torch.from_numpy(right)).numpy().tobytes())
                assert results[0] == results[1] == results[2]
    finally:
        torch.set_num_threads(before)


@pytest.mark.leafgrad_only
@pytest.mark.parametrize("isa", ["baseline", "avx2", "avx512", "amx"])
def test_every_instruction_set_keeps_the_bound(isa):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import test_matmul_kernels as t\n"
        "for dtype in t.UNIT: t.test_every_layout_is_within_the_error_bound_of_a_sum(dtype, 3)\n"
    )
    environment = {**os.environ, "LEAFGRAD_ISA": isa}
    subprocess.run([sys.executable, "-c", code, os.path.dirname(__file__)], env=environment, check=True)


@pytest.mark.parametrize("n", [100, 10000])
def test_infinities_and_nan_reach_the_sums_they_belong_to(n):
    a, b = torch.ones(200, 150), torch.ones(150, n)
    a[3, 4] = float("inf")
    a[5, 6] = float("nan")
    b[4, 7] = 0
    c = a @ b
    assert torch.isinf(c[3]).sum().item() == n - 1 and torch.isnan(c[3, 7]).item()
    assert torch.isnan(c[5]).all().item()
    assert torch.isfinite(c).sum().item() == 198 * n


@pytest.mark.parametrize("left", [-120, -70, -30, 0, 90, 115])
@pytest.mark.parametrize("right", [-110, -50, 0, 35])
def test_small_and_large_magnitudes_keep_the_bound(left, right):
    if left + right > 118:
        pytest.skip("the sums themselves overflow")
    rng = np.random.default_rng(4)
    a, b = numbers(rng, "float32", 300, 1000), numbers(rng, "float32", 1000, 1000)
    a *= np.float32(2.0**left)
    b *= np.float32(2.0**right)
    a[::3] *= np.float32(2.0**-20)
    ours = (torch.from_numpy(a) @ torch.from_numpy(b)).numpy()
    a, b = a.astype("float64"), b.astype("float64")
    bound = 2 * 1004 * UNIT["float32"] * (np.abs(a) @ np.abs(b)) + 1000 * 2.0**-126
    assert (np.abs(ours - a @ b) <= bound).all()


@pytest.mark.parametrize("bits", [7, 15, 24])
def test_products_that_float32_can_hold_are_exact(bits):
    rng = np.random.default_rng(5)
    a = rng.integers(-(2**bits) + 1, 2**bits, (520, 1040)).astype("float32")
    b = rng.integers(-1, 2, (1040, 512)).astype("float32")
    a[:, 2 ** (24 - bits) :] = 0
    ours = (torch.from_numpy(a) @ torch.from_numpy(b)).numpy()
    assert np.array_equal(ours, a.astype("float64") @ b.astype("float64"))


@pytest.mark.leafgrad_only
@pytest.mark.parametrize(("m", "n", "k"), [(520, 520, 1024), (300, 300, 1024), (40, 40, 40)])
def test_working_memory_that_is_not_to_be_had_is_a_memory_error(m, n, k):
    a, b = torch.ones(m, k), torch.ones(k, n)
    expected = a @ b
    for countdown in range(1, 8):
        _core._fail_allocation(countdown)
        try:
            result = a @ b
        except MemoryError as error:
            assert "memory" in str(error)
            continue
        finally:
            _core._fail_allocation(0)
        assert torch.equal(result, expected)
        break
    assert countdown > 2  # the result's memory, and at least one piece of working memory
