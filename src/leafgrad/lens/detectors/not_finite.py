"""The first operator that makes NaN or Inf from finite inputs, forward or backward."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from leafgrad import _core
from leafgrad._core import Tensor
from leafgrad.lens.finding import Finding
from leafgrad.lens.history import operator_text, tensor_text
from leafgrad.lens.names import names_in, user_frame
from leafgrad.lens.places import Place

from .common import Detector, OfThread, Report, at, here

if TYPE_CHECKING:
    from leafgrad._core import Node


class NotFinite(Detector):
    """Reads every result; where one is not finite and all it was made of is, that operator is at fault."""

    hears: ClassVar = {
        "writing": "writing",
        "result": "result",
        "backward": "began",
        "ran": "ran",
        "finished": "finished",
    }

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self._told: set[tuple[str, Place | None]] = set()
        self._written: tuple[int, bool] = (0, True)  # id of what is being written, and was it finite
        self._backwards = OfThread()  # of each the ids of nodes that a gradient which is not finite has reached

    # ---- forward

    def writing(self, operator: str, target: Any) -> None:
        self._written = id(target), not isinstance(target, Tensor) or _is_finite(target)

    def result(self, operator: str, value: Any, inputs: tuple[Any, ...]) -> None:
        if operator.startswith(("empty", "new_empty")):
            return  # whatever was in that memory
        bad = next((t for t in _tensors(value) if not _is_finite(t)), None)
        if bad is None or not any(True for _ in _tensors(inputs)) or not self._are_finite(inputs, value):
            return
        frame = user_frame()
        names = names_in(frame)
        parts = [_described(t, names.get(id(t))) for t in _tensors(inputs) if t is not value]
        parts.extend(f"the number {x}" for x in inputs if type(x) in (int, float))
        self._tell(operator, bad, f"finite inputs ({'; '.join(parts)})" if parts else "finite values", here())

    def _are_finite(self, inputs: Any, value: Any) -> bool:
        for each in _flat(inputs):
            if isinstance(each, Tensor):
                overwritten = any(each is t for t in _tensors(value))
                if overwritten and self._written[0] == id(each) and not self._written[1]:
                    return False
                if not overwritten and not _is_finite(each):
                    return False
            elif isinstance(each, (float, complex)) and not math.isfinite(abs(each)):
                return False
        return True

    # ---- backward

    def began(self, roots: list[Node], keep_graph: bool, create_graph: bool, inputs: list[Node]) -> None:
        self._backwards.running.append(set())

    def ran(self, node: Node, results: tuple[Tensor | None, ...]) -> None:
        reached = self._backwards.running[-1] if self._backwards.running else set()
        bad = None
        for (following, _), gradient in zip(node.next_functions, results, strict=False):
            if following is not None and gradient is not None and not _is_finite(gradient):
                reached.add(id(following))
                bad = gradient if bad is None else bad
        if bad is None or id(node) in reached:
            return
        saved = [(name, tensor) for name, tensor, *_ in _core._saved(node) if tensor is not None]
        if not all(_is_finite(tensor) for _, tensor in saved):
            return
        kept = "; ".join(_described(tensor, name) for name, tensor in saved)
        of = f"a finite gradient, with what it saved ({kept})" if kept else "a finite gradient"
        self._tell(f"the backward of {operator_text(node)}, run", bad, of, here(), _core._place(node))

    def finished(self, ok: bool) -> None:
        if self._backwards.running:
            self._backwards.running.pop()

    def _tell(self, operator: str, bad: Tensor, of: str, place: Place | None, forward: Place | None = None) -> None:
        key = operator, place
        if key in self._told:
            return
        self._told.add(key)
        what, count = _what_is_wrong(bad)
        self._report(
            Finding(
                "not finite",
                f"{operator}{at(place)} made {what} from {of}: {count} of {bad.numel()} elements of a "
                f"{tensor_text(bad)} result. Keep its inputs away from there: clamp() them, add a small number, or "
                "mask before the operation rather than after it.",
                place,
                forward,
                {"operator": operator, "what": what, "elements": count},
            )
        )


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, (tuple, list)):
        for each in value:
            yield from _flat(each)
    else:
        yield value


def _tensors(value: Any) -> Iterator[Tensor]:
    return (each for each in _flat(value) if isinstance(each, Tensor))


def _is_finite(t: Tensor) -> bool:
    if t.is_meta or not (t.is_floating_point() or t.is_complex()):
        return True
    return bool(_core.isfinite(t.detach()).all())


def _what_is_wrong(t: Tensor) -> tuple[str, int]:
    t = t.detach()
    nan, inf = _core.isnan(t).any(), _core.isinf(t).any()
    what = " and ".join(word for word, is_there in (("NaN", nan), ("Inf", inf)) if is_there)
    return what, t.numel() - int(_core.isfinite(t).sum())


def _described(t: Tensor, name: str | None) -> str:
    """``x, float32 (3,) from -1 to 2.5``."""
    text = f"{name}, {tensor_text(t)}" if name else tensor_text(t)
    if t.is_meta or t.is_complex() or not t.numel() or not _is_finite(t):
        return text
    t = t.detach()
    return f"{text} from {t.min().item():.4g} to {t.max().item():.4g}"
