"""In which order the engine would run the nodes of a graph.

The engine keeps the nodes whose users have all run in a heap by sequence number (core/autograd/engine.cpp). Leaves all
have the highest number, so which of two ready leaves comes first is up to the heap: the two functions of the C++
library are written out here, so that the order is the engine's also where numbers are equal.
"""

from __future__ import annotations

from collections.abc import Sequence

Edges = Sequence[Sequence[int | None]]


def engine_order(sequences: Sequence[int], edges: Edges, roots: Sequence[int]) -> list[int]:
    """Numbers of the nodes in the order in which backward from ``roots`` runs them.

    ``sequences[i]`` is node i's sequence number; ``edges[i]`` are the nodes of its inputs, None where
    no gradient flows.
    """
    users = _count_users(edges, roots)
    ready: list[int] = []
    for root in roots:
        if users[root] == 0 and root not in ready:
            _push(ready, root, sequences)
    order = []
    while ready:
        node = _pop(ready, sequences)
        order.append(node)
        for source in edges[node]:
            if source is None:
                continue
            users[source] -= 1
            if users[source] == 0:
                _push(ready, source, sequences)
    return order


def _count_users(edges: Edges, roots: Sequence[int]) -> dict[int, int]:
    users = {root: 0 for root in roots}
    stack = list(users)
    while stack:
        for source in edges[stack.pop()]:
            if source is None:
                continue
            if source not in users:
                users[source] = 0
                stack.append(source)
            users[source] += 1
    return users


def _push(heap: list[int], node: int, sequences: Sequence[int]) -> None:
    heap.append(node)
    _sift_up(heap, len(heap) - 1, node, sequences)


def _sift_up(heap: list[int], hole: int, node: int, sequences: Sequence[int]) -> None:
    while hole > 0 and sequences[heap[(hole - 1) // 2]] < sequences[node]:
        heap[hole] = heap[(hole - 1) // 2]
        hole = (hole - 1) // 2
    heap[hole] = node


def _pop(heap: list[int], sequences: Sequence[int]) -> int:
    """The top. The hole it leaves sinks along the greater children, and the last node rises from the bottom."""
    top, node = heap[0], heap.pop()
    size = len(heap)
    if size == 0:
        return top
    hole = child = 0
    while child < (size - 1) // 2:
        child = 2 * child + 2
        if sequences[heap[child]] < sequences[heap[child - 1]]:
            child -= 1
        heap[hole] = heap[child]
        hole = child
    if size % 2 == 0 and child == (size - 2) // 2:
        heap[hole] = heap[2 * child + 1]
        hole = 2 * child + 1
    _sift_up(heap, hole, node, sequences)
    return top
