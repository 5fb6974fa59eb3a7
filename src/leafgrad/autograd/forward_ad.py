"""Forward mode: carry a tangent through a computation, by differentiating the recorded graph twice.

``make_dual(x, t)`` returns `x` as a tensor that records, and notes where its gradient will arrive. ``unpack_dual(y)``
takes the VJP ``u -> u @ J`` of `y` at those places for a symbolic cotangent ``u``; it is linear in ``u``, and its own
VJP with the tangents is ``J @ t``. So every operation with a double backward has forward mode, and nothing is carried
along in the meantime. What follows from that for programs is in docs/design/forward_mode.md.
"""

from __future__ import annotations

import weakref
from collections import namedtuple
from typing import TYPE_CHECKING, Any

from leafgrad import _core
from leafgrad._core import Tensor, _set_grad_enabled, is_grad_enabled

from . import function
from ._backward import grad
from .function import Function, FunctionCtx
from .grad_mode import _DecoratorContextManager, no_grad
from .graph import GradientEdge, get_gradient_edge

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]


class UnpackedDualTensor(namedtuple("UnpackedDualTensor", ("primal", "tangent"))):
    """What `unpack_dual` returns: the value, and its tangent or None."""

    __slots__ = ()


class _Level:
    """The dual tensors made since a level was entered."""

    def __init__(self) -> None:
        self.edges: list[GradientEdge] = []  # where the gradient of each dual tensor arrives
        self.tangents: list[Tensor] = []
        # Dual tensors as they were made, by identity: their tangent needs no computing while they are unchanged.
        self.made: dict[int, tuple[Any, int, Tensor, Tensor]] = {}  # id -> (weak dual, version, primal, tangent)
        self.anchor = _core.zeros(
            (), requires_grad=True
        )  # makes dual tensors record even if nothing else requires grad
        self.grad_mode = is_grad_enabled()


_level: _Level | None = None  # levels do not nest, so there is one at most


def enter_dual_level() -> int:
    """Enter a level, in which dual tensors can be made; recording is switched on. Returns its number.

    Levels do not nest. Prefer the context manager `dual_level`.
    """
    global _level
    if _level is not None:
        raise RuntimeError(
            "Nested forward mode AD is not supported at the moment. For a higher derivative take jvp or jacobian with "
            "create_graph=True."
        )
    _level = _Level()
    _set_grad_enabled(True)
    function._forward_mode = _apply_with_jvp
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """Leave the level: its dual tensors lose their tangents, and grad mode is what it was before."""
    global _level
    if _level is None or level not in (None, 0):
        raise RuntimeError(
            "Trying to exit a forward AD level that was not the last one that was created. This is not supported."
        )
    _set_grad_enabled(_level.grad_mode)
    _level = None
    function._forward_mode = None


class dual_level(_DecoratorContextManager):
    """Context manager and decorator: a level of forward mode, in which `make_dual` and `unpack_dual` work.

    >>> import leafgrad
    >>> x, t = leafgrad.tensor([1.0, 2.0]), leafgrad.tensor([1.0, 10.0])
    >>> with dual_level():
    ...     unpack_dual(make_dual(x, t) ** 2).tangent
    tensor([ 2., 40.])
    """

    __slots__ = ()

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        exit_dual_level()


class _Dual(Function):
    """The primal, with a node of its own in the graph; `anchor` makes the result require grad."""

    @staticmethod
    def forward(ctx: Any, primal: Tensor, anchor: Tensor) -> Tensor:
        return primal.detach()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        return g, None


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """A tensor that shares the memory of `tensor` and carries `tangent`; what is computed from it carries one too.

    Args:
        tensor: the primal, real or complex floating point.
        tangent: of the same shape. It is kept, not copied.
        level: the level's number, the current one if left out.

    Differentiable with respect to both. The result requires grad, and so does what is computed from it.
    """
    current = _current(level)
    if current is None:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first."
        )
    for what, value in (("primal", tensor), ("tangent", tangent)):
        if not (value.is_floating_point() or value.is_complex()):
            raise ValueError(f"Expected {what} to be floating point or complex, but got: {value.dtype}")
    if tensor.shape != tangent.shape:
        raise RuntimeError(
            "make_dual: Trying to set a forward gradient that has a different size than that of the original Tensor: "
            f"the tensor has {tuple(tensor.shape)}, the tangent {tuple(tangent.shape)}."
        )
    if not is_grad_enabled():
        raise RuntimeError(
            "make_dual: forward mode follows the recorded graph, and recording is off. Leave no_grad() or "
            "inference_mode(), or use enable_grad(), around the computation."
        )
    if _sources(tensor, current)[0]:
        raise RuntimeError(
            "Making a dual Tensor based on a Tensor that already has a forward gradient at the same level "
            f"{level or 0} is not supported."
        )
    dual = _Dual.apply(tensor, current.anchor)
    current.edges.append(get_gradient_edge(dual))
    current.tangents.append(tangent)
    current.made[id(dual)] = weakref.ref(dual), dual._version, tensor, tangent
    return dual


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """Value and tangent of `tensor`; the tangent is None where it does not depend on a dual tensor.

    The value requires grad only if `tensor` depends on a tensor of yours that does; then both results can be
    differentiated in reverse.
    """
    current = _current(level)
    if current is None:
        return UnpackedDualTensor(tensor, None)
    made = current.made.get(id(tensor))
    if made is not None:
        dual, version, primal, tangent = made
        if dual() is tensor and tensor._version == version:
            return UnpackedDualTensor(primal.view_as(primal), tangent)
    if not tensor.requires_grad:
        if not is_grad_enabled() and (tensor.is_floating_point() or tensor.is_complex()):
            raise RuntimeError(
                "unpack_dual: the tensor has no graph and recording is off, so its tangent is unknown. Forward mode "
                "follows the recorded graph: compute the tensor, and unpack it, with recording on."
            )
        return UnpackedDualTensor(tensor, None)
    is_dual, has_leaves = _sources(tensor, current)
    primal = tensor.view_as(tensor) if has_leaves else tensor.detach()
    return UnpackedDualTensor(primal, _tangent(tensor, current, has_leaves) if is_dual else None)


