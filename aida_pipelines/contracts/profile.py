"""De-identification profiles as contracts: ``data_contracts/deid/NAME.yaml``.

A profile says what is *wanted*: base profile, options of the standard, kinds of objects, exceptions with
their reasons. ``aida_pipelines.deid.rules`` turns it into one action for each attribute. Here only the words
are checked: an attribute or SOP class that does not exist is an error when the contract is loaded, not when
an instance is worked on.
"""

from __future__ import annotations

import re
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


class Option(StrEnum):
    """The options of PS3.15 annex E.3 that table E.1-1 knows; the values are used in contracts."""

    RETAIN_SAFE_PRIVATE = "retain-safe-private"
    RETAIN_UIDS = "retain-uids"
    RETAIN_DEVICE_IDENTITY = "retain-device-identity"
    RETAIN_INSTITUTION_IDENTITY = "retain-institution-identity"
    RETAIN_PATIENT_CHARACTERISTICS = "retain-patient-characteristics"
    RETAIN_LONGITUDINAL_FULL_DATES = "retain-longitudinal-full-dates"
    RETAIN_LONGITUDINAL_MODIFIED_DATES = "retain-longitudinal-modified-dates"
    CLEAN_DESCRIPTORS = "clean-descriptors"
    CLEAN_STRUCTURED_CONTENT = "clean-structured-content"
    CLEAN_GRAPHICS = "clean-graphics"


class Action(StrEnum):
    """What is done to one attribute. A sequence that stays is gone through item by item."""

    REMOVE = "remove"
    EMPTY = "empty"  # present, of zero length
    DUMMY = "dummy"  # a fixed value of the VR that says nothing
    REMAP_UID = "remap-uid"  # a UID of our own, the same for the same original
    KEEP = "keep"
    SHIFT_DATE = "shift-date"  # moved as the profile's ``dates`` says
    CLEAN_TEXT = "clean-text"  # only words of the allow-list stay
    CLEAN_DEVICE = "clean-device"  # only what devices write stays: words of their allow-list, codes, versions
    PSEUDONYM = "pseudonym"  # a token under the key, the same for the same original


class DateMode(StrEnum):
    """How dates are modified; ``aida_pipelines.deid.timeline`` says what each keeps and gives away."""

    SHIFT = "shift"  # by a secret number of days: intervals stay
    PROPORTIONAL = "proportional"  # and stretched by a secret factor: order and ratios stay
    ORDER = "order"  # only which day came before which stays, and no time of day


def _attribute(name: str) -> str:
    from aida_pipelines.dicom.dictionary import tag_for_keyword

    # A tag may be younger than the installed dictionary; a keyword can't.
    is_tag = re.fullmatch(r"\([0-9A-Fa-f]{3}[02468ACEace],[0-9A-Fa-f]{4}\)", name) is not None
    if not is_tag and tag_for_keyword(name) is None:
        raise ValueError(f"{name!r} is no attribute of the DICOM dictionary (a keyword or '(gggg,eeee)')")
    return name


def _sop_class(name: str) -> str:
    from aida_pipelines.dicom.dictionary import UID_dictionary

    if re.fullmatch(r"1\.2\.840\.10008\.[0-9.]+", name):
        return name  # a class of the standard that is younger than the installed dictionary
    for uid, (title, kind, _, _, keyword) in UID_dictionary.items():
        if kind == "SOP Class" and name in (title, keyword):
            return uid
    raise ValueError(f"{name!r} is no SOP class of the standard (a keyword, a name or a UID)")


def _private_attribute(name: str) -> str:
    if not re.fullmatch(r"\([0-9A-Fa-f]{3}[13579BDFbdf],xx[0-9A-Fa-f]{2}\)", name):
        raise ValueError(f"{name!r} is no private attribute: write '(gggg,xxee)', whatever the block")
    return name.upper().replace("X", "x")


_BIRTH_DATES = frozenset(
    {
        "PatientBirthDate",
        "PatientBirthDateInAlternativeCalendar",
        "(0010,0030)",
        "(0010,0033)",
    }
)

Attribute = Annotated[str, AfterValidator(_attribute)]
"""An attribute by keyword or ``(gggg,eeee)``."""

PrivateAttribute = Annotated[str, AfterValidator(_private_attribute)]
"""A private attribute as ``(gggg,xxee)``; ``xx`` stands for the block, which may differ from file to file."""

SopClass = Annotated[str, AfterValidator(_sop_class)]
"""A SOP class; a keyword or name is turned into its UID."""


