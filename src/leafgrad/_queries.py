"""Questions about tensors, dtypes and types, answered without touching an element."""

from __future__ import annotations

from leafgrad._core import Tensor

__all__ = [
    "is_complex",
    "is_floating_point",
    "is_nonzero",
    "is_tensor",
    "numel",
    "typename",
]


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


def is_tensor(obj: object) -> bool:
    """Whether `obj` is a tensor."""
    return isinstance(obj, Tensor)


def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is a floating point one, complex excluded."""
    return input.is_floating_point()


def is_complex(input: Tensor) -> bool:
    """Whether the dtype is complex."""
    return input.is_complex()


def is_nonzero(input: Tensor) -> bool:
    """Whether the only element is not 0."""
    if input.numel() != 1:
        raise RuntimeError(f"Boolean value of Tensor with {input.numel()} values is ambiguous")
    return bool(input)


def numel(input: Tensor) -> int:
    """Number of elements."""
    return input.numel()
