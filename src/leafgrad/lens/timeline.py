"""The curve of live bytes over time, and its drawing as SVG."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from .history import bytes_text
from .places import Place, place_text

_WIDTH, _HEIGHT = 720, 200  # of the drawing, without its margins
_LEFT, _TOP, _RIGHT, _BOTTOM = 78, 26, 12, 26
_MOST_POINTS = 2000  # of the curve; a longer one is drawn through the highest point of each part


class Moment(NamedTuple):
    """A point of the timeline: what has just happened, and the bytes that are alive then."""

    seconds: float  # since the trace began
    live_bytes: int
    what: str  # "start", "allocate", "free", "ran", "backward" or "finished"
    bytes: int  # of the buffer
    place: Place | None  # where the buffer was made or the node recorded
    node: str | None  # whose rule ran then; None in the forward pass


def sampled(moments: list[Moment], count: int) -> list[int]:
    """The greatest number of live bytes in each of `count` equal parts of the time."""
    width = moments[-1].seconds / count or 1.0
    levels = [0] * count
    for moment, following in zip(moments, [*moments[1:], None], strict=True):
        first = min(int(moment.seconds / width), count - 1)
        last = count - 1 if following is None else min(int(following.seconds / width), count - 1)
        for i in range(first, last + 1):
            levels[i] = max(levels[i], moment.live_bytes)
    return levels


def backward_spans(moments: list[Moment]) -> list[tuple[float, float]]:
    """Seconds from and to of each backward that no other one encloses."""
    spans, open_ = [], []
    for moment in moments:
        if moment.what == "backward":
            open_.append(moment.seconds)
        elif moment.what == "finished" and open_:
            begin = open_.pop()
            if not open_:
                spans.append((begin, moment.seconds))
    return spans


def curve_svg(moments: list[Moment]) -> str:
    """A drawing of the curve with its peak, its axes and, shaded, the backwards. It takes its colours from the page."""
    peak = max(moments, key=lambda moment: moment.live_bytes)
    seconds, highest = moments[-1].seconds or 1.0, peak.live_bytes or 1

    def x(at: float) -> float:
        return round(_LEFT + _WIDTH * at / seconds, 1)

    def y(size: float) -> float:
        return round(_TOP + _HEIGHT * (1 - size / highest), 1)

    bottom, right = y(0), x(seconds)
    parts = [
        f'<rect x="{x(begin)}" y="{_TOP}" width="{max(x(end) - x(begin), 1)}" height="{_HEIGHT}" '
        'fill="currentColor" opacity="0.08"><title>backward</title></rect>'
        for begin, end in backward_spans(moments)
    ]
    for fraction in (0, 0.5, 1):
        level = y(highest * fraction)
        parts.append(f'<path d="M{_LEFT} {level}H{right}" stroke="currentColor" opacity="0.25"/>')
        parts.append(_text(_LEFT - 6, level + 4, bytes_text(round(highest * fraction)), "end"))
    path = "".join(f"H{x(at)}V{y(size)}" for at, size in _points(moments))
    parts.append(
        f'<path d="M{_LEFT} {bottom}{path}H{right}V{bottom}Z" fill="var(--curve, #2a78d6)" fill-opacity="0.25" '
        'stroke="var(--curve, #2a78d6)" stroke-width="1.5"/>'
    )
    at_peak = x(peak.seconds)
    parts.append(f'<circle cx="{at_peak}" cy="{_TOP}" r="4" fill="var(--curve, #2a78d6)"/>')
    where = f" at {place_text(peak.place)}" if peak.place else ""
    anchor = "end" if at_peak > _LEFT + _WIDTH / 2 else "start"
    parts.append(_text(at_peak, _TOP - 10, f"peak {bytes_text(peak.live_bytes)}{where}", anchor))
    parts.append(_text(_LEFT, bottom + 18, "0 ms", "start"))
    parts.append(_text(right, bottom + 18, f"{seconds * 1e3:.3g} ms", "end"))
    size = f"0 0 {_LEFT + _WIDTH + _RIGHT} {_TOP + _HEIGHT + _BOTTOM}"
    label = f"live bytes over {seconds * 1e3:.3g} ms; the peak is {bytes_text(peak.live_bytes)}{where}"
    return f'<svg viewBox="{size}" role="img" aria-label="{escape(label)}" font-size="12">{"".join(parts)}</svg>'


def _points(moments: list[Moment]) -> list[tuple[float, int]]:
    if len(moments) <= _MOST_POINTS:
        return [(moment.seconds, moment.live_bytes) for moment in moments]
    width = moments[-1].seconds / _MOST_POINTS
    return [(i * width, level) for i, level in enumerate(sampled(moments, _MOST_POINTS))]


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="currentColor">{escape(text)}</text>'
