"""Operations with a derivative of the user's own: subclass `Function`, call its ``apply``.

A subclass is never instantiated. Each call of ``apply`` makes one node of the graph, which is also the ``ctx`` that
``forward`` and ``backward`` share. The core makes and runs these nodes (`_core._FunctionNode`,
`_core._function_apply`); here stand the class that users derive from and the type of the nodes.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from leafgrad import _core
from leafgrad._core import Tensor

from .grad_mode import no_grad

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BackwardCFunction", "Function", "FunctionCtx", "FunctionMeta", "InplaceFunction", "once_differentiable"]

# Set by forward_ad while a level of forward mode is entered: runs a Function that has a ``jvp``, or gives
# NotImplemented.
_forward_mode: Callable[[Any, tuple[Any, ...]], Any] | None = None


class FunctionCtx:
    """What ``forward`` and ``setup_context`` can tell about the call.

    The ``ctx`` of a real call is a node of the graph, which does these in the core. An instance of this plain class
    keeps what it is told in attributes, which is enough to call a ``forward`` by hand, in a test for example.
    """

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep inputs or outputs for backward, which finds them, None included, in ``ctx.saved_tensors``.

        Only once in a call; later calls replace earlier ones. Tensors kept this way are checked for in-place changes
        and make no reference cycle; plain attributes of ``ctx`` are neither checked nor freed.
        """
        self.to_save = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for ``jvp``, which finds them in ``ctx.saved_tensors``."""
        self.saved_for_forward = tensors

    def mark_dirty(self, *args: Tensor) -> None:
        """Say which inputs ``forward`` changed in place; each of them has to be returned, too."""
        self.dirty_tensors = args

    def mark_non_differentiable(self, *args: Tensor) -> None:
        """Say which outputs have no derivative, such as indices; backward gets zeros, or None, for them."""
        self.non_differentiable = args

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros (the default) or None for an output that the result does not depend on."""
        self.materialize_grads = value


class BackwardCFunction(_core._FunctionNode, FunctionCtx):
    """Type of the nodes of user functions; each `Function` has a subclass of it, named ``<Name>Backward``."""

    @property
    def saved_variables(self) -> tuple[Any, ...]:
        """The former name of ``saved_tensors``."""
        import warnings

        warnings.warn("'saved_variables' is deprecated; use 'saved_tensors'", DeprecationWarning, stacklevel=2)
        return self.saved_tensors

    def _user_backward(self) -> Callable[..., Any]:
        cls = self._forward_cls
        has_backward, has_vjp = cls.backward is not Function.backward, cls.vjp is not Function.vjp
        if has_backward and has_vjp:
            raise RuntimeError(
                f"Implementing both 'backward' and 'vjp' for a custom Function is not allowed: {cls.__name__} has "
                "both. They are two names of the same thing; keep one."
            )
        return cls.vjp if has_vjp else cls.backward

    def apply(self, *args: Any) -> Any:
        """Run the user's ``backward``, or ``vjp``; the engine calls this with one cotangent for each output."""
        return self._user_backward()(self, *args)

    def apply_jvp(self, *args: Any) -> Any:
        """Run the user's ``jvp`` with one tangent for each input."""
        return self._forward_cls.jvp(self, *args)


class FunctionMeta(type):
    """Gives every `Function` subclass the node type of its own, ``cls._backward_cls``."""

    setup_context: Callable[..., Any]  # of the class, not of this metaclass

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        cls._backward_cls = type(name + "Backward", (BackwardCFunction,), {"_forward_cls": cls})

    @property
    def _has_setup_context(cls) -> bool:
        """Whether ``forward`` goes without ctx, which ``setup_context`` fills afterwards."""
        return cls.setup_context is not Function.setup_context


