"""``assert_close`` and ``make_tensor``, for tests of programs that use leafgrad and for leafgrad's own.

Values are compared by NumPy in double precision, not by the operators that may be under test.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from . import _core
from ._core import Tensor
from ._dtype_info import finfo, iinfo

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    import numpy as np

__all__ = ["assert_close", "make_tensor"]

# dtype -> (rtol, atol); exact for all others
_TOLERANCES = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}


class _Rules(NamedTuple):
    """The arguments of assert_close that hold for every pair."""

    allow_subclasses: bool
    rtol: float | None
    atol: float | None
    equal_nan: bool
    check_device: bool
    check_dtype: bool
    check_layout: bool
    check_stride: bool

    def tolerances(self, *dtypes: str) -> tuple[float, float]:
        if self.rtol is not None:
            return self.rtol, self.atol
        rtols, atols = zip(*(_TOLERANCES.get(dtype, (0.0, 0.0)) for dtype in dtypes), strict=True)
        return max(rtols), max(atols)


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raise AssertionError unless ``|actual - expected| <= atol + rtol * |expected|`` for every element.

    Tensors, NumPy arrays, Python numbers, None, and sequences and mappings of these, however nested, are compared; the
    error names the item, the index of the greatest difference, and its size.

    Args:
        allow_subclasses: accept two types of which one is a subclass of the other; else they must be the same.
        rtol, atol: give both or neither.  Without them they follow the dtype: float32 has 1.3e-6 and 1e-5, float64
            1e-7 and 1e-7, float16 1e-3 and 1e-5, bfloat16 1.6e-2 and 1e-5; all others are compared exactly.
        equal_nan: nan equals nan.
        check_device, check_dtype, check_layout, check_stride: these must agree as well.
        msg: a text instead of the error's own, or a function that turns the one into the other.

    Example:
        >>> import leafgrad as torch
        >>> torch.testing.assert_close(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.5]), rtol=0, atol=1)
    """
    if (rtol is None) != (atol is None):
        missing = "rtol" if rtol is None else "atol"
        raise ValueError(f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {missing}.")
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if tolerance is not None and tolerance < 0:
            raise ValueError(f"assert_close: {name} must not be negative, but is {tolerance}.")
    rules = _Rules(allow_subclasses, rtol, atol, equal_nan, check_device, check_dtype, check_layout, check_stride)
    problem = _difference(actual, expected, rules, "")
    if problem is not None:
        if msg is not None:
            problem = msg(problem) if callable(msg) else msg
        raise AssertionError(problem)


# ---- pairs: each function gives the message of the first difference, or None


def _difference(actual: Any, expected: Any, rules: _Rules, path: str) -> str | None:
    if _both(Mapping, actual, expected):
        return _keys_difference(actual, expected, path) or next(
            filter(None, (_difference(actual[k], expected[k], rules, f"{path}[{k!r}]") for k in actual)), None
        )
    if _both(Sequence, actual, expected) and not isinstance(actual, (str, bytes)):
        if len(actual) != len(expected):
            return _at(path, f"The length of the sequences mismatch: {len(actual)} != {len(expected)}")
        pairs = enumerate(zip(actual, expected, strict=True))
        return next(filter(None, (_difference(a, e, rules, f"{path}[{i}]") for i, (a, e) in pairs)), None)
    problem = _leaf_difference(actual, expected, rules, path)
    return _at(path, problem) if problem is not None else None


def _leaf_difference(actual: Any, expected: Any, rules: _Rules, path: str) -> str | None:
    if actual is None or expected is None:
        return None if actual is expected else f"None mismatch: {actual} is not {expected}"
    if _both(_booleans(), actual, expected):
        return None if bool(actual) is bool(expected) else f"Booleans mismatch: {actual} is not {expected}"
    if _both(_numbers(), actual, expected) and not (_one(_booleans(), actual, expected)):
        return _number_difference(actual, expected, rules)
    if _related(actual, expected, rules) and _both((Tensor, _ndarray()), actual, expected):
        return _tensor_difference(_core.as_tensor(actual), _core.as_tensor(expected), rules)
    raise TypeError(
        _at(path, f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}.")
    )


def _both(kinds: Any, actual: Any, expected: Any) -> bool:
    return isinstance(actual, kinds) and isinstance(expected, kinds)


def _one(kinds: Any, actual: Any, expected: Any) -> bool:
    return isinstance(actual, kinds) or isinstance(expected, kinds)


def _related(actual: Any, expected: Any, rules: _Rules) -> bool:
    if not rules.allow_subclasses:
        return type(actual) is type(expected)
    return isinstance(actual, type(expected)) or isinstance(expected, type(actual))


def _booleans() -> tuple[type, ...]:
    import numpy as np

    return bool, np.bool_


def _numbers() -> tuple[type, ...]:
    import numpy as np

    return int, float, complex, np.number


def _ndarray() -> type:
    import numpy as np

    return np.ndarray


def _at(path: str, problem: str) -> str:
    return f"{problem}\n\nThe failure occurred for item {path}" if path else problem


def _keys_difference(actual: Mapping[Any, Any], expected: Mapping[Any, Any], path: str) -> str | None:
    missing = [key for key in expected if key not in actual]
    extra = [key for key in actual if key not in expected]
    if not missing and not extra:
        return None
    return _at(
        path,
        "The keys of the mappings do not match:\n"
        f"Missing keys in the actual mapping: {missing}\n"
        f"Additional keys in the actual mapping: {extra}",
    )


def _number_difference(actual: Any, expected: Any, rules: _Rules) -> str | None:
    if rules.check_dtype and type(actual) is not type(expected):
        return f"The (d)types do not match: {type(actual)} != {type(expected)}."
    import numpy as np

    dtypes = {"i": "int64", "u": "int64", "f": "float64", "c": "complex128"}
    tolerances = rules.tolerances(*(dtypes.get(np.asarray(x).dtype.kind, "") for x in (actual, expected)))
    return _value_difference(np.asarray(actual), np.asarray(expected), *tolerances, rules.equal_nan)


def _tensor_difference(actual: Tensor, expected: Tensor, rules: _Rules) -> str | None:
    checks = {"shape": True, "layout": rules.check_layout, "device": rules.check_device}
    checks |= {"dtype": rules.check_dtype, "stride()": rules.check_stride}
    for name in (name for name, wanted in checks.items() if wanted):
        a, e = (t.stride() if name == "stride()" else getattr(t, name) for t in (actual, expected))
        if a != e:
            return f"The values for attribute '{name}' do not match: {a} != {e}."
    if actual.is_meta or expected.is_meta:
        return None  # neither has values to compare
    dtypes = (str(t.dtype).removeprefix("torch.") for t in (actual, expected))
    return _value_difference(_array(actual), _array(expected), *rules.tolerances(*dtypes), rules.equal_nan)


def _array(t: Tensor) -> np.ndarray:
    t = t.detach()
    return (t.float() if t.dtype == _core.bfloat16 else t).numpy()


def _value_difference(
    actual: np.ndarray, expected: np.ndarray, rtol: float, atol: float, equal_nan: bool
) -> str | None:
    import numpy as np

    absolute, size = _absolute_difference(actual, expected), np.abs(_wide(expected))
    with np.errstate(invalid="ignore", divide="ignore"):
        # An infinite expectation allows only itself: rtol * inf would allow everything.
        close = (actual == expected) | (np.isfinite(size) & (absolute <= atol + rtol * size))
        relative = absolute / size
    if equal_nan:
        close |= np.isnan(actual) & np.isnan(expected)
    if close.all():
        return None
    exact = rtol == 0 and atol == 0
    verdict = "equal" if exact else "close"
    allowed = ["" if exact else f" (up to {tolerance} allowed)" for tolerance in (atol, rtol)]
    if close.ndim == 0:
        return (
            f"Scalars are not {verdict}!\n\nExpected {expected.item()} but got {actual.item()}.\n"
            f"Absolute difference: {absolute.item()}{allowed[0]}\n"
            f"Relative difference: {relative.item()}{allowed[1]}"
        )
    wrong = int(close.size - close.sum())
    lines = [
        f"Tensor-likes are not {verdict}!\n\nMismatched elements: {wrong} / {close.size} ({wrong / close.size:.1%})"
    ]
    for name, difference, limit in (("absolute", absolute, allowed[0]), ("relative", relative, allowed[1])):
        difference = np.where(close, 0, difference)
        index = tuple(map(int, np.unravel_index(np.argmax(difference), close.shape)))  # argmax stops at a nan
        lines.append(f"Greatest {name} difference: {difference[index]} at index {index}{limit}")
    return "\n".join(lines)


def _wide(x: np.ndarray) -> np.ndarray:
    return x.astype("complex128" if x.dtype.kind == "c" else "float64")


def _absolute_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    import numpy as np

    if a.dtype.kind in "iu" and b.dtype.kind in "iu":
        # Modulo 2**64 the greater minus the lesser is exact, even from one end of int64 to the other.
        return np.maximum(a, b).astype(np.uint64) - np.minimum(a, b).astype(np.uint64)
    with np.errstate(invalid="ignore"):
        return np.abs(_wide(a) - _wide(b))


# ---- random tensors


def make_tensor(
    *shape: Any,
    dtype: _core.dtype,
    device: Any = "cpu",
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """A tensor of numbers drawn evenly from ``[low, high)``.

    Args:
        shape: sizes, as several arguments or as one sequence.
        low, high: the range, cut to what ``dtype`` can hold.  Without them ``[-9, 9)`` for floating and complex (both
            parts), ``[-9, 10)`` for signed and ``[0, 10)`` for unsigned integers; False and True for bool.
        noncontiguous: leave gaps between the elements of the last dimension.
        exclude_zero: put the smallest positive number (1 for integers) in place of zeros.
        memory_format: of the result; not together with ``noncontiguous``.

    Example:
        >>> import leafgrad as torch
        >>> torch.testing.make_tensor(2, 3, dtype=torch.int8, low=0, high=2).max() <= 1
        tensor(True)
    """
    if noncontiguous and memory_format is not None:
        raise ValueError(
            "The parameters `noncontiguous` and `memory_format` are mutually exclusive, "
            f"but got {noncontiguous=} and {memory_format=}"
        )
    if requires_grad and not (dtype.is_floating_point or dtype.is_complex):
        raise ValueError(f"`requires_grad=True` is not supported for boolean and integral dtypes, but got {dtype=}")
    size = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], Sequence) else shape
    low, high = _range(dtype, low, high)
    if dtype.is_complex:
        part = _core.float32 if dtype == _core.complex64 else _core.float64
        result = _core.complex(_uniform(size, part, low, high), _uniform(size, part, low, high))
    elif dtype.is_floating_point:
        result = _uniform(size, dtype, low, high)
    else:
        result = _core.randint(low, high, size).to(dtype)
    result = result.to(device)
    if exclude_zero:
        smallest = finfo(dtype).tiny if dtype.is_floating_point or dtype.is_complex else 1
        result = result.masked_fill(result == 0, smallest)
    if noncontiguous and result.numel() > 1:
        roomy = _core.empty((*size[:-1], 2 * size[-1]), dtype=dtype, device=device)
        result = roomy[..., ::2].copy_(result)
    elif memory_format is not None:
        result = result.clone(memory_format=memory_format)
    return result.requires_grad_(requires_grad)


