"""`leafgrad.graph`: the recorded graph as an object that can be read, printed, drawn and played.

`graph_reading.py` reads it, `blocks.py` finds what repeats, `schedule.py` knows what backward will do, `view.py` says
what is drawn, and `tree.py`, `dot.py`, `svg.py` and `page.py` write it out. See docs/design/lens_page.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leafgrad._core import Tensor

from . import schedule
from .blocks import Block, repeated_blocks
from .graph_nodes import GraphNode
from .graph_reading import read_graph
from .names import names_in, parameter_names, user_frame
from .view import View, view_of

if TYPE_CHECKING:
    from os import PathLike

    from leafgrad.nn import Module

__all__ = ["Graph", "graph"]


def graph(
    t: Tensor | Iterable[Tensor],
    params: Module | Mapping[str, Tensor] | Iterable[tuple[str, Tensor]] | None = None,
    *,
    max_nodes: int = 2000,
) -> Graph:
    """The graph recorded behind ``t``: what backward would walk, as plain data.

    Args:
        t: a tensor, or several; usually the loss.
        params: a module, or pairs (name, tensor) as ``named_parameters()`` gives them, to name leaves. Others are
            called as the caller's variables are.
        max_nodes: draw and print at most this many nodes, those nearest to ``t``. Repeated blocks count once.

    Nothing is changed by looking: no accumulator is made and no hook on saved tensors runs. The result keeps no tensor
    alive. Raises TypeError for what is not a tensor, and ValueError for an empty list or a ``max_nodes`` below 1.

    >>> import leafgrad
    >>> w = leafgrad.tensor([1.0], requires_grad=True)
    >>> x = leafgrad.tensor([2.0], requires_grad=True)
    >>> print(leafgrad.graph((w + x) * (w + 1), params={"w": w, "x": x}))
    graph of mul: 2 leaves, 3 operations; 8 B saved for backward
    mul  float32 (1,); saves self, other
    ├─ add  float32 (1,)
    │  ├─ w  float32 (1,); leaf
    │  └─ x  float32 (1,); leaf
    └─ add  float32 (1,)
       └─ w  float32 (1,); leaf
    """
    if not isinstance(t, (Tensor, Iterable)):
        raise TypeError(f"graph: a {type(t).__name__} is not a Tensor. Pass tensors, such as the loss.")
    tensors = [t] if isinstance(t, Tensor) else list(t)
    for i, tensor in enumerate(tensors):
        if not isinstance(tensor, Tensor):
            kind = type(tensor).__name__
            raise TypeError(f"graph: item {i} is a {kind}, not a Tensor. Pass tensors, such as the loss.")
    if not tensors:
        raise ValueError("graph: the list of tensors is empty. Pass at least one tensor, such as the loss.")
    if max_nodes < 1:
        raise ValueError(f"graph: max_nodes is {max_nodes}; it must be at least 1.")
    names = names_in(user_frame(), params)
    reading = read_graph(tensors, names, frozenset(parameter_names(params)))
    return Graph(reading.nodes, reading.roots, reading.order, max_nodes)


class Graph:
    """A recorded graph, read by `leafgrad.graph`.

    ``nodes`` are in forward order and ``roots`` says which outputs were asked for. ``print`` shows a tree; a notebook
    shows the drawing. ``to_html`` writes the page in which backward can be played.
    """

    def __init__(
        self, nodes: Sequence[GraphNode], roots: Sequence[tuple[int, int]], order: Sequence[int], max_nodes: int
    ) -> None:
        self.nodes = tuple(nodes)
        self.roots = tuple(roots)  # (node, output)
        self.order = tuple(order)  # in which the engine runs the nodes
        self.max_nodes = max_nodes

    # --- parts

    @property
    def leaves(self) -> list[GraphNode]:
        """Nodes whose tensors get a ``.grad``."""
        return [node for node in self.nodes if node.kind == "leaf"]

    @property
    def operations(self) -> list[GraphNode]:
        """Nodes whose results are non-leaves."""
        return [node for node in self.nodes if node.kind == "operation"]

    @property
    def constants(self) -> list[GraphNode]:
        """Tensors in which gradient stops, where an operation kept them; ``stop`` says why."""
        return [node for node in self.nodes if node.kind == "constant"]

    @property
    def edges(self) -> list[tuple[int, int, int, int]]:
        """(node, its output, using node, its input), for every input whose origin is known."""
        return [
            (source.node, source.output, node.index, i)
            for node in self.nodes
            for i, source in enumerate(node.inputs)
            if source.node is not None
        ]

    @cached_property
    def blocks(self) -> list[Block]:
        """Stretches of operations that repeat, such as a network's layers."""
        return repeated_blocks(self.nodes)

    @cached_property
    def saved_bytes(self) -> int:
        """Memory kept for backward, each storage counted once, leaves' own not counted."""
        kept = {s.storage: s.bytes for node in self.nodes for s in node.saved if not s.of_leaf}
        return sum(kept.values())

    def backward_steps(self, retain_graph: bool = False) -> list[schedule.Step]:
        """What `backward` does, node by node in the engine's order. `lens.schedule` states the model of memory."""
        return schedule.backward_steps(self.nodes, self.order, self.roots, retain_graph)

    def view(self, fold: bool = True) -> View:
        """What is drawn: with ``fold``, of a repeated block one copy."""
        return view_of(self.nodes, [node for node, _ in self.roots], self.blocks if fold else (), self.max_nodes)

    # --- forms

    def __repr__(self) -> str:
        from .tree import tree_text

        return tree_text(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything as lists, dicts, numbers and strings, the steps of backward included."""
        return {
            "roots": [list(root) for root in self.roots],
            "nodes": [asdict(node) for node in self.nodes],
            "edges": [list(edge) for edge in self.edges],
            "blocks": [asdict(block) for block in self.blocks],
            "saved_bytes": self.saved_bytes,
            "steps": [asdict(step) for step in self.backward_steps()],
        }

    def to_json(self, indent: int | None = None) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)

    def to_dot(self, fold: bool = True) -> str:
        """The drawing in Graphviz's language."""
        from .dot import dot_text

        return dot_text(self, self.view(fold))

    def to_svg(self, fold: bool = True, layout: str | None = None) -> str:
        """The drawing as SVG.

        ``layout`` is ``"igraph"`` or ``"dot"``; by default igraph's where it is installed, else Graphviz's. Raises
        ModuleNotFoundError, naming the extra, where neither is.
        """
        from .svg import standalone_svg

        return standalone_svg(self, fold, layout)

    def to_html(self, path: str | PathLike[str], layout: str | None = None) -> None:
        """Write a page of one file, without network, in which the backward pass can be played step by step."""
        from .page import page_text

        Path(path).write_text(page_text(self, layout), encoding="utf-8")

    def _repr_svg_(self) -> str | None:
        try:
            return self.to_svg()
        except ModuleNotFoundError:
            return None  # the notebook shows the tree instead

    def _repr_html_(self) -> str | None:
        svg = self._repr_svg_()
        return None if svg is None else f'<div style="overflow: auto; max-height: 40em">{svg}</div>'
