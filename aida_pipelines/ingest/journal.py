"""What a delivery has written, noted before it is written, so that a refused or killed one leaves nothing.

Objects are content-addressed and shared: what one delivery created, another that runs at the same time may
rely on. So nobody clears away while anybody receives: every receiver holds a shared lock, and the last one
out, alone, removes what the journals name and no delivery refers to. A journal that a killed process left
is cleared away by the next delivery that ends. The lock is this machine's: one intake machine for each raw
zone.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from aida_pipelines.ingest.deliveries import delivery_key, manifest_key
from aida_pipelines.storage.store import ObjectStore


class Journal:
    """The keys that one delivery creates."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def note(self, key: str) -> None:
        """About to create ``key``. Reaches the operating system before this returns: a kill can't lose it."""
        os.write(self._handle, f"{key}\n".encode())

    def forget(self) -> None:
        """The delivery stands: all that was noted is its own."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Write no more."""
        os.close(self._handle)


@contextmanager
def journal(raw: ObjectStore, work_dir: Path) -> Iterator[Journal]:
    """A journal for one delivery; then, unless others receive at the same time, remains are cleared away."""
    folder = work_dir / "receiving"
    lock = _shared(folder)
    try:
        mine = Journal(folder / f"{secrets.token_hex(8)}.keys")
        try:
            yield mine
        finally:
            mine.close()
            _last_one_out(lock, raw, folder)
    finally:
        os.close(lock)


def _shared(folder: Path) -> int:
    """The folder of journals, made if it isn't there, and a shared lock on it."""
    while True:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:  # the last one out has just removed it
            continue
        fcntl.flock(lock, fcntl.LOCK_SH)
        with suppress(FileNotFoundError):
            if os.path.samestat(folder.stat(), os.fstat(lock)):
                return lock
        os.close(lock)


def _last_one_out(lock: int, raw: ObjectStore, folder: Path) -> None:
    try:
        # Fails while anyone else holds it shared, and gives up the own share either way (flock(2)): of two
        # that end at the same moment the second succeeds.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # another delivery is under way; it will see to this one's remains too
    clear_away(raw, sorted(folder.glob("*.keys")))
    folder.rmdir()


def clear_away(raw: ObjectStore, journals: list[Path]) -> None:
    """Delete what the journals name and no delivery refers to, then the journals. Nobody may be receiving."""
    for path in journals:
        for key in _unreferenced(raw, path):
            raw.delete(key)
    if journals:
        raw.flush()
    for path in journals:
        path.unlink(missing_ok=True)


def _unreferenced(raw: ObjectStore, path: Path) -> Iterator[str]:
    with duckdb.connect(config={"threads": "1"}) as db:
        db.execute("CREATE TABLE noted (key VARCHAR)")
        db.execute(
            "INSERT INTO noted SELECT * FROM read_csv(?, header = false, columns = {'key': 'VARCHAR'})",
            [str(path)],
        )
        db.execute("CREATE TABLE used (key VARCHAR)")
        for info in raw.list("deliveries/"):
            delivery = info.key.split("/")[1]
            if info.key != manifest_key(delivery) or raw.stat(delivery_key(delivery)) is None:
                continue
            db.execute("INSERT INTO used VALUES (?)", [info.key])
            with raw.local(info.key) as manifest:
                db.execute(_USED_OBJECTS, [str(manifest)])
        rows = db.execute("SELECT DISTINCT key FROM noted ANTI JOIN used USING (key) ORDER BY key")
        while row := rows.fetchone():
            yield row[0]


_USED_OBJECTS = """
INSERT INTO used
SELECT 'objects/' || source_sha256[:2] || '/' || source_sha256 || '.' || extension FROM read_parquet(?)
"""
"""Keys as ``storage.objects.object_key`` makes them."""
