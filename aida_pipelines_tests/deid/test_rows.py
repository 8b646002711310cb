"""Table E.1-1 through the engine: every row, under every option, at the top level and three levels down.

What must come out is read from the standard's table (its CSV) as a person would read it; nothing here asks the
package's rules. All rows lie in one data set and once more within sequences that the table doesn't list.
"""

import csv
import json
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from struct import pack

import pytest
from pydicom import dcmread
from pydicom.datadict import dictionary_has_tag, dictionary_VR, tag_for_keyword

from aida_pipelines.contracts.profile import AttributeRule, DeidProfile, Option, PixelText
from aida_pipelines.deid.honest import TEXT_VRS
from aida_pipelines.deid.identity import TAGS as IDENTITY
from aida_pipelines.dicom.quiet import quiet_pydicom
from aida_pipelines_tests.deid.sowing import CT, el, file, header, item, sq

CSV = Path(__file__).parents[2] / "data_contracts" / "standards" / "ps3_15_e1_1.csv"
TABLE = list(csv.DictReader(CSV.open(encoding="utf-8", newline="")))
SEQUENCES = (0x00082218, 0x00540220, 0x00082228)
"""Three that the table doesn't list: anatomic region, view code, primary anatomic structure."""
OF_THE_INSTANCE = {0x00080018, 0x00080016, 0x0020000D, 0x0020000E}
WRITTEN_BY_US = {0x00100010, 0x00100020, 0x00120062, 0x00120063, 0x00120064, 0x00280303}
NAME = b"Zyxwvut^Qwerty"

VALUES = {
    "AE": b"ZYXWVUT", "AS": b"034Y", "AT": b"\x10\0\x10\0", "CS": b"HEAD", "DA": b"20240115", "DS": b"12.5",
    "DT": b"20240115101112", "FD": pack("<d", 12.5), "FL": pack("<f", 12.5), "IS": b"42", "LO": b"T1 Zyxwvut",
    "LT": b"T1 Zyxwvut", "OB": bytes(range(128, 144)), "OW": bytes(range(128, 144)), "PN": NAME, "SH": b"T1 Zyxwvut",
    "SL": b"\x05\0\0\0", "SQ": b"", "SS": b"\x05\0", "ST": b"T1 Zyxwvut", "TM": b"101112", "UC": b"T1 Zyxwvut",
    "UI": b"1.2.752.99.7", "UL": b"\x05\0\0\0", "UN": b"T1 Zyxwvut", "UR": b"http://zyxwvut.invalid", "US": b"\x05\0",
    "UT": b"T1 Zyxwvut", "OF": pack("<4f", 1, 2, 3, 4), "OD": pack("<2d", 1, 2), "OL": pack("<2L", 1, 2),
    "OV": pack("<Q", 1), "SV": pack("<q", 1), "UV": pack("<Q", 1),
}  # fmt: skip
NUMBERS = {"AT", "FD", "FL", "OB", "OD", "OF", "OL", "OV", "OW", "SL", "SS", "SV", "UL", "US", "UV"}
ZONE = 0x00080201


def tag_of(row):
    try:
        return int(row["tag"][1:5] + row["tag"][6:10], 16)
    except ValueError:
        return None


def vr_of(tag):
    return dictionary_VR(tag)[:2] if dictionary_has_tag(tag) else "LO"


def value_of(tag):
    vr = vr_of(tag)
    if tag in IDENTITY and vr in TEXT_VRS:
        return b"Zyxwvut 4711"  # the person's own would go from all other texts as well
    return b"+0100" if tag == ZONE else VALUES[vr]


ROWS = [
    (tag, row) for row in TABLE if (tag := tag_of(row)) is not None and tag >> 16 > 4 and tag != 0xFFFCFFFC
]


def element(tag):
    vr = vr_of(tag)
    if vr == "SQ":
        return sq(tag, item(el(0x00100010, "PN", NAME), el(0x00280010, "US", b"\x05\0")))
    return el(tag, vr, value_of(tag))


def everything():
    """One instance with all rows of the table, at the top level and three sequences down."""
    ours = {tag: element(tag) for tag, _ in sorted(ROWS, key=lambda pair: pair[0])}
    inner = b"".join(ours[tag] for tag in sorted(ours))
    for outer in reversed(SEQUENCES):
        inner = sq(outer, item(inner), undefined=outer == SEQUENCES[1])
    top = {tag: data for tag, data in ours.items() if tag not in OF_THE_INSTANCE and tag >> 16 < 0x7FE0}
    return file(header(top | {SEQUENCES[0]: inner}))


def profile(*options, rules=()):
    return DeidProfile(
        name="test", version="1.0.0", title="-", description="-", base="basic", options=frozenset(options),
        sop_classes=frozenset({CT}), pixel_text=PixelText(trust_declared_no=True), rules=rules,
    )  # fmt: skip


@pytest.fixture(scope="module")
def come_out(deidentifier):
    """``come_out(*options)``: the two data sets, top level and three down, that become of ``everything()``."""

    def run(*options):
        with quiet_pydicom():
            top = deep = dcmread(BytesIO(deidentifier(profile(*options)).deidentify(everything()).header))
            for tag in SEQUENCES:
                deep = deep[tag].value[0]
        return top, deep

    return run


