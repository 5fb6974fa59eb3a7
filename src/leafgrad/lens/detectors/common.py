"""What several detectors need."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar

from leafgrad.lens.finding import Finding
from leafgrad.lens.names import names_in, user_frame
from leafgrad.lens.places import Place, place_text

if TYPE_CHECKING:
    from leafgrad._core import Node, Tensor

_MOST_FRAMES = 6  # in which a name is looked for

Report = Callable[[Finding], None]


class Detector:
    """Finds one kind of mistake.

    Args:
        report: to be called with each finding.
    """

    hears: ClassVar[dict[str, str]]  # name of the method for each kind of event

    def __init__(self, report: Report) -> None:
        self._report = report

    def end(self) -> None:
        """The watch ends: report what only that shows."""


class OfThread(threading.local):
    """What is known of the backwards of each thread."""

    def __init__(self) -> None:
        self.running: list[Any] = []  # something for each that runs, the innermost last
        self.steps = 0  # that have ended


def here() -> Place | None:
    """The line of the user's program that runs."""
    return place_of(user_frame())


def place_of(frame: FrameType | None) -> Place | None:
    return None if frame is None else (frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname)


def name_of(t: Tensor) -> str | None:
    """What the functions that run call it, the innermost first."""
    frames: list[FrameType] = []
    frame = user_frame()
    while frame is not None and len(frames) < _MOST_FRAMES:
        frames.append(frame)
        frame = frame.f_back
    return names_in(frames).get(id(t))


def at(place: Place | None) -> str:
    """`` at file:line``, or nothing where it is not known."""
    return f" at {place_text(place)}" if place else ""


def is_in_optimizer() -> bool:
    """Does an optimizer's step run, called by the user's line?"""
    frame: FrameType | None = sys._getframe(1)
    users = user_frame()
    while frame is not None and frame is not users:
        if frame.f_globals.get("__name__", "").startswith("leafgrad.optim"):
            return True
        frame = frame.f_back
    return False


def inputs_of(node: Node) -> Iterator[Node]:
    """The nodes that its gradients go to."""
    return (following for following, _ in node.next_functions if following is not None)


def nodes_that_run(roots: Iterable[Node], inputs: Iterable[Node] = ()) -> list[Node]:
    """What a backward from `roots` runs, inputs last; with `inputs` given only what is on the way to one of them."""
    order: list[Node] = []  # what a node leads to comes before it
    seen: set[int] = set()
    stack: list[tuple[Node | None, Iterator[Node]]] = [(None, iter(roots))]
    while stack:
        node, following = stack[-1]
        step = next(following, None)
        if step is None:
            stack.pop()
            if node is not None:
                order.append(node)
        elif id(step) not in seen:
            seen.add(id(step))
            stack.append((step, inputs_of(step)))
    wanted = {id(node) for node in inputs}
    if wanted:
        order = [node for node in order if _leads_to(node, wanted)]
    return order[::-1]


def _leads_to(node: Node, wanted: set[int]) -> bool:
    """Is it wanted, or on the way? Adds it then; what it leads to has been asked before."""
    if id(node) not in wanted and not any(id(each) in wanted for each in inputs_of(node)):
        return False
    wanted.add(id(node))
    return True
