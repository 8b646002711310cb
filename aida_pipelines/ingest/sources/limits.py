"""A site's limits, held while bytes stream: what an archive declares of itself proves nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from aida_pipelines.errors import UsageError

_HARMLESS = 64 << 20
"""Unpacked bytes up to which the compression ratio is of no interest: a few blank images pack a
thousandfold."""


class Limits(Protocol):
    """What a site's contract allows."""

    @property
    def max_delivery_bytes(self) -> int:
        """All files of a delivery together, unpacked."""

    @property
    def max_file_bytes(self) -> int:
        """One file, unpacked."""

    @property
    def max_compression_ratio(self) -> float:
        """Unpacked bytes a packed byte, over the whole archive."""


class Meter:
    """Counts what comes out of a source and stops it at the first byte too many.

    Args:
        typed: The source as typed, for messages.
        limits: The site's.
        packed: Size in bytes of the archive; None for what isn't packed.
    """

    def __init__(self, typed: str, limits: Limits, packed: int | None = None) -> None:
        self._typed, self._limits = typed, limits
        self._most = float(limits.max_delivery_bytes)
        self._packed = packed
        self._total = 0

    def declared(self, file_bytes: int) -> None:
        """Refuse a file for what it says of its own size."""
        if file_bytes > self._limits.max_file_bytes:
            raise self._over("A file has", self._limits.max_file_bytes, "max_file_bytes")

    def metered(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass one file's chunks on, as long as it and the delivery stay within the limits."""
        size = 0
        for chunk in chunks:
            size += len(chunk)
            self.declared(size)
            self.add(len(chunk))
            yield chunk

    def add(self, size: int) -> None:
        """Count bytes of the delivery."""
        self._total += size
        if self._total > self._limits.max_delivery_bytes:
            raise self._over("It has", self._limits.max_delivery_bytes, "max_delivery_bytes")
        if self._packed is not None and self._total > _HARMLESS:
            ratio = self._limits.max_compression_ratio
            if self._total > ratio * self._packed:
                raise UsageError(
                    f"{self._typed}: unpacks to more than {ratio:g} times its size, as a zip bomb does.",
                    way_out="Look at it; if it is sound, deliver the unpacked folder.",
                )

    def _over(self, what: str, limit: int, name: str) -> UsageError:
        return UsageError(
            f"{self._typed}: {what} more than the {limit:,} bytes that the site's contract allows ({name}).",
            way_out="Deliver it in parts, or have the limit in the site's contract raised.",
        )
