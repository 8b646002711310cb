"""All contracts of a folder, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from aida_pipelines.contracts.collection import Collection
from aida_pipelines.contracts.profile import DeidProfile
from aida_pipelines.contracts.site import Site
from aida_pipelines.contracts.table import TableContract
from aida_pipelines.contracts.vocabulary import Vocabulary
from aida_pipelines.errors import NotFoundError

__all__ = ["Collection", "Contracts", "DeidProfile", "Site", "TableContract", "Vocabulary"]

T = TypeVar("T")


@dataclass(frozen=True)
class Contracts:
    """Everything that ``data_contracts/`` says, checked against itself.

    The methods raise ``NotFoundError``, which lists what there is.

    Attributes:
        root: The folder.
        sites: Who delivers.
        collections: For what.
        tables: What holds for each table.
        profiles: How instances are de-identified.
        vocabularies: Which words mean the same.
    """

    root: Path
    sites: Mapping[str, Site]
    collections: Mapping[str, Collection]
    tables: Mapping[str, TableContract]
    profiles: Mapping[str, DeidProfile]
    vocabularies: Mapping[str, Vocabulary]

    def site(self, name: str) -> Site:
        """One site."""
        return _one(self.sites, name, "site", "sites")

    def collection(self, name: str) -> Collection:
        """One collection."""
        return _one(self.collections, name, "collection", "collections")

    def table(self, name: str) -> TableContract:
        """One table's contract."""
        return _one(self.tables, name, "table", "tables")

    def profile(self, name: str) -> DeidProfile:
        """One de-identification profile."""
        return _one(self.profiles, name, "de-identification profile", "deid")

    def vocabulary(self, name: str) -> Vocabulary:
        """One vocabulary."""
        return _one(self.vocabularies, name, "vocabulary", "vocabularies")


def _one(contracts: Mapping[str, T], name: str, what: str, folder: str) -> T:
    if name in contracts:
        return contracts[name]
    there = ", ".join(contracts) or "none"
    raise NotFoundError(
        f"There is no {what} {name!r}; there are: {there}.",
        way_out=f"Use one of these, or add a contract to data_contracts/{folder}/.",
    )
