"""Which coded values are codes of a public scheme, and so nobody's (PS3.16 chapter 8).

A code is kept if PS3.16 uses it, as far as pydicom's dictionary knows, or if it is built as its scheme builds its
codes, check digit included. Codes of private and local schemes may be anything: an order number as well.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from aida_pipelines.deid._ps3_15_e3_4_1 import ITEMS
from aida_pipelines.deid.luhn import luhn
from aida_pipelines.deid.pseudonym import is_personal_number
from aida_pipelines.dicom.dictionary import concept_meanings

CODE_VALUE, SCHEME, SCHEME_VERSION = 0x00080100, 0x00080102, 0x00080103
LONG_CODE_VALUE, URN_CODE_VALUE = 0x00080119, 0x00080120
CODE_TAGS = frozenset({CODE_VALUE, SCHEME, SCHEME_VERSION, LONG_CODE_VALUE, URN_CODE_VALUE})

_SHAPES = {
    scheme: re.compile(shape)
    for schemes, shape in (
        ("SRT SNM3 SDM 99SDM SNOMED-RT", r"[A-Z][0-9A-F]?-[0-9A-FXY][0-9A-F]{3,4}[0-9A-F]?"),
        ("DCM", r"1[0-3]\d{4}"),
        ("RADLEX", r"R(ID|PID)\d{1,5}"),
        ("IBSI", r"[0-9A-Z]{4}"),
        ("RFC5646 RFC3066 ISO639_1 ISO639_2 ISO3166_1", r"[A-Za-z]{2,3}(-[A-Z]{2})?"),
        ("I10 ICD10 I10P", r"[A-TV-Z]\d{2}(\.\d{1,2})?"),
        ("NCIt", r"C\d{4,6}"),
    )
    for scheme in schemes.split()
}
_UNIT = re.compile(
    r"(?:(?:[kMGcmunpdh]|da)?(?:m|g|s|l|L|Hz|Bq|Ci|Gy|Sv|V|A|eV|T|K|Pa|W|J|mol|cd|rad|sr|lm|N|C|F|Ohm|S|Wb|H|Cel|"
    r"bar|min|h|d|wk|mo|a|deg|cal|\[degF\]|mm\[Hg\]|m\[Hg\]|\[hnsf'U\]|\[in_i\]|%)[0-9]?|10\*-?\d{1,2})"
)
_OF_UNITS = re.compile(rf"{_UNIT.pattern}([./](?:100)?{_UNIT.pattern}){{0,3}}")

_OTHERS = "99SDM BARI C4 FMA HL7V2 ISO_OID ITIS_TSN L LN MDC MSH NDC NEU PUBCHEM_CID RXNORM SCT UCUM UMLS"
SCHEMES = frozenset(_SHAPES).union(_OTHERS.split(), {item.scheme for item in ITEMS})
"""Designators that PS3.16 has registered, as far as they occur; and ``L``, a local one."""

_VERSION = re.compile(r"\d{1,2}(\.\d{1,2}){0,2}|20\d\d(?:(?:0[1-9]|1[0-2])01|0131|0731)")
"""A day is one on which editions appear; on others patients are examined as well."""


@lru_cache(maxsize=4096)
def is_public(scheme: str, code: str) -> bool:
    """Whether a code is one of a public scheme."""
    if code in _known().get(scheme, ()) or code in _of_table().get(scheme, ()):
        return True
    if scheme == "SCT":
        return _is_snomed(code)
    if scheme == "LN":
        return _is_loinc(code)
    if scheme == "UCUM":
        return _OF_UNITS.fullmatch(code) is not None
    shape = _SHAPES.get(scheme)
    return shape is not None and shape.fullmatch(code) is not None and not _is_day(code)


def is_scheme(designator: str) -> bool:
    """Whether a Coding Scheme Designator is a registered one."""
    return designator in SCHEMES


def is_version(text: str) -> bool:
    """Whether a Coding Scheme Version is a short number, or the day of an edition."""
    return _VERSION.fullmatch(text) is not None


@cache
def _of_table() -> dict[str, frozenset[str]]:
    """The concepts of PS3.15 table E.3.4-1, by scheme."""
    return {
        scheme: frozenset(item.code for item in ITEMS if item.scheme == scheme)
        for scheme in {i.scheme for i in ITEMS}
    }


@cache
def _known() -> dict[str, set[str]]:
    known: dict[str, set[str]] = {}
    for scheme, code in concept_meanings():
        known.setdefault(scheme, set()).add(code)
    return known


def _is_day(code: str) -> bool:
    return re.fullmatch(r"\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", code) is not None


_TIMES = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5), (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7), (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3), (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)  # fmt: skip
_TURN = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _is_snomed(code: str) -> bool:
    """A concept's identifier: 6 to 18 digits, partition 00 or 10, Verhoeff's check digit."""
    if not re.fullmatch(r"[1-9]\d{5,17}", code) or code[-3:-1] not in ("00", "10"):
        return False
    check = 0
    for place, char in enumerate(reversed(code)):
        digit = int(char)
        for _ in range(place % 8):
            digit = _TURN[digit]
        check = _TIMES[check][digit]
    return check == 0 and not is_personal_number(code)


def _is_loinc(code: str) -> bool:
    """Up to six digits, a hyphen, the check digit of modulus 10."""
    match = re.fullmatch(r"([1-9]\d{0,5})-(\d)", code)
    return match is not None and luhn(match[1] + match[2])
