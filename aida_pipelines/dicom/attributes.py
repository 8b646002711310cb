"""Attributes of an instance by keyword, as plain Python values for a table's row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from math import isfinite

from aida_pipelines.dicom.dictionary import tag_for_keyword
from aida_pipelines.dicom.parse import Element, Encoding, ParsedFile, vr_of
from aida_pipelines.dicom.values import (
    DEFAULT_CHARSET,
    charset_of,
    decode_text,
    numbers,
    parse_age,
    parse_date,
    strings,
)

_SHARED_GROUPS = 0x52009229
_CHARSET = 0x00080005
_NUMERIC = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "UL", "US", "SV", "UV"})
_INTEGER = frozenset({"IS", "SL", "SS", "UL", "US", "SV", "UV"})


class Attributes:
    """The attributes of one instance.

    Those that an enhanced object has for all frames together are found in its shared functional groups (PS3.3
    C.7.6.16) when the top level has none.

    Args:
        parsed: The instance.
    """

    def __init__(self, parsed: ParsedFile) -> None:
        self._parsed = parsed
        self._elements: dict[int, tuple[Element, Encoding]] = {}
        shared = next((element for element in parsed.elements if element.tag == _SHARED_GROUPS), None)
        if shared is not None:
            self._add_nested(shared)
        self._elements.update((element.tag, (element, parsed.encoding)) for element in parsed.elements)
        charset = self._elements.get(_CHARSET)
        self._charset: Sequence[str] = charset_of(parsed.value(charset[0])) if charset else DEFAULT_CHARSET

    def _add_nested(self, sequence: Element) -> None:
        for element in (element for item in sequence.items or () for element in item):
            if element.items is None:
                self._elements.setdefault(element.tag, (element, sequence.encoding))
            else:
                self._add_nested(element)

    def values(self, keyword: str) -> Sequence[str | int | float | date]:
        """All values of an attribute; empty where it is absent, empty or unreadable.

        Numbers for numeric VRs, dates for DA, years for AS, text for all others (LO and the like as one
        text).
        """
        tag = tag_for_keyword(keyword)
        if tag is None or tag not in self._elements:
            return []
        element, encoding = self._elements[tag]
        vr = vr_of(tag) if element.vr == "UN" else element.vr
        value = self._parsed.value(element)
        if vr in _NUMERIC:
            found = [number for number in numbers(value, vr, encoding) if isfinite(number)]
            return [int(number) for number in found] if vr in _INTEGER else found
        if vr in ("DA", "AS"):
            parse = parse_date if vr == "DA" else parse_age
            return [parsed for text in strings(value, vr) if (parsed := parse(text)) is not None]
        if vr == "CS":
            return strings(value, vr)
        text = decode_text(value, vr, self._charset)
        return [text] if text else []

    def first(self, keyword: str) -> str | int | float | date | None:
        """The first value, or None."""
        return next(iter(self.values(keyword)), None)
