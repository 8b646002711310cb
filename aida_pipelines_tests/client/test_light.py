"""The client is what ``pip install aida-pipelines`` brings without extras: no Dagster, no DICOM library, no stage."""

import json
import os
import re
import subprocess
import sys
import tomllib

import polars as pl
import pytest

from aida_pipelines.settings import CHECKOUT
from aida_pipelines_tests.zones import COLLECTION, SLICES

STAGES = (
    "ingest",
    "deid",
    "harmonise",
    "quality",
    "release",
    "orchestration",
    "warehouse",
    "contracts",
    "dicom",
)

IMPORTED = """
import json, sys
import aida_pipelines.client
json.dump(sorted({name.split(".")[0] for name in sys.modules} | {n for n in sys.modules if n.startswith("aida_")}),
          sys.stdout)
"""

BARE = """
import contextlib, importlib.abc, io, json, sys
absent, calls = json.loads(sys.argv[1])
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from aida_pipelines.cli.main import main
answers = []
for call in calls:
    sys.argv, out, code = ["aida", *call], io.StringIO(), 0
    with contextlib.redirect_stdout(out):
        try:
            main()
        except SystemExit as done:
            code = done.code or 0
    answers.append([code, out.getvalue()])
json.dump(answers, sys.stdout)
"""
"""``aida``, several times, where the packages of the ``pipeline`` and ``dev`` extras are not installed."""

MODULES = {"pyyaml": "yaml", "pillow": "PIL", "simpleitk": "SimpleITK", "pylibjpeg": "pylibjpeg"}
"""Modules whose name isn't their package's."""


def absent():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    named = [
        re.match(r"[A-Za-z0-9_-]+", text)[0].lower() for text in project["optional-dependencies"]["pipeline"]
    ]
    return [MODULES.get(name, name.replace("-", "_")) for name in named]


@pytest.fixture
def bare(tmp_path):
    """``bare(environment, *calls)``: run ``aida`` in a light installation; exit code and output of each call."""

    def run(environment, *calls):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIDA_", "AWS_", "DAGSTER_"))}
        env = {**kept, "AIDA_HOME": str(tmp_path / "home"), "PYTHONPATH": str(CHECKOUT), **environment}
        command = [sys.executable, "-c", BARE, json.dumps([absent(), calls])]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True, cwd=tmp_path)
        return json.loads(done.stdout), done.stderr

    return run


def test_importing_the_client_imports_no_pipeline_code():
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    imported = set(json.loads(done.stdout))
    assert not imported & {"dagster", "pydicom", "great_expectations", "SimpleITK", "boto3"}
    assert not [
        name for name in imported if name.startswith(tuple(f"aida_pipelines.{stage}" for stage in STAGES))
    ]
    assert "aida_pipelines.client" in imported


def test_what_is_taken_away_would_be_missed():
    """So that the test below can fail."""
    assert {"dagster", "pydicom", "boto3", "numpy", "yaml", "PIL"} <= set(absent())


@pytest.mark.parametrize("where", ["folder", "bucket"])
def test_a_light_installation_does_all_that_a_downstream_team_needs(
    bare, release_to_read, bucket, seaweedfs, tmp_path, where
):
    if where == "folder":
        env = {"AIDA_CURATED_STORE": release_to_read.curated.url}
    else:
        env = {"AIDA_CURATED_STORE": bucket.url, **seaweedfs.env("reader")}
    table = release_to_read.home / "curated" / COLLECTION / "1.0.0" / "subjects.parquet"
    subject = pl.read_parquet(table)["subject"][0]
    sql = "SELECT modality, count(*) AS n FROM reference_images.instances GROUP BY ALL ORDER BY ALL"
    answers, said = bare(
        env,
        ["datasets", "--json"],
        ["verify", COLLECTION, "--json"],
        ["query", sql, "--json"],
        ["pull", COLLECTION, str(tmp_path / "out"), "--where", "modality = 'CT'", "--json"],
        ["diff", f"{COLLECTION}@1.0.0", COLLECTION, "--json"],
        ["explain", subject, "--json"],
        ["show", COLLECTION, "--json"],
    )
    assert {code for code, _ in answers} == {0}, said
    datasets, verified, rows, pulled, difference, chain, shown = (json.loads(out) for _, out in answers)
    assert datasets[0]["series"] == 2
    assert (verified["objects"], verified["findings"]) == (SLICES + 2, [])
    assert rows[0] == {"modality": "CT", "n": SLICES}
    assert pulled["files"] == SLICES
    assert difference["tables"] == {}
    assert chain["links"][-1]["step"] == "site"
    assert shown["version"] == "1.0.0"


def test_a_command_that_needs_more_says_what_to_install(bare, tmp_path):
    answers, said = bare({}, ["deliver", str(tmp_path), "--site", "norr", "--collection", COLLECTION])
    assert answers == [[1, ""]]
    assert "pip install 'aida-pipelines[pipeline]'" in said
    assert "Traceback" not in said
