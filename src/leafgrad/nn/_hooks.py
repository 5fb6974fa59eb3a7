"""Hooks that watch every module: the registries, and the functions that fill them.

They are for debugging and profiling. `Module` reads the registries at each call, registration or backward set-up.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from leafgrad.utils.hooks import RemovableHandle

if TYPE_CHECKING:
    from collections.abc import Callable

    Hooks = OrderedDict[int, Callable[..., Any]]

buffer_registration: Hooks = OrderedDict()
module_registration: Hooks = OrderedDict()
parameter_registration: Hooks = OrderedDict()
forward_pre: Hooks = OrderedDict()
forward: Hooks = OrderedDict()
forward_with_kwargs: OrderedDict[int, bool] = OrderedDict()  # ids in `forward` that also take kwargs
forward_always_called: OrderedDict[int, bool] = OrderedDict()  # ids in `forward` that run even if forward raised
backward_pre: Hooks = OrderedDict()
backward: Hooks = OrderedDict()
backward_is_full: bool | None = None  # which of the two kinds `backward` holds; None before the first


def add(
    hooks: OrderedDict[int, Any], hook: Any, *flags: tuple[OrderedDict[int, bool], bool], prepend: bool = False
) -> RemovableHandle:
    """Put `hook` last (first with `prepend`) into `hooks`, and its id into the dict of each flag that is on."""
    handle = RemovableHandle(hooks, extra_dict=[ids for ids, _ in flags])
    hooks[handle.id] = hook
    for ids, on in flags:
        if on:
            ids[handle.id] = True
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def check_one_kind(current: bool | None, full: bool, where: str) -> bool:
    """`full`, if the backward hooks registered so far are of that kind; `where` says on what they sit."""
    if current is (not full):
        raise RuntimeError(
            f"Cannot use both regular backward hooks and full backward hooks {where}. Please use only one of them."
        )
    return full


def register_module_buffer_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, buffer)`` at each buffer registration; a returned value replaces the buffer."""
    return add(buffer_registration, hook)


def register_module_module_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, submodule)`` at each submodule registration; a returned value replaces it."""
    return add(module_registration, hook)


def register_module_parameter_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, parameter)`` at each parameter registration; a returned value replaces it."""
    return add(parameter_registration, hook)


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, args)`` before each module's forward; a returned value replaces the arguments."""
    return add(forward_pre, hook)


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call ``hook(module, args, output)`` after each module's forward; a returned value replaces the output.

    Args:
        hook: the function; with `with_kwargs` it is called as ``hook(module, args, kwargs, output)``.
        with_kwargs: hand over the keyword arguments of forward too.
        always_call: run the hook even if forward raised.
    """
    return add(forward, hook, (forward_with_kwargs, with_kwargs), (forward_always_called, always_call))


def register_module_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, grad_input, grad_output)`` after the last node of each module: deprecated.

    What it sees depends on how forward is written; use `register_module_full_backward_hook`.
    """
    global backward_is_full
    backward_is_full = check_one_kind(backward_is_full, False, "as a global Module hook")
    return add(backward, hook)


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, grad_output)`` before each module's backward; a returned value replaces `grad_output`."""
    return add(backward_pre, hook)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, grad_input, grad_output)`` in each module's backward; a result replaces `grad_input`."""
    global backward_is_full
    backward_is_full = check_one_kind(backward_is_full, True, "as a global Module hook")
    return add(backward, hook)
