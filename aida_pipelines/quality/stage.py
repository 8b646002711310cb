"""Stage 4: the gates of the collection's contract, run on what harmonisation wrote of a delivery.

Reads tables only. A series or volume that misses a blocking gate leaves the candidate, not the delivery.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aida_pipelines.contracts.collection import Gate
from aida_pipelines.contracts.models import Contracts
from aida_pipelines.errors import NotFoundError
from aida_pipelines.quality.checks import CHECKS, Level, Row
from aida_pipelines.stages import Stage
from aida_pipelines.storage.receipts import Receipt, read_receipt, write_receipt
from aida_pipelines.storage.store import ObjectStore
from aida_pipelines.storage.tables import iter_rows, table_key, write_table

VERSION = "quality/1"


def inputs(delivery: str, *, refined: ObjectStore, contracts: Contracts) -> dict[str, str]:
    """Fingerprints of everything that decides the result.

    Raises:
        NotFoundError: Harmonisation has not been done.
    """
    source = _source(refined, delivery)
    return {
        "harmonisation": source.fingerprint,
        "collection": contracts.collection(source.collection).fingerprint,
        "table quality": contracts.table("quality").fingerprint,
    }


def run(delivery: str, *, refined: ObjectStore, contracts: Contracts, work_dir: Path) -> Receipt:
    """Check a delivery, if that is outstanding.

    Args:
        delivery: Its id.
        refined: The refined zone.
        contracts: The contracts.
        work_dir: Scratch on the refined side of the legal line.

    Returns:
        The receipt, as written or as found.

    Raises:
        NotFoundError: Harmonisation has not been done.
    """
    wanted = inputs(delivery, refined=refined, contracts=contracts)
    there = read_receipt(refined, Stage.QUALITY_CHECKS, delivery)
    if there is not None and there.inputs == wanted and there.code_version == VERSION:
        return there
    source, contract = _source(refined, delivery), contracts.table("quality")
    counts: Counter[str] = Counter()
    rows = _counted(_rows(source, refined, contracts), counts)
    table = write_table(
        refined,
        "quality",
        table_key("quality", delivery),
        contract.arrow_schema,
        rows,
        order_by=contract.order_by,
        work_dir=work_dir,
    )
    receipt = Receipt(
        stage=Stage.QUALITY_CHECKS,
        delivery=delivery,
        site=source.site,
        collection=source.collection,
        received_on=source.received_on,
        code_version=VERSION,
        inputs=wanted,
        counts={outcome: counts[outcome] for outcome in ("pass", "warn", "fail")},
        tables=(table,),
    )
    write_receipt(refined, receipt)
    return receipt


def _source(refined: ObjectStore, delivery: str) -> Receipt:
    receipt = read_receipt(refined, Stage.HARMONISATION, delivery)
    if receipt is None:
        raise NotFoundError(
            f"The harmonisation of {delivery} has not been done.",
            way_out=f"Run: aida run --delivery {delivery}",
        )
    return receipt


def _counted(rows: Iterator[dict[str, Any]], counts: Counter[str]) -> Iterator[dict[str, Any]]:
    for row in rows:
        counts[row["outcome"]] += 1
        yield row


def _rows(source: Receipt, refined: ObjectStore, contracts: Contracts) -> Iterator[dict[str, Any]]:
    collection = contracts.collection(source.collection)
    gates: dict[Level, list[Gate]] = {level: [] for level in Level}
    for gate in collection.gates:
        gates[CHECKS[gate.check].level].append(gate)

    def judged(level: Level, item: str, series: str | None, row: Row) -> Iterator[dict[str, Any]]:
        for gate in gates[level]:
            check = CHECKS[gate.check]
            value = check.measure(row, collection)
            missed = "fail" if gate.severity == "block" else "warn"
            yield {
                "delivery": source.delivery,
                "level": level.value,
                "item": item,
                "series_instance_uid": series,
                "check": gate.check.value,
                "outcome": "pass" if check.passes(value, gate.threshold) else missed,
                "value": value,
                "threshold": gate.threshold,
                "unit": check.unit,
                "reason": f"{check.says} {gate.reason}",
                "collection_version": collection.version,
                "code_version": VERSION,
                "contract_version": contracts.table("quality").version,
            }

    totals = {"series": 0, "body_parts": 0}
    for row in iter_rows(refined, source.table("series").key):
        totals["series"] += 1
        totals["body_parts"] += row["body_part"] is not None
        yield from judged(Level.SERIES, row["series_instance_uid"], row["series_instance_uid"], row)
    for row in iter_rows(refined, source.table("volumes").key):
        yield from judged(Level.VOLUME, row["volume_id"], row["series_instance_uid"], row)
    yield from judged(Level.DELIVERY, source.delivery, None, totals)
