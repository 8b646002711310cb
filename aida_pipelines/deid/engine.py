"""One instance de-identified: a new header, and the pixel data as they were.

The header is rewritten element by element from the bytes of the source; pixel data are a view into the
source, not decoded, not re-encoded and not copied. Encodings stay as they are except that a deflated data
set comes out inflated (Explicit VR Little Endian).

The rewriting is one class, ``_Rewriter``; a faster one has only to give the same bytes for the same parsed
file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite
from struct import error as struct_error
from struct import pack
from types import MappingProxyType
from typing import TYPE_CHECKING

from aida_pipelines.contracts.profile import Action, DeidProfile, Option, Prose
from aida_pipelines.deid._ps3_3_terms import CODED_TERMS
from aida_pipelines.deid._ps3_3_types import NEVER_EMPTY
from aida_pipelines.deid._ps3_15_e1_1 import EDITION
from aida_pipelines.deid.admission import admit
from aida_pipelines.deid.bulk import table_hides_text
from aida_pipelines.deid.codes import (
    CODE_TAGS,
    SCHEME,
    SCHEME_VERSION,
    URN_CODE_VALUE,
    is_public,
    is_scheme,
    is_version,
)
from aida_pipelines.deid.content import (
    MAYBE_PROSE,
    POSITION,
    STRUCTURED,
    Positions,
    is_out_of_place,
    is_prose,
    place_of,
    positions,
    refers_by_position,
)
from aida_pipelines.deid.dates import moved_value
from aida_pipelines.deid.descriptors import (
    UNKNOWN_WORD,
    DescriptorCleaner,
    say_a_number,
    unified,
    without_spelt_out,
)
from aida_pipelines.deid.devices import DeviceCleaner
from aida_pipelines.deid.honest import BINARY_VRS, TEMPORAL_VRS, is_honest, is_nobodys
from aida_pipelines.deid.icc import rebuilt
from aida_pipelines.deid.identity import known_of
from aida_pipelines.deid.pseudonym import Pseudonyms
from aida_pipelines.deid.rules import RuleBook, Rules
from aida_pipelines.deid.text.known import Known
from aida_pipelines.deid.timeline import Timeline, timeline
from aida_pipelines.dicom.dictionary import UID_dictionary
from aida_pipelines.dicom.encode import encode_element, encode_file_meta, encode_item
from aida_pipelines.dicom.frames import Blank, foreign_bytes
from aida_pipelines.dicom.parse import (
    EXPLICIT,
    IMPLICIT,
    Element,
    Encoding,
    ParsedFile,
    Source,
    UnreadableError,
    Walker,
    parse_file,
    vr_of,
)
from aida_pipelines.dicom.values import DEFAULT_CHARSET, charset_of, decode_text, is_charset, numbers, strings
from aida_pipelines.errors import InstanceOutcome, Quarantine

if TYPE_CHECKING:
    from aida_pipelines.deid.text.cleaner import TextCleaner

_CHARSET = 0x00080005
_SOP_CLASS, _SOP_INSTANCE, _MODALITY, _MANUFACTURER = 0x00080016, 0x00080018, 0x00080060, 0x00080070
_PATIENT_NAME, _PATIENT_ID, _ISSUER = 0x00100010, 0x00100020, 0x00100021
_ISSUER_QUALIFIERS, _UNIVERSAL_ENTITY_ID = 0x00100024, 0x00400032
_STUDY, _SERIES = 0x0020000D, 0x0020000E
_SAMPLES, _PHOTOMETRIC, _FRAMES = 0x00280002, 0x00280004, 0x00280008
_ROWS, _COLUMNS, _BITS = 0x00280010, 0x00280011, 0x00280100
_ICC_PROFILE = 0x00282000
_RESCALE_TYPE, _MODALITY_LUT_TYPE = 0x00281054, 0x00283004
_PALETTES = ((0x00281101, 0x00281201), (0x00281102, 0x00281202), (0x00281103, 0x00281203))
_BURNED_IN, _TEMPORAL_MODIFIED = 0x00280301, 0x00280303
_IDENTITY_REMOVED, _METHOD, _METHOD_CODES = 0x00120062, 0x00120063, 0x00120064
_CONCEPT_NAME, _CONTENT = 0x0040A043, 0x0040A730
OFFSET_TABLES = frozenset({0x7FE00001, 0x7FE00002, 0x7FE00003})
"""Extended Offset Table and what belongs to it: places in the pixel data."""

_VIDEO_SYNTAXES = ("1.2.840.10008.1.2.4.10", "1.2.840.10008.1.2.7.")
"""MPEG-2, MPEG-4, HEVC (4.100 to 4.108) and SMPTE ST 2110: any number of frames in one fragment."""

METHOD_CODES: dict[Option | None, tuple[str, str]] = {
    None: ("113100", "Basic Application Confidentiality Profile"),
    Option.CLEAN_DESCRIPTORS: ("113105", "Clean Descriptors Option"),
    Option.RETAIN_LONGITUDINAL_FULL_DATES: (
        "113106",
        "Retain Longitudinal Temporal Information Full Dates Option",
    ),
    Option.RETAIN_LONGITUDINAL_MODIFIED_DATES: (
        "113107",
        "Retain Longitudinal Temporal Information Modified Dates Option",
    ),
    Option.RETAIN_PATIENT_CHARACTERISTICS: ("113108", "Retain Patient Characteristics Option"),
    Option.RETAIN_DEVICE_IDENTITY: ("113109", "Retain Device Identity Option"),
    Option.RETAIN_UIDS: ("113110", "Retain UIDs Option"),
    Option.RETAIN_SAFE_PRIVATE: ("113111", "Retain Safe Private Option"),
    Option.CLEAN_STRUCTURED_CONTENT: ("113104", "Clean Structured Content Option"),
    Option.CLEAN_GRAPHICS: ("113103", "Clean Graphics Option"),
    Option.RETAIN_INSTITUTION_IDENTITY: ("113112", "Retain Institution Identity Option"),
}
"""De-identification Method Code Sequence: PS3.16 CID 7050, coding scheme DCM."""

_DUMMIES = {
    "AS": "000Y", "DA": "19000101", "DT": "19000101000000", "TM": "000000", "CS": "REMOVED",
    "DS": "0", "IS": "0", "AE": "REMOVED", "UR": "urn:removed",
    **dict.fromkeys(("LO", "SH", "PN", "LT", "ST", "UT", "UC"), "REMOVED"),
}  # fmt: skip
_DUMMY_BYTES = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "AT": 4, "UV": 8, "SV": 8}

_MAX_CODED_DIGITS = 5
"""Digits that the numbers among a coded attribute's values may have in all."""

