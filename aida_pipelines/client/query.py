"""SQL over the whole curated zone: the newest release of every collection, and the list of all releases."""

from __future__ import annotations

import polars as pl

from aida_pipelines.client import sandbox
from aida_pipelines.client.catalogue import INDEX_KEY, curated_store, list_datasets, read_release
from aida_pipelines.client.dataset import release_tables
from aida_pipelines.storage.store import ObjectStore


def query(sql: str, *, store: ObjectStore | None = None) -> pl.DataFrame:
    """Ask the curated zone.

    ``reference_images.series`` is the table ``series`` of the newest release of ``reference-images``; ``releases``
    lists all releases. For another version: ``load("NAME@1.0.0").sql(…)``.

    Args:
        sql: One query, DuckDB's SQL.
        store: The curated zone; by default the environment's.

    Raises:
        UsageError: It isn't one query, or DuckDB refuses it. It can read the tables and nothing else.
    """
    store = store or curated_store()
    with sandbox.sandbox(store, curated_tables(store)) as db:
        return sandbox.run(db, sql)


def schema_name(collection: str) -> str:
    """A collection's name as SQL has it: ``reference-images`` → ``reference_images``."""
    return collection.replace("-", "_")


def curated_tables(store: ObjectStore) -> dict[tuple[str, str], list[str]]:
    """The newest release of each collection, and the index of all releases."""
    newest = {entry.name: entry.version for entry in list_datasets(store)}
    tables: dict[tuple[str, str], list[str]] = {}
    for name, version in newest.items():
        tables |= release_tables(read_release(store, name, version), schema_name(name))
    if newest:
        tables[sandbox.MAIN, "releases"] = [INDEX_KEY]
    return tables
