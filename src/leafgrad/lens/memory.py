"""Where the memory goes: `memory()` counts every live buffer by what it is there for.

Start at `Memory`. What counts as what is in survey.py; chains of owners are in owners.py; what was alive at the peak
comes from a trace (trace.py).  See docs/design/lens_memory.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from leafgrad import _core

from . import html
from .history import bytes_text
from .shares import Share, Shares, Table, place_name, row, shares, table, text_table, total
from .survey import BORROWED, KINDS, SAVED, Buffer, survey

if TYPE_CHECKING:
    import os

    from leafgrad._core import Tensor

    from .owners import Keepers
    from .trace import Trace

_PARTS = ("kind", "operator", "saver", "line")


class _Tables(ABC):
    """What is shown as tables: as text, and in a notebook."""

    @abstractmethod
    def tables(self) -> list[Table]:
        """(title, heads, rows) of each."""

    def __str__(self) -> str:
        return "\n\n".join(text_table(*each) for each in self.tables())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return "\n".join(html.table(rows, heads, title) for title, heads, rows in self.tables())


class Memory(_Tables):
    """All memory of tensors at one moment: what `leafgrad.memory()` gives. ``str()`` is a table.

    A buffer that is several things at once counts as the first of: leaf, leaf gradient, retained gradient, saved for
    backward, views (nothing but views of it is left, or what is left sees only a part), other (data, buffers of modules
    and optimizers, results that a variable holds, gradients under way).

    Attributes:
        live_bytes: the allocator's exact count.
        peak_bytes: its greatest count so far.
        buffers: every live storage of the allocator, counted once whoever shares it.
        by_kind: bytes and number of buffers of each kind; the kinds add up to ``live_bytes``.
        by_operator: the same by the operator that made a buffer; "leaf", "gradient" and "no graph" where none did.
        by_saver: what is saved for backward, by the operator that keeps it.
        by_line: the same by source line; only for buffers made under `leafgrad.trace()`.
        borrowed: memory of NumPy and other libraries that tensors look at; not the allocator's, so in none of the sums.
        trace: the trace that is on, or ended last: its ``peak`` says what was alive then; None if there was none.
    """

    def __init__(self, buffers: Iterable[Buffer], live_bytes: int, peak_bytes: int, trace: Trace | None = None) -> None:
        buffers = list(buffers)
        self.live_bytes = live_bytes
        self.peak_bytes = peak_bytes
        self.trace = trace
        self.buffers = tuple(b for b in buffers if b.kind != BORROWED)
        self.borrowed = total(Share(b.bytes, 1) for b in buffers if b.kind == BORROWED)
        found = self._shares(lambda b: b.kind)
        self.by_kind: Shares = {kind: found.get(kind, Share(0, 0)) for kind in KINDS}
        working = live_bytes - sum(b.bytes for b in self.buffers)
        if working:  # another thread is inside a kernel that asked for some
            self.by_kind["working memory of kernels"] = Share(working, 1)
        self.by_operator = self._shares(lambda b: b.operator)
        self.by_saver = self._shares(lambda b: b.saver if b.kind == SAVED else None)
        self.by_line = self._shares(lambda b: place_name(b.place))

    def _shares(self, name: Callable[[Buffer], str | None]) -> Shares:
        return shares((name(b), b.bytes) for b in self.buffers)

    def __sub__(self, before: Memory) -> MemoryDiff:
        return MemoryDiff(before, self)

    def diff(self, before: Memory) -> MemoryDiff:
        """What has changed since `before`."""
        return MemoryDiff(before, self)

    def what_keeps(self, t: Tensor, most: int = 5) -> Keepers:
        """The chains of owners that keep the memory of `t` alive now; see `leafgrad.what_keeps`."""
        from .owners import what_keeps

        return what_keeps(t, most)

    def to_dict(self) -> dict[str, Any]:
        """All figures under their names; bytes are whole numbers."""
        parts = {f"by_{part}": getattr(self, f"by_{part}") for part in _PARTS}
        return {
            "live_bytes": self.live_bytes,
            "peak_bytes": self.peak_bytes,
            "borrowed": self.borrowed._asdict(),
            **{part: {name: share._asdict() for name, share in of.items()} for part, of in parts.items()},
            "trace": None if self.trace is None else {"peak": self.trace.peak.to_dict()},
        }

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write one page that needs nothing else: these tables and, where a trace was on, its curve and its peak."""
        from .memory_page import write_page

        write_page(path, self, self.trace)

    def tables(self) -> list[Table]:
        """(title, heads, rows) of each table that is not empty."""
        found = [self._kinds_table()]
        for title, head, of in (
            ("by the operator that made it", "operator", self.by_operator),
            ("saved for backward, by the operator that keeps it", "operator", self.by_saver),
            ("by the source line that made it", "line", self.by_line),
        ):
            if of:
                found.append(table(title, head, of))
        return found

    def _kinds_table(self) -> Table:
        title = f"memory: {bytes_text(self.live_bytes)} live, {bytes_text(self.peak_bytes)} at the peak"
        rows = [row(kind, share) for kind, share in self.by_kind.items()]
        rows.append(row("together", total(self.by_kind.values())))
        if self.borrowed.buffers:
            rows.append(row("borrowed from NumPy or others, not counted", self.borrowed))
        heads = ["kind", "bytes", "buffers"]
        if self.trace is not None:
            peak = self.trace.peak
            heads.append("at the trace's peak")
            there = {kind: bytes_text(share.bytes) for kind, share in peak.by_kind.items()}
            there["together"] = bytes_text(peak.bytes)
            for cells in rows:
                cells.append(there.get(cells[0], ""))
        return title, heads, rows


