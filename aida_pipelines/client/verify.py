"""Compare every byte of a release with the hash that the release gives for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from aida_pipelines.client import sandbox
from aida_pipelines.client.catalogue import list_datasets
from aida_pipelines.client.release import Release, release_key, release_objects
from aida_pipelines.errors import NotFoundError
from aida_pipelines.parallel import threaded_map
from aida_pipelines.progress import track
from aida_pipelines.storage.objects import object_key, sha256_of_file
from aida_pipelines.storage.store import ObjectStore


class Finding(BaseModel, frozen=True):
    """Something that isn't as the release says.

    Attributes:
        key: Which object or file of the curated zone.
        problem: ``missing``, or ``changed``: its bytes are others.
    """

    key: str
    problem: Literal["missing", "changed"]


@dataclass(frozen=True, slots=True)
class _Expected:
    key: str
    sha256: str


def verify(store: ObjectStore, release: Release, *, threads: int = 8) -> list[Finding]:
    """Read a release from the first byte to the last: manifest, tables, documents, pictures, objects.

    Objects are verified against the tables only if the tables themselves are right.

    Args:
        store: The curated zone.
        release: What to verify.
        threads: Files under way at once.

    Returns:
        What is wrong, in the order of the tables; empty if nothing is.

    Raises:
        StorageError: The zone can't be read.
    """
    label = f"Verify {release.name}@{release.version}"
    findings = _checked(store, _manifest(store, release), threads, label)
    wrong = {finding.key for finding in findings}
    sound = {table.name: [key] for table in release.tables if (key := release.table_key(table)) not in wrong}
    objects = release_objects(release.forms)
    tables = {(sandbox.MAIN, name): keys for name, keys in sound.items() if name in objects}
    with sandbox.sandbox(store, tables) as db:
        for name in sorted(sound.keys() & objects.keys()):
            column, extension = objects[name]
            hashes = f"SELECT DISTINCT {column} FROM {name} WHERE {column} IS NOT NULL"  # noqa: S608
            db.execute(f"CREATE OR REPLACE TABLE hashes AS {hashes} ORDER BY 1")
            rows = sandbox.rows(db, "FROM hashes ORDER BY 1")
            expected = (_Expected(object_key(str(row[0]), extension), str(row[0])) for row in rows)
            findings += _checked(store, expected, threads, f"{label}: {name}")
    return findings


def _manifest(store: ObjectStore, release: Release) -> Iterator[_Expected]:
    """The release's own files; its ``release.json`` against the index, if the index speaks of it."""
    for entry in list_datasets(store):
        if (entry.name, entry.version) == (release.name, release.version):
            yield _Expected(release_key(release.name, release.version), entry.release_sha256)
    for table in release.tables:
        yield _Expected(release.table_key(table), table.sha256)
    for file in release.files:
        yield _Expected(release.prefix + file.file, file.sha256)


def _checked(store: ObjectStore, expected: Iterator[_Expected], threads: int, label: str) -> list[Finding]:
    results = threaded_map(lambda item: _check(store, item), track(expected, label=label), threads=threads)
    return [finding for finding in results if finding is not None]


def _check(store: ObjectStore, expected: _Expected) -> Finding | None:
    try:
        with store.local(expected.key) as path:
            right = sha256_of_file(path) == expected.sha256
    except NotFoundError:
        return Finding(key=expected.key, problem="missing")
    return None if right else Finding(key=expected.key, problem="changed")
