"""``FloatTensor`` and its kin, ``Tensor.new`` and typed storages: how programs of old name a dtype.

They are names, not types: every tensor is a `Tensor`, and ``isinstance(x, FloatTensor)`` asks for its dtype.
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

from . import _core
from ._core import Size, Tensor
from ._tensor import tensor_method

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ._core import UntypedStorage

_NAMES = {
    "BFloat16Tensor": _core.bfloat16,
    "BoolTensor": _core.bool,
    "ByteTensor": _core.uint8,
    "CharTensor": _core.int8,
    "DoubleTensor": _core.float64,
    "FloatTensor": _core.float32,
    "HalfTensor": _core.float16,
    "IntTensor": _core.int32,
    "LongTensor": _core.int64,
    "ShortTensor": _core.int16,
}

__all__ = [*_NAMES, "TypedStorage"]


class _TypedTensor(builtins.type):
    """Type of the names: calling one makes a `Tensor`."""

    dtype: _core.dtype
    is_cuda = False

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and instance.dtype == cls.dtype and not instance.is_meta

    def __call__(cls, *args: Any, **kwargs: Any) -> Tensor:
        return _made(cls.dtype, *args, **kwargs)

    def __str__(cls) -> str:
        return f"torch.{cls.__name__}"


def _made(dtype: _core.dtype, *args: Any, device: Any = "cpu") -> Tensor:
    """Sizes give uninitialized elements, a sequence gives its values, and a tensor of that dtype an alias."""
    if not args:
        return _core.empty(0, dtype=dtype, device=device)
    first = args[0]
    if len(args) == 1 and isinstance(first, TypedStorage):
        return set_(_core.empty(0, dtype=dtype), first)
    if len(args) == 1 and isinstance(first, Tensor) and first.dim() > 0:
        if first.dtype != dtype:
            raise TypeError(f"expected a tensor of {dtype}, but got one of {first.dtype}; convert it with to()")
        return first.detach()
    if len(args) == 1 and not isinstance(first, Size) and not hasattr(first, "__index__"):
        return _core.tensor(first, dtype=dtype, device=device)
    return _core.empty(first if isinstance(first, Size) else args, dtype=dtype, device=device)


for _name, _dtype in _NAMES.items():
    globals()[_name] = _TypedTensor(
        _name, (), {"dtype": _dtype, "__module__": "torch", "__doc__": f"Tensors of {_dtype}."}
    )


@tensor_method
def new(self: Tensor, *args: Any, device: Any = None) -> Tensor:
    """A tensor of the same dtype: ``new(2, 3)`` uninitialized, ``new([1, 2])`` of values.  Prefer ``new_empty``."""
    return _made(self.dtype, *args, device=self.device if device is None else device)


_type = Tensor.type


@tensor_method
def type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The name of the tensor's type; or, given a dtype, a name or one of these classes, the tensor converted to it."""
    if dtype is None:
        return _type(self)
    return _type(self, dtype.dtype if isinstance(dtype, _TypedTensor) else dtype)


class TypedStorage:
    """A tensor's memory as elements of its dtype; what ``Tensor.storage()`` gives.  Prefer ``untyped_storage()``."""

    def __init__(self, elements: Tensor) -> None:
        self._elements = elements  # one dimension, over the whole storage

    @property
    def dtype(self) -> _core.dtype:
        return self._elements.dtype

    @property
    def device(self) -> _core.device:
        return self._elements.device

    def untyped(self) -> UntypedStorage:
        """The storage as bytes."""
        return self._elements.untyped_storage()

    def data_ptr(self) -> int:
        return self._elements.data_ptr()

    def element_size(self) -> int:
        return self._elements.element_size()

    def nbytes(self) -> int:
        return self.untyped().nbytes()

    def size(self) -> int:
        return self._elements.numel()

    __len__ = size

    def __getitem__(self, index: int | slice) -> Any:
        return TypedStorage(self._elements[index]) if isinstance(index, slice) else self._elements[index].item()

    def __setitem__(self, index: int | slice, value: Any) -> None:
        self._elements[index] = value

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def fill_(self, value: Any) -> TypedStorage:
        """Write ``value`` everywhere."""
        self._elements.fill_(value)
        return self

    def tolist(self) -> list[Any]:
        """The elements as numbers."""
        return self._elements.tolist()


@tensor_method
def storage(self: Tensor) -> TypedStorage:
    """The tensor's memory as elements of its dtype, whatever part of it the tensor shows."""
    count = self.untyped_storage().nbytes() // self.element_size()
    return TypedStorage(self.detach().as_subclass(Tensor).as_strided((count,), (1,), 0))


_set_to_tensor = Tensor.set_


@tensor_method
def set_(
    self: Tensor,
    source: Tensor | TypedStorage | None = None,
    storage_offset: int = 0,
    size: Any = None,
    stride: Any = None,
) -> Tensor:
    """Let the tensor show other memory: that of another tensor, or of a typed storage from an offset on."""
    if isinstance(source, TypedStorage):
        elements = source._elements
        size = (elements.numel() - storage_offset,) if size is None else size
        source = elements.as_strided(size, _contiguous_stride(size) if stride is None else stride, storage_offset)
    elif source is None:
        source = _core.empty(0, dtype=self.dtype, device=self.device)
    return _set_to_tensor(self, source)


def _contiguous_stride(size: Any) -> tuple[int, ...]:
    return _core.empty(size, device="meta").stride()
