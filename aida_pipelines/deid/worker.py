"""What the stage's processes do with instances: de-identified and verified into scratch, later from there into a zone.

Apart from ``stage``, so that a process doesn't import what only the tables need (some 50 MB).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aida_pipelines.contracts.table import TableContract
from aida_pipelines.deid.instance import Done, DoneNoter, Processor, Recipe, RowMaker, write
from aida_pipelines.errors import InstanceOutcome
from aida_pipelines.storage.objects import mapped, object_key, put_object_file
from aida_pipelines.storage.store import open_store


@dataclass(frozen=True, slots=True)
class Item:
    """One accepted DICOM file.

    Attributes:
        ordinal: Its number in the delivery.
        study: Its Study Instance UID; empty if it has none.
        source_sha256: Hash of its bytes.
        extension: Ending of its object's key.
        bytes: Its size.
        reviewed: A steward has looked at its pixels and releases it.
        rejected: A steward has refused it.
    """

    ordinal: int
    study: str
    source_sha256: str
    extension: str
    bytes: int
    reviewed: bool
    rejected: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What was made of it: a row, and an object in scratch; or a reason why not."""

    item: Item
    reason: str = ""
    row: dict[str, Any] | None = None
    done: frozenset[Done] = frozenset()

    @property
    def finding(self) -> bool:
        """Whether the verification found something, and no steward has dealt with it."""
        return self.reason == "verification-failed" and not self.item.rejected


@dataclass(frozen=True, slots=True)
class Made:
    """An object in scratch, whose name there is the number of its file."""

    ordinal: int
    sha256: str
    bytes: int


class _Worker:
    """Stores, key and tables of one process, opened once."""

    def __init__(
        self,
        raw_url: str,
        refined_url: str,
        work_dir: Path,
        scratch: Path,
        recipe: Recipe,
        contract: TableContract,
    ) -> None:
        self._raw = open_store(raw_url, work_dir=work_dir)
        self._refined = open_store(refined_url)
        self._scratch = scratch
        self._process = Processor(recipe)
        self._row, self._done = RowMaker(contract), DoneNoter()

    def deidentify(self, item: Item) -> Result:
        with self._raw.local(object_key(item.source_sha256, item.extension)) as path:
            try:
                result = self._process(mapped(path), pixels_reviewed=item.reviewed)
            except InstanceOutcome as outcome:
                return Result(item, outcome.reason)
            if item.rejected:
                return Result(item, "rejected-by-steward")
            written = write(result, in_scratch(self._scratch, item.ordinal))
            row = self._row(result)
            row["object_sha256"], row["object_bytes"] = written.sha256, written.size
            return Result(item, row=row, done=self._done(result.changes))

    def put(self, made: Made) -> None:
        path = in_scratch(self._scratch, made.ordinal)
        put_object_file(self._refined, path, made.sha256, "dcm")
        path.unlink()


def in_scratch(folder: Path, ordinal: int) -> Path:
    """Where an object waits for the rest of its study."""
    return folder / f"{ordinal}.instance"


_worker: _Worker | None = None


def open_worker(*args: Any) -> None:
    """Make this process ready: the arguments of ``_Worker``."""
    global _worker  # noqa: PLW0603 - one for each process, made by the pool's initializer
    _worker = _Worker(*args)


def deidentify(item: Item) -> Result:
    """De-identify and verify an instance into scratch."""
    assert _worker is not None
    return _worker.deidentify(item)


def put(made: Made) -> None:
    """Put an instance from scratch into the refined zone."""
    assert _worker is not None
    _worker.put(made)
