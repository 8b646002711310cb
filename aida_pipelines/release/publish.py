"""A signed candidate becomes a release: complete, or not there.

Objects and tables are copied first, documents are written, and ``release.json`` comes last, created only if there is
none. A candidate is signed once: its first signature is kept beside it, and whoever publishes it, at the same moment or
after the first was killed, writes what that signature says, byte for byte. So two publishers can't spoil each other's
files, and the one who came second is told who signed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from pydantic import BaseModel

from aida_pipelines.client.catalogue import newest, read_release, versions
from aida_pipelines.client.release import (
    Approval,
    Release,
    ReleaseFile,
    ReleaseTable,
    release_key,
    release_objects,
)
from aida_pipelines.client.sandbox import literal, rows
from aida_pipelines.contracts.collection import Collection
from aida_pipelines.contracts.models import Contracts
from aida_pipelines.errors import GateError, IntegrityError, NotFoundError
from aida_pipelines.parallel import threaded_map
from aida_pipelines.progress import track
from aida_pipelines.release.candidate import VERSION, Candidate, is_current, read_candidate
from aida_pipelines.release.documents import Facts, Figures, documents
from aida_pipelines.release.index import rebuild_index
from aida_pipelines.release.tables import queries
from aida_pipelines.release.version import Level
from aida_pipelines.storage.objects import object_key, sha256_of, sha256_of_file
from aida_pipelines.storage.scratch import scratch
from aida_pipelines.storage.store import ObjectStore

__all__ = ["VERSION", "publish"]

_THREADS = 8
_PICTURES = 24
"""Previews in a release's folder: enough for its card. Every series' preview is an object besides."""

_SCANNERS = 30
"""Scanners that the card lists, the most frequent first."""


class Signature(BaseModel, frozen=True):
    """Who took responsibility for a candidate: ``signature.json`` beside its tables.

    Attributes:
        sign_off: Name and decision number.
        signed_at: When (UTC), to the second: the time of the release.
    """

    sign_off: str
    signed_at: datetime


def publish(
    collection: str,
    *,
    sign_off: str,
    refined: ObjectStore,
    curated: ObjectStore,
    contracts: Contracts,
    now: datetime,
    work_dir: Path | None = None,
) -> Release:
    """Release a collection's candidate.

    Args:
        collection: The collection's name.
        sign_off: Who takes responsibility: ``NAME, DECISION NO.``
        refined: The refined zone: read, and the signature is written beside the candidate.
        curated: The curated zone, written.
        contracts: The contracts; approvals are asked on the day of the release.
        now: When it is signed.
        work_dir: Local scratch on this side of the legal line.

    Returns:
        The release; if the candidate differs in nothing from the newest one, that.

    Raises:
        NotFoundError: No such collection.
        GateError: No sign-off, an approval has run out, no candidate, a stale one, one that a check stops, one that
            someone else has signed (their release is there then), or another release was made meanwhile.
        IntegrityError: An object that the candidate names is missing or damaged.
    """
    contract = contracts.collection(collection)
    signature = Signature(sign_off=_signed(sign_off), signed_at=now.astimezone(UTC).replace(microsecond=0))
    _approved(contract, now)
    candidate = read_candidate(refined, collection)
    if candidate is None:
        raise GateError(f"{collection} has no candidate.", way_out="Build one: aida run.")
    parent = newest(curated, collection)
    if not is_current(collection, refined=refined, curated=curated, contracts=contracts):
        raise GateError(
            f"The candidate of {collection} is not what would be built today.",
            way_out="Build it again (aida run), look at it, and sign that one.",
        )
    if parent is not None and (candidate.level is Level.NONE or parent.candidate == candidate.fingerprint):
        rebuild_index(curated, contracts, work_dir)  # a publication that was killed may not have come to it
        return parent
    if failed := [check for check in candidate.checks if not check.passed]:
        raise GateError(
            f"The candidate of {collection} can't be released: {' '.join(check.says for check in failed)}",
            way_out="See its checks; mend the cause and build it again.",
        )
    release = _publish(candidate, contract, signature, refined, curated, contracts, work_dir)
    rebuild_index(curated, contracts, work_dir)
    if release.candidate != candidate.fingerprint or release.sign_off != signature.sign_off:
        raise GateError(
            f"{release.name}@{release.version} was released meanwhile, signed by {release.sign_off}.",
            way_out="Build the candidate again (aida run): it shows what, if anything, is left to release.",
        )
    return release


def _signed(sign_off: str) -> str:
    name, comma, decision = (part.strip() for part in sign_off.partition(","))
    if not (name and comma and decision):
        raise GateError(
            "A release needs a signature: name and decision number.",
            way_out='Sign it as in: --sign-off "Anna Exempelsson, 2026-117".',
        )
    return f"{name}, {decision}"


def _approved(contract: Collection, now: datetime) -> None:
    today = now.astimezone(UTC).date()
    expired = [
        f"{one.kind} {one.id} ({one.valid_until})" for one in contract.approvals if one.valid_until < today
    ]
    if expired:
        raise GateError(
            f"Approvals of {contract.name} have run out: {', '.join(expired)}.",
            way_out="Renew them, and write the new ones into the collection's contract.",
        )


@dataclass(frozen=True, slots=True)
class _Copy:
    key: str
    sha256: str


def _publish(
    candidate: Candidate,
    contract: Collection,
    signature: Signature,
    refined: ObjectStore,
    curated: ObjectStore,
    contracts: Contracts,
    work_dir: Path | None,
) -> Release:
    """Make the release that the candidate's first signature asks for, or find the one that was made meanwhile."""
    name, version = candidate.collection, candidate.version
    forms = tuple(recipe.value for recipe in contract.recipes)
    tables = tuple(
        ReleaseTable(name=t.table, file=f"{t.table}.parquet", rows=t.rows, bytes=t.bytes, sha256=t.sha256)
        for t in candidate.tables
    )
    with _opened(candidate, refined, work_dir) as opened:
        objects = track(_objects(opened.db, forms), label=f"Copy {name}@{version}")
        for _ in threaded_map(lambda one: _copy(refined, curated, one), objects, threads=_THREADS):
            pass
        pictures = _pictures(opened.db) if "previews" in forms else {}
        figures = _figures(opened.db)
        files: dict[str, Path | bytes] = {}
        for table in tables:
            files[table.file] = opened.paths[table.name]
        for file, sha256 in pictures.items():
            files[file] = refined.get(object_key(sha256, "png"))
        signature = _first_signature(refined, candidate, signature)
        about = contract.release
        release = Release(
            name=name,
            version=version,
            title=about.title,
            description=contract.description,
            licence=about.licence,
            tier=about.tier,
            forms=forms,
            released_at=signature.signed_at,
            sign_off=signature.sign_off,
            parent=candidate.parent,
            change=candidate.change,
            candidate=candidate.fingerprint,
            code_version=candidate.code_version,
            contracts=candidate.contracts,
            approvals=tuple(
                Approval(kind=one.kind.value, id=one.id, valid_until=one.valid_until)
                for one in contract.approvals
            ),
            counts=candidate.counts,
            bytes=candidate.bytes,
            attrition=candidate.attrition,
            deliveries=candidate.deliveries,
            left_out=candidate.left_out,
            tables=tables,
        )
        facts = Facts(
            release=release,
            ancestors=_ancestors(curated, name),
            collection=contract,
            tables={query.table: query.contract for query in queries(contract, contracts, VERSION)},
            figures=figures,
            previews=list(pictures),
        )
        written = documents(facts)
        files |= written
        release = release.model_copy(
            update={"files": _release_files({f: files[f] for f in (*written, *pictures)})}
        )
        return _put_in_place(release, files, curated)


