"""``backward`` and ``grad``: check the arguments, make the first cotangents, and hand over to the engine.

The engine (`_core._run_backward`) gets a tuple of roots, one cotangent for each, and the inputs to stop at. A root or
an input is a tensor or a `GradientEdge`.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from leafgrad import _core
from leafgrad._core import Tensor, _run_backward

from .graph import GradientEdge

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    Target: TypeAlias = Tensor | GradientEdge
    Targets: TypeAlias = Target | Sequence[Target]
    Cotangents: TypeAlias = Tensor | Sequence[Tensor | None] | None

__all__ = ["backward", "grad"]


def backward(
    tensors: Targets,
    grad_tensors: Cotangents = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Cotangents = None,
    inputs: Targets | dict[str, Tensor] | None = None,
) -> None:
    """Add to ``.grad`` of every leaf the gradient of the sum of ``tensors``, each weighted by its ``grad_tensors``.

    Args:
        tensors: the roots; a tensor, a `GradientEdge`, or a sequence of them.
        grad_tensors: the cotangent of each root, of its shape; None stands for 1 where the root has one element.
        retain_graph: keep the saved tensors, so that the graph can be run again. Default: `create_graph`.
        create_graph: record the backward pass itself, so that gradients can be differentiated.
        grad_variables: old name of `grad_tensors`.
        inputs: accumulate into these only, leaves or not; a dict stands for its values.

    Raises:
        RuntimeError: a root has several elements and no cotangent, shapes or dtypes do not fit, nothing requires grad,
            or the graph was freed by an earlier pass.

    >>> import leafgrad
    >>> w = leafgrad.tensor([1.0, 2.0], requires_grad=True)
    >>> leafgrad.autograd.backward([w * w, 3 * w], [leafgrad.ones(2), leafgrad.ones(2)])
    >>> w.grad
    tensor([5., 7.])
    """
    if grad_variables is not None:
        warnings.warn("`grad_variables` is deprecated, use `grad_tensors`.", FutureWarning, stacklevel=2)
        if grad_tensors is not None:
            raise RuntimeError("backward: pass `grad_tensors` or its old name `grad_variables`, not both.")
        grad_tensors = grad_variables
    targets = () if inputs is None else _targets(inputs, "backward")
    roots = _as_tuple(tensors)
    cotangents = _cotangents(roots, grad_tensors, batched=False)
    if retain_graph is None:
        retain_graph = create_graph
    _run_backward(roots, cotangents, retain_graph, create_graph, targets, allow_unreachable=True, accumulate_grad=True)


def grad(
    outputs: Targets,
    inputs: Targets | dict[str, Tensor],
    grad_outputs: Cotangents = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> Any:
    """Gradients of the weighted sum of ``outputs`` with respect to ``inputs``, as a tuple; no ``.grad`` is touched.

    Args:
        outputs: the roots; a tensor, a `GradientEdge`, or a sequence of them.
        inputs: what to differentiate with respect to, leaves or not. For a dict the result is a dict with its keys.
        grad_outputs: the cotangent of each output, of its shape; None stands for 1 where it has one element.
        retain_graph: keep the saved tensors, so that the graph can be run again. Default: `create_graph`.
        create_graph: record the computation of the gradients, so that they can be differentiated.
        only_inputs: deprecated, has no effect.
        allow_unused: give None for an input that the outputs do not depend on, instead of raising.
            Default: `materialize_grads`.
        is_grads_batched: the first dimension of each of `grad_outputs` counts vectors; the result has it too.
        materialize_grads: give zeros for an input that the outputs do not depend on.

    Raises:
        RuntimeError: as `backward`; also where an input is not part of the graph and `allow_unused` is false.

    >>> import leafgrad
    >>> x = leafgrad.tensor(3.0, requires_grad=True)
    >>> (slope,) = leafgrad.autograd.grad(x**3, x, create_graph=True)
    >>> leafgrad.autograd.grad(slope, x)
    (tensor(18.),)
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "grad: Expected allow_unused to be True or not passed when materialize_grads=True, "
            "but got: allow_unused=False."
        )
    if not only_inputs:
        warnings.warn(
            "only_inputs argument is deprecated and has no effect. Use autograd.backward to accumulate into leaves.",
            FutureWarning,
            stacklevel=2,
        )
    if allow_unused is None:
        allow_unused = materialize_grads
    if retain_graph is None:
        retain_graph = create_graph
    roots, targets = _as_tuple(outputs), _targets(inputs, "grad")
    cotangents = _cotangents(roots, grad_outputs, batched=is_grads_batched)
    run = _run_batched if is_grads_batched else _run
    result = run(roots, cotangents, retain_graph, create_graph, targets, allow_unused)
    if materialize_grads:
        result = tuple(_or_zeros(g, target, create_graph) for g, target in zip(result, targets, strict=True))
    return dict(zip(inputs, result, strict=True)) if type(inputs) is dict else result


def _as_tuple(items: Any) -> tuple[Any, ...]:
    """`items` as a tuple; one tensor or one edge, though a tuple itself, counts as one item."""
    return (items,) if isinstance(items, (Tensor, GradientEdge)) else tuple(items)


