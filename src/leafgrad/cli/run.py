"""``leafgrad run``: a program that says ``import torch``, started as ``python`` would start it."""

from __future__ import annotations

from leafgrad.cli.program import start

HELP = "run a Python program with leafgrad under the name torch"
USAGE = "leafgrad run (script.py | -m module | -c code | -) [argument ...]"
DESCRIPTION = "Run a Python program, unchanged, with leafgrad under the name torch."


def run(words: list[str]) -> None:
    """Run the program that `words` name; it ends as the program does."""
    start(words)
