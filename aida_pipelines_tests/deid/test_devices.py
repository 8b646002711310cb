"""What devices write stays, and nothing else that is written in its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.contracts.profile import Action
from aida_pipelines.deid.devices import DeviceCleaner
from aida_pipelines.deid.rules import Rules
from aida_pipelines.dicom.encode import encode_element, encode_item
from aida_pipelines.dicom.parse import EXPLICIT
from aida_pipelines_tests.deid.conftest import CONTRACTS


@pytest.fixture(scope="module")
def clean(tokens, device_tokens):
    return DeviceCleaner(tokens | device_tokens)


@pytest.mark.parametrize(
    "text",
    [
        "SIEMENS", "Siemens Healthineers", "GE MEDICAL SYSTEMS", "Philips Medical Systems", "CANON_MEC", "UIH",
        "HOLOGIC, Inc.", "Carl Zeiss", "FUJI PHOTO FILM Co., ltd.", "Hitachi Medical Corporation", "Varian Medical Systems",
        "DISCOVERY MR750w", "MAGNETOM Prisma", "Prisma_fit", "LightSpeed QX/i", "SOMATOM Definition AS+", "uMR 770",
        "Biograph64_mCT 4R", "Achieva dStream", "Mx8000 IDT 16", "iCT 256", "SOMATOM go.Top", "Aquilion ONE", "EPIQ 7C",
        "syngo MR E11", "syngo MR XA30", "syngo CT VB20A", "VB17A", "MR Software release:DV26.0_R01_1725.a", "3.3.2", "27",
        "2.6.3.6", "V6.0SP2000*", "R1.0.D", "6.4.1.205", "https://github.com/QIICR/dcmqi", "Ver02.00.00",
        "B30f", "I31f", "FC08-H", "FC30", "STANDARD", "BONEPLUS", "Br40d", "H30s", "UB", "LUNG", "STD+", "D",
        "*tfl3d1_16ns", "*epfid2d1_64", "*fl2d1", "epi_dti", "T1TFE", "SEEPI2D+0.7", "HeadNeck_64", "32Ch Head", "H41",
        "QD Whole Body", "8HRBRAIN", "LARGE BOWTIE FIL", "0.1Cu 1Al", "1H", "OSEM3D 2i10s", "FDG -- fluorodeoxyglucose",
        "Stack ID", "ReferencedSegmentNumber", "Row Position In Total Image Pixel Matrix", "Philips MR Imaging DD 001",
    ],
)  # fmt: skip
def test_what_devices_write_stays_as_it_is(clean, text):
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("syngo MR E11, Anna Svensson", "syngo MR E11"), ("Anna", ""), ("ACC4711007", ""), ("SIEMENS ACC4711007", "SIEMENS"),
        ("191212121212", ""), ("19121212-1212", ""), ("121212-1212", ""), ("12.12.1912", ""), ("1912-12-12", ""),
        ("12.12.12", ""), ("10.47.11.7", ""), ("1.2.752.4711.999.1", ""), ("070-174 06 11", ""), ("thorax19121212-1212ax", "thorax ax"),
        ("a.svensson@exempel.invalid", "a"), ("A n n a", ""), ("A.n.n.a", ""), ("Bj%C3%B6rk", ""), ("QW5uYSBTdmVuc3Nvbg==", ""),
        ("416e6e61", ""), ("41 6e 6e 61 20 53", ""), ("АннаT1", ""), ("山田2", ""), ("SE2321000016-4F7K", "SE F7K"),
    ],
)  # fmt: skip
def test_what_anybody_else_writes_goes(clean, text, left):
    assert clean(text) == left


@given(text=st.text(max_size=60))
def test_cleaning_twice_changes_nothing_more(clean, text):
    assert clean(clean(text)) == clean(text)


@given(text=st.text(alphabet="0123456789 -./", max_size=40))
def test_numbers_never_add_up_to_an_id(clean, text):
    assert sum(char.isdigit() for char in clean(text)) <= 12


def test_several_values_say_no_more_than_one(clean):
    assert clean.values(["27", "LX", "DV26.0"]) == ["27", "LX", "DV26.0"]
    assert clean.values(["1912", "12", "12", "1212"]) == ["", "", "", ""]
    assert clean.values(list("Anna")) == ["", "", "", ""]


def test_no_word_of_the_list_is_a_common_name(device_tokens):
    names = """anna eva maria karin kristina lena sara kerstin emma ingrid marie malin jenny birgitta annika inger ulla
    susanne monica hanna johanna carina elin elisabeth sofia katarina erik lars karl anders johan per nils jan carl
    mikael hans peter fredrik olof lennart gunnar sven bengt bo daniel gustav alexander magnus andreas max emil vera
    andersson johansson karlsson nilsson eriksson larsson olsson persson svensson gustafsson pettersson lindberg"""
    assert not device_tokens.intersection(names.split())


def test_an_identifier_becomes_a_token_that_is_the_same_wherever_it_is(
    deidentifier, research, instance, read
):
    optical = ("SQ", encode_item(encode_element(0x00480106, "SH", b"Anna", EXPLICIT), EXPLICIT))
    made = read(
        deidentifier(research).deidentify(
            instance(
                {
                    0x00181000: ("LO", b"SN12345"), 0x00181008: ("LO", b"SN12345\\SN12346"), 0x00209056: ("SH", b"2"),
                    0x00203401: ("CS", b"ANNA"), 0x00480105: optical, 0x00480207: optical,
                }
            )
        )
    )  # fmt: skip
    token = made.DeviceSerialNumber
    assert len(token) == 16
    assert made.GantryID[0] == token != made.GantryID[1]
    assert made.StackID == "2"
    assert made.ModifyingDeviceID.isupper()
    paths = {made[tag].value[0].OpticalPathIdentifier for tag in (0x00480105, 0x00480207)}
    assert len(paths) == 1
    assert "Anna" not in paths


def test_no_shipped_profile_keeps_a_text_as_it_is():
    """What stays is vouched for: by an allow-list, a token, or, for codes, by their scheme."""
    from pydicom._dicom_dict import DicomDictionary

    from aida_pipelines.deid.codes import CODE_TAGS

    zone, charset = 0x00080201, 0x00080005
    texts = ("AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT")
    for name, profile in load_contracts(CONTRACTS).profiles.items():
        for layers in ((), profile.layers):
            rules = Rules(profile, layers)
            kept = [
                entry[4]
                for tag, entry in DicomDictionary.items()
                if entry[0] in texts and tag not in CODE_TAGS | {zone, charset}
                if rules.action(tag, entry[0]) is Action.KEEP
            ]
            assert kept == [], name
