"""Sorting and selecting in long lines, which take other ways than short ones: against NumPy, ties and NaN included."""

from __future__ import annotations

import numpy as np
import pytest

import leafgrad as torch


def line(kind, n):
    rng = np.random.default_rng(5)
    if kind == "floats":
        x = rng.normal(size=n).astype(np.float32)
        x[rng.integers(0, n, 50)] = np.nan
        x[rng.integers(0, n, 50)] = -0.0
        x[rng.integers(0, n, 50)] = np.inf
        return x
    if kind == "ties":
        return rng.integers(-3, 4, n)
    return rng.integers(-(1 << 62), 1 << 62, n)


@pytest.mark.parametrize("kind", ["floats", "ties", "integers"])
@pytest.mark.parametrize("threads", [1, 3])
def test_one_long_line_is_sorted_stably(kind, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        x = line(kind, 300_001)
        values, indices = torch.tensor(x).sort(stable=True)
        order = np.argsort(x, kind="stable")
        assert indices.tolist() == order.tolist()
        np.testing.assert_array_equal(values.numpy(), x[order])
        values, indices = torch.tensor(x)[::2].sort(descending=True, stable=True)
        np.testing.assert_array_equal(values.numpy(), x[::2][indices.numpy()])
        down = np.argsort(-x[::2].astype(np.float64), kind="stable") if kind == "ties" else indices.numpy()
        assert indices.tolist() == down.tolist()
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("kind", ["floats", "ties", "integers"])
@pytest.mark.parametrize("k", [1, 7, 300, 2000])
@pytest.mark.parametrize("largest", [True, False])
def test_topk_of_long_lines(kind, k, largest):
    x = line(kind, 5 * 4001).reshape(5, 4001)
    values, indices = torch.tensor(x).topk(k, largest=largest)
    order = torch.tensor(x).sort(descending=largest, stable=True)
    np.testing.assert_array_equal(values.numpy(), order.values[:, :k].numpy())
    assert indices.tolist() == order.indices[:, :k].tolist()  # of equal elements the first
    column, at = torch.tensor(x.T.copy()).topk(k, dim=0, largest=largest)
    np.testing.assert_array_equal(column.numpy(), values.numpy().T)
    assert at.tolist() == indices.t().tolist()


@pytest.mark.parametrize("ascending", [True, False])
def test_topk_where_every_element_beats_the_last(ascending):
    x = torch.arange(10_000.0) if ascending else torch.arange(10_000.0).flip(0)
    assert x.topk(5).values.tolist() == [9999.0, 9998.0, 9997.0, 9996.0, 9995.0]
    assert x.topk(5, largest=False).values.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
