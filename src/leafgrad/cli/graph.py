"""``leafgrad graph``: the graph that a program recorded, as a tree, a drawing, a page or data."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import leafgrad
from leafgrad.cli.inspected import Inspected, add_program_arguments, inspect
from leafgrad.cli.output import writing
from leafgrad.cli.program import fail

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from leafgrad import Tensor
    from leafgrad.lens.graph import Graph

HELP = "run a program, then show the graph behind one of its tensors"
DESCRIPTION = """\
Run a program and show the graph behind one of its tensors, as it is when backward first starts from there (later the
saved tensors are gone), or when the program ends. The page plays the backward pass step by step.
"""
EXAMPLES = """\
examples:
  python -m leafgrad graph train.py --of loss                  a tree
  python -m leafgrad graph train.py --of loss -o graph.html    a page; .svg .dot .json for a drawing, Graphviz, data
  python -m leafgrad graph train.py --in main --of 'losses[0]'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this subcommand."""
    add_program_arguments(parser)
    parser.add_argument(
        "--of",
        metavar="NAME",
        help="the tensor, an expression of the script's names; by default that on which backward was called, if it "
        "still has a name, or the script's only result",
    )
    parser.add_argument("-o", dest="output", metavar="FILE", help="write .html, .svg, .dot or .json instead of a tree")
    parser.add_argument(
        "--max-nodes", type=int, default=2000, metavar="N", help="draw at most N nodes, 2000 by default"
    )


def command(arguments: argparse.Namespace) -> int:
    """Run the program, print or write."""
    if arguments.max_nodes < 1:
        fail(f"graph: --max-nodes is {arguments.max_nodes}; it must be at least 1", status=2)
    with writing(arguments.output, list(_WRITERS)) as output:
        program, graph = _graph(arguments)
        if output is not None:
            _WRITERS[output.suffix](graph, output)
            return int(program.failed)
    print(graph)
    return int(program.failed)


_WRITERS: dict[str, Any] = {
    ".html": lambda graph, path: graph.to_html(path),
    ".svg": lambda graph, path: path.write_text(graph.to_svg(), encoding="utf-8"),
    ".dot": lambda graph, path: path.write_text(graph.to_dot(), encoding="utf-8"),
    ".json": lambda graph, path: path.write_text(graph.to_json(indent=1), encoding="utf-8"),
}


def _graph(arguments: argparse.Namespace) -> tuple[Inspected, Graph]:
    from leafgrad.lens.switch import switch
    from leafgrad.lens.trace import Trace

    first = _FirstBackward(arguments.of, arguments.max_nodes)
    with Trace():
        switch.add(first)
        try:
            program = inspect(arguments)
        finally:
            switch.remove(first)
        if first.graph is not None:
            return program, first.graph
        tensor = program.find_tensor(arguments.of) if arguments.of else _only_result(program)
        if tensor.grad_fn is None:
            name = arguments.of or "it"
            fail(f"graph: {name} is a leaf, and has no graph; explain says why", status=2)
        return program, program.ask(leafgrad.graph, tensor, max_nodes=arguments.max_nodes)


class _FirstBackward:
    """Reads the graph when backward first starts at the tensor called `name`; an observer of the lens."""

    def __init__(self, name: str | None, max_nodes: int) -> None:
        self.name, self.max_nodes = name, max_nodes
        self.graph: Graph | None = None

    def __call__(self, kind: str, *what: Any) -> None:
        if kind == "backward" and self.graph is None:
            roots = what[0]
            for namespace in _program_namespaces():
                tensor = self._find(namespace, roots)
                if tensor is not None:
                    program = Inspected("", namespace, False)
                    self.graph = program.ask(leafgrad.graph, tensor, max_nodes=self.max_nodes)
                    return

    def _find(self, namespace: dict[str, Any], roots: list[Any]) -> Tensor | None:
        if self.name is None:
            values = [value for value in namespace.values() if isinstance(value, leafgrad.Tensor)]
        else:
            try:
                values = [eval(self.name, namespace)]
            except Exception:  # the name is not there yet, or not in this function
                return None
        return next((v for v in values if isinstance(v, leafgrad.Tensor) and v.grad_fn in roots), None)


def _program_namespaces() -> Iterator[dict[str, Any]]:
    """The names that each function of the program sees, the one that runs first, and the global ones at last."""
    main = sys.modules["__main__"].__dict__
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_globals is main:
            yield {**main, **frame.f_locals}
        frame = frame.f_back  # type: ignore[assignment]


def _only_result(program: Inspected) -> Tensor:
    """The one tensor among the program's names that has a graph and that no other one was made of."""
    results = {name: tensor for name, tensor in program.tensors().items() if tensor.grad_fn is not None}
    nodes = [tensor.grad_fn for tensor in results.values()]
    used = {node for made_by in nodes if made_by is not None for node, _ in made_by.next_functions}
    last = [name for name, tensor in results.items() if tensor.grad_fn not in used]
    if len(last) == 1:
        return results[last[0]]
    if not last:
        fail(f"graph: {program.why_empty()}" if not program.tensors() else "graph: no tensor has a graph", status=2)
    fail(f"graph: say which tensor with --of: {', '.join(last)}", status=2)
