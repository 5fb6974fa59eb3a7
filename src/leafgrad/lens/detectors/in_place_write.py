"""An in-place write that will break a saved tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from weakref import ref

from leafgrad import _core
from leafgrad.lens.finding import Finding
from leafgrad.lens.history import operator_text, tensor_text

from .common import Detector, Report, at, here, is_in_optimizer

if TYPE_CHECKING:
    from leafgrad._core import Node, Tensor


class InPlaceWrite(Detector):
    """Knows by version counter which nodes have saved what, and looks there at each write."""

    hears: ClassVar = {"recorded": "recorded", "write": "written", "finished": "finished"}

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self._new: list[ref[Node]] = []  # a Function saves only after its results have been recorded
        self._savers: dict[int, list[ref[Node]]] = {}  # by the identity of the version counter

    def recorded(self, tensor: Tensor, node: Node) -> None:
        self._new.append(ref(node))

    def written(self, tensor: Tensor, operator: str) -> None:
        self._sort()
        counter = _core._version_id(tensor)
        broken, intact = [], []
        for reference in self._savers.get(counter, ()):
            node = reference()
            row = None if node is None else _stale(node, counter)
            if row is None:
                intact.append(reference)
            else:
                broken.append((node, *row))
        if broken:
            self._savers[counter] = intact
            self._tell(operator, *broken[0], len(broken) - 1)

    def finished(self, ok: bool) -> None:
        """Forget the nodes that are gone or have nothing saved any more."""
        self._sort()
        for counter, references in list(self._savers.items()):
            left = [each for each in references if (node := each()) is not None and not _core._is_released(node)]
            if left:
                self._savers[counter] = left
            else:
                del self._savers[counter]

    def _sort(self) -> None:
        for reference in self._new:
            node = reference()
            if node is not None:
                for counter in {_core._version_id(row[1]) for row in _core._saved(node) if row[1] is not None}:
                    self._savers.setdefault(counter, []).append(reference)
        self._new.clear()

    def _tell(self, operator: str, node: Any, name: str | None, saved: Tensor, is_output: bool, more: int) -> None:
        written, earlier = here(), _core._place(node)
        step = "an optimizer's step, " if is_in_optimizer() else ""
        role = "as its result" if is_output else f"as '{name}'" if name else "as an input"
        others = f" and {more} more" if more else ""
        self._report(
            Finding(
                "in-place write",
                f"{step}{operator}{at(written)} writes into a {tensor_text(saved)} tensor that {operator_text(node)} "
                f"saved {role}{others}: backward through it will raise 'has been modified by an inplace operation'. "
                "Write after backward, or clone() before the write; a result that needs no backward belongs under "
                "no_grad().",
                written,
                earlier,
                {"operator": operator, "saved_by": type(node).__name__, "saved_as": name, "savers": more + 1},
            )
        )


def _stale(node: Node, counter: int) -> tuple[str | None, Tensor, bool] | None:
    """(name, tensor, is it an output) of what the node saved of that counter before the last write."""
    for name, saved, version, is_output, _ in _core._saved(node):
        if saved is not None and _core._version_id(saved) == counter and saved._version != version:
            return name, saved, is_output
    return None
