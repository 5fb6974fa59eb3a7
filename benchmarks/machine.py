"""The machine: its name and its limits, against which a time can be held."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Limits:
    """What the machine does at best on a number of threads.  The units: bytes a second, operations a second."""

    read: float
    write: float
    copy: float  # bytes read and bytes written together
    fma: float  # float32, an FMA counted as two operations

    @property
    def bandwidth(self) -> float:
        return max(self.read, self.write, self.copy)


def limits(threads: int) -> Limits | None:
    """Measured by probe.cpp, compiled here for this very processor; None without a compiler."""
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as directory:
        program = Path(directory) / "probe"
        source = Path(__file__).with_name("probe.cpp")
        command = [compiler, "-O3", "-march=native", "-std=c++20", "-pthread", str(source), "-o", str(program)]
        if subprocess.run(command, capture_output=True).returncode:
            return None
        done = subprocess.run([str(program), str(threads)], capture_output=True, text=True, check=True)
    return Limits(**json.loads(done.stdout))


def name() -> str:
    """Processor and the number of cores this process may use, such as 'AMD EPYC 9B14, 2 cores'."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.processor() or platform.machine()
    return f"{processor}, {cores()} cores"


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
