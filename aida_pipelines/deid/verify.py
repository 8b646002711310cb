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
* names in coded values (VR CS) that are terms of the standard ("TEXT", "IMAGE");
* names, short ids and dates inside values that are well-formed numbers, UIDs, times or dates, where digits meet by
  chance; there numbers of seven digits or more and UIDs are compared as a whole, and dates with the date that was
  in the same place;
* what the profile retains by an option: UIDs, full dates, institutions, devices' serial numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from aida_pipelines.contracts.profile import Action, DateMode, DeidProfile, Option
from aida_pipelines.deid.engine import Deidentified
from aida_pipelines.deid.verification import consistency
from aida_pipelines.deid.verification.edges import edges_of
from aida_pipelines.deid.verification.identifiers import Known, Sight
from aida_pipelines.deid.verification.leaves import Leaf
from aida_pipelines.deid.verification.ledger import Ledger
from aida_pipelines.deid.verification.memory import Context, Found, Given, Memory
from aida_pipelines.deid.verification.pieces import Piece, UncutError, cut, file_meta
from aida_pipelines.deid.verification.traces import At, Traces, found_in, has_text, traces_of
from aida_pipelines.dicom.parse import ParsedFile
from aida_pipelines.errors import Quarantine

_CHARSET, _IDENTITY_REMOVED = 0x00080005, 0x00120062
_PATIENT_NAME, _PATIENT_ID, _ISSUER = 0x00100010, 0x00100020, 0x00100021
_REQUIRED = ("00080016", "00080018", "0020000d", "0020000e")
_SAME = (("00080016", "00020002"), ("00080018", "00020003"))
"""SOP class and instance, in the data set and in its file meta information."""

_METHOD, _METHOD_CODES = 0x00120063, 0x00120064

_META = frozenset({0x00020000, 0x00020001, 0x00020002, 0x00020003, 0x00020010, 0x00020012, 0x00020013})
"""What PS3.10 section 7.1 requires, and who wrote the file."""

_META_SOURCE = frozenset({0x00020003, 0x00020016, 0x00020017, 0x00020018, 0x00020026, 0x00020028})
"""Of a source's file meta information: the instance, and the application entities that it came through."""

