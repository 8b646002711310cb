"""Private attributes: table E.3.10-1 itself, read from its CSV, and what profiles vouch for."""

import csv
import gzip
import struct
import zlib
from pathlib import Path

import pytest
from pydantic import ValidationError
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_sequence

from aida_pipelines.contracts.profile import Action, PrivateRule
from aida_pipelines.deid.honest import is_honest
from aida_pipelines.deid.private import PrivateRules
from aida_pipelines.dicom.encode import encode_element, encode_file_meta, encode_item
from aida_pipelines.dicom.parse import EXPLICIT, IMPLICIT, IMPLICIT_LITTLE, parse_data_set
from aida_pipelines.dicom.quiet import quiet_pydicom
from aida_pipelines_tests.deid.conftest import load_profile

CSV = Path(__file__).parents[2] / "data_contracts" / "standards" / "ps3_15_e3_10_1.csv"
TABLE = list(csv.DictReader(CSV.open(encoding="utf-8", newline="")))
KEPT_AS = {"UI": Action.REMAP_UID, **dict.fromkeys(("LO", "SH", "ST", "LT"), Action.CLEAN_TEXT)}


@pytest.mark.parametrize("block", [0x10, 0xA7])
def test_every_safe_attribute_stays_by_its_vr_whatever_the_block(research, basic, block):
    assert len(TABLE) == 479
    taken, without = PrivateRules(research), PrivateRules(basic)
    for row in TABLE:
        tag = int(row["tag"][1:5], 16) << 16 | block << 8 | int(row["tag"][8:10], 16)
        vr = row["vr"] or "FD"
        assert taken.resolve(row["private_creator"], tag, vr) == (KEPT_AS.get(vr, Action.KEEP), vr), row
        assert taken.resolve("ANOTHER " + row["private_creator"], tag, vr)[0] is Action.REMOVE
        assert without.resolve(row["private_creator"], tag, vr)[0] is Action.REMOVE
        if not row["vr"]:
            assert taken.resolve(row["private_creator"], tag, "UN")[0] is Action.REMOVE


def test_a_creator_stays_if_something_of_its_block_does(deidentifier, research, instance, read):
    private = {
        0x00190011: ("LO", b"SIEMENS MR HEADER"),
        0x0019110C: ("IS", b"1000"),
        0x00191108: ("CS", b"IMAGE NUM 4"),
        0x00290010: ("LO", b"SIEMENS CSA HEADER"),
        0x00291010: ("OB", b"Svensson"),
    }
    with quiet_pydicom():
        after = read(deidentifier(research).deidentify(instance(private)))
        assert after[0x00190011].value == "SIEMENS MR HEADER"
        assert int(after[0x0019110C].value) == 1000
    assert {int(element.tag) for element in after if element.tag.is_private} == {0x00190011, 0x0019110C}


def test_a_name_that_calls_itself_a_number_goes(deidentifier, research, instance):
    lies = {
        0x00190011: ("LO", b"SIEMENS MR HEADER"),
        0x0019110C: ("IS", b"Svensson"),
        0x0019110E: ("FD", b"Svensson"),
        0x00189087: ("FD", b"Svensson"),
        0x00101030: ("DS", b"191212121212"),
        0x00101010: ("LT", b"Svensson"),
    }
    header = deidentifier(research).deidentify(instance(lies)).header
    assert b"vensson" not in header
    assert b"191212121212" not in header


@pytest.mark.parametrize("digits", [b"191212121212", b"1212121212", b"19121212", b"20240131", b"+20240131.0"])
def test_a_number_that_is_a_persons_or_a_date_goes(digits):
    assert not is_honest(digits, "IS", 0x00200013)
    assert not is_honest(b"1\\" + digits, "DS", 0x00181030)


PRIVATE = 0x00191001


@pytest.mark.parametrize("digits", [b"20241331", b"2024013", b"202401310", b"-1", b"1.", b""])
def test_other_numbers_stay(digits):
    assert is_honest(digits, "IS", PRIVATE)


