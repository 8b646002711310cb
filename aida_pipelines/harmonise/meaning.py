"""What a series is, in controlled words, each with the rule that said so.

Rules look at what a scanner records of itself first (image type, physics), then at declared terms, then at
descriptions, through vocabularies that clinicians edit (``data_contracts/vocabularies``). Where no rule speaks the
answer is None, and the term that would have to be mapped is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aida_pipelines.contracts.vocabulary import Term, Vocabulary, normalise

Row = Mapping[str, Any]

DESCRIPTIONS = ("series_description", "protocol_name", "study_description")
"""Where descriptions are looked for, the most specific first."""

REPORTS = {"SR", "DOC"}
ANNOTATIONS = {"SEG", "RTSTRUCT", "ANN", "PR", "KO", "REG"}


@dataclass(frozen=True, slots=True)
class Meaning:
    """A controlled value.

    Attributes:
        value: The hub's word; None where no rule speaks.
        rule: What said so, such as ``declared``, ``description`` or ``physics:spin-echo-short``; None with it.
        code: Code of the value where its vocabulary has one.
        unmapped: Field and term that no row of the vocabulary knows; None where a value was found.
    """

    value: str | None = None
    rule: str | None = None
    code: str | None = None
    unmapped: tuple[str, str] | None = None


UNKNOWN = Meaning()


def first_value(rows: Iterable[Row], column: str) -> Any:
    """The first value there is, in the rows' order."""
    return next((row[column] for row in rows if row[column] not in (None, "", [])), None)


def manufacturer(rows: Sequence[Row], vocabulary: Vocabulary) -> Meaning:
    """Canonical name of the maker."""
    declared = first_value(rows, "manufacturer")
    if declared is None:
        return UNKNOWN
    if term := vocabulary.exact(declared):
        return _mapped(term, "declared")
    return Meaning(unmapped=_unmapped("manufacturer", declared))


def body_part(rows: Sequence[Row], vocabulary: Vocabulary) -> Meaning:
    """Body part: declared, else out of a description.

    Several parts in one description (*thorax*, *abdomen*) are one value where the vocabulary has a row for them
    together (their values in alphabetical order); else the description says too much to be trusted.
    """
    declared = first_value(rows, "body_part_examined")
    if declared and (term := vocabulary.exact(declared) or _together(declared, vocabulary)):
        return _mapped(term, "declared")
    described = [(field, text) for field in DESCRIPTIONS if (text := first_value(rows, field))]
    for field, text in described:
        if term := _together(text, vocabulary):
            return _mapped(term, f"description:{field}")
    if first_value(rows, "modality") in REPORTS | ANNOTATIONS:
        return UNKNOWN  # what they speak of is in the images that they refer to
    if declared:
        return Meaning(unmapped=_unmapped("body_part_examined", declared))
    return Meaning(unmapped=_unmapped(*described[0])) if described else UNKNOWN


def acquisition_class(rows: Sequence[Row]) -> Meaning:
    """``original``, ``derived``, ``localiser``, ``secondary-capture``, ``report`` or ``annotation``.

    From modality, SOP class and Image Type (PS3.3 C.7.6.1.1.2): value 1 is ORIGINAL or DERIVED, value 2 PRIMARY or
    SECONDARY, value 3 the kind of examination.
    """
    modality, kinds = first_value(rows, "modality"), set(first_value(rows, "image_type") or ())
    rules = (
        ("report", "modality", modality in REPORTS),
        ("annotation", "modality", modality in ANNOTATIONS),
        ("localiser", "image-type", kinds & {"LOCALIZER", "SCOUT", "TOPOGRAM"}),
        ("secondary-capture", "modality", modality == "OT"),
        ("secondary-capture", "sop-class", _is_secondary_capture(rows)),
        ("secondary-capture", "image-type", kinds & {"SCREEN SAVE", "SCREEN_SAVE", "SCREENSAVE"}),
        ("derived", "image-type", "DERIVED" in kinds),
        ("original", "image-type", "ORIGINAL" in kinds),
    )
    return next((Meaning(value, rule) for value, rule, applies in rules if applies), UNKNOWN)


