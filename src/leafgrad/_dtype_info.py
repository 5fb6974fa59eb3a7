"""``finfo`` and ``iinfo``: the range and resolution of a dtype, from its number of bits."""

from __future__ import annotations

import math

from ._core import dtype, get_default_dtype

# Bits of the exponent and of the fraction; a complex dtype is described by that of its parts.
_FLOATS = {"float16": (5, 10), "bfloat16": (8, 7), "float32": (8, 23), "float64": (11, 52)}
_PARTS = {"complex64": "float32", "complex128": "float64"}
_INTEGERS = {"uint8": 8, "int8": 8, "int16": 16, "int32": 32, "int64": 64}


class _Info:
    """What both share: equal for equal dtypes, printed as ``name(attribute=value, ...)``."""

    __slots__ = ("bits", "dtype", "max", "min")
    _shown: tuple[str, ...]

    def __eq__(self, other: object) -> bool:
        return self.dtype == other.dtype if type(other) is type(self) else NotImplemented

    __hash__ = None  # as in PyTorch

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name):g}" for name in self._shown)
        return f"{type(self).__name__}({values}, dtype={self.dtype})"


class finfo(_Info):
    """Properties of a floating-point dtype (the default dtype if none is given), as Python numbers.

    Attributes: ``bits``; ``max``, ``min``; ``eps``, the step from 1 to the next number; ``smallest_normal``
    or ``tiny``; ``smallest_subnormal``; ``resolution``, one unit in the last decimal that is kept; ``dtype``, the name.

    Example:
        >>> import leafgrad as torch
        >>> torch.finfo(torch.float32).eps == 2**-23
        True
    """

    __slots__ = ("eps", "resolution", "smallest_normal", "smallest_subnormal", "tiny")
    _shown = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")

    def __init__(self, type: dtype | None = None) -> None:
        name = _name("finfo", get_default_dtype() if type is None else type)
        name = _PARTS.get(name, name)
        if name not in _FLOATS:
            raise TypeError(f"finfo() requires a floating point input type, got {type}. Use iinfo() for integers.")
        exponent, fraction = _FLOATS[name]
        top = 2 ** (exponent - 1) - 1
        self.dtype = name
        self.bits = 1 + exponent + fraction
        self.eps = 2.0**-fraction
        self.max = (2 - self.eps) * 2.0**top
        self.min = -self.max
        self.tiny = self.smallest_normal = 2.0 ** (1 - top)
        self.smallest_subnormal = 2.0 ** (1 - top - fraction)
        self.resolution = float(f"1e-{math.floor(fraction * math.log10(2))}")


class iinfo(_Info):
    """Properties of an integer dtype, as Python numbers: ``bits``, ``max``, ``min``; ``dtype``, the name.

    Example:
        >>> import leafgrad as torch
        >>> torch.iinfo(torch.int8).max
        127
    """

    __slots__ = ()
    _shown = ("min", "max")

    def __init__(self, type: dtype) -> None:
        name = _name("iinfo", type)
        if name == "bool":
            raise TypeError(f"{type} is not supported by iinfo().")
        if name not in _INTEGERS:
            raise TypeError(f"iinfo() requires an integer input type, got {type}. Use finfo() for floating point.")
        signed = not name.startswith("u")
        self.dtype = name
        self.bits = _INTEGERS[name]
        self.min = -(2 ** (self.bits - 1)) if signed else 0
        self.max = 2 ** (self.bits - signed) - 1


def _name(function: str, type_: object) -> str:
    if not isinstance(type_, dtype):
        raise TypeError(f"{function}(): argument 'type' must be torch.dtype, not {type(type_).__name__}")
    return str(type_).removeprefix("torch.")
