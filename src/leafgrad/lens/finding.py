"""What a watch reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .places import Place, place_text, source_line


class LeafWarning(UserWarning):
    """What `leafgrad.watch()` warns of."""


@dataclass(frozen=True)
class Finding:
    """A mistake that a watch has seen. ``str()`` is the whole message."""

    kind: str  # "in-place write", "second backward", "growing history", "not finite" or "no gradient"
    message: str  # what happened, to what, and what to write instead
    place: Place | None  # the line at fault
    earlier: Place | None = None  # the line it goes back to: that saved the tensor, ran the first backward, ...
    details: dict[str, Any] = field(default_factory=dict)  # figures and names that the message has

    def __str__(self) -> str:
        return self._text(self.place, self.earlier)

    def warning(self) -> LeafWarning:
        """To be warned of at `place`, whose source Python shows itself."""
        return LeafWarning(self._text(self.earlier))

    def _text(self, *places: Place | None) -> str:
        sources = {place: source_line(place) for place in places if place}
        lines = (f"  {place_text(place)}  {source}" for place, source in sources.items() if source)
        return "\n".join([f"{self.kind}: {self.message}", *lines])

    def to_dict(self) -> dict[str, Any]:
        """The fields under their names, places as ``file:line``."""
        places = {"place": self.place, "earlier": self.earlier}
        texts = {name: place_text(place) if place else None for name, place in places.items()}
        return {"kind": self.kind, "message": self.message, **texts, **self.details}
