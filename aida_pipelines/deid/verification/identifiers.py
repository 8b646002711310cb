"""What identifies a person in the values of a source: the needles of the search.

By what kind of value it is, not by a list of what is to be cleaned: every person's name is a name wherever it
stands, every UID a UID, every date a date. Only for ids, places and addresses, which are text like any other,
the attribute's keyword decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from aida_pipelines.deid.verification.leaves import TEXT_VRS, Leaf
from aida_pipelines.deid.verification.names import digraphed, folded
from aida_pipelines.deid.verification.numbers import birth_days, personal_numbers, subscriber

Identifier = tuple[str, str]
"""Kind and folded text: ``name``, ``wide``, ``id``, ``number``, ``phone``, ``mail``, ``address``, ``place``,
``place-word``, ``birth-date``, ``date``."""

_ID_KEYWORDS = frozenset(
    {
        "AccessionNumber",
        "AdmissionID",
        "ClinicalTrialSubjectID",
        "ClinicalTrialSubjectReadingID",
        "FillerOrderNumberImagingServiceRequest",
        "InsurancePlanIdentification",
        "MedicalRecordLocator",
        "OtherPatientIDs",
        "PatientID",
        "PlacerOrderNumberImagingServiceRequest",
        "ServiceEpisodeID",
        "StudyID",
    }
)
"""Whose values are ids of a person or of a person's stay or order, short ones too."""

_ORDERED = re.compile(
    r"\w*(?:Patient|Procedure|Request|Order|Admission|Visit|Episode|Specimen|Container|Accession|Animal|Subject|Trial"
    r"|Prescription|Treatment|Transaction|ClinicalTrial)\w*(?:IDs?|Number|Identifiers?|Identification)$"
)
"""Ids of orders and samples: many systems write the procedure's code there, so only long ones with digits count."""

_TELEPHONE = re.compile(r"Telephone|Telecom|PhoneNumber")
_ADDRESS = re.compile(r"(?<!Network)Address$|Residence$")
_INSTITUTION = re.compile(
    r"^Institution|^IssuerOf|Organization$|RequestingService$|Location$|TrialSite|SponsorName|CoordinatingCenter"
    r"|ProtocolEthicsCommittee|DepartmentName"
)
_STATION = re.compile(r"StationName$|AETitle$")
_DEVICE = re.compile(r"SerialNumber$|^GantryID|^DetectorID|^PlateID|^CassetteID|^DeviceID|^GeneratorID")
_STAFF_CODES = "00401101"
"""Person Identification Code Sequence: who did it, as a code; its meaning is a name."""

PUBLIC_ROOTS = ("1.2.840.10008.", "2.16.840.1.113883.6.")
"""DICOM's own UIDs, and the code systems that HL7 has registered."""

DUMMY_DAYS = frozenset({"19000101", "00010101"})
"""What systems write that know no date."""

_LOCAL, _DOMAIN = re.compile(r"[\w.+-]+$"), re.compile(r"[\w-]+(?:\.[\w-]+)+")
_WORD = re.compile(r"[^\W\d_]+")
_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")

_COMMON = frozenset(
    """
    academic avdelning avdelningen cancer center centre central centrum childrens clinic clinical clinique
    college department dept diagnostic diagnostics district domain enhet exempel faculty foundation general
    health healthcare hopital hospital hospitals imaging institut institute institution international klinik
    kliniken laboratory lasarett lasarettet medical medicin medicine memorial mottagning mottagningen national
    neuroradiology nuclear nuklearmedicin oncology pathology physics private radiologi radiologie radiology
    region regional regionen research rontgen saint sankt school science sciences scanner section service
    services sjukhus sjukhuset station street surgery sweden sverige system systems teaching technologies
    technology universitet universitets universitetssjukhus universitetssjukhuset universitat university vagen
    gatan vardcentral vardcentralen workstation default unknown anonymous anonymized removed console server
    client public hospitalet
    """.split()  # noqa: SIM905 - a list would be a page long
)
"""Words that many institutions have in their names: alone they name none."""

MAKERS = frozenset(
    """
    acuson agfa aperio brainlab bruker canon carestream electric elekta esaote fujifilm gems general hamamatsu hitachi
    hologic imaging kodak konica leica marconi mindray minolta mitra nihon olympus philips picker samsung sectra
    shimadzu siemens toshiba united varian ventana zeiss ziehm
    """.split()  # noqa: SIM905 - a list would be a page long
)
"""Words of manufacturers' names: images are full of them, and the "Philip" in "Philips" is nobody."""


@dataclass(frozen=True)
class Sight:
    """What is looked for.

    Attributes:
        ordinary: Words that are no sign of a person or place: the descriptions' allow-list, normalised.
        institutions: Whether institutions may not be named.
        stations: The same for stations and application entities.
        devices: The same for devices' ids.
    """

    ordinary: frozenset[str]
    institutions: bool = True
    stations: bool = True
    devices: bool = True


