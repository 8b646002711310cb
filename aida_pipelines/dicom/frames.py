"""Where compressed frames hold something else than the image: comments, camera data, bytes behind the end.

Frames pass through as they are, so what an encoder or a camera wrote beside the image would pass with them. Here
the structure of each frame is walked, nothing is decoded: marker segments of JPEG and JPEG-LS (ITU-T T.81 annex B,
T.87 annex C), of JPEG 2000 code streams (T.800 annex A), boxes of JP2 and JPEG XL files (T.800 annex I, ISO/IEC
18181-2), the header of RLE frames (PS3.5 annex G). What is found is to be overwritten with zeros: lengths, and with
them offset tables, stay true, and decoders skip such segments.

Kept are the segments that decoders need, if they are as long as what is in them asks for (``codestreams``), and
the names that encoders leave (``_ENCODERS``). Video isn't walked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from struct import unpack_from

from aida_pipelines.dicom.codestreams import (
    MainHeader,
    TilePart,
    is_frame_header,
    is_jpeg_segment,
    quantization_tables,
)
from aida_pipelines.dicom.parse import Encoding, PixelSpan, Source, fragments, let_go
from aida_pipelines.errors import Quarantine

Blank = tuple[int, int]
"""Offsets of the first byte to be zeroed and of the first that stays."""

_JPEG_START, _J2K_START = b"\xff\xd8", b"\xff\x4f\xff\x51"
_JP2_START, _JXL_START = b"\0\0\0\x0cjP  ", b"\0\0\0\x0cJXL "
_RLE = "1.2.840.10008.1.2.5"
_JPEG_SYNTAXES = tuple(f"1.2.840.10008.1.2.4.{n}" for n in (*range(50, 67), 70, 80, 81))
_WALKED = frozenset(
    {
        *_JPEG_SYNTAXES,
        *(f"1.2.840.10008.1.2.4.{n}" for n in (90, 91, 92, 93, 201, 202, 203)),
        *(f"1.2.840.10008.1.2.4.{n}" for n in (110, 111, 112)),
    }
)

_ENCODERS = re.compile(
    rb"(JPEG Pro|LEAD Technologies Inc\. V\d\.\d\d|MITRA_DICOM_STANDARD|AVLT_114|Pegasus Imaging Corp"
    rb"|Created by (GDCM/)?OpenJPEG version \d\.\d(\.\d)?|Creator: JasPer Version \d\.\d{3}\.\d"
    rb"|Kakadu-v?\d(\.\d){1,3}|OpenJPH Ver \d\.\d{1,2}\.\d\.?|Lavc\d\d\.\d{1,3}\.\d{3}"
    rb"|Kdu-Layer-Info: log_2\{Delta-D\((MSE|squared-error)\)/\[?[2^16*]{0,5}Delta-L\(bytes\)\]?\}, L\(bytes\)"
    rb"(\n *-?\d{1,3}\.\d, *\d\.\de\+\d{3})*)[\0\n ]*"
)
"""What encoders write about themselves, whole; anything more, before or behind it, is a comment."""

_MAX_SURPLUS = 1024
"""Bytes behind a native image that are taken for padding of some kind."""

_LET_GO = 16 << 20
"""Bytes of frames after which their pages are let go of."""

_PIECE = 1 << 20
"""Bytes that are looked at in one go: surplus may be as long as the file."""

_NEEDED_BOXES = frozenset(
    {
        b"jP  ",
        b"ftyp",
        b"rreq",
        b"ihdr",
        b"bpcc",
        b"colr",
        b"pclr",
        b"cmap",
        b"cdef",
        b"resc",
        b"resd",
        b"jp2c",
    }
    | {b"JXL ", b"jxlc", b"jxlp", b"jxll", b"jxli", b"jbrd"}
)
_SUPER_BOXES = frozenset({b"jp2h", b"res "})

_SEGMENT_AFTER_SCAN = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
"""Entropy-coded data never hold these: a 0xFF there is followed by 0 (T.81) or a byte below 0x80 (T.87)."""

_LOOKS_LIKE_TEXT = re.compile(rb"[\x20-\x7e\xc0-\xff]{6,}\0*\Z")


def foreign_bytes(
    source: Source, span: PixelSpan, encoding: Encoding, syntax: str, *, native: int, frames: int
) -> list[Blank]:
    """The parts of the pixel data element that don't belong to the image, in order.

    Args:
        source: The bytes that the span refers to.
        span: The pixel data element.
        encoding: Of the data set.
        syntax: Transfer syntax.
        native: Bytes that the image has when it isn't compressed; 0 if that isn't known.
        frames: How many frames these are.

    Raises:
        Quarantine: ``frames-unreadable``: a frame or the offset table isn't what the transfer syntax says.
    """
    if span.fragments is None:
        end = span.value + native + native % 2
        if not native or end >= span.stop or _is_zero(source, end, span.stop):
            return []
        if span.stop - end > _MAX_SURPLUS:
            raise Quarantine("frames-unreadable")  # more likely pixels that the header describes wrongly
        return [(end, span.stop)]
    pieces = list(fragments(source, span.value, span.stop, encoding))
    blanks = _unless_zero(source, span.stop - 4, span.stop)  # the delimiter's length
    if not pieces:
        return blanks
    _check_offset_table(source, pieces[0], span)
    view = memoryview(source)
    try:
        if syntax == _RLE:
            found = (blank for piece in pieces[1:] for blank in _in_rle(view, *piece, native // frames))
        elif syntax in _WALKED:
            found = (blank for frame in _frames(view, pieces[1:]) for blank in _in_frame(view, frame))
        else:
            return blanks
        return sorted(found) + blanks
    except (IndexError, ValueError):
        raise Quarantine("frames-unreadable") from None


def _is_zero(data: Source, start: int, stop: int) -> bool:
    for low in range(start, stop, _PIECE):
        high = min(low + _PIECE, stop)
        if bytes(data[low:high]).count(0) != high - low:
            return False
        let_go(data)
    return True


def _unless_zero(data: Source, start: int, stop: int) -> list[Blank]:
    # a padding byte at the end may be anything
    return [(start, stop)] if start + 1 < stop and any(data[start:stop]) else []


def _check_offset_table(source: Source, table: tuple[int, int], span: PixelSpan) -> None:
    start, length = table
    if length % 4 or any(
        offset >= span.stop - span.start for offset in unpack_from(f"<{length // 4}L", source, start)
    ):
        raise Quarantine("frames-unreadable")


def _frames(view: memoryview, pieces: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Fragments that make one frame: each begins with a magic number, what doesn't continues it."""
    frame: list[tuple[int, int]] = []
    seen = 0
    for start, length in pieces:
        seen += length
        if seen > _LET_GO:
            let_go(view.obj)
            seen = 0
        head = bytes(view[start : start + 8])
        begins = head.startswith((_JPEG_START, _J2K_START, _JP2_START, _JXL_START, b"\xff\x0a"))
        if begins and frame:
            yield frame
            frame = []
        elif not begins and not frame:
            raise ValueError
        frame.append((start, length))
    if frame:
        yield frame


