"""`Module`: the base class of layers and models, a tree of submodules, parameters and buffers.

A module keeps its parameters, buffers and submodules in three dicts. `__setattr__` sorts what is assigned into them,
`__getattr__` finds it there; all that walks the tree (`named_parameters`, `_apply`, `state_dict`) stands on them. Start
reading at `Module.__init__`. How a `state_dict` is written and read is in `_state.py`, hooks on all modules are in
`_hooks.py`.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from leafgrad._core import Tensor, device, dtype
from leafgrad._queries import typename
from leafgrad.autograd.grad_mode import no_grad
from leafgrad.nn import _hooks
from leafgrad.nn._backward_hook import BackwardHook
from leafgrad.nn._hooks import (
    register_module_backward_hook,
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from leafgrad.nn._state import StateMixin
from leafgrad.nn.parameter import Buffer, Parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Self

    from leafgrad.utils.hooks import RemovableHandle

__all__ = [
    "Module",
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]


def _forward_unimplemented(self: Module, *input: Any) -> None:
    """Stand in for `forward`, the computation of each call, until a subclass defines it."""
    raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')


def _indent(text: str, spaces: int = 2) -> str:
    """`text` with every line but the first moved right."""
    return text.replace("\n", "\n" + " " * spaces)


def _check_name(module: Module, kind: str, name: Any, owner: dict[str, Any]) -> None:
    """Refuse names that cannot be looked up again: with dots, empty, or taken by something not in `owner`."""
    if not isinstance(name, str):
        raise TypeError(f"{kind} name should be a string. Got {typename(name)}")
    if hasattr(module, name) and name not in owner:
        raise KeyError(f"attribute '{name}' already exists")
    if "." in name:
        raise KeyError(f'{kind} name can\'t contain ".", got: {name}')
    if name == "":
        raise KeyError(f'{kind} name can\'t be empty string ""')


def _run_registration_hooks(hooks: dict[int, Callable], module: Module, name: str, value: Any) -> Any:
    for hook in hooks.values():
        answer = hook(module, name, value)
        if answer is not None:
            value = answer
    return value


def _parse_to(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, bool, Any]:
    """The arguments of `Tensor.to` in any of its forms, as (device, dtype, non_blocking, memory_format)."""
    target: dict[str, Any] = {"device": None, "dtype": None, "non_blocking": False, "memory_format": None}
    names = iter(("non_blocking", "copy"))
    for arg in args:
        if isinstance(arg, Tensor):
            target["device"], target["dtype"] = arg.device, arg.dtype
        elif isinstance(arg, dtype):
            target["dtype"] = arg
        elif isinstance(arg, bool):
            target[next(names)] = arg
        elif arg is not None:
            target["device"] = device(arg)
    unknown = kwargs.keys() - {"device", "dtype", "non_blocking", "memory_format", "tensor", "copy"}
    if unknown:
        raise TypeError(f"to() got an unexpected keyword argument '{sorted(unknown)[0]}'")
    if "tensor" in kwargs:
        target["device"], target["dtype"] = kwargs["tensor"].device, kwargs["tensor"].dtype
    target.update(kwargs)
    if target["device"] is not None:
        target["device"] = device(target["device"])
    return target["device"], target["dtype"], target["non_blocking"], target["memory_format"]


class Module(StateMixin):
    """Base class of all layers and models.

    A subclass calls ``super().__init__()``, assigns parameters and submodules to attributes, and defines `forward`.
    A call of the module runs `forward` and the hooks.

    Example:
        >>> import leafgrad
        >>> from leafgrad import nn
        >>> class Scale(nn.Module):
        ...     def __init__(self, factor):
        ...         super().__init__()
        ...         self.factor = nn.Parameter(leafgrad.tensor(factor))
        ...
        ...     def forward(self, input):
        ...         return input * self.factor
        >>> scale = Scale(2.0)
        >>> scale(leafgrad.tensor([1.0, 3.0])).tolist()
        [2.0, 6.0]
        >>> [name for name, _ in scale.named_parameters()]
        ['factor']
    """

    dump_patches: bool = False
    _version: int = 1  # of the layout of the module's own entries in a state_dict; a subclass raises it on a change
    training: bool  # whether layers like dropout act; set by train() and eval()
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _non_persistent_buffers_set: set[str]  # names of buffers that are not part of the state_dict
    call_super_init: bool = False  # whether __init__ hands its arguments on, for multiple inheritance

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and kwargs:
            raise TypeError(
                f"{type(self).__name__}.__init__() got an unexpected keyword argument '{next(iter(kwargs))}'"
            )
        if not self.call_super_init and args:
            raise TypeError(
                f"{type(self).__name__}.__init__() takes 1 positional argument but {len(args) + 1} were given"
            )
        # Written straight into __dict__: our own __setattr__ needs these dicts to exist.
        self.__dict__.update(
            training=True,
            _parameters={},
            _buffers={},
            _non_persistent_buffers_set=set(),
            _backward_pre_hooks=OrderedDict(),
            _backward_hooks=OrderedDict(),
            _is_full_backward_hook=None,
            _forward_hooks=OrderedDict(),
            _forward_hooks_with_kwargs=OrderedDict(),
            _forward_hooks_always_called=OrderedDict(),
            _forward_pre_hooks=OrderedDict(),
            _forward_pre_hooks_with_kwargs=OrderedDict(),
            _state_dict_hooks=OrderedDict(),
            _state_dict_pre_hooks=OrderedDict(),
            _load_state_dict_pre_hooks=OrderedDict(),
            _load_state_dict_post_hooks=OrderedDict(),
            _modules={},
        )
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    forward: Callable[..., Any] = _forward_unimplemented

    # ---- Registration and attributes ---------------------------------------------------------------------------------

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a buffer: a tensor that is state but not learnt.

        Args:
            name: attribute under which the buffer is found.
            tensor: the buffer; None keeps the name for later, and out of the `state_dict`.
            persistent: whether the buffer is part of the `state_dict`.
        """
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        _check_name(self, "buffer", name, self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{typename(tensor)}' object to buffer '{name}' (torch Tensor or None required)"
            )
        self._buffers[name] = _run_registration_hooks(_hooks.buffer_registration, self, name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under attribute `name`; None keeps the name for later, and out of the `state_dict`."""
        if "_parameters" not in self.__dict__:
            raise AttributeError("cannot assign parameter before Module.__init__() call")
        _check_name(self, "parameter", name, self._parameters)
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign '{typename(param)}' object to parameter '{name}' of {type(self).__name__} "
                    "(torch.nn.Parameter or None required). Wrap the tensor: nn.Parameter(tensor)."
                )
            if param.grad_fn is not None:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}' of {type(self).__name__}: it is the result "
                    f"of {type(param.grad_fn).__name__}. Model parameters must be created explicitly; what is computed "
                    "from other tensors belongs into forward()."
                )
            param = _run_registration_hooks(_hooks.parameter_registration, self, name, param)
        self._parameters[name] = param

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule under attribute `name`."""
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{typename(module)} is not a Module subclass")
        _check_name(self, "module", name, self._modules)
        self._modules[name] = _run_registration_hooks(_hooks.module_registration, self, name, module)

    def register_module(self, name: str, module: Module | None) -> None:
        """The same as `add_module`."""
        self.add_module(name, module)

    def __getattr__(self, name: str) -> Any:
        # Reached only when the instance's dict and its class lack `name`. Written out: every forward passes here.
        state = self.__dict__
        if "_modules" in state:  # set last by __init__
            if name in (members := state["_parameters"]):
                return members[name]
            if name in (members := state["_buffers"]):
                return members[name]
            if name in (members := state["_modules"]):
                return members[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        parameters = self.__dict__.get("_parameters")
        if isinstance(value, Parameter):
            if parameters is None:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget(name, but="_parameters")
            self.register_parameter(name, value)
        elif parameters is not None and name in parameters:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as parameter '{name}' of {type(self).__name__} "
                    "(torch.nn.Parameter or None expected). Wrap it, nn.Parameter(tensor), or change the values: "
                    f"with no_grad(): {name}.copy_(tensor)."
                )
            self.register_parameter(name, None)
        elif isinstance(value, Module):
            if "_modules" not in self.__dict__:
                raise AttributeError("cannot assign module before Module.__init__() call")
            self._forget(name, but="_modules")
            self._modules[name] = _run_registration_hooks(_hooks.module_registration, self, name, value)
        elif name in self.__dict__.get("_modules", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as child module '{name}' of {type(self).__name__} "
                    "(torch.nn.Module or None expected)"
                )
            self._modules[name] = _run_registration_hooks(_hooks.module_registration, self, name, None)
        elif isinstance(value, Buffer) or name in self.__dict__.get("_buffers", ()):
            self._set_buffer(name, value)
        else:
            super().__setattr__(name, value)

    def _set_buffer(self, name: str, value: Any) -> None:
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(
                f"cannot assign '{typename(value)}' as buffer '{name}' of {type(self).__name__} "
                "(torch.nn.Buffer, torch.Tensor or None expected)"
            )
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        persistent = name not in self._non_persistent_buffers_set
        if isinstance(value, Buffer):
            persistent = value.persistent
        if persistent:
            self.register_buffer(name, value)
        else:
            self.register_buffer(name, value, False)

    def _forget(self, name: str, but: str) -> None:
        """Drop `name` from every place where an attribute can be, but for the dict `but`."""
        self.__dict__.pop(name, None)
        for kind in ("_parameters", "_buffers", "_modules"):
            if kind != but:
                self.__dict__[kind].pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def __delattr__(self, name: str) -> None:
        if name in self._parameters:
            del self._parameters[name]
        elif name in self._buffers:
            del self._buffers[name]
            self._non_persistent_buffers_set.discard(name)
        elif name in self._modules:
            del self._modules[name]
        else:
            super().__delattr__(name)

    def __dir__(self) -> list[str]:
        names = {*dir(type(self)), *self.__dict__, *self._parameters, *self._modules, *self._buffers}
        return sorted(name for name in names if not name[0].isdigit())  # children of a Sequential are no attributes

    # ---- Looking up members by path ----------------------------------------------------------------------------------

    def get_submodule(self, target: str) -> Module:
        """The submodule with the dotted path `target`, like ``'encoder.layers.0'``; the module itself for ``''``."""
        module: Any = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Replace the submodule with the dotted path `target`; with `strict` it must exist, else it may be new."""
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter with the dotted path `target`."""
        parameter = self._get_member(target)
        if not isinstance(parameter, Parameter):
            raise AttributeError(f"`{target.rpartition('.')[2]}` is not an nn.Parameter")
        return parameter

    def get_buffer(self, target: str) -> Tensor:
        """The buffer with the dotted path `target`."""
        buffer = self._get_member(target)
        path, _, name = target.rpartition(".")
        if name not in self.get_submodule(path)._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return buffer

    def _get_member(self, target: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        return getattr(module, name)

    # ---- Walking the tree --------------------------------------------------------------------------------------------

    def _named_members(
        self,
        get_members_fn: Callable[[Module], Iterable[tuple[str, Any]]],
        prefix: str = "",
        recurse: bool = True,
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, Any]]:
        """Dotted path and value of what `get_members_fn` gives for each module; None is left out."""
        seen = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, member in get_members_fn(module):
                if member is None or member in seen:
                    continue
                if remove_duplicate:
                    seen.add(member)
                yield f"{path}.{name}" if path else name, member

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, each once; without `recurse` only the module's own."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Dotted paths and parameters.

        Args:
            prefix: put before every path.
            recurse: include those of submodules.
            remove_duplicate: give a parameter that has several paths only under the first.
        """
        yield from self._named_members(lambda module: module._parameters.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers, each once; without `recurse` only the module's own."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Dotted paths and buffers; arguments as for `named_parameters`."""
        yield from self._named_members(lambda module: module._buffers.items(), prefix, recurse, remove_duplicate)

    def children(self) -> Iterator[Module]:
        """The module's own submodules, each once."""
        for _, module in self.named_children():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Names and modules of the module's own submodules, each once."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """The module itself and all below it, each once unless `remove_duplicate` is off."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Dotted paths and modules: the module itself and all below it.

        Args:
            memo: modules that are to be left out; those given are added to it.
            prefix: put before every path.
            remove_duplicate: give a module that has several paths only under the first.
        """
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                path = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, path, remove_duplicate)

    def apply(self, fn: Callable[[Module], None]) -> Self:
        """Call ``fn(module)`` for every submodule, the children first, and at last for the module itself."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    # ---- Conversion --------------------------------------------------------------------------------------------------

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replace every parameter's and buffer's values by ``fn(values)``; parameters stay the same objects."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        for name, parameter in self._parameters.items():
            if parameter is None:
                continue
            grad = parameter.grad
            with no_grad():
                values = fn(parameter)
                grad_values = None if grad is None else fn(grad)
            if values.device == parameter.device:
                parameter.data = values
                if grad is not None:
                    grad.data = grad_values
            else:  # memory of another device cannot move under an existing tensor
                parameter = self._parameters[name] = Parameter(values, parameter.requires_grad)
                if grad is not None:
                    parameter.grad = grad_values.requires_grad_(grad.requires_grad)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Convert parameters and buffers in place: to a device, a dtype, both, or those of a tensor.

        A dtype is applied to floating point and complex tensors only; it must be one of these itself.
        """
        device, dtype, non_blocking, memory_format = _parse_to(args, kwargs)
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
            )

        def convert(tensor: Tensor) -> Tensor:
            target = dtype if tensor.is_floating_point() or tensor.is_complex() else None
            options = {} if memory_format is None or tensor.dim() not in (4, 5) else {"memory_format": memory_format}
            try:
                return tensor.to(device or tensor.device, target or tensor.dtype, non_blocking, **options)
            except NotImplementedError as error:
                if tensor.device.type == "meta":
                    raise NotImplementedError(
                        f"{error} Please use torch.nn.Module.to_empty() instead of torch.nn.Module.to() when moving "
                        "module from meta to a different device."
                    ) from None
                raise

        return self._apply(convert)

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Move parameters and buffers to `device` with the same shapes, but without their values."""
        from leafgrad._core import empty_like

        return self._apply(lambda tensor: empty_like(tensor, device=device), recurse=recurse)

    def cpu(self) -> Self:
        """Move all parameters and buffers to the CPU."""
        return self._apply(lambda tensor: tensor.cpu())

    def type(self, dst_type: Any) -> Self:
        """Convert all parameters and buffers to `dst_type`, integers too."""
        return self._apply(lambda tensor: tensor.type(dst_type))

    def float(self) -> Self:
        """Convert floating point parameters and buffers to float32."""
        return self._apply(lambda tensor: tensor.float() if tensor.is_floating_point() else tensor)

    def double(self) -> Self:
        """Convert floating point parameters and buffers to float64."""
        return self._apply(lambda tensor: tensor.double() if tensor.is_floating_point() else tensor)

    def half(self) -> Self:
        """Convert floating point parameters and buffers to float16."""
        return self._apply(lambda tensor: tensor.half() if tensor.is_floating_point() else tensor)

    def bfloat16(self) -> Self:
        """Convert floating point parameters and buffers to bfloat16."""
        return self._apply(lambda tensor: tensor.bfloat16() if tensor.is_floating_point() else tensor)

    # ---- Modes and gradients -----------------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Put the module and all below it into training mode (`mode` True) or evaluation mode."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """Put the module into evaluation mode: dropout passes all, normalization uses what it has learnt."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Say for all parameters whether gradients are wanted; ``part.requires_grad_(False)`` freezes a part."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with zeros if `set_to_none` is off."""
        for parameter in self.parameters():
            if parameter.grad is None:
                continue
            if set_to_none:
                parameter.grad = None
            else:
                if parameter.grad.grad_fn is not None:
                    parameter.grad.detach_()
                else:
                    parameter.grad.requires_grad_(False)
                parameter.grad.zero_()

    # ---- Hooks and the call ------------------------------------------------------------------------------------------

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before each forward; what it returns replaces the arguments.

        Args:
            hook: the function; with `with_kwargs` it is called as ``hook(module, args, kwargs)`` and returns None or
                the new ``(args, kwargs)``.
            prepend: run it before the hooks that are there.
            with_kwargs: hand over the keyword arguments too.
        """
        kwargs_flag = (self._forward_pre_hooks_with_kwargs, with_kwargs)
        return _hooks.add(self._forward_pre_hooks, hook, kwargs_flag, prepend=prepend)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after each forward; what it returns replaces the output.

        Args:
            hook: the function; with `with_kwargs` it is called as ``hook(module, args, kwargs, output)``.
            prepend: run it before the hooks that are there.
            with_kwargs: hand over the keyword arguments too.
            always_call: run the hook even if forward raised; `output` is then None.
        """
        kwargs_flag = (self._forward_hooks_with_kwargs, with_kwargs)
        always_flag = (self._forward_hooks_always_called, always_call)
        return _hooks.add(self._forward_hooks, hook, kwargs_flag, always_flag, prepend=prepend)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` before the module's backward; what it returns replaces `grad_output`."""
        return _hooks.add(self._backward_pre_hooks, hook, prepend=prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` once the gradients of the module's inputs are known.

        Both are tuples over the positional arguments and the outputs, None where there is no tensor or no gradient;
        what the hook returns replaces `grad_input`. Inputs and outputs must not be changed in place while the hook is
        registered.
        """
        self._is_full_backward_hook = _hooks.check_one_kind(self._is_full_backward_hook, True, "on a single Module")
        return _hooks.add(self._backward_hooks, hook, prepend=prepend)

    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` after the last node that forward made: deprecated.

        What `grad_input` holds depends on that node; use `register_full_backward_hook`.
        """
        self._is_full_backward_hook = _hooks.check_one_kind(self._is_full_backward_hook, False, "on a single Module")
        return _hooks.add(self._backward_hooks, hook)

    def _call_impl(self, *args: Any, **kwargs: Any) -> Any:
        if not (
            self._forward_hooks
            or self._forward_pre_hooks
            or self._backward_hooks
            or self._backward_pre_hooks
            or _hooks.forward
            or _hooks.forward_pre
            or _hooks.backward
            or _hooks.backward_pre
        ):
            return self.forward(*args, **kwargs)
        return self._call_with_hooks(args, kwargs)

    __call__: Callable[..., Any] = _call_impl

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        result = None
        called: set[int] = set()  # ids of the forward hooks that were started
        try:
            args, kwargs = self._run_forward_pre_hooks(args, kwargs)
            border, last_node_hooks = self._backward_hooks_of_call()
            if border is not None:
                args = border.setup_input_hook(args)
            result = self.forward(*args, **kwargs)
            for hook_id, hook, with_kwargs in self._forward_hooks_of_call():
                called.add(hook_id)
                answer = hook(self, args, kwargs, result) if with_kwargs else hook(self, args, result)
                if answer is not None:
                    result = answer
            if border is not None:
                result = self._leave_border(border, result)
            if last_node_hooks:
                self._hook_last_node(result, last_node_hooks)
            return result
        except Exception:
            self._run_always_called_hooks(args, kwargs, result, called)
            raise

    def _leave_border(self, border: BackwardHook, result: Any) -> Any:
        if not isinstance(result, Tensor | tuple):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors "
                f"but received {type(result)}",
                stacklevel=4,
            )
        return border.setup_output_hook(result)

    def _run_forward_pre_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple, dict]:
        for hook_id, hook in (*_hooks.forward_pre.items(), *self._forward_pre_hooks.items()):
            if hook_id in self._forward_pre_hooks_with_kwargs:
                answer = hook(self, args, kwargs)
                if answer is None:
                    continue
                if not (isinstance(answer, tuple) and len(answer) == 2):
                    raise RuntimeError(
                        f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {answer}."
                    )
                args, kwargs = answer
            else:
                answer = hook(self, args)
                if answer is not None:
                    args = answer if isinstance(answer, tuple) else (answer,)
        return args, kwargs

    def _forward_hooks_of_call(self) -> list[tuple[int, Callable, bool]]:
        """Id, function and "takes kwargs" of the forward hooks, those on all modules first."""
        on_all = [(key, hook, key in _hooks.forward_with_kwargs) for key, hook in _hooks.forward.items()]
        own = [(key, hook, key in self._forward_hooks_with_kwargs) for key, hook in self._forward_hooks.items()]
        return on_all + own

    def _backward_hooks_of_call(self) -> tuple[BackwardHook | None, list[Callable]]:
        """The border that runs the full backward hooks, None without any; and the hooks of the deprecated kind."""
        full: list[Callable] = []
        last_node: list[Callable] = []
        if _hooks.backward:
            (full if _hooks.backward_is_full else last_node).extend(_hooks.backward.values())
        if self._backward_hooks:
            (full if self._is_full_backward_hook else last_node).extend(self._backward_hooks.values())
        pre = [*_hooks.backward_pre.values(), *self._backward_pre_hooks.values()]
        return (BackwardHook(self, full, pre) if full or pre else None), last_node

    def _hook_last_node(self, result: Any, hooks: list[Callable]) -> None:
        """Put `hooks` of the deprecated kind on the node that made the first tensor of `result`."""
        while not isinstance(result, Tensor):
            result = next(iter(result.values())) if isinstance(result, dict) else result[0]
        if result.grad_fn is None:
            return
        for hook in hooks:
            result.grad_fn.register_hook(lambda grad_in, grad_out, hook=hook: hook(self, grad_in, grad_out))

    def _run_always_called_hooks(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any, called: set[int]
    ) -> None:
        """After a failed call, run the ``always_call`` hooks that did not run; their own errors become warnings."""
        always = _hooks.forward_always_called.keys() | self._forward_hooks_always_called.keys()
        for hook_id, hook, with_kwargs in self._forward_hooks_of_call():
            if hook_id not in always or hook_id in called:
                continue
            try:
                if with_kwargs:
                    hook(self, args, kwargs, result)
                else:
                    hook(self, args, result)
            except Exception as error:
                kind = "global module forward hook" if hook_id in _hooks.forward else "module forward hook"
                warnings.warn(
                    f"{kind} with ``always_call=True`` raised an exception that was silenced as another error was "
                    f"raised in forward: {error!s}",
                    stacklevel=3,
                )

    # ---- Copies, pickling and printing -------------------------------------------------------------------------------

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A pickle from a version that lacked one of the fields gets an empty one.
        fields = Module.__new__(Module)
        Module.__init__(fields)
        self.__dict__.update(fields.__dict__)
        self.__dict__.update(state)

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What stands between the parentheses when the module is printed; a subclass gives its settings."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        extra_lines = extra.split("\n") if extra else []
        child_lines = [f"({name}): {_indent(repr(module))}" for name, module in self._modules.items()]
        lines = extra_lines + child_lines
        if len(extra_lines) == 1 and not child_lines:
            return f"{self._get_name()}({extra_lines[0]})"
        if not lines:
            return f"{self._get_name()}()"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"
