"""Contact sheets: what a person would see, the same bytes everywhere, nothing that a header can break."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from pydicom.data import get_testdata_file

from aida_pipelines.errors import Quarantine
from aida_pipelines.harmonise.preview import PICTURES, SIDE, Picture, Shot, contact_sheet, spread, take
from aida_pipelines_tests.harmonise.stacks import dicom_stack, save


def opened(png):
    image = Image.open(BytesIO(png))
    image.load()
    return image


def shown(ds, tmp_path):
    (path,) = save([ds], tmp_path)
    return take(Shot(path, 0, 1.0)).pixels


@settings(max_examples=25)
@given(st.data(), st.integers(1, 9), st.sampled_from([(), (3,)]), st.floats(0.1, 10))
def test_a_sheet_of_any_pictures_is_a_png_of_at_most_512_pixels(data, many, colours, aspect):
    sides = st.tuples(st.integers(1, 40), st.integers(1, 40))
    pictures = [
        Picture(data.draw(arrays.arrays(np.uint8, (*data.draw(sides), *colours))), aspect)
        for _ in range(many)
    ]
    sheet = opened(contact_sheet(pictures))
    assert 1 <= max(sheet.size) <= SIDE
    assert not sheet.info  # no text, no time
    assert contact_sheet(pictures) == contact_sheet(pictures)


@settings(max_examples=20)
@given(arrays.arrays(np.uint8, (SIDE, SIDE, 3), elements=st.integers(0, 255), fill=st.just(7)))
def test_the_pixels_of_a_picture_that_fits_come_back_unchanged(pixels):
    assert np.array_equal(np.asarray(opened(contact_sheet([Picture(pixels, 1.0)])).convert("RGB")), pixels)


def test_a_grey_sheet_is_stored_grey_and_a_coloured_one_in_colour():
    grey, red = np.full((8, 8), 90, np.uint8), np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 200
    assert opened(contact_sheet([Picture(grey, 1.0)])).mode == "L"
    assert opened(contact_sheet([Picture(grey, 1.0), Picture(red, 1.0)])).mode == "RGB"


def test_pictures_stand_in_reading_order():
    levels = [20, 60, 100, 140, 180]
    pixels = np.asarray(opened(contact_sheet([Picture(np.full((9, 9), n, np.uint8), 1.0) for n in levels])))
    cell = SIDE // 3
    assert [pixels[cell // 2 + at // 3 * cell, cell // 2 + at % 3 * cell] for at in range(5)] == levels


def test_a_tall_pixel_makes_a_tall_picture():
    sheet = np.asarray(opened(contact_sheet([Picture(np.full((10, 10), 255, np.uint8), 2.0)])))
    rows, columns = (sheet.max(axis=axis) > 0 for axis in (1, 0))
    assert rows.sum() == pytest.approx(2 * columns.sum(), abs=2)


@given(st.integers(1, 2_000))
def test_pictures_are_spread_evenly_over_a_series(many):
    chosen = spread(many)
    assert len(chosen) == min(many, PICTURES)
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(range(many))
    gaps = np.diff([-chosen[0] - 1, *chosen])
    assert max(gaps[1:], default=0) - min(gaps[1:], default=0) <= 1


def test_a_ct_is_shown_in_its_window(tmp_path):
    ds = dicom_stack(1)[2]
    ds.WindowCenter, ds.WindowWidth = "40", "400"
    picture, values = shown(ds, tmp_path), ds.pixel_array
    assert (picture[values < -160] == 0).all()
    assert (picture[values > 240] == 255).all()
    middle = (values >= -150) & (values <= 230)
    assert np.abs(picture[middle] - (values[middle] + 160) / 400 * 255).max() < 2


def test_a_window_that_shows_nothing_is_not_believed(tmp_path):
    ds = dicom_stack(1)[2]
    ds.WindowCenter, ds.WindowWidth = "30000", "2"
    assert np.ptp(shown(ds, tmp_path)) > 200


def test_monochrome1_is_shown_the_other_way_round(tmp_path):
    ds = dicom_stack(1)[2]
    plain = shown(ds, tmp_path / "a")
    ds.PhotometricInterpretation = "MONOCHROME1"
    assert np.array_equal(shown(ds, tmp_path / "b"), 255 - plain)


@pytest.mark.parametrize(
    "name", ["examples_palette.dcm", "examples_ybr_color.dcm", "SC_rgb_rle.dcm", "SC_rgb_jpeg_dcmtk.dcm"]
)
def test_colour_is_shown_in_colour_whatever_the_transfer_syntax(name):
    pixels = take(Shot(Path(get_testdata_file(name, download=False)), 0, 1.0)).pixels
    assert pixels.shape[2:] == (3,)
    assert np.ptp(pixels.astype(int), axis=2).max() > 0


def test_a_constant_image_is_a_picture_too(tmp_path):
    ds = dicom_stack(1)[2]
    del ds.WindowCenter, ds.WindowWidth
    ds.PixelData = bytes(len(ds.PixelData))
    assert np.ptp(shown(ds, tmp_path)) == 0


def test_an_image_that_cannot_be_decoded_is_held_without_its_decoders_words(tmp_path):
    ds = dicom_stack(1)[2]
    ds.PixelData = ds.PixelData[:10]
    (path,) = save([ds], tmp_path)
    with pytest.raises(Quarantine) as raised:
        take(Shot(path, 0, 1.0))
    assert raised.value.reason == "pixels-undecodable"
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
