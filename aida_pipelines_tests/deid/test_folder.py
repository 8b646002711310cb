"""`aida deidentify`'s work: a folder in, a folder out, a report that names nobody, mappings for their owner only."""

import csv
import filecmp
import hashlib
import json
import os
import re
import stat
import subprocess
import sys
from collections import Counter
from html import unescape
from types import SimpleNamespace

import polars as pl
import pydicom
import pytest

from aida_pipelines.contracts.vocabulary import load_vocabulary
from aida_pipelines.deid.folder import deidentify_folder
from aida_pipelines.deid.keys import create_key, load_key
from aida_pipelines.dicom.parse import parse_file
from aida_pipelines.dicom.quiet import quiet_pydicom
from aida_pipelines.errors import Quarantine, UsageError
from aida_pipelines.reasons import REASONS
from aida_pipelines_tests.deid.conftest import CONTRACTS


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def contracts(request):
    folder = request.config.rootpath / "data_contracts" / "vocabularies"
    return SimpleNamespace(vocabulary=lambda name: load_vocabulary(folder / f"{name}.csv"))


@pytest.fixture
def key_file(tmp_path):
    create_key(tmp_path / "key")
    return tmp_path / "key"


@pytest.fixture
def src(tmp_path, instance, bundled):
    src = tmp_path / "in"
    (src / "Åsa Öst").mkdir(parents=True)
    (src / "Åsa Öst" / "1 å.dcm").write_bytes(instance())
    (src / "Åsa Öst" / "2.dcm").write_bytes(instance({0x00080018: ("UI", b"1.2.752.1.1.4")}))
    (src / "ct").write_bytes((bundled / "CT_small.dcm").read_bytes())
    (src / "held.dcm").write_bytes(instance({0x00280301: ("CS", b"YES")}))
    (src / "notes.txt").write_text("Anna Svensson")
    (src / "link.dcm").symlink_to(bundled / "MR_small.dcm")
    return src


@pytest.fixture
def deidentified(src, tmp_path, research, contracts, key_file):
    summary = deidentify_folder(
        src,
        tmp_path / "out",
        profile=research,
        contracts=contracts,
        key_file=key_file,
        report_dir=tmp_path / "report",
    )
    return summary, tmp_path / "out", tmp_path / "report"


def test_where_things_lie(deidentified):
    _, out, _ = deidentified
    files = sorted(path for path in out.rglob("*") if path.is_file())
    assert len(files) == 3
    for path in files:
        one = pydicom.dcmread(path)
        place = (one.PatientID, one.StudyInstanceUID, one.SeriesInstanceUID, f"{one.SOPInstanceUID}.dcm")
        assert path.relative_to(out).parts == place


def test_every_file_is_counted(deidentified):
    summary, _, report = deidentified
    assert summary.counts == {"received": 5, "refined": 3, "quarantined": 2, "rejected": 0}
    assert summary.reasons == {"burned-in-text": 1, "not-dicom": 1}
    assert json.loads((report / "report.json").read_text()) == summary.model_dump(mode="json")


def test_the_report_can_be_read_and_has_the_conformance_statement(deidentified, research):
    _, _, report = deidentified
    page = unescape((report / "report.html").read_text())
    statement = json.loads((report / "conformance.json").read_text())
    for words in ("De-identification of a folder", REASONS["not-dicom"].says, "DICOM conformance statement"):
        assert words in page
    assert statement["profile"]["version"] == research.version
    for name in ("report.html", "report.json", "conformance.json"):
        text = (report / name).read_text()
        assert not [one for one in ("Svensson", "19121212", "1.2.752.1.1", "Åsa", "notes.txt") if one in text]


def test_the_report_names_nobody(deidentified):
    _, out, report = deidentified
    actions = pl.read_parquet(report / "actions.parquet")
    assert actions.columns == ["sop_instance_uid", "tag", "keyword", "vr", "action"]
    assert actions["sop_instance_uid"].n_unique() == 3
    text = (report / "report.json").read_text() + actions.write_csv() + str(sorted(out.rglob("*")))
    for identifier in ("Svensson", "1.2.752.1.1", "19121212", "Åsa", "1CT1"):
        assert identifier not in text


