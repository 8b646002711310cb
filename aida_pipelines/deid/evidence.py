"""Evidence of a delivery's de-identification: what came, what became of it, what was done, and how that was checked.

Made from nothing but the receipt, the tables that it speaks of and the contracts: no header, no key, no clock. The
same run gives the same bytes. It holds no value out of a header and no file name; what it says of an instance is
counted. ``evidence_text`` puts it into words for a data protection officer.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from aida_pipelines.contracts.models import Contracts
from aida_pipelines.contracts.profile import DeidProfile
from aida_pipelines.deid.actions import by_attribute
from aida_pipelines.deid.conformance import Statement, canonical_json, statement
from aida_pipelines.deid.conformance_text import looked_for
from aida_pipelines.errors import IntegrityError, NotFoundError
from aida_pipelines.reasons import REASONS, Outcome
from aida_pipelines.stages import Stage
from aida_pipelines.storage.receipts import Receipt, read_receipt
from aida_pipelines.storage.store import ObjectStore
from aida_pipelines.storage.tables import TableFile

if TYPE_CHECKING:
    from aida_pipelines.deid.folder import FolderSummary

FORMATS = ("html", "json")

_FINDING, _HELD_WITH_STUDY = "verification-failed", "study-held"


class Approved(BaseModel, frozen=True):
    """A decision that allows the collection.

    Attributes:
        kind: What kind of decision.
        id: Its number at the authority.
        valid_until: Last day on which it holds.
    """

    kind: str
    id: str
    valid_until: date


class NotPassedOn(BaseModel, frozen=True):
    """Items with one reason and one outcome.

    Attributes:
        reason: Reason code.
        outcome: What became of them: duplicate, quarantined or rejected.
        items: How many.
        decided: Of them, those on which a steward has decided.
        says: The reason in a sentence.
        advice: What a steward may do.
        releasable: Whether a steward may let them pass on a person's responsibility.
    """

    reason: str
    outcome: str
    items: int
    decided: int
    says: str
    advice: str
    releasable: bool


class Done(BaseModel, frozen=True):
    """What was done to one attribute.

    Attributes:
        tag: ``(gggg,eeee)``, ``PRIVATE`` or ``UNKNOWN``.
        keyword: Its keyword; empty where there is none.
        vr: Its VR as written.
        action: What was done.
        instances: In how many instances.
    """

    tag: str
    keyword: str
    vr: str
    action: str
    instances: int


class Verified(BaseModel, frozen=True):
    """The independent verification's figures.

    Attributes:
        passed: Instances in which nothing was found, all of which were passed on.
        findings: Instances in which something was found or that could not be read; none was passed on.
        held_with_study: Instances in which nothing was found but in another of their study.
        looked_for: What was looked for in each.
    """

    passed: int
    findings: int
    held_with_study: int
    looked_for: tuple[str, ...]


class Evidence(BaseModel, frozen=True):
    """The evidence of one delivery.

    Attributes:
        delivery: Its id.
        received_on: Date (UTC) of the delivery.
        site: Who delivered.
        site_title: What people call the site.
        region: The region that answers for the data.
        collection: For what.
        collection_title: What people call the collection.
        approvals: On what ground, as the collection's contract said then.
        key_id: Which pseudonym key was used.
        pseudonym_domain: Which domain of it; empty where keys have none.
        inputs: Fingerprints of everything that decided the result.
        counts: Files by outcome: received = duplicate + quarantined + rejected + refined.
        instances: Of the refined files, those that are DICOM instances; the others are clinical tables.
        bytes: Size of the refined instances.
        not_passed_on: The others, by reason and outcome.
        actions: What was done, attribute by attribute.
        action_sets: How many different sets of things were done to instances.
        verification: Its figures.
        tables: The tables written, with their hashes.
        statement: The conformance statement of the profile in force.
    """

    delivery: str
    received_on: date
    site: str
    site_title: str
    region: str
    collection: str
    collection_title: str
    approvals: tuple[Approved, ...]
    key_id: str
    pseudonym_domain: str
    inputs: dict[str, str]
    counts: dict[str, int]
    instances: int
    bytes: int
    not_passed_on: tuple[NotPassedOn, ...]
    actions: tuple[Done, ...]
    action_sets: int
    verification: Verified
    tables: tuple[TableFile, ...]
    statement: Statement

    def actions_done(self) -> dict[str, int]:
        """How often each action was done: instances, summed over attributes."""
        done: Counter[str] = Counter()
        for one in self.actions:
            done[one.action] += one.instances
        return dict(sorted(done.items()))


def evidence(
    receipt: Receipt,
    *,
    rejections: Iterable[Mapping[str, Any]],
    actions: Iterable[Mapping[str, Any]],
    contracts: Contracts,
) -> Evidence:
    """The evidence of what a receipt speaks of.

    Args:
        receipt: De-identification's.
        rejections: Rows of its table ``rejections``; streamed.
        actions: Rows of its table ``deid_actions``; streamed.
        contracts: Those that it was run with.
    """
    site, collection = contracts.site(receipt.site), contracts.collection(receipt.collection)
    profile = contracts.profile(collection.deid_profile)
    instances = receipt.table("instances").rows
    sets: set[str] = set()
    done = by_attribute(_noting(actions, sets))
    return Evidence(
        delivery=receipt.delivery,
        received_on=receipt.received_on,
        site=site.name,
        site_title=site.title,
        region=site.region,
        collection=collection.name,
        collection_title=collection.title,
        approvals=tuple(
            Approved(kind=str(one.kind), id=one.id, valid_until=one.valid_until)
            for one in collection.approvals
        ),
        key_id=receipt.inputs.get("key", ""),
        pseudonym_domain=receipt.inputs.get("pseudonym_domain", ""),
        inputs=receipt.inputs,
        counts=receipt.counts,
        instances=instances,
        bytes=int(receipt.figures.get("bytes", 0)),
        not_passed_on=_not_passed_on(rejections),
        actions=tuple(Done(**row) for row in done),
        action_sets=len(sets),
        verification=Verified(
            passed=instances,
            findings=receipt.reasons.get(_FINDING, 0),
            held_with_study=receipt.reasons.get(_HELD_WITH_STUDY, 0),
            looked_for=tuple(looked_for(profile)),
        ),
        tables=receipt.tables,
        statement=statement(profile, code_version=receipt.code_version),
    )


def report_key(delivery: str, file_format: str) -> str:
    """``reports/deidentification/delivery=ID/report.{html,json}``."""
    return f"reports/deidentification/delivery={delivery}/report.{file_format}"


def write_report(store: ObjectStore, made: Evidence) -> dict[str, str]:
    """Put the report into the refined zone.

    Returns:
        Its keys, each with the SHA-256 of what is there, for the receipt.
    """
    from aida_pipelines.deid.document import as_html
    from aida_pipelines.deid.evidence_text import evidence_document

    written = {}
    for file_format, text in zip(
        FORMATS, (as_html(evidence_document(made)), canonical_json(made)), strict=True
    ):
        key, data = report_key(made.delivery, file_format), text.encode("utf-8")
        store.put(key, data)
        written[key] = hashlib.sha256(data).hexdigest()
    return written


def write_folder_report(folder: Path, summary: FolderSummary, profile: DeidProfile) -> None:
    """Write ``report.html``, and the profile's conformance statement as ``conformance.json``.

    Args:
        folder: Where.
        summary: What became of the files.
        profile: How they were de-identified.
    """
    from aida_pipelines.deid.document import as_html
    from aida_pipelines.deid.evidence_text import folder_document
    from aida_pipelines.deid.stage import VERSION

    made = statement(profile, code_version=VERSION)
    (folder / "report.html").write_text(as_html(folder_document(summary, made)), encoding="utf-8")
    (folder / "conformance.json").write_text(made.as_json(), encoding="utf-8")


def read_report(store: ObjectStore, delivery: str, file_format: str) -> str:
    """A delivery's report as it was written.

    Raises:
        NotFoundError: There is none.
        IntegrityError: It is not the one that the receipt names.
    """
    receipt = read_receipt(store, Stage.DEIDENTIFICATION, delivery)
    key = report_key(delivery, file_format)
    if receipt is None or key not in receipt.documents:
        raise NotFoundError(
            f"There is no report on {delivery}.",
            way_out=f"`aida status` lists the deliveries; `aida run --delivery {delivery}` writes the report.",
        )
    data = store.get(key)
    if hashlib.sha256(data).hexdigest() != receipt.documents[key]:
        raise IntegrityError(
            f"The report on {delivery} is not the one that was written.",
            way_out="Someone has changed it in the refined zone, or a run is under way: wait, or run it again.",
        )
    return data.decode("utf-8")


def _noting(rows: Iterable[Mapping[str, Any]], sets: set[str]) -> Iterable[Mapping[str, Any]]:
    for row in rows:
        sets.add(row["action_set"])
        yield row


def _not_passed_on(rows: Iterable[Mapping[str, Any]]) -> tuple[NotPassedOn, ...]:
    items: Counter[tuple[str, str]] = Counter()
    decided: Counter[tuple[str, str]] = Counter()
    for row in rows:
        group = row["reason"], str(Outcome(row["outcome"]))
        items[group] += 1
        decided[group] += row["decision"] is not None
    return tuple(
        NotPassedOn(
            reason=code,
            outcome=outcome,
            items=number,
            decided=decided[code, outcome],
            says=REASONS[code].says,
            advice=REASONS[code].advice,
            releasable=REASONS[code].releasable,
        )
        for (code, outcome), number in sorted(items.items(), key=lambda entry: (-entry[1], entry[0]))
    )
