"""One instance from bytes to verified result and table row: what the stage and the folder command share."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from io import FileIO
from pathlib import Path
from typing import Any

from aida_pipelines.contracts.profile import Action, DeidProfile
from aida_pipelines.contracts.table import TableContract
from aida_pipelines.deid.descriptors import DescriptorCleaner
from aida_pipelines.deid.devices import DeviceCleaner
from aida_pipelines.deid.engine import Change, Deidentified
from aida_pipelines.deid.fast import FastDeidentifier
from aida_pipelines.deid.keys import DomainKey
from aida_pipelines.deid.verify import Verifier
from aida_pipelines.dicom.attributes import Attributes
from aida_pipelines.dicom.dictionary import DicomDictionary, tag_for_keyword
from aida_pipelines.dicom.parse import Encoding, ParsedFile, Source, let_go
from aida_pipelines.storage.disk import write_all

CHUNK = 4 << 20
"""Bytes of pixel data at a time."""

Values = tuple[str | int | float | date, ...]

PRELOAD = ("aida_pipelines.deid.fast", "aida_pipelines.deid.verify")
"""Modules that every process needs and that may be imported before it is forked."""

_CHARSET, _SHARED_GROUPS = 0x00080005, 0x52009229

_MAX_REMEMBERED = 8 << 20
_MAX_KNOWN = 500
_ENTRY = 300
"""What Python needs for an entry beside its bytes."""

Done = tuple[str, str, str]
"""What was done to an attribute: tag as ``(gggg,eeee)``, ``PRIVATE`` or ``UNKNOWN``; VR; action."""


@dataclass(frozen=True)
class Recipe:
    """What a process needs to de-identify: small, and without the key itself, so that it can be sent to it.

    Attributes:
        profile: The profile.
        tokens: The descriptions' allow-list.
        device_tokens: The allow-list of what devices write, beside it.
        key: Which key, and which domain of it.
        issuer: Issuer of patient ids whose header names none.
    """

    profile: DeidProfile
    tokens: frozenset[str]
    device_tokens: frozenset[str]
    key: DomainKey
    issuer: str


class Processor:
    """De-identifies and verifies, in that order and never one without the other.

    Args:
        recipe: How.

    Raises:
        UsageError: The key can't be used.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.pseudonyms = recipe.key.pseudonyms()
        self._deidentifier = FastDeidentifier(
            recipe.profile,
            self.pseudonyms,
            DescriptorCleaner(recipe.tokens),
            DeviceCleaner(recipe.tokens | recipe.device_tokens),
            issuer=recipe.issuer,
        )
        self._verifier = Verifier(recipe.profile, recipe.tokens)

    def __call__(self, source: Source, *, pixels_reviewed: bool = False) -> Deidentified:
        """A verified result.

        Raises:
            Quarantine: With the reason.
        """
        result = self._deidentifier.deidentify(source, pixels_reviewed=pixels_reviewed)
        self._verifier.verify(result)
        return result


def chunks(result: Deidentified) -> Iterator[bytes | memoryview]:
    """What to write, in order, in pieces; a mapped file's pages are let go of after each.

    Whatever the size of the pixel data, no more of them than a piece is in the process's memory.
    """
    yield result.header
    for _, new in _pixels(result):
        yield new


def _pixels(result: Deidentified) -> Iterator[tuple[memoryview, bytes | memoryview]]:
    """The pixel data in pieces: as they are in the source, and as they are passed on."""
    pixels, blanks = result.pixels, deque(result.blanks)
    for start, piece in _pieces(pixels):
        stop = start + len(piece)
        if not blanks or blanks[0][0] >= stop:
            yield piece, piece
            continue
        new = bytearray(piece)
        while blanks and blanks[0][0] < stop:
            first, last = max(blanks[0][0], start), min(blanks[0][1], stop)
            new[first - start : last - start] = bytes(last - first)
            if blanks[0][1] > stop:
                break  # it goes on in the next piece
            blanks.popleft()
        yield piece, bytes(new)


def _pieces(view: memoryview) -> Iterator[tuple[int, memoryview]]:
    """A view in pieces with where they start; a mapped file's pages are let go of after each."""
    for start in range(0, len(view), CHUNK):
        yield start, view[start : start + CHUNK]
        let_go(view.obj)


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        sha256: Hash of the bytes.
        size: How many they are.
        source_sha256: Hash of the file that they were made of; empty if it wasn't asked for.
    """

    sha256: str
    size: int
    source_sha256: str = ""


def write(result: Deidentified, path: Path, *, source: Source | None = None) -> Written:
    """Write a result to a new file and hash it in the same pass.

    Args:
        result: What to write.
        path: Where; nothing may be there.
        source: The file's bytes as they came, to have them hashed as well. Where the pixel data lie in them as
            they do in the result, they are read once for both.
    """
    after, before = hashlib.sha256(), hashlib.sha256()
    span = result.source.pixels
    together = source is not None and span is not None and result.source.data is source
    if source is not None:
        _hash(before, memoryview(source)[: span.start] if together and span else memoryview(source))
    size = len(result.header)
    after.update(result.header)
    with path.open("xb", buffering=0) as file:
        _write_all(file, result.header)
        for old, new in _pixels(result):
            if together:
                before.update(old)
            after.update(new)
            _write_all(file, new)
            size += len(new)
    if together and source is not None and span is not None:
        _hash(before, memoryview(source)[span.stop :])
    return Written(after.hexdigest(), size, before.hexdigest() if source is not None else "")


def sha256_of(source: Source) -> str:
    """Hash of a file's bytes, in pieces."""
    digest = hashlib.sha256()
    _hash(digest, memoryview(source))
    return digest.hexdigest()


