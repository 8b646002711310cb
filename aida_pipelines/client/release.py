"""What a release says of itself: ``COLLECTION/VERSION/release.json``, the file that makes it exist."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime

from pydantic import BaseModel, Field

from aida_pipelines.client.difference import Difference
from aida_pipelines.storage.receipts import fingerprint_of

VERSION_PATTERN = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


class Step(BaseModel, frozen=True):
    """One step of the selection and what was left after it: a row of the attrition table.

    Attributes:
        name: Short name of the step.
        description: Why it is taken, for a reader of the dataset card.
        subjects: Subjects left.
        studies: Studies left.
        series: Series left.
        instances: Instances left.
    """

    name: str
    description: str
    subjects: int
    studies: int
    series: int
    instances: int


class UsedDelivery(BaseModel, frozen=True):
    """A delivery that something in the dataset came from, or could have come from.

    Attributes:
        delivery: Its id.
        site: Who delivered.
        received_on: When (UTC).
        series: Series of it in the dataset.
        instances: Instances of it in the dataset.
        receipts: Stage → fingerprint of its receipt.
        code_versions: Stage → version of its code.
    """

    delivery: str
    site: str
    received_on: date
    series: int
    instances: int
    receipts: dict[str, str]
    code_versions: dict[str, str]


class LeftOut(BaseModel, frozen=True):
    """A delivery of the collection that the dataset was built without.

    Attributes:
        delivery: Its id.
        site: Who delivered.
        stage: The stage that is outstanding or that stopped it.
        why: One sentence.
    """

    delivery: str
    site: str
    stage: str
    why: str


class Approval(BaseModel, frozen=True):
    """What allows the collection, as its contract had it when the release was signed."""

    kind: str
    id: str
    valid_until: date


class ReleaseTable(BaseModel, frozen=True):
    """A table of the release: ``file`` is relative to the release's folder."""

    name: str
    file: str
    rows: int
    bytes: int
    sha256: str


class ReleaseFile(BaseModel, frozen=True):
    """A document or picture of the release: ``file`` is relative to the release's folder."""

    file: str
    bytes: int
    sha256: str


class Release(BaseModel, frozen=True):
    """A dataset version: immutable, and complete once its ``release.json`` is there.

    Attributes:
        name: The collection.
        version: Semantic: MAJOR.MINOR.PATCH.
        title: For people.
        description: For people.
        licence: Under which licence it may be used.
        tier: Who may have access.
        forms: In which forms it holds its series: ``dicom``, ``nifti``, ``previews``.
        released_at: When it was signed (UTC). The only time in a release.
        sign_off: Who signed: name and decision number.
        parent: The version before it; None for the first.
        change: What differs from the parent; None for the first.
        candidate: Fingerprint of the candidate it was made from.
        code_version: Version of the release stage's code.
        contracts: Contract → version, of all that decided it.
        approvals: What allowed it.
        counts: subjects, studies, series, instances, volumes.
        bytes: Size of all its objects and tables.
        attrition: How the cohort was selected, step by step.
        deliveries: What it was made from.
        left_out: What it was made without.
        tables: Its tables.
        files: Its documents and pictures.
    """

    name: str
    version: str
    title: str
    description: str
    licence: str
    tier: str
    forms: tuple[str, ...]
    released_at: datetime
    sign_off: str
    parent: str | None
    change: Difference | None
    candidate: str
    code_version: str
    contracts: dict[str, str]
    approvals: tuple[Approval, ...]
    counts: dict[str, int]
    bytes: int
    attrition: tuple[Step, ...]
    deliveries: tuple[UsedDelivery, ...]
    left_out: tuple[LeftOut, ...]
    tables: tuple[ReleaseTable, ...]
    files: tuple[ReleaseFile, ...] = Field(default=())

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON."""
        return fingerprint_of(self.model_dump(mode="json"))

    @property
    def prefix(self) -> str:
        """``COLLECTION/VERSION/``: where its files are in the curated zone."""
        return release_prefix(self.name, self.version)

    def table_key(self, table: ReleaseTable) -> str:
        """Where a table is in the curated zone."""
        return self.prefix + table.file

    @property
    def tables_by_name(self) -> Mapping[str, ReleaseTable]:
        """The tables by name."""
        return {table.name: table for table in self.tables}


def release_prefix(name: str, version: str) -> str:
    """``NAME/VERSION/``."""
    return f"{name}/{version}/"


def release_key(name: str, version: str) -> str:
    """``NAME/VERSION/release.json``."""
    return f"{release_prefix(name, version)}release.json"


def version_order(version: str) -> tuple[int, ...]:
    """What to sort versions by: 1.10.0 comes after 1.9.0."""
    return tuple(int(part) for part in version.split("."))


_OBJECTS = {
    "dicom": ("instances", "object_sha256", "dcm"),
    "nifti": ("volumes", "object_sha256", "nii.gz"),
    "previews": ("series", "preview_sha256", "png"),
}


def release_objects(forms: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Which tables name objects: table → column with their hash, and the objects' extension."""
    return {table: (column, extension) for table, column, extension in (_OBJECTS[form] for form in forms)}
