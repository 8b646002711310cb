"""Stage 2: from what raw ingest accepted to verified instances in the refined zone, and a row for every file.

A study is passed on as a whole. Its instances are de-identified and verified into scratch on the raw side of the
legal line; when the last of them is there and none had a finding, they are put into the refined zone. One finding
holds them all. In scratch there are one study and, of those that follow, what the processes work ahead: some
batches of instances or of bytes. After a kill the next run sweeps it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import tee
from pathlib import Path
from typing import Any

import duckdb

from aida_pipelines.contracts.collection import Collection
from aida_pipelines.contracts.models import Contracts
from aida_pipelines.deid.actions import ActionSets
from aida_pipelines.deid.clinical import ClinicalTable
from aida_pipelines.deid.decisions import Decision, decisions_fingerprint, decisions_of, quarantine_id
from aida_pipelines.deid.instance import PRELOAD, Recipe
from aida_pipelines.deid.keys import DomainKey
from aida_pipelines.deid.study import whole_studies
from aida_pipelines.deid.timeline import timeline
from aida_pipelines.deid.worker import Item, Made, Result, deidentify, in_scratch, open_worker, put
from aida_pipelines.errors import InstanceOutcome, NotFoundError
from aida_pipelines.ingest.stage import ACCEPTED
from aida_pipelines.parallel import Workers
from aida_pipelines.progress import track
from aida_pipelines.reasons import REASONS, Outcome
from aida_pipelines.stages import Stage
from aida_pipelines.storage.objects import object_key
from aida_pipelines.storage.receipts import Receipt, fingerprint_of, read_receipt, write_receipt
from aida_pipelines.storage.scratch import scratch, sweep_scratch
from aida_pipelines.storage.store import ObjectStore
from aida_pipelines.storage.tables import TableFile, iter_rows, table_key, write_table

VERSION = "deid/3"

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
_BY_STUDY = r"""
SELECT ordinal, source_sha256, extension, bytes, split_part(coalesce(study_instance_uid, ''), '\', 1) AS study
FROM read_parquet(?)
WHERE verdict = ? AND kind = 'dicom'
ORDER BY study, ordinal
"""
"""Of a UID with several values, which is none, the first counts, as for de-identification."""

_SORT_MEMORY = "100MB"
_BATCH_ROWS = 2_000


def inputs(delivery: str, *, raw: ObjectStore, contracts: Contracts, key_file: Path) -> dict[str, str]:
    """Fingerprints of everything that decides the result.

    Raises:
        NotFoundError: Raw ingest has not been done.
        UsageError: The key can't be used.
    """
    ingested = _raw_receipt(raw, delivery)
    collection = contracts.collection(ingested.collection)
    tables = (*_TABLES, *collection.clinical_tables)
    key = DomainKey.of(key_file, collection.pseudonym_domain)
    return {
        "raw_ingest": ingested.fingerprint,
        "site": contracts.site(ingested.site).fingerprint,
        "collection": reported(collection),
        "profile": contracts.profile(collection.deid_profile).fingerprint,
        "descriptor_tokens": contracts.vocabulary("descriptor_tokens").fingerprint,
        "device_tokens": contracts.vocabulary("device_tokens").fingerprint,
        **{f"table {name}": contracts.table(name).fingerprint for name in tables},
        "key": key.key_id,
        "pseudonym_domain": key.domain,
        "decisions": decisions_fingerprint(decisions_of(raw, delivery)),
    }


def reported(collection: Collection) -> str:
    """Fingerprint of what the delivery's report says of its collection."""
    approvals = [approval.model_dump(mode="json") for approval in collection.approvals]
    return fingerprint_of({"title": collection.title, "approvals": approvals})


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
        # The key that the receipt names, and no other that may be in the file by then.
        key=DomainKey(key_file, wanted["key"], wanted["pseudonym_domain"]),
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


class _Run:
    """One delivery's run."""

    def __init__(
        self,
        delivery: str,
        *,
        raw: ObjectStore,
        refined: ObjectStore,
        contracts: Contracts,
        key: DomainKey,
        work_dir: Path,
        workers: int | None,
    ) -> None:
        self.delivery, self.raw, self.refined, self.contracts = delivery, raw, refined, contracts
        self.key, self.work_dir, self.workers = key, work_dir, workers
        self.ingested = _raw_receipt(raw, delivery)
        self.issuer = contracts.site(self.ingested.site).issuer_of_patient_id
        self.profile = contracts.profile(contracts.collection(self.ingested.collection).deid_profile)
        self.decisions = decisions_of(raw, delivery)
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.bytes = 0

    def receipt(self, wanted: dict[str, str]) -> Receipt:
        sweep_scratch(self.work_dir)
        with scratch(self.work_dir) as folder:
            # Rows of one table come out while another is written; they wait in a file, for there may be many.
            spool = folder / "rejections.jsonl"
            self.actions = ActionSets(folder / "actions.jsonl")
            with spool.open("w", encoding="utf-8") as self.rejected:
                tables = [self._write("instances", self._instances(folder)), *self._clinical()]
                self._not_accepted()
            with spool.open(encoding="utf-8") as lines:
                tables.append(self._write("rejections", map(json.loads, lines)))
            tables.append(self._write("deid_actions", self.actions.rows()))
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
        receipt = receipt.model_copy(update={"documents": self._report(receipt)})
        write_receipt(self.refined, receipt)
        return receipt

    def _report(self, receipt: Receipt) -> dict[str, str]:
        rejections, actions = (
            iter_rows(self.refined, receipt.table(table).key) for table in ("rejections", "deid_actions")
        )
        from aida_pipelines.deid.evidence import evidence, write_report

        made = evidence(receipt, rejections=rejections, actions=actions, contracts=self.contracts)
        return write_report(self.refined, made)

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

    def _items(self, folder: Path) -> Iterator[Item]:
        """What is to be worked on, study by study; sorted on disk if there is much of it."""
        with (
            self.raw.local(self.ingested.table("files").key) as path,
            duckdb.connect(
                config={"threads": "1", "memory_limit": _SORT_MEMORY, "temp_directory": str(folder / "spill")}
            ) as db,
        ):
            found = db.sql(_BY_STUDY, params=[str(path), ACCEPTED]).to_arrow_reader(_BATCH_ROWS)
            for batch in found:
                for file in batch.to_pylist():
                    item = quarantine_id(self.delivery, file["source_sha256"], file["ordinal"])
                    decision = self.decisions.get(item)
                    yield Item(
                        **file, reviewed=decision is Decision.RELEASE, rejected=decision is Decision.REJECT
                    )

    def _instances(self, folder: Path) -> Iterator[dict[str, Any]]:
        recipe = Recipe(
            profile=self.profile,
            tokens=frozenset(self.contracts.vocabulary("descriptor_tokens").terms),
            device_tokens=frozenset(self.contracts.vocabulary("device_tokens").terms),
            key=self.key,
            issuer=self.issuer,
        )
        made = folder / "instances"
        made.mkdir()
        with Workers(
            self.workers,
            initializer=open_worker,
            initargs=(
                self.raw.url,
                self.refined.url,
                self.work_dir,
                made,
                recipe,
                self.contracts.table("instances"),
            ),
            preload=PRELOAD,
        ) as workers:
            results = workers.ordered_map(deidentify, self._items(folder), weigh=lambda item: item.bytes)
            tracked = track(results, label=f"De-identify {self.delivery}")
            passing, to_put = tee(self._passing(tracked, made))
            done = workers.ordered_map(
                put,
                (Made(o, row["object_sha256"], row["object_bytes"]) for o, row in to_put),
                weigh=lambda one: one.bytes,
            )
            for _, (_, row) in zip(done, passing, strict=True):
                yield row

    def _passing(self, results: Iterable[Result], folder: Path) -> Iterator[tuple[int, dict[str, Any]]]:
        """Numbers and rows of instances that are to be put into the refined zone; the others are rejected."""
        of_study = ((result.item.study, result) for result in results)
        for result, held in whole_studies(of_study, failed=lambda one: one.finding, folder=folder):
            item = result.item
            if result.row is None:
                self._reject(item.ordinal, item.source_sha256, result.reason)
            elif held:
                in_scratch(folder, item.ordinal).unlink()
                self._reject(item.ordinal, item.source_sha256, "study-held")
            else:
                self.counts["refined"] += 1
                self.bytes += result.row["object_bytes"]
                yield (
                    item.ordinal,
                    {
                        **result.row,
                        "site": self.ingested.site,
                        "collection": self.ingested.collection,
                        "source_sha256": item.source_sha256,
                        "profile": f"{self.profile.name} {self.profile.version}",
                        "action_set": self.actions.add(result.done),
                    },
                )

    # --- clinical tables ----------------------------------------------------------------------------------

    def _clinical(self) -> Iterator[TableFile]:
        delivered = {
            file["clinical_table"]
            for file in self._files()
            if file["verdict"] == ACCEPTED and file["kind"] == "clinical"
        }
        pseudonyms = self.key.pseudonyms()
        days = timeline(self.profile.dates, pseudonyms)
        for table in sorted(delivered):
            contract = self.contracts.table(table)
            tokens = self.contracts.vocabulary("descriptor_tokens").terms
            reader = ClinicalTable(contract, pseudonyms, days, issuer=self.issuer, tokens=tokens)
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
