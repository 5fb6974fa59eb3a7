"""Tables: with `rich` in a terminal where that is installed, as plain columns everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from leafgrad.lens.shares import text_table

Rows = Sequence[Sequence[str]]


def show(title: str, heads: Sequence[str], rows: Rows, figures: bool = False) -> None:
    """Print a table; with `figures` all columns but the first stand at the right."""
    if not (sys.stdout.isatty() and _show_rich(title, heads, rows, figures)):
        print(text_table(title, heads, rows, figures))


def _show_rich(title: str, heads: Sequence[str], rows: Rows, figures: bool) -> bool:
    try:
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ModuleNotFoundError:
        return False
    table = Table(title=Text(title, style="bold"), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if figures and i else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # a Text: brackets in it are no markup
    Console().print(table)
    return True
