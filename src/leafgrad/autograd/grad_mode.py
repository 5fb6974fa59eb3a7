"""What is recorded: ``no_grad``, ``enable_grad``, ``set_grad_enabled`` and ``inference_mode``.

Each is a context manager and a decorator. The mode itself lives in the core, one per thread; the classes here only
save and restore it, and the two that programs enter most often (`no_grad`, `enable_grad`) do so in the core.
Decorating a generator or a coroutine is the interesting part: such a function hands control back to its caller at every
``yield`` or ``await``, and there the caller's own mode has to be in force again. `_drive` does this for all of them.
"""

from __future__ import annotations

import functools
import types
import warnings
from typing import TYPE_CHECKING, Any

from leafgrad import _core
from leafgrad._core import (
    _set_grad_enabled,
    _set_inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["enable_grad", "inference_mode", "no_grad", "set_grad_enabled", "set_multithreading_enabled"]

# Flags of a code object (see the data model's "co_flags"). Read here because the module `inspect` is slow to import.
_GENERATOR = 0x20
_COROUTINE = 0x80 | 0x100
_ASYNC_GENERATOR = 0x200


def _code_flags(func: Any) -> int:
    """Flags of the function that `func` finally calls, through methods and partials; 0 if it has no Python code."""
    while True:
        if isinstance(func, types.MethodType):
            func = func.__func__
        elif isinstance(func, functools.partial):
            func = func.func
        else:
            code = getattr(func, "__code__", None)
            return code.co_flags if isinstance(code, types.CodeType) else 0


def _drive(context: Callable[[], Any], steps: Any) -> Generator[Any, Any, Any]:
    """Run `steps` (generator or awaitable), inside `context()` while it runs, outside while it is suspended."""
    resume, value = steps.send, None
    while True:
        try:
            with context():
                response = resume(value)
        except StopIteration as end:
            return end.value
        try:
            value = yield response
            resume = steps.send
        except GeneratorExit:
            with context():
                steps.close()
            raise
        except BaseException as error:
            resume, value = steps.throw, error


_await_inside = types.coroutine(_drive)


def _decorate(context: Callable[[], Any], func: Callable[..., Any]) -> Callable[..., Any]:
    """`func`, every part of it that runs wrapped in a fresh `context()`."""
    flags = _code_flags(func)
    if flags & _GENERATOR:

        @functools.wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return (yield from _drive(context, func(*args, **kwargs)))

    elif flags & _COROUTINE:

        @functools.wraps(func)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            return await _await_inside(context, func(*args, **kwargs))

    elif flags & _ASYNC_GENERATOR:

        @functools.wraps(func)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            generator = func(*args, **kwargs)
            step = generator.asend(None)
            while True:
                try:
                    response = await _await_inside(context, step)
                except StopAsyncIteration:
                    return
                try:
                    request = yield response
                    step = generator.asend(request)
                except GeneratorExit:
                    await _await_inside(context, generator.aclose())
                    raise
                except BaseException as error:
                    step = generator.athrow(error)

    else:

        @functools.wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with context():
                return func(*args, **kwargs)

    return wrapper


class _DecoratorContextManager:
    """A context manager that also decorates: each call of the function runs inside a fresh copy of it."""

    __slots__ = ()

    def __call__(self, func: Callable[..., Any]) -> Callable[..., Any]:
        if isinstance(func, type):
            warnings.warn(
                f"Decorating classes is deprecated: {type(self).__name__} then covers the construction of "
                f"{func.__name__} only, and the name is no longer a class. Decorate its methods instead.",
                FutureWarning,
                stacklevel=2,
            )
            cls = func

            def func(*args: Any, **kwargs: Any) -> Any:
                return cls(*args, **kwargs)

        return _decorate(self.clone, func)

    def clone(self) -> Any:
        """A fresh context manager of the same setting; the decorator enters one for each call."""
        return type(self)()


class no_grad(_core._NoGrad, _DecoratorContextManager):
    """Record nothing: results do not require grad, whatever their inputs.

    For evaluation and for updates of parameters by hand. Works as ``with no_grad():`` and as a decorator, with or
    without parentheses, for functions, methods, generators and coroutines. It holds for the current thread only.

    >>> import leafgrad
    >>> x = leafgrad.tensor([1.0], requires_grad=True)
    >>> with leafgrad.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    __slots__ = ()


class enable_grad(_core._EnableGrad, _DecoratorContextManager):
    """Record again, inside a `no_grad` or after ``set_grad_enabled(False)``; otherwise as `no_grad`.

    >>> import leafgrad
    >>> x = leafgrad.tensor([1.0], requires_grad=True)
    >>> with leafgrad.no_grad(), leafgrad.enable_grad():
    ...     (x * 2).requires_grad
    True
    """

    __slots__ = ()


class set_grad_enabled(_DecoratorContextManager):
    """Record or not, as `mode` says: a statement, a context manager, or a decorator.

    As a statement it takes effect at once and stays; ``with set_grad_enabled(mode):`` restores at its end the mode
    that was in force before the call.

    >>> import leafgrad
    >>> with leafgrad.set_grad_enabled(False):
    ...     leafgrad.is_grad_enabled()
    False
    """

    __slots__ = ("mode", "prev")

    def __init__(self, mode: bool) -> None:
        self.prev = is_grad_enabled()
        self.mode = mode
        _set_grad_enabled(mode)

    def __call__(self, func: Callable[..., Any]) -> Callable[..., Any]:
        # A decorator says nothing about the code after it: take back what the constructor set.
        _set_grad_enabled(self.prev)
        return super().__call__(func)

    def __enter__(self) -> None:
        _set_grad_enabled(self.mode)

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        _set_grad_enabled(self.prev)

    def clone(self) -> set_grad_enabled:
        return type(self)(self.mode)

    def __repr__(self) -> str:
        return f"{type(self).__module__}.{type(self).__qualname__}(mode={self.mode})"


class inference_mode(_DecoratorContextManager):
    """`no_grad`, and tensors made inside are inference tensors: without version counter, never part of a graph.

    Args:
        mode: ``False`` leaves an enclosing inference mode and records again.

    As a decorator it may be used without parentheses.
    """

    __slots__ = ("_prev", "mode")

    def __new__(cls, mode: Any = True) -> Any:
        return object.__new__(cls) if isinstance(mode, bool) else cls()(mode)

    def __init__(self, mode: bool = True) -> None:
        self.mode = mode

    def __enter__(self) -> None:
        self._prev = is_inference_mode_enabled(), is_grad_enabled()
        _set_inference_mode(self.mode)
        _set_grad_enabled(not self.mode)

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        inference, grad = self._prev
        _set_inference_mode(inference)
        _set_grad_enabled(grad)

    def clone(self) -> inference_mode:
        return type(self)(self.mode)


class set_multithreading_enabled(_DecoratorContextManager):
    """Accepted so that programs which switch the engine's device threads run unchanged.

    A backward pass always runs in the thread that asked for it, which is what ``False`` asks for; ``True`` allows more
    threads and demands none. The setting is kept and can be read with `is_multithreading_enabled`.
    """

    __slots__ = ("mode", "prev")
    _current = True

    def __init__(self, mode: bool) -> None:
        self.prev = set_multithreading_enabled._current
        self.mode = set_multithreading_enabled._current = bool(mode)

    def __enter__(self) -> None:
        pass

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        set_multithreading_enabled._current = self.prev

    def clone(self) -> set_multithreading_enabled:
        return type(self)(self.mode)


def is_multithreading_enabled() -> bool:
    """The setting of `set_multithreading_enabled`."""
    return set_multithreading_enabled._current


class _unsafe_preserve_version_counter(_DecoratorContextManager):
    """Writes to `tensors` inside leave their version counters as they were.

    Unsafe: a saved tensor that was overwritten inside then goes unnoticed, and the gradient is wrong.
    """

    __slots__ = ("prev_versions", "tensors")

    def __init__(self, tensors: Any) -> None:
        self.tensors = (tensors,) if isinstance(tensors, _core.Tensor) else tuple(tensors)
        self.prev_versions = tuple(tensor._version for tensor in self.tensors)

    def __enter__(self) -> None:
        pass

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        _core._unsafe_set_version_counter(self.tensors, self.prev_versions)

    def clone(self) -> _unsafe_preserve_version_counter:
        return type(self)(self.tensors)
