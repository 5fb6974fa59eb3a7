"""``leafgrad check``: will every parameter of a program's models be learnt?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import leafgrad
from leafgrad.cli.inspected import Inspected, add_program_arguments, inspect
from leafgrad.cli.program import fail

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from leafgrad import Tensor
    from leafgrad.nn import Module
    from leafgrad.optim import Optimizer

HELP = "run a program, then check that its optimizers will learn every parameter of its models"
DESCRIPTION = """\
Run a program, find the modules and optimizers among its names, and check that they belong together: parameters missing
from the optimizer, tensors in it that are no leaves, modules hidden in lists, parameters that the loss does not reach.
"""
EXAMPLES = """\
examples:
  python -m leafgrad check train.py
  python -m leafgrad check train.py --in main --loss loss
  python -m leafgrad check train.py --strict           notes, such as frozen parameters, count as findings, too
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this subcommand."""
    add_program_arguments(parser, findings="there are findings, or ")
    parser.add_argument(
        "--loss", metavar="NAME", help="the tensor on which backward is called; `loss` where there is one"
    )
    parser.add_argument("--strict", action="store_true", help="end with status 1 where there are only notes, too")


def command(arguments: argparse.Namespace) -> int:
    """Run the program, print the findings."""
    from leafgrad.nn import Module

    program = inspect(arguments)
    modules = {name: value for name, value in program.namespace.items() if isinstance(value, Module)}
    if not modules:
        fail(f"{program.program} has no module among its names{program.where_else()}", status=2)
    loss = _loss(program, arguments.loss)
    reports = [program.ask(leafgrad.check, *group, loss) for group in _groups(program, modules)]
    print("\n\n".join(map(str, reports)))
    counts = arguments.strict and any(len(report) for report in reports)
    return int(program.failed or counts or not all(report.ok for report in reports))


def _loss(program: Inspected, name: str | None) -> Tensor | None:
    if name is not None:
        return program.find_tensor(name)
    value = program.namespace.get("loss")
    return value if isinstance(value, leafgrad.Tensor) and value.requires_grad else None


class _Optimizers:
    """Several optimizers of one model, as one."""

    def __init__(self, optimizers: list[Optimizer]) -> None:
        self.param_groups = [group for optimizer in optimizers for group in optimizer.param_groups]


def _groups(program: Inspected, modules: dict[str, Module]) -> Iterator[tuple[Module, Any]]:
    """Models with what steps them: those that an optimizer has in common are one model, and the other way round."""
    from leafgrad.nn import ModuleDict
    from leafgrad.optim import Optimizer

    optimizers = {id(value): value for value in program.namespace.values() if isinstance(value, Optimizer)}
    models = _outermost(modules)
    only_pair = len(models) == 1 == len(optimizers)  # then they belong together even if they share nothing
    for names, found in _joined(models, list(optimizers.values())):
        model = models[names[0]] if len(names) == 1 else ModuleDict({name: models[name] for name in names})
        if only_pair:
            found = list(optimizers.values())
        yield model, found[0] if len(found) == 1 else _Optimizers(found) if found else None


def _outermost(modules: dict[str, Module]) -> dict[str, Module]:
    """The modules that are in no other one; each under its first name. Those without parameters teach nothing here."""
    inner = {id(part) for module in modules.values() for part in module.modules() if part is not module}
    first: dict[int, tuple[str, Module]] = {}
    for name, module in modules.items():
        if id(module) not in inner:
            first.setdefault(id(module), (name, module))
    found = dict(first.values())
    return {name: module for name, module in found.items() if list(module.parameters())} or found


def _joined(models: dict[str, Module], optimizers: list[Optimizer]) -> Iterator[tuple[list[str], list[Optimizer]]]:
    """Names of models and optimizers that hang together by the tensors they share."""
    groups: list[tuple[list[str], list[Optimizer], set[int]]] = [
        ([name], [], {id(p) for p in model.parameters()}) for name, model in models.items()
    ]
    for optimizer in optimizers:
        tensors = {id(p) for group in optimizer.param_groups for p in group["params"]}
        touched = [group for group in groups if group[2] & tensors]
        if not touched:
            continue
        groups = [group for group in groups if not group[2] & tensors]
        groups.append(
            (
                [name for names, _, _ in touched for name in names],
                [found for _, several, _ in touched for found in several] + [optimizer],
                tensors.union(*(ids for _, _, ids in touched)),
            )
        )
    yield from ((names, found) for names, found, _ in groups)
