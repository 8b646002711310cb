"""Bring a release's files to a local folder: selected before bytes move, verified by hash, resumable.

A file is in place only when it is complete and its hash is right, so a pull that was cut off is continued by the same
command: what is there and right is not fetched again.

dicom  ``DEST/SUBJECT/STUDY/SERIES/SOP.dcm``
nifti  ``DEST/SUBJECT/STUDY/SERIES.nii.gz`` (``SERIES_1.nii.gz``, … where a series has several volumes)

``DEST/manifest.parquet`` lists what was pulled with hashes, and ``DEST/release.json`` says what it is.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, get_args

import duckdb
from pydantic import BaseModel

from aida_pipelines.client import sandbox
from aida_pipelines.client.release import Release, release_key
from aida_pipelines.errors import IntegrityError, NotFoundError, StorageError, UsageError
from aida_pipelines.parallel import threaded_map
from aida_pipelines.progress import track
from aida_pipelines.storage.objects import object_key, sha256_of_file
from aida_pipelines.storage.store import ObjectStore, check_key

Format = Literal["dicom", "nifti"]

MANIFEST = "manifest.parquet"
_CHUNK = 1 << 20
_TEMPORARY = ".aida-part-"

_FILES: dict[Format, str] = {
    "dicom": """
        SELECT subject || '/' || study_instance_uid || '/' || series_instance_uid || '/' || sop_instance_uid
                 || '.dcm' AS file,
               object_sha256 AS sha256, object_bytes AS bytes, subject, study_instance_uid, series_instance_uid,
               sop_instance_uid
        FROM instances WHERE series_instance_uid IN (FROM picked)""",
    "nifti": """
        SELECT s.subject || '/' || s.study_instance_uid || '/' || v.series_instance_uid
                 || CASE WHEN count(*) OVER one > 1 THEN '_' || row_number() OVER ordered ELSE '' END
                 || '.nii.gz' AS file,
               v.object_sha256 AS sha256, v.bytes AS bytes, s.subject, s.study_instance_uid, v.series_instance_uid,
               v.volume_id
        FROM volumes v JOIN series s USING (series_instance_uid) WHERE v.series_instance_uid IN (FROM picked)
        WINDOW one AS (PARTITION BY v.series_instance_uid),
               ordered AS (PARTITION BY v.series_instance_uid ORDER BY v.volume_id)""",
}
_EXTENSION: dict[Format, str] = {"dicom": "dcm", "nifti": "nii.gz"}
_NEEDS: dict[Format, str] = {"dicom": "instances", "nifti": "volumes"}


class Pulled(BaseModel, frozen=True):
    """What a pull did.

    Attributes:
        files: Files that are now in the folder.
        bytes: Their size.
        fetched: Of them, those that were fetched now; the others were there and right.
    """

    files: int
    bytes: int
    fetched: int


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    key: str
    sha256: str
    bytes: int


def pull(
    store: ObjectStore,
    release: Release,
    dest: Path,
    *,
    format: Format = "dicom",  # noqa: A002 - the public name
    where: str | None = None,
    threads: int = 8,
) -> Pulled:
    """Bring a release's files, or those of a selection, to a local folder.

    Args:
        store: The curated zone.
        release: What to pull.
        dest: The folder; made if it isn't there. Other files in it are left alone.
        format: ``dicom`` or ``nifti``.
        where: A condition in SQL over the columns of ``series`` (``modality = 'CT' AND slices > 20``).
        threads: Files under way at once.

    Raises:
        UsageError: ``where`` is not a condition over ``series``, the format is unknown, or nothing is selected.
        IntegrityError: A file is missing in the zone, or has other bytes than the release says; what was pulled before
            it stays.
        StorageError: The zone can't be read, or the folder can't be written.
    """
    if format not in get_args(Format):
        raise UsageError(
            f"{format!r} is no format of aida pull.", way_out=f"Use {' or '.join(get_args(Format))}."
        )
    with _selection(store, release, format, where) as db:
        total = _count(db)
        if total == 0:
            raise UsageError(
                f"Nothing in {release.name}@{release.version} is selected as {format}.",
                way_out="Loosen --where, or take another format.",
            )
        with _folder(dest):
            with _atomic(dest / "release.json") as writer:
                writer.write(store.get(release_key(release.name, release.version)))
            fetched = size = 0
            files = track(
                _files(db, dest, format), label=f"Pull {release.name}@{release.version}", total=total
            )
            for file, was_fetched in threaded_map(lambda f: _fetch(store, f), files, threads=threads):
                fetched += was_fetched
                size += file.bytes
            _write_manifest(db, dest)
    return Pulled(files=total, bytes=size, fetched=fetched)


@contextmanager
def _selection(
    store: ObjectStore, release: Release, form: Format, where: str | None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the table ``wanted``: one row a file, in order."""
    present = release.tables_by_name
    if _NEEDS[form] not in present:
        raise UsageError(
            f"{release.name}@{release.version} has no {_NEEDS[form]}, so it can't be pulled as {form}."
        )
    tables = {(sandbox.MAIN, name): [release.table_key(present[name])] for name in ("series", _NEEDS[form])}
    with sandbox.sandbox(store, tables) as db:
        series = db.table("series")
        if where is not None:
            sandbox.condition(db, "series", where)
            series = series.filter(duckdb.SQLExpression(where))
        try:
            series.project("series_instance_uid").create("picked")
        except duckdb.Error as error:  # a condition that fails only on values, as a cast does
            raise sandbox.refused(error) from None
        db.execute(f"CREATE TABLE wanted AS {_FILES[form]} ORDER BY file")
        yield db


