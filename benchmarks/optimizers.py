"""One step over 200 parameters of mixed size, 5.7 million numbers: the default form, and `fused=True`."""

from __future__ import annotations

from benchmarks import data
from benchmarks.workload import workload

SHAPES = [(128,), (128, 128), (256, 256), (512, 64)] * 50
NUMBERS = sum(shape[0] * (shape[1] if len(shape) > 1 else 1) for shape in SHAPES)


def update(optimizer, arguments):
    def make(torch):
        parameters = [data.tensor(torch, *shape, seed=seed, grad=True) for seed, shape in enumerate(SHAPES)]
        for seed, parameter in enumerate(parameters):
            parameter.grad = data.tensor(torch, *parameter.shape, seed=1000 + seed)
        method = getattr(torch.optim, optimizer)(parameters, **arguments)

        def step():
            method.step()
            return parameters

        return step

    return make


# How many numbers of float32 go in or out for each parameter: of a moment there are an old and a new one.
METHODS = (
    ("Adam", dict(lr=1e-3), 7),
    ("AdamW", dict(lr=1e-3), 7),
    ("SGD", dict(lr=1e-3, momentum=0.9), 5),
)
for optimizer, arguments, streams in METHODS:
    for form, more in (("", {}), (", fused=True", dict(fused=True))):
        workload(
            f"{optimizer}{' with momentum' if 'momentum' in arguments else ''} over 200 parameters{form}",
            demand=1,
            moves=4 * streams * NUMBERS,
        )(update(optimizer, arguments | more))
