"""A delivery's evidence: figures that add up, reasons in words, what was done to each instance, and nobody's name."""

import hashlib
import json
from datetime import UTC, datetime
from itertools import count

import pytest

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.deid import stage
from aida_pipelines.deid.actions import ActionSets, action_set, by_attribute
from aida_pipelines.deid.evidence import evidence, report_key
from aida_pipelines.deid.evidence_text import evidence_document
from aida_pipelines.deid.pseudonym import KEY_BYTES
from aida_pipelines.ingest import stage as ingest
from aida_pipelines.ingest.decisions import decide
from aida_pipelines.ingest.receive import receive
from aida_pipelines.reasons import REASONS
from aida_pipelines.settings import CHECKOUT
from aida_pipelines.storage.store import open_store
from aida_pipelines.storage.tables import iter_rows
from aida_pipelines_tests.deid import sowing
from aida_pipelines_tests.deid.test_conformance import checked

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ID = "norr_20261124_7"


class Delivered:
    """One delivery, run: zones, receipt, tables, report."""

    def __init__(self, root, contracts):
        self.contracts = contracts
        root.mkdir()
        self.raw, self.refined = (open_store((root / zone).as_uri()) for zone in ("raw", "refined"))
        self.work, self.key_file = root / "raw" / ".work", root / "key"
        self.key_file.touch(0o600)
        self.key_file.write_bytes(bytes(range(KEY_BYTES)))

    def deliver(self, folder):
        receive(
            folder, site="norr", collection="reference-images", delivery_id=ID, raw=self.raw,
            contracts=self.contracts, work_dir=self.work, now=NOW,
        )  # fmt: skip
        ingest.run(ID, raw=self.raw, contracts=self.contracts, work_dir=self.work)
        self.run()

    def run(self):
        self.receipt = stage.run(
            ID, raw=self.raw, refined=self.refined, contracts=self.contracts, key_file=self.key_file,
            work_dir=self.work, workers=1,
        )  # fmt: skip

    def rows(self, table):
        return list(iter_rows(self.refined, self.receipt.table(table).key))

    def report(self, file_format="json"):
        text = self.refined.get(report_key(ID, file_format)).decode()
        return json.loads(text) if file_format == "json" else text


@pytest.fixture(scope="module")
def contracts():
    return load_contracts(CHECKOUT / "data_contracts")


@pytest.fixture(scope="module")
def sown(tmp_path_factory, bundled):
    """A folder with a person's name: real slices, and instances with an identifier each, all over the places."""
    folder = tmp_path_factory.mktemp("sown") / "Annbritt Björklundh"
    folder.mkdir()
    for name in ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "MR_truncated.dcm"):
        (folder / name).write_bytes((bundled / name).read_bytes())
    (folder / "again.dcm").write_bytes((bundled / "CT_small.dcm").read_bytes())
    (folder / "Björklundh 19121212-1212.txt").write_text("Annbritt")
    (folder / "diagnoses.csv").write_text("patient_id;icd10;diagnosis_date\n19121212-1212;C34.1;2024-01-10\n")
    spellings, studies = sorted(sowing.SPELLINGS), count()
    for number, spelling in enumerate(spellings):
        seed = sowing.SPELLINGS[spelling][0].encode("latin-1")
        for place in sowing.PLACES[number :: len(spellings)][:6]:
            data, study = place.sow(seed), next(studies)
            # A finding holds a whole study: each gets one of its own.
            for last in (b"1", b"3"):
                data = data.replace(b"1.2.752.4711." + last, b"1.2.752.4%03d." % study + last)
            (folder / f"{number} {place.name.replace('/', ' ')}.dcm").write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def delivered(tmp_path_factory, contracts, sown):
    made = Delivered(tmp_path_factory.mktemp("hub") / "home", contracts)
    made.deliver(sown)
    return made


IDENTIFIERS = {
    *(seed for seeds in sowing.SPELLINGS.values() for seed in seeds if len(seed) >= 6),
    *(value.decode("latin-1") for _, value in sowing.IDENTITY.values()),
    "1.2.752.4711", "CompressedSamples", "Annbritt", "Björklundh",
}  # fmt: skip


