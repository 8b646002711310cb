"""The edges of pixel data: where encoders write comments, and what lies behind the last pixel.

Pixel data are passed on as they are, but for the parts of them that hold something else. A second look at all of
them would cost more than everything else together; the first bytes of the first frames and the last ones of all
show whether those parts were blanked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct

from aida_pipelines.deid.verification.pieces import UNDEFINED, Data

HEAD, TAIL, MOST = 2048, 256, 8
"""Bytes at the start of a fragment, bytes at the end of all, and how many fragments."""

_ITEM = Struct("<HHL"), Struct(">HHL")
_LENGTH = Struct("<L"), Struct(">L")


def edges_of(
    data: Data, start: int, stop: int, blanks: Sequence[tuple[int, int]], *, implicit: bool, big_endian: bool
) -> Iterator[bytes]:
    """Pieces of pixel data as they are passed on.

    Args:
        data: The source.
        start: Where the pixel data element starts.
        stop: Where it ends.
        blanks: The parts that are passed on as zeros, relative to its start.
        implicit: Whether elements are written without their VR.
        big_endian: In which byte order.
    """
    value = start + (8 if implicit else 12)
    places = [(max(value, stop - TAIL), stop)]
    position = value
    while _LENGTH[big_endian].unpack_from(data, value - 4)[0] == UNDEFINED and len(places) <= MOST:
        if position + 8 > stop:
            break
        group, element, length = _ITEM[big_endian].unpack_from(data, position)
        position += 8
        if (group, element) != (0xFFFE, 0xE000):
            break
        places.append((position, position + min(length, HEAD)))
        if length > HEAD:
            places.append((position + length - min(length - HEAD, TAIL), position + length))
        position += length
    for first, last in places:
        piece = bytearray(data[first:last])
        for blank, end in blanks:
            here, there = max(first, start + blank), min(last, start + end)
            if here < there:
                piece[here - first : there - first] = bytes(there - here)
        yield bytes(piece)
