"""The demo's deliveries meet raw ingest: the planted faults that it can see are seen, everything else goes on."""

from datetime import UTC, datetime

import pytest

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.demo.deliveries import make_demo
from aida_pipelines.ingest import stage
from aida_pipelines.ingest.receive import receive
from aida_pipelines.settings import shipped_file
from aida_pipelines.storage.local import LocalStore
from aida_pipelines.storage.tables import iter_rows


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Rows of ``files`` of both deliveries, by delivery and path."""
    folder = tmp_path_factory.mktemp("demo")
    contracts, raw = load_contracts(shipped_file("data_contracts")), LocalStore(folder / "raw")
    found = {}
    for delivery in make_demo(folder / "hospitals"):
        received = receive(
            delivery.source,
            site=delivery.site,
            collection="reference-images",
            delivery_id=delivery.id,
            raw=raw,
            contracts=contracts,
            work_dir=folder / "work",
            now=datetime(2026, 11, 24, tzinfo=UTC),
        )
        receipt = stage.run(received.id, raw=raw, contracts=contracts, work_dir=folder / "work", workers=1)
        for row in iter_rows(raw, receipt.table("files").key):
            found[delivery.id, row["path"]] = row
    return found


def test_planted_faults_are_seen(files):
    reasons = {path.rpartition("/")[2]: row["reason"] for (_, path), row in files.items() if row["reason"]}
    assert sorted(reasons.values()) == [
        "duplicate",
        "media-directory",
        "operating-system-file",
        "pixel-data-truncated",
    ]
    assert reasons["IM9999.dcm"] == "pixel-data-truncated"
    assert reasons["DICOMDIR"] == "media-directory"
    assert reasons["Thumbs.db"] == "operating-system-file"


def test_the_clinical_table_is_taken_for_one(files):
    row = files["norr_demo_1", "diagnoser.csv"]
    assert (row["kind"], row["verdict"]) == ("clinical", "accepted")
    assert row["clinical_table"] == "clinical_condition_occurrence"


def test_every_image_has_a_made_up_patient(files):
    accepted = [row for row in files.values() if row["kind"] == "dicom" and row["verdict"] == "accepted"]
    assert len(accepted) > 100
    assert {row["patient_id"][:3] for row in accepted} == {"189"}
    assert {row["issuer_of_patient_id"] for row in accepted} == {"NORR", "SYD"}
