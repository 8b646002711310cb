"""The demo, as a newcomer meets it. One group: the home is made once, by one worker."""

import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from aida_pipelines.demo.deliveries import demo_identifiers

pytestmark = pytest.mark.xdist_group("demo")


def test_every_file_has_one_outcome(demo_home):
    for delivery in demo_home.json("status")["deliveries"]:
        outcomes = ("duplicate", "quarantined", "rejected", "refined")
        assert delivery["received"] == sum(delivery[name] for name in outcomes) > 0
        assert delivery["stage"] == "quality_checks"


def test_the_planted_faults_are_held_with_their_reasons(demo_home):
    held = {item["reason"] for item in demo_home.json("quarantine", "list")}
    assert {"sop-class-unknown", "burned-in-text"} <= held
    assert held & {"dicom-unreadable", "pixel-data-truncated"}


def test_one_release_is_signed_pulled_and_verifies(demo_home):
    (dataset,) = demo_home.json("datasets")
    assert dataset["version"] == "1.0.0"
    assert dataset["series"] > 0
    pulled = demo_home.path / "demo" / f"{dataset['name']}@1.0.0"
    assert list(pulled.rglob("*.nii.gz"))
    assert demo_home.json("verify", dataset["name"])["objects"] > 0


def test_again_it_does_no_work_twice_and_says_so(demo_home):
    before = demo_home.tree()
    again = demo_home.run("demo")
    assert again.stderr.count("delivered before") == 2
    assert "no work was done" in again.stderr
    assert "nothing new to release" in again.stderr
    assert demo_home.tree() == before


def test_commands_work_from_any_folder(demo_home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = demo_home.json("query", "SELECT count(*) AS n FROM reference_images.series")
    assert rows[0]["n"] > 0
    assert not list(tmp_path.glob("aida_home"))


def test_an_id_is_explained_back_to_its_delivery(demo_home):
    rows = demo_home.json("query", "SELECT sop_instance_uid AS id FROM reference_images.instances LIMIT 1")
    chain = json.dumps(demo_home.json("explain", rows[0]["id"]))
    assert "norr" in chain or "syd" in chain


def test_no_identifier_outside_the_raw_zone_and_the_key(demo_home):
    """Every byte below AIDA_HOME, Dagster's storage included; Parquet also decoded, for it is compressed."""
    needles = [
        spelling
        for text in demo_identifiers()
        for spelling in {text.encode(), text.encode("latin-1", "ignore"), text.encode("utf-16-le")}
        if len(spelling) >= 6  # shorter ones come about by chance in compressed pixels
    ]
    found = []
    for folder, _, names in os.walk(demo_home.path):
        for path in (Path(folder) / name for name in names):
            if path.relative_to(demo_home.path).parts[0] in ("raw", "pseudonym.key"):
                continue
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content += json.dumps(
                    pq.read_table(path).to_pylist(), default=str, ensure_ascii=False
                ).encode()
            name = str(path.relative_to(demo_home.path)).encode()
            found += [(path.name, needle) for needle in needles if needle in content or needle in name]
    assert not found


def test_the_raw_zone_does_hold_the_identifiers(demo_home):
    """So that the test above can fail."""
    content = b"".join(p.read_bytes() for p in (demo_home.path / "raw").rglob("*.dcm"))
    assert sum(text.encode("latin-1", "ignore") in content for text in demo_identifiers()) > 5
