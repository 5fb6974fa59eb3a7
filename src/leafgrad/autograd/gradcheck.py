"""``gradcheck`` and ``gradgradcheck``: compare derivatives with central differences.

A function has outputs ``y_i`` and inputs ``x_j``. The numerical Jacobian comes from moving one element of ``x_j`` by
``eps`` both ways, the analytical one from backward (or from forward mode), one row (column) at a time. Fast mode
compares a single number for each pair instead, ``v @ J @ u`` with random vectors of length 1.

Jacobians are matrices with a row for each element of the input and a column for each element of the output. Where an
output is complex, its real and imaginary part are checked one after the other as functions of their own; for a complex
input ``x = a + ib`` an entry is ``dy/da + i dy/db``, which is what backward gives.

Start reading at `_Check.run`.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from leafgrad import _core
from leafgrad._core import Tensor

from . import forward_ad
from . import function as _function
from ._backward import grad

if TYPE_CHECKING:
    from collections.abc import Callable

    Tensors = Tensor | tuple[Tensor, ...]
    Matrix = list[list[Tensor]]

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """Raised by `gradcheck` and `gradgradcheck` where a derivative is wrong."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Tensors,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Whether the gradients of `func` at `inputs` agree with central differences.

    Args:
        func: takes the inputs, returns a tensor or a tuple of them; has to be deterministic.
        inputs: a tensor or a tuple of anything; those tensors that require grad are checked. They should be float64
            or complex128, without overlapping memory, and away from kinks.
        eps: step of the central differences.
        atol, rtol: a numerical and an analytical entry may differ by ``atol + rtol * |numerical|``.
        raise_exception: raise `GradcheckError` with both Jacobians, instead of returning False.
        nondet_tol: by how much two runs of backward may differ.
        check_undefined_grad: also that gradients of outputs that are None count as zero.
        check_grad_dtypes: also that each gradient has the dtype of its input.
        check_batched_grad: also that a batch of cotangents gives the gradients of each.
        check_batched_forward_grad: also that a batch of tangents gives the tangents of each.
        check_forward_ad: check forward mode.
        check_backward_ad: check backward.
        fast_mode: compare one random projection of each Jacobian; much faster, and blind to few errors only.
        masked: accept gradients that are zero up to `allclose` where the cotangent is zero.

    >>> import leafgrad
    >>> x = leafgrad.tensor([0.5, 1.5], dtype=leafgrad.float64, requires_grad=True)
    >>> gradcheck(leafgrad.sin, (x,))
    True
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertionError("gradcheck: Expected at least one of check_forward_ad or check_backward_ad to be True")
    if check_batched_grad and not check_backward_ad:
        raise AssertionError("gradcheck: Setting check_batched_grad=True requires check_backward_ad to be True")
    if check_batched_forward_grad and not check_forward_ad:
        raise AssertionError("gradcheck: Setting check_batched_forward_grad=True requires check_forward_ad to be True")
    check = _Check(
        _as_tuple(inputs), eps, atol, rtol, nondet_tol, check_undefined_grad, check_grad_dtypes, fast_mode, bool(masked)
    )
    try:
        if check_backward_ad:
            check.run(func, batched=check_batched_grad)
        if check_forward_ad:
            check.run_forward(func, batched=check_batched_forward_grad)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Tensors,
    grad_outputs: Tensors | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Whether the second derivatives of `func` agree with central differences of its gradients.

    Runs `gradcheck` on the function that maps inputs and cotangents to gradients.

    Args:
        grad_outputs: the cotangents; by default random ones in [-1, 1).
        gen_non_contig_grad_outputs: make those with gaps in memory.
        check_fwd_over_rev: check forward mode over the gradients.
        check_rev_over_rev: check backward over the gradients.

    The other arguments are those of `gradcheck`.

    >>> import leafgrad
    >>> x = leafgrad.tensor([0.5, 1.5], dtype=leafgrad.float64, requires_grad=True)
    >>> gradgradcheck(leafgrad.sin, (x,))
    True
    """
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertionError(
            "gradgradcheck: Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True"
        )
    if check_undefined_grad and not check_rev_over_rev:
        raise AssertionError("gradgradcheck: Setting check_undefined_grad=True requires check_rev_over_rev to be True")
    if check_batched_grad and not check_rev_over_rev:
        raise AssertionError("gradgradcheck: Setting check_batched_grad=True requires check_rev_over_rev to be True")
    primals = _as_tuple(inputs)
    if grad_outputs is None:
        outputs = _recorded(func(*primals))
        cotangents = tuple(_random_cotangent(y, gen_non_contig_grad_outputs) for y in outputs)
    else:
        cotangents = _as_tuple(grad_outputs)
    count = len(primals)
    needed = [_needs_grad(x) for x in primals]
    wanted = [g.requires_grad for g in cotangents]

    def gradients(*args: Any) -> tuple[Tensor, ...]:
        # Finite differences may pass inputs that lost their flag; backward over backward needs it again.
        x = tuple(a.requires_grad_() if need else a for a, need in zip(args[:count], needed, strict=True))
        weights = tuple(a.requires_grad_() if want else a for a, want in zip(args[count:], wanted, strict=True))
        targets = tuple(a for a, need in zip(x, needed, strict=True) if need)
        grads = grad(_recorded(func(*x)), targets, weights, create_graph=True, allow_unused=True)
        return tuple(g for g in grads if g is not None)

    return gradcheck(
        gradients,
        primals + cotangents,
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
        fast_mode=fast_mode,
        masked=masked,
    )


class _Check:
    """The settings of one `gradcheck`, its inputs, and the steps of the check."""

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
            if not _needs_grad(x):
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
        return [x for x in inputs if _needs_grad(x)]

    # Backward

    def run(self, func: Callable[..., Any], batched: bool) -> None:
        """Check backward, part by part where outputs are complex, then how it treats zero and missing cotangents."""
        every_output = _as_tuple(func(*self.inputs))
        complex_outputs = {i for i, y in enumerate(_recorded(every_output)) if y.is_complex()}
        if any(y.is_complex() for y in every_output):
            for part in ("imag", "real"):
                where = f"While considering the {_part_name(part)} part of complex outputs only, "
                self._compare_backward(_part_of_outputs(func, part), lambda i, j, s=where: s * (i in complex_outputs))
        else:
            self._compare_backward(func, lambda i, j: "")
        outputs = _recorded(every_output)
        if batched:
            for i, y in enumerate(outputs):
                self._check_batched(i, y)
        self._check_zero_cotangent(outputs)
        if self.undefined:
            self._check_undefined_cotangents(func)

    def _compare_backward(self, func: Callable[..., Any], prefix: Callable[[int, int], str]) -> None:
        every_output = _as_tuple(func(*self.inputs))
        outputs = _recorded(every_output)
        if not outputs:
            return self._check_constant(func)
        if self.fast:
            return self._compare_fast(func, every_output, prefix)
        recorded = [y.requires_grad for y in every_output]
        numerical = self._numerical_jacobian(func, self.inputs, recorded)
        for i, y in enumerate(outputs):
            for j, analytical in enumerate(self._analytical_rows(y)):
                self._compare(i, j, numerical[j][i], analytical, prefix(i, j))
        return None

    def _compare_fast(self, func: Any, every_output: tuple[Any, ...], prefix: Callable[[int, int], str]) -> None:
        outputs = _recorded(every_output)
        generator = _core.Generator()
        us = [_direction(x, generator) for x in self.targets(self.inputs)]
        vs = [_unit_vector(y, generator) for y in outputs]
        numerical = self._numerical_products(func, self.inputs, us)
        rows = [self._analytical_rows(y, v) for y, v in zip(outputs, vs, strict=True)]
        positions = [k for k, y in enumerate(every_output) if y.requires_grad]
        for j, u in enumerate(us):
            for i, v in enumerate(vs):
                expected = (v * numerical[j][positions[i]]).sum()
                found = _project(rows[i][j].reshape(-1), u)
                scale = float(_total(u)) * float(v.sum())
                if not _close(found, expected, self.rtol, self.atol * abs(scale)):
                    raise GradcheckError(
                        prefix(i, j) + _mismatch(i, j, expected, found) + self._full_mode_report(func, i, j)
                    )

    def _full_mode_report(self, func: Callable[..., Any], i: int, j: int) -> str:
        """What full mode finds for the pair that failed in fast mode."""
        every_output = _as_tuple(func(*self.inputs))
        recorded = [y.requires_grad for y in every_output]
        numerical = self._numerical_jacobian(func, self.inputs, recorded)[j][i]
        analytical = self._analytical_rows(_recorded(every_output)[i])[j]
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
        for cotangent in _unit_cotangents(y) if v is None else (v.reshape(y.shape),):
            grads = grad(y, targets, cotangent, retain_graph=True, allow_unused=True)
            for column, g in zip(columns, grads, strict=True):
                column.append(None if g is None else g.clone())  # the cotangent's memory is used again
        return columns

    def _check_constant(self, func: Callable[..., Any]) -> None:
        """Nothing was recorded: then nothing may depend on the inputs."""
        every_output = _as_tuple(func(*self.inputs))
        keep = [_is_inexact(y) for y in every_output]
        for jacobians in self._numerical_jacobian(func, self.inputs, keep):
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
            if not _core.allclose(result.expand(2, *targets[j].shape), _core.stack(slices)):
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
            zero = _core.allclose(g, _core.zeros_like(g)) if self.masked else bool((g == 0).all())
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
        count = len(_recorded(func(*self.inputs)))
        cases = [set(range(count))] + ([{i} for i in range(count)] if count > 1 else [])
        for missing in cases if count else ():
            outputs = _recorded(func(*self.inputs))
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

    # Forward mode

    def run_forward(self, func: Callable[..., Any], batched: bool) -> None:
        """Check forward mode; a complex input is taken as two real ones, its real and its imaginary part."""
        complex_inputs = {k for k, x in enumerate(self.inputs) if isinstance(x, Tensor) and x.is_complex()}
        if not complex_inputs:
            return self._compare_forward(func, self.inputs, lambda i, j: "", batched)
        positions = [k for k, x in enumerate(self.inputs) if _needs_grad(x)]
        for part in ("imag", "real"):
            where = f"While considering the {_part_name(part)} part of complex inputs only, "
            inputs = tuple(
                getattr(x, part).detach().clone().requires_grad_(x.requires_grad) if k in complex_inputs else x
                for k, x in enumerate(self.inputs)
            )
            self._compare_forward(
                self._of_part(func, part, complex_inputs),
                inputs,
                lambda i, j, s=where: s * (positions[j] in complex_inputs),
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
        self, func: Callable[..., Any], inputs: tuple[Any, ...], prefix: Callable[[int, int], str], batched: bool
    ) -> None:
        every_output = _as_tuple(func(*inputs))
        keep = [_is_inexact(y) for y in every_output]
        outputs = [y for y in every_output if _is_inexact(y)]
        targets = self.targets(inputs)
        if self.fast:
            generator = _core.Generator()
            us = [_unit_vector(x, generator) for x in targets]
            products = self._numerical_products(func, inputs, us)
            for j, u in enumerate(us):
                tangents = [u if k == j else None for k in range(len(us))]
                for i, found in enumerate(self._forward_products(func, inputs, tangents, outputs)):
                    expected = [p for p, kept in zip(products[j], keep, strict=True) if kept][i]
                    if not _close(found.reshape(-1), expected, self.rtol, self.atol * abs(float(u.sum()))):
                        raise GradcheckError(prefix(i, j) + _mismatch(i, j, expected, found, forward=True))
        else:
            numerical = self._numerical_jacobian(func, inputs, keep)
            for j, x in enumerate(targets):
                rows: list[list[Tensor]] = [[] for _ in outputs]
                for unit in _unit_cotangents(x):
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
                tangent = next(rest) if _needs_grad(x) else None
                if _needs_grad(x):
                    x = x.detach()
                duals.append(x if tangent is None else forward_ad.make_dual(x, tangent.reshape(x.shape)))
            results = [forward_ad.unpack_dual(y) for y in _as_tuple(func(*duals)) if _is_inexact(y)]
        found = []
        for (primal, tangent), y in zip(results, outputs, strict=True):
            if self.dtypes and tangent is not None and tangent.is_complex() != primal.is_complex():
                raise GradcheckError("Forward AD gradient has dtype mismatch.")
            found.append(_core.zeros_like(y).detach() if tangent is None else tangent.detach())
        return found

    def _check_undefined_tangents(self, func: Any, inputs: tuple[Any, ...], outputs: list[Tensor]) -> None:
        """An input without a tangent has to count as one whose tangent is zero."""
        generator = _core.Generator()
        us = [_unit_vector(x, generator) for x in self.targets(inputs)]
        for j, u in enumerate(us):
            zero = [_core.zeros_like(u) if k == j else other for k, other in enumerate(us)]
            none = [None if k == j else other for k, other in enumerate(us)]
            if all(tangent is None for tangent in none):
                continue
            with_zero = self._forward_products(func, inputs, zero, outputs)
            with_none = self._forward_products(func, inputs, none, outputs)
            for i, (a, b) in enumerate(zip(with_zero, with_none, strict=True)):
                if not _core.allclose(a, b):
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
                if not _core.allclose(ta + tb, t):
                    raise GradcheckError(
                        f"For output {i} and input {j}: forward-mode gradients of a batch differ from those of each "
                        f"tangent.\nGot:\n{t}\n\nExpected:\n{ta + tb}"
                    )

    # Central differences

    def _numerical_jacobian(self, func: Callable[..., Any], inputs: tuple[Any, ...], keep: list[bool]) -> Matrix:
        """For each input that requires grad, the matrix of each output that `keep` names."""
        result = []
        for position, x in enumerate(inputs):
            if not _needs_grad(x):
                continue
            rows: list[tuple[Tensor, ...]] = []
            cells = _cells(x)
            for where, cell in cells:
                quotients = self._difference(func, inputs, position, cell, 1.0, where)
                rows.append(tuple(q for q, kept in zip(quotients, keep, strict=True) if kept))
            if rows:
                result.append([_core.stack(column) for column in zip(*rows, strict=True)])
            else:
                outputs = [y for y, kept in zip(_as_tuple(func(*inputs)), keep, strict=True) if kept]
                result.append([_core.zeros((0, y.numel()), dtype=y.dtype) for y in outputs])
        return result

    def _numerical_products(self, func: Callable[..., Any], inputs: tuple[Any, ...], us: list[Any]) -> Matrix:
        """For each input that requires grad, ``J @ u`` of every output."""
        rest = iter(us)
        return [
            self._difference(func, inputs, position, x.data, next(rest), None)
            for position, x in enumerate(inputs)
            if _needs_grad(x)
        ]

    def _difference(
        self, func: Callable[..., Any], inputs: tuple[Any, ...], position: int, cell: Tensor, direction: Any, where: Any
    ) -> list[Tensor]:
        """Central differences of all outputs as `cell`, a part of an input's memory, moves along `direction`.

        For a complex input, those of moving along the real axis plus i times those of moving along the imaginary one.
        `direction` is then a pair of such directions.
        """
        along_real, along_imaginary = direction if isinstance(direction, tuple) else (direction, direction)
        real = self._quotients(func, inputs, cell, along_real, where)
        if not inputs[position].is_complex():
            return real
        imaginary = self._quotients(func, inputs, cell, along_imaginary * 1j, where)
        return [a + b * 1j for a, b in zip(real, imaginary, strict=True)]

    def _quotients(
        self, func: Callable[..., Any], inputs: tuple[Any, ...], cell: Tensor, direction: Any, where: Any
    ) -> list[Tensor]:
        before = cell.clone()
        step = direction * self.eps
        if isinstance(step, Tensor):
            step = step.reshape(cell.shape)
        try:
            cell.copy_(before - step)
            low = [y.clone() for y in _as_tuple(func(*inputs))]
            cell.copy_(before + step)
            high = [y.clone() for y in _as_tuple(func(*inputs))]
        finally:
            cell.copy_(before)
        at = "" if where is None else f"on index {where} "
        for a, b in zip(low, high, strict=True):
            for attribute, name in (("shape", "shapes"), ("dtype", "dtypes")):
                if getattr(a, attribute) != getattr(b, attribute):
                    raise AssertionError(
                        f"Expected `func` to return outputs with the same {attribute} when inputs are perturbed {at}by "
                        f"{self.eps}, but got: {name} {getattr(a, attribute)} and {getattr(b, attribute)}."
                    )
        return [_quotient(a, b, 2 * self.eps) for a, b in zip(low, high, strict=True)]

    def _compare(
        self, i: int, j: int, numerical: Tensor, analytical: Tensor, prefix: str, forward: bool = False
    ) -> None:
        if not _close(analytical, numerical, self.rtol, self.atol):
            raise GradcheckError(prefix + _mismatch(i, j, numerical, analytical, forward))


class _WithoutGradient(_function.Function):
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


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _recorded(outputs: Any) -> tuple[Tensor, ...]:
    return tuple(y for y in _as_tuple(outputs) if y.requires_grad)


def _needs_grad(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad


def _is_inexact(y: Any) -> bool:
    return isinstance(y, Tensor) and (y.is_floating_point() or y.is_complex())


def _part_name(part: str) -> str:
    return {"imag": "imaginary", "real": "real"}[part]


def _part_of_outputs(func: Callable[..., Any], part: str) -> Callable[..., tuple[Any, ...]]:
    return lambda *inputs: tuple(getattr(y, part) if y.is_complex() else y for y in _as_tuple(func(*inputs)))


def _cells(x: Tensor) -> Any:
    """Each element of `x` by its index, as a tensor that shares its memory and has no history."""
    data = x.data
    index = [0] * data.dim()
    for _ in range(data.numel()):
        where = tuple(index)
        yield where, data[where]
        for dim in reversed(range(len(index))):  # count up, last dimension first
            index[dim] += 1
            if index[dim] < data.shape[dim]:
                break
            index[dim] = 0


def _unit_cotangents(y: Tensor) -> Any:
    """Tensors like `y` with one element 1 and the rest 0; one piece of memory is used for all of them."""
    unit = _core.zeros(tuple(y.shape), dtype=y.dtype, device=y.device)
    flat = unit.view(-1)
    for k in range(flat.numel()):
        flat.zero_()
        flat[k] = 1
        yield unit


def _columns(x: Tensor, grads: list[Tensor | None]) -> Tensor:
    """Gradients of one input, each a column of a matrix; None counts as zeros."""
    matrix = _core.zeros((x.numel(), len(grads)), dtype=x.dtype, device=x.device)
    for k, g in enumerate(grads):
        if g is not None:
            matrix[:, k] = g.reshape(-1)
    return matrix


def _quotient(low: Tensor, high: Tensor, step: float) -> Tensor:
    return ((high - low) / step).detach().reshape(-1)


def _unit_vector(x: Tensor, generator: Any) -> Tensor:
    """Random positive vector of length 1 with an entry for each element of `x`; real for a real direction."""
    vector = _core.rand(x.numel(), generator=generator, dtype=_core.float64).to(x.dtype)
    return vector / vector.norm()


def _direction(x: Tensor, generator: Any) -> Any:
    """A unit vector, or two of them for a complex `x`: one for each axis of its plane."""
    if not x.is_complex():
        return _unit_vector(x, generator)
    return _unit_vector(x.real, generator), _unit_vector(x.imag, generator)


def _project(row: Tensor, u: Any) -> Tensor:
    if not isinstance(u, tuple):
        return (row * u).sum()
    return (row.real * u[0]).sum() + (row.imag * u[1]).sum() * 1j


def _total(u: Any) -> Tensor:
    return u[0].sum() + u[1].sum() if isinstance(u, tuple) else u.sum()


def _random_cotangent(y: Tensor, with_gaps: bool) -> Tensor:
    """Uniform in [-1, 1), like `y`; `with_gaps` takes every other column of a wider tensor."""
    dtype = y.dtype if _is_inexact(y) else _core.float64
    shape = tuple(y.shape)
    if with_gaps and shape:
        shape = (*shape[:-1], 2 * shape[-1])
    values = _core.rand(shape, dtype=dtype, device=y.device) * 2 - 1
    if with_gaps and shape:
        values = values[..., ::2]
    return values.detach().requires_grad_()


def _same(a: Tensor, b: Tensor) -> bool:
    """Equal element by element, NaN being equal to NaN: a NaN in both runs is no sign of nondeterminism."""
    return bool(((a == b) | ((a != a) & (b != b))).all())


def _close(a: Tensor, b: Tensor, rtol: float, atol: float) -> bool:
    dtype = _core.promote_types(a.dtype, b.dtype)
    return _core.allclose(a.to(dtype), b.to(dtype), rtol, atol)
