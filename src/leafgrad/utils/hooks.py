"""Handles of registered hooks. A hook lives in an ordered dict of its owner; the handle knows the dict and the key."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import Any

__all__ = ["RemovableHandle", "unserializable_hook", "warn_if_has_hooks"]


class RemovableHandle:
    """What registering a hook returns: `remove()` takes the hook away again.

    The handle holds the dict of hooks weakly, so it keeps neither a module nor a tensor alive, and removing is
    harmless however often and however late it happens. ``with handle:`` removes at the end of the block.

    Args:
        hooks_dict: the dict that holds the hook under ``handle.id``.
        extra_dict: one more such dict, or several, with an entry under the same id.
    """

    id: int
    next_id: int = 0

    def __init__(self, hooks_dict: Any, *, extra_dict: Any = None) -> None:
        self.hooks_dict_ref = weakref.ref(hooks_dict)
        self.id = RemovableHandle.next_id
        RemovableHandle.next_id += 1
        extras = () if extra_dict is None else extra_dict if isinstance(extra_dict, list) else (extra_dict,)
        self.extra_dict_ref: tuple[weakref.ref[Any], ...] = tuple(weakref.ref(extra) for extra in extras)

    def remove(self) -> None:
        """Take the hook away; does nothing if it is gone already."""
        for reference in (self.hooks_dict_ref, *self.extra_dict_ref):
            hooks = reference()
            if hooks is not None:
                hooks.pop(self.id, None)

    def __getstate__(self) -> tuple[Any, ...]:
        return self.hooks_dict_ref(), self.id, tuple(reference() for reference in self.extra_dict_ref)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        hooks, self.id, *extras = state
        # The owner was not pickled along: an empty dict, dead at once, makes remove() do nothing.
        self.hooks_dict_ref = weakref.ref(OrderedDict() if hooks is None else hooks)
        self.extra_dict_ref = tuple(weakref.ref(extra) for extra in (extras[0] if extras else ()) if extra is not None)
        RemovableHandle.next_id = max(RemovableHandle.next_id, self.id + 1)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        self.remove()


def unserializable_hook(func: Any) -> Any:
    """Mark a hook as one that is meant to be left behind when its tensor is saved; no warning is given for it."""
    func.__torch_unserializable__ = True
    return func


def warn_if_has_hooks(tensor: Any) -> None:
    """Warn for each hook of `tensor` that saving it would silently lose."""
    import warnings

    for hook in (tensor._backward_hooks or {}).values():
        if not hasattr(hook, "__torch_unserializable__"):
            warnings.warn(
                f"backward hook {hook!r} on tensor will not be serialized. If this is meant, decorate it with "
                "leafgrad.utils.hooks.unserializable_hook.",
                stacklevel=2,
            )
