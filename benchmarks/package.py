"""What it costs to have and to import a library."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from benchmarks.harness import ROOT
from benchmarks.workload import FACT, workload


@workload("import", demand=15, kind=FACT)
def import_time(library):
    """Seconds that `import library` takes in a fresh Python, which has started already."""
    code = f"import time; start = time.perf_counter(); import {library}; print(time.perf_counter() - start)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return float(done.stdout)


@workload("installed size with dependencies", demand=8, kind=FACT, unit="B", rounds=1)
def installed_size(library):
    """Bytes of all files of the distribution, of what it requires, and so on."""
    files: set[Path] = set()
    collect(library, set(), files)
    # An editable install lists none of the Python files, which stand in the source tree.
    package = Path(importlib.util.find_spec(library).origin).parent
    files.update(path for path in package.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in {path.resolve() for path in files})


def collect(name: str, seen: set[str], files: set[Path]) -> None:
    if name in seen:
        return
    seen.add(name)
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return  # required on other systems only
    files.update(path for file in distribution.files or () if (path := Path(file.locate())).is_file())
    for requirement in distribution.requires or ():
        if "extra ==" not in requirement:
            collect(re.match(r"[\w.-]+", requirement).group(), seen, files)
