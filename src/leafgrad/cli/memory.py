"""``leafgrad memory``: where a program's memory is and was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import leafgrad
from leafgrad.cli.inspected import add_program_arguments, inspect
from leafgrad.cli.output import writing
from leafgrad.cli.tables import show

if TYPE_CHECKING:
    import argparse

HELP = "run a program, then show what its memory is there for: leaves, gradients, saved tensors, others"
DESCRIPTION = """\
Run a program, then print what the memory of its tensors is there for, which operators and which lines of the program
made it, both when the program ends and at the moment of its peak.
"""
EXAMPLES = """\
examples:
  python -m leafgrad memory train.py                   tables
  python -m leafgrad memory train.py -o memory.html    the same as a page, with the curve over time
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this subcommand."""
    add_program_arguments(parser)
    parser.add_argument("-o", dest="output", metavar="FILE.html", help="write a page instead of printing tables")


def command(arguments: argparse.Namespace) -> int:
    """Run the program, print or write."""
    from leafgrad.lens.trace import Trace

    with writing(arguments.output, [".html"]) as output:
        with Trace() as trace:
            program = inspect(arguments)
            memory = leafgrad.memory()
        if output is not None:
            memory.to_html(output)
            return int(program.failed)
    print(trace.summary())
    _, *at_the_peak = trace.tables()  # the first one, of kinds, is a column of memory's
    for title, heads, rows in (*memory.tables(), *at_the_peak):
        print()
        show(title, heads, rows, figures=True)
    return int(program.failed)
