"""Reads a recorded graph into plain data, and changes nothing in it.

Nothing recurses, no accumulator is made for a leaf that has none yet, no hook unpacks a saved tensor. What a tensor is
called, whether it is a leaf's memory, and where gradient stops are found here; the engine's order is too, since nodes
are numbered by it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from leafgrad import _core
from leafgrad._core import Node, Tensor

from .engine_order import engine_order
from .graph_nodes import DATA, DETACHED, FROZEN, INTEGER, NO_GRAD, GraphNode, Input, Output, Saved, operation_name

_LEAF_SEQUENCE = 2**64 - 1  # as the engine numbers accumulation: before all else
# Slots that hold an input as the user gave it; others hold results, masks and moments.
_INPUT_SLOTS = frozenset(
    "self other input weight mat mat1 mat2 vec vec1 vec2 batch1 batch2 tensor1 tensor2 query key value end src".split()
)
_INDEX_SLOTS = frozenset({"index", "target", "attn_mask"})


@dataclass
class Reading:
    """Nodes in forward order, the numbers of the roots' (node, output), and the engine's order."""

    nodes: list[GraphNode]
    roots: list[tuple[int, int]]
    order: list[int]


@dataclass
class _Raw:
    """A node before it has its number: what the core says of it."""

    node: Node | None  # None: a constant, or a leaf that nothing has used yet
    tensor: Tensor | None = None  # of a leaf or constant
    edges: list[tuple[int | None, int]] = field(default_factory=list)
    slots: list[tuple[Any, ...]] = field(default_factory=list)
    constant: bool = False
    sequence: int = _LEAF_SEQUENCE


def read_graph(tensors: Sequence[Tensor], names: dict[int, str], parameters: frozenset[int] = frozenset()) -> Reading:
    """The graph behind ``tensors``; ``names`` by ``id(tensor)``, and which ids are of a model's parameters."""
    reader = _Reader(names, parameters)
    roots = [reader.add_root(tensor) for tensor in tensors]
    reader.follow_edges()
    return reader.numbered(roots)


