"""Receipts: what a stage did to a delivery, written last, after everything it speaks of is safely stored.

A stage is done when its receipt is there, and current when the receipt's ``inputs`` are the fingerprints of
what it would read today. That is all the state there is: a run that was killed has left no receipt, so it
runs again; a run whose receipt is current does no work. A receipt holds no time and no run id: the same
input, code and key give the same receipt, byte for byte (Dagster's event log knows when).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import date

from pydantic import BaseModel, Field

from aida_pipelines.errors import NotFoundError
from aida_pipelines.stages import Stage
from aida_pipelines.storage.store import ObjectStore
from aida_pipelines.storage.tables import TableFile


class Receipt(BaseModel, frozen=True):
    """What one stage did to one delivery.

    Attributes:
        stage: Which stage.
        delivery: Which delivery.
        site: Who delivered.
        collection: For what.
        received_on: Date (UTC) of the delivery.
        code_version: Version of the stage's own code (``deid/3``).
        inputs: Name → fingerprint of everything that decided the result: receipts before it, contracts,
            key id, stewards' decisions.
        counts: Items by outcome.
        reasons: Items by reason code, for those not passed on.
        figures: Other numbers worth showing (bytes, seconds are not among them: they differ between runs).
        tables: The tables written.
        documents: Documents for people that were written, by key: SHA-256.
    """

    stage: Stage
    delivery: str
    site: str
    collection: str
    received_on: date
    code_version: str
    inputs: dict[str, str] = Field(default_factory=dict)
    counts: dict[str, int] = Field(default_factory=dict)
    reasons: dict[str, int] = Field(default_factory=dict)
    figures: dict[str, float] = Field(default_factory=dict)
    tables: tuple[TableFile, ...] = ()
    documents: dict[str, str] = Field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the receipt's canonical JSON: changes when anything about the result does."""
        return fingerprint_of(self.model_dump(mode="json"))

    def table(self, name: str) -> TableFile:
        """One of the tables, by name. Raises ``NotFoundError``."""
        for table in self.tables:
            if table.table == name:
                return table
        raise NotFoundError(f"The {self.stage} of {self.delivery} wrote no table {name}.")


def fingerprint_of(value: object) -> str:
    """SHA-256 of a JSON value, independent of the order of keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def receipt_key(stage: Stage, delivery: str) -> str:
    """``receipts/STAGE/DELIVERY.json``."""
    return f"receipts/{stage}/{delivery}.json"


def read_receipt(store: ObjectStore, stage: Stage, delivery: str) -> Receipt | None:
    """The receipt, or None if the stage has not been completed."""
    try:
        return Receipt.model_validate_json(store.get(receipt_key(stage, delivery)))
    except NotFoundError:
        return None


def write_receipt(store: ObjectStore, receipt: Receipt) -> None:
    """Put the receipt in place, once all that it speaks of is safe."""
    store.flush()
    store.put(receipt_key(receipt.stage, receipt.delivery), receipt.model_dump_json(indent=2).encode())


def list_receipts(store: ObjectStore, stage: Stage) -> Iterator[Receipt]:
    """All receipts of a stage, ordered by delivery."""
    for info in store.list(f"receipts/{stage}/"):
        yield Receipt.model_validate_json(store.get(info.key))
