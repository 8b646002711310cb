"""What commands print: with ``--json`` one document on standard output and nothing else; exit codes; words."""

import json
import shutil
from hashlib import sha256

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from aida_pipelines.cli.output import emit_json, emit_table
from aida_pipelines_tests.zones import COLLECTION, FIRST, SECOND, SIGN_OFF, SLICES

# --- shapes that others rely on ---------------------------------------------------------------------------------------


def test_datasets(aida_released):
    (dataset,) = aida_released("datasets", "--json").json
    promised = ("name", "version", "released_at", "subjects", "studies", "series", "instances", "bytes")
    assert set(promised) <= set(dataset)
    assert [dataset[name] for name in promised[:7]] == [COLLECTION, "1.0.0", "2026-11-24T08:30:00Z", 2, 2, 2, SLICES + 1]  # fmt: skip
    assert dataset["bytes"] > 0


def test_status(aida_released):
    status = aida_released("status", "--json").json
    (delivery,) = status["deliveries"]
    assert delivery == {
        "id": FIRST, "site": "norr", "collection": COLLECTION, "stage": "quality_checks",
        "received": 13, "duplicate": 1, "quarantined": 1, "rejected": 1, "refined": 10, "waiting": 0,
    }  # fmt: skip
    assert delivery["received"] == sum(
        delivery[n] for n in ("duplicate", "quarantined", "rejected", "refined")
    )
    assert status["quarantine"] == {"burned-in-text": 1}
    assert status["releases"] == [f"{COLLECTION}@1.0.0"]


def test_quarantine_list_and_show(aida_released):
    (item,) = aida_released("quarantine", "list", "--json").json
    assert {"id", "delivery", "reason", "stage", "advice"} <= set(item)
    assert (item["delivery"], item["reason"]) == (FIRST, "burned-in-text")
    assert item["advice"]
    assert aida_released("quarantine", "show", item["id"], "--json").json == item


def test_an_empty_home_has_nothing_and_says_so_in_the_same_shapes(aida):
    assert aida("datasets", "--json").json == []
    assert aida("status", "--json").json == {"deliveries": [], "quarantine": {}, "releases": []}
    assert aida("quarantine", "list", "--json").json == []
    assert "aida deliver" in aida("status").out


def test_status_on_the_hub_s_side_of_the_line_knows_deliveries_from_the_refined_zone(aida, zones):
    shutil.rmtree(zones.home / "raw")
    (delivery,) = aida.at(zones.home)("status", "--json").json["deliveries"]
    assert (delivery["id"], delivery["refined"]) == (FIRST, 10)


def test_status_lists_deliveries_by_id_whichever_zone_knows_them(aida, both):
    shutil.rmtree(both.home / "raw" / "deliveries" / FIRST)
    status = aida.at(both.home)("status", "--json").json
    assert [delivery["id"] for delivery in status["deliveries"]] == [FIRST, SECOND]


def test_status_of_a_delivery_that_waits(aida, zones):
    shutil.rmtree(zones.home / "refined")
    (delivery,) = aida.at(zones.home)("status", "--json").json["deliveries"]
    assert (delivery["stage"], delivery["received"], delivery["waiting"]) == ("raw_ingest", 13, 13)
    shutil.rmtree(zones.home / "raw" / "receipts")
    (delivery,) = aida("status", "--json").json["deliveries"]
    assert delivery["stage"] == "received"


@pytest.mark.parametrize(
    "call",
    [
        ["show", COLLECTION],
        ["diff", f"{COLLECTION}@1.0.0", COLLECTION],
        ["verify", COLLECTION],
        ["query", "SELECT count(*) AS n FROM reference_images.series"],
        ["query", "--zone", "refined", "SELECT count(*) AS n FROM series"],
        ["query", "SELECT 1 WHERE false"],
        ["pull", COLLECTION, "pulled", "--where", "modality = 'MR'"],
        ["datasets"],
        ["status"],
        ["quarantine", "list"],
    ],
    ids=" ".join,
)
def test_json_is_one_document_and_words_are_for_people(aida_released, call):
    document = aida_released(*call, "--json")
    assert document.json is not None
    assert document.err == ""
    words = aida_released(*call)
    assert words.out + words.err
    with pytest.raises(json.JSONDecodeError):
        json.loads(words.out)


