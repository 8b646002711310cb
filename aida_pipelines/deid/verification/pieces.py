"""A data set cut into its top-level elements, without a look inside any of them (PS3.5 section 7.1).

A walk of its own beside the first path's, so that a wrong turn there is not taken again here. It believes in
nothing out of the ordinary: what it can't cut is read by pydicom whole, and each piece is read by pydicom
before it is remembered, unless it is one plain value.
"""

from __future__ import annotations

import mmap
from struct import Struct
from struct import error as struct_error

Data = bytes | bytearray | memoryview | mmap.mmap
Piece = tuple[int, bytes]
"""Tag (``group << 16 | element``) and the element's bytes, head included."""

UNDEFINED = 0xFFFFFFFF
SHORT_VRS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()
)  # length in two bytes
LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_EXPLICIT = Struct("<HH2sH"), Struct(">HH2sH")
_IMPLICIT = Struct("<HHL"), Struct(">HHL")
_LENGTH = Struct("<L"), Struct(">L")
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


class UncutError(Exception):
    """Nothing that this walk would vouch for."""


def cut(
    data: Data, position: int, stop: int, *, implicit: bool, big_endian: bool, most: int = UNDEFINED
) -> list[Piece]:
    """The elements between two offsets, in their order.

    Args:
        data: What holds them.
        position: Where the first one starts.
        stop: Where the last one ends.
        implicit: Whether they are written without their VR.
        big_endian: In which byte order.
        most: Bytes of other than sequences and text beyond which an element is left out.

    Raises:
        UncutError: They don't add up.
    """
    pieces: list[Piece] = []
    explicit_head, implicit_head = _EXPLICIT[big_endian].unpack_from, _IMPLICIT[big_endian].unpack_from
    long_length = _LENGTH[big_endian].unpack_from
    try:
        while position < stop:
            if implicit:
                group, element, length = implicit_head(data, position)
                vr, value = b"", position + 8
            else:
                group, element, vr, length = explicit_head(data, position)
                value = position + 8
                if vr not in SHORT_VRS:
                    if vr not in LONG_VRS:
                        raise UncutError
                    length, value = long_length(data, value)[0], position + 12
            if length == UNDEFINED:
                if not implicit and vr not in (b"SQ", b"UN"):
                    raise UncutError
                inside = implicit or vr == b"UN"  # PS3.5 6.2.2: what is written as UN is implicit inside
                end = _after_items(data, value, stop, implicit=inside, big=big_endian and vr != b"UN")
            else:
                end = value + length
            if end > stop:
                raise UncutError
            if (
                end - position <= most
                or vr in (b"SQ", b"UT", b"LT", b"ST", b"UC")
                or data[value : value + 2]
                in (
                    b"\xfe\xff",
                    b"\xff\xfe",
                )
            ):
                pieces.append((group << 16 | element, bytes(data[position:end])))
            position = end
    except struct_error:
        if any(data[position:stop]):  # a medium's padding is no element
            raise UncutError from None
    return pieces


def _after_items(data: Data, position: int, stop: int, *, implicit: bool, big: bool, depth: int = 0) -> int:
    """Where a sequence of undefined length ends, its delimiter included."""
    if depth > 64:
        raise UncutError
    head = _IMPLICIT[big].unpack_from
    while position < stop:
        group, element, length = head(data, position)
        tag, position = group << 16 | element, position + 8
        if tag == _SEQUENCE_END:
            return position
        if tag != _ITEM:
            raise UncutError
        if length == UNDEFINED:
            position = _after_elements(data, position, stop, implicit=implicit, big=big, depth=depth)
        else:
            position += length
    raise UncutError


def _after_elements(data: Data, position: int, stop: int, *, implicit: bool, big: bool, depth: int) -> int:
    """Where an item of undefined length ends, its delimiter included."""
    implicit_head, explicit_head = _IMPLICIT[big].unpack_from, _EXPLICIT[big].unpack_from
    while position < stop:
        group, element, length = implicit_head(data, position)
        if group == 0xFFFE:
            if group << 16 | element != _ITEM_END:
                raise UncutError
            return position + 8
        vr, value = b"", position + 8
        if not implicit:
            _, _, vr, length = explicit_head(data, position)
            if vr not in SHORT_VRS:
                if vr not in LONG_VRS:
                    raise UncutError
                length, value = _LENGTH[big].unpack_from(data, value)[0], position + 12
        if length == UNDEFINED:
            inside = implicit or vr == b"UN"
            position = _after_items(
                data, value, stop, implicit=inside, big=big and vr != b"UN", depth=depth + 1
            )
        else:
            position = value + length
    raise UncutError


def file_meta(data: Data) -> tuple[list[Piece], int]:
    """The file meta information's elements and where the data set starts (PS3.10 section 7.1).

    Raises:
        UncutError: There is none, or it doesn't add up.
    """
    if bytes(data[128:132]) != b"DICM":
        raise UncutError
    position = end = 132
    while bytes(data[end : end + 2]) == b"\x02\x00":
        _, _, vr, length = _EXPLICIT[0].unpack_from(data, end)
        end += 8 + length if vr in SHORT_VRS else 12 + _LENGTH[0].unpack_from(data, end + 8)[0]
    return cut(data, position, end, implicit=False, big_endian=False), end


def items_of(raw: bytes, *, implicit: bool, big_endian: bool) -> list[bytes]:
    """The contents of a sequence's items.

    Args:
        raw: The sequence, head included.
        implicit: Whether its elements are written without their VR.
        big_endian: In which byte order.

    Raises:
        UncutError: They don't add up.
    """
    head = _IMPLICIT[big_endian].unpack_from
    position, stop = 8 if implicit else 12, len(raw)
    length = _LENGTH[big_endian].unpack_from(raw, position - 4)[0]
    items: list[bytes] = []
    try:
        while position < stop:
            group, element, size = head(raw, position)
            tag, position = group << 16 | element, position + 8
            if tag == _SEQUENCE_END and length == UNDEFINED:
                break
            if tag != _ITEM:
                raise UncutError
            if size == UNDEFINED:
                end = _after_elements(raw, position, stop, implicit=implicit, big=big_endian, depth=0)
                items.append(raw[position : end - 8])
            else:
                end = position + size
                items.append(raw[position:end])
            position = end
    except struct_error:
        raise UncutError from None
    if position != stop:
        raise UncutError
    return items
