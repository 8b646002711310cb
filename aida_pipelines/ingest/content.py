"""What one object is, looked at by itself. A module of its own, light to import: each process of the pool does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aida_pipelines.errors import InstanceOutcome
from aida_pipelines.ingest.clinical import HEAD_BYTES, ClinicalTables, Recognised
from aida_pipelines.ingest.header import Header, read_header
from aida_pipelines.storage.objects import mapped
from aida_pipelines.storage.store import open_store


@dataclass(frozen=True, slots=True)
class Object:
    """An object to look at: its key, and its size in bytes."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Content:
    """What an object's bytes say: one of header, reason and clinical table."""

    header: Header | None = None
    reason: str | None = None
    clinical: Recognised | None = None


class _Worker:
    """Looks at objects in one process: the zone is opened once."""

    def __init__(self, raw_url: str, work_dir: Path, clinical: ClinicalTables) -> None:
        self._raw = open_store(raw_url, work_dir=work_dir)
        self._clinical = clinical

    def __call__(self, item: Object) -> Content:
        if item.size == 0:
            return Content(reason="empty-file")
        with self._raw.local(item.key) as path:
            data = mapped(path)
            try:
                return Content(header=read_header(data))
            except InstanceOutcome as outcome:
                if outcome.reason != "not-dicom":
                    return Content(reason=outcome.reason)
            table = self._clinical.table_of(bytes(data[:HEAD_BYTES]))
            return Content(clinical=table) if table else Content(reason="not-dicom")


_worker: _Worker | None = None


def open_worker(*args: Any) -> None:
    """Make this process's worker, from the zone's URL, a folder for copies and the clinical tables."""
    global _worker  # noqa: PLW0603 - one for each process, made by the pool's initializer
    _worker = _Worker(*args)


def look(item: Object) -> Content:
    """What an object is. ``open_worker`` was called in this process before."""
    assert _worker is not None
    return _worker(item)
