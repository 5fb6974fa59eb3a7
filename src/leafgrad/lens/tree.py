"""A graph as indented text, from the roots back to the leaves.

A line for each operation, its leaves under it. Where one operation leads to one other, the text goes straight on
instead of further to the right, so that a deep network stays readable; a node met again is named, not printed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .graph_nodes import GraphNode, Saved, bytes_text, shape_text
from .places import place_text
from .view import Box, View

if TYPE_CHECKING:
    from .graph import Graph

_STOPS = {
    "frozen": "frozen: requires_grad=False",
    "integer": "integers have no gradient",
    "detached": "detached: shares memory with a tensor that requires grad",
    "no_grad": "made under no_grad",
    "data": "requires_grad=False",
}


def tree_text(graph: Graph) -> str:
    """The whole text: a headline with the counts, then the tree."""
    view = graph.view()
    lines = [headline(graph), *_Printer(graph.nodes, view).lines(graph.roots)]
    if view.hidden:
        lines.append(f"… and {view.hidden} more nodes (max_nodes={graph.max_nodes})")
    return "\n".join(lines)


def headline(graph: Graph) -> str:
    """Counts of the graph's parts, as one line."""
    names = ", ".join(graph.nodes[node].label for node, _ in graph.roots)
    parts = [_count(len(graph.leaves), "leaf", "leaves"), _count(len(graph.operations), "operation", "operations")]
    parts += [f"a block of {block.length} × {block.times}" for block in graph.blocks]
    saved = f"{bytes_text(graph.saved_bytes)} saved for backward" if graph.saved_bytes else "nothing saved for backward"
    return f"graph of {names}: {', '.join(parts)}; {saved}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _saved_text(saved: Saved) -> str:
    text = saved.name or saved.slot or "a tensor"
    if saved.writes:
        text += f" (written to {_count(saved.writes, 'time', 'times')} since: backward will fail)"
    return text if saved.storage else f"{text} (packed by a hook)"


class _Printer:
    def __init__(self, nodes: Sequence[GraphNode], view: View) -> None:
        self.nodes, self.view = nodes, view
        self.inputs: list[list[int]] = [[] for _ in view.boxes]
        for start, target in view.arrows:
            self.inputs[target].append(start)
        self.numbers: dict[int, int] = {}  # of boxes printed: which line

    def lines(self, roots: Sequence[tuple[int, int]]) -> list[str]:
        boxes = dict.fromkeys(self.view.box_of[node] for node, _ in roots)
        stack = [(box, "", "") for box in reversed(boxes)]  # box, prefix of its line, prefix of what hangs under it
        lines = []
        while stack:
            number, mark, below = stack.pop()
            box = self.view.boxes[number]
            if number in self.numbers and box.kind == "operation":
                lines.append(f"{mark}{self._title(box)}, line {self.numbers[number]} above")
                continue
            self.numbers[number] = len(lines) + 2  # the headline is line 1
            lines.append(mark + self._line(box))
            stack.extend(reversed(self._children(number, below)))
        return lines

    def _children(self, number: int, below: str) -> list[tuple[int, str, str]]:
        leaves = [i for i in self.inputs[number] if self.view.boxes[i].kind != "operation"]
        operations = [i for i in self.inputs[number] if self.view.boxes[i].kind == "operation"]
        if len(operations) == 1:
            return [(i, below + "├─ ", below + "│  ") for i in leaves] + [(operations[0], below, below)]
        children = leaves + operations
        last = len(children) - 1
        return [
            (child, below + ("└─ " if i == last else "├─ "), below + ("   " if i == last else "│  "))
            for i, child in enumerate(children)
        ]

    def _title(self, box: Box) -> str:
        node = self.nodes[box.members[0]]
        if box.kind == "operation":
            return f"{box.name} = {node.operation}" if box.name else node.operation
        return box.name or box.kind

    def _line(self, box: Box) -> str:
        node = self.nodes[box.members[0]]
        parts = [", ".join(f"{o.dtype} {shape_text(o.shape)}" for o in node.outputs[:3])]
        if len(node.outputs) > 3:
            parts[0] += f", … {len(node.outputs)} results"
        if box.kind == "leaf" and box.name:
            parts.append("leaf")
        elif box.kind == "constant":
            parts.append(_STOPS[node.stop or "data"])
        if node.retained:
            parts.append("retains its gradient")
        if node.released:
            parts.append("saved tensors released")
        elif node.saved:
            parts.append(f"saves {', '.join(map(_saved_text, node.saved))}")
        if box.times > 1:
            parts.append(f"× {box.times}")
        if node.place:
            parts.append(place_text(node.place))
        return f"{self._title(box)}  " + "; ".join(parts)
