"""Columns of a layered drawing: how far to the right each item of a layer stands.

igraph says in which order the items of a layer stand; neighbours that cross fewer arrows the other way round then
change places. Its own positions allow for one width only, and can put two boxes of a layer on one spot; so they only
begin here. Sweeps down and up pull each item to the mean of what it is joined to, and in each layer the nearest
positions that leave room for every width are taken (isotonic regression).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from itertools import pairwise

_SWEEPS = 24
_EXCHANGES = 40_000  # items to be looked at in all: large drawings get fewer sweeps
_STRAIGHT = 8.0  # how much more an arrow wants to run straight down where it passes layers


def center_items(
    at: Sequence[tuple[float, int]], widths: Sequence[float], chains: Sequence[Sequence[int]], gap: float
) -> list[float]:
    """The center of each item, the leftmost edge at 0.

    ``at`` has for each item where igraph puts it and its layer; each of ``chains`` is an arrow: box, items, box.
    """
    rows: list[list[int]] = [[] for _ in range(max(layer for _, layer in at) + 1)]
    for item, (_, layer) in enumerate(at):
        rows[layer].append(item)
    above: list[list[tuple[int, float]]] = [[] for _ in at]
    below: list[list[tuple[int, float]]] = [[] for _ in at]
    for chain in chains:
        for i, (upper, lower) in enumerate(pairwise(chain)):
            weight = _STRAIGHT if 0 < i < len(chain) - 2 else 1.0
            above[lower].append((upper, weight))
            below[upper].append((lower, weight))
    for row in rows:  # where igraph leaves no order, that of the items above
        row.sort(key=lambda item: (at[item][0], sum(at[i][0] for i, _ in above[item]) / (len(above[item]) or 1)))
    _uncross(rows, [[i for i, _ in joined] for joined in above], [[i for i, _ in joined] for joined in below])
    unit = max(widths) + gap
    centers = [0.0] * len(at)
    for row in rows:  # what changed places takes the other's position
        for item, x in zip(row, sorted(at[item][0] for item in row), strict=True):
            centers[item] = x * unit
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 1  # the last one, too: then what hangs in a chain is straight
        for row in rows if down else reversed(rows):
            _settle(row, [above[i] if down else below[i] for i in row], centers, widths, gap)
    left = min(center - width / 2 for center, width in zip(centers, widths, strict=True))
    return [center - left for center in centers]


def _uncross(rows: list[list[int]], above: Sequence[Sequence[int]], below: Sequence[Sequence[int]]) -> None:
    """Exchange neighbours in a layer for as long as that takes crossings away.

    A sweep down looks only at the arrows from above, so that a crossing moves down a pair of chains until it is gone
    where they meet; a sweep up the other way round. What had the fewest crossings in all is kept.
    """
    order = {item: i for row in rows for i, item in enumerate(row)}
    best, fewest = [list(row) for row in rows], _crossings(rows, below, order)
    sweeps = min(_SWEEPS, max(4, _EXCHANGES // len(order)))
    for sweep in range(sweeps if fewest else 0):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            _exchange(row, above if down else below, order)
        if (count := _crossings(rows, below, order)) < fewest:
            best, fewest = [list(row) for row in rows], count
    rows[:] = best


def _exchange(row: list[int], joined: Sequence[Sequence[int]], order: dict[int, int]) -> None:
    for _ in range(len(row)):
        changed = False
        for i in range(len(row) - 1):
            left, right = row[i], row[i + 1]
            pairs = [(order[a], order[b]) for a in joined[left] for b in joined[right]]
            if sum(a > b for a, b in pairs) > sum(a < b for a, b in pairs):
                row[i], row[i + 1] = right, left
                order[left], order[right] = i + 1, i
                changed = True
        if not changed:
            break


def _crossings(rows: Sequence[Sequence[int]], below: Sequence[Sequence[int]], order: dict[int, int]) -> int:
    count = 0
    for row in rows:
        passed: list[int] = []  # where the arrows from further left end
        for item in row:
            ends = sorted(order[target] for target in below[item])
            count += sum(len(passed) - bisect_right(passed, end) for end in ends)
            for end in ends:
                insort(passed, end)
    return count


def _settle(
    row: Sequence[int],
    joined: Sequence[Sequence[tuple[int, float]]],
    centers: list[float],
    widths: Sequence[float],
    gap: float,
) -> None:
    """Move the items of a layer as near as they can come to the means of what they are joined to."""
    offsets = [0.0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + (widths[left] + widths[right]) / 2 + gap)
    # Pools of neighbours that touch: the weighted mean of their wishes, their weight, their number.
    pools: list[tuple[float, float, int]] = []
    for item, others, offset in zip(row, joined, offsets, strict=True):
        weight = sum(w for _, w in others)
        wish = sum(centers[i] * w for i, w in others) / weight if weight else centers[item]
        mean, weight, count = wish - offset, weight or 0.1, 1
        while pools and pools[-1][0] > mean:
            other_mean, other_weight, other_count = pools.pop()
            mean = (mean * weight + other_mean * other_weight) / (weight + other_weight)
            weight, count = weight + other_weight, count + other_count
        pools.append((mean, weight, count))
    i = 0
    for mean, _, count in pools:
        for _ in range(count):
            centers[row[i]] = mean + offsets[i]
            i += 1
