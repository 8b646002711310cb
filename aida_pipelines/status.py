"""How far every delivery is, and what is held: read from receipts and tables, on either side of the line.

Without the raw zone (the hub's side, or a downstream machine) deliveries appear from de-identification on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pydantic import BaseModel

from aida_pipelines.errors import NotFoundError
from aida_pipelines.reasons import REASONS, Outcome
from aida_pipelines.stages import Stage
from aida_pipelines.storage.receipts import Receipt, list_receipts, read_receipt
from aida_pipelines.storage.store import ObjectStore
from aida_pipelines.storage.tables import iter_rows

RECEIVED = "received"
"""The stage of a delivery that no stage has been run on."""


class DeliveryStatus(BaseModel, frozen=True):
    """One delivery. ``received`` = ``duplicate`` + ``quarantined`` + ``rejected`` + ``refined`` + ``waiting``.

    Attributes:
        id: The delivery.
        site: Who delivered.
        collection: For what.
        stage: The last stage that was completed.
        received: Files delivered.
        duplicate: Of them, those whose bytes had come before.
        quarantined: Those held until a steward decides.
        rejected: Those refused for good.
        refined: Those passed on to the refined zone.
        waiting: Those that de-identification has not come to yet: all or none.
    """

    id: str
    site: str
    collection: str
    stage: str
    received: int
    duplicate: int = 0
    quarantined: int = 0
    rejected: int = 0
    refined: int = 0
    waiting: int = 0


class HeldItem(BaseModel, frozen=True):
    """One undecided item in quarantine.

    Attributes:
        id: What `aida quarantine show|release|reject` takes.
        delivery: Which delivery it came in.
        reason: Reason code.
        stage: The stage that held it.
        advice: What a steward can do.
        source_sha256: Hash of its bytes: where it lies in the raw zone.
        releasable: Whether a steward may let it pass.
    """

    id: str
    delivery: str
    reason: str
    stage: str
    advice: str
    source_sha256: str
    releasable: bool


def status_of_deliveries(raw: ObjectStore | None, refined: ObjectStore) -> Iterator[DeliveryStatus]:
    """Every delivery that either zone knows, ordered by id: one row a delivery, however many zones name it."""
    yield from sorted(_statuses(raw, refined), key=lambda status: status.id)


def _statuses(raw: ObjectStore | None, refined: ObjectStore) -> Iterator[DeliveryStatus]:
    seen = set()
    if raw is not None:
        from aida_pipelines.ingest.deliveries import list_deliveries

        for delivery in list_deliveries(raw):
            seen.add(delivery.id)
            receipt = read_receipt(refined, Stage.DEIDENTIFICATION, delivery.id)
            if receipt is not None:
                yield _of(refined, receipt)
                continue
            ingested = read_receipt(raw, Stage.RAW_INGEST, delivery.id)
            yield DeliveryStatus(
                id=delivery.id,
                site=delivery.site,
                collection=delivery.collection,
                stage=ingested.stage if ingested else RECEIVED,
                received=delivery.files,
                waiting=delivery.files,
            )
    for receipt in list_receipts(refined, Stage.DEIDENTIFICATION):
        if receipt.delivery not in seen:
            yield _of(refined, receipt)


def _of(refined: ObjectStore, receipt: Receipt) -> DeliveryStatus:
    done = [Stage.DEIDENTIFICATION]
    for stage in (Stage.HARMONISATION, Stage.QUALITY_CHECKS):
        if read_receipt(refined, stage, receipt.delivery):
            done.append(stage)
    outcomes = ("received", *Outcome, "refined")
    return DeliveryStatus(
        id=receipt.delivery,
        site=receipt.site,
        collection=receipt.collection,
        stage=done[-1],
        **{name: receipt.counts.get(name, 0) for name in outcomes},
    )


def held_items(refined: ObjectStore) -> Iterator[HeldItem]:
    """Everything in quarantine that a steward has not decided, by delivery."""
    columns = ["id", "delivery", "reason", "stage", "advice", "outcome", "source_sha256"]
    for receipt in list_receipts(refined, Stage.DEIDENTIFICATION):
        if not receipt.counts.get(Outcome.QUARANTINED):
            continue
        for row in iter_rows(refined, receipt.table("rejections").key, columns):
            if row.pop("outcome") == Outcome.QUARANTINED:
                yield HeldItem(**row, releasable=REASONS[row["reason"]].releasable)


def held_item(refined: ObjectStore, item: str) -> HeldItem:
    """One of them, by id. Raises ``NotFoundError``."""
    for held in held_items(refined):
        if held.id == item:
            return held
    raise NotFoundError(
        f"Nothing undecided in quarantine has the id {item}.", way_out="See: aida quarantine list"
    )


def waits_for(raw: ObjectStore, refined: ObjectStore, item: HeldItem) -> list[str]:
    """Ids of the undecided findings because of which a ``study-held`` item is held; of any other item none.

    Which study an item is of is known in the raw zone only.
    """
    receipt = read_receipt(refined, Stage.DEIDENTIFICATION, item.delivery)
    ingested = read_receipt(raw, Stage.RAW_INGEST, item.delivery)
    if item.reason != "study-held" or receipt is None or ingested is None:
        return []
    rejections = iter_rows(refined, receipt.table("rejections").key, ["id", "ordinal", "reason", "outcome"])
    ids = {
        row["ordinal"]: row["id"]
        for row in rejections
        if row["id"] == item.id
        or (row["reason"] == "verification-failed" and row["outcome"] == Outcome.QUARANTINED)
    }
    files = iter_rows(raw, ingested.table("files").key, ["ordinal", "study_instance_uid"])
    studies = {
        ids[row["ordinal"]]: (row["study_instance_uid"] or "").split("\\")[0]
        for row in files
        if row["ordinal"] in ids
    }
    own = studies.pop(item.id, None)
    return sorted(found for found, study in studies.items() if study == own)


def quarantine_counts(refined: ObjectStore) -> dict[str, int]:
    """Undecided items by reason code, the most frequent first."""
    counts = Counter(item.reason for item in held_items(refined))
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))
