"""The one switch of the core's lens, shared by all traces and watches that are on, in whatever order they end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from leafgrad import _core

Observer = Callable[..., None]  # observer(kind, *args), see core/python/lens.cpp


class _Switch:
    def __init__(self) -> None:
        self._observers: tuple[Observer, ...] = ()
        self._recorders = 0
        self._began = 0  # number of the event with which the recording that goes on began

    def start_recording(self) -> tuple[int, int]:
        """Keep events: gives the numbers of the recording's first event and of the next one."""
        if not self._recorders:
            self._began = _core._lens_event_count() if self._observers else 0
        self._set(self._observers, self._recorders + 1)
        return self._began, _core._lens_event_count() if self._recorders > 1 else self._began

    def stop_recording(self) -> None:
        self._set(self._observers, self._recorders - 1)

    def add(self, observer: Observer) -> None:
        """Call `observer(kind, *args)` for whatever happens from now on."""
        self._set((*self._observers, observer), self._recorders)

    def remove(self, observer: Observer) -> None:
        self._set(tuple(each for each in self._observers if each != observer), self._recorders)

    def _set(self, observers: tuple[Observer, ...], recorders: int) -> None:
        record = recorders > 0
        observer = partial(tell_all, observers) if len(observers) > 1 else next(iter(observers), None)
        if not observers and not record:
            _core._lens_stop()
        elif self._observers or self._recorders:
            _core._lens_change(observer, record)
        else:
            _core._lens_start(observer, record)
        self._observers, self._recorders = observers, recorders


def tell_all(observers: Iterable[Observer], *event: Any) -> None:
    """All of them hear of the event, even if one raises; the first that did is heard of in the end."""
    raised = None
    for observer in observers:
        try:
            observer(*event)
        except Exception as error:
            raised = raised or error
    if raised is not None:
        raise raised


switch = _Switch()
