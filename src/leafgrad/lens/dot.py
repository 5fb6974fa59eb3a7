"""A graph in Graphviz's language, for those who draw it themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .graph_nodes import bytes_text, shape_text
from .view import View

if TYPE_CHECKING:
    from .graph import Graph

# Shape tells the kinds apart, not colour alone.
_STYLES = {
    "leaf": 'shape=ellipse, style=filled, fillcolor="#d5efe3"',
    "operation": 'shape=box, style=filled, fillcolor="#e4ecf5"',
    "constant": 'shape=octagon, style="filled,dashed", fillcolor="#eeeeee"',
}


def dot_text(graph: Graph, view: View) -> str:
    """The drawing that ``view`` describes, inputs at the top."""
    lines = ["digraph leafgrad {", "  rankdir=TB;", '  node [fontname="Helvetica", fontsize=11];']
    for number, frame in enumerate(view.frames):
        inside = "; ".join(view.boxes[i].id for i in frame)
        label = f"× {view.boxes[frame[0]].times}"
        lines.append(f'  subgraph cluster_{number} {{ label="{label}"; style=rounded; {inside}; }}')
    for box in view.boxes:
        node = graph.nodes[box.members[0]]
        words = [" = ".join(filter(None, (box.name, node.operation))) or box.kind]
        words += [f"{output.dtype} {shape_text(output.shape)}" for output in node.outputs[:1]]
        if node.saved:
            words.append("saves " + ", ".join(saved.name or saved.slot or "?" for saved in node.saved))
            words.append(bytes_text(sum({s.storage: s.bytes for s in node.saved}.values())))
        if node.retained:
            words.append("retains its gradient")
        if box.times > 1:
            words.append(f"× {box.times}")
        border = ", peripheries=2" if node.retained else ""
        lines.append(f"  {box.id} [label={_quoted(words)}, {_STYLES[box.kind]}{border}];")
    lines += [f"  {view.boxes[start].id} -> {view.boxes[target].id};" for start, target in view.arrows]
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(lines: list[str]) -> str:
    return '"' + "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in lines) + '"'
