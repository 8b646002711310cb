"""Pull brings what was selected and no more; a file is under its name only when it is whole and right."""

import hashlib
import json
import signal
import subprocess
import sys
from contextlib import contextmanager

import nibabel
import polars as pl
import pydicom
import pytest

from aida_pipelines.client.dataset import Dataset, load
from aida_pipelines.client.pull import MANIFEST
from aida_pipelines.errors import IntegrityError, StorageError, UsageError
from aida_pipelines.storage.local import LocalStore
from aida_pipelines_tests.zones import COLLECTION, SLICES


class Watched(LocalStore):
    """Notes which objects are read; from the ``stop``-th on it fails."""

    def __init__(self, root, stop=0):
        super().__init__(root)
        self.read, self.stop = [], stop

    @contextmanager
    def local(self, key):
        if key.startswith("objects/"):
            self.read.append(key)
            if self.stop and len(self.read) >= self.stop:
                raise StorageError("The network is gone.")
        with super().local(key) as path:
            yield path


def watched(zones, stop=0):
    store = Watched(zones.home / "curated", stop)
    return store, load(COLLECTION, store=store)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def tree(folder):
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files(folder)}


# --- what comes -----------------------------------------------------------------------------------------------------


def test_dicom_comes_by_subject_study_series_and_instance(dataset, tmp_path):
    pulled = dataset.pull(tmp_path)
    assert (pulled.files, pulled.fetched) == (SLICES + 1, SLICES + 1)
    instances = dataset.instances.collect()
    keys = ("subject", "study_instance_uid", "series_instance_uid", "sop_instance_uid")
    wanted = {"/".join(row) + ".dcm": sha for *row, sha in instances.select(*keys, "object_sha256").rows()}
    found = tree(tmp_path)
    assert found.items() >= wanted.items()
    assert found.keys() - wanted.keys() == {"manifest.parquet", "release.json"}
    assert pulled.bytes == instances["object_bytes"].sum()
    assert {pydicom.dcmread(tmp_path / name).Modality for name in wanted} == {"CT", "MR"}


def test_nifti_comes_by_subject_study_and_series(dataset, tmp_path):
    assert dataset.pull(tmp_path, format="nifti").files == 1
    (path,) = tmp_path.rglob("*.nii.gz")
    subject, study, series = dataset.series.filter(modality="CT").select(
        "subject", "study_instance_uid", "series_instance_uid"
    ).collect().row(0)  # fmt: skip
    assert path == tmp_path / subject / study / f"{series}.nii.gz"
    assert nibabel.load(path).shape == (64, 64, SLICES)


def test_the_manifest_lists_what_was_pulled_with_true_hashes(dataset, tmp_path):
    dataset.pull(tmp_path)
    manifest = pl.read_parquet(tmp_path / MANIFEST)
    found = tree(tmp_path)
    assert {row["file"]: row["sha256"] for row in manifest.to_dicts()}.items() <= found.items()
    assert manifest.height == SLICES + 1
    said = json.loads((tmp_path / "release.json").read_text())
    assert (said["name"], said["version"]) == (COLLECTION, "1.0.0")


def test_where_selects_before_any_byte_moves(release_to_read, tmp_path):
    store, dataset = watched(release_to_read)
    assert dataset.pull(tmp_path, where="modality = 'MR' AND body_part IS NULL OR modality = 'MR'").files == 1
    assert len(store.read) == 1
    assert pl.read_parquet(tmp_path / MANIFEST).height == 1


def test_where_selects_in_a_bucket_too(bucket, tmp_path):
    assert load(COLLECTION, store=bucket).pull(tmp_path, where="slices > 2").files == SLICES


def test_what_selects_nothing_is_said_and_nothing_is_made(dataset, tmp_path):
    with pytest.raises(UsageError, match=r"Nothing .* is selected") as refused:
        dataset.pull(tmp_path / "out", where="modality = 'PT'")
    assert "--where" in refused.value.way_out
    assert not (tmp_path / "out").exists()


def test_an_unknown_format_is_refused(dataset, tmp_path):
    with pytest.raises(UsageError, match="no format"):
        dataset.pull(tmp_path / "out", format="tiff")
    assert not (tmp_path / "out").exists()


def test_other_files_in_the_folder_are_left_alone(dataset, tmp_path):
    for name in ("notes.txt", ".part-of-something-else"):
        (tmp_path / name).write_text("mine")
    dataset.pull(tmp_path)
    dataset.pull(tmp_path)
    assert {(tmp_path / name).read_text() for name in ("notes.txt", ".part-of-something-else")} == {"mine"}


