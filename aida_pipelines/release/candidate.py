"""A collection's candidate: the dataset as it would be released now, waiting for a signature.

It lies in the refined zone: tables under ``candidates/COLLECTION/BUILD/``, and
``candidates/COLLECTION/candidate.json``, written last, which says what it is. ``BUILD`` is a hash of everything that
decided it, so that a build that was killed is continued by the next and never mixed with another.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import duckdb
from pydantic import BaseModel

from aida_pipelines.client.catalogue import newest
from aida_pipelines.client.compare import local_tables
from aida_pipelines.client.difference import Difference, compare_tables
from aida_pipelines.client.release import LeftOut, Release, Step, UsedDelivery, release_objects
from aida_pipelines.contracts.collection import Collection
from aida_pipelines.contracts.models import Contracts
from aida_pipelines.errors import NotFoundError
from aida_pipelines.release import cohort
from aida_pipelines.release.sources import Source, sources
from aida_pipelines.release.tables import OPTIONAL, batches, choose_instances, queries
from aida_pipelines.release.version import FIRST, Level, level_of, next_version
from aida_pipelines.storage.receipts import fingerprint_of
from aida_pipelines.storage.store import ObjectStore
from aida_pipelines.storage.tables import TableFile, write_batches

VERSION = "release/1"
"""Raised when the same deliveries and contracts would give another dataset."""

_PARENT = "parent"


class CandidateCheck(BaseModel, frozen=True):
    """Something that must hold of a candidate before it can be signed.

    Attributes:
        name: Short name.
        passed: Whether it holds.
        says: What was found, one sentence.
    """

    name: str
    passed: bool
    says: str


class Candidate(BaseModel, frozen=True):
    """What waits for a signature.

    Attributes:
        collection: The collection's name.
        inputs: Name → fingerprint of everything that decided it.
        code_version: Version of this stage's code.
        contracts: Contract → version, of all that decided it.
        parent: The release it would follow; None for the first.
        version: The version it would have; the parent's if nothing changed.
        level: How much changed.
        change: What differs from the parent; None for the first.
        counts: subjects, studies, series, instances, volumes.
        bytes: Size of its objects and tables.
        attrition: How the cohort was selected.
        deliveries: What it was made from.
        left_out: Deliveries of the collection that it was made without.
        checks: What must hold before it can be signed.
        tables: Its tables, in the refined zone.
    """

    collection: str
    inputs: dict[str, str]
    code_version: str
    contracts: dict[str, str]
    parent: str | None
    version: str
    level: Level
    change: Difference | None
    counts: dict[str, int]
    bytes: int
    attrition: tuple[Step, ...]
    deliveries: tuple[UsedDelivery, ...]
    left_out: tuple[LeftOut, ...]
    checks: tuple[CandidateCheck, ...]
    tables: tuple[TableFile, ...]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON: what a release says it was made from."""
        return fingerprint_of(self.model_dump(mode="json"))

    @property
    def folder(self) -> str:
        """``candidates/COLLECTION/BUILD``: where its tables, and its signature, are in the refined zone."""
        return _folder(self.collection, self.inputs)


def candidate_key(collection: str) -> str:
    """``candidates/COLLECTION/candidate.json``."""
    return f"candidates/{collection}/candidate.json"


def _folder(collection: str, decided_by: dict[str, str]) -> str:
    return f"candidates/{collection}/{fingerprint_of(decided_by)[:16]}"


def read_candidate(refined: ObjectStore, collection: str) -> Candidate | None:
    """The candidate, or None if none was built."""
    try:
        return Candidate.model_validate_json(refined.get(candidate_key(collection)))
    except NotFoundError:
        return None


def inputs(
    collection: str, *, refined: ObjectStore, curated: ObjectStore, contracts: Contracts
) -> dict[str, str]:
    """Fingerprints of everything that decides a collection's candidate.

    Args:
        collection: The collection's name.
        refined: The refined zone.
        curated: The curated zone: the candidate's version follows from its newest release.
        contracts: The contracts.
    """
    usable, left_out = sources(refined, collection)
    return _inputs(contracts.collection(collection), contracts, usable, left_out, newest(curated, collection))