VALUES = {
    "AT": b"\x08\0\x10\0", "CS": b"AXIAL", "DS": b"1.5", "FD": struct.pack("<d", 1.5), "FL": struct.pack("<f", 1.5),
    "IS": b"7", "LO": b"T1 Svensson", "LT": b"T1 Svensson", "OB": b"\0\1\2\3", "OW": b"\0\1\2\3", "SH": b"T1 Svensson",
    "SL": b"\7\0\0\0", "SS": b"\7\0", "ST": b"T1 Svensson", "UI": b"1.2.752.1.1.3", "UL": b"\7\0\0\0", "US": b"\7\0",
}  # fmt: skip
ITEM = (
    encode_element(0x00080100, "SH", b"T-D0050", EXPLICIT)
    + encode_element(0x00080102, "SH", b"SRT", EXPLICIT)
    + encode_element(0x00100010, "PN", b"Svensson^Anna", EXPLICIT)
    + encode_element(0x00190010, "LO", b"SIEMENS MR HEADER", EXPLICIT)
    + encode_element(0x00191008, "CS", b"SVENSSON", EXPLICIT)
    + encode_element(0x0019100C, "IS", b"1000", EXPLICIT)
)


@pytest.fixture(scope="module")
def taken(deidentifier, research):
    return deidentifier(research)


@pytest.mark.parametrize("depth", [0, 3])
@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row['private_creator']} {row['tag']}")
def test_every_safe_attribute_comes_out_at_every_depth(taken, instance, read, pseudonyms, row, depth):
    vr = row["vr"] or "FD"
    value = encode_item(ITEM, EXPLICIT) if vr == "SQ" else VALUES[vr]
    group, low = int(row["tag"][1:5], 16), int(row["tag"][8:10], 16)
    place, inner = group << 16 | 0x4200 | low, group << 16 | 0x42
    elements = {inner: ("LO", row["private_creator"].encode()), place: (vr, value)}
    for _ in range(depth):
        body = b"".join(encode_element(tag, *elements[tag], EXPLICIT) for tag in sorted(elements))
        elements = {0x00081140: ("SQ", encode_item(body, EXPLICIT))}
    result = taken.deidentify(instance(elements))
    assert b"vensson" not in result.header.lower()
    with quiet_pydicom():
        data_set = read(result)
        for _ in range(depth):
            data_set = data_set.ReferencedImageSequence[0]
        assert data_set[inner].value == row["private_creator"]
        after = data_set[place]
        if vr == "SQ":
            (item,) = after.value
            assert (item.CodeValue, item.PatientName) == ("T-D0050", "")
            assert {int(inside.tag) for inside in item if inside.tag.is_private} == {0x00190010, 0x0019100C}
        elif vr == "UI":
            assert after.value == pseudonyms.uid("1.2.752.1.1.3")
        elif vr in ("LO", "LT", "SH", "ST"):
            assert after.value == "T1"
        else:
            assert encode_element(place, vr, value, EXPLICIT) in result.header


@pytest.mark.parametrize("creator", [b"SIEMENS MR HEADER", b"SIEMENS MR HEADER \0", b"  SIEMENS MR HEADER "])
def test_blanks_around_a_creator_do_not_matter(deidentifier, research, instance, read, creator):
    after = read(
        deidentifier(research).deidentify(
            instance({0x00190010: ("LO", creator), 0x0019100C: ("IS", b"1000")})
        )
    )
    assert after[0x0019100C].value == 1000
    assert after[0x00190010].value == "SIEMENS MR HEADER"


@pytest.mark.parametrize(
    "creator", [b"Siemens MR Header", b"SIEMENS MR HEADER 2", b"SIEMENS  MR HEADER", b""]
)
def test_another_spelling_is_another_creator(deidentifier, research, instance, creator):
    result = deidentifier(research).deidentify(
        instance({0x00190010: ("LO", creator), 0x0019100C: ("IS", b"1000")})
    )
    assert encode_element(0x0019100C, "IS", b"1000", EXPLICIT) not in result.header
    assert creator not in result.header or not creator