def _targets(inputs: Any, caller: str) -> tuple[Any, ...]:
    if type(inputs) is dict:
        targets = tuple(inputs.values())
    elif hasattr(inputs, "keys") and not isinstance(inputs, Tensor):
        raise TypeError(f"`inputs` argument to `{caller}()` must be a dict, not {type(inputs).__name__}.")
    else:
        targets = _as_tuple(inputs)
    if not targets:
        raise RuntimeError(f"`inputs` argument to `{caller}()` cannot be empty.")
    return targets


def _run(
    roots: tuple[Any, ...],
    cotangents: tuple[Any, ...],
    retain_graph: bool,
    create_graph: bool,
    targets: tuple[Any, ...],
    allow_unused: bool,
) -> tuple[Any, ...]:
    return _run_backward(roots, cotangents, retain_graph, create_graph, targets, allow_unused, accumulate_grad=False)


def _run_batched(
    roots: tuple[Any, ...],
    cotangents: tuple[Any, ...],
    retain_graph: bool,
    create_graph: bool,
    targets: tuple[Any, ...],
    allow_unused: bool,
) -> tuple[Any, ...]:
    """One pass for each slice of the cotangents along their first dimension; results stacked along a new first one."""
    sizes = {len(g) for g in cotangents if g is not None}
    if len(sizes) != 1:
        raise ValueError(
            f"grad: with is_grads_batched=True all grad_outputs share one batch size; got {sorted(sizes) or 'none'}."
        )
    (count,) = sizes
    rows = []
    for k in range(count):
        row = tuple(None if g is None else g[k] for g in cotangents)
        keep = retain_graph or k + 1 < count
        rows.append(_run(roots, row, keep, create_graph, targets, allow_unused))
    if not rows:
        return tuple(target.new_zeros((0, *target.shape)) for target in targets)
    return tuple(None if column[0] is None else _core.stack(column) for column in zip(*rows, strict=True))


def _or_zeros(g: Any, target: Any, requires_grad: bool) -> Any:
    if g is not None:
        return g
    if isinstance(target, GradientEdge):
        raise RuntimeError("grad: materialize_grads cannot be used when the given input is a GradientEdge.")
    return _core.zeros_like(target, requires_grad=requires_grad)


def _cotangents(roots: tuple[Any, ...], given: Any, batched: bool) -> tuple[Any, ...]:
    """One checked cotangent for each root; None for a root that needs none."""
    if given is None:
        grads: tuple[Any, ...] = (None,) * len(roots)
    elif isinstance(given, Tensor):
        grads = (given,)
    else:
        grads = tuple(given)
    if len(grads) != len(roots):
        raise RuntimeError(
            f"got {len(roots)} tensors and {len(grads)} gradients; pass one for each, None where unused."
        )
    return tuple(_cotangent(root, g, index, batched) for index, (root, g) in enumerate(zip(roots, grads, strict=True)))


def _cotangent(root: Any, g: Any, index: int, batched: bool) -> Any:
    if g is None:
        return _implicit_cotangent(root, index)
    if not isinstance(g, Tensor):
        raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
    described = _described(root)
    shape, expected = tuple(g.shape), tuple(described.shape)
    if batched and isinstance(root, GradientEdge):
        raise RuntimeError("grad: is_grads_batched=True is not supported with GradientEdge.")
    if (shape[1:] if batched else shape) != expected:
        advice = ""
        if batched:
            advice = (
                " If `is_grads_batched=True`, we interpret the first dimension of grad_output as that of the batch."
            )
        raise RuntimeError(
            f"Mismatch in shape: grad_output[{index}] has a shape of {g.shape} and output[{index}] has a shape of "
            f"{described.shape}.{advice}"
        )
    if g.dtype.is_complex != described.dtype.is_complex:
        raise RuntimeError(
            f"For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in dtype: "
            f"grad_output[{index}] has a dtype of {g.dtype} and output[{index}] has a dtype of {described.dtype}."
        )
    return g


def _implicit_cotangent(root: Any, index: int) -> Any:
    """Ones, where the root has one real element; the engine itself reports a root that does not require grad."""
    if isinstance(root, Tensor) and not root.requires_grad:
        return None
    described = _described(root)
    shape = tuple(described.shape)
    if any(size != 1 for size in shape):
        raise RuntimeError(
            f"grad can be implicitly created only for scalar outputs, and output {index} has shape {shape}. Reduce it, "
            "as in .sum().backward(), or pass gradient= of that shape."
        )
    if not described.dtype.is_floating_point:
        raise RuntimeError(
            f"grad can be implicitly created only for real scalar outputs but got {described.dtype}. "
            "Take .real or .abs() first, or pass a gradient."
        )
    return _core.ones(shape, dtype=described.dtype, device=described.device)


def _described(root: Any) -> Any:
    """What knows shape, dtype and device of a root: the tensor itself, or what the edge's node expects as gradient."""
    return root.node._input_metadata[root.output_nr] if isinstance(root, GradientEdge) else root
