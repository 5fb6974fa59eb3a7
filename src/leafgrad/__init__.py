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
    from types import ModuleType

    from . import nn, optim, random, testing, utils


def __getattr__(name: str) -> "ModuleType":
    """Import a subpackage when it is first asked for: a program that only computes need not wait for layers."""
    if name in ("_C", "nn", "optim", "random", "testing", "utils"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
