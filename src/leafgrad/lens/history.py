"""What a tensor's history holds: its nodes, the leaves it comes from, and the memory it keeps for backward.

Everything here only reads: no node is made, no hook is run, no view's history is renewed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from leafgrad import _core
from leafgrad._core import Tensor

from .places import place_text

if TYPE_CHECKING:
    from leafgrad._core import Node


@dataclass
class StaleSave:
    """A saved tensor that was written in place since: backward will refuse it."""

    node: str
    tensor: str
    saved_at: int  # versions
    now_at: int
    writer: str | None


@dataclass
class History:
    """All that can be reached from a node, against the direction of computation."""

    nodes: list[Node] = field(default_factory=list)  # nearest first
    leaves: list[Tensor] = field(default_factory=list)
    saved: dict[int, int] = field(default_factory=dict)  # bytes by storage, without the leaves' own
    uses: dict[int, int] = field(default_factory=dict)  # how many references the graph has to a leaf, by id
    stale: StaleSave | None = None  # the first found
    released: int = 0  # nodes whose saved tensors are gone
    keeping: int = 0  # nodes that still have some


def history_of(node: Node | None, most: int | None = None) -> History:
    """Walk the graph behind ``node``; at most ``most`` nodes of it where a part is enough."""
    found = History()
    waiting = [] if node is None else [node]
    seen = {id(node)}
    leaf_storages = set()
    for node in waiting:  # it grows meanwhile
        if most is not None and len(found.nodes) >= most:
            break
        found.nodes.append(node)
        if is_accumulator(node):
            found.leaves.append(node.variable)
            leaf_storages.add(storage_id(node.variable))
            _count(found.uses, node.variable)
            continue
        _look_at_saved(node, found)
        for following, _ in node.next_functions:
            if following is not None and id(following) not in seen:
                seen.add(id(following))
                waiting.append(following)
    for storage in leaf_storages:
        found.saved.pop(storage, None)
    return found


def _look_at_saved(node: Node, found: History) -> None:
    found.released += _core._is_released(node)
    saved = _core._saved(node)
    found.keeping += bool(saved)
    for name, tensor, version, is_output, _ in saved:
        if tensor is None:
            continue
        _count(found.uses, tensor)
        found.saved[storage_id(tensor)] = tensor.untyped_storage().nbytes()
        if tensor._version != version and found.stale is None:
            role = "result" if is_output else f"input '{name}'" if name else "input"
            text = f"its saved {role}, {tensor_text(tensor)}"
            found.stale = StaleSave(operator_text(node), text, version, tensor._version, _core._last_writer(tensor))


def _count(uses: dict[int, int], tensor: Tensor) -> None:
    uses[id(tensor)] = uses.get(id(tensor), 0) + 1


def is_accumulator(node: Node) -> bool:
    """Is it the node that adds to a leaf's ``.grad``?"""
    return type(node).__name__ == "AccumulateGrad"


def storage_id(t: Tensor) -> int:
    """What tensors that share memory have in common."""
    return t.untyped_storage()._cdata


# ---- in words


def tensor_text(t: Tensor) -> str:
    """dtype and shape: ``float32 (2, 3)``."""
    return f"{str(t.dtype).removeprefix('torch.')} {tuple(t.shape)}"


def operator_name(node_name: str) -> str:
    """The operator whose derivative the node is: ``mul`` for ``MulBackward0``."""
    if node_name == "CopySlices":
        return "an in-place write to a view"
    stem = re.sub(r"Backwards?\d*$", "", node_name)
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", stem).lower()


def operator_text(node: Node) -> str:
    """The operator, its node, and where it was called if the lens traced then: ``mul (MulBackward0) at a.py:3``."""
    return _operator(node) + at_place(node)


def made_by(node: Node) -> str:
    """The same for a message: where the line is not known it says how to get it."""
    return _operator(node) + _core._made_at(node)


def _operator(node: Node) -> str:
    name = type(node).__name__
    return f"{operator_name(name)} ({name})"


def at_place(made: Node | Tensor) -> str:
    """`` at file:line`` where a node was recorded or a tensor's memory made; empty unless it was traced."""
    place = _core._place(made)
    return f" at {place_text(place)}" if place else ""


def bytes_text(count: int) -> str:
    """A number of bytes, in the unit that suits it."""
    size, unit = float(count), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{count} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
