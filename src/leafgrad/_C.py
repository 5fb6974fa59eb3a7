"""The core under the name that PyTorch gives to its own, for programs that reach below the documented surface.

Whatever `_core` has is here; added are nodes and references that such programs ask for.
"""

from __future__ import annotations

import weakref
from types import SimpleNamespace
from typing import Any

from . import _core
from ._core import Tensor
from .autograd.function import Function


class _WeakTensorRef:
    """Tells whether a tensor is gone, without keeping it."""

    def __init__(self, tensor: Tensor) -> None:
        self._reference = weakref.ref(tensor)

    def expired(self) -> bool:
        return self._reference() is None


class _Undefined(Function):
    """The same value; its gradient is missing, which is neither zeros nor an error."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> None:
        return None


class UndefinedGrad:
    """``UndefinedGrad()(x)`` is x, to which no gradient flows."""

    def __call__(self, x: Tensor) -> Tensor:
        return _Undefined.apply(x)


class _Failing(Function):
    @staticmethod
    def forward(ctx: Any, message: str, *inputs: Tensor) -> Any:
        ctx.message = message
        outputs = tuple(x.detach() for x in inputs)
        return outputs if len(outputs) > 1 else outputs[0]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        raise RuntimeError(ctx.message)


class DelayedError:
    """``DelayedError(message, count)(*inputs)`` gives the inputs; differentiating them raises."""

    def __init__(self, message: str, num_inputs: int) -> None:
        self.message, self.num_inputs = message, num_inputs

    def __call__(self, *inputs: Tensor) -> Any:
        return _Failing.apply(self.message, *inputs)


_functions = SimpleNamespace(
    AccumulateGrad=type(_core._grad_accumulator(_core.empty(0, requires_grad=True))),
    DelayedError=DelayedError,
    UndefinedGrad=UndefinedGrad,
)
_autograd = SimpleNamespace(_unsafe_set_version_counter=_core._unsafe_set_version_counter)


def __getattr__(name: str) -> Any:
    return getattr(_core, name)
