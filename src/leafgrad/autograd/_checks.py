"""The two checks of `gradcheck`: of backward, and of forward mode, against central differences."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from leafgrad import _core
from leafgrad._composites import allclose
from leafgrad._core import Tensor

from . import forward_ad
from ._backward import grad
from ._finite_differences import (
    as_tuple,
    direction,
    is_inexact,
    needs_grad,
    numerical_jacobian,
    numerical_products,
    project,
    recorded,
    total,
    unit_cotangents,
    unit_vector,
)
from .function import Function
from .gradcheck import GradcheckError

if TYPE_CHECKING:
    from collections.abc import Callable

    Prefix = Callable[[int, int], str]  # what an error about output i and input j starts with


class Check:
    """The settings of one `gradcheck`, and its inputs."""

    def __init__(
        self,
        inputs: tuple[Any, ...],
        eps: float,
        atol: float,
        rtol: float,
        nondet_tol: float,
        undefined: bool,
        dtypes: bool,
        fast: bool,
        masked: bool,
    ) -> None:
        self.inputs = inputs
        self.eps = eps
        self.atol = atol
        self.rtol = rtol
        self.nondet_tol = nondet_tol
        self.undefined = undefined
        self.dtypes = dtypes
        self.fast = fast
        self.masked = masked
        self._check_inputs()

    def _check_inputs(self) -> None:
        for index, x in enumerate(self.inputs):
            if not needs_grad(x):
                continue
            if x.dtype not in (_core.float64, _core.complex128):
                warnings.warn(
                    f"Input #{index} requires gradient and is not a double precision floating point or complex. This "
                    f"check will likely fail: central differences of {x.dtype} are too coarse.",
                    stacklevel=4,
                )
            if any(stride == 0 and size > 1 for stride, size in zip(x.stride(), x.shape, strict=True)):
                raise RuntimeError(
                    f"The {index}th input has a dimension with stride 0. gradcheck only supports inputs that are "
                    "non-overlapping, since it changes one element at a time. Call .contiguous() on it first."
                )
        if not self.targets(self.inputs):
            raise ValueError(
                "gradcheck expects at least one input tensor to require gradient, but none of them have "
                "requires_grad=True."
            )

    @staticmethod
    def targets(inputs: Any) -> list[Tensor]:
        """The inputs that are differentiated."""
        return [x for x in inputs if needs_grad(x)]

    def _compare(
        self, i: int, j: int, numerical: Tensor, analytical: Tensor, prefix: str, forward: bool = False
    ) -> None:
        if not _close(analytical, numerical, self.rtol, self.atol):
            raise GradcheckError(prefix + _mismatch(i, j, numerical, analytical, forward))


class BackwardCheck(Check):
    """Backward against central differences, full or fast, and how it treats zero and missing cotangents."""

    def run(self, func: Callable[..., Any], batched: bool) -> None:
        """Check backward, part by part where outputs are complex, then how it treats zero and missing cotangents."""
        every_output = as_tuple(func(*self.inputs))
        complex_outputs = {i for i, y in enumerate(recorded(every_output)) if y.is_complex()}
        if any(y.is_complex() for y in every_output):
            for part in ("imag", "real"):
                where = f"While considering the {_part_name(part)} part of complex outputs only, "
                self._compare_backward(_part_of_outputs(func, part), _say(where, lambda i, j: i in complex_outputs))
        else:
            self._compare_backward(func, _say_nothing)
        outputs = recorded(every_output)
        if batched:
            for i, y in enumerate(outputs):
                self._check_batched(i, y)
        self._check_zero_cotangent(outputs)
        if self.undefined:
            self._check_undefined_cotangents(func)

    def _compare_backward(self, func: Callable[..., Any], prefix: Prefix) -> None:
        every_output = as_tuple(func(*self.inputs))
        outputs = recorded(every_output)
        if not outputs:
            return self._check_constant(func)
        if self.fast:
            return self._compare_fast(func, every_output, prefix)
        kept = [y.requires_grad for y in every_output]
        numerical = numerical_jacobian(func, self.inputs, kept, self.eps)
        for i, y in enumerate(outputs):
            for j, analytical in enumerate(self._analytical_rows(y)):
                self._compare(i, j, numerical[j][i], analytical, prefix(i, j))
        return None

    def _compare_fast(self, func: Any, every_output: tuple[Any, ...], prefix: Prefix) -> None:
        outputs = recorded(every_output)
        generator = _core.Generator()
        us = [direction(x, generator) for x in self.targets(self.inputs)]
        vs = [unit_vector(y, generator) for y in outputs]
        numerical = numerical_products(func, self.inputs, us, self.eps)
        rows = [self._analytical_rows(y, v) for y, v in zip(outputs, vs, strict=True)]
        positions = [k for k, y in enumerate(every_output) if y.requires_grad]
        for j, u in enumerate(us):
            for i, v in enumerate(vs):
                expected = (v * numerical[j][positions[i]]).sum()
                found = project(rows[i][j].reshape(-1), u)
                scale = float(total(u)) * float(v.sum())
                if not _close(found, expected, self.rtol, self.atol * abs(scale)):
                    raise GradcheckError(
                        prefix(i, j) + _mismatch(i, j, expected, found) + self._full_mode_report(func, i, j)
                    )

    def _full_mode_report(self, func: Callable[..., Any], i: int, j: int) -> str:
        """What full mode finds for the pair that failed in fast mode."""
        every_output = as_tuple(func(*self.inputs))
        kept = [y.requires_grad for y in every_output]
        numerical = numerical_jacobian(func, self.inputs, kept, self.eps)[j][i]
        analytical = self._analytical_rows(recorded(every_output)[i])[j]
        report = (
            "\nThe above quantities relating the numerical and analytical jacobians are computed in fast mode, as "
            "v @ J @ u. In slow mode they are:\n\n"
            f"Numerical:\n {numerical}\nAnalytical:\n{analytical}\n\n"
            f"The max per-element difference (slow mode) is: {(numerical - analytical).abs().max()}.\n"
        )
        if _close(analytical, numerical, self.rtol, self.atol):
            report += (
                "\nFast gradcheck failed but element-wise differences are small: the test might pass with "
                "fast_mode=False.\n"
            )
        return report

    def _analytical_rows(self, y: Tensor, v: Tensor | None = None) -> list[Tensor]:
        """For each input the matrix of gradients of `y`'s elements, or the one column for cotangent `v`."""
        first, second = self._gradient_columns(y, v), self._gradient_columns(y, v)
        targets = self.targets(self.inputs)
        given = [(x, g) for x, gs in zip(targets, first, strict=True) for g in gs if g is not None]
        if self.dtypes and any(g.dtype != x.dtype for x, g in given):
            raise GradcheckError("Gradient has dtype mismatch: a gradient's dtype differs from its input's")
        if any(g.shape != x.shape for x, g in given):
            raise GradcheckError("Analytical gradient has incorrect size: its shape differs from its input's")
        matrices = [_columns(x, gs) for x, gs in zip(targets, first, strict=True)]
        again = [_columns(x, gs) for x, gs in zip(targets, second, strict=True)]
        for a, b in zip(matrices, again, strict=True):
            if a.numel() and not float((a - b).abs().max()) <= self.nondet_tol and not _same(a, b):
                raise GradcheckError(
                    "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times "
                    "gives different values, although analytical gradient matches numerical gradient. The tolerance "
                    f"for nondeterminism was {self.nondet_tol}. Raise nondet_tol if the operation is meant to vary."
                )
        return matrices

    def _gradient_columns(self, y: Tensor, v: Tensor | None) -> list[list[Tensor | None]]:
        targets = self.targets(self.inputs)
        columns: list[list[Tensor | None]] = [[] for _ in targets]
        for cotangent in unit_cotangents(y) if v is None else (v.reshape(y.shape),):
            grads = grad(y, targets, cotangent, retain_graph=True, allow_unused=True)
            for column, g in zip(columns, grads, strict=True):
                column.append(None if g is None else g.clone())  # the cotangent's memory is used again
        return columns

    def _check_constant(self, func: Callable[..., Any]) -> None:
        """Nothing was recorded: then nothing may depend on the inputs."""
        every_output = as_tuple(func(*self.inputs))
        keep = [is_inexact(y) for y in every_output]
        for jacobians in numerical_jacobian(func, self.inputs, keep, self.eps):
            if any(bool((jacobian != 0).any()) for jacobian in jacobians):
                raise GradcheckError("Numerical gradient for function expected to be zero: no output requires grad")

    def _check_batched(self, i: int, y: Tensor) -> None:
        targets = self.targets(self.inputs)
        cotangents = [_core.randn_like(y) for _ in range(2)]
        expected = [grad(y, targets, g, retain_graph=True, allow_unused=True, materialize_grads=True)
                    for g in cotangents]  # fmt: skip
        try:
            found = grad(
                y, targets, _core.stack(cotangents), retain_graph=True, is_grads_batched=True, materialize_grads=True
            )
        except RuntimeError as error:
            raise GradcheckError(f"While computing batched gradients, got: {error}") from error
        for j, (result, slices) in enumerate(zip(found, zip(*expected, strict=True), strict=True)):
            if not allclose(result.expand(2, *targets[j].shape), _core.stack(slices)):
                raise GradcheckError(
                    f"For output {i} and input {j}: batched gradients differ from those of each cotangent.\n"
                    f"Got:\n{result}\n\nExpected:\n{_core.stack(slices)}"
                )

    def _check_zero_cotangent(self, outputs: tuple[Tensor, ...]) -> None:
        targets = self.targets(self.inputs)
        if not outputs:
            return
        zeros = [_core.zeros_like(y) for y in outputs]
        for x, g in zip(targets, grad(outputs, targets, zeros, retain_graph=True, allow_unused=True), strict=True):
            if g is None:
                continue
            zero = allclose(g, _core.zeros_like(g)) if self.masked else bool((g == 0).all())
            if not zero:
                raise GradcheckError("backward not multiplied by grad_output: it gives more than zero for a zero one")
            if g.dtype != x.dtype:
                raise GradcheckError(f"grad is incorrect type: {g.dtype} for an input of {x.dtype}")
            if g.device != x.device:
                raise GradcheckError(f"grad is incorrect device: {g.device} for an input on {x.device}")
            if g.shape != x.shape:
                raise GradcheckError(f"grad is incorrect size: {tuple(g.shape)} for an input of {tuple(x.shape)}")

    def _check_undefined_cotangents(self, func: Callable[..., Any]) -> None:
        """Gradients that arrive as None, at all outputs or at one, have to count as zeros."""
        count = len(recorded(func(*self.inputs)))
        cases = [set(range(count))] + ([{i} for i in range(count)] if count > 1 else [])
        for missing in cases if count else ():
            outputs = recorded(func(*self.inputs))
            roots = [_WithoutGradient.apply(y) if i in missing else y for i, y in enumerate(outputs)]
            zeros = [_core.zeros_like(y) for y in outputs]
            try:
                grads = grad(roots, self.targets(self.inputs), zeros, allow_unused=True)
            except RuntimeError as error:
                raise GradcheckError(
                    "Expected backward function to handle undefined output grads: it raised for an output whose "
                    "gradient is None. Treat None as zeros, or leave materialize_grads on."
                ) from error
            if any(g is not None and not bool((g == 0).all()) for g in grads):
                raise GradcheckError(
                    "Expected all input grads to be undefined or zero when all output grads are undefined or zero"
                )


