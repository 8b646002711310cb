"""One release: its tables as lazy frames, and queries over them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl

from aida_pipelines.client import sandbox
from aida_pipelines.client.catalogue import curated_store, parse_name, read_release
from aida_pipelines.client.pull import Format, Pulled, pull
from aida_pipelines.client.release import Release
from aida_pipelines.client.verify import Finding, verify
from aida_pipelines.errors import NotFoundError
from aida_pipelines.storage.store import ObjectStore
from aida_pipelines.storage.tables import scan


def load(name: str, *, store: ObjectStore | None = None) -> Dataset:
    """A dataset by its name.

    Args:
        name: ``NAME@1.2.0``; ``NAME`` for the newest version.
        store: The curated zone; by default the environment's (``AIDA_CURATED_STORE``, ``AIDA_HOME``).

    Raises:
        UsageError: Not the name of a dataset.
        NotFoundError: There is no such release.
    """
    store = store or curated_store()
    return Dataset(store, read_release(store, *parse_name(name)))


class Dataset:
    """One version of a dataset. It never changes: what is read twice is the same.

    Every table is an attribute (``ds.subjects``, ``ds.series``, ``ds.instances``, …): a Polars LazyFrame, which
    reads only the columns and rows that are asked for.

    Attributes:
        release: What the release says of itself.
        store: The curated zone that it is in.
    """

    def __init__(self, store: ObjectStore, release: Release) -> None:
        self.store = store
        self.release = release

    def __repr__(self) -> str:
        counts = ", ".join(f"{n:,} {what}" for what, n in self.release.counts.items())
        return f"<Dataset {self.name}@{self.version}: {counts}>"

    @property
    def name(self) -> str:
        """The collection's name."""
        return self.release.name

    @property
    def version(self) -> str:
        """MAJOR.MINOR.PATCH."""
        return self.release.version

    @property
    def tables(self) -> list[str]:
        """Names of the tables."""
        return list(self.release.tables_by_name)

    def table(self, name: str) -> pl.LazyFrame:
        """A table by its name.

        Raises:
            NotFoundError: The release has no such table.
        """
        table = self.release.tables_by_name.get(name)
        if table is None:
            raise NotFoundError(
                f"{self.name}@{self.version} has no table {name}.",
                way_out=f"It has {', '.join(self.tables)}.",
            )
        return scan(self.store, self.release.table_key(table))

    def __getattr__(self, name: str) -> pl.LazyFrame:
        if not name.startswith("_") and name in self.release.tables_by_name:
            return self.table(name)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.tables]

    def sql(self, query: str) -> pl.DataFrame:
        """Ask a question in SQL (DuckDB's); the tables are named as they are.

        Raises:
            UsageError: It isn't one query, or DuckDB refuses it.
        """
        with self._database() as db:
            return sandbox.run(db, query)

    def pull(
        self,
        dest: Path | str,
        *,
        format: Format = "dicom",  # noqa: A002 - the public name
        where: str | None = None,
        threads: int = 8,
    ) -> Pulled:
        """Bring its files to a local folder; see ``aida_pipelines.client.pull.pull``."""
        return pull(self.store, self.release, Path(dest), format=format, where=where, threads=threads)

    def verify(self, *, threads: int = 8) -> list[Finding]:
        """Compare every byte with its hash; see ``aida_pipelines.client.verify.verify``."""
        return verify(self.store, self.release, threads=threads)

    @contextmanager
    def _database(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with sandbox.sandbox(self.store, release_tables(self.release)) as db:
            yield db


def release_tables(release: Release, schema: str = sandbox.MAIN) -> dict[tuple[str, str], list[str]]:
    """A release's tables for a sandbox."""
    return {(schema, table.name): [release.table_key(table)] for table in release.tables}
