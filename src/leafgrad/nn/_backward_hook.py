"""The machinery of a module's full backward hooks.

`BackwardHook` puts an identity node before and one after a module, so that the gradients that cross its border can be
seen and replaced: start at `setup_input_hook`.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from leafgrad._core import Tensor, is_grad_enabled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


def _border_function() -> Any:
    """The identity `Function` whose node carries the hooks; made once, when first needed.

    Backward hooks are rare, and `leafgrad.autograd` is imported after this module.
    """
    global _Border
    if _Border is None:
        from leafgrad.autograd import Function

        class BackwardHookFunction(Function):
            """Hands its inputs on; gradients pass unchanged, except for what the node's hooks do."""

            @staticmethod
            def forward(ctx: Any, *args: Tensor) -> tuple[Tensor, ...]:
                ctx.mark_non_differentiable(*(arg for arg in args if not arg.requires_grad))
                return args

            @staticmethod
            def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
                return grads

        _Border = BackwardHookFunction
    return _Border


_Border: Any = None


def _spread(positions: Sequence[int], values: Iterable[Any], size: int) -> tuple[Any, ...]:
    """`values` put at `positions` of a tuple of `size`; None elsewhere."""
    result: list[Any] = [None] * size
    for position, value in zip(positions, values, strict=False):
        result[position] = value
    return tuple(result)


class BackwardHook:
    """Runs a module's full backward hooks, and pre-hooks, at the border of one forward call.

    The node after the module sees the gradients of the outputs and runs the pre-hooks; the node before it sees those of
    the inputs and runs the hooks. Where no input requires a gradient there is no such node, so the hooks run at the
    output, with None for every input.

    Args:
        module: what the hooks receive as their first argument.
        user_hooks: ``hook(module, grad_input, grad_output) -> grad_input or None``, in order.
        user_pre_hooks: ``hook(module, grad_output) -> grad_output or None``, in order.
    """

    def __init__(self, module: Any, user_hooks: list[Callable], user_pre_hooks: list[Callable]) -> None:
        self.module = module
        self.user_hooks = user_hooks
        self.user_pre_hooks = user_pre_hooks
        self.grad_outputs: tuple[Any, ...] | None = None  # from the node after to the node before, in one backward
        self.n_inputs = -1
        self.n_outputs = -1
        self.input_tensors_index: list[int] | None = None  # None: no input requires a gradient
        self.output_tensors_index: list[int] | None = None

    def setup_input_hook(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """`args` with every tensor led through the node before the module."""
        self.n_inputs = len(args)
        args, self.input_tensors_index = self._through_border(args, self._watch_inputs)
        return args

    def setup_output_hook(self, result: Any) -> Any:
        """`result`, a tensor or a tuple, with every tensor led through the node after the module."""
        outputs = result if isinstance(result, tuple) else (result,)
        self.n_outputs = len(outputs)
        outputs, self.output_tensors_index = self._through_border(outputs, self._watch_outputs)
        return outputs if isinstance(result, tuple) else outputs[0]

    def _through_border(self, args: tuple[Any, ...], watch: Callable) -> tuple[tuple[Any, ...], list[int] | None]:
        positions = [position for position, arg in enumerate(args) if isinstance(arg, Tensor)]
        if not (is_grad_enabled() and any(args[position].requires_grad for position in positions)):
            return args, None
        passed = _border_function().apply(*(args[position] for position in positions))
        watch(next(tensor.grad_fn for tensor in passed if tensor.requires_grad))
        replaced = list(args)
        for position, tensor in zip(positions, passed, strict=True):
            replaced[position] = tensor
        # A namedtuple is rebuilt field by field, any other tuple type from one iterable.
        rebuild = getattr(type(args), "_make", type(args))
        return rebuild(replaced), positions

    def _watch_inputs(self, grad_fn: Any) -> None:
        def hook(grad_inputs: tuple[Any, ...], _: Any) -> tuple[Any, ...] | None:
            if self.grad_outputs is None:  # the outputs took no part in this backward
                return None
            grads = self._run_hooks(_spread(self.input_tensors_index, grad_inputs, self.n_inputs))
            return tuple(grads[position] for position in self.input_tensors_index)

        grad_fn.register_hook(hook)

    def _watch_outputs(self, grad_fn: Any) -> None:
        def hook(_: Any, grad_outputs: tuple[Any, ...]) -> tuple[Any, ...]:
            grads = self._run_pre_hooks(_spread(self.output_tensors_index, grad_outputs, self.n_outputs))
            self.grad_outputs = grads
            if self.input_tensors_index is None:
                self._run_hooks_without_inputs()
            return tuple(grads[position] for position in self.output_tensors_index)

        grad_fn.register_hook(hook)

    def _run_hooks(self, grad_inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in self.user_hooks:
            answer = hook(self.module, grad_inputs, self.grad_outputs)
            if answer is not None:
                grad_inputs = _checked(answer, len(grad_inputs), "Backward hook", "grad_input")
        self.grad_outputs = None
        return grad_inputs

    def _run_pre_hooks(self, grad_outputs: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in self.user_pre_hooks:
            answer = hook(self.module, grad_outputs)
            if answer is not None:
                grad_outputs = _checked(answer, len(grad_outputs), "Backward pre hook", "grad_output")
        return grad_outputs

    def _run_hooks_without_inputs(self) -> None:
        if self.user_hooks:
            warnings.warn(
                "Full backward hook is firing when gradients are computed with respect to module outputs since no "
                f"inputs require gradients; grad_input of {type(self.module).__name__} is all None.",
                stacklevel=5,
            )
        for hook in self.user_hooks:
            answer = hook(self.module, (None,) * self.n_inputs, self.grad_outputs)
            if answer is not None and not (isinstance(answer, tuple) and all(each is None for each in answer)):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always return None "
                    f"or None for all gradients; it returned {answer!r}."
                )
        self.grad_outputs = None


def _checked(answer: Any, expected: int, hook: str, what: str) -> tuple[Any, ...]:
    """A hook's `answer` as a tuple of `expected` gradients."""
    grads = answer if isinstance(answer, tuple) else (answer,)
    if len(grads) != expected:
        raise RuntimeError(f"{hook} returned an invalid number of {what}, got {len(grads)}, but expected {expected}")
    return grads
