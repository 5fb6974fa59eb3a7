"""What keeps a tensor's memory alive: `what_keeps(t)` gives the chains of owners, from a variable down to the tensor.

The search goes upwards, from the memory to whoever holds it, in three worlds. What tensors and nodes hold is asked of
them all (most are unknown to Python's collector); what other objects hold, Python's `gc` knows; the variables of
running functions are known to neither and read from the frames. It goes breadth first, level by level, and nodes that
lead to a node stand on the same level with it, so that a long graph counts as one owner.
"""

from __future__ import annotations

import gc
import re
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from types import CellType, FrameType, FunctionType, GeneratorType, ModuleType
from typing import Any, NamedTuple

from leafgrad import _core
from leafgrad._core import Node, Tensor

from . import html
from .history import bytes_text, is_accumulator, operator_text, storage_id, tensor_text
from .names import _forget_copy, is_a
from .places import place_text
from .plain import plain_tensors

_MOST_STEPS = 12  # of a chain, a whole graph being one
_LENS = __name__.rpartition(".")[0]
_MODULE_PART = re.compile(r"\._(?:parameters|buffers|modules)\['(\w+)'\]")  # model._modules['0']


class Keepers:
    """The chains of owners of a tensor's memory: what `leafgrad.what_keeps` gives. ``str()`` has one a line.

    Attributes:
        tensor: the tensor in words.
        bytes: of its memory, which all who share it keep.
        chains: each a list of texts, from the owner that nothing else need keep (a variable, mostly) to the tensor;
            the shortest first.
        more: were there more chains than asked for?
    """

    def __init__(self, tensor: str, size: int, chains: list[list[str]], more: bool) -> None:
        self.tensor = tensor
        self.bytes = size
        self.chains = chains
        self.more = more

    def __str__(self) -> str:
        if not self.chains:
            return f"nothing that Python can see keeps {self._what()} but the argument itself"
        lines = [f"what keeps {self._what()}:"]
        lines.extend(f"  {i}. " + "\n       -> ".join(chain) for i, chain in enumerate(self.chains, 1))
        if self.more:
            lines.append("  and others; most=... shows more")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return html.table(([i, " → ".join(chain)] for i, chain in enumerate(self.chains, 1)), ["", self._what()])

    def to_dict(self) -> dict[str, Any]:
        """The attributes under their names."""
        return {"tensor": self.tensor, "bytes": self.bytes, "chains": self.chains, "more": self.more}

    def _what(self) -> str:
        return f"{self.tensor}, {bytes_text(self.bytes)}"


def what_keeps(t: Tensor, most: int = 5) -> Keepers:
    """The chains of owners that keep the memory of `t` alive, shortest first.

    An owner is a variable (of a module, of a running function, of a closure), an item of a list, an attribute, a tensor
    that shares the memory, a graph with a node that saved it, a gradient's tensor. The variables through which `t` was
    found are owners too. It takes time in proportion to the number of objects alive.

    Args:
        t: any tensor.
        most: number of chains.
    """
    if not isinstance(t, Tensor):
        raise TypeError(f"what_keeps: takes a tensor, got a {type(t).__name__}")
    storage = t.untyped_storage()
    with plain_tensors():
        found = _Search(t).chains(most + 1)
    return Keepers(tensor_text(t), storage.nbytes(), found[:most], len(found) > most)


class _Link(NamedTuple):
    """An owner, met on the way up."""

    owner: Any
    text: str  # how it holds what it was reached from
    held: _Link | None  # that; None for a tensor that looks at the memory itself

    def chain(self, variable: str, where: str) -> list[str]:
        """From a variable that has this owner down to the memory.

        A graph is one piece; items and attributes are joined to what has them.
        """
        pieces = [variable]
        link: _Link | None = self
        while link is not None:
            graph = list(_run_of_nodes(link))
            if len(graph) > 1:
                more = f" over {len(graph) - 2} more" if len(graph) > 2 else ""
                pieces.append(f"its graph, from {operator_text(graph[0].owner)}{more}")
                link = graph[-1]
            elif is_a(link.owner, Tensor) and len(list(_run_of_nodes(link.held))) == 1:
                pieces.append("its graph")
            _add(pieces, link.text)
            if is_a(link.owner, Node) and link.held and link.held.held is None:
                break  # which alias of the memory the node has is its own business
            link = link.held
        pieces[0] += where
        return pieces


