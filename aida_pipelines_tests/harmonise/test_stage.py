"""The stage on a delivery as de-identification leaves it: one verdict a series, the same bytes every time."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.demo.phantom import ct_phantom, ct_slices
from aida_pipelines.errors import NotFoundError
from aida_pipelines.harmonise import stage
from aida_pipelines.stages import Stage
from aida_pipelines.storage.objects import verify_object
from aida_pipelines.storage.receipts import receipt_key
from aida_pipelines.storage.tables import iter_rows, scan
from aida_pipelines_tests.harmonise.conftest import CHECKOUT, DELIVERY
from aida_pipelines_tests.harmonise.stacks import save


@pytest.fixture
def files(tmp_path):
    """A phantom's CT (8 slices), the same phantom without its fourth slice, an MR image, a report, a broken image."""
    phantom = ct_phantom(3, slices=8, size=24)
    whole = save(list(ct_slices(phantom)), tmp_path / "whole")
    gap = list(ct_slices(replace(phantom, seed=4)))
    for ds in gap:
        ds.SeriesDescription, ds.StudyDescription, ds.BodyPartExamined = "Kvastfening ax", "", "MARGEL"
    del gap[3]
    others = [
        get_testdata_file(name, download=False) for name in ("MR_small.dcm", "reportsi.dcm", "JPEG-lossy.dcm")
    ]
    return [*whole, *save(gap, tmp_path / "gap"), *map(Path, others)]


@pytest.fixture
def delivered(zone, files):
    zone.deliver(files)
    return zone


@pytest.fixture
def run(delivered, contracts):
    """``run()``: the stage; other contracts, numbers of workers by keyword."""

    def run(**more):
        arguments = {
            "refined": delivered.store,
            "contracts": contracts,
            "work_dir": delivered.work,
            "workers": 1,
        }
        return stage.run(DELIVERY, **arguments | more)

    return run


def rows(zone, receipt, table):
    return list(iter_rows(zone.store, receipt.table(table).key))


def everything(zone):
    return {info.key: zone.store.get(info.key) for info in zone.store.list()}


def test_every_series_has_one_row_and_one_verdict(run, delivered):
    receipt = run()
    series = {row["series_description"] or row["modality"]: row for row in rows(delivered, receipt, "series")}
    verdicts = sorted((row["geometry_verdict"], row["geometry_reason"]) for row in series.values())
    assert ("volume", None) in verdicts
    assert ("irregular", "missing-slices") in verdicts
    assert ("not-an-image", "no-pixels") in verdicts
    assert ("single-image", "one-image") in verdicts
    assert series["Kvastfening ax"]["missing_slices"] == 1
    assert sum(row["instances"] for row in series.values()) == receipt.counts["instances"] == 18
    assert receipt.counts["series"] == len(series)


def test_what_cannot_be_decoded_is_a_reason_with_a_number(zone, contracts):
    zone.deliver([Path(get_testdata_file("JPEG-lossy.dcm", download=False))])
    receipt = stage.run(DELIVERY, refined=zone.store, contracts=contracts, work_dir=zone.work, workers=1)
    (row,) = rows(zone, receipt, "series")
    assert (row["geometry_verdict"], row["preview_reason"]) == ("undecodable", "pixels-undecodable")
    assert receipt.reasons == {"pixels-undecodable": 1}


def test_objects_and_rows_agree(run, delivered):
    receipt = run()
    (volume,) = rows(delivered, receipt, "volumes")
    assert verify_object(delivered.store, volume["object_sha256"], "nii.gz") == volume["bytes"]
    previews = [row["preview_sha256"] for row in rows(delivered, receipt, "series") if row["preview_sha256"]]
    assert len(previews) == receipt.figures["previews"]
    for sha256 in previews:
        assert verify_object(delivered.store, sha256, "png")


def test_every_table_has_its_contracts_schema_order_and_versions(run, delivered, contracts):
    receipt = run()
    assert [table.table for table in receipt.tables] == list(stage.TABLES)
    for table in receipt.tables:
        contract, frame = contracts.table(table.table), scan(delivered.store, table.key)
        assert frame.collect_schema() == contract.polars_schema
        found = frame.collect()
        assert found.equals(found.sort(list(contract.order_by), nulls_last=True))
        assert found.height == table.rows == receipt.counts[table.table]
        assert set(found["code_version"]) <= {stage.VERSION}
        assert set(found["contract_version"]) <= {contract.version}
        assert set(found["delivery"]) <= {DELIVERY}