def _hash(digest: hashlib._Hash, view: memoryview) -> None:
    for _, piece in _pieces(view):
        digest.update(piece)


def _write_all(file: FileIO, data: bytes | memoryview) -> None:
    write_all(file, memoryview(data))


class DoneNoter:
    """What was done to instances; the same again is the same object, so that a batch of them pickles it once."""

    def __init__(self) -> None:
        self._known: dict[frozenset[Done], frozenset[Done]] = {}

    def __call__(self, changes: Iterable[Change]) -> frozenset[Done]:
        """What was done to an instance, each thing once."""
        found = frozenset([_noted(change.tag, change.vr, change.action) for change in changes])
        if len(self._known) > _MAX_KNOWN:
            self._known.clear()
        return self._known.setdefault(found, found)


@lru_cache(maxsize=1 << 14)
def _noted(tag: int, vr: str, action: Action) -> Done:
    return _named(tag), vr, str(action)


@cache
def _tag_of(keyword: str) -> int:
    return tag_for_keyword(keyword) or 0


def keyword(tag: str) -> str:
    """The keyword of a tag as ``Done`` writes it; empty where there is none."""
    from pydicom.datadict import keyword_for_tag

    return keyword_for_tag(int(tag[1:5] + tag[6:10], 16)) if tag.startswith("(") else ""


def _named(tag: int) -> str:
    if tag >> 16 & 1:
        return "PRIVATE"
    # Group lengths are not in the dictionary but no mystery; there are as many as groups.
    if tag not in DicomDictionary and tag & 0xFFFF:
        return "UNKNOWN"
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


class HeaderReader:
    """Attributes of de-identified headers as Python values, with a memory: within a series most are the same."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        # Values by what else decides them, then by the element's bytes (by its keyword where there is none).
        self._contexts: dict[tuple[object, ...], dict[tuple[str, bytes | None], Values]] = {}
        self._size = 0

    def values(self, result: Deidentified, keyword: str) -> Values:
        """All values of an attribute, as ``Attributes.values`` has them."""
        found, encoding = result.elements, result.source.encoding
        context = encoding, found.get(_CHARSET), found.get(_SHARED_GROUPS)
        known = self._contexts.get(context)
        if known is None:
            known = self._contexts[context] = {}
            self._size += sum(len(raw) for raw in context[1:] if raw) + _ENTRY
        tag = _tag_of(keyword)
        raw = found.get(tag)
        values = known.get((keyword, raw))
        if values is None:
            values = known[keyword, raw] = self._read(found, tag, keyword, encoding)
            self._size += len(raw or b"") + _ENTRY
            if self._size > _MAX_REMEMBERED:
                self._forget()
        return values

    @staticmethod
    def _read(found: Mapping[int, bytes], tag: int, keyword: str, encoding: Encoding) -> Values:
        # The shared functional groups say what the top level doesn't.
        needed = {_CHARSET, tag} if tag in found and _CHARSET in found else {_CHARSET, tag, _SHARED_GROUPS}
        data = b"".join(found[one] for one in sorted(needed) if one in found)
        parsed = ParsedFile(data, "", encoding, 0, None)
        return tuple(Attributes(parsed).values(keyword))


class RowMaker:
    """Rows of ``instances`` from de-identified headers, by the table's contract.

    Args:
        contract: The table's contract; columns with a custom property ``dicomKeyword`` are filled from the
        header.
    """

    def __init__(self, contract: TableContract) -> None:
        self._read = HeaderReader()
        self._columns = [
            (column.name, str(column.custom["dicomKeyword"]), column.logical_type == "array")
            for column in contract.columns
            if "dicomKeyword" in column.custom
        ]

    def __call__(self, result: Deidentified) -> dict[str, Any]:
        """The columns that come from the header."""
        row: dict[str, Any] = {}
        for name, word, many in self._columns:
            values = self._read.values(result, word)
            row[name] = (list(values) or None) if many else next(iter(values), None)
        row["subject"] = result.subject
        row["transfer_syntax_uid"] = result.source.transfer_syntax
        return row


def action_row(entry: Done) -> Mapping[str, str]:
    """The columns that say what was done to which attribute."""
    tag, vr, action = entry
    return {"tag": tag, "keyword": keyword(tag), "vr": vr, "action": action}
