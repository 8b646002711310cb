"""A folder of contracts, read, checked one by one and against each other.

Everything that is wrong is told at once. A folder that loads can be relied on: no stage asks again whether a
profile, a table or a column that a contract names is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from pydantic import BaseModel

from aida_pipelines.contracts.collection import Collection
from aida_pipelines.contracts.documents import Document, Problems, one_of, parse, read_document
from aida_pipelines.contracts.models import Contracts
from aida_pipelines.contracts.odcs import table_contract
from aida_pipelines.contracts.profile import DeidProfile
from aida_pipelines.contracts.site import NAME, Site
from aida_pipelines.contracts.table import TableContract
from aida_pipelines.contracts.vocabulary import Vocabulary, read_vocabulary
from aida_pipelines.errors import ContractError

M = TypeVar("M", bound=BaseModel)

_FOLDERS = ("sites", "collections", "deid", "tables", "vocabularies")

_TABLE_ENDING = ".odcs.yaml"


def load_contracts(root: Path) -> Contracts:
    """Read ``sites/``, ``collections/``, ``deid/``, ``tables/`` and ``vocabularies/`` under ``root``.

    Args:
        root: The folder, usually ``data_contracts``.

    Raises:
        ContractError: It isn't a folder with any of them, or at least one contract is wrong; every problem is named
            with its file, line and field.
    """
    if not any((root / folder).is_dir() for folder in _FOLDERS):
        raise ContractError(
            f"{root} is no folder of contracts.",
            way_out=f"Set AIDA_CONTRACTS to the folder that holds {', '.join(f'{name}/' for name in _FOLDERS)}.",
        )
    problems = Problems()
    sites = _load(root, "sites", Site, problems)
    collections = _load(root, "collections", Collection, problems)
    profiles = _extended(_load(root, "deid", DeidProfile, problems), problems)
    tables = _load_tables(root, problems)
    vocabularies = _load_vocabularies(root, problems)
    # References into a folder whose own files are wrong would only repeat what is told already.
    if not problems.found:
        _check_references(collections, sites, profiles, tables, problems)
    problems.raise_any()
    return Contracts(
        root=root,
        sites=_contracts(sites),
        collections=_contracts(collections),
        tables=MappingProxyType(tables),
        profiles=_contracts(profiles),
        vocabularies=MappingProxyType(vocabularies),
    )


Loaded = Mapping[str, tuple[Document, M]]
"""Contracts by name, each with the document that it was read from."""


def _contracts(loaded: Loaded[M]) -> Mapping[str, M]:
    return MappingProxyType({name: contract for name, (_, contract) in loaded.items()})


def _load(root: Path, folder: str, model: type[M], problems: Problems) -> dict[str, tuple[Document, M]]:
    result: dict[str, tuple[Document, M]] = {}
    for path, shown in _files(root, folder, ".yaml", problems):
        document = read_document(path, shown, problems)
        contract = parse(model, document, problems) if document else None
        if document and contract and _named_as_file(document, path.stem, problems):
            result[path.stem] = (document, contract)
    return result


def _extended(profiles: Loaded[DeidProfile], problems: Problems) -> Loaded[DeidProfile]:
    """Every profile with the rules of the one that it extends: one step, so that a reviewer has two files to read."""
    result = dict(profiles)
    for name, (document, profile) in profiles.items():
        if not profile.extends:
            continue
        if profile.extends not in profiles:
            if not problems.found:
                problems.add(document, ("extends",), _absent("profile", profile.extends, profiles))
        elif profiles[profile.extends][1].extends or profile.extends == name:
            problems.add(
                document, ("extends",), f"{profile.extends} extends a profile itself; extend that one."
            )
        else:
            result[name] = document, profile.extended(profiles[profile.extends][1])
    return result


def _load_tables(root: Path, problems: Problems) -> dict[str, TableContract]:
    result: dict[str, TableContract] = {}
    for path, shown in _files(root, "tables", _TABLE_ENDING, problems):
        document = read_document(path, shown, problems)
        contract = table_contract(document, problems) if document else None
        name = path.name.removesuffix(_TABLE_ENDING)
        if document and contract and _named_as_file(document, name, problems):
            result[name] = contract
    return result


def _load_vocabularies(root: Path, problems: Problems) -> dict[str, Vocabulary]:
    result: dict[str, Vocabulary] = {}
    for path, shown in _files(root, "vocabularies", ".csv", problems):
        if vocabulary := read_vocabulary(path, shown, problems):
            result[path.stem] = vocabulary
    return result


def _files(root: Path, folder: str, ending: str, problems: Problems) -> Iterator[tuple[Path, str]]:
    """Contract files of a folder, in order, each with the name to show; a stray file is a problem.

    A contract that is overlooked because its name ends in ``.yml`` is a rule that doesn't hold.
    """
    for path in sorted((root / folder).glob("*")):
        shown = f"{root.name}/{folder}/{path.name}"
        if path.name.startswith(".") or path.suffix == ".md":
            continue
        if not path.name.endswith(ending) or not path.is_file():
            problems.add_file(shown, f"is no contract: files here are named NAME{ending}.")
        else:
            yield path, shown


def _named_as_file(document: Document, stem: str, problems: Problems) -> bool:
    name = document.data.get("name")
    if name != stem:
        problems.add(document, ("name",), f"must be the file's name, {stem}, not {name!r}.")
    elif not re.fullmatch(NAME, stem):
        problems.add(document, ("name",), f"must match {NAME}.")
    else:
        return True
    return False


# --- one contract against the others ------------------------------------------------------------


def _check_references(
    collections: Loaded[Collection],
    sites: Loaded[Site],
    profiles: Loaded[DeidProfile],
    tables: Mapping[str, TableContract],
    problems: Problems,
) -> None:
    clinical = [name for name in tables if name.startswith("clinical_")]
    for document, collection in collections.values():
        if collection.deid_profile not in profiles:
            problems.add(document, ("deid_profile",), _absent("profile", collection.deid_profile, profiles))
        for index, site in enumerate(collection.sites):
            if site not in sites:
                problems.add(document, ("sites", index), _absent("site", site, sites))
        for index, table in enumerate(collection.clinical_tables):
            if table not in clinical:
                problems.add(document, ("clinical_tables", index), _absent("clinical table", table, clinical))
    _check_domains(collections, problems)
    if "series" in tables:
        _check_criteria(collections, tables["series"], problems)


def _absent(what: str, name: str, known: Mapping[str, object] | list[str]) -> str:
    return f"no {what} {name!r}; {one_of(name, known)}"


def _check_domains(collections: Loaded[Collection], problems: Problems) -> None:
    """Every collection of a shared pseudonym domain names all others of it, and nobody else."""
    members: dict[str, set[str]] = {}
    for _, collection in collections.values():
        if shared := collection.shares_pseudonyms:
            members.setdefault(shared.domain, set()).add(collection.name)
    for document, collection in collections.values():
        shared = collection.shares_pseudonyms
        if shared is None:
            continue
        there = members[shared.domain]
        for index, name in enumerate(shared.collections):
            where = ("shares_pseudonyms", "collections", index)
            if name not in collections:
                problems.add(document, where, _absent("collection", name, collections))
            elif name == collection.name:
                problems.add(document, where, "is this collection; name the others.")
            elif name not in there:
                problems.add(document, where, f"{name} does not share the domain {shared.domain!r}.")
        if unnamed := sorted(there - {collection.name, *shared.collections}):
            problems.add(
                document,
                ("shares_pseudonyms", "collections"),
                f"must name {', '.join(unnamed)}: the domain {shared.domain!r} is shared with it.",
            )


def _check_criteria(collections: Loaded[Collection], series: TableContract, problems: Problems) -> None:
    """Every criterion is bound by DuckDB to the columns of ``series``, so that a misspelt one fails here."""
    import duckdb

    with duckdb.connect(config={"enable_external_access": "false", "threads": "1"}) as db:
        # Not from an Arrow table: DuckDB would import pandas for that, and every command loads the contracts.
        db.execute(f"CREATE TABLE series ({series.duckdb_columns})")
        for document, collection in collections.values():
            for index, criterion in enumerate(collection.criteria):
                try:
                    found = db.sql(f"SELECT ({criterion.sql}\n) AS holds FROM series").types  # noqa: S608
                except duckdb.Error as error:
                    said = str(error).splitlines()[0]
                    problems.add(
                        document, ("criteria", index, "sql"), f"is no expression over series: {said}"
                    )
                    continue
                if [str(kind) for kind in found] != ["BOOLEAN"]:
                    problems.add(document, ("criteria", index, "sql"), "must be true or false for a series.")
