"""Independent verification: is what is about to be passed on free of the patient's identifiers, and consistent?

A second way to the same question, which shares nothing with the first: no rule table, no list of attributes to
clean, another parser (pydicom, and a cut of the top level that pydicom reads piece by piece). It takes every
identifier that the source holds at any depth and looks for it in every value of the new header at any depth, and
once more in the bytes as they are; and it compares what stands in the same place before and after.

Headers of a series repeat: what a piece of a header says is remembered by its bytes, what was found to be clean
of one patient as well. Both follow from the bytes alone, so that a memory changes no verdict.

To be of use it must not cry wolf. What is not looked for, and why:

* name parts of one or two letters (of one in scripts of their own), ids of fewer than four characters or of fewer
  than three different ones ("1", "0000"): they are everywhere;
* ids of orders, samples and staff of fewer than six characters or without digits, stations of fewer than five:
  many systems write the procedure's code or the modality there;
* name parts of three or four letters and ids of four or five characters match only as whole words, and not in
  bytes that are no text;
* of institutions and addresses only the whole and words of six letters or more that are no common ones
  ("hospital"), and none that the manufacturer's attributes hold as well;
* names and words that are on the descriptions' allow-list ("Head", "Test"): alone they say nothing;
* names, short ids and dates inside values that are well-formed numbers, UIDs, times or dates, where digits meet by
  chance; there numbers of seven digits or more and UIDs are compared as a whole, and dates with the date that was
  in the same place;
* what the profile retains by an option: UIDs, full dates, institutions, devices' serial numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from aida_pipelines.contracts.profile import Action, DeidProfile, Option
from aida_pipelines.deid.engine import Deidentified
from aida_pipelines.deid.verification import consistency
from aida_pipelines.deid.verification.identifiers import (
    PUBLIC_ROOTS,
    Identifier,
    Known,
    Sight,
    identifiers_of,
)
from aida_pipelines.deid.verification.leaves import Leaf, leaves_of, plain_leaf
from aida_pipelines.deid.verification.ledger import Ledger
from aida_pipelines.deid.verification.pieces import Data, Piece, UncutError, cut, file_meta
from aida_pipelines.deid.verification.traces import At, Traces, dates_at, found_in, traces_of, uids_at
from aida_pipelines.dicom.quiet import quiet_pydicom
from aida_pipelines.errors import Quarantine

MAX_REMEMBERED = 48 << 20
"""Bytes of pieces and what they say, roughly; then all is forgotten."""

_MAX_PIECE = 1 << 14
"""Longer pieces hardly ever repeat."""

_MAX_OPAQUE = 1 << 16
"""Bytes of a source's value that is no text and no sequence beyond which it is not read: blobs of devices."""

_ENTRY = 400
"""What Python needs for an entry beside its bytes."""

_CHARSET, _IDENTITY_REMOVED = 0x00080005, 0x00120062
_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
_PATIENT_NAME, _PATIENT_ID, _ISSUER = 0x00100010, 0x00100020, 0x00100021
_REQUIRED = (_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES)
_METHOD, _METHOD_CODES = 0x00120063, 0x00120064

_META = frozenset({0x00020000, 0x00020001, 0x00020002, 0x00020003, 0x00020010, 0x00020012, 0x00020013})
"""What PS3.10 section 7.1 requires, and who wrote the file."""

_META_SOURCE = frozenset({0x00020003, 0x00020016, 0x00020017, 0x00020018, 0x00020026, 0x00020028})
"""Of a source's file meta information: the instance, and the application entities that it came through."""

