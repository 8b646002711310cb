"""Where the elements of a data set are in its bytes (PS3.5 section 7, PS3.10 section 7).

One pass over the header's bytes; no value is copied or converted. Large files are given as a memory map: only
the pages of the header are read, pixel data are a span.

Unlike a general reader this one never guesses past damage: whatever does not add up is ``dicom-unreadable``.
"""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from struct import Struct
from struct import error as struct_error

from aida_pipelines.dicom.dictionary import DicomDictionary, UID_dictionary
from aida_pipelines.errors import Quarantine

Source = bytes | bytearray | memoryview | mmap.mmap

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"

FLOAT_PIXELS, DOUBLE_PIXELS, PIXELS = 0x7FE00008, 0x7FE00009, 0x7FE00010
PIXEL_TAGS = frozenset({FLOAT_PIXELS, DOUBLE_PIXELS, PIXELS})
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF

LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
SHORT_VRS = frozenset(
    {"AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN"}
    | {"SH", "SL", "SS", "ST", "TM", "UI", "UL", "US"}
)
_VRS = {vr.encode(): vr for vr in LONG_VRS | SHORT_VRS}

YOUNGER_SYNTAXES = {
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
    "1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression",
}
"""Transfer syntaxes of the standard that pydicom 3.0's dictionary doesn't have yet."""

MAX_DEPTH = 32
"""Sequences within sequences. Real objects need fewer than 10; more is damage or an attack on the stack."""

_LET_GO = 16 << 20
"""Bytes of pixel data that are walked through before their pages are let go of."""

MAX_INFLATED = 1 << 30
"""Bytes that a deflated data set may have when inflated: it is the one case that is held in memory whole."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How elements are written: with or without their VR, and in which byte order."""

    implicit: bool
    big_endian: bool

    @property
    def order(self) -> str:
        """The byte order as ``struct`` writes it."""
        return ">" if self.big_endian else "<"


IMPLICIT = Encoding(implicit=True, big_endian=False)
EXPLICIT = Encoding(implicit=False, big_endian=False)
BIG = Encoding(implicit=False, big_endian=True)
_ENCODINGS = {IMPLICIT_LITTLE: IMPLICIT, EXPLICIT_LITTLE: EXPLICIT, EXPLICIT_BIG: BIG}
UNCOMPRESSED = frozenset(_ENCODINGS)
_SYNTAX_OF = {IMPLICIT: IMPLICIT_LITTLE, EXPLICIT: EXPLICIT_LITTLE, BIG: EXPLICIT_BIG}


@dataclass(slots=True)
class Element:
    """One element of a data set.

    Attributes:
        tag: ``group << 16 | element``.
        vr: As written; in implicit VR the dictionary's first VR, ``UN`` for what it doesn't know.
        start: Offset of the value.
        stop: Offset of the value's end.
        items: For sequences, the elements of each item; None for all others.
        encoding: How the items are written (UN sequences are implicit VR whatever surrounds them).
    """

    tag: int
    vr: str
    start: int
    stop: int
    encoding: Encoding
    items: list[list[Element]] | None = None


@dataclass(frozen=True, slots=True)
class PixelSpan:
    """The pixel data element, which is always passed on as it is.

    Attributes:
        tag: Pixel Data, Float Pixel Data or Double Float Pixel Data.
        start: Offset of the element (its tag).
        value: Offset of the value.
        stop: Offset after the element, delimiters included.
        fragments: Number of fragments without the offset table; None for native pixel data.
    """

    tag: int
    start: int
    value: int
    stop: int
    fragments: int | None


@dataclass(frozen=True)
class ParsedFile:
    """A DICOM file as parsed.

    Attributes:
        data: The bytes that all offsets refer to: the source itself, or the inflated data set.
        transfer_syntax: Of ``data``; Explicit VR Little Endian for what was deflated.
        encoding: How the data set's elements are written.
        start: Offset of the data set, after the file meta information.
        pixels: The pixel data, if there are any. What comes after them is not looked at.
    """

    data: Source
    transfer_syntax: str
    encoding: Encoding
    start: int
    pixels: PixelSpan | None

    @cached_property
    def elements(self) -> list[Element]:
        """The data set up to the pixel data, in the order of the file; walked when first asked for."""
        return Walker(self.data).top_level(self.start, self.encoding)[0]

    def value(self, element: Element) -> bytes:
        """The element's value, a copy."""
        return bytes(self.data[element.start : element.stop])


