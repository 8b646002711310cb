"""Which deliveries have work to do: pure functions over receipts, shared by the sensor and by `aida run`.

What belongs here: reading receipts and comparing fingerprints. No Dagster: the truth about what is done lies in the
zones, Dagster's event log is the record of how it came about.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aida_pipelines.contracts.models import Contracts
from aida_pipelines.deid import stage as deid
from aida_pipelines.harmonise import stage as harmonise
from aida_pipelines.ingest import stage as ingest
from aida_pipelines.ingest.deliveries import list_deliveries
from aida_pipelines.quality import stage as quality
from aida_pipelines.stages import Stage
from aida_pipelines.storage.receipts import fingerprint_of, list_receipts, read_receipt
from aida_pipelines.storage.store import ObjectStore


@dataclass(frozen=True)
class Outstanding:
    """A delivery with work to do on one side of the line.

    Attributes:
        delivery: Its id.
        key: Changes exactly when there is something new to do, so it serves as a run key: the same work is not
            asked for twice, and a failed run is not repeated for ever.
    """

    delivery: str
    key: str


def intake(raw: ObjectStore, refined: ObjectStore, contracts: Contracts, key_file: Path) -> Iterator[Outstanding]:
    """Deliveries whose raw ingest or de-identification is missing or stale."""
    for delivery in list_deliveries(raw):
        wanted = ingest.inputs(delivery.id, raw=raw, contracts=contracts)
        first = read_receipt(raw, Stage.RAW_INGEST, delivery.id)
        if first is None or first.inputs != wanted or first.code_version != ingest.VERSION:
            yield Outstanding(delivery.id, fingerprint_of([ingest.VERSION, wanted]))
            continue
        wanted = deid.inputs(delivery.id, raw=raw, contracts=contracts, key_file=key_file)
        second = read_receipt(refined, Stage.DEIDENTIFICATION, delivery.id)
        if second is None or second.inputs != wanted or second.code_version != deid.VERSION:
            yield Outstanding(delivery.id, fingerprint_of([deid.VERSION, wanted]))


def refinement(refined: ObjectStore, contracts: Contracts) -> Iterator[Outstanding]:
    """Deliveries whose harmonisation or quality checks are missing or stale."""
    for source in list_receipts(refined, Stage.DEIDENTIFICATION):
        delivery = source.delivery
        wanted = harmonise.inputs(delivery, refined=refined, contracts=contracts)
        first = read_receipt(refined, Stage.HARMONISATION, delivery)
        if first is None or first.inputs != wanted or first.code_version != harmonise.VERSION:
            yield Outstanding(delivery, fingerprint_of([harmonise.VERSION, wanted]))
            continue
        wanted = quality.inputs(delivery, refined=refined, contracts=contracts)
        second = read_receipt(refined, Stage.QUALITY_CHECKS, delivery)
        if second is None or second.inputs != wanted or second.code_version != quality.VERSION:
            yield Outstanding(delivery, fingerprint_of([quality.VERSION, wanted]))
