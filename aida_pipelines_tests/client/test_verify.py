"""Verify reads a release to its last byte and names what isn't as it was signed."""

import hashlib
import json

import polars as pl
import pytest

from aida_pipelines.client.catalogue import read_release
from aida_pipelines.client.dataset import load
from aida_pipelines.client.verify import verify
from aida_pipelines_tests.zones import COLLECTION, SLICES

FOLDER = f"{COLLECTION}/1.0.0"


def found(zones):
    """Key → problem, of what verify finds."""
    return {finding.key: finding.problem for finding in load(COLLECTION, store=zones.curated).verify()}


def rot(path):
    """Flip one bit in the middle; size and time stay."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def test_a_release_that_is_as_signed_has_no_findings(dataset):
    assert dataset.verify() == []


@pytest.mark.parametrize(
    "pattern", ["objects/*/*.dcm", "objects/*/*.nii.gz", "objects/*/*.png", f"{FOLDER}/previews/*"]
)
@pytest.mark.parametrize("problem", ["changed", "missing"])
def test_bit_rot_and_a_missing_file_are_named(released, pattern, problem):
    zone = released.home / "curated"
    victim = next(zone.glob(pattern))
    victim.unlink() if problem == "missing" else rot(victim)
    assert found(released) == {str(victim.relative_to(zone)): problem}


def test_every_file_of_the_release_is_read(released):
    """One bit in each: nothing is left out of the verification, objects of sound tables included."""
    zone = released.home / "curated"
    files = {
        str(p.relative_to(zone)): p for p in zone.rglob("*") if p.is_file() and p.name != "index.parquet"
    }
    objects = {name for name in files if name.startswith("objects/")}
    # Those whose tables are damaged can't be compared, so the objects come first.
    for name in objects:
        rot(files[name])
    assert set(found(released)) == objects
    release = read_release(released.curated, COLLECTION)
    for name in files.keys() - objects - {f"{FOLDER}/release.json"}:
        rot(files[name])
    assert {f.key for f in verify(released.curated, release)} == files.keys() - objects - {
        f"{FOLDER}/release.json"
    }


def test_a_table_that_was_changed_is_named_and_what_it_says_is_not_believed(released):
    table = released.home / "curated" / FOLDER / "instances.parquet"
    pl.read_parquet(table).with_columns(object_sha256=pl.lit("0" * 64)).write_parquet(table)
    assert found(released) == {f"{FOLDER}/instances.parquet": "changed"}


def test_a_table_that_is_gone_is_named(released):
    (released.home / "curated" / FOLDER / "volumes.parquet").unlink()
    assert found(released) == {f"{FOLDER}/volumes.parquet": "missing"}


def test_a_release_json_that_was_rewritten_to_fit_a_changed_table_is_named(released):
    folder = released.home / "curated" / FOLDER
    table = folder / "quality.parquet"
    pl.read_parquet(table).head(1).write_parquet(table)
    said = json.loads((folder / "release.json").read_text())
    entry = next(t for t in said["tables"] if t["name"] == "quality")
    entry["sha256"] = hashlib.sha256(table.read_bytes()).hexdigest()
    (folder / "release.json").write_text(json.dumps(said, indent=2))
    assert found(released) == {f"{FOLDER}/release.json": "changed"}


def test_damage_to_another_version_is_not_this_one_s(released, second_arrives):
    second_arrives(released)
    released.release()
    rot(released.home / "curated" / COLLECTION / "1.1.0" / "README.md")
    assert load(f"{COLLECTION}@1.0.0", store=released.curated).verify() == []
    assert found(released) == {f"{COLLECTION}/1.1.0/README.md": "changed"}


def test_findings_come_in_the_same_order_whatever_the_number_of_threads(released):
    for victim in (released.home / "curated" / "objects").glob("*/*.dcm"):
        rot(victim)
    dataset = load(COLLECTION, store=released.curated)
    assert dataset.verify(threads=1) == dataset.verify(threads=8)
    assert len(dataset.verify()) == SLICES + 1
