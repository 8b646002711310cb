"""``kill -9`` in the middle of each stage, then again: the same bytes as if nothing had happened, and no leftovers."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aida_pipelines.demo.phantom import write_ct_series

pytestmark = pytest.mark.slow

HERE = ["--site", "norr", "--collection", "reference-images", "--id", "norr_kill"]


def count(folder: Path, pattern: str) -> int:
    return sum(1 for _ in folder.rglob(pattern)) if folder.is_dir() else 0


def kill_when(home, arguments: list[str], reached: Callable[[], bool]) -> bool:
    """Run ``aida``; kill it and its children as soon as ``reached``; False if it ended first."""
    from aida_pipelines_tests.end_to_end.conftest import AIDA

    child = subprocess.Popen(
        [*AIDA, *arguments],
        env=home.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while child.poll() is None:
        if reached():
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            return True
        time.sleep(0.002)
    return False


@pytest.fixture(scope="module")
def delivered(tmp_path_factory):
    """A delivery of three CT phantoms that waits to be run."""
    from aida_pipelines_tests.end_to_end.conftest import Home

    base = tmp_path_factory.mktemp("kill")
    for patient in range(3):
        write_ct_series(base / "in" / f"patient{patient}", seed=patient, slices=120)
    home = Home(base / "delivered")
    home.run("deliver", str(base / "in"), *HERE)
    return home


@pytest.fixture(scope="module")
def uninterrupted(delivered):
    home = type(delivered)(delivered.path.with_name("uninterrupted"))
    shutil.copytree(delivered.path, home.path)
    home.run("run")
    return home


def test_killed_in_every_stage_and_run_again_gives_the_same_bytes(delivered, uninterrupted):
    home = type(delivered)(delivered.path.with_name("killed"))
    shutil.copytree(delivered.path, home.path)
    raw, refined = home.path / "raw", home.path / "refined"
    moments = {
        "raw ingest": lambda: count(raw / ".work", "*") > 0,
        "de-identification": lambda: count(refined / "objects", "*.dcm") > 20,
        "harmonisation": lambda: count(refined / "objects", "*.nii.gz") > 0,
        "quality checks": lambda: (refined / "receipts" / "harmonisation" / "norr_kill.json").exists(),
        "candidate": lambda: (refined / "receipts" / "quality_checks" / "norr_kill.json").exists(),
    }
    for stage, reached in moments.items():
        assert kill_when(home, ["run"], reached), f"the run ended before {stage} could be killed"
    home.run("run")
    assert home.tree() == uninterrupted.tree()
    assert not [name for name in home.tree() if "/.tmp/" in name or "/.work/" in name]


def test_a_release_that_was_killed_is_not_there_and_then_whole(delivered, uninterrupted):
    home = type(delivered)(delivered.path.with_name("killed-release"))
    shutil.copytree(uninterrupted.path, home.path)
    release = ["release", "reference-images", "--sign-off", "Testa Stewardsson, T-1"]
    assert kill_when(home, release, lambda: count(home.path / "curated" / "objects", "*") > 20)
    assert home.json("datasets") == []
    home.run(*release)
    assert [d["version"] for d in home.json("datasets")] == ["1.0.0"]
    assert home.json("verify", "reference-images")["objects"] > 100


def test_the_same_folder_delivered_and_run_twice_changes_nothing(uninterrupted):
    before = uninterrupted.tree()
    again = uninterrupted.json("deliver", str(uninterrupted.path.parent / "in"), *HERE)
    assert again["already_there"]
    assert uninterrupted.json("run")["runs"] == []
    assert uninterrupted.tree() == before
