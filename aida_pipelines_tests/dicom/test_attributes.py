"""Values for a table's row: typed, and None where a header holds nonsense."""

from datetime import date
from pathlib import Path

import pydicom.data
import pytest

from aida_pipelines.dicom.attributes import Attributes
from aida_pipelines.dicom.encode import encode_element, encode_file_meta, encode_item
from aida_pipelines.dicom.parse import EXPLICIT, EXPLICIT_LITTLE, parse_file
from aida_pipelines.dicom.values import decode_text, parse_age, parse_date

BUNDLED = Path(pydicom.data.__file__).parent / "test_files"


def attributes_of(*elements):
    data = b"".join(encode_element(tag, vr, value, EXPLICIT) for tag, vr, value in elements)
    return Attributes(parse_file(encode_file_meta("1.2", "1.3", EXPLICIT_LITTLE) + data))


def test_a_ct_slice():
    ct = Attributes(parse_file((BUNDLED / "CT_small.dcm").read_bytes()))
    assert ct.first("Modality") == "CT"
    assert list(ct.values("ImageType")) == ["ORIGINAL", "PRIMARY", "AXIAL"]
    assert ct.first("Rows") == 128
    assert list(ct.values("PixelSpacing")) == [0.661468, 0.661468]
    assert ct.first("InstanceNumber") == 1
    assert ct.first("StudyDate") == date(2004, 1, 19)
    assert ct.first("PatientAge") == 0.0
    assert ct.first("EchoTime") is None


def test_big_endian_numbers():
    mr = Attributes(parse_file((BUNDLED / "MR_small_bigendian.dcm").read_bytes()))
    assert (mr.first("Rows"), mr.first("Columns")) == (64, 64)


def test_what_enhanced_objects_say_for_all_frames():
    spacing = encode_element(0x00280030, "DS", b"0.5\\0.5", EXPLICIT)
    measures = encode_element(0x00289110, "SQ", encode_item(spacing, EXPLICIT), EXPLICIT)
    shared = (0x52009229, "SQ", encode_item(measures, EXPLICIT))
    assert list(attributes_of((0x00080060, "CS", b"MR"), shared).values("PixelSpacing")) == [0.5, 0.5]


def test_nonsense_is_no_value():
    found = attributes_of(
        (0x00080020, "DA", b"20231301"),
        (0x00101010, "AS", b"old "),
        (0x00180050, "DS", b"thick "),
        (0x00200013, "IS", b"nan "),
    )
    for keyword in ("StudyDate", "PatientAge", "SliceThickness", "InstanceNumber", "NoSuchKeyword"):
        assert found.first(keyword) is None


@pytest.mark.parametrize(("text", "years"), [("045Y", 45), ("006M", 0.5), ("052W", 0.9966), ("000D", 0)])
def test_ages(text, years):
    assert parse_age(text) == pytest.approx(years, abs=1e-4)


def test_dates_of_old_devices():
    assert parse_date("1993.08.22") == date(1993, 8, 22)


def test_text_in_its_character_set():
    assert decode_text("Åsa Öst".encode("latin-1"), "LO", ["latin-1"]) == "Åsa Öst"
    assert decode_text("Åsa Öst".encode(), "LO", ["utf-8"]) == "Åsa Öst"
