"""Peak memory of one step: forward and backward of 60 layers, beyond what parameters and inputs take."""

from __future__ import annotations

from benchmarks import data
from benchmarks.workload import PEAK, workload

WIDTH, LAYERS, BATCH = 1024, 60, 512
DEMAND = 1 / 0.95  # at most 0.95 of PyTorch's


def loss(torch, layers, x, keep):
    """The network's loss; `keep` is called with each non-leaf."""
    for weight, bias in layers:
        z = torch.nn.functional.linear(x, weight, bias)
        x = torch.relu(z)
        keep(z)
        keep(x)
    total = x.sum()
    keep(total)
    return total


def network(torch, layers, width, batch):
    """Layers as pairs of weight and bias that keep the scale of what passes through them; an input."""
    layers = [
        (
            data.tensor(torch, width, width, seed=seed, scale=(2 / width) ** 0.5, grad=True),
            data.tensor(torch, width, seed=seed, scale=0.1, grad=True),
        )
        for seed in range(layers)
    ]
    return layers, data.tensor(torch, batch, width, seed=999)


def one_step(keep):
    def make(torch):
        # Whatever a library loads at its first product is not what a step takes: a small network brings it in.
        small, x = network(torch, 2, 64, 64)
        loss(torch, small, x, keep).backward()
        layers, inputs = network(torch, LAYERS, WIDTH, BATCH)

        def step():
            total = loss(torch, layers, inputs, keep)
            total.backward()
            return total, layers[0][0].grad, layers[-1][1].grad

        return step

    return make


NAME = f"{LAYERS}-layer ReLU MLP, width {WIDTH}, batch {BATCH}, peak of one step"
workload(NAME, demand=DEMAND, kind=PEAK, unit="B", rounds=3, tolerance=1e-3)(one_step(lambda tensor: None))
workload(f"{NAME}, retain_grad() on every non-leaf", demand=DEMAND, kind=PEAK, unit="B", rounds=3, tolerance=1e-3)(
    one_step(lambda tensor: tensor.retain_grad())
)
