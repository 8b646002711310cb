"""Whether a value is what its VR says: nothing is kept as a number that is a name.

What a VR allows is in PS3.5 section 6.2. Real files often break its small print (a DS of 17 characters, a CS in
lower case); the checks here ask only what keeps text out.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from functools import lru_cache

from aida_pipelines.deid.bulk import TABLES, hides_text, table_hides_text
from aida_pipelines.deid.pseudonym import is_personal_number
from aida_pipelines.dicom.dictionary import DicomDictionary
from aida_pipelines.dicom.parse import vr_of
from aida_pipelines.dicom.values import TEXT_VRS as CODED_VRS

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

_DECIMAL = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_INTEGER = re.compile(rb"[+-]?(\d{1,10})(\.0*)?")
_MAX_INTEGER = 1 << 31
_DAY = re.compile(r"(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_TIME = re.compile(rb"\d{2}(:?\d{2}(:?\d{2}(\.\d{1,6})?)?)?")
_DATE = re.compile(rb"\d{4}(\.?)\d{2}\1\d{2}")
_DATE_TIME = re.compile(rb"\d{4}(\d{2}){0,5}(\.\d{1,6})?([+-]\d{4})?")
_UID = re.compile(rb"[0-9.]{1,64}")
_UTC_OFFSET = re.compile(rb"[+-]\d{4}")

_MAX_DIGITS = 6
"""Before the decimal point of a number: more of them are an id, a telephone number, a date."""
_MAX_DIGITS_OF_LARGE = 9
_LARGE = re.compile(
    r"Time|Duration|Dose|Counts|Frequency|Activity|InuA?S|Interval|Delay|Window|Rescale|RealWorld|PixelValue|Offset"
)
"""Keywords of quantities that grow large: microseconds, becquerels, counts, hertz."""
_LARGEST = 10
"""Digits of a private number: no dictionary says how large it may be."""

_SMALLEST_OF_PERSONS = 10_000_000
"""Days (YYYYMMDD) and personal numbers are larger; those of the 2000s begin with zeros."""

_SHAPES = {"DA": _DATE, "DT": _DATE_TIME, "TM": _TIME, "UI": _UID}
TIMEZONE_OFFSET = 0x00080201


def same_family(written: str, known: str) -> bool:
    """Whether a VR is one of those that the dictionary has (``US or SS``), or of their kind."""
    allowed = known.split(" or ")
    return written in allowed or any(
        written in family and not family.isdisjoint(allowed) for family in _FAMILIES
    )


def is_honest(value: bytes, vr: str, tag: int) -> bool:  # noqa: PLR0911 - one for each family of VRs
    """Whether a value may be kept as what its VR says: a number, as many as the dictionary allows, a code, a date.

    Args:
        value: Not empty; padding included.
        vr: Its VR.
        tag: Its attribute.
    """
    if tag in TABLES and vr in ("OW", "OB", "US", "SS"):
        return len(value) % 2 == 0 and not table_hides_text(value)
    if vr in BINARY_VRS:
        count, rest = divmod(len(value), BINARY_VRS[vr])
        least, most = _multiplicity(tag)
        return (
            not rest and least <= count <= most and vr_of(tag) not in CODED_VRS and not hides_text(value, vr)
        )
    if vr in BULK_VRS:
        size = BINARY_VRS.get(vr_of(tag))
        fits = size is None or len(value) <= size * _multiplicity(tag)[1]
        return fits and not hides_text(value, vr)
    if vr in ("DS", "IS"):
        return all(_is_number(part, vr, tag) for part in _parts(value))
    if vr in _SHAPES:
        return all(not part or _SHAPES[vr].fullmatch(part) for part in _parts(value))
    if tag == TIMEZONE_OFFSET:
        return _UTC_OFFSET.fullmatch(value.strip(b"\0 ")) is not None
    return True


@lru_cache(maxsize=4096)
def _multiplicity(tag: int) -> tuple[int, int]:
    """The fewest and the most values that PS3.6 gives an attribute; any number where it doesn't say."""
    entry = DicomDictionary.get(tag)
    least, _, most = entry[1].partition("-") if entry else ("", "", "")
    fewest = int(least) if least.isdigit() else 0
    return fewest, int(most or least) if (most or least).isdigit() else sys.maxsize


def _parts(value: bytes) -> list[bytes]:
    return [part.strip(b"\0 ") for part in value.split(b"\\")]


def _is_number(part: bytes, vr: str, tag: int) -> bool:
    if not part:
        return True
    if vr == "DS":
        match = _DECIMAL.fullmatch(part)
    else:
        match = _INTEGER.fullmatch(part)
        if match is not None and int(match[1]) > _MAX_INTEGER:
            return False
    if match is None:
        return False
    whole, _, fraction = match[1].partition(b".")
    digits = whole.decode("ascii")
    # No number begins with a zero, but telephone numbers do.
    if len(digits) > _digits_of(tag) or (digits.startswith("0") and len(digits) > _MAX_DIGITS):
        return False
    runs = [digits, fraction.decode("ascii")]
    if len(digits) == 6:
        runs.append("".join(runs))  # a personal number with a point for its hyphen
    if vr == "DS" and match[2]:
        runs.append(f"{float(part):.0f}")  # or with an exponent
    return not any(map(is_somebodys, runs))


def is_somebodys(digits: str) -> bool:
    """Whether a run of digits is a personal number, or a day of this century or the last."""
    return _DAY.fullmatch(digits) is not None or is_personal_number(digits)


def is_nobodys(values: Iterable[float]) -> bool:
    """Whether none of these binary numbers is a day (``20231117``), or a personal number of ten or twelve digits."""
    large = [int(abs(value)) for value in values if abs(value) >= _SMALLEST_OF_PERSONS and value.is_integer()]
    return not any(is_somebodys(f"{number}") or is_somebodys(f"{number:010}") for number in large)


@lru_cache(maxsize=4096)
def _digits_of(tag: int) -> int:
    """How many digits a number may have before its decimal point."""
    entry = DicomDictionary.get(tag)
    if entry is None:
        return _LARGEST
    return _MAX_DIGITS_OF_LARGE if _LARGE.search(entry[4]) else _MAX_DIGITS
