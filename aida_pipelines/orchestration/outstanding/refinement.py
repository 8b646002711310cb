"""Outstanding work on the de-identified side."""

from __future__ import annotations

from collections.abc import Iterator

from aida_pipelines.contracts.models import Contracts
from aida_pipelines.harmonise import stage as harmonise
from aida_pipelines.orchestration.outstanding import Outstanding, stale
from aida_pipelines.quality import stage as quality
from aida_pipelines.stages import Stage
from aida_pipelines.storage.receipts import list_receipts, read_receipt
from aida_pipelines.storage.store import ObjectStore


def outstanding(refined: ObjectStore, contracts: Contracts) -> Iterator[Outstanding]:
    """Deliveries whose harmonisation or quality checks are missing or stale."""
    for source in list_receipts(refined, Stage.DEIDENTIFICATION):
        id_ = source.delivery
        wanted = harmonise.inputs(id_, refined=refined, contracts=contracts)
        found = stale(id_, read_receipt(refined, Stage.HARMONISATION, id_), wanted, harmonise.VERSION)
        if not found:
            wanted = quality.inputs(id_, refined=refined, contracts=contracts)
            found = stale(id_, read_receipt(refined, Stage.QUALITY_CHECKS, id_), wanted, quality.VERSION)
        if found:
            yield found
