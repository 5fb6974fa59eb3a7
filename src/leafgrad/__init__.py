"""leafgrad: define-by-run automatic differentiation with leaf tensors, under PyTorch's names."""

from importlib import import_module
from math import e, inf, nan, pi
from typing import TYPE_CHECKING

from . import _core
from ._composites import *
from ._core import *
from ._core import Generator, Size, Tensor, UntypedStorage, default_generator, device, dtype
from ._core import OutOfMemoryError as OutOfMemoryError
from . import _copying, _tensor
from ._alias import install_as_torch
from ._determinism import *
from ._dtype_info import finfo, iinfo
from ._printing import get_printoptions, printoptions, set_printoptions
from ._queries import *
from ._rearranging import *
from ._typed_tensors import *
from . import autograd
from .autograd import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)

newaxis = None
__version__ = "0.1.0"

if TYPE_CHECKING:
    from typing import Any

    from . import lens, nn, optim, random, testing, utils
    from .lens.check import check
    from .lens.explain import explain
    from .lens.finding import LeafWarning
    from .lens.graph import graph
    from .lens.memory import memory, memory_diff
    from .lens.owners import what_keeps
    from .lens.watch import watch


_LENS = {  # public name: the module of leafgrad.lens that gives it
    "check": "check",
    "explain": "explain",
    "graph": "graph",
    "memory": "memory",
    "memory_diff": "memory",
    "LeafWarning": "finding",
    "watch": "watch",
    "what_keeps": "owners",
}


def __getattr__(name: str) -> "Any":
    """Import a subpackage when it is first asked for: a program that only computes need not wait for layers."""
    if name in ("_C", "lens", "nn", "optim", "random", "testing", "utils"):
        return import_module(f"{__name__}.{name}")
    if name in _LENS:
        return getattr(import_module(f"{__name__}.lens.{_LENS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
