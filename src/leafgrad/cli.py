"""The command line, ``python -m leafgrad`` or ``leafgrad``.

A subcommand is one function that takes the parsed arguments, and a few lines in `_parser`.  The exception is `run`,
which takes its words as they are, since whatever follows a program's name belongs to that program.  It behaves as
``python`` itself would: the same ``sys.argv``, ``sys.path[0]``, ``__main__``, traceback and exit status, while
``import torch`` means leafgrad.  See docs/design/run_command.md.
"""

from __future__ import annotations

import argparse
import builtins
import os
import runpy
import sys
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, NoReturn

import leafgrad

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = """\
examples:
  python -m leafgrad run train.py --epochs 3     run a program that says `import torch`
  python -m leafgrad run -m package.train        the same for a module
  python -m leafgrad run -m pytest tests         a test suite written for torch, against leafgrad
  python -m leafgrad run -c 'import torch; print(torch.ones(2))'
"""


def main(argv: list[str] | None = None) -> None:
    """Do what the words after ``leafgrad`` say; those of this process where `argv` is not given."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == ["run"] and words[1:2] not in (["-h"], ["--help"]):
        _run(words[1:])
    else:
        arguments = _parser().parse_args(words)
        arguments.command(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="leafgrad",
        description="Automatic differentiation with PyTorch's names and leaf-tensor semantics.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"leafgrad {leafgrad.__version__}")
    commands = parser.add_subparsers(metavar="command", required=True)
    commands.add_parser(
        "run",
        help="run a Python program with leafgrad under the name torch",
        usage="leafgrad run (script.py | -m module | -c code | -) [argument ...]",
        description="Run a Python program, unchanged, with leafgrad under the name torch.",
    )
    return parser


# --- run -------------------------------------------------------------------------------------------------------------


def _run(words: list[str]) -> None:
    match words:
        case ["-m", module, *rest]:
            _prepare(module, rest, path=os.getcwd())
            _run_through_runpy(lambda: runpy.run_module(module, run_name="__main__", alter_sys=True))
        case ["-c", code, *rest]:
            _prepare("-c", rest, path="")
            _run_source(code, "<string>")
        case ["-", *rest]:
            _prepare("-", rest, path="")
            _run_source(sys.stdin.buffer.read(), "<stdin>")
        case [script, *rest] if not script.startswith("-"):
            _run_file(script, rest)
        case _:
            _fail("run: name a script, -m module, -c code, or - for standard input", status=2)


def _run_file(script: str, rest: list[str]) -> None:
    if os.path.isdir(script) or script.endswith((".zip", ".pyz")):
        _prepare(script, rest, path=script)
        _run_through_runpy(lambda: runpy.run_path(script, run_name="__main__"))
        return
    try:
        source = Path(script).read_bytes()
    except OSError as error:
        _fail(f"can't open file {script!r}: {error.strerror}", status=2)
    _prepare(script, rest, path=os.path.dirname(os.path.realpath(script)))
    _run_source(source, os.path.abspath(script))


def _prepare(program: str, rest: list[str], path: str) -> None:
    """Set what a program sees of how it was started, and let it find leafgrad as torch."""
    sys.argv[:] = [program, *rest]
    if not sys.flags.safe_path:  # under -P Python itself makes no such entry
        sys.path[0] = path
    leafgrad.install_as_torch()


def _run_source(source: str | bytes, filename: str) -> None:
    """Execute `source` as ``__main__``, in a module that stays: exit handlers and pickle look there."""
    module = ModuleType("__main__")
    module.__dict__["__builtins__"] = builtins
    if filename != "<string>":  # code from the command line is the one kind that has no __file__
        module.__file__ = filename
    sys.modules["__main__"] = module
    _guard(lambda: exec(compile(source, filename, "exec", dont_inherit=True), module.__dict__))


def _run_through_runpy(program: Callable[[], object]) -> None:
    try:
        _guard(program)
    except ImportError as error:
        # Without a frame of the program it is runpy that speaks: there is no such module to run.
        if _program_part(error.__traceback__) is None:
            _fail(str(error), status=1)
        raise


def _guard(program: Callable[[], object]) -> None:
    """Call `program`; an exception that leaves it is shown without the frames that led there."""
    try:
        program()
    except BaseException as error:
        # Raising again adds our frames again, so they are dropped where the traceback is shown.  Everything else about
        # the end of a program (SystemExit, Ctrl-C, exit handlers) then happens as Python does it.
        show, traceback = sys.excepthook, _program_part(error.__traceback__)

        def hook(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
            show(kind, error.with_traceback(traceback), traceback)

        sys.excepthook = hook
        raise


def _program_part(traceback: TracebackType | None) -> TracebackType | None:
    """`traceback` from the program's first frame on; None where the program had not started."""
    ours = (__file__, "<frozen runpy>", runpy.__file__)
    while traceback is not None and traceback.tb_frame.f_code.co_filename in ours:
        traceback = traceback.tb_next
    return traceback


def _fail(message: str, status: int) -> NoReturn:
    print(f"leafgrad: {message}", file=sys.stderr)
    raise SystemExit(status)
