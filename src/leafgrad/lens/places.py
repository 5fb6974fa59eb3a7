"""Places in the user's source: a file, a line and a function, as the core's `_place` gives them."""

from __future__ import annotations

import linecache
import os

Place = tuple[str, int, str]  # file, line counted from 1, function


def place_text(place: Place) -> str:
    """``file:line``; the file's path is relative where it lies under the current directory."""
    file, line, _ = place
    here = os.getcwd() + os.sep
    return f"{file.removeprefix(here)}:{line}"


def source_line(place: Place) -> str | None:
    """The text of that line without its indentation; None where the source is not at hand."""
    file, line, _ = place
    return linecache.getline(file, line).strip() or None
