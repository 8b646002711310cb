"""Which series a collection's contract selects, step by step, each step with what it leaves.

The series of all deliveries are in a DuckDB database on disk; a step deletes from the table ``cohort``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from aida_pipelines.client.release import Step
from aida_pipelines.client.sandbox import literal, quoted
from aida_pipelines.contracts.collection import Collection
from aida_pipelines.contracts.models import Contracts
from aida_pipelines.errors import ContractError, IntegrityError
from aida_pipelines.release.sources import Source
from aida_pipelines.storage.objects import sha256_of_file
from aida_pipelines.storage.scratch import scratch
from aida_pipelines.storage.store import ObjectStore

_MEMORY = "1GB"

FAILED = "fail"
"""The outcome of a blocking gate that an item did not pass."""


@contextmanager
def database(
    refined: ObjectStore, sources: Sequence[Source], contracts: Contracts, work_dir: Path | None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database on disk with a view ``refined.TABLE`` for every table of the deliveries, and ``deliveries``.

    Every table that has a contract is there, with the contract's columns, though no delivery may have rows in it.

    Args:
        refined: The refined zone.
        sources: The deliveries.
        contracts: Give the tables' columns.
        work_dir: For the database's file and copies of remote tables.

    Raises:
        IntegrityError: A table is not the one that its receipt speaks of.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(scratch(work_dir))
        config = {"memory_limit": _MEMORY, "temp_directory": str(folder / "spill")}
        db = stack.enter_context(duckdb.connect(folder / "cohort.duckdb", config=dict(config)))
        db.execute("CREATE SCHEMA refined")
        db.execute("CREATE TABLE deliveries (delivery VARCHAR, site VARCHAR, rank INTEGER)")
        for rank, source in enumerate(sources):
            db.execute("INSERT INTO deliveries VALUES (?, ?, ?)", [source.delivery, source.last.site, rank])
        for name, contract in sorted(contracts.tables.items()):
            if contract.zone == "refined":
                files = [source.tables[name] for source in sources if name in source.tables]
                paths = [stack.enter_context(refined.local(file.key)) for file in files]
                for file, path in zip(files, paths, strict=True):
                    if sha256_of_file(path) != file.sha256:
                        raise IntegrityError(
                            f"{file.key} in {refined.url} is not what its receipt says.",
                            way_out="Run the delivery's stages again.",
                        )
                _view(db, name, contract.arrow_schema, paths, folder)
        yield db


def _view(
    db: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema, paths: Sequence[Path], folder: Path
) -> None:
    # An empty file of the contract's schema gives the view its columns, whatever older files may lack.
    shape = folder / f"{name}.parquet"
    pq.write_table(schema.empty_table(), shape)
    files = ", ".join(literal(str(path)) for path in (shape, *paths))
    columns = ", ".join(quoted(column) for column in schema.names)
    db.execute(
        f"CREATE VIEW refined.{quoted(name)} AS SELECT {columns} "  # noqa: S608
        f"FROM read_parquet([{files}], union_by_name=true)"
    )


def select(db: duckdb.DuckDBPyConnection, collection: Collection) -> list[Step]:
    """Fill the table ``cohort`` (``delivery``, ``series_instance_uid``) and say what each step left.

    Steps, in order: everything delivered; every series once; the contract's criteria, in its order; blocking gates
    of the quality checks.

    Args:
        db: See ``database``.
        collection: The collection's contract.

    Raises:
        ContractError: A criterion is not a condition over the columns of ``series``.
    """
    db.execute(
        "CREATE TABLE held AS SELECT delivery, series_instance_uid, count(*) AS instances "
        "FROM refined.instances GROUP BY ALL"
    )
    db.execute("CREATE TABLE cohort AS SELECT delivery, series_instance_uid FROM refined.series")
    steps = [
        _left(db, "delivered", "Everything that the collection's deliveries brought to the refined zone.")
    ]
    _keep_each_series_once(db)
    steps.append(
        _left(
            db,
            "once",
            "A series that was delivered several times is taken from one delivery: the one "
            "with most of its instances, of several such the earliest.",
        )
    )
    for criterion in collection.criteria:
        _keep(db, collection, criterion.name, criterion.sql)
        steps.append(_left(db, criterion.name, criterion.description))
    _leave_what_failed(db)
    steps.append(_left(db, "quality", "Passed every blocking gate of the quality checks."))
    return steps


def _keep_each_series_once(db: duckdb.DuckDBPyConnection) -> None:
    # Whole from one delivery: geometry, volume and counts of a series were computed from one delivery's instances.
    db.execute("""
        CREATE OR REPLACE TABLE cohort AS
        SELECT c.delivery, c.series_instance_uid
        FROM cohort c JOIN deliveries d USING (delivery) LEFT JOIN held h USING (delivery, series_instance_uid)
        QUALIFY row_number() OVER (
            PARTITION BY c.series_instance_uid ORDER BY coalesce(h.instances, 0) DESC, d.rank) = 1""")


def _keep(db: duckdb.DuckDBPyConnection, collection: Collection, name: str, condition: str) -> None:
    try:
        met = db.table("refined.series").filter(duckdb.SQLExpression(condition))
        met.project("delivery, series_instance_uid").create("met")
    except duckdb.Error as error:
        raise ContractError(
            f"Collection {collection.name}, criterion {name}: not a condition over the columns of series. "
            f"{str(error).splitlines()[0]}",
            way_out="Mend the criterion's sql in the collection's contract.",
        ) from None
    db.execute("DELETE FROM cohort WHERE (delivery, series_instance_uid) NOT IN (FROM met)")
    db.execute("DROP TABLE met")


def _leave_what_failed(db: duckdb.DuckDBPyConnection) -> None:
    db.execute(f"""
        CREATE TABLE failed AS
        SELECT delivery, series_instance_uid FROM refined.quality
        WHERE level <> 'delivery' AND outcome = '{FAILED}'
        UNION
        SELECT s.delivery, s.series_instance_uid FROM refined.series s
        WHERE s.delivery IN (SELECT delivery FROM refined.quality WHERE level = 'delivery' AND outcome = '{FAILED}')
    """)  # noqa: S608 - a constant
    db.execute("DELETE FROM cohort WHERE (delivery, series_instance_uid) IN (FROM failed)")


def _left(db: duckdb.DuckDBPyConnection, name: str, description: str) -> Step:
    row = db.execute("""
        SELECT count(DISTINCT s.subject), count(DISTINCT s.study_instance_uid),
               count(DISTINCT s.series_instance_uid), coalesce(sum(h.instances), 0)
        FROM cohort c JOIN refined.series s USING (delivery, series_instance_uid)
        LEFT JOIN held h USING (delivery, series_instance_uid)""").fetchall()[0]
    assert row is not None
    subjects, studies, series, instances = row
    return Step(
        name=name,
        description=description,
        subjects=subjects,
        studies=studies,
        series=series,
        instances=int(instances),
    )