def _inputs(
    collection: Collection,
    contracts: Contracts,
    usable: list[Source],
    left_out: list[LeftOut],
    parent: Release | None,
) -> dict[str, str]:
    tables = {query.contract.name: query.contract for query in queries(collection, contracts, VERSION)}
    return {
        "code": VERSION,
        _PARENT: parent.fingerprint if parent else "none",
        f"collection/{collection.name}": collection.fingerprint,
        **{f"table/{name}": contract.fingerprint for name, contract in sorted(tables.items())},
        **{f"delivery/{source.delivery}": source.last.fingerprint for source in usable},
        **{f"left_out/{one.delivery}": one.stage for one in left_out},
    }


def is_current(collection: str, *, refined: ObjectStore, curated: ObjectStore, contracts: Contracts) -> bool:
    """Whether the candidate is what would be built today, or was released as the newest version since."""
    built = read_candidate(refined, collection)
    if built is None:
        return False
    parent = newest(curated, collection)
    wanted = inputs(collection, refined=refined, curated=curated, contracts=contracts)
    return _same(built, wanted, parent)


def _same(built: Candidate, wanted: dict[str, str], parent: Release | None) -> bool:
    if built.inputs == wanted:
        return True
    # A release makes its own candidate's parent: nothing else has changed, so there is nothing to build.
    released = parent is not None and parent.candidate == built.fingerprint
    return released and {**built.inputs, _PARENT: wanted[_PARENT]} == wanted


def has_deliveries(collection: str, refined: ObjectStore) -> bool:
    """Whether a delivery for the collection has come as far as its quality checks."""
    usable, _ = sources(refined, collection)
    return bool(usable)


def build_candidate(
    collection: str,
    *,
    refined: ObjectStore,
    curated: ObjectStore,
    contracts: Contracts,
    work_dir: Path | None = None,
) -> Candidate:
    """Build what would be released now; nothing to do if it is there.

    Args:
        collection: The collection's name.
        refined: The refined zone: read, and written to under ``candidates/``.
        curated: The curated zone, read for the newest release.
        contracts: The contracts.
        work_dir: Local scratch on this side of the legal line.

    Raises:
        NotFoundError: No such collection.
        ContractError: A criterion of its contract can't be run.
        IntegrityError: A table of a delivery is not the one that its receipt speaks of.
    """
    contract = contracts.collection(collection)
    usable, left_out = sources(refined, collection)
    parent = newest(curated, collection)
    wanted = _inputs(contract, contracts, usable, left_out, parent)
    built = read_candidate(refined, collection)
    if built is not None and _same(built, wanted, parent):
        _remove_other_builds(refined, built)  # a build that was killed may have left tables
        return built

    folder = _folder(collection, wanted)
    with cohort.database(refined, usable, contracts, work_dir) as db:
        attrition = cohort.select(db, contract)
        choose_instances(db)
        tables = _write_tables(db, refined, folder, contract, contracts, work_dir)
        counts, size = _counts(db, [recipe.value for recipe in contract.recipes])
        used = [_used(db, source) for source in usable]
        checks = _checks(db)
    change = _change(refined, tables, curated, parent)
    names = _contract_versions(contract, contracts)
    described_anew = parent is not None and parent.contracts.get(_name(contract)) != contract.version
    level = Level.FIRST if change is None else level_of(change, described_anew=described_anew)
    candidate = Candidate(
        collection=collection,
        inputs=wanted,
        code_version=VERSION,
        contracts=names,
        parent=parent.version if parent else None,
        version=next_version(parent.version, level) if parent else FIRST,
        level=level,
        change=change,
        counts=counts,
        bytes=size + sum(table.bytes for table in tables),
        attrition=tuple(attrition),
        deliveries=tuple(used),
        left_out=tuple(left_out),
        checks=tuple(checks),
        tables=tuple(tables),
    )
    refined.flush()
    refined.put(candidate_key(collection), candidate.model_dump_json(indent=2).encode())
    _remove_other_builds(refined, candidate)
    return candidate


def _write_tables(
    db: duckdb.DuckDBPyConnection,
    refined: ObjectStore,
    folder: str,
    collection: Collection,
    contracts: Contracts,
    work_dir: Path | None,
) -> list[TableFile]:
    written = []
    for query in queries(collection, contracts, VERSION):
        if query.table.startswith(OPTIONAL) and _scalar(db, f"SELECT count(*) FROM ({query.sql})") == 0:  # noqa: S608
            continue
        with batches(db, query) as stream:
            key = f"{folder}/{query.table}.parquet"
            written.append(
                write_batches(
                    refined, query.table, key, query.contract.arrow_schema, stream, work_dir=work_dir
                )
            )
    return written