def let_go(data: object) -> None:
    """Take a mapped file's pages out of this process's memory; they are read again when they are needed.

    The kernel would do so when memory is short; until then they count as this process's.
    """
    if isinstance(data, mmap.mmap):
        data.madvise(mmap.MADV_DONTNEED)


class UnreadableError(Exception):
    """The structure is damaged; ``parse_file`` makes a reason of it."""


def vr_of(tag: int) -> str:
    """The dictionary's VR (the first where it has several), ``UN`` for what isn't in the dictionary."""
    entry = DicomDictionary.get(tag)
    return entry[0][:2] if entry else "UN"


def parse_file(source: Source) -> ParsedFile:
    """Find the elements of a DICOM file, with or without preamble and file meta information.

    Args:
        source: The file's bytes or a memory map of them.

    Raises:
        Quarantine: ``not-dicom``; ``dicom-unreadable``: the structure is damaged; ``pixel-data-truncated``:
            the pixel data go beyond the end of the file; ``transfer-syntax-unknown``.
    """
    try:
        start, syntax = _file_meta(source)
        if syntax == DEFLATED:
            source, start, syntax = _inflated(source, start), 0, EXPLICIT_LITTLE
        if syntax is not None:
            check_syntax(syntax)
        return _parse_data_set(source, start, syntax)
    except (UnreadableError, struct_error, IndexError):
        raise Quarantine("dicom-unreadable") from None


def parse_data_set(data: Source, encoding: Encoding) -> list[Element]:
    """The elements of a bare data set (no file meta), up to pixel data if there are any.

    Raises:
        Quarantine: ``dicom-unreadable``, ``pixel-data-truncated``.
    """
    try:
        return Walker(data).top_level(0, encoding)[0]
    except (UnreadableError, struct_error, IndexError):
        raise Quarantine("dicom-unreadable") from None


def check_syntax(syntax: str) -> None:
    """Refuse what is no transfer syntax of the standard.

    Raises:
        Quarantine: ``transfer-syntax-unknown``.
    """
    entry = UID_dictionary.get(syntax)
    if (entry is None or entry[1] != "Transfer Syntax") and syntax not in YOUNGER_SYNTAXES:
        raise Quarantine("transfer-syntax-unknown")


def _file_meta(source: Source) -> tuple[int, str | None]:
    """Where the data set starts and its transfer syntax as declared, if it is."""
    if len(source) >= 132 and bytes(source[128:132]) == b"DICM":
        start = 132
    elif bytes(source[:2]) == b"\x02\x00":  # group 2 without a preamble
        start = 0
    else:
        return 0, None
    walker, syntax, position = Walker(source), None, start
    while bytes(source[position : position + 2]) == b"\x02\x00":
        element, position = walker.element(position, len(source), EXPLICIT, 0)
        if element.tag == 0x00020010:
            text = bytes(source[element.start : element.stop])
            syntax = text.decode("ascii", "replace").strip("\0 ")
    return position, syntax or None


