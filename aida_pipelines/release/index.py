"""``index.parquet``: the list of all releases, made anew from their ``release.json`` with every release."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aida_pipelines.client.catalogue import INDEX_KEY, DatasetEntry, list_datasets, versions
from aida_pipelines.client.release import Release, release_key
from aida_pipelines.contracts.models import Contracts
from aida_pipelines.storage.objects import sha256_of
from aida_pipelines.storage.store import ObjectStore
from aida_pipelines.storage.tables import write_table

Known = Mapping[str, list[str]]
"""Collection → its versions."""


def rebuild_index(curated: ObjectStore, contracts: Contracts, work_dir: Path | None = None) -> None:
    """Write the list of all releases.

    Two publishers may do so at once: each looks again after it has written, and writes again if another release has
    come meanwhile. So whoever writes last has seen every release that was there before.

    Args:
        curated: The curated zone.
        contracts: Collections to look for, beside those that the index has already; the schema of the index.
        work_dir: Local scratch.
    """
    written: Known | None = None
    while (found := _known(curated, contracts)) != written:
        rows = [
            _row(curated.get(release_key(name, version))).model_dump()
            for name, known in sorted(found.items())
            for version in known
        ]
        contract = contracts.table("releases")
        write_table(
            curated,
            contract.name,
            INDEX_KEY,
            contract.arrow_schema,
            rows,
            order_by=contract.order_by,
            work_dir=work_dir,
        )
        written = found


def _known(curated: ObjectStore, contracts: Contracts) -> Known:
    names = {*contracts.collections, *(entry.name for entry in list_datasets(curated))}
    return {name: found for name in sorted(names) if (found := versions(curated, name))}


def _row(content: bytes) -> DatasetEntry:
    release = Release.model_validate_json(content)
    return DatasetEntry(
        name=release.name,
        version=release.version,
        title=release.title,
        released_at=release.released_at,
        bytes=release.bytes,
        licence=release.licence,
        tier=release.tier,
        parent=release.parent,
        release_sha256=sha256_of([content]),
        **release.counts,
    )
