"""The same volumes as dcm2niix makes, the field's reference, on series that scanners of three makers took."""

import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from pydicom import dcmread

from aida_pipelines_tests.harmonise.stacks import places_of

pytestmark = pytest.mark.shared

AFFINE_MM = 1e-3


@pytest.fixture(scope="session")
def dcm2niix(tmp_path_factory, dev):
    """``dcm2niix(name)``: a series' reference volumes, by file name without ending."""
    program = shutil.which("dcm2niix", path=str(Path(sys.executable).parent)) or shutil.which("dcm2niix")
    if program is None:
        pytest.skip("dcm2niix is not installed")

    def convert(name):
        folder = tmp_path_factory.mktemp(name)
        subprocess.run(
            [program, "-z", "n", "-b", "n", "-f", "%s", "-o", folder, dev / name],
            check=True,
            capture_output=True,
        )
        return {path.stem: nib.load(path) for path in folder.glob("*.nii")}

    return convert


def slices_of(folder):
    return [dcmread(path) for path in sorted(folder.iterdir())]


@pytest.mark.parametrize(
    ("name", "unit"),
    [("ct-philips-head-5mm", "HU"), ("mr-siemens-t1-sag", None), ("mr-siemens-xa30-classic", None)],
)
def test_affine_and_voxels_are_dcm2niix_s(harmonise, dcm2niix, dev, name, unit):
    (volume,) = harmonise(slices_of(dev / name)).volumes
    ours, (reference,) = harmonise.image(volume), dcm2niix(name).values()
    assert ours.shape == reference.shape
    assert np.abs(ours.affine - reference.affine).max() < AFFINE_MM
    assert np.abs(ours.get_qform() - reference.get_qform()).max() < AFFINE_MM
    assert np.array_equal(np.asarray(ours.dataobj), np.asarray(reference.dataobj))
    assert volume["unit"] == unit


@pytest.fixture(scope="module")
def tilted(harmonise, dcm2niix, dev):
    """The head that GE's gantry tilted, ours and dcm2niix's: as acquired, and straightened with even steps."""
    slices = slices_of(dev / "ct-ge-head")
    found = harmonise(slices)
    reference = dcm2niix("ct-ge-head")
    as_acquired = next(image for name, image in reference.items() if "Tilt" not in name)
    straightened = next(image for name, image in reference.items() if name.endswith("Eq_1"))
    return found, harmonise.image(found.volumes[0]), as_acquired, straightened, slices


def test_a_tilted_gantry_is_told_to_the_degree_that_the_header_declares(tilted):
    found, _, _, _, slices = tilted
    assert abs(found.series["gantry_tilt_degrees"]) == pytest.approx(
        abs(float(slices[0].GantryDetectorTilt)), abs=0.01
    )
    assert found.volumes[0]["resampling"] == "gantry-tilt+slice-spacing"


def test_a_tilted_ct_lies_on_the_grid_that_dcm2niix_straightens_it_to(tilted):
    _, ours, _, straightened, _ = tilted
    assert ours.shape == straightened.shape
    assert np.abs(ours.affine - straightened.affine).max() < AFFINE_MM


def test_a_tilted_ct_has_the_densities_that_dcm2niix_gives_it(tilted):
    _, ours, _, straightened, _ = tilted
    a, b = (np.asarray(image.dataobj).astype(np.int32) for image in (ours, straightened))
    # This scanner pads with -1500 outside its round field of view. On its edge one interpolates with the padding in
    # other ways than the other, so three voxels along it are left out: air, and where the head's holder ends.
    padding = np.minimum(a, b) < -1100
    for axis in (0, 1):
        padding = np.any([np.roll(padding, move, axis) for move in range(-3, 4)], axis=0)
    known = ~padding
    assert known.mean() > 0.5
    assert (np.abs(a - b)[known] > 2).mean() < 5e-4  # two interpolations, each rounded
    assert np.abs(a - b)[known].mean() < 0.5


def test_slices_of_a_tilted_ct_that_need_no_interpolation_are_as_acquired(tilted):
    """The first slice stays where it was: its voxels, at the places that its header says, are dcm2niix's own."""
    _, ours, as_acquired, _, slices = tilted
    first = min(slices, key=lambda ds: ds.ImagePositionPatient[2])
    ras = places_of(first) * [-1, -1, 1]
    to_voxels = np.linalg.inv(ours.affine)
    indices = ras @ to_voxels[:3, :3].T + to_voxels[:3, 3]
    whole = np.rint(indices).astype(int)
    assert np.abs(indices - whole).max() < 1e-2
    assert set(whole[..., 2].flat) == {0}
    found = np.asarray(ours.dataobj)[tuple(np.moveaxis(whole, -1, 0))]
    # dcm2niix stores rows from the last to the first, columns first.
    assert np.array_equal(found, np.asarray(as_acquired.dataobj)[:, ::-1, 0].T)