def _scalar(db: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = db.execute(sql).fetchall()[0]
    assert row is not None
    return int(row[0] or 0)


_IN_COHORT = "SEMI JOIN cohort USING (delivery, series_instance_uid)"

_SIZES = {
    "instances": "SELECT DISTINCT object_sha256, object_bytes AS bytes FROM taken",
    "volumes": f"SELECT DISTINCT object_sha256, bytes FROM refined.volumes {_IN_COHORT}",  # noqa: S608
}


def _counts(db: duckdb.DuckDBPyConnection, forms: list[str]) -> tuple[dict[str, int], int]:
    """Counts, and the size of the objects that a release would hold (previews, some kB each, aside)."""
    counts = {
        "subjects": _scalar(db, "SELECT count(DISTINCT subject) FROM taken"),
        "studies": _scalar(db, "SELECT count(DISTINCT study_instance_uid) FROM taken"),
        "series": _scalar(db, "SELECT count(*) FROM cohort"),
        "instances": _scalar(db, "SELECT count(*) FROM taken"),
        "volumes": _scalar(db, f"SELECT count(*) FROM refined.volumes {_IN_COHORT}"),  # noqa: S608
    }
    held = [_SIZES[table] for table in release_objects(forms) if table in _SIZES]
    return counts, sum(_scalar(db, f"SELECT sum(bytes) FROM ({sql})") for sql in held)  # noqa: S608


def _used(db: duckdb.DuckDBPyConnection, source: Source) -> UsedDelivery:
    name = source.delivery
    series = db.execute("SELECT count(*) FROM cohort WHERE delivery = ?", [name]).fetchall()[0]
    instances = db.execute("SELECT count(*) FROM taken WHERE delivery = ?", [name]).fetchall()[0]
    assert series is not None
    assert instances is not None
    return UsedDelivery(
        delivery=name,
        site=source.last.site,
        received_on=source.last.received_on,
        series=series[0],
        instances=instances[0],
        receipts={receipt.stage.value: receipt.fingerprint for receipt in source.receipts},
        code_versions={receipt.stage.value: receipt.code_version for receipt in source.receipts},
    )


def _checks(db: duckdb.DuckDBPyConnection) -> list[CandidateCheck]:
    series = _scalar(db, "SELECT count(*) FROM cohort")
    broken = _scalar(
        db,
        """
        SELECT count(*) FROM refined.series s JOIN cohort c USING (delivery, series_instance_uid)
        LEFT JOIN (SELECT delivery, series_instance_uid, count(*) AS n FROM taken GROUP BY ALL) t
          USING (delivery, series_instance_uid)
        WHERE s.instances IS DISTINCT FROM t.n""",
    )
    return [
        CandidateCheck(name="not-empty", passed=series > 0, says=f"{series} series are in the candidate."),
        CandidateCheck(
            name="whole-series",
            passed=broken == 0,
            says=f"{broken} series have another number of instances than harmonisation counted.",
        ),
    ]


def _change(
    refined: ObjectStore, tables: list[TableFile], curated: ObjectStore, parent: Release | None
) -> Difference | None:
    if parent is None:
        return None
    with ExitStack() as stack:
        after = {table.table: stack.enter_context(refined.local(table.key)) for table in tables}
        return compare_tables(local_tables(curated, parent, stack), after)


def _name(collection: Collection) -> str:
    return f"collections/{collection.name}"


def _contract_versions(collection: Collection, contracts: Contracts) -> dict[str, str]:
    profile = contracts.profile(collection.deid_profile)
    tables = [query.contract for query in queries(collection, contracts, VERSION)]
    return {
        _name(collection): collection.version,
        f"deid/{profile.name}": profile.version,
        **{f"tables/{contract.name}": contract.version for contract in tables},
    }


def _remove_other_builds(refined: ObjectStore, candidate: Candidate) -> None:
    keep = (f"{candidate.folder}/", candidate_key(candidate.collection))
    for info in list(refined.list(f"candidates/{candidate.collection}/")):
        if not info.key.startswith(keep):
            refined.delete(info.key)
