"""Independent verification: are the patient's identifiers in the bytes that are about to be passed on?

A second way to the same question, which shares nothing with the first: no rule table, no list of
attributes to clean, another parser (pydicom). It takes every identifier that the source holds at any depth
and looks for them in every string of the new header at any depth, and once more in the header's bytes as
they are.

To be of use it must not cry wolf. What is not looked for, and why:

* name parts of one or two letters, ids of fewer than four characters or of fewer than three different ones
("1",
  "0000"): they are everywhere;
* ids of orders of fewer than six characters: many systems write the procedure's code there;
* name parts of three or four letters and ids of four or five characters match only as whole words;
* name parts that are words of the descriptions' allow-list ("Head", "Test"): alone they say nothing;
* ids and dates inside values that are numbers, UIDs or dates, where digits meet by chance; there UIDs are
compared
  as a whole, and dates with the date that was in the same place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO

from pydicom import dcmread
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.valuerep import PersonName

from aida_pipelines.contracts.profile import DeidProfile, Option
from aida_pipelines.deid.engine import Deidentified
from aida_pipelines.deid.verification.days import all_days
from aida_pipelines.deid.verification.names import digraphed, folded
from aida_pipelines.dicom.parse import ParsedFile
from aida_pipelines.dicom.quiet import quiet_pydicom
from aida_pipelines.errors import Quarantine

_TEXT_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_EXCUSED_VRS = frozenset({"DA", "DS", "DT", "IS", "TM", "UI"})
_ID_KEYWORDS = frozenset(
    {
        "AccessionNumber",
        "AdmissionID",
        "ClinicalTrialSubjectID",
        "FillerOrderNumberImagingServiceRequest",
        "InsurancePlanIdentification",
        "MedicalRecordLocator",
        "OtherPatientIDs",
        "PatientID",
        "PatientTelephoneNumbers",
        "PlacerOrderNumberImagingServiceRequest",
        "ReferringPhysicianTelephoneNumbers",
        "ServiceEpisodeID",
        "StudyID",
    }
)
_ORDER_ID_KEYWORDS = frozenset(
    {"PerformedProcedureStepID", "RequestedProcedureID", "ScheduledProcedureStepID"}
)
_PHRASE_KEYWORDS = frozenset({"PatientAddress", "InstitutionAddress", "ReferringPhysicianAddress"})
_PLAIN_VRS = _TEXT_VRS | _EXCUSED_VRS | {"AS"}
_BINARY_VRS = frozenset(
    {"AT", "FD", "FL", "OB", "OD", "OF", "OL", "OV", "OW", "SL", "SS", "SV", "UL", "US", "UV"}
)
_OURS = frozenset({"DeidentificationMethod", "DeidentificationMethodCodeSequence"})
_META_KEYWORDS = frozenset(
    {
        "FileMetaInformationGroupLength",
        "FileMetaInformationVersion",
        "MediaStorageSOPClassUID",
        "MediaStorageSOPInstanceUID",
        "TransferSyntaxUID",
        "ImplementationClassUID",
        "ImplementationVersionName",
    }
)
_PUBLIC_ROOTS = ("1.2.840.10008.", "2.16.840.1.113883.6.")
"""DICOM's own UIDs, and the code systems that HL7 has registered."""
_SEPARATORS = b" -_./"
_UID = re.compile(r"[0-9]+(?:\.[0-9]+){3,}")
_UID_BYTES = re.compile(rb"[0-9]+(?:\.[0-9]+){3,}")


@dataclass(frozen=True, slots=True)
class Finding:
    """An identifier where none may be.

    Attributes:
        kind: ``name``, ``id``, ``address``, ``birth-date``, ``date``, ``uid``; ``file-meta`` where more is said
            than must be, ``incomplete`` where the header can't be read to its end.
        where: The attribute's tag as eight hexadecimal digits, or ``bytes`` for the raw search.
    """

    kind: str
    where: str


@dataclass(slots=True)
class Identifiers:
    """What is known of a patient, folded for the search. Lives only as long as its instance is worked on."""

    names: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    phrases: set[str] = field(default_factory=set)
    birth_dates: set[str] = field(default_factory=set)
    dates: dict[str, set[str]] = field(default_factory=dict)
    uids: set[str] = field(default_factory=set)


