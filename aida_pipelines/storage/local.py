"""A zone in a local folder."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path

from aida_pipelines.errors import NotFoundError, StorageError
from aida_pipelines.storage.disk import copy_all, explaining, sync_filesystem, write_all
from aida_pipelines.storage.scratch import scratch_file, sweep_scratch
from aida_pipelines.storage.store import Data, ObjectInfo, check_key, is_key, parts_of

_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class LocalStore:
    """Objects as files below ``root``.

    A write goes to a locked scratch file in ``root/.tmp`` and is renamed (or, for ``create``, linked) into
    place, so a kill leaves at most such a file, which ``sweep`` knows by its free lock. Symbolic links below
    ``root`` lead out of the zone: they are neither read, listed nor written through. ``root`` itself may be
    one.

    What is written is synced before it gets its name, so that not even a loss of power shows a part of it;
    ``create(synced=False)`` leaves that to ``flush``, one call for thousands of objects named by their hash.

    Args:
        root: The zone's folder; made at the first write.
        work_dir: Local scratch for tables under way; default ``root/.tmp``.
    """

    def __init__(self, root: Path, *, work_dir: Path | None = None) -> None:
        self.root = root
        self.url = root.as_uri()
        self._tmp = root / ".tmp"
        self.work_dir = work_dir or self._tmp

    def get(self, key: str) -> bytes:
        """See ``ObjectStore``."""
        with self.local(key) as path, explaining(self.url):
            try:
                return path.read_bytes()
            except FileNotFoundError:  # deleted since
                raise self._not_found(key) from None

    def put(self, key: str, data: Data) -> None:
        """See ``ObjectStore``."""
        target = self._target(key)
        with self._written(lambda file: self._fill(file, data), synced=True) as temporary:
            _make_parent(target)
            temporary.rename(target)

    def create(self, key: str, data: Data, *, synced: bool = True) -> bool:
        """See ``ObjectStore``."""
        target = self._target(key)
        if os.path.lexists(target):
            return False
        with self._written(lambda file: self._fill(file, data), synced=synced) as temporary:
            _make_parent(target)
            return self._place_new(temporary, target)

    def put_file(self, key: str, path: Path) -> None:
        """See ``ObjectStore``."""
        target = self._target(key)
        with (
            explaining(f"A file to be put into {self.url}"),
            FileIO(path) as source,
            self._written(lambda file: self._copy(source, file), synced=True) as temporary,
        ):
            _make_parent(target)
            temporary.rename(target)

    def stat(self, key: str) -> ObjectInfo | None:
        """See ``ObjectStore``."""
        path = self.root / check_key(key)
        if self._behind_link(key):
            return None
        with explaining(self.url):
            try:
                found = path.lstat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return ObjectInfo(key, found.st_size) if stat.S_ISREG(found.st_mode) else None

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See ``ObjectStore``. In memory is one folder's names for each level, no more."""
        folder, slash, start = prefix.rpartition("/")
        if slash and (not is_key(folder) or self._behind_link(prefix)):
            return
        yield from self._walk(folder + slash, start)

    def _walk(self, folder: str, start: str = "") -> Iterator[ObjectInfo]:
        with explaining(self.url):
            try:
                with os.scandir(self.root / folder) as entries:
                    # A folder sorts with its slash, as its keys do: the order of S3, character by character.
                    names = sorted(
                        f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name
                        for entry in entries
                        if entry.name.startswith(start) and is_key(entry.name)
                    )
            except (FileNotFoundError, NotADirectoryError):
                return
        for name in names:
            if name.endswith("/"):
                yield from self._walk(folder + name)
            elif info := self.stat(folder + name):
                yield info

    def delete(self, key: str) -> None:
        """See ``ObjectStore``."""
        if self.stat(key) is not None:
            with explaining(self.url):
                (self.root / key).unlink(missing_ok=True)

    @contextmanager
    def local(self, key: str) -> Iterator[Path]:
        """See ``ObjectStore``."""
        if self.stat(key) is None:
            raise self._not_found(key)
        path = self.root / key
        if not os.access(path, os.R_OK):
            raise StorageError(f"{key} in {self.url} can't be read.", way_out="Check the file's permissions.")
        yield path

    def flush(self) -> None:
        """See ``ObjectStore``."""
        if self.root.exists():
            with explaining(self.url):
                sync_filesystem(self.root)

    def sweep(self) -> int:
        """See ``ObjectStore``."""
        with explaining(self.url):
            return sum(sweep_scratch(folder) for folder in {self._tmp, self.work_dir})

    def uri(self, key: str) -> str:
        """See ``ObjectStore``."""
        return str(self.root / key)

    def storage_options(self) -> dict[str, str] | None:
        """See ``ObjectStore``."""
        return None

    def _not_found(self, key: str) -> NotFoundError:
        return NotFoundError(f"There is no {key} in {self.url}.")

    def _behind_link(self, key: str) -> bool:
        """Whether a folder on the way to ``key`` is a symbolic link."""
        path = str(self.root)
        for part in key.split("/")[:-1]:
            path = f"{path}/{part}"
            if os.path.islink(path):  # noqa: PTH114 - several times for each object: a Path costs more than this
                return True
        return False

    def _target(self, key: str) -> Path:
        path = self.root / check_key(key)
        if self._behind_link(key):
            raise StorageError(
                f"The way to {key} in {self.url} leads through a symbolic link.",
                way_out="Mount or move the whole zone instead of linking folders in it.",
            )
        return path

    @contextmanager
    def _written(self, fill: Callable[[FileIO], None], *, synced: bool) -> Iterator[Path]:
        """A scratch file that ``fill`` has filled, to be renamed or linked in the block."""
        with ExitStack() as stack:
            with explaining(self.url):
                file, path = stack.enter_context(scratch_file(self._tmp))
            fill(file)
            with explaining(self.url):
                if synced:
                    os.fsync(file.fileno())
                yield path

    def _fill(self, file: FileIO, data: Data) -> None:
        for part in parts_of(data):
            with explaining(self.url):
                write_all(file, part)

    def _copy(self, source: FileIO, file: FileIO) -> None:
        with explaining(self.url):
            copy_all(source, file)

    def _place_new(self, temporary: Path, target: Path) -> bool:
        try:
            os.link(temporary, target)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            return self._place_new_locked(temporary, target)
        return True

    def _place_new_locked(self, temporary: Path, target: Path) -> bool:
        """Where the file system has no hard links (FAT, some network shares): one creator at a time."""
        lock = os.open(self._tmp, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.path.lexists(target):
                return False
            temporary.rename(target)
            return True
        finally:
            os.close(lock)


def _make_parent(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
