"""Times the same program under PyTorch and under leafgrad, fairly, and prints medians and their ratio.

A workload is a function that takes the library and returns what is timed:

    @workload("a + b", demand=5)
    def add(torch):
        a, b = torch.ones(1, requires_grad=True), torch.ones(1)
        return lambda: a + b

Each library lives in a process of its own, which stays alive, so that nothing is shared and nothing is warmed up twice.
The two take turns (A B A B ...), so that what the machine does meanwhile falls on both alike.  Python's cycle collector
stays on: its work is part of what a program pays.  Start reading at `compare`; `serve` is the other end of the pipe.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[1]
LIBRARIES = ("torch", "leafgrad")
ROUNDS = 15  # turns of each library; the median is over these
SAMPLE = 0.03  # seconds one turn lasts at least


@dataclass(frozen=True)
class Workload:
    name: str
    make: Callable[[ModuleType], Callable[[], object]]
    per: int  # units of work in one call; times are per unit
    demand: float | None  # how many times faster than PyTorch leafgrad has to be


@dataclass
class Result:
    """Seconds per unit of work, one for each round; the lists of both libraries stand in the order of the rounds."""

    name: str
    demand: float | None
    seconds: dict[str, list[float]]

    def median(self, library: str) -> float | None:
        samples = self.seconds.get(library)
        return statistics.median(samples) if samples else None

    def spread(self, library: str) -> float | None:
        """Half the distance between the quartiles, as a part of the median."""
        samples, median = self.seconds.get(library), self.median(library)
        if not samples or not median or len(samples) < 4:
            return None
        low, _, high = statistics.quantiles(samples, n=4)
        return (high - low) / 2 / median

    @property
    def ratio(self) -> float | None:
        ours, theirs = self.median("leafgrad"), self.median("torch")
        return theirs / ours if ours and theirs else None

    @property
    def met(self) -> bool | None:
        return None if self.ratio is None or self.demand is None else self.ratio >= self.demand


class Suite:
    """The workloads of one module, in order of definition."""

    def __init__(self, module: str) -> None:
        self.module = module
        self.workloads: dict[str, Workload] = {}

    def workload(self, name: str, *, per: int = 1, demand: float | None = None) -> Callable[..., Any]:
        def add(make: Callable[[ModuleType], Callable[[], object]]) -> Callable[[ModuleType], Callable[[], object]]:
            self.workloads[name] = Workload(name, make, per, demand)
            return make

        return add

    def compare(self, names: list[str], libraries: list[str], threads: int = 1) -> Iterator[Result]:
        with ExitStack() as stack:
            workers = {name: stack.enter_context(Worker(self.module, name, threads)) for name in libraries}
            for name in names:
                seconds: dict[str, list[float]] = {library: [] for library in libraries}
                for worker in workers.values():
                    worker.ask(prepare=name)
                for _ in range(ROUNDS):
                    for library, worker in workers.items():
                        seconds[library].append(worker.ask(time=name))
                yield Result(name, self.workloads[name].demand, seconds)


class Worker:
    """One library in a process of its own.  A request is a line of JSON, the answer a line with a number."""

    def __init__(self, module: str, library: str, threads: int) -> None:
        self.library = library
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.harness", module, library, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(threads),
        )

    def ask(self, **request: str) -> float:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"benchmarks: the {self.library} process ended at {request}; its message stands above")
        return float(answer)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def serve(module: str, library: str, threads: int) -> None:
    """Answer a `Worker`: prepare a workload (the answer is the number of calls in one turn), or time one turn."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what a workload prints must not look like an answer
    torch = importlib.import_module(library)
    torch.set_num_threads(threads)
    suite: Suite = importlib.import_module(module).suite
    prepared: dict[str, tuple[Callable[[], object], int]] = {}
    for line in sys.stdin:
        match json.loads(line):
            case {"prepare": name}:
                call = suite.workloads[name].make(torch)
                prepared[name] = call, calls_per_turn(call)
                answer: float = prepared[name][1]
            case {"time": name}:
                call, calls = prepared[name]
                answer = seconds_of(call, calls) / calls / suite.workloads[name].per
        print(answer, file=answers, flush=True)


def seconds_of(call: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return time.perf_counter() - start


def calls_per_turn(call: Callable[[], object]) -> int:
    """Warm up, and find how many calls last `SAMPLE` seconds."""
    calls = 1
    while (seconds := seconds_of(call, calls)) < SAMPLE / 2:
        calls = max(calls + 1, int(calls * min(10.0, SAMPLE / max(seconds, 1e-9))))
    return calls


# --- what the figures were measured on -------------------------------------------------------------------------------


def environment(threads: int) -> dict[str, str]:
    """This process's variables with every library's number of threads fixed."""
    names = "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LEAFGRAD_NUM_THREADS"
    return os.environ | dict.fromkeys(names, str(threads))


def installed(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


def versions(libraries: list[str]) -> dict[str, str]:
    """Asked for once everything is measured, since it imports the libraries here."""
    return {"python": platform.python_version()} | {
        library: importlib.import_module(library).__version__ for library in libraries
    }


def machine() -> str:
    """Processor and the number of cores this process may use, such as 'AMD EPYC 9B14, 2 cores'."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} cores"


# --- how they are shown ----------------------------------------------------------------------------------------------


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.0f} ns"


HEADER = ("workload", "PyTorch", "leafgrad", "times faster", "demand", "spread")


def cells(result: Result) -> tuple[str, ...]:
    spreads = [result.spread(library) for library in LIBRARIES if library in result.seconds]
    spread = max((spread for spread in spreads if spread is not None), default=None)
    verdict = {None: "", True: "", False: " (not met)"}[result.met]
    return (
        result.name,
        duration(result.median("torch")),
        duration(result.median("leafgrad")),
        "-" if result.ratio is None else f"{result.ratio:.1f}",
        "-" if result.demand is None else f"{result.demand:g}{verdict}",
        "-" if spread is None else f"{spread:.0%}",
    )


def line(row: tuple[str, ...]) -> str:
    return "{:<48}{:>10}{:>10}{:>14}{:>14}{:>8}".format(*row)


def markdown(title: str, command: str, results: list[Result], libraries: list[str], date: str) -> str:
    rows = [HEADER, tuple("---" for _ in HEADER), *(cells(result) for result in results)]
    used = ", ".join(f"{name} {version}" for name, version in versions(libraries).items())
    return "\n".join(
        [
            f"# {title}",
            "",
            f"Written by `{command}` on {date}.",
            f"{machine()}, load average {os.getloadavg()[0]:.1f} at the end; {used}; one thread each.",
            "",
            f"Medians of {ROUNDS} turns each; the libraries take turns, each in a process of its own. `spread` is half",
            "the distance between the quartiles as a part of the median, of the library where it is larger.",
            "",
            *("| " + " | ".join(row) + " |" for row in rows),
            "",
        ]
    )


def as_json(results: list[Result], libraries: list[str], date: str) -> str:
    described = [asdict(result) | {"ratio": result.ratio, "met": result.met} for result in results]
    return json.dumps(
        {"machine": machine(), "versions": versions(libraries), "date": date, "results": described}, indent=1
    )


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]))
