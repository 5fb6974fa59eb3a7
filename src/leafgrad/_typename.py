"""`typename`: the name by which messages speak of an object's type."""

from __future__ import annotations

from leafgrad._core import Tensor


def typename(obj: object) -> str:
    """Name of `obj`'s type for people: ``'torch.FloatTensor'`` for a tensor, else module and class, ``'list'``.

    A class or function is named itself, not its type.
    """
    if type(obj) is Tensor:
        return obj.type()
    named = obj if hasattr(obj, "__qualname__") else type(obj)
    module = getattr(named, "__module__", None)
    if module in (None, "", "builtins"):
        return named.__qualname__
    return f"{module}.{named.__qualname__}"
