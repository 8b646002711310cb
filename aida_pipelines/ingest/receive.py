"""`aida deliver`: the bytes of a folder, archive or bucket into the raw zone, all of them or none.

Each member is read once: hashed, and stored under its hash. Then the manifest claims the delivery's id, and
last the delivery record makes it visible. Until then nothing refers to what was stored, and ``journal``
clears it away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pyarrow as pa

from aida_pipelines.contracts.models import Contracts
from aida_pipelines.contracts.site import Site
from aida_pipelines.errors import UsageError
from aida_pipelines.ingest.clinical import ClinicalTables
from aida_pipelines.ingest.deliveries import (
    Delivery,
    delivery_key,
    list_deliveries,
    manifest_key,
    read_delivery,
)
from aida_pipelines.ingest.header import holds_a_data_set, is_part_10
from aida_pipelines.ingest.journal import Journal, journal
from aida_pipelines.ingest.names import check_delivery_id, default_delivery_id
from aida_pipelines.ingest.sources import CHUNK, Member, open_source, refused
from aida_pipelines.progress import track
from aida_pipelines.storage.disk import explaining
from aida_pipelines.storage.local import LocalStore
from aida_pipelines.storage.objects import object_key, sha256_of_file
from aida_pipelines.storage.scratch import scratch
from aida_pipelines.storage.store import ObjectStore
from aida_pipelines.storage.tables import iter_rows, write_table

MANIFEST_SCHEMA = pa.schema(
    [
        pa.field("ordinal", pa.int64(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("source_sha256", pa.string(), nullable=False),
        pa.field("extension", pa.string(), nullable=False),
    ]
)
"""One row a file, ordered by hash, then path; ``ordinal`` counts from 1 in that order."""

_IN_MEMORY = 32 << 20
"""Bytes of a file up to which it waits for its hash in memory, beyond in a file of the work folder."""


def receive(
    source: str | Path,
    *,
    site: str,
    collection: str,
    delivery_id: str | None = None,
    raw: ObjectStore,
    contracts: Contracts,
    work_dir: Path,
    now: datetime,
) -> Delivery:
    """Take a folder, a file, a zip, a tar or an S3 prefix as one delivery.

    Args:
        source: As the person typed it; messages say it so.
        site: Who delivers.
        collection: For what; its contract must name the site.
        delivery_id: Id of the delivery; by default ``SITE_YYYYMMDD_SEQ`` with the next free number.
        raw: The raw zone.
        contracts: All contracts.
        work_dir: Scratch on the raw side of the legal line.
        now: The time of receipt; which of two deliveries came first follows from it.

    Returns:
        The delivery; with ``already_there`` if the same content came before from the same site for the same
        collection, and nothing was done.

    Raises:
        UsageError: Site, collection, id or source can't be taken. The zone is as it was.
        StorageError: The zone or the work folder can't be written. The zone is as it was.
    """
    if delivery_id is not None:
        check_delivery_id(delivery_id)
    by = _allowed(contracts, site, collection)
    typed = str(source)
    delivered = open_source(typed, limits=by.limits, zone_url=raw.url)
    delivered.check()
    day = now.astimezone(UTC)
    ids = [delivery_id] if delivery_id else (default_delivery_id(site, day, n) for n in count(1))

    def described(content: _Content) -> Callable[[str], Delivery]:
        return lambda id_: Delivery(
            id=id_,
            site=site,
            collection=collection,
            received_at=day,
            source_kind=delivered.kind,
            files=content.files,
            bytes=content.bytes,
            fingerprint=content.fingerprint,
        )

    with explaining(str(work_dir)), journal(raw, work_dir) as noted, scratch(work_dir) as folder:
        taker = _Taker(raw, noted, folder, ClinicalTables.of(contracts, collection))
        taken = taker.take(delivered.members())
        order = ("source_sha256", "path")
        write_table(
            LocalStore(folder),
            "taken",
            "taken.parquet",
            _TAKEN_SCHEMA,
            taken,
            order_by=order,
            work_dir=folder,
        )
        if not taker.any_wanted:
            raise refused(
                typed,
                f"holds no DICOM file and no clinical table that {collection} asks for",
                "Check the path; docs/deliveries.md says what can be delivered.",
            )
        content = _manifest(folder, site, collection)
        received = _known(raw, content.fingerprint)
        if received is None:
            received = _commit(content, described(content), ids, raw, noted)
        if not received.already_there:
            noted.forget()
        return received


def _allowed(contracts: Contracts, site: str, collection: str) -> Site:
    by, wanted = contracts.site(site), contracts.collection(collection)
    if site not in wanted.sites:
        raise UsageError(
            f"Collection {collection} has no agreement with site {site}.",
            way_out=f"It takes deliveries of {', '.join(wanted.sites)}; a new site is added in its contract.",
        )
    return by


# --- bytes into the zone ----------------------------------------------------------------------------------


_TAKEN_SCHEMA = pa.schema([field for field in MANIFEST_SCHEMA if field.name != "ordinal"])


class _Taker:
    """Stores members under their hash and says what it stored."""

    def __init__(self, raw: ObjectStore, noted: Journal, folder: Path, clinical: ClinicalTables) -> None:
        self._raw, self._noted, self._folder, self._clinical = raw, noted, folder, clinical
        self.any_wanted = False

    def take(self, members: Iterable[Member]) -> Iterator[dict[str, object]]:
        """Store each member; yield its row of the manifest, still without its ordinal."""
        for member in track(members, label="Receive"):
            row, head = self._store(member.chunks())
            if not self.any_wanted:
                self.any_wanted = self._clinical.table_of(head) is not None or holds_a_data_set(head)
            yield {"path": member.name, **row}

    def _store(self, chunks: Iterator[bytes]) -> tuple[dict[str, object], bytes]:
        digest, held, size = hashlib.sha256(), [], 0
        for chunk in chunks:
            digest.update(chunk)
            held.append(chunk)
            size += len(chunk)
            if size > _IN_MEMORY:
                return self._store_large(held, chunks, digest)
        data = b"".join(held)
        row = _row(data, digest, size)
        if key := self._missing(row):
            self._raw.create(key, data, synced=False)
        return row, data

    def _store_large(
        self, held: list[bytes], chunks: Iterator[bytes], digest: hashlib._Hash
    ) -> tuple[dict[str, object], bytes]:
        head, spool = held[0], self._folder / "large"
        with spool.open("wb") as file:
            file.writelines(held)
            held.clear()
            for chunk in chunks:
                digest.update(chunk)
                file.write(chunk)
        row = _row(head, digest, spool.stat().st_size)
        if key := self._missing(row):
            self._raw.put_file(key, spool)
        spool.unlink()
        return row, head

    def _missing(self, row: dict[str, object]) -> str | None:
        """The object's key, noted, if the zone hasn't got it."""
        key = object_key(str(row["source_sha256"]), str(row["extension"]))
        if self._raw.stat(key) is not None:
            return None
        self._noted.note(key)
        return key


def _row(head: bytes, digest: hashlib._Hash, size: int) -> dict[str, object]:
    extension = "dcm" if is_part_10(head) else "bin"
    return {"bytes": size, "source_sha256": digest.hexdigest(), "extension": extension}


# --- manifest and record ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Content:
    """A delivery's manifest, not yet in the zone."""

    path: Path
    files: int
    bytes: int
    fingerprint: str


