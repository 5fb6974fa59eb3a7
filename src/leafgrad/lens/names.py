"""What the user calls a tensor: the name of a variable, of a parameter in its module, of an item in a list.

The result is always a dict from ``id(tensor)`` to the name. It holds no tensor, so use it before any of them can die.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from inspect import CO_OPTIMIZED
from types import FrameType
from typing import TYPE_CHECKING, Any

from leafgrad._core import Tensor

if TYPE_CHECKING:
    from leafgrad.nn import Module

    Params = Module | Mapping[str, Tensor] | Iterable[tuple[str, Tensor]] | None

_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep
_MOST_ITEMS = 1000  # a longer list holds data, not weights that someone would look for by index


def user_frame() -> FrameType | None:
    """The innermost frame that is not leafgrad's own. Its caller drops it soon: a frame keeps its variables alive."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return frame


def names_in(
    frames: FrameType | Mapping[str, Any] | Iterable[FrameType | Mapping[str, Any]] | None, params: Params = None
) -> dict[int, str]:
    """Names by ``id`` of the tensors found in a frame (its locals, then its globals), in a namespace, or in several.

    Looks at variables, at the tensors in lists, tuples and dicts (``weights[0]``) and at the parameters of modules
    (``model.0.weight``). A name from ``params`` comes first, then that from the earliest of ``frames``.
    """
    names = parameter_names(params)
    if frames is None:
        frames = ()
    elif isinstance(frames, (FrameType, Mapping)):
        frames = (frames,)
    for source in frames:
        if isinstance(source, FrameType):
            variables = source.f_locals
            _collect(variables, names)
            _forget_copy(source, variables)
            source = source.f_globals
        _collect(source, names)
    return names


def parameter_names(params: Params) -> dict[int, str]:
    """Names by ``id`` of a module's parameters and buffers, of the tensors in a dict, or of pairs (name, tensor)."""
    if params is None:
        return {}
    if hasattr(params, "named_parameters"):
        pairs = [*params.named_parameters(remove_duplicate=False), *params.named_buffers(remove_duplicate=False)]
    elif isinstance(params, Iterable):
        pairs = list(params.items() if isinstance(params, Mapping) else params)
    else:
        pairs = [params]
    names: dict[int, str] = {}
    for pair in pairs:
        match pair:
            case (str(name), Tensor() as tensor):
                names.setdefault(id(tensor), name)
            case _:
                raise TypeError(
                    "params must be a Module, a dict of tensors or pairs (name, tensor), but has a "
                    f"{type(pair).__name__}. Pass the model itself, or model.named_parameters()."
                )
    return names


def modules_in(frame: FrameType | None, params: Params = None) -> list[tuple[str, Module]]:
    """``params`` if it is a module, else the modules among the variables of ``frame``, with their names."""
    if hasattr(params, "named_modules"):
        return [(type(params).__name__, params)]
    if frame is None:
        return []
    variables = frame.f_locals
    found = {
        id(value): (name, value)
        for namespace in (frame.f_globals, variables)
        for name, value in list(namespace.items())
        if _is_module(value)
    }
    _forget_copy(frame, variables)
    return list(found.values())


def attributes_of(module: Module) -> Iterator[tuple[str, Any]]:
    """Dotted path and value of each plain attribute in the tree of modules: not of parameters, buffers, submodules."""
    from leafgrad.nn import Module

    internals = vars(Module()).keys()
    for path, each in module.named_modules():
        for name, value in list(vars(each).items()):
            if name not in internals:
                yield f"{path}.{name}" if path else name, value


def tensors_in(namespace: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a namespace with their names; of one that has several names, the best comes first."""
    # What debuggers and test runners add is no identifier; `_`, the last result of a session, is the poorest name.
    variables = [(name, value) for name, value in list(namespace.items()) if name.isidentifier()]
    variables.sort(key=lambda variable: variable[0].startswith("_"))
    yield from ((name, value) for name, value in variables if is_a(value, Tensor))
    for name, value in variables:
        yield from ((name + inner, tensor) for inner, tensor in _inside(value))


def _collect(namespace: Mapping[str, Any], names: dict[int, str]) -> None:
    for name, tensor in tensors_in(namespace):
        names.setdefault(id(tensor), name)


def _inside(value: object) -> Iterator[tuple[str, Tensor]]:
    """The tensors one level inside a container, or anywhere inside a module, each with what follows the name."""
    if type(value) in (list, tuple) and len(value) <= _MOST_ITEMS:
        yield from ((f"[{i}]", item) for i, item in enumerate(value) if is_a(item, Tensor))
    elif type(value) is dict and len(value) <= _MOST_ITEMS:
        yield from ((f"[{key!r}]", item) for key, item in list(value.items()) if is_a(item, Tensor))
    elif _is_module(value):
        yield from ((f".{name}", tensor) for name, tensor in value.named_parameters())
        yield from ((f".{name}", tensor) for name, tensor in value.named_buffers())


def is_a(thing: object, kind: type | tuple[type, ...]) -> bool:
    """Is it one by its true type? `isinstance` asks a stranger for its ``__class__``, which may be code that raises."""
    return issubclass(type(thing), kind)


def _is_module(value: object) -> bool:
    loaded = sys.modules.get("leafgrad.nn.module")  # where it is not loaded, no module exists
    return loaded is not None and is_a(value, loaded.Module)


def _forget_copy(frame: FrameType, variables: Any) -> None:
    """Empty the dict that Python 3.11 and 3.12 keep in a function's frame once ``f_locals`` was read.

    It would keep each tensor in it alive after the function has dropped it. Left alone where the user holds it
    (``locals()``) and under a debugger, which writes it back into the variables.
    """
    held_by_us_and_the_frame = 4  # the frame, our caller's variable, our argument, getrefcount's own
    is_copy = type(variables) is dict and frame.f_code.co_flags & CO_OPTIMIZED
    if is_copy and sys.gettrace() is None and sys.getrefcount(variables) <= held_by_us_and_the_frame:
        variables.clear()
