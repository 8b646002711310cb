"""What a data protection officer gets without Python: `aida report`, `aida profile`, the report of `aida deidentify`."""

import json

import pytest

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.demo.deliveries import demo_identifiers
from aida_pipelines.demo.identities import person
from aida_pipelines.errors import IntegrityError
from aida_pipelines.settings import CHECKOUT
from aida_pipelines_tests.zones import COLLECTION, FIRST

PROFILE = "research-longitudinal"


def test_a_delivery_s_report_as_a_page_and_as_facts(aida_released, tmp_path):
    page = aida_released("report", "--delivery", FIRST).out
    assert page.startswith("<!DOCTYPE html>")
    assert f"De-identification of delivery {FIRST}" in page
    facts = aida_released("report", "--delivery", FIRST, "--format", "json").json
    assert (facts["delivery"], facts["collection"]) == (FIRST, COLLECTION)
    assert facts["counts"]["received"] == 13
    said = aida_released("report", "--delivery", FIRST, "-o", tmp_path / "report.html")
    assert said.out == ""
    assert (tmp_path / "report.html").read_text() == page
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_report_names_nobody(aida_released):
    for form in ("html", "json"):
        text = aida_released("report", "--delivery", FIRST, "--format", form).out
        for needle in (*demo_identifiers(), *person(0).identifiers()):
            assert needle not in text


def test_without_a_report_it_says_what_to_do(refused):
    assert "aida run --delivery norr_1" in refused("report", "--delivery", "norr_1")


def test_a_report_that_someone_has_changed_is_not_shown(aida, zones):
    (path,) = (zones.home / "refined" / "reports").rglob("report.html")
    path.write_text(path.read_text().replace("13", "12"))
    said = aida.at(zones.home)("report", "--delivery", FIRST, expect=IntegrityError.exit_code)
    assert said.out == ""
    assert "not the one that was written" in said.err


def test_where_a_report_cannot_be_written_it_says_so(aida_released, tmp_path):
    said = aida_released("report", "--delivery", FIRST, "-o", tmp_path / "nowhere" / "report.html", expect=2)
    assert "can't be written" in said.err


def test_profiles_are_listed_with_who_uses_them(aida):
    profiles = {one["name"]: one for one in aida("profile", "list", "--json").json}
    assert profiles.keys() == load_contracts(CHECKOUT / "data_contracts").profiles.keys()
    assert COLLECTION in profiles[PROFILE]["collections"]
    assert PROFILE in aida("profile", "list").out


@pytest.mark.parametrize(
    ("form", "start"), [("md", "# DICOM conformance"), ("html", "<!DOCTYPE"), ("json", "{")]
)
def test_a_profile_shows_its_conformance_statement(aida, form, start):
    text = aida("profile", "show", PROFILE, "--format", form).out
    assert text.startswith(start)
    assert "Accession Number" in text
    if form == "json":
        assert json.loads(text)["profile"]["name"] == PROFILE


def test_a_profile_that_is_not_there(refused):
    assert PROFILE in refused("profile", "show", "nonsense")


def test_what_was_done_to_an_instance_can_be_asked_for(aida_released):
    instance, *_ = aida_released("query", "--zone", "refined", "SELECT * FROM instances", "--json").json
    rows = aida_released(
        "query", "--zone", "refined", "--json",
        "SELECT tag, keyword, vr, action FROM instances JOIN deid_actions USING (delivery, action_set) "
        f"WHERE sop_instance_uid = '{instance['sop_instance_uid']}' ORDER BY tag",
    ).json  # fmt: skip
    assert "PatientID" in {row["keyword"] for row in rows}
    assert [row["action"] for row in rows if row["keyword"] == "SOPInstanceUID"] == ["remap-uid"]