_SHORT_NUMBER = re.compile(r"[0-9]{1,3}")
"""An identifier that is too short to be anyone's: the second stack, the third optical path."""
_PRIVATE_SCHEME = 14
"""Characters after the ``99`` with which designators of private coding schemes begin."""
_PUBLIC_URN = re.compile(r"urn:oid:2\.16\.840\.1\.113883\.6\.\d{1,3}")

_KEPT_IN_PLACE = (Action.KEEP, Action.CLEAN_DEVICE, Action.PSEUDONYM)
_MAX_SHORT = 0xFFFE
"""Bytes that a value with a length of 16 bits may have."""

MAX_AGE_YEARS = 89
"""Older ones are few enough to be found by their age: they all become 90 (HIPAA 164.514(b)(2)(i)(C))."""

_REGISTERED_UID = re.compile(
    r"1\.2\.840\.10008\.6\.1\.\d{1,4}"  # context groups (PS3.16)
    r"|1\.2\.840\.10008\.5\.1\.4\.1\.1\.\d{1,3}(\.\d{1,2}){0,2}"  # storage SOP classes (PS3.4)
    r"|2\.16\.840\.1\.113883\.6\.\d{1,3}"  # code systems registered with HL7 (PS3.16 chapter 8)
)


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to one attribute, at any depth. Never its value."""

    tag: int
    vr: str
    action: Action


@dataclass(frozen=True, slots=True)
class Deidentified:
    """An instance that may be verified and then passed on.

    Attributes:
        header: Preamble, file meta information and data set up to the pixel data.
        pixels: The pixel data element as it is in the source (a view), empty if there is none.
        blanks: The parts of it that hold something else than the image; they are passed on as zeros.
        source: The source as parsed; ``verify`` takes the original identifiers from it.
        subject: The subject's pseudonym.
        changes: What was done, one entry an attribute that did not stay as it was.
        elements: The new header's top level by tag: what ``header`` holds after the file meta information.
    """

    header: bytes
    pixels: memoryview
    source: ParsedFile
    subject: str
    changes: tuple[Change, ...]
    elements: Mapping[int, bytes]
    blanks: tuple[Blank, ...] = ()

    @property
    def parts(self) -> tuple[bytes | memoryview, ...]:
        """What to write, in order."""
        parts: list[bytes | memoryview] = [self.header]
        position = 0
        for start, stop in self.blanks:
            parts += (self.pixels[position:start], bytes(stop - start))
            position = stop
        return (*parts, self.pixels[position:])


@dataclass(frozen=True, slots=True)
class DeclaredPixels:
    """What the image pixel module declares (PS3.3 C.7.6.3).

    Attributes:
        is_image: Whether there must be pixel data.
        native: Bytes that they have when not compressed.
        frames: How many frames these are.
    """

    is_image: bool
    native: int
    frames: int

    def blanks(self, parsed: ParsedFile) -> tuple[Blank, ...]:
        """Compare the pixel data with what is declared.

        Returns:
            What in them is no image, relative to their start.

        Raises:
            Quarantine: ``pixel-data-truncated``, or ``frames-unreadable`` for what isn't of its transfer syntax.
        """
        span, syntax = parsed.pixels, parsed.transfer_syntax
        if span is None:
            if self.is_image:
                raise Quarantine("pixel-data-truncated")
            return ()
        if self.is_image:
            if span.fragments is None:
                missing = span.stop - span.value < self.native
            else:
                missing = span.fragments < (1 if syntax.startswith(_VIDEO_SYNTAXES) else self.frames)
            if missing:
                raise Quarantine("pixel-data-truncated")
        found = foreign_bytes(
            parsed.data, span, parsed.encoding, syntax, native=self.native, frames=self.frames
        )
        return tuple((start - span.start, stop - span.start) for start, stop in found)


@dataclass(frozen=True, slots=True)
class Decisions:
    """What holds for an instance as a whole and decides how each of its elements is rewritten.

    Attributes:
        subject: The subject's pseudonym.
        rules: The actions.
        charset: Python's names for the character set of the top level.
        sop_class: The SOP class.
        pixels: What is declared of pixel data.
        added: Elements that say what was done, by tag.
        known: Whom it is about, for the texts.
    """

    subject: str
    rules: Rules
    charset: Sequence[str]
    sop_class: str
    pixels: DeclaredPixels
    added: dict[int, bytes]
    known: Known


class Deidentifier:
    """De-identifies instances by one profile under one key.

    Args:
        profile: The profile.
        pseudonyms: The domain's pseudonyms.
        cleaner: What keeps descriptions' harmless words.
        devices: What keeps what devices write.
        issuer: Issuer of patient ids whose header names none: the site's.
    """

    def __init__(
        self,
        profile: DeidProfile,
        pseudonyms: Pseudonyms,
        cleaner: DescriptorCleaner,
        devices: DeviceCleaner,
        *,
        issuer: str,
    ) -> None:
        self.profile = profile
        self._pseudonyms = pseudonyms
        self._cleaner = cleaner
        self._devices = devices
        self._issuer = issuer
        self._timeline = timeline(profile.dates, pseudonyms)
        self._rules = RuleBook(profile)
        self._prose = _prose_cleaner(cleaner.tokens) if profile.prose is Prose.CLEAN else None

    def deidentify(self, source: Source, *, pixels_reviewed: bool = False) -> Deidentified:
        """De-identify one file.

        Args:
            source: The file's bytes or a memory map of them; must outlive the result.
            pixels_reviewed: A person has looked at the pixels and answers for them: they pass whatever the
                header says about text in them, and the header then says that there is none.

        Raises:
            Quarantine: With the reason; never anything else, and never with a value of the header.
        """
        parsed = parse_file(source)
        try:
            return self._deidentify(parsed, pixels_reviewed)
        except InstanceOutcome:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, its message may hold a value: only the code goes on
            raise Quarantine("deid-failed") from None

    def _deidentify(self, parsed: ParsedFile, reviewed: bool) -> Deidentified:
        top = Top(parsed)
        decided = self.decide(top, reviewed)
        blanks = decided.pixels.blanks(parsed)
        rewriter = self.rewriter(parsed, decided)
        written = rewriter.data_set(parsed.elements, parsed.encoding, decided.charset, top_level=True)
        return self.assembled(parsed, decided, top.instance, written, rewriter.changes, blanks)

    def decide(self, top: Top, reviewed: bool) -> Decisions:
        """What holds for the instance as a whole, out of nothing but what is read of ``top``.

        Raises:
            Quarantine: It isn't let through.
        """
        admit(top, self.profile, reviewed=reviewed)
        study, series = top.text(_STUDY), top.text(_SERIES)
        if not study or not series:
            raise Quarantine("no-series")
        if top.text(_PHOTOMETRIC) == "PALETTE COLOR" and not _has_a_palette(top):
            raise Quarantine("palette-doubtful")
        sop_class = top.text(_SOP_CLASS)
        issuer = top.text(_ISSUER) or top.inner_text(_ISSUER_QUALIFIERS, _UNIVERSAL_ENTITY_ID)
        subject = self.subject_of(top.text(_PATIENT_ID), issuer, study)
        added = self._result_attributes(top.encoding, subject)
        # Whatever VR it is written with: it is on the profile's list, and without it the object can't be read.
        added[_SOP_CLASS] = encode_element(_SOP_CLASS, "UI", sop_class.encode("ascii"), top.encoding)
        if reviewed:
            added[_BURNED_IN] = encode_element(_BURNED_IN, "CS", b"NO", top.encoding)
        return Decisions(
            subject=subject,
            rules=self._rules.rules_for(top.text(_MODALITY), top.text(_MANUFACTURER), sop_class),
            charset=top.charset,
            sop_class=sop_class,
            pixels=_declared_pixels(top),
            added=added,
            known=known_of(top),
        )

    def rewriter(self, parsed: ParsedFile, decided: Decisions) -> _Rewriter:
        """What rewrites the elements of ``parsed``."""
        return _Rewriter(
            parsed,
            decided.rules,
            self._pseudonyms,
            self._timeline,
            self._cleaner,
            self._devices,
            decided.subject,
            decided.known,
            self._prose,
        )

    def assembled(
        self,
        parsed: ParsedFile,
        decided: Decisions,
        sop_instance: str,
        written: dict[int, bytes],
        changes: Sequence[Change],
        blanks: tuple[Blank, ...],
    ) -> Deidentified:
        """The result out of the rewritten elements by tag, to which the decided ones are added."""
        written.update(decided.added)
        new_instance = _uid_of(sop_instance, self._pseudonyms)
        meta = encode_file_meta(decided.sop_class, new_instance, parsed.transfer_syntax)
        span = parsed.pixels
        view = memoryview(parsed.data)
        return Deidentified(
            header=meta + b"".join([written[tag] for tag in sorted(written)]),
            pixels=view[span.start : span.stop] if span else view[:0],
            source=parsed,
            subject=decided.subject,
            changes=tuple(changes),
            elements=written,
            blanks=blanks,
        )

    def subject_of(self, patient_id: str, issuer: str, study_instance_uid: str) -> str:
        """The subject's pseudonym; a study without a patient id is a subject of its own."""
        if patient_id:
            return self._pseudonyms.subject(issuer or self._issuer, patient_id)
        if not study_instance_uid:
            raise Quarantine("no-patient-id")
        return self._pseudonyms.subject(self._issuer, f"study:{study_instance_uid}")

    def _result_attributes(self, encoding: Encoding, subject: str) -> dict[int, bytes]:
        """What says that, how and for whom it was done (PS3.15 E.1.1 step 7, E.2, E.3.6)."""

        def text(tag: int, vr: str, value: str) -> bytes:
            return encode_element(tag, vr, value.encode("ascii"), encoding)

        options = self.profile.options
        codes = [METHOD_CODES[None], *sorted(METHOD_CODES[option] for option in options)]
        items = b"".join(
            encode_item(
                text(0x00080100, "SH", value)
                + text(0x00080102, "SH", "DCM")
                + text(0x00080104, "LO", meaning),
                encoding,
            )
            for value, meaning in codes
        )
        temporal = "REMOVED"
        if Option.RETAIN_LONGITUDINAL_MODIFIED_DATES in options:
            temporal = "MODIFIED"
        elif Option.RETAIN_LONGITUDINAL_FULL_DATES in options:
            temporal = "UNMODIFIED"
        method = (f"aida_pipelines {self.profile.name} {self.profile.version}", f"DICOM PS3.15 {EDITION}")
        return {
            _PATIENT_NAME: text(_PATIENT_NAME, "PN", subject),
            _PATIENT_ID: text(_PATIENT_ID, "LO", subject),
            _IDENTITY_REMOVED: text(_IDENTITY_REMOVED, "CS", "YES"),
            _METHOD: text(_METHOD, "LO", "\\".join(method)),
            _METHOD_CODES: encode_element(_METHOD_CODES, "SQ", items, encoding),
            _TEMPORAL_MODIFIED: text(_TEMPORAL_MODIFIED, "CS", temporal),
        }


