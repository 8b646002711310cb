"""Marker segments that decoders need: is one what it says, or may it be anything?

JPEG and JPEG-LS: ITU-T T.81 annex B, T.87 annex C; JPEG 2000 and its high-throughput part: T.800 annex A, T.814
annex A. Checked is what keeps text out: lengths that follow from the contents, numbers that have a range, tables
that something refers to. An unknown segment is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_SYMBOLS = 256
_DC_SYMBOL = 16
"""The largest category of a difference, in the lossless processes (T.81 table H.2)."""

_LETTERS = re.compile(rb"[0-9A-Za-z ^.,\-\xc0-\xff]{8,}")


def is_jpeg_segment(marker: int, payload: bytes) -> bool:  # noqa: PLR0911 - one for each kind of segment
    """Whether a segment of JPEG or JPEG-LS, other than comments and applications', is what its marker says.

    Args:
        marker: The marker's second byte.
        payload: What follows the length.
    """
    size = len(payload)
    if marker in _FRAME_HEADERS:
        return size > 5 and size == 6 + 3 * payload[5]
    if marker == 0xDA:
        return size > 0 and size == 4 + 2 * payload[0] and payload[0] <= 4
    if marker == 0xC4:
        return _are_huffman_tables(payload)
    if marker == 0xDD:
        return 2 <= size <= 4
    if marker == 0xDC:
        return size == 2
    if marker == 0xCC:  # conditioning of arithmetic coding
        return size % 2 == 0 and size <= 16 and all(byte & 0xEC == 0 for byte in payload[0::2])
    if marker == 0xF8:  # JPEG-LS: preset parameters, or dimensions; mapping tables may be anything
        return (payload[:1] == b"\1" and size == 11) or (
            payload[:1] == b"\4" and size <= 10 and size % 2 == 0
        )
    return marker == 0xDB  # see ``quantization_tables``


def _are_huffman_tables(payload: bytes) -> bool:
    position = 0
    while position + 17 <= len(payload):
        which, counts = payload[position], payload[position + 1 : position + 17]
        symbols = payload[position + 17 : position + 17 + sum(counts)]
        position += 17 + sum(counts)
        # In a code every symbol has one word, and words of n bits fill 2**-n of the room.
        room = sum(count << (16 - bits) for bits, count in enumerate(counts, 1))
        if which & 0xEC or len(symbols) != sum(counts) or len(set(symbols)) != len(symbols) or room > 1 << 16:
            return False
        if which < 0x10 and any(symbol > _DC_SYMBOL for symbol in symbols):
            return False
    return position == len(payload)


def is_frame_header(marker: int) -> bool:
    """Whether a segment says how large the image is and which tables its components use."""
    return marker in _FRAME_HEADERS


def quantization_tables(payload: bytes) -> list[tuple[int, tuple[int, int]]]:
    """Number and place of each table.

    Raises:
        ValueError: They don't fill the segment.
    """
    tables, position = [], 0
    while position < len(payload):
        precision, which = divmod(payload[position], 16)
        stop = position + 1 + 64 * (1 + precision)
        if precision > 1 or which > 3 or stop > len(payload):
            raise ValueError
        tables.append((which, (position + 1, stop)))
        position = stop
    return tables


@dataclass
class MainHeader:
    """The segments of a JPEG 2000 code stream that describe the image and how it is coded.

    Attributes:
        components: How many there are, once that is known.
        seen: The segments that may come once only.
    """

    components: int = 0
    seen: set[bytes] = field(default_factory=set)

    def takes(self, marker: int, payload: bytes, most: int) -> bool:  # noqa: PLR0911 - one for each kind of segment
        """Whether a segment is what its marker says.

        Args:
            marker: Both bytes.
            payload: What follows the length.
            most: Bytes of the whole stream.
        """
        size, wide = len(payload), self.components > 256
        if marker == 0xFF51:
            self.components = int.from_bytes(payload[34:36], "big")
            return size == 36 + 3 * self.components and self._is_first(marker, b"")
        if marker == 0xFF50:  # capabilities: two bytes for each that is declared
            return size == 4 + 2 * int.from_bytes(payload[:4], "big").bit_count()
        if marker in (0xFF56, 0xFF59):  # profiles
            return size in (2, 4)
        if marker == 0xFF52:
            return size >= 10 and size == 10 + (payload[5] + 1) * (payload[0] & 1) and payload[5] <= 32
        if marker == 0xFF5C:
            return _is_quantization(payload)
        if marker in (0xFF53, 0xFF5D, 0xFF5E):
            which, rest = payload[: 1 + wide], payload[1 + wide :]
            if int.from_bytes(which, "big") >= self.components:
                return False
            if marker == 0xFF53:
                return len(rest) >= 6 and len(rest) == 6 + (rest[1] + 1) * (rest[0] & 1) and rest[1] <= 32
            return len(rest) == 2 if marker == 0xFF5E else _is_quantization(rest)
        if marker == 0xFF5F:  # progression order changes
            step = 7 + 2 * wide
            return size % step == 0 and all(byte <= 4 for byte in payload[step - 1 :: step])
        return marker == 0xFF55 and _are_tile_lengths(payload, most)

    def _is_first(self, marker: int, which: bytes) -> bool:
        key = marker.to_bytes(2, "big") + which
        first = key not in self.seen
        self.seen.add(key)
        return first


@dataclass
class TilePart:
    """The header of a tile part, as far as it says how long its packets are.

    Attributes:
        packets: Lengths so far, the last one perhaps unfinished; None if it says nothing of them.
    """

    packets: bytes | None = None

    def takes(self, marker: int, payload: bytes) -> bool:
        """Whether a segment may be in a tile part's header only and is what its marker says."""
        if marker == 0xFF58 and payload:
            self.packets = (self.packets or b"") + payload[1:]
            return True
        # Headers of packets that are packed together are bits that mean nothing by themselves.
        return marker == 0xFF61 and not _LETTERS.search(payload)

    def adds_up(self, data: int) -> bool:
        """Whether the packets are as long as the data, if anything is said of them.

        Args:
            data: Bytes of the tile part behind its header.
        """
        if self.packets is None:
            return True
        total = length = 0
        for byte in self.packets:
            length = length << 7 | byte & 0x7F
            if byte < 0x80:
                total, length = total + length, 0
        return total == data or total + 2 == data  # the last one runs up to the end of the code stream


def _is_quantization(payload: bytes) -> bool:
    if not payload:
        return False
    style, steps = payload[0] & 0x1F, len(payload) - 1
    if style == 1:
        return steps == 2
    bands, rest = divmod(steps, 1 + (style == 2))
    # Without quantization the low three bits of each exponent's byte are reserved.
    return (
        style in (0, 2)
        and not rest
        and bands % 3 == 1
        and bands <= 97
        and (style == 2 or not any(byte & 7 for byte in payload[1:]))
    )


def _are_tile_lengths(payload: bytes, most: int) -> bool:
    if len(payload) < 2:
        return False
    indices, wide = payload[1] >> 4 & 3, payload[1] >> 6 & 1
    size = indices + (4 if wide else 2)
    rest = (len(payload) - 2) % size
    if rest or indices == 3:
        return False
    starts = range(2 + indices, len(payload), size)
    return sum(int.from_bytes(payload[start : start + size - indices], "big") for start in starts) <= most
