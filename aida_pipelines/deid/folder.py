"""A folder de-identified on its own, without zones: what `aida deidentify` does.

Written are ``DST/SUBJECT/STUDYUID/SERIESUID/SOPUID.dcm`` and, in the report folder, ``report.json`` and
``actions.parquet`` without identifiers and, readable by their owner only, ``uid_mapping.csv`` and
``patid_mapping.csv``, which lead back to the originals.
"""

from __future__ import annotations

import csv
import filecmp
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from aida_pipelines.contracts.models import Contracts
from aida_pipelines.contracts.profile import DeidProfile
from aida_pipelines.deid.instance import Done, Processor, Recipe, action_row, chunks, done
from aida_pipelines.deid.pseudonym import Pseudonyms, load_key
from aida_pipelines.dicom.attributes import Attributes
from aida_pipelines.dicom.parse import parse_file
from aida_pipelines.errors import InstanceOutcome, StorageError, UsageError
from aida_pipelines.parallel import ordered_map
from aida_pipelines.progress import track
from aida_pipelines.reasons import REASONS
from aida_pipelines.storage.objects import mapped
from aida_pipelines.storage.scratch import scratch, sweep_scratch

_ACTION_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("sop_instance_uid", "tag", "keyword", "vr", "action")]
)
_BATCH_ROWS = 20_000
_UID_KEYWORDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


class FolderSummary(BaseModel, frozen=True):
    """What became of a folder.

    Attributes:
        profile: The profile and its version.
        key_id: Which key was used.
        counts: Files by outcome: ``received``, ``refined``, ``quarantined``, ``rejected``.
        reasons: Files by reason code, for those not passed on.
        actions: Attributes by action, over all instances.
    """

    profile: str
    key_id: str
    counts: dict[str, int]
    reasons: dict[str, int]
    actions: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Written:
    """What a worker made of one file.

    Attributes:
        reason: Why nothing was made of it; empty if something was.
        temporary: Where the result is until it gets its name.
        target: Its name, relative to DST.
        uids: Original and new UID of study, series and instance.
        patient: Original id and subject.
        done: What was done to its attributes.
    """

    reason: str = ""
    temporary: Path = Path()
    target: Path = Path()
    uids: tuple[tuple[str, str], ...] = ()
    patient: tuple[str, str] = ("", "")
    done: frozenset[Done] = frozenset()


class _Worker:
    def __init__(self, recipe: Recipe, work: Path) -> None:
        self._process, self._work = Processor(recipe), work

    def __call__(self, numbered: tuple[int, Path]) -> _Written:
        number, path = numbered
        try:
            result = self._process(mapped(path))
        except InstanceOutcome as outcome:
            return _Written(outcome.reason)
        temporary = self._work / f"{number}.dcm"
        with temporary.open("wb") as file:
            file.writelines(chunks(result))
        old, new = Attributes(result.source), Attributes(parse_file(result.header))
        originals, pseudonyms = ([str(one.first(keyword)) for keyword in _UID_KEYWORDS] for one in (old, new))
        study, series, instance = pseudonyms
        return _Written(
            temporary=temporary,
            target=Path(result.subject, study, series, f"{instance}.dcm"),
            uids=tuple(zip(originals, pseudonyms, strict=True)),
            patient=(str(old.first("PatientID") or ""), result.subject),
            done=done(result.changes),
        )


def _placed(written: _Written, dst: Path) -> bool:
    """Give a result its name; False if something else has it already."""
    target = dst / written.target
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(written.temporary, target)
    except FileExistsError:
        return filecmp.cmp(written.temporary, target, shallow=False)
    finally:
        written.temporary.unlink()
    return True


_worker: _Worker | None = None


def _open_worker(recipe: Recipe, work: Path) -> None:
    global _worker  # noqa: PLW0603 - one for each process, made by the pool's initializer
    _worker = _Worker(recipe, work)


def _work(numbered: tuple[int, Path]) -> _Written:
    assert _worker is not None
    return _worker(numbered)


