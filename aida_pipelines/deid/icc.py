"""ICC profiles rebuilt from what says how colours look (ICC.1:2022), and nothing else.

A profile has room for texts (who made it, of what device), dates and private tags, and for bytes between its tags
that nobody reads. A new one is written with the colorimetric tags alone; the two texts that a profile must have are
fixed ones.
"""

from __future__ import annotations

from math import prod
from struct import error as struct_error
from struct import pack, unpack, unpack_from

from aida_pipelines.deid.bulk import hides_text, table_hides_text

_HEADER = 128
_CLASSES = frozenset({b"scnr", b"mntr", b"prtr", b"spac", b"abst", b"link"})
_SPACES = frozenset({b"RGB ", b"GRAY", b"CMYK", b"Lab ", b"XYZ ", b"YCbr", b"HSV ", b"Luv "})
_COLORIMETRIC = frozenset(
    b"wtpt bkpt rXYZ gXYZ bXYZ rTRC gTRC bTRC kTRC chad lumi A2B0 A2B1 A2B2 B2A0 B2A1 B2A2 gamt".split()
)
_MOST_TAGS = 100
_LARGEST_NUMBER = 256 << 16  # s15Fixed16: no matrix or parameter of a curve is larger, and text would be
_LARGEST_LUMINANCE = 10_000 << 16
_ENCODING = "ascii"


def rebuilt(profile: bytes) -> bytes | None:
    """A profile with the same colours and nothing else; None where it isn't one, or may hold something else."""
    try:
        return _rebuilt(profile)
    except (struct_error, IndexError, ValueError):
        return None


def _rebuilt(profile: bytes) -> bytes | None:
    size, count = unpack_from(">L", profile)[0], unpack_from(">L", profile, _HEADER)[0]
    version, intent = profile[8:12], unpack_from(">L", profile, 64)[0]
    kind, space, connection = profile[12:16], profile[16:20], profile[20:24]
    known = kind in _CLASSES and space in _SPACES and connection in (b"XYZ ", b"Lab ")
    if profile[36:40] != b"acsp" or not known or size > len(profile) or count > _MOST_TAGS or intent > 3:
        return None
    if version[0] not in (2, 4) or not _numbers(profile[68:80], _LARGEST_NUMBER):
        return None
    tags: dict[bytes, bytes] = {}
    for number in range(count):
        name, start, length = unpack_from(">4sLL", profile, _HEADER + 4 + 12 * number)
        if start + length > size:
            return None
        if name in _COLORIMETRIC:
            data = profile[start : start + length]
            if data[:4] in (b"mAB ", b"mBA "):
                tags[name] = _transform(data)
            elif not _is_colorimetric(name, data):
                return None
            else:
                tags[name] = data[:4] + bytes(4) + data[8:]
    texts = (b"desc", "ICC profile"), (b"cprt", "Public domain")
    tags |= {name: _text(text, version[0], name) for name, text in texts}
    header = (
        bytes(4) + bytes(4) + version[:2] + bytes(2) + kind + space + connection + pack(">6H", 2000, 1, 1, 0, 0, 0)
        + b"acsp" + bytes(24) + pack(">L", intent) + profile[68:80] + bytes(48)
    )  # fmt: skip
    table, body, places = pack(">L", len(tags)), b"", dict[bytes, int]()
    first = _HEADER + 4 + 12 * len(tags)
    for name, data in tags.items():
        if data not in places:
            places[data] = first + len(body)
            body += data + bytes(-len(data) % 4)
        table += pack(">4sLL", name, places[data], len(data))
    return pack(">L", first + len(body)) + header[4:] + table + body


def _is_colorimetric(name: bytes, data: bytes) -> bool:
    kind, rest = data[:4], data[8:]
    if kind == b"XYZ ":
        return len(data) == 20 and _numbers(rest, _LARGEST_LUMINANCE if name == b"lumi" else _LARGEST_NUMBER)
    if kind == b"sf32":
        return len(data) == 44 and _numbers(rest, _LARGEST_NUMBER)
    if kind == b"para":
        function = unpack(">H", rest[:2])[0]
        return (
            function < 5
            and len(rest) == 4 + 4 * (1, 3, 4, 5, 7)[function]
            and rest[2:4] == b"\0\0"
            and _numbers(rest[4:], _LARGEST_NUMBER)
        )
    if kind == b"curv":
        entries = unpack(">L", rest[:4])[0]
        return len(rest) == 4 + 2 * entries and not table_hides_text(rest[4:])
    if kind in (b"mft1", b"mft2"):
        return _is_table(kind, rest)
    return False


