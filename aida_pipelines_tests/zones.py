"""Small zones as the stages leave them, made once for a session in this process: a pytest plugin (see ``conftest.py``).

Two deliveries for ``reference-images``: ``FIRST`` brings a CT phantom, an MR slice, a diagnosis for each patient, one
file twice, a screen shot with text and a file that is no DICOM; ``SECOND``, of another site, a CT phantom of a third
patient. Tests get copies: they may break what they like.
"""

from __future__ import annotations

import csv
import hashlib
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aida_pipelines.demo.identities import Person, person
from aida_pipelines.settings import shipped_file
from aida_pipelines.storage.local import LocalStore
from aida_pipelines.storage.store import ObjectStore

if TYPE_CHECKING:  # the stages are imported where they are used: every test session loads this module
    from pydicom import Dataset

    from aida_pipelines.client.release import Release
    from aida_pipelines.contracts.collection import Collection
    from aida_pipelines.contracts.models import Contracts
    from aida_pipelines.release.candidate import Candidate

COLLECTION = "reference-images"
FIRST, SECOND = "norr_20260105_1", "syd_20260106_1"
SLICES = 8
SIGN_OFF = "Testa Stewardsson, T-2026-1"
SIGNED = datetime(2026, 11, 24, 8, 30, 0, 123_456, tzinfo=UTC)


