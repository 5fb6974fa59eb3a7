"""The drawing of a graph as SVG; the page takes the same drawing and sets it in motion.

Shape, text and colour each tell the kinds apart: a leaf looks like one and says so, an operation is a rectangle, what
has no gradient has cut corners and a dashed edge, a saved tensor is a tab at the foot of the node that keeps it, and a
retained gradient doubles the edge.
"""

from __future__ import annotations

import re
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from .graph_nodes import GraphNode, bytes_text, shape_text
from .layout import Layout, Point, lay_out
from .view import Box, View

if TYPE_CHECKING:
    from .graph import Graph

WIDTH, HEIGHT, TAB = 184.0, 46.0, 21.0
# The tag that hangs under a box while backward is played; the page fills it in.
_BUFFER = (
    '<g class="buffer" transform="translate({} {})"><rect x="-66" width="66" height="19" rx="9.5"/>'
    '<text x="-33" y="13.5" text-anchor="middle"></text></g>'
)
_SMALL, _LARGE = 5.9, 7.1  # average width of a character of the two sizes of text, in pixels


def read_asset(name: str) -> str:
    """A file of the page's parts, as text."""
    return (files("leafgrad.lens") / "page" / name).read_text(encoding="utf-8")


def standalone_svg(graph: Graph, fold: bool, layout: str | None) -> str:
    """The drawing as a file of its own, in light colours, which every program that shows SVG understands."""
    colours = dict(re.findall(r"--([\w-]+): light-dark\((#\w+),", read_asset("colours.css")))
    style = re.sub(r"var\(--([\w-]+)\)", lambda m: colours[m[1]], read_asset("drawing.css"))
    return draw(graph, graph.view(fold), layout, f"<style>{style}</style>", colours["ground"])


def draw(graph: Graph, view: View, layout: str | None = None, style: str = "", ground: str | None = None) -> str:
    """The SVG element of ``view``; boxes have their ids, arrows ``data-from`` and ``data-to``."""
    sizes = [(WIDTH, HEIGHT + TAB * bool(graph.nodes[box.members[0]].saved)) for box in view.boxes]
    placed = lay_out(sizes, view.arrows, view.segments(), layout)
    roots = {node for node, _ in graph.roots}
    width, height = placed.width, placed.height
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}">',
        style,
        f'<rect width="100%" height="100%" fill="{ground}"/>' if ground else "",
        *_frames(view, sizes, placed),
        *_arrows(view, placed),
        *(
            _box(box, graph.nodes[box.members[0]], size, corner, not roots.isdisjoint(box.members))
            for box, size, corner in zip(view.boxes, sizes, placed.corners, strict=True)
        ),
        "</svg>",
    ]
    return "".join(parts)


def _frames(view: View, sizes: list[Point], placed: Layout) -> list[str]:
    """A frame around each repeated block, which has its layers to itself."""
    parts = []
    for frame in view.frames:
        left = min(placed.corners[i][0] for i in frame) - 18
        top = min(placed.corners[i][1] for i in frame) - 24
        right = max(placed.corners[i][0] + sizes[i][0] for i in frame) + 18
        bottom = max(placed.corners[i][1] + sizes[i][1] for i in frame) + 24
        label = f"× {view.boxes[frame[0]].times}"
        parts.append(
            f'<g class="frame"><rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
            f'height="{bottom - top:.1f}" rx="14"/>{_badge(label, left + 16, top - 11)}</g>'
        )
    return parts


def _arrows(view: View, placed: Layout) -> list[str]:
    head = (
        f'<defs><marker id="{view.prefix}-head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" '
        'markerUnits="userSpaceOnUse" orient="auto"><path class="head" d="M0 0.5L8 4L0 7.5Z"/></marker></defs>'
    )
    paths = (
        f'<path class="arrow" d="{path}" marker-end="url(#{view.prefix}-head)" '
        f'data-from="{view.boxes[start].id}" data-to="{view.boxes[target].id}"/>'
        for (start, target), path in zip(view.arrows, placed.paths, strict=True)
    )
    return [head, *paths]


def _box(box: Box, node: GraphNode, size: Point, corner: Point, is_root: bool) -> str:
    width, height = size
    classes = [box.kind, *(["retained"] if node.retained else []), *(["root"] if is_root else [])]
    shape = _shape(box.kind, width, height)
    parts = [
        f'<g id="{box.id}" class="box {" ".join(classes)}" transform="translate({corner[0]:.1f} {corner[1]:.1f})">',
        f"<title>{escape(_full_title(box, node))}</title>",
        f'<path class="shape" d="{shape}"/>',
        f'<path class="second" d="{_shape(box.kind, width - 6, height - 6, 3)}"/>' if node.retained else "",
        f'<path class="fill" d="{shape}"/>' if box.kind == "leaf" else "",
        *_words(box, node, width),
        _saved_tab(node, width, height) if node.saved else "",
        _badge(f"{box.times}/{box.times}", width - 44, -13) if box.times > 1 else "",
        _BUFFER.format(width - 6, height - 2) if box.kind != "constant" else "",
        "</g>",
    ]
    return "".join(parts)


