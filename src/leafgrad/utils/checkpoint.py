"""Checkpointing: give up what a function saved for backward, and run the function again when backward needs it.

Two variants. Without re-entry (`use_reentrant=False`, the better one) the function's graph is recorded as usual, but
each tensor it saves is replaced by an empty `_Holder`. The first one that backward asks for makes `_Frame.recompute`
run the function again, which saves the same tensors in the same order, and they fill the holders. With re-entry
nothing is recorded in forward; backward runs the function again and starts a second backward pass inside the first.

Start reading at `checkpoint`.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from leafgrad import _core
from leafgrad._core import Tensor, is_grad_enabled
from leafgrad.autograd import Function, backward, enable_grad, no_grad
from leafgrad.autograd.graph import saved_tensors_hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    "CheckpointError",
    "CheckpointFunction",
    "check_backward_validity",
    "checkpoint",
    "checkpoint_sequential",
    "detach_variable",
    "noop_context_fn",
    "set_checkpoint_debug_enabled",
    "set_checkpoint_early_stop",
]

_early_stop: bool | None = None  # None leaves it to the argument of `checkpoint`
_debug: bool | None = None


class CheckpointError(RuntimeError):
    """The second run of a checkpointed function saved other tensors than the first."""


class _Context:
    """A context manager that does nothing."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *args: object) -> None:
        pass


def noop_context_fn() -> tuple[Any, Any]:
    """The default `context_fn`: nothing around either run."""
    return _Context(), _Context()


class set_checkpoint_early_stop:
    """Context manager: overrules the `early_stop` of every `checkpoint` called inside."""

    def __init__(self, enable: bool) -> None:
        self.enable = enable

    def __enter__(self) -> None:
        global _early_stop
        self.prev, _early_stop = _early_stop, self.enable

    def __exit__(self, *args: object) -> None:
        global _early_stop
        _early_stop = self.prev


