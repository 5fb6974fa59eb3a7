"""`state_dict` and `load_state_dict` of a module: its parameters and buffers under dotted names.

Each module writes and reads its own entries (`_save_to_state_dict`, `_load_from_state_dict`, which subclasses may
override); the two public methods walk the tree, run the hooks and gather the errors of all modules into one.
"""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from leafgrad._core import Tensor
from leafgrad.autograd.grad_mode import no_grad
from leafgrad.nn import _hooks
from leafgrad.nn.parameter import Parameter

if TYPE_CHECKING:
    from collections.abc import Callable

    from leafgrad.utils.hooks import RemovableHandle

_EXTRA_STATE = "_extra_state"  # the entry that holds what get_extra_state() returned


class _IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What `load_state_dict` returns: names that only the module, and names that only the state dict has."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


class _LoadHook:
    """A hook that runs before a module loads, and whether the module is its first argument."""

    def __init__(self, hook: Callable[..., Any], with_module: bool) -> None:
        self.hook = hook
        self.with_module = with_module

    def __call__(self, module: Any, *args: Any) -> None:
        if self.with_module:
            self.hook(module, *args)
        else:
            self.hook(*args)


class StateMixin:
    """The part of `Module` that saves and loads its state."""

    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]
    _non_persistent_buffers_set: set[str]
    _version: int
    _state_dict_hooks: OrderedDict[int, Any]
    _state_dict_pre_hooks: OrderedDict[int, Any]
    _load_state_dict_pre_hooks: OrderedDict[int, Any]
    _load_state_dict_post_hooks: OrderedDict[int, Any]

    # ---- Saving ------------------------------------------------------------------------------------------------------

    def get_extra_state(self) -> Any:
        """Further state to save; a subclass that has some overrides this and `set_extra_state`. Must be picklable."""
        raise RuntimeError("get_extra_state: leafgrad bug, called on a module that does not override it")

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` returned when the state was saved."""
        raise RuntimeError("set_extra_state: leafgrad bug, called on a module that does not override it")

    def _overrides(self, method: str) -> bool:
        return getattr(type(self), method) is not getattr(StateMixin, method)

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Write this module's own parameters, persistent buffers and extra state, not those of its children."""
        for name, parameter in self._parameters.items():
            if parameter is not None:
                destination[prefix + name] = parameter if keep_vars else parameter.detach()
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                destination[prefix + name] = buffer if keep_vars else buffer.detach()
        if self._overrides("get_extra_state"):
            destination[prefix + _EXTRA_STATE] = self.get_extra_state()

    def state_dict(
        self, *args: Any, destination: dict[str, Any] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """All parameters and persistent buffers by dotted name, in an ordered dict whose ``_metadata`` has versions.

        The tensors share memory with the module.

        Args:
            args: `destination`, `prefix` and `keep_vars` by position: deprecated.
            destination: the dict to write into; a new one by default.
            prefix: put before every name.
            keep_vars: give the parameters themselves and not their detached values.
        """
        if args:
            import warnings

            warnings.warn(
                "Positional args are being deprecated, use kwargs instead: destination=, prefix=, keep_vars=.",
                FutureWarning,
                stacklevel=2,
            )
            given = dict(zip(("destination", "prefix", "keep_vars"), args, strict=False))
            destination = given["destination"] if destination is None else destination
            prefix = given.get("prefix", prefix) if prefix == "" else prefix
            keep_vars = given.get("keep_vars", keep_vars) if keep_vars is False else keep_vars

        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for pre_hook in self._state_dict_pre_hooks.values():
            pre_hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._state_dict_hooks.values():
            answer = hook(self, destination, prefix, metadata)
            if getattr(hook, "_from_public_api", False):
                if answer is not None:
                    raise RuntimeError("state_dict post-hook must return None")
            elif answer is not None:
                destination = answer
        return destination

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """As `register_state_dict_post_hook`, but what the hook returns replaces the state dict."""
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError(
                "Cannot register the same function as the state dict post hook that was previously registered via "
                "register_state_dict_post_hook"
            )
        return _hooks.add(self._state_dict_hooks, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` after each `state_dict`; it may change the dict."""
        hook._from_public_api = True
        return _hooks.add(self._state_dict_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before each `state_dict`."""
        return _hooks.add(self._state_dict_pre_hooks, hook)

    # ---- Loading -----------------------------------------------------------------------------------------------------

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., None], with_module: bool = False
    ) -> RemovableHandle:
        """As `register_load_state_dict_pre_hook`; the module is the hook's first argument only with `with_module`."""
        return _hooks.add(self._load_state_dict_pre_hooks, _LoadHook(hook, with_module))

    def register_load_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call a hook before this module loads its entries; it may change the state dict in place.

        It is called as
        ``hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)``.
        """
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def register_load_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after the module and its children have loaded.

        The hook may change the two lists of names in `incompatible_keys` in place; it returns None.
        """
        return _hooks.add(self._load_state_dict_post_hooks, hook)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Read this module's own entries, and note what is missing, unexpected or does not fit in the three lists."""
        for hook in self._load_state_dict_pre_hooks.values():
            hook(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        assign = local_metadata.get("assign_to_params_buffers", False)
        members = self._loadable_members()
        for name, current in members.items():
            key = prefix + name
            if key in state_dict:
                problem = self._load_member(name, current, key, state_dict[key], assign)
                if problem is not None:
                    error_msgs.append(problem)
            elif strict:
                missing_keys.append(key)
        extra_key = prefix + _EXTRA_STATE
        if self._overrides("set_extra_state"):
            if extra_key in state_dict:
                self.set_extra_state(state_dict[extra_key])
            elif strict:
                missing_keys.append(extra_key)
        elif strict and extra_key in state_dict:
            unexpected_keys.append(extra_key)
        if strict:
            for key in state_dict:
                if key.startswith(prefix) and key != extra_key:
                    name, dot, _ = key[len(prefix) :].partition(".")
                    if name not in (self._modules if dot else members):
                        unexpected_keys.append(key)

    def _loadable_members(self) -> dict[str, Any]:
        members = {**self._parameters, **self._buffers}
        return {
            name: member
            for name, member in members.items()
            if member is not None and name not in self._non_persistent_buffers_set
        }

    def _load_member(self, name: str, current: Tensor, key: str, saved: Any, assign: bool) -> str | None:
        """Copy `saved` into `current`, or put it in its place if `assign`; a message if that cannot be."""
        if not isinstance(saved, Tensor):
            return (
                f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from '
                f"checkpoint but received {type(saved)}"
            )
        if current.dim() == 0 and saved.dim() == 1 and saved.numel() == 1:
            saved = saved[0]  # old checkpoints hold scalars as one-element vectors
        if saved.shape != current.shape:
            return (
                f"size mismatch for {key}: copying a param with shape {saved.shape} from checkpoint, the shape in "
                f"current model is {current.shape}."
            )
        if current.is_meta and not saved.is_meta and not assign:
            import warnings

            warnings.warn(
                f"for {key}: copying from a non-meta parameter in the checkpoint to a meta parameter in the current "
                "model, which is a no-op. (Did you mean to pass `assign=True` to assign items in the state dictionary "
                "to their corresponding key in the module instead of copying them in place?)",
                stacklevel=4,
            )
        try:
            with no_grad():
                if not assign:
                    current.copy_(saved)
                    return None
                if isinstance(current, Parameter):
                    if isinstance(saved, Parameter):
                        saved.requires_grad_(current.requires_grad)
                    else:
                        saved = Parameter(saved, requires_grad=current.requires_grad)
                setattr(self, name, saved)
        except Exception as error:
            return (
                f'While copying the parameter named "{key}", whose dimensions in the model are {current.size()} and '
                f"whose dimensions in the checkpoint are {saved.size()}, an exception occurred : {error.args}."
            )
        return None

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Read parameters and buffers from `state_dict`.

        Args:
            state_dict: values by dotted name, as `state_dict` gives them.
            strict: raise if the names differ from the module's; names that both have are loaded all the same.
            assign: put the given tensors in the place of the module's own, and do not copy their values.

        Returns:
            a named tuple of lists, ``missing_keys`` and ``unexpected_keys``.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        metadata = getattr(state_dict, "_metadata", None)
        state_dict = OrderedDict(state_dict)  # hooks may change it
        if metadata is not None:
            state_dict._metadata = metadata
        keys = _IncompatibleKeys([], [])
        error_msgs: list[str] = []

        def load(module: Any, entries: dict[str, Any], prefix: str) -> None:
            local_metadata = {} if metadata is None else dict(metadata.get(prefix[:-1], {}))
            if assign:
                local_metadata["assign_to_params_buffers"] = True
            module._load_from_state_dict(
                entries, prefix, local_metadata, True, keys.missing_keys, keys.unexpected_keys, error_msgs
            )
            for name, child in module._modules.items():
                if child is not None:
                    inner = f"{prefix}{name}."
                    load(child, {key: value for key, value in entries.items() if key.startswith(inner)}, inner)
            for hook in module._load_state_dict_post_hooks.values():
                if hook(module, keys) is not None:
                    raise AssertionError(
                        "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to return new "
                        "values, if incompatible_keys need to be modified, it should be done inplace."
                    )

        load(self, state_dict, "")
        if strict:
            for what, names in (("Unexpected", keys.unexpected_keys), ("Missing", keys.missing_keys)):
                if names:
                    listed = ", ".join(f'"{name}"' for name in names)
                    error_msgs.insert(0, f"{what} key(s) in state_dict: {listed}. ")
        if error_msgs:
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t" + "\n\t".join(error_msgs)
            )
        return keys
