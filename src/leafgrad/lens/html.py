"""Tables for notebooks: what `_repr_html_` of the lens's objects is made of."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape as escape


def table(rows: Iterable[Iterable[object]], head: Iterable[object] = (), caption: str = "") -> str:
    """An HTML table. Every cell is escaped, and keeps its line breaks; text stands at the left."""
    parts = ['<table style="text-align: left">']
    if caption:
        parts.append(f'<caption style="text-align: left">{escape(caption)}</caption>')
    if titles := "".join(f'<th style="text-align: left">{escape(str(title))}</th>' for title in head):
        parts.append(f"<thead><tr>{titles}</tr></thead>")
    cell = '<td style="text-align: left; white-space: pre-wrap">{}</td>'
    body = ("<tr>" + "".join(cell.format(escape(str(value))) for value in row) + "</tr>" for row in rows)
    return "\n".join([*parts, "<tbody>", *body, "</tbody>", "</table>"])
