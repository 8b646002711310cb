"""Every rule of the first path has a second one behind it: whichever is switched off, the verifier notices.

One rule at a time is switched off, in an instance in which its attribute holds an identifier that the header
names elsewhere as well.
"""

import copy
import re
from dataclasses import replace
from struct import pack
from types import SimpleNamespace

import pytest
from pydicom.datadict import dictionary_has_tag, dictionary_VR

from aida_pipelines.contracts.profile import Action
from aida_pipelines.deid import engine
from aida_pipelines.deid._ps3_15_e1_1 import ROWS
from aida_pipelines.dicom.encode import encode_element, encode_item
from aida_pipelines.dicom.parse import EXPLICIT, LONG_VRS
from aida_pipelines.errors import Quarantine

NAME, NUMBER, UID, BIRTH = b"ZACKRISSON", 1471190086, b"1.2.752.1.1.3", b"19121212"
KNOWN = {
    0x00080090: ("PN", b"Zackrisson^Per"),
    0x00100030: ("DA", BIRTH),
    0x00101000: ("LO", str(NUMBER).encode()),
    0x00104000: ("LT", b""),
}
KEPT_SEQUENCE = 0x00409096
"""Real World Value Mapping Sequence: kept by every profile, listed by no table."""

CODE = encode_element(0x00080100, "SH", NAME, EXPLICIT)
IDENTIFYING = {
    **dict.fromkeys(("PN", "LO", "SH", "LT", "ST", "UT", "UC", "AE", "CS"), NAME),
    "UR": b"http://example.invalid/" + NAME,
    "UN": b"\1\2" + NAME + b"\3\4",
    **dict.fromkeys(("OB", "OW", "OF", "OD", "OL", "OV"), b"\1\2\3\4\5\6" + NAME + b"\0\0\0\0\0\0\0\0"),
    "DA": BIRTH,
    "DT": BIRTH + b"101010",
    "DS": str(NUMBER).encode(),
    "IS": str(NUMBER).encode(),
    "UI": UID,
    "UL": pack("<L", NUMBER),
    "SL": pack("<l", NUMBER),
    "FD": pack("<d", NUMBER),
    "SQ": encode_item(CODE, EXPLICIT),
}
"""An identifier as a value of each VR that can hold one. Not TM, AS, US and SS, FL: a time, an age and a number of 16
or 24 bits are nobody's."""


def tag_of(row):
    """A row's tag; of a repeating group the first, of the row for all private attributes none."""
    text = row.tag.lower().replace("50xx", "5000").replace("60xx", "6000").replace("xxxx", "0010")
    match = re.fullmatch(r"\(([0-9a-f]{4}),([0-9a-f]{4})\)", text)
    tag = int(match[1] + match[2], 16) if match else 0
    return None if tag >> 16 & 1 else tag or None


def vr_of(tag):
    return dictionary_VR(tag)[:2] if dictionary_has_tag(tag) else "LO"


ROWS_BY_TAG = {tag: vr for row in ROWS if (tag := tag_of(row)) and (vr := vr_of(tag)) in IDENTIFYING}


def switched_off(deidentifier, profile, tag):
    """A de-identifier that keeps one attribute, whatever table and profile say."""
    one = deidentifier(profile)
    rules_for = one._rules.rules_for

    def careless(*kind):
        rules = rules_for(*kind)
        other = copy.copy(rules)
        other.action = lambda asked, vr, *, top_level=False: (
            Action.KEEP if asked == tag else rules.action(asked, vr, top_level=top_level)
        )
        return other

    one._rules = SimpleNamespace(rules_for=careless)
    return one


def element(tag, vr):
    value = IDENTIFYING[vr]
    return encode_element(tag, vr, value + b" " * (len(value) % 2 and vr not in LONG_VRS), EXPLICIT)


def outcome(one, verifier, profile, source):
    """``held`` by the verifier, ``leaks`` or ``clean``."""
    result = one.deidentify(source, pixels_reviewed=True)
    if verifier(profile).findings(result):
        return "held"
    out = result.header.upper()
    marks = (NAME, UID + b"\0", BIRTH, str(NUMBER).encode(), pack("<L", NUMBER), pack("<d", NUMBER))
    return "leaks" if any(mark in out for mark in marks) else "clean"


def test_the_tables_rows_are_all_there():
    assert len(ROWS_BY_TAG) > 560


@pytest.mark.parametrize("depth", ["at the top", "in a sequence"])
def test_each_row_of_the_table_that_is_switched_off_is_noticed(
    deidentifier, verifier, any_profile, instance, depth
):
    outcomes = {}
    for tag, vr in ROWS_BY_TAG.items():
        one = switched_off(deidentifier, any_profile, tag)
        if depth == "at the top":
            if tag >> 16 < 8 or tag in (0x00080018, 0x0020000D, 0x0020000E, 0x00100010, 0x00100020):
                continue  # not part of a data set, or of every one
            source = instance(KNOWN | {tag: (vr, IDENTIFYING[vr])})
        else:
            source = instance(KNOWN | {KEPT_SEQUENCE: ("SQ", encode_item(element(tag, vr), EXPLICIT))})
        outcomes[tag] = outcome(one, verifier, any_profile, source)
    assert {f"{tag:08x}": said for tag, said in outcomes.items() if said == "leaks"} == {}
    print({f"{tag:08x} {vr_of(tag)}" for tag, said in outcomes.items() if said == "clean"})
    assert list(outcomes.values()).count("held") > 500
