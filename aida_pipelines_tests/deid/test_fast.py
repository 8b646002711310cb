"""With a memory and without: the same bytes, the same changes, the same reasons."""

from collections import Counter
from pathlib import Path

import pydicom.data
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aida_pipelines.contracts.profile import DateMode
from aida_pipelines.deid.engine import Deidentifier
from aida_pipelines.deid.fast import FastDeidentifier
from aida_pipelines.deid.instance import chunks
from aida_pipelines.dicom.encode import encode_element, encode_item
from aida_pipelines.dicom.parse import EXPLICIT
from aida_pipelines.errors import Quarantine
from aida_pipelines.storage.objects import mapped

BUNDLED = sorted((Path(pydicom.data.__file__).parent / "test_files").rglob("*.dcm"))


@pytest.fixture(scope="module")
def both(pseudonyms, cleaners):
    """``both(profile)``: the plain de-identifier and one that remembers."""
    return lambda profile: [
        kind(profile, pseudonyms, *cleaners, issuer="site") for kind in (Deidentifier, FastDeidentifier)
    ]


def outcome(one, source, reviewed):
    try:
        result = one.deidentify(source, pixels_reviewed=reviewed)
    except Quarantine as held:
        return held.reason
    whole = b"".join(result.parts)
    assert b"".join(chunks(result)) == whole
    return whole, result.subject, Counter(result.changes)


def agree(pair, source, times=2):
    for _ in range(times):
        plain, fast = (outcome(one, source, reviewed=True) for one in pair)
        assert plain == fast
    return plain


def test_files_of_all_kinds(both, any_profile):
    pair = both(any_profile)
    for path in [*BUNDLED, *BUNDLED]:
        agree(pair, path.read_bytes(), times=1)


def test_a_series_is_remembered(both, research, instance):
    plain, fast = both(research)
    for number in range(40):
        varying = {
            0x00200013: ("IS", str(number).encode()),
            0x00080018: ("UI", f"1.2.752.1.{number}".encode()),
        }
        private = {0x00090010: ("LO", b"ACME"), 0x00091001: ("LO", b"Anna" + bytes(2 * number))}
        source = instance(varying | private)
        assert outcome(fast, source, False) == outcome(plain, source, False)


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.4"),
        (0x00100020, "LO", b"47-11"),
        (0x00100021, "LO", b"Region X"),
        (0x00100024, "SQ", encode_item(encode_element(0x00400032, "UT", b"1.2.752", EXPLICIT), EXPLICIT)),
        (0x00080060, "CS", b"MR"),
        (0x00080070, "LO", b"GE"),
        (0x00080005, "CS", b"ISO_IR 192"),
        (0x00280301, "CS", b"YES"),
        (0x00080008, "CS", b"DERIVED\\SECONDARY\\SCREEN SAVE"),
        (0x0020000D, "UI", b"1.2.752.9"),
        (0x0020000E, "UI", b""),
        (0x00280010, "US", b"\x02\0"),
    ],
)
def test_what_decides_is_never_taken_from_another_instance(both, any_profile, instance, tag, vr, value):
    plain, fast = both(any_profile)
    common = {
        0x00280011: ("US", b"\x02\0"),
        0x00081030: ("LO", "CT hjärna".encode()),
        0x00080020: ("DA", b"20240102"),
    }
    fast.deidentify(instance(common))
    changed = instance(common | {tag: (vr, value)})
    assert outcome(fast, changed, False) == outcome(plain, changed, False)


@pytest.mark.parametrize("mode", DateMode)
def test_dates_of_every_way_and_subject(both, research, instance, mode):
    plain, fast = both(research.model_copy(update={"dates": mode}))
    for patient in (b"47-11", b"47-12", b"47-11"):
        for day in (b"20240102", b"20240103", b"20240102"):
            source = instance(
                {0x00100020: ("LO", patient), 0x00080020: ("DA", day), 0x00080030: ("TM", b"1011")}
            )
            assert outcome(fast, source, False) == outcome(plain, source, False)