def _run_of_nodes(link: _Link | None) -> Iterator[_Link]:
    while link is not None and is_a(link.owner, Node):
        yield link
        link = link.held


def _add(pieces: list[str], text: str) -> None:
    if text.startswith(("[", ".")):
        pieces[-1] = _MODULE_PART.sub(r".\1", pieces[-1] + text)
    elif text:
        pieces.append(text)


class _Search:
    """Level by level upwards. Each owner is met once, so that of two ways to it the shorter is told."""

    def __init__(self, asked: Tensor) -> None:
        self._nodes = _core._live_nodes()  # first, since it gives each node the type that has its name
        tensors = _core._live_tensors()
        self._holders: dict[int, list[Any]] = {}  # tensors and nodes by what they hold
        for holder in (*self._nodes, *tensors):
            for part in gc.get_referents(holder):
                self._holders.setdefault(id(part), []).append(holder)
        self._variables = _variables()
        self._running = {id(frame) for frame in _frames()}
        self._namespaces = {id(_own_dict(m)): name for name, m in list(sys.modules.items()) if is_a(m, ModuleType)}
        storage = storage_id(asked)
        sharers = [t for t in tensors if storage_id(t) == storage]
        self._level = [_Link(t, _sharer_text(t, asked), None) for t in sharers]
        self._seen = {id(t) for t in sharers}
        self._found: list[list[str]] = []

    def chains(self, most: int) -> list[list[str]]:
        for _ in range(_MOST_STEPS):
            self._add_graphs()
            for link in self._level:
                self._found.extend(link.chain(*variable) for variable in self._variables.get(id(link.owner), ()))
            self._level = [*self._core_owners(), *self._python_owners()]
            if len(self._found) >= most or not self._level:
                break
        return self._found[:most]

    def _add_graphs(self) -> None:
        """Nodes that lead to a node of this level belong to it."""
        for link in self._level:  # it grows meanwhile
            if is_a(link.owner, Node):
                self._level.extend(self._unseen_holders(link, Node))

    def _core_owners(self) -> Iterator[_Link]:
        for link in self._level:
            yield from self._unseen_holders(link, (Node, Tensor))

    def _unseen_holders(self, link: _Link, kind: Any) -> Iterator[_Link]:
        for holder in self._holders.get(id(link.owner), ()):
            if is_a(holder, kind) and id(holder) not in self._seen:
                self._seen.add(id(holder))
                yield _core_link(holder, link)

    def _python_owners(self) -> Iterator[_Link]:
        links = {id(link.owner): link for link in self._level}
        ours = {id(each) for each in (self._nodes, self._level, *self._holders.values())}
        for owner in gc.get_objects():
            if is_a(owner, (Tensor, Node, _Link)) or id(owner) in self._seen or id(owner) in ours:
                continue
            held = {id(part): links[id(part)] for part in gc.get_referents(owner) if id(part) in links}
            if not held or self._is_running(owner):
                continue
            frame = _waiting_frame(owner)
            if frame is None and id(owner) not in self._namespaces:
                self._seen.add(id(owner))
                yield self._python_owner(owner, next(iter(held.values())))
                continue
            variables = owner if frame is None else frame.f_locals
            for link in held.values():
                names = _keys(variables, link.owner)
                self._found.extend(link.chain(*self._variable(name, owner)) for name in names)
            if frame is not None:
                _forget_copy(frame, variables)

    def _is_running(self, owner: Any) -> bool:
        """A frame, whose variables are known already, or something of this search itself."""
        if is_a(owner, GeneratorType):
            return owner.gi_code.co_filename == __file__
        return is_a(owner, FrameType) and (id(owner) in self._running or owner.f_code.co_filename == __file__)

    def _variable(self, name: str, owner: Any) -> tuple[str, str]:
        """A variable of a module, a waiting generator or a function that has ended, and where it is."""
        if is_a(owner, GeneratorType):
            return name, f" in the generator {owner.__qualname__}"
        if is_a(owner, FrameType):
            return name, f" in {owner.f_code.co_qualname}, which has ended and is kept by a traceback"
        return f"{self._namespaces[id(owner)]}.{name}", ""

    def _python_owner(self, owner: Any, link: _Link) -> _Link:
        held = link.owner
        if is_a(owner, FunctionType) and link.held and is_a(held, tuple) and held is owner.__closure__:
            name = owner.__code__.co_freevars[held.index(link.held.owner)]
            return _Link(owner, f"closure variable {name} of {owner.__qualname__}", link.held.held)
        if is_a(owner, type):
            return _Link(owner, f"class {owner.__qualname__}", _as_attribute(link))
        if _own_dict(owner) is held:
            return _Link(owner, "", _as_attribute(link))
        return _Link(owner, _python_text(owner, held), link)


