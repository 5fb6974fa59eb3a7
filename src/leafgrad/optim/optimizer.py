"""`Optimizer`: groups of parameters with their settings, the state of each, saving and loading, hooks on steps.

A method derives from it and writes `step`. The checks of what a user hands over are in `add_param_group`; what is said
about wrong parameters is put together in the functions above the class.
"""

from __future__ import annotations

import functools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from copy import deepcopy
from itertools import chain
from typing import TYPE_CHECKING, Any

from leafgrad import _core
from leafgrad._core import Tensor
from leafgrad._queries import typename
from leafgrad.autograd.grad_mode import enable_grad, no_grad, set_grad_enabled
from leafgrad.utils.hooks import RemovableHandle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Optimizer", "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook"]

_global_pre_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
_global_post_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()


class _Required:
    """Default of a setting that every group must give."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()


def _add_hook(hooks: OrderedDict[int, Any], hook: Any, prepend: bool = False) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` before each step of every optimizer; see `register_step_pre_hook`."""
    return _add_hook(_global_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Callable[..., None]) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` after each step of every optimizer."""
    return _add_hook(_global_post_hooks, hook)


# ---- What methods share ----------------------------------------------------------------------------------------------


def _use_grad_for_differentiable(step: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator of `step`: gradients are recorded in it only where the optimizer is differentiable."""

    @functools.wraps(step)
    def wrapper(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        with set_grad_enabled(self.defaults["differentiable"]):
            return step(self, *args, **kwargs)

    return wrapper


def _evaluate(closure: Callable[[], Any] | None) -> Any:
    """The loss that a step's `closure` computes, with gradients; None without one."""
    if closure is None:
        return None
    in_step = _core._set_in_step(False)  # what the closure writes is the user's
    try:
        with enable_grad():
            return closure()
    finally:
        _core._set_in_step(in_step)


def _value(x: Any) -> Any:
    """The number in a one-element tensor; anything else as it is."""
    return x.item() if isinstance(x, Tensor) else x


def _scalar_dtype() -> Any:
    """dtype of step counters: exact for far more steps than anyone takes."""
    return _core.float64 if _core.get_default_dtype() == _core.float64 else _core.float32


def _check_implementation(foreach: bool | None, fused: bool | None, differentiable: bool) -> None:
    """The choices among implementations that PyTorch refuses; here the choice is made for each parameter."""
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def _check_learning_rate(lr: Any, foreach: bool | None, capturable: bool = False) -> None:
    if isinstance(lr, Tensor):
        if foreach and not capturable:
            raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
        if lr.numel() != 1:
            raise ValueError(f"Tensor lr must be 1-element, but it has {lr.numel()} elements")
    if not lr >= 0.0:
        raise ValueError(f"Invalid learning rate: {lr}")


# ---- Messages about wrong parameters ---------------------------------------------------------------------------------


def _module_behind(params: Any) -> Any:
    """The module whose `parameters()` or `named_parameters()` the generator `params` is, if it is one."""
    from leafgrad.nn.module import Module

    frame = getattr(params, "gi_frame", None)
    owner = None if frame is None else frame.f_locals.get("self")
    return owner if isinstance(owner, Module) else None


def _empty_list_message(module: Any) -> str:
    from leafgrad.lens.hidden import hidden_members

    message = "optimizer got an empty parameter list"
    if module is None:
        return message
    name = type(module).__name__
    found = [f"{name}.{hidden.path} is {hidden.text}." for hidden in hidden_members(module)]
    return f"{message}: " + (" ".join(found) or f"{name} has no parameters.")


def _non_leaf_message(param: Tensor, position: int, group: int) -> str:
    from leafgrad.lens.history import made_by, tensor_text

    return (
        f"can't optimize a non-leaf Tensor: parameter {position} of group {group}, {tensor_text(param)}, is the result "
        f"of {made_by(param.grad_fn)}. Make it a leaf after all operations: tensor.detach().requires_grad_()."
    )


def _with_step_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """`step` with the hooks of the optimizer, and of all optimizers, before and after it."""

    @functools.wraps(step)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        self = args[0]  # hooks see, and may replace, it among the arguments
        for hook in chain(_global_pre_hooks.values(), self._optimizer_step_pre_hooks.values()):
            answer = hook(self, args, kwargs)
            if answer is not None:
                if not (isinstance(answer, tuple) and len(answer) == 2):
                    raise RuntimeError(
                        f"{hook} must return None or a tuple of (new_args, new_kwargs), but got {answer}."
                    )
                args, kwargs = answer
        in_step = _core._set_in_step(True)  # so that a write into a saved tensor is called by its name
        try:
            result = step(*args, **kwargs)
        finally:
            _core._set_in_step(in_step)
        for hook in chain(self._optimizer_step_post_hooks.values(), _global_post_hooks.values()):
            hook(self, args, kwargs)
        return result

    wrapper.hooked = True
    return wrapper


# ---- The class -------------------------------------------------------------------------------------------------------


class Optimizer:
    """Base class of all methods that improve parameters by their gradients.

    Args:
        params: what to optimize: an iterable of tensors, of pairs of name and tensor, or of dicts, each a group with
            its tensors under ``'params'`` and its own settings.
        defaults: settings for groups that do not give their own.

    Attributes:
        param_groups: the groups: dicts of settings, with the tensors under ``'params'``.
        state: a dict of what the method keeps, for each tensor.
    """

    param_groups: list[dict[str, Any]]
    state: defaultdict[Any, Any]
    _hook_fields = (
        "_optimizer_step_pre_hooks",
        "_optimizer_step_post_hooks",
        "_optimizer_state_dict_pre_hooks",
        "_optimizer_state_dict_post_hooks",
        "_optimizer_load_state_dict_pre_hooks",
        "_optimizer_load_state_dict_post_hooks",
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _with_step_hooks(cls.step)

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        for field in self._hook_fields:
            setattr(self, field, OrderedDict())
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                f"{typename(params)}. Put the tensor into a list."
            )
        self.state = defaultdict(dict)
        self.param_groups = []
        module = _module_behind(params)  # asked before the generator is run through
        groups = list(params)
        if not groups:
            raise ValueError(_empty_list_message(module))
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    # ---- Groups ------------------------------------------------------------------------------------------------------

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group: a dict with tensors, or pairs of name and tensor, under ``'params'``, and any settings.

        Raises:
            TypeError: if a parameter is no tensor, or the tensors come without an order.
            ValueError: if a tensor is no leaf or is in a group already, or a required setting is missing.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        self._split_names(param_group)
        for position, param in enumerate(param_group["params"]):
            if not isinstance(param, Tensor):
                raise TypeError(
                    f"optimizer can only optimize Tensors, but one of the params is {typename(param)} "
                    f"(parameter {position} of group {len(self.param_groups)})."
                )
            if not self.defaults.get("differentiable") and not (param.is_leaf or param.retains_grad):
                raise ValueError(_non_leaf_message(param, position, len(self.param_groups)))
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            param_group.setdefault(name, default)
        self._check_against_groups(param_group)
        self.param_groups.append(param_group)

    def _split_names(self, param_group: dict[str, Any]) -> None:
        """Make ``'params'`` a list of tensors; names, if the tensors come with them, go to ``'param_names'``."""
        params = param_group["params"]
        if isinstance(params, Tensor):
            params = [params]
        elif isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
                "will change between runs. Please use a list instead."
            )
        params = list(params)
        named = [isinstance(param, tuple) for param in params]
        if any(named):
            if not all(named):
                raise ValueError("all optimizer params should be with/without names. Some param names are missing")
            param_group["param_names"] = [name for name, _ in params]
            params = [param for _, param in params]
        param_group["params"] = params

    def _check_against_groups(self, param_group: dict[str, Any]) -> None:
        params = param_group["params"]
        if len(params) != len(set(params)):
            warnings.warn("optimizer contains a parameter group with duplicate parameters", stacklevel=4)
        if self.param_groups and ("param_names" in param_group) != ("param_names" in self.param_groups[0]):
            which = "with names" if "param_names" in param_group else "without names"
            raise ValueError(
                "all optimizer param groups should be with/without names. "
                f"cannot add param group {which} to the optimizer"
            )
        present = set(chain.from_iterable(group["params"] for group in self.param_groups))
        if not present.isdisjoint(params):
            raise ValueError("some parameters appear in more than one parameter group")

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for position, group in enumerate(self.param_groups):
            if position:
                lines.append("")
            lines.append(f"Parameter Group {position}")
            lines.extend(f"    {key}: {group[key]}" for key in sorted(group) if key != "params")
        return "\n".join([*lines, ")"])

    # ---- Steps -------------------------------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Improve all parameters once, by the gradients they have.

        Args:
            closure: computes the loss and its gradients anew; needed by methods that ask for it several times.

        Returns:
            what `closure` returned, if it is given.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define step()")

    @no_grad()
    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with zeros if `set_to_none` is off."""
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is None:
                    continue
                if set_to_none:
                    param.grad = None
                else:
                    if param.grad.grad_fn is not None:
                        param.grad.detach_()
                    else:
                        param.grad.requires_grad_(False)
                    param.grad.zero_()

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step; it returns None or new ``(args, kwargs)``."""
        return _add_hook(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return _add_hook(self._optimizer_step_post_hooks, hook)

    # ---- Saving and loading ------------------------------------------------------------------------------------------

    def register_state_dict_pre_hook(self, hook: Callable[..., None], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` before each `state_dict`."""
        return _add_hook(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` after each `state_dict`; what it returns replaces the dict."""
        return _add_hook(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` before each `load_state_dict`; what it returns replaces the dict."""
        return _add_hook(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[..., None], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` after each `load_state_dict`."""
        return _add_hook(self._optimizer_load_state_dict_post_hooks, hook, prepend)

    def state_dict(self) -> dict[str, Any]:
        """State and settings, with numbers in the place of the parameters.

        ``'state'`` maps a parameter's number to what the method keeps for it; ``'param_groups'`` has the settings, and
        the numbers under ``'params'``. The tensors are shared, not copied.
        """
        for pre_hook in self._optimizer_state_dict_pre_hooks.values():
            pre_hook(self)
        number: dict[Tensor, int] = {}
        for param in chain.from_iterable(group["params"] for group in self.param_groups):
            number.setdefault(param, len(number))

        def packed(group: dict[str, Any]) -> dict[str, Any]:
            settings = {key: value for key, value in group.items() if key != "params"}
            return {**settings, "params": [number[param] for param in group["params"]]}

        state = {number[key] if isinstance(key, Tensor) else key: value for key, value in self.state.items()}
        result: dict[str, Any] = {"state": state, "param_groups": [packed(group) for group in self.param_groups]}
        for post_hook in self._optimizer_state_dict_post_hooks.values():
            answer = post_hook(self, result)
            if answer is not None:
                result = answer
        return result

    @no_grad()
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take state and settings back from what `state_dict` gave; tensors take the parameters' dtypes."""
        state_dict = state_dict.copy()  # hooks may change it
        for pre_hook in self._optimizer_load_state_dict_pre_hooks.values():
            answer = pre_hook(self, state_dict)
            if answer is not None:
                state_dict = answer
        saved_groups = deepcopy(state_dict["param_groups"])
        self._check_saved_groups(saved_groups)
        numbers = chain.from_iterable(group["params"] for group in saved_groups)
        params = chain.from_iterable(group["params"] for group in self.param_groups)
        param_of = dict(zip(numbers, params, strict=True))
        state: defaultdict[Any, Any] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in param_of:
                state[param_of[key]] = _cast_state(value, param_of[key])
            else:
                state[key] = value
        for group, saved in zip(self.param_groups, saved_groups, strict=True):
            saved["params"] = group["params"]
            if "param_names" in group and "param_names" not in saved:
                saved["param_names"] = group["param_names"]
        self.__setstate__({"state": state, "param_groups": saved_groups})
        for post_hook in self._optimizer_load_state_dict_post_hooks.values():
            post_hook(self)

    def _check_saved_groups(self, saved_groups: list[dict[str, Any]]) -> None:
        if len(self.param_groups) != len(saved_groups):
            raise ValueError(
                "loaded state dict has a different number of parameter groups: "
                f"{len(saved_groups)}, the optimizer has {len(self.param_groups)}"
            )
        for position, (group, saved) in enumerate(zip(self.param_groups, saved_groups, strict=True)):
            if len(group["params"]) != len(saved["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of optimizer's group: "
                    f"group {position} has {len(saved['params'])} parameters, the optimizer's {len(group['params'])}"
                )

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for field in self._hook_fields:
            self.__dict__.setdefault(field, OrderedDict())
        self.defaults.setdefault("differentiable", False)


def _cast_state(value: Any, param: Tensor, key: str | None = None) -> Any:
    """A copy of saved state with its tensors in `param`'s dtype and on its device; step counters stay as they are."""
    if isinstance(value, Tensor):
        if key == "step":
            return value.clone()
        return value.to(dtype=param.dtype if param.is_floating_point() else value.dtype, device=param.device, copy=True)
    if isinstance(value, dict):
        return {name: _cast_state(each, param, name) for name, each in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return type(value)(_cast_state(each, param) for each in value)
    return value


def _flags(groups: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The groups, each with the settings that every method has, for state from a version that lacked them."""
    for group in groups:
        for name, default in (("maximize", False), ("foreach", None), ("differentiable", False), ("fused", None)):
            group.setdefault(name, default)
        yield group
