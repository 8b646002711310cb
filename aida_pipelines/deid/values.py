"""Is a value what its attribute says? What isn't may be anything, a name among it.

Only attributes that a profile keeps as they are come here; all others are replaced or gone.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pydicom._dicom_dict import DicomDictionary

from aida_pipelines.dicom.parse import vr_of
from aida_pipelines.dicom.values import TEXT_VRS

_DECIMAL = re.compile(rb" *[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})? *")
_INTEGER = re.compile(rb" *[+-]?\d{1,10}(\.0*)? *")
_ZONE = re.compile(rb"[+-]\d{4} ?")
_CHARSET_TERM = re.compile(rb" *(ISO[ _-]IR[ _-]?\d{1,3}|ISO[ _-]2022[ _-]IR[ _-]?\d{1,3}|GB18030|GBK)? *")
_MAX_INTEGER = 1 << 31

_SIZES = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "AT": 4, "UV": 8, "SV": 8}
_TEXT = re.compile(rb"[\x20-\x7e\xc0-\xff]{12,}[\0 ]*")

_CHARSET, _ZONE_TAG = 0x00080005, 0x00080201


def is_as_declared(tag: int, vr: str, value: bytes) -> bool:
    """Whether a value that is to be kept is one: a number, as many as the dictionary says, a term of its kind.

    Args:
        tag: ``group << 16 | element``.
        vr: Of the value.
        value: The bytes, padding included.
    """
    if vr in ("DS", "IS"):
        return _are_numbers(value, vr)
    if vr in _SIZES or vr in ("OW", "OB", "OF", "OD", "OL", "OV"):
        return _is_binary(tag, vr, value)
    if tag == _CHARSET:
        return all(_CHARSET_TERM.fullmatch(term) for term in value.rstrip(b"\0").split(b"\\"))
    if tag == _ZONE_TAG:
        return not value.strip(b" \0") or _ZONE.fullmatch(value) is not None
    return True


def _is_binary(tag: int, vr: str, value: bytes) -> bool:
    size = _SIZES.get(vr, 1)
    if len(value) % size or (vr in _SIZES and vr_of(tag) in TEXT_VRS):
        return False  # a text that calls itself a number
    if vr in _SIZES and (number := _fixed_multiplicity(tag)) is not None:
        return len(value) in (0, number * size)
    return not _TEXT.fullmatch(value)


def _are_numbers(value: bytes, vr: str) -> bool:
    value = value.rstrip(b"\0 ")
    if not value:
        return True
    parts = value.split(b"\\")
    if vr == "DS":
        return all(not part.strip() or _DECIMAL.fullmatch(part) is not None for part in parts)
    return all(
        not part.strip() or (_INTEGER.fullmatch(part) and abs(float(part)) < _MAX_INTEGER) for part in parts
    )


@lru_cache(maxsize=4096)
def _fixed_multiplicity(tag: int) -> int | None:
    """How many values PS3.6 gives an attribute; None where that is open."""
    entry = DicomDictionary.get(tag)
    return int(entry[1]) if entry is not None and entry[1].isdigit() else None
