"""Runs the code of the guide's pages, and writes below each block what it prints.

    python tools/guide.py --check docs/guide/en/memory.md     say which blocks print something else than the page shows
    python tools/guide.py docs/guide/*/*.md                   write what they print into the pages

Blocks of one page share a namespace.  A block's output is what it prints, its warnings and the exception that ends it,
as ``Class: message``; it stands in a block of its own, marked ``text``.  tests/test_docs.py compares: spaces and line
ends do not count, and ``...`` stands for anything.  A fence may name the file that the lines of a block belong to,
``python title="train.py"``.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import linecache
import re
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path
from typing import Any, NamedTuple

_BLOCK = re.compile(
    r'^```python(?: title="(?P<file>[^"]+)")?\n(?P<code>.*?)^```\n(?:\n```text\n(?P<shown>.*?)^```\n)?',
    re.MULTILINE | re.DOTALL,
)
_WIDTH = 96  # of messages on a page; tables are as wide as they are


class Block(NamedTuple):
    """A block of code and the text below it; that is empty where there is none."""

    file: str
    code: str
    shown: str


def blocks(page: Path) -> list[Block]:
    """The blocks of a page."""
    return [Block(m["file"] or "example.py", m["code"], m["shown"] or "") for m in _BLOCK.finditer(page.read_text())]


def outputs(page: Path) -> list[str]:
    """What each block of a page prints."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    return [_output(block, namespace) for block in blocks(page)]


def same(shown: str, printed: str) -> bool:
    """Is that what the page shows?"""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(shown, printed, flags)


def _output(block: Block, namespace: dict[str, Any]) -> str:
    output = io.StringIO()
    lines = block.code.splitlines(keepends=True)
    linecache.cache[block.file] = len(block.code), None, lines, block.file  # for tracebacks, and lines that are named
    with warnings.catch_warnings(), contextlib.redirect_stdout(output):
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, category, *_: print(_message(category, message))
        try:
            exec(compile(block.code, block.file, "exec"), namespace)
        except Exception as error:
            print(_message(type(error), error))
    return output.getvalue()


def _message(kind: type, text: object) -> str:
    lines = textwrap.TextWrapper(_WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return lines.fill(f"{kind.__name__}: {text}")


def _write(page: Path) -> None:
    """Put the outputs in their places; one that leaves something open (``...``) and fits stays."""
    found = iter(outputs(page))

    def with_output(match: re.Match[str]) -> str:
        printed, shown = next(found), match["shown"]
        if not printed.strip() or ("..." in (shown or "") and same(shown, printed)):
            return match[0]
        fence = match[0].partition("\n")[0]
        return f"{fence}\n{match['code']}```\n\n```text\n{printed.rstrip()}\n```\n"

    page.write_text(_BLOCK.sub(with_output, page.read_text()))


def _check(page: Path) -> list[str]:
    """A line for each block whose output is not the one shown."""
    pairs = zip(blocks(page), outputs(page), strict=True)
    return [
        f"{page.name}:\n{textwrap.indent(block.code, '    ')}shows\n{block.shown}but prints\n{printed}"
        for block, printed in pairs
        if not same(block.shown, printed)
    ]


def _main(words: list[str]) -> int:
    check, names = words[:1] == ["--check"], [word for word in words if word != "--check"]
    if len(names) > 1:  # a process for each page: its memory is counted
        runs = [[sys.executable, __file__, *words[:check], name] for name in names]
        return max(subprocess.run(run).returncode for run in runs)
    page = Path(names[0])
    if not check:
        _write(page)
    elif differences := _check(page):
        print("\n\n".join(differences), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
