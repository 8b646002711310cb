"""Outstanding work on the identifiable side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aida_pipelines.contracts.models import Contracts
from aida_pipelines.deid import stage as deid
from aida_pipelines.ingest import stage as ingest
from aida_pipelines.ingest.deliveries import list_deliveries
from aida_pipelines.orchestration.outstanding import Outstanding, stale
from aida_pipelines.stages import Stage
from aida_pipelines.storage.receipts import read_receipt
from aida_pipelines.storage.store import ObjectStore


def outstanding(
    raw: ObjectStore, refined: ObjectStore, contracts: Contracts, key_file: Path
) -> Iterator[Outstanding]:
    """Deliveries whose raw ingest or de-identification is missing or stale."""
    for delivery in list_deliveries(raw):
        id_ = delivery.id
        wanted = ingest.inputs(id_, raw=raw, contracts=contracts)
        found = stale(id_, read_receipt(raw, Stage.RAW_INGEST, id_), wanted, ingest.VERSION)
        if not found:
            wanted = deid.inputs(id_, raw=raw, contracts=contracts, key_file=key_file)
            found = stale(id_, read_receipt(refined, Stage.DEIDENTIFICATION, id_), wanted, deid.VERSION)
        if found:
            yield found
