"""The top level of a data set as bytes, element by element, without a look inside any of them.

Headers of a series are the same but for a few elements. A run of elements that was met before is recognised
by comparing its bytes as a whole; only what is new is walked. What is returned is what ``parse_file`` finds,
provided that each element by itself can be parsed; whatever is out of the ordinary is left to ``parse_file``,
which also knows the reason for what is damaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from struct import error as struct_error

from aida_pipelines.dicom.parse import (
    EXPLICIT,
    IMPLICIT,
    LONG_VRS,
    PIXEL_TAGS,
    SHORT_VRS,
    UNCOMPRESSED,
    Encoding,
    PixelSpan,
    Source,
    UnreadableError,
    Walker,
    check_syntax,
    encoding_found,
)
from aida_pipelines.errors import Quarantine

MAX_HEADER = 1 << 18
"""Bytes before the pixel data beyond which a header is left to ``parse_file``."""

MAX_ELEMENT = 1 << 12
"""Longer elements are not cut out: they hardly ever repeat."""

_MAX_RUNS = 512
_WALKED = 24
"""Elements that may be walked one by one before it is worth while to look for runs again."""

_UNDEFINED = 0xFFFFFFFF
_EXPLICIT_HEAD, _IMPLICIT_HEAD, _LENGTH = Struct("<HH2sH"), Struct("<HHL"), Struct("<L")
_SHORT = frozenset(vr.encode() for vr in SHORT_VRS)
_LONG = frozenset(vr.encode() for vr in LONG_VRS)


@dataclass(slots=True)
class Scanned:
    """A header's top level.

    Attributes:
        start: Offset of the data set.
        transfer_syntax: As declared.
        encoding: How elements are written: little endian.
        tags: In ascending order, each once.
        raws: For each tag the element's bytes, or its offset where it is longer than ``MAX_ELEMENT``.
        pixels: The pixel data, if there are any.
    """

    start: int
    transfer_syntax: str
    encoding: Encoding
    tags: list[int]
    raws: list[bytes | int]
    pixels: PixelSpan | None


@dataclass(frozen=True, slots=True)
class _Run:
    raw: bytes
    tags: tuple[int, ...]
    raws: tuple[bytes, ...]


class Scanner:
    """Scans one header after the other and remembers what repeats."""

    def __init__(self) -> None:
        self._runs: dict[Encoding, dict[bytes, _Run]] = {EXPLICIT: {}, IMPLICIT: {}}
        self._previous: frozenset[bytes | int] = frozenset()
        self._wait, self._since = 1, 0

    def scan(self, source: Source) -> Scanned | None:
        """The top level; None for what only ``parse_file`` can judge."""
        data = source if isinstance(source, bytes) else bytes(source[:MAX_HEADER])
        try:
            return self._scan(source, data)
        except (Quarantine, UnreadableError, struct_error, IndexError):
            return None

    def _scan(self, source: Source, data: bytes) -> Scanned | None:
        start, syntax = _file_meta(data)
        if syntax is None:
            return None
        check_syntax(syntax)
        encoding = encoding_found(source, start, syntax)
        if encoding is None:
            return None
        tags: list[int] = []
        raws: list[bytes | int] = []
        walked, position = self._elements(data, start, encoding, tags, raws)
        if walked < 0:
            return None
        pixels = None
        if position < len(data):
            tag = Walker(source).tag(position, encoding)
            pixels = Walker(source).pixels(position, tag, encoding)
            if pixels.fragments is not None and syntax in UNCOMPRESSED:
                return None
        elif len(data) < len(source):
            return None
        self._learn(encoding, tags, raws, walked)
        return Scanned(start, syntax, encoding, tags, raws, pixels)

    def _elements(
        self, data: bytes, position: int, encoding: Encoding, tags: list[int], raws: list[bytes | int]
    ) -> tuple[int, int]:
        """Fill ``tags`` and ``raws``; how many were walked (-1: out of the ordinary) and where they end."""
        runs, size, last, walked = self._runs[encoding], len(data), 0, 0
        implicit = encoding.implicit
        while position < size:
            head = data[position : position + 8]
            run = runs.get(head)
            if run is not None and data.startswith(run.raw, position):
                if run.tags[0] <= last:
                    return -1, position
                tags += run.tags
                raws += run.raws
                last = run.tags[-1]
                position += len(run.raw)
                continue
            if len(head) < 8:
                return -1, position
            if implicit:
                group, element, length = _IMPLICIT_HEAD.unpack(head)
                value = position + 8
            else:
                group, element, vr, length = _EXPLICIT_HEAD.unpack(head)
                value = position + 8
                if vr not in _SHORT:
                    if vr not in _LONG:
                        return -1, position
                    length, value = _LENGTH.unpack_from(data, value)[0], position + 12
            tag = group << 16 | element
            if tag in PIXEL_TAGS:
                break
            if group == 0xFFFE:
                return -1, position
            stop = value + length
            if length == _UNDEFINED:
                stop = Walker(data).element(position, size, encoding, 0)[1]
            if tag <= last or stop > size:
                return -1, position
            tags.append(tag)
            raws.append(data[position:stop] if stop - position <= MAX_ELEMENT else position)
            last, position = tag, stop
            walked += 1
        return walked, position

    def _learn(self, encoding: Encoding, tags: list[int], raws: list[bytes | int], walked: int) -> None:
        """Make runs of what was the same in the header before."""
        if walked <= _WALKED:
            self._wait = 1
            return
        self._since += 1
        if self._since < self._wait:
            return
        # Where runs don't help (every header of another series), look for them ever more seldom.
        self._since, self._wait = 0, min(2 * self._wait, 256)
        runs, previous = self._runs[encoding], self._previous
        if len(runs) > _MAX_RUNS:
            runs.clear()
        some: list[tuple[int, bytes]] = []
        for tag, raw in zip((*tags, 0), (*raws, 0), strict=True):
            if isinstance(raw, bytes) and raw in previous:
                some.append((tag, raw))
            elif some:
                run = _Run(
                    b"".join(one for _, one in some),
                    tuple(tag for tag, _ in some),
                    tuple(one for _, one in some),
                )
                runs[run.raw[:8]] = run
                some = []
        self._previous = frozenset(raws)


def _file_meta(data: bytes) -> tuple[int, str | None]:
    """Where the data set starts and its transfer syntax; None for file meta information out of the ordinary."""
    if data[128:132] != b"DICM":
        return 0, None
    position, syntax = 132, None
    while data[position : position + 2] == b"\x02\x00":
        _, element, vr, length = _EXPLICIT_HEAD.unpack_from(data, position)
        value = position + 8
        if vr not in _SHORT:
            if vr not in (b"OB", b"UT"):
                return 0, None
            length, value = _LENGTH.unpack_from(data, value)[0], position + 12
        position = value + length
        if position > len(data):
            return 0, None
        if element == 0x0010:
            syntax = data[value:position].decode("ascii", "replace").strip("\0 ")
    return position, syntax or None
