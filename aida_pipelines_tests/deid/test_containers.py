"""Manufacturers' formats: their numbers come out, readable by others, and nothing else does."""

import struct
import warnings
import zlib

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aida_pipelines.contracts.profile import Container
from aida_pipelines.deid.containers import MAX_BYTES, rewritten
from aida_pipelines.deid.containers.number import is_number
from aida_pipelines.dicom.quiet import quiet_pydicom

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nibabel's reader of CSA headers calls itself experimental
    from nibabel.nicom import csareader

NAME = b"Svensson"
WANTED = frozenset({"B_value", "SliceNormalVector", "MosaicRefAcqTimes"})
SEQUENCE = b'sKSpace.lBaseResolution\t = \t64\nsSliceArray.ucMode = 0x4\ntProtocolName = ""Svensson""\n'
PROTOCOL = (
    b"<XProtocol> Svensson\n### ASCCONV BEGIN Svensson ###\n" + SEQUENCE + b'### ASCCONV END ###" Svensson'
)
KEYS = frozenset({"sKSpace.lBaseResolution", "sSliceArray.ucMode", "lDelayTimeInTR"})
BLOCK = b'SLICEORDER "1"\nSEDESC "Svensson"\nNOSLC "15"\nANATOMY "Svensson"\n'


def csa(*tags, magic=b"SV10\4\3\2\1", behind=b""):
    """A CSA header of (name, VR, items); what is unused holds the name of a person."""
    parts = [struct.pack("<8sLL", magic, len(tags), 77)]
    for name, vr, items in tags:
        filled = (name + b"\0").ljust(64, b"~").replace(b"~" * 8, NAME)
        parts.append(struct.pack("<64sL4sLLL", filled, len(items), vr + b"\0\0", 6, len(items), 77))
        for item in items:
            size = len(item)
            parts.append(struct.pack("<LLLL", size, size, 77, size) + item + b"S" * (-size % 4))
    return b"".join(parts) + behind


def protocol_block(text, file_name=b""):
    compress = zlib.compressobj(wbits=-15)
    packed = compress.compress(text) + compress.flush()
    head = b"\x1f\x8b\x08" + (b"\x08" if file_name else b"\0") + b"\0" * 4 + b"\0\x03"
    member = (
        head
        + (file_name + b"\0" if file_name else b"")
        + packed
        + struct.pack("<LL", zlib.crc32(text), len(text))
    )
    return struct.pack("<L", len(member)) + member


def read(value):
    return {name: tag["items"] for name, tag in csareader.read(value)["tags"].items()}


def test_the_wanted_numbers_of_a_csa_header_stay():
    value = csa(
        (b"ICE_Dims", b"LO", [NAME]),
        (b"B_value", b"IS", [b"1000    \0", b""]),
        (b"PatientName", b"PN", [NAME, NAME]),
        (b"SliceNormalVector", b"FD", [b"0.00000000\0", b"-0.98822836\0", b"1.5e-02\0"]),
        (b"MosaicRefAcqTimes", b"FD", []),
        behind=NAME,
    )
    after = rewritten(Container.SIEMENS_CSA, value, WANTED)
    assert read(after) == {
        "B_value": [1000],
        "SliceNormalVector": [0, -0.98822836, 0.015],
        "MosaicRefAcqTimes": [],
    }
    assert NAME not in after
    assert b"~" not in after


@pytest.mark.parametrize(
    "value",
    [
        csa((b"B_value", b"IS", [NAME])),
        csa((b"B_value", b"IS", [b"1000 " + NAME])),
        csa((b"B_value", b"IS", [b"1000\0" + NAME])),
        csa((b"B_value", b"IS", [b"191212121212"])),
        csa((b"B_value", b"IS", [b"20240131"])),
        csa((b"B_value", b"LO", [b"1000"])),
        csa((b"B_value", b"IS", [b"1"]), (b"B_value", b"IS", [b"2"])),
        csa((b"B_value", b"IS", [b"1000"]), (b"ICE_Dims", b"LO", [b"X"]))[:-6],
        csa((b"B_value", b"IS", [b"1000"]), magic=b"SV11\4\3\2\1"),
        csa((b"ICE_Dims", b"LO", [NAME])),
        NAME,
        b"",
    ],
)
def test_a_csa_header_in_which_anything_is_unexpected_goes(value):
    assert rewritten(Container.SIEMENS_CSA, value, WANTED) is None


def test_the_wanted_numbers_of_a_siemens_protocol_stay():
    expected = b"sKSpace.lBaseResolution\t = \t64\nsSliceArray.ucMode\t = \t0x4\n"
    bare = rewritten(Container.SIEMENS_PROTOCOL, PROTOCOL, KEYS)
    assert bare == b"<XProtocol>\n### ASCCONV BEGIN ###\n" + expected + b"### ASCCONV END ###\n"
    header = csa((b"UsedPatientWeight", b"DS", [b"70"]), (b"MrPhoenixProtocol", b"UN", [PROTOCOL, b""]))
    within = rewritten(Container.SIEMENS_CSA_PROTOCOL, header, KEYS)
    assert set(read(within)) == {"MrPhoenixProtocol"}
    assert bare.strip() in within
    assert NAME not in within


