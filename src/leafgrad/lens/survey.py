"""Every buffer that is alive, and what it is there for: what `leafgrad.memory()` counts.

A buffer (a storage) is counted once, whoever shares it. Where it is several things at once it counts as the first of
these:

- ``leaves``: memory of a leaf that requires grad, whoever else looks at it.
- ``leaf gradients``: the ``.grad`` of such a leaf.
- ``retained gradients``: the ``.grad`` of a non-leaf, kept by ``retain_grad()``.
- ``saved for backward``: kept by a node of a graph: what its rule saved, what a saved-tensor hook made of that, and the
  tensors among the attributes of a Function's ``ctx``.
- ``gradients under way``: of non-leaves, held by a backward that runs until their last reader has run.
- ``views``: memory of which nothing but views is left, or of which the tensors left see only a part.
- ``other``: all the rest: data, buffers of modules and optimizers, results that a variable holds.

The survey only reads: no gradient is asked for, no view's history renewed, and it keeps no tensor alive afterwards.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from leafgrad import _core
from leafgrad._core import Tensor

from .history import is_accumulator, operator_name, storage_id
from .plain import plain_tensors

if TYPE_CHECKING:
    from leafgrad._core import Node

    from .places import Place

KINDS = (
    "leaves",
    "leaf gradients",
    "retained gradients",
    "saved for backward",
    "gradients under way",
    "views",
    "other",
)
LEAF, LEAF_GRADIENT, RETAINED, SAVED, UNDER_WAY, VIEWS, OTHER = KINDS
BORROWED = "borrowed"  # from NumPy or another library: counted apart

_NO_OPERATOR = {LEAF: "leaf", LEAF_GRADIENT: "gradient", RETAINED: "gradient", UNDER_WAY: "gradient"}
_operator = cache(operator_name)
_RANK = {kind: rank for rank, kind in enumerate(KINDS)}


class Buffer(NamedTuple):
    """One storage."""

    storage: int  # as `storage_id` gives it; a later buffer may have it again
    bytes: int
    kind: str
    operator: str  # that made it, or what else it comes from
    saver: str | None  # operator whose node saved it
    saves: int  # how many saved tensors look at it
    place: Place | None  # where it was made, if it was traced


class _Found:
    """What the tensors over one storage say of it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.kind = OTHER
        self.operator: str | None = None
        self.saver: str | None = None
        self.saves = 0
        self.place: Place | None = None
        self.seen = False  # does any tensor look at it?
        self.is_memory = True  # false on meta
        self.whole = False  # does a tensor that is no view see all of it?

    def is_(self, kind: str) -> None:
        if _RANK[kind] < _RANK[self.kind]:
            self.kind = kind


def survey() -> tuple[list[Buffer], int]:
    """All buffers, and the allocator's count of live bytes at the same moment."""
    rows, live_bytes = _core._live_storages()
    storages = {number: (size, ours) for number, size, ours in rows}
    found = {number: _Found(size) for number, (size, _) in storages.items()}
    nodes = _core._live_nodes()  # first, since it gives each node the type that has its name
    with plain_tensors():
        _look_at_tensors(found)
        _look_at_nodes(nodes, found)
    return [_buffer(number, *storages[number], seen) for number, seen in found.items() if seen.is_memory], live_bytes


def _buffer(number: int, size: int, ours: bool, seen: _Found) -> Buffer:
    kind = seen.kind
    if not ours:
        kind = BORROWED
    elif kind == OTHER and seen.seen and not seen.whole:
        kind = VIEWS
    operator = _NO_OPERATOR.get(kind) or seen.operator or "no graph"
    return Buffer(number, size, kind, operator, seen.saver, seen.saves, seen.place)


def _look_at_tensors(found: dict[int, _Found]) -> None:
    tensors = _core._live_tensors()
    bases = Counter(id(base) for base in map(_base, tensors) if base is not None)
    for tensor, references in zip(tensors, _references(tensors), strict=True):
        about = found.get(storage_id(tensor))
        if about is None:
            continue
        about.seen = True
        about.is_memory = not tensor.is_meta
        about.place = about.place or _core._place(tensor)
        base, grad, node = parts(tensor)
        is_leaf = node is None and tensor.requires_grad and not (base is not None and base.requires_grad)
        if is_leaf:
            about.is_(LEAF)
        if grad is not None and (holder := found.get(storage_id(grad))) is not None:
            holder.is_(LEAF_GRADIENT if is_leaf else RETAINED)
        if base is not None:
            continue
        if references > bases[id(tensor)] and tensor.nbytes >= about.size:
            about.whole = True
        if node is not None:
            about.operator = _operator(type(node).__name__)


def _references(objects: list[Tensor]) -> list[int]:
    """How many references each has beside that of the list; internal handles count too."""
    own = _raw_references([object()])[0]
    return [count - own for count in _raw_references(objects)]


def _raw_references(objects: list) -> list[int]:
    return [sys.getrefcount(o) for o in objects]


def _base(tensor: Tensor) -> Tensor | None:
    return tensor._base if tensor._is_view() else None


def parts(tensor: Tensor) -> tuple[Tensor | None, Tensor | None, Node | None]:
    """The tensor's base, its gradient and its node as they stand: no warning, no history renewed."""
    base, grad, node = _base(tensor), None, None
    for part in gc.get_referents(tensor):
        if isinstance(part, Tensor) and part is not base:
            grad = part
        elif isinstance(part, _core.Node):
            node = part
    return base, grad, node


def _look_at_nodes(nodes: list[Node], found: dict[int, _Found]) -> None:
    for node in sorted(nodes, key=lambda node: node._sequence_nr()):  # of several savers the first is named
        name = _operator(type(node).__name__)
        for tensor, kind, is_output in kept_tensors(node):
            about = found.get(storage_id(tensor))
            if about is None:
                continue
            about.is_(kind)
            if kind == SAVED:
                about.saver = about.saver or name
                about.saves += 1
            if is_output and about.operator is None:
                about.operator = name  # the result itself may be gone


def kept_tensors(node: Node) -> Iterator[tuple[Tensor, str, bool]]:
    """(tensor, SAVED or UNDER_WAY, is it an output of the node) of what the node holds, without running hooks.

    A node holds what its rule saved, or what a hook made of that; a Function's has attributes of the user's too; and in
    a backward each holds the gradients that have arrived so far. An AccumulateGrad's leaf is not meant.
    """
    rows = _core._saved(node)
    yield from ((tensor, SAVED, is_output) for _, tensor, _, is_output, _ in rows if tensor is not None)
    seen = {id(tensor) for _, tensor, *_ in rows}
    if is_accumulator(node):
        seen.add(id(node.variable))
    users_own = isinstance(node, _core._FunctionNode) or any(packed for *_, packed in rows)
    for part in gc.get_referents(node):
        if isinstance(part, Tensor) and id(part) not in seen:
            yield part, SAVED if users_own else UNDER_WAY, False
        elif users_own and isinstance(part, (tuple, list, dict)):
            yield from ((inner, SAVED, False) for inner in gc.get_referents(part) if isinstance(inner, Tensor))
