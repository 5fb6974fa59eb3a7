"""A graph that is used a second time."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar
from weakref import WeakKeyDictionary

from leafgrad import _core
from leafgrad.lens.finding import Finding
from leafgrad.lens.history import operator_text
from leafgrad.lens.places import Place

from .common import Detector, Report, at, here, nodes_that_run

if TYPE_CHECKING:
    from leafgrad._core import Node


class SecondBackward(Detector):
    """Looks, before a backward runs, whether an earlier one has freed what it will read."""

    hears: ClassVar = {"backward": "began"}

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self._first: WeakKeyDictionary[Node, Place | None] = WeakKeyDictionary()  # backward of nodes that had saved

    def began(self, roots: list[Node], keep_graph: bool, create_graph: bool, inputs: list[Node]) -> None:
        place = here()
        freed = None
        for node in nodes_that_run(roots, inputs):
            if _core._is_released(node):
                # A Function that saved nothing may run again.
                if freed is None and (node in self._first or not isinstance(node, _core._FunctionNode)):
                    freed = node
            elif _core._saved(node):
                self._first[node] = place
        if freed is not None:
            self._tell(freed, place)

    def _tell(self, node: Node, place: Place | None) -> None:
        first = self._first.get(node)
        before = f"the backward{at(first)}" if first else "a backward before the watch"
        self._report(
            Finding(
                "second backward",
                f"the backward{at(place)} uses {operator_text(node)} a second time; {before} has freed what it saved. "
                "If a value of an earlier step links two graphs (a hidden state, a running loss), detach() it; "
                "retain_graph=True in the first backward only if the same graph is really needed twice.",
                place,
                first,
                {"node": type(node).__name__},
            )
        )
