"""Is a module in evaluation mode at work?"""

from __future__ import annotations

import sys
from types import FrameType

from leafgrad._core import Tensor
from leafgrad.lens.names import _forget_copy


def evaluates() -> bool:
    """Does the outermost module that runs stand in evaluation mode, with inputs that need no gradient?"""
    loaded = sys.modules.get("leafgrad.nn.module")
    if loaded is None:
        return False
    call = loaded.Module._call_impl.__code__
    outermost = None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code is call:
            outermost = frame
        frame = frame.f_back
    if outermost is None:
        return False
    variables = outermost.f_locals
    given = [*variables["args"], *variables["kwargs"].values()]
    flat = [item for each in given for item in (each if isinstance(each, (tuple, list)) else (each,))]
    answer = not variables["self"].training and not any(isinstance(t, Tensor) and t.requires_grad for t in flat)
    _forget_copy(outermost, variables)
    return answer