def sequence_type(rows: Sequence[Row], vocabulary: Vocabulary) -> Meaning:
    """Kind of MR sequence; UNKNOWN for other modalities.

    In this order: what Image Type says outright, diffusion weighting, inversion and time of flight, the series'
    description, weighting by echo and repetition time. The description comes before the last because contrast
    depends on more than the two times, and after the others because people copy protocols.
    """
    if first_value(rows, "modality") != "MR":
        return UNKNOWN
    physics = Physics.of(rows)
    for name, value in _outright(physics):
        return Meaning(value, f"physics:{name}")
    for field in ("series_description", "protocol_name"):
        terms = list(vocabulary.search(first_value(rows, field) or ""))
        if terms:
            # A name such as "t2_tirm_dark-fluid" holds weighting and preparation: the vocabulary lists the special
            # kinds first, and the special kind is what the series is.
            rank = {value: at for at, value in enumerate(_values(vocabulary))}
            return _mapped(min(terms, key=lambda term: rank[term.value]), f"description:{field}")
    for name, applies, value in WEIGHTING:
        if applies(physics):
            return Meaning(value, f"physics:{name}")
    text = first_value(rows, "series_description")
    return Meaning(unmapped=_unmapped("series_description", text)) if text else UNKNOWN


def plane(rows: Sequence[Row], vocabulary: Vocabulary) -> Meaning:
    """Plane out of the description, for images whose headers don't say where they lie."""
    for field in DESCRIPTIONS:
        found = {term.value: term for term in vocabulary.search(first_value(rows, field) or "")}
        if len(found) == 1:
            return _mapped(next(iter(found.values())), f"description:{field}")
    return UNKNOWN


@dataclass(frozen=True, slots=True)
class Physics:
    """What an MR scanner records of a series (PS3.3 C.8.3.1); times in ms, angles in degrees, b in s/mm².

    Attributes:
        kinds: Values of Image Type.
        sequence: Scanning Sequence: SE, IR, GR, EP, RM.
        variant: Sequence Variant.
        options: Scan Options.
        tr: Repetition time.
        te: Shortest echo time.
        ti: Inversion time; None for 0, which some scanners write for none.
        flip: Flip angle.
        b: Largest diffusion b-value.
        name: Sequence name, normalised.
    """

    kinds: frozenset[str]
    sequence: frozenset[str]
    variant: frozenset[str]
    options: frozenset[str]
    tr: float | None
    te: float | None
    ti: float | None
    flip: float | None
    b: float | None
    name: str

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Physics:
        """The physics of a series."""
        echoes = [row["echo_time"] for row in rows if row["echo_time"]]
        weights = [row["diffusion_b_value"] for row in rows if row["diffusion_b_value"] is not None]
        return cls(
            kinds=frozenset(first_value(rows, "image_type") or ()),
            sequence=frozenset(first_value(rows, "scanning_sequence") or ()),
            variant=frozenset(first_value(rows, "sequence_variant") or ()),
            options=frozenset(first_value(rows, "scan_options") or ()),
            tr=first_value(rows, "repetition_time") or None,
            te=min(echoes, default=None),
            ti=first_value(rows, "inversion_time") or None,
            flip=first_value(rows, "flip_angle"),
            b=max(weights, default=None),
            name=normalise(first_value(rows, "sequence_name") or ""),
        )

    def spin(self) -> bool:
        """A spin echo: refocused, so that T2 and not T2* decays. Echo-planar readout has weightings of its own."""
        return bool(self.sequence & {"SE", "IR"}) and not self.sequence & {"GR", "EP"}

    def gradient(self) -> bool:
        """A plain gradient echo."""
        return "GR" in self.sequence and not self.sequence & {"SE", "EP"}

    def within(self, *, tr: tuple[float, float] = (0, 1e9), te: tuple[float, float] = (0, 1e9)) -> bool:
        """Whether both times are known and within their ranges."""
        return bool(self.tr and self.te and tr[0] <= self.tr <= tr[1] and te[0] <= self.te <= te[1])


