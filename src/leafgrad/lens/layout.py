"""Where the boxes of a drawing stand, and how the arrows run between them.

The layers are our own choice: a box stands one layer above the nearest box that uses it, so that a layer's weights are
beside it and not all at the top, and a repeated block has its layers to itself, so that a frame fits around it. Order
within the layers is igraph's (Sugiyama's method) and columns.py makes the columns of it, or everything is Graphviz's.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from .columns import center_items

Point = tuple[float, float]
Arrow = tuple[int, int]

COLUMN_GAP, LAYER_GAP, FRAME_GAP = 26.0, 40.0, 26.0
MARGIN = 30.0
_PASSING = 14.0  # the width of an arrow that passes a layer


@dataclass(frozen=True, slots=True)
class Layout:
    """Top left corners of the boxes, an SVG path for each arrow, and the size of the whole."""

    corners: list[Point]
    paths: list[str]
    width: float
    height: float


def lay_out(
    sizes: Sequence[Point], arrows: Sequence[Arrow], segments: Sequence[int], engine: str | None = None
) -> Layout:
    """Place boxes of ``sizes`` (width, height), joined by ``arrows``; each arrow leads to a box later in the list.

    Boxes of a lower one of ``segments`` stand above all of a higher one; no arrow leads to a lower one. ``engine`` is
    ``"igraph"`` or ``"dot"``; None takes the first of them that is there.
    """
    if engine not in (None, "igraph", "dot"):
        raise ValueError(f'layout is {engine!r}; it must be "igraph" or "dot".')
    if engine != "dot" and find_spec("igraph"):
        return _with_igraph(sizes, arrows, segments)
    if engine != "igraph" and shutil.which("dot"):
        return _with_dot(sizes, arrows, segments)
    wanted = {None: "neither igraph nor Graphviz's dot", "igraph": "no igraph", "dot": "no program dot of Graphviz"}
    raise ModuleNotFoundError(
        f"drawing a graph needs a layout, and there is {wanted[engine]} here. "
        "Install the extra: pip install 'leafgrad[viz]'. The tree (print), to_dot() and to_json() need neither."
    )


def layers_of(segments: Sequence[int], arrows: Sequence[Arrow]) -> list[int]:
    """The layer of each box, counted from the top: one above the highest box of its segment that uses it."""
    height = [0] * len(segments)  # above the bottom of its segment
    for start, target in sorted(arrows, key=lambda arrow: arrow[1], reverse=True):
        if segments[start] == segments[target]:
            height[start] = max(height[start], height[target] + 1)
    tallest: dict[int, int] = {}
    for segment, layer in zip(segments, height, strict=True):
        tallest[segment] = max(tallest.get(segment, 0), layer)
    bottom, last = {}, -1
    for segment in sorted(tallest):
        last += tallest[segment] + 1
        bottom[segment] = last
    return [bottom[segment] - layer for segment, layer in zip(segments, height, strict=True)]


# --- igraph


def _with_igraph(sizes: Sequence[Point], arrows: Sequence[Arrow], segments: Sequence[int]) -> Layout:
    import igraph

    layers = layers_of(segments, arrows)
    placed = igraph.Graph(n=len(sizes), edges=list(arrows), directed=True).layout_sugiyama(layers=layers, maxiter=200)
    # Items of a layer are its boxes and the arrows that pass it; an arrow is a chain of items.
    at = [(x, layer) for (x, _), layer in zip(placed.coords, layers, strict=True)]
    widths = [width for width, _ in sizes]
    chains = []
    for (start, target), route in zip(arrows, placed.edge_routing or [()] * len(arrows), strict=True):
        passing = range(len(at), len(at) + len(route))
        at += [(x, round(y)) for x, y in route]
        widths += [_PASSING] * len(passing)
        chains.append([start, *passing, target])
    centers = center_items(at, widths, chains, COLUMN_GAP)
    rows = _rows(sizes, layers, segments)
    corners = [
        (centers[i] - width / 2 + MARGIN, (rows[layer][0] + rows[layer][1] - height) / 2)
        for i, ((width, height), layer) in enumerate(zip(sizes, layers, strict=True))
    ]
    ends = _ends(sizes, corners, arrows, [(centers[chain[1]], centers[chain[-2]]) for chain in chains])
    paths = []
    for (leave, arrive), chain in zip(ends, chains, strict=True):
        through = [(centers[i] + MARGIN, y) for i in chain[1:-1] for y in rows[at[i][1]]]
        paths.append(_path([leave, *through, arrive]))
    right = max(center + width / 2 for center, width in zip(centers, widths, strict=True))
    return Layout(corners, paths, right + 2 * MARGIN, rows[-1][1] + MARGIN)


def _rows(sizes: Sequence[Point], layers: Sequence[int], segments: Sequence[int]) -> list[Point]:
    """Top and bottom of each layer; between two segments there is more room, for the frames."""
    heights = [0.0] * (max(layers) + 1)
    segment_of = [0] * len(heights)
    for (_, height), layer, segment in zip(sizes, layers, segments, strict=True):
        heights[layer] = max(heights[layer], height)
        segment_of[layer] = segment
    rows: list[Point] = []
    y = MARGIN
    for layer, height in enumerate(heights):
        if layer and segment_of[layer] != segment_of[layer - 1]:
            y += FRAME_GAP
        rows.append((y, y + height))
        y += height + LAYER_GAP
    return rows


def _ends(
    sizes: Sequence[Point], corners: Sequence[Point], arrows: Sequence[Arrow], toward: Sequence[Point]
) -> list[tuple[Point, Point]]:
    """Where each arrow leaves and arrives: spread over the edges of its boxes, so that arrows do not cross there.

    ``toward`` has how far to the right an arrow goes first, and where it comes from at last.
    """
    leaving: dict[int, list[int]] = {}
    arriving: dict[int, list[int]] = {}
    for number, (start, target) in enumerate(arrows):
        leaving.setdefault(start, []).append(number)
        arriving.setdefault(target, []).append(number)
    from_x, to_x = [0.0] * len(arrows), [0.0] * len(arrows)
    for box, numbers in leaving.items():
        numbers.sort(key=lambda n: toward[n][0])
        _spread(from_x, numbers, corners[box][0], sizes[box][0])
    for box, numbers in arriving.items():
        numbers.sort(key=lambda n: toward[n][1])
        _spread(to_x, numbers, corners[box][0], sizes[box][0])
    return [
        ((from_x[n], corners[start][1] + sizes[start][1]), (to_x[n], corners[target][1]))
        for n, (start, target) in enumerate(arrows)
    ]


def _spread(xs: list[float], numbers: Sequence[int], left: float, width: float) -> None:
    pitch = min(26.0, width * 0.7 / len(numbers))
    for i, number in enumerate(numbers):
        xs[number] = left + width / 2 + (i - (len(numbers) - 1) / 2) * pitch


def _path(points: Sequence[Point]) -> str:
    """Curves that leave and arrive upright."""
    x, y = points[0]
    parts = [f"M{x:.1f} {y:.1f}"]
    for to_x, to_y in points[1:]:
        if abs(to_x - x) < 0.05:
            if parts[-1].startswith("V"):
                parts.pop()  # one line instead of two
            parts.append(f"V{to_y:.1f}")
        else:
            middle = (y + to_y) / 2
            parts.append(f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
    return "".join(parts)


# --- Graphviz


def _with_dot(sizes: Sequence[Point], arrows: Sequence[Arrow], segments: Sequence[int]) -> Layout:
    lines = ["digraph {", f"graph [nodesep={COLUMN_GAP / 72}, ranksep={LAYER_GAP / 72}, nslimit=4, mclimit=1]"]
    lines.append('node [shape=box, fixedsize=true, label=""]; edge [arrowhead=none]')
    rows: dict[int, list[int]] = {}
    for i, layer in enumerate(layers_of(segments, arrows)):
        rows.setdefault(layer, []).append(i)
    lines += [f"{{rank=same; {'; '.join(map(str, row))}}}" for row in rows.values()]
    lines += [f"{rows[i][0]} -> {rows[i + 1][0]} [style=invis, weight=0]" for i in range(len(rows) - 1)]
    lines += [f"{i} [width={width / 72:.4f}, height={height / 72:.4f}]" for i, (width, height) in enumerate(sizes)]
    lines += [f"{start} -> {target}" for start, target in arrows]
    text = "\n".join([*lines, "}"])
    done = subprocess.run(["dot", "-Tplain"], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"Graphviz's dot failed: {done.stderr.strip()}. layout='igraph' does without it.")
    corners: list[Point] = [(0.0, 0.0)] * len(sizes)
    paths: dict[tuple[int, int], str] = {}
    total_width = total_height = 0.0
    for line in done.stdout.splitlines():
        kind, *words = line.split()
        if kind == "graph":
            total_width, total_height = float(words[1]) * 72, float(words[2]) * 72
        elif kind == "node":
            width, height = sizes[int(words[0])]
            x, y = MARGIN + float(words[1]) * 72, MARGIN + total_height - float(words[2]) * 72
            corners[int(words[0])] = (x - width / 2, y - height / 2)
        elif kind == "edge":
            numbers = [float(word) * 72 for word in words[3 : 3 + 2 * int(words[2])]]
            points = [(MARGIN + x, MARGIN + total_height - y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
            text = " ".join(f"{x:.1f} {y:.1f}" for x, y in points[1:])
            paths[int(words[0]), int(words[1])] = f"M{points[0][0]:.1f} {points[0][1]:.1f}C{text}"
    return Layout(corners, [paths[arrow] for arrow in arrows], total_width + 2 * MARGIN, total_height + 2 * MARGIN)
