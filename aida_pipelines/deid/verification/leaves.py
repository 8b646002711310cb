"""The values in a data set, at any depth, each with the tags that lead to it and its bytes.

pydicom knows where they are; what the bytes say is read here, in every way in which they can be read: declared
character sets are often wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_sequence
from pydicom.tag import BaseTag

from aida_pipelines.deid.verification.pieces import LONG_VRS, SHORT_VRS
from aida_pipelines.dicom.quiet import quiet_pydicom

TEXT_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
SHAPED_VRS = frozenset({"AS", "DA", "DS", "DT", "IS", "TM", "UI"})
"""Text with a shape of its own: numbers, dates, UIDs."""

_PLAIN = TEXT_VRS | SHAPED_VRS
_ESCAPE = re.compile(rb"\x1b[\x20-\x2f]*[\x30-\x7e]")
_DELIMITERS = {0x5C, 0x0D, 0x0A, 0x09, 0x0C, 0x5E, 0x3D}
_ITEM_TAGS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
"""How a sequence's value starts, in both byte orders."""

_ASCII: tuple[str, ...] = ("iso8859",)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value that is no sequence.

    Attributes:
        path: Tags as eight hexadecimal digits each, outermost first.
        vr: As written; in implicit VR the dictionary's; ``UN`` for what nothing names.
        value: Its bytes, padding included.
        charset: Python's names for the character sets that hold for it.
    """

    path: str
    vr: str
    value: bytes
    charset: Sequence[str] = _ASCII

    @property
    def keyword(self) -> str:
        """The dictionary's; empty for what is not in it."""
        return keyword_of(self.path[-8:])

    @property
    def ascii(self) -> bool:
        """Whether there is one way only to read it."""
        return self.value.isascii() and b"\x1b" not in self.value

    def readings(self) -> tuple[str, ...]:
        """The value as text: as declared; as UTF-8, by its escapes, as Latin-1, where these differ."""
        if self.ascii:
            return (self.value.decode("ascii").strip("\0 "),)
        found = []
        with suppress(LookupError, ValueError), quiet_pydicom():
            found.append(str(decode_bytes(self.value, list(self.charset), _DELIMITERS)))
        with suppress(UnicodeError):
            found.append(self.value.decode("utf-8"))
        if b"\x1b" in self.value:
            for codec in ("iso2022_jp_2", "iso2022_kr"):
                with suppress(UnicodeError):
                    found.append(self.value.decode(codec))
        found += [self.value.decode("latin-1"), _ESCAPE.sub(b"", self.value).decode("latin-1")]
        return tuple(dict.fromkeys(text.strip("\0 ") for text in found))

    def values(self) -> tuple[str, ...]:
        """All values of all readings."""
        return tuple(
            dict.fromkeys(part.strip("\0 ") for text in self.readings() for part in text.split("\\"))
        )


@lru_cache(maxsize=1 << 14)
def keyword_of(tag: str) -> str:
    """The keyword of a tag in eight hexadecimal digits; empty if it has none."""
    return keyword_for_tag(int(tag, 16))


def plain_leaf(tag: int, raw: bytes, *, implicit: bool) -> Leaf | None:
    """The one value of an element that needs no parser: text in ASCII. None for all others."""
    if implicit:
        vr, value = _dictionary_vr(tag), raw[8:]
    else:
        code = raw[4:6]
        if code not in SHORT_VRS and code not in LONG_VRS:
            return None
        vr, value = code.decode("ascii"), raw[8:] if code in SHORT_VRS else raw[12:]
    if vr not in _PLAIN or not value.isascii() or b"\x1b" in value:
        return None
    return Leaf(f"{tag:08x}", vr, value)


def leaves_of(raw: bytes, before: bytes, *, implicit: bool, big_endian: bool) -> list[Leaf]:
    """The values in some elements.

    Args:
        raw: The elements.
        before: Elements that decide how those are read: Specific Character Set, Private Creator.
        implicit: Whether they are written without their VR.
        big_endian: In which byte order.

    Raises:
        ValueError: Something is left over.
        Exception: Whatever pydicom raises for what it can't read.
    """
    stream = BytesIO(before + raw)
    data_set = read_dataset(stream, implicit, not big_endian)
    rest = stream.read()
    if any(rest):
        raise ValueError
    known = read_dataset(BytesIO(before), implicit, not big_endian).keys() if before else ()
    return list(_walk(data_set, "", _ASCII, frozenset(known)))


def charsets(value: bytes) -> Sequence[str]:
    """Python's names for a Specific Character Set (0008,0005); the default's for what is unknown."""
    terms = [term.strip() for term in value.decode("ascii", "replace").strip("\0 ").split("\\")]
    try:
        return tuple(convert_encodings(terms)) or _ASCII
    except (LookupError, ValueError):
        return _ASCII


def _walk(
    data_set: Dataset, above: str, charset: Sequence[str], skipped: frozenset[BaseTag] = frozenset()
) -> Iterator[Leaf]:
    stored = list(data_set.values())
    for element in stored:
        if element.tag == 0x00080005 and isinstance(element, RawDataElement):
            charset = charsets(element.value or b"")
    for element in stored:
        if element.tag not in skipped:
            yield from _element(data_set, element, f"{above}{int(element.tag):08x}", charset)


def _element(
    data_set: Dataset, element: RawDataElement | DataElement, path: str, charset: Sequence[str]
) -> Iterator[Leaf]:
    items: Iterable[Dataset] | None = None
    if isinstance(element, RawDataElement):
        value, vr = element.value or b"", element.VR
        if vr is None or vr == "UN":
            vr = _vr_of(data_set, element)
        if vr == "UN" and value[:4] in _ITEM_TAGS:
            items = _hidden_items(value)
        if vr != "SQ" and items is None:
            yield Leaf(path, vr, value, charset)
            return
    if items is None:
        content = data_set[element.tag].value
        if isinstance(content, bytes):
            yield Leaf(path, "UN", content, charset)
            return
        items = content or ()
    for item in items:
        yield from _walk(item, path, charset)


def _vr_of(data_set: Dataset, element: RawDataElement) -> str:
    """The dictionary's VR where the file gives none; private dictionaries included."""
    if element.tag.is_private:
        if element.length > 1 << 16:
            return "UN"
        try:
            return str(data_set[element.tag].VR) if element.VR is None else "UN"
        except Exception:  # noqa: BLE001 - what the dictionary promises, the bytes don't keep
            return "UN"
    vr = _dictionary_vr(int(element.tag))
    if vr == "SQ" and element.value and element.value[:4] not in _ITEM_TAGS:
        return "UN"
    return vr


@lru_cache(maxsize=1 << 14)
def _dictionary_vr(tag: int) -> str:
    if tag >> 16 & 1 or not dictionary_has_tag(tag):
        return "UN"
    return dictionary_VR(tag)[:2]


def _hidden_items(value: bytes) -> list[Dataset] | None:
    """The items of a sequence that is written as bytes of unknown kind."""
    for implicit in (True, False):
        try:
            found = list(read_sequence(BytesIO(value), implicit, True, len(value), list(_ASCII)))
            if all(len(item) for item in found):
                return found
        except Exception:  # noqa: BLE001, S112 - no sequence after all, or written the other way
            continue
    return None
