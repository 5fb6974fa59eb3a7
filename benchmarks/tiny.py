"""Small operations, where the library and not the arithmetic costs: `python -m benchmarks.tiny`.

An operation that lasts less than a microsecond is repeated inside its workload, so that the call of the workload does
not count.  Where PyTorch is not installed, leafgrad's times stand alone.
"""

from __future__ import annotations

import argparse
import datetime
import subprocess
import sys

from benchmarks import harness

suite = harness.Suite("benchmarks.tiny")
REPEAT = range(100)
IMPORT, IMPORT_DEMAND, IMPORT_ROUNDS = "import", 15, 7


@suite.workload("the article's program (3 operations, backward)", demand=10)
def article(torch):
    w = torch.tensor([1.0], requires_grad=True)
    x = torch.tensor([2.0], requires_grad=True)

    def program():
        a = torch.add(w, x)
        b = torch.add(w, 1)
        y = torch.mul(a, b)
        y.backward()
        w.grad = x.grad = None

    return program


@suite.workload("chain of 1000 products, both ways, per node", per=1000, demand=8)
def chain(torch):
    x, factor = torch.ones(1, requires_grad=True), torch.ones(1)

    def program():
        y = x
        for _ in range(1000):
            y = y * factor
        y.backward()
        x.grad = None

    return program


@suite.workload("a + b, recording", per=len(REPEAT), demand=5)
def add(torch):
    a, b = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)

    def program():
        for _ in REPEAT:
            a + b

    return program


@suite.workload("a * 2, recording", per=len(REPEAT), demand=5)
def scale(torch):
    a = torch.ones(1, requires_grad=True)

    def program():
        for _ in REPEAT:
            a * 2

    return program


@suite.workload("a[0], recording", per=len(REPEAT), demand=5)
def element(torch):
    a = torch.ones(1, requires_grad=True)

    def program():
        for _ in REPEAT:
            a[0]

    return program


@suite.workload("a.sum(), recording", per=len(REPEAT), demand=5)
def total(torch):
    a = torch.ones(1, requires_grad=True)

    def program():
        for _ in REPEAT:
            a.sum()

    return program


@suite.workload("a @ b (4x4), recording", per=len(REPEAT), demand=5)
def product(torch):
    a, b = torch.ones(4, 4, requires_grad=True), torch.ones(4, 4, requires_grad=True)

    def program():
        for _ in REPEAT:
            a @ b

    return program


@suite.workload("a + b under no_grad", per=len(REPEAT), demand=4)
def add_unrecorded(torch):
    a, b = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)

    def program():
        with torch.no_grad():
            for _ in REPEAT:
                a + b

    return program


def import_time(library: str) -> float:
    """Seconds that `import library` takes in a fresh Python, which has started already."""
    code = f"import time; start = time.perf_counter(); import {library}; print(time.perf_counter() - start)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=harness.ROOT)
    return float(done.stdout)


def import_times(libraries: list[str]) -> harness.Result:
    seconds: dict[str, list[float]] = {library: [] for library in libraries}
    for library in libraries:
        import_time(library)  # its files come into the system's cache
    for _ in range(IMPORT_ROUNDS):
        for library in libraries:
            seconds[library].append(import_time(library))
    return harness.Result(IMPORT, IMPORT_DEMAND, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tiny", description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="WORD", default="", help="only the workloads whose name contains WORD")
    parser.add_argument("--json", action="store_true", help="print JSON, every sample included")
    parser.add_argument("--write", action="store_true", help="write benchmarks/results.md too")
    options = parser.parse_args()

    names = [name for name in [*suite.workloads, IMPORT] if options.only in name]
    if not names:
        parser.error(f"no workload's name contains {options.only!r}")
    if options.write and options.only:
        parser.error("--write takes all workloads")
    libraries = [library for library in harness.LIBRARIES if harness.installed(library)]
    if "leafgrad" not in libraries:
        parser.error("leafgrad is not installed here; `make bench` installs it")

    # With --json the table goes to standard error, so that a long run still shows where it is.
    table = sys.stderr if options.json else sys.stdout
    if "torch" not in libraries:
        print("PyTorch is not installed here: leafgrad's times stand alone.", file=table)
    print(harness.line(harness.HEADER), file=table)
    results = []
    for result in measured(names, libraries):
        results.append(result)
        print(harness.line(harness.cells(result)), file=table, flush=True)

    date = datetime.date.today().isoformat()
    if options.json:
        print(harness.as_json(results, libraries, date))
    if options.write:
        text = harness.markdown("Small operations", "python -m benchmarks.tiny --write", results, libraries, date)
        (harness.ROOT / "benchmarks" / "results.md").write_text(text)


def measured(names, libraries):
    yield from suite.compare([name for name in names if name != IMPORT], libraries)
    if IMPORT in names:
        yield import_times(libraries)


if __name__ == "__main__":
    main()