class set_checkpoint_debug_enabled:
    """Context manager: overrules the `debug` of every `checkpoint` called inside."""

    def __init__(self, enabled: bool | None) -> None:
        self.enabled = enabled

    def __enter__(self) -> None:
        global _debug
        self.prev, _debug = _debug, self.enabled

    def __exit__(self, *args: object) -> None:
        global _debug
        _debug = self.prev


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Any, Any]] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """``function(*args, **kwargs)``, whose saved tensors are computed again in backward instead of kept.

    Trades time for memory: the function runs twice, and only its arguments wait for backward. It has to do the same
    both times; random numbers are drawn alike.

    Args:
        function: what to run. It must not depend on anything that changes between forward and backward.
        use_reentrant: which variant. Pass it; without it a warning is given and True is used. True needs an argument
            that requires grad, allows neither ``grad`` nor ``inputs=``, and does not see tensors inside structures.
        context_fn: returns two context managers, for the first and for the second run. Not with re-entry.
        determinism_check: ``"default"`` compares shape, dtype and device of what the two runs save, ``"none"`` nothing.
        debug: make an error list what each run saved, and where in the program. Not with re-entry.
        early_stop: end the second run as soon as everything is there.
        preserve_rng_state: give the second run the random numbers of the first. Default True.

    Source: Chen et al., "Training Deep Nets with Sublinear Memory Cost" (2016).

    >>> import leafgrad
    >>> x = leafgrad.ones(2, requires_grad=True)
    >>> checkpoint(lambda x: x.exp().sin(), x, use_reentrant=False).sum().backward()
    >>> bool(leafgrad.allclose(x.grad, x.exp().cos() * x.exp()))
    True
    """
    preserve = kwargs.pop("preserve_rng_state", True)
    if use_reentrant is None:
        use_reentrant = _default_variant("checkpoint")
    if use_reentrant:
        if kwargs:
            raise ValueError(f"checkpoint: Unexpected keyword arguments: {','.join(kwargs)}")
        if context_fn is not noop_context_fn or debug:
            raise ValueError("checkpoint: Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
        return CheckpointFunction.apply(function, preserve, *args)

    debug = debug if _debug is None else _debug
    if debug and context_fn is not noop_context_fn:
        raise ValueError("checkpoint: debug=True is incompatible with non-default context_fn")
    if determinism_check not in _METADATA:
        raise ValueError(
            f"checkpoint: determinism_check should be one of {list(_METADATA)}, but got {determinism_check}"
        )
    forward_context, recompute_context = context_fn()
    run = _Rerun(function, kwargs, preserve, recompute_context)
    if not is_grad_enabled():
        return function(*args, **kwargs)
    frame = _Frame(run, early_stop if _early_stop is None else _early_stop, _METADATA[determinism_check], debug)
    frame.save_arguments(args)
    result = _NOTHING
    with _SaveNothing(frame), forward_context:
        result = function(*args, **kwargs)
    if result is _NOTHING:
        raise RuntimeError(
            "checkpoint: the forward context of context_fn suppressed an exception that the function raised, so there "
            "is nothing to return."
        )
    frame.forward_completed = True
    return result


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """Apply `functions` one after the other, in `segments` parts of which all but the last are checkpointed.

    Args:
        functions: a ``Sequential``, or a sequence of modules or functions of one argument.
        segments: number of parts.
        input: argument of the first function.
        use_reentrant: as for `checkpoint`.
        preserve_rng_state: as for `checkpoint`.

    >>> import leafgrad
    >>> x = leafgrad.ones(2, requires_grad=True)
    >>> checkpoint_sequential([leafgrad.exp, leafgrad.sin, leafgrad.exp], 2, x, use_reentrant=False).shape
    torch.Size([2])
    """
    if use_reentrant is None:
        use_reentrant = _default_variant("checkpoint_sequential")
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError(f"checkpoint_sequential: Unexpected keyword arguments: {','.join(kwargs)}")
    if hasattr(functions, "children"):
        functions = list(functions.children())

    def part(start: int, stop: int) -> Callable[[Any], Any]:
        def run(x: Any) -> Any:
            for function in functions[start:stop]:
                x = function(x)
            return x

        return run

    size = len(functions) // segments
    last = size * (segments - 1)  # the last part is not checkpointed: its backward comes first, while it is all there
    for start in range(0, last, size or 1):
        input = checkpoint(part(start, start + size), input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return part(last, len(functions))(input)


def _default_variant(caller: str) -> bool:
    import warnings

    warnings.warn(
        f"{caller}: the use_reentrant parameter should be passed explicitly; without it, use_reentrant=True is used. "
        "use_reentrant=False is recommended: it has fewer restrictions.",
        stacklevel=3,
    )
    return True


class _Rerun:
    """The function and everything that its second run needs besides its arguments."""

    def __init__(self, function: Callable[..., Any], kwargs: dict[str, Any], preserve: bool, context: Any) -> None:
        self.function = function
        self.kwargs = kwargs
        self.context = context
        self.random_state = _core.default_generator.get_state() if preserve else None

    def __call__(self, *args: Any) -> Any:
        with _RandomState(self.random_state), self.context:
            return self.function(*args, **self.kwargs)


class _RandomState:
    """Context manager: the default generator is in `state` inside, and unchanged by it; None does nothing."""

    def __init__(self, state: Any) -> None:
        self.state = state

    def __enter__(self) -> None:
        if self.state is not None:
            self.prev = _core.default_generator.get_state()
            _core.default_generator.set_state(self.state)

    def __exit__(self, *args: object) -> None:
        if self.state is not None:
            _core.default_generator.set_state(self.prev)


# Without re-entry

_NOTHING = object()
_METADATA: dict[str, Callable[[Tensor], Any]] = {
    "default": lambda x: {"shape": x.shape, "dtype": x.dtype, "device": x.device},
    "none": lambda x: None,
}


class _StopRecomputation(Exception):
    """Ends the second run early; passes through the user's function."""


class _Holder:
    """Stands for one saved tensor. The graph owns it; the second run puts the tensor in, for each backward pass."""

    __slots__ = ("__weakref__", "values")

    def __init__(self) -> None:
        self.values: dict[int, Tensor] = {}  # by backward pass


class _Arguments(Function):
    """A node without gradient that keeps the tensors among the arguments as saved tensors.

    That way they are checked for in-place changes, and saved-tensor hooks around the call apply to them: in nested
    checkpoints the outer one also gives up the arguments of the inner.
    """

    @staticmethod
    def forward(ctx: Any, anchor: Tensor, *args: Any) -> Tensor:
        ctx.save_for_backward(*(a for a in args if isinstance(a, Tensor)))
        ctx.args = tuple(None if isinstance(a, Tensor) else a for a in args)
        ctx.is_tensor = tuple(isinstance(a, Tensor) for a in args)
        return _core.empty(0)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        raise AssertionError("checkpoint: the node of the arguments is not part of any graph")


class _Frame:
    """One call of `checkpoint`."""

    def __init__(self, run: _Rerun, early_stop: bool, metadata: Callable[[Tensor], Any], debug: bool) -> None:
        self.run = run
        self.early_stop = early_stop
        self.metadata = metadata
        self.arguments: Any = None  # node that keeps them
        self.holders: list[Any] = []  # weak: a holder whose node is gone needs no tensor
        self.saved: list[Any] = []  # metadata of the tensors that the first run saved
        self.recomputed: set[int] = set()  # backward passes that had their second run
        self.counts: dict[int, int] = {}  # by backward pass: tensors that the second run has saved
        self.forward_completed = False  # not so while the function itself runs a backward pass
        self.may_differ = False
        self.mismatches: list[str] = []
        self.first_places: list[str] | None = [] if debug else None
        self.second_places: list[str] | None = [] if debug else None

    def save_arguments(self, args: tuple[Any, ...]) -> None:
        self.arguments = _Arguments.apply(_core.empty(0, requires_grad=True), *args).grad_fn

    def _restored_arguments(self) -> list[Any]:
        node = self.arguments
        tensors = iter(node.saved_tensors)
        return [next(tensors) if is_tensor else a for a, is_tensor in zip(node.args, node.is_tensor, strict=True)]

    def recompute(self, task: int) -> None:
        """Fill the holders for one backward pass."""
        self.counts[task] = 0
        self.mismatches.clear()
        if self.second_places is not None:
            self.second_places.clear()
        args = self._restored_arguments()
        try:
            with _FillHolders(self, task), enable_grad():
                self.run(*args)
        except _StopRecomputation:
            pass
        self.recomputed.add(task)
        count = self.counts.pop(task)
        if not self.may_differ and count != len(self.holders):
            self.fail(
                "checkpoint: A different number of tensors was saved during the original forward and recomputation.\n"
                f"Number of tensors saved during forward: {len(self.holders)}\n"
                f"Number of tensors saved during recomputation: {count}."
            )
        if self.mismatches:
            self.fail(
                "checkpoint: Recomputed values for the following tensors have different metadata than during the "
                "forward pass.\n" + "\n".join(self.mismatches)
            )

    def accept(self, x: Tensor, task: int) -> Tensor:
        """Take the next tensor that the second run saves."""
        index = self.counts[task]
        self.counts[task] = index + 1
        if self.second_places is not None:
            self.second_places.append(_place(x))
        if index >= len(self.holders):
            if not self.forward_completed:
                self.may_differ = True
                return x
            self.fail(
                "checkpoint: trying to save more tensors during recomputation than during the original forward pass: "
                f"{index + 1} instead of {len(self.holders)}."
            )
        x = x.detach() if x.requires_grad else x
        holder = self.holders[index]()
        if holder is not None:
            self._compare(index, x)
            holder.values[task] = x
        if self.early_stop and index + 1 == len(self.holders):
            raise _StopRecomputation
        return x

    def _compare(self, index: int, x: Tensor) -> None:
        found = self.metadata(x)
        if found != self.saved[index] and not self.may_differ:
            self.mismatches.append(
                f"tensor at position {index}:\nsaved metadata: {self.saved[index]}\nrecomputed metadata: {found}"
            )

    def fail(self, message: str) -> None:
        if self.first_places is None or self.second_places is None:
            message += (
                "\nThe function does not do the same in both runs. Pass debug=True, or wrap the program in "
                "set_checkpoint_debug_enabled(True), to see what each of them saved and where."
            )
        else:
            message += f"\n\nSaved during the original forward:\n{_numbered(self.first_places)}"
            message += f"\n\nSaved during recomputation:\n{_numbered(self.second_places)}"
        raise CheckpointError(message)


class _SaveNothing(saved_tensors_hooks):
    """Around the first run: saved tensors become holders."""

    def __init__(self, frame: _Frame) -> None:
        def pack(x: Tensor) -> _Holder:
            holder = _Holder()
            frame.holders.append(weakref.ref(holder))
            with no_grad():
                frame.saved.append(frame.metadata(x))
            if frame.first_places is not None:
                frame.first_places.append(_place(x))
            return holder

        def unpack(holder: _Holder) -> Tensor:
            task = _core._current_graph_task_id()
            if task == -1:  # somebody reads a saved tensor outside of backward: a second run for this alone
                task = -2
                frame.recomputed.discard(task)
                holder.values.pop(task, None)
            if task not in frame.recomputed:
                frame.recompute(task)
            if task not in holder.values:
                raise CheckpointError(
                    "checkpoint: Unpack is being triggered for a tensor that was already unpacked once. If you are "
                    "calling ctx.saved_tensors in backward, make sure to do so only once."
                )
            return holder.values.pop(task)

        super().__init__(pack, unpack)


class _FillHolders(saved_tensors_hooks):
    """Around the second run: saved tensors fill the holders of the first."""

    def __init__(self, frame: _Frame, task: int) -> None:
        reference = weakref.ref(frame)  # the graph of the second run may outlive the frame; it must not keep it

        def pack(x: Tensor) -> Tensor:
            target = reference()
            assert target is not None
            return target.accept(x, task)

        super().__init__(pack, lambda x: x)


def _place(x: Tensor) -> str:
    """Where in the user's program the running operation saves `x`."""
    import traceback
    from os.path import dirname

    package = dirname(dirname(__file__))
    frames = [f for f in traceback.extract_stack() if not f.filename.startswith(package)]
    lines = "".join(f"\n      {f.filename}:{f.lineno}: {f.name}: {f.line}" for f in frames[-4:])
    return f"{x.dtype} {tuple(x.shape)}, from{lines}"


def _numbered(places: Iterable[str]) -> str:
    return "\n".join(f"  {i}. {place}" for i, place in enumerate(places))


# With re-entry


def detach_variable(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The tensors of a tuple cut off from their graph, requiring grad as before; anything else unchanged."""
    if not isinstance(inputs, tuple):
        raise RuntimeError(
            f"detach_variable: Only tuple of tensors is supported. Got Unsupported input type: {type(inputs).__name__}"
        )
    return tuple(x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x for x in inputs)


def check_backward_validity(inputs: Iterable[Any]) -> None:
    """Warn if no tensor of `inputs` requires grad."""
    if not any(x.requires_grad for x in inputs if isinstance(x, Tensor)):
        import warnings

        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2)


class CheckpointFunction(Function):
    """The variant with re-entry: forward records nothing, backward runs the function and a backward pass of its own."""

    @staticmethod
    def forward(ctx: Any, run_function: Callable[..., Any], preserve_rng_state: bool, *args: Any) -> Any:
        check_backward_validity(args)
        ctx.run = _Rerun(run_function, {}, preserve_rng_state, _Context())
        ctx.args = tuple(None if isinstance(a, Tensor) else a for a in args)
        ctx.is_tensor = tuple(isinstance(a, Tensor) for a in args)
        ctx.save_for_backward(*(a for a in args if isinstance(a, Tensor)))
        with no_grad():
            return run_function(*args)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        if not _core._is_checkpoint_valid():
            raise RuntimeError(
                "checkpoint: When use_reentrant=True, checkpoint is incompatible with .grad() or passing an `inputs` "
                "parameter to .backward(). Set use_reentrant=False, or call .backward() without `inputs`."
            )
        tensors: Iterator[Tensor] = iter(ctx.saved_tensors)
        args = tuple(next(tensors) if t else a for a, t in zip(ctx.args, ctx.is_tensor, strict=True))
        args = detach_variable(args)
        with enable_grad():
            outputs = ctx.run(*args)
        if isinstance(outputs, Tensor):
            outputs = (outputs,)
        pairs = [
            (y, g) for y, g in zip(outputs, grad_outputs, strict=True) if isinstance(y, Tensor) and y.requires_grad
        ]
        if not pairs:
            raise RuntimeError("none of output has requires_grad=True, this checkpoint() is not necessary")
        roots, cotangents = zip(*pairs, strict=True)
        backward(roots, cotangents)
        return None, None, *(x.grad if isinstance(x, Tensor) else None for x in args)
