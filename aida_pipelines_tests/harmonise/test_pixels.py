"""Encoded pixels → numbers: every transfer syntax by a decoder that is installed, and broken data held."""

from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from pydicom import dcmread
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import JPEG2000MC, JPEG2000MCLossless

from aida_pipelines.errors import Quarantine
from aida_pipelines.harmonise.pixels import _DECODERS, read_frame

FILES = Path(pydicom.data.__file__).parent / "test_files"

PART_2 = {JPEG2000MCLossless, JPEG2000MC}
"""Syntaxes for which pydicom has no decoder at all; their images are held as undecodable."""

UNDECODABLE = {
    "JPEG-lossy.dcm",  # 12 bits by Extended JPEG whose stream is of another process
    "JPEG2000-embedded-sequence-delimiter.dcm",  # a codestream cut by its own bytes
    "MR_truncated.dcm",  # fewer bytes than pixels
    "badVR.dcm",  # no number in Number of Frames
}


def test_every_decoder_that_the_table_names_is_installed():
    implemented = _DECODERS.keys() - PART_2
    assert len(implemented) == 12
    for syntax in implemented:
        assert _DECODERS[syntax] in get_decoder(syntax).available_plugins, syntax.name


def with_pixels():
    for path in sorted(FILES.glob("*.dcm")):
        ds = dcmread(path, force=True, stop_before_pixels=False)
        if "PixelData" in ds and ds.get("Rows"):
            yield path


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_all_that_pydicom_ships_can_be_decoded_but_what_is_broken():
    failed = set()
    for path in with_pixels():
        try:
            read_frame(path)
        except Quarantine:
            failed.add(path.name)
    assert failed == UNDECODABLE


@pytest.mark.parametrize(
    "compressed",
    ["MR_small_jpeg_ls_lossless.dcm", "MR_small_jp2klossless.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm",
     "MR_small_implicit.dcm", "MR_small_expb.dcm", "MR_small_padded.dcm"],
)  # fmt: skip
def test_the_same_image_in_another_lossless_syntax_has_the_same_numbers(compressed):
    assert np.array_equal(read_frame(FILES / compressed).values, read_frame(FILES / "MR_small.dcm").values)


def test_frames_that_the_header_does_not_declare_do_not_hide_the_first():
    assert read_frame(FILES / "MR_small_padded.dcm").values.shape == (64, 64)


def test_a_frame_that_is_not_there_is_held():
    with pytest.raises(Quarantine):
        read_frame(FILES / "MR_small.dcm", index=5)


def test_the_header_comes_without_its_pixels():
    frame = read_frame(FILES / "MR_small.dcm")
    assert "PixelData" not in frame.header
    assert frame.header.Rows == 64
