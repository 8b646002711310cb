"""GE: the protocol data block and the scan header of user defined data."""

from __future__ import annotations

import re
import zlib
from struct import Struct
from struct import error as struct_error

from aida_pipelines.deid.containers import number

_MAX_PROTOCOL = 1 << 20
_LINE = re.compile(rb'([A-Z0-9_]+) "([^"]*)"')
_GZIP_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # no name, no time, no operating system

_SHORT, _FLOAT = Struct("<H"), Struct("<f")
_OFFSET_AT, _OFFSET = 24, 32
_SHIFTED = 25.002
"""The first version in which the flags lie further behind."""
_FLAGS = {"EPI": (0x3A, 0x3A + 0x4C, 0x0800), "POLARITY": (0x30, 0x30 + 0x4C, 0x0004)}
_FLAGS["KY_DIRECTION"] = (0x394, 0x394 + 0x4C - 0x8C, 0x0001)
"""Offset of a flag before and since that version, and its bit."""
_HEADER_SIZE = 0x394 + 0x4C + 2


def protocol(value: bytes, fields: frozenset[str]) -> bytes | None:
    """A protocol data block: its length, and lines of name and quoted value compressed by gzip.

    The file name in gzip's own header is the examination's number. Format: dcm2niix, notes on GE.
    """
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        text = inflater.decompress(value[4:], _MAX_PROTOCOL)
    except zlib.error:
        return None
    if not inflater.eof:
        return None
    lines = []
    for name, setting in _LINE.findall(text):
        if name.decode("ascii") in fields:
            if not number.is_number(setting):
                return None
            lines.append(b'%s "%s"\n' % (name, setting))
    return _gzipped(b"".join(lines)) if lines else None


def _gzipped(text: bytes) -> bytes | None:
    """Length and a gzip member of one stored block: the same bytes from every version of zlib (RFC 1951, 1952)."""
    text += b"\n" * (
        1 - len(text) % 2
    )  # an even length in all: some look for gzip's end at the element's end
    size = len(text)
    if size > 0xFFFF:
        return None
    block = b"\x01" + _SHORT.pack(size) + _SHORT.pack(size ^ 0xFFFF) + text
    member = _GZIP_HEAD + block + zlib.crc32(text).to_bytes(4, "little") + size.to_bytes(4, "little")
    return len(member).to_bytes(4, "little") + member


def scan_header(value: bytes, fields: frozenset[str]) -> bytes | None:
    """The scan header: a version and, at places that depend on it, flags. All else becomes zeros.

    Layout: dcm2niix, reading of (0043,102A).
    """
    try:
        offset = _SHORT.unpack_from(value, _OFFSET_AT)[0]
        version = round(_FLOAT.unpack_from(value, offset)[0], 3)
        if not 5 <= version <= 40:
            return None
        shifted = version >= _SHIFTED
        new = bytearray(_OFFSET + _HEADER_SIZE)
        _SHORT.pack_into(new, _OFFSET_AT, _OFFSET)
        _FLOAT.pack_into(new, _OFFSET, version)
        for field in sorted(fields):
            before, since, bit = _FLAGS[field]
            place = since if shifted else before
            _SHORT.pack_into(new, _OFFSET + place, _SHORT.unpack_from(value, offset + place)[0] & bit)
    except struct_error:
        return None
    return bytes(new)
