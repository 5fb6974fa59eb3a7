"""History that grows step by step: a running loss, a hidden state carried along, an evaluation without no_grad.

Two signs, since a loop over time inside a step builds a long history too, and rightly:

- *across backwards* (`_Carried`): a node has an input from before the last `backward()`, which has an input from before
  the one before it, and so on. Inside a step nothing of the kind happens; a constant graph that is kept is one such
  link, never a chain of them. `grad()` and `create_graph=True` end no step: they are used to build history.
- *without any backward* (`UnusedHistory`): one call in the program has used one leaf several times, the graphs of all
  these uses were alive together, and no backward ever went through them. That is known when they die or the watch ends;
  at once where the model is in evaluation mode and is not given tensors that need gradients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar
from weakref import WeakKeyDictionary, ref

from leafgrad.lens.finding import Finding
from leafgrad.lens.history import bytes_text, history_of
from leafgrad.lens.names import user_frame
from leafgrad.lens.places import Place

from .common import Detector, OfThread, Report, at, inputs_of, place_of
from .unused_history import ENOUGH, KIND, Site, UnusedHistory

if TYPE_CHECKING:
    from leafgrad._core import Node, Tensor


class GrowingHistory(Detector):
    """Knows which backwards end a step, and asks both signs."""

    hears: ClassVar = {"recorded": "recorded", "backward": "began", "finished": "finished"}

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self._backwards = OfThread()  # of each: does it end a step?
        self._carried = _Carried(report, self._backwards)
        self._unused = UnusedHistory(report)
        self._last: ref[Node] | None = None

    def recorded(self, tensor: Tensor, node: Node) -> None:
        self._unused.tell()
        if self._last is not None and self._last() is node:
            return  # another output of it
        self._last = ref(node)
        frame = user_frame()
        site = (frame.f_code if frame else None, frame.f_lasti if frame else 0, type(node).__name__)
        place = place_of(frame)
        self._carried.recorded(node, site, place)
        if not self._backwards.running:  # what a backward records is no step of a loop
            self._unused.recorded(node, site, place)

    def began(self, roots: list[Node], keep_graph: bool, create_graph: bool, inputs: list[Node]) -> None:
        self._backwards.running.append(not inputs and not create_graph)
        self._unused.began(roots)

    def finished(self, ok: bool) -> None:
        running = self._backwards.running
        ends_step = running.pop() if running else False
        if ends_step and not running:
            self._backwards.steps += 1
        self._unused.tell()

    def end(self) -> None:
        self._unused.end()


class _Carried:
    """History that reaches back over several steps."""

    def __init__(self, report: Report, backwards: OfThread) -> None:
        self._report = report
        self._backwards = backwards
        self._known: WeakKeyDictionary[Node, tuple[int, int]] = WeakKeyDictionary()  # its step; steps behind it
        self._told: set[Site] = set()

    def recorded(self, node: Node, site: Site, place: Place | None) -> None:
        behind, carried, now = 0, None, self._backwards.steps
        for before in inputs_of(node):
            step, steps = self._known.get(before, (now, 0))
            steps += step != now
            if steps > behind:
                behind, carried = steps, before if step != now else None
        self._known[node] = now, behind
        if carried is not None and behind >= ENOUGH and site not in self._told:
            self._told.add(site)
            self._tell(node, behind, place)

    def _tell(self, node: Node, behind: int, place: Place | None) -> None:
        history = history_of(node)
        saved = sum(history.saved.values())
        self._report(
            Finding(
                KIND,
                f"the result{at(place)} has a history that reaches back over {behind} backwards, and grows with each "
                f"step: {len(history.nodes)} nodes with {bytes_text(saved)} saved for backward. Add loss.item() or "
                "loss.detach() to a running sum; detach() a state that goes from step to step.",
                place,
                None,
                {"steps": behind, "nodes": len(history.nodes), "saved_bytes": saved},
            )
        )
