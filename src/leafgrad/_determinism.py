"""The switch for deterministic algorithms.

Every operator gives the same bits for the same inputs and seed, so nothing changes when it is on; what programs set is
remembered, for others of their parts to ask.
"""

from __future__ import annotations

__all__ = [
    "are_deterministic_algorithms_enabled",
    "is_deterministic_algorithms_warn_only_enabled",
    "use_deterministic_algorithms",
]

_enabled, _warn_only = False, False


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for operators that always give the same bits; they do in any case."""
    global _enabled, _warn_only
    _enabled, _warn_only = bool(mode), bool(mode) and bool(warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    """Whether `use_deterministic_algorithms` was turned on."""
    return _enabled


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether `use_deterministic_algorithms` was turned on with ``warn_only=True``."""
    return _warn_only
