"""What is drawn of a graph: boxes, arrows between them, frames around repeated blocks.

Of a repeated block one copy is drawn, whose boxes stand for several nodes each. Leaves and constants that belong to one
copy are folded with it. Where more boxes remain than may be drawn, those nearest to the roots are.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from .blocks import Block
from .graph_nodes import GraphNode


@dataclass(slots=True)
class Box:
    """One drawn node, which stands for ``members``: one node, or its copies in a repeated block."""

    id: str
    members: list[int]
    kind: str
    name: str  # "layers.0-11.weight" where it stands for several
    frame: int | None = None  # of the repeated block it belongs to

    @property
    def times(self) -> int:
        """How many nodes it stands for."""
        return len(self.members)


@dataclass(slots=True)
class View:
    """The drawn part of a graph; ``box_of`` tells for each drawn node in which box it is."""

    boxes: list[Box]
    arrows: list[tuple[int, int]]  # from a box to the one that uses its result, by position in boxes
    frames: list[list[int]]  # boxes of each repeated block
    box_of: dict[int, int]
    prefix: str = "n"  # of the ids: views in one page differ in it
    hidden: int = 0  # nodes that are not drawn
    carried: set[int] = field(default_factory=set)  # boxes whose result goes to the next copy of their block

    def segments(self) -> list[int]:
        """Numbers of the stretches into which repeated blocks divide the boxes; arrows never lead to a lower one."""
        segments = [-1] * len(self.boxes)
        current, frame = 0, None
        for i, box in enumerate(self.boxes):
            if box.kind == "operation":
                current += box.frame != frame
                segments[i], frame = current, box.frame
        for start, target in sorted(self.arrows, key=lambda arrow: arrow[1], reverse=True):
            if self.boxes[start].kind != "operation":
                segments[start] = segments[target]  # the first user's, which comes last here
        return [max(segment, 0) for segment in segments]


def view_of(nodes: Sequence[GraphNode], roots: Sequence[int], blocks: Sequence[Block], most: int) -> View:
    """The view of ``nodes`` with ``blocks`` folded and at most ``most`` boxes."""
    keys = _keys(nodes, blocks)
    members: dict[tuple[int, ...], list[int]] = {}
    for node in nodes:
        members.setdefault(keys[node.index], []).append(node.index)
    prefix = "b" if blocks else "n"
    chosen = _nearest(nodes, roots, keys, members, most)
    boxes: list[Box] = []
    box_of: dict[int, int] = {}
    frames: list[list[int]] = [[] for _ in blocks]
    for key, group in members.items():
        if key not in chosen:
            continue
        frame = key[0] if len(key) > 1 else None
        if frame is not None:
            frames[frame].append(len(boxes))
        box_of.update(dict.fromkeys(group, len(boxes)))
        name = _common_name([nodes[i].name for i in group])
        boxes.append(Box(f"{prefix}{group[0]}", group, nodes[group[0]].kind, name, frame))
    view = View(boxes, [], [frame for frame in frames if frame], box_of, prefix, len(nodes) - len(box_of))
    _add_arrows(view, nodes, {i: copy for block in blocks for copy, row in enumerate(block.operations) for i in row})
    return view


def _keys(nodes: Sequence[GraphNode], blocks: Sequence[Block]) -> list[tuple[int, ...]]:
    """Equal keys share a box: (node), or (block, position in it, and the input's number for a leaf of the block)."""
    keys: list[tuple[int, ...]] = [(node.index,) for node in nodes]
    users: list[list[int]] = [[] for _ in nodes]
    for node in nodes:
        for source in node.inputs:
            if source.node is not None:
                users[source.node].append(node.index)
    for number, block in enumerate(blocks):
        for position in range(block.length):
            row = [copy[position] for copy in block.operations]
            for index in row:
                keys[index] = (number, position)
            for slot in range(min(len(nodes[index].inputs) for index in row)):
                given = [nodes[index].inputs[slot].node for index in row]
                own = [i for i in given if i is not None and nodes[i].kind != "operation" and len(users[i]) == 1]
                if len(own) == len(row):
                    for i in own:
                        keys[i] = (number, position, slot)
    return keys


def _nearest(
    nodes: Sequence[GraphNode],
    roots: Sequence[int],
    keys: list[tuple[int, ...]],
    members: dict[tuple[int, ...], list[int]],
    most: int,
) -> set[tuple[int, ...]]:
    """Keys of the boxes to draw, breadth first from the roots."""
    chosen: dict[tuple[int, ...], None] = dict.fromkeys(keys[root] for root in roots)
    waiting = deque(chosen)
    while waiting and len(chosen) < most:
        for index in members[waiting.popleft()]:
            for source in nodes[index].inputs:
                if source.node is not None and keys[source.node] not in chosen and len(chosen) < most:
                    chosen[keys[source.node]] = None
                    waiting.append(keys[source.node])
    return set(chosen)


def _add_arrows(view: View, nodes: Sequence[GraphNode], copy_of: dict[int, int]) -> None:
    arrows: dict[tuple[int, int], None] = {}
    for node in nodes:
        target = view.box_of.get(node.index)
        for source in node.inputs:
            start = None if source.node is None else view.box_of.get(source.node)
            if start is None or target is None or source.node is None:
                continue
            from_copy, to_copy = copy_of.get(source.node), copy_of.get(node.index)
            same_block = view.boxes[start].frame is not None and view.boxes[start].frame == view.boxes[target].frame
            if same_block and from_copy is not None and from_copy != to_copy:
                view.carried.add(start)  # goes from one copy to a later one: would point upwards
            else:
                arrows[start, target] = None
    view.arrows.extend(arrows)


def _common_name(names: Sequence[str | None]) -> str:
    """One name for all: what differs between first and last is written as a range."""
    first, last = names[0], names[-1]
    if first is None or last is None or len(names) == 1:
        return first or ""
    ours, theirs = re.split(r"(\d+)", first), re.split(r"(\d+)", last)
    if len(ours) != len(theirs):
        return ""
    pairs = list(zip(ours, theirs, strict=True))
    if any(a != b and not (a.isdigit() and b.isdigit()) for a, b in pairs):
        return ""
    return "".join(a if a == b else f"{a}–{b}" for a, b in pairs)
