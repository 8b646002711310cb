"""The trial in MIDI-B's form: a key of ours, brought as somebody else's, gives the same score."""

import json
import sqlite3
from pathlib import Path

import pydicom.data
import pytest

from benchmarks import midi
from benchmarks.midi_key import COLUMNS, generate
from benchmarks.peers.recipes import actions

BUNDLED = pydicom.data.get_testdata_file("CT_small.dcm", read=False)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("midi")
    data = folder / "data"
    data.mkdir()
    (data / "ct.dcm").write_bytes(Path(BUNDLED).read_bytes())
    generate(folder / "src", folder / "key.db", times=2, patients=1, slices=2, folder=data)
    return folder


def test_a_key_and_files_that_are_brought_are_scored(kept, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["midi", "--key", str(kept / "key.db"), "--src", str(kept / "src")])
    assert midi.main() == 0
    assert "0 of them held" in capsys.readouterr().out


def test_the_key_has_the_challenges_layout(kept):
    connection = sqlite3.connect(kept / "key.db")
    cursor = connection.execute("SELECT * FROM answer_data")
    assert [column for column, *_ in cursor.description] == [*COLUMNS, "AnswerData"]
    checks = [check for row in cursor for check in json.loads(row[-1]).values()]
    assert {midi.category_of(check) for check in checks} == {"HIPAA", "DICOM", "TCIA"}
    assert {midi.bare(check["action"]) for check in checks} == {
        "date_shifted", "patid_consistent", "tag_retained", "text_notnull", "text_removed", "text_retained",
        "uid_changed", "uid_consistent",
    }  # fmt: skip


def test_what_is_still_there_fails(kept):
    connection = sqlite3.connect(kept / "key.db")
    instance, answers = connection.execute("SELECT SOPInstanceUID, AnswerData FROM answer_data").fetchone()
    ds = pydicom.dcmread(kept / "src" / f"{instance}.dcm")
    for check in json.loads(answers).values():
        gone = midi.bare(check["action"]) in ("text_removed", "date_shifted", "uid_changed", "uid_consistent")
        assert midi.passes(check, ds, {}, {}) == (
            not gone and midi.bare(check["action"]) != "patid_consistent"
        )


def test_an_instance_that_is_held_loses_what_had_to_stay():
    assert midi.passes({"action": "<text_removed>"}, None, {}, {})
    assert not midi.passes({"action": "<tag_retained>"}, None, {}, {})


def test_peers_get_a_rule_for_what_identifies():
    rules = dict(actions())
    assert rules["PatientID"] == "replace"
    assert rules["SOPInstanceUID"] == "uid"
    assert rules["StudyDate"] == "date"
    assert rules["AccessionNumber"] == "remove"
    assert "PatientSex" not in rules