def _current(level: int | None) -> _Level | None:
    if level is not None and level > 0:
        raise RuntimeError(f"forward mode has a single level, number 0; got level={level}.")
    return _level


def _sources(tensor: Tensor, level: _Level) -> tuple[bool, bool]:
    """Whether `tensor` depends on a dual tensor of `level`, and whether on any other leaf that requires grad."""
    if not tensor.requires_grad:
        return False, False
    duals = {edge.node for edge in level.edges}
    is_dual = has_leaves = False
    seen = {None}
    stack = [get_gradient_edge(tensor).node]
    while stack and not (is_dual and has_leaves):
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        is_dual |= node in duals
        leaf = getattr(node, "variable", None)
        has_leaves |= leaf is not None and leaf is not level.anchor
        stack.extend(following for following, _ in node.next_functions)
    return is_dual, has_leaves


def _tangent(tensor: Tensor, level: _Level, differentiable: bool) -> Tensor | None:
    """``J @ t``: the derivative of ``u @ J`` with respect to ``u``, weighted with the tangents ``t``."""
    cotangent = _core.zeros_like(tensor).detach().requires_grad_()
    try:
        rows = grad(tensor, level.edges, cotangent, create_graph=True, allow_unused=True)
        used = [(row, t) for row, t in zip(rows, level.tangents, strict=True) if row is not None and row.requires_grad]
        if not used:
            return None
        rows, tangents = zip(*used, strict=True)
        differentiable = differentiable or any(t.requires_grad for t in tangents)
        (result,) = grad(rows, cotangent, tangents, create_graph=differentiable, allow_unused=True)
    except RuntimeError as error:
        error.add_note("unpack_dual computes tangents by differentiating the recorded graph twice; an operation in it "
                       "did not allow that.")  # fmt: skip
        raise
    return result


class _JvpContext(FunctionCtx):
    """The ctx of a Function that runs in forward mode, outside of any graph."""

    materialize_grads = True
    to_save: tuple[Any, ...] = ()
    saved_for_forward: tuple[Any, ...] = ()
    dirty_tensors: tuple[Any, ...] = ()

    def __init__(self, count: int) -> None:
        self.needs_input_grad = (False,) * count

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        return self.saved_for_forward or self.to_save


def _apply_with_jvp(cls: Any, args: Sequence[Any]) -> Any:
    """Call of a `Function` that overrides ``jvp``: its outputs become dual tensors with the tangents it gives.

    Where an input depends on a leaf that requires grad, and there is a ``backward``, the call is recorded as usual, so
    that reverse over forward works; `NotImplemented` asks for that.
    """
    assert _level is not None
    flags = [_sources(x, _level) if isinstance(x, Tensor) else (False, False) for x in args]
    if not any(is_dual for is_dual, _ in flags):
        return NotImplemented
    if any(has_leaves for _, has_leaves in flags):
        if cls.backward is not Function.backward or cls.vjp is not Function.vjp:
            return NotImplemented
        raise NotImplementedError(
            f"{cls.__name__} has jvp and no backward: it cannot be differentiated forward with respect to inputs that "
            "are part of a graph."
        )
    unpacked = [unpack_dual(x) if isinstance(x, Tensor) else UnpackedDualTensor(x, None) for x in args]
    primals = tuple(u.primal for u in unpacked)
    ctx = _JvpContext(len(args))
    with no_grad():
        if cls._has_setup_context:
            outputs = cls.forward(*primals)
            cls.setup_context(ctx, primals, outputs)
        else:
            outputs = cls.forward(ctx, *primals)
        if ctx.dirty_tensors:
            raise NotImplementedError(f"{cls.__name__}: jvp of a Function that changes its inputs is not supported.")
        results = cls.jvp(ctx, *(_tangent_or_zeros(u, ctx.materialize_grads) for u in unpacked))
    if not isinstance(outputs, tuple):
        return _with_tangent(outputs, results[0] if isinstance(results, tuple) else results)
    results = results if isinstance(results, tuple) else (results,)
    return tuple(_with_tangent(y, t) for y, t in zip(outputs, results, strict=True))


def _tangent_or_zeros(unpacked: UnpackedDualTensor, materialize: bool) -> Tensor | None:
    primal, tangent = unpacked
    if tangent is None and materialize and isinstance(primal, Tensor):
        return _core.zeros_like(primal) if primal.is_floating_point() or primal.is_complex() else None
    return tangent


def _with_tangent(output: Any, tangent: Tensor | None) -> Any:
    return output if tangent is None or not isinstance(output, Tensor) else make_dual(output.detach(), tangent)
