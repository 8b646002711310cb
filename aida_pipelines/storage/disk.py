"""What stores and tables need of the local file system: whole writes, fast copies, errors in words."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from aida_pipelines.errors import StorageError

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_KERNEL_COPY = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}
_CHUNK = 1 << 20
_KERNEL_CHUNK = 1 << 30


def is_full(error: OSError) -> bool:
    """Whether a disk, a quota or a limit is full."""
    return error.errno in _NO_SPACE


def no_space(where: str) -> StorageError:
    """The error for a disk, a quota or a limit that is full."""
    return StorageError(
        f"No space left in {where}.", way_out="Free some space and run the same command again."
    )


@contextmanager
def explaining(where: str) -> Iterator[None]:
    """Turn an ``OSError`` of the block into a ``StorageError`` that names ``where`` and says what to do.

    Wrap the file operation alone, never the caller's iterator: its errors aren't the store's.
    """
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise no_space(where) from None
        problem = os.strerror(error.errno) if error.errno else type(error).__name__
        raise StorageError(
            f"{where} can't be used: {problem}.",
            way_out="Check that it exists and that you may read and write it.",
        ) from None


def write_all(file: FileIO, part: memoryview) -> None:
    """Write all of ``part``; an unbuffered file takes what it can and says how much that was."""
    while part:
        part = part[file.write(part) :]


def copy_all(source: FileIO, target: FileIO) -> None:
    """Copy from ``source``'s position to its end, inside the kernel where the file systems can.

    ``copy_file_range`` shares blocks on Btrfs and XFS and spares two copies through this process elsewhere.
    """
    try:
        while os.copy_file_range(source.fileno(), target.fileno(), _KERNEL_CHUNK):
            pass
    except OSError as error:
        if error.errno not in _NO_KERNEL_COPY:
            raise
    # What is left: nothing, or everything where the kernel couldn't.
    while chunk := source.read(_CHUNK):
        write_all(target, memoryview(chunk))


def sync_filesystem(folder: Path) -> None:
    """Wait until everything written to the file system of ``folder`` would survive a loss of power.

    One ``syncfs`` for 20,000 files instead of an ``fsync`` for each (1 ms on a fast disk, 10 on a slow one),
    and without ``sync``'s wait for every other disk of the machine.

    Raises:
        OSError: The disk failed.
    """
    try:
        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except AttributeError:  # not Linux
        os.sync()
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(descriptor)
