"""The known situations with leaves, and what to write instead: the one line of advice that `explain` gives.

Each function looks for one situation and gives its sentence, or None. The first one in `_SITUATIONS` that has something
to say is heard, so that what will fail stands before what may surprise. Letter and number are those of the situation's
tests in tests/test_leaf_situations.py.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from leafgrad import _core

from .history import bytes_text, is_accumulator
from .names import attributes_of

if TYPE_CHECKING:
    from .subject import Subject

_RUNNING_TERMS = 3  # a sum of fewer scalars is an ordinary loss


def advice_on(subject: Subject) -> tuple[str, str] | None:
    """The situation that ``subject`` is in and the advice, or None."""
    for situation, look in _SITUATIONS:
        if text := look(subject):
            return situation, text
    return None


def _written_since(subject: Subject) -> str | None:
    if (save := subject.history.stale) is None:
        return None
    writer = f"{save.writer} wrote to it" if save.writer else "it was written"
    return (
        f"backward will fail: {save.node} needs {save.tensor}, and {writer} in place since (version {save.now_at}, "
        f"saved at {save.saved_at}). Write after backward, or to a clone() of it"
    )


def _running_total(subject: Subject) -> str | None:
    terms = _added_terms(subject)
    if terms < _RUNNING_TERMS and not (terms and subject.history.released):
        return None
    kept = bytes_text(sum(subject.history.saved.values()))
    return (
        f"its history joins {terms + 1} added terms, {len(subject.history.nodes)} nodes with {kept} saved. If it is a "
        "total that runs over steps, it grows with each: add loss.item() or loss.detach(), or evaluate under no_grad()"
    )


def _added_terms(subject: Subject) -> int:
    """How many additions in a row made this scalar."""
    node, count = subject.node, 0
    while subject.t.numel() == 1 and node is not None and type(node).__name__ in ("AddBackward0", "SubBackward0"):
        inputs = [following for following, _ in node.next_functions if following is not None]
        count += len(inputs) == 2
        node = next((each for each in inputs if type(each) is type(node)), inputs[0])
    return count


def _joined_to_what_ran(subject: Subject) -> str | None:
    history = subject.history
    if not (history.released and history.keeping):
        return None
    return (
        "a part of its history has been through backward already, so backward will fail. detach() what links the two "
        "graphs (a hidden state, a total), or pass retain_graph=True to the first backward"
    )


def _kept_by_module(subject: Subject) -> tuple[str, str] | None:
    t = subject.t
    for name, module in subject.modules if t.requires_grad else ():
        for path, value in attributes_of(module):
            if value is t:
                return name, path
    return None


def _stored_activation(subject: Subject) -> str | None:
    if subject.is_leaf or (found := _kept_by_module(subject)) is None:
        return None
    name, path = found
    return (
        f"{name}.{path} keeps this non-leaf: deepcopy({name}) will fail, and its whole history stays alive with it. "
        "Store its detach() instead"
    )


def _bare_tensor(subject: Subject) -> str | None:
    if not subject.is_leaf or (found := _kept_by_module(subject)) is None:
        return None
    name, path = found
    return (
        f"{name}.{path} is a plain tensor, which {name}.parameters() and so the optimizer do not see. "
        "Make it an nn.Parameter"
    )


def _conversion(subject: Subject) -> str | None:
    node = subject.node
    if type(node).__name__ != "ToCopyBackward0":
        return None
    source = node.next_functions[0][0]
    if source is None or not is_accumulator(source):
        return None
    return (
        f"a conversion is an operation: backward fills the .grad of {subject.name(source.variable)}, which this was "
        "converted from. For a leaf of this dtype convert first: .detach().to(dtype).requires_grad_(). (to() of the "
        "dtype that a tensor has returns the tensor itself)"
    )


def _unreachable_leaf(subject: Subject) -> str | None:
    leaves, uses = subject.history.leaves, subject.history.uses
    if subject.node is None or len(leaves) != 1:
        return None
    held_by_this_question = 2  # the list, and getrefcount's argument
    if sys.getrefcount(leaves[0]) - held_by_this_question != uses.get(id(leaves[0])):
        return None
    return (
        f"nothing but this history holds its leaf, {subject.name(leaves[0])}, so nobody can read that .grad, and an "
        "optimizer refuses this non-leaf. Make the leaf last: compute first, then .detach().requires_grad_()"
    )


def _guarded_view(subject: Subject) -> str | None:
    creation = _core._creation(subject.t)
    if subject.base is None or creation == "default" or not subject.base.requires_grad:
        return None
    how = {
        "no_grad": "it is a view made under no_grad. Make the view outside, or write inside",
        "inference": "it is a view made in inference mode. Make the view outside, or clone() it",
        "multi_output": "it is one of several views that one operator made. Take the views one by one (select, narrow)",
        "function": "it is a view that a custom Function returned. clone() it first",
    }
    return f"writing to it in place is refused where gradients are recorded: {how[creation]}"


def _view_of_leaf(subject: Subject) -> str | None:
    base = subject.base
    if base is None or not base.requires_grad or base._history[0] is not None:
        return None
    owner = subject.name(base)
    return (
        f"the leaf is {owner}: backward fills its .grad, and writing to this view in place is refused. To update the "
        f"leaf write under no_grad(); for an edit with gradients write to a clone() of it"
    )


def _integers(subject: Subject) -> str | None:
    t = subject.t
    if t.is_floating_point() or t.is_complex() or t._origin != "user":
        return None
    return "integers cannot require grad. Where a gradient is wanted write 1. instead of 1, or pass dtype=float32"


def no_gradient_passes(subject: Subject) -> str | None:
    """What to do about a tensor at which tracking stopped; None if its user made it so, or it is a gradient."""
    t = subject.t
    if t.requires_grad or t._origin == "user" or subject.owner_as_grad() is not None:
        return None
    if t.is_inference():
        return "no gradient passes through it. Compute it outside of inference_mode() where one should"
    if not (t.is_floating_point() or t.is_complex()):
        return "no gradient passes through it: comparisons, argmax and conversions to integers cut the graph"
    remedies = {
        "no_grad": "Compute it outside of no_grad() where one should",
        "detached": "Use the tensor that it was detached from where one should",
        "operator": "Where one should, set requires_grad on an input before computing",
    }
    return f"no gradient passes through it. {remedies[t._origin]}"


def _gradient_not_kept(subject: Subject) -> str | None:
    if subject.gradient() != "free":
        return None
    past = " Backward has already run here: compute it anew first." if subject.history.released else ""
    return f"its .grad stays None. To read it call retain_grad() before backward.{past}"


_SITUATIONS = (
    ("L5", _written_since),
    ("L10", _running_total),
    ("L4", _joined_to_what_ran),
    ("L9", _stored_activation),
    ("L20", _bare_tensor),
    ("L17", _guarded_view),
    ("L8", _conversion),
    ("L7", _unreachable_leaf),
    ("L3", _view_of_leaf),
    ("L12", _integers),
    ("L6", no_gradient_passes),
    ("L1", _gradient_not_kept),
)
