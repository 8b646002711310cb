"""A folder, or a single file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from aida_pipelines.errors import UsageError
from aida_pipelines.ingest.deliveries import SourceKind
from aida_pipelines.ingest.sources import CHUNK, Member, metered_member, refused
from aida_pipelines.ingest.sources.limits import Limits, Meter

_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


@dataclass(frozen=True, slots=True)
class _Found:
    """A file as the walk saw it. Paths are bytes: a file system's names are, and need not be text."""

    path: bytes
    name: bytes
    status: os.stat_result


class FolderSource:
    """A folder with everything below it, hidden files included."""

    kind = SourceKind.FOLDER

    def __init__(self, typed: str, path: Path, *, limits: Limits, zone_url: str) -> None:
        self._typed, self._limits = typed, limits
        self._root = path.resolve()
        _apart(typed, self._root, zone_url)

    def check(self) -> None:
        """Walk it: links, pipes, files that can't be read, too many bytes, nothing at all."""
        meter, files = Meter(self._typed, self._limits), 0
        for found in self._walk():
            files += 1
            meter.declared(found.status.st_size)
            meter.add(found.status.st_size)
            if not os.access(found.path, os.R_OK):
                raise _unreadable(self._typed, found.name, "permission denied")
        if not files:
            raise refused(self._typed, "is empty", "Check the path; deliver a folder with DICOM files.")

    def members(self) -> Iterator[Member]:
        """Its files, depth first, each folder in the order of names."""
        meter = Meter(self._typed, self._limits)
        for found in self._walk():
            yield metered_member(found.name, partial(_read, self._typed, found), meter)

    def _walk(self) -> Iterator[_Found]:
        root = os.fsencode(self._root)
        waiting = [iter(self._entries(root, b""))]
        while waiting:
            entry = next(waiting[-1], None)
            if entry is None:
                waiting.pop()
                continue
            name = os.path.relpath(entry.path, root)
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError as error:
                raise _unreadable(self._typed, name, error.strerror) from None
            if stat.S_ISDIR(status.st_mode):
                waiting.append(iter(self._entries(entry.path, name)))
            elif stat.S_ISREG(status.st_mode):
                yield _Found(entry.path, name, status)
            else:
                raise self._no_file(entry.path, name, status.st_mode)

    def _entries(self, folder: bytes, name: bytes) -> list[os.DirEntry[bytes]]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise _unreadable(self._typed, name, error.strerror) from None

    def _no_file(self, path: bytes, name: bytes, mode: int) -> UsageError:
        if stat.S_ISLNK(mode):
            target = os.path.realpath(path)
            if not os.path.exists(target):  # noqa: PTH110 - bytes; pathlib has only text
                what = "is a symbolic link that leads nowhere"
            elif target.startswith(os.path.join(os.fsencode(self._root), b"")):  # noqa: PTH118
                what = "is a symbolic link"
            else:
                what = "is a symbolic link out of the folder"
            return refused(
                self._typed,
                what,
                "Deliver files, not links: a copy made with `cp -rL` has them.",
                member=name,
            )
        kind = next((words for is_kind, words in _KINDS if is_kind(mode)), "no file")
        return refused(self._typed, f"is {kind}", "Remove it from the folder and deliver again.", member=name)


class FileSource:
    """One file that is no archive."""

    kind = SourceKind.FILE

    def __init__(self, typed: str, path: Path, *, limits: Limits) -> None:
        self._typed, self._path, self._limits = typed, path.resolve(), limits

    def check(self) -> None:
        """Its size, and that it may be read."""
        Meter(self._typed, self._limits).declared(self._path.stat().st_size)
        if not os.access(self._path, os.R_OK):
            raise refused(self._typed, "can't be read (permission denied)", "Check that you may read it.")

    def members(self) -> Iterator[Member]:
        """Itself."""
        path = os.fsencode(self._path)
        found = _Found(path, os.path.basename(path), self._path.stat())  # noqa: PTH119 - bytes
        meter = Meter(self._typed, self._limits)
        yield metered_member(found.name, partial(_read, self._typed, found), meter)


def _read(typed: str, found: _Found) -> Iterator[bytes]:
    """The bytes of the very file that the walk saw; anything else, or a change under way, is refused."""
    try:
        # Not through a link, and not waiting for a pipe's writer, should one have been put there since the
        # walk.
        handle = os.open(found.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _unreadable(typed, found.name, error.strerror) from None
    with os.fdopen(handle, "rb", buffering=0) as file:
        size = 0
        while _same(os.fstat(handle), found.status):
            try:
                chunk = file.read(CHUNK)
            except OSError as error:
                raise _unreadable(typed, found.name, error.strerror) from None
            if not chunk:
                break
            size += len(chunk)
            yield chunk
        if size != found.status.st_size or not _same(os.fstat(handle), found.status):
            raise refused(
                typed,
                "changed while it was read",
                "Wait until whatever writes there has finished, then deliver again.",
                member=found.name,
            )


def _same(now: os.stat_result, seen: os.stat_result) -> bool:
    return (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns) == (
        seen.st_dev,
        seen.st_ino,
        seen.st_size,
        seen.st_mtime_ns,
    )


def _unreadable(typed: str, name: bytes, why: str | None) -> UsageError:
    return refused(
        typed,
        f"can't be read ({(why or 'input/output error').lower()})",
        "Make it readable for you, or take it out of the delivery.",
        member=name or None,
    )


def _apart(typed: str, folder: Path, zone_url: str) -> None:
    """Refuse a folder that the raw zone lies in, or that lies in it: it would be delivered into itself."""
    zone = urlsplit(zone_url)
    if zone.scheme != "file":
        return
    path = Path(unquote(zone.path)).resolve()
    if folder == path or folder in path.parents or path in folder.parents:
        raise refused(
            typed,
            "and the raw zone lie in one another",
            "Deliver a folder apart from it, or set AIDA_HOME elsewhere.",
        )
