"""Reads and sums at indices, with their gradients: a table of 50 000 rows of 64, 8192 indices of which some repeat."""

from __future__ import annotations

from benchmarks import data
from benchmarks.workload import workload

ROWS, WIDTH, LOOKUPS = 50_000, 64, 8192


def inputs(torch):
    """The table, the indices, and as many rows as there are indices."""
    table = data.tensor(torch, ROWS, WIDTH, seed=1, grad=True)
    return table, data.integers(torch, ROWS, LOOKUPS), data.tensor(torch, LOOKUPS, WIDTH, seed=2)


@workload("embedding 50k x 64, 8192 lookups, forward + backward", demand=1.5)
def embedding(torch):
    table, indices, cotangent = inputs(torch)

    def step():
        table.grad = None
        y = torch.nn.functional.embedding(indices, table)
        y.backward(cotangent)
        return y, table.grad

    return step


@workload("index_add of 8192 rows into 50k x 64, forward + backward", demand=1.5)
def index_add(torch):
    table, indices, rows = inputs(torch)
    rows.requires_grad_()
    cotangent = data.tensor(torch, ROWS, WIDTH, seed=3)

    def step():
        data.clear(table, rows)
        y = table.index_add(0, indices, rows)
        y.backward(cotangent)
        return y, table.grad, rows.grad

    return step


@workload("advanced indexing, 8192 rows of 50k x 64, forward + backward", demand=1.5)
def advanced(torch):
    table, indices, cotangent = inputs(torch)

    def step():
        table.grad = None
        y = table[indices]
        y.backward(cotangent)
        return y, table.grad

    return step
