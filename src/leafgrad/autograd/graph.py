"""The recorded graph: its nodes and edges, hooks on saved tensors, and hooks on several gradients at once."""

from __future__ import annotations

import functools
import threading
import weakref
from collections import namedtuple
from typing import TYPE_CHECKING, Any

from leafgrad import _core
from leafgrad._core import Node, Tensor
from leafgrad.utils.hooks import RemovableHandle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]


class GradientEdge(namedtuple("GradientEdge", ("node", "output_nr", "ownership_token"), defaults=(None,))):
    """Where a gradient flows in: output `output_nr` of `node`. Stands for a tensor in `grad` and `backward`.

    The edge holds its node and so the graph behind it, but not the tensor. `ownership_token` is always None.
    """

    __slots__ = ()


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The edge through which the gradient of `tensor` flows; for a leaf, into the node that accumulates its grad.

    ``grad(get_gradient_edge(y), get_gradient_edge(x))`` equals ``grad(y, x)``, and the tensors may be gone by then.
    """
    if isinstance(tensor, GradientEdge):
        return tensor
    if not tensor.requires_grad:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does not require gradients: "
            f"{tensor.dtype} {tuple(tensor.shape)}."
        )
    node = tensor.grad_fn
    return GradientEdge(node if node is not None else _core._grad_accumulator(tensor), tensor.output_nr)


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Count one more in-place write to `tensor`, or to each of several.

    For code that writes to the memory of a tensor behind the back of autograd: a saved tensor that was overwritten is
    then an error in backward, not a wrong gradient.
    """
    _core._increment_version((tensor,) if isinstance(tensor, Tensor) else tuple(tensor))


class saved_tensors_hooks:
    """Context manager: decide how tensors that are saved for backward inside are kept.

    Args:
        pack_hook: called once with each tensor when it is saved; what it returns, anything, is kept instead.
        unpack_hook: called with that object at every use in backward; returns a tensor of the same values.

    Nested contexts: the innermost pair is used. The pack hook must not change its argument in place.

    >>> import leafgrad
    >>> x = leafgrad.ones(3, requires_grad=True)
    >>> with leafgrad.autograd.graph.saved_tensors_hooks(lambda t: t.numpy(), leafgrad.from_numpy):  # doctest: +SKIP
    ...     y = x.exp()
    """

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self) -> None:
        _core._push_saved_tensors_default_hooks(self.pack_hook, self.unpack_hook)

    def __exit__(self, *args: object) -> None:
        _core._pop_saved_tensors_default_hooks()


class save_on_cpu(saved_tensors_hooks):
    """Context manager: tensors saved inside wait in main memory, and return to their device when backward needs them.

    Args:
        pin_memory: keep them in page-locked memory. There is nothing to lock for tensors that live on the CPU.
        device_type: the device that `pin_memory` is for.
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        def pack(tensor: Tensor) -> tuple[Any, Tensor]:
            return tensor.device, tensor.cpu()

        def unpack(packed: tuple[Any, Tensor]) -> Tensor:
            device, tensor = packed
            return tensor.to(device)

        super().__init__(pack, unpack)


class disable_saved_tensors_hooks:
    """Context manager: `saved_tensors_hooks` raises RuntimeError with `error_message` inside.

    For code whose saved tensors must not be replaced.
    """

    def __init__(self, error_message: str) -> None:
        self.error_message = error_message

    def __enter__(self) -> None:
        self.prev = _core._saved_tensors_hooks_get_disabled_error_message()
        _core._saved_tensors_hooks_disable(self.error_message)

    def __exit__(self, *args: object) -> None:
        if self.prev is None:
            _core._saved_tensors_hooks_enable()
        else:
            _core._saved_tensors_hooks_disable(self.prev)

    def __call__(self, func: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with disable_saved_tensors_hooks(self.error_message):
                return func(*args, **kwargs)

        return wrapper


class _MultiHandle(RemovableHandle):
    """Handle of several hooks that belong together."""

    def __init__(self, handles: tuple[RemovableHandle, ...]) -> None:
        self.handles = handles

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()

    def __getstate__(self) -> tuple[RemovableHandle, ...]:
        return self.handles

    def __setstate__(self, state: tuple[RemovableHandle, ...]) -> None:
        self.handles = state


def register_multi_grad_hook(
    tensors: Sequence[Tensor],
    fn: Callable[..., None],
    *,
    mode: str = "all",
) -> RemovableHandle:
    """Call `fn` in each backward pass once the gradients of `tensors` are known.

    Args:
        tensors: the tensors to wait for.
        fn: returns nothing; it sees the gradients and cannot replace them.
        mode: ``"all"`` waits for every gradient that this pass computes and calls ``fn(gradients)``, with None for a
            tensor that the pass does not reach; ``"any"`` calls ``fn(gradient)`` with the first that is ready.

    Returns a handle whose ``remove()`` takes the hook away from all the tensors.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    return (_hook_all if mode == "all" else _hook_any)(tensors, fn)


