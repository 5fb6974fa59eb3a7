"""A tensor while `explain` looks at it: what is asked of it once, and the sentences about each side of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leafgrad import _core
from leafgrad._core import Tensor

from .history import at_place, history_of, is_accumulator, operator_text, storage_id, tensor_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leafgrad._core import Node

    from .places import Place


class Subject:
    """The tensor ``t`` with its history, the names of tensors, and the modules that it may be kept in."""

    def __init__(self, t: Tensor, names: dict[int, str], modules: list[tuple[str, Any]]) -> None:
        self.t = t
        self.names = names
        self.modules = modules
        self.node, self.is_stale = t._history  # stale: a view whose base was written since
        self.base = t._base
        self.is_leaf = self.node is None and not self.is_stale
        self.history = history_of(self.base._history[0] if self.is_stale else self.node)
        if self.is_stale and self.base.requires_grad and self.base._history[0] is None:
            self.history.leaves.append(self.base)
        self.place: Place | None = _core._place(t if self.node is None else self.node)

    def name(self, t: Tensor) -> str:
        """What the user calls it; of what has no name, dtype and shape."""
        return self.names.get(id(t)) or f"an unnamed {tensor_text(t)}"

    # ---- a leaf or not

    def why(self) -> str:
        """What makes it a leaf, or what made it if it is none."""
        if self.is_stale:
            return (
                f"a view of {self.name(self.base)}, which {_core._last_writer(self.base) or 'something'} has written "
                "in place since: its history is renewed from its base's when it is next used"
            )
        if self.node is not None:
            which = f"output {self.t.output_nr} of " if self.t.output_nr else "the result of "
            return which + operator_text(self.node)
        if self.t.requires_grad:
            made = "a parameter" if type(self.t).__name__ == "Parameter" else "made by the user"
            return f"{made}, with requires_grad=True; no operator that records made it{self.made_at()}"
        return f"{self.why_no_grad()}{self.made_at()}. A tensor with requires_grad=False always counts as a leaf"

    def why_no_grad(self) -> str:
        """Why it does not require grad."""
        owner = self.owner_as_grad()
        if owner is not None:
            return f"the gradient of {self.name(owner)}, computed without create_graph=True"
        if type(self.t).__name__ == "Parameter":
            return "a frozen parameter, with requires_grad=False"
        source = self.detached_from()
        if source is not None and self.t._origin == "detached":
            return f"detached: it shares the memory of {self.name(source)}, and none of its history"
        return reason_without_grad(self.t)

    def owner_as_grad(self) -> Tensor | None:
        """The leaf whose ``.grad`` it is."""
        return next((other for other in _core._live_tensors() if other._grad is self.t), None)

    def detached_from(self) -> Tensor | None:
        """A tensor over the same memory that does require grad, the one with a name before others."""
        sharing = [other for other in self._same_memory() if other.requires_grad]
        return min(sharing, key=lambda other: id(other) not in self.names, default=None)

    def made_at(self) -> str:
        """`` at file:line``, if it is the maker of its memory and that was traced."""
        return "" if self.base is not None or self.t._origin == "detached" else at_place(self.t)

    # ---- its gradient

    def gradient(self) -> str:
        """What backward does with it."""
        if not self.t.requires_grad:
            return "never"
        return "keep" if self.is_leaf or self.t.retains_grad else "free"

    def gradient_why(self) -> str:
        """The reason, and where the gradient is found or how to have it."""
        if not self.t.requires_grad:
            return "backward computes no gradient where nothing requires grad"
        if self.is_leaf:
            return "it is a leaf that requires grad, so backward adds its gradient to .grad"
        if self.t.retains_grad:
            return "retain_grad() was called, so backward puts a copy into .grad"
        return "backward passes it on and frees it as soon as its last consumer has read it"

    def hooks(self) -> list[str]:
        """The functions that are called with its gradient, in the order in which they run."""
        before, after = self.t._backward_hooks, self.t._post_accumulate_grad_hooks
        names = [f"{_name_of(hook)} on the gradient" for hook in (before or {}).values()]
        return names + [f"{_name_of(hook)} after .grad is set" for hook in (after or {}).values()]

    # ---- its memory

    def view_chain(self) -> list[str]:
        """From the view itself to the owner of the memory: each operator that took a view, then the owner."""
        if self.base is None:
            return []
        return [*map(operator_text, self._view_nodes()), self.name(self.base)]

    def _view_nodes(self) -> Iterator[Node]:
        end, node = self.base._history[0], None if self.is_stale else self.node
        while node is not None and node is not end and not is_accumulator(node):
            yield node
            node = node.next_functions[0][0]

    def sharers(self) -> list[str]:
        """The other tensors over its memory: names, and what the rest is kept by."""
        saved_by = {}
        for node in self.history.nodes:
            for name, tensor, *_ in _core._saved(node):
                if tensor is not None:
                    saved_by[id(tensor)] = f"{type(node).__name__}'s saved {name or 'tensor'}"
        others = self._same_memory()
        named = [self.names[id(other)] for other in others if id(other) in self.names]
        return sorted(named) + sorted(
            saved_by.get(id(other), self.name(other)) for other in others if id(other) not in self.names
        )

    def _same_memory(self) -> list[Tensor]:
        storage = storage_id(self.t)
        return [other for other in _core._live_tensors() if other is not self.t and storage_id(other) == storage]


def reason_without_grad(t: Tensor) -> str:
    """Why ``t``, which does not require grad, does not: as far as the tensor itself tells."""
    if not (t.is_floating_point() or t.is_complex()):
        dtype = str(t.dtype).removeprefix("torch.")
        return f"its dtype is {dtype}, and only floating point and complex tensors can require grad"
    if t.is_inference():
        return "made in inference mode, which records nothing"
    return {
        "user": "made by the user without requires_grad=True",
        "detached": "detached: it shares memory with a tensor that requires grad, and none of its history",
        "no_grad": "made under no_grad, which records nothing",
        "operator": "the result of an operator none of whose inputs requires grad (all frozen, or plain data)",
    }[t._origin]


def _name_of(function: object) -> str:
    return getattr(function, "__qualname__", None) or type(function).__name__