def test_show_tells_who_signed_what_was_selected_and_the_tables(aida_released):
    said = aida_released("show", f"{COLLECTION}@1.0.0").out
    for words in (SIGN_OFF, "every-series", "clinical_condition_occurrence", "BSD-2-Clause"):
        assert words in said


def test_explain_goes_back_to_the_delivery(aida_released):
    subject = aida_released("query", "FROM reference_images.subjects LIMIT 1", "--json").json[0]["subject"]
    chain = aida_released("explain", subject, "--json").json
    assert (chain["kind"], chain["links"][-1]["id"]) == ("subject", "norr")
    assert FIRST in aida_released("explain", subject).out


def test_pull_says_what_was_fetched(aida_released):
    assert aida_released("pull", COLLECTION, "out", "--json").json["fetched"] == SLICES + 1
    again = aida_released("pull", COLLECTION, "out", "--json").json
    assert (again["files"], again["fetched"]) == (SLICES + 1, 0)


# --- exit codes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (["show", "no-such"], COLLECTION),
        (["show", f"{COLLECTION}@3.0.0"], "1.0.0"),
        (["show", "a/b"], "aida datasets"),
        (["diff", "no-such@1.0.0", COLLECTION], "no-such"),
        (["verify", "no-such"], "no-such"),
        (["pull", COLLECTION, "out", "--where", "modalty = 'CT'"], "modalty"),
        (["pull", COLLECTION, "out", "--where", "modality = 'PT'"], "--where"),
        (["query", "DROP TABLE series"], "one SELECT"),
        (["query", "SELECT * FROM nowhere"], "nowhere"),
        (["explain", "1.2.3"], "1.2.3"),
        (["quarantine", "show", "0000"], "aida quarantine list"),
        (["quarantine", "release", "0000", "--by", "Testa", "--why", "x"], "0000"),
        (["release", "no-such", "--sign-off", SIGN_OFF], COLLECTION),
        (["run", "--delivery", "nobody_1"], "aida status"),
        (["deliver", "nowhere", "--site", "norr", "--collection", COLLECTION], "nowhere"),
        (
            ["deidentify", "nowhere", "out", "--key-file", "key"],
            "SRC",
        ),  # a folder may be named after a patient
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_told_with_its_reason_and_a_way_out(aida_released, refused, release_to_read, call, says):
    before = release_to_read.tree()
    assert says in refused(*call)
    assert says in refused(*call, "--json"), "an error is no document: standard output stays empty"
    assert release_to_read.tree() == before


def test_without_a_delivery_there_is_nothing_to_run(refused):
    assert "aida deliver" in refused("run")


def test_damage_is_a_failure_and_every_damaged_file_is_named(aida, released, refused):
    victim = next(released.home.glob("curated/objects/*/*.dcm"))
    victim.write_bytes(b"x" * victim.stat().st_size)
    at = aida.at(released.home)
    document = at("verify", COLLECTION, "--json", expect=1).json
    assert document["findings"] == [
        {"key": str(victim.relative_to(released.home / "curated")), "problem": "changed"}
    ]
    assert victim.name in at("verify", COLLECTION, expect=1).out
    assert victim.name in refused("pull", COLLECTION, "out", expect=1)


