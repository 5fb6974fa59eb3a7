"""The kinds of mistakes that a watch finds, one small class each.

A detector is made when a watch begins, and is told of the events that it `hears` (core/python/lens.cpp has them all).
It must keep neither tensors nor nodes alive.
"""

from .growing_history import GrowingHistory
from .in_place_write import InPlaceWrite
from .no_gradient import NoGradient
from .not_finite import NotFinite
from .second_backward import SecondBackward

DETECTORS = (SecondBackward, InPlaceWrite, NotFinite, GrowingHistory, NoGradient)