_METHOD_TEXT = re.compile(r"aida_pipelines [\w.-]+ [\d.]+|DICOM PS3\.15 \d{4}[a-e]|1131\d\d|DCM")
_METHOD_WORDS = frozenset(
    """application basic characteristics clean confidentiality content data dates descriptors device features full
    graphics identity information institution longitudinal modified option patient pixel private profile recognizable
    retain safe structured temporal uids visual""".split()
)
_SYNTAXES = {"1.2.840.10008.1.2": (True, False), "1.2.840.10008.1.2.2": (False, True)}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that may not be.

    Attributes:
        kind: ``name``, ``id``, ``phone``, ``mail``, ``address``, ``place`` (institution, station, staff), ``birth-date``,
            ``date``, ``uid``: an identifier of the source; ``date-shift``: dates have not moved together; ``uid-map``:
            a UID has not one successor; ``file-meta``: more is said than must be, or something else than in the data
            set; ``pixels``: they are not the source's; ``subject``: not the one that the patient had before;
            ``age``: over 90 years; ``incomplete``: the header can't be read to its end, or something required is missing
            or not what it must be.
        where: The attribute's tag as eight hexadecimal digits, or ``bytes`` for the raw search.
    """

    kind: str
    where: str


@dataclass(frozen=True, slots=True)
class _Given:
    """What one piece of a source gives away."""

    tag: int
    identifiers: frozenset[Identifier]
    uids: tuple[At, ...]
    own_uids: frozenset[str]
    dates: tuple[At, ...]


_Passed = dict[bytes, Traces | None]


@dataclass(slots=True)
class _Context:
    """What is remembered of data sets that are written in one way: encoding and character set."""

    implicit: bool
    big_endian: bool
    charset: bytes
    given: dict[bytes, _Given | None] = field(default_factory=dict)
    traces: dict[bytes, Traces] = field(default_factory=dict)
    passed: dict[tuple[frozenset[Identifier], ...], _Passed] = field(default_factory=dict)


class Verifier:
    """Looks for a patient's identifiers in de-identified headers. Not safe for several threads.

    Args:
        profile: Which options the profile takes: what is retained on purpose is no finding.
        ordinary: Words that are no sign of a person: the descriptions' allow-list, normalised.
    """

    def __init__(self, profile: DeidProfile, ordinary: Iterable[str]) -> None:
        options = profile.options
        self._uids_kept = Option.RETAIN_UIDS in options
        self._dates: Literal["kept", "moved", "gone"] = "gone"
        if Option.RETAIN_LONGITUDINAL_FULL_DATES in options:
            self._dates = "kept"
        elif Option.RETAIN_LONGITUDINAL_MODIFIED_DATES in options:
            self._dates = "moved"
        devices_kept = Option.RETAIN_DEVICE_IDENTITY in options
        cleaned = {
            name for rule in profile.rules if rule.action is not Action.KEEP for name in rule.attributes
        }
        self._sight = Sight(
            ordinary=frozenset(ordinary),
            institutions=Option.RETAIN_INSTITUTION_IDENTITY not in options,
            stations=not devices_kept or "StationName" in cleaned,
            devices=not devices_kept,
        )
        self._ledger = Ledger()
        self._forget()

    def verify(self, result: Deidentified) -> None:
        """Let pass or stop.

        Raises:
            Quarantine: ``verification-failed``: something was found, or the new header can't be read.
        """
        try:
            found = self.findings(result)
        except Exception:  # noqa: BLE001 - what can't be read can't be vouched for; the message may hold values
            raise Quarantine("verification-failed") from None
        if found:
            raise Quarantine("verification-failed")

    def findings(self, result: Deidentified) -> list[Finding]:
        """All that was found, for tests and developers; values are not among it.

        Raises:
            Exception: Whatever comes up in a header that can't be read.
        """
        if self._size > MAX_REMEMBERED:
            self._forget()
        source, header = result.source, result.header
        encoding = source.encoding
        end = source.pixels.start if source.pixels else len(source.data)
        pieces = self._cut(
            source.data, source.start, end, encoding.implicit, encoding.big_endian, most=_MAX_OPAQUE
        )
        context = self._context(pieces, encoding.implicit, encoding.big_endian)
        given = self._given(pieces, context)
        given += self._given_elsewhere(source.data, source.pixels.stop if source.pixels else end, context)

        meta, start = file_meta(header)
        found = list(self._in_file_meta(header, meta, source.transfer_syntax))
        implicit, big_endian = _SYNTAXES.get(source.transfer_syntax, (False, False))
        written = cut(header, start, len(header), implicit=implicit, big_endian=big_endian)
        after = self._context(written, implicit, big_endian)
        key = tuple([one.identifiers for one in given if one.identifiers])
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = Known.of(identifier for some in key for identifier in some)
            self._size += _ENTRY * (len(known.identifiers) + 4)
        lively: list[Traces] = []
        self._search(meta, self._context((), implicit=False, big_endian=False), key, known, lively, found)
        self._search(written, after, key, known, lively, found)
        patient_id = [raw for tag, raw in pieces if tag == _PATIENT_ID and raw[8:].strip(b"\0 ")]
        patient = b"".join(patient_id + [raw for tag, raw in pieces if tag == _ISSUER]) if patient_id else b""
        found += self._compared(result, given, lively, dict(written), patient)
        found += self._in_pixels(result)
        return found

    # --- reading ------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._contexts: dict[tuple[bool, bool, bytes], _Context] = {}
        self._known: dict[tuple[frozenset[Identifier], ...], Known] = {}
        self._interned: dict[frozenset[Identifier], frozenset[Identifier]] = {}
        self._moves: dict[tuple[tuple[At, ...], ...], set[int] | None] = {}
        self._size = 0

    def _cut(
        self, data: Data, start: int, stop: int, implicit: bool, big_endian: bool, *, most: int
    ) -> list[Piece]:
        try:
            return cut(data, start, stop, implicit=implicit, big_endian=big_endian, most=most)
        except UncutError:
            return [(0, bytes(data[start:stop]))]  # pydicom will make of it what it can

    def _context(self, pieces: Iterable[Piece], implicit: bool, big_endian: bool) -> _Context:
        charset = b""
        for tag, raw in pieces:
            if tag >= _CHARSET:
                charset = raw if tag == _CHARSET else b""
                break
        key = implicit, big_endian, charset
        context = self._contexts.get(key)
        if context is None:
            context = self._contexts[key] = _Context(implicit, big_endian, charset)
        return context

    def _given(self, pieces: Iterable[Piece], context: _Context) -> list[_Given]:
        given: list[_Given] = []
        memory, creators = context.given, {}
        private = context.implicit
        for tag, raw in pieces:
            key, before = raw, b""
            if private and tag & 0x10000:
                if not tag & 0xFF00:
                    creators[tag >> 16 << 8 | tag & 0xFF] = raw
                before = creators.get(tag >> 8, b"")
                key = before + raw
            try:
                one = memory[key]
            except KeyError:
                one = self._read_given(tag, raw, before, context)
                if len(key) <= _MAX_PIECE:
                    memory[key] = one
                    self._size += len(key) + _ENTRY
            if one is not None:
                given.append(one)
        return given

    def _read_given(self, tag: int, raw: bytes, before: bytes, context: _Context) -> _Given | None:
        leaves = _leaves(tag, raw, before, context)[0]
        identifiers = frozenset(
            identifier for leaf in leaves for identifier in identifiers_of(leaf, self._sight)
        )
        uids = tuple(uids_at(leaves))
        own = frozenset(
            uid for _, values in uids for uid in values if len(uid) > 4 and not uid.startswith(PUBLIC_ROOTS)
        )
        dates = tuple(dates_at(leaves))
        if not (identifiers or uids or dates):
            return None
        return _Given(tag, self._interned.setdefault(identifiers, identifiers), uids, own, dates)

    def _given_elsewhere(self, data: Data, behind: int, context: _Context) -> list[_Given]:
        """What file meta information and elements behind the pixel data give away."""
        given: list[_Given] = []
        try:
            meta = [piece for piece in file_meta(data)[0] if piece[0] in _META_SOURCE]
        except UncutError:
            meta = []
        if meta:
            given += self._given(meta, self._context((), implicit=False, big_endian=False))
        if len(data) - behind > 8:
            try:
                pieces = cut(
                    data,
                    behind,
                    len(data),
                    implicit=context.implicit,
                    big_endian=context.big_endian,
                    most=_MAX_OPAQUE,
                )
                given += self._given(pieces, context)
            except Exception:  # noqa: BLE001, S110 - nothing says that what lies there is a data set
                pass
        return given

    # --- searching ----------------------------------------------------------------------------------------

    def _search(
        self,
        pieces: Iterable[Piece],
        context: _Context,
        key: tuple[frozenset[Identifier], ...],
        known: Known,
        lively: list[Traces],
        found: list[Finding],
    ) -> None:
        """Search what was not searched for this patient; what holds UIDs or dates goes to ``lively``."""
        passed = context.passed.setdefault(key, {})
        creators: dict[int, bytes] = {}
        private = context.implicit
        for tag, raw in pieces:
            name, before = raw, b""
            if private and tag & 0x10000:
                if not tag & 0xFF00:
                    creators[tag >> 16 << 8 | tag & 0xFF] = raw
                before = creators.get(tag >> 8, b"")
                name = before + raw
            try:
                traces = passed[name]
            except KeyError:
                traces = self._searched(tag, raw, before, name, context, known, found, passed)
            if traces is not None:
                lively.append(traces)

    def _searched(
        self,
        tag: int,
        raw: bytes,
        before: bytes,
        name: bytes,
        context: _Context,
        known: Known,
        found: list[Finding],
        passed: _Passed,
    ) -> Traces | None:
        traces = context.traces.get(name)
        small = len(name) <= _MAX_PIECE
        if traces is None:
            leaves, whole = _leaves(tag, raw, before, context)
            if tag in (_METHOD, _METHOD_CODES) and all(_says_method(leaf) for leaf in leaves):
                leaves, whole = [], True
            traces = traces_of(tag, leaves, None if whole else raw)
            if small:
                context.traces[name] = traces
                self._size += (1 if whole else 8) * len(name) + _ENTRY
        here = [Finding(kind, where) for kind, where in found_in(traces, known)]
        kept = traces if traces.mentioned or traces.dates else None
        if here:
            found += here
        elif small:
            passed[name] = kept
            self._size += len(name) + _ENTRY // 4
        return kept

    def _in_file_meta(self, header: bytes, meta: list[Piece], syntax: str) -> Iterator[Finding]:
        tags = [tag for tag, _ in meta]
        declared = next((raw[8:].strip(b"\0 ") for tag, raw in meta if tag == 0x00020010), b"")
        if any(header[:128]) or not _META.issuperset(tags) or declared != syntax.encode("latin-1"):
            yield Finding("file-meta", "bytes")

    # --- comparing ----------------------------------------------------------------------------------------

    def _compared(
        self,
        result: Deidentified,
        given: list[_Given],
        lively: list[Traces],
        written: dict[int, bytes],
        patient: bytes,
    ) -> Iterator[Finding]:
        subject = result.subject.encode("ascii")
        for tag, expected in ((_IDENTITY_REMOVED, b"YES"), (_PATIENT_ID, subject), (_PATIENT_NAME, subject)):
            if written.get(tag, b"")[8:].strip(b"\0 ") != expected:
                yield Finding("incomplete", f"{tag:08x}")
        if _METHOD not in written or _METHOD_CODES not in written:
            yield Finding("incomplete", f"{_METHOD:08x}")
        uids = {traces.where: traces.uids for traces in lively if traces.uids}
        for tag in _REQUIRED:
            if not any(values[0] for _, values in uids.get(f"{tag:08x}", ())):
                yield Finding("incomplete", f"{tag:08x}")
        for inside, outside in (("00080018", "00020003"), ("00080016", "00020002")):
            if [values for _, values in uids.get(inside, ())] != [
                values for _, values in uids.get(outside, ())
            ]:
                yield Finding("file-meta", outside)
        if not self._uids_kept:
            yield from self._compared_uids(given, lively, uids)
        offset: int | None = None
        if self._dates != "kept":
            before = tuple([one.dates for one in given if one.dates])
            after = tuple([traces.dates for traces in lively if traces.dates])
            moved = self._moved(before, after)
            if moved is not None and not moved:
                where = consistency.unmoved(_flat(before), _flat(after))
                yield from (Finding("date", place) for place in where)
                if not where:
                    yield Finding("date-shift", "bytes")
            offset = next(iter(moved)) if self._dates == "moved" and moved and len(moved) == 1 else None
        if not self._ledger.subject_agrees(patient, result.subject, offset):
            yield Finding("subject", "bytes")

    def _compared_uids(
        self, given: list[_Given], lively: list[Traces], uids: dict[str, tuple[At, ...]]
    ) -> Iterator[Finding]:
        known: set[str] = set().union(*[one.own_uids for one in given])
        for traces in lively:
            if not known.isdisjoint(traces.mentioned):
                places = {path[-8:] for path, values in traces.uids if not known.isdisjoint(values)}
                yield from (Finding("uid", place) for place in sorted(places) or [traces.where])
        # File meta information may name another instance than the data set; the data set's is the one that counts.
        before = {f"{one.tag:08x}": one.uids for one in given if one.uids and one.tag >> 16 != 0x0002}
        pairs, true = consistency.one_to_one(consistency.pairs_of(before, uids))
        if not true or not self._ledger.uids_agree(pairs):
            yield Finding("uid-map", "bytes")

    def _moved(
        self, before: tuple[tuple[At, ...], ...], after: tuple[tuple[At, ...], ...]
    ) -> set[int] | None:
        """The days by which dates can have moved; empty if something is wrong, None if nothing can be said."""
        key = (*before, (), *after)
        try:
            return self._moves[key]
        except KeyError:
            here, there = _flat(before), _flat(after)
            moved: set[int] | None = None
            if self._dates == "gone":
                moved = set() if consistency.recurring(here, there) else None
            elif consistency.unmoved(here, there):
                moved = set()
            else:
                moved = consistency.offsets(here, there)
            self._size += _ENTRY
            return self._moves.setdefault(key, moved)

    def _in_pixels(self, result: Deidentified) -> Iterator[Finding]:
        source, parts = result.source, result.parts
        span, encoding = source.pixels, source.encoding
        start, stop = (span.start, span.stop) if span else (0, 0)
        whole = span is None or consistency.is_pixel_data(
            source.data, start, stop, implicit=encoding.implicit, big_endian=encoding.big_endian
        )
        if not whole or parts[0] is not result.header:
            yield Finding("pixels", "bytes")
        elif not consistency.is_same_memory(parts[1:], source.data, start, stop):
            yield Finding("pixels", "bytes")


def _leaves(tag: int, raw: bytes, before: bytes, context: _Context) -> tuple[list[Leaf], bool]:
    """The values in a piece, and whether they are all that is in it."""
    leaf = plain_leaf(tag, raw, implicit=context.implicit) if tag else None
    if leaf is not None:
        return [leaf], True
    with quiet_pydicom():
        context_of = (context.charset if tag != _CHARSET else b"") + before
        if before == raw:
            context_of = context.charset
        leaves = leaves_of(raw, context_of, implicit=context.implicit, big_endian=context.big_endian)
    return leaves, False


def _flat(dates: Iterable[tuple[At, ...]]) -> list[At]:
    return [at for some in dates for at in some]


def _says_method(leaf: Leaf) -> bool:
    """Whether a value of the method or its codes says nothing but how it was done."""
    return all(
        _METHOD_TEXT.fullmatch(value) or _METHOD_WORDS.issuperset(value.lower().split())
        for value in leaf.values()
    )
