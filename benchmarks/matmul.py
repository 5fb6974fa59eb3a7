"""Square products, forward and backward: three products a step."""

from __future__ import annotations

from benchmarks import data
from benchmarks.workload import workload


def product(size):
    def make(torch):
        a = data.tensor(torch, size, size, seed=1, grad=True)
        b = data.tensor(torch, size, size, seed=2, grad=True)
        cotangent = data.tensor(torch, size, size, seed=3)

        def step():
            data.clear(a, b)
            y = a @ b
            y.backward(cotangent)
            return y, a.grad, b.grad

        return step

    return make


for size in (256, 1024, 2048):
    workload(f"matmul {size}, forward + backward", demand=1.15, flops=3 * 2 * size**3)(product(size))
