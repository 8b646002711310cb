"""A folder de-identified on its own, without zones: what `aida deidentify` does.

Written are ``DST/SUBJECT/STUDYUID/SERIESUID/SOPUID.dcm`` and, in the report folder, ``report.html``, ``report.json``,
``conformance.json`` and ``actions.parquet`` without identifiers and, readable by their owner only, what leads back to
the originals: ``instances.parquet`` (hashes of what came and of what was made of it), ``uid_mapping.csv`` and
``patid_mapping.csv``.

In a folder the files of a study may lie anywhere. So all results wait in scratch within DST, and get their names
when the last file has been worked on: no finding of the verification can come after an instance of its study.
"""

from __future__ import annotations

import filecmp
import os
import pickle
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from pydantic import BaseModel

from aida_pipelines.contracts.models import Contracts
from aida_pipelines.contracts.profile import DeidProfile
from aida_pipelines.deid.instance import (
    PRELOAD,
    Done,
    DoneNoter,
    HeaderReader,
    Processor,
    Recipe,
    sha256_of,
    write,
)
from aida_pipelines.deid.keys import DomainKey
from aida_pipelines.dicom.attributes import Attributes
from aida_pipelines.dicom.parse import Source, parse_file
from aida_pipelines.errors import InstanceOutcome, StorageError, UsageError
from aida_pipelines.ingest.header import is_media_directory
from aida_pipelines.ingest.names import is_operating_systems
from aida_pipelines.parallel import ordered_map
from aida_pipelines.progress import track
from aida_pipelines.reasons import REASONS
from aida_pipelines.storage.objects import mapped
from aida_pipelines.storage.scratch import scratch, sweep_scratch

NO_COLLECTION = "folder"
"""Pseudonym domain of folders that are de-identified for no collection: they can be joined to none."""

_FINDING = "verification-failed"
_UID_KEYWORDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


class FolderSummary(BaseModel, frozen=True):
    """What became of a folder.

    Attributes:
        profile: The profile and its version.
        key_id: Which key was used.
        pseudonym_domain: Which domain of it.
        counts: Files by outcome: ``received``, ``refined``, ``quarantined``, ``rejected``.
        reasons: Files by reason code, for those not passed on.
        actions: Attributes by action, over all instances.
        instances_sha256: Hash of the report's ``instances.parquet``, so that the one can vouch for the other without
            showing it; empty without a report.
    """

    profile: str
    key_id: str
    pseudonym_domain: str
    counts: dict[str, int]
    reasons: dict[str, int]
    actions: dict[str, int]
    instances_sha256: str = ""


@dataclass(frozen=True, slots=True)
class FileResult:
    """What a worker made of one file.

    Attributes:
        source_sha256: Hash of the file.
        study: The file's study, as far as it can be known.
        reason: Why nothing was made of it; empty if something was.
        temporary: Where the result is until it gets its name.
        target: Its name, relative to DST.
        sha256: Its hash.
        bytes: Its size.
        uids: Original and new UID of study, series and instance.
        patient: Original id and subject.
        done: What was done to its attributes.
    """

    source_sha256: str
    study: str = ""
    reason: str = ""
    temporary: Path = Path()
    target: Path = Path()
    sha256: str = ""
    bytes: int = 0
    uids: tuple[tuple[str, str], ...] = ()
    patient: tuple[str, str] = ("", "")
    done: frozenset[Done] = frozenset()


class _Worker:
    def __init__(self, recipe: Recipe, work: Path) -> None:
        self._process, self._work = Processor(recipe), work
        self._new, self._done = HeaderReader(), DoneNoter()

    def __call__(self, numbered: tuple[int, Path]) -> FileResult:
        number, path = numbered
        source = mapped(path)
        try:
            result = self._process(source)
        except InstanceOutcome as outcome:
            study = _study_of(Attributes(parse_file(source))) if outcome.reason == _FINDING else ""
            return FileResult(sha256_of(source), study, _said(outcome.reason, source, path.as_posix()))
        temporary = self._work / f"{number}.instance"
        written = write(result, temporary, source=source)
        old = Attributes(result.source)
        originals = [str(old.first(keyword)) for keyword in _UID_KEYWORDS]
        pseudonyms = [str(self._new.values(result, keyword)[0]) for keyword in _UID_KEYWORDS]
        study, series, instance = pseudonyms
        return FileResult(
            source_sha256=written.source_sha256,
            study=_study_of(old),
            temporary=temporary,
            target=Path(result.subject, study, series, f"{instance}.dcm"),
            sha256=written.sha256,
            bytes=written.size,
            uids=tuple(zip(originals, pseudonyms, strict=True)),
            patient=(str(old.first("PatientID") or ""), result.subject),
            done=self._done(result.changes),
        )


def _said(reason: str, source: Source, path: str) -> str:
    """What a delivery would be told of the same file: what is no instance is told apart as by raw ingest."""
    if is_media_directory(source):
        return "media-directory"
    if reason != "not-dicom":
        return reason
    if is_operating_systems(path):
        return "operating-system-file"
    return reason if source else "empty-file"