def _shape(kind: str, width: float, height: float, inset: float = 0) -> str:
    w, h, i = width, height, inset
    if kind == "leaf":  # two round corners and two sharp ones
        r = min(22, h / 2)
        return (
            f"M{i + r} {i}H{i + w - 3}q3 0 3 3V{i + h - r}a{r} {r} 0 0 1 -{r} {r}H{i + 3}q-3 0 -3 -3V{i + r}"
            f"a{r} {r} 0 0 1 {r} -{r}Z"
        )
    if kind == "constant":
        c = 10
        return f"M{i + c} {i}H{i + w - c}l{c} {c}V{i + h - c}l-{c} {c}H{i + c}l-{c} -{c}V{i + c}Z"
    r = 5
    return (
        f"M{i + r} {i}h{w - 2 * r}a{r} {r} 0 0 1 {r} {r}v{h - 2 * r}a{r} {r} 0 0 1 -{r} {r}h-{w - 2 * r}"
        f"a{r} {r} 0 0 1 -{r} -{r}v-{h - 2 * r}a{r} {r} 0 0 1 {r} -{r}Z"
    )


def _words(box: Box, node: GraphNode, width: float) -> list[str]:
    """Two lines: what it is called, and its dtype and shape. Words of a language carry a key for the page's texts."""
    output = node.outputs[0]
    detail = f"{output.dtype} {shape_text(output.shape)}"
    if len(node.outputs) > 1:
        detail += f" × {len(node.outputs)}"
    inner = width - 24
    if box.kind == "operation":
        title = _fit(node.operation, inner * (0.6 if box.name else 1), _LARGE)
        parts = [f'<text class="title" x="12" y="19">{escape(title)}</text>']
        if box.name:
            name = _fit(box.name, inner - len(title) * _LARGE - 8, _LARGE, keep_end=True)
            parts.append(f'<text class="name" x="{width - 12}" y="19" text-anchor="end">{escape(name)}</text>')
        return [*parts, f'<text class="detail" x="12" y="36">{escape(_fit(detail, inner, _SMALL))}</text>']
    key = "leaf" if box.kind == "leaf" else f"stop.{node.stop}"
    word = {"leaf": "leaf"}.get(key, node.stop or "")
    title = _fit(box.name, inner, _LARGE, keep_end=True) or "·"
    return [
        f'<text class="title" x="14" y="19">{escape(title)}</text>',
        f'<text class="detail" x="14" y="36"><tspan class="kind" data-text="{key}">{word}</tspan>'
        f" · {escape(_fit(detail, inner - 50, _SMALL))}</text>",
    ]


def _saved_tab(node: GraphNode, width: float, height: float) -> str:
    names = ", ".join(saved.name or saved.slot or "?" for saved in node.saved)
    size = bytes_text(sum({saved.storage: saved.bytes for saved in node.saved if saved.storage}.values()))
    top = height - TAB
    text = f"{_fit(names, width - 44 - len(size) * _SMALL, _SMALL)} · {size}"
    return (
        f'<g class="saved"><path d="M0.7 {top}h{width - 15.4}l14 {TAB - 8}v2.3a5 5 0 0 1 -5 5h-{width - 11.4}'
        f'a5 5 0 0 1 -5 -5Z"/><path d="M12 {top + 6}h10v9l-5 -3l-5 3Z"/>'
        f'<text x="28" y="{top + 14.5}">{escape(text)}</text></g>'
    )


def _badge(text: str, x: float, y: float) -> str:
    width = 18 + len(text) * 7
    return (
        f'<g class="badge" transform="translate({x:.1f} {y:.1f})"><rect width="{width}" height="21" rx="10.5"/>'
        f'<text x="{width / 2}" y="15" text-anchor="middle">{text}</text></g>'
    )


def _full_title(box: Box, node: GraphNode) -> str:
    first = " = ".join(filter(None, (box.name, node.operation))) or box.kind
    return "\n".join([first, *(f"{output.dtype} {shape_text(output.shape)}" for output in node.outputs[:4])])


def _fit(text: str, width: float, character: float, keep_end: bool = False) -> str:
    """``text``, cut to ``width`` pixels; with ``keep_end`` at the front, by whole parts of a dotted name if it can."""
    most = max(int(width / character), 3)
    if len(text) <= most:
        return text
    if not keep_end:
        return text[: most - 1] + "…"
    tail = text[-(most - 1) :]
    return "…" + (tail.partition(".")[2] or tail)
