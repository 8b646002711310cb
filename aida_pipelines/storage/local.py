"""A zone in a local folder."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from aida_pipelines.errors import NotFoundError, StorageError
from aida_pipelines.storage.store import Data, ObjectInfo, check_key

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class LocalStore:
    """Objects as files below ``root``.

    A write goes to ``root/.tmp/`` and is renamed (or, for ``create``, linked) into place. The writer holds a lock
    on its temporary file; a kill frees the lock, which is how ``sweep`` tells remains from work under way.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = root.as_uri()
        self._tmp = root / ".tmp"

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    def get(self, key: str) -> bytes:
        """See ``ObjectStore``."""
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise NotFoundError(f"There is no {key} in {self.url}.") from None

    def put(self, key: str, data: Data) -> None:
        """See ``ObjectStore``."""
        path = self._path(key)
        with self._writing() as (file, temporary):
            _write(file, data)
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.rename(path)

    def create(self, key: str, data: Data) -> bool:
        """See ``ObjectStore``."""
        path = self._path(key)
        if path.exists():
            return False
        with self._writing() as (file, temporary):
            _write(file, data)
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
            return True

    def put_file(self, key: str, path: Path) -> None:
        """See ``ObjectStore``."""
        with path.open("rb") as source:
            self.put(key, iter(lambda: source.read(1 << 20), b""))

    def stat(self, key: str) -> ObjectInfo | None:
        """See ``ObjectStore``."""
        path = self._path(key)
        return ObjectInfo(key, path.stat().st_size) if path.is_file() else None

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See ``ObjectStore``."""
        folder = prefix.rpartition("/")[0]
        for path in self._walk(self.root / folder):
            key = path.relative_to(self.root).as_posix()
            if key.startswith(prefix):
                yield ObjectInfo(key, path.stat().st_size)

    def _walk(self, folder: Path) -> Iterator[Path]:
        try:
            # "a/" sorts where "a/b" would: keys come in the order of their characters, as S3 gives them.
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name + "/" * entry.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from self._walk(Path(entry.path))
            else:
                yield Path(entry.path)

    def delete(self, key: str) -> None:
        """See ``ObjectStore``."""
        self._path(key).unlink(missing_ok=True)

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """See ``ObjectStore``."""
        path = self._path(key)
        if not path.is_file():
            raise NotFoundError(f"There is no {key} in {self.url}.")
        yield path

    def flush(self) -> None:
        """See ``ObjectStore``."""
        os.sync()

    def sweep(self) -> int:
        """See ``ObjectStore``."""
        swept = 0
        for path in self._tmp.glob("*"):
            with path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                path.unlink(missing_ok=True)
                swept += 1
        return swept

    def uri(self, key: str) -> str:
        """See ``ObjectStore``."""
        return str(self.root / key)

    def storage_options(self) -> dict[str, str] | None:
        """See ``ObjectStore``."""
        return None

    @contextmanager
    def _writing(self) -> Iterator[tuple[IO[bytes], Path]]:
        temporary = self._tmp / secrets.token_hex(8)
        try:
            self._tmp.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX)
                    yield file, temporary
                finally:
                    temporary.unlink(missing_ok=True)
        except OSError as error:
            raise _explained(error, self.url) from None


def _write(file: IO[bytes], data: Data) -> None:
    for part in (data,) if isinstance(data, bytes | bytearray | memoryview) else data:
        file.write(part)
    file.flush()


def _explained(error: OSError, url: str) -> StorageError:
    if error.errno in _NO_SPACE:
        return StorageError(f"No space left in {url}.", way_out="Free some space and run the same command again.")
    return StorageError(f"{url} can't be written: {os.strerror(error.errno or 0)}.",
                        way_out="Check that the folder exists and that you may write to it.")
