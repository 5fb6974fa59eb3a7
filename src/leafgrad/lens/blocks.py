"""Finds repeated blocks of a graph: the layers of a network, the steps of a recurrence.

Each operation, taken in forward order, gets a signature: its kind, its shapes, and where its inputs come from, an
operation being named by how far back it is. Layers that repeat then give equal stretches that follow one another, and
such a stretch is found by comparing the list of signatures with itself, shifted by the length of a block.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .graph_nodes import GraphNode

_LONGEST = 1000  # operations in a block
_MANY_OPERATIONS = 8  # a block that occurs only twice must be long
_LEAST_SAVED = 4  # operations not drawn: below it a frame is no help


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of operations that occurs ``times`` times in a row."""

    operations: tuple[tuple[int, ...], ...]  # numbers of the nodes, one tuple for each time

    @property
    def times(self) -> int:
        return len(self.operations)

    @property
    def length(self) -> int:
        return len(self.operations[0])


def repeated_blocks(nodes: Sequence[GraphNode]) -> list[Block]:
    """The blocks that save most when drawn once; no two share an operation. In forward order."""
    return _Search(nodes).blocks()


class _Search:
    def __init__(self, nodes: Sequence[GraphNode]) -> None:
        self.nodes = nodes
        self.operations = [node for node in nodes if node.kind == "operation"]
        self.position = {node.index: i for i, node in enumerate(self.operations)}
        self.users = Counter(source.node for node in nodes for source in node.inputs if source.node is not None)
        numbers: dict[Any, int] = {}
        signatures = (self._signature(i) for i in range(len(self.operations)))
        self.signatures = np.array([numbers.setdefault(s, len(numbers)) for s in signatures], dtype=np.int64)

    def blocks(self) -> list[Block]:
        taken = np.zeros(len(self.operations), dtype=bool)
        found = []
        # What saves most comes first: a stretch of the shortest block, since longer ones cover no more.
        for start, stop, period in sorted(self._stretches(), key=lambda s: (s[2] - (s[1] - s[0]), s[2], s[0])):
            if taken[start:stop].any():
                continue
            first, times = self._best_phase(start, stop, period)
            stop = first + period * times
            enough = (times > 2 or period >= _MANY_OPERATIONS) and (times - 1) * period >= _LEAST_SAVED
            if enough and not taken[first:stop].any():
                taken[first:stop] = True
                found.append((first, period, times))
        return [self._block(*one) for one in sorted(found)]

    def _block(self, start: int, period: int, times: int) -> Block:
        rows = (range(start + t * period, start + (t + 1) * period) for t in range(times))
        return Block(tuple(tuple(self.operations[i].index for i in row) for row in rows))

    def _signature(self, i: int, block_start: int | None = None) -> tuple[Any, ...]:
        """Of operation ``i``; with ``block_start``, whatever comes from before the block counts as equal."""
        node = self.operations[i]
        inputs: list[Any] = []
        for source in node.inputs:
            given = None if source.node is None else self.nodes[source.node]
            if given is None or given.kind == "constant":
                inputs.append(None if block_start is None else "outside")
            elif given.kind == "operation":
                back = i - self.position[given.index]
                outside = block_start is not None and i - back < block_start
                inputs.append("outside" if outside else (back, source.output))
            elif self.users[given.index] > 1:
                inputs.append(("shared leaf", given.index))
            else:
                inputs.append(("leaf", given.outputs[0].shape, given.outputs[0].dtype))
        return (node.type, tuple((o.shape, o.dtype, o.retained) for o in node.outputs), tuple(inputs), len(node.saved))

    def _stretches(self) -> Iterator[tuple[int, int, int]]:
        """(start, stop, length of a block) of every stretch that repeats."""
        for period in range(1, min(len(self.operations) // 2, _LONGEST) + 1):
            equal = self.signatures[period:] == self.signatures[:-period]
            # Two blocks are needed at least, one of which may be found by the looser comparison.
            for start, stop in _runs(equal, min(period, _MANY_OPERATIONS)):
                yield start, stop + period, period

    def _best_phase(self, start: int, stop: int, period: int) -> tuple[int, int]:
        """Where in the stretch the first block begins, and how many there are: as many as can be, each with one
        layer's parameters, and from as early as can be."""
        best = (0, 0, 0)  # times, blocks that keep together, minus the start
        for first in range(start, min(start + period, stop - period + 1)):
            begin, times = first, (stop - first) // period
            if first >= period and self._alike(first - period, first, period):
                begin, times = first - period, times + 1
            best = max(best, (times, self._coherence(begin, period, times), -begin))
        return -best[2], best[0]

    def _alike(self, a: int, b: int, period: int) -> bool:
        """Do blocks at ``a`` and ``b`` differ only in what they are given? So a first layer may join the others."""
        pairs = ((self._signature(a + i, a), self._signature(b + i, b)) for i in range(period))
        return all(one == other for one, other in pairs)

    def _coherence(self, start: int, period: int, times: int) -> int:
        """How many of the first blocks have leaves of one numbered part of the model ("layers.3") only."""
        blocks = (self.parts[start + t * period : start + (t + 1) * period] for t in range(min(times, 4)))
        return sum(len(set().union(*block)) == 1 for block in blocks)

    @cached_property
    def parts(self) -> list[frozenset[str]]:
        """By operation: the numbered parts of the model that its leaves belong to."""
        return [
            frozenset(
                part[0]
                for source in node.inputs
                if source.node is not None and (part := re.match(r".*?\d+", self.nodes[source.node].name or ""))
            )
            for node in self.operations
        ]


def _runs(equal: np.ndarray, shortest: int) -> Iterator[tuple[int, int]]:
    """Start and stop of each stretch of True, of ``shortest`` or more."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], equal, [False])).astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    long = stops - starts >= shortest
    return zip(starts[long].tolist(), stops[long].tolist(), strict=True)
