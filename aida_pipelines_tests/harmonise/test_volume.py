"""Volumes lie where the patient lay: every voxel is found again at its place, whatever the scanner's ways."""

import gzip

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import MRImageStorage, SecondaryCaptureImageStorage

from aida_pipelines.harmonise.geometry import assess
from aida_pipelines.harmonise.regrid import grid_of, regrid
from aida_pipelines.harmonise.volume import AIR_HU, space_of
from aida_pipelines.storage.objects import object_key
from aida_pipelines_tests.harmonise.stacks import (
    dicom_stack,
    lps,
    orientations,
    places_of,
    planes,
    steps_mm,
)


def real(image: nib.Nifti1Image) -> np.ndarray:
    return np.asarray(image.get_fdata(dtype=np.float64))


def found_at(image: nib.Nifti1Image, places: np.ndarray) -> np.ndarray:
    """Values of the voxels at patient coordinates (LPS); each must be a voxel's centre to 1e-2 of a voxel."""
    to_voxels = np.linalg.inv(np.diag([-1, -1, 1, 1]) @ image.affine)
    indices = places @ to_voxels[:3, :3].T + to_voxels[:3, 3]
    whole = np.rint(indices).astype(int)
    assert np.abs(indices - whole).max() < 1e-2
    return real(image)[tuple(np.moveaxis(whole, -1, 0))]


# --- every voxel at its place -----------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.data(), orientations(), st.tuples(steps_mm, steps_mm, steps_mm), st.integers(0, 99))
def test_any_orientation_flip_spacing_and_order_of_files_keeps_every_voxel_at_its_place(
    harmonise, data, directions, spacing, seed
):
    origin = data.draw(st.tuples(*[st.floats(-500, 500)] * 3))
    numbers = data.draw(st.permutations(range(5)))

    def number(ds, at):
        ds.InstanceNumber = numbers[at] + 1

    slices = dicom_stack(seed, directions=directions, spacing_mm=spacing, origin=origin, change=number)
    (volume,) = harmonise(data.draw(st.permutations(slices))).volumes
    image = harmonise.image(volume)

    for ds in slices:
        assert np.array_equal(found_at(image, places_of(ds)), ds.pixel_array)
    # The row, the sform and the qform say the same.
    assert np.abs(np.reshape(volume["affine"], (4, 4)) - image.affine).max() < 1e-3
    assert image.get_qform() == pytest.approx(image.get_sform(), abs=1e-3)
    assert (image.header["qform_code"], image.header["sform_code"]) == (1, 1)
    assert volume["shape"] == list(image.shape) == [12, 9, 5]
    assert volume["spacing_mm"] == pytest.approx(image.header.get_zooms(), rel=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.data(), orientations())
def test_the_order_of_files_does_not_change_a_byte(harmonise, data, directions):
    slices = dicom_stack(7, directions=directions)
    first, second = (harmonise(some).volumes for some in (slices, data.draw(st.permutations(slices))))
    assert first == second


def test_the_units_are_millimetres(harmonise):
    (volume,) = harmonise(dicom_stack(1)).volumes
    assert harmonise.image(volume).header.get_xyzt_units()[0] == "mm"


def test_the_file_holds_no_name_and_no_time(harmonise):
    (volume,) = harmonise(dicom_stack(1)).volumes
    data = harmonise.store.get(object_key(volume["object_sha256"], "nii.gz"))
    assert data[3] == 0  # flags: no name, no comment
    assert data[4:8] == bytes(4)  # no time
    assert nib.Nifti1Image.from_bytes(gzip.decompress(data)).header["descrip"].item() in (b"", b"ITK")


# --- straightened -----------------------------------------------------------------------------------


def field(places: np.ndarray, slopes: tuple[float, float, float]) -> np.ndarray:
    """A density that changes evenly through space: interpolation between its samples gives it back exactly."""
    return 300 + places @ np.array(slopes)


def sampled(stack_planes, slopes):
    """The field, as the scanner's slices would hold it: slices × rows × columns."""
    return np.stack(
        [
            field(
                np.array(p.position)
                + np.arange(p.rows)[:, None, None] * p.row_step * np.array(p.column)
                + np.arange(p.columns)[None, :, None] * p.column_step * np.array(p.row),
                slopes,
            )
            for p in stack_planes
        ]
    )


UNEVEN = ([0.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 20.0], [2.0] * 5 + [4.0] * 3)
EVEN = ([4.0 * number for number in range(8)], [4.0] * 8)