# --- cut off --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [1, 2, SLICES])
def test_cut_off_and_started_again_it_goes_on_where_it_stopped(release_to_read, tmp_path, stop):
    _, cut = watched(release_to_read, stop)
    with pytest.raises(StorageError):
        cut.pull(tmp_path, threads=1)
    before = [name for name in files(tmp_path) if name.endswith(".dcm")]
    assert len(before) == stop - 1
    store, whole = watched(release_to_read)
    pulled = whole.pull(tmp_path)
    assert (pulled.files, pulled.fetched) == (SLICES + 1, SLICES + 1 - len(before))
    assert len(store.read) == pulled.fetched


def test_pulled_again_nothing_is_fetched(release_to_read, tmp_path):
    watched(release_to_read)[1].pull(tmp_path)
    before, (store, dataset) = tree(tmp_path), watched(release_to_read)
    assert dataset.pull(tmp_path).fetched == 0
    assert store.read == []
    assert tree(tmp_path) == before


KILLED = """
import os, signal, sys
from pathlib import Path
import aida_pipelines.client.pull as pull
from aida_pipelines.client.dataset import load
from aida_pipelines.storage.local import LocalStore

left = int(sys.argv[3])
atomic = pull._atomic

class Dying:
    def __init__(self, file):
        self.file = file

    def write(self, data):
        global left
        left -= 1
        if left == 0:
            self.file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.file.write(data)

@pull.contextmanager
def dying(path):
    with atomic(path) as file:
        yield Dying(file)

pull._CHUNK, pull._atomic = 100, dying
load("reference-images", store=LocalStore(Path(sys.argv[1]))).pull(sys.argv[2], threads=1)
"""


@pytest.mark.parametrize("writes", [1, 50, 250])
def test_killed_in_the_middle_of_a_file_no_half_file_is_under_a_final_name(release_to_read, tmp_path, writes):
    """``kill -9`` for real, at the n-th write of 100 bytes."""
    child = [
        sys.executable,
        "-c",
        KILLED,
        str(release_to_read.home / "curated"),
        str(tmp_path / "out"),
        str(writes),
    ]
    assert subprocess.run(child, check=False).returncode == -signal.SIGKILL
    whole = tmp_path / "whole"
    dataset = load(COLLECTION, store=release_to_read.curated)
    dataset.pull(whole)
    left = [name for name in files(tmp_path / "out") if ".aida-part-" in name]
    there = {name: sha for name, sha in tree(tmp_path / "out").items() if name not in left}
    assert len(left) == 1
    assert there.items() <= tree(whole).items()
    dataset.pull(tmp_path / "out")
    assert tree(tmp_path / "out") == tree(whole)


# --- what is damaged ------------------------------------------------------------------------------------------------


def test_a_file_that_changed_on_this_machine_is_fetched_again(dataset, tmp_path):
    dataset.pull(tmp_path)
    victims = sorted(tmp_path.rglob("*.dcm"))[:2]
    content = victims[0].read_bytes()
    victims[0].write_bytes(content[:-1] + bytes([content[-1] ^ 1]))  # same size
    victims[1].write_bytes(b"")
    before = tree(tmp_path)
    assert dataset.pull(tmp_path).fetched == 2
    assert tree(tmp_path) != before
    assert victims[0].read_bytes() == content


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_what_is_damaged_in_the_zone_is_named_and_never_put_in_place(released, tmp_path, damage):
    victim = sorted(released.home.glob("curated/objects/*/*.dcm"))[3]
    content = victim.read_bytes()
    victim.unlink()
    if damage == "changed":
        victim.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    dest = tmp_path / "out"
    dataset: Dataset = load(COLLECTION, store=released.curated)
    with pytest.raises(IntegrityError, match=victim.name) as refused:
        dataset.pull(dest)
    assert refused.value.exit_code == 1
    assert "aida verify" in refused.value.way_out
    right = {sha for (sha,) in dataset.instances.select("object_sha256").collect().rows()}
    assert {sha for name, sha in tree(dest).items() if name.endswith(".dcm")} <= right
    assert not [name for name in files(dest) if "part-" in name]
    victim.write_bytes(content)
    assert dataset.pull(dest).files == SLICES + 1


def test_a_folder_that_can_not_be_written_is_named(dataset, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StorageError, match="taken") as refused:
        dataset.pull(tmp_path / "taken")
    assert refused.value.way_out
