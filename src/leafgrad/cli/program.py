"""Starting a Python program as ``python`` would, with leafgrad under the name torch.

The program sees the same ``sys.argv``, ``sys.path[0]`` and ``__main__``, and its exception leaves with the traceback
that Python would show.  See docs/design/run_command.md.
"""

from __future__ import annotations

import builtins
import os
import runpy
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

import leafgrad

if TYPE_CHECKING:
    from collections.abc import Callable

_HERE = os.path.dirname(__file__)


def fail(message: str, status: int) -> NoReturn:
    """End with one line on standard error: a mistake of the user has no traceback."""
    print(f"leafgrad: {message}", file=sys.stderr)
    raise SystemExit(status)


@dataclass(frozen=True)
class Source:
    """A program whose text is at hand."""

    text: str | bytes
    filename: str  # as a traceback shows it
    program: str  # sys.argv[0]
    path: str  # sys.path[0]

    def execute(self, arguments: list[str], namespace: dict[str, Any] | None = None) -> None:
        """Run it as ``__main__`` with `arguments`; its names are found in `namespace` afterwards if that is given."""
        prepare(self.program, arguments, self.path)
        main = _new_main(self.filename)
        code = compile(self.text, self.filename, "exec", dont_inherit=True)
        try:
            exec(code, main.__dict__)
        finally:
            if namespace is not None:
                namespace.update(main.__dict__)


def source_of(words: list[str]) -> tuple[Source, list[str]] | None:
    """The source that `words` name, and the program's own words; None if they name none."""
    match words:
        case ["-c", code, *rest]:
            return Source(code, "<string>", "-c", ""), rest
        case ["-", *rest]:
            return Source(sys.stdin.buffer.read(), "<stdin>", "-", ""), rest
        case [script, *rest] if not script.startswith("-"):
            try:
                text = Path(script).read_bytes()
            except OSError as error:
                fail(f"can't open file {script!r}: {error.strerror}", status=2)
            return Source(text, os.path.abspath(script), script, os.path.dirname(os.path.realpath(script))), rest
    return None


def start(words: list[str]) -> None:
    """Run the program that `words` name to its end, be it a source, a module, a directory or an archive."""
    match words:
        case ["-m", module, *rest]:
            prepare(module, rest, path=os.getcwd())
            _run_through_runpy(lambda: runpy.run_module(module, run_name="__main__", alter_sys=True))
        case [script, *rest] if os.path.isdir(script) or script.endswith((".zip", ".pyz")):
            prepare(script, rest, path=script)
            _run_through_runpy(lambda: runpy.run_path(script, run_name="__main__"))
        case _:
            if (found := source_of(words)) is None:
                fail("run: name a script, -m module, -c code, or - for standard input", status=2)
            source, rest = found
            _guard(lambda: source.execute(rest))


def prepare(program: str, rest: list[str], path: str) -> None:
    """Set what a program sees of how it was started, and let it find leafgrad as torch."""
    sys.argv[:] = [program, *rest]
    if not sys.flags.safe_path:  # under -P Python itself makes no such entry
        sys.path[0] = path
    leafgrad.install_as_torch()


def program_part(traceback: TracebackType | None) -> TracebackType | None:
    """`traceback` from the program's first frame on; None where the program had not started."""
    while traceback is not None and _is_ours(traceback.tb_frame.f_code.co_filename):
        traceback = traceback.tb_next
    return traceback


def _is_ours(filename: str) -> bool:
    return filename in ("<frozen runpy>", runpy.__file__) or os.path.dirname(filename) == _HERE


def _new_main(filename: str) -> ModuleType:
    """A ``__main__`` that stays: exit handlers and pickle look there."""
    module = ModuleType("__main__")
    module.__dict__["__builtins__"] = builtins
    if filename != "<string>":  # code from the command line is the one kind that has no __file__
        module.__file__ = filename
    sys.modules["__main__"] = module
    return module


def _run_through_runpy(program: Callable[[], object]) -> None:
    try:
        _guard(program)
    except ImportError as error:
        # Without a frame of the program it is runpy that speaks: there is no such module to run.
        if program_part(error.__traceback__) is None:
            fail(str(error), status=1)
        raise


def _guard(program: Callable[[], object]) -> None:
    """Call `program`; an exception that leaves it is shown without the frames that led there."""
    try:
        program()
    except BaseException as error:
        # Raising again adds our frames again, so they are dropped where the traceback is shown.  Everything else about
        # the end of a program (SystemExit, Ctrl-C, exit handlers) then happens as Python does it.
        show, traceback = sys.excepthook, program_part(error.__traceback__)

        def hook(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
            show(kind, error.with_traceback(traceback), traceback)

        sys.excepthook = hook
        raise