def _inflated(source: Source, start: int) -> bytes:
    """PS3.5 A.5: the data set after the file meta information is a raw deflate stream."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = inflater.decompress(memoryview(source)[start:], MAX_INFLATED)
    except zlib.error:
        raise UnreadableError from None
    if not inflater.eof:
        raise UnreadableError
    return data


def _parse_data_set(source: Source, start: int, syntax: str | None) -> ParsedFile:
    declared = None if syntax is None else _ENCODINGS.get(syntax, EXPLICIT)
    encoding = _detected(source, start, declared)
    if encoding is None:
        raise Quarantine("not-dicom") if declared is None else UnreadableError
    if syntax is None or declared != encoding:
        # Old exports leave the syntax out, and some devices write another one than they declare; how the
        # first element is written can't lie.
        syntax = _SYNTAX_OF[encoding]
    elements, pixels = Walker(source).top_level(start, encoding)
    if pixels and pixels.fragments is not None and syntax in _ENCODINGS:
        # Fragments in an uncompressed syntax: nobody can know how the pixels are to be decoded.
        raise UnreadableError
    parsed = ParsedFile(source, syntax, encoding, start, pixels)
    parsed.__dict__["elements"] = elements  # walked already: the pixel data lie behind them
    return parsed


def encoding_found(source: Source, start: int, syntax: str) -> Encoding | None:
    """How the data set is written where that is what its transfer syntax says, and little endian; else None."""
    declared = _ENCODINGS.get(syntax, EXPLICIT)
    if syntax == DEFLATED or declared.big_endian or _detected(source, start, declared) != declared:
        return None
    return declared


def _detected(source: Source, start: int, declared: Encoding | None) -> Encoding | None:
    """How the first element is written, whatever is declared; None for what is no element."""
    head = bytes(source[start : start + 8])
    if len(head) < 8:
        return None
    little, big = int.from_bytes(head[:2], "little"), int.from_bytes(head[:2], "big")
    if head[4:6] in _VRS:
        # The first group is small in every data set there is; read in the wrong order it is large.
        return BIG if 0 < big < little else EXPLICIT
    if declared == IMPLICIT:
        return IMPLICIT
    # Nothing says what this is: believe in implicit VR only what can hardly be anything else.
    tag, length = little << 16 | int.from_bytes(head[2:4], "little"), int.from_bytes(head[4:8], "little")
    known = tag in DicomDictionary or not tag & 0xFFFF
    fits = length == _UNDEFINED or start + 8 + length <= len(source)
    return IMPLICIT if 0 < little <= 0x0028 and known and fits else None


class Walker:
    """Walks one buffer. Raises ``UnreadableError`` and what ``struct`` raises; see ``parse_file``."""

    def __init__(self, data: Source) -> None:
        self.data = data
        self.end = len(data)

    def top_level(self, position: int, encoding: Encoding) -> tuple[list[Element], PixelSpan | None]:
        """The elements from ``position`` on, and the pixel data that end them."""
        elements: list[Element] = []
        while position < self.end:
            if self.end - position < 8:
                if not any(self.data[position : self.end]):  # a padding byte or two after the last element
                    break
                raise UnreadableError
            tag = self.tag(position, encoding)
            if tag in PIXEL_TAGS:
                return elements, self.pixels(position, tag, encoding)
            if tag == 0 and not any(self.data[position : min(self.end, position + 4096)]):
                break  # a file padded with zeros to a medium's block size
            element, position = self.element(position, self.end, encoding, 0)
            elements.append(element)
        return elements, None

    def tag(self, position: int, encoding: Encoding) -> int:
        """The tag at ``position``."""
        group, element = _TAG[encoding.big_endian].unpack_from(self.data, position)
        return int(group) << 16 | int(element)

    def head(self, position: int, encoding: Encoding) -> tuple[int, str, int, int]:
        """Tag, VR, length and offset of the value of the element at ``position``."""
        tag = self.tag(position, encoding)
        big = encoding.big_endian
        if encoding.implicit:
            return tag, vr_of(tag), _U32[big].unpack_from(self.data, position + 4)[0], position + 8
        vr = _VRS.get(bytes(self.data[position + 4 : position + 6]))
        if vr is None:
            raise UnreadableError
        if vr in LONG_VRS:
            return tag, vr, _U32[big].unpack_from(self.data, position + 8)[0], position + 12
        return tag, vr, _U16[big].unpack_from(self.data, position + 6)[0], position + 8

    def element(self, position: int, stop: int, encoding: Encoding, depth: int) -> tuple[Element, int]:
        """The element at ``position``, within ``stop``; and where the next one starts."""
        if depth > MAX_DEPTH:
            raise UnreadableError
        tag, vr, length, start = self.head(position, encoding)
        if tag >> 16 == 0xFFFE:  # an item or a delimiter where an element must be
            raise UnreadableError
        if vr == "UN" and not encoding.implicit and (length == _UNDEFINED or vr_of(tag) == "SQ"):
            # PS3.5 section 6.2.2, note 2: what is written as UN is implicit VR little endian inside.
            vr, encoding = "SQ" if length == _UNDEFINED or not tag >> 16 & 1 else "UN", IMPLICIT
        if length == _UNDEFINED:
            if vr != "SQ" and not (encoding.implicit and vr == "UN"):
                raise UnreadableError
            items, after = self.items(start, stop, encoding, depth, delimited=True)
            return Element(tag, "SQ", start, after, encoding, items), after
        after = start + length
        if after > stop:
            raise UnreadableError
        if vr == "SQ" and encoding.implicit and length and self.tag(start, encoding) != _ITEM:
            vr = "UN"  # written when the dictionary had another VR for this tag
        if vr == "SQ":
            items, _ = self.items(start, after, encoding, depth, delimited=False)
            return Element(tag, vr, start, after, encoding, items), after
        return Element(tag, vr, start, after, encoding), after

    def items(
        self, position: int, stop: int, encoding: Encoding, depth: int, *, delimited: bool
    ) -> tuple[list[list[Element]], int]:
        """A sequence's items, and where what follows starts."""
        items: list[list[Element]] = []
        while delimited or position < stop:
            tag, length = self.tag(position, encoding), self.length(position, encoding)
            position += 8
            if tag == _SEQUENCE_END and delimited:
                return items, position
            if tag != _ITEM or (length != _UNDEFINED and position + length > stop):
                raise UnreadableError
            item, position = self.item(position, stop, length, encoding, depth)
            items.append(item)
        return items, position

    def item(
        self, position: int, stop: int, length: int, encoding: Encoding, depth: int
    ) -> tuple[list[Element], int]:
        """An item's elements, and where what follows starts."""
        elements: list[Element] = []
        end = stop if length == _UNDEFINED else position + length
        while length == _UNDEFINED or position < end:
            if length == _UNDEFINED and self.tag(position, encoding) == _ITEM_END:
                return elements, position + 8
            element, position = self.element(position, end, encoding, depth + 1)
            elements.append(element)
        return elements, position

    def length(self, position: int, encoding: Encoding) -> int:
        """The length of the item whose tag is at ``position``."""
        return int(_U32[encoding.big_endian].unpack_from(self.data, position + 4)[0])

    def pixels(self, position: int, tag: int, encoding: Encoding) -> PixelSpan:
        """The pixel data element at ``position``."""
        _, vr, length, start = self.head(position, encoding)
        if length != _UNDEFINED:
            if start + length > self.end:
                raise Quarantine("pixel-data-truncated")
            return PixelSpan(tag, position, start, start + length, None)
        if tag != PIXELS or vr not in ("OB", "OW", "UN"):
            raise UnreadableError
        stop, count = start, -1
        for offset, fragment in fragments(self.data, start, self.end, encoding):
            stop, count = offset + fragment, count + 1
        return PixelSpan(tag, position, start, stop + 8, max(count, 0))


def fragments(data: Source, start: int, end: int, encoding: Encoding) -> Iterator[tuple[int, int]]:
    """Offset and length of each fragment of encapsulated pixel data, the offset table first (PS3.5 A.4).

    Raises:
        Quarantine: ``pixel-data-truncated``: the last one is not whole or the delimiter is missing;
            ``dicom-unreadable``: something else is where a fragment should be.
    """
    position = kept = start
    while position + 8 <= end:
        if position - kept > _LET_GO:
            let_go(data)
            kept = position
        group, number = _TAG[encoding.big_endian].unpack_from(data, position)
        tag, length = (
            int(group) << 16 | int(number),
            _U32[encoding.big_endian].unpack_from(data, position + 4)[0],
        )
        position += 8
        if tag == _SEQUENCE_END:
            return
        if tag != _ITEM or length == _UNDEFINED:
            raise Quarantine("dicom-unreadable")
        if position + length > end:
            break
        yield position, length
        position += length
    raise Quarantine("pixel-data-truncated")


_TAG = (Struct("<HH"), Struct(">HH"))
_U32 = (Struct("<L"), Struct(">L"))
_U16 = (Struct("<H"), Struct(">H"))