class MemoryDiff(_Tables):
    """What has changed between two moments: ``after - before``. Figures are gains; a loss is negative.

    ``live_bytes``, ``peak_bytes``, ``by_kind``, ``by_operator``, ``by_saver`` and ``by_line`` are as in `Memory`; names
    under which nothing has changed are left out.
    """

    def __init__(self, before: Memory, after: Memory) -> None:
        for each in (before, after):
            if not isinstance(each, Memory):
                raise TypeError(f"memory_diff: takes two results of leafgrad.memory(), got a {type(each).__name__}")
        self.live_bytes = after.live_bytes - before.live_bytes
        self.peak_bytes = after.peak_bytes - before.peak_bytes
        self.by_kind = _gains(before.by_kind, after.by_kind)
        self.by_operator = _gains(before.by_operator, after.by_operator)
        self.by_saver = _gains(before.by_saver, after.by_saver)
        self.by_line = _gains(before.by_line, after.by_line)

    def to_dict(self) -> dict[str, Any]:
        """All gains under their names; bytes are whole numbers."""
        parts = {f"by_{part}": getattr(self, f"by_{part}") for part in _PARTS}
        return {
            "live_bytes": self.live_bytes,
            "peak_bytes": self.peak_bytes,
            **{part: {name: share._asdict() for name, share in of.items()} for part, of in parts.items()},
        }

    def tables(self) -> list[Table]:
        """(title, heads, rows) of each table that is not empty; the first has at least the sum."""
        title = f"change of memory: {_gain_text(self.live_bytes)} live, {_gain_text(self.peak_bytes)} at the peak"
        kinds = _gains_table(title, "kind", self.by_kind)
        kinds[2].append(_gain_row("together", total(self.by_kind.values())))
        return [
            kinds,
            *(
                _gains_table(title, head, of)
                for title, head, of in (
                    ("by the operator that made it", "operator", self.by_operator),
                    ("saved for backward, by the operator that keeps it", "operator", self.by_saver),
                    ("by the source line that made it", "line", self.by_line),
                )
                if of
            ),
        ]


def _gains(before: Shares, after: Shares) -> Shares:
    gains = {}
    for name in {**before, **after}:
        was, is_ = before.get(name, Share(0, 0)), after.get(name, Share(0, 0))
        if was != is_:
            gains[name] = Share(is_.bytes - was.bytes, is_.buffers - was.buffers)
    return dict(sorted(gains.items(), key=lambda item: (-abs(item[1].bytes), item[0])))


def _gains_table(title: str, head: str, of: Shares) -> Table:
    return title, [head, "bytes", "buffers"], [_gain_row(name, share) for name, share in of.items()]


def _gain_row(name: str, share: Share) -> list[str]:
    return [name, _gain_text(share.bytes), f"{share.buffers:+d}"]


def _gain_text(count: int) -> str:
    return ("-" if count < 0 else "+") + bytes_text(abs(count))


def memory() -> Memory:
    """The memory of all tensors now, by kind, by operator and, for what was made under `leafgrad.trace()`, by line.

    Exact: the kinds add up to the bytes that the allocator has given out. It takes time in proportion to the number of
    tensors and nodes alive, and keeps none of them alive.

    >>> import leafgrad
    >>> w = leafgrad.ones(256, requires_grad=True)
    >>> before = leafgrad.memory()
    >>> y = w.exp()
    >>> (leafgrad.memory() - before).by_kind["saved for backward"]
    Share(bytes=1024, buffers=1)
    """
    from . import trace

    buffers, live_bytes = survey()
    return Memory(buffers, live_bytes, _core._memory_stats()["peak_bytes"], trace.latest())


def memory_diff(before: Memory, after: Memory) -> MemoryDiff:
    """What has changed from `before` to `after`, two results of `memory()`; the same as ``after - before``."""
    return MemoryDiff(before, after)
