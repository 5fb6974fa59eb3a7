"""Methods of Tensor that need no C++: the Python protocols whose cost does not matter.

``Tensor`` itself is made in the core; ``@tensor_method`` adds to it, here and wherever a composite stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _core
from ._core import Tensor
from ._printing import tensor_str

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeVar

    _Function = TypeVar("_Function", bound="Callable[..., Any]")


def tensor_method(function: _Function) -> _Function:
    """Decorator: ``function`` is a method of Tensor too, its first argument being the tensor."""
    setattr(Tensor, function.__name__, function)
    return function


@tensor_method
def __repr__(self: Tensor, *, tensor_contents: str | None = None) -> str:
    """The tensor in words; a subclass may give ``tensor_contents`` to stand in place of the values."""
    return tensor_str(self, tensor_contents)


@tensor_method
def __iter__(self: Tensor) -> Iterator[Tensor]:
    """The slices along the first dimension."""
    if self.dim() == 0:
        raise TypeError("iteration over a 0-d tensor; item() gives its value")
    return iter(self.unbind(0))


@tensor_method
def __reversed__(self: Tensor) -> Tensor:
    return self if self.dim() == 0 else self.flip(0)


@tensor_method
def __contains__(self: Tensor, element: object) -> bool:
    """Whether an element equals ``element``, a number or a tensor that broadcasts."""
    if not isinstance(element, (Tensor, bool, int, float, complex)):
        raise RuntimeError(f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}.")
    return bool((self == element).any())


@tensor_method
def __format__(self: Tensor, spec: str) -> str:
    """A number's format where the tensor is one number, so that ``f"{loss:.3f}"`` works; else what ``str`` gives."""
    if self.dim() == 0 and not self.is_meta and type(self) is Tensor:
        return format(self.item(), spec)
    return object.__format__(self, spec)


@tensor_method
def where(self: Tensor, condition: Tensor, other: Tensor | complex) -> Tensor:
    """``self`` where the condition holds, ``other`` elsewhere."""
    return _core.where(condition, self, other)


@tensor_method
def polygamma(self: Tensor, n: int) -> Tensor:
    """The ``n``-th derivative of digamma at each element."""
    return _core.polygamma(n, self)


def _part(name: str, doc: str) -> property:
    part = getattr(_core, name)

    def assign(self: Tensor, value: Tensor | complex) -> None:
        part(self).copy_(value)

    return property(part, assign, doc=doc)


Tensor.real = _part("real", "A view of the real parts; the tensor itself if it is real.")
Tensor.imag = _part("imag", "A view of the imaginary parts.")
