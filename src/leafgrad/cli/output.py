"""Files that a subcommand writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from leafgrad.cli.program import fail


@contextmanager
def writing(name: str | None, kinds: Sequence[str]) -> Iterator[Path | None]:
    """The path to write to, checked before a long program runs; says afterwards that it is there.

    A suffix that is not one of `kinds`, a folder that does not exist and a missing extra end with one line.
    """
    if name is None:
        yield None
        return
    path = Path(name)
    if path.suffix not in kinds:
        fail(f"{name}: give it one of the suffixes {', '.join(kinds)}, which says what is written", status=2)
    if not path.parent.is_dir():
        fail(f"{name}: there is no folder {str(path.parent)!r}", status=2)
    try:
        yield path
    except (OSError, ModuleNotFoundError) as error:
        fail(f"{name}: {error}", status=2)
    print(f"wrote {name}")