def deidentify_folder(
    src: Path,
    dst: Path,
    *,
    profile: DeidProfile,
    contracts: Contracts,
    key_file: Path,
    report_dir: Path | None = None,
    issuer: str = "",
    workers: int | None = None,
) -> FolderSummary:
    """De-identify every file of a folder and its subfolders.

    Args:
        src: The folder. Links are not followed.
        dst: Where the results go; made if it isn't there. Nothing there is replaced: another file of the same
            name makes an instance ``conflicting-instance``.
        profile: How.
        contracts: For the descriptions' allow-list.
        key_file: The pseudonym key.
        report_dir: Where the report goes; None for none.
        issuer: Issuer of patient ids whose header names none.
        workers: Processes; by default one for each processor.

    Raises:
        UsageError: ``src`` is no folder or has no files, ``dst`` or the report lies in it, or the key can't be
            used. Nothing was written.
        StorageError: A file can't be read or written.
    """
    _check_folders(src, dst, report_dir)
    key_id = Pseudonyms(load_key(key_file)).key_id
    recipe = Recipe(
        profile=profile,
        tokens=frozenset(contracts.vocabulary("descriptor_tokens").terms),
        device_tokens=frozenset(contracts.vocabulary("device_tokens").terms),
        key_file=key_file,
        issuer=issuer,
    )
    try:
        dst.mkdir(parents=True, exist_ok=True)
        sweep_scratch(dst)
        counts: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        actions: Counter[str] = Counter()
        with scratch(dst) as work, _Report(report_dir) as report:
            results = ordered_map(
                _work,
                enumerate(_files(src)),
                workers=workers,
                initializer=_open_worker,
                initargs=(recipe, work),
            )
            for written in track(results, label="De-identify"):
                # Placed here, in the order of the files, and not where they were made: of two files that claim
                # to be the same instance the first is taken, whichever process was faster.
                reason = written.reason or ("" if _placed(written, dst) else "conflicting-instance")
                if reason:
                    counts[REASONS[reason].outcome] += 1
                    reasons[reason] += 1
                    continue
                counts["refined"] += 1
                actions.update(action for _, _, action in written.done)
                report.add(written)
            summary = FolderSummary(
                profile=f"{profile.name} {profile.version}",
                key_id=key_id,
                counts={
                    "received": counts.total(),
                    **{name: counts[name] for name in ("refined", "quarantined", "rejected")},
                },
                reasons=dict(sorted(reasons.items())),
                actions=dict(sorted(actions.items())),
            )
            report.finish(summary)
    except OSError as error:
        raise StorageError(
            f"The work stopped: {os.strerror(error.errno or 0)}.",
            way_out="Check space and permissions of the folders, then run the same command again.",
        ) from None
    return summary


def _check_folders(src: Path, dst: Path, report_dir: Path | None) -> None:
    if not src.is_dir():
        raise UsageError(f"{src} is not a folder.", way_out="Give a folder with DICOM files.")
    if next(_files(src), None) is None:
        raise UsageError(f"{src} has no files.", way_out="Give a folder with DICOM files.")
    for other in (dst, report_dir):
        if other is not None and other.resolve().is_relative_to(src.resolve()):
            raise UsageError(
                f"{other} lies in {src}: results would be taken for input.", way_out="Name another folder."
            )


def _files(folder: Path) -> Iterator[Path]:
    """All plain files below a folder, in the order of their names."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)


class _Report:
    """The report's files, written as results come and put in place together at the end."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def __enter__(self) -> _Report:
        self._stack = ExitStack()
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            sweep_scratch(self._folder)
            self._work = self._stack.enter_context(scratch(self._folder))
            self._actions = self._stack.enter_context(
                pq.ParquetWriter(self._work / "actions.parquet", _ACTION_SCHEMA, compression="zstd")
            )
            self._uids = self._mapping("uid_mapping.csv")
            self._patients = self._mapping("patid_mapping.csv")
            self._seen: dict[str, set[tuple[str, str]]] = {"study": set(), "series": set(), "patient": set()}
            self._rows: list[dict[str, str]] = []
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _mapping(self, name: str) -> Any:
        descriptor = os.open(self._work / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        file = self._stack.enter_context(os.fdopen(descriptor, "w", encoding="utf-8", newline=""))
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("id_old", "id_new"))
        return writer

    def add(self, written: _Written) -> None:
        """Note one instance."""
        if self._folder is None:
            return
        study, series, instance = written.uids
        for name, pair in (("study", study), ("series", series)):
            self._once(name, pair, self._uids)
        self._uids.writerow(instance)
        self._once("patient", written.patient, self._patients)
        sop = instance[1]
        self._rows += [{"sop_instance_uid": sop, **action_row(entry)} for entry in sorted(written.done)]
        if len(self._rows) >= _BATCH_ROWS:
            self._flush()

    def _once(self, name: str, pair: tuple[str, str], writer: Any) -> None:
        # As many as studies, series and patients: far fewer than instances.
        if pair not in self._seen[name]:
            self._seen[name].add(pair)
            writer.writerow(pair)

    def _flush(self) -> None:
        self._actions.write_table(pa.Table.from_pylist(self._rows, schema=_ACTION_SCHEMA))
        self._rows.clear()

    def finish(self, summary: FolderSummary) -> None:
        """Put the files in place; what is still buffered follows when they are closed."""
        if self._folder is None:
            return
        self._flush()
        (self._work / "report.json").write_text(
            json.dumps(summary.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8"
        )
        self._actions.close()
        for path in sorted(self._work.iterdir()):
            path.replace(self._folder / path.name)
