"""What changed between two releases, by their names."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from aida_pipelines.client.catalogue import curated_store, parse_name, read_release
from aida_pipelines.client.difference import Difference, compare_tables
from aida_pipelines.client.release import Release
from aida_pipelines.storage.store import ObjectStore


def diff(before: str, after: str, *, store: ObjectStore | None = None) -> Difference:
    """What a user of ``before`` finds changed in ``after``.

    Args:
        before: ``NAME@VERSION``.
        after: ``NAME@VERSION``; without a version the newest.
        store: The curated zone; by default the environment's.

    Raises:
        UsageError: Not the name of a dataset.
        NotFoundError: There is no such release.
    """
    store = store or curated_store()
    old, new = (read_release(store, *parse_name(name)) for name in (before, after))
    with ExitStack() as stack:
        return compare_tables(local_tables(store, old, stack), local_tables(store, new, stack))


def local_tables(store: ObjectStore, release: Release, stack: ExitStack) -> dict[str, Path]:
    """The tables of a release as local files, for as long as ``stack`` is open."""
    return {
        table.name: stack.enter_context(store.local(release.table_key(table))) for table in release.tables
    }