class Prose(StrEnum):
    """What is done about sentences in structured reports and annotations."""

    DROP = "drop"  # the text goes whole
    CLEAN = "clean"  # what identifies goes, by recognisers and an allow-list of ordinary words; see deid.text.cleaner


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AttributeRule(_Strict):
    """An exception from table E.1-1, or a decision on attributes that the table doesn't list.

    Attributes:
        attributes: Which ones, at every level of nesting.
        action: What is done to them.
        reason: Why, for the person who reviews the profile.
    """

    attributes: tuple[Attribute, ...] = Field(min_length=1)
    action: Action
    reason: str = Field(min_length=1)


class Container(StrEnum):
    """Values of bytes that hold named fields, in manufacturers' own formats that are understood."""

    SIEMENS_CSA = "siemens-csa"
    SIEMENS_CSA_PROTOCOL = "siemens-csa-protocol"
    SIEMENS_PROTOCOL = "siemens-protocol"
    GE_PROTOCOL = "ge-protocol"
    GE_SCAN_HEADER = "ge-scan-header"


class PrivateRule(_Strict):
    """A decision on private attributes of one creator, beside table E.3.10-1 of PS3.15.

    What a private attribute may hold is known to its manufacturer alone. So only what can be no text of a person
    is kept: numbers; texts that are one of the values listed; sequences, whose items go by the rules like any
    other data set; and of containers, the named fields that are numbers, written anew. No rule depends on
    the instance's manufacturer: the creator says whose attribute it is.

    Attributes:
        creator: Private Creator, as written in the data set.
        attributes: Which of its attributes.
        vr: What they are; one that is written as anything else goes.
        values: For texts, each value that may be kept; an attribute with any other goes. ``#`` stands for a whole
            number of one to four digits.
        container: For bytes (``OB``), how they are read.
        fields: For containers, what is kept of them.
        action: ``keep``, or ``remove`` for what the standard calls safe and this profile doesn't.
        reason: Why, for the person who reviews the profile.
        source: Where it is documented what they hold.
    """

    creator: str = Field(min_length=1)
    attributes: tuple[PrivateAttribute, ...] = Field(min_length=1)
    vr: Literal["DS", "IS", "US", "SS", "UL", "SL", "FL", "FD", "CS", "SH", "LO", "SQ", "OB"] | None = None
    values: tuple[str, ...] = ()
    container: Container | None = None
    fields: tuple[str, ...] = ()
    action: Literal[Action.KEEP, Action.REMOVE]
    reason: str = Field(min_length=1)
    source: str = ""

    @model_validator(mode="after")
    def _says_what_is_kept(self) -> PrivateRule:
        if self.action is Action.KEEP and not (self.vr and self.source):
            raise ValueError("to keep private attributes, say their vr and the source that documents them")
        if bool(self.values) != (self.vr in ("CS", "SH", "LO")):
            raise ValueError("'values' lists what may be kept of texts (CS, SH, LO), and of nothing else")
        if not bool(self.container) == bool(self.fields) == (self.vr == "OB"):
            raise ValueError("of bytes (OB) only 'fields' of a known 'container' can be kept")
        return self


class Concept(_Strict):
    """A coded concept, written as the standard writes it: ``(121071, DCM, "Finding")``.

    Attributes:
        code: Code Value.
        scheme: Coding Scheme Designator.
        meaning: For people; nothing is decided by it.
    """

    code: str
    scheme: str
    meaning: str

    @model_validator(mode="before")
    @classmethod
    def _as_the_standard_writes_it(cls, text: object) -> object:
        if not isinstance(text, str):
            return text
        match = re.fullmatch(r'\((\S+), ([^,"]+), "([^"]+)"\)', text)
        if match is None:
            raise ValueError('a concept is written (code, scheme, "meaning")')
        return {"code": match[1], "scheme": match[2], "meaning": match[3]}


class ContentRule(_Strict):
    """An exception from table E.3.4-1, or a decision on content items that the table doesn't list.

    Attributes:
        concepts: The concepts that name the items.
        value_types: Value Types (PS3.3 table C.17.3-7) of the items.
        action: ``remove`` for the item, anything else for its value.
        reason: Why, for the person who reviews the profile.
    """

    concepts: tuple[Concept, ...] = Field(min_length=1)
    value_types: tuple[
        Literal[
            "TEXT",
            "CODE",
            "NUM",
            "DATETIME",
            "DATE",
            "TIME",
            "UIDREF",
            "PNAME",
            "COMPOSITE",
            "IMAGE",
            "WAVEFORM",
        ],
        ...,
    ] = Field(min_length=1)
    action: Action
    reason: str = Field(min_length=1)


