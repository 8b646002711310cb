"""A tar file, plain or compressed by gzip, bzip2 or xz; read once from its start to its end.

``tarfile``'s extraction filters don't apply, for nothing is extracted: members' bytes go to the store under
their hash. What is guarded against here is what reading alone allows: an archive that ends too early or is
damaged in the middle (both of which ``tarfile`` takes for its end), and a header that asks for gigabytes of
memory.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, ClassVar, Self, cast

from aida_pipelines.errors import UsageError
from aida_pipelines.ingest.deliveries import SourceKind
from aida_pipelines.ingest.names import leaves_the_archive, plain_path
from aida_pipelines.ingest.sources import CHUNK, Member, metered_member, refused
from aida_pipelines.ingest.sources.limits import Limits, Meter

_COMPRESSIONS = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))
_DAMAGE = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)

_EXTENDED = frozenset(
    {
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    }
)
_MAX_EXTENDED = 1 << 20
"""Bytes of an extended header (long names, attributes), which ``tarfile`` reads into memory whole."""


def is_tar(path: Path) -> bool:
    """Whether it is a tar file or a compressed file, which is then taken for a tar file."""
    with path.open("rb") as file:
        head = file.read(512)
    return any(head.startswith(magic) for magic, _ in _COMPRESSIONS) or head[257:262] == b"ustar"


class _Header(tarfile.TarInfo):
    """Notes the end mark (a block of zeros), and refuses headers that would be read into memory whole."""

    seen_end: ClassVar[bool] = False

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        cls.seen_end = len(buf) == tarfile.BLOCKSIZE and not any(buf)
        info = super().frombuf(buf, encoding, errors)
        if info.type in _EXTENDED and info.size > _MAX_EXTENDED:
            raise tarfile.ReadError("extended header too long")
        return info


def _checked_header() -> type[_Header]:
    """A class for each archive: ``tarfile`` makes the headers, so what they see can be noted there only."""
    return type("_Header", (_Header,), {})


class TarSource:
    """A tar file."""

    kind = SourceKind.TAR

    def __init__(self, typed: str, path: Path, *, limits: Limits) -> None:
        self._typed, self._path, self._limits = typed, path, limits

    def check(self) -> None:
        """Nothing can be known of it without reading all of it, except that it may be read."""
        with self._unpacked():
            pass

    def members(self) -> Iterator[Member]:
        """Its files, in its own order."""
        meter = Meter(self._typed, self._limits, packed=self._path.stat().st_size)
        files, header = 0, _checked_header()

        with self._unpacked() as stream, self._archive(stream, header) as archive:
            while (info := self._next(archive)) is not None:
                if info.isdir():
                    self._check_name(info)
                    continue
                self._check_member(info)
                meter.declared(info.size)
                files += 1
                yield metered_member(plain_path(info.name), partial(self._read, archive, info), meter)
            if not header.seen_end:
                raise self._damaged()
            self._drain(stream, meter)
        if not files:
            raise refused(self._typed, "is an empty archive", "Check what was packed.")

    @contextmanager
    def _unpacked(self) -> Iterator[IO[bytes]]:
        with ExitStack() as stack:
            try:
                file = stack.enter_context(self._path.open("rb"))
                head = file.read(6)
                file.seek(0)
            except OSError as error:
                raise refused(
                    self._typed, f"can't be read ({error.strerror})", "Check that you may read it."
                ) from None
            opener = next((opener for magic, opener in _COMPRESSIONS if head.startswith(magic)), None)
            yield cast("IO[bytes]", stack.enter_context(opener(file, "rb"))) if opener else file

    @contextmanager
    def _archive(self, stream: IO[bytes], header: type[tarfile.TarInfo]) -> Iterator[tarfile.TarFile]:
        try:
            archive = tarfile.open(  # noqa: SIM115 - closed below
                fileobj=stream, mode="r|", tarinfo=header
            )
        except _DAMAGE:
            raise self._damaged() from None
        with archive:
            yield archive

    def _next(self, archive: tarfile.TarFile) -> tarfile.TarInfo | None:
        try:
            info = archive.next()
        except _DAMAGE:
            raise self._damaged() from None
        archive.members = []  # type: ignore[attr-defined]  # tarfile keeps every header it has read
        return info

    def _check_name(self, info: tarfile.TarInfo) -> None:
        if why := leaves_the_archive(info.name):
            raise refused(self._typed, why, "Make the archive anew from a plain folder.", member=info.name)

    def _check_member(self, info: tarfile.TarInfo) -> None:
        self._check_name(info)
        if info.issym() or info.islnk():
            way_out = "Pack files, not links: `tar -h --hard-dereference` does."
            raise refused(self._typed, "is a link", way_out, member=info.name)
        if not info.isfile():
            raise refused(self._typed, "is no file", "Pack files only.", member=info.name)

    def _read(self, archive: tarfile.TarFile, info: tarfile.TarInfo) -> Iterator[bytes]:
        try:
            file = archive.extractfile(info)
            assert file is not None  # a regular file has content
            while chunk := file.read(CHUNK):
                yield chunk
        except _DAMAGE:
            raise self._damaged() from None

    def _drain(self, stream: IO[bytes], meter: Meter) -> None:
        """Read what follows the end mark: only then has the compression compared its checksum."""
        try:
            while chunk := stream.read(CHUNK):
                meter.add(len(chunk))
        except _DAMAGE:
            raise self._damaged() from None

    def _damaged(self) -> UsageError:
        return refused(
            self._typed, "is no tar file, or a damaged or cut one", "Copy or make the archive again."
        )