@pytest.mark.parametrize("name", ["uid_mapping.csv", "patid_mapping.csv"])
def test_mappings_lead_back_and_are_their_owners_alone(deidentified, name):
    _, _, report = deidentified
    path = report / name
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    rows = list(csv.DictReader(path.open(newline="", encoding="utf-8")))
    assert list(rows[0]) == ["id_old", "id_new"]
    olds = Counter(row["id_old"] for row in rows)
    assert set(olds.values()) == {1}
    expected = {"uid_mapping.csv": "1.2.752.1.1.3", "patid_mapping.csv": "19121212-1212"}[name]
    assert expected in olds


def test_the_hashes_of_what_came_and_what_was_made_are_its_owners_alone(deidentified, src):
    summary, out, report = deidentified
    path = report / "instances.parquet"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert summary.instances_sha256 == sha256(path)
    rows = pl.read_parquet(path).rows(named=True)
    came = {sha256(file) for file in src.rglob("*") if file.is_file() and not file.is_symlink()}
    assert {row["source_sha256"] for row in rows} == came
    assert Counter(row["outcome"] for row in rows) == {"refined": 3, "quarantined": 2}
    made = {file.stem: file for file in out.rglob("*.dcm")}
    for row in rows:
        if row["outcome"] == "refined":
            file = made.pop(row["sop_instance_uid"])
            assert (row["sha256"], row["bytes"]) == (sha256(file), file.stat().st_size)
        else:
            assert row["reason"] in summary.reasons
            assert row["sop_instance_uid"] is row["sha256"] is None
    assert not made


def test_without_a_report_nothing_is_left_but_the_results(src, tmp_path, research, contracts, key_file):
    out = tmp_path / "out"
    summary = deidentify_folder(src, out, profile=research, contracts=contracts, key_file=key_file)
    assert summary.instances_sha256 == ""
    assert all(path.suffix == ".dcm" or path.is_dir() for path in out.rglob("*"))
    assert all(path.name.startswith("sub-") for path in out.iterdir())


def test_the_same_again_is_the_same_and_another_process_count_too(
    deidentified, src, tmp_path, research, contracts, key_file
):
    _, out, report = deidentified
    for name in ("out", "other"):
        deidentify_folder(
            src, tmp_path / name, profile=research, contracts=contracts, key_file=key_file,
            report_dir=tmp_path / "report2", workers=1,
        )  # fmt: skip
    compared = filecmp.dircmp(out, tmp_path / "other")
    assert [compared.left_only, compared.right_only, compared.diff_files] == [[], [], []]
    for path in report.iterdir():
        assert path.read_bytes() == (tmp_path / "report2" / path.name).read_bytes()


def test_a_folder_is_joined_to_no_collection_unless_one_is_named(
    src, tmp_path, research, contracts, key_file
):
    found = {}
    for name, more in {"own": {}, "a": {"domain": "collection:a"}, "b": {"domain": "collection:b"}}.items():
        summary = deidentify_folder(
            src, tmp_path / name, profile=research, contracts=contracts, key_file=key_file, workers=1, **more
        )
        assert summary.pseudonym_domain == more.get("domain", "folder")
        found[name] = {
            part for path in (tmp_path / name).rglob("*") for part in path.relative_to(tmp_path / name).parts
        }
    assert not (found["own"] & found["a"] | found["own"] & found["b"] | found["a"] & found["b"])
    assert all(found.values())


def test_of_two_files_of_one_instance_the_first_is_taken(
    src, tmp_path, instance, research, contracts, key_file
):
    (src / "zz.dcm").write_bytes(instance({0x00180050: ("DS", b"5.0")}))
    summary = deidentify_folder(
        src, tmp_path / "out", profile=research, contracts=contracts, key_file=key_file
    )
    assert summary.reasons["conflicting-instance"] == 1