class Layer(_Strict):
    """Rules that hold for some instances only; later layers win over earlier ones and over the profile's own.

    Attributes:
        name: What the layer is for.
        modalities: Instances of these modalities; empty means all.
        manufacturers: Instances whose Manufacturer contains one of these words (any case); empty means all.
        rules: What holds for them.
    """

    name: str
    modalities: tuple[str, ...] = ()
    manufacturers: tuple[str, ...] = ()
    rules: tuple[AttributeRule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_a_condition(self) -> Layer:
        if not (self.modalities or self.manufacturers):
            raise ValueError(
                "a layer needs modalities or manufacturers; what holds for all belongs in 'rules'"
            )
        return self


class PixelText(_Strict):
    """When pixels may hold text that identifies. An instance that says so itself is always held.

    Attributes:
        trust_declared_no: Burned In Annotation (0028,0301) = NO is believed for the kinds below.
        risk_sop_classes: Kinds of objects that are held unless declared free of text.
        risk_modalities: Modalities that are held unless declared free of text.
        risk_image_types: Words of Image Type (0008,0008) that mark a picture of a screen.
    """

    trust_declared_no: bool
    risk_sop_classes: tuple[SopClass, ...] = ()
    risk_modalities: tuple[str, ...] = ()
    risk_image_types: tuple[str, ...] = ()


class DeidProfile(_Strict):
    """How instances are de-identified.

    Attributes:
        name: The file's name without its ending.
        version: Semantic; raised with every change.
        title: One line.
        description: For the data protection officer: what it keeps and for what use.
        base: The profile that the options modify: PS3.15's Basic Application Level Confidentiality Profile.
        extends: Another profile, whose rules, private, content and layers hold here too, before this one's own.
            Those for private attributes only where this one takes the option to retain some. Options, kinds of
            objects and what is done about text in pixels are each profile's own. Empty once that is done
            (``extended``).
        options: The options of PS3.15 annex E.3 that are taken.
        dates: How dates are modified where they are: with the option for modified dates, and in clinical tables.
        prose: What is done about sentences where a text may be a word or a page. Cleaned ones keep what they say, and
            a name that is also an ordinary word might be left in them.
        sop_classes: Kinds of objects that are let through; all others are held.
        pixel_text: When pixels may hold identifying text.
        rules: Exceptions and additions; a later rule wins.
        private: Private attributes beside those that the standard calls safe; a later rule wins.
        content: Exceptions and additions for content items of structured reports; a later rule wins.
        layers: Rules for some modalities or manufacturers.
        fingerprint: SHA-256 of the contract's bytes, set by whoever loads it.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    title: str
    description: str
    base: Literal["basic"]
    extends: str = ""
    options: frozenset[Option] = frozenset()
    dates: DateMode = DateMode.SHIFT
    prose: Prose = Prose.DROP
    sop_classes: frozenset[SopClass]
    pixel_text: PixelText
    rules: tuple[AttributeRule, ...] = ()
    private: tuple[PrivateRule, ...] = ()
    content: tuple[ContentRule, ...] = ()
    layers: tuple[Layer, ...] = ()
    fingerprint: str = ""

    @model_validator(mode="after")
    def _one_way_with_dates(self) -> DeidProfile:
        if {Option.RETAIN_LONGITUDINAL_FULL_DATES, Option.RETAIN_LONGITUDINAL_MODIFIED_DATES} <= self.options:
            raise ValueError(
                "dates are either kept in full or modified (PS3.15 E.3.6): take one of the options"
            )
        return self

    @model_validator(mode="after")
    def _no_birth_dates(self) -> DeidProfile:
        for rule in (*self.rules, *(rule for layer in self.layers for rule in layer.rules)):
            if rule.action in (Action.KEEP, Action.SHIFT_DATE) and _BIRTH_DATES.intersection(rule.attributes):
                raise ValueError(
                    "a birth date is neither kept nor moved: beside the study's date, moved alike, it tells an "
                    "age over 89; Patient's Age tells ages up to there"
                )
        return self

    def extended(self, other: DeidProfile) -> DeidProfile:
        """This profile with ``other``'s rules before its own: what ``extends`` asks for."""
        takes_private = Option.RETAIN_SAFE_PRIVATE in self.options
        return self.model_copy(
            update={
                "extends": "",
                "rules": (*other.rules, *self.rules),
                "private": (*(other.private if takes_private else ()), *self.private),
                "content": (*other.content, *self.content),
                "layers": (*other.layers, *self.layers),
                "fingerprint": sha256(f"{self.fingerprint} {other.fingerprint}".encode()).hexdigest(),
            }
        )
