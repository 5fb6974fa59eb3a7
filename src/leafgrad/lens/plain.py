"""Looking at tensors as they are, whatever a subclass of the user's does with its attributes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from leafgrad import _core


@contextmanager
def plain_tensors() -> Iterator[None]:
    """No ``__torch_function__`` is called inside."""
    before = _core._set_torch_function_disabled(True)
    try:
        yield
    finally:
        _core._set_torch_function_disabled(before)
