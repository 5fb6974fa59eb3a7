"""``leafgrad explain``: the leaf table of a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import leafgrad
from leafgrad.cli.inspected import Inspected, add_program_arguments, inspect
from leafgrad.cli.tables import show

if TYPE_CHECKING:
    import argparse

    from leafgrad import Tensor
    from leafgrad.lens.explain import Explanation

HELP = "run a program, then show which of its tensors are leaves and whose gradient is kept"
DESCRIPTION = """\
Run a program that uses torch or leafgrad, then print its leaf table: every tensor among its names and every parameter
of its modules; is it a leaf, does it require grad, what became of its gradient, what made it, where, and what to do.
"""
EXAMPLES = """\
examples:
  python -m leafgrad explain train.py                  the table
  python -m leafgrad explain train.py --epochs 1       with words for the script
  python -m leafgrad explain train.py --of loss        all that is known about one tensor
  python -m leafgrad explain train.py --in main        for a script that computes in a function
"""
HEADS = ("name", "leaf", "requires_grad", ".grad", "made by", "line")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this subcommand."""
    add_program_arguments(parser)
    parser.add_argument(
        "--of",
        action="append",
        default=[],
        metavar="NAME",
        help="explain this tensor at length instead; an expression of the script's names; may be given again",
    )


def command(arguments: argparse.Namespace) -> int:
    """Run the program and print."""
    from leafgrad.lens.trace import Trace

    with Trace():
        program = inspect(arguments)
    if arguments.of:
        wanted = {name: program.find_tensor(name) for name in arguments.of}
        print("\n\n".join(str(each) for each in _explanations(program, wanted)))
    elif tensors := program.tensors():
        _show_table(list(tensors.values()), _explanations(program, tensors))
    else:
        print(program.why_empty())
    return int(program.failed)


def _explanations(program: Inspected, tensors: dict[str, Tensor]) -> list[Explanation]:
    names = {**tensors, **program.tensors()}
    return [program.ask(leafgrad.explain, tensor, params=names) for tensor in tensors.values()]


def _show_table(tensors: list[Tensor], explanations: list[Explanation]) -> None:
    leaves = sum(each.is_leaf for each in explanations)
    title = f"{len(explanations)} tensors, {leaves} leaves" if len(explanations) > 1 else "1 tensor"
    pairs = list(zip(tensors, explanations, strict=True))
    show(title, HEADS, [_row(*pair) for pair in pairs])
    advice: dict[str, list[str]] = {}
    for tensor, each in pairs:
        data_of_data = tensor._origin == "operator" and not tensor.requires_grad  # that it has no gradient is no news
        if each.advice and not data_of_data:
            advice.setdefault(each.advice, []).append(each.name or "a tensor")
    for text, names in advice.items():
        print(f"\n{', '.join(names)}:\n  {text}")


def _row(tensor: Tensor, each: Explanation) -> tuple[str, ...]:
    return (
        each.name or "",
        "leaf" if each.is_leaf else "no",
        "yes" if each.requires_grad else "no",
        _fate_of_grad(each),
        _maker(tensor, each),
        each.place or "",
    )


def _fate_of_grad(each: Explanation) -> str:
    if each.grad is not None:
        return "kept" if each.is_leaf else "kept: retain_grad()"
    return {
        "never": "None: requires no grad",
        "free": "None: not a leaf, freed",
        "keep": "None: no backward has reached it",
    }[each.gradient]


def _maker(tensor: Tensor, each: Explanation) -> str:
    if each.operator or not each.is_leaf:
        return each.operator or "a view, written since"
    if type(tensor).__name__ == "Parameter":
        return "parameter"
    return _ORIGINS[tensor._origin]


# What the core says of tensors without a graph, in the space that a table has.
_ORIGINS = {
    "user": "user",
    "detached": "detach",
    "no_grad": "under no_grad",
    "operator": "operator, nothing recorded",
}