def test_the_same_block_belongs_to_different_creators_in_different_groups(
    deidentifier, research, instance, read
):
    elements = {
        0x00190010: ("LO", b"SIEMENS MR HEADER"),
        0x0019100C: ("IS", b"1000"),
        0x00210010: ("LO", b"ACME"),
        0x0021100C: ("IS", b"1000"),
        0x00250010: ("LO", b"GEMS_SERS_01"),
        0x00251007: ("SL", b"\7\0\0\0"),
    }
    after = read(deidentifier(research).deidentify(instance(elements)))
    private = {int(element.tag) for element in after if element.tag.is_private}
    assert private == {0x00190010, 0x0019100C, 0x00250010, 0x00251007}


def test_a_creator_may_come_after_its_elements_but_two_may_not_claim_one_block(
    deidentifier, research, instance
):
    value = encode_element(0x0019100C, "IS", b"1000", EXPLICIT)
    creator = encode_element(0x00190010, "LO", b"SIEMENS MR HEADER", EXPLICIT)
    other = encode_element(0x00190010, "LO", b"ACME", EXPLICIT)
    sound = instance()
    for kept, tail in (
        (True, value + creator),
        (True, creator + value + creator),
        (False, other + value + creator + value),
        (False, creator + value + other),
    ):
        assert (value in deidentifier(research).deidentify(sound + tail).header) is kept


def test_the_block_of_a_data_set_is_not_that_of_its_items(deidentifier, research, instance):
    value = encode_element(0x0019100C, "IS", b"1000", EXPLICIT)
    elements = {
        0x00190010: ("LO", b"SIEMENS MR HEADER"),
        0x0019100E: ("FD", bytes(24)),
        0x00081140: ("SQ", encode_item(value, EXPLICIT)),
    }
    assert value not in deidentifier(research).deidentify(instance(elements)).header


STACKS = 0x2001103A
"""(2001,xx3A) of Philips Imaging DD 002 is a sequence that is safe."""


def sequence_in_implicit_vr(times=1):
    """Its value, ``times`` levels deep, as it is written where no VR is."""
    item = (
        encode_element(0x00080100, "SH", b"T-D0050", IMPLICIT)
        + encode_element(0x00080102, "SH", b"SRT", IMPLICIT)
        + encode_element(0x00100010, "PN", b"Svensson^Anna", IMPLICIT)
        + encode_element(0x20010010, "LO", b"Philips Imaging DD 002", IMPLICIT)
        + encode_element(0x20011002, "FD", struct.pack("<d", 1.5), IMPLICIT)
        + encode_element(0x20011009, "LO", b"Svensson", IMPLICIT)
    )
    value = encode_item(item, IMPLICIT)
    for _ in range(times - 1):
        creator = encode_element(0x20010010, "LO", b"Philips Imaging DD 002", IMPLICIT)
        value = encode_item(creator + encode_element(STACKS, "SQ", value, IMPLICIT), IMPLICIT)
    return value


@pytest.mark.parametrize("times", [1, 3])
def test_a_safe_sequence_that_nothing_calls_one_is_gone_through(
    deidentifier, research, instance, read, times
):
    value = sequence_in_implicit_vr(times)
    source = instance({0x20010010: ("LO", b"Philips Imaging DD 002"), STACKS: ("UN", value)})
    result = deidentifier(research).deidentify(source)
    implicit = deidentifier(research).deidentify(in_implicit_vr(source))
    for after in (result, implicit):
        assert b"vensson" not in after.header
        with quiet_pydicom():
            data_set = read(after)
            for _ in range(times):
                element = data_set[STACKS]
                if element.VR == "UN":  # pydicom doesn't know it; what is UN is implicit VR inside
                    element = convert_raw(element)
                (data_set,) = element.value
            assert data_set.CodeValue == "T-D0050"
            assert data_set.PatientName == ""
            number = data_set[0x20011002].value
            assert number in (1.5, struct.pack("<d", 1.5))