class ForwardCheck(Check):
    """Forward mode against central differences, full or fast, and how it treats missing tangents."""

    def run(self, func: Callable[..., Any], batched: bool) -> None:
        """Check forward mode; a complex input is taken as two real ones, its real and its imaginary part."""
        complex_inputs = {k for k, x in enumerate(self.inputs) if isinstance(x, Tensor) and x.is_complex()}
        if not complex_inputs:
            return self._compare_forward(func, self.inputs, _say_nothing, batched)
        positions = [k for k, x in enumerate(self.inputs) if needs_grad(x)]
        for part in ("imag", "real"):
            where = f"While considering the {_part_name(part)} part of complex inputs only, "
            inputs = tuple(
                getattr(x, part).detach().clone().requires_grad_(x.requires_grad) if k in complex_inputs else x
                for k, x in enumerate(self.inputs)
            )
            self._compare_forward(
                self._of_part(func, part, complex_inputs),
                inputs,
                _say(where, lambda i, j: positions[j] in complex_inputs),
                batched,
            )
        return None

    def _of_part(self, func: Callable[..., Any], part: str, complex_inputs: set[int]) -> Callable[..., Any]:
        """`func` of the real or imaginary parts of its complex inputs, with the other part kept."""

        def of_part(*parts: Any) -> Any:
            whole = list(parts)
            for k in complex_inputs:
                other = self.inputs[k].detach()
                whole[k] = other.real + parts[k] * 1j if part == "imag" else parts[k] + other.imag * 1j
            return func(*whole)

        return of_part

    def _compare_forward(
        self, func: Callable[..., Any], inputs: tuple[Any, ...], prefix: Prefix, batched: bool
    ) -> None:
        every_output = as_tuple(func(*inputs))
        keep = [is_inexact(y) for y in every_output]
        outputs = [y for y in every_output if is_inexact(y)]
        targets = self.targets(inputs)
        if self.fast:
            generator = _core.Generator()
            us = [unit_vector(x, generator) for x in targets]
            products = numerical_products(func, inputs, us, self.eps)
            for j, u in enumerate(us):
                tangents = [u if k == j else None for k in range(len(us))]
                for i, found in enumerate(self._forward_products(func, inputs, tangents, outputs)):
                    expected = [p for p, kept in zip(products[j], keep, strict=True) if kept][i]
                    if not _close(found.reshape(-1), expected, self.rtol, self.atol * abs(float(u.sum()))):
                        raise GradcheckError(prefix(i, j) + _mismatch(i, j, expected, found, forward=True))
        else:
            numerical = numerical_jacobian(func, inputs, keep, self.eps)
            for j, x in enumerate(targets):
                rows: list[list[Tensor]] = [[] for _ in outputs]
                for unit in unit_cotangents(x):
                    tangents = [unit if k == j else None for k in range(len(targets))]
                    for row, found in zip(rows, self._forward_products(func, inputs, tangents, outputs), strict=True):
                        row.append(found.reshape(-1).clone())
                for i, row in enumerate(rows):
                    analytical = _core.stack(row) if row else numerical[j][i]
                    self._compare(i, j, numerical[j][i], analytical, prefix(i, j), forward=True)
        if self.undefined:
            self._check_undefined_tangents(func, inputs, outputs)
        if batched:
            self._check_batched_forward(func, inputs, outputs)

    def _forward_products(
        self, func: Callable[..., Any], inputs: tuple[Any, ...], tangents: list[Any], outputs: list[Tensor]
    ) -> list[Tensor]:
        """Tangents of the outputs; `tangents` belong to the inputs that require grad, None meaning zero."""
        rest = iter(tangents)
        with forward_ad.dual_level():
            duals = []
            for x in inputs:
                tangent = next(rest) if needs_grad(x) else None
                if needs_grad(x):
                    x = x.detach()
                duals.append(x if tangent is None else forward_ad.make_dual(x, tangent.reshape(x.shape)))
            results = [forward_ad.unpack_dual(y) for y in as_tuple(func(*duals)) if is_inexact(y)]
        found = []
        for (primal, tangent), y in zip(results, outputs, strict=True):
            if self.dtypes and tangent is not None and tangent.is_complex() != primal.is_complex():
                raise GradcheckError("Forward AD gradient has dtype mismatch.")
            found.append(_core.zeros_like(y).detach() if tangent is None else tangent.detach())
        return found

    def _check_undefined_tangents(self, func: Any, inputs: tuple[Any, ...], outputs: list[Tensor]) -> None:
        """An input without a tangent has to count as one whose tangent is zero."""
        generator = _core.Generator()
        us = [unit_vector(x, generator) for x in self.targets(inputs)]
        for j, u in enumerate(us):
            zero = [_core.zeros_like(u) if k == j else other for k, other in enumerate(us)]
            none = [None if k == j else other for k, other in enumerate(us)]
            if all(tangent is None for tangent in none):
                continue
            with_zero = self._forward_products(func, inputs, zero, outputs)
            with_none = self._forward_products(func, inputs, none, outputs)
            for i, (a, b) in enumerate(zip(with_zero, with_none, strict=True)):
                if not allclose(a, b):
                    raise GradcheckError(
                        f"Mismatch in tangent values for output with index {i} when input {j} has an undefined tangent "
                        f"value. Got: {b} but expected: {a}"
                    )

    def _check_batched_forward(self, func: Any, inputs: tuple[Any, ...], outputs: list[Tensor]) -> None:
        """Tangents are linear in the tangent put in, so two of a batch have to add up."""
        targets = self.targets(inputs)
        for j, x in enumerate(targets):
            first, second = _core.randn_like(x).detach(), _core.randn_like(x).detach()
            a, b, both = (
                self._forward_products(func, inputs, [t if k == j else None for k in range(len(targets))], outputs)
                for t in (first, second, first + second)
            )
            for i, (ta, tb, t) in enumerate(zip(a, b, both, strict=True)):
                if not allclose(ta + tb, t):
                    raise GradcheckError(
                        f"For output {i} and input {j}: forward-mode gradients of a batch differ from those of each "
                        f"tangent.\nGot:\n{t}\n\nExpected:\n{ta + tb}"
                    )


