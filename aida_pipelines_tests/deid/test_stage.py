"""The stage on a delivery as raw ingest leaves it: every file accounted for, the same bytes every time."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from aida_pipelines.contracts.collection import SharedPseudonyms
from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.deid import stage
from aida_pipelines.deid.actions import by_attribute
from aida_pipelines.deid.keys import create_key, key_id, load_key, rotate_key
from aida_pipelines.dicom.encode import encode_element
from aida_pipelines.dicom.parse import EXPLICIT
from aida_pipelines.errors import NotFoundError, UsageError
from aida_pipelines.ingest import stage as ingest
from aida_pipelines.ingest.decisions import decide
from aida_pipelines.ingest.receive import receive
from aida_pipelines.stages import Stage
from aida_pipelines.storage.objects import object_key, verify_object
from aida_pipelines.storage.receipts import receipt_key
from aida_pipelines.storage.store import open_store
from aida_pipelines.storage.tables import iter_rows, scan

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ID = "norr_20261124_1"


@pytest.fixture(scope="module")
def contracts(request):
    return load_contracts(request.config.rootpath / "data_contracts")


@pytest.fixture
def folder(tmp_path, bundled, instance):
    """One delivery: images, a duplicate, a broken one, one with text, an unknown kind, a table, a system's file."""
    folder = tmp_path / "Anna Svensson"
    folder.mkdir()
    for name in ("CT_small.dcm", "MR_small.dcm", "MR_small_implicit.dcm", "MR_truncated.dcm", "JPEG2000.dcm"):
        (folder / name).write_bytes((bundled / name).read_bytes())
    (folder / "again.dcm").write_bytes((bundled / "CT_small.dcm").read_bytes())
    (folder / "text.dcm").write_bytes(
        instance({0x00080018: ("UI", b"1.2.752.1.1.5"), 0x00280301: ("CS", b"YES")})
    )
    (folder / "odd.dcm").write_bytes(instance(sop_class="1.2.752.99.1"))
    (folder / "plain.dcm").write_bytes(instance({0x00080018: ("UI", b"1.2.752.1.1.4")}))
    (folder / "diagnoses.csv").write_text("patient_id;icd10;diagnosis_date\n19121212-1212;C34.1;2024-01-10\n")
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1")
    return folder


class Hub:
    """Both zones and a key, in a folder."""

    def __init__(self, root, contracts, collection="reference-images"):
        self.contracts, self.key_file, self.work = contracts, root / "key", root / "raw" / ".work"
        self.collection = collection
        self.raw, self.refined = (open_store((root / zone).as_uri()) for zone in ("raw", "refined"))
        if not self.key_file.exists():
            create_key(self.key_file)

    def deliver(self, folder):
        receive(
            folder, site="norr", collection=self.collection, delivery_id=ID, raw=self.raw,
            contracts=self.contracts, work_dir=self.work, now=NOW,
        )  # fmt: skip
        ingest.run(ID, raw=self.raw, contracts=self.contracts, work_dir=self.work)

    def run(self, **more):
        return stage.run(
            ID, raw=self.raw, refined=self.refined, contracts=self.contracts, key_file=self.key_file,
            work_dir=self.work, **more,
        )  # fmt: skip

    def rows(self, table):
        return list(iter_rows(self.refined, f"tables/{table}/delivery={ID}/part-0.parquet"))

    def everything(self):
        return {info.key: self.refined.get(info.key) for info in self.refined.list()}


@pytest.fixture
def hub(tmp_path, contracts, folder):
    hub = Hub(tmp_path / "hub", contracts)
    hub.deliver(folder)
    return hub


def test_every_file_has_one_outcome(hub):
    counts = hub.run().counts
    assert counts["received"] == 11
    assert counts["received"] == sum(
        counts[name] for name in ("duplicate", "quarantined", "rejected", "refined")
    )
    assert (counts["duplicate"], counts["rejected"]) == (1, 1)
    reasons = {row["reason"] for row in hub.rows("rejections")}
    assert {"burned-in-text", "sop-class-unknown", "duplicate", "operating-system-file"} <= reasons
    assert len(hub.rows("rejections")) + len(hub.rows("instances")) + 1 == counts["received"]


def test_rows_and_objects_agree(hub, contracts):
    receipt = hub.run()
    rows = hub.rows("instances")
    assert {row["modality"] for row in rows} == {"CT", "MR"}
    for row in rows:
        assert verify_object(hub.refined, row["object_sha256"], "dcm") == row["object_bytes"]
        assert hub.raw.stat(object_key(row["source_sha256"], "dcm"))
        assert row["subject"].startswith("sub-")
        assert (row["delivery"], row["code_version"]) == (ID, stage.VERSION)
    assert receipt.figures["bytes"] == sum(row["object_bytes"] for row in rows)
    for name in ("instances", "rejections", "deid_actions", "clinical_condition_occurrence"):
        key = receipt.table(name).key
        assert scan(hub.refined, key).collect_schema() == contracts.table(name).polars_schema
        order = list(contracts.table(name).order_by)
        ordered = scan(hub.refined, key).select(order).collect()
        assert ordered.equals(ordered.sort(order, nulls_last=True))


