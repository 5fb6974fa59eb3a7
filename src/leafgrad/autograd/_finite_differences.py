"""Central differences: the numerical side of `gradcheck`, and the vectors that fast mode multiplies with.

Jacobians are matrices with a row for each element of the input and a column for each element of the output. For a
complex input ``x = a + ib`` an entry is ``dy/da + i dy/db``, which is what backward gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leafgrad import _core
from leafgrad._core import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Matrix: TypeAlias = list[list[Tensor]]


def numerical_jacobian(func: Callable[..., Any], inputs: tuple[Any, ...], keep: list[bool], eps: float) -> Matrix:
    """For each input that requires grad, the matrix of each output that `keep` names."""
    result = []
    for position, x in enumerate(inputs):
        if not needs_grad(x):
            continue
        rows: list[tuple[Tensor, ...]] = []
        cells = _cells(x)
        for where, cell in cells:
            quotients = _difference(func, inputs, position, cell, 1.0, eps, where)
            rows.append(tuple(q for q, kept in zip(quotients, keep, strict=True) if kept))
        if rows:
            result.append([_core.stack(column) for column in zip(*rows, strict=True)])
        else:
            outputs = [y for y, kept in zip(as_tuple(func(*inputs)), keep, strict=True) if kept]
            result.append([_core.zeros((0, y.numel()), dtype=y.dtype) for y in outputs])
    return result


def numerical_products(func: Callable[..., Any], inputs: tuple[Any, ...], us: list[Any], eps: float) -> Matrix:
    """For each input that requires grad, ``J @ u`` of every output."""
    rest = iter(us)
    return [
        _difference(func, inputs, position, x.data, next(rest), eps)
        for position, x in enumerate(inputs)
        if needs_grad(x)
    ]


def _difference(
    func: Callable[..., Any],
    inputs: tuple[Any, ...],
    position: int,
    cell: Tensor,
    direction: Any,
    eps: float,
    where: Any = None,
) -> list[Tensor]:
    """Central differences of all outputs as `cell`, a part of an input's memory, moves along `direction`.

    For a complex input, those of moving along the real axis plus i times those of moving along the imaginary one.
    `direction` is then a pair of such directions.
    """
    along_real, along_imaginary = direction if isinstance(direction, tuple) else (direction, direction)
    real = _quotients(func, inputs, cell, along_real, eps, where)
    if not inputs[position].is_complex():
        return real
    imaginary = _quotients(func, inputs, cell, along_imaginary * 1j, eps, where)
    return [a + b * 1j for a, b in zip(real, imaginary, strict=True)]


def _quotients(
    func: Callable[..., Any], inputs: tuple[Any, ...], cell: Tensor, direction: Any, eps: float, where: Any
) -> list[Tensor]:
    before = cell.clone()
    step = direction * eps
    if isinstance(step, Tensor):
        step = step.reshape(cell.shape)
    try:
        cell.copy_(before - step)
        low = [y.clone() for y in as_tuple(func(*inputs))]
        cell.copy_(before + step)
        high = [y.clone() for y in as_tuple(func(*inputs))]
    finally:
        cell.copy_(before)
    at = "" if where is None else f"on index {where} "
    for a, b in zip(low, high, strict=True):
        for attribute, name in (("shape", "shapes"), ("dtype", "dtypes")):
            if getattr(a, attribute) != getattr(b, attribute):
                raise AssertionError(
                    f"Expected `func` to return outputs with the same {attribute} when inputs are perturbed {at}by "
                    f"{eps}, but got: {name} {getattr(a, attribute)} and {getattr(b, attribute)}."
                )
    return [_quotient(a, b, 2 * eps) for a, b in zip(low, high, strict=True)]


def _quotient(low: Tensor, high: Tensor, step: float) -> Tensor:
    return ((high - low) / step).detach().reshape(-1)


def _cells(x: Tensor) -> Any:
    """Each element of `x` by its index, as a tensor that shares its memory and has no history."""
    data = x.data
    index = [0] * data.dim()
    for _ in range(data.numel()):
        where = tuple(index)
        yield where, data[where]
        for dim in reversed(range(len(index))):  # count up, last dimension first
            index[dim] += 1
            if index[dim] < data.shape[dim]:
                break
            index[dim] = 0


def unit_cotangents(y: Tensor) -> Any:
    """Tensors like `y` with one element 1 and the rest 0; one piece of memory is used for all of them."""
    unit = _core.zeros(tuple(y.shape), dtype=y.dtype, device=y.device)
    flat = unit.view(-1)
    for k in range(flat.numel()):
        flat.zero_()
        flat[k] = 1
        yield unit


def unit_vector(x: Tensor, generator: Any) -> Tensor:
    """Random positive vector of length 1 with an entry for each element of `x`; real for a real direction."""
    vector = _core.rand(x.numel(), generator=generator, dtype=_core.float64).to(x.dtype)
    return vector / vector.norm()


def direction(x: Tensor, generator: Any) -> Any:
    """A unit vector, or two of them for a complex `x`: one for each axis of its plane."""
    if not x.is_complex():
        return unit_vector(x, generator)
    return unit_vector(x.real, generator), unit_vector(x.imag, generator)


def project(row: Tensor, u: Any) -> Tensor:
    if not isinstance(u, tuple):
        return (row * u).sum()
    return (row.real * u[0]).sum() + (row.imag * u[1]).sum() * 1j


def total(u: Any) -> Tensor:
    return u[0].sum() + u[1].sum() if isinstance(u, tuple) else u.sum()


def as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def recorded(outputs: Any) -> tuple[Tensor, ...]:
    return tuple(y for y in as_tuple(outputs) if y.requires_grad)


def needs_grad(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad


def is_inexact(y: Any) -> bool:
    return isinstance(y, Tensor) and (y.is_floating_point() or y.is_complex())


def random_cotangent(y: Tensor, with_gaps: bool) -> Tensor:
    """Uniform in [-1, 1), like `y`; `with_gaps` takes every other column of a wider tensor."""
    dtype = y.dtype if is_inexact(y) else _core.float64
    shape = tuple(y.shape)
    if with_gaps and shape:
        shape = (*shape[:-1], 2 * shape[-1])
    values = _core.rand(shape, dtype=dtype, device=y.device) * 2 - 1
    if with_gaps and shape:
        values = values[..., ::2]
    return values.detach().requires_grad_()
