"""How a tensor prints, to the letter as PyTorch prints it: ``repr(t)`` is ``tensor_str(t)``.

A text is made in three steps.  ``_visible`` reads the elements to show into nested lists, with an Ellipsis where some
are left out; ``_cell_writer`` looks at them all to choose one form (whole, fixed or scientific) and one width;
``_bracketed`` lays the cells out in lines.  ``tensor_str`` puts the type before that, and size, dtype and graph after.

Everything works on Python numbers: for a tensor small enough to be shown, ``tolist()`` costs less than an operator.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from math import inf, isfinite
from typing import TYPE_CHECKING

from . import _core
from ._core import Tensor, get_default_dtype

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": inf, "edgeitems": 3, "linewidth": 80},
}
_options: dict[str, Any] = {**_PROFILES["default"], "sci_mode": None}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Change how tensors print from here on.

    Args:
        precision: digits after the decimal point (4).
        threshold: a tensor with more elements than this is summarized (1000).
        edgeitems: elements shown at both ends of each summarized dimension (3).
        linewidth: characters in a line (80).
        profile: ``"default"``, ``"short"`` or ``"full"``: values for all of the above, which given ones override.
        sci_mode: scientific form always (True), never (False), or where the values ask for it (None).  Unlike the
            others this option does not keep its value when it is left out.

    Example:
        >>> import leafgrad as torch
        >>> torch.set_printoptions(precision=2)
        >>> torch.tensor([1.12345])
        tensor([1.12])
        >>> torch.set_printoptions(profile="default")
    """
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(f"set_printoptions: profile is {profile!r}; choose one of {', '.join(_PROFILES)}")
        _options.update(_PROFILES[profile])
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    _options.update({name: value for name, value in given.items() if value is not None})
    _options["sci_mode"] = sci_mode


def get_printoptions() -> dict[str, Any]:
    """The options in force, as keyword arguments for ``set_printoptions``."""
    return dict(_options)


@contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Change the print options (see ``set_printoptions``) inside a ``with`` block."""
    before = get_printoptions()
    try:
        set_printoptions(**options)
        yield
    finally:
        _options.update(before)


def tensor_str(t: Tensor, tensor_contents: str | None = None) -> str:
    """``repr(t)``; ``tensor_contents``, if given, stands in place of the values."""
    plain, parameter = _kind(t)
    prefix = "tensor(" if plain else f"{type(t).__name__}("
    primal, tangent = _unpack_dual(t)
    if tensor_contents is None:
        tensor_contents = _contents(primal, len(prefix))
    suffixes = _layout_suffixes(primal)
    if tangent is None or primal.requires_grad:  # else only forward mode makes t require grad
        suffixes += _graph_suffixes(t)
    if tangent is not None:
        suffixes.append(f"tangent={tangent!r}")
    text = _with_suffixes(prefix + tensor_contents, suffixes, len(prefix))
    return f"Parameter({text})" if parameter and not plain else text


def _kind(t: Tensor) -> tuple[bool, bool]:
    """Whether ``t`` prints under the name ``tensor``, and whether it is a Parameter."""
    if type(t) is Tensor:
        return True, False
    from .nn.parameter import Parameter  # here, as nn stands on this module

    return type(t) is Parameter, isinstance(t, Parameter)


# ---- the values


def _contents(t: Tensor, indent: int) -> str:
    if t.device.type == "meta":
        return "..."
    ndim, numel = t.dim(), t.numel()
    if numel == 0:
        return "[]"
    summarized = numel > _options["threshold"]
    if type(t) is not Tensor:  # values are read by our own methods, whatever a subclass overrides
        t = t.detach().as_subclass(Tensor)
    data = _visible(t.detach(), ndim, _options["edgeitems"]) if summarized and ndim else t.tolist()
    width, write = _cell_writer(_flat(data, ndim), t.dtype)
    if ndim == 0:
        return write(data)
    room = (_options["linewidth"] - (indent + ndim - 1)) / (width + len(", "))
    return _bracketed(data, ndim, indent, int(max(1, min(room, numel))), write)


def _visible(t: Tensor, ndim: int, edgeitems: int) -> list[Any]:
    """The elements of a summarized tensor that are shown, in nested lists, Ellipsis in place of the others."""
    size = t.shape[0]
    if size <= 2 * edgeitems:
        return t.tolist() if ndim == 1 else [_visible(t[i], ndim - 1, edgeitems) for i in range(size)]
    if ndim == 1:
        return [*t[:edgeitems].tolist(), ..., *t[size - edgeitems :].tolist()]
    first = [_visible(t[i], ndim - 1, edgeitems) for i in range(edgeitems)]
    last = [_visible(t[i], ndim - 1, edgeitems) for i in range(size - edgeitems, size)]
    return [*first, ..., *last]


def _flat(data: Any, ndim: int) -> list[Any]:
    """The numbers in nested lists."""
    if ndim == 0:
        return [data]
    for _ in range(ndim - 1):
        data = [x for row in data if row is not ... for x in row]
    return [x for x in data if x is not ...]


def _bracketed(data: list[Any], ndim: int, indent: int, per_line: int, write: Callable[[Any], str]) -> str:
    margin = " " * (indent + 1)
    if ndim > 1:
        rows = ["..." if row is ... else _bracketed(row, ndim - 1, indent + 1, per_line, write) for row in data]
        return "[" + ("," + "\n" * (ndim - 1) + margin).join(rows) + "]"
    # The gap of a summarized row has a space of its own before it, unless nothing stands there.
    gap = " ..." if len(data) > 1 else "..."
    cells = [gap if x is ... else write(x) for x in data]
    lines = [", ".join(cells[i : i + per_line]) for i in range(0, len(cells), per_line)]
    return "[" + (",\n" + margin).join(lines) + "]"


# ---- one form and one width for all numbers of a tensor


def _cell_writer(values: list[Any], dtype: Any) -> tuple[int, Callable[[Any], str]]:
    """The width of the widest number, and a function that writes a number to that width."""
    if not dtype.is_complex:
        width, write = _number_writer(values, dtype.is_floating_point)
        return width, lambda x: write(x).rjust(width)
    real_width, real = _number_writer([z.real for z in values], True)
    imag_width, imag = _number_writer([z.imag for z in values], True)

    def write_complex(z: complex) -> str:  # only the real parts are aligned
        tail = imag(z.imag)
        return real(z.real).rjust(real_width) + ("" if tail[0] == "-" else "+") + tail + "j"

    return real_width + imag_width + len("j"), write_complex


def _number_writer(values: list[Any], floating: bool) -> tuple[int, Callable[[Any], str]]:
    """The width of the widest number, and a function that writes a number to whatever width it needs."""
    if not floating:
        return max(map(len, map(str, values)), default=1), str
    # Zeros, infinities and nan say nothing about the form that suits the others, and the width leaves them out too.
    usual = [x for x in values if x and isfinite(x)]
    if not usual:
        return 1, _write_whole
    low, high = min(map(abs, usual)), max(map(abs, usual))
    scientific = _options["sci_mode"]
    if scientific is None:
        scientific = high / low > 1000 or high > 1e8 or low < 1e-4
    if scientific:
        write = f"{{:.{_options['precision']}e}}".format
    elif all(map(float.is_integer, usual)):
        write = _write_whole
    else:
        write = f"{{:.{_options['precision']}f}}".format
    return max(map(len, map(write, usual))), write


def _write_whole(x: float) -> str:
    return f"{x:.0f}." if isfinite(x) else str(x)


# ---- what follows the values


def _layout_suffixes(t: Tensor) -> list[str]:
    """Device, size and dtype, each only where a reader could not tell it from the values."""
    suffixes = []
    device, dtype, default = t.device, t.dtype, get_default_dtype()
    if device.type != "cpu":
        suffixes.append(f"device='{device}'")
    if device.type == "meta":
        show_size, show_dtype = True, dtype != default
    elif t.numel() == 0:
        show_size, show_dtype = t.dim() != 1, dtype != default
    else:
        show_size, show_dtype = not _options["edgeitems"], dtype != default and not _looks_like(dtype, default)
    if show_size:
        suffixes.append(f"size={tuple(t.shape)}")
    if show_dtype:
        suffixes.append(f"dtype={dtype}")
    return suffixes


def _looks_like(dtype: Any, default: Any) -> bool:
    """Whether values of this dtype, typed in again, give this dtype."""
    default_complex = _core.complex128 if default == _core.float64 else _core.complex64
    return dtype in (_core.int64, _core.bool, default_complex)


def _graph_suffixes(t: Tensor) -> list[str]:
    try:
        grad_fn = t.grad_fn
    except RuntimeError:  # a view made and changed in place under no_grad has no place in the graph
        return ["grad_fn=<Invalid>"]
    if grad_fn is not None:
        return [f"grad_fn=<{type(grad_fn).__name__}>"]
    return ["requires_grad=True"] if t.requires_grad else []


def _unpack_dual(t: Tensor) -> tuple[Tensor, Tensor | None]:
    """The value, and the tangent it carries in forward mode or None."""
    forward_ad = sys.modules.get("leafgrad.autograd.forward_ad")
    if forward_ad is None or forward_ad._level is None:
        return t, None
    try:
        return forward_ad.unpack_dual(t)
    except RuntimeError:  # the tangent cannot be had here, under no_grad for one; the values can
        return t, None


def _with_suffixes(text: str, suffixes: list[str], indent: int) -> str:
    """Add ``", suffix"`` for each, on a new line where the current one is full, and the closing parenthesis."""
    column = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if column + len(suffix) + 2 > _options["linewidth"]:
            text += ",\n" + " " * indent + suffix
            column = indent + len(suffix)
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"