@settings(max_examples=40, deadline=None)
@given(
    orientations(), st.floats(-0.5, 0.5), st.sampled_from([EVEN, UNEVEN]), st.tuples(*[st.floats(-9, 9)] * 3)
)
def test_a_straightened_stack_holds_the_same_densities_at_the_same_places(
    directions, shear, protocol, slopes
):
    distances, thickness = protocol
    stack_planes = planes(
        distances, directions=directions, shear=shear, thickness=thickness, size=(24, 10), steps=(1.5, 2.0)
    )
    geometry = assess(stack_planes)
    stack, grid = geometry.stack, grid_of(geometry.stack)
    outside = -32_000
    voxels = regrid(np.rint(sampled(stack_planes, slopes)).astype(np.int32), stack, grid, outside=outside)
    assert voxels.shape == (grid.slices, grid.rows, 10)

    space = space_of(stack, grid)
    k, j, i = np.meshgrid(*(np.arange(n) for n in voxels.shape), indexing="ij")
    affine = lps(space.affine())
    # Rows are stored from the last to the first.
    places = np.stack([i, grid.rows - 1 - j, k], axis=-1) @ affine[:3, :3].T + affine[:3, 3]
    known = voxels != outside
    # Half a unit of rounding each: what the scanner stored, rows moved, slices put between.
    assert np.abs(voxels - field(places, slopes))[known].max() <= 1.51
    # Of a slice that lands between rows, its last row is beyond what is known; nothing else may be lost.
    assert known.any(axis=2).sum(axis=1).min() >= (23 if len(set(thickness)) == 1 else 20)


def test_fractions_of_a_unit_survive_straightening():
    stack_planes = planes([0.0, 4.0, 8.0], shear=0.3, size=(24, 10))
    stack, slopes = assess(stack_planes).stack, (0.01, 0.02, 0.03)
    grid = grid_of(stack)
    voxels = regrid(sampled(stack_planes, slopes).astype(np.float32), stack, grid, outside=-1024)
    first = np.array(stack.plane.position)
    k, j = np.meshgrid(np.arange(grid.slices), np.arange(grid.rows), indexing="ij")
    places = np.stack([0 * k, (grid.first_row + j) * 0.9, k * grid.step], axis=-1) + first
    known = voxels[..., 0] > -1024
    assert np.abs(voxels[..., 0] - field(places, slopes))[known].max() < 1e-3


def test_what_no_slice_of_a_tilted_ct_covers_is_air_or_the_scanners_own_padding(harmonise):
    def lean(ds, number):
        x, y, z = ds.ImagePositionPatient
        ds.ImagePositionPatient = [x, y + number, z]

    (volume,) = harmonise(dicom_stack(3, change=lean)).volumes
    assert volume["resampling"] == "gantry-tilt"
    assert volume["minimum"] == AIR_HU

    def pad(ds, number):
        lean(ds, number)
        pixels = ds.pixel_array.copy()
        pixels[0, 0] = -2000
        ds.PixelData = pixels.tobytes()

    (volume,) = harmonise(dicom_stack(3, change=pad)).volumes
    assert volume["minimum"] == -2000


def test_only_ct_is_straightened_for_only_there_what_lies_beside_the_slices_is_known(harmonise):
    def lean(ds, number):
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = MRImageStorage
        ds.Modality = "MR"
        x, y, z = ds.ImagePositionPatient
        ds.ImagePositionPatient = [x, y + number, z]

    found = harmonise(dicom_stack(3, change=lean))
    assert found.volumes == []
    assert found.series["geometry_verdict"] == "volume"
    assert found.series["volume_reason"] == "resampling-only-for-ct"


# --- values -----------------------------------------------------------------------------------------


def mr(ds):
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = MRImageStorage
    ds.Modality = "MR"
    del ds.RescaleType
    ds.PixelRepresentation = 0
    ds.PixelData = (ds.pixel_array.view(np.int16).astype(np.int32) + 1024).astype("<u2").tobytes()


def rescaled(slope, intercept):
    def change(ds, number):
        ds.RescaleSlope, ds.RescaleIntercept = str(slope), str(intercept)

    return change


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype"),
    [(1, -1024, "int16"), (2, 0, "int16"), (0.5, 3.25, "float32"), (100, 0, "int32")],
)
def test_ct_is_in_hounsfield_units_whatever_the_scanner_stores(harmonise, slope, intercept, dtype):
    slices = dicom_stack(5, change=rescaled(slope, intercept))
    (volume,) = harmonise(slices).volumes
    image = harmonise.image(volume)
    for ds in slices:
        assert np.array_equal(found_at(image, places_of(ds)), ds.pixel_array * float(slope) + intercept)
    assert (volume["unit"], volume["slope"], volume["intercept"], volume["dtype"]) == ("HU", 1.0, 0.0, dtype)
    assert (volume["minimum"], volume["maximum"]) == (real(image).min(), real(image).max())


