"""A raw zone to deliver to, with the contracts that come with the package."""

from __future__ import annotations

import hashlib
import multiprocessing
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.contracts.models import Contracts
from aida_pipelines.errors import UsageError
from aida_pipelines.ingest import stage
from aida_pipelines.ingest.deliveries import Delivery
from aida_pipelines.ingest.receive import receive
from aida_pipelines.settings import shipped_file
from aida_pipelines.storage.local import LocalStore
from aida_pipelines.storage.receipts import Receipt
from aida_pipelines.storage.store import ObjectStore
from aida_pipelines.storage.tables import iter_rows

multiprocessing.set_forkserver_preload(["aida_pipelines.contracts.load", "aida_pipelines.ingest.stage"])
"""Processes that a test starts (and kills) fork from a server that has imported these already."""

NOW = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Intake:
    """An intake side: a raw zone in a folder, contracts, a work folder."""

    home: Path
    contracts: Contracts

    @property
    def raw(self) -> ObjectStore:
        return LocalStore(self.home / "raw", work_dir=self.work_dir)

    @property
    def work_dir(self) -> Path:
        return self.home / "raw" / ".work"

    def deliver(self, source: Path | str, **options: Any) -> Delivery:
        wanted = {"site": "norr", "collection": "reference-images", "now": NOW} | options
        return receive(source, raw=self.raw, contracts=self.contracts, work_dir=self.work_dir, **wanted)

    def refuses(self, source: Path | str, **options: Any) -> str:
        """Deliver it; assert that it is refused and that the home is as it was. What was said."""
        before = self.tree()
        with pytest.raises(UsageError) as refused:
            self.deliver(source, **options)
        assert self.tree() == before
        assert refused.value.exit_code == 2
        assert refused.value.way_out
        return str(refused.value)

    def ingest(self, delivery: Delivery, **options: Any) -> Receipt:
        return stage.run(
            delivery.id, raw=self.raw, contracts=self.contracts, work_dir=self.work_dir, **options
        )

    def files(self, receipt: Receipt) -> dict[str, dict[str, Any]]:
        """Rows of the table ``files`` by path."""
        return {row["path"]: row for row in iter_rows(self.raw, receipt.table("files").key)}

    def tree(self) -> dict[str, str]:
        """Relative path → hash of every file in the home, work folders included."""
        return {
            str(path.relative_to(self.home)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.home.rglob("*"))
            if path.is_file()
        }

    def limited(self, **limits: float) -> Intake:
        """The same with other limits in the site's contract."""
        sites = {
            name: site.model_copy(update={"limits": site.limits.model_copy(update=limits)})
            for name, site in self.contracts.sites.items()
        }
        return replace(self, contracts=replace(self.contracts, sites=sites))


@pytest.fixture(scope="session")
def contracts() -> Contracts:
    return load_contracts(shipped_file("data_contracts"))


@pytest.fixture
def intake(tmp_path: Path, contracts: Contracts) -> Intake:
    """An empty home."""
    return Intake(tmp_path / "home", contracts)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one CT slice."""
    source = tmp_path / "in"
    source.mkdir()
    shutil.copy(get_testdata_file("CT_small.dcm"), source / "ct.dcm")
    return source