@pytest.mark.parametrize("damage", [lambda value: value[:-1] + b"\0\0\0", lambda value: b"Svensson" + value])
def test_a_safe_sequence_that_is_none_goes(deidentifier, research, instance, damage):
    value = damage(sequence_in_implicit_vr())
    source = instance({0x20010010: ("LO", b"Philips Imaging DD 002"), STACKS: ("UN", value)})
    for one in (source, in_implicit_vr(source)):
        header = deidentifier(research).deidentify(one).header
        assert b"Philips" not in header
        assert b"vensson" not in header


def in_implicit_vr(source):
    """The same instance in implicit VR."""
    start = 132 + 12 + int.from_bytes(source[140:144], "little")
    elements = parse_data_set(source[start:], EXPLICIT)
    body = b"".join(
        encode_element(one.tag, one.vr, source[start:][one.start : one.stop], IMPLICIT) for one in elements
    )
    return encode_file_meta("1.2.840.10008.5.1.4.1.1.2", "1.2.752.1.1.3", IMPLICIT_LITTLE) + body


def convert_raw(element):
    """A UN element's items as pydicom reads them."""
    buffer = DicomBytesIO(element.value)
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    element.value = read_sequence(buffer, True, True, len(element.value), "latin-1")
    return element


RULES = {
    "number": {"creator": "ACME", "attributes": ["(0009,xx01)"], "vr": "DS"},
    "binary": {"creator": "ACME", "attributes": ["(0009,xx02)"], "vr": "SL"},
    "text": {"creator": "ACME", "attributes": ["(0009,xx03)"], "vr": "LO", "values": ["p#", "A->P", "#*#"]},
    "code": {"creator": "ACME", "attributes": ["(0009,xx04)"], "vr": "CS", "values": ["M", "ND"]},
    "double": {"creator": "ACME", "attributes": ["(0009,xx05)"], "vr": "FD"},
    "bytes": {
        "creator": "ACME", "attributes": ["(0009,xx06)"], "vr": "OB", "container": "ge-protocol", "fields": ["NOSLC"],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def vouching(basic):
    """The strictest profile with rules for private attributes of its own."""
    common = {"action": "keep", "reason": "a test", "source": "a test"}
    rules = tuple(PrivateRule.model_validate(rule | common) for rule in RULES.values())
    return basic.model_copy(update={"private": rules})


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize(
    ("place", "vr", "value", "stays"),
    [
        (1, "DS", b"1.5\\-2", True),
        (1, "LO", b"1.5\\-2", True),
        (1, "DS", b"Svensson", False),
        (1, "LO", b"Svensson", False),
        (1, "DS", b"19121212", False),
        (1, "DS", b"191212121212", False),
        (1, "DS", b"1\\1212121212", False),
        (1, "DS", b"12345678", False),
        (1, "LO", b"0701740605", False),
        (2, "SL", struct.pack("<l", 1000), True),
        (2, "SL", struct.pack("<ll", 7, 134217728), True),
        (2, "SL", struct.pack("<l", 19121212), False),
        (2, "SL", struct.pack("<l", 1212121212), False),
        (2, "SL", b"Svensson", False),
        (3, "LO", b"p2", True),
        (3, "LO", b"64*64\\A->P\\", True),
        (3, "LO", b"p2 Svensson", False),
        (3, "LO", b"p2\\Svensson", False),
        (3, "LO", b"Svensson", False),
        (3, "LO", b"p20240131", False),
        (3, "LO", "p²".encode("latin-1"), False),
        (4, "CS", b"M\\ND", True),
        (4, "CS", b"SVENSSON", False),
        (4, "CS", b"M\\ND\\SVENSSON", False),
        (5, "FD", struct.pack("<d", 1.25), True),
        (5, "FD", struct.pack("<d", float("nan")), True),
        (5, "FD", struct.pack("<d", 191212121212.0), False),
        (5, "FD", struct.pack("<d", 20240131.0), False),
        (6, "OB", b"Svensson", False),
        (7, "DS", b"1.5", False),
    ],
)
def test_what_a_profile_vouches_for_stays_if_it_is_that(
    deidentifier, vouching, instance, place, vr, value, stays, implicit
):
    tag = 0x00094200 | place
    source = instance({0x00090042: ("LO", b"ACME"), tag: (vr, value)})
    encoding = EXPLICIT
    if implicit:
        source, encoding = in_implicit_vr(source), IMPLICIT
    header = deidentifier(vouching).deidentify(source).header
    assert (encode_element(tag, vr, value, encoding) in header) is stays
    assert (b"ACME" in header) is stays
    assert b"vensson" not in header.lower()


def test_of_a_container_its_numbers_stay(deidentifier, vouching, instance, read):
    text = b'NOSLC "15"\nSEDESC "Svensson"\n'
    block = b"\0\0\0\0" + gzip.compress(text, mtime=0)
    after = read(
        deidentifier(vouching).deidentify(instance({0x00090042: ("LO", b"ACME"), 0x00094206: ("OB", block)}))
    )
    with quiet_pydicom():
        assert zlib.decompress(after[0x00094206].value[4:], wbits=31).split() == [b"NOSLC", b'"15"']


@pytest.mark.parametrize(
    "change",
    [
        {"vr": None},
        {"source": ""},
        {"vr": "LO"},
        {"vr": "UT", "values": ["a"]},
        {"values": ["1"]},
        {"vr": "OB"},
        {"vr": "OB", "fields": ["NOSLC"]},
        {"vr": "OB", "container": "ge-protocol"},
        {"container": "ge-protocol", "fields": ["NOSLC"]},
        {"attributes": ["(0008,xx01)"]},
        {"attributes": []},
        {"reason": ""},
    ],
)
def test_a_rule_that_does_not_say_what_is_kept_is_an_error(change):
    sound = RULES["number"] | {"action": "keep", "reason": "a test", "source": "a test"}
    PrivateRule.model_validate(sound)
    with pytest.raises(ValidationError):
        PrivateRule.model_validate(sound | change)


def test_a_rule_may_remove_what_the_standard_calls_safe(research):
    rule = {
        "creator": "SIEMENS MR HEADER",
        "attributes": ["(0019,xx0C)"],
        "action": "remove",
        "reason": "a test",
    }
    without = research.model_copy(update={"private": (*research.private, PrivateRule.model_validate(rule))})
    resolved = [
        PrivateRules(profile).resolve("SIEMENS MR HEADER", 0x0019100C, "IS")
        for profile in (research, without)
    ]
    assert resolved == [(Action.KEEP, "IS"), (Action.REMOVE, "IS")]


def shipped_rules():
    """What ``research-longitudinal`` keeps of private attributes, but for containers: creator, tag, VR, values."""
    for rule in load_profile("research-longitudinal").private:
        for name in rule.attributes:
            if rule.container is None:
                yield (
                    rule.creator,
                    int(name[1:5], 16) << 16 | 0x4200 | int(name[8:10], 16),
                    rule.vr,
                    rule.values,
                )


@pytest.mark.parametrize("rule", list(shipped_rules()), ids=lambda rule: f"{rule[0]} {rule[1]:08X}")
def test_every_private_rule_keeps_what_it_names_and_no_text_in_its_place(taken, instance, rule):
    creator, tag, vr, values = rule
    block = {(tag & 0xFFFF0000) | 0x42: ("LO", creator.encode())}
    sound = [value.replace("#", "12").encode() for value in values] or [VALUES.get(vr, b"")]
    for value in sound:
        assert (
            encode_element(tag, vr, value, EXPLICIT)
            in taken.deidentify(instance(block | {tag: (vr, value)})).header
        )
    for lie in (b"SVENSSON", b"Svensson^Anna", b"191212121212", b"19121212-1212"):
        for written in sorted({vr, "UN", "LO"} - {"SQ"}):
            header = taken.deidentify(instance(block | {tag: (written, lie)})).header
            assert lie not in header
            assert creator.encode() not in header
