"""Profiles against table E.1-1 itself, read from its CSV: every row, every option, and what the table forgets."""

import csv
from pathlib import Path

import pytest
from pydantic import ValidationError
from pydicom.datadict import dictionary_has_tag, dictionary_VR, tag_for_keyword
from pydicom.sr.codedict import codes

from aida_pipelines.contracts.profile import Action, AttributeRule, DeidProfile, Layer, Option, PixelText
from aida_pipelines.deid._ps3_15_e1_1 import ROWS
from aida_pipelines.deid.engine import METHOD_CODES
from aida_pipelines.deid.rules import RuleBook, Rules

CSV = Path(__file__).parents[2] / "data_contracts" / "standards" / "ps3_15_e1_1.csv"
TABLE = list(csv.DictReader(CSV.open(encoding="utf-8", newline="")))
PLAIN = [
    row for row in TABLE if row["tag"][1:5].isalnum() and "x" not in row["tag"] and row["tag"] != "PRIVATE"
]


def tag_of(row):
    return int(row["tag"][1:5] + row["tag"][6:10], 16)


def vr_of(row):
    return dictionary_VR(tag_of(row)) if dictionary_has_tag(tag_of(row)) else "LO"


def profile(*options, rules=(), layers=()):
    return DeidProfile(
        name="test", version="1.0.0", title="-", description="-", base="basic", options=frozenset(options),
        sop_classes=frozenset(), pixel_text=PixelText(trust_declared_no=False), rules=rules, layers=layers,
    )  # fmt: skip


def test_the_generated_table_is_the_standards():
    assert len(TABLE) == len(ROWS) == 657
    for row, generated in zip(TABLE, ROWS, strict=True):
        assert (row["tag"], row["name"], row["basic_profile"]) == (
            generated.tag,
            generated.name,
            generated.basic,
        )
        options = {name.replace("_", "-"): row[name] for name in list(row)[5:] if row[name]}
        assert options == generated.options


SATISFIES = {
    "X": {Action.REMOVE},
    "Z": {Action.EMPTY, Action.REMOVE},
    "D": {Action.DUMMY, Action.EMPTY, Action.REMOVE},
    "U": {Action.REMAP_UID, Action.REMOVE},
}


def test_every_row_in_the_basic_profile():
    rules = Rules(profile())
    for row in PLAIN:
        allowed = set().union(*(SATISFIES[code.strip("*")] for code in row["basic_profile"].split("/")))
        assert rules.action(tag_of(row), vr_of(row)) in allowed, row


OPTION_COLUMNS = {
    Option.RETAIN_UIDS: "retain_uids",
    Option.RETAIN_DEVICE_IDENTITY: "retain_device_identity",
    Option.RETAIN_INSTITUTION_IDENTITY: "retain_institution_identity",
    Option.RETAIN_PATIENT_CHARACTERISTICS: "retain_patient_characteristics",
    Option.RETAIN_LONGITUDINAL_FULL_DATES: "retain_longitudinal_full_dates",
    Option.RETAIN_LONGITUDINAL_MODIFIED_DATES: "retain_longitudinal_modified_dates",
    Option.CLEAN_DESCRIPTORS: "clean_descriptors",
}


@pytest.mark.parametrize("option", OPTION_COLUMNS)
def test_every_cell_of_an_option(option):
    base, taken = Rules(profile()), Rules(profile(option))
    for row in PLAIN:
        tag, vr, code = tag_of(row), vr_of(row), row[OPTION_COLUMNS[option]]
        action = taken.action(tag, vr)
        if tag >> 16 in (0x0000, 0x0002, 0x0004):
            assert action is Action.REMOVE  # not part of a data set that is passed on
        elif not code:
            assert action is base.action(tag, vr), row
        elif code == "K":
            assert action is Action.KEEP, row
        elif option is Option.RETAIN_LONGITUDINAL_MODIFIED_DATES and vr in ("DA", "DT", "TM"):
            assert action is Action.SHIFT_DATE, row
        elif action is Action.KEEP:
            assert vr == "SQ" or row["name"] == "Timezone Offset From UTC", row
        else:  # cleaned, or as in the basic profile where the VR can't be cleaned
            assert action in (Action.CLEAN_TEXT, base.action(tag, vr)), row


