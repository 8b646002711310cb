"""Zones and contracts as resources, one class for each side of the legal line.

``RefinementZones`` has no field for the raw zone or the key: what is not there can't be reached. Values come from
``settings`` when a code location loads, so that the environment is read in one place.
https://docs.dagster.io/guides/build/external-resources
"""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.contracts.models import Contracts
from aida_pipelines.settings import IntakeSettings, RefinementSettings
from aida_pipelines.storage.store import ObjectStore, open_store


class RefinementZones(dg.ConfigurableResource[None]):
    """Refined and curated zone."""

    refined_store: str
    curated_store: str
    contracts_dir: str
    work_dir: str

    @classmethod
    def of(cls, settings: RefinementSettings) -> RefinementZones:
        """From settings."""
        return cls(
            refined_store=settings.refined_store,
            curated_store=settings.curated_store,
            contracts_dir=str(settings.contracts),
            work_dir=str(settings.work_dir),
        )

    @property
    def work(self) -> Path:
        """Local scratch, de-identified data only."""
        return Path(self.work_dir)

    def refined(self) -> ObjectStore:
        """The refined zone."""
        return open_store(self.refined_store, work_dir=self.work)

    def curated(self) -> ObjectStore:
        """The curated zone."""
        return open_store(self.curated_store, work_dir=self.work)

    def contracts(self) -> Contracts:
        """The contracts as they are now; a run sees an edit that came after the location was loaded."""
        return load_contracts(Path(self.contracts_dir))


class IntakeZones(dg.ConfigurableResource[None]):
    """Raw zone, key, and the refined zone to write to."""

    raw_store: str
    refined_store: str
    key_path: str
    contracts_dir: str
    work_dir: str

    @classmethod
    def of(cls, settings: IntakeSettings) -> IntakeZones:
        """From settings."""
        return cls(
            raw_store=settings.raw_store,
            refined_store=settings.refined_store,
            key_path=str(settings.key_file),
            contracts_dir=str(settings.contracts),
            work_dir=str(settings.work_dir),
        )

    @property
    def work(self) -> Path:
        """Local scratch on the raw side."""
        return Path(self.work_dir)

    @property
    def key_file(self) -> Path:
        """The pseudonym key's file."""
        return Path(self.key_path)

    def raw(self) -> ObjectStore:
        """The raw zone."""
        return open_store(self.raw_store, work_dir=self.work)

    def refined(self) -> ObjectStore:
        """The refined zone."""
        return open_store(self.refined_store, work_dir=self.work)

    def contracts(self) -> Contracts:
        """The contracts as they are now."""
        return load_contracts(Path(self.contracts_dir))
