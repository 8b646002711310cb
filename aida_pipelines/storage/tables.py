"""Parquet tables: one file per delivery and table, the same bytes for the same rows, put in place last.

Rows stream: a stage writes them to a spool on its own side of the line, DuckDB sorts the spool (on disk if it
must), and one writer with fixed settings makes the file. Nothing here holds a delivery's rows in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from aida_pipelines.storage.disk import is_full, no_space
from aida_pipelines.storage.objects import sha256_of_file
from aida_pipelines.storage.scratch import scratch
from aida_pipelines.storage.store import ObjectStore

if TYPE_CHECKING:
    import polars as pl

Row = Mapping[str, Any]

_BATCH_ROWS = 2_000
_ROW_GROUP = 50_000
_SORT_MEMORY = "400MB"


class TableFile(BaseModel, frozen=True):
    """A table as written: what a receipt keeps of it.

    Attributes:
        table: The table's name, as its contract has it.
        key: Where it is in its zone.
        rows: Number of rows.
        bytes: Size of the Parquet file.
        sha256: Hash of the Parquet file.
    """

    table: str
    key: str
    rows: int
    bytes: int
    sha256: str


def table_key(table: str, delivery: str) -> str:
    """``tables/TABLE/delivery=ID/part-0.parquet``."""
    return f"tables/{table}/delivery={delivery}/part-0.parquet"


def write_table(
    store: ObjectStore,
    table: str,
    key: str,
    schema: pa.Schema,
    rows: Iterable[Row],
    *,
    order_by: Sequence[str] = (),
    work_dir: Path | None = None,
) -> TableFile:
    """Write rows as one Parquet file, atomically, in constant memory.

    Args:
        store: The zone.
        table: The table's name.
        key: Where to put it, usually ``table_key(...)``.
        schema: The contract's Arrow schema; a row's missing fields become null, unknown ones are an error.
        rows: Dictionaries by column name, streamed.
        order_by: Columns to order by, the rest breaking ties; without them the order of ``rows`` is kept.
        work_dir: Local folder for the spool, on the same side of the legal line as the table; by default the
            store's own.

    Raises:
        ValueError: A row has a field that the schema doesn't have, nothing in a required one, or a value of
            another type; the message names the column, never the value.
        StorageError: The disk is full, or the zone can't be written.
    """
    with scratch(work_dir or store.work_dir) as folder, _explaining(folder):
        path = folder / "table.parquet"
        if not order_by:
            count = _write(path, schema, _batches(schema, rows))
        else:
            spool = folder / "spool.parquet"
            count = _write(spool, schema, _batches(schema, rows))
            _write(path, schema, _sorted(spool, order_by, folder))
        return _put(store, table, key, path, count)


def write_batches(
    store: ObjectStore,
    table: str,
    key: str,
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    *,
    work_dir: Path | None = None,
) -> TableFile:
    """Write Arrow batches that are in order already as one Parquet file, atomically, in constant memory.

    Row groups are cut anew, so that the bytes depend on the rows and not on how a query engine batched them.

    Args:
        store: The zone.
        table: The table's name.
        key: Where to put it.
        schema: What the batches are cast to.
        batches: Streamed; their columns in the order of ``schema``.
        work_dir: As for ``write_table``.
    """
    with scratch(work_dir or store.work_dir) as folder, _explaining(folder):
        path = folder / "table.parquet"
        return _put(store, table, key, path, _write(path, schema, batches))


def _put(store: ObjectStore, table: str, key: str, path: Path, rows: int) -> TableFile:
    store.put_file(key, path)
    return TableFile(table=table, key=key, rows=rows, bytes=path.stat().st_size, sha256=sha256_of_file(path))


def _batches(schema: pa.Schema, rows: Iterable[Row]) -> Iterator[pa.RecordBatch]:
    names, stream = set(schema.names), iter(rows)
    while batch := list(islice(stream, _BATCH_ROWS)):
        if unknown := set().union(*batch) - names:
            raise ValueError(f"columns {sorted(unknown)} are not in the table's contract")
        yield pa.RecordBatch.from_arrays([_column(field, batch) for field in schema], schema=schema)


def _column(field: pa.Field, batch: Sequence[Row]) -> pa.Array:
    try:
        array = pa.array([row.get(field.name) for row in batch], type=field.type)
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        # Arrow's own message shows the value.
        raise ValueError(f"column {field.name}: a value is not {field.type}") from None
    if array.null_count and not field.nullable:
        raise ValueError(f"column {field.name} is required: a row has nothing in it")
    return array


def _sorted(spool: Path, order_by: Sequence[str], folder: Path) -> Iterator[pa.RecordBatch]:
    """The spool's rows in order; all columns break ties, so that the order they came in shows nowhere."""
    import duckdb  # here and below, because who only reads rows needs neither (30 MB each)

    order = ", ".join(f'"{name}" NULLS LAST' for name in order_by)
    with duckdb.connect(
        config={"threads": "1", "memory_limit": _SORT_MEMORY, "temp_directory": str(folder / "spill")}
    ) as db:
        query = f"SELECT * FROM read_parquet(?) ORDER BY {order}, COLUMNS(*) NULLS LAST"  # noqa: S608
        yield from db.sql(query, params=[str(spool)]).to_arrow_reader(_BATCH_ROWS)


def _write(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Write batches in row groups of one size, however they were cut; the number of rows."""
    count, held = 0, schema.empty_table()
    with _writer(path, schema) as writer:
        for batch in batches:
            held = pa.concat_tables([held, pa.Table.from_batches([batch]).cast(schema)])
            while held.num_rows >= _ROW_GROUP:
                writer.write_table(held.slice(0, _ROW_GROUP).combine_chunks(), row_group_size=_ROW_GROUP)
                held = held.slice(_ROW_GROUP)
            count += batch.num_rows
        if held.num_rows:
            writer.write_table(held.combine_chunks(), row_group_size=_ROW_GROUP)
    return count


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, schema, compression="zstd", compression_level=3, version="2.6")


@contextmanager
def _explaining(folder: Path) -> Iterator[None]:
    """Say in words when the scratch folder's disk is full; pass on anything else (rows are the caller's)."""
    import duckdb

    try:
        yield
    except (OSError, duckdb.IOException, duckdb.OutOfMemoryException) as error:
        if isinstance(error, OSError) and not is_full(error):
            raise
        raise no_space(str(folder.parent)) from None


def scan(store: ObjectStore, key: str) -> pl.LazyFrame:
    """A lazy frame over one table file, or over many with ``*`` in the key."""
    import polars as pl

    return pl.scan_parquet(
        store.uri(key), storage_options=store.storage_options(), hive_partitioning=False, glob="*" in key
    )


def iter_rows(store: ObjectStore, key: str, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """A table file's rows, in order, in constant memory."""
    with store.local(key) as path, pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=None if columns is None else list(columns)):
            yield from batch.to_pylist()
