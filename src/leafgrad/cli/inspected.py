"""A program run under the leaf lens, and what is left when it has ended: its names, for the subcommands that look.

`inspect` runs it; an exception of the program is shown as Python shows it, and what there is by then can still be
looked at.  `ask` calls a function of the lens as if the program had called it, so that it finds the program's names.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

from leafgrad import Tensor
from leafgrad.cli.program import Source, fail, program_part, source_of

if TYPE_CHECKING:
    import argparse
    from types import FrameType

_T = TypeVar("_T")

USAGE = "leafgrad {} (script.py | -c code | -) [options] [-- argument of the script ...]"
AFTER = """
The options may stand before or after the script; all other words go to the script, and so does whatever follows --.

exit status: 0 fine, 1 {}the script failed, 2 wrong usage
"""


@dataclass
class Inspected:
    """What a program left behind."""

    program: str  # as it was named
    namespace: dict[str, Any]  # its global names, and those of the function that was asked for
    failed: bool

    def find(self, name: str) -> Any:
        """What `name`, which may be any expression (``losses[-1]``, ``model.head.weight``), is in the program."""
        try:
            return eval(name, self.namespace)
        except Exception as error:
            fail(f"{name!r} is not in {self.program}: {error}{self._near(name)}", status=2)

    def find_tensor(self, name: str) -> Tensor:
        """The tensor of that name."""
        value = self.find(name)
        if not isinstance(value, Tensor):
            fail(f"{name!r} in {self.program} is a {type(value).__name__}, not a tensor", status=2)
        return value

    def tensors(self) -> dict[str, Tensor]:
        """The tensors under their best names: variables, items of lists and dicts, parameters of modules."""
        from leafgrad.lens.names import tensors_in

        first: dict[int, tuple[str, Tensor]] = {}
        for name, tensor in tensors_in(self.namespace):
            first.setdefault(id(tensor), (name, tensor))
        return dict(first.values())

    def ask(self, function: Callable[..., _T], *arguments: Any, **options: Any) -> _T:
        """``function(*arguments, **options)``, called where the program's names are seen."""
        question: Callable[[], _T] = lambda: function(*arguments, **options)  # noqa: E731
        result: _T = eval("question()", self.namespace, {"question": question})
        return result

    def _near(self, name: str) -> str:
        tensors = list(self.tensors())
        near = difflib.get_close_matches(name, tensors, n=1)
        if near:
            return f". Did you mean {near[0]!r}?"
        return f". Its tensors are {', '.join(tensors[:12])}" if tensors else f". {self.why_empty()}"

    def why_empty(self) -> str:
        """What to do where nothing is found at the top level."""
        return f"{self.program} has no tensor among its global names when it ends{self.where_else()}"

    def where_else(self) -> str:
        """The functions of the program, in which what is missing at the top level may be."""
        values = list(self.namespace.items())
        own = [name for name, value in values if isinstance(value, FunctionType) and value.__module__ == "__main__"]
        return f". If it is in a function, name that with --in: {', '.join(own)}" if own else ""


def add_program_arguments(parser: argparse.ArgumentParser, findings: str = "") -> None:
    """What the subcommands that run a program have in common."""
    name = parser.prog.rpartition(" ")[2]
    parser.usage = USAGE.format(name)
    parser.epilog = f"{(parser.epilog or '').rstrip()}\n{AFTER.format(findings)}"
    parser.add_argument(
        "--in",
        dest="function",
        metavar="FUNCTION",
        help="look at the variables of this function of the script too, as they are when it last returns",
    )


def inspect(arguments: argparse.Namespace) -> Inspected:
    """Run the program that the words of the command line name."""
    name = arguments.name
    if (found := source_of(arguments.words)) is None:
        fail(f"{name}: name a script, -c code, or - for standard input", status=2)
    source, rest = found
    namespace: dict[str, Any] = {}
    variables = _Variables(arguments.function, source.filename) if arguments.function else None
    sys.setprofile(variables)
    try:
        failed = not _ends_well(source, rest, namespace)
    finally:
        sys.setprofile(None)
    if variables is not None:
        if variables.last is None:
            fail(f"{source.program} did not call a function {arguments.function!r} of its own", status=2)
        namespace.update(variables.last)
    return Inspected(source.program, namespace, failed)


class _Variables:
    """Keeps the variables of one function as they were when it last returned; a profile function."""

    def __init__(self, function: str, filename: str) -> None:
        self.function, self.filename = function, filename
        self.last: Mapping[str, Any] | None = None

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "return" and code.co_name == self.function and code.co_filename == self.filename:
            self.last = dict(frame.f_locals)


def _ends_well(source: Source, rest: list[str], namespace: dict[str, Any]) -> bool:
    """Run it to its end.  An exception is shown as Python would; so is what it says when it exits."""
    try:
        source.execute(rest, namespace)
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
        return not end.code
    except BaseException as error:  # Ctrl-C too: a run that was stopped can be looked at
        traceback = program_part(error.__traceback__)
        sys.stdout.flush()
        sys.excepthook(type(error), error.with_traceback(traceback), traceback)
        return False
    return True
