"""What can be delivered: a folder, a file, a zip, a tar, a bucket. Hostile until shown otherwise.

A source is looked through first (``check``), as far as that is cheap, so that most of what is wrong is told
before a byte is stored; then its members are read once each, in a stream, under the site's limits. Links
are refused everywhere, wherever they point: a delivery holds files, and following a link is a decision for
the person who makes the delivery (``cp -rL``, ``tar -h``).
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from aida_pipelines.errors import UsageError
from aida_pipelines.ingest.deliveries import SourceKind
from aida_pipelines.ingest.names import recorded_name, shown
from aida_pipelines.ingest.sources.limits import Limits, Meter

CHUNK = 1 << 20
"""Bytes read at a time."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a source.

    Attributes:
        name: Its path inside the source, as ``recorded_name`` writes it.
        chunks: Its bytes, read once; before the next member is asked for.
    """

    name: str
    chunks: Callable[[], Iterator[bytes]]


def metered_member(name: bytes | str, read: Callable[[], Iterator[bytes]], meter: Meter) -> Member:
    """A member whose bytes are counted against the site's limits as they are read."""
    return Member(recorded_name(name), lambda: meter.metered(read()))


class Source(Protocol):
    """Something that was delivered."""

    kind: SourceKind

    def check(self) -> None:
        """Look through it without reading its files. Raises ``UsageError``."""

    def members(self) -> Iterator[Member]:
        """Its files. Raises ``UsageError`` for whatever can't be taken."""


def refused(typed: str, why: str, way_out: str, *, member: bytes | str | None = None) -> UsageError:
    """The error for a source, or a member of it, that can't be taken.

    The member's name is for the terminal of the person who delivers; nobody logs or stores it.
    """
    return UsageError(
        f"{typed}: {shown(recorded_name(member)) + ' ' if member is not None else ''}{why}.", way_out=way_out
    )


def open_source(typed: str, *, limits: Limits, zone_url: str) -> Source:
    """The source that was typed, whatever kind it is.

    Args:
        typed: As the person typed it: a path or ``s3://bucket/prefix``.
        limits: The site's.
        zone_url: The raw zone, which can't be delivered into itself.

    Raises:
        UsageError: There is no such thing, or it is of no known kind.
    """
    if typed.startswith("s3://"):
        from aida_pipelines.ingest.sources.bucket import BucketSource

        return BucketSource(typed, limits=limits)
    path = Path(typed).expanduser()
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no path"
        raise refused(typed, f"can't be read ({why})", "Check the path, and that you may read it.") from None
    from aida_pipelines.ingest.sources.folder import FileSource, FolderSource
    from aida_pipelines.ingest.sources.tar import TarSource, is_tar
    from aida_pipelines.ingest.sources.zip import ZipSource, is_zip

    if stat.S_ISDIR(mode):
        return FolderSource(typed, path, limits=limits, zone_url=zone_url)
    if not stat.S_ISREG(mode):
        raise refused(typed, "is neither a file nor a folder", "Deliver a folder, a zip, a tar or s3://…")
    for is_one, source in ((is_zip, ZipSource), (is_tar, TarSource)):
        try:
            if is_one(path):
                return source(typed, path, limits=limits)
        except OSError as error:
            raise refused(typed, f"can't be read ({error.strerror})", "Check that you may read it.") from None
    return FileSource(typed, path, limits=limits)