def _first_signature(refined: ObjectStore, candidate: Candidate, signature: Signature) -> Signature:
    """The signature that the candidate has, which is this one if it had none."""
    key = f"{candidate.folder}/signature.json"
    refined.create(key, signature.model_dump_json(indent=2).encode())
    return Signature.model_validate_json(refined.get(key))


def _put_in_place(release: Release, files: dict[str, Path | bytes], curated: ObjectStore) -> Release:
    """Write the files, then ``release.json`` unless it is there; the release that is there."""
    key = release_key(release.name, release.version)
    for file, content in files.items():
        # What a release that was made meanwhile speaks of is not touched any more.
        if curated.stat(key) is not None:
            return read_release(curated, release.name, release.version)
        _put(curated, release.prefix + file, content)
    curated.flush()
    if not curated.create(key, release.model_dump_json(indent=2).encode()):
        return read_release(curated, release.name, release.version)
    # A publisher of another candidate may have written between our write and our release: it stops at the sight of
    # release.json, and what it wrote until then is put right here.
    for file, content in files.items():
        with curated.local(release.prefix + file) as path:
            right = sha256_of_file(path) == _sha256(content)
        if not right:
            _put(curated, release.prefix + file, content)
    curated.flush()
    return release


def _put(curated: ObjectStore, key: str, content: Path | bytes) -> None:
    if isinstance(content, Path):
        curated.put_file(key, content)
    else:
        curated.put(key, content)