def test_the_figures_are_the_receipts_and_sum(delivered):
    report, receipt = delivered.report(), delivered.receipt
    counts = report["counts"]
    assert counts == receipt.counts
    assert counts["received"] == sum(
        counts[name] for name in ("duplicate", "quarantined", "rejected", "refined")
    )
    assert report["instances"] == len(delivered.rows("instances")) == report["verification"]["passed"]
    assert counts["refined"] == report["instances"] + 1  # the clinical table
    assert sum(one["items"] for one in report["not_passed_on"]) == counts["received"] - counts["refined"]
    assert report["bytes"] == sum(row["object_bytes"] for row in delivered.rows("instances"))
    assert counts["refined"] > 20
    assert counts["quarantined"] > 3


def test_every_reason_is_told_in_words_with_what_to_do(delivered):
    html = delivered.report("html")
    reasons = {one["reason"] for one in delivered.report()["not_passed_on"]}
    assert reasons == set(delivered.receipt.reasons)
    assert {"duplicate", "not-dicom", "pixel-data-truncated"} <= reasons
    from markupsafe import escape

    for code in reasons:
        assert str(escape(REASONS[code].says)) in html
        assert str(escape(REASONS[code].advice)) in html


def test_what_was_done_sums_over_instances(delivered):
    report = delivered.report()
    stated = {(one["tag"], one["vr"], one["action"]): one["instances"] for one in report["actions"]}
    assert stated == {
        (row["tag"], row["vr"], row["action"]): row["instances"]
        for row in by_attribute(delivered.rows("deid_actions"))
    }
    assert stated["(0020,000D)", "UI", "remap-uid"] == report["instances"]
    assert max(stated.values()) <= report["instances"]
    assert all(one.keys() == {"tag", "keyword", "vr", "action", "instances"} for one in report["actions"])


def test_what_was_done_to_each_instance_can_be_looked_up(delivered):
    sets = {}
    for row in delivered.rows("deid_actions"):
        sets.setdefault(row["action_set"], []).append((row["tag"], row["vr"], row["action"]))
    instances = delivered.rows("instances")
    assert {row["action_set"] for row in instances} == sets.keys()
    for row in instances:
        done = sets[row["action_set"]]
        assert action_set(frozenset(done)) == row["action_set"]
        assert ("(0008,0018)", "UI", "remap-uid") in done
    assert len(sets) == delivered.report()["action_sets"]
    counted = {row["action_set"]: row["instances"] for row in delivered.rows("deid_actions")}
    assert sum(counted.values()) == len(instances)


def test_no_identifier_is_in_the_evidence(delivered):
    assert len(IDENTIFIERS) > 30
    everything = {info.key: delivered.refined.get(info.key) for info in delivered.refined.list()}
    evidence_of = {key: data for key, data in everything.items() if key.startswith(("reports/", "receipts/"))}
    assert len(evidence_of) == 3
    tables = [str(delivered.rows(table)) for table in ("rejections", "deid_actions")]
    for text in (*(data.decode() for data in evidence_of.values()), *tables, *everything):
        assert not [identifier for identifier in IDENTIFIERS if identifier.casefold() in text.casefold()]


def test_the_receipt_names_the_report_by_its_hash(delivered):
    assert delivered.receipt.documents == {
        key: hashlib.sha256(delivered.refined.get(key)).hexdigest()
        for key in (report_key(ID, "html"), report_key(ID, "json"))
    }


def test_the_page_says_who_what_and_by_which_rules(delivered, contracts):
    html = delivered.report("html")
    checked(html)
    collection, site = contracts.collection("reference-images"), contracts.site("norr")
    profile = contracts.profile(collection.deid_profile)
    for words in (
        ID, "2026-11-24", site.title, collection.title, collection.approvals[0].id, profile.version,
        delivered.receipt.inputs["key"], stage.VERSION, "DICOM conformance statement", "Table E.1-1, row by row",
    ):  # fmt: skip
        assert words in html
    for fingerprint in delivered.receipt.inputs.values():
        assert fingerprint in html


