"""Whether a value is what its VR says: nothing is kept as a number that is a name.

What a VR allows is in PS3.5 section 6.2. Real files often break its small print (a DS of 17 characters, a CS in
lower case); the checks here ask only what keeps text out.
"""

from __future__ import annotations

import re

from aida_pipelines.deid.pseudonym import is_personal_number

TEXT_VRS = frozenset({"LO", "SH", "ST", "LT", "UT", "UC"})
TEMPORAL_VRS = frozenset({"DA", "DT", "TM"})
BINARY_VRS = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "AT": 4, "UV": 8, "SV": 8}
"""VRs of binary numbers, and bytes a value."""
BULK_VRS = frozenset({"OB", "OW", "OF", "OD", "OL", "OV"})

_FAMILIES = (
    frozenset({"DS", "IS"}),
    frozenset({"US", "SS", "UL", "SL", "UV", "SV"}),
    frozenset({"FL", "FD"}),
    BULK_VRS,
    TEXT_VRS,
)

_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_CODE = re.compile(rb"[A-Z0-9_ ]{0,16}")
_TIME = re.compile(rb"\d{2}(:?\d{2}(:?\d{2}(\.\d{1,6})?)?)?")
_DATE = re.compile(rb"\d{4}(\.?)\d{2}\1\d{2}")
_DATE_TIME = re.compile(rb"\d{4}(\d{2}){0,5}(\.\d{1,6})?([+-]\d{4})?")
_UID = re.compile(rb"[0-9.]{1,64}")
_UTC_OFFSET = re.compile(rb"[+-]\d{4}")
_WORDS = re.compile(rb"[A-Za-z0-9 ^,.\-_]{8,}\0*")
_LETTERS = re.compile(rb"[A-Za-z]{4}")

_SHAPES = {"DA": _DATE, "DT": _DATE_TIME, "TM": _TIME, "UI": _UID, "CS": _CODE}
TIMEZONE_OFFSET = 0x00080201


def same_family(written: str, known: str) -> bool:
    """Whether a VR is one of those that the dictionary has (``US or SS``), or of their kind."""
    allowed = known.split(" or ")
    return written in allowed or any(
        written in family and not family.isdisjoint(allowed) for family in _FAMILIES
    )


def is_honest(value: bytes, vr: str, tag: int, most: int | None) -> bool:
    """Whether a value may be kept as what its VR says.

    Args:
        value: Not empty.
        vr: Its VR.
        tag: Its attribute.
        most: How many values the dictionary allows; None for any number.
    """
    if vr in BINARY_VRS:
        size = BINARY_VRS[vr]
        fits = len(value) % size == 0 and (most is None or len(value) <= most * size)
        return fits and not _is_text(value)
    if vr in BULK_VRS:
        return not _is_text(value)
    if vr in ("DS", "IS"):
        return all(_is_number(part) for part in _parts(value))
    if vr in _SHAPES:
        return all(not part or _SHAPES[vr].fullmatch(part) for part in _parts(value))
    if tag == TIMEZONE_OFFSET:
        return _UTC_OFFSET.fullmatch(value.strip(b"\0 ")) is not None
    return True


def most_values(vm: str) -> int | None:
    """The most values that a value multiplicity of the dictionary allows; None for any number."""
    last = vm.rpartition("-")[2]
    return int(last) if last.isdigit() else None


def _parts(value: bytes) -> list[bytes]:
    return [part.strip(b"\0 ") for part in value.split(b"\\")]


def _is_number(part: bytes) -> bool:
    if not part:
        return True
    if not _NUMBER.fullmatch(part):
        return False
    return len(part) < 10 or not is_personal_number(part.decode("ascii"))


def _is_text(value: bytes) -> bool:
    """Whether bytes are readable from end to end, with a word among them: eight or more, as chance won't have it."""
    return _WORDS.fullmatch(value) is not None and _LETTERS.search(value) is not None