_MOST_MOVES = 1 << 12
_SYNTAXES = {"1.2.840.10008.1.2": (True, False), "1.2.840.10008.1.2.2": (False, True)}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that may not be.

    Attributes:
        kind: An identifier of the source: ``name``, ``id``, ``phone``, ``mail``, ``address``, ``place`` (institution,
            department), ``birth-date``, ``date``, ``uid``. Or: ``date-shift``, dates have not moved together;
            ``uid-map``, a UID has not one successor; ``file-meta``, more is said than must be, or something else than
            in the data set; ``pixels``, they are not the source's; ``subject``, not the one that the patient had
            before; ``age``, over 90 years; ``incomplete``, something required is missing or not what it must be.
        where: The attribute's tag as eight hexadecimal digits, or ``bytes`` for the raw search.
    """

    kind: str
    where: str


def sight_of(profile: DeidProfile, ordinary: Iterable[str]) -> Sight:
    """What is looked for under a profile: what it retains on purpose is no finding."""
    devices_kept = Option.RETAIN_DEVICE_IDENTITY in profile.options
    cleaned = {name for rule in profile.rules if rule.action is not Action.KEEP for name in rule.attributes}
    return Sight(
        ordinary=frozenset(ordinary),
        institutions=Option.RETAIN_INSTITUTION_IDENTITY not in profile.options,
        stations=not devices_kept or "StationName" in cleaned,
        devices=not devices_kept or "DeviceSerialNumber" in cleaned,
    )


class Verifier:
    """Looks for a patient's identifiers in de-identified headers. Not safe for several threads.

    Args:
        profile: Which options the profile takes: what is retained on purpose is no finding.
        ordinary: Words that are no sign of a person: the descriptions' allow-list, normalised.
    """

    def __init__(self, profile: DeidProfile, ordinary: Iterable[str]) -> None:
        options = profile.options
        self._uids_kept = Option.RETAIN_UIDS in options
        self._dates: consistency.Dates | None = "gone"
        if Option.RETAIN_LONGITUDINAL_FULL_DATES in options:
            self._dates = None
        elif Option.RETAIN_LONGITUDINAL_MODIFIED_DATES in options:
            self._dates = "together" if profile.dates is DateMode.SHIFT else "in-order"
        self._memory, self._ledger = Memory(sight_of(profile, ordinary)), Ledger()
        self._moves: dict[tuple[tuple[At, ...], ...], consistency.Moved] = {}

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
        self._memory.trim()
        source, header = result.source, result.header
        given, pieces = self._given(source)
        meta, start = file_meta(header)
        implicit, big_endian = _SYNTAXES.get(source.transfer_syntax, (False, False))
        written = cut(header, start, len(header), implicit=implicit, big_endian=big_endian)
        seen: Found = []
        wanted = self._memory.known(given)
        lively = self._memory.search(meta, self._plain(), wanted, seen)
        after = self._memory.context(written, implicit=implicit, big_endian=big_endian)
        lively += self._memory.search(written, after, wanted, seen)
        found = [Finding(kind, where) for kind, where in seen]
        found += _in_file_meta(header, meta, source.transfer_syntax)
        found += _in_results(result.subject, written)
        found += _in_pixels(result)
        found += _at_edges(result, wanted[1])
        self._compared(result, given, lively, _patient(pieces), found)
        return found

    def _plain(self) -> Context:
        return self._memory.context((), implicit=False, big_endian=False)

    def _given(self, source: ParsedFile) -> tuple[list[Given], list[Piece]]:
        """What the source gives away, file meta information and what lies behind the pixel data included."""
        data, encoding = source.data, source.encoding
        written = {"implicit": encoding.implicit, "big_endian": encoding.big_endian}
        end = source.pixels.start if source.pixels else len(data)
        given, pieces = self._memory.given(data, source.start, end, **written)
        with suppress(UncutError):
            meta = [piece for piece in file_meta(data)[0] if piece[0] in _META_SOURCE]
            given += self._memory.given_by(meta, self._plain())
        if source.pixels and len(data) - source.pixels.stop > 8:
            # Nothing says that what lies there is a data set.
            with suppress(Exception):
                given += self._memory.given(data, source.pixels.stop, len(data), **written)[0]
        return given, pieces

    # --- comparing ----------------------------------------------------------------------------------------

    def _compared(
        self,
        result: Deidentified,
        given: list[Given],
        lively: list[Traces],
        patient: bytes,
        found: list[Finding],
    ) -> None:
        """What stands in the same place before and after, and in other instances."""
        after = {traces.where: traces.uids for traces in lively if traces.uids}
        found += _named(after)
        pairs: list[consistency.Pair] = []
        if not self._uids_kept:
            found += _still_there(given, lively)
            pairs, is_mapping = consistency.one_to_one(consistency.pairs_of(_uids_by_tag(given), after))
            if not is_mapping or not self._ledger.uids_agree(pairs):
                found.append(Finding("uid-map", "bytes"))
        days: int | None = None
        if self._dates is not None:
            moved = self._moved(
                self._dates,
                tuple([one.dates for one in given if one.dates]),
                tuple([traces.dates for traces in lively if traces.dates]),
            )
            days = moved.days
            found += [Finding(kind, where) for kind, where in moved.wrong]
        if not self._ledger.subject_agrees(patient, result.subject, days):
            found.append(Finding("subject", "bytes"))
        if not found:
            self._ledger.enter(pairs, patient, result.subject, days)

    def _moved(
        self, how: consistency.Dates, before: tuple[tuple[At, ...], ...], after: tuple[tuple[At, ...], ...]
    ) -> consistency.Moved:
        key = (*before, (), *after)
        moved = self._moves.get(key)
        if moved is None:
            here, there = ([at for some in dates for at in some] for dates in (before, after))
            moved = consistency.moved(here, there, how)
            if len(self._moves) >= _MOST_MOVES:
                self._moves.clear()
            self._moves[key] = moved
        return moved


def _patient(pieces: list[Piece]) -> bytes:
    """Patient ID and its issuer as written, and the character set that says how; empty if there is no id."""
    if not any(tag == _PATIENT_ID and raw[8:].partition(b"\\")[0].strip(b"\0 ") for tag, raw in pieces):
        return b""
    return b"".join([raw for tag, raw in pieces if tag in (_CHARSET, _PATIENT_ID, _ISSUER)])


def _in_file_meta(header: bytes, meta: list[Piece], syntax: str) -> Iterator[Finding]:
    """Whether there is nothing but what must be."""
    declared = next((raw[8:].strip(b"\0 ") for tag, raw in meta if tag == 0x00020010), b"")
    if any(header[:128]) or not _META.issuperset([tag for tag, _ in meta]):
        yield Finding("file-meta", "bytes")
    if declared != syntax.encode("latin-1"):
        yield Finding("file-meta", "00020010")


def _uids_by_tag(given: list[Given]) -> dict[str, list[At]]:
    """The data set's UIDs by the top-level attribute that they are in; file meta information may name another."""
    by_tag: dict[str, list[At]] = {}
    for one in given:
        if one.uids and one.tag >> 16 != 0x0002:
            for at in one.uids:
                by_tag.setdefault(at[0][:8], []).append(at)
    return by_tag


