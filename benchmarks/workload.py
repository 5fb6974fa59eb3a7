"""What a workload is, and where all of them are found.

A workload is a function of the module `torch`, which may be leafgrad.  It makes its data and returns the step that is
measured; the step returns what it computed, for the check that both libraries computed the same:

    @workload("x + x, 16 M", demand=4, moves=2 * 64 * MiB)
    def double(torch):
        x = data.tensor(torch, 16 * MI)
        return lambda: x + x
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

GROUPS = (
    "tiny",
    "small",
    "elementwise",
    "matmul",
    "training",
    "sequence",
    "indexing",
    "optimizers",
    "memory",
    "package",
)

MI = 2**20
MiB = 2**20
TOLERANCE = 1e-5

TIME = "time"  # seconds of one step, many steps in a process that stays
PEAK = "peak"  # bytes by which a step raises the resident memory of a process that has just made its data
FACT = "fact"  # a number about the library: the function takes its name and returns it


@dataclass(frozen=True)
class Workload:
    name: str
    make: Callable[..., Any]
    demand: float | None  # how many times better than PyTorch leafgrad has to be
    tuned: float | None  # the same against PyTorch under a tuned malloc; None: not measured so
    per: int  # units of work in one step; times are per unit
    moves: int  # bytes that one step cannot help but read or write
    flops: int  # multiplications and additions of one step's products
    tolerance: float  # largest accepted difference, as a part of the largest element
    kind: str
    unit: str  # "s" or "B"
    rounds: int | None  # instead of the command's

    @property
    def group(self) -> str:
        return self.make.__module__.rpartition(".")[2]


_defined: dict[str, dict[str, Workload]] = {}


def workload(
    name: str,
    *,
    demand: float | None = None,
    tuned: float | None = None,
    per: int = 1,
    moves: int = 0,
    flops: int = 0,
    tolerance: float = TOLERANCE,
    kind: str = TIME,
    unit: str = "s",
    rounds: int | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def define(make: Callable[..., Any]) -> Callable[..., Any]:
        item = Workload(name, make, demand, tuned, per, moves, flops, tolerance, kind, unit, rounds)
        _defined.setdefault(make.__module__, {})[name] = item
        return make

    return define


def workloads(module: str) -> dict[str, Workload]:
    """The workloads of a module, in order of definition."""
    importlib.import_module(module)
    return _defined[module]


def everything() -> list[Workload]:
    return [item for group in GROUPS for item in workloads(f"benchmarks.{group}").values()]
