"""Which datasets and versions there are.

``index.parquet`` lists all releases and is what a newcomer's eye falls on; the truth are the ``release.json``
files, so a single dataset is always looked up by them.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl
from pydantic import BaseModel, ValidationError

from aida_pipelines.client.release import VERSION_PATTERN, Release, release_key, version_order
from aida_pipelines.errors import IntegrityError, NotFoundError, UsageError
from aida_pipelines.settings import client_settings
from aida_pipelines.storage.store import ObjectStore, open_store
from aida_pipelines.storage.tables import iter_rows

INDEX_KEY = "index.parquet"


class DatasetEntry(BaseModel, frozen=True):
    """One release, as ``aida datasets`` shows it."""

    name: str
    version: str
    title: str
    released_at: datetime
    subjects: int
    studies: int
    series: int
    instances: int
    volumes: int
    bytes: int
    licence: str
    tier: str
    parent: str | None
    release_sha256: str


def curated_store() -> ObjectStore:
    """The curated zone of this environment (``AIDA_CURATED_STORE``, ``AIDA_HOME``)."""
    return open_store(client_settings().curated_store)


def list_datasets(store: ObjectStore) -> list[DatasetEntry]:
    """Every release of every collection, by name, then by version."""
    if store.stat(INDEX_KEY) is None:
        return []
    entries = [DatasetEntry.model_validate(row) for row in iter_rows(store, INDEX_KEY)]
    return sorted(entries, key=lambda entry: (entry.name, version_order(entry.version)))


def datasets(*, store: ObjectStore | None = None) -> pl.DataFrame:
    """Every release of every collection, one row each, as a Polars frame.

    Args:
        store: The curated zone; by default the environment's.
    """
    store = store or curated_store()
    if store.stat(INDEX_KEY) is None:
        return pl.DataFrame(schema=list(DatasetEntry.model_fields))
    with store.local(INDEX_KEY) as path:
        return pl.read_parquet(path)


def parse_name(text: str) -> tuple[str, str | None]:
    """``NAME@1.2.0`` → its two parts; ``NAME`` → the name and None.

    Raises:
        UsageError: It is neither.
    """
    name, at, version = text.partition("@")
    if not name or "/" in name or (at and not VERSION_PATTERN.fullmatch(version)):
        raise UsageError(
            f"{text!r} names no dataset.", way_out="Write NAME or NAME@1.2.0; aida datasets lists them."
        )
    return name, version or None


def versions(store: ObjectStore, name: str) -> list[str]:
    """The released versions of a collection, oldest first."""
    ending = "/release.json"
    found = (info.key for info in store.list(f"{name}/") if info.key.endswith(ending))
    inner = (key.removeprefix(f"{name}/").removesuffix(ending) for key in found)
    return sorted((version for version in inner if VERSION_PATTERN.fullmatch(version)), key=version_order)


def read_release(store: ObjectStore, name: str, version: str | None = None) -> Release:
    """What a release says of itself.

    Args:
        store: The curated zone.
        name: The collection.
        version: Which; by default the newest.

    Raises:
        NotFoundError: There is no such release.
        IntegrityError: Its ``release.json`` is damaged.
    """
    if version is None:
        known = versions(store, name)
        if not known:
            names = sorted({entry.name for entry in list_datasets(store)})
            raise NotFoundError(
                f"There is no dataset {name} in {store.url}.",
                way_out=f"There are {', '.join(names)}." if names else "Nothing has been released there yet.",
            )
        version = known[-1]
    try:
        content = store.get(release_key(name, version))
    except NotFoundError:
        known = versions(store, name)
        raise NotFoundError(
            f"There is no dataset {name}@{version} in {store.url}.",
            way_out=f"Its versions are {', '.join(known)}."
            if known
            else "aida datasets lists what there is.",
        ) from None
    try:
        return Release.model_validate_json(content)
    except ValidationError:
        raise IntegrityError(
            f"{release_key(name, version)} in {store.url} is damaged.", way_out="Restore it from a backup."
        ) from None


def newest(store: ObjectStore, name: str) -> Release | None:
    """The newest release of a collection, or None if it has none."""
    known = versions(store, name)
    return read_release(store, name, known[-1]) if known else None