def test_done_with_something_held_is_3(aida, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    shutil.copy(get_testdata_file("MR_small.dcm"), source / "a.dcm")
    (tmp_path / "key").write_bytes(bytes(range(32)))
    (tmp_path / "key").chmod(0o600)
    call = ["deidentify", source, "out", "--key-file", tmp_path / "key", "--json"]
    assert aida(*call).json["counts"]["refined"] == 1
    held = dcmread(get_testdata_file("CT_small.dcm"))
    held.BurnedInAnnotation = "YES"
    held.save_as(source / "b.dcm")
    again = aida(*call[:2], "again", *call[3:], expect=3).json
    assert again["reasons"] == {"burned-in-text": 1}
    said = aida(*call[:2], "third", *call[3:-1], "--report", "report", expect=3).err
    assert "1 × burned-in-text: The header says" in said
    assert "Report: report." in said


def test_a_folder_for_a_collection_and_a_site_gets_the_stage_s_bytes_and_without_them_nothing_of_them(
    aida, zones, tmp_path
):
    source = tmp_path / "in"
    for number, path in enumerate(sorted(zones.home.glob("raw/objects/*/*.dcm"))):
        source.mkdir(exist_ok=True)
        shutil.copy(path, source / f"{number}.dcm")
    at = aida.at(zones.home)
    made = {}
    for name, more in {"own": (), "theirs": ("--collection", COLLECTION, "--site", "norr")}.items():
        at("deidentify", source, name, *more, "--json", expect=3)
        made[name] = {sha256(path.read_bytes()).hexdigest() for path in (tmp_path / name).rglob("*.dcm")}
    stage = {path.stem for path in zones.home.glob("refined/objects/*/*.dcm")}
    assert made["theirs"] == stage
    assert len(made["own"]) == len(stage)
    assert made["own"].isdisjoint(stage)


def test_a_steward_s_decision_is_recorded_and_said(aida, zones, refused):
    at = aida.at(zones.home)
    (item,) = at("quarantine", "list", "--json").json
    assert refused("quarantine", "release", item["id"], "--by", " ", "--why", "seen")
    made = at("quarantine", "release", item["id"], "--by", "Testa", "--why", "seen [no text]", "--json").json
    assert (made["id"], made["decision"], made["by"], made["why"]) == (
        item["id"],
        "release",
        "Testa",
        "seen [no text]",
    )
    assert "aida run" in at("quarantine", "reject", item["id"], "--by", "Testa", "--why", "after all").err


def test_run_with_nothing_outstanding_and_something_held_is_3(aida, zones):
    """Through Dagster, both sides of the line: the children speak on standard error only."""
    said = aida.at(zones.home)("run", "--until", "quality_checks", "--json", expect=3)
    assert said.json == {"runs": [], "quarantine": {"burned-in-text": 1}}


# --- how values are shown -----------------------------------------------------------------------------------------


def test_what_is_no_number_is_null_and_a_decimal_is_a_number(aida_released):
    sql = "SELECT 'nan'::DOUBLE AS a, 'inf'::DOUBLE AS b, 1.5 AS c, 2::DECIMAL(9,2) AS d, [1.5, 'nan'::DOUBLE] AS e, DATE '2026-01-05' AS f"  # fmt: skip
    (row,) = aida_released("query", sql, "--json").json
    assert row == {"a": None, "b": None, "c": 1.5, "d": 2, "e": [1.5, None], "f": "2026-01-05"}


def test_swedish_letters_are_printed_as_they_are(capsys):
    emit_json({"by": "Åsa Öberg"})
    assert "Åsa Öberg" in capsys.readouterr().out


@pytest.mark.parametrize("value", ["[/b] x", "[bold]x", "[link=http://x]", "\\[", ":smile:"])
def test_a_value_is_data_and_no_markup(aida_released, value):
    assert value in aida_released("query", f"SELECT '{value}' AS v").out


def test_numbers_are_grouped_truth_is_a_word_and_nothing_is_empty(capsys):
    emit_table([{"n": 12345, "ok": True, "none": None}, {"n": 1, "ok": False, "none": "x"}])
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["n", "ok", "none"]
    assert first.split() == ["12,345", "yes"]
    assert second.split() == ["1", "no", "x"]
