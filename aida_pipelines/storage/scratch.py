"""Local scratch folders that a killed process can't leave behind for good.

A folder is locked by the process that uses it; ``kill -9`` frees the lock, and the next ``sweep_scratch`` removes what
no process holds. A zone's scratch lies on the zone's side of the legal line and is readable by its owner only.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch(work_dir: Path | None) -> Iterator[Path]:
    """A new folder (mode 0700) below ``work_dir``, gone afterwards; below the system's if None."""
    if work_dir is not None:
        work_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = Path(tempfile.mkdtemp(prefix="aida-", dir=work_dir))
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep_scratch(work_dir: Path) -> int:
    """Remove folders whose process is gone; how many there were."""
    swept = 0
    for folder in work_dir.glob("aida-*"):
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            shutil.rmtree(folder, ignore_errors=True)
            swept += 1
        finally:
            os.close(lock)
    return swept
