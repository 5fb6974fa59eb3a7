"""How results are shown: a line each while they come, JSON, and results.md, by groups."""

from __future__ import annotations

import datetime
import importlib
import json
import os
import platform
import re
from pathlib import Path

from benchmarks import machine
from benchmarks.harness import Result
from benchmarks.machine import Limits
from benchmarks.workload import GROUPS, TIME

HEADER = ("workload", "PyTorch", "leafgrad", "times better", "demand", "spread", "peak MiB", "of the limit")
WIDTHS = (74, 10, 10, 14, 16, 8, 13, 20)


def amount(value: float | None, unit: str = "s") -> str:
    if value is None:
        return "-"
    if unit == "B":
        return f"{value / 2**20:.3g} MiB" if value < 100 * 2**20 else f"{value / 2**20:.0f} MiB"
    for name, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= scale:
            return f"{value / scale:.3g} {name}"
    return f"{value / 1e-9:.0f} ns"


def rows(result: Result, limits: Limits | None) -> list[tuple[str, ...]]:
    """One line against PyTorch as it comes, and one against PyTorch under a tuned malloc where that was measured."""
    lines = [cells(result, "torch", result.workload.name, of_limit(result, limits))]
    if "tuned" in result.samples:
        lines.append(cells(result, "tuned", f"{result.workload.name}; tuned malloc", ""))
    return lines


def cells(result: Result, against: str, name: str, limit: str) -> tuple[str, ...]:
    item, ratio = result.workload, result.ratio(against)
    demand = item.tuned if against == "tuned" else item.demand
    spreads = [spread for who in (against, "leafgrad") if (spread := result.spread(who)) is not None]
    verdict = " (not met)" if result.met(against) is False else ""
    return (
        name,
        amount(result.median(against), item.unit),
        amount(result.median("leafgrad"), item.unit),
        "-" if ratio is None else f"{ratio:.2f}",
        "-" if demand is None else f"{demand:.3g}{verdict}",
        f"{max(spreads):.0%}" if spreads else "-",
        " / ".join(mebibytes(result.peaks.get(who)) for who in (against, "leafgrad")) if item.kind == TIME else "",
        limit,
    )


def mebibytes(value: int | None) -> str:
    return "-" if value is None else f"{value / 2**20:.0f}"


def of_limit(result: Result, limits: Limits | None) -> str:
    """Which part of what the machine could do leafgrad does: of the bandwidth or of the FMA rate, whichever is more."""
    if result.counted is not None:
        return f"counted {amount(result.counted, 'B')}"
    seconds, item = result.median("leafgrad"), result.workload
    if limits is None or seconds is None or not (item.moves or item.flops):
        return ""
    seconds *= item.per
    moving, computing = item.moves / limits.bandwidth / seconds, item.flops / limits.fma / seconds
    return f"{moving:.0%} of bandwidth" if moving > computing else f"{computing:.0%} of FMA"


def line(row: tuple[str, ...]) -> str:
    name, *others = row
    return name.ljust(WIDTHS[0]) + "".join(cell.rjust(width) for cell, width in zip(others, WIDTHS[1:], strict=True))


# --- what the figures were measured on -------------------------------------------------------------------------------


def versions(libraries: list[str]) -> dict[str, str]:
    """Asked for once everything is measured, since it imports the libraries here."""
    return {"python": platform.python_version()} | {
        library: importlib.import_module(library).__version__ for library in libraries
    }


def surroundings(libraries: list[str], threads: int, rounds: int, limits: Limits | None) -> dict[str, object]:
    return {
        "date": datetime.date.today().isoformat(),
        "machine": machine.name(),
        "versions": versions(libraries),
        "threads": threads,
        "rounds": rounds,
        "load": os.getloadavg()[0],
        "limits": vars(limits) if limits else None,
    }


def described(limits: Limits | None) -> str:
    if limits is None:
        return "limits not measured (no row here is held against them, or there is no C++ compiler)"
    read, write, copy = (f"{rate / 1e9:.0f}" for rate in (limits.read, limits.write, limits.copy))
    return f"{read} GB/s read, {write} GB/s written, {copy} GB/s copied, {limits.fma / 1e9:.0f} GFlop/s of FMAs"


# --- JSON and Markdown -----------------------------------------------------------------------------------------------


def as_json(results: list[Result], around: dict[str, object]) -> str:
    return json.dumps(around | {"results": [plain(result) for result in results]}, indent=1)


def plain(result: Result) -> dict[str, object]:
    item = result.workload
    return {
        "group": item.group,
        "name": item.name,
        "unit": item.unit,
        "demand": item.demand,
        "tuned_demand": item.tuned,
        "samples": result.samples,
        "peaks": result.peaks,
        "counted": result.counted,
        "ratio": result.ratio(),
        "tuned_ratio": result.ratio("tuned"),
        "met": result.met(),
        "tuned_met": result.met("tuned"),
        "problems": result.problems,
    }


INTRODUCTION = """\
# Benchmarks

Written by `python -m benchmarks --write`; [how it measures](../docs/design/benchmarks.md). Medians of turns that the
libraries take alternately, each in a process of its own, on the same number of threads. `times better` is PyTorch's
median over leafgrad's. `spread` is half the distance between the quartiles as a part of the median, of the library
where it is larger. `peak MiB` is the resident memory beyond the imported library, PyTorch's and leafgrad's. `of the
limit` says how near leafgrad comes to what the machine can do: bytes that have to move over the measured bandwidth, or
the operations of the products over the rate of FMAs. A row that names a tuned malloc compares with PyTorch in a process
whose malloc keeps its memory. In every row without a remark below its table both libraries computed the same.
"""


def update(file: Path, results: list[Result], around: dict[str, object], limits: Limits | None) -> None:
    """Replace in `file` the sections of the groups that were measured, and keep the others'."""
    sections = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", file.read_text(), re.M | re.S)) if file.exists() else {}
    for group in GROUPS:
        measured = [result for result in results if result.workload.group == group]
        if measured:
            sections[group] = section(measured, around, limits)
    kept = [f"## {group}\n{sections[group].rstrip()}\n" for group in GROUPS if group in sections]
    file.write_text("\n".join([INTRODUCTION, *kept]))


def section(results: list[Result], around: dict[str, object], limits: Limits | None) -> str:
    used = ", ".join(f"{name} {version}" for name, version in around["versions"].items())
    table = [HEADER, tuple("---" for _ in HEADER), *(row for result in results for row in rows(result, limits))]
    remarks = [f"- {result.workload.name}: {problem}" for result in results for problem in result.problems]
    return "\n".join(
        [
            "",
            f"{around['date']}: {around['machine']}, load average {around['load']:.1f} at the end; {used};",
            f"{around['threads']} threads, {around['rounds']} rounds; {described(limits)}.",
            "",
            *("| " + " | ".join(row) + " |" for row in table),
            *(["", *remarks] if remarks else []),
        ]
    )
