"""The record of a delivery: who delivered what, for which collection, and when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel

from aida_pipelines.errors import NotFoundError
from aida_pipelines.storage.store import ObjectStore


class SourceKind(StrEnum):
    """What was delivered. Where it lay is not recorded: paths may name people."""

    FOLDER = "folder"
    FILE = "file"
    ZIP = "zip"
    TAR = "tar"
    BUCKET = "bucket"


class Delivery(BaseModel, frozen=True):
    """What one site handed over at one time for one collection.

    Attributes:
        id: Its id; the Dagster partition.
        site: Who delivered.
        collection: For what.
        received_at: When (UTC); decides which of two deliveries came first.
        source_kind: Folder, archive or bucket.
        files: Number of files.
        bytes: Their size together.
        fingerprint: SHA-256 over site, collection and every file's hash and path: the same content delivered
            again has the same.
        already_there: The answer to a `deliver` whose content had been delivered before. Not part of the
            record.
    """

    id: str
    site: str
    collection: str
    received_at: datetime
    source_kind: SourceKind
    files: int
    bytes: int
    fingerprint: str
    already_there: bool = False

    def record(self) -> str:
        """The delivery as it is stored: JSON."""
        return self.model_dump_json(indent=2, exclude={"already_there"})

    @property
    def order(self) -> tuple[datetime, str]:
        """Deliveries in the order in which they came."""
        return self.received_at, self.id


def delivery_key(delivery: str) -> str:
    """``deliveries/ID/delivery.json``."""
    return f"deliveries/{delivery}/delivery.json"


def manifest_key(delivery: str) -> str:
    """``deliveries/ID/manifest.parquet``."""
    return f"deliveries/{delivery}/manifest.parquet"


def read_delivery(raw: ObjectStore, delivery: str) -> Delivery:
    """One delivery, by id.

    Raises:
        NotFoundError: There is none; the message lists the newest there are.
    """
    try:
        return Delivery.model_validate_json(raw.get(delivery_key(delivery)))
    except NotFoundError:
        newest = sorted(list_deliveries(raw), key=lambda one: one.order)[-10:]
        there = ", ".join(one.id for one in newest) or "none yet"
        raise NotFoundError(
            f"There is no delivery {delivery}.", way_out=f"The newest deliveries: {there}."
        ) from None


def list_deliveries(raw: ObjectStore) -> Iterator[Delivery]:
    """Every delivery, ordered by id."""
    for info in raw.list("deliveries/"):
        if info.key.endswith("/delivery.json"):
            yield Delivery.model_validate_json(raw.get(info.key))


def earlier_deliveries(raw: ObjectStore, delivery: Delivery) -> list[Delivery]:
    """Deliveries for the same collection that came before this one, in the order in which they came.

    By time of receipt, then id: the answer doesn't depend on which of them has been worked on.
    """
    same = (one for one in list_deliveries(raw) if one.collection == delivery.collection)
    return sorted((one for one in same if one.order < delivery.order), key=lambda one: one.order)