@pytest.mark.parametrize(
    "value",
    [
        PROTOCOL.replace(b"64", NAME),
        PROTOCOL.replace(b"64", b"191212121212"),
        PROTOCOL.replace(b"64", b"64 # Svensson"),
        PROTOCOL.replace(b"END", b"STOP"),
        PROTOCOL.replace(b"BEGIN", b"START"),
        b"",
    ],
)
def test_a_siemens_protocol_in_which_anything_is_unexpected_goes(value):
    assert rewritten(Container.SIEMENS_PROTOCOL, value, KEYS) is None
    assert (
        rewritten(Container.SIEMENS_CSA_PROTOCOL, csa((b"MrPhoenixProtocol", b"UN", [value])), KEYS) is None
    )


@pytest.mark.parametrize("text", [BLOCK, BLOCK + b"\n"])
def test_the_wanted_numbers_of_a_ge_protocol_stay(text):
    value = protocol_block(text, file_name=b"Ex4711Svensson")
    after = rewritten(Container.GE_PROTOCOL, value, frozenset({"SLICEORDER", "NOSLC", "VIEWORDER"}))
    assert int.from_bytes(after[:4], "little") == len(after) - 4
    assert len(after) % 2 == 0
    assert zlib.decompress(after[4:], wbits=31).split() == [b"SLICEORDER", b'"1"', b"NOSLC", b'"15"']
    assert NAME not in after


@pytest.mark.parametrize(
    "value",
    [
        protocol_block(BLOCK.replace(b'"15"', b'"Svensson"')),
        protocol_block(BLOCK.replace(b'"15"', b'"191212121212"')),
        protocol_block(BLOCK)[:-9],
        protocol_block(b'NOSLC "15"\n' * 200_000),
        protocol_block(b""),
        BLOCK,
        b"",
    ],
)
def test_a_ge_protocol_in_which_anything_is_unexpected_goes(value):
    assert rewritten(Container.GE_PROTOCOL, value, frozenset({"SLICEORDER", "NOSLC"})) is None


@pytest.mark.parametrize(("version", "shift", "ky"), [(24.0, 0, 0x394), (26.002, 0x4C, 0x394 - 0x8C)])
def test_of_a_ge_scan_header_flags_stay(version, shift, ky):
    value = bytearray(NAME * 200)
    offset = 40
    struct.pack_into("<H", value, 24, offset)
    struct.pack_into("<f", value, offset, version)
    struct.pack_into("<H", value, offset + shift + 0x3A, 0xFFFF)
    struct.pack_into("<H", value, offset + shift + 0x30, 0xFFFF)
    struct.pack_into("<H", value, offset + shift + ky, 1)
    after = rewritten(Container.GE_SCAN_HEADER, bytes(value), frozenset({"EPI", "POLARITY", "KY_DIRECTION"}))
    offset = struct.unpack_from("<H", after, 24)[0]
    assert struct.unpack_from("<f", after, offset)[0] == pytest.approx(version)
    flags = [struct.unpack_from("<H", after, offset + shift + place)[0] for place in (0x3A, 0x30, ky)]
    assert flags == [0x800, 4, 1]
    assert sum(byte != 0 for byte in after) <= 8
    assert rewritten(Container.GE_SCAN_HEADER, NAME * 200, frozenset({"EPI"})) is None
    assert rewritten(Container.GE_SCAN_HEADER, bytes(value[:60]), frozenset({"EPI"})) is None


def test_what_is_longer_than_any_real_one_is_not_read():
    assert rewritten(Container.SIEMENS_PROTOCOL, PROTOCOL + bytes(MAX_BYTES), KEYS) is None


@given(st.data())
def test_of_any_bytes_nothing_comes_out_but_names_and_numbers(data):
    sound, container, fields = data.draw(
        st.sampled_from(
            [
                (csa((b"B_value", b"IS", [b"1000"]), (b"X", b"LO", [NAME])), Container.SIEMENS_CSA, WANTED),
                (PROTOCOL, Container.SIEMENS_PROTOCOL, KEYS),
                (csa((b"MrPhoenixProtocol", b"UN", [PROTOCOL])), Container.SIEMENS_CSA_PROTOCOL, KEYS),
                (protocol_block(BLOCK), Container.GE_PROTOCOL, frozenset({"NOSLC"})),
            ]
        )
    )
    broken = bytearray(sound)
    for _ in range(data.draw(st.integers(0, 3))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    for value in (bytes(broken), data.draw(st.binary(max_size=300))):
        after = rewritten(container, value, fields)
        assert after is None or NAME[:4] not in after


@pytest.mark.shared
@pytest.mark.parametrize("folder", ["mr-siemens-mosaic", "mr-siemens-t1-sag", "mr-nih"])
def test_real_csa_headers_say_the_same_of_what_stays(dev_data, research, folder):
    fields = next(rule.fields for rule in research.private if rule.container is Container.SIEMENS_CSA)
    seen = 0
    with quiet_pydicom():
        for path in sorted(path for path in (dev_data / folder).rglob("*") if path.is_file()):
            element = pydicom.dcmread(path, stop_before_pixels=True).get((0x0029, 0x1010))
            if element is None:
                continue
            before, after = (
                read(element.value),
                read(rewritten(Container.SIEMENS_CSA, element.value, frozenset(fields))),
            )
            assert after == {name: before[name] for name in before if name in fields}
            assert len(after) > 8
            seen += 1
    assert seen


@pytest.mark.parametrize(
    "text", [b"", b"1", b"-1.", b".5", b"-0.03015368968072", b"1e-05", b"0x1F", b"9999999.9"]
)
def test_what_is_a_number(text):
    assert is_number(text)


@pytest.mark.parametrize(
    "text", [b"12345678", b"1.2.3", b"1 2", b"0xSven", b"0x12345678", b"1e400", b"nan", b"1\n", "١".encode()]
)
def test_what_is_none(text):
    assert not is_number(text)
