"""Private attributes against table E.3.10-1 itself, read from its CSV."""

import csv
from pathlib import Path

import pytest

from aida_pipelines.contracts.profile import Action
from aida_pipelines.deid.honest import is_honest
from aida_pipelines.deid.private import PrivateRules
from aida_pipelines.dicom.quiet import quiet_pydicom

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
