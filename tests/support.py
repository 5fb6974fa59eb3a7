"""Small helpers that several test files share."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest


def assert_near(actual, expected, *, rtol=1e-5, atol=1e-6):
    """The tensor (or nested list) `actual` has the shape and, within tolerance, the values of `expected`."""
    actual, expected = (np.asarray(x.tolist() if hasattr(x, "tolist") else x) for x in (actual, expected))
    assert actual.shape == expected.shape, f"shape {actual.shape}, expected {expected.shape}"
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


def finite_difference(function, arrays, step=1e-6):
    """Central differences of the scalar `function(*arrays)` in each element of each float64 array."""
    gradients = []
    for array in arrays:
        gradient = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            kept = array[index]
            array[index] = kept + step
            above = function(*arrays)
            array[index] = kept - step
            below = function(*arrays)
            array[index] = kept
            gradient[index] = (above - below) / (2 * step)
        gradients.append(gradient)
    return gradients


class Ticket:
    """Something that can be weakly referenced: put it where an object's death should be seen."""


def dies(make):
    """`make()` returns a weak reference; it is dead at once, by reference count alone."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        reference = make()
        assert isinstance(reference, weakref.ref)
        return reference() is None
    finally:
        if was_enabled:
            gc.enable()


def refuses(exceptions, *calls, match=None):
    """Each of `calls` raises one of `exceptions`; says which one did not."""
    for number, call in enumerate(calls):
        try:
            with pytest.raises(exceptions, match=match):
                call()
        except (AssertionError, pytest.fail.Exception) as failure:
            pytest.fail(f"call {number}: {failure}")