def test_images_and_diagnoses_of_a_person_meet(hub):
    hub.run()
    (diagnosis,) = hub.rows("clinical_condition_occurrence")
    assert diagnosis["subject"] in {row["subject"] for row in hub.rows("instances")}
    assert diagnosis["condition_code"] == "C34.1"


def test_what_was_done_is_counted_by_attribute(hub):
    hub.run()
    actions = {
        (row["tag"], row["action"]): row["instances"] for row in by_attribute(hub.rows("deid_actions"))
    }
    refined = len(hub.rows("instances"))
    assert actions["(0020,000D)", "remap-uid"] == refined
    assert actions["PRIVATE", "remove"] >= 1


def test_nothing_identifying_lies_in_the_refined_zone(hub):
    hub.run()
    for key, data in hub.everything().items():
        for identifier in (b"Svensson", b"19121212", b"121212-1212", b"1.2.752.1.1", b"CompressedSamples"):
            assert identifier not in data, key
            assert identifier.decode() not in key


def test_run_again_it_does_nothing_and_another_place_gives_the_same_bytes(hub, contracts, folder, tmp_path):
    first = hub.run(workers=1)
    before = hub.everything()
    assert hub.run() == first
    other = Hub(tmp_path / "other", contracts)
    other.key_file.write_bytes(hub.key_file.read_bytes())
    other.deliver(folder)
    other.run(workers=2)
    assert other.everything() == before == hub.everything()
    assert not list(hub.work.glob("*"))


def test_a_run_that_was_cut_short_ends_with_the_same_bytes(hub):
    hub.run()
    before = hub.everything()
    hub.refined.delete(receipt_key(Stage.DEIDENTIFICATION, ID))
    hub.refined.delete(f"tables/rejections/delivery={ID}/part-0.parquet")
    hub.run()
    assert hub.everything() == before


def held(hub, reason):
    return next(row for row in hub.rows("rejections") if row["reason"] == reason)


def test_a_steward_releases_what_was_held_for_its_pixels(hub):
    before = hub.run()
    item = held(hub, "burned-in-text")
    assert item["decision"] is None
    decide(item["id"], "release", by="Dr X", why="No text", now=NOW, raw=hub.raw, refined=hub.refined)
    after = hub.run()
    assert after.counts["refined"] == before.counts["refined"] + 1
    assert after.counts["quarantined"] == before.counts["quarantined"] - 1
    row = next(row for row in hub.rows("instances") if row["source_sha256"] == item["source_sha256"])
    assert row["burned_in_annotation"] == "NO"


def test_a_steward_rejects_what_is_held(hub):
    before = hub.run()
    item = held(hub, "sop-class-unknown")
    decide(item["id"], "reject", by="Dr X", why="Odd", now=NOW, raw=hub.raw, refined=hub.refined)
    after = hub.run()
    assert after.counts["rejected"] == before.counts["rejected"] + 1
    assert (held(hub, "sop-class-unknown")["outcome"], held(hub, "sop-class-unknown")["decision"]) == (
        "rejected",
        "reject",
    )


def test_a_rejected_item_does_not_pass_when_its_reason_has_gone(hub):
    hub.run()
    row = hub.rows("instances")[0]
    files = iter_rows(hub.raw, f"tables/files/delivery={ID}/part-0.parquet")
    ordinal = next(file["ordinal"] for file in files if file["source_sha256"] == row["source_sha256"])
    item = stage.quarantine_id(ID, row["source_sha256"], ordinal)
    hub.raw.put(f"decisions/{item}.json", json.dumps({"delivery": ID, "decision": "reject"}).encode())
    hub.run()
    assert held(hub, "rejected-by-steward")["id"] == item
    assert row["sop_instance_uid"] not in {one["sop_instance_uid"] for one in hub.rows("instances")}


def test_a_decision_on_another_delivery_changes_nothing(hub):
    receipt = hub.run()
    hub.raw.put("decisions/0123456789abcdef.json", b'{"delivery": "other", "decision": "reject"}')
    assert hub.run() == receipt


def test_an_instance_that_fails_verification_is_never_written(hub, folder, monkeypatch):
    def leave_it_as_it_is(self, element, vr, action, charset):
        return self._parsed.value(element)

    monkeypatch.setattr("aida_pipelines.deid.engine._Rewriter._value", leave_it_as_it_is)
    receipt = hub.run(workers=1)
    assert receipt.reasons["verification-failed"] >= 3
    assert receipt.counts["refined"] == 1  # the clinical table
    assert not list(hub.refined.list("objects/"))


