"""Anomaly detection: which forward call made the node that failed, or that gave NaN, in backward.

The core keeps the forward's traceback with every node while the mode is on, and prints it when that node's backward
raises; these classes only switch the mode.
"""

from __future__ import annotations

import warnings
from typing import Any

from leafgrad._core import _set_anomaly_enabled, is_anomaly_check_nan_enabled, is_anomaly_enabled

__all__ = ["detect_anomaly", "set_detect_anomaly"]


class detect_anomaly:
    """Context manager that finds the forward call behind an error in backward.

    Graph built inside remembers the Python traceback of each call. When the backward of a node raises, the traceback
    of its forward is printed as a warning; with `check_nan`, a NaN in a computed gradient is such an error. Slow: use
    it to debug only.

    >>> import leafgrad
    >>> with leafgrad.autograd.detect_anomaly():  # doctest: +SKIP
    ...     leafgrad.tensor([-1.0], requires_grad=True).sqrt().backward()
    RuntimeError: Function 'SqrtBackward0' returned nan values in its 0th output.
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.prev = is_anomaly_enabled()
        self.prev_check_nan = is_anomaly_check_nan_enabled()
        self.check_nan = check_nan
        warnings.warn("Anomaly Detection has been enabled. It is slow: use it for debugging only.", stacklevel=2)

    def __enter__(self) -> None:
        _set_anomaly_enabled(True, self.check_nan)

    def __exit__(self, *args: Any) -> None:
        _set_anomaly_enabled(self.prev, self.prev_check_nan)


class set_detect_anomaly:
    """Switch anomaly detection on or off: as a statement, or as a context manager that restores it.

    Args:
        mode: on or off.
        check_nan: raise when a computed gradient holds NaN.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.prev = is_anomaly_enabled()
        self.prev_check_nan = is_anomaly_check_nan_enabled()
        _set_anomaly_enabled(mode, check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *args: Any) -> None:
        _set_anomaly_enabled(self.prev, self.prev_check_nan)