def _prose_cleaner(tokens: frozenset[str]) -> TextCleaner:
    from aida_pipelines.deid.text.cleaner import TextCleaner  # its patterns take a while to compile
    from aida_pipelines.deid.text.words import Words

    return TextCleaner(Words(tokens))


class Top:
    """Values of the data set's top level.

    Args:
        parsed: The instance.

    Attributes:
        encoding: Of the data set.
        read: The tags whose values were asked for, whether they are there or not.
        instance: SOP Instance UID: every instance has its own, and nothing else depends on it.
        charset: Python's names for the Specific Character Set.
    """

    def __init__(self, parsed: ParsedFile) -> None:
        self._parsed = parsed
        self._elements = {element.tag: element for element in parsed.elements}
        self.encoding = parsed.encoding
        charset = self._elements.get(_CHARSET)
        self.charset = charset_of(parsed.value(charset)) if charset else DEFAULT_CHARSET
        self.read: set[int] = set()
        instances = self.texts(_SOP_INSTANCE)
        self.instance = instances[0] if len(instances) == 1 else ""  # two are none
        self.read = {_CHARSET}

    def texts(self, tag: int) -> list[str]:
        """All values of a text-like attribute."""
        self.read.add(tag)
        element = self._elements.get(tag)
        if element is None:
            return []
        vr = vr_of(tag) if element.vr == "UN" else element.vr
        return strings(self._parsed.value(element), vr, self.charset)

    def bytes_of(self, tag: int) -> bytes:
        """The value's bytes; none if it is empty or not there."""
        self.read.add(tag)
        element = self._elements.get(tag)
        return self._parsed.value(element) if element else b""

    def text(self, tag: int) -> str:
        """The first value of a text-like attribute; empty if there is none."""
        return next(iter(self.texts(tag)), "")

    def inner_text(self, sequence: int, tag: int) -> str:
        """The first value of a text-like attribute in a sequence's first item; empty if there is none."""
        return next(iter(self.inner_texts(sequence, tag)), "")

    def inner_texts(self, sequence: int, tag: int) -> list[str]:
        """First values of a text-like attribute in a sequence's items; empty where an item has none."""
        self.read.add(sequence)
        element = self._elements.get(sequence)
        inner = [
            next((one for one in item if one.tag == tag), None)
            for item in (element.items or () if element else ())
        ]
        return [
            decode_text(self._parsed.value(one), vr_of(tag), self.charset) if one else "" for one in inner
        ]

    def number(self, tag: int, default: int) -> int:
        """The first value of a numeric attribute."""
        self.read.add(tag)
        element = self._elements.get(tag)
        if element is None:
            return default
        vr = vr_of(tag) if element.vr == "UN" else element.vr
        found = numbers(self._parsed.value(element), vr, self._parsed.encoding)
        return int(found[0]) if found and isfinite(found[0]) else default