class Function(metaclass=FunctionMeta):
    """Base of operations that come with their own derivative.

    Write ``forward`` and ``backward`` as static methods, in one of two styles: ``forward(ctx, *args)``, or
    ``forward(*args)`` with ``setup_context(ctx, inputs, output)``. Call ``apply(*args)``, never ``forward``. Neither
    is recorded; ``backward`` is, under ``create_graph=True``, so that it can be differentiated again.

    ``backward(ctx, *grad_outputs)`` returns one gradient for each argument of ``forward``, None where there is none.
    ``ctx.needs_input_grad`` says which are wanted. Check it with `gradcheck`.

    >>> import leafgrad
    >>> class Exp(leafgrad.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         y = x.exp()
    ...         ctx.save_for_backward(y)
    ...         return y
    ...
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (y,) = ctx.saved_tensors
    ...         return g * y
    >>> x = leafgrad.zeros(2, requires_grad=True)
    >>> Exp.apply(x).sum().backward()
    >>> x.grad
    tensor([1., 1.])
    """

    generate_vmap_rule = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        import warnings

        warnings.warn(
            f"{type(self)} should not be instantiated: its methods are static. Call {type(self).__name__}.apply(...).",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use new-style autograd "
            f"function with static forward method, and call {type(self).__name__}.apply(...)."
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs: a tensor, or a tuple of tensors and anything else. Has to be overridden."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Fill `ctx` after ``forward(*inputs)`` gave `output`. Overriding it chooses the second style."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Gradients of the inputs, given those of the outputs. Has to be overridden, or ``vjp`` in its place."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Tangents of the outputs, given those of the inputs, None for an input that is not a tensor."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with forward mode AD."
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> Any:
        """Outputs for a batch of calls, and their batch dimensions."""
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod or set "
            "generate_vmap_rule=True."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Call the operation and record it. Arguments may be given by name; in ``backward`` they count by position."""
        if cls._has_setup_context:
            args = _bind_all(cls.forward, args, kwargs)
        elif kwargs:
            args = _bind(cls.forward, (None, *args), kwargs).args[1:]  # None stands for ctx
        if _forward_mode is not None and cls.jvp is not Function.jvp:
            result = _forward_mode(cls, args)
            if result is not NotImplemented:
                return result
        return _core._function_apply(cls, *args)


def _bind(forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    import inspect  # slow to import, and rarely needed

    bound = inspect.signature(forward).bind(*args, **kwargs)
    if bound.kwargs:
        raise TypeError(
            f"apply() takes no keyword-only arguments, got {', '.join(bound.kwargs)}; let forward take it by position."
        )
    return bound


def _bind_all(forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """All arguments of the call by position, with the defaults filled in: ``setup_context`` sees every one."""
    code = getattr(forward, "__code__", None)
    has_variadic = 0x04 | 0x08  # the flags of *args and **kwargs
    if not kwargs and code is not None and len(args) == code.co_argcount and not code.co_flags & has_variadic:
        return args
    bound = _bind(forward, args, kwargs)
    bound.apply_defaults()
    return bound.args


class InplaceFunction(Function):
    """Kept for old programs; the same as `Function`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class _Undifferentiable(Function):
    """Passes the first `count` inputs through; differentiating them, in whatever they depend on, is an error."""

    @staticmethod
    def forward(ctx: Any, count: int, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(x.detach() for x in inputs[:count])

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")


def once_differentiable(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a ``backward`` that must not be differentiated again; doing so raises instead of giving a wrong result.

    The body runs without recording, so it may use NumPy, say, or change its arguments in place.
    """

    @functools.wraps(fn)
    def wrapper(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        with no_grad():
            outputs = fn(ctx, *args, **kwargs)
        sources = [a for a in args if isinstance(a, Tensor) and a.requires_grad]
        if not (_core.is_grad_enabled() and sources):
            return outputs
        given = outputs if isinstance(outputs, tuple) else (outputs,)
        tensors = [g for g in given if isinstance(g, Tensor)]
        marked = iter(_Undifferentiable.apply(len(tensors), *tensors, *sources))
        replaced = tuple(next(marked) if isinstance(g, Tensor) else g for g in given)
        return replaced if isinstance(outputs, tuple) else replaced[0]

    return wrapper
