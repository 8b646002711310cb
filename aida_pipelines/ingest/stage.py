"""Raw ingest: what each file of a delivery is, and whether it goes on. Manifest → table ``files``.

Each object's header is read once, by a pool of processes. What depends on other files (the same bytes
before, the same instance with other bytes) is then asked of DuckDB, so that memory doesn't grow with the
delivery.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from aida_pipelines.contracts.models import Contracts
from aida_pipelines.ingest.clinical import ClinicalTables
from aida_pipelines.ingest.content import Content, Object, look, open_worker
from aida_pipelines.ingest.deliveries import Delivery, earlier_deliveries, manifest_key, read_delivery
from aida_pipelines.ingest.header import Header
from aida_pipelines.ingest.names import is_operating_systems
from aida_pipelines.parallel import ordered_map
from aida_pipelines.progress import track
from aida_pipelines.reasons import REASONS, Outcome
from aida_pipelines.stages import Stage
from aida_pipelines.storage.local import LocalStore
from aida_pipelines.storage.objects import object_key
from aida_pipelines.storage.receipts import Receipt, fingerprint_of, read_receipt, write_receipt
from aida_pipelines.storage.scratch import scratch
from aida_pipelines.storage.store import ObjectStore
from aida_pipelines.storage.tables import TableFile, iter_rows, table_key, write_table

VERSION = "ingest/1"

ACCEPTED = "accepted"
"""The verdict on a file that goes on; all others are the words of ``reasons.Outcome``."""

TABLE = "files"

_MEMORY = "400MB"
_BATCH_ROWS = 2_000


def inputs(delivery: str, *, raw: ObjectStore, contracts: Contracts) -> dict[str, str]:
    """Fingerprints of everything that decides the result.

    Args:
        delivery: Id of the delivery.
        raw: The raw zone.
        contracts: All contracts.

    Raises:
        NotFoundError: There is no such delivery, or its collection has no contract any more.
    """
    record = read_delivery(raw, delivery)
    return _inputs(record, earlier_deliveries(raw, record), contracts)


def _inputs(record: Delivery, earlier: list[Delivery], contracts: Contracts) -> dict[str, str]:
    clinical = sorted(contracts.collection(record.collection).clinical_tables)
    return {
        "delivery": record.fingerprint,
        "earlier_deliveries": fingerprint_of([[one.id, one.fingerprint] for one in earlier]),
        "clinical_tables": fingerprint_of([contracts.table(name).fingerprint for name in clinical]),
        "contract": contracts.table(TABLE).fingerprint,
    }


def run(
    delivery: str, *, raw: ObjectStore, contracts: Contracts, work_dir: Path, workers: int | None = None
) -> Receipt:
    """Say what each file of a delivery is. A current receipt: nothing to do, return it.

    Args:
        delivery: Id of the delivery.
        raw: The raw zone: manifest and objects are read, the table ``files`` and the receipt are written.
        contracts: All contracts.
        work_dir: Scratch on the raw side of the legal line.
        workers: Processes; by default one for each processor.

    Raises:
        NotFoundError: There is no such delivery.
        StorageError: The zone can't be read or written.
    """
    record = read_delivery(raw, delivery)
    earlier = earlier_deliveries(raw, record)
    wanted = _inputs(record, earlier, contracts)
    receipt = read_receipt(raw, Stage.RAW_INGEST, delivery)
    if receipt and receipt.inputs == wanted and receipt.code_version == VERSION:
        return receipt
    with scratch(work_dir) as folder:
        examined = folder / "examined.parquet"
        write_table(
            LocalStore(folder),
            "examined",
            examined.name,
            _EXAMINED_SCHEMA,
            _examined(record, raw, contracts, work_dir, workers),
            work_dir=folder,
        )
        tally = _Tally()
        table = _write_files(record, examined, earlier, raw, contracts, folder, tally)
    receipt = Receipt(
        stage=Stage.RAW_INGEST,
        delivery=record.id,
        site=record.site,
        collection=record.collection,
        received_on=record.received_at.date(),
        code_version=VERSION,
        inputs=wanted,
        counts=tally.counts(),
        reasons=tally.by_reason(),
        figures={"bytes": float(record.bytes)},
        tables=(table,),
    )
    write_receipt(raw, receipt)
    return receipt


class _Tally:
    """Counts verdicts and reasons of rows that pass."""

    def __init__(self) -> None:
        self._verdicts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    def note(self, row: Mapping[str, Any]) -> None:
        self._verdicts[row["verdict"]] += 1
        if row["reason"] is not None:
            self._reasons[row["reason"]] += 1

    def counts(self) -> dict[str, int]:
        verdicts = (ACCEPTED, *(outcome.value for outcome in Outcome))
        return {"received": self._verdicts.total()} | {name: self._verdicts[name] for name in verdicts}

    def by_reason(self) -> dict[str, int]:
        return dict(sorted(self._reasons.items()))


# --- one file at a time -----------------------------------------------------------------------------------


_EXAMINED_SCHEMA = pa.schema(
    [
        ("ordinal", pa.int64()),
        ("path", pa.string()),
        ("bytes", pa.int64()),
        ("source_sha256", pa.string()),
        ("extension", pa.string()),
        ("kind", pa.string()),
        ("clinical_table", pa.string()),
        ("reason", pa.string()),
        *((name, pa.string()) for name in Header.__dataclass_fields__),
    ]
)


def _examined(
    record: Delivery, raw: ObjectStore, contracts: Contracts, work_dir: Path, workers: int | None
) -> Iterator[dict[str, Any]]:
    """The manifest's rows with what each file is, in the manifest's order; equal files are looked at once."""
    key = manifest_key(record.id)
    by_hash = itemgetter("source_sha256", "extension", "bytes")
    objects = (
        Object(object_key(sha256, extension), size)
        for (sha256, extension, size), _ in groupby(iter_rows(raw, key), by_hash)
    )
    contents = ordered_map(
        look,
        objects,
        workers=workers,
        initializer=open_worker,
        initargs=(raw.url, work_dir, ClinicalTables.of(contracts, record.collection)),
    )
    groups = groupby(iter_rows(raw, key), by_hash)
    for content, (_, rows) in zip(contents, track(groups, label=f"Raw ingest of {record.id}"), strict=True):
        for row in rows:
            yield row | _verdict(row["path"], content)


def _verdict(path: str, content: Content) -> dict[str, Any]:
    if content.header is not None:
        return {"kind": "dicom", "reason": content.reason, **asdict(content.header)}
    if content.clinical is not None:
        reason = None if content.clinical.valid else "clinical-table-invalid"
        return {"kind": "clinical", "clinical_table": content.clinical.table, "reason": reason}
    if content.reason in ("not-dicom", "empty-file"):
        # Only now the name counts: an image that is called Thumbs.db is an image.
        system = is_operating_systems(path)
        return {"kind": "other", "reason": "operating-system-file" if system else content.reason}
    return {"kind": "dicom", "reason": content.reason}


# --- files beside one another -----------------------------------------------------------------------------


def _write_files(
    record: Delivery,
    examined: Path,
    earlier: list[Delivery],
    raw: ObjectStore,
    contracts: Contracts,
    folder: Path,
    tally: _Tally,
) -> TableFile:
    contract = contracts.table(TABLE)
    same = {"delivery": record.id, "code_version": VERSION, "contract_version": contract.version}

    def rows() -> Iterator[dict[str, Any]]:
        for row in _beside_one_another(examined, earlier, raw, folder):
            reason = row["reason"]
            row["verdict"] = REASONS[reason].outcome.value if reason else ACCEPTED
            tally.note(row)
            yield row | same

    return write_table(
        raw,
        TABLE,
        table_key(TABLE, record.id),
        contract.arrow_schema,
        rows(),
        order_by=contract.order_by,
        work_dir=folder,
    )


def _beside_one_another(
    examined: Path, earlier: list[Delivery], raw: ObjectStore, folder: Path
) -> Iterator[dict[str, Any]]:
    """The examined rows, with ``duplicate`` and ``conflicting-instance`` for those that are nothing worse.

    Of equal files the first by path counts. Of files with one SOP Instance UID and different bytes the one
    that an earlier delivery brought counts, else the first by hash.
    """
    with duckdb.connect(
        config={"threads": "1", "memory_limit": _MEMORY, "temp_directory": str(folder)}
    ) as db:
        db.execute("CREATE TABLE before (source_sha256 VARCHAR)")
        for delivery in earlier:
            with raw.local(manifest_key(delivery.id)) as manifest:
                db.execute(_SEEN_BEFORE, [str(manifest), str(examined)])
        compared: pa.RecordBatchReader = db.sql(_COMPARED, params=[str(examined)]).to_arrow_reader(
            _BATCH_ROWS
        )
        for batch in compared:
            yield from batch.to_pylist()


_SEEN_BEFORE = """
INSERT INTO before
SELECT DISTINCT source_sha256 FROM read_parquet(?)
WHERE source_sha256 IN (SELECT source_sha256 FROM read_parquet(?))
"""

_COMPARED = """
WITH compared AS (
    SELECT *,
        source_sha256 IN (SELECT source_sha256 FROM before) AS came_before,
        row_number() OVER (PARTITION BY source_sha256, reason IS NULL ORDER BY ordinal) > 1 AS comes_again
    FROM read_parquet(?)
), instances AS (
    SELECT *,
        first_value(source_sha256) OVER (
            PARTITION BY sop_instance_uid, reason IS NULL ORDER BY NOT came_before, ordinal
        ) AS counting_sha256
    FROM compared
)
SELECT * EXCLUDE (came_before, comes_again, counting_sha256, reason),
    CASE
        WHEN reason IS NOT NULL THEN reason
        WHEN came_before OR comes_again THEN 'duplicate'
        WHEN sop_instance_uid IS NOT NULL AND source_sha256 <> counting_sha256 THEN 'conflicting-instance'
    END AS reason
FROM instances
ORDER BY ordinal
"""