def _in_frame(view: memoryview, frame: list[tuple[int, int]]) -> Iterator[Blank]:
    if len(frame) == 1:
        start, length = frame[0]
        data = view[start : start + length]
    else:
        data = memoryview(b"".join(view[start : start + length] for start, length in frame))
    for first, last in _in_image(data):
        below = 0
        for start, length in frame:  # where that is in the file, in one fragment or more
            low, high = max(first - below, 0), min(last - below, length)
            if low < high:
                yield start + low, start + high
            below += length


def _in_image(data: memoryview) -> Iterator[Blank]:
    head = bytes(data[:8])
    if head.startswith((_JP2_START, _JXL_START)):
        return _in_boxes(data, 0, len(data))
    if head.startswith(_J2K_START):
        return _in_j2k(data, 0, len(data))
    return _in_jpeg(data) if head.startswith(_JPEG_START) else iter(())


def _in_jpeg(data: memoryview) -> Iterator[Blank]:
    position, coded = 2, False
    tables = _Quantization()
    while True:
        if coded:
            match = _SEGMENT_AFTER_SCAN.search(data, position)
            if match is None:
                return  # cut short: decoders show what there is, and there is no segment in it
            position = match.start()
        if data[position] != 0xFF:
            raise ValueError
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker == 0xD9:
            yield from _unless_zero(data, position + 2, len(data))
            return
        start, length = position + 4, int.from_bytes(data[position + 2 : position + 4], "big")
        stop = position + 2 + length
        if length < 2 or stop > len(data):
            raise ValueError
        if marker == 0xFE or 0xE0 <= marker <= 0xEF:
            needed = _needed(marker, bytes(data[start:stop]))
            yield from _unless_zero(data, start + needed, stop)
        elif not is_jpeg_segment(marker, bytes(data[start:stop])):
            raise ValueError
        yield from tables.unused(marker, bytes(data[start:stop]), start)
        coded, position = coded or marker == 0xDA, stop


