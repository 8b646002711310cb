"""A zip file (PKWARE's APPNOTE 6.3)."""

from __future__ import annotations

import lzma
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from aida_pipelines.errors import UsageError
from aida_pipelines.ingest.deliveries import SourceKind
from aida_pipelines.ingest.names import leaves_the_archive, plain_path
from aida_pipelines.ingest.sources import CHUNK, Member, metered_member, refused
from aida_pipelines.ingest.sources.limits import Limits, Meter

_ENCRYPTED, _UTF8_NAME = 0x0001, 0x0800
"""Bits 0 and 11 of the general purpose flags (APPNOTE 4.4.4)."""

_LOCAL_HEADER, _EMPTY_ARCHIVE = b"PK\x03\x04", b"PK\x05\x06"
_DAMAGE = (BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, RuntimeError)
"""What ``zipfile`` raises for damaged archives. RuntimeError: encrypted; its subclass NotImplementedError: a
compression that Python has not."""


def is_zip(path: Path) -> bool:
    """Whether it starts as a zip file does. A self-extracting one is a program: it is not unpacked here."""
    with path.open("rb") as file:
        return file.read(4) in (_LOCAL_HEADER, _EMPTY_ARCHIVE)


class ZipSource:
    """A zip file. Its central directory is held in memory: some 500 bytes a member."""

    kind = SourceKind.ZIP

    def __init__(self, typed: str, path: Path, *, limits: Limits) -> None:
        self._typed, self._path, self._limits = typed, path, limits

    def check(self) -> None:
        """Look through its directory: names, links, encryption, declared sizes, nothing at all."""
        meter, files = self._meter(), 0
        with self._open() as archive:
            for info in archive.infolist():
                self._check_member(info)
                if not info.is_dir():
                    files += 1
                    meter.declared(info.file_size)
                    meter.add(info.file_size)
        if not files:
            raise refused(self._typed, "is an empty archive", "Check what was packed.")

    def members(self) -> Iterator[Member]:
        """Its files, in the order of its directory."""
        meter = self._meter()
        with self._open() as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    yield metered_member(plain_path(_name(info)), partial(self._read, archive, info), meter)

    def _meter(self) -> Meter:
        return Meter(self._typed, self._limits, packed=self._path.stat().st_size)

    @contextmanager
    def _open(self) -> Iterator[ZipFile]:
        try:
            archive = ZipFile(self._path)
        except _DAMAGE:
            raise self._damaged(None) from None
        with archive:
            yield archive

    def _check_member(self, info: ZipInfo) -> None:
        name = _name(info)
        if why := leaves_the_archive(name):
            raise refused(self._typed, why, "Make the archive anew from a plain folder.", member=name)
        if info.flag_bits & _ENCRYPTED:
            raise refused(
                self._typed,
                "is encrypted",
                "Unpack it with its password and deliver the folder.",
                member=name,
            )
        # The upper half holds the Unix mode if a Unix system made the archive, else 0.
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            what = "a symbolic link" if kind == stat.S_IFLNK else "no file"
            raise refused(self._typed, f"is {what}", "Pack files only, not links.", member=name)

    def _read(self, archive: ZipFile, info: ZipInfo) -> Iterator[bytes]:
        try:
            with archive.open(info) as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except NotImplementedError:
            raise refused(
                self._typed,
                "is compressed in a way that can't be read here",
                "Pack it with deflate, as most programs do; or deliver the folder.",
                member=_name(info),
            ) from None
        except _DAMAGE:
            raise self._damaged(_name(info)) from None

    def _damaged(self, member: str | None) -> UsageError:
        what = "is damaged" if member else "is a damaged or cut zip file"
        return refused(self._typed, what, "Copy or make the archive again.", member=member)


def _name(info: ZipInfo) -> str:
    """The member's name; in UTF-8 where it is, though the archive may not say so (macOS, older Unix)."""
    if info.flag_bits & _UTF8_NAME:
        return info.orig_filename
    try:
        return info.orig_filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.orig_filename