@pytest.mark.parametrize(
    ("tag", "vr"),
    [
        (0x00091001, "LO"), (0x00290010, "LO"), (0x00080000, "UL"), (0x00020016, "AE"), (0x00041500, "CS"),
        (0x50000010, "US"), (0x500A3000, "OW"), (0x60003000, "OW"), (0x60024000, "LT"), (0x60000010, "US"),
        (0x7FE00010, "OW"), (0xFFFAFFFA, "SQ"), (0xFFFCFFFC, "OB"), (0x00189999, "LO"), (0x00080001, "UL"),
    ],
)  # fmt: skip
def test_what_no_profile_can_keep(tag, vr):
    everything = [option for option in Option if option is not Option.RETAIN_LONGITUDINAL_FULL_DATES]
    if tag != 0x00080001:
        assert Rules(profile(*everything)).action(tag, vr) is Action.REMOVE


@pytest.mark.parametrize(
    ("keyword", "vr", "action"),
    [
        ("DocumentTitle", "ST", Action.CLEAN_TEXT),
        ("CodeMeaning", "LO", Action.CLEAN_TEXT),
        ("SecondaryReviewerName", "PN", Action.EMPTY),
        ("RetrieveURL", "UR", Action.REMOVE),
        ("SecondaryReviewDate", "DA", Action.EMPTY),
        ("ReferencedSOPClassUID", "UI", Action.REMAP_UID),
        ("Rows", "US", Action.KEEP),
        ("Rows", "LO", Action.CLEAN_TEXT),  # a text that calls itself a number of rows
        ("CodeMeaning", "UN", Action.CLEAN_TEXT),
        ("ImageType", "CS", Action.KEEP),
    ],
)
def test_what_the_table_does_not_list_goes_by_its_vr(keyword, vr, action):
    assert Rules(profile()).action(tag_for_keyword(keyword), vr) is action


def test_with_both_dates_and_device_the_dates_of_the_device_move_too():
    both = Rules(profile(Option.RETAIN_DEVICE_IDENTITY, Option.RETAIN_LONGITUDINAL_MODIFIED_DATES))
    assert both.action(tag_for_keyword("DateOfLastCalibration"), "DA") is Action.SHIFT_DATE


def test_layers_hold_for_their_modality_and_manufacturer_and_later_ones_win():
    def rule(action):
        return (AttributeRule(attributes=("StationName",), action=action, reason="-"),)

    book = RuleBook(
        profile(
            rules=rule(Action.KEEP),
            layers=(
                Layer(name="us", modalities=("US",), rules=rule(Action.CLEAN_TEXT)),
                Layer(
                    name="us by acme", modalities=("US",), manufacturers=("acme",), rules=rule(Action.REMOVE)
                ),
            ),
        )
    )
    tag = tag_for_keyword("StationName")
    assert book.rules_for("CT", "ACME").action(tag, "SH") is Action.KEEP
    assert book.rules_for("US", "Other").action(tag, "SH") is Action.CLEAN_TEXT
    assert book.rules_for("US", "Acme Healthineers").action(tag, "SH") is Action.REMOVE


def test_method_codes_are_cid_7050s():
    known = {
        code.value: code.meaning for code in (getattr(codes.cid7050, name) for name in codes.cid7050.dir())
    }
    for value, meaning in METHOD_CODES.values():
        assert known[value].casefold() == meaning.casefold()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sop_classes": ["CTImagStorage"]}, "no SOP class"),
        ({"rules": [{"attributes": ["PatientsName"], "action": "keep", "reason": "x"}]}, "no attribute"),
        ({"rules": [{"attributes": ["PatientName"], "action": "keep"}]}, "reason"),
        ({"options": ["retain-everything"]}, "retain-uids"),
        (
            {"options": ["retain-longitudinal-full-dates", "retain-longitudinal-modified-dates"]},
            "one of the options",
        ),
        ({"layers": [{"name": "x", "rules": []}]}, "rules"),
        ({"unknown": 1}, "Extra inputs"),
    ],
)
def test_mistakes_in_a_profile_are_found_when_it_is_loaded(change, says):
    good = {
        "name": "p", "version": "1.0.0", "title": "-", "description": "-", "base": "basic",
        "sop_classes": ["CTImageStorage"], "pixel_text": {"trust_declared_no": True},
    }  # fmt: skip
    assert DeidProfile.model_validate(good).sop_classes == {"1.2.840.10008.5.1.4.1.1.2"}
    with pytest.raises(ValidationError, match=says):
        DeidProfile.model_validate(good | change)