def test_studies_and_subjects_add_up_to_their_series(run, delivered):
    receipt = run()
    series = rows(delivered, receipt, "series")
    for table in ("studies", "subjects"):
        found = rows(delivered, receipt, table)
        for column in ("instances", "bytes", "volumes"):
            assert sum(row[column] for row in found) == sum(row[column] for row in series)
        assert sum(row["series"] for row in found) == len(series)
    assert {row["study_instance_uid"] for row in series} == {
        row["study_instance_uid"] for row in rows(delivered, receipt, "studies")
    }


def test_terms_that_no_vocabulary_knows_are_listed_with_the_series_that_they_hold_up(run, delivered):
    found = {
        (row["attribute"], row["field"], row["term"]): row["series"]
        for row in rows(delivered, run(), "unmapped_terms")
    }
    assert found["body_part", "body_part_examined", "margel"] == 1
    assert found["manufacturer", "manufacturer", "phantom works"] == 2


def test_a_second_run_does_no_work_and_says_the_same(run, delivered):
    first = run()
    before = everything(delivered)
    delivered.store.delete(first.table("volumes").key)  # a run that worked would put it back
    assert run() == first
    assert everything(delivered) == {k: v for k, v in before.items() if k != first.table("volumes").key}


def test_run_anew_it_gives_the_same_bytes(run, delivered):
    run()
    before = everything(delivered)
    delivered.store.delete(receipt_key(Stage.HARMONISATION, DELIVERY))
    run()
    assert everything(delivered) == before


def test_two_processes_give_the_same_bytes_as_one(run, delivered):
    run(workers=1)
    before = everything(delivered)
    delivered.store.delete(receipt_key(Stage.HARMONISATION, DELIVERY))
    run(workers=2)
    assert everything(delivered) == before


def test_nothing_is_left_in_the_work_folder(run, delivered):
    run()
    assert not [path for path in delivered.work.rglob("*") if path.is_file()]


def with_term(tmp_path, line):
    root = shutil.copytree(CHECKOUT / "data_contracts", tmp_path / "data_contracts")
    vocabulary = root / "vocabularies" / "body_part.csv"
    vocabulary.write_text(vocabulary.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    return load_contracts(root)


def test_a_changed_vocabulary_makes_the_result_outstanding_and_maps_the_term(run, delivered, tmp_path):
    first = run()
    second = run(contracts=with_term(tmp_path, "märgel,bone,272673000,SCT,usage"))
    assert second.inputs != first.inputs
    assert {name for name in second.inputs if second.inputs[name] != first.inputs[name]} == {
        "vocabulary body_part"
    }
    assert "margel" not in {row["term"] for row in rows(delivered, second, "unmapped_terms")}
    assert "bone" in {row["body_part"] for row in rows(delivered, second, "series")}


def test_a_missing_vocabulary_stops_the_stage_before_it_writes(run, delivered, contracts):
    vocabularies = {name: v for name, v in contracts.vocabularies.items() if name != "plane"}
    before = everything(delivered)
    with pytest.raises(NotFoundError, match=r"no vocabulary 'plane'.*body_part") as raised:
        run(contracts=replace(contracts, vocabularies=vocabularies))
    assert raised.value.exit_code == 2
    assert everything(delivered) == before


def test_a_delivery_that_was_not_de_identified_is_told_so(zone, contracts):
    with pytest.raises(NotFoundError, match=f"de-identification of {DELIVERY}"):
        stage.run(DELIVERY, refined=zone.store, contracts=contracts, work_dir=zone.work)


def test_a_series_that_two_studies_bear_is_one_series_and_no_volume(zone, contracts, tmp_path):
    slices = list(ct_slices(ct_phantom(3, slices=6, size=16)))
    slices[2].StudyInstanceUID = generate_uid(entropy_srcs=["another study"])
    zone.deliver(save(slices, tmp_path / "in"))
    receipt = stage.run(DELIVERY, refined=zone.store, contracts=contracts, work_dir=zone.work, workers=1)
    (row,) = rows(zone, receipt, "series")
    assert (row["geometry_verdict"], row["geometry_reason"], row["volumes"]) == ("mixed", "mixed-studies", 0)


def test_an_empty_delivery_has_empty_tables(zone, contracts):
    zone.deliver([])
    receipt = stage.run(DELIVERY, refined=zone.store, contracts=contracts, work_dir=zone.work, workers=1)
    assert {table.rows for table in receipt.tables} == {0}
    assert receipt.counts["instances"] == 0
