"""``gradcheck`` and ``gradgradcheck``: compare derivatives with central differences.

A function has outputs ``y_i`` and inputs ``x_j``. The numerical Jacobian comes from moving one element of ``x_j`` by
``eps`` both ways, the analytical one from backward (or from forward mode), one row (column) at a time. Fast mode
compares a single number for each pair instead, ``v @ J @ u`` with random vectors of length 1.

Where an output is complex, its real and imaginary part are checked one after the other as functions of their own. The
work is done in `_checks.py`, the differences are taken in `_finite_differences.py`; both are imported when first
needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._backward import grad

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from leafgrad._core import Tensor

    Tensors: TypeAlias = Tensor | tuple[Tensor, ...]

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
    from ._checks import BackwardCheck, ForwardCheck
    from ._finite_differences import as_tuple

    settings = (eps, atol, rtol, nondet_tol, check_undefined_grad, check_grad_dtypes, fast_mode, bool(masked))
    try:
        if check_backward_ad:
            BackwardCheck(as_tuple(inputs), *settings).run(func, batched=check_batched_grad)
        if check_forward_ad:
            ForwardCheck(as_tuple(inputs), *settings).run(func, batched=check_batched_forward_grad)
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
    from ._finite_differences import as_tuple, needs_grad, random_cotangent, recorded

    primals = as_tuple(inputs)
    if grad_outputs is None:
        outputs = recorded(func(*primals))
        cotangents = tuple(random_cotangent(y, gen_non_contig_grad_outputs) for y in outputs)
    else:
        cotangents = as_tuple(grad_outputs)
    count = len(primals)
    needed = [needs_grad(x) for x in primals]
    wanted = [g.requires_grad for g in cotangents]

    def gradients(*args: Any) -> tuple[Tensor, ...]:
        # Finite differences may pass inputs that lost their flag; backward over backward needs it again.
        x = tuple(a.requires_grad_() if need else a for a, need in zip(args[:count], needed, strict=True))
        weights = tuple(a.requires_grad_() if want else a for a, want in zip(args[count:], wanted, strict=True))
        targets = tuple(a for a, need in zip(x, needed, strict=True) if need)
        grads = grad(recorded(func(*x)), targets, weights, create_graph=True, allow_unused=True)
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
