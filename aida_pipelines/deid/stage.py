"""Stage 2: from what raw ingest accepted to verified instances in the refined zone, and a row for every file.

Nothing is put into the refined zone before it has been verified.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aida_pipelines.contracts.models import Contracts
from aida_pipelines.contracts.table import TableContract
from aida_pipelines.deid.clinical import ClinicalTable
from aida_pipelines.deid.decisions import Decision, decisions_fingerprint, decisions_of, quarantine_id
from aida_pipelines.deid.instance import Done, Processor, Recipe, RowMaker, action_row, done
from aida_pipelines.deid.pseudonym import Pseudonyms, load_key
from aida_pipelines.errors import InstanceOutcome, NotFoundError
from aida_pipelines.ingest.stage import ACCEPTED
from aida_pipelines.parallel import ordered_map
from aida_pipelines.progress import track
from aida_pipelines.reasons import REASONS, Outcome
from aida_pipelines.stages import Stage
from aida_pipelines.storage.objects import mapped, object_key, put_object
from aida_pipelines.storage.receipts import Receipt, read_receipt, write_receipt
from aida_pipelines.storage.scratch import scratch
from aida_pipelines.storage.store import ObjectStore, open_store
from aida_pipelines.storage.tables import TableFile, iter_rows, table_key, write_table

VERSION = "deid/2"

_TABLES = ("instances", "rejections", "deid_actions")
_FILE_COLUMNS = (
    "ordinal",
    "source_sha256",
    "extension",
    "kind",
    "clinical_table",
    "verdict",
    "reason",
)


def inputs(delivery: str, *, raw: ObjectStore, contracts: Contracts, key_file: Path) -> dict[str, str]:
    """Fingerprints of everything that decides the result.

    Raises:
        NotFoundError: Raw ingest has not been done.
        UsageError: The key can't be used.
    """
    ingested = _raw_receipt(raw, delivery)
    collection = contracts.collection(ingested.collection)
    tables = (*_TABLES, *collection.clinical_tables)
    return {
        "raw_ingest": ingested.fingerprint,
        "site": contracts.site(ingested.site).fingerprint,
        "profile": contracts.profile(collection.deid_profile).fingerprint,
        "descriptor_tokens": contracts.vocabulary("descriptor_tokens").fingerprint,
        "device_tokens": contracts.vocabulary("device_tokens").fingerprint,
        **{f"table {name}": contracts.table(name).fingerprint for name in tables},
        "key": Pseudonyms(load_key(key_file)).key_id,
        "decisions": decisions_fingerprint(decisions_of(raw, delivery)),
    }


def run(
    delivery: str,
    *,
    raw: ObjectStore,
    refined: ObjectStore,
    contracts: Contracts,
    key_file: Path,
    work_dir: Path,
    workers: int | None = None,
) -> Receipt:
    """De-identify a delivery, if that is outstanding.

    Args:
        delivery: Its id.
        raw: The raw zone.
        refined: The refined zone.
        contracts: The contracts.
        key_file: The pseudonym key.
        work_dir: Scratch on the raw side of the legal line.
        workers: Processes; by default one for each processor.

    Returns:
        The receipt, as written or as found. Its counts sum: ``received`` = ``duplicate`` + ``quarantined`` +
        ``rejected`` + ``refined``.
    """
    wanted = inputs(delivery, raw=raw, contracts=contracts, key_file=key_file)
    there = read_receipt(refined, Stage.DEIDENTIFICATION, delivery)
    if there is not None and there.inputs == wanted and there.code_version == VERSION:
        return there
    return _Run(
        delivery,
        raw=raw,
        refined=refined,
        contracts=contracts,
        key_file=key_file,
        work_dir=work_dir,
        workers=workers,
    ).receipt(wanted)


def _raw_receipt(raw: ObjectStore, delivery: str) -> Receipt:
    receipt = read_receipt(raw, Stage.RAW_INGEST, delivery)
    if receipt is None:
        raise NotFoundError(
            f"The raw ingest of {delivery} has not been done.", way_out=f"Run: aida run --delivery {delivery}"
        )
    return receipt


@dataclass(frozen=True, slots=True)
class _Item:
    """One accepted DICOM file, as a worker gets it."""

    ordinal: int
    source_sha256: str
    extension: str
    reviewed: bool


@dataclass(frozen=True, slots=True)
class _Result:
    """What a worker made of it: a row, or a reason."""

    row: dict[str, Any] | None
    reason: str
    done: frozenset[Done]


class _Worker:
    """De-identifies in one process: stores, key and tables are opened once."""

    def __init__(
        self, raw_url: str, refined_url: str, work_dir: Path, recipe: Recipe, contract: TableContract
    ) -> None:
        self._raw = open_store(raw_url, work_dir=work_dir)
        self._refined = open_store(refined_url)
        self._process = Processor(recipe)
        self._row = RowMaker(contract)

    def __call__(self, item: _Item) -> _Result:
        with self._raw.local(object_key(item.source_sha256, item.extension)) as path:
            try:
                result = self._process(mapped(path), pixels_reviewed=item.reviewed)
            except InstanceOutcome as outcome:
                return _Result(None, outcome.reason, frozenset())
            row = self._row(result)
            row["object_sha256"] = put_object(self._refined, result.parts, "dcm")
            row["object_bytes"] = sum(len(part) for part in result.parts)
            return _Result(row, "", done(result.changes))


_worker: _Worker | None = None


def _open_worker(*args: Any) -> None:
    global _worker  # noqa: PLW0603 - one for each process, made by the pool's initializer
    _worker = _Worker(*args)


def _work(item: _Item) -> _Result:
    assert _worker is not None
    return _worker(item)


class _Run:
    """One delivery's run."""

    def __init__(
        self,
        delivery: str,
        *,
        raw: ObjectStore,
        refined: ObjectStore,
        contracts: Contracts,
        key_file: Path,
        work_dir: Path,
        workers: int | None,
    ) -> None:
        self.delivery, self.raw, self.refined, self.contracts = delivery, raw, refined, contracts
        self.key_file, self.work_dir, self.workers = key_file, work_dir, workers
        self.ingested = _raw_receipt(raw, delivery)
        self.issuer = contracts.site(self.ingested.site).issuer_of_patient_id
        self.profile = contracts.profile(contracts.collection(self.ingested.collection).deid_profile)
        self.decisions = decisions_of(raw, delivery)
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.actions: Counter[Done] = Counter()
        self.bytes = 0

    def receipt(self, wanted: dict[str, str]) -> Receipt:
        with scratch(self.work_dir) as folder:
            # Rows of one table come out while another is written; they wait in a file, for there may be many.
            spool = folder / "rejections.jsonl"
            with spool.open("w", encoding="utf-8") as self.rejected:
                tables = [self._write("instances", self._instances()), *self._clinical()]
                self._not_accepted()
            with spool.open(encoding="utf-8") as lines:
                tables.append(self._write("rejections", map(json.loads, lines)))
        tables.append(self._write("deid_actions", self._action_rows()))
        receipt = Receipt(
            stage=Stage.DEIDENTIFICATION,
            delivery=self.delivery,
            site=self.ingested.site,
            collection=self.ingested.collection,
            received_on=self.ingested.received_on,
            code_version=VERSION,
            inputs=wanted,
            counts={
                "received": self.counts.total(),
                **{name: self.counts[name] for name in (*Outcome, "refined")},
            },
            reasons=dict(sorted(self.reasons.items())),
            figures={"bytes": float(self.bytes)},
            tables=tuple(tables),
        )
        write_receipt(self.refined, receipt)
        return receipt

    def _write(self, table: str, rows: Iterable[dict[str, Any]]) -> TableFile:
        contract = self.contracts.table(table)
        same = {
            "delivery": self.delivery,
            "code_version": VERSION,
            "contract_version": contract.version,
        }
        return write_table(
            self.refined,
            table,
            table_key(table, self.delivery),
            contract.arrow_schema,
            ({**row, **same} for row in rows),
            order_by=contract.order_by,
            work_dir=self.work_dir,
        )

    def _files(self) -> Iterator[dict[str, Any]]:
        return iter_rows(self.raw, self.ingested.table("files").key, _FILE_COLUMNS)

    # --- instances ----------------------------------------------------------------------------------------

    def _items(self) -> Iterator[_Item]:
        for file in self._files():
            if file["verdict"] == ACCEPTED and file["kind"] == "dicom":
                ordinal, sha256 = file["ordinal"], file["source_sha256"]
                decision = self.decisions.get(quarantine_id(self.delivery, sha256, ordinal))
                yield _Item(ordinal, sha256, file["extension"], decision is Decision.RELEASE)

    def _instances(self) -> Iterator[dict[str, Any]]:
        recipe = Recipe(
            profile=self.profile,
            tokens=frozenset(self.contracts.vocabulary("descriptor_tokens").terms),
            device_tokens=frozenset(self.contracts.vocabulary("device_tokens").terms),
            key_file=self.key_file,
            issuer=self.issuer,
        )
        contract = self.contracts.table("instances")
        results = ordered_map(
            _work,
            self._items(),
            workers=self.workers,
            initializer=_open_worker,
            initargs=(self.raw.url, self.refined.url, self.work_dir, recipe, contract),
        )
        tracked = track(zip(self._items(), results, strict=True), label=f"De-identify {self.delivery}")
        for item, result in tracked:
            decision = self.decisions.get(quarantine_id(self.delivery, item.source_sha256, item.ordinal))
            if result.row is None:
                self._reject(item.ordinal, item.source_sha256, result.reason)
            elif decision is Decision.REJECT:
                self._reject(item.ordinal, item.source_sha256, "rejected-by-steward")
            else:
                self.counts["refined"] += 1
                self.actions.update(result.done)
                self.bytes += result.row["object_bytes"]
                yield {
                    **result.row,
                    "site": self.ingested.site,
                    "collection": self.ingested.collection,
                    "source_sha256": item.source_sha256,
                    "profile": f"{self.profile.name} {self.profile.version}",
                }

    # --- clinical tables ----------------------------------------------------------------------------------

    def _clinical(self) -> Iterator[TableFile]:
        delivered = {
            file["clinical_table"]
            for file in self._files()
            if file["verdict"] == ACCEPTED and file["kind"] == "clinical"
        }
        pseudonyms = Pseudonyms(load_key(self.key_file))
        for table in sorted(delivered):
            contract = self.contracts.table(table)
            reader = ClinicalTable(contract, pseudonyms, issuer=self.issuer)
            yield self._write(table, self._clinical_rows(table, reader))

    def _clinical_rows(self, table: str, reader: ClinicalTable) -> Iterator[dict[str, Any]]:
        for file in self._files():
            if file["verdict"] != ACCEPTED or file["clinical_table"] != table:
                continue
            sha256 = file["source_sha256"]
            with self.raw.local(object_key(sha256, file["extension"])) as path:
                try:
                    for _ in reader.rows(
                        path
                    ):  # to the end before the first row counts: a table is whole or held
                        pass
                except InstanceOutcome as outcome:
                    self._reject(file["ordinal"], sha256, outcome.reason)
                    continue
                for row in reader.rows(path):
                    yield {**row, "source_sha256": sha256}
            self.counts["refined"] += 1

    # --- what is not passed on ----------------------------------------------------------------------------

    def _not_accepted(self) -> None:
        for file in self._files():
            if file["verdict"] != ACCEPTED:
                self._reject(file["ordinal"], file["source_sha256"], file["reason"])

    def _reject(self, ordinal: int, sha256: str, code: str) -> None:
        reason = REASONS[code]
        item = quarantine_id(self.delivery, sha256, ordinal)
        decision = self.decisions.get(item)
        outcome = reason.outcome
        if outcome is Outcome.QUARANTINED and decision is Decision.REJECT:
            outcome = Outcome.REJECTED
        self.counts[outcome] += 1
        self.reasons[code] += 1
        row = {
            "id": item,
            "ordinal": ordinal,
            "source_sha256": sha256,
            "stage": reason.stage,
            "outcome": outcome,
            "reason": code,
            "advice": reason.advice,
            "decision": decision,
        }
        self.rejected.write(json.dumps(row) + "\n")

    def _action_rows(self) -> Iterator[dict[str, Any]]:
        for entry, instances in sorted(self.actions.items()):
            yield {**action_row(entry), "instances": instances}
