"""A refined zone as de-identification leaves it, and where test data are."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import nibabel as nib
import pyarrow as pa
import pytest
from pydicom.dataset import Dataset

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.contracts.models import Contracts
from aida_pipelines.dicom.attributes import Attributes
from aida_pipelines.dicom.parse import parse_file
from aida_pipelines.harmonise.series import VOCABULARIES, Harmonised, Harmoniser
from aida_pipelines.stages import Stage
from aida_pipelines.storage.local import LocalStore
from aida_pipelines.storage.objects import object_key, put_object
from aida_pipelines.storage.receipts import Receipt, write_receipt
from aida_pipelines.storage.tables import table_key, write_table

CHECKOUT = Path(__file__).parents[2]
DEV = CHECKOUT.parent / "shared" / "data" / "dev"
DELIVERY = "norr_20261124_1"


@pytest.fixture(scope="session")
def contracts() -> Contracts:
    return load_contracts(CHECKOUT / "data_contracts")


@pytest.fixture(scope="session")
def dev() -> Path:
    if not DEV.is_dir():
        pytest.skip("the development data (../shared/data/dev) are not here")
    return DEV


Row = dict[str, Any]


@pytest.fixture(scope="session")
def instance_row(contracts: Contracts) -> Callable[[bytes], Row]:
    """A row of `instances` from a DICOM file's bytes, by the columns of the table's contract."""
    contract = contracts.table("instances")
    columns = [
        (
            column.name,
            column.custom["dicomKeyword"],
            pa.types.is_list(contract.arrow_schema.field(column.name).type),
        )
        for column in contract.columns
        if "dicomKeyword" in column.custom
    ]

    def row(data: bytes) -> Row:
        parsed = parse_file(data)
        attributes = Attributes(parsed)
        found = {
            name: (list(attributes.values(keyword)) or None) if many else attributes.first(keyword)
            for name, keyword, many in columns
        }
        return {
            **found,
            "transfer_syntax_uid": parsed.transfer_syntax,
            "subject": f"S{attributes.first('PatientID') or ''}",
        }

    return row


@dataclass(frozen=True)
class Worker:
    """What a worker process does, on data sets in memory."""

    store: LocalStore
    harmoniser: Harmoniser
    row: Callable[[bytes], Row]

    def rows(self, data_sets: Iterable[Dataset]) -> list[Row]:
        """The data sets' rows of `instances`; their files are put into the zone."""
        rows = []
        for ds in data_sets:
            buffer = BytesIO()
            ds.save_as(buffer, enforce_file_format=True)
            data = buffer.getvalue()
            same = {"site": "norr", "collection": "reference-images", "object_bytes": len(data)}
            rows.append({**self.row(data), **same, "object_sha256": put_object(self.store, [data], "dcm")})
        return rows

    def __call__(self, data_sets: Iterable[Dataset]) -> Harmonised:
        """These data sets, as one series."""
        return self.harmoniser(self.rows(data_sets))

    def image(self, volume: Row) -> nib.Nifti1Image:
        """A volume's file, opened by nibabel: a reader that shares no code with the writer."""
        data = self.store.get(object_key(volume["object_sha256"], "nii.gz"))
        return nib.Nifti1Image.from_bytes(gzip.decompress(data))


@pytest.fixture(scope="session")
def harmonise(
    tmp_path_factory: pytest.TempPathFactory, contracts: Contracts, instance_row: Callable[[bytes], Row]
) -> Worker:
    """``harmonise(data_sets)``: one series through a worker."""
    root = tmp_path_factory.mktemp("worker")
    store, vocabularies = LocalStore(root / "refined"), {n: contracts.vocabulary(n) for n in VOCABULARIES}
    return Worker(store, Harmoniser(store, vocabularies, root / "work"), instance_row)


@dataclass(frozen=True)
class Zone:
    """A refined zone on disk and how to fill it."""

    store: LocalStore
    work: Path
    deliver: Callable[[Iterable[Path]], None]


def make_zone(root: Path, contracts: Contracts, instance_row: Callable[[bytes], Row]) -> Zone:
    """An empty refined zone under ``root``; ``zone.deliver(paths)`` puts DICOM files into it as one delivery."""
    store, contract = LocalStore(root / "refined"), contracts.table("instances")
    same = {
        "delivery": DELIVERY, "site": "norr", "collection": "reference-images", "profile": "test 1",
        "action_set": "0" * 16,
        "source_sha256": "0" * 64, "code_version": "test/1", "contract_version": contract.version,
    }  # fmt: skip

    def deliver(paths: Iterable[Path]) -> None:
        rows = [
            {**instance_row(data), **same, "object_sha256": put_object(store, [data], "dcm"),
             "object_bytes": len(data)}
            for data in map(Path.read_bytes, paths)
        ]  # fmt: skip
        table = write_table(
            store, "instances", table_key("instances", DELIVERY), contract.arrow_schema, rows,
            order_by=contract.order_by, work_dir=root / "work",
        )  # fmt: skip
        receipt = Receipt(
            stage=Stage.DEIDENTIFICATION, delivery=DELIVERY, site="norr", collection="reference-images",
            received_on=date(2026, 11, 24), code_version="test/1", tables=(table,),
        )  # fmt: skip
        write_receipt(store, receipt)

    return Zone(store, root / "work", deliver)


@pytest.fixture
def zone(tmp_path: Path, contracts: Contracts, instance_row: Callable[[bytes], Row]) -> Zone:
    """An empty refined zone, as ``make_zone`` makes it."""
    return make_zone(tmp_path, contracts, instance_row)