def test_a_private_attribute_goes_with_its_creator(both, research, instance):
    plain, fast = both(research)
    for creator in (b"SIEMENS MR HEADER", b"ACME", b"SIEMENS MR HEADER", b""):
        source = instance({0x00190010: ("LO", creator), 0x0019100C: ("IS", b"1000")})
        whole, *_ = outcome(fast, source, False)
        assert (whole, *_) == outcome(plain, source, False)
        assert (encode_element(0x0019100C, "IS", b"1000", EXPLICIT) in whole) == (
            creator == b"SIEMENS MR HEADER"
        )


def test_offset_tables_are_held_against_each_file(both, any_profile, instance):
    plain, fast = both(any_profile)
    for offset in (0, 1 << 40, 8):
        source = instance() + encode_element(0x7FE00001, "OV", offset.to_bytes(8, "little"), EXPLICIT)
        assert outcome(fast, source, False) == outcome(plain, source, False)


def test_frames_are_walked_in_each_file(both, any_profile, instance):
    plain, fast = both(any_profile)
    geometry = {0x00280010: ("US", b"\2\0"), 0x00280011: ("US", b"\2\0"), 0x00280100: ("US", b"\x08\0")}
    for behind in (b"", b"Anna Svensson", b"\0\0"):
        pixels = encode_element(0x7FE00010, "OB", b"\1\2\3\4" + behind, EXPLICIT)
        whole, *_ = outcome(fast, instance(geometry) + pixels, False)
        assert (whole, *_) == outcome(plain, instance(geometry) + pixels, False)
        assert b"Svensson" not in whole


def test_when_all_is_forgotten_nothing_changes(both, research, monkeypatch):
    monkeypatch.setattr("aida_pipelines.deid.fast.MAX_REMEMBERED", 5000)
    pair = both(research)
    for path in BUNDLED[:30]:
        agree(pair, path.read_bytes())


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_mutated_files(both, research, instance, data):
    names = ("CT_small.dcm", "MR_small.dcm", "MR_small_implicit.dcm", "nested_priv_SQ.dcm", "JPEG2000.dcm")
    sources = [path.read_bytes() for path in BUNDLED if path.name in names]
    sources.append(
        instance({0x00091001: ("LO", b"Anna")}) + encode_element(0x7FE00010, "OW", b"\1\2", EXPLICIT)
    )
    pair = test_mutated_files.__dict__.setdefault("pair", both(research))
    source = bytearray(data.draw(st.sampled_from(sources)))
    agree(pair, bytes(source), times=1)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(128, min(len(source) - 1, 6000)))
        source[place] = data.draw(st.sampled_from([0, 1, 2, 8, 16, 32, 0x41, 0x5C, 0x7F, 0xFE, 0xFF]))
    agree(pair, bytes(source))


@pytest.mark.shared
def test_the_development_data(both, research, dev_data):
    pair = both(research)
    for path in sorted(path for path in dev_data.rglob("*") if path.is_file()):
        agree(pair, path.read_bytes(), times=1)


@pytest.mark.slow
def test_a_file_of_4_gb_passes_through_in_little_memory(deidentifier, research, instance, tmp_path):
    rows = columns = 0xC000
    size = (rows // 2) * columns * 3
    pixel_head = bytes.fromhex("e07f1000") + b"OB\0\0" + size.to_bytes(4, "little")
    geometry = {
        0x00280002: ("US", b"\3\0"),
        0x00280010: ("US", (rows // 2).to_bytes(2, "little")),
        0x00280011: ("US", columns.to_bytes(2, "little")),
        0x00280100: ("US", b"\x08\0"),
    }
    head = instance(geometry) + pixel_head
    path = tmp_path / "big.dcm"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + size)
    result = deidentifier(research).deidentify(mapped(path))
    before, most, passed = resident(), 0, 0
    for piece in chunks(result):
        passed += len(piece)
        assert len(bytes(piece)) == len(piece)
        most = max(most, resident() - before)
    assert passed == len(result.header) + len(pixel_head) + size
    assert most < 50 << 20


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
