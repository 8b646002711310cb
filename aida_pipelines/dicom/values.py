"""Bytes of an element as text, numbers, dates.

Nothing here raises for a bad value: what can't be read is None or an empty list, because a table's row is
better with a hole than an instance is lost.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from struct import calcsize, unpack

from aida_pipelines.dicom.parse import Encoding
from aida_pipelines.dicom.quiet import quiet_pydicom

DEFAULT_CHARSET: tuple[str, ...] = ("iso8859",)

_ORDINARY_CHARSETS = {"": "iso8859", "ISO_IR 6": "iso8859", "ISO_IR 100": "latin_1", "ISO_IR 192": "UTF8"}
"""What nearly all files declare; for all others pydicom is imported."""

TEXT_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""VRs whose characters the Specific Character Set decides."""

_ONE_VALUE = frozenset({"LT", "ST", "UT", "UR"})
_BINARY = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "FL": "f", "FD": "d", "UV": "Q", "SV": "q", "OV": "Q"}
_AGE = re.compile(r"^(\d{1,3})([DWMY])$")
_YEARS_OF = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}


def charset_of(value: bytes) -> tuple[str, ...]:
    """Python's names for a Specific Character Set (0008,0005); the default for what is unknown."""
    terms = [term.strip() for term in value.decode("ascii", "replace").strip("\0 ").split("\\")]
    if len(terms) == 1 and terms[0] in _ORDINARY_CHARSETS:
        return (_ORDINARY_CHARSETS[terms[0]],)
    from pydicom.charset import convert_encodings

    with quiet_pydicom():
        try:
            return tuple(convert_encodings(terms)) or DEFAULT_CHARSET
        except (LookupError, ValueError):
            return DEFAULT_CHARSET


def is_charset(term: str) -> bool:
    """Whether a value of Specific Character Set is a defined term (PS3.3 C.12.1.1.2)."""
    if term in _ORDINARY_CHARSETS:
        return True
    from pydicom.charset import python_encoding

    return term in python_encoding


def decode_text(value: bytes, vr: str, charset: Sequence[str]) -> str:
    """A text value, whole, without its padding."""
    if vr not in TEXT_VRS or (value.isascii() and b"\x1b" not in value):
        return value.decode("latin-1").strip("\0 ")
    if b"\x1b" not in value:
        try:
            return value.decode(charset[0], "replace").strip("\0 ")
        except LookupError:
            return value.decode("latin-1").strip("\0 ")
    from pydicom.charset import decode_bytes

    with quiet_pydicom():
        try:
            text = decode_bytes(value, list(charset), {0x5C, 0x0D, 0x0A, 0x09, 0x0C, 0x5E, 0x3D})
        except (LookupError, ValueError, UnicodeError):
            text = value.decode("latin-1")
    return str(text).strip("\0 ")


def strings(value: bytes, vr: str, charset: Sequence[str] = DEFAULT_CHARSET) -> list[str]:
    """The values of a text-like element, each without its padding; empty list for an empty element."""
    text = decode_text(value, vr, charset)
    if not text:
        return []
    return [text] if vr in _ONE_VALUE else [part.strip("\0 ") for part in text.split("\\")]


def numbers(value: bytes, vr: str, encoding: Encoding) -> list[float]:
    """The values of a numeric element (DS, IS or binary); those that are no numbers are left out."""
    if vr in _BINARY:
        size = calcsize("=" + _BINARY[vr])
        count = len(value) // size
        return [float(n) for n in unpack(f"{encoding.order}{count}{_BINARY[vr]}", value[: count * size])]
    found = []
    for text in value.decode("latin-1").strip("\0 ").split("\\"):
        try:
            found.append(float(text.replace("_", "x")))
        except ValueError:
            continue
    return found


def parse_date(text: str) -> date | None:
    """A DA value (``YYYYMMDD``, and ``YYYY.MM.DD`` of old devices) or the date of a DT value."""
    match = re.match(r"(\d{4})(\.?)(\d{2})\2(\d{2})", text)
    try:
        return date(int(match[1]), int(match[3]), int(match[4])) if match else None
    except ValueError:
        return None


def parse_age(text: str) -> float | None:
    """An AS value in years (``045Y``, ``006M``, ``003W``, ``010D``)."""
    match = _AGE.match(text)
    return round(int(match[1]) * _YEARS_OF[match[2]], 4) if match else None
