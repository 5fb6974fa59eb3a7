"""`with leafgrad.watch():` tells of mistakes as they happen, with the lines that made them.

Start at `Watch`. Each kind of mistake is found by a class of its own in detectors/, which is told of all that the core
does; switch.py makes it so.  See docs/design/lens_memory.md.
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from leafgrad import _core

from . import html
from .detectors import DETECTORS
from .finding import Finding
from .names import user_frame
from .plain import plain_tensors
from .switch import switch, tell_all

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Watch:
    """Watches what is computed and tells of what will go wrong: what `leafgrad.watch()` gives.

    It finds

    - an in-place write that will break a saved tensor (``in-place write``),
    - a graph that is used a second time (``second backward``),
    - history that grows step by step: a running loss, a hidden state that is carried along, an evaluation without
      `no_grad` (``growing history``),
    - the first operator that makes NaN or Inf from finite inputs, forward or backward (``not finite``),
    - a leaf that takes part but gets no gradient (``no gradient``).

    A context manager, a decorator, or ``start()`` and ``stop()``. Every operator takes microseconds longer meanwhile,
    and each result is read once more for NaN.

    Args:
        on: called with each `Finding`; by default it is warned of, as a `LeafWarning`. A warning that is turned into an
            error is raised by the operation that is at fault.

    Attributes:
        findings: all of them, in order.

    >>> import leafgrad
    >>> with leafgrad.watch(on=lambda finding: print(finding.kind)):
    ...     x = leafgrad.zeros(3).log()
    not finite
    """

    def __init__(self, on: Callable[[Finding], object] | None = None) -> None:
        if on is not None and not callable(on):
            raise TypeError(f"watch: on must be a function that takes a finding, got a {type(on).__name__}")
        self._on = on or _warn
        self._observers: dict[str, list[Callable[..., None]]] | None = None
        self._detectors: list[Any] = []
        self._one_by_one = threading.RLock()  # threads may compute at the same time
        self.findings: list[Finding] = []

    # ---- on and off

    def start(self) -> Watch:
        """Begin to watch. RuntimeError if it is on already."""
        if self._observers is not None:
            raise RuntimeError("watch: this watch is on already; another leafgrad.watch() may be nested in it")
        self._detectors = [detector(self._report) for detector in DETECTORS]
        self._observers = {}
        for detector in self._detectors:
            for kind, method in detector.hears.items():
                self._observers.setdefault(kind, []).append(getattr(detector, method))
        switch.add(self._observe)
        return self

    def stop(self) -> Watch:
        """Stop, and tell of what only the end shows. RuntimeError if it is not on."""
        if self._observers is None:
            raise RuntimeError("watch: stop() without start()")
        switch.remove(self._observe)
        self._observers = None
        detectors, self._detectors = self._detectors, []
        tell_all(detector.end for detector in detectors)
        return self

    def __enter__(self) -> Watch:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        @functools.wraps(function)
        def watched(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            if self._observers is not None:  # it calls itself
                return function(*args, **kwargs)
            with self:
                return function(*args, **kwargs)

        return watched

    # ---- what happens

    def _observe(self, kind: str, *event: Any) -> None:
        """Tell the detectors that hear of this, with recording and subclasses' own ways off."""
        if not self._observers:
            return
        grad = _core.is_grad_enabled()
        _core._set_grad_enabled(False)
        try:
            with plain_tensors(), self._one_by_one:
                tell_all(self._observers.get(kind, ()), *event)
        finally:
            _core._set_grad_enabled(grad)

    def _report(self, finding: Finding) -> None:
        self.findings.append(finding)
        self._on(finding)

    # ---- as text, as a dict, as HTML

    def __str__(self) -> str:
        if not self.findings:
            return "watch: nothing found"
        return "\n".join(f"{i}. {finding}" for i, finding in enumerate(self.findings, 1))

    def __repr__(self) -> str:
        state = "on" if self._observers is not None else "off"
        return f"<leafgrad.watch: {state}, {len(self.findings)} found>"

    def _repr_html_(self) -> str:
        rows = ([finding.kind, finding.message] for finding in self.findings)
        return html.table(rows, ["found", "what"], "watch")

    def to_dict(self) -> dict[str, Any]:
        """The findings as dicts, under ``findings``."""
        return {"findings": [finding.to_dict() for finding in self.findings]}


def watch(on: Callable[[Finding], object] | None = None) -> Watch:
    """Watch what is computed, as a context manager or decorator, and tell of mistakes as they happen: see `Watch`."""
    return Watch(on)


def _warn(finding: Finding) -> None:
    """A warning at the line at fault, so that filters work by it and each is shown once."""
    if finding.place is None:
        warnings.warn(finding.warning(), stacklevel=2)
        return
    file, line, _ = finding.place
    frame = user_frame()
    registry = frame.f_globals.setdefault("__warningregistry__", {}) if frame else None
    warnings.warn_explicit(finding.warning(), None, file, line, registry=registry)
