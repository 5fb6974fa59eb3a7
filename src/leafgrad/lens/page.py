"""The page: one file that holds the drawing, the data, the script and the texts, and loads nothing.

The parts lie in ``page/``. The script is plain, and its files are joined in the order of `_SCRIPTS` into one scope.
"""

from __future__ import annotations

import json
import string
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .formulas import formula
from .graph_nodes import GraphNode
from .places import source_line
from .schedule import Buffer, Step
from .svg import draw, read_asset
from .view import View

if TYPE_CHECKING:
    from .graph import Graph

MOST_STEPS = 20_000  # the player's limit: beyond it the file and the curve would be too large for a browser

_STYLES = ("colours.css", "drawing.css", "motion.css", "page.css")
_SCRIPTS = ("state.js", "drawing.js", "camera.js", "details.js", "curve.js", "player.js", "main.js")


def page_text(graph: Graph, layout: str | None = None) -> str:
    """The whole page as HTML."""
    views = [graph.view(), graph.view(fold=False)] if graph.blocks else [graph.view()]
    if len(views) > 1 and views[1].hidden:
        views.pop()  # too large to be drawn in full
    script = "\n".join(read_asset(name) for name in _SCRIPTS)
    return string.Template(read_asset("template.html")).substitute(
        style="\n".join(read_asset(name) for name in _STYLES),
        drawings="\n".join(draw(graph, view, layout) for view in views),
        legend=read_asset("legend.html"),
        data=_json(page_data(graph, views)),
        texts=_json(json.loads(read_asset("texts.json"))),
        script=f'(() => {{\n"use strict";\n{script}\n}})();',
    )


def page_data(graph: Graph, views: list[View]) -> dict[str, Any]:
    """What the script works on."""
    plays = len(graph.order) <= MOST_STEPS
    return {
        "roots": graph.roots,
        "nodes": [_node(node) for node in graph.nodes],
        "steps": [_step(step) for step in graph.backward_steps()] if plays else [],
        "blocks": [{"length": block.length, "times": block.times} for block in graph.blocks],
        "views": [_view(view) for view in views],
        "counts": {
            "leaf": len(graph.leaves),
            "operation": len(graph.operations),
            "constant": len(graph.constants),
            "edge": len(graph.edges),
            "run": len(graph.order),
        },
        "saved_bytes": graph.saved_bytes,
        "limits": {"nodes": graph.max_nodes, "steps": MOST_STEPS},
    }


def _node(node: GraphNode) -> dict[str, Any]:
    data = asdict(node)
    del data["index"], data["sequence"], data["place"]
    data["formula"] = formula(node)
    if node.place:
        file, line, function = node.place
        data["place"] = {"file": file, "line": line, "function": function, "text": source_line(node.place)}
    return data


def _step(step: Step) -> dict[str, Any]:
    """Without what is empty: there are many steps."""

    def triples(buffers: tuple[Buffer, ...]) -> list[tuple[int, int, int]]:
        return [(buffer.node, buffer.output, buffer.bytes) for buffer in buffers]

    data: dict[str, Any] = {
        "node": step.node,
        "reads": triples(step.reads),
        "creates": triples(step.creates),
        "adds": triples(step.adds),
        "frees": triples(step.frees),
        "retains": triples(step.retains),
        "releases": [[storage, size] for storage, size in step.releases],
    }
    data = {name: value for name, value in data.items() if value not in ([], None)}
    data["bytes"] = {
        "buffers": step.buffer_bytes,
        "leaves": step.leaf_bytes,
        "retained": step.retained_bytes,
        "saved": step.saved_bytes,
        "gradients": step.gradient_bytes,
        "peak": step.peak_bytes,
        "kept": step.kept_bytes,
    }
    return data


def _view(view: View) -> dict[str, Any]:
    return {
        "prefix": view.prefix,
        "boxes": {box.id: {"members": box.members, "name": box.name} for box in view.boxes},
        "carried": [view.boxes[i].id for i in sorted(view.carried)],
        "hidden": view.hidden,
    }


def _json(value: object) -> str:
    """JSON that may stand inside a script element: nothing in it can end that element."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