@dataclass(frozen=True)
class Zones:
    """A home with its zones and the contracts that hold in it."""

    home: Path
    contracts: Contracts

    @property
    def raw(self) -> LocalStore:
        return LocalStore(self.home / "raw", work_dir=self.home / "raw" / ".work")

    @property
    def refined(self) -> LocalStore:
        return LocalStore(self.home / "refined", work_dir=self.work)

    @property
    def curated(self) -> LocalStore:
        return LocalStore(self.home / "curated")

    @property
    def work(self) -> Path:
        return self.home / "refined" / ".work"

    @property
    def collection(self) -> Collection:
        return self.contracts.collection(COLLECTION)

    def under(self, **changed: Any) -> Zones:
        """The same zones under another version of the collection's contract."""
        contract = self.collection.model_copy(
            update={"fingerprint": hashlib.sha256(repr(changed).encode()).hexdigest(), **changed}
        )
        collections = {**self.contracts.collections, COLLECTION: contract}
        return replace(self, contracts=replace(self.contracts, collections=collections))

    def refine(self, *deliveries: str) -> None:
        """Harmonisation and quality checks of deliveries, as far as outstanding."""
        from aida_pipelines.harmonise import stage as harmonise
        from aida_pipelines.quality import stage as quality

        for delivery in deliveries:
            harmonise.run(
                delivery, refined=self.refined, contracts=self.contracts, work_dir=self.work, workers=1
            )
            quality.run(delivery, refined=self.refined, contracts=self.contracts, work_dir=self.work)

    def build(self, **options: Any) -> Candidate:
        """The collection's candidate."""
        from aida_pipelines.release.candidate import build_candidate

        given = {"refined": self.refined, "curated": self.curated, "contracts": self.contracts} | options
        return build_candidate(COLLECTION, work_dir=self.work, **given)

    def publish(self, **options: Any) -> Release:
        """The candidate, signed."""
        from aida_pipelines.release.publish import publish

        given: dict[str, Any] = {
            "sign_off": SIGN_OFF, "now": SIGNED,
            "refined": self.refined, "curated": self.curated, "contracts": self.contracts,
        }  # fmt: skip
        return publish(COLLECTION, work_dir=self.work, **given | options)

    def release(self) -> Release:
        """Build and publish."""
        self.build()
        return self.publish()

    def tree(self, zone: str = "") -> dict[str, str]:
        """Relative path → hash of every file of a zone (of all of them), scratch included."""
        return {
            str(path.relative_to(self.home / zone)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted((self.home / zone).rglob("*"))
            if path.is_file()
        }


class Killed(BaseException):
    """Stands for ``kill -9``: nothing of ours catches it."""


@dataclass
class Interrupted:
    """A store before whose ``at``-th write something happens; by default the writer is killed.

    Attributes:
        store: The real one; reads go to it.
        at: Which write, from 1; 0 never.
        act: What happens then.
        writes: Writes begun so far; deletions are writes.
    """

    store: ObjectStore
    at: int = 0
    act: Callable[[], object] | None = None
    writes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)
        return self._counted(method) if name in {"put", "create", "put_file", "delete"} else method

    def _counted(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            with self._lock:
                self.writes += 1
                now = self.writes == self.at
                dead = self.act is None and self.at and self.writes >= self.at
            if dead:
                raise Killed
            if now and self.act:
                self.act()
            return write(*arguments, **options)

        return counted


@pytest.fixture(scope="session")
def shipped_contracts() -> Contracts:
    """The contracts that come with the package."""
    from aida_pipelines.contracts.load import load_contracts

    return load_contracts(shipped_file("data_contracts"))


@pytest.fixture(scope="session")
def _one_delivery(tmp_path_factory: pytest.TempPathFactory, shipped_contracts: Contracts) -> Zones:
    base = tmp_path_factory.mktemp("zones")
    zones = Zones(base / "one", shipped_contracts)
    _hospital_norr(base / "norr")
    _flow(zones, FIRST, base / "norr")
    return zones


@pytest.fixture(scope="session")
def _two_deliveries(_one_delivery: Zones) -> Zones:
    zones = replace(_one_delivery, home=_one_delivery.home.with_name("two"))
    shutil.copytree(_one_delivery.home, zones.home)
    source = zones.home.with_name("syd")
    _put(source / "I0001", _slices(2, person(2), "syd"))
    _flow(zones, SECOND, source)
    return zones


@pytest.fixture(scope="session")
def _released(_one_delivery: Zones) -> Zones:
    zones = replace(_one_delivery, home=_one_delivery.home.with_name("released"))
    shutil.copytree(_one_delivery.home, zones.home)
    zones.release()
    return zones


def _copy(zones: Zones, folder: Path) -> Zones:
    shutil.copytree(zones.home, folder / zones.home.name)
    return replace(zones, home=folder / zones.home.name)


@pytest.fixture
def zones(_one_delivery: Zones, tmp_path: Path) -> Zones:
    """The first delivery, checked; nothing is released."""
    return _copy(_one_delivery, tmp_path)


@pytest.fixture
def both(_two_deliveries: Zones, tmp_path: Path) -> Zones:
    """Both deliveries, checked; nothing is released."""
    return _copy(_two_deliveries, tmp_path)


@pytest.fixture
def released(_released: Zones, tmp_path: Path) -> Zones:
    """The first delivery, checked and released as 1.0.0."""
    return _copy(_released, tmp_path)


@pytest.fixture(scope="session")
def release_to_read(_released: Zones) -> Zones:
    """As ``released``, shared by tests that only read."""
    return _released


@pytest.fixture
def second_arrives(_two_deliveries: Zones) -> Callable[[Zones], None]:
    """``second_arrives(zones)``: the second delivery comes and is checked."""

    def arrive(zones: Zones) -> None:
        for zone in ("raw", "refined"):
            shutil.copytree(_two_deliveries.home / zone, zones.home / zone, dirs_exist_ok=True)

    return arrive


def _flow(zones: Zones, delivery: str, source: Path) -> None:
    """Through every stage up to the quality checks."""
    from aida_pipelines.deid import stage as deid
    from aida_pipelines.deid.keys import create_key
    from aida_pipelines.ingest import stage as ingest
    from aida_pipelines.ingest.receive import receive

    key, work = zones.home / "pseudonym.key", zones.home / "raw" / ".work"
    receive(
        str(source), site=delivery.partition("_")[0], collection=COLLECTION, delivery_id=delivery, raw=zones.raw,
        contracts=zones.contracts, work_dir=work, now=datetime.strptime(delivery.split("_")[1] + "Z", "%Y%m%d%z"),
    )  # fmt: skip
    if not key.exists():
        create_key(key)
        key.write_bytes(bytes(range(32)))  # the tests' key: the same pseudonyms in every session
    ingest.run(delivery, raw=zones.raw, contracts=zones.contracts, work_dir=work, workers=1)
    deid.run(
        delivery, raw=zones.raw, refined=zones.refined, contracts=zones.contracts, key_file=key, work_dir=work,
        workers=1,
    )  # fmt: skip
    zones.refine(delivery)


def _hospital_norr(folder: Path) -> None:
    from pydicom import dcmread
    from pydicom.data import get_testdata_file

    from aida_pipelines.demo.phantom import uid

    first, second = person(0), person(1)
    slices = list(_slices(1, first, "norr"))
    _put(folder / "CT", iter(slices))
    _put(folder / "copy", iter(slices[:1]))
    magnet = _dressed(dcmread(get_testdata_file("MR_small.dcm")), second, "norr")
    _put(folder / "MR", iter([magnet]))
    screenshot = _dressed(dcmread(get_testdata_file("CT_small.dcm")), second, "norr")
    screenshot.SOPInstanceUID = screenshot.file_meta.MediaStorageSOPInstanceUID = uid("text in its pixels")
    screenshot.BurnedInAnnotation = "YES"
    _put(folder / "held", iter([screenshot]))
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
    with (folder / "diagnoser.csv").open("w", newline="", encoding="latin-1") as file:
        table = csv.writer(file, delimiter=";")
        table.writerow(["patient_id", "icd10", "diagnosis_date"])
        table.writerow([first.personnummer, "C34.1", "2024-01-10"])
        table.writerow([second.personnummer, "J18.9", "2024-01-11"])


def _slices(seed: int, who: Person, site: str) -> Iterator[Dataset]:
    from aida_pipelines.demo.phantom import ct_phantom, ct_slices

    return (_dressed(ds, who, site) for ds in ct_slices(ct_phantom(seed, slices=SLICES, size=64)))


def _dressed(ds: Dataset, who: Person, site: str) -> Dataset:
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = who.patient_name, who.dashed, who.birth_date
    ds.PatientSex, ds.AccessionNumber, ds.IssuerOfPatientID = who.sex, who.accession_number, site.upper()
    return ds


def _put(folder: Path, datasets: Iterator[Dataset]) -> None:
    folder.mkdir(parents=True)
    for number, ds in enumerate(datasets, 1):
        ds.save_as(folder / f"IM{number:04}.dcm", enforce_file_format=True)
