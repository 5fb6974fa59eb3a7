"""Copies of tensors: ``copy.copy``, ``copy.deepcopy`` and pickle.

A deep copy copies the whole storage, once, so that tensors which share memory share it in the copy too.  A pickle holds
the bytes between a tensor's first and last element: a slice of a large tensor stays small.
"""

from __future__ import annotations

import copy
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

from . import _core
from ._core import Tensor
from ._tensor import tensor_method
from .utils.hooks import warn_if_has_hooks

if TYPE_CHECKING:
    from typing import Any


@tensor_method
def __copy__(self: Tensor) -> Tensor:
    """Another leaf tensor over the same memory, with the same attributes."""
    alias = Tensor._make_subclass(type(self), self, self.requires_grad)
    _set_state(alias, self.__getstate__())
    return alias


@tensor_method
def __deepcopy__(self: Tensor, memo: dict[Any, Any]) -> Tensor:
    """A leaf tensor over memory of its own, with copies of ``.grad`` and of all attributes."""
    if not self.is_leaf:
        raise RuntimeError(_not_a_leaf(self, memo))
    if id(self) in memo:
        return memo[id(self)]
    copied = Tensor._make_subclass(type(self), _with_copied_storage(self, memo), self.requires_grad)
    memo[id(self)] = copied  # before the attributes, which may lead back here
    if self.grad is not None:
        copied.grad = copy.deepcopy(self.grad, memo)
    _set_state(copied, copy.deepcopy(self.__getstate__(), memo))
    return copied


@tensor_method
def __reduce_ex__(self: Tensor, protocol: int) -> tuple[Any, ...]:
    """What pickle stores.  The graph and hooks are left behind; what required grad is unpickled as a leaf that does."""
    warn_if_has_hooks(self)
    arguments = (type(self), _contents(self, protocol), str(self.dtype).removeprefix("torch."))
    arguments += (tuple(self.shape), self.stride(), self.requires_grad)
    return _rebuild_tensor, arguments, self.__getstate__()


def _rebuild_tensor(
    cls: type[Tensor], data: Any, dtype: str, size: tuple[int, ...], stride: tuple[int, ...], requires_grad: bool
) -> Tensor:
    """What unpickling calls.  ``data`` is a bytes-like object; None for a tensor on meta."""
    dtype = getattr(_core, dtype)
    if data is None:
        t = _core.empty_strided(size, stride, dtype=dtype, device="meta")
    elif 0 in size:
        t = _core.empty_strided(size, stride, dtype=dtype)
    else:  # cloned, for the bytes belong to the pickle
        t = _core.frombuffer(data, dtype=dtype).clone().as_strided(size, stride)
    return Tensor._make_subclass(cls, t, requires_grad)


def _contents(t: Tensor, protocol: int) -> Any:
    """The bytes from the first element to the last, gaps included."""
    if t.is_meta:
        return None
    if t.numel() == 0:
        return b""
    count = 1 + sum((size - 1) * stride for size, stride in zip(t.shape, t.stride(), strict=True))
    array = t.detach().as_subclass(Tensor).as_strided((count,), (1,), t.storage_offset()).view(_core.uint8).numpy()
    if protocol < 5:
        return array.tobytes()
    from pickle import PickleBuffer  # may travel outside of the pickle, and is not copied in any case

    return PickleBuffer(array)


def _with_copied_storage(t: Tensor, memo: dict[Any, Any]) -> Tensor:
    """``t``'s look at a copy of its storage; ``memo`` holds the storages copied so far, each as a flat tensor."""
    t = t.detach().as_subclass(Tensor)
    storage = t.untyped_storage()
    if t.is_meta or storage.nbytes() == 0:
        return _core.empty_strided(t.shape, t.stride(), dtype=t.dtype, device=t.device)
    key = "storage", storage.data_ptr(), t.dtype
    if key not in memo:
        memo[key] = t.as_strided((storage.nbytes() // t.element_size(),), (1,), 0).clone()
    return memo[key].as_strided(t.shape, t.stride(), t.storage_offset())


def _set_state(t: Tensor, state: Any) -> None:
    """Put back what ``object.__getstate__`` gave: None, the attributes, or (attributes, slots)."""
    for attributes in state if isinstance(state, tuple) else (state,):
        for name, value in (attributes or {}).items():
            setattr(t, name, value)


# ---- where the tensor is that cannot be copied


def _not_a_leaf(t: Tensor, memo: dict[Any, Any]) -> str:
    from .lens.history import made_by, tensor_text

    path, root = _path_in_copy(memo)
    where = f"{path} of the {root}" if path else "this tensor"
    return (
        "deepcopy: Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol, and "
        f"{where} is not one: {tensor_text(t)}, made by {made_by(t.grad_fn)}. Store its detach() instead, or copy it "
        "with clone()."
    )


def _path_in_copy(memo: dict[Any, Any]) -> tuple[str, str]:
    """The path from the object given to ``copy.deepcopy`` to the one it has come to, and the former's type name.

    Nobody hands it down, but every ``deepcopy`` call under way has its object in its frame.
    """
    chain: list[Any] = []
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code is copy.deepcopy.__code__ and frame.f_locals["memo"] is memo:
            chain.insert(0, frame.f_locals["x"])
        frame = frame.f_back
    path = ""
    attributes = False  # whether the next dict is an object's state
    for holder, held in pairwise(chain):
        if isinstance(holder, dict):
            key = next((key for key, value in holder.items() if value is held), "?")
            if attributes and key in ("_modules", "_parameters", "_buffers"):
                continue  # a module finds what is in these as its own attributes
            path += f".{key}" if attributes else f"[{key!r}]"
            attributes = False
        elif isinstance(holder, (list, tuple)):
            path += f"[{next((i for i, value in enumerate(holder) if value is held), '?')}]"
        else:
            attributes = True
    return path.removeprefix("."), type(chain[0]).__name__ if chain else ""