class Verifier:
    """Looks for a patient's identifiers in de-identified headers.

    Args:
        profile: Which options the profile takes: what is retained on purpose is no finding.
        ordinary: Words that are no sign of a person: the descriptions' allow-list, normalised.
    """

    def __init__(self, profile: DeidProfile, ordinary: Iterable[str]) -> None:
        self._uids_kept = Option.RETAIN_UIDS in profile.options
        self._dates_kept = Option.RETAIN_LONGITUDINAL_FULL_DATES in profile.options
        self._ordinary = frozenset(ordinary)

    def verify(self, result: Deidentified) -> None:
        """Let pass or stop.

        Raises:
            Quarantine: ``verification-failed``: something was found, or the new header can't be read.
        """
        try:
            found = self.findings(result.header, self.identifiers(result.source))
        except Exception:  # noqa: BLE001 - what can't be read can't be vouched for; the message may hold values
            raise Quarantine("verification-failed") from None
        if found:
            raise Quarantine("verification-failed")

    def identifiers(self, source: ParsedFile) -> Identifiers:
        """Every identifier in the source's data set, at any depth."""
        end = source.pixels.start if source.pixels else len(source.data)
        encoding = source.encoding
        with quiet_pydicom():
            data_set = read_dataset(
                BytesIO(bytes(source.data[source.start : end])), encoding.implicit, not encoding.big_endian
            )
            known = Identifiers()
            for path, keyword, vr, values in _walk(data_set):
                self._collect(known, path, keyword, vr, values)
        return known

    def findings(self, header: bytes, known: Identifiers) -> list[Finding]:
        """All identifiers found in a header, for tests and developers; values are not among them."""
        found: list[Finding] = []
        excused: list[bytes] = []
        with quiet_pydicom():
            stream = BytesIO(header)
            data_set = dcmread(stream)
            if stream.tell() != len(header) or data_set.get("PatientIdentityRemoved") != "YES":
                found.append(Finding("incomplete", "bytes"))
            if any(header[:128]) or not _META_KEYWORDS.issuperset(data_set.file_meta.dir()):
                found.append(Finding("file-meta", "bytes"))
            for path, keyword, vr, values in _walk(data_set):
                if keyword in _OURS or path.startswith("00120064"):
                    excused.extend(value.encode("utf-8") for value in values)
                    continue
                tag = path[-8:]
                if vr == "UI" and not self._uids_kept and known.uids.intersection(values):
                    found.append(Finding("uid", tag))
                elif vr in ("DA", "DT") and self._same_date(path, values, known):
                    found.append(Finding("date", tag))
                elif vr in _TEXT_VRS:
                    found.extend(Finding(kind, tag) for kind in self._in_text("\n".join(values), known))
                if vr in _EXCUSED_VRS:
                    excused.extend(value.encode("utf-8") for value in values)
        start = header.index(b"DICM") + 4
        found.extend(Finding(kind, "bytes") for kind in self._in_bytes(header[start:], excused, known))
        return found

    def _collect(self, known: Identifiers, path: str, keyword: str, vr: str, values: list[str]) -> None:
        for value in values:
            if vr == "PN":
                for spelling in (folded(value), digraphed(value)):
                    words = re.findall(r"[^\W\d_]{3,}", spelling)
                    known.names.update(word for word in words if word not in self._ordinary)
            elif vr == "UI":
                if not value.startswith(_PUBLIC_ROOTS) and len(value) > 4:
                    known.uids.add(value)
            elif keyword in _ID_KEYWORDS:
                known.ids.update(self._id_spellings(value))
            elif keyword in _ORDER_ID_KEYWORDS:
                known.ids.update(spelling for spelling in self._id_spellings(value) if len(spelling) > 5)
            elif keyword in _PHRASE_KEYWORDS:
                phrase = _squeezed(value)
                if len(phrase) >= 8:
                    known.phrases.add(phrase)
            elif keyword == "PatientBirthDate" and re.fullmatch(r"\d{8}", value):
                known.birth_dates.add(value)
            elif vr in ("DA", "DT") and len(value) >= 8:
                known.dates.setdefault(path, set()).add(value[:8])

    def _id_spellings(self, value: str) -> Iterator[str]:
        squeezed = _squeezed(value)
        if len(squeezed) < 4 or len(set(squeezed)) < 3 or squeezed in self._ordinary:
            return
        yield squeezed
        digits = re.sub(r"\D", "", value)
        if len(digits) == 12 and len(digits) == len(squeezed):
            yield digits[2:]  # a personal number without its century

    def _same_date(self, path: str, values: list[str], known: Identifiers) -> bool:
        if self._dates_kept:
            return False
        if path.endswith("00100030"):
            return bool(known.birth_dates.intersection(values))
        return bool({value[:8] for value in values if len(value) >= 8} & known.dates.get(path, set()))

    def _in_text(self, text: str, known: Identifiers) -> Iterator[str]:
        if not text.strip():
            return
        spelt = f"{folded(text)}\n{digraphed(text)}"
        words = set(re.findall(r"[^\W_]+", spelt))
        words.update([word[:-1] for word in words if word.endswith("s")])  # the genitive
        squeezed = _squeezed(text)
        if any(name in (words if len(name) < 5 else spelt) for name in known.names):
            yield "name"
        whole = {_squeezed(part) for part in re.split(r"[\s,;:()^\\]+", text)}
        if any(identifier in (whole if len(identifier) < 6 else squeezed) for identifier in known.ids):
            yield "id"
        if any(phrase in squeezed for phrase in known.phrases):
            yield "address"
        if known.birth_dates & all_days(spelt):
            yield "birth-date"
        if not self._uids_kept and known.uids.intersection(_UID.findall(text)):
            yield "uid"

    def _in_bytes(self, data: bytes, excused: list[bytes], known: Identifiers) -> Iterator[str]:
        """The same in the bytes, for what a parser may not show."""
        lower, harmless = data.lower(), b"\0".join(excused).lower()
        bare, bare_harmless = (text.translate(None, _SEPARATORS) for text in (lower, harmless))
        for kind, needles, shortest, text, elsewhere in (
            ("name", known.names, 6, lower, harmless),
            ("id", known.ids, 6, bare, bare_harmless),
            ("birth-date", known.birth_dates, 8, bare, bare_harmless),
        ):
            raw = (needle.encode("utf-8") for needle in needles if len(needle) >= shortest)
            if any(text.count(needle) > elsewhere.count(needle) for needle in raw):
                yield kind
        if not self._uids_kept:
            found = {uid.decode("ascii") for uid in _UID_BYTES.findall(data)}
            if known.uids & found:
                yield "uid"