class _Reader:
    def __init__(self, names: dict[int, str], parameters: frozenset[int]) -> None:
        self.names, self.parameters = names, parameters
        self.raw: list[_Raw] = []
        self.known: dict[int, int] = {}  # id of a node, or of a leaf or constant tensor -> number in raw
        self.unread: list[int] = []
        self.storages: dict[int, int] = {}  # small numbers, so that the same graph gives the same text
        self.live = _core._live_tensors()

    # --- collecting

    def add_root(self, tensor: Tensor) -> tuple[int, int]:
        if tensor.grad_fn is not None:
            return self._add_node(tensor.grad_fn), tensor.output_nr
        return self._add_tensor(tensor, constant=not tensor.requires_grad), 0

    def follow_edges(self) -> None:
        while self.unread:
            raw = self.raw[self.unread.pop()]
            assert raw.node is not None
            for node, output in raw.node.next_functions:
                raw.edges.append((None if node is None else self._add_node(node), output))
            self._add_constants(raw, raw.node.name())

    def _add_node(self, node: Node) -> int:
        if node.name() == "torch::autograd::AccumulateGrad":
            return self._add_tensor(node.variable, constant=False)
        number = self.known.get(id(node))
        if number is None:
            number = self.known[id(node)] = len(self.raw)
            self.raw.append(_Raw(node, slots=_core._saved(node), sequence=node._sequence_nr()))
            self.unread.append(number)
        return number

    def _add_tensor(self, tensor: Tensor, constant: bool) -> int:
        number = self.known.setdefault(id(tensor), len(self.raw))
        if number == len(self.raw):
            self.raw.append(_Raw(None, tensor=tensor, constant=constant))
        return number

    def _add_constants(self, raw: _Raw, name: str) -> None:
        """Put saved inputs that need no gradient where the missing edges are."""
        missing = [i for i, (source, _) in enumerate(raw.edges) if source is None]
        for slot, tensor, _, is_result, _ in raw.slots:
            if tensor is None or is_result or tensor.requires_grad or tensor.dim() == 0:
                continue
            if slot in _INPUT_SLOTS and missing:
                raw.edges[missing.pop(0)] = (self._add_tensor(tensor, constant=True), 0)
            elif slot in _INDEX_SLOTS or (slot == "indices" and name.startswith(("Embedding", "Index"))):
                raw.edges.append((self._add_tensor(tensor, constant=True), 0))

    # --- numbering

    def numbered(self, roots: list[tuple[int, int]]) -> Reading:
        """Forward order: the engine's backwards, each constant just before its first user."""
        edges = [[s if s is not None and not self.raw[s].constant else None for s, _ in raw.edges] for raw in self.raw]
        starts = [number for number, _ in roots if not self.raw[number].constant]
        order = engine_order([raw.sequence for raw in self.raw], edges, starts)
        forward: dict[int, int] = {}
        for number in reversed(order):
            for source, _ in self.raw[number].edges:
                if source is not None and self.raw[source].constant:
                    forward.setdefault(source, len(forward))
            forward[number] = len(forward)
        for number, _ in roots:
            forward.setdefault(number, len(forward))  # constants that were asked for
        nodes = [self._finished(self.raw[number], index, forward) for number, index in forward.items()]
        return Reading(nodes, [(forward[n], output) for n, output in roots], [forward[n] for n in order])

    def _finished(self, raw: _Raw, index: int, forward: dict[int, int]) -> GraphNode:
        if raw.tensor is not None:
            return self._finished_tensor(raw.tensor, raw.constant, index)
        node = raw.node
        assert node is not None
        retained = set(_core._retained_outputs(node))
        outputs = tuple(
            Output(
                tuple(meta.shape),
                _dtype_text(meta.dtype),
                _bytes(meta.shape, meta.dtype),
                self._output_names.get((id(node), number)),
                number in retained,
            )
            for number, meta in enumerate(node._input_metadata)
        )
        name = node.name().removeprefix("torch::autograd::")
        return GraphNode(
            index,
            "operation",
            name,
            operation_name(name),
            tuple(Input(None if source is None else forward[source], output) for source, output in raw.edges),
            outputs,
            tuple(self._saved(slot, outputs) for slot in raw.slots),
            released=_core._is_released(node),
            sequence=raw.sequence,
            place=_core._place(node),
            custom=_is_users(getattr(type(node), "_forward_cls", None)),
        )

    def _finished_tensor(self, tensor: Tensor, constant: bool, index: int) -> GraphNode:
        output = Output(tuple(tensor.shape), _dtype_text(tensor.dtype), tensor.nbytes, self.names.get(id(tensor)))
        grad = None if constant else tensor.grad
        return GraphNode(
            index,
            "constant" if constant else "leaf",
            "" if constant else "AccumulateGrad",
            "",
            (),
            (output,),
            sequence=_LEAF_SEQUENCE,
            grad_bytes=0 if grad is None else grad.nbytes,
            stop=self._reason(tensor) if constant else None,
            place=_core._place(tensor),
        )

    def _saved(self, slot: tuple[Any, ...], outputs: tuple[Output, ...]) -> Saved:
        name, tensor, version, is_result, packed = slot
        if tensor is None or packed:
            return Saved(name, None, None, None, 0, 0, is_result, False)
        storage = tensor.untyped_storage()
        if is_result:
            user_name = outputs[tensor.output_nr].name if tensor.output_nr < len(outputs) else None
        else:
            user_name = self.names.get(id(tensor)) or self._output_names.get((id(tensor.grad_fn), tensor.output_nr))
        return Saved(
            name,
            user_name,
            tuple(tensor.shape),
            _dtype_text(tensor.dtype),
            self.storages.setdefault(storage._cdata, len(self.storages) + 1),
            storage.nbytes(),
            is_result,
            storage._cdata in self._leaf_storages,
            tensor._version - version,
        )

    # --- what is known of tensors beside the graph

    @cached_property
    def _output_names(self) -> dict[tuple[int, int], str]:
        """Names of results: by id of their node, and which output they are."""
        named = [t for t in self.live if id(t) in self.names and t.grad_fn is not None]
        return {(id(t.grad_fn), t.output_nr): self.names[id(t)] for t in reversed(named)}

    @cached_property
    def _leaf_storages(self) -> set[int]:
        leaves = [raw.tensor for raw in self.raw if raw.tensor is not None and not raw.constant]
        leaves += [t for t in self.live if t.is_leaf and self._is_parameter(t)]
        return {tensor.untyped_storage()._cdata for tensor in leaves}

    @cached_property
    def _tracked_storages(self) -> set[int]:
        return {t.untyped_storage()._cdata for t in self.live if t.requires_grad}

    def _reason(self, tensor: Tensor) -> str:
        """Why no gradient flows into ``tensor``, as far as can be known."""
        if not (tensor.is_floating_point() or tensor.is_complex()):
            return INTEGER
        if self._is_parameter(tensor):
            return FROZEN
        if tensor.untyped_storage()._cdata in self._tracked_storages:
            return DETACHED
        return NO_GRAD if _core._creation(tensor) == "no_grad" else DATA

    def _is_parameter(self, tensor: Tensor) -> bool:
        loaded = sys.modules.get("leafgrad.nn.parameter")  # where it is not loaded, no Parameter exists
        return id(tensor) in self.parameters or (loaded is not None and isinstance(tensor, loaded.Parameter))


def _is_users(function: type | None) -> bool:
    """Is it an autograd.Function, and not one of leafgrad's own?"""
    return function is not None and not function.__module__.startswith("leafgrad.")


def _dtype_text(dtype: Any) -> str:
    return str(dtype).rpartition(".")[2]


def _bytes(shape: Sequence[int], dtype: Any) -> int:
    count = int(dtype.itemsize)
    for size in shape:
        count *= size
    return count
