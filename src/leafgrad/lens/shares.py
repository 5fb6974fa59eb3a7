"""Parts of a whole, in bytes and buffers, and their tables as text: what the memory views of the lens print."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .history import bytes_text
from .places import Place, place_text, source_line

MOST_ROWS = 10  # of a table; the rest is one row
_MOST_SOURCE = 60  # characters of a source line beside its place


class Share(NamedTuple):
    """A part of the memory."""

    bytes: int
    buffers: int


Shares = dict[str, Share]
Table = tuple[str, list[str], list[list[str]]]  # title, heads, rows; the first column is text, the others figures


def shares(pairs: Iterable[tuple[str | None, int]]) -> Shares:
    """Sums pairs (name, bytes) by name, the greatest first; those without a name are left out."""
    sizes: dict[str, int] = defaultdict(int)
    numbers: dict[str, int] = defaultdict(int)
    for name, size in pairs:
        if name is not None:
            sizes[name] += size
            numbers[name] += 1
    greatest_first = sorted(sizes, key=lambda name: (-sizes[name], name))
    return {name: Share(sizes[name], numbers[name]) for name in greatest_first}


def total(parts: Iterable[Share]) -> Share:
    sizes = list(parts)
    return Share(sum(part.bytes for part in sizes), sum(part.buffers for part in sizes))


def row(name: str, share: Share) -> list[str]:
    return [name, bytes_text(share.bytes), str(share.buffers)]


def table(title: str, head: str, of: Shares) -> Table:
    """At most MOST_ROWS rows and one for the rest."""
    rows = [row(name, share) for name, share in list(of.items())[:MOST_ROWS]]
    rest = list(of.values())[MOST_ROWS:]
    if rest:
        rows.append(row(f"{len(rest)} more", total(rest)))
    return title, [head, "bytes", "buffers"], rows


def byte_unit(count: int) -> tuple[str, int]:
    """The unit in which that many bytes are best drawn, and its size."""
    power = min((max(count, 1).bit_length() - 1) // 10, 3)
    return ("bytes", "KiB", "MiB", "GiB")[power], 1024**power


def place_name(place: Place | None) -> str | None:
    """``file:line  source``: how a line is named in tables."""
    if place is None:
        return None
    source = source_line(place) or ""
    if len(source) > _MOST_SOURCE:
        source = source[: _MOST_SOURCE - 3] + "..."
    return f"{place_text(place)}  {source}".rstrip()


def text_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], figures: bool = True) -> str:
    """Columns under their heads, two spaces apart; all but the first at the right, if they are figures."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        pairs = zip(cells, widths, strict=True)
        return "  ".join(cell.rjust(w) if figures and i else cell.ljust(w) for i, (cell, w) in enumerate(pairs))

    return "\n".join([title, *("  " + line(cells).rstrip() for cells in (heads, *rows))])
