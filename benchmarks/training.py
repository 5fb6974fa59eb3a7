"""Steps of training networks that are products and convolutions for the most part.

`flops` counts the products and convolutions forward and, where a gradient needs them, backward; a layer whose input
needs no gradient has two instead of three.
"""

from __future__ import annotations

from benchmarks import data
from benchmarks.workload import workload

# A gradient that is almost zero may differ in sign, and Adam's first steps make its sign a whole step.
ADAM = 1e-3


def trained(torch, model, optimizer, inputs, target, loss_function):
    def step():
        optimizer.zero_grad()
        loss = loss_function(model(inputs), target)
        loss.backward()
        optimizer.step()
        return loss, *data.gradients(model)

    return step


MLP_FLOPS = 2 * 128 * (2 * 784 * 512 + 3 * 512 * 512 + 3 * 512 * 10)


@workload("MLP 784-512-512-10, batch 128, cross_entropy, Adam step", demand=1.5, flops=MLP_FLOPS, tolerance=ADAM)
def mlp(torch):
    nn = torch.nn
    layers = nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
    model = data.fill(torch, nn.Sequential(*layers))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    inputs, target = data.tensor(torch, 128, 784), data.integers(torch, 10, 128)
    return trained(torch, model, optimizer, inputs, target, nn.functional.cross_entropy)


CNN_FLOPS = 2 * 64 * (2 * 32 * 32 * 32 * 3 * 9 + 3 * 16 * 16 * 64 * 32 * 9 + 3 * 64 * 8 * 8 * 10)


@workload(
    "CNN: conv 3-32, pool, conv 32-64, pool, fc; batch 64 of 32x32; SGD step",
    demand=1.25,
    flops=CNN_FLOPS,
    # Rounding decides which of two nearly equal neighbours is a pool's maximum.  One such choice moves a gradient: that
    # of the second convolution's weight is off from float64's by 9e-4 of its largest element in PyTorch, 1.2e-3 here.
    tolerance=5e-3,
)
def cnn(torch):
    nn = torch.nn
    first = nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    second = nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
    model = data.fill(torch, nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(64 * 8 * 8, 10)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    inputs, target = data.tensor(torch, 64, 3, 32, 32), data.integers(torch, 10, 64)
    return trained(torch, model, optimizer, inputs, target, nn.functional.cross_entropy)


RESIDUAL_FLOPS = 2 * 3 * 2 * 32 * 32 * 32 * 64 * 64 * 9


@workload(
    "residual block, 64 channels of 32x32, batch 32, batch norm, forward + backward",
    demand=1.25,
    flops=RESIDUAL_FLOPS,
    tolerance=1e-3,
)
def residual(torch):
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(64, 64, 3, padding=1, bias=False)
            self.norm1 = nn.BatchNorm2d(64)
            self.conv2 = nn.Conv2d(64, 64, 3, padding=1, bias=False)
            self.norm2 = nn.BatchNorm2d(64)

        def forward(self, x):
            y = self.norm1(self.conv1(x)).relu()
            return (x + self.norm2(self.conv2(y))).relu()

    block = data.fill(torch, Block())
    x = data.tensor(torch, 32, 64, 32, 32, seed=7, grad=True)
    cotangent = data.tensor(torch, 32, 64, 32, 32, seed=8)

    def step():
        data.clear(x, *block.parameters())
        y = block(x)
        y.backward(cotangent)
        return y, x.grad, *data.gradients(block)

    return step
