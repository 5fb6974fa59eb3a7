"""Inputs and initial weights out of NumPy, so that both libraries begin with the same numbers."""

from __future__ import annotations

import numpy


def array(*shape, seed=0, scale=1.0):
    numbers = numpy.random.default_rng(seed).standard_normal(shape, numpy.float32)
    numbers *= scale
    return numbers


def tensor(torch, *shape, seed=0, scale=1.0, grad=False):
    """Normally distributed float32."""
    return torch.from_numpy(array(*shape, seed=seed, scale=scale)).requires_grad_(grad)


def integers(torch, high, *shape, seed=0):
    """int64 in [0, high)."""
    return torch.from_numpy(numpy.random.default_rng(seed).integers(0, high, shape))


def fill(torch, module):
    """Give each parameter numbers that depend on its position alone; returns the module.

    Matrices keep the scale of what passes through them, biases are small, other vectors (weights of a norm) near one.
    """
    with torch.no_grad():
        for seed, (name, parameter) in enumerate(module.named_parameters()):
            shape = tuple(parameter.shape)
            if "bias" in name:
                numbers = array(*shape, seed=seed, scale=0.1)
            elif len(shape) == 1:
                numbers = 1 + array(*shape, seed=seed, scale=0.1)
            else:
                inputs = int(numpy.prod(shape[1:]))
                numbers = array(*shape, seed=seed, scale=inputs**-0.5)
            parameter.copy_(torch.from_numpy(numbers))
    return module


def gradients(module):
    return tuple(parameter.grad for parameter in module.parameters())


def clear(*leaves):
    for leaf in leaves:
        leaf.grad = None