_KINDS = (
    ("localiser", {"LOCALIZER", "SCOUT"}),
    ("ADC", {"ADC"}),
    ("DTI", {"FA", "TENSOR", "DTI"}),
    ("DWI", {"DIFFUSION", "TRACEW", "TRACE", "DWI"}),
    ("ASL", {"ASL"}),
    ("perfusion", {"PERFUSION", "RCBV", "RCBF", "MTT", "TTP", "RELCBF"}),
    ("SWI", {"SWI", "MNIP"}),
    ("field map", {"FIELD MAP", "FIELDMAP", "B0"}),
    ("BOLD", {"FMRI"}),
)


def _outright(physics: Physics) -> Iterator[tuple[str, str]]:
    """What a scanner says so clearly that no description can say otherwise."""
    for value, kinds in _KINDS:
        if kinds & physics.kinds:
            yield "image-type", value
    if physics.b:
        yield "b-value", "DWI"
    if "TOF" in physics.variant or "TOF" in physics.options or "tof" in physics.name:
        yield "time-of-flight", "MRA"
    if physics.ti and physics.spin():
        # Fluid's signal is nulled near 2,000 to 2,800 ms, fat's near 100 to 250 ms (1.5 to 3 T).
        if physics.ti >= 1600 and physics.within(te=(60, 1e9)):
            yield "inversion-nulls-fluid", "FLAIR"
        if 80 <= physics.ti <= 280:
            yield "inversion-nulls-fat", "STIR"


WEIGHTING: tuple[tuple[str, Callable[[Physics], bool], str], ...] = (
    ("spin-echo-short", lambda p: p.spin() and not p.ti and p.within(tr=(0, 1000), te=(0, 30)), "T1"),
    ("spin-echo-long", lambda p: p.spin() and not p.ti and p.within(tr=(1800, 1e9), te=(70, 1e9)), "T2"),
    ("spin-echo-mixed", lambda p: p.spin() and not p.ti and p.within(tr=(1800, 1e9), te=(0, 45)), "PD"),
    ("prepared-gradient-echo", lambda p: p.gradient() and 500 <= (p.ti or 0) <= 1400 and p.within(te=(0, 8)), "T1"),
    ("spoiled-gradient-echo",
     lambda p: p.gradient() and "SP" in p.variant and p.within(tr=(0, 300), te=(0, 12)) and (p.flip or 0) >= 8, "T1"),
    ("gradient-echo-long", lambda p: p.gradient() and p.within(tr=(200, 1e9), te=(13, 60)), "T2*"),
)  # fmt: skip
"""Weighting by echo and repetition time: name, condition, value; the first that applies."""


def _together(text: str, vocabulary: Vocabulary) -> Term | None:
    found = {term.value: term for term in vocabulary.search(text)}
    if len(found) == 1:
        return next(iter(found.values()))
    return vocabulary.exact(" ".join(sorted(found))) if found else None


def _values(vocabulary: Vocabulary) -> list[str]:
    return list(dict.fromkeys(term.value for term in vocabulary.terms.values()))


def _mapped(term: Term, rule: str) -> Meaning:
    return Meaning(term.value, rule, term.code or None)


def _unmapped(field: str, text: str) -> tuple[str, str] | None:
    term = normalise(text)
    return (field, term) if term else None


def _is_secondary_capture(rows: Sequence[Row]) -> bool:
    # Secondary Capture Image Storage and its multi-frame kin (PS3.4 B.5).
    return str(rows[0]["sop_class_uid"]).startswith("1.2.840.10008.5.1.4.1.1.7")