def _still_there(given: list[Given], lively: list[Traces]) -> Iterator[Finding]:
    """UIDs of the source in the output, as a value or within any other."""
    known: set[str] = set().union(*[one.own_uids for one in given])
    for traces in lively:
        if not known.isdisjoint(traces.mentioned):
            places = {path[-8:] for path, values in traces.uids if not known.isdisjoint(values)}
            yield from (Finding("uid", place) for place in sorted(places) or [traces.where])


def _named(uids: dict[str, tuple[At, ...]]) -> Iterator[Finding]:
    """Whether instance, series, study and class have UIDs, and the same in the file meta information."""
    for tag in _REQUIRED:
        if not any(values[0] for _, values in uids.get(tag, ())):
            yield Finding("incomplete", tag)
    for inside, outside in _SAME:
        if [values for _, values in uids.get(inside, ())] != [values for _, values in uids.get(outside, ())]:
            yield Finding("file-meta", outside)


def _in_results(subject: str, written: list[Piece]) -> Iterator[Finding]:
    """Whether it says that, how and for whom it was done; and each thing once."""
    by_tag, name = dict(written), subject.encode("ascii")
    if [tag for tag, _ in written] != sorted(by_tag):
        yield Finding("incomplete", "bytes")
    expected = {_IDENTITY_REMOVED: b"YES", _PATIENT_NAME: name, _PATIENT_ID: name}
    for tag, value in expected.items():
        if by_tag.get(tag, b"")[8:].strip(b"\0 ") != value:
            yield Finding("incomplete", f"{tag:08x}")
    yield from (Finding("incomplete", f"{tag:08x}") for tag in (_METHOD, _METHOD_CODES) if tag not in by_tag)


def _at_edges(result: Deidentified, known: Known) -> Iterator[Finding]:
    """Identifiers in pixel data where something else than pixels may be."""
    source, span = result.source, result.source.pixels
    if span is None or not result.pixels:
        return
    encoding = source.encoding
    for piece in edges_of(
        source.data,
        span.start,
        span.stop,
        result.blanks,
        implicit=encoding.implicit,
        big_endian=encoding.big_endian,
    ):
        if not has_text(piece):
            continue
        traces = traces_of(span.tag, [Leaf(f"{span.tag:08x}", "OB", piece)], piece)
        yield from (Finding(kind, where) for kind, where in found_in(traces, known))


def _in_pixels(result: Deidentified) -> Iterator[Finding]:
    """Whether what is written behind the header is the source's pixel data, but for the blanks."""
    source, parts = result.source, result.parts
    encoding, span = source.encoding, source.pixels
    start, stop = (span.start, span.stop) if span else (0, 0)
    is_whole = span is None or consistency.is_pixel_data(
        source.data, start, stop, implicit=encoding.implicit, big_endian=encoding.big_endian
    )
    if not (
        is_whole
        and parts[0] is result.header
        and consistency.is_same_memory(parts[1:], source.data, start, stop)
    ):
        yield Finding("pixels", "bytes")
