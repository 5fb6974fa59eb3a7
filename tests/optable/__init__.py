"""The words in which the op table describes an operator; each family has a file here, and tests/ops.py joins them.

A sample holds the arguments of one call. A tuple of sizes stands for a tensor of random numbers, `X(...)` for one with
a range or a dtype of its own, everything else for itself::

    Op("matmul", ref=np.matmul, samples=[S((3, 4), (4, 5)), S((4,), (4,))])
    Op("log", ref=np.log, samples=unary(0.1, 5))
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HALVES = ("float16", "bfloat16")
FLOATING = ("float32", "float64", *HALVES)
COMPLEX = ("complex64", "complex128")
INTEGRAL = ("uint8", "int8", "int16", "int32", "int64")
INEXACT = FLOATING + COMPLEX
REAL = FLOATING + INTEGRAL
NUMBERS = REAL + COMPLEX
ALL = (*NUMBERS, "bool")


@dataclass(frozen=True)
class X:
    """A tensor: its shape, the range of its numbers, and its dtype where that is not the one under test."""

    shape: tuple[int, ...]
    low: float = -2.0
    high: float = 2.0
    dtype: str | None = None

    def array(self, dtype: str, seed: int) -> np.ndarray:
        """The numbers, in NumPy's form of `dtype` (bfloat16: float32 numbers that it holds)."""
        random = np.random.default_rng(seed)
        dtype = self.dtype or dtype
        if dtype == "bool":
            return random.integers(0, 2, self.shape) > 0
        if dtype in INTEGRAL:
            low = max(self.low, 0) if dtype == "uint8" else self.low
            return random.integers(int(np.ceil(low)), max(int(self.high), 1) + 1, self.shape).astype(dtype)
        values = random.uniform(self.low, self.high, self.shape)
        if dtype in COMPLEX:
            values = values + 1j * random.uniform(self.low, self.high, self.shape)
        if dtype == "bfloat16":
            bits = np.asarray(values, np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
            return bits.view(np.float32)
        return np.asarray(values, dtype)


@dataclass(frozen=True)
class Sample:
    """One call: tensors (as `X`) and other arguments by position, the rest by keyword."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)

    def arrays(self, dtype: str) -> list[Any]:
        """The positional arguments with every tensor as a NumPy array; the same on each call."""
        seed = zlib.crc32(repr((self.args, sorted(self.kwargs.items()))).encode())
        return [a.array(dtype, seed + i) if isinstance(a, X) else a for i, a in enumerate(self.args)]

    def inputs(self, dtype: str, library: Any, requires_grad: bool = False, **options: Any) -> list[Any]:
        """The positional arguments with every tensor as one of `library`; floating ones may require grad."""
        result = []
        for spec, value in zip(self.args, self.arrays(dtype), strict=True):
            if isinstance(spec, X):
                wanted = getattr(library, spec.dtype or dtype)
                value = library.tensor(value, dtype=wanted, **options)
                if requires_grad and (wanted.is_floating_point or wanted.is_complex):
                    value.requires_grad_()
            result.append(value)
        return result

    def tensors_as(self, shape: tuple[int, ...]) -> Sample:
        """The same call with every tensor of another shape."""
        return Sample(
            tuple(X(shape, a.low, a.high, a.dtype) if isinstance(a, X) else a for a in self.args), self.kwargs
        )

    def __repr__(self) -> str:
        parts = [str(list(a.shape)) if isinstance(a, X) else repr(a) for a in self.args]
        return ",".join([*parts, *(f"{k}={v!r}" for k, v in self.kwargs.items())])


def S(*args: Any, **kwargs: Any) -> Sample:
    """A sample; a tuple of sizes becomes a tensor of numbers in [-2, 2]."""
    return Sample(tuple(X(a) if isinstance(a, tuple) else a for a in args), kwargs)


def unary(low: float = -2.0, high: float = 2.0) -> list[Sample]:
    """A tensor with numbers from a range."""
    return [S(X((3, 4), low, high))]


def binary(
    low: float = -2.0, high: float = 2.0, low_b: float | None = None, high_b: float | None = None
) -> list[Sample]:
    """Two tensors: of one shape, and broadcast both ways. The second may have a range of its own."""
    low_b, high_b = low if low_b is None else low_b, high if high_b is None else high_b
    shapes = [((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 1), (1, 4)), ((), (2, 3))]
    return [S(X(a, low, high), X(b, low_b, high_b)) for a, b in shapes]


@dataclass(frozen=True)
class Op:
    """An operator: its name (dots lead into modules), what it should give, and on what to try it."""

    name: str
    ref: Callable[..., Any] | None  # on NumPy arrays; None: the parity tests alone say what is right
    samples: Sequence[Sample]
    dtypes: Sequence[str] = FLOATING
    grad: bool = True  # has a derivative worth checking
    gradgrad: bool = True
    complex_grad: bool = True  # also on complex128, if that is in `dtypes`
    pointwise: bool = False  # takes tensors of any shape, so empty, 0-d and strided ones as well
    inplace: bool = True  # the method `name_`, if there is one, is this operator
    any_layout: bool = True  # takes tensors however they lie in memory
    parity: bool = True  # PyTorch has it under the same name
    rtol: float = 1.0  # factor on the dtype's tolerance

    def function(self, library: Any) -> Callable[..., Any]:
        """The operator itself, in `library` (leafgrad or torch)."""
        for part in self.name.split("."):
            library = getattr(library, part)
        return library

    def __repr__(self) -> str:
        return self.name
