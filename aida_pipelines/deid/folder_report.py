"""What `aida deidentify` reports of a folder.

``report.json``, ``report.html``, ``conformance.json`` and ``actions.parquet`` name nobody. What leads back to the
originals is readable by its owner only: ``instances.parquet`` with the hashes of what came and of what was made of it,
``uid_mapping.csv``, ``patid_mapping.csv``.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.lib import StringBuilder

from aida_pipelines.contracts.profile import DeidProfile
from aida_pipelines.deid.folder import FileResult, FolderSummary
from aida_pipelines.deid.instance import Done, action_row
from aida_pipelines.reasons import REASONS
from aida_pipelines.storage.objects import sha256_of_file
from aida_pipelines.storage.scratch import scratch, sweep_scratch

_ACTION_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("sop_instance_uid", "tag", "keyword", "vr", "action")]
)
_INSTANCE_SCHEMA = pa.schema(
    [
        ("source_sha256", pa.string()),
        ("outcome", pa.string()),
        ("reason", pa.string()),
        ("sop_instance_uid", pa.string()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
    ]
)
_BATCH_ROWS = 20_000


@lru_cache(maxsize=500)
def _columns_of(done: frozenset[Done]) -> tuple[tuple[str, ...], ...]:
    """Tags, keywords, VRs and actions: the same for most instances of a series."""
    return tuple(zip(*(action_row(entry).values() for entry in sorted(done)), strict=True)) or ((),) * 4


class Report:
    """The report's files, written as results come and put in place together at the end."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def __enter__(self) -> Report:
        self._stack = ExitStack()
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            sweep_scratch(self._folder)
            self._work = self._stack.enter_context(scratch(self._folder))
            self._actions = self._table("actions.parquet", _ACTION_SCHEMA)
            self._restricted("instances.parquet").close()
            self._instances = self._table("instances.parquet", _INSTANCE_SCHEMA)
            self._uids = self._mapping("uid_mapping.csv")
            self._patients = self._mapping("patid_mapping.csv")
            self._seen: dict[str, set[tuple[str, str]]] = {"study": set(), "series": set(), "patient": set()}
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _restricted(self, name: str) -> TextIO:
        descriptor = os.open(self._work / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        return self._stack.enter_context(os.fdopen(descriptor, "w", encoding="utf-8", newline=""))

    def _mapping(self, name: str) -> Any:
        writer = csv.writer(self._restricted(name), lineterminator="\n")
        writer.writerow(("id_old", "id_new"))
        return writer

    def _table(self, name: str, schema: pa.Schema) -> _Table:
        return self._stack.enter_context(_Table(self._work / name, schema))

    def add(self, result: FileResult, reason: str) -> None:
        """Note one file: what became of it and, if it was passed on, what was done to it."""
        if self._folder is None:
            return
        if reason:
            self._instances.extend(
                [result.source_sha256], [REASONS[reason].outcome], [reason], [None], [None], [None]
            )
            return
        study, series, instance = result.uids
        for name, pair in (("study", study), ("series", series)):
            self._once(name, pair, self._uids)
        self._uids.writerow(instance)
        self._once("patient", result.patient, self._patients)
        sop = instance[1]
        self._instances.extend(
            [result.source_sha256], ["refined"], [None], [sop], [result.sha256], [result.bytes]
        )
        columns = _columns_of(result.done)
        self._actions.extend([sop] * len(result.done), *columns)

    def _once(self, name: str, pair: tuple[str, str], writer: Any) -> None:
        # As many as studies, series and patients: far fewer than instances.
        if pair not in self._seen[name]:
            self._seen[name].add(pair)
            writer.writerow(pair)

    def closed(self) -> str:
        """End the tables; hash of that of instances."""
        if self._folder is None:
            return ""
        self._actions.close()
        self._instances.close()
        return sha256_of_file(self._work / "instances.parquet")

    def finish(self, summary: FolderSummary, profile: DeidProfile) -> None:
        """Put the files in place; what is still buffered of the mappings follows when they are closed."""
        if self._folder is None:
            return
        (self._work / "report.json").write_text(
            json.dumps(summary.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8"
        )
        from aida_pipelines.deid.evidence import write_folder_report  # heavy, and only needed with a report

        write_folder_report(self._work, summary, profile)
        for path in sorted(self._work.iterdir()):
            path.replace(self._folder / path.name)


def _array(values: Iterable[Any], kind: pa.DataType) -> pa.Array:
    """Strings, or what can be read from strings. ``pa.array`` would import pandas where it is installed (40 MB)."""
    builder = StringBuilder()
    builder.append_values([value if value is None else str(value) for value in values])
    return builder.finish().cast(kind)


class _Table:
    """A Parquet file, written a few rows at a time in bounded memory."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer, self._schema = pq.ParquetWriter(path, schema, compression="zstd"), schema
        self._columns: list[list[Any]] = [[] for _ in schema]

    def __enter__(self) -> _Table:
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.close()

    def extend(self, *columns: Sequence[Any]) -> None:
        """Add rows, given as columns."""
        for column, values in zip(self._columns, columns, strict=True):
            column.extend(values)
        if len(self._columns[0]) >= _BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        columns = [_array(c, f.type) for c, f in zip(self._columns, self._schema, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))
        for column in self._columns:
            column.clear()

    def close(self) -> None:
        self._flush()
        self._writer.close()
