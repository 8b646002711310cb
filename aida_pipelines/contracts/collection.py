"""Collections as contracts: ``data_contracts/collections/NAME.yaml``. What the clinical council asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from aida_pipelines.contracts.site import NAME, VERSION, Contact, Strict, Words


class ApprovalKind(StrEnum):
    """On what ground the data may be used."""

    ETHICS = "ethics"  # the Swedish Ethical Review Authority's decision
    DISCLOSURE = "disclosure"  # a region's decision to disclose, after its assessment of harm
    EXEMPTION = "exemption"  # no approval is needed, and why: the id names the ground


class Approval(Strict):
    """A decision that allows the collection; all of a collection's must hold on the day of a release.

    Attributes:
        kind: What kind of decision.
        id: Its number at the authority.
        valid_until: Last day on which it holds.
    """

    kind: ApprovalKind
    id: Words
    valid_until: date


class Criterion(Strict):
    """One condition for a series to be in the cohort; each is counted on its own, so that attrition shows.

    Attributes:
        name: Short, for the attrition table.
        description: Why, for a clinician.
        sql: A boolean expression in DuckDB's SQL over the columns of the table ``series``; false and null
            leave the series out.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    description: Words
    sql: Words


class GateCheck(StrEnum):
    """The measurements that a gate can ask for; ``aida_pipelines.quality.checks`` says how each is taken."""

    GEOMETRY = "geometry"
    MISSING_SLICES = "missing-slices"
    PIXELS_DECODABLE = "pixels-decodable"
    VALUE_RANGE = "value-range"
    BODY_PART = "body-part"
    MODALITY = "modality"
    VOCABULARY_COVERAGE = "vocabulary-coverage"


class Gate(Strict):
    """What a check's measurement must reach, and what follows if it doesn't.

    Attributes:
        check: What is measured.
        severity: ``block`` keeps the item out of a candidate; ``warn`` shows it.
        threshold: The bound, in the check's unit; the check says on which side of it an item must be.
        reason: Why this bound, for whoever meets it.
    """

    check: GateCheck
    severity: Literal["block", "warn"]
    threshold: float
    reason: Words


class Recipe(StrEnum):
    """The forms in which a release holds a series."""

    DICOM = "dicom"
    NIFTI = "nifti"
    PREVIEWS = "previews"


class Target(Strict):
    """How large the collection is meant to become.

    Attributes:
        subjects: Number of persons.
    """

    subjects: int = Field(gt=0)


class Creator(Strict):
    """Who is credited for the dataset.

    Attributes:
        name: A person or an organisation.
        affiliation: Where they work.
        orcid: Their ORCID iD, if they have one.
    """

    name: Words
    affiliation: Words
    orcid: str | None = Field(default=None, pattern=r"^\d{4}-\d{4}-\d{4}-\d{3}[\dX]$")


class SharedPseudonyms(Strict):
    """A decision that persons may be followed from one collection into others.

    Without one a collection's pseudonyms are its own: nobody without the key can tell that a subject of one
    collection is a subject of another. All collections of a domain name each other, each with its decision, so
    that none is joined to another without its owner's knowledge.

    Attributes:
        domain: The shared domain's name.
        collections: The other collections of the domain: all of them.
        decision: The decision's number at the authority or the council.
        reason: What persons have to be followed for.
    """

    domain: str = Field(pattern=NAME)
    collections: tuple[str, ...] = Field(min_length=1)
    decision: Words
    reason: Words


class Release(Strict):
    """What a release of the collection says about itself.

    Attributes:
        title: Its title.
        creators: Who is credited.
        publisher: Who publishes.
        copyright_holder: The research principal of the ethical approval.
        contact: Whom to ask.
        licence: SPDX identifier, or the name of one of the hub's licences.
        tier: Who gets it: anyone, anyone who signs, or whom the copyright holder admits.
        keywords: For search.
    """

    title: Words
    creators: tuple[Creator, ...] = Field(min_length=1)
    publisher: Words
    copyright_holder: Words
    contact: Contact
    licence: Words
    tier: Literal["open", "registered", "controlled"]
    keywords: tuple[Words, ...] = ()


class Collection(Strict):
    """A disease area or question that the clinical council has put first.

    Attributes:
        name: The file's name without its ending.
        version: Semantic; raised with every change.
        title: What people call it.
        description: What it is for, for a clinician.
        priority: Its number on the council's list; None where the hub itself keeps it.
        approvals: On what ground the data may be used.
        sites: Who may deliver to it.
        deid_profile: Name of the de-identification profile.
        modalities: DICOM modalities (0008,0060) that belong in it.
        criteria: What a series must meet to be in the cohort.
        gates: What the quality checks must find.
        recipes: The forms in which a release holds a series.
        target: How large it is meant to become.
        clinical_tables: Refined clinical tables that its deliveries may bring.
        shares_pseudonyms: With which collections, by which decision; None where its pseudonyms are its own.
        release: What a release says about itself.
        fingerprint: SHA-256 of the contract's bytes.
    """

    name: str = Field(pattern=NAME)
    version: str = Field(pattern=VERSION)
    title: Words
    description: Words
    priority: int | None = Field(default=None, ge=1)
    approvals: tuple[Approval, ...] = Field(min_length=1)
    sites: tuple[str, ...] = Field(min_length=1)
    deid_profile: str
    modalities: tuple[str, ...] = Field(min_length=1)
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    gates: tuple[Gate, ...] = Field(min_length=1)
    recipes: tuple[Recipe, ...] = Field(min_length=1)
    target: Target
    clinical_tables: tuple[str, ...] = ()
    shares_pseudonyms: SharedPseudonyms | None = None
    release: Release
    fingerprint: str

    @property
    def pseudonym_domain(self) -> str:
        """Which domain of the pseudonym key its subjects, UIDs and dates are of."""
        shared = self.shares_pseudonyms
        return f"shared:{shared.domain}" if shared else f"collection:{self.name}"

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        """Two gates on one check, or two criteria of one name, could contradict each other."""
        for what, names in (
            ("gates", (gate.check.value for gate in self.gates)),
            ("criteria", (criterion.name for criterion in self.criteria)),
            ("sites", self.sites),
            ("modalities", self.modalities),
            ("clinical_tables", self.clinical_tables),
            ("shares_pseudonyms", self.shares_pseudonyms.collections if self.shares_pseudonyms else ()),
        ):
            if twice := _repeated(names):
                raise ValueError(f"{what} names {', '.join(twice)} more than once; keep one")
        return self


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