def _manifest(folder: Path, site: str, collection: str) -> _Content:
    """Order what was taken and write the manifest into ``folder``; the fingerprint depends on values only."""
    digest, total = hashlib.sha256(f"{site}\0{collection}\0".encode()), 0

    def rows() -> Iterator[dict[str, object]]:
        nonlocal total
        for ordinal, row in enumerate(iter_rows(LocalStore(folder), "taken.parquet"), start=1):
            total += row["bytes"]
            digest.update(f"{row['source_sha256']}\0{row['path']}\0".encode())
            yield {"ordinal": ordinal, **row}

    table = write_table(
        LocalStore(folder), "manifest", "manifest.parquet", MANIFEST_SCHEMA, rows(), work_dir=folder
    )
    return _Content(folder / "manifest.parquet", table.rows, total, digest.hexdigest())


def _known(raw: ObjectStore, fingerprint: str) -> Delivery | None:
    """The delivery with the same content, if there is one."""
    same = (one for one in list_deliveries(raw) if one.fingerprint == fingerprint)
    found = min(same, key=lambda one: one.order, default=None)
    return found and found.model_copy(update={"already_there": True})


def _commit(
    content: _Content, make: Callable[[str], Delivery], ids: Iterable[str], raw: ObjectStore, noted: Journal
) -> Delivery:
    """Claim the first free id by its manifest, then put the record; both are conditional writes.

    A manifest without a record is a claim: of a delivery under way, or of one that was killed. One with the
    very bytes of ours is taken over, so that a delivery that was killed ends under the same id.
    """
    for id_ in ids:
        if not _claim(raw, noted, id_, content.path):
            continue
        raw.flush()
        delivery = make(id_)
        if raw.create(delivery_key(id_), delivery.record().encode()):
            return delivery
        other = read_delivery(raw, id_)  # two took the same claim over at once
        if other.fingerprint == content.fingerprint:
            return other.model_copy(update={"already_there": True})
    raise UsageError("Another delivery has this id.", way_out="Choose another with --id, or leave it out.")


def _claim(raw: ObjectStore, noted: Journal, id_: str, manifest: Path) -> bool:
    if raw.stat(delivery_key(id_)) is not None:
        return False
    key = manifest_key(id_)
    if raw.stat(key) is None:
        noted.note(key)
        with manifest.open("rb") as file:
            if raw.create(key, iter(lambda: file.read(CHUNK), b"")):
                return True
    with raw.local(key) as claimed:
        return sha256_of_file(claimed) == sha256_of_file(manifest)
