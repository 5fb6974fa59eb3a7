"""The default generator: its seed, its state, and a block that leaves it as it was."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from ._core import default_generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["default_generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state"]


@contextlib.contextmanager
def fork_rng(devices: Any = None, enabled: bool = True, device_type: str = "cpu") -> Iterator[None]:
    """Random numbers drawn in the block do not change those drawn after it.

    Args:
        devices: accepted for PyTorch's sake; there is only the CPU's generator.
        enabled: False makes the block do nothing.
        device_type: accepted for PyTorch's sake.

    Example:
        >>> import leafgrad
        >>> _ = leafgrad.manual_seed(0)
        >>> with leafgrad.random.fork_rng():
        ...     inside = leafgrad.rand(1)
        >>> bool(inside == leafgrad.rand(1))
        True
    """
    state = get_rng_state() if enabled else None
    try:
        yield
    finally:
        if state is not None:
            set_rng_state(state)
