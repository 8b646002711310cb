"""Gates on a harmonised delivery: one row for each item and gate, the same bytes every time."""

import shutil

import pytest

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.errors import NotFoundError
from aida_pipelines.harmonise import stage as harmonise
from aida_pipelines.quality import stage
from aida_pipelines.quality.checks import CHECKS
from aida_pipelines.quality.contract_checks import check_table
from aida_pipelines.stages import Stage
from aida_pipelines.storage.receipts import read_receipt, receipt_key, write_receipt
from aida_pipelines.storage.tables import iter_rows, scan, table_key
from aida_pipelines_tests.harmonise.conftest import CHECKOUT, DELIVERY
from aida_pipelines_tests.quality.conftest import delivery_files

KEY = table_key("quality", DELIVERY)


def rows(zone, table="quality"):
    return list(iter_rows(zone.store, table_key(table, DELIVERY)))


def everything(zone):
    return {info.key: zone.store.get(info.key) for info in zone.store.list()}


@pytest.fixture
def harmonised(zone, contracts, tmp_path):
    zone.deliver(delivery_files(tmp_path / "in"))
    harmonise.run(DELIVERY, refined=zone.store, contracts=contracts, work_dir=zone.work, workers=1)
    return zone


@pytest.fixture
def run(harmonised, contracts):
    return lambda contracts=contracts: stage.run(
        DELIVERY, refined=harmonised.store, contracts=contracts, work_dir=harmonised.work
    )


def test_every_item_has_one_row_for_each_gate_of_its_level(checked, contracts):
    found = rows(checked)
    items = {
        "series": {row["series_instance_uid"] for row in rows(checked, "series")},
        "volume": {row["volume_id"] for row in rows(checked, "volumes")},
        "delivery": {DELIVERY},
    }
    gates = contracts.collection("reference-images").gates
    expected = {
        (level, item, gate.check)
        for gate in gates
        for level in [CHECKS[gate.check].level]
        for item in items[level]
    }
    assert {(row["level"], row["item"], row["check"]) for row in found} == expected
    assert len(found) == len(expected)


def test_a_row_says_the_number_the_bound_and_why(checked, contracts):
    collection = contracts.collection("reference-images")
    gate = next(gate for gate in collection.gates if gate.check == "missing-slices")
    gap = next(row for row in rows(checked, "series") if row["missing_slices"] == 1)
    (row,) = [
        row
        for row in rows(checked)
        if (row["item"], row["check"]) == (gap["series_instance_uid"], "missing-slices")
    ]
    assert (row["value"], row["threshold"], row["unit"], row["outcome"]) == (1.0, 0.0, "{slices}", "warn")
    assert gate.reason in row["reason"]
    assert row["collection_version"] == collection.version
    assert row["series_instance_uid"] == gap["series_instance_uid"]


def test_the_receipt_counts_the_outcomes(checked):
    receipt = read_receipt(checked.store, Stage.QUALITY_CHECKS, DELIVERY)
    found = [row["outcome"] for row in rows(checked)]
    assert receipt.counts == {outcome: found.count(outcome) for outcome in ("pass", "warn", "fail")}
    assert receipt.counts["warn"] > 0
    assert sum(receipt.counts.values()) == receipt.table("quality").rows


def test_the_table_meets_its_own_contract_and_order(checked, contracts):
    contract, frame = contracts.table("quality"), scan(checked.store, KEY)
    assert frame.collect_schema() == contract.polars_schema
    found = frame.collect()
    assert found.equals(found.sort(list(contract.order_by), nulls_last=True))
    assert all(result.passed for result in check_table(contract, frame))


def test_a_second_run_does_no_work_and_says_the_same(run, harmonised):
    first = run()
    harmonised.store.delete(KEY)  # a run that worked would put it back
    assert run() == first
    assert harmonised.store.stat(KEY) is None


def test_run_anew_it_gives_the_same_bytes(run, harmonised):
    run()
    before = everything(harmonised)
    harmonised.store.delete(receipt_key(Stage.QUALITY_CHECKS, DELIVERY))
    run()
    assert everything(harmonised) == before


def changed(tmp_path, old, new):
    root = shutil.copytree(CHECKOUT / "data_contracts", tmp_path / "data_contracts")
    path = root / "collections" / "reference-images.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return load_contracts(root)


def test_a_changed_gate_makes_the_result_outstanding_and_blocks(run, harmonised, tmp_path):
    first = run()
    assert first.counts["fail"] == 0
    second = run(changed(tmp_path, "severity: warn", "severity: block"))
    assert {name for name in second.inputs if second.inputs[name] != first.inputs[name]} == {"collection"}
    assert second.counts["fail"] == first.counts["warn"]
    assert second.counts["warn"] == 0
    assert {row["outcome"] for row in rows(harmonised)} == {"pass", "fail"}


def test_a_harmonisation_that_gave_another_result_makes_it_outstanding(run, harmonised):
    first = run()
    receipt = read_receipt(harmonised.store, Stage.HARMONISATION, DELIVERY)
    write_receipt(harmonised.store, receipt.model_copy(update={"code_version": "harmonise/next"}))
    assert run().inputs["harmonisation"] != first.inputs["harmonisation"]


def test_a_delivery_that_was_not_harmonised_is_told_so(zone, contracts):
    with pytest.raises(NotFoundError, match=f"harmonisation of {DELIVERY}"):
        stage.run(DELIVERY, refined=zone.store, contracts=contracts, work_dir=zone.work)
    assert list(zone.store.list()) == []


def test_a_delivery_without_series_misses_what_it_cannot_show(zone, contracts):
    zone.deliver([])
    harmonise.run(DELIVERY, refined=zone.store, contracts=contracts, work_dir=zone.work, workers=1)
    stage.run(DELIVERY, refined=zone.store, contracts=contracts, work_dir=zone.work)
    (row,) = rows(zone)
    assert (row["check"], row["value"], row["outcome"]) == ("vocabulary-coverage", None, "warn")