def _transform(data: bytes) -> bytes:
    """LutAToBType or lutBToAType (ICC.1:2022, 10.12 and 10.13) with its parts written anew, without room between them.

    Raises:
        ValueError: It isn't one, or a part of it may hold something else.
    """
    inputs, outputs = data[8:10]
    if not 0 < inputs < 5 or not 0 < outputs < 5:
        raise ValueError
    offsets = unpack_from(">5L", data, 12)
    inner = outputs if data[:4] == b"mAB " else inputs
    counts = (inner, 0, inner, 0, inputs if data[:4] == b"mAB " else outputs)
    places, body = [], b""
    for index, (start, count) in enumerate(zip(offsets, counts, strict=True)):
        if not start:
            places.append(0)
            continue
        part = (
            _curves(data, start, count) if count else _matrix(data, start) if index == 1 else
            _grid(data, start, inputs, outputs)
        )  # fmt: skip
        places.append(32 + len(body))
        body += part + bytes(-len(part) % 4)
    return data[:4] + bytes(4) + bytes((inputs, outputs)) + bytes(2) + pack(">5L", *places) + body


def _curves(data: bytes, start: int, count: int) -> bytes:
    written = b""
    for _ in range(count):
        kind, number = data[start : start + 4], unpack_from(">L", data, start + 8)[0]
        size = 12 + (2 * number if kind == b"curv" else 4 * (1, 3, 4, 5, 7)[number >> 16])
        curve = data[start : start + size]
        if kind not in (b"curv", b"para") or len(curve) != size or not _is_colorimetric(b"", curve):
            raise ValueError
        written += curve[:4] + bytes(4) + curve[8:] + bytes(-size % 4)
        start += size + -size % 4
    return written


def _matrix(data: bytes, start: int) -> bytes:
    matrix = data[start : start + 48]
    if len(matrix) != 48 or not _numbers(matrix, _LARGEST_NUMBER):
        raise ValueError
    return matrix


def _grid(data: bytes, start: int, inputs: int, outputs: int) -> bytes:
    points, precision = data[start : start + 16], data[start + 16]
    size = outputs * prod(points[:inputs]) * precision
    values = data[start + 20 : start + 20 + size]
    if precision not in (1, 2) or len(values) != size or hides_text(values, "OW"):
        raise ValueError
    return points[:inputs] + bytes(16 - inputs) + bytes((precision, 0, 0, 0)) + values


def _is_table(kind: bytes, rest: bytes) -> bool:
    """Whether lut8Type or lut16Type is as long as it says, with a matrix and tables of numbers."""
    inputs, outputs, grid, zero = rest[:4]
    if zero or not 0 < inputs < 5 or not 0 < outputs < 5 or not _numbers(rest[4:40], _LARGEST_NUMBER):
        return False
    points = grid**inputs * outputs
    if kind == b"mft1":
        size, tables = 256 * (inputs + outputs) + points, rest[40:]
    else:
        before, after = unpack(">HH", rest[40:44])
        size, tables = 2 * (before * inputs + after * outputs + points), rest[44:]
    return len(tables) == size and not hides_text(tables, "OW")


def _numbers(data: bytes, largest: int) -> bool:
    return all(abs(number) <= largest for number in unpack(f">{len(data) // 4}l", data))


def _text(text: str, version: int, name: bytes) -> bytes:
    if version == 4:
        letters = text.encode("utf-16-be")
        return b"mluc" + bytes(4) + pack(">LL2s2sLL", 1, 12, b"en", b"US", len(letters), 28) + letters
    letters = text.encode(_ENCODING) + b"\0"
    if name == b"cprt":
        return b"text" + bytes(4) + letters
    return b"desc" + bytes(4) + pack(">L", len(letters)) + letters + bytes(4 + 4 + 2 + 1 + 67)
