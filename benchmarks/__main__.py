"""The same programs under PyTorch and leafgrad: times, memory, and how far from the machine's limits.

Where PyTorch is not installed, leafgrad's figures stand alone.  The status is 1 if a library could not run a workload
or the two computed different things; a demand that is not met is shown and changes nothing.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks import harness, machine, report
from benchmarks.workload import GROUPS, everything


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="WORD", default="", help="a group, or workloads whose name contains WORD")
    parser.add_argument("--list", action="store_true", help="name the workloads and measure nothing")
    parser.add_argument("--json", action="store_true", help="print JSON, every sample included")
    parser.add_argument("--write", action="store_true", help="bring benchmarks/results.md up to date, by whole groups")
    parser.add_argument("--threads", type=int, default=machine.cores(), help="of each library; default: all cores")
    parser.add_argument("--rounds", type=int, default=harness.ROUNDS, help="turns of each library (%(default)s)")
    options = parser.parse_args()

    items = chosen(options.only)
    if not items:
        parser.error(f"no group is and no workload's name contains {options.only!r}; the groups: {', '.join(GROUPS)}")
    if options.write and options.only not in ("", *GROUPS):
        parser.error("--write takes whole groups")
    if options.list:
        print("\n".join(f"{item.group:12} {item.name}" for item in items))
        return 0
    libraries = [library for library in ("torch", "leafgrad") if harness.installed(library)]
    if "leafgrad" not in libraries:
        parser.error("leafgrad is not installed here; `make bench` installs it")

    # With --json the table goes to standard error, so that a long run still shows where it is.
    table = sys.stderr if options.json else sys.stdout
    if "torch" not in libraries:
        print("PyTorch is not installed here: leafgrad's figures stand alone.", file=table)
    limits = machine.limits(options.threads) if any(item.moves or item.flops for item in items) else None
    if limits:
        print(report.described(limits), file=table)
    print(report.line(report.HEADER), file=table, flush=True)
    results = []
    for item in items:
        result = harness.compare(item, libraries, options.threads, options.rounds)
        results.append(result)
        lines = [*map(report.line, report.rows(result, limits)), *(f"  ! {problem}" for problem in result.problems)]
        print("\n".join(lines), file=table, flush=True)

    around = report.surroundings(libraries, options.threads, options.rounds, limits)
    if options.json:
        print(report.as_json(results, around))
    if options.write:
        report.update(harness.ROOT / "benchmarks" / "results.md", results, around, limits)
    return int(any(result.problems for result in results))


def chosen(word: str):
    items = everything()
    return [item for item in items if item.group == word] or [item for item in items if word in item.name]


if __name__ == "__main__":
    sys.exit(main())
