"""`with leafgrad.trace():` keeps source lines and the life of every buffer, forward and backward.

Start at `Trace`. The core records (core/python/lens.cpp), switch.py turns that on and off, replay.py goes through the
events again to find what was alive when.  See docs/design/lens_memory.md.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

from leafgrad import _core

from . import html
from .history import bytes_text, operator_name
from .memory_page import write_page
from .places import Place, place_text
from .replay import Event, Replay
from .shares import Shares, Table, byte_unit, place_name, row, shares, table, text_table, total
from .survey import KINDS, survey
from .switch import switch
from .timeline import Moment, backward_spans, curve_svg, sampled

if TYPE_CHECKING:
    import os

    from matplotlib.axes import Axes

_P = ParamSpec("_P")
_R = TypeVar("_R")

_ON_TIMELINE = {"allocate", "free", "backward", "ran", "finished"}
_CURVE = " ▁▂▃▄▅▆▇█"
_CURVE_WIDTH = 60  # characters

_latest: Trace | None = None


def latest() -> Trace | None:
    """The trace that was started last."""
    return _latest


class Peak(NamedTuple):
    """The greatest number of bytes alive at once, and what they were."""

    bytes: int
    seconds: float  # since the trace began
    place: Place | None  # where the buffer with which it was reached was made
    node: str | None  # whose rule ran then; None in the forward pass
    by_kind: Shares  # the kinds add up to `bytes`
    by_line: Shares  # where what was alive had been made

    def to_dict(self) -> dict[str, Any]:
        return {
            "bytes": self.bytes,
            "seconds": self.seconds,
            "line": place_text(self.place) if self.place else None,
            "node": self.node,
            "by_kind": {name: share._asdict() for name, share in self.by_kind.items()},
            "by_line": {name: share._asdict() for name, share in self.by_line.items()},
        }


class Trace:
    """Records source lines and the life of every buffer while it is on: what `leafgrad.trace()` gives.

    A context manager, a decorator (each call is traced anew), or ``start()`` and ``stop()``. While it is on, nodes and
    buffers remember the line of the program that made them, so that `leafgrad.explain`, `leafgrad.graph`,
    `leafgrad.memory` and error messages can name it, afterwards too. ``str()`` is a summary.

    Bytes are those of tensors; what a kernel takes and gives back inside one call is not in them.

    >>> import leafgrad
    >>> w = leafgrad.ones(256, requires_grad=True)
    >>> with leafgrad.trace() as trace:
    ...     w.exp().sum().backward()
    >>> trace.peak.by_kind["saved for backward"]
    Share(bytes=1024, buffers=1)
    """

    def __init__(self) -> None:
        self.is_on = False
        self._rows: list[Event] = []  # since recording began, which may be before this trace
        self._began = self._first = 0  # numbers in the core's events
        self._before: dict[int, tuple[str, int]] = {}
        self._seen: tuple[list[Moment], Peak] | None = None  # what was made of it, once it has ended

    # ---- on and off

    def start(self) -> Trace:
        """Begin to record; what was recorded before is dropped. RuntimeError if it is on already."""
        global _latest
        if self.is_on:
            raise RuntimeError("trace: this trace is on already; another leafgrad.trace() may be nested in it")
        self._rows, self._seen = [], None
        self._began, self._first = switch.start_recording()
        self.is_on = True
        self._before = _kinds_of_buffers()
        _latest = self
        return self

    def stop(self) -> Trace:
        """Stop recording and keep what there is. RuntimeError if it is not on."""
        if not self.is_on:
            raise RuntimeError("trace: stop() without start()")
        self._rows = self._recorded()
        self.is_on = False
        switch.stop_recording()
        return self

    def __enter__(self) -> Trace:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        @functools.wraps(function)
        def traced(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            if self.is_on:  # it calls itself
                return function(*args, **kwargs)
            with self:
                return function(*args, **kwargs)

        return traced

    # ---- what was recorded

    @property
    def events(self) -> list[Event]:
        """Everything that happened, in order."""
        return self._all()[self._first - self._began :]

    def timeline(self) -> list[Moment]:
        """The bytes alive after each event that changed them, and when backwards and rules ran."""
        return self._looked_at()[0]

    @property
    def peak(self) -> Peak:
        """When most bytes were alive, and what they were."""
        return self._looked_at()[1]

    @property
    def seconds(self) -> float:
        """How long the trace was on, from its first event to its last."""
        return self.timeline()[-1].seconds

    def _recorded(self) -> list[Event]:
        return [Event(*row) for row in _core._lens_events(self._began)]

    def _all(self) -> list[Event]:
        return self._recorded() if self.is_on else self._rows

    def _looked_at(self) -> tuple[list[Moment], Peak]:
        if self._seen is not None:
            return self._seen
        timeline = [moment for moment, _ in self._moments()]
        live = [moment.live_bytes for moment in timeline]
        moment, replay = next(itertools.islice(self._moments(), live.index(max(live)), None))
        found = timeline, _peak(moment, replay)
        if not self.is_on:
            self._seen = found
        return found

    def _moments(self) -> Iterator[tuple[Moment, Replay]]:
        """Each moment of the timeline with the state then, which the next one changes."""
        replay, first = Replay(self._before), self._first - self._began
        rows = self._all()
        start = first  # of what happens: behind what was alive when the recording began
        while start < len(rows) and rows[start].kind == "alive":
            start += 1
        for event in rows[:start]:
            replay.step(event)
        began = rows[start].time_ns if start < len(rows) else 0
        yield Moment(0.0, replay.live_bytes, "start", 0, None, None), replay
        for event in rows[start:]:
            replay.step(event)
            if event.kind in _ON_TIMELINE:
                seconds = (event.time_ns - began) / 1e9
                node = event.node if event.sequence >= 0 else None
                yield Moment(seconds, replay.live_bytes, event.kind, event.bytes, event.place, node), replay

    # ---- as text, as a dict, as HTML, as a picture

    def __str__(self) -> str:
        return "\n".join([self.summary(), self._curve(), "", "\n\n".join(text_table(*each) for each in self.tables())])

    def __repr__(self) -> str:
        return f"<leafgrad.trace: {'on' if self.is_on else self.summary()}>"

    def _repr_html_(self) -> str:
        tables = (html.table(rows, heads, title) for title, heads, rows in self.tables())
        return "\n".join([f"<p>{html.escape(self.summary())}</p>", curve_svg(self.timeline()), *tables])

    def to_dict(self) -> dict[str, Any]:
        """The peak and the timeline, with times in seconds and lines as ``file:line``."""
        moments = (moment._asdict() for moment in self.timeline())
        lines = [{**moment, "place": moment["place"] and place_text(moment["place"])} for moment in moments]
        return {"peak": self.peak.to_dict(), "timeline": lines}

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write one page that needs nothing else: the curve of the timeline, and what was alive at the peak."""
        write_page(path, None, self)

    def plot(self, target: Axes | str | os.PathLike[str] | None = None) -> Axes:
        """Draw the timeline with matplotlib: into given axes, into a file, or into new axes. Returns the axes.

        Raises:
            ImportError: matplotlib is missing; the extra ``viz`` brings it.
        """
        try:
            from matplotlib.axes import Axes
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError("trace.plot: needs matplotlib: pip install 'leafgrad[viz]'") from error
        if isinstance(target, Axes):
            self._draw(target)
            return target
        figure = Figure(figsize=(8, 3.5), layout="constrained")
        axes = figure.subplots()
        self._draw(axes)
        if target is not None:
            figure.savefig(target)
        return axes

    def _draw(self, axes: Axes) -> None:
        moments, peak = self.timeline(), self.peak
        unit, size = byte_unit(peak.bytes)
        times = [moment.seconds * 1e3 for moment in moments]
        axes.plot(times, [moment.live_bytes / size for moment in moments], drawstyle="steps-post")
        axes.plot(peak.seconds * 1e3, peak.bytes / size, "o")
        at = f" at {place_text(peak.place)}" if peak.place else ""
        side = "right" if peak.seconds > self.seconds / 2 else "left"
        axes.annotate(
            f"peak {bytes_text(peak.bytes)}{at}",
            (peak.seconds * 1e3, peak.bytes / size),
            (0, 6),
            textcoords="offset points",
            ha=side,
        )
        for begin, end in backward_spans(moments):
            axes.axvspan(begin * 1e3, end * 1e3, alpha=0.15)
        axes.set(xlabel="ms", ylabel=f"live {unit}", ylim=(0, max(peak.bytes / size, 1) * 1.12))

    def tables(self) -> list[Table]:
        """(title, heads, rows) of what was alive at the peak, by kind and by line."""
        peak = self.peak
        kinds = table("alive at the peak", "kind", peak.by_kind)
        kinds[2].append(row("together", total(peak.by_kind.values())))
        return [kinds, table("alive at the peak, by the source line that made it", "line", peak.by_line)]

    def summary(self) -> str:
        """One line: how long, how many buffers, the peak."""
        peak, events = self.peak, self.events
        made, freed = (sum(event.kind == kind for event in events) for kind in ("allocate", "free"))
        at = f" at {place_text(peak.place)}" if peak.place else ""
        running = f", in the backward of {operator_name(peak.node)}" if peak.node else ""
        return (
            f"trace of {self.seconds * 1e3:.3g} ms: {made} buffers made, {freed} freed; "
            f"peak of {bytes_text(peak.bytes)}{at}{running}"
        )

    def _curve(self) -> str:
        """The timeline in one line, scaled to the peak."""
        moments = self.timeline()
        levels = sampled(moments, _CURVE_WIDTH)
        highest = max(levels) or 1
        return "".join(_CURVE[math.ceil(level / highest * (len(_CURVE) - 1))] for level in levels)


def _peak(moment: Moment, replay: Replay) -> Peak:
    alive = replay.alive.items()
    by_kind = shares((replay.kind(buffer), live.bytes) for buffer, live in alive)
    return Peak(
        moment.live_bytes,
        moment.seconds,
        moment.place,
        moment.node,
        {kind: by_kind[kind] for kind in KINDS if kind in by_kind},
        shares((place_name(live.place) or "made before the trace", live.bytes) for _, live in alive),
    )


def _kinds_of_buffers() -> dict[int, tuple[str, int]]:
    """Kind of each buffer that is alive, and how many nodes have saved it, by its number in the events."""
    numbers = _core._lens_buffers()
    buffers, _ = survey()
    return {numbers[b.storage]: (b.kind, b.saves) for b in buffers if b.storage in numbers}
