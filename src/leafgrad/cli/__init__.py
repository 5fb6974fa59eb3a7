"""The command line, ``python -m leafgrad`` or ``leafgrad``.

A subcommand is a module with what `--help` says (`HELP`, `DESCRIPTION`, `EXAMPLES`), a function that adds its arguments
and one that does it (`command`).  The exception is `run`, which takes its words as they are, since whatever follows a
program's name belongs to that program.  `program.py` starts programs, `inspected.py` runs one under the leaf lens, and
`tables.py` prints.  See docs/design/run_command.md.
"""

from __future__ import annotations

import argparse
import sys

import leafgrad
from leafgrad.cli import run

EXAMPLES = """\
examples:
  python -m leafgrad run train.py --epochs 3       run a program that says `import torch`
  python -m leafgrad explain train.py              then show which of its tensors are leaves, and whose grad is kept
  python -m leafgrad graph train.py --of loss -o graph.html
  python -m leafgrad memory train.py -o memory.html
  python -m leafgrad check train.py                will every parameter of its model be learnt?
  python -m leafgrad doctor                        versions, CPU, threads, extras

exit status:
  0  fine
  1  there are findings, or the program failed
  2  wrong usage: no such file, no such name, a missing extra
  `run` exits as the program does.
"""


def main(argv: list[str] | None = None) -> None:
    """Do what the words after ``leafgrad`` say; those of this process where `argv` is not given."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == ["run"] and words[1:2] not in (["-h"], ["--help"]):
        run.run(words[1:])
        return
    ours, programs = _split(words)
    arguments, others = _parser().parse_known_args(ours)
    arguments.words = others + programs
    raise SystemExit(arguments.command(arguments))


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """What stands before the first ``--``, and what stands after it and belongs to the program."""
    if "--" not in words:
        return words, []
    end = words.index("--")
    return words[:end], words[end + 1 :]


def _parser() -> argparse.ArgumentParser:
    from leafgrad.cli import check, doctor, explain, graph, memory  # `run` need not wait for them

    parser = argparse.ArgumentParser(
        prog="leafgrad",
        description="Automatic differentiation with PyTorch's names and leaf-tensor semantics.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"leafgrad {leafgrad.__version__}")
    commands = parser.add_subparsers(metavar="command", required=True)
    commands.add_parser("run", help=run.HELP, usage=run.USAGE, description=run.DESCRIPTION)
    for module in (explain, graph, memory, check, doctor):
        name = module.__name__.rpartition(".")[2]
        subparser = commands.add_parser(
            name,
            help=module.HELP,
            description=module.DESCRIPTION,
            epilog=module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_arguments(subparser)
        subparser.set_defaults(name=name, command=module.command)
    return parser