def test_run_again_on_the_same_input_the_report_has_the_same_bytes(delivered):
    before = {key: delivered.refined.get(key) for key in delivered.receipt.documents}
    delivered.refined.delete(f"receipts/deidentification/{ID}.json")
    delivered.run()
    assert {key: delivered.refined.get(key) for key in delivered.receipt.documents} == before


def test_what_the_report_says_of_a_collection_is_an_input(delivered, contracts):
    collection = contracts.collection("reference-images")
    assert delivered.receipt.inputs["collection"] == stage.reported(collection)
    renewed = collection.model_copy(
        update={"approvals": (collection.approvals[0].model_copy(update={"id": "EXAMPLE 2"}),)}
    )
    assert stage.reported(renewed) != stage.reported(collection)
    assert stage.reported(collection.model_copy(update={"gates": ()})) == stage.reported(collection)


def test_a_stewards_decision_is_told(tmp_path, contracts, bundled):
    made = Delivered(tmp_path / "home", contracts)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes((bundled / "MR_truncated.dcm").read_bytes())
    made.deliver(tmp_path / "in")
    (held,) = made.report()["not_passed_on"]
    assert (held["outcome"], held["decided"]) == ("quarantined", 0)
    (row,) = made.rows("rejections")
    decide(row["id"], "reject", by="Dr X", why="Broken", now=NOW, raw=made.raw, refined=made.refined)
    made.run()
    (refused,) = made.report()["not_passed_on"]
    assert (refused["outcome"], refused["decided"]) == ("rejected", 1)
    assert "Dr X" not in made.report("html")


def test_findings_of_the_verification_are_counted_and_not_passed_on(
    tmp_path, contracts, bundled, monkeypatch
):
    def leave_it_as_it_is(self, element, vr, action, charset):
        return self._parsed.value(element)

    monkeypatch.setattr("aida_pipelines.deid.engine._Rewriter._value", leave_it_as_it_is)
    made = Delivered(tmp_path / "home", contracts)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes((bundled / "CT_small.dcm").read_bytes())
    made.deliver(tmp_path / "in")
    verification = made.report()["verification"]
    assert (verification["passed"], verification["findings"]) == (0, 1)
    assert "Nothing of these is in the refined zone" in made.report("html")


def test_evidence_needs_no_more_than_receipt_tables_and_contracts(delivered):
    receipt = delivered.receipt.model_copy(update={"documents": {}})
    again = evidence(
        receipt,
        rejections=delivered.rows("rejections"),
        actions=delivered.rows("deid_actions"),
        contracts=delivered.contracts,
    )
    assert evidence_document(again).title == f"De-identification of delivery {ID}"
    assert json.loads(json.dumps(delivered.report()["counts"])) == again.counts


# --- sets -----------------------------------------------------------------------------------------------------------


def test_a_set_is_written_once_and_counted_each_time(tmp_path):
    sets = ActionSets(tmp_path / "spool")
    one = frozenset({("(0010,0010)", "PN", "empty"), ("PRIVATE", "UN", "remove")})
    other = frozenset({("(0010,0010)", "PN", "empty")})
    ids = [sets.add(frozenset(done)) for done in (one, other, set(one), one)]
    assert ids[0] == ids[2] == ids[3] != ids[1]
    rows = list(sets.rows())
    assert [(row["tag"], row["instances"]) for row in rows] == [
        ("(0010,0010)", 3), ("PRIVATE", 3), ("(0010,0010)", 1),
    ]  # fmt: skip
    assert by_attribute(rows)[0] == {
        "tag": "(0010,0010)", "keyword": "PatientName", "vr": "PN", "action": "empty", "instances": 4,
    }  # fmt: skip


def test_an_instance_to_which_nothing_was_done_has_a_set_too(tmp_path):
    sets = ActionSets(tmp_path / "spool")
    assert len(sets.add(frozenset())) == 16
    assert list(sets.rows()) == []
