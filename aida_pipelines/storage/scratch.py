"""Local scratch that a killed process can't leave behind for good.

A scratch file or folder is locked by the process that uses it; ``kill -9`` frees the lock, and the next
``sweep_scratch`` removes what no process holds. It lies on its zone's side of the legal line.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

_PREFIX = "aida-scratch-"
"""Nothing else bears it, so that a sweep of a folder that others use too (the system's) removes only ours."""


@contextmanager
def scratch(work_dir: Path | None) -> Iterator[Path]:
    """A new folder (mode 0700) below ``work_dir``, gone afterwards; below the system's if None."""

    def make(parent: Path) -> tuple[Path, int]:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        return folder, os.open(folder, os.O_RDONLY | os.O_DIRECTORY)

    folder, lock = _made_and_locked(_folder(work_dir), make)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@contextmanager
def scratch_file(work_dir: Path | None) -> Iterator[tuple[FileIO, Path]]:
    """A new empty file, unbuffered, below ``work_dir``; gone afterwards unless it was renamed.

    Its mode follows the umask, not 0600: it is renamed into its place in a zone, where others may have to
    read it.
    """

    def make(parent: Path) -> tuple[Path, int]:
        path = parent / f"{_PREFIX}{os.urandom(8).hex()}"
        return path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)

    path, descriptor = _made_and_locked(_folder(work_dir), make)
    with FileIO(descriptor, "r+") as file:
        try:
            yield file, path
        finally:
            path.unlink(missing_ok=True)


def sweep_scratch(work_dir: Path | None) -> int:
    """Remove what is below ``work_dir`` (the system's folder if None) and whose process is gone; how many."""
    swept = 0
    for path in sorted(_folder(work_dir, make=False).glob(f"{_PREFIX}*")):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:  # gone by now, a link, or another user's
            continue
        try:
            if os.fstat(descriptor).st_uid == os.geteuid() and _lock(descriptor, wait=False):
                swept += _remove(path)
        finally:
            os.close(descriptor)
    return swept


def _folder(work_dir: Path | None, *, make: bool = True) -> Path:
    if work_dir is None:
        return Path(tempfile.gettempdir())
    if make:
        work_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return work_dir


def _made_and_locked(parent: Path, make: Callable[[Path], tuple[Path, int]]) -> tuple[Path, int]:
    while True:
        path, descriptor = make(parent)
        _lock(descriptor, wait=True)
        # A sweep between the making and the locking has taken it for a remain and removed it: make another.
        if path.exists() and os.path.samestat(path.lstat(), os.fstat(descriptor)):
            return path, descriptor
        os.close(descriptor)


def _lock(descriptor: int, *, wait: bool) -> bool:
    """Whether this process now holds the lock; never where the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _remove(path: Path) -> bool:
    """Whether there was something to remove: since the sweep looked, its owner may have renamed or removed it."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except (IsADirectoryError, PermissionError):  # Linux and POSIX name a folder's refusal differently
        shutil.rmtree(path, ignore_errors=True)
    return True
