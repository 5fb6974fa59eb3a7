"""What the core says when it refuses or warns, where the sentence needs the graph, names or lines of source.

The core calls these functions only then. Their texts are made of the same parts as those of `explain`.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from leafgrad import _core
from leafgrad._core import Tensor

from .advice import no_gradient_passes
from .history import History, history_of, made_by, operator_text, storage_id, tensor_text
from .names import names_in, user_frame
from .subject import Subject

if TYPE_CHECKING:
    from types import FrameType

_LOOKERS_ON = (  # modules that read every attribute of an object to show it: nobody has asked for its gradient
    "inspect", "pdb", "bdb", "rlcompleter", "pydoc", "pprint", "IPython", "jedi", "pydevd", "_pydevd_bundle", "debugpy",
    "ptpython", "rich", "objgraph", "pympler",
)  # fmt: skip
_MOST_NODES = 200  # of a history that are looked at for a warning, which may be filtered out at every step


# ---- .grad of a non-leaf


def warn_gradient_not_kept(t: Tensor) -> None:
    """Warn that ``t``, a non-leaf, has no ``.grad``: once for each place that reads it, and not for onlookers."""
    frame = user_frame()
    try:
        if frame is None or frame.f_globals.get("__name__", "").partition(".")[0] in _LOOKERS_ON:
            return
        registry = frame.f_globals.setdefault("__warningregistry__", {})
        place = ("leafgrad: .grad of a non-leaf", UserWarning, frame.f_lineno)
        if registry.get(place) == tuple(warnings.filters):
            return
        message = _not_kept(t, frame)
        warnings.warn_explicit(
            message,
            UserWarning,
            frame.f_code.co_filename,
            frame.f_lineno,
            frame.f_globals.get("__name__"),
            registry,
        )
        # Python counts a warning as given by its text, which here varies with shapes.
        if (message, UserWarning, frame.f_lineno) in registry:
            registry[place] = tuple(warnings.filters)
    finally:
        del frame


def _not_kept(t: Tensor, frame: FrameType) -> str:
    node = t._history[0]
    names = names_in(frame)
    history = history_of(node, _MOST_NODES)
    leaves = [names.get(id(leaf)) or tensor_text(leaf) for leaf in history.leaves[:4]]
    more = " and others" if len(history.leaves) > 4 or len(history.nodes) == _MOST_NODES else ""
    return (
        "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't be "
        "populated during autograd.backward(), which keeps the gradients of leaves only. "
        f"{names.get(id(t)) or 'This tensor'}, {tensor_text(t)}, is the result of {made_by(node)}, and its gradient "
        f"goes on to {', '.join(leaves)}{more}. If you meant one of these, read its .grad; to keep this gradient too "
        "call .retain_grad() on the tensor before backward."
    )


# ---- nothing requires grad


def why_no_grad(t: Tensor) -> str:
    """Why ``t`` does not require grad, where tracking stopped, and what to do: sentences to put after an error's."""
    subject = Subject(t, names_in(user_frame()), [])
    known = subject.names.get(id(t))
    reason = subject.why_no_grad()
    remedy = no_gradient_passes(subject) or (
        "Make it with requires_grad=True, or call requires_grad_() on it, before computing with it"
    )
    return f" {known or 'The tensor'}, {tensor_text(t)}{subject.made_at()}: {reason}. {remedy[0].upper()}{remedy[1:]}."


# ---- not part of the graph


def nearest_relative(x: Tensor, roots: tuple[object, ...]) -> str:
    """A sentence about the tensor nearest to ``roots`` in their graph that shares ``x``'s memory; empty if none."""
    if not isinstance(x, Tensor):
        return ""  # a GradientEdge
    graph = _joined([history_of(root._history[0]) for root in roots if isinstance(root, Tensor)])
    order = {id(node): position for position, node in enumerate(graph.nodes)}
    leaves = {id(leaf) for leaf in graph.leaves}
    storage = storage_id(x)
    relatives = [
        (order.get(id(other._history[0]), len(order)), other)
        for other in _core._live_tensors()
        if other is not x
        and storage_id(other) == storage
        and (id(other) in leaves or (other._history[0] is not None and id(other._history[0]) in order))
    ]
    if not relatives:
        return ""
    _, nearest = min(relatives, key=lambda pair: pair[0])
    node = nearest._history[0]
    what = "the leaf" if node is None else f"the result of {operator_text(node)}"
    name = names_in(user_frame()).get(id(nearest)) or "the tensor"
    return (
        f" But {name}, {what}, {tensor_text(nearest)}, is in the graph and shares its memory: "
        "differentiate with respect to that one."
    )


def _joined(parts: list[History]) -> History:
    whole = History()
    for part in parts:
        whole.nodes += part.nodes
        whole.leaves += part.leaves
    return whole