def outcome(data_set, tag):
    """``X`` gone, ``Z`` empty, ``K`` as it was, ``U`` a new UID, ``C`` cleaned, ``M`` moved, ``D`` something else."""
    if tag not in data_set:
        return "X"
    vr = vr_of(tag)
    if vr == "SQ":
        items = data_set[tag].value
        if not items:
            return "Z"
        assert "Zyxwvut" not in str(items[0].get("PatientName", ""))
        return "K"
    stored = data_set.get_item(tag)
    value = bytes(stored.value or b"") if hasattr(stored, "value_tell") else str(stored.value or "").encode()
    if vr not in NUMBERS:
        value = value.rstrip(b"\0 ")
    if not value:
        return "Z"
    if value in (value_of(tag), value_of(tag).rstrip(b"\0 ")):
        return "K"
    if value.startswith(b"2.25."):
        return "U"
    if value == b"T1":
        return "C"
    if vr in ("DA", "DT") and value != b"19000101" and value[:14] != b"19000101000000":
        assert len(value) == len(value_of(tag))
        assert value[8:] == value_of(tag)[8:]
        return "M"
    return "D"


def as_basic(row, vr):
    letters = {letter.strip("*") for letter in row["basic_profile"].split("/")}
    if vr == "UN":
        return {"X"}  # a dummy for bytes of which nobody knows what they are would be of no use
    if vr == "SQ":
        # A sequence whose UIDs are remapped stays; a dummy one has no items.
        return {{"U": "K", "D": "Z"}.get(letter, letter) for letter in letters}
    return letters | ({"U"} if "D" in letters and vr == "UI" else set())


def expected(row, tag, option):
    """The letters that the table allows."""
    vr, code = vr_of(tag), row[option.replace("-", "_")] if option else ""
    if not code:
        return as_basic(row, vr)
    if code == "K" or vr == "SQ":
        return {"K"}
    if option == Option.RETAIN_LONGITUDINAL_MODIFIED_DATES:
        return {"DA": {"M"}, "DT": {"M"}, "TM": {"K"}, "SH": {"K"}}.get(vr) or as_basic(row, vr)
    if vr in ("LO", "LT", "SH", "ST", "UC", "UT"):
        return {"C"}
    return {"Z", "K"} if vr == "CS" else {"Z"} if vr == "AE" else as_basic(row, vr)


@pytest.mark.parametrize("option", [None, *Option])
def test_every_row(come_out, option):
    top, deep = come_out(*([option] if option else []))
    wrong = [
        (f"{tag:08X}", row["name"], place, expected(row, tag, option), got)
        for tag, row in ROWS
        for place, data_set in (("top", top), ("deep", deep))
        if not (place == "top" and tag in OF_THE_INSTANCE | WRITTEN_BY_US)
        and tag >> 16 < 0x7FE0
        and (got := outcome(data_set, tag)) not in expected(row, tag, option)
    ]
    assert wrong == [], len(wrong)


def test_rows_and_options_are_all_there():
    assert len(TABLE) == 657
    assert {name.replace("_", "-") for name in list(TABLE[0])[5:]} == set(Option)
    assert not {f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in SEQUENCES} & {row["tag"] for row in TABLE}


def test_compound_actions_go_by_the_attributes_type(come_out):
    """PS3.15 E.1.1: a dummy for type 1, an empty value for type 2, removal for type 3, where the row offers it."""
    standard = files("highdicom") / "_standard"
    modules = json.loads((standard / "iod_module_map.json").read_text())["ct-image"]
    attributes = json.loads((standard / "module_attribute_map.json").read_text())
    types = {}
    for module in modules:
        for attribute in attributes[module["key"]]:
            tag = tag_for_keyword(attribute["keyword"])
            if not attribute["path"]:
                types[tag] = min(types.get(tag, 3), int(attribute["type"][0]))
    top, _ = come_out()
    compound = [(tag, row) for tag, row in ROWS if "/" in row["basic_profile"] and tag in types]
    assert len(compound) > 10
    for tag, row in compound:
        if tag in OF_THE_INSTANCE | WRITTEN_BY_US:
            continue
        offered, got = row["basic_profile"].replace("*", "").split("/"), outcome(top, tag)
        wanted = next(code for code in {1: "DUZX", 2: "ZDUX", 3: "XZDU"}[types[tag]] if code in offered)
        if vr_of(tag) == "SQ":
            wanted = {"U": "K", "D": "Z"}.get(wanted, wanted)
        assert got == wanted, row


@pytest.mark.parametrize("option", [None, *Option])
def test_repeating_groups_and_private_groups_go_at_every_depth(deidentifier, option):
    tags = [
        group << 16 | number
        for group in (0x5000, 0x501E, 0x6000, 0x601E)
        for number in (0x22, 0x3000, 0x4000)
    ]
    inner = b"".join(el(tag, "LT" if tag & 0x4000 else "OW", b"Zyxwvut ") for tag in tags)
    private = el(0x00090010, "LO", b"ACME") + el(0x00091001, "LO", b"Zyxwvut")
    deep = private + el(0x00290010, "LO", b"Zyxwvut") + inner
    for outer in reversed(SEQUENCES):
        deep = sq(outer, item(deep))
    source = file(header({SEQUENCES[0]: deep, 0x00090010: private, 0x50000022: inner}))
    result = deidentifier(profile(*([option] if option else []))).deidentify(source)
    assert b"Zyxwvut" not in result.header


@pytest.mark.parametrize(
    ("action", "left"),
    [("keep", "T1 Zyxwvut"), ("clean-text", "T1"), ("clean-device", "T1"), ("empty", ""), ("dummy", "REMOVED"),
     ("remove", None)],
)  # fmt: skip
def test_a_profiles_own_rule_wins_over_the_table_at_every_depth(deidentifier, action, left):
    rule = AttributeRule(attributes=("StationName",), action=action, reason="-")
    station = el(0x00081010, "SH", b"T1 Zyxwvut")
    source = file(header({0x00081010: station, SEQUENCES[0]: sq(SEQUENCES[0], item(station))}))
    result = deidentifier(profile(rules=(rule,))).deidentify(source)
    top = dcmread(BytesIO(result.header))
    assert top.get("StationName") == top[SEQUENCES[0]].value[0].get("StationName") == left
