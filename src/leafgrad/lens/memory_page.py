"""The page that `Memory.to_html` and `Trace.to_html` write: one file that needs nothing else, light and dark."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from .timeline import curve_svg

if TYPE_CHECKING:
    import os

    from .memory import Memory
    from .trace import Trace

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --paper: #fff; --line: #d5dae2; --faint: #596273; --curve: #2a78d6 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ef; --paper: #14181f; --line: #353d4b; --faint: #9aa5b8; --curve: #5aa2f5 }
}
body { color: var(--ink); background: var(--paper); font: 15px/1.5 system-ui, sans-serif; max-width: 54rem;
  margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap;
  font-variant-numeric: tabular-nums }
th:first-child, td:first-child { text-align: left; white-space: pre-wrap; overflow-wrap: anywhere }
th { color: var(--faint); font-weight: 600 } tr:last-child.sum td { font-weight: 600 }
svg { width: 100%; height: auto } p { color: var(--faint) }
"""


def write_page(path: str | os.PathLike[str], memory: Memory | None, trace: Trace | None) -> None:
    """Write what there is of both, the live memory first."""
    parts = ["<h1>leafgrad: where the memory goes</h1>"]
    if memory is not None:
        parts.extend(_table(*each) for each in memory.tables())
    if trace is not None:
        parts.append(f"<h2>Over time</h2>\n<p>{escape(trace.summary())}; backward is shaded.</p>")
        parts.append(curve_svg(trace.timeline()))
        kinds, lines = trace.tables()
        parts.extend(_table(*each) for each in ((lines,) if memory is not None else (kinds, lines)))
    page = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>leafgrad memory</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )
    Path(path).write_text(page, encoding="utf-8")


def _table(title: str, heads: list[str], rows: list[list[str]]) -> str:
    """One of `Table`'s, whose first column is text."""
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in heads)
    body = "".join(_row(cells) for cells in rows)
    title = title[:1].upper() + title[1:]
    return f"<h2>{escape(title)}</h2>\n<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"


def _row(cells: list[str]) -> str:
    kind = ' class="sum"' if cells[0] == "together" else ""
    return f"<tr{kind}>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>\n"
