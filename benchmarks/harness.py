"""Runs one workload under each library, fairly, and checks that they computed the same.

Each library lives in a process of its own, made for this workload, so that nothing is shared and nothing is warmed up
twice.  They take turns (A B A B ...), so that what the machine does meanwhile falls on all alike.  Python's cycle
collector stays on: its work is part of what a program pays.  Start reading at `compare`; `serve` is the other end of
the pipe.  docs/design/benchmarks.md has the reasons.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy

from benchmarks.workload import FACT, PEAK, TIME, Workload, workloads

ROOT = Path(__file__).parents[1]
ROUNDS = 7  # turns of each contender; the median is over these
TURN = 0.2  # seconds one turn lasts at least, give or take

# glibc gives memory back to the system and takes it anew, page fault by page fault; told so, it keeps it.
TUNED_MALLOC = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_MMAP_THRESHOLD_": str(2**34),
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
    "MALLOC_TOP_PAD_": str(2**28),
}
# Who takes part: the library and what is different in its environment.
CONTENDERS: dict[str, tuple[str, dict[str, str]]] = {
    "torch": ("torch", {}),
    "leafgrad": ("leafgrad", {}),
    "tuned": ("torch", TUNED_MALLOC),
}


class CannotRun(Exception):
    """A library failed at a workload; the text is its error in one line."""


@dataclass
class Result:
    """Samples per unit of work, one for each round; the lists of all contenders stand in the order of the rounds."""

    workload: Workload
    samples: dict[str, list[float]] = field(default_factory=dict)
    peaks: dict[str, int | None] = field(default_factory=dict)  # bytes beyond the imported library, while timed
    counted: int | None = None  # the peak in bytes as leafgrad counts it
    failed: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)  # who could not run it, whose results differ

    def median(self, contender: str) -> float | None:
        samples = self.samples.get(contender)
        return statistics.median(samples) if samples else None

    def spread(self, contender: str) -> float | None:
        """Half the distance between the quartiles, as a part of the median."""
        samples, median = self.samples.get(contender), self.median(contender)
        if not samples or not median or len(samples) < 4:
            return None
        low, _, high = statistics.quantiles(samples, n=4)
        return (high - low) / 2 / median

    def ratio(self, against: str = "torch") -> float | None:
        ours, theirs = self.median("leafgrad"), self.median(against)
        return theirs / ours if ours and theirs else None

    def met(self, against: str = "torch") -> bool | None:
        demand = self.workload.tuned if against == "tuned" else self.workload.demand
        ratio = self.ratio(against)
        return None if ratio is None or demand is None else ratio >= demand


def compare(item: Workload, libraries: Iterable[str], threads: int, rounds: int = ROUNDS) -> Result:
    result = Result(item)
    for name, (library, _) in CONTENDERS.items():
        if library in libraries and (name != "tuned" or item.tuned is not None):
            result.samples[name] = []
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as directory:
        files = {name: Path(directory) / f"{name}.npz" for name in result.samples}
        MEASURE[item.kind](result, files, threads, item.rounds or rounds)
        check(result, files)
    return result


def measure_times(result: Result, files: dict[str, Path], threads: int, rounds: int) -> None:
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(result.workload, name, threads)) for name in result.samples}
        for name, worker in workers.items():
            attempt(result, name, lambda worker=worker, name=name: worker.ask(prepare=str(files[name])))
        for _ in range(rounds):
            for name, worker in workers.items():
                answer = attempt(result, name, lambda worker=worker: worker.ask(turn=True))
                if answer is not None:
                    result.samples[name].append(answer["seconds"])
                    result.peaks[name] = answer["peak"]


def measure_peaks(result: Result, files: dict[str, Path], threads: int, rounds: int) -> None:
    """A fresh process each round: what a library keeps of one measurement would make the next one look small."""
    for _ in range(rounds):
        for name in result.samples:
            with Worker(result.workload, name, threads) as worker:
                answer = attempt(result, name, lambda worker=worker, name=name: worker.ask(settled=str(files[name])))
            if answer is not None:
                result.samples[name].append(answer["peak"])
                result.counted = answer["counted"] or result.counted


def measure_facts(result: Result, files: dict[str, Path], threads: int, rounds: int) -> None:
    for _ in range(rounds):
        for name in result.samples:
            value = attempt(result, name, lambda name=name: result.workload.make(name))
            if value is not None:
                result.samples[name].append(value)


MEASURE = {TIME: measure_times, PEAK: measure_peaks, FACT: measure_facts}


def attempt(result: Result, name: str, action: Callable[[], Any]) -> Any:
    """What `action` returns; None if it fails or failed before, which is noted among the problems."""
    if name in result.failed:
        return None
    try:
        return action()
    except Exception as error:
        text = str(error) if isinstance(error, CannotRun) else one_line(error)
        result.failed.add(name)
        result.problems.append(f"{name} cannot run it: {text}")
        return None


def one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"


# --- the check that all computed the same ----------------------------------------------------------------------------


def check(result: Result, files: dict[str, Path]) -> None:
    """Compare what each contender computed with what the first one did."""
    present = [name for name, file in files.items() if file.exists()]
    for name in present[1:]:
        with numpy.load(files[present[0]]) as expected, numpy.load(files[name]) as computed:
            problem = difference(list(expected.values()), list(computed.values()), result.workload.tolerance)
        if problem:
            result.problems.append(f"{name} does not agree with {present[0]}: {problem}")


def difference(expected: list[numpy.ndarray], computed: list[numpy.ndarray], tolerance: float) -> str | None:
    """What differs, or None.  Differences are measured against the largest element of an array: where terms cancel,
    small elements have no more digits than that."""
    if len(expected) != len(computed):
        return f"{len(computed)} results instead of {len(expected)}"
    for index, (want, have) in enumerate(zip(expected, computed, strict=True)):
        if want.shape != have.shape or want.dtype != have.dtype:
            return f"result {index} is {have.dtype} {have.shape} instead of {want.dtype} {want.shape}"
        if not numpy.isfinite(want).all() or not numpy.isfinite(have).all():
            return f"result {index} is not finite"
        if want.size:
            gap, largest = float(numpy.abs(have - want).max()), float(numpy.abs(want).max())
            if gap > tolerance * largest:
                return f"result {index} differs by {gap:.3g}, its largest element is {largest:.3g}"
    return None


# --- one contender in a process of its own ---------------------------------------------------------------------------


class Worker:
    """A contender's process.  A request is a line of JSON, and so is the answer."""

    def __init__(self, item: Workload, contender: str, threads: int) -> None:
        self.library, variables = CONTENDERS[contender]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.harness", item.make.__module__, item.name, self.library, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(threads) | variables,
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        with suppress(BrokenPipeError):  # it has ended already; what follows says so
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise CannotRun(f"its process ended with status {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise CannotRun(answer["error"])
        return answer

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def environment(threads: int) -> dict[str, str]:
    """This process's variables with every library's number of threads fixed."""
    names = "OMP_NUM_THREADS", "MKL_NUM_THREADS", "LEAFGRAD_NUM_THREADS"
    return os.environ | dict.fromkeys(names, str(threads))


def serve(module: str, name: str, library: str, threads: int) -> None:
    """Answer a `Worker`, request by request."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what a workload prints must not look like an answer
    torch = importlib.import_module(library)  # while the other contenders start, too
    subject: Subject | None = None
    for line in sys.stdin:
        try:
            subject = subject or Subject(workloads(module)[name], torch, threads)
            match json.loads(line):
                case {"prepare": file}:
                    answer = subject.prepare(file)
                case {"turn": _}:
                    answer = subject.turn()
                case {"settled": file}:
                    answer = subject.settled(file)
        except Exception as error:
            answer = {"error": one_line(error)}
        print(json.dumps(answer), file=answers, flush=True)


class Subject:
    """A workload in the hands of one library."""

    def __init__(self, item: Workload, torch: Any, threads: int) -> None:
        torch.set_num_threads(threads)
        self.torch, self.item = torch, item
        self.imported = resident()
        self.step = item.make(torch)
        self.calls = 1

    def prepare(self, file: str) -> dict[str, Any]:
        """Warm up; keep what the second step computed, into which the first one's effects went."""
        self.step()
        save(file, self.step())
        self.calls = calls_per_turn(self.step)
        return {}

    def turn(self) -> dict[str, Any]:
        forget_peak()
        seconds = seconds_of(self.step, self.calls) / self.calls / self.item.per
        return {"seconds": seconds, "peak": beyond(self.imported)}

    def settled(self, file: str) -> dict[str, Any]:
        """By how much a step, after a first one, raises the resident memory above what making the data left."""
        before, counted = resident(), counters(self.torch)
        self.step()
        forget_peak()
        computed = self.step()
        answer = {"peak": beyond(before), "counted": None}
        if counted:
            answer["counted"] = counters(self.torch)["peak_bytes"] - counted["live_bytes"]
        save(file, computed)
        return answer


def save(file: str, computed: Any) -> None:
    tensors = computed if isinstance(computed, tuple | list) else (computed,)
    numpy.savez(file, *(tensor.detach().numpy() for tensor in tensors))


def seconds_of(step: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        step()
    return time.perf_counter() - start


def calls_per_turn(step: Callable[[], object]) -> int:
    """Find how many calls last `TURN` seconds."""
    calls = 1
    while (seconds := seconds_of(step, calls)) < TURN * 0.6:
        calls = max(calls + 1, int(calls * min(10.0, TURN / max(seconds, 1e-9))))
    return calls


# --- memory ----------------------------------------------------------------------------------------------------------


def status(field: str) -> int | None:
    """Bytes that Linux gives for a field of this process's status; None elsewhere."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":")), None)


def resident() -> int | None:
    return status("VmRSS")


def forget_peak() -> None:
    """Let the peak of resident memory start again from what is resident now."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def beyond(start: int | None) -> int | None:
    peak = status("VmHWM")
    return None if peak is None or start is None else peak - start


def counters(torch: Any) -> dict[str, int] | None:
    """What leafgrad's allocator counts, exactly; PyTorch has no such thing for a CPU."""
    core = getattr(torch, "_core", None)
    return core._memory_stats() if core else None


def installed(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