@pytest.mark.parametrize("wrong", ["missing", "empty", "inside", "a file", "key"])
def test_wrong_use_changes_nothing_and_no_folder_is_named(
    src, tmp_path, research, contracts, key_file, wrong
):
    """Folders are named after patients; what is said of them ends in logs."""
    out = (src if wrong == "inside" else tmp_path) / "Anna Svensson"
    folder = {"missing": tmp_path / "Svensson", "empty": tmp_path / "Svensson 1"}.get(wrong, src)
    (tmp_path / "Svensson 1").mkdir()
    if wrong == "a file":
        out.write_text("")
    if wrong == "key":
        key_file.chmod(0o644)
    with pytest.raises(UsageError) as error:
        deidentify_folder(folder, out, profile=research, contracts=contracts, key_file=key_file)
    assert "Svensson" not in str(error.value)
    assert not out.is_dir()


def test_what_is_no_instance_is_told_apart_as_in_a_delivery(tmp_path, bundled, research, contracts, key_file):
    src = tmp_path / "in"
    (src / "__MACOSX").mkdir(parents=True)
    for name in ("DICOMDIR", "DICOMDIR-bigEnd", "DICOMDIR-nooffset"):
        (src / name).write_bytes((bundled / "dicomdirtests" / name).read_bytes())
    for name in ("Thumbs.db", ".DS_Store", "__MACOSX/x", "notes.txt"):
        (src / name).write_bytes(b"x" * 200)
    (src / "none.dcm").write_bytes(b"")
    summary = deidentify_folder(
        src, tmp_path / "out", profile=research, contracts=contracts, key_file=key_file
    )
    assert summary.reasons == {
        "empty-file": 1, "media-directory": 3, "not-dicom": 1, "operating-system-file": 3
    }  # fmt: skip
    assert summary.counts == {"received": 8, "refined": 0, "quarantined": 2, "rejected": 6}


def test_the_command_takes_less_than_200_mib_beside_its_processes_with_a_report(src, tmp_path):
    script = """
from pathlib import Path
from aida_pipelines.cli.main import app
app(standalone_mode=False)
print(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")))
"""
    create_key(tmp_path / "key")
    call = [
        "deidentify",
        src,
        tmp_path / "out",
        "--key-file",
        tmp_path / "key",
        "--report",
        tmp_path / "report",
    ]
    environment = {**os.environ, "AIDA_HOME": str(tmp_path / "home"), "AIDA_CONTRACTS": str(CONTRACTS)}
    said = subprocess.run(
        [sys.executable, "-c", script, *call], check=True, capture_output=True, text=True, env=environment
    )
    assert int(re.search(r"VmHWM:\s+(\d+) kB", said.stdout)[1]) < 200 * 1024


@pytest.mark.shared
def test_the_development_data_come_out_or_have_a_true_reason(
    dev_data, tmp_path, research, contracts, key_file
):
    """All 1,049 files of real scanners: an instance with its pixels untouched, or a reason; no failure."""
    out = tmp_path / "out"
    summary = deidentify_folder(
        dev_data,
        out,
        profile=research,
        contracts=contracts,
        key_file=key_file,
        report_dir=tmp_path / "report",
    )
    assert summary.counts["received"] == 1049
    assert summary.counts["received"] == sum(summary.counts.values()) - 1049
    assert not {"deid-failed", "verification-failed", "dicom-unreadable"} & summary.reasons.keys()
    assert summary.reasons.keys() <= REASONS.keys()
    assert load_key(key_file)


@pytest.mark.shared
def test_the_development_datas_pixels_are_untouched(dev_data, deidentifier, research):
    manifest = csv.DictReader((dev_data.parent / "manifest.csv").open(newline="", encoding="utf-8"))
    kinds = {(row["sop_class"], row["transfer_syntax"], row["manufacturer"]): row["path"] for row in manifest}
    for name in sorted(kinds.values()):
        path = dev_data / name
        source = path.read_bytes()
        try:
            result = deidentifier(research).deidentify(source, pixels_reviewed=True)
        except Quarantine:
            continue
        parsed = parse_file(source)
        span = parsed.pixels
        assert bytes(result.pixels) == (bytes(parsed.data[span.start : span.stop]) if span else b"")
        with quiet_pydicom():
            assert parse_file(b"".join(result.parts)).encoding == parsed.encoding
