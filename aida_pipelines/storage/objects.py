"""Content-addressed objects: the key is the SHA-256 of the bytes.

The same bytes delivered twice cost nothing, a retry is harmless, versions share what they have in common, and
anyone can verify anything.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Sequence
from pathlib import Path

from aida_pipelines.errors import IntegrityError
from aida_pipelines.storage.store import Buffer, ObjectStore

_PIECE = 4 << 20


def object_key(sha256: str, extension: str) -> str:
    """``objects/SHA[:2]/SHA256.EXT``; ``extension`` without a dot (``dcm``, ``nii.gz``)."""
    return f"objects/{sha256[:2]}/{sha256}.{extension}"


def sha256_of(parts: Sequence[Buffer]) -> str:
    """SHA-256, hexadecimal, of the parts joined."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def sha256_of_file(path: Path) -> str:
    """SHA-256, hexadecimal, of a file; constant memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def put_object(store: ObjectStore, parts: Sequence[Buffer], extension: str) -> str:
    """Store ``parts`` joined, once; return their SHA-256.

    An object of another size was torn by a loss of power before a ``flush``: it is written again.
    """
    sha256 = sha256_of(parts)
    key = object_key(sha256, extension)
    there = store.stat(key)
    if there is None:
        store.create(key, iter(parts), synced=False)
    elif there.size != sum(memoryview(part).nbytes for part in parts):
        store.put(key, iter(parts))
    return sha256


def put_object_file(store: ObjectStore, path: Path, sha256: str, extension: str) -> None:
    """Store a local file whose hash is known, once, as ``put_object`` does; in constant memory."""
    key, size = object_key(sha256, extension), path.stat().st_size
    there = store.stat(key)
    with path.open("rb") as file:
        pieces = iter(lambda: file.read(_PIECE), b"")
        if there is None:
            store.create(key, pieces, synced=False)
        elif there.size != size:
            store.put(key, pieces)


def verify_object(store: ObjectStore, sha256: str, extension: str) -> int:
    """Read an object to its end and compare its hash; its size in bytes.

    Raises:
        NotFoundError: It isn't there.
        IntegrityError: Its bytes have changed.
    """
    key = object_key(sha256, extension)
    with store.local(key) as path:
        if sha256_of_file(path) != sha256:
            raise IntegrityError(
                f"{key} in {store.url} has other bytes than its name says.",
                way_out="Restore it from a backup or run its delivery again.",
            )
        return path.stat().st_size


def mapped(path: Path) -> mmap.mmap | bytes:
    """A file's bytes without reading them: a read-only map (empty bytes for an empty file)."""
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
