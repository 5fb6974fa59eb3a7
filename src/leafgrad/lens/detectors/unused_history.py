"""History that grows without any backward; growing_history.py says by what signs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

from leafgrad.lens.finding import Finding
from leafgrad.lens.history import bytes_text, is_accumulator
from leafgrad.lens.places import Place
from leafgrad.lens.survey import SAVED, survey

from .common import Report, at, inputs_of, nodes_that_run
from .modules import evaluates

if TYPE_CHECKING:
    from leafgrad._core import Node

ENOUGH = 3  # steps
KIND = "growing history"

Site = tuple[Any, int, str]  # a call in the program: code object, instruction, node


@dataclass
class _Uses:
    """Uses of one leaf at one call whose graphs are alive and no backward has gone through."""

    place: Place | None
    alive: int = 0
    most: int = 0  # alive together


@dataclass
class _Chain:
    """A call that takes its own last result, no backward having gone through it: ``total = total + loss``."""

    place: Place | None
    length: int
    last: ref[Node]


class UnusedHistory:
    """History that no backward has used, counted by leaf and call."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._uses: dict[tuple[Site, int], _Uses] = {}
        self._nodes: dict[int, tuple[ref[Node], list[_Uses]]] = {}  # that use leaves, by id
        self._chains: dict[Site, _Chain] = {}
        self._saved: dict[int, int] = {}  # bytes saved in the whole program, when so many uses were alive
        self._ripe: list[_Uses] = []
        self._told: set[Place | None] = set()  # what a line does, all leaves that it uses do

    def recorded(self, node: Node, site: Site, place: Place | None) -> None:
        self._lengthen(node, site, place)
        uses = [self._uses_of(leaf, site, place) for leaf in inputs_of(node) if is_accumulator(leaf)]
        if not uses:
            return
        number = id(node)
        self._nodes[number] = ref(node, partial(self._died, number)), uses
        for each in uses:
            if not each.alive:
                each.most = 0
            each.alive += 1
            each.most = max(each.most, each.alive)
            self._look_at_memory(each.alive)
            if each.alive == ENOUGH and each.place not in self._told and evaluates():
                self._ripe.append(each)

    def _uses_of(self, leaf: Node, site: Site, place: Place | None) -> _Uses:
        return self._uses.setdefault((site, id(leaf.variable)), _Uses(place))

    def _lengthen(self, node: Node, site: Site, place: Place | None) -> None:
        chain = self._chains.get(site)
        last = chain.last() if chain else None
        if chain is not None and last is not None and any(before is last for before in inputs_of(node)):
            chain.length, chain.last = chain.length + 1, ref(node)
        else:
            self._chains[site] = _Chain(place, 1, ref(node))

    def _look_at_memory(self, alive: int) -> None:
        doubled = alive % ENOUGH == 0 and (alive // ENOUGH).bit_count() == 1  # 3, 6, 12, ...
        if doubled and alive not in self._saved:
            self._saved[alive] = _saved_bytes()

    def _died(self, number: int, reference: Any) -> None:
        """An unused node is gone. This may run in the middle of anything: it only counts."""
        for each in self._nodes.pop(number, (None, ()))[1]:
            each.alive -= 1
            if each.most >= ENOUGH and not each.alive:  # while one is left, its backward may speak for all
                self._ripe.append(each)

    def began(self, roots: list[Node]) -> None:
        """What this goes through is used, and so are other rounds of the same loop, but not those of a running sum."""
        used = {id(node) for node in nodes_that_run(roots)}
        for site, chain in list(self._chains.items()):
            if (last := chain.last()) is None or id(last) in used:
                del self._chains[site]
        sums = (chain.last() for chain in self._chains.values() if chain.length >= ENOUGH)
        kept = {id(node) for node in nodes_that_run([each for each in sums if each is not None])}
        touched = {id(each) for number in used & self._nodes.keys() for each in self._nodes[number][1]}
        for number, (_, uses) in list(self._nodes.items()):
            if number in used or (number not in kept and any(id(each) in touched for each in uses)):
                del self._nodes[number]
                for each in uses:
                    each.alive -= 1
                    each.most = each.alive
        self._saved.clear()

    def end(self) -> None:
        self._ripe.extend(each for each in self._uses.values() if each.most >= ENOUGH and each.alive)
        if self._ripe:
            self._saved[0] = _saved_bytes()
        self.tell()

    def tell(self) -> None:
        """Of all that is ripe as one: it is one loop, however many leaves it uses."""
        ripe, self._ripe = [each for each in self._ripe if each.place not in self._told], []
        if not ripe:
            return
        self._told.update(each.place for each in ripe)
        steps = max(each.most for each in ripe)
        sums = [chain for chain in self._chains.values() if chain.length >= ENOUGH and chain.length >= steps - 1]
        place = sums[-1].place if sums else ripe[0].place
        saved = max(self._saved.values(), default=0)
        self._saved.clear()
        what = "a sum keeps the history" if sums else "results keep the history"
        self._report(
            Finding(
                KIND,
                f"{what} of {steps} steps{at(place)} that no backward has used; up to {bytes_text(saved)} were saved "
                "for it. Evaluate under no_grad(); add up loss.item() or loss.detach().",
                place,
                ripe[0].place if sums else None,
                {"steps": steps, "saved_bytes": saved},
            )
        )


def _saved_bytes() -> int:
    return sum(buffer.bytes for buffer in survey()[0] if buffer.kind == SAVED)
