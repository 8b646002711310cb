"""The operations that every zone offers, whatever holds its bytes.

Five guarantees, which the one test suite asks of every store:

* a write is atomic: a reader sees the old bytes or the new ones, never a part, even after ``kill -9``;
* ``create`` is conditional: of two writers one wins and the other is told;
* a listing comes in pages and in the order of keys, and never shows a write that isn't complete;
* ``delete`` of what isn't there is no error;
* a key is a relative POSIX path of plain, unhidden names: anything else is refused. No key is the folder of
  another (``a`` and ``a/b``): a bucket would take both, a folder can't.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from aida_pipelines.errors import UsageError

Buffer = bytes | bytearray | memoryview | mmap.mmap
Data = Buffer | Iterable[Buffer]
"""What can be written: bytes, or parts of them in order (a rewritten header, then pixel bytes untouched)."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """A key and its size in bytes."""

    key: str
    size: int


class ObjectStore(Protocol):
    """One zone's bytes. Every method raises ``StorageError`` when the store fails, ``TransientError`` when a
    later try may succeed."""  # noqa: D205, D209

    url: str

    @property
    def work_dir(self) -> Path | None:
        """Local scratch on the zone's side of the legal line; None: the system's."""

    def get(self, key: str) -> bytes:
        """The whole object. Raises ``NotFoundError``."""

    def put(self, key: str, data: Data) -> None:
        """Write, replacing what was there."""

    def create(self, key: str, data: Data, *, synced: bool = True) -> bool:
        """Write only if nothing is there; False if something was.

        Args:
            key: Where.
            data: What.
            synced: False lets the bytes reach the disk as late as ``flush``; for content-addressed objects,
                whose name tells whether a loss of power has torn them. S3 has always synced when it answers.
        """

    def put_file(self, key: str, path: Path) -> None:
        """Write a local file's bytes, replacing what was there."""

    def stat(self, key: str) -> ObjectInfo | None:
        """Size, or None if there is no such object."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Everything whose key starts with ``prefix`` (a plain string prefix), ordered by key."""

    def delete(self, key: str) -> None:
        """Remove; nothing to remove is no error."""

    def local(self, key: str) -> AbstractContextManager[Path]:
        """A readable file with the object's bytes: itself where the store is a folder, else a copy in the
        store's work folder that is gone afterwards. Raises ``NotFoundError``."""  # noqa: D205, D209

    def flush(self) -> None:
        """Return once everything written so far would survive a loss of power."""

    def sweep(self) -> int:
        """Remove what writers that were killed left behind; the number of remains."""

    def uri(self, key: str) -> str:
        """The address under which Polars and DuckDB find the object."""

    def storage_options(self) -> dict[str, str] | None:
        """Polars' ``storage_options`` for ``uri``; None for local files."""


_MAX_KEY_BYTES = 1024  # of S3
_MAX_PART_BYTES = 255  # of file systems


def is_key(text: str) -> bool:
    """Whether ``text`` can be a key: see ``check_key``."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:  # a file name that isn't UTF-8
        return False
    if size > _MAX_KEY_BYTES or "\\" in text or any(char < " " or char == "\x7f" for char in text):
        return False
    parts = text.split("/")
    return all(part and not part.startswith(".") and len(part.encode()) <= _MAX_PART_BYTES for part in parts)


def check_key(key: str) -> str:
    """Return ``key`` if it is one, else raise.

    Raises:
        UsageError: The key is empty, absolute, too long, has an empty or hidden part (``.``, ``..``,
            ``.tmp``), a backslash or a control character.
    """
    if not is_key(key):
        raise UsageError(f"{key[:200]!r} is not a key: a relative path of plain names is.")
    return key


def parts_of(data: Data) -> Iterator[memoryview]:
    """The bytes of ``data``, part by part, as flat views; nothing is copied."""
    for part in (data,) if isinstance(data, Buffer) else data:
        yield memoryview(part).cast("B")


def open_store(url: str, *, work_dir: Path | None = None) -> ObjectStore:
    """The store behind a URL.

    Args:
        url: ``file:///folder`` or ``s3://bucket/prefix`` (credentials, region and endpoint from ``AWS_*``).
        work_dir: Local scratch for tables under way and copies of remote objects, on the same side of the
            legal line as the zone; ``sweep`` cleans it. Default: hidden in a folder's zone, the system's for
            S3.

    Raises:
        UsageError: Another kind of URL.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        from aida_pipelines.storage.local import LocalStore

        return LocalStore(Path(unquote(parts.path)), work_dir=work_dir)
    if parts.scheme == "s3" and parts.netloc:
        from aida_pipelines.storage.s3 import S3Store

        return S3Store(parts.netloc, parts.path.strip("/"), work_dir=work_dir)
    raise UsageError(f"{url!r} is not a store.", way_out="Use file:///a/folder or s3://bucket/prefix.")
