"""Siemens: CSA headers and the measurement protocol."""

from __future__ import annotations

import re
from functools import lru_cache
from struct import Struct
from struct import error as struct_error

from aida_pipelines.deid.containers.number import is_number

_HEAD, _TAG, _ITEM = Struct("<8sLL"), Struct("<64sL4sLLL"), Struct("<LLLL")
_ITEM_SIZE = Struct("<4xL8x")
_MAGIC = b"SV10\4\3\2\1"
_CHECK, _EMPTY = 77, 205
_FIVE_EMPTY = 5 * _ITEM.pack(0, 0, _EMPTY, 0)
_NUMERIC = {b"DS": 3, b"FD": 4, b"IS": 6, b"SL": 7, b"UL": 9, b"US": 10}
"""VRs of numbers, and the code that is written beside each."""
_MAX_TAGS, _MAX_ITEMS = 1000, 10_000
_PROTOCOL = b"MrPhoenixProtocol"
_BEGIN, _END = b"### ASCCONV BEGIN", b"### ASCCONV END ###"
_BEFORE = b"<XProtocol>\n"  # readers skip a byte or more before they look for the lines

_Tag = tuple[int, bytes, list[bytes]]
"""Multiplicity, VR and items of a CSA header's tag."""


def csa(value: bytes, fields: frozenset[str]) -> bytes | None:
    """A CSA header, second version: tags by name, each with a VR and items of text.

    Layout: nibabel, "Siemens format DICOM with CSA header".
    """
    tags = _tags(value, frozenset(field.encode("ascii") for field in fields))
    for _, vr, items in (tags or {}).values():
        if vr not in _NUMERIC or not all(map(is_number, items)):
            return None
    return _packed(tags) if tags else None


def csa_protocol(value: bytes, fields: frozenset[str]) -> bytes | None:
    """The measurement protocol in a CSA header."""
    tags = _tags(value, frozenset({_PROTOCOL}))
    _, _, items = (tags or {}).get(_PROTOCOL, (0, b"", []))
    text = xprotocol(items[0], fields) if items else None
    return _packed({_PROTOCOL: (1, b"UN", [text])}) if text else None


def xprotocol(value: bytes, fields: frozenset[str]) -> bytes | None:
    """The part of a measurement protocol that has a parameter and its value in each line.

    Format: dcm2niix, notes on Siemens.
    """
    start = value.find(_BEGIN)
    stop = value.find(_END, start)
    if start < 0 or stop < 0:
        return None
    lines = []
    for name, setting in _lines(fields).findall(value[start:stop]):
        if not is_number(setting):
            return None
        lines.append(name + b"\t = \t" + setting + b"\n")
    return _BEFORE + _BEGIN + b" ###\n" + b"".join(lines) + _END + b"\n" if lines else None


@lru_cache
def _lines(fields: frozenset[str]) -> re.Pattern[bytes]:
    names = b"|".join(re.escape(field).encode("ascii") for field in sorted(fields))
    return re.compile(rb"^(" + names + rb")[ \t]*=[ \t]*(.*?)[ \t]*$", re.MULTILINE)


def _tags(value: bytes, wanted: frozenset[bytes]) -> dict[bytes, _Tag] | None:
    """The wanted tags of a CSA header; None if it isn't one from its first byte to its last tag."""
    try:
        magic, count, check = _HEAD.unpack_from(value)
        if magic != _MAGIC or check != _CHECK or count > _MAX_TAGS:
            return None
        position, size = _HEAD.size, len(value)
        tags: dict[bytes, _Tag] = {}
        for _ in range(count):
            name, multiplicity, vr, _, number, _ = _TAG.unpack_from(value, position)
            position += _TAG.size
            if number > _MAX_ITEMS:
                return None
            name = name.partition(b"\0")[0]  # what follows is what was in memory before
            keep = name in wanted
            items = []
            while number:
                if number == 5 and value.startswith(_FIVE_EMPTY, position):  # most tags have one item of six
                    position += len(_FIVE_EMPTY)
                    items += [b""] * 5
                    break
                number -= 1
                (length,) = _ITEM_SIZE.unpack_from(value, position)
                position += _ITEM.size
                if keep:
                    items.append(value[position : position + length].strip(b"\0 "))
                position += (length + 3) & ~3
            if position > size:
                return None
            if keep:
                if name in tags or multiplicity > _MAX_ITEMS:
                    return None
                tags[name] = multiplicity, vr.partition(b"\0")[0], items
    except struct_error:
        return None
    return tags


def _packed(tags: dict[bytes, _Tag]) -> bytes:
    parts = [_HEAD.pack(_MAGIC, len(tags), _CHECK)]
    for name, (multiplicity, vr, items) in tags.items():
        check = _CHECK if items else _EMPTY
        parts.append(_TAG.pack(name, multiplicity, vr, _NUMERIC.get(vr, 0), len(items), check))
        for item in items:
            size = len(item) + 1 if item else 0
            parts.append(_ITEM.pack(size, size, _CHECK if size else _EMPTY, size))
            parts.append(item.ljust(-(-size // 4) * 4, b"\0"))
    return b"".join(parts)
