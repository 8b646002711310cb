"""The main job on real scanner data beyond the demo: four deliveries to a signed release, every file accounted for."""

import csv
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import nibabel
import numpy as np
import pytest

from aida_pipelines.reasons import REASONS
from aida_pipelines_tests.end_to_end.conftest import Home

pytestmark = [pytest.mark.slow, pytest.mark.shared, pytest.mark.timeout(1800)]

DELIVERIES = {
    "norr_ct": ("norr", ["ct-ge-head", "ct-philips-head-5mm"]),
    "norr_mr": (
        "norr",
        [
            "mr-canon-dti", "mr-enhanced", "mr-nih", "mr-siemens-mosaic", "mr-siemens-t1-sag",
            "mr-siemens-xa30-classic", "mr-siemens-xa30-enhanced", "mr-uih-dti",
        ],
    ),
    "syd_mixed": ("syd", ["pydicom-data", "pylibjpeg-data", "dcm4che"]),
    "syd_slides": ("syd", ["highdicom"]),
}  # fmt: skip

REFERENCE = ["ct-ge-head", "ct-philips-head-5mm", "mr-siemens-t1-sag", "mr-siemens-xa30-classic"]


@pytest.fixture(scope="module")
def home(tmp_path_factory, shared_data):
    """A home with the four deliveries run and one release signed."""
    base = tmp_path_factory.mktemp("real")
    home = Home(base / "home")
    for id_, (site, folders) in DELIVERIES.items():
        for name in folders:
            shutil.copytree(shared_data / name, base / id_ / name)
        home.run("deliver", str(base / id_), "--site", site, "--collection", "reference-images", "--id", id_)
    home.run("run", expect=(0, 3))
    home.run("release", "reference-images", "--sign-off", "Testa Stewardsson, T-1")
    return home


def test_every_one_of_the_files_has_one_outcome(home, shared_data):
    with (shared_data.parent / "manifest.csv").open(newline="") as file:
        files = sum(1 for _ in csv.DictReader(file))
    rows = home.json("status")["deliveries"]
    assert sum(row["received"] for row in rows) == files == 1049
    for row in rows:
        assert row["received"] == sum(row[n] for n in ("duplicate", "quarantined", "rejected", "refined")), (
            row
        )


def test_whatever_is_held_has_a_reason_that_is_known(home):
    held = Counter(item["reason"] for item in home.json("quarantine", "list"))
    assert set(held) <= set(REASONS)
    assert "deid-failed" not in held
    assert "verification-failed" not in held


def test_most_of_ct_and_mr_is_refined(home):
    by_id = {row["id"]: row for row in home.json("status")["deliveries"]}
    assert by_id["norr_ct"]["refined"] == by_id["norr_ct"]["received"]
    assert by_id["norr_mr"]["refined"] > 0.95 * by_id["norr_mr"]["received"]


def reference_volumes(folder: Path, out: Path) -> list[nibabel.Nifti1Image]:
    """What dcm2niix makes of a folder; of a series whose gantry was tilted the straightened volume (``Tilt_Eq``)."""
    out.mkdir()
    subprocess.run(
        [Path(sys.executable).with_name("dcm2niix"), "-z", "n", "-o", out, "-f", "%j", folder],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    made = sorted(out.glob("*.nii"))
    straightened = [path for path in made if "Tilt_Eq" in path.name]
    return [nibabel.load(path) for path in straightened or made]


def world_of(image: nibabel.Nifti1Image) -> dict[tuple[float, float, float], float]:
    """Value at the world position (mm, RAS) of the corners and the centre of the grid."""
    data, shape = np.asanyarray(image.dataobj), np.array(image.shape[:3])
    picks = [np.array(corner) * (shape - 1) for corner in np.ndindex(2, 2, 2)]
    return {
        tuple(np.round(nibabel.affines.apply_affine(image.affine, ijk), 2)): float(data[tuple(ijk)])
        for ijk in picks
    }


@pytest.mark.parametrize("folder", REFERENCE)
def test_volumes_have_the_geometry_that_dcm2niix_gives(home, shared_data, tmp_path, folder):
    pulled = home.path.parent / "pulled"
    if not pulled.exists():
        home.run("pull", "reference-images", str(pulled), "--format", "nifti")
    ours = [nibabel.load(path) for path in sorted(pulled.rglob("*.nii.gz"))]
    for reference in reference_volumes(shared_data / folder, tmp_path / "reference"):
        wanted = world_of(reference)
        same = [v for v in ours if v.shape[:3] == reference.shape[:3] and same_corners(world_of(v), wanted)]
        assert same, f"no volume of ours has the geometry of dcm2niix's ({reference.shape})"


def same_corners(
    ours: dict[tuple[float, float, float], float], wanted: dict[tuple[float, float, float], float]
) -> bool:
    """Each corner of theirs within 1e-2 mm (their rounding) of one of ours, with the same value."""
    return all(
        any(np.allclose(a, b, atol=1.1e-2) and abs(ours[a] - wanted[b]) < 1e-3 for a in ours) for b in wanted
    )


def test_the_release_verifies(home):
    (dataset,) = home.json("datasets")
    assert dataset["version"] == "1.0.0"
    assert home.json("verify", "reference-images@1.0.0")["objects"] > 0