class _WithoutGradient(Function):
    """Passes its input through and sends no gradient back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.detach()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> None:
        return None


def _mismatch(i: int, j: int, numerical: Tensor, analytical: Tensor, forward: bool = False) -> str:
    mode = "computed with forward mode " if forward else ""
    return (
        f"Jacobian {mode}mismatch for output {i} with respect to input {j},\n"
        f"numerical:{numerical}\nanalytical:{analytical}\n"
    )


def _say(text: str, about: Callable[[int, int], bool]) -> Prefix:
    return lambda i, j: text if about(i, j) else ""


def _say_nothing(i: int, j: int) -> str:
    return ""


def _part_name(part: str) -> str:
    return {"imag": "imaginary", "real": "real"}[part]


def _part_of_outputs(func: Callable[..., Any], part: str) -> Callable[..., tuple[Any, ...]]:
    return lambda *inputs: tuple(getattr(y, part) if y.is_complex() else y for y in as_tuple(func(*inputs)))


def _columns(x: Tensor, grads: list[Tensor | None]) -> Tensor:
    """Gradients of one input, each a column of a matrix; None counts as zeros."""
    matrix = _core.zeros((x.numel(), len(grads)), dtype=x.dtype, device=x.device)
    for k, g in enumerate(grads):
        if g is not None:
            matrix[:, k] = g.reshape(-1)
    return matrix


def _same(a: Tensor, b: Tensor) -> bool:
    """Equal element by element, NaN being equal to NaN: a NaN in both runs is no sign of nondeterminism."""
    return bool(((a == b) | ((a != a) & (b != b))).all())


def _close(a: Tensor, b: Tensor, rtol: float, atol: float) -> bool:
    dtype = _core.promote_types(a.dtype, b.dtype)
    return allclose(a.to(dtype), b.to(dtype), rtol, atol)
