"""What was alive at any moment of a trace, found by going through its events once more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from .places import Place
from .survey import LEAF, LEAF_GRADIENT, OTHER, RETAINED, SAVED, UNDER_WAY


class Event(NamedTuple):
    """Something that happened while a trace was on.

    ``kind`` is one of

    - "alive": a buffer that was there when tracing began; "allocate", "free";
    - "leaf", "leaf gradient", "retained gradient", "saved", "released": what a buffer has become;
    - "recorded": a buffer has become a result of a node; "ran": a node's rule has run;
    - "backward", "finished": a backward has begun, has ended.
    """

    kind: str
    time_ns: int
    buffer: int  # number of the buffer, from 1; 0 where the event is about none
    bytes: int
    place: Place | None  # where the buffer was made or the node recorded
    sequence: int  # of the node whose rule ran then, or that is meant; -1: none
    node: str | None  # its name


class Live(NamedTuple):
    """A buffer that is alive."""

    bytes: int
    place: Place | None
    under_way: bool  # was it made inside a backward?


_ROLES = {"leaf": LEAF, "leaf gradient": LEAF_GRADIENT, "retained gradient": RETAINED}
_RANK = {LEAF: 0, LEAF_GRADIENT: 1, RETAINED: 2}


@dataclass
class Replay:
    """The state after some events; `step` takes one more in.

    Args:
        before: kind of each buffer that was alive when tracing began, and how many nodes had saved it.
    """

    before: dict[int, tuple[str, int]]
    live_bytes: int = 0
    alive: dict[int, Live] = field(default_factory=dict)
    roles: dict[int, str] = field(default_factory=dict)
    saves: Counter[int] = field(default_factory=Counter)
    backwards: int = 0  # that run

    def step(self, event: Event) -> None:
        """Events of buffers that the trace does not know change nothing."""
        change = _STEPS.get(event.kind)
        if change is not None and (event.buffer in self.alive or event.kind in _NEED_NO_BUFFER):
            change(self, event)

    def kind(self, buffer: int) -> str:
        if buffer in self.roles:
            return self.roles[buffer]
        if self.saves[buffer] > 0:
            return SAVED
        if self.alive[buffer].under_way:
            return UNDER_WAY
        kind = self.before.get(buffer, (OTHER, 0))[0]
        return OTHER if kind == SAVED else kind  # released meanwhile

    def _alive(self, event: Event) -> None:
        self._allocate(event)
        kind, saves = self.before.get(event.buffer, (OTHER, 0))
        self.saves[event.buffer] = saves
        if kind in _RANK:
            self.roles[event.buffer] = kind

    def _allocate(self, event: Event) -> None:
        self.alive[event.buffer] = Live(event.bytes, event.place, self.backwards > 0 and event.kind == "allocate")
        self.live_bytes += event.bytes

    def _free(self, event: Event) -> None:
        self.live_bytes -= self.alive.pop(event.buffer).bytes
        self.roles.pop(event.buffer, None)
        self.saves.pop(event.buffer, None)

    def _role(self, event: Event) -> None:
        role = _ROLES[event.kind]
        have = self.roles.get(event.buffer)
        if have is None or _RANK[role] < _RANK[have]:
            self.roles[event.buffer] = role

    def _backward(self, event: Event) -> None:
        self.backwards += 1

    def _finished(self, event: Event) -> None:
        self.backwards = max(self.backwards - 1, 0)  # one may have begun before the recording

    def _saved(self, event: Event) -> None:
        self.saves[event.buffer] += 1

    def _released(self, event: Event) -> None:
        self.saves[event.buffer] -= 1


_NEED_NO_BUFFER = {"alive", "allocate", "backward", "finished"}
_STEPS: dict[str, Callable[[Replay, Event], None]] = {
    "alive": Replay._alive,
    "allocate": Replay._allocate,
    "free": Replay._free,
    "backward": Replay._backward,
    "finished": Replay._finished,
    "saved": Replay._saved,
    "released": Replay._released,
    **dict.fromkeys(_ROLES, Replay._role),
}
