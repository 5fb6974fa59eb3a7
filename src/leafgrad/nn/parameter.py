"""`Parameter` and `Buffer`: tensors that a module registers when they are assigned to one of its attributes."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from leafgrad import _core
from leafgrad._core import Tensor, empty

__all__ = ["Buffer", "Parameter"]


class _ParameterMeta(type(Tensor)):
    """Counts tensors of other subclasses, marked when a `Parameter` was made of them, as parameters too."""

    def __instancecheck__(self, instance: object) -> bool:
        if super().__instancecheck__(instance):
            return True
        return self is Parameter and isinstance(instance, Tensor) and getattr(instance, "_is_param", False)


class Parameter(Tensor, metaclass=_ParameterMeta):
    """A leaf tensor to be learnt; assigned to a module's attribute, it appears among the module's parameters.

    Args:
        data: the values, shared and not copied; an empty tensor if left out.
        requires_grad: whether gradients are wanted.

    Note: a `data` of a tensor subclass other than `Parameter` keeps its type, and is a `Parameter` to `isinstance`.
    """

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        if data is None:
            data = empty(0)
        if type(data) is Tensor or type(data) is Parameter:
            return Tensor._make_subclass(cls, data, requires_grad)
        result = data.detach().requires_grad_(requires_grad)
        if type(result) is not type(data):
            raise RuntimeError(
                f"Creating a Parameter from an instance of type {type(data).__name__} requires that detach() returns "
                f"an instance of the same type, but it returned {type(result).__name__}."
            )
        result._is_param = True
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        if id(self) not in memo:
            copied = type(self)(self.data.clone(), self.requires_grad)
            memo[id(self)] = copied
        return memo[id(self)]

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return _rebuild_parameter, (type(self), self.data, self.requires_grad, dict(self.__dict__), OrderedDict())


_core._register_parameter(Parameter)  # operators treat parameters as plain tensors, and give plain tensors


def _rebuild_parameter(
    cls: type[Parameter], data: Tensor, requires_grad: bool, attributes: dict[str, Any], hooks: OrderedDict[int, Any]
) -> Parameter:
    """What unpickling calls: `data` as a parameter with the attributes it had. Hooks are never pickled."""
    parameter = cls(data, requires_grad)
    parameter.__dict__.update(attributes)
    return parameter


class _BufferMeta(type(Tensor)):
    """Makes `isinstance(tensor, Buffer)` ask for the mark that `Buffer` leaves on a tensor."""

    def __instancecheck__(self, instance: object) -> bool:
        if super().__instancecheck__(instance):
            return True
        return self is Buffer and isinstance(instance, Tensor) and getattr(instance, "_is_buffer", False)


class Buffer(Tensor, metaclass=_BufferMeta):
    """A tensor that belongs to a module's state without being learnt, like a running mean.

    What is returned is a plain tensor that shares `data`'s memory and bears a mark; assigned to a module's attribute,
    it appears among the module's buffers.

    Args:
        data: the values; an empty tensor if left out.
        persistent: whether the buffer is part of the module's `state_dict`.
    """

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Tensor:
        if data is None:
            data = empty(0)
        buffer = data.detach().requires_grad_(data.requires_grad)
        buffer.persistent = persistent
        buffer._is_buffer = True
        return buffer
