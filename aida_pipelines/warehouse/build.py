"""One DuckDB file over all refined tables and all releases: ``warehouse/aida.duckdb`` in the refined zone.

The file holds the rows themselves, so that it can be copied to a laptop and opened there. It is built beside and put in
place whole; ``warehouse/warehouse.json``, written after it, says what it was built from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
from pydantic import BaseModel

from aida_pipelines.client.catalogue import INDEX_KEY
from aida_pipelines.client.sandbox import literal, quoted
from aida_pipelines.contracts.models import Contracts
from aida_pipelines.contracts.table import TableContract
from aida_pipelines.errors import NotFoundError
from aida_pipelines.stages import Stage
from aida_pipelines.storage.objects import sha256_of
from aida_pipelines.storage.receipts import Receipt, fingerprint_of, list_receipts
from aida_pipelines.storage.scratch import scratch
from aida_pipelines.storage.store import ObjectStore

VERSION = "warehouse/1"
WAREHOUSE_KEY = "warehouse/aida.duckdb"
_FACTS_KEY = "warehouse/warehouse.json"
_STAGES = (Stage.DEIDENTIFICATION, Stage.HARMONISATION, Stage.QUALITY_CHECKS)


class Warehouse(BaseModel, frozen=True):
    """The warehouse as built.

    Attributes:
        inputs: Name → fingerprint of everything that decided it.
        tables: Table → number of rows.
        bytes: Size of the file.
    """

    inputs: dict[str, str]
    tables: dict[str, int]
    bytes: int

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what it was built from: DuckDB's file format does not give the same bytes twice."""
        return fingerprint_of(self.inputs)


def inputs(*, refined: ObjectStore, curated: ObjectStore, contracts: Contracts) -> dict[str, str]:
    """Fingerprints of everything that decides the warehouse: receipts, releases, contracts."""
    receipts = (receipt for stage in _STAGES for receipt in list_receipts(refined, stage))
    return {
        "code": VERSION,
        "releases": _releases(curated),
        **{f"table/{contract.name}": contract.fingerprint for contract in _contracts(contracts)},
        **{f"{receipt.stage}/{receipt.delivery}": receipt.fingerprint for receipt in receipts},
    }


def build_warehouse(
    *, refined: ObjectStore, curated: ObjectStore, contracts: Contracts, work_dir: Path | None = None
) -> Warehouse:
    """Build the warehouse; nothing to do if it was built from what there is now.

    Args:
        refined: The refined zone: read, and written to under ``warehouse/``.
        curated: The curated zone, for the list of releases.
        contracts: Give tables and columns their comments.
        work_dir: Local scratch on this side of the legal line.

    Raises:
        StorageError: A zone can't be read or written.
    """
    wanted = inputs(refined=refined, curated=curated, contracts=contracts)
    found = _read(refined)
    if found is not None and found.inputs == wanted:
        return found
    with scratch(work_dir) as folder:
        path = folder / "aida.duckdb"
        config = {"memory_limit": "1GB", "temp_directory": str(folder / "spill")}
        with duckdb.connect(path, config=dict(config)) as db:
            tables = dict(_fill(db, refined, curated, contracts, folder))
        refined.put_file(WAREHOUSE_KEY, path)
        built = Warehouse(inputs=wanted, tables=tables, bytes=path.stat().st_size)
    refined.flush()
    refined.put(_FACTS_KEY, built.model_dump_json(indent=2).encode())
    return built


def _read(refined: ObjectStore) -> Warehouse | None:
    try:
        return Warehouse.model_validate_json(refined.get(_FACTS_KEY))
    except NotFoundError:
        return None


def _releases(curated: ObjectStore) -> str:
    try:
        return sha256_of([curated.get(INDEX_KEY)])
    except NotFoundError:
        return "none"


def _contracts(contracts: Contracts) -> list[TableContract]:
    refined = [contract for contract in contracts.tables.values() if contract.zone == "refined"]
    return [*sorted(refined, key=lambda contract: contract.name), contracts.table("releases")]


def _fill(
    db: duckdb.DuckDBPyConnection,
    refined: ObjectStore,
    curated: ObjectStore,
    contracts: Contracts,
    folder: Path,
) -> Iterator[tuple[str, int]]:
    """Make every table; yield its name and rows."""
    receipts = [receipt for stage in _STAGES for receipt in list_receipts(refined, stage)]
    for contract in _contracts(contracts):
        with ExitStack() as stack:
            if contract.name == "releases":
                there = curated.stat(INDEX_KEY) is not None
                paths = [stack.enter_context(curated.local(INDEX_KEY))] if there else []
            else:
                keys = (
                    table.key
                    for receipt in receipts
                    for table in receipt.tables
                    if table.table == contract.name
                )
                paths = [stack.enter_context(refined.local(key)) for key in sorted(keys)]
            yield contract.name, _table(db, contract, paths, folder)
    yield "deliveries", _deliveries(db, receipts)


def _table(
    db: duckdb.DuckDBPyConnection, contract: TableContract, paths: Sequence[Path], folder: Path
) -> int:
    # An empty file of the contract's schema gives the table its columns, whatever older files may lack.
    shape = folder / f"{contract.name}.parquet"
    pq.write_table(contract.arrow_schema.empty_table(), shape)
    files = ", ".join(literal(str(path)) for path in (shape, *paths))
    name = quoted(contract.name)
    columns = ", ".join(quoted(column.name) for column in contract.columns)
    db.execute(
        f"CREATE TABLE {name} AS SELECT {columns} FROM read_parquet([{files}], union_by_name=true)"  # noqa: S608
    )
    db.execute(f"COMMENT ON TABLE {name} IS {literal(contract.description)}")
    for column in contract.columns:
        comment = f"{column.description} [{column.unit}]" if column.unit else column.description
        db.execute(f"COMMENT ON COLUMN {name}.{quoted(column.name)} IS {literal(comment)}")
    counted = db.execute(f"SELECT count(*) FROM {name}").fetchall()[0]  # noqa: S608
    assert counted is not None
    return int(counted[0])


def _deliveries(db: duckdb.DuckDBPyConnection, receipts: Sequence[Receipt]) -> int:
    """A row for each delivery: its last stage, and what became of its files."""
    db.execute(
        "CREATE TABLE deliveries (delivery VARCHAR, site VARCHAR, collection VARCHAR, received_on DATE, "
        "stage VARCHAR, counts MAP(VARCHAR, BIGINT))"
    )
    db.execute("COMMENT ON TABLE deliveries IS 'One row a delivery, with the last stage that was completed.'")
    last = {receipt.delivery: receipt for receipt in receipts}  # stages come in order: the last one wins
    first = {receipt.delivery: receipt for receipt in reversed(receipts)}
    for delivery, receipt in sorted(last.items()):
        counts = first[delivery].counts
        db.execute(
            "INSERT INTO deliveries VALUES (?, ?, ?, ?, ?, MAP(?, ?))",
            [
                delivery,
                receipt.site,
                receipt.collection,
                receipt.received_on,
                receipt.stage.value,
                list(counts),
                list(counts.values()),
            ],
        )
    return len(last)