def _has_a_palette(top: Top) -> bool:
    """Whether all three colours have a table of as many entries as is declared, with nothing to be read in it."""
    for descriptor, plain in _PALETTES:
        table, entries = top.bytes_of(plain), top.number(descriptor, 0) or 1 << 16
        if not table:
            table = top.bytes_of(plain + 0x20)
        elif len(table) - len(table) % 2 not in (entries + entries % 2, 2 * entries):
            return False
        if not table or table_hides_text(table):
            return False
    return True


def _declared_pixels(top: Top) -> DeclaredPixels:
    rows, columns, frames = top.number(_ROWS, 0), top.number(_COLUMNS, 0), max(top.number(_FRAMES, 1), 1)
    # In YBR_FULL_422 and YBR_PARTIAL_422 two pixels share their chrominance (C.7.6.3.1.2).
    samples = 2 if top.text(_PHOTOMETRIC).endswith("_422") else top.number(_SAMPLES, 1)
    native = ceil(rows * columns * frames * samples * top.number(_BITS, 8) / 8)
    return DeclaredPixels(bool(rows and columns), native, frames)


class _Rewriter:
    """Rewrites one instance's data sets."""

    def __init__(
        self,
        parsed: ParsedFile,
        rules: Rules,
        pseudonyms: Pseudonyms,
        timeline: Timeline,
        cleaner: DescriptorCleaner,
        devices: DeviceCleaner,
        subject: str,
        known: Known,
        prose: TextCleaner | None,
    ) -> None:
        self._parsed = parsed
        self._rules = rules
        self._pseudonyms = pseudonyms
        self._timeline = timeline
        self._cleaner = cleaner
        self._devices = devices
        self._subject = subject
        self._known = known
        self._prose = prose
        self.changes: list[Change] = []
        self._in_content, self._structured, self._positions = False, False, Positions()

    def data_set(
        self,
        elements: Sequence[Element],
        encoding: Encoding,
        charset: Sequence[str],
        *,
        top_level: bool = False,
        overrides: Mapping[int, Action] = MappingProxyType({}),
    ) -> dict[int, bytes]:
        """The rewritten elements by tag; of a tag that is there twice, the last."""
        written: dict[int, bytes] = {}
        creators = self._creators(elements)
        if not top_level:
            charset = self._charset_of(elements, charset)
        scheme = self._text_of(elements, SCHEME) if not top_level else ""
        for element in elements:
            tag = element.tag
            if tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF:
                continue  # a private creator: it stays if something of its block does
            if top_level and tag in OFFSET_TABLES and self._fits_pixels(element):
                # Numbers that belong to the pixel data and are true as long as those are untouched.
                written[tag] = self._copy(element, encoding)
                continue
            new = self._element(
                element,
                creators.get(tag >> 8),
                overrides.get(tag),
                encoding,
                charset,
                scheme,
                top_level=top_level,
            )
            if new is None:
                written.pop(tag, None)
                self.changes.append(Change(tag, element.vr, Action.REMOVE))
            else:
                written[tag] = new
        written.update(self._creators_of(written, creators, encoding))
        self.changes += [
            Change(tag, "LO", Action.REMOVE)
            for block in creators
            if (tag := block >> 8 << 16 | block & 0xFF) not in written
        ]
        return written

    def _creators(self, elements: Sequence[Element]) -> dict[int, str]:
        """Creator of each private block (its tags without their last byte); empty where two claim it."""
        creators: dict[int, str] = {}
        for element in elements:
            if element.tag >> 16 & 1 and 0x10 <= element.tag & 0xFFFF <= 0xFF:
                block = element.tag >> 16 << 8 | element.tag & 0xFF
                creator = self._parsed.value(element).decode("latin-1").strip("\0 ")
                creators[block] = creator if creators.get(block, creator) == creator else ""
        return creators

    def _creators_of(
        self, written: dict[int, bytes], creators: dict[int, str], encoding: Encoding
    ) -> dict[int, bytes]:
        """The creators' elements of blocks of which something was written."""
        blocks = {tag >> 8 for tag in written if tag >> 16 & 1}
        places = {block: block >> 8 << 16 | block & 0xFF for block in blocks}
        return {
            place: encode_element(place, "LO", creators[block].encode("ascii"), encoding)
            for block, place in places.items()
        }

    def _charset_of(self, elements: Sequence[Element], inherited: Sequence[str]) -> Sequence[str]:
        for element in elements:
            if element.tag == _CHARSET:
                return charset_of(self._parsed.value(element))
        return inherited

    def _element(
        self,
        element: Element,
        creator: str | None,
        override: Action | None,
        encoding: Encoding,
        charset: Sequence[str],
        scheme: str,
        *,
        top_level: bool,
    ) -> bytes | None:
        """One element's new bytes, from nothing but its own bytes and what is passed; None if it goes."""
        tag = element.tag
        if tag >> 16 & 1:
            return self._private(element, creator, encoding, charset) if creator else None
        action = override or self._rules.action(tag, element.vr, top_level=top_level)
        vr = vr_of(tag) if element.vr == "UN" else element.vr
        if action in _KEPT_IN_PLACE and self._structured and not override and is_out_of_place(tag, vr):
            return None
        if tag in CODE_TAGS and action is Action.KEEP:
            return self._new(element, self._public(element, vr, scheme, charset), Action.PSEUDONYM, encoding)
        return None if action is Action.REMOVE else self._rewritten(element, vr, action, encoding, charset)

    def _private(
        self, element: Element, creator: str, encoding: Encoding, charset: Sequence[str]
    ) -> bytes | None:
        """A private element's new bytes; None if it goes."""
        rules, tag = self._rules.private, element.tag
        action, vr = rules.resolve(creator, tag, element.vr)
        if action is Action.REMOVE:
            return None
        if vr == "SQ":
            return self._rewritten(self._opened(element), vr, action, encoding, charset)
        value = self._parsed.value(element)
        narrowed = rules.narrowed(creator, tag, vr, value, encoding)
        if narrowed is None or narrowed == value:
            return None if narrowed is None else self._rewritten(element, vr, action, encoding, charset)
        self.changes.append(Change(tag, element.vr, Action.CLEAN_TEXT))
        return encode_element(tag, element.vr, narrowed, encoding)

    def _opened(self, element: Element) -> Element:
        """A sequence that nothing but the rules calls one: in implicit VR or as UN, with its length."""
        if element.vr != "UN":
            return element
        try:
            # PS3.5 section 6.2.2, note 2: what is written as UN is implicit VR little endian inside.
            items, _ = Walker(self._parsed.data).items(
                element.start, element.stop, IMPLICIT, 0, delimited=False
            )
        except (UnreadableError, struct_error, IndexError):
            return element
        return replace(element, vr="SQ", encoding=IMPLICIT, items=items)

    def uid(self, original: str) -> str:
        """A UID's pseudonym; UIDs of the standard are nobody's and stay."""
        return _uid_of(original, self._pseudonyms)

    def _fits_pixels(self, element: Element) -> bool:
        size = len(self._parsed.data)
        return all(number <= size for number in numbers(self._parsed.value(element), "OV", EXPLICIT))

    def _copy(self, element: Element, encoding: Encoding) -> bytes:
        return encode_element(element.tag, element.vr, self._parsed.value(element), encoding)

    def _rewritten(
        self, element: Element, vr: str, action: Action, encoding: Encoding, charset: Sequence[str]
    ) -> bytes | None:
        """The element's new bytes; None if it can't be kept after all."""
        is_sequence = vr == "SQ"
        if not element.tag >> 16 & 1 and is_sequence != (vr_of(element.tag) == "SQ"):
            return None  # a sequence that calls itself something else, or the other way round
        if element.items is not None and not is_sequence:
            return None
        if is_sequence:
            return self._sequence(element, action, encoding, charset)
        if element.tag == POSITION and self._in_content:
            new = self._moved(element)
        else:
            new = self._value(element, vr, action, charset)
        return self._new(element, new, action, encoding)

    def _new(self, element: Element, new: bytes | None, action: Action, encoding: Encoding) -> bytes | None:
        written_as = _written_as(element, action)
        if new is None or (written_as != element.vr and len(new) > _MAX_SHORT):
            return None
        same = new.rstrip(b"\0 ") == self._parsed.value(element).rstrip(b"\0 ")
        if same and written_as == element.vr:
            return self._copy(element, encoding)
        self.changes.append(Change(element.tag, element.vr, action))
        return encode_element(element.tag, written_as, new, encoding)

    def _sequence(
        self, element: Element, action: Action, encoding: Encoding, charset: Sequence[str]
    ) -> bytes | None:
        # What is written as UN is implicit VR little endian inside, and stays so.
        written_as = "SQ" if element.encoding == encoding else "UN"
        if action in (Action.EMPTY, Action.DUMMY, Action.CLEAN_TEXT, Action.SHIFT_DATE):
            self.changes.append(Change(element.tag, "SQ", Action.EMPTY))
            return encode_element(element.tag, written_as, b"", encoding)
        if element.items is None:
            return None if element.stop > element.start else self._copy(element, encoding)
        if element.tag == _CONTENT and not self._in_content:
            return self._content_tree(element, action, encoding, charset)
        around, self._structured = self._structured, self._structured or element.tag in STRUCTURED
        content = b""
        for item in element.items:
            concept, overrides = self._rules.content.decide(item, self._parsed.value)
            if concept is Action.REMOVE or id(item) in self._positions.gone:
                self.changes.append(Change(_CONCEPT_NAME, "SQ", Action.REMOVE))
                continue
            inner = self.data_set(item, element.encoding, charset, overrides=overrides)
            content += encode_item(b"".join(inner[tag] for tag in sorted(inner)), element.encoding)
        self._structured = around
        return encode_element(element.tag, written_as, content, encoding)

    def _text_of(self, elements: Sequence[Element], tag: int) -> str:
        found = [element for element in elements if element.tag == tag]
        return self._parsed.value(found[-1]).decode("latin-1").strip("\0 ") if found else ""

    def _content_tree(
        self, element: Element, action: Action, encoding: Encoding, charset: Sequence[str]
    ) -> bytes | None:
        """The content tree of a structured report, in which items may refer to others by their place."""
        content, value = self._rules.content, self._parsed.value
        self._in_content = True
        if refers_by_position(value(element), element.encoding):
            self._positions = positions(
                element.items or (),
                lambda item: content.decide(item, value)[0] is Action.REMOVE,
                value,
            )
        try:
            return self._sequence(element, action, encoding, charset)
        finally:
            self._in_content, self._positions = False, Positions()

    def _value(  # noqa: PLR0911 - one for each action
        self, element: Element, vr: str, action: Action, charset: Sequence[str]
    ) -> bytes | None:
        value = self._parsed.value(element)
        if element.tag == _ICC_PROFILE and action is Action.KEEP:
            return rebuilt(value)
        if action is Action.KEEP:
            if vr in BINARY_VRS and not is_nobodys(numbers(value, vr, element.encoding)):
                return None
            return self._kept(value, vr, element.tag, charset)
        if action is Action.EMPTY or not value.strip(b"\0 "):
            return b""
        if action is Action.REMAP_UID or vr == "UI":
            return "\\".join(self.uid(uid) for uid in strings(value, "UI")).encode("ascii")
        if action is Action.SHIFT_DATE:
            return self._shifted(value, vr)
        if action is Action.CLEAN_DEVICE:
            cleaned = self._cleaned(value, vr, charset, self._devices)
            # Who made a device is of type 1 in enhanced objects: there must be something.
            return cleaned or _unspecified(element.tag, vr)
        if action is Action.PSEUDONYM:
            return self._tokens(value, vr, charset)
        if action is Action.CLEAN_TEXT:
            cleaned = self._coded(value, charset) if vr == "CS" else self._cleaned(value, vr, charset)
            if element.tag in MAYBE_PROSE and is_prose(value, cleaned):
                cleaned = self._sentences(value, vr, charset)
            # A code without a meaning, a segment without a label are invalid everywhere.
            return cleaned or (dummy_value(vr) if element.tag in NEVER_EMPTY else b"")
        return dummy_value(vr)

    def _kept(self, value: bytes, vr: str, tag: int, charset: Sequence[str]) -> bytes | None:
        """A value that stays, if it is what its VR says."""
        if tag == _CHARSET:
            return _known_charsets(value)
        if vr == "AS":
            return _aggregated_age(value)
        if not value:
            return value
        if vr == "CS":
            return self._coded(value, charset) or (dummy_value(vr) if tag in NEVER_EMPTY else b"")
        if is_honest(value, vr, tag):
            return value
        return b"" if vr in TEMPORAL_VRS or vr in ("DS", "IS") else None

    def _coded(self, value: bytes, charset: Sequence[str]) -> bytes:
        """Of coded values those that the standard lists, short numbers, and words that are known to be harmless."""
        text = decode_text(value, "CS" if value.isascii() else "LO", charset)
        if "\x1b" in text:
            return b""
        parts = [unified(part).strip() for part in text.split("\\")]
        coded = [part if _is_coded(part) else "" for part in parts]
        # What nobody reads in one value may be spelt out over many.
        if sum(map(len, filter(str.isdigit, coded))) > _MAX_CODED_DIGITS or say_a_number(coded):
            coded = ["" if part.isdigit() else part for part in coded]
        coded = without_spelt_out(coded)
        words = self._cleaner.values(
            ["" if _is_coded(part) else self._known.without(part, UNKNOWN_WORD) for part in parts]
        )
        kept = [term or _worded(word) for term, word in zip(coded, words, strict=True)]
        return _encoded("\\".join(kept) if any(kept) else "", charset)

    def _moved(self, element: Element) -> bytes | None:
        """The place of a content item among those that stay."""
        place = self._positions.new(place_of(element, self._parsed.value))
        return pack(f"{element.encoding.order}{len(place)}L", *place) if place else None

    def _shifted(self, value: bytes, vr: str) -> bytes:
        moved = [moved_value(text, vr, self._timeline, self._subject) for text in strings(value, vr)]
        return "\\".join(moved).encode("ascii") if any(moved) else b""

    def _cleaned(
        self,
        value: bytes,
        vr: str,
        charset: Sequence[str],
        cleaner: DescriptorCleaner | DeviceCleaner | None = None,
    ) -> bytes:
        # Code strings are ASCII; what isn't, is written as texts are.
        text = decode_text(value, vr if value.isascii() else "LO", charset)
        if "\x1b" in text:
            return b""  # an escape sequence that says nothing in this character set: nor does what follows
        values = text.split("\\")
        if cleaner is None:
            # Not from devices' texts: of those only makers' words and versions stay, a patient's number or a
            # hospital with the same letters (UIH) or not.
            values = [self._known.without(value, UNKNOWN_WORD) for value in values]
        cleaned = (cleaner or self._cleaner).values(values)
        return _encoded("\\".join(cleaned) if any(cleaned) else "", charset)

    def _sentences(self, value: bytes, vr: str, charset: Sequence[str]) -> bytes:
        """Prose, if the profile has it cleaned; else nothing."""
        text = decode_text(value, vr, charset)
        if self._prose is None or "\x1b" in text:
            return b""
        return _encoded(self._prose(text, self._known), charset)

    def _tokens(self, value: bytes, vr: str, charset: Sequence[str]) -> bytes:
        """Opaque identifiers: a token for each; what is too short to identify anyone stays."""
        texts = [text.strip("\0 ") for text in decode_text(value, vr, charset).split("\\")]
        short = not say_a_number(texts)
        return b"\\".join(self._token("identifier", text, vr, short=short) for text in texts)

    def _token(self, kind: str, text: str, vr: str, *, short: bool = True) -> bytes:
        if not text or (short and _SHORT_NUMBER.fullmatch(text)):
            return text.encode("ascii")
        token = self._pseudonyms.token(kind, text)
        return (f"urn:x-aida:{token}" if vr == "UR" else token.upper() if vr == "CS" else token).encode(
            "ascii"
        )

    def _public(self, element: Element, vr: str, scheme: str, charset: Sequence[str]) -> bytes | None:
        """A part of a coded value: as it is where its scheme is public, else a token (PS3.3 section 8)."""
        text = decode_text(self._parsed.value(element), vr, charset)
        if element.tag == SCHEME_VERSION:
            return text.encode("ascii") if not text or is_version(text) else None
        if element.tag == SCHEME:
            if not text or is_scheme(text):
                return text.encode("ascii")
            return b"99" + self._pseudonyms.token("scheme", text)[:_PRIVATE_SCHEME].upper().encode("ascii")
        if element.tag == URN_CODE_VALUE and _PUBLIC_URN.fullmatch(text):
            return text.encode("ascii")
        if is_public(scheme, text):
            return text.encode("ascii")
        return self._token(f"code:{scheme}", text, "UR" if element.tag == URN_CODE_VALUE else vr)