def test_ct_whose_slices_have_scales_of_their_own_is_one_volume_in_hounsfield_units(harmonise):
    slices = dicom_stack(5, change=lambda ds, number: rescaled(1 + number, -number)(ds, number))
    image = harmonise.image(harmonise(slices).volumes[0])
    for number, ds in enumerate(slices):
        assert np.array_equal(found_at(image, places_of(ds)), ds.pixel_array * (1 + number) - number)


@pytest.mark.parametrize(("kind", "unit"), [("US", None), ("HU", "HU"), (None, "HU")])
def test_the_unit_is_hounsfield_unless_the_header_says_another(harmonise, kind, unit):
    def change(ds, number):
        ds.RescaleType = kind

    (volume,) = harmonise(dicom_stack(5, change=change)).volumes
    assert volume["unit"] == unit


def test_ct_without_a_rescale_is_in_no_unit(harmonise):
    def change(ds, number):
        del ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType

    (volume,) = harmonise(dicom_stack(5, change=change)).volumes
    assert volume["unit"] is None


def test_mr_keeps_what_is_stored_and_the_header_says_the_scale(harmonise):
    def change(ds, number):
        mr(ds)
        ds.RescaleSlope, ds.RescaleIntercept = "0.25", "-3"

    slices = dicom_stack(6, change=change)
    (volume,) = harmonise(slices).volumes
    image = harmonise.image(volume)
    stored = np.asarray(image.dataobj.get_unscaled())
    assert stored.max() == max(ds.pixel_array.max() for ds in slices)
    for ds in slices:
        assert np.array_equal(found_at(image, places_of(ds)), ds.pixel_array * 0.25 - 3)
    assert (volume["unit"], volume["slope"], volume["intercept"]) == (None, 0.25, -3.0)
    assert (volume["minimum"], volume["maximum"]) == (real(image).min(), real(image).max())


def test_mr_whose_slices_have_scales_of_their_own_is_put_on_one_scale(harmonise):
    def change(ds, number):
        mr(ds)
        ds.RescaleSlope, ds.RescaleIntercept = str(0.5 + number), "1"

    slices = dicom_stack(6, change=change)
    image = harmonise.image(harmonise(slices).volumes[0])
    for number, ds in enumerate(slices):
        assert np.array_equal(found_at(image, places_of(ds)), ds.pixel_array * (0.5 + number) + 1)


@pytest.mark.parametrize("modality", ["CT", "MR"])
@pytest.mark.parametrize("slope", ["0", "1E300", "-1"])
def test_a_scale_that_makes_no_sense_is_never_hidden(harmonise, modality, slope):
    """What the file says is what its row says; NIfTI readers take a slope of 0 for none."""

    def change(ds, number):
        if modality == "MR":
            mr(ds)
        ds.RescaleSlope, ds.RescaleIntercept = slope, "5"

    slices = dicom_stack(6, change=change)
    found = harmonise(slices)
    if slope == "1E300":  # beyond what a NIfTI file can hold
        assert found.volumes == []
        assert found.series["volume_reason"] == "rescale-out-of-range"
        return
    image = harmonise.image(found.volumes[0])
    for ds in slices:
        assert np.array_equal(found_at(image, places_of(ds)), ds.pixel_array * float(slope) + 5)
    assert found.volumes[0]["minimum"] == real(image).min()
    assert found.volumes[0]["maximum"] == real(image).max()


# --- no volume --------------------------------------------------------------------------------------


def test_pixels_that_are_cut_off_make_the_series_undecodable(harmonise):
    def change(ds, number):
        if number == 3:
            ds.PixelData = ds.PixelData[:20]

    found = harmonise(dicom_stack(2, change=change))
    assert found.volumes == []
    assert found.series["geometry_verdict"] == "undecodable"
    assert found.series["volume_reason"] == "pixels-undecodable"


def test_a_header_that_declares_enormous_images_costs_no_memory(harmonise):
    def change(ds, number):
        ds.Rows = ds.Columns = 65_535

    found = harmonise(dicom_stack(2, slices=400, change=change))
    assert found.series["geometry_verdict"] == "undecodable"


@pytest.mark.parametrize(
    ("sop_class", "reason"),
    [(SecondaryCaptureImageStorage, "not-ct-or-mr"), ("1.2.840.10008.5.1.4.1.1.128", "not-ct-or-mr")],
)
def test_other_kinds_of_images_are_no_volumes_yet(harmonise, sop_class, reason):
    def change(ds, number):
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = sop_class

    found = harmonise(dicom_stack(2, change=change))
    assert (found.volumes, found.series["volume_reason"]) == ([], reason)


def test_a_colour_picture_is_no_volume(harmonise):
    def change(ds, number):
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
        ds.PixelData = bytes(9 * 12 * 3)

    found = harmonise(dicom_stack(2, change=change))
    assert (found.volumes, found.series["volume_reason"]) == ([], "colour")
