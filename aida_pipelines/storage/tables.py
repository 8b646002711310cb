"""Parquet tables: one file per delivery and table, the same bytes for the same rows, put in place last.

Rows stream: a stage writes them to a spool on its own side of the line, DuckDB sorts the spool (on disk if it
must), and one writer with fixed settings makes the file. Nothing here holds a delivery's rows in memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from aida_pipelines.storage.objects import sha256_of_file
from aida_pipelines.storage.scratch import scratch
from aida_pipelines.storage.store import ObjectStore

Row = Mapping[str, Any]

_BATCH_ROWS = 2_000
_ROW_GROUP = 50_000
_MEMORY = "400MB"


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
        order_by: Columns that give the rows one order; without them the order of ``rows`` is kept.
        work_dir: Local folder for the spool, on the same side of the legal line as the table.

    Raises:
        ValueError: A row has a field that the schema doesn't have.
    """
    if work_dir is not None:
        work_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix="table-", dir=work_dir) as folder:
        spool, final = Path(folder) / "spool.parquet", Path(folder) / "final.parquet"
        count = _spool(spool, schema, rows)
        if order_by:
            _write_sorted(spool, final, schema, order_by, Path(folder))
        else:
            final = spool
        store.put_file(key, final)
        return TableFile(table=table, key=key, rows=count, bytes=final.stat().st_size,
                         sha256=sha256_of_file(final))


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
    with scratch(work_dir) as folder:
        path, count, held = folder / "final.parquet", 0, schema.empty_table()
        with _writer(path, schema) as writer:
            for batch in batches:
                held = pa.concat_tables([held, pa.Table.from_batches([batch]).cast(schema)])
                while held.num_rows >= _ROW_GROUP:
                    writer.write_table(held.slice(0, _ROW_GROUP), row_group_size=_ROW_GROUP)
                    held = held.slice(_ROW_GROUP)
                count += batch.num_rows
            if held.num_rows:
                writer.write_table(held, row_group_size=_ROW_GROUP)
        store.put_file(key, path)
        return TableFile(table=table, key=key, rows=count, bytes=path.stat().st_size,
                         sha256=sha256_of_file(path))


def _spool(path: Path, schema: pa.Schema, rows: Iterable[Row]) -> int:
    names, count, stream = set(schema.names), 0, iter(rows)
    with _writer(path, schema) as writer:
        while batch := list(islice(stream, _BATCH_ROWS)):
            if unknown := set().union(*batch) - names:
                raise ValueError(f"columns {sorted(unknown)} are not in the table's contract")
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
            count += len(batch)
    return count


def _write_sorted(spool: Path, final: Path, schema: pa.Schema, order_by: Sequence[str], folder: Path) -> None:
    order = ", ".join(f'"{name}"' for name in order_by)
    with duckdb.connect(config={"threads": "1", "memory_limit": _MEMORY, "temp_directory": str(folder)}) as db:
        reader = db.execute(f"SELECT * FROM read_parquet(?) ORDER BY {order}",  # noqa: S608 - contract's names
                            [str(spool)]).to_arrow_reader(_ROW_GROUP)
        with _writer(final, schema) as writer:
            for batch in reader:
                writer.write_table(pa.Table.from_batches([batch]).cast(schema))


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, schema, compression="zstd", compression_level=3, version="2.6")


def scan(store: ObjectStore, key: str) -> pl.LazyFrame:
    """A lazy frame over one table file, or over many with ``*`` in the key."""
    return pl.scan_parquet(store.uri(key), storage_options=store.storage_options(), hive_partitioning=False)


def iter_rows(store: ObjectStore, key: str, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """A table file's rows, in order, in constant memory."""
    with store.local(key) as path, pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=list(columns) if columns else None):
            yield from batch.to_pylist()
