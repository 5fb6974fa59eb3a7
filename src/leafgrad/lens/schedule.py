"""The backward pass as data: what each node reads, makes, frees and fills, and how many bytes are alive.

The model, in words. Each output of a node has one gradient buffer, of the output's size. It appears when the first
user of the output has run; later users add into it. The node reads its buffers when it runs and then they are freed,
except that ``retain_grad()`` keeps one. A leaf takes its buffer over as ``.grad``, or adds it to the ``.grad`` it has
and frees it. A saved tensor's memory goes when the last node that keeps it has run. Leaves' own memory is not counted.

What the model leaves out, so that the allocator's real figures can differ: rules that pass one buffer on to several
inputs (``add``) or give a view of it (``view``, ``sum``) need less than it says; rules that compute in several steps
need more for a moment; a custom Function may return None; a saved tensor that the program holds too outlives the graph.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .graph_nodes import GraphNode


@dataclass(frozen=True, slots=True)
class Buffer:
    """The gradient of output number ``output`` of node ``node``."""

    node: int
    output: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Step:
    """One node's run. Byte counts are those after it, except ``peak_bytes``."""

    node: int | None  # None: backward() puts the first gradients in place
    reads: tuple[Buffer, ...] = ()
    creates: tuple[Buffer, ...] = ()
    adds: tuple[Buffer, ...] = ()  # existed, and another user's gradient was added
    frees: tuple[Buffer, ...] = ()
    retains: tuple[Buffer, ...] = ()  # kept because of retain_grad()
    fills: int | None = None  # the leaf whose .grad is now filled
    releases: tuple[tuple[int, int], ...] = ()  # storages of saved tensors: number and bytes
    buffer_bytes: int = 0  # gradients that wait to be read
    leaf_bytes: int = 0  # .grad of leaves
    retained_bytes: int = 0  # gradients that retain_grad() kept
    saved_bytes: int = 0  # saved tensors of the nodes still to run
    peak_bytes: int = 0  # gradients of all kinds while the node ran: what it read and what it made together
    kept_bytes: int = 0  # gradients of all kinds if every non-leaf kept its own

    @property
    def gradient_bytes(self) -> int:
        """Gradients of all kinds."""
        return self.buffer_bytes + self.leaf_bytes + self.retained_bytes


def backward_steps(
    nodes: Sequence[GraphNode], order: Sequence[int], roots: Sequence[tuple[int, int]], retain_graph: bool = False
) -> list[Step]:
    """Backward from the outputs ``roots``, run in ``order``; first comes what ``backward()`` itself puts in place."""
    run = _Run(nodes, order, retain_graph)
    return [run.start(roots), *(run.step(nodes[number]) for number in order)]


class _Run:
    """What is alive between two steps."""

    def __init__(self, nodes: Sequence[GraphNode], order: Sequence[int], retain_graph: bool) -> None:
        self.nodes = nodes
        self.retain_graph = retain_graph
        self.waiting: dict[tuple[int, int], Buffer] = {}
        self.filled = {n.index for n in nodes if n.kind == "leaf" and n.grad_bytes}
        self.leaf_bytes = sum(n.grad_bytes for n in nodes)
        self.buffer_bytes = self.retained_bytes = 0
        self.forgotten_bytes = 0  # freed gradients of non-leaves
        self.holders = Counter(storage for number in order for storage in _storages(nodes[number]))
        self.saved_bytes = sum({s: b for number in order for s, b in _storages(nodes[number]).items()}.values())

    def start(self, roots: Sequence[tuple[int, int]]) -> Step:
        creates, adds = self._send([root for root in roots if self.nodes[root[0]].kind != "constant"])
        return Step(None, creates=creates, adds=adds, **self._counts(), peak_bytes=self._gradient_bytes())

    def step(self, node: GraphNode) -> Step:
        own = [(node.index, output) for output in range(len(node.outputs))]
        reads = tuple(self.waiting[output] for output in own if output in self.waiting)
        sources = [(x.node, x.output) for x in node.inputs if x.node is not None]
        creates, adds = self._send([s for s in sources if self.nodes[s[0]].kind != "constant"])
        peak = self._gradient_bytes()
        for buffer in reads:
            del self.waiting[buffer.node, buffer.output]
            self.buffer_bytes -= buffer.bytes
        retains: tuple[Buffer, ...] = ()
        if node.kind == "leaf":
            frees = self._fill(node, reads)
        else:
            frees = tuple(b for b in reads if not node.outputs[b.output].retained)
            retains = tuple(b for b in reads if node.outputs[b.output].retained)
            self.forgotten_bytes += sum(b.bytes for b in frees)
            self.retained_bytes += sum(b.bytes for b in retains)
        fills = node.index if node.kind == "leaf" else None
        released = self._release(node)
        return Step(
            node.index, reads, creates, adds, frees, retains, fills, released, **self._counts(), peak_bytes=peak
        )

    def _send(self, targets: Sequence[tuple[int, int]]) -> tuple[tuple[Buffer, ...], tuple[Buffer, ...]]:
        creates, adds = [], []
        for target in targets:
            if target in self.waiting:
                adds.append(self.waiting[target])
            else:
                node, output = target
                self.waiting[target] = Buffer(node, output, self.nodes[node].outputs[output].bytes)
                creates.append(self.waiting[target])
                self.buffer_bytes += creates[-1].bytes
        return tuple(creates), tuple(adds)

    def _fill(self, leaf: GraphNode, reads: tuple[Buffer, ...]) -> tuple[Buffer, ...]:
        """What is freed: nothing where the leaf takes the buffer over."""
        if leaf.index in self.filled:
            return reads
        self.filled.add(leaf.index)
        self.leaf_bytes += sum(b.bytes for b in reads)
        return ()

    def _release(self, node: GraphNode) -> tuple[tuple[int, int], ...]:
        if self.retain_graph:
            return ()
        released = []
        for storage, size in _storages(node).items():
            self.holders[storage] -= 1
            if not self.holders[storage]:
                released.append((storage, size))
                self.saved_bytes -= size
        return tuple(released)

    def _gradient_bytes(self) -> int:
        return self.buffer_bytes + self.leaf_bytes + self.retained_bytes

    def _counts(self) -> dict[str, Any]:
        return {
            "buffer_bytes": self.buffer_bytes,
            "leaf_bytes": self.leaf_bytes,
            "retained_bytes": self.retained_bytes,
            "saved_bytes": self.saved_bytes,
            "kept_bytes": self._gradient_bytes() + self.forgotten_bytes,
        }


def _storages(node: GraphNode) -> dict[int, int]:
    """Memory that ``node`` keeps for its rule, and that is no leaf's: number and bytes."""
    return {saved.storage: saved.bytes for saved in node.saved if saved.storage and not saved.of_leaf}