def _graph_task() -> int:
    """Number of the backward pass that runs in this thread; passes may nest, and hooks of each are kept apart."""
    task = _core._current_graph_task_id()
    if task == -1:
        raise AssertionError("expected this hook to be called inside a backward call")
    return task


def _hook_all(tensors: Sequence[Tensor], fn: Callable[[Sequence[Tensor | None]], None]) -> _MultiHandle:
    nodes = [get_gradient_edge(tensor).node for tensor in tensors]
    gathered: dict[int, list[Tensor | None]] = {}  # by pass: what has arrived
    missing: dict[int, int] = {}  # by pass: how many are still to come
    lock = threading.Lock()

    def hook_of(index: int) -> Callable[[Tensor], None]:
        def hook(g: Tensor) -> None:
            task = _graph_task()
            with lock:
                if task not in missing:
                    missing[task] = sum(map(_core._will_engine_execute_node, nodes))
                    gathered[task] = [None] * len(nodes)
                gathered[task][index] = g
                missing[task] -= 1
                complete = missing[task] == 0
            if complete:
                del missing[task]
                fn(gathered.pop(task))

        return hook

    return _MultiHandle(tuple(tensor.register_hook(hook_of(i)) for i, tensor in enumerate(tensors)))


def _hook_any(tensors: Sequence[Tensor], fn: Callable[[Tensor], None]) -> _MultiHandle:
    seen: set[int] = set()
    lock = threading.Lock()

    @functools.wraps(fn)
    def hook(g: Tensor) -> None:
        task = _graph_task()
        with lock:
            first = task not in seen
            seen.add(task)
        if first:
            fn(g)

    return _MultiHandle(tuple(tensor.register_hook(hook) for tensor in tensors if tensor.requires_grad))


class _Kept:
    """One saved tensor under `allow_mutation_on_saved_tensors`; weakly listed so that the context can let go of it."""

    __slots__ = ("__weakref__", "copy")

    def __init__(self, copy: Tensor | None) -> None:
        self.copy = copy


class allow_mutation_on_saved_tensors:
    """Context manager: tensors may be changed in place after they were saved; backward sees their old values.

    Each saved tensor is copied when it is saved, once for each version of its memory, so the price is memory. Backward
    has to run inside the same context; entering a second one inside raises RuntimeError.

    >>> import leafgrad
    >>> with leafgrad.autograd.graph.allow_mutation_on_saved_tensors():
    ...     a = leafgrad.ones(2, requires_grad=True)
    ...     b = a.clone()
    ...     out = (b**2).sum()
    ...     _ = b.sin_()
    ...     out.backward()
    >>> a.grad
    tensor([2., 2.])
    """

    _active: allow_mutation_on_saved_tensors | None = None

    def __init__(self) -> None:
        self._kept: weakref.WeakValueDictionary[Any, _Kept] = weakref.WeakValueDictionary()
        self._hooks = saved_tensors_hooks(self._pack, self._unpack)

    def _pack(self, tensor: Tensor) -> _Kept:
        # The version tells apart the values that one piece of memory has had; the rest tells apart views of it.
        key = (tensor.data_ptr(), tensor._version, tensor.dtype, tuple(tensor.shape), tuple(tensor.stride()))
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = _Kept(tensor.detach().clone())
        return kept

    def _unpack(self, kept: _Kept) -> Tensor:
        if allow_mutation_on_saved_tensors._active is None or kept.copy is None:
            raise AssertionError(
                "Trying to backward outside of the 'allow_mutation_on_saved_tensors' context in which the graph was "
                "originally recorded."
            )
        return kept.copy

    def clear(self) -> None:
        """Drop every copy; the graph recorded so far cannot run backward any more."""
        for kept in list(self._kept.values()):
            kept.copy = None
        self._kept.clear()

    def __enter__(self) -> allow_mutation_on_saved_tensors:
        if allow_mutation_on_saved_tensors._active is not None:
            raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
        self._hooks.__enter__()
        allow_mutation_on_saved_tensors._active = self
        return self

    def __exit__(self, *args: object) -> None:
        allow_mutation_on_saved_tensors._active = None
        self._hooks.__exit__()
        self.clear()