def _study_of(attributes: Attributes) -> str:
    # Of several values, which a study has not, the first counts, as for de-identification.
    return str(attributes.first("StudyInstanceUID")).split("\\")[0]


def _placed(result: FileResult, dst: Path) -> bool:
    """Give a result its name; False if something else has it already."""
    target = dst / result.target
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(result.temporary, target)
    except FileExistsError:
        return filecmp.cmp(result.temporary, target, shallow=False)
    finally:
        result.temporary.unlink()
    return True


_worker: _Worker | None = None


def _open_worker(recipe: Recipe, work: Path) -> None:
    global _worker  # noqa: PLW0603 - one for each process, made by the pool's initializer
    _worker = _Worker(recipe, work)


def _work(numbered: tuple[int, Path]) -> FileResult:
    assert _worker is not None
    return _worker(numbered)


def deidentify_folder(
    src: Path,
    dst: Path,
    *,
    profile: DeidProfile,
    contracts: Contracts,
    key_file: Path,
    domain: str = NO_COLLECTION,
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
        domain: Which domain of it: a collection's ``pseudonym_domain`` for results that can be joined to it.
        report_dir: Where the report goes; None for none.
        issuer: Issuer of patient ids whose header names none.
        workers: Processes; by default one for each processor.

    Raises:
        UsageError: ``src`` is no folder or has no files, ``dst`` or the report lies in it, or the key can't be
            used. Nothing was written.
        StorageError: A file can't be read or written.
    """
    from aida_pipelines.deid.folder_report import Report  # PyArrow: not for the processes

    try:
        _check_folders(src, dst, report_dir)
        key = DomainKey.of(key_file, domain)
        recipe = Recipe(
            profile=profile,
            tokens=frozenset(contracts.vocabulary("descriptor_tokens").terms),
            device_tokens=frozenset(contracts.vocabulary("device_tokens").terms),
            key=key,
            issuer=issuer,
        )
        dst.mkdir(parents=True, exist_ok=True)
        sweep_scratch(dst)
        counts: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        actions: Counter[str] = Counter()
        with scratch(dst) as work, Report(report_dir) as report:
            results = ordered_map(
                _work,
                enumerate(_files(src)),
                workers=workers,
                initializer=_open_worker,
                initargs=(recipe, work),
                preload=PRELOAD,
                weigh=lambda numbered: numbered[1].stat().st_size,
            )
            for result, held in _all_worked_on(track(results, label="De-identify"), work):
                # Placed here, in the order of the files, and not where they were made: of two files that claim
                # to be the same instance the first is taken, whichever process was faster.
                reason = result.reason
                if not reason and held:
                    reason = "study-held"
                elif not reason and not _placed(result, dst):
                    reason = "conflicting-instance"
                report.add(result, reason)
                if reason:
                    counts[REASONS[reason].outcome] += 1
                    reasons[reason] += 1
                else:
                    counts["refined"] += 1
                    actions.update(action for _, _, action in result.done)
            summary = FolderSummary(
                profile=f"{profile.name} {profile.version}",
                key_id=key.key_id,
                pseudonym_domain=key.domain,
                counts={
                    "received": counts.total(),
                    **{name: counts[name] for name in ("refined", "quarantined", "rejected")},
                },
                reasons=dict(sorted(reasons.items())),
                actions=dict(sorted(actions.items())),
                instances_sha256=report.closed(),
            )
            report.finish(summary, profile)
    except OSError as error:
        raise StorageError(
            f"The work stopped: {os.strerror(error.errno or 0)}.",
            way_out="Check space and permissions of the folders, then run the same command again.",
        ) from None
    return summary


def _all_worked_on(results: Iterable[FileResult], folder: Path) -> Iterator[tuple[FileResult, bool]]:
    """Each result with whether its study is held, in their order, when the last is there; they wait in a file."""
    held: set[str] = set()
    with TemporaryFile(dir=folder) as waiting:
        count = 0
        for result in results:
            count += 1
            if result.reason == _FINDING:
                held.add(result.study)
            pickle.dump(result, waiting, pickle.HIGHEST_PROTOCOL)
        waiting.seek(0)
        for _ in range(count):
            result = pickle.load(waiting)  # noqa: S301 - what was written above
            yield result, result.study in held


def _check_folders(src: Path, dst: Path, report_dir: Path | None) -> None:
    # Paths are not repeated: folders are named after patients, and what is said here ends in logs.
    if not src.is_dir():
        raise UsageError("SRC is not a folder.", way_out="Give a folder with DICOM files.")
    for name, other in (("DST", dst), ("The report's folder", report_dir)):
        if other is None:
            continue
        if other.resolve().is_relative_to(src.resolve()):
            raise UsageError(
                f"{name} lies in SRC: results would be taken for input.", way_out="Name another folder."
            )
        if other.exists() and not other.is_dir():
            raise UsageError(f"{name} is there and is no folder.", way_out="Name a folder.")
    if next(_files(src), None) is None:
        raise UsageError("SRC has no files.", way_out="Give a folder with DICOM files.")


def _files(folder: Path) -> Iterator[Path]:
    """All plain files below a folder, in the order of their names."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)
