"""Large tensors through few operations: what memory and vector units allow.

`moves` counts what a perfect fusion would still have to read and write, each tensor once each way.
"""

from __future__ import annotations

from benchmarks import data
from benchmarks.workload import MI, workload

ROWS, COLUMNS = 4096, 1024
BYTES = 4 * ROWS * COLUMNS


def chain(size):
    def make(torch):
        x = data.tensor(torch, size, seed=1, grad=True)
        y = data.tensor(torch, size, seed=2, grad=True)

        def step():
            data.clear(x, y)
            total = ((x * y + x).tanh() * 2).sum()
            total.backward()
            return total, x.grad, y.grad

        return step

    return make


# Moved: both inputs, both gradients.  The sum cancels: its error is small beside the terms, not beside the total.
workload("((x*y+x).tanh()*2).sum().backward(), 4 M", demand=2, tuned=1, moves=4 * 4 * 4 * MI, tolerance=1e-4)(
    chain(4 * MI)
)
workload("((x*y+x).tanh()*2).sum().backward(), 16 M", demand=4, tuned=1, moves=4 * 4 * 16 * MI, tolerance=1e-4)(
    chain(16 * MI)
)


@workload("x + x, 16 M", demand=4, tuned=1, moves=2 * 4 * 16 * MI)
def double(torch):
    x = data.tensor(torch, 16 * MI)
    return lambda: x + x


def both_ways(torch, function, *leaves):
    """A step that sends a fixed cotangent back through `function` of the leaves."""
    cotangent = data.tensor(torch, *function(*leaves).shape, seed=9)

    def step():
        data.clear(*leaves)
        y = function(*leaves)
        y.backward(cotangent)
        return y, *(leaf.grad for leaf in leaves)

    return step


# Moved: x, y, then y, its cotangent, and the gradient.
@workload("softmax over rows of 4096x1024, forward + backward", demand=1.5, tuned=1, moves=5 * BYTES)
def softmax(torch):
    x = data.tensor(torch, ROWS, COLUMNS, grad=True)
    return both_ways(torch, lambda x: x.softmax(-1), x)


@workload("layer_norm over rows of 4096x1024, forward + backward", demand=1.5, tuned=1, moves=5 * BYTES, tolerance=1e-4)
def layer_norm(torch):
    x = data.tensor(torch, ROWS, COLUMNS, grad=True)
    layer = data.fill(torch, torch.nn.LayerNorm(COLUMNS))
    return both_ways(torch, lambda x, *_: layer(x), x, *layer.parameters())


# Moved: x, y, the cotangent, the gradient (a sum of its rows goes to the row's gradient).
@workload("row broadcast, x + row, 4096x1024, forward + backward", demand=1.5, tuned=1, moves=4 * BYTES, tolerance=1e-4)
def row(torch):
    x = data.tensor(torch, ROWS, COLUMNS, seed=1, grad=True)
    return both_ways(torch, lambda x, row: x + row, x, data.tensor(torch, COLUMNS, seed=2, grad=True))


# Moved: x, y, then x again, the cotangent, and the gradient.
@workload("column broadcast, x * column, 4096x1024, forward + backward", demand=1.5, tuned=1, moves=5 * BYTES)
def column(torch):
    x = data.tensor(torch, ROWS, COLUMNS, seed=1, grad=True)
    return both_ways(torch, lambda x, column: x * column, x, data.tensor(torch, ROWS, 1, seed=2, grad=True))


@workload("transposed copy of 4096x1024, forward + backward", demand=1.5, tuned=1, moves=4 * BYTES)
def transposed(torch):
    x = data.tensor(torch, ROWS, COLUMNS, grad=True)
    return both_ways(torch, lambda x: x.t().contiguous(), x)
