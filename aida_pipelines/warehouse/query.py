"""SQL over the refined zone: every table over all deliveries."""

from __future__ import annotations

import re
from collections import defaultdict

import polars as pl

from aida_pipelines.client import sandbox
from aida_pipelines.storage.store import ObjectStore

_TABLE_FILE = re.compile(r"tables/([a-z0-9_]+)/delivery=[a-z0-9_-]+/part-0\.parquet")


def query(sql: str, *, store: ObjectStore) -> pl.DataFrame:
    """Ask the refined zone: ``series``, ``instances``, ``quality``, ``rejections``, … of all deliveries.

    Args:
        sql: One query, DuckDB's SQL.
        store: The refined zone.

    Raises:
        UsageError: It isn't one query, or DuckDB refuses it. It can read the tables and nothing else.
    """
    tables = {(sandbox.MAIN, name): keys for name, keys in refined_tables(store).items()}
    with sandbox.sandbox(store, tables) as db:
        return sandbox.run(db, sql)


def refined_tables(store: ObjectStore) -> dict[str, list[str]]:
    """Every table of the refined zone with its files, one a delivery, in order."""
    found: dict[str, list[str]] = defaultdict(list)
    for info in store.list("tables/"):
        if match := _TABLE_FILE.fullmatch(info.key):
            found[match[1]].append(info.key)
    return dict(found)
