"""A leaf that takes part in a graph, but whose grad stays None after backward."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar
from weakref import ref

from leafgrad import _core
from leafgrad.lens.finding import Finding
from leafgrad.lens.history import is_accumulator, operator_name, tensor_text
from leafgrad.lens.places import Place

from .common import Detector, OfThread, Report, at, here, inputs_of, name_of

if TYPE_CHECKING:
    from leafgrad._core import Node, Tensor

_ENOUGH = 2  # backwards that missed it: the first may have been another loss's, as with two models in turn


@dataclass
class _Leaf:
    """A leaf that no backward has reached yet."""

    tensor: ref[Tensor]
    operator: str  # that used it first
    place: Place | None
    users: list[ref[Node]] = field(default_factory=list)
    missed: int = 0  # backwards since
    refused_by: str | None = None  # operator whose derivative gave it no gradient

    def can_be_reached(self) -> bool:
        """Does a graph that uses it still wait for its backward?"""
        nodes = (user() for user in self.users)
        return self.refused_by is None and any(node is not None and not _core._is_released(node) for node in nodes)


class NoGradient(Detector):
    """Keeps a list of the leaves that graphs use, and strikes out those that have a grad after a backward."""

    hears: ClassVar = {"recorded": "recorded", "backward": "began", "ran": "ran", "finished": "finished"}

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self._leaves: dict[int, _Leaf] = {}
        self._done: set[int] = set()  # ids of leaves that were reached or reported
        self._backwards = OfThread()  # of each: is it one into all leaves?
        self._place: Place | None = None

    def recorded(self, tensor: Tensor, node: Node) -> None:
        for following in inputs_of(node):
            if is_accumulator(following) and id(following.variable) not in self._done:
                leaf = following.variable
                known = self._leaves.get(id(leaf))
                if known is None or known.tensor() is not leaf:
                    known = _Leaf(ref(leaf), operator_name(type(node).__name__), here())
                    self._leaves[id(leaf)] = known
                known.users.append(ref(node))

    def began(self, roots: list[Node], keep_graph: bool, create_graph: bool, inputs: list[Node]) -> None:
        self._backwards.running.append(not inputs)
        self._place = here()

    def ran(self, node: Node, results: tuple[Tensor | None, ...]) -> None:
        for (following, _), gradient in zip(node.next_functions, results, strict=False):
            if following is not None and gradient is None and is_accumulator(following):
                known = self._leaves.get(id(following.variable))
                if known is not None:
                    known.refused_by = operator_name(type(node).__name__)

    def finished(self, ok: bool) -> None:
        running = self._backwards.running
        whole = running.pop() if running else False
        if not (ok and whole) or running:
            return
        for number, known in list(self._leaves.items()):
            leaf = known.tensor()
            if leaf is None or leaf.grad is not None:
                self._forget(number, done=leaf is not None)
                continue
            known.missed += 1
            known.users = [user for user in known.users if user() is not None]
            if known.missed >= _ENOUGH and not known.can_be_reached():
                self._tell(leaf, known)

    def end(self) -> None:
        for known in list(self._leaves.values()):
            leaf = known.tensor()
            if leaf is not None and leaf.grad is None and known.missed:
                self._tell(leaf, known)

    def _forget(self, number: int, done: bool) -> None:
        del self._leaves[number]
        if done:
            self._done.add(number)

    def _tell(self, leaf: Tensor, known: _Leaf) -> None:
        self._forget(id(leaf), done=True)
        name = name_of(leaf)
        if known.refused_by:
            why = f"the derivative of {known.refused_by} gave it none"
        elif any(user() is not None for user in known.users):
            why = f"what {known.operator}{at(known.place)} made of it leads to no loss that backward was called on"
        else:
            why = (
                f"what {known.operator}{at(known.place)} made of it was dropped or detached before backward; if "
                "that is meant, compute it under no_grad() or set requires_grad=False"
            )
        self._report(
            Finding(
                "no gradient",
                f"the grad of leaf {name + ', ' if name else ''}{tensor_text(leaf)}, is None after {known.missed} "
                f"backward{'s' if known.missed > 1 else ''}: {why}.",
                self._place,
                known.place,
                {"leaf": name, "operator": known.operator, "backwards": known.missed},
            )
        )
