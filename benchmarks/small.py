"""Small models and the derivatives of small functions: many operations on few numbers, first and second order."""

from __future__ import annotations

from benchmarks import data
from benchmarks.workload import workload


@workload("MLP 2-16-16-1, batch 8, SGD step", demand=5, tolerance=1e-4)
def mlp(torch):
    nn = torch.nn
    model = data.fill(torch, nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, target = data.tensor(torch, 8, 2, seed=1), data.tensor(torch, 8, 1, seed=2)

    def step():
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), target)
        loss.backward()
        optimizer.step()
        return loss, *data.gradients(model)

    return step


def slope(torch, state):
    """Motion of two unit masses on unit rods under g = 9.81: angles a, b and their velocities u, v.

    The Lagrangian's two equations of motion, solved for the accelerations.
    """
    a, b, u, v = state
    sine, cosine = torch.sin(a - b), torch.cos(a - b)
    denominator = 2 - cosine * cosine
    pull_a, pull_b = 9.81 * torch.sin(a), 9.81 * torch.sin(b)
    force_a = -(v * v * sine) - 2 * pull_a
    force_b = u * u * sine - pull_b
    return u, v, (force_a - cosine * force_b) / denominator, (2 * force_b - cosine * force_a) / denominator


@workload("200 RK4 steps of a double pendulum, gradient of the end by the start", demand=7, tolerance=1e-3)
def pendulum(torch):
    start = [torch.tensor([number], requires_grad=True) for number in (1.0, 0.5, 0.0, 0.1)]
    h = 0.01

    def ahead(state, by, slopes):
        return [x + by * k for x, k in zip(state, slopes, strict=True)]

    def step():
        data.clear(*start)
        state = start
        for _ in range(200):
            k1 = slope(torch, state)
            k2 = slope(torch, ahead(state, h / 2, k1))
            k3 = slope(torch, ahead(state, h / 2, k2))
            k4 = slope(torch, ahead(state, h, k3))
            state = [x + h / 6 * (a + 2 * b + 2 * c + d) for x, a, b, c, d in zip(state, k1, k2, k3, k4, strict=True)]
        end = state[0] + state[1]
        end.backward()
        return end, *(x.grad for x in start)

    return step


@workload("Hessian of a 30-dimensional Rosenbrock function by double backward", demand=4)
def rosenbrock(torch):
    x = data.tensor(torch, 30, scale=0.5, grad=True)

    def step():
        y = (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
        (gradient,) = torch.autograd.grad(y, x, create_graph=True)
        rows = [torch.autograd.grad(gradient[i], x, retain_graph=True)[0] for i in range(30)]
        return torch.stack(rows)

    return step


@workload("Jacobian of an MLP 16-32-16", demand=4)
def jacobian(torch):
    nn = torch.nn
    model = data.fill(torch, nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 16)))
    x = data.tensor(torch, 16)
    return lambda: torch.autograd.functional.jacobian(model, x)
