"""The name ``torch`` for leafgrad: programs that say ``import torch`` run unchanged.

`install_as_torch` puts one finder in front of Python's own.  It answers for ``torch`` and for everything below it with
the leafgrad module of the same place, the very module and not a copy, so that ``torch.nn is leafgrad.nn`` however it
was imported, and `isinstance` holds across both names.  `python -m leafgrad run` calls it before the script starts.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

ALIAS, REAL = "torch", __package__


class _TorchFinder:
    """Finds ``torch.x.y`` by importing ``leafgrad.x.y``; finder and loader in one."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != ALIAS and not name.startswith(f"{ALIAS}."):
            return None
        real = REAL + name.removeprefix(ALIAS)
        try:
            module = importlib.import_module(real)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{real}.".startswith(f"{error.name}."):
                raise  # the module is there, and what it imports is not
            # `from None`: the reader asked for torch.x, and knows nothing of the search behind it.
            raise ModuleNotFoundError(
                f"No module named {name!r}: it is not in leafgrad, which stands in for torch here", name=name
            ) from None
        return ModuleSpec(name, self, origin=real, is_package=hasattr(module, "__path__"))  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None  # a placeholder, which exec_module replaces

    def exec_module(self, module: ModuleType) -> None:
        # Python reads the module back from sys.modules after this call.  Returning the real one from create_module
        # instead would have its __spec__ overwritten.
        assert module.__spec__ is not None and module.__spec__.origin is not None
        sys.modules[module.__name__] = sys.modules[module.__spec__.origin]


_finder = _TorchFinder()


def install_as_torch() -> None:
    """Let ``import torch``, ``torch.nn`` and so on mean leafgrad's modules, in this process, from now on.

    Calling it again changes nothing.  Raises `RuntimeError` where PyTorch itself has been imported already: its tensors
    and leafgrad's would mix under one name.

    Example::

        leafgrad.install_as_torch()
        import torch  # leafgrad itself
    """
    if sys.modules.get(ALIAS, sys.modules[REAL]) is not sys.modules[REAL]:
        raise RuntimeError("install_as_torch: PyTorch is imported already. Call it before the first `import torch`.")
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)  # type: ignore[arg-type]


def uninstall_as_torch() -> None:
    """Undo `install_as_torch`; modules that hold leafgrad under the name ``torch`` keep it."""
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)  # type: ignore[arg-type]
        for name in [name for name in sys.modules if name == ALIAS or name.startswith(f"{ALIAS}.")]:
            del sys.modules[name]