@dataclass(frozen=True, slots=True)
class Known:
    """The needles of one patient's instance, sorted by how they are looked for.

    Lives as long as the verifier remembers the instance's header, in memory only.
    """

    identifiers: frozenset[Identifier]
    short_names: frozenset[str] = frozenset()
    long_names: tuple[str, ...] = ()
    short_ids: frozenset[str] = frozenset()
    squeezed: tuple[Identifier, ...] = ()
    words: frozenset[str] = frozenset()
    births: frozenset[str] = frozenset()
    dates: frozenset[str] = frozenset()
    numbers: tuple[Identifier, ...] = ()
    wide: tuple[bytes, ...] = ()
    passed: dict[bytes, object] = field(default_factory=dict)

    @classmethod
    def of(cls, identifiers: Iterable[Identifier]) -> Known:
        """Sort them; a model's name is no sign where it stands for the institution as well."""
        every = frozenset(identifiers)
        by: dict[str, set[str]] = {}
        for kind, text in sorted(every):
            by.setdefault(kind, set()).add(text)
        models = by.get("model", set())
        names, ids = by.get("name", set()), by.get("id", set()) | by.get("number", set())
        ids |= {text for text in by.get("station", ()) if not any(text in model for model in models)}
        long = [("id", text) for text in sorted(ids) if len(text) > 5]
        long += [("phone", text) for text in sorted(by.get("phone", ()))]
        long += [("mail", text) for text in sorted(by.get("mail", ()))]
        long += [("address", text) for text in sorted(by.get("address", ()))]
        long += [("place", text) for text in sorted(by.get("place", ())) if text not in models]
        births = frozenset(by.get("birth-date", ()))
        numbers = [(kind, text.lstrip("0")) for kind, text in long if text.isdecimal() and len(text) > 6]
        return cls(
            identifiers=every,
            short_names=frozenset(name for name in names if not _is_long(name)),
            long_names=tuple(sorted(name for name in names if _is_long(name))),
            short_ids=frozenset(text for text in ids if len(text) < 6),
            squeezed=tuple(long),
            words=frozenset(by.get("place-word", ())) - models,
            births=births,
            dates=frozenset(by.get("date", ())) - births,
            numbers=tuple(numbers),
            wide=tuple(sorted(needle for text in by.get("wide", ()) for needle in _encoded(text))),
        )


def identifiers_of(leaf: Leaf, sight: Sight) -> Iterator[Identifier]:
    """What one value gives away; UIDs are ``uids_of``'s."""
    vr = leaf.vr
    if vr in ("DA", "DT"):
        yield from _dates(leaf)
    elif vr == "PN":
        for value in leaf.values():
            yield from _names(value, sight)
            yield from _anywhere(value)
    elif vr in TEXT_VRS:
        keyword = leaf.keyword
        for value in leaf.values():
            yield from _by_keyword(keyword, value, leaf, sight)
            yield from _anywhere(value)
    elif vr in ("DS", "IS"):
        for value in leaf.values():
            yield from _anywhere(value)


def uids_of(leaf: Leaf) -> tuple[str, ...]:
    """A UID value's parts, empty ones included."""
    return tuple(part.strip("\0 ") for part in leaf.value.decode("latin-1").split("\\"))


def squeezed(text: str) -> str:
    """Letters and digits only, folded."""
    return re.sub(r"[\W_]+", "", folded(text))


def day_of(value: str) -> str:
    """``YYYYMMDD`` of a DA or DT value; empty if it has no whole day."""
    match = _DATE.match(value)
    return "".join(match.groups()) if match else ""


def _dates(leaf: Leaf) -> Iterator[Identifier]:
    for value in leaf.values():
        day = day_of(value)
        if day and day not in DUMMY_DAYS:
            yield ("birth-date" if leaf.path.endswith("00100030") else "date"), day


def _names(value: str, sight: Sight) -> Iterator[Identifier]:
    for spelling in dict.fromkeys((folded(value), digraphed(value))):
        for word in _WORD.findall(spelling):
            if (
                word not in sight.ordinary
                and word not in MAKERS
                and len(word) >= (2 if _is_ideographic(word) else 3)
            ):
                yield "name", word
    for word in _WORD.findall(value):
        if not folded(word).isascii():
            yield "wide", word


