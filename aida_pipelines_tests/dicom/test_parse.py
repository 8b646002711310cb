"""The parser finds what pydicom finds, in every encoding, and never guesses past damage."""

import zlib
from io import BytesIO
from pathlib import Path

import pydicom
import pydicom.data
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement

from aida_pipelines.dicom.encode import encode_element, encode_file_meta, encode_item
from aida_pipelines.dicom.parse import (
    BIG,
    DEFLATED,
    EXPLICIT,
    EXPLICIT_LITTLE,
    IMPLICIT,
    MAX_DEPTH,
    parse_data_set,
    parse_file,
)
from aida_pipelines.dicom.quiet import quiet_pydicom
from aida_pipelines.errors import Quarantine

BUNDLED = Path(pydicom.data.__file__).parent / "test_files"
FILES = sorted(BUNDLED.rglob("*.dcm"))
SMALL_CT = BUNDLED / "CT_small.dcm"


def outcome_of(data):
    """What was parsed, or the reason why it wasn't. Any other exception is a failure of the test."""
    try:
        return parse_file(data)
    except Quarantine as outcome:
        return outcome.reason


def raw_values(data_set):
    """Tag and bytes of every top-level element that isn't a sequence, as pydicom reads them."""
    for stored in data_set.values():
        if isinstance(stored, RawDataElement) and isinstance(stored.value, bytes) and stored.VR != "SQ":
            yield int(stored.tag), stored.value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_finds_the_values_and_pixels_that_pydicom_finds(path):
    data = path.read_bytes()
    with quiet_pydicom():
        expected = pydicom.dcmread(BytesIO(data), force=True)
        parsed = outcome_of(data)
        if isinstance(parsed, str):
            # pydicom makes something of what has no SOP class and of what ends too early
            early = "truncated" in path.name
            # this one declares JPEG and is written in implicit VR
            held = {
                "pixel-data-truncated": early,
                "dicom-unreadable": early or path.name == "SC_rgb_jpeg.dcm",
            }
            assert held.get(parsed, "SOPClassUID" not in expected)
            return
        found = {element.tag: parsed.value(element) for element in parsed.elements if element.items is None}
        for tag, value in raw_values(expected):
            if tag < 0x7FE00008 and tag in found:
                assert found[tag] == value
        header = {tag for tag in map(int, list(expected.keys())) if tag < 0x7FE00008}
        assert header == {element.tag for element in parsed.elements}
        if "PixelData" in expected:
            span = parsed.pixels
            assert bytes(parsed.data[span.value : span.stop]).startswith(expected["PixelData"].value[:4096])


@pytest.mark.parametrize("encoding", [IMPLICIT, EXPLICIT, BIG])
def test_writes_what_it_reads(encoding):
    code = encode_element(0x00080100, "SH", b"113100", encoding)
    inner = encode_element(0x00081140, "SQ", encode_item(code, encoding) * 2, encoding)
    outer = encode_element(0x00080005, "CS", b"ISO_IR 100", encoding) + encode_element(
        0x00081111, "SQ", encode_item(inner, encoding), encoding
    )

    charset, sequence = parse_data_set(outer, encoding)

    assert outer[charset.start : charset.stop] == b"ISO_IR 100"
    (nested,) = sequence.items[0]
    assert [outer[item[0].start : item[0].stop] for item in nested.items] == [b"113100"] * 2


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_file_has_a_reason_and_nothing_else(data):
    source = bytearray(SMALL_CT.read_bytes()[:8000])
    for _ in range(data.draw(st.integers(0, 6))):
        source[data.draw(st.integers(0, len(source) - 1))] = data.draw(st.integers(0, 255))
    del source[data.draw(st.integers(0, len(source))) :]
    assert not isinstance(outcome_of(bytes(source)), str) or outcome_of(bytes(source)) in (
        "not-dicom",
        "dicom-unreadable",
        "pixel-data-truncated",
        "transfer-syntax-unknown",
    )


@given(st.binary(max_size=400))
def test_bytes_of_any_kind_have_a_reason_and_nothing_else(data):
    outcome_of(data)


def test_sequences_deeper_than_any_real_object_are_refused():
    content = b""
    for _ in range(MAX_DEPTH + 2):
        content = encode_element(0x00081140, "SQ", encode_item(content, EXPLICIT), EXPLICIT)
    with pytest.raises(Quarantine, match="dicom-unreadable"):
        parse_data_set(content, EXPLICIT)


def test_a_deflated_data_set_is_inflated():
    inner = encode_element(0x00080005, "CS", b"ISO_IR 100", EXPLICIT)
    compress = zlib.compressobj(wbits=-15)
    data = encode_file_meta("1.2", "1.3", DEFLATED) + compress.compress(inner) + compress.flush()

    parsed = parse_file(data)

    assert parsed.transfer_syntax == EXPLICIT_LITTLE
    assert parsed.value(parsed.elements[0]) == b"ISO_IR 100"


def test_a_deflated_data_set_that_never_ends_is_refused(monkeypatch):
    monkeypatch.setattr("aida_pipelines.dicom.parse.MAX_INFLATED", 1 << 16)
    compress = zlib.compressobj(wbits=-15)
    bomb = compress.compress(bytes(1 << 20)) + compress.flush()
    with pytest.raises(Quarantine, match="dicom-unreadable"):
        parse_file(encode_file_meta("1.2", "1.3", DEFLATED) + bomb)


@pytest.mark.parametrize("syntax", ["1.2.840.113619.5.2", "9.9.9"])
def test_a_transfer_syntax_that_is_not_the_standards_is_refused(syntax):
    body = encode_element(0x00080005, "CS", b"ISO_IR 100", EXPLICIT)
    with pytest.raises(Quarantine, match="transfer-syntax-unknown"):
        parse_file(encode_file_meta("1.2", "1.3", syntax) + body)


def test_pixel_data_beyond_the_end_of_the_file_are_truncated():
    with pytest.raises(Quarantine, match="pixel-data-truncated"):
        parse_file((BUNDLED / "MR_truncated.dcm").read_bytes())


@pytest.mark.parametrize("tag", ["feff00e0", "feff0de0", "feffdde0"])
def test_an_item_or_delimiter_where_an_element_must_be_is_damage(tag):
    element = bytes.fromhex("08006000") + b"\2\0\0\0CT"
    with pytest.raises(Quarantine, match="dicom-unreadable"):
        parse_data_set(element + bytes.fromhex(tag) + b"\0\0\0\0" + element, IMPLICIT)
