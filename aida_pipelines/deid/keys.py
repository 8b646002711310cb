"""Key files: the secret of which all pseudonyms are made, how it comes to be, and how it is replaced.

A key file is 32 random bytes, readable by its owner only. It is never written twice and never shown: what tells
keys apart is the key id, which says nothing about them.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aida_pipelines.deid.pseudonym import KEY_BYTES, Pseudonyms
from aida_pipelines.errors import StorageError, UsageError


@dataclass(frozen=True, slots=True)
class DomainKey:
    """Which key and which domain of it: what is handed to processes in place of the key itself.

    Attributes:
        key_file: Where the key is.
        key_id: Which key it must be. A key that is rotated while work is under way would otherwise give one
            delivery pseudonyms of two keys, and a receipt that names one.
        domain: A collection's ``pseudonym_domain``, or that of what belongs to no collection.
    """

    key_file: Path
    key_id: str
    domain: str

    @classmethod
    def of(cls, key_file: Path, domain: str) -> DomainKey:
        """The key that is in the file now. Raises as ``load_key``."""
        return cls(key_file, key_id(load_key(key_file)), domain)

    def pseudonyms(self) -> Pseudonyms:
        """The domain's pseudonyms.

        Raises:
            UsageError: The key can't be used, or it is another one by now.
        """
        key = load_key(self.key_file)
        if key_id(key) != self.key_id:
            raise UsageError(
                f"The pseudonym key in {self.key_file} was replaced while the work was under way.",
                way_out="Nothing half-done is visible; run the same command again.",
            )
        return Pseudonyms(key, self.domain)


def key_id(key: bytes) -> str:
    """Eight hexadecimal digits that tell keys apart and say nothing about them."""
    return hmac.digest(key, b"key-id", hashlib.sha256).hex()[:8]


def load_key(path: Path) -> bytes:
    """The key's bytes.

    Raises:
        UsageError: There is none, it is not 32 bytes, or others than its owner may read it.
    """
    try:
        mode, key = path.stat().st_mode, path.read_bytes()
    except OSError:
        raise UsageError(
            f"There is no readable pseudonym key in {path}.",
            way_out="Name yours in AIDA_PSEUDONYM_KEY_FILE, or make one: aida key new",
        ) from None
    if mode & 0o077:
        raise UsageError(f"Others may read the key in {path}.", way_out=f"Run: chmod 600 {path}")
    if len(key) != KEY_BYTES:
        raise UsageError(
            f"{path} is not a key: it has {len(key)} bytes, not {KEY_BYTES}.",
            way_out="Put the key back from its backup, or name another file.",
        )
    return key


def create_key(path: Path) -> None:
    """Write a new random key. An existing file is never touched.

    Raises:
        UsageError: There is a file already.
        StorageError: The file can't be written.
    """
    try:
        with _explaining(path), _new_key(path) as temporary:
            os.link(temporary, path)  # fails if the name is taken, and never shows half a key
    except FileExistsError:
        raise UsageError(
            f"There is a file in {path} already; it was left as it is.",
            way_out="If it is a key, everything pseudonymised with it depends on it: use it, replace it with "
            "`aida key rotate`, or name another file.",
        ) from None


def rotate_key(path: Path) -> Path:
    """Put a new key in place of the old one, which is kept beside it under its key id.

    At any moment there is a whole key under ``path``; a rotation that was cut short is made again.

    Returns:
        Where the old key is now: ``PATH.KEYID``, mode 0600.

    Raises:
        UsageError: There is no key to replace, another file has the old key's new name, or another rotation is
            under way. Nothing was changed.
        StorageError: The folder can't be written.
    """
    path = path.resolve()  # of a link, what it points to: a key and its predecessors stay together
    with _locked(path):
        old = load_key(path)
        kept = path.with_name(f"{path.name}.{key_id(old)}")
        with _explaining(path), _new_key(path) as temporary:
            _keep(path, kept, old)
            temporary.replace(path)
            _sync_folder(path.parent)
    return kept


def _keep(path: Path, kept: Path, old: bytes) -> None:
    try:
        os.link(path, kept)
    except FileExistsError:
        # Kept before, by a rotation that was cut short or one that was undone; anything else is not ours.
        if kept.is_symlink() or not kept.is_file() or load_key(kept) != old:
            raise UsageError(
                f"There is something else in {kept}, where the old key would be kept; nothing was changed.",
                way_out="Move it away and run the same command again.",
            ) from None


def retired_keys(path: Path) -> dict[str, Path]:
    """The keys that were in ``path`` before, by key id."""
    path = path.resolve()
    beside = path.parent.glob(f"{_literal(path.name)}.*")
    return {
        name: there
        for there in sorted(beside)
        if re.fullmatch(r"[0-9a-f]{8}", name := there.name.rpartition(".")[2]) and there.is_file()
    }


def _literal(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


@contextmanager
def _new_key(path: Path) -> Iterator[Path]:
    """A new key in a file beside ``path``, which is gone afterwards unless it was renamed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, "not a folder") from None
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep a second rotation out, whose new key would replace the first's before anyone has kept it."""
    try:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        load_key(path)  # says that there is none
        raise
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise UsageError(
            f"Another rotation of {path} is under way.", way_out="Wait until it has ended."
        ) from None
    finally:
        os.close(descriptor)


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        raise StorageError(
            f"The key can't be written to {path}: {os.strerror(error.errno or 0)}.",
            way_out="Check that its folder exists and that you may write in it.",
        ) from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