def _encoded(text: str, charset: Sequence[str]) -> bytes:
    if text.isascii():
        return text.encode("ascii")
    try:
        return text.encode(charset[0])
    except (UnicodeError, LookupError):
        return text.encode("ascii", "replace")


def _written_as(element: Element, action: Action) -> str:
    """The VR of the new element: the written one, except where what it becomes would be no date and no number."""
    known = vr_of(element.tag)
    if action is Action.REMAP_UID and known == "UI":
        return known
    return known if action is Action.CLEAN_TEXT and element.vr in BINARY_VRS else element.vr


def _uid_of(original: str, pseudonyms: Pseudonyms) -> str:
    return pseudonyms.uid(original) if original and not _of_the_standard(original) else original


def _of_the_standard(uid: str) -> bool:
    # These registers grow faster than the dictionary. What follows their roots is too short to identify anyone.
    return uid in UID_dictionary or _REGISTERED_UID.fullmatch(uid) is not None


def _is_coded(text: str) -> bool:
    # Numbers of templates and context groups (PS3.16) have up to four digits.
    return text in CODED_TERMS or (text.isascii() and text.isdigit() and len(text) <= 4)


def _unspecified(tag: int, vr: str) -> bytes:
    # What a table's output means has a term for what nobody says (PS3.3 C.11.1.1.2): US, unspecified.
    return b"US" if tag in (_RESCALE_TYPE, _MODALITY_LUT_TYPE) else dummy_value(vr)


def _worded(text: str) -> str:
    """The text, if there is a word in it: numbers alone are no code."""
    return text if any(map(str.isalpha, text)) else ""


def _known_charsets(value: bytes) -> bytes:
    """Specific Character Set with the standard's terms only: what isn't one may be anything."""
    terms = [term.strip() for term in value.decode("latin-1").strip("\0 ").split("\\")]
    if all(map(is_charset, terms)):
        return value
    return "\\".join(term for term in terms if term and is_charset(term)).encode("ascii")


def dummy_value(vr: str) -> bytes:
    """What stands for a value that must be there: fixed, and the same for every instance."""
    if vr in _DUMMIES:
        return _DUMMIES[vr].encode("ascii")
    return b"\0" * _DUMMY_BYTES.get(vr, 8)


def _aggregated_age(value: bytes) -> bytes | None:
    text = value.decode("latin-1").strip("\0 ")
    if not text:
        return value
    if len(text) != 4 or not text[:3].isdigit() or text[3] not in "DWMY":
        return None
    return b"090Y" if text[3] == "Y" and int(text[:3]) > MAX_AGE_YEARS else value
