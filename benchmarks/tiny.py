"""Small operations, where the library and not the arithmetic costs.

An operation that lasts less than a microsecond is repeated inside its step, so that the call of the step does not
count.
"""

from __future__ import annotations

from benchmarks import data
from benchmarks.workload import workload

REPEAT = range(100)


@workload("the article's program (3 operations, backward)", demand=10)
def article(torch):
    w = torch.tensor([1.0], requires_grad=True)
    x = torch.tensor([2.0], requires_grad=True)

    def step():
        w.grad = x.grad = None
        a = torch.add(w, x)
        b = torch.add(w, 1)
        y = torch.mul(a, b)
        y.backward()
        return y, w.grad, x.grad

    return step


@workload("chain of 1000 products, forward + backward, per product", per=1000, demand=8)
def chain(torch):
    x, factor = torch.ones(1, requires_grad=True), torch.ones(1)

    def step():
        x.grad = None
        y = x
        for _ in range(1000):
            y = y * factor
        y.backward()
        return y, x.grad

    return step


@workload("mixed operations (add, mul, sin, exp, 4x4 matmul, sum, backward)", demand=6)
def mixed(torch):
    a = data.tensor(torch, 4, 4, seed=1, grad=True)
    b = data.tensor(torch, 4, 4, seed=2, grad=True)

    def step():
        a.grad = b.grad = None
        y = ((a + b).sin() * (a * b).exp() @ b).sum()
        y.backward()
        return y, a.grad, b.grad

    return step


@workload("a + b, recording", per=len(REPEAT), demand=5)
def add(torch):
    a, b = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)

    def step():
        for _ in REPEAT:
            y = a + b
        return y

    return step


@workload("a * 2, recording", per=len(REPEAT), demand=5)
def scale(torch):
    a = torch.ones(1, requires_grad=True)

    def step():
        for _ in REPEAT:
            y = a * 2
        return y

    return step


@workload("a[0], recording", per=len(REPEAT), demand=5)
def element(torch):
    a = torch.ones(1, requires_grad=True)

    def step():
        for _ in REPEAT:
            y = a[0]
        return y

    return step


@workload("a.sum(), recording", per=len(REPEAT), demand=5)
def total(torch):
    a = torch.ones(1, requires_grad=True)

    def step():
        for _ in REPEAT:
            y = a.sum()
        return y

    return step


@workload("a @ b (4x4), recording", per=len(REPEAT), demand=5)
def product(torch):
    a, b = torch.ones(4, 4, requires_grad=True), torch.ones(4, 4, requires_grad=True)

    def step():
        for _ in REPEAT:
            y = a @ b
        return y

    return step


@workload("a + b under no_grad", per=len(REPEAT), demand=4)
def add_unrecorded(torch):
    a, b = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)

    def step():
        with torch.no_grad():
            for _ in REPEAT:
                y = a + b
        return y

    return step
