"""Questions about tensors, dtypes and types, answered without touching an element."""

from __future__ import annotations

from leafgrad import _core
from leafgrad._core import Tensor, dtype

__all__ = [
    "can_cast",
    "is_complex",
    "is_floating_point",
    "is_nonzero",
    "is_tensor",
    "numel",
    "promote_types",
    "result_type",
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


def result_type(tensor1: Tensor | complex, tensor2: Tensor | complex) -> dtype:
    """The dtype of the product of the two, tensors or Python numbers."""
    if not isinstance(tensor1, Tensor) and not isinstance(tensor2, Tensor):
        return _core.tensor(tensor1 * tensor2).dtype
    first, second = (each.detach().to("meta") if isinstance(each, Tensor) else each for each in (tensor1, tensor2))
    return (first * second).dtype


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype that holds the values of both, of at least the higher kind."""
    return (_core.empty(1, dtype=type1, device="meta") * _core.empty(1, dtype=type2, device="meta")).dtype


def can_cast(from_: dtype, to: dtype) -> bool:
    """Whether a result may be stored as `to`: complex not as real, floating point not as integer, nothing as bool."""
    if from_.is_complex and not to.is_complex:
        return False
    if from_.is_floating_point and not (to.is_floating_point or to.is_complex):
        return False
    return to != _core.bool or from_ == _core.bool
