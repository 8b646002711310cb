"""What differs between two versions of a dataset's tables: rows by key, columns, values.

Counts are complete; of the keys only the first few are named, so that a difference stays small whatever the
dataset's size. How a row was made (``code_version`` and the like) is no difference: two rows are the same when a
user would get the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
from pydantic import BaseModel

from aida_pipelines.client.sandbox import literal, quoted
from aida_pipelines.storage.scratch import scratch

CASES: Mapping[str, str] = {
    "subjects": "subject",
    "studies": "study_instance_uid",
    "series": "series_instance_uid",
    "instances": "sop_instance_uid",
    "volumes": "volume_id",
}
"""The tables whose rows are cases that a user counts on, and the column that names a case."""

PROVENANCE = frozenset({"delivery", "source_sha256", "code_version", "contract_version"})
"""Columns that say how a row came to be, not what it says."""

NAMED = 1_000
"""Keys named per table and kind of change."""


class TableDifference(BaseModel, frozen=True):
    """What differs in one table.

    Attributes:
        rows_added: Rows (for cases: keys) that are new.
        rows_removed: Rows that are gone.
        rows_changed: Cases in both with other values; 0 for tables without a key.
        columns_added: Columns that are new.
        columns_removed: Columns that are gone.
        columns_changed: Columns whose type is another.
        values_changed: Column → number of cases whose value is another.
        added: The first keys that are new, in order; empty for tables without a key.
        removed: The first keys that are gone.
        changed: The first keys with other values.
    """

    rows_added: int = 0
    rows_removed: int = 0
    rows_changed: int = 0
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()
    columns_changed: tuple[str, ...] = ()
    values_changed: dict[str, int] = {}
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != TableDifference()


class Difference(BaseModel, frozen=True):
    """What differs between two versions.

    Attributes:
        tables_added: Tables that are new.
        tables_removed: Tables that are gone.
        tables: Table → what differs in it; only tables of both versions in which something does.
    """

    tables_added: tuple[str, ...] = ()
    tables_removed: tuple[str, ...] = ()
    tables: dict[str, TableDifference] = {}

    def __bool__(self) -> bool:
        return self != Difference()

    def rows(self) -> list[dict[str, object]]:
        """One row a table, for showing to a person."""
        whole = [
            *({"table": table, "what": "new table"} for table in self.tables_added),
            *({"table": table, "what": "table is gone"} for table in self.tables_removed),
        ]
        rows: list[dict[str, object]] = [{**row, "added": "", "removed": "", "changed": ""} for row in whole]
        for table, found in self.tables.items():
            columns = [
                *(f"+{name}" for name in found.columns_added),
                *(f"-{name}" for name in found.columns_removed),
                *(f"~{name}" for name in found.columns_changed),
                *(f"{name}: {n:,} values" for name, n in found.values_changed.items()),
            ]
            counts = {"added": found.rows_added, "removed": found.rows_removed, "changed": found.rows_changed}
            rows.append({"table": table, "what": ", ".join(columns) or "rows", **counts})
        return rows


def compare_tables(before: Mapping[str, Path], after: Mapping[str, Path]) -> Difference:
    """Compare two sets of Parquet tables in constant memory.

    Args:
        before: Table → file, of the older version.
        after: Table → file, of the newer one.
    """
    common = sorted(before.keys() & after.keys())
    with (
        scratch(None) as spill,
        duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(spill)}) as db,
    ):
        found = {table: _compare(db, table, before[table], after[table]) for table in common}
    return Difference(
        tables_added=tuple(sorted(after.keys() - before.keys())),
        tables_removed=tuple(sorted(before.keys() - after.keys())),
        tables={table: difference for table, difference in found.items() if difference},
    )


def _compare(db: duckdb.DuckDBPyConnection, table: str, before: Path, after: Path) -> TableDifference:
    old, new = _columns(before), _columns(after)
    for name, path in (("before", before), ("after", after)):
        db.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT * FROM read_parquet({literal(str(path))})")  # noqa: S608
    same = [name for name in new if name in old and old[name] == new[name] and name not in PROVENANCE]
    columns = {
        "columns_added": tuple(name for name in new if name not in old),
        "columns_removed": tuple(name for name in old if name not in new),
        "columns_changed": tuple(name for name in new if name in old and old[name] != new[name]),
    }
    key = CASES.get(table)
    rows = _keyed(db, key, [name for name in same if name != key]) if key else _unkeyed(db, same)
    return rows.model_copy(update=columns)


def _columns(path: Path) -> dict[str, str]:
    schema = pq.read_schema(path)
    return {field.name: str(field.type) for field in schema}


def _keyed(db: duckdb.DuckDBPyConnection, key: str, columns: Sequence[str]) -> TableDifference:
    k = quoted(key)
    joined = f"FROM before b FULL JOIN after a ON a.{k} = b.{k}"
    added, removed, both = f"b.{k} IS NULL", f"a.{k} IS NULL", f"a.{k} IS NOT NULL AND b.{k} IS NOT NULL"
    differs = {name: f"a.{quoted(name)} IS DISTINCT FROM b.{quoted(name)}" for name in columns}
    changed = f"{both} AND ({' OR '.join(differs.values()) or 'false'})"
    counted = [added, removed, changed, *(f"{both} AND {one}" for one in differs.values())]
    counts = db.execute(
        f"SELECT {', '.join(f'count(*) FILTER (WHERE {one})' for one in counted)} {joined}"
    ).fetchall()[0]
    assert counts is not None

    def first(condition: str) -> tuple[str, ...]:
        found = db.execute(
            f"SELECT coalesce(a.{k}, b.{k})::VARCHAR AS key {joined} WHERE {condition} "
            f"ORDER BY key LIMIT {NAMED}"
        ).fetchall()
        return tuple(row[0] for row in found)

    return TableDifference(
        rows_added=counts[0],
        rows_removed=counts[1],
        rows_changed=counts[2],
        values_changed={name: n for name, n in zip(differs, counts[3:], strict=True) if n},
        added=first(added) if counts[0] else (),
        removed=first(removed) if counts[1] else (),
        changed=first(changed) if counts[2] else (),
    )


def _unkeyed(db: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> TableDifference:
    names = ", ".join(map(quoted, columns))

    def only(one: str, other: str) -> int:
        found = db.execute(
            f"SELECT count(*) FROM (SELECT {names} FROM {one} EXCEPT ALL SELECT {names} FROM {other})"  # noqa: S608
        ).fetchall()[0]
        assert found is not None
        return int(found[0])

    return TableDifference(rows_added=only("after", "before"), rows_removed=only("before", "after"))
