"""DLPack under the names that PyTorch's older interface has."""

from __future__ import annotations

from leafgrad._core import from_dlpack, to_dlpack

__all__ = ["from_dlpack", "to_dlpack"]