def _by_keyword(keyword: str, value: str, leaf: Leaf, sight: Sight) -> Iterator[Identifier]:  # noqa: C901, PLR0912
    if _STAFF_CODES in leaf.path[:-8]:
        if keyword == "CodeMeaning":
            yield from _names(value, sight)
        elif keyword in ("CodeValue", "LongCodeValue"):
            yield from _ids(value, sight, least=6)
    elif keyword in _ID_KEYWORDS:
        yield from _ids(value, sight, least=4)
    elif keyword and _ORDERED.match(keyword):
        yield from _ids(value, sight, least=6)
    elif _TELEPHONE.search(keyword):
        if number := subscriber(value):
            yield "phone", number
    elif _ADDRESS.search(keyword):
        yield from _address(value, sight)
    elif keyword == "ManufacturerModelName":
        yield "model", squeezed(value)
        for word in _WORD.findall(folded(value)):
            yield "model", word
    elif _INSTITUTION.search(keyword):
        if sight.institutions:
            yield from _place(value, sight)
    elif _STATION.search(keyword) or leaf.vr == "AE":
        if sight.stations:
            for _, text in _ids(value, sight, least=5):
                yield "station", text
    elif _DEVICE.search(keyword) and sight.devices:
        yield from _ids(value, sight, least=6)


def signs_of(text: str) -> Iterator[str]:
    """Kinds of identifiers that show by their form alone, whoever's they are."""
    if next(_mails(text), None):
        yield "mail"
    if len(text) > 9 and any(personal_numbers(text)):
        yield "id"


def _anywhere(value: str) -> Iterator[Identifier]:
    """What is known by its form, in whatever text it stands."""
    for mail in _mails(value):
        yield "mail", squeezed(mail)
        local = squeezed(mail.partition("@")[0])
        if len(local) > 7:
            yield "mail", local
    if len(value) > 9:
        for digits in personal_numbers(value):
            yield "number", digits
            for day in birth_days(digits):
                yield "birth-date", day


def _mails(text: str) -> Iterator[str]:
    """Mail addresses; looked for from the sign on, so that a long text costs no more than it is long."""
    at = text.find("@")
    while at >= 0:
        local, domain = _LOCAL.search(text[max(0, at - 64) : at]), _DOMAIN.match(text[at + 1 : at + 256])
        if local and domain:
            yield f"{local.group()}@{domain.group()}"
        at = text.find("@", at + 1)


def _ids(value: str, sight: Sight, *, least: int) -> Iterator[Identifier]:
    text = squeezed(value)
    if len(text) < least or len(set(text)) < 3 or text in sight.ordinary:
        return
    digits = re.sub(r"\D", "", text)
    if least > 4 and not digits:
        return
    words = re.findall(r"[^\W\d_]+", folded(value))
    if (
        len(digits) < 4
        and words
        and all(word in sight.ordinary or word in _COMMON or word in MAKERS for word in words)
    ):
        return  # "HEAD", "CT Study 1": what many have
    yield "id", text
    if len(digits) == 12 and len(text) == 12:
        yield "id", digits[2:]  # a personal number without its century


def _address(value: str, sight: Sight) -> Iterator[Identifier]:
    whole = squeezed(value)
    if len(whole) >= 8 and whole not in sight.ordinary:
        yield "address", whole
    for part in re.split(r"[,;^=\r\n]+", value):
        text = squeezed(part)
        if len(text) >= 7 and re.search(r"\d", text) and re.search(r"[^\W\d_]{3}", text):
            yield "address", text
    yield from _distinctive(value, sight)


def _place(value: str, sight: Sight) -> Iterator[Identifier]:
    words = _WORD.findall(folded(value))
    whole = squeezed(value)
    if len(whole) >= 8 and not all(
        word in sight.ordinary or word in _COMMON or word in MAKERS for word in words
    ):
        yield "place", whole
    yield from _distinctive(value, sight)


def _distinctive(value: str, sight: Sight) -> Iterator[Identifier]:
    for spelling in dict.fromkeys((folded(value), digraphed(value))):
        for word in _WORD.findall(spelling):
            if len(word) >= 6 and word not in sight.ordinary and word not in _COMMON | MAKERS:
                yield "place-word", word


def _is_long(name: str) -> bool:
    """Whether a name is looked for within words, too; some scripts don't part them."""
    return len(name) > 4 or _is_ideographic(name)


def _is_ideographic(word: str) -> bool:
    return word[0] >= "\u2e80"


def _encoded(word: str) -> set[bytes]:
    """A name in a script of its own, as bytes, in each way in which it may be written."""
    found = set()
    for spelling in (word, word.lower(), word.upper()):
        for codec in (
            "utf-8", "utf-16-le", "utf-16-be", "gb18030", "euc_kr", "shift_jis", "euc_jp", "big5", "iso2022_jp",
            "iso8859_5", "iso8859_6", "iso8859_7", "iso8859_8", "iso8859_11", "koi8_r", "cp1251",
        ):  # fmt: skip
            try:
                needle = spelling.encode(codec)
            except UnicodeError:
                continue
            if codec == "iso2022_jp":
                needle = re.sub(rb"\x1b[\x20-\x2f]*[\x30-\x7e]", b"", needle)
            if len(needle) > 3:
                found.add(needle)
    return found
