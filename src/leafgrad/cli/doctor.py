"""``leafgrad doctor``: what a report of a bug should say about the machine and the installation."""

from __future__ import annotations

import os
import platform
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import leafgrad
from leafgrad import _core
from leafgrad.cli.program import fail
from leafgrad.cli.tables import show

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

HELP = "show versions, the CPU and how it is used, threads, BLAS, the allocator, and which extras are installed"
DESCRIPTION = HELP[0].upper() + HELP[1:] + "."
EXAMPLES = """\
example:
  python -m leafgrad doctor              paste what it prints into a report of a bug

exit status: 0 fine, 2 a word that it does not take
"""

# Of the many flags of a CPU, those that decide which kernels run or could.
_FEATURES = (
    "sse4_2",
    "avx",
    "avx2",
    "fma",
    "f16c",
    "avx512f",
    "avx512bw",
    "avx512vl",
    "avx512_bf16",
    "amx_bf16",
    "asimd",
)
_VARIABLES = ("LEAFGRAD_NUM_THREADS", "LEAFGRAD_ISA")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""
    parser.usage = "leafgrad doctor"


def command(arguments: argparse.Namespace) -> int:
    """Print the tables."""
    if arguments.words:
        fail(f"doctor: takes no {arguments.words[0]!r}", status=2)
    facts = [*_versions(), *_machine(), *_threads(), *_allocator(), *_variables()]
    show("leafgrad doctor", ("what", "is"), facts)
    print()
    show("extras", ("extra", "is"), list(_extras()))
    return 0


def _versions() -> Iterator[tuple[str, str]]:
    yield "leafgrad", f"{leafgrad.__version__} in {Path(leafgrad.__file__).parent}"
    yield "Python", f"{platform.python_version()} ({platform.python_implementation()}) in {sys.executable}"
    yield "numpy", _version("numpy") or "not installed, and leafgrad needs it"
    yield "torch", "is leafgrad here" if sys.modules.get("torch") is leafgrad else _version("torch") or "not installed"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _machine() -> Iterator[tuple[str, str]]:
    yield "system", f"{platform.system()} {platform.release()}, {platform.machine()}, {' '.join(platform.libc_ver())}"
    cpu = _cpu()
    yield "CPU", f"{cpu.get('model name', 'unknown')}, {len(os.sched_getaffinity(0))} of {os.cpu_count()} cores"
    flags = (cpu.get("flags") or cpu.get("Features", "")).split()
    yield "CPU features", " ".join(feature for feature in _FEATURES if feature in flags) or "unknown"
    chosen = f" (LEAFGRAD_ISA={os.environ['LEAFGRAD_ISA']})" if "LEAFGRAD_ISA" in os.environ else ""
    yield "kernels built for", _core._instruction_set() + chosen


def _cpu() -> dict[str, str]:
    """The first processor in /proc/cpuinfo."""
    text = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}


def _threads() -> Iterator[tuple[str, str]]:
    yield "threads", f"{leafgrad.get_num_threads()} for large operations"
    yield "BLAS", "none is used: matrix products run on leafgrad's own kernels"


def _allocator() -> Iterator[tuple[str, str]]:
    stats = _core._memory_stats()
    yield "allocator", ", ".join(f"{stats[key]:,} bytes {key.partition('_')[0]}" for key in _COUNTERS)
    huge = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if huge.exists():
        found = re.search(r"\[(\w+)\]", huge.read_text())
        yield "huge pages", found[1] if found else "unknown"


_COUNTERS = ("live_bytes", "peak_bytes", "cached_bytes")


def _variables() -> Iterator[tuple[str, str]]:
    for name in _VARIABLES:
        if name in os.environ:
            yield name, os.environ[name]


def _extras() -> Iterator[tuple[str, str]]:
    """Each extra with what it lacks; what they ask for stands in the metadata of the installed leafgrad."""
    wanted: dict[str, list[str]] = {}
    for requirement in metadata.requires("leafgrad") or ():
        name = re.match(r"[\w.-]+", requirement)
        condition = re.search(r"extra == ['\"]([\w-]+)['\"]", requirement)
        if name and condition:
            wanted.setdefault(condition[1], []).append(name[0])
    for extra, packages in sorted(wanted.items()):
        missing = [package for package in packages if package != "leafgrad" and _version(package) is None]
        state = "installed" if not missing else f"pip install 'leafgrad[{extra}]': lacks {', '.join(missing)}"
        yield extra, state
