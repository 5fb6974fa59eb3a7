"""`leafgrad.explain(t)`: whether a tensor is a leaf and why, and what backward will do with its gradient.

`explain` looks (`Subject`), and writes down what it saw as plain text and numbers (`Explanation`), which hold neither
the tensor nor anything of its graph. Looking changes nothing: no warning, no new node, no hook is run.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from leafgrad import _core
from leafgrad._core import Tensor

from .advice import advice_on
from .history import bytes_text, tensor_text
from .html import escape, table
from .names import modules_in, names_in, user_frame
from .places import place_text, source_line
from .subject import Subject

if TYPE_CHECKING:
    from .names import Params

_MOST_LISTED = 8  # leaves, or tensors that share memory, before the text counts the rest


@dataclass(frozen=True)
class Explanation:
    """What `explain` found, as text (``print``), as a dict (`to_dict`), and as a table in a notebook.

    Attributes:
        name: what the caller, or ``params``, calls the tensor; None if it was not found there.
        dtype, shape: of the tensor.
        is_leaf, why: is it a leaf, and what makes it one or not.
        operator: the node of the operator that made it, ``MulBackward0``; None on a leaf.
        place, source: file and line of that call (on a leaf: where its memory was made), and the text of the line;
            None unless it was traced.
        requires_grad: whether a gradient is computed for it.
        leaves: names, or dtypes and shapes, of the leaves whose gradients depend on it.
        gradient, gradient_why: what backward does with its gradient: ``"keep"``, ``"free"`` or ``"never"`` compute.
        grad: dtype and shape of what is in ``.grad`` now; None if nothing is.
        retains_grad: whether `retain_grad` was called.
        hooks: the functions registered on its gradient.
        version, last_writer: how often its memory was written in place, and the operator that did last.
        view_of: the chain of views from it to the tensor that owns the memory.
        shares_with: the other tensors that look at its memory.
        nbytes: bytes of its elements.
        graph_nodes, saved_bytes: size of its history, and the memory that is kept for backward through it, the leaves'
            own left out.
        situation, advice: the known situation it is in, and what to write instead; None where there is none.
    """

    name: str | None
    dtype: str
    shape: tuple[int, ...]
    is_leaf: bool
    why: str
    operator: str | None
    place: str | None
    source: str | None
    requires_grad: bool
    leaves: list[str]
    gradient: str
    gradient_why: str
    grad: str | None
    retains_grad: bool
    hooks: list[str]
    version: int | None
    last_writer: str | None
    view_of: list[str]
    shares_with: list[str]
    nbytes: int
    graph_nodes: int
    saved_bytes: int
    situation: str | None
    advice: str | None

    def to_dict(self) -> dict[str, Any]:
        """The attributes by name; nothing but text, numbers, lists and None."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """What is printed, as pairs of label and text."""
        rows = [("leaf", f"{'yes' if self.is_leaf else 'no'}: {self.why}")]
        if self.source:
            rows.append(("line", f"{self.place}: {self.source}"))
        rows.append(("requires grad", self._requires_grad_text()))
        rows.append(("gradient", f"{self.gradient}: {self.gradient_why}"))
        if self.requires_grad or self.grad:
            rows.append((".grad", self.grad or "None"))
        rows.append(("memory", self._memory_text()))
        if self.graph_nodes:
            rows.append(("history", f"{self.graph_nodes} nodes; keeps {bytes_text(self.saved_bytes)} for backward"))
        if self.view_of:
            rows.append(("view of", " <- ".join(self.view_of)))
        if self.shares_with:
            rows.append(("shares with", _listed(self.shares_with)))
        if self.hooks:
            rows.append(("hooks", ", ".join(self.hooks)))
        if self.advice:
            rows.append(("advice", self.advice))
        return rows

    def _requires_grad_text(self) -> str:
        if not self.requires_grad:
            return "no"
        if self.is_leaf:
            return "yes"
        return f"yes, as its gradient reaches {_listed(self.leaves)}" if self.leaves else "yes, but it reaches no leaf"

    def _memory_text(self) -> str:
        text = bytes_text(self.nbytes)
        if self.version is None:
            return f"{text}; writes are not counted (inference)"
        if self.version == 0:
            return f"{text}, never written in place"
        times = "once" if self.version == 1 else f"{self.version} times"
        return f"{text}, written in place {times} (version {self.version})" + (
            f", last by {self.last_writer}" if self.last_writer else ""
        )

    def _title(self) -> str:
        kind = "a leaf" if self.is_leaf else "not a leaf"
        return f"{self.name or 'a tensor'}: {self.dtype} {self.shape}, {kind}"

    def __repr__(self) -> str:
        rows = self.rows()
        width = max(len(label) for label, _ in rows)
        return "\n".join([self._title(), *(f"  {label:<{width}}  {text}" for label, text in rows)])

    def _repr_html_(self) -> str:
        return f"<p><b>{escape(self._title())}</b></p>\n{table(self.rows())}"


def explain(t: Tensor, params: Params = None) -> Explanation:
    """Whether ``t`` is a leaf and why, where its gradient goes, who shares its memory, and what to do about it.

    Args:
        t: any tensor. Nothing about it changes.
        params: where names of parameters come from: a module, a dict, or pairs (name, tensor). Names of the caller's
            variables are used besides.

    Returns:
        an `Explanation`, which prints as text.

    Raises:
        TypeError: if ``t`` is no tensor.

    Example:
        >>> import leafgrad
        >>> w = leafgrad.tensor([1.0, 2.0], requires_grad=True)
        >>> y = w * 3
        >>> leafgrad.explain(y).gradient, leafgrad.explain(y).leaves
        ('free', ['w'])
    """
    if not isinstance(t, Tensor):
        raise TypeError(f"explain: expected a Tensor, but got {type(t).__name__}.")
    frame = user_frame()
    try:
        subject = Subject(t, names_in(frame, params), modules_in(frame, params))
    finally:
        del frame  # it refers to this call, and would be a cycle
    situation, advice = advice_on(subject) or (None, None)
    return Explanation(
        name=subject.names.get(id(t)),
        dtype=str(t.dtype).removeprefix("torch."),
        shape=tuple(t.shape),
        is_leaf=subject.is_leaf,
        why=subject.why(),
        operator=type(subject.node).__name__ if subject.node is not None else None,
        place=place_text(subject.place) if subject.place else None,
        source=source_line(subject.place) if subject.place else None,
        requires_grad=t.requires_grad,
        leaves=[subject.name(leaf) for leaf in subject.history.leaves],
        gradient=subject.gradient(),
        gradient_why=subject.gradient_why(),
        grad=tensor_text(t._grad) if t._grad is not None else None,
        retains_grad=t.retains_grad,
        hooks=subject.hooks(),
        version=None if t.is_inference() else t._version,
        last_writer=_core._last_writer(t),
        view_of=subject.view_chain(),
        shares_with=subject.sharers(),
        nbytes=t.nbytes,
        graph_nodes=len(subject.history.nodes),
        saved_bytes=sum(subject.history.saved.values()),
        situation=situation,
        advice=advice,
    )


def _listed(items: list[str]) -> str:
    rest = len(items) - _MOST_LISTED
    return ", ".join(items[:_MOST_LISTED]) + (f" and {rest} more" if rest > 0 else "")
