"""`leafgrad.check(model, optimizer, loss)`: will each parameter get a gradient, and will the optimizer use it?

Each question is a function that yields its findings; `_QUESTIONS` lists them in the order of the report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from leafgrad._core import Tensor

from .hidden import hidden_members
from .history import history_of, operator_text, tensor_text
from .html import escape, table
from .subject import Subject

if TYPE_CHECKING:
    from leafgrad.nn import Module
    from leafgrad.optim import Optimizer

_MOST_LISTED = 8  # names in a sentence, before it counts the rest


@dataclass(frozen=True)
class Finding:
    """One thing that `check` found.

    Attributes:
        kind: which of the questions it answers, as a word for programs.
        level: ``"problem"``: something will not be learnt, or will fail; ``"note"``: it may be as it is meant.
        names: the parameters or attributes that it is about.
        text: what is the matter and what to write instead.
    """

    kind: str
    level: str
    names: list[str]
    text: str


@dataclass(frozen=True)
class Report:
    """The findings of `check`: prints as text, iterates over its findings, shows as a table in a notebook.

    `ok`, and with it the report's truth, says that there is no problem; notes do not count: so
    ``assert leafgrad.check(model, optimizer)`` stops a program that would not learn.
    """

    subject: str  # what was checked
    findings: list[Finding]

    @property
    def ok(self) -> bool:
        """Is no finding a problem?"""
        return not self.problems

    @property
    def problems(self) -> list[Finding]:
        """The findings that are more than notes."""
        return [finding for finding in self.findings if finding.level == "problem"]

    def __bool__(self) -> bool:
        return self.ok

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def to_dict(self) -> dict[str, Any]:
        """``subject``, ``ok``, and the ``findings`` as dicts."""
        return {"subject": self.subject, "ok": self.ok, "findings": [asdict(finding) for finding in self.findings]}

    def _title(self) -> str:
        problems, notes = len(self.problems), len(self) - len(self.problems)
        counts = [f"{n} {word}{'s' * (n != 1)}" for n, word in ((problems, "problem"), (notes, "note")) if n]
        return f"{self.subject}: {', '.join(counts) or 'nothing found'}"

    def __repr__(self) -> str:
        return "\n".join([self._title(), *(f"  {finding.level:<7}  {finding.text}" for finding in self)])

    def _repr_html_(self) -> str:
        rows = [(finding.level, finding.kind, finding.text) for finding in self]
        return f"<p><b>{escape(self._title())}</b></p>\n{table(rows) if rows else ''}"


def check(model: Module, optimizer: Optimizer | None = None, loss: Tensor | None = None) -> Report:
    """Will each parameter of ``model`` get a gradient from ``loss``, and will ``optimizer`` use it?

    Args:
        model: the module whose parameters are to be learnt.
        optimizer: what steps them; None leaves its questions out.
        loss: a result of the model on which backward would be called; None leaves the question of reach out. Nothing
            runs: ask before or after backward.

    Returns:
        a `Report`: true if no problem was found.

    Raises:
        TypeError: if an argument is none of these.

    Example:
        >>> import leafgrad
        >>> from leafgrad import nn
        >>> class Net(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.layers = [nn.Linear(2, 2)]
        >>> report = leafgrad.check(Net(), None)
        >>> report.ok, report.problems[-1].names
        (False, ['layers'])
    """
    from leafgrad.nn.module import Module

    if not isinstance(model, Module):
        raise TypeError(f"check: model must be a Module, but is a {type(model).__name__}")
    if optimizer is not None and not hasattr(optimizer, "param_groups"):
        raise TypeError(f"check: optimizer must be an Optimizer or None, but is a {type(optimizer).__name__}")
    if loss is not None and not isinstance(loss, Tensor):
        raise TypeError(f"check: loss must be a Tensor or None, but is a {type(loss).__name__}")
    checked = _Checked(model, optimizer, loss)
    return Report(checked.title(), [finding for question in _QUESTIONS for finding in question(checked)])


class _Checked:
    """The model, the optimizer and the loss, with names for what is in them."""

    def __init__(self, model: Module, optimizer: Optimizer | None, loss: Tensor | None) -> None:
        self.model, self.optimizer, self.loss = model, optimizer, loss
        self.parameters = dict(model.named_parameters())  # each once
        self.names = {id(parameter): name for name, parameter in self.parameters.items()}
        self.stepped = [] if optimizer is None else list(_stepped(optimizer))
        self.history = None if loss is None else history_of(loss._history[0])

    def title(self) -> str:
        return "check of " + ", ".join(
            part
            for part in (
                type(self.model).__name__,
                "" if self.optimizer is None else type(self.optimizer).__name__,
                "" if self.loss is None else "loss",
            )
            if part
        )

    def learnt(self) -> dict[str, Tensor]:
        """The parameters that require grad."""
        return {name: parameter for name, parameter in self.parameters.items() if parameter.requires_grad}


def _stepped(optimizer: Optimizer) -> Iterator[tuple[str, Tensor]]:
    """What the optimizer steps: a name or a position, and the tensor."""
    for number, group in enumerate(optimizer.param_groups):
        names = group.get("param_names") or [f"tensor {i} of group {number}" for i in range(len(group["params"]))]
        yield from zip(names, group["params"], strict=True)


# ---- the questions


def _has_parameters(checked: _Checked) -> Iterator[Finding]:
    if not checked.parameters:
        yield Finding("no-parameters", "problem", [], f"{type(checked.model).__name__} has no parameters")


def _hides_members(checked: _Checked) -> Iterator[Finding]:
    for hidden in hidden_members(checked.model):
        name = f"{type(checked.model).__name__}.{hidden.path}"
        yield Finding(f"hidden-{hidden.kind}", "problem", [hidden.path], f"{name} is {hidden.text}")


def _optimizer_lacks(checked: _Checked) -> Iterator[Finding]:
    if checked.optimizer is None:
        return
    present = {id(tensor) for _, tensor in checked.stepped}
    if names := [name for name, parameter in checked.learnt().items() if id(parameter) not in present]:
        yield Finding(
            "missing-from-optimizer",
            "problem",
            names,
            f"the optimizer does not step {_listed(names)}. Make it of model.parameters(), or add what is missing "
            "with add_param_group(); what is not to be learnt, freeze with requires_grad_(False)",
        )


def _optimizer_has_others(checked: _Checked) -> Iterator[Finding]:
    present = {id(tensor) for _, tensor in checked.stepped}
    lacking = {tensor_text(p): name for name, p in checked.learnt().items() if id(p) not in present}
    for name, tensor in checked.stepped:
        node = tensor._history[0]
        where = f"{name}, {tensor_text(tensor)},"
        if node is not None:
            yield Finding(
                "non-leaf-in-optimizer",
                "problem",
                [name],
                f"the optimizer's {where} is no leaf but the result of {operator_text(node)}, so its .grad stays None. "
                "Make the leaf last: compute first, then .detach().requires_grad_()",
            )
        elif id(tensor) not in checked.names:
            like = lacking.get(tensor_text(tensor))
            why = f" It looks like {like}: was the model copied or replaced later?" if like else ""
            yield Finding(
                "not-in-model",
                "problem" if like else "note",
                [name],
                f"the optimizer's {where} is no parameter of the model.{why}",
            )


def _optimizer_repeats(checked: _Checked) -> Iterator[Finding]:
    counts = Counter(id(tensor) for _, tensor in checked.stepped)
    first = {id(tensor): name for name, tensor in reversed(checked.stepped)}
    for key, count in counts.items():
        if count > 1:
            name = checked.names.get(key, first[key])
            yield Finding(
                "duplicate-in-optimizer",
                "problem",
                [name],
                f"{name} is in the optimizer {count} times, so each step() changes it as often. List it once",
            )


def _loss_can_run_backward(checked: _Checked) -> Iterator[Finding]:
    loss = checked.loss
    if loss is None:
        return
    if not loss.requires_grad:
        reason = Subject(loss, checked.names, []).why_no_grad()
        yield Finding("loss-without-grad", "problem", [], f"backward on the loss will fail: {reason}")
    elif loss.numel() != 1:
        yield Finding(
            "loss-not-scalar",
            "problem",
            [],
            f"the loss has shape {tuple(loss.shape)}, and backward() wants one number: take its mean() or sum()",
        )


def _loss_reaches(checked: _Checked) -> Iterator[Finding]:
    if checked.history is None or checked.loss is None or not checked.loss.requires_grad:
        return
    reached = {id(leaf) for leaf in checked.history.leaves} | {id(checked.loss)}
    if names := [name for name, parameter in checked.learnt().items() if id(parameter) not in reached]:
        yield Finding(
            "not-reached-by-loss",
            "problem",
            names,
            f"the loss does not depend on {_listed(names)}: .grad will stay None. Either forward() does not use it, or "
            "the graph is cut between (detach(), no_grad(), .data, a conversion to numbers or integers)",
        )


def _is_frozen(checked: _Checked) -> Iterator[Finding]:
    names = [name for name, parameter in checked.parameters.items() if not parameter.requires_grad]
    if not names:
        return
    stepped = {id(tensor) for _, tensor in checked.stepped}
    among = [name for name in names if id(checked.parameters[name]) in stepped]
    also = f" The optimizer has {_listed(among)} and passes over it" if among else ""
    every = " (all there are)" if len(names) == len(checked.parameters) else ""
    text = f"frozen, as requires_grad is False: {_listed(names)}{every}.{also}"
    yield Finding("frozen", "problem" if every else "note", names, text.removesuffix("."))


def _is_shared(checked: _Checked) -> Iterator[Finding]:
    paths: dict[int, list[str]] = {}
    for name, parameter in checked.model.named_parameters(remove_duplicate=False):
        paths.setdefault(id(parameter), []).append(name)
    for names in paths.values():
        if len(names) > 1:
            yield Finding("shared", "note", names, f"one parameter under several names: {_listed(names)}")


_QUESTIONS = (
    _has_parameters,
    _hides_members,
    _optimizer_lacks,
    _optimizer_has_others,
    _optimizer_repeats,
    _loss_can_run_backward,
    _loss_reaches,
    _is_frozen,
    _is_shared,
)


def _listed(names: list[str]) -> str:
    rest = len(names) - _MOST_LISTED
    return ", ".join(names[:_MOST_LISTED]) + (f" and {rest} more" if rest > 0 else "")