def test_without_raw_ingest_it_says_what_to_run(hub):
    with pytest.raises(NotFoundError, match="raw ingest of other_1"):
        stage.run(
            "other_1",
            raw=hub.raw,
            refined=hub.refined,
            contracts=hub.contracts,
            key_file=hub.key_file,
            work_dir=hub.work,
        )


def test_the_inputs_name_everything_that_decides(hub):
    wanted = stage.inputs(ID, raw=hub.raw, contracts=hub.contracts, key_file=hub.key_file)
    assert hub.run().inputs == wanted
    assert {
        "raw_ingest",
        "profile",
        "descriptor_tokens",
        "key",
        "pseudonym_domain",
        "decisions",
        "table instances",
    } <= wanted.keys()


def in_domain(contracts, name, **changes):
    """The contracts with a collection ``name`` like reference-images."""
    collection = contracts.collection("reference-images").model_copy(update={"name": name, **changes})
    return replace(contracts, collections={**contracts.collections, name: collection})


def identity(hub):
    """Everything that could join a person's images to another's: subjects, UIDs, dates, objects."""
    rows = hub.rows("instances")
    uids = ("study_instance_uid", "series_instance_uid", "sop_instance_uid", "frame_of_reference_uid")
    return {
        "subject": {row["subject"] for row in (*rows, *hub.rows("clinical_condition_occurrence"))},
        "uid": {row[name] for row in rows for name in uids} - {None},
        "object": {row["object_sha256"] for row in rows},
        "date": {
            value
            for row in (*rows, *hub.rows("clinical_condition_occurrence"))
            for name, value in row.items()
            if name.endswith("_date") and value
        },
    }


def delivered_to(contracts, name, tmp_path, folder, key, **changes):
    hub = Hub(tmp_path / name, in_domain(contracts, name, **changes), name)
    hub.key_file.write_bytes(key)
    hub.deliver(folder)
    return hub, hub.run()


def test_what_two_collections_got_of_one_delivery_has_nothing_in_common(hub, contracts, folder, tmp_path):
    hub.run()
    other, receipt = delivered_to(contracts, "other", tmp_path, folder, hub.key_file.read_bytes())
    ours, theirs = identity(hub), identity(other)
    for what, values in ours.items():
        assert values, what
        assert values.isdisjoint(theirs[what]), what
    assert {what: len(values) for what, values in ours.items()} == {
        what: len(values) for what, values in theirs.items()
    }
    assert (receipt.inputs["key"], receipt.inputs["pseudonym_domain"]) == (
        key_id(load_key(hub.key_file)),
        "collection:other",
    )


def test_what_two_collections_got_by_a_decision_to_share_is_the_same(contracts, folder, tmp_path):
    made = []
    for name, partner in (("one", "two"), ("two", "one")):
        shared = SharedPseudonyms(
            domain="both", collections=(partner,), decision="EXAMPLE 1", reason="A test."
        )
        made.append(
            delivered_to(contracts, name, tmp_path, folder, bytes(range(32)), shares_pseudonyms=shared)
        )
    (one, first), (two, second) = made
    assert identity(one) == identity(two)
    assert first.inputs["pseudonym_domain"] == second.inputs["pseudonym_domain"] == "shared:both"


def test_after_a_rotation_all_is_done_again_and_nothing_is_what_it_was(hub):
    first = hub.run()
    before = identity(hub)
    rotate_key(hub.key_file)
    second = hub.run()
    assert first.inputs["key"] != second.inputs["key"] == key_id(load_key(hub.key_file))
    assert first.counts == second.counts
    after = identity(hub)
    assert all(before[what].isdisjoint(after[what]) for what in before)
    assert hub.run() == second


def test_a_key_that_is_rotated_under_way_stops_the_work_before_anything_is_written(hub, monkeypatch):
    inputs = stage.inputs

    def inputs_then_rotation(*args, **more):
        wanted = inputs(*args, **more)
        rotate_key(hub.key_file)
        return wanted

    monkeypatch.setattr(stage, "inputs", inputs_then_rotation)
    with pytest.raises(UsageError, match="replaced while"):
        hub.run(workers=1)
    assert not list(hub.refined.list())


def test_pixels_are_those_that_were_delivered(hub, bundled):
    hub.run()
    pixels = encode_element(0x7FE00010, "OW", b"", EXPLICIT)[:4]
    source = (bundled / "CT_small.dcm").read_bytes()
    row = next(row for row in hub.rows("instances") if row["modality"] == "CT" and row["rows"] == 128)
    made = hub.refined.get(object_key(row["object_sha256"], "dcm"))
    length = 12 + 2 * 128 * 128  # element header and values
    assert made[-length:] == source[source.index(pixels) :][:length]