class _Quantization:
    """The quantization tables of a JPEG image; those that no component refers to may hold anything."""

    def __init__(self) -> None:
        self._tables: list[tuple[int, Blank]] = []
        self._used: set[int] = set()

    def unused(self, marker: int, payload: bytes, start: int) -> Iterator[Blank]:
        """Take in a segment; where a scan begins, the places of the tables that nothing uses."""
        if marker == 0xDB:
            self._tables += [
                (n, (start + low, start + high)) for n, (low, high) in quantization_tables(payload)
            ]
        elif is_frame_header(marker):
            self._used = set(payload[8::3])
        elif marker == 0xDA:
            yield from (place for which, place in self._tables if which not in self._used)
            self._tables.clear()


def _needed(marker: int, payload: bytes) -> int:
    """How much of an application segment or comment a decoder needs or everybody may read."""
    if marker == 0xFE:
        return len(payload) if _ENCODERS.fullmatch(payload) else 0
    if marker == 0xE0 and payload.startswith((b"JFIF\0", b"LJIF\0")):
        return 14
    if marker == 0xE8 and payload.startswith(b"SPIFF\0"):
        return 30
    if marker == 0xE8 and payload.startswith((b"mrfx", b"\0\0\0\1\xff\xd8")):  # colour transforms of JPEG-LS
        return 6
    return 12 if marker == 0xEE and payload.startswith(b"Adobe") else 0


def _in_j2k(data: memoryview, position: int, end: int) -> Iterator[Blank]:
    position += 2
    header, tile = MainHeader(), None
    tile_end = -1
    while position + 2 <= end:
        marker = int.from_bytes(data[position : position + 2], "big")
        if marker == 0xFFD9:
            yield from _unless_zero(data, position + 2, end)
            return
        if marker == 0xFF93:  # start of data: on to the next tile part
            until = tile_end if tile_end > position else end
            if tile is not None and not tile.adds_up(until - position - 2):
                raise ValueError
            if until == end:
                return  # the last one
            position = until
            continue
        start, stop = position + 4, position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker < 0xFF30 or stop > end or stop < start:
            raise ValueError
        payload = bytes(data[start:stop])
        if marker == 0xFF90 and len(payload) == 8:
            size = int.from_bytes(payload[2:6], "big")
            tile, tile_end = TilePart(), position + size if size else -1
        elif marker in (0xFF63, 0xFF64):
            yield from _unless_zero(data, start + _needed_of_j2k(marker, payload), stop)
        elif not header.takes(marker, payload, len(data)) and not (tile and tile.takes(marker, payload)):
            raise ValueError
        position = stop


def _needed_of_j2k(marker: int, payload: bytes) -> int:
    """How much stays of a comment, or of components' registration, which is none without the segment."""
    if marker == 0xFF63:
        return 0
    return len(payload) if payload[:2] == b"\0\1" and _ENCODERS.fullmatch(payload[2:]) else 2


def _in_boxes(data: memoryview, position: int, end: int) -> Iterator[Blank]:
    while position + 8 <= end:
        size, kind = (
            int.from_bytes(data[position : position + 4], "big"),
            bytes(data[position + 4 : position + 8]),
        )
        start = position + 8
        if size == 1:
            size, start = int.from_bytes(data[start : start + 8], "big"), start + 8
        stop = position + size if size else end
        if not start <= stop <= end:
            raise ValueError
        if kind == b"colr":  # a number, or a colour profile, which has room for texts
            yield from _unless_zero(data, start + (7 if data[start] == 1 else 3), stop)
        elif kind in _SUPER_BOXES:
            yield from _in_boxes(data, start, stop)
        elif kind == b"jp2c":
            yield from _in_j2k(data, start, stop)
        elif kind not in _NEEDED_BOXES:
            yield from _unless_zero(data, start, stop)
        position = stop
    yield from _unless_zero(data, position, end)


def _in_rle(view: memoryview, start: int, length: int, frame_bytes: int) -> Iterator[Blank]:
    """What an RLE header has beside its offsets, and what is behind the last segment."""
    if length < 64:
        raise ValueError
    count, *offsets = unpack_from("<16L", view, start)
    if not 1 <= count <= 15 or not all(64 <= offset < length for offset in offsets[:count]):
        raise ValueError
    yield from _unless_zero(view, start + 4 + 4 * count, start + 64)
    tail = view[start + max(64, length - 64) : start + length]
    if not _LOOKS_LIKE_TEXT.search(tail) or not frame_bytes or frame_bytes % count:
        return  # walking every frame's last segment would cost more than all the rest
    position, stop, missing = start + offsets[count - 1], start + length, frame_bytes // count
    while position < stop and missing > 0:
        code = view[position]
        if code < 128:
            missing, position = missing - code - 1, position + code + 2
        elif code > 128:
            missing, position = missing - 257 + code, position + 2
        else:
            position += 1
    yield from _unless_zero(view, position, stop)