def _count(db: duckdb.DuckDBPyConnection) -> int:
    found = db.execute("SELECT count(*) FROM wanted").fetchall()[0]
    assert found is not None
    return int(found[0])


def _files(db: duckdb.DuckDBPyConnection, dest: Path, form: Format) -> Iterator[_File]:
    for file, sha256, size in sandbox.rows(db, "SELECT file, sha256, bytes FROM wanted ORDER BY file"):
        assert isinstance(size, int)
        yield _File(dest / check_key(str(file)), object_key(str(sha256), _EXTENSION[form]), str(sha256), size)


def _fetch(store: ObjectStore, file: _File) -> tuple[_File, bool]:
    """Put one file in place unless it is; whether it was fetched."""
    if (
        file.path.is_file()
        and file.path.stat().st_size == file.bytes
        and sha256_of_file(file.path) == file.sha256
    ):
        return file, False
    file.path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with store.local(file.key) as source, source.open("rb") as reader, _atomic(file.path) as writer:
            digest = hashlib.sha256()
            while part := reader.read(_CHUNK):
                digest.update(part)
                writer.write(part)
            if digest.hexdigest() != file.sha256:
                raise _damaged(f"{file.key} in {store.url} has other bytes than the release says.")
    except NotFoundError:
        raise _damaged(f"{file.key}, which the release names, is not in {store.url}.") from None
    return file, True


def _damaged(message: str) -> IntegrityError:
    return IntegrityError(message, way_out="Tell the hub: aida verify lists every file that is damaged.")


@contextmanager
def _atomic(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under its name only when the block ends well."""
    handle, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as writer:
            yield writer
        Path(temporary).chmod(0o644)
        Path(temporary).rename(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def _folder(dest: Path) -> Iterator[None]:
    """``dest``, with what a killed pull left behind removed; its errors told in plain words."""
    try:
        dest.mkdir(parents=True, exist_ok=True)
        for left in dest.rglob(f"{_TEMPORARY}*"):
            left.unlink(missing_ok=True)
        yield
    except OSError as error:
        raise StorageError(
            f"{dest} can't be written: {os.strerror(error.errno or 0)}.",
            way_out="Free some space or choose another folder, and run the same command again.",
        ) from None


def _write_manifest(db: duckdb.DuckDBPyConnection, dest: Path) -> None:
    # Through Arrow and not COPY: the database can't write files.
    import pyarrow as pa
    import pyarrow.parquet as pq

    reader = db.sql("FROM wanted ORDER BY file").to_arrow_reader(50_000)
    with (
        _atomic(dest / MANIFEST) as file,
        pq.ParquetWriter(file, reader.schema, compression="zstd") as writer,
    ):
        for batch in reader:
            writer.write_table(pa.Table.from_batches([batch]))