def _range(dtype: _core.dtype, low: float | None, high: float | None) -> tuple[Any, Any]:
    """The range to draw from, its ends whole for integers."""
    if dtype == _core.bool:
        lowest, highest, default = 0, 2, (0, 2)
    elif dtype.is_floating_point or dtype.is_complex:
        info = finfo(dtype)
        lowest, highest, default = info.min, info.max, (-9, 9)
    else:
        info = iinfo(dtype)
        # randint's end is an int64 too, so there the greatest of all is never drawn
        lowest, highest = info.min, min(info.max + 1, 2**63 - 1)
        default = (0 if info.min == 0 else -9, 10)
    low, high = (given if given is not None else usual for given, usual in zip((low, high), default, strict=True))
    if math.isnan(low) or math.isnan(high):
        raise ValueError(f"`low` and `high` cannot be NaN, but got {low=} and {high=}")
    floating = dtype.is_floating_point or dtype.is_complex
    if low == high and floating:
        warnings.warn("make_tensor with low == high is deprecated; use full()", FutureWarning, stacklevel=3)
    elif low >= high:
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    low, high = (min(max(end, lowest), highest) for end in (low, high))
    return (low, high) if floating else (math.ceil(low), math.ceil(high))


def _uniform(size: tuple[int, ...], dtype: _core.dtype, low: float, high: float) -> Tensor:
    u = _core.rand(size, dtype=_core.float64)
    x = (low * (1 - u) + high * u).to(dtype)  # not low + (high - low) * u: the difference may overflow
    return x.masked_fill(x == high, low) if low < high else x  # the conversion may round up to `high`
