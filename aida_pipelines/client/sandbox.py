"""DuckDB that reads the tables it was given and nothing else: no file, no network, no settings, no writing.

A user's SQL may come from a colleague's notebook or a web page; DuckDB as it comes would read and overwrite any
file of the user. Here a statement must be one query, file access is off but for the tables' own files, Python's
variables are out of reach, and the configuration is locked before the statement is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import duckdb
import polars as pl

from aida_pipelines.errors import IntegrityError, UsageError
from aida_pipelines.storage.scratch import scratch
from aida_pipelines.storage.store import ObjectStore

_QUERIES = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
_BATCH_ROWS = 2_000

Tables = Mapping[tuple[str, str], Sequence[str]]
"""``(schema, table)`` → keys of the Parquet files that make it up."""

MAIN = "main"
"""The schema of tables that a query names without one."""


@contextmanager
def sandbox(store: ObjectStore, tables: Tables) -> Iterator[duckdb.DuckDBPyConnection]:
    """A locked in-memory database with a view for each table.

    Args:
        store: The zone that the tables are in.
        tables: What a query can see.

    Raises:
        IntegrityError: A table's file is missing, or is no Parquet file.
    """
    with scratch(None) as spill, duckdb.connect(config={"temp_directory": str(spill)}) as db:
        paths: list[str] = []
        for number, ((schema, table), keys) in enumerate(sorted(tables.items())):
            db.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
            uris = [store.uri(key) for key in keys]
            if store.storage_options() is None:
                paths += uris
            try:
                source = _source(db, store, uris, f"remote_{number}")
                db.execute(f"CREATE VIEW {quoted(schema)}.{quoted(table)} AS SELECT * FROM {source}")  # noqa: S608
            except (duckdb.Error, pl.exceptions.PolarsError, OSError):
                raise _unreadable(store, keys) from None
        db.execute(f"SET allowed_paths=[{', '.join(map(literal, paths))}]")
        for setting in ("python_enable_replacements", "enable_external_access"):
            db.execute(f"SET {setting}=false")
        db.execute("SET lock_configuration=true")
        yield db


def _source(db: duckdb.DuckDBPyConnection, store: ObjectStore, uris: Sequence[str], name: str) -> str:
    """What to select from to get the rows of the files."""
    if store.storage_options() is None:
        return f"read_parquet([{', '.join(map(literal, uris))}], union_by_name=true)"
    # DuckDB's own S3 reader is an extension that has to be downloaded; Polars has one inside.
    frame = pl.scan_parquet(
        list(uris),
        storage_options=store.storage_options(),
        hive_partitioning=False,
        missing_columns="insert",
        extra_columns="ignore",
    )
    db.register(name, frame)
    return name


def _unreadable(store: ObjectStore, keys: Sequence[str]) -> IntegrityError:
    missing = [key for key in keys if store.stat(key) is None]
    what = f"{missing[0]} is missing" if missing else f"{', '.join(keys[:3])} can't be read as a table"
    return IntegrityError(
        f"{what} in {store.url}.",
        way_out="Restore it from a backup; of a release, aida verify names everything that is damaged.",
    )


def run(db: duckdb.DuckDBPyConnection, sql: str) -> pl.DataFrame:
    """The result of one query.

    Raises:
        UsageError: It isn't one query, or DuckDB refuses it.
    """
    try:
        statements = db.extract_statements(sql)
        if len(statements) != 1 or statements[0].type not in _QUERIES:
            raise UsageError(
                "A query is one SELECT (or EXPLAIN, DESCRIBE, SUMMARIZE).",
                way_out="Tables are read-only here; ask one question at a time.",
            )
        frame: pl.DataFrame = db.sql(sql).pl()
        return frame
    except duckdb.Error as error:
        raise refused(error) from None


def condition(db: duckdb.DuckDBPyConnection, table: str, where: str) -> None:
    """Check that ``where`` is one condition over a table's columns.

    Raises:
        UsageError: It is something else, or DuckDB refuses it.
    """
    try:
        # As an expression, not as text put into a query: "1=1) UNION SELECT …" is no expression.
        parsed = duckdb.SQLExpression(where)
        db.table(table).filter(parsed).limit(0).fetchall()
    except duckdb.Error as error:
        raise refused(error) from None


def refused(error: duckdb.Error) -> UsageError:
    """DuckDB's refusal as an error for the person who typed the SQL."""
    return UsageError(
        f"The SQL was refused. {str(error).strip()}",
        way_out='See the columns with: aida query "DESCRIBE SELECT * FROM …".',
    )


def rows(db: duckdb.DuckDBPyConnection, sql: str) -> Iterator[tuple[object, ...]]:
    """A query's rows, streamed; of our own SQL, not a user's.

    Its tables are the database's own: a cursor doesn't see what ``sandbox`` has registered for a bucket.
    """
    cursor = db.cursor().execute(sql)
    while batch := cursor.fetchmany(_BATCH_ROWS):
        yield from batch


def literal(text: str) -> str:
    """An SQL string."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
