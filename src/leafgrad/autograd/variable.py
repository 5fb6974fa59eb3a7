"""`Variable`, the tensor of programs written before tensors could record by themselves."""

from __future__ import annotations

from typing import Any

from leafgrad._core import Tensor

__all__ = ["Variable"]


class _VariableMeta(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=_VariableMeta):
    """``Variable(x)`` is ``x`` cut off from its graph, a leaf; every tensor is an instance. Use tensors instead.

    >>> import leafgrad
    >>> x = leafgrad.autograd.Variable(leafgrad.ones(2), requires_grad=True)
    >>> x.is_leaf, isinstance(x, leafgrad.autograd.Variable)
    (True, True)
    """

    def __new__(cls, data: Tensor, requires_grad: bool = False) -> Any:
        return data.detach().requires_grad_(requires_grad)