def _sha256(content: Path | bytes) -> str:
    return sha256_of_file(content) if isinstance(content, Path) else sha256_of([content])


def _release_files(files: dict[str, Path | bytes]) -> tuple[ReleaseFile, ...]:
    return tuple(
        ReleaseFile(
            file=file,
            bytes=content.stat().st_size if isinstance(content, Path) else len(content),
            sha256=_sha256(content),
        )
        for file, content in files.items()
    )


def _ancestors(curated: ObjectStore, name: str) -> list[Release]:
    return [read_release(curated, name, version) for version in reversed(versions(curated, name))]


# --- reading the candidate ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Opened:
    """A candidate's tables as local files and as views."""

    paths: dict[str, Path]
    db: duckdb.DuckDBPyConnection


@contextmanager
def _opened(candidate: Candidate, refined: ObjectStore, work_dir: Path | None) -> Iterator[_Opened]:
    """A candidate's tables, verified, for as long as the block lasts: copies, for a new build removes the old one."""
    with ExitStack() as stack:
        folder = stack.enter_context(scratch(work_dir))
        paths: dict[str, Path] = {}
        for table in candidate.tables:
            path = folder / f"{table.table}.parquet"
            try:
                with refined.local(table.key) as original:
                    shutil.copyfile(original, path)
            except (NotFoundError, FileNotFoundError):
                raise GateError(
                    f"The candidate of {candidate.collection} was built anew meanwhile.",
                    way_out="Look at the new one and sign that.",
                ) from None
            if sha256_of_file(path) != table.sha256:
                raise IntegrityError(
                    f"{table.key} in {refined.url} is not what the candidate says.",
                    way_out="Build the candidate again: aida run.",
                )
            paths[table.table] = path
        config = {"memory_limit": "1GB", "temp_directory": str(folder / "spill")}
        db = stack.enter_context(duckdb.connect(config=dict(config)))
        for name, path in paths.items():
            db.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({literal(str(path))})")  # noqa: S608
        yield _Opened(paths, db)


def _objects(db: duckdb.DuckDBPyConnection, forms: tuple[str, ...]) -> Iterator[_Copy]:
    for table, (column, extension) in release_objects(forms).items():
        sql = f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY 1"  # noqa: S608
        for row in rows(db, sql):
            yield _Copy(object_key(str(row[0]), extension), str(row[0]))


def _copy(refined: ObjectStore, curated: ObjectStore, one: _Copy) -> None:
    """Copy an object unless it is there; its bytes are compared with its hash before anyone can see them."""
    there = curated.stat(one.key)
    source = refined.stat(one.key)
    if there is not None and source is not None and there.size == source.size:
        return
    try:
        with refined.local(one.key) as path:
            if sha256_of_file(path) != one.sha256:
                raise IntegrityError(
                    f"{one.key} in {refined.url} has other bytes than its name says.",
                    way_out="Restore it from a backup or run its delivery again.",
                )
            curated.put_file(one.key, path)
    except NotFoundError:
        raise IntegrityError(
            f"{one.key}, which the candidate names, is not in {refined.url}.",
            way_out="Restore it from a backup or run its delivery again.",
        ) from None


def _pictures(db: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Previews for the release's folder: file → hash of the picture; some of every modality."""
    found = db.execute(f"""
        SELECT 'previews/' || series_instance_uid || '.png', preview_sha256 FROM series
        WHERE preview_sha256 IS NOT NULL
        ORDER BY row_number() OVER (PARTITION BY modality ORDER BY series_instance_uid), modality
        LIMIT {_PICTURES}""").fetchall()  # noqa: S608 - a constant
    return dict(found)


def _figures(db: duckdb.DuckDBPyConnection) -> Figures:
    def counted(expression: str) -> dict[str, int]:
        sql = f"SELECT {expression} AS word, count(*) AS n FROM series GROUP BY ALL ORDER BY n DESC, word"  # noqa: S608
        return {str(word): n for word, n in db.execute(f"{sql} LIMIT {_SCANNERS}").fetchall()}

    return Figures(
        modalities=counted("coalesce(modality, 'unknown')"),
        scanners=counted(
            "coalesce(nullif(concat_ws(' ', manufacturer, manufacturer_model_name), ''), 'unknown')"
        ),
    )