def _walk(data_set: Dataset, above: str = "") -> Iterator[tuple[str, str, str, list[str]]]:
    """Path (tags, outermost first), keyword, VR and values of every text-like element."""
    for stored in list(data_set.values()):
        path = f"{above}{int(stored.tag):08x}"
        if stored.VR in _BINARY_VRS:
            continue
        if isinstance(stored, RawDataElement) and stored.VR in _PLAIN_VRS and _is_plain(stored.value):
            # Making an object of it would take most of the time and say nothing more.
            text = stored.value.decode("ascii") if stored.value else ""
            values = [part.strip("\0 ") for part in text.split("\\")]
            yield path, keyword_for_tag(stored.tag), str(stored.VR), values
            continue
        element = data_set[stored.tag]
        if element.VR == "SQ":
            for item in element.value:
                yield from _walk(item, path)
        elif element.VR not in _BINARY_VRS:
            yield path, element.keyword, element.VR, _texts(element.value)


def _is_plain(value: object) -> bool:
    return value is None or (isinstance(value, bytes) and value.isascii() and b"\x1b" not in value)


def _texts(value: object) -> list[str]:
    if value is None:
        return []
    if isinstance(value, bytes):
        return [value.decode("latin-1")]
    if isinstance(value, str | PersonName):
        return [str(value)]
    if isinstance(value, Iterable):
        return [str(part) for part in value]
    return [str(value)]


def _squeezed(text: str) -> str:
    return re.sub(r"[\W_]+", "", folded(text))
