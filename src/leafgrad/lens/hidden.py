"""What a module keeps in plain attributes, so that `parameters()`, and with it the optimizer, does not see it.

Lists, tuples and dicts are not looked into when they are assigned to a module, and a tensor is no parameter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leafgrad._core import Tensor

from .history import operator_text, tensor_text
from .names import attributes_of, is_a

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leafgrad.nn import Module

_DEEPEST = 3  # containers in containers


@dataclass(frozen=True)
class Hidden:
    """One attribute: where it is, what is wrong with it, and what to write instead."""

    path: str  # from the model, without its name
    kind: str  # "modules", "parameters", "tensor", "non-leaf"
    text: str  # to follow "<path> is "


def hidden_members(model: Module) -> list[Hidden]:
    """The attributes in the tree of ``model`` that hide modules or tensors which require grad.

    What is registered as well, under another name, is not hidden.
    """
    registered = {id(each) for each in model.modules()} | {id(each) for each in model.parameters()}
    registered |= {id(each) for each in model.buffers()}
    found = ((path, _hidden_in(value, registered)) for path, value in attributes_of(model))
    return [Hidden(path, *what) for path, what in found if what is not None]


def _hidden_in(value: Any, registered: set[int]) -> tuple[str, str] | None:
    from leafgrad.nn.module import Module

    if is_a(value, Tensor):
        return _tensor_in_attribute(value) if value.requires_grad and id(value) not in registered else None
    inside = [each for each in _contents(value) if id(each) not in registered]
    container = type(value).__name__
    ending = "Dict" if is_a(value, dict) else "List"
    if any(is_a(each, Module) for each in inside):
        return "modules", f"a plain {container} that holds modules: make it an nn.Module{ending}"
    if any(is_a(each, Tensor) and each.requires_grad and each._history[0] is None for each in inside):
        return "parameters", f"a plain {container} that holds parameters: make it an nn.Parameter{ending}"
    return None


def _tensor_in_attribute(t: Tensor) -> tuple[str, str]:
    node = t._history[0]
    if node is None:
        return "tensor", f"a plain tensor that requires grad, {tensor_text(t)}: make it an nn.Parameter"
    return (
        "non-leaf",
        f"{tensor_text(t)}, the result of {operator_text(node)}, with its whole history: deepcopy of the model will "
        "fail, and the history stays alive. Store its detach()",
    )


def _contents(value: Any, depth: int = 0) -> Iterator[Any]:
    """What a list, tuple, set or dict holds, and what such things in it hold."""
    if is_a(value, dict):
        value = value.values()
    elif not is_a(value, (list, tuple, set, frozenset)):
        return
    for each in list(value):
        yield each
        if depth < _DEEPEST:
            yield from _contents(each, depth + 1)
