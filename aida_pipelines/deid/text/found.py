"""What a recogniser reports: a kind and a place. Never the text itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """An identifier in a text.

    Attributes:
        start: Index of its first character.
        stop: Index behind its last one.
        kind: What it is, such as ``personal-number``.
    """

    start: int
    stop: int
    kind: str


def without(text: str, found: Iterable[Found], instead: str = " ") -> str:
    """The text with what was found replaced; places may overlap."""
    parts, position = [], 0
    for place in sorted(found):
        if place.stop <= position:
            continue
        if place.start >= position:
            parts += [text[position : place.start], instead]
        position = place.stop
    return "".join((*parts, text[position:]))