def _waiting_frame(owner: Any) -> FrameType | None:
    """The frame, if the owner is one or is a generator that has one."""
    return owner.gi_frame if is_a(owner, GeneratorType) else owner if is_a(owner, FrameType) else None


def _as_attribute(link: _Link) -> _Link:
    """The link of a ``__dict__``, as told of the object whose it is."""
    return link._replace(text="." + link.text[2:-2]) if link.text.startswith("['") else link


def _own_dict(thing: Any) -> dict[str, Any] | None:
    """Its ``__dict__`` itself: a module that loads lazily would load, and a proxy would give another's, if asked."""
    try:
        return object.__getattribute__(thing, "__dict__")
    except AttributeError:
        return None


def _key_text(key: Any) -> str:
    """As it is written; a stranger's by its type, since its own text may be long, or raise."""
    if type(key) in (str, int, float, bool, type(None)):
        return repr(key)
    return tensor_text(key) if is_a(key, Tensor) else f"a {type(key).__name__}"


def _keys(namespace: Mapping[Any, Any], value: Any) -> list[Any]:
    return [key for key, each in list(namespace.items()) if each is value]


def _python_text(owner: Any, held: Any) -> str:
    if is_a(owner, dict):
        keys = _keys(owner, held)
        return f"[{_key_text(keys[0])}]" if keys else "a key of a dict"
    if is_a(owner, (list, tuple, deque)):
        return f"[{next((i for i, each in enumerate(owner) if each is held), '?')}]"
    if is_a(owner, CellType):
        return ""
    if is_a(owner, FunctionType):
        return f"a default or an attribute of {owner.__qualname__}"
    names = _keys(_own_dict(owner) or {}, held)
    return f".{names[0]}" if names else f"in a {type(owner).__name__}"


def _core_link(holder: Tensor | Node, link: _Link) -> _Link:
    """A tensor or a node as the owner of what the link has."""
    held = link.owner
    if is_a(held, dict):
        if _own_dict(holder) is held:
            text = f"{operator_text(holder)}, whose ctx" if isinstance(holder, Node) else ""
            return _Link(holder, text, _as_attribute(link))
        return _Link(holder, "its hook", link.held)
    if is_a(held, Node):
        return _Link(holder, "", link)
    if isinstance(holder, Node):
        return _Link(holder, _saved_text(holder, held), link)
    if not is_a(held, Tensor):
        return _Link(holder, "its hook", link)
    return _Link(holder, f"a view of it, {tensor_text(holder)}" if _base(holder) is held else "its gradient", link)


def _saved_text(node: Node, held: Any) -> str:
    for name, tensor, _, is_output, _ in _core._saved(node):
        if tensor is held:
            saved = "its result" if is_output else f"it as '{name}'" if name else "it"
            return f"{operator_text(node)}, which saved {saved}"
    if is_accumulator(node):
        return "AccumulateGrad, whose leaf it is"
    return f"{operator_text(node)}, which holds it"


def _sharer_text(t: Tensor, asked: Tensor) -> str:
    if t is asked:
        return ""
    return f"{'a view of it' if _base(t) is asked else 'a tensor that shares its memory'}, {tensor_text(t)}"


def _base(t: Tensor) -> Tensor | None:
    return t._base if t._is_view() else None


def _frames() -> Iterator[FrameType]:
    """Of all threads, without those of the lens."""
    for frame in sys._current_frames().values():
        walk: FrameType | None = frame
        while walk is not None:
            if not walk.f_globals.get("__name__", "").startswith(_LENS):
                yield walk
            walk = walk.f_back


def _variables() -> dict[int, list[tuple[str, str]]]:
    """Variables of running functions and where they are, by the id of what they hold."""
    names: dict[int, list[tuple[str, str]]] = {}
    for frame in _frames():
        variables = frame.f_locals
        if variables is frame.f_globals:
            continue  # a module's: its namespace is known
        place = place_text((frame.f_code.co_filename, frame.f_lineno, ""))
        for name, value in variables.items():
            names.setdefault(id(value), []).append((name, f" in {frame.f_code.co_qualname} ({place})"))
        _forget_copy(frame, variables)
    return names
