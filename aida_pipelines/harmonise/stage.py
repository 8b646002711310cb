"""Stage 3: from instances to series, studies, subjects and volumes that mean the same from every scanner.

Reads the refined zone only: headers out of the table that de-identification wrote, object files for pixels. One
worker takes one series at a time; memory holds a few series' rows and one volume a process.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

import duckdb

from aida_pipelines.contracts.models import Contracts
from aida_pipelines.contracts.vocabulary import Vocabulary
from aida_pipelines.errors import NotFoundError
from aida_pipelines.harmonise.pixels import UNDECODABLE
from aida_pipelines.harmonise.series import COLUMNS, VOCABULARIES, Harmonised, Harmoniser
from aida_pipelines.parallel import ordered_map
from aida_pipelines.progress import track
from aida_pipelines.stages import Stage
from aida_pipelines.storage.receipts import Receipt, read_receipt, write_receipt
from aida_pipelines.storage.scratch import scratch
from aida_pipelines.storage.store import ObjectStore, open_store
from aida_pipelines.storage.tables import TableFile, table_key, write_table

VERSION = "harmonise/2"

TABLES = ("series", "studies", "subjects", "volumes", "unmapped_terms")

_ROWS_AT_ONCE = 2_000

_STUDIES = """
    SELECT study_instance_uid, min(subject) AS subject, min(site) AS site, min(collection) AS collection,
           min(study_date) AS study_date, min(study_description) AS study_description,
           min(patient_sex) AS patient_sex, min(patient_age) AS patient_age,
           list_sort(list_distinct(list(modality))) AS modalities,
           list_sort(list_distinct(list(body_part))) AS body_parts,
           count(*) AS series, sum(volumes)::BIGINT AS volumes, sum(instances)::BIGINT AS instances,
           sum(bytes)::BIGINT AS bytes
    FROM series GROUP BY study_instance_uid"""

_SUBJECTS = """
    SELECT subject, min(site) AS site, min(collection) AS collection, min(patient_sex) AS patient_sex,
           min(patient_age) AS age_min, max(patient_age) AS age_max,
           min(study_date) AS first_study_date, max(study_date) AS last_study_date,
           list_sort(list_distinct(list(modality))) AS modalities,
           list_sort(list_distinct(list(body_part))) AS body_parts,
           count(DISTINCT study_instance_uid) AS studies, count(*) AS series, sum(volumes)::BIGINT AS volumes,
           sum(instances)::BIGINT AS instances, sum(bytes)::BIGINT AS bytes
    FROM series GROUP BY subject"""

_UNMAPPED = "SELECT attribute, field, term, count(*) AS series FROM terms GROUP BY ALL"

# `instances` comes ordered by study; a series UID that two studies or subjects bear must still come together.
_INSTANCES = """
    SELECT {columns} FROM read_parquet(?)
    ORDER BY series_instance_uid, study_instance_uid, subject, instance_number, sop_instance_uid, object_sha256"""


def inputs(delivery: str, *, refined: ObjectStore, contracts: Contracts) -> dict[str, str]:
    """Fingerprints of everything that decides the result.

    Raises:
        NotFoundError: De-identification has not been done.
    """
    return {
        "deidentification": _source(refined, delivery).fingerprint,
        **{f"vocabulary {name}": contracts.vocabulary(name).fingerprint for name in VOCABULARIES},
        **{f"table {name}": contracts.table(name).fingerprint for name in TABLES},
    }


def run(
    delivery: str,
    *,
    refined: ObjectStore,
    contracts: Contracts,
    work_dir: Path,
    workers: int | None = None,
) -> Receipt:
    """Harmonise a delivery, if that is outstanding.

    Args:
        delivery: Its id.
        refined: The refined zone.
        contracts: The contracts.
        work_dir: Scratch on the refined side of the legal line.
        workers: Processes; by default one for each processor.

    Returns:
        The receipt, as written or as found.

    Raises:
        NotFoundError: De-identification has not been done, or an object that its table names is missing.
    """
    wanted = inputs(delivery, refined=refined, contracts=contracts)
    there = read_receipt(refined, Stage.HARMONISATION, delivery)
    if there is not None and there.inputs == wanted and there.code_version == VERSION:
        return there
    return _Run(delivery, refined, contracts, work_dir, workers).receipt(wanted)


def _source(refined: ObjectStore, delivery: str) -> Receipt:
    receipt = read_receipt(refined, Stage.DEIDENTIFICATION, delivery)
    if receipt is None:
        raise NotFoundError(
            f"The de-identification of {delivery} has not been done.",
            way_out=f"Run: aida run --delivery {delivery}",
        )
    return receipt


_harmoniser: Harmoniser | None = None


def _open_worker(refined_url: str, vocabularies: dict[str, Vocabulary], work_dir: Path) -> None:
    global _harmoniser  # noqa: PLW0603 - one for each process, made by the pool's initializer
    _harmoniser = Harmoniser(open_store(refined_url, work_dir=work_dir), vocabularies, work_dir)


def _work(rows: list[dict[str, Any]]) -> Harmonised:
    assert _harmoniser is not None
    return _harmoniser(rows)


class _Run:
    """One delivery's run."""

    def __init__(
        self, delivery: str, refined: ObjectStore, contracts: Contracts, work_dir: Path, workers: int | None
    ) -> None:
        self.delivery, self.refined, self.contracts = delivery, refined, contracts
        self.work_dir, self.workers = work_dir, workers
        self.source = _source(refined, delivery)
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()

    def receipt(self, wanted: dict[str, str]) -> Receipt:
        with scratch(self.work_dir) as folder:
            # Rows of these two come out while `series` is written; they wait in files, for there may be many.
            spools = {name: folder / f"{name}.jsonl" for name in ("volumes", "terms")}
            with spools["volumes"].open("w") as volumes, spools["terms"].open("w") as terms:
                tables = [self._write("series", self._series(folder, volumes, terms))]
            tables += [
                *self._aggregates(tables[0], folder),
                self._write("volumes", _lines(spools["volumes"])),
                self._unmapped(spools["terms"], folder),
            ]
        receipt = Receipt(
            stage=Stage.HARMONISATION,
            delivery=self.delivery,
            site=self.source.site,
            collection=self.source.collection,
            received_on=self.source.received_on,
            code_version=VERSION,
            inputs=wanted,
            counts={"instances": self.counts["instances"], **{table.table: table.rows for table in tables}},
            reasons=dict(sorted(self.reasons.items())),
            figures={name: float(many) for name, many in sorted(self.counts.items()) if name != "instances"},
            tables=tuple(tables),
        )
        write_receipt(self.refined, receipt)
        return receipt

    def _write(self, table: str, rows: Iterable[dict[str, Any]]) -> TableFile:
        contract = self.contracts.table(table)
        same = {"delivery": self.delivery, "code_version": VERSION, "contract_version": contract.version}
        return write_table(
            self.refined,
            table,
            table_key(table, self.delivery),
            contract.arrow_schema,
            ({**row, **same} for row in rows),
            order_by=contract.order_by,
            work_dir=self.work_dir,
        )

    def _series(self, folder: Path, volumes: IO[str], terms: IO[str]) -> Iterator[dict[str, Any]]:
        vocabularies = {name: self.contracts.vocabulary(name) for name in VOCABULARIES}
        results = ordered_map(
            _work,
            self._grouped(folder),
            workers=self.workers,
            initializer=_open_worker,
            initargs=(self.refined.url, vocabularies, self.work_dir),
            batch=1,
        )
        for result in track(results, label=f"Harmonise {self.delivery}"):
            row = result.series
            self.counts["instances"] += row["instances"]
            self.counts[f"series {row['geometry_verdict']}"] += 1
            self.counts["previews"] += row["preview_sha256"] is not None
            if row["geometry_reason"] == UNDECODABLE:
                self.reasons[UNDECODABLE] += 1
            for volume in result.volumes:
                volumes.write(json.dumps(volume) + "\n")
            for attribute, field, term in result.unmapped:
                terms.write(json.dumps({"attribute": attribute, "field": field, "term": term}) + "\n")
            yield row

    def _grouped(self, folder: Path) -> Iterator[list[dict[str, Any]]]:
        """The rows of each series, in the order of series."""
        query = _INSTANCES.format(columns=", ".join(f'"{column}"' for column in COLUMNS))
        with self.refined.local(self.source.table("instances").key) as path, _database(folder) as db:
            batches = db.sql(query, params=[str(path)]).to_arrow_reader(_ROWS_AT_ONCE)
            rows = (row for batch in batches for row in batch.to_pylist())
            for _, group in groupby(rows, key=itemgetter("series_instance_uid")):
                yield list(group)

    def _aggregates(self, series: TableFile, folder: Path) -> Iterator[TableFile]:
        with self.refined.local(series.key) as path, _database(folder) as db:
            db.from_parquet(str(path)).create_view("series")
            for table, query in (("studies", _STUDIES), ("subjects", _SUBJECTS)):
                yield self._write(table, _rows(db, query))

    def _unmapped(self, spool: Path, folder: Path) -> TableFile:
        with _database(folder) as db:
            columns = dict.fromkeys(("attribute", "field", "term"), "VARCHAR")
            db.read_json(str(spool), columns=columns, format="newline_delimited").create_view("terms")
            return self._write("unmapped_terms", _rows(db, _UNMAPPED))


def _database(folder: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": "1", "memory_limit": "400MB", "temp_directory": str(folder)})


def _rows(db: duckdb.DuckDBPyConnection, query: str) -> Iterator[dict[str, Any]]:
    for batch in db.sql(query).to_arrow_reader(_ROWS_AT_ONCE):
        yield from batch.to_pylist()


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open() as lines:
        yield from map(json.loads, lines)
