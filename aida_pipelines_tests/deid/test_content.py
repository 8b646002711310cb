"""Structured content against table E.3.4-1 itself, read from its CSV: every row, at every depth, under every option."""

import csv
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.sr._snomed_dict import mapping as snomed
from pydicom.sr.codedict import Code
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from aida_pipelines.contracts.profile import AttributeRule, DeidProfile, Option, PixelText, Prose
from aida_pipelines.deid.content import ALSO, ITEMS, SNOMED_RT
from aida_pipelines.dicom.encode import encode_element, encode_item
from aida_pipelines.dicom.parse import EXPLICIT
from aida_pipelines_tests.deid.objects import as_bytes, coded, content_item

CSV = Path(__file__).parents[2] / "data_contracts" / "standards" / "ps3_15_e3_4_1.csv"
TABLE = list(csv.DictReader(CSV.open(encoding="utf-8", newline="")))
COMPREHENSIVE_3D = "1.2.840.10008.5.1.4.1.1.88.34"
PLAIN = Code("4711", "99AIDA", "Liver")
PROBES = {
    "TEXT": {"TextValue": "Liver Svensson axial"},
    "DATETIME": {"DateTime": "20240229101112"},
    "DATE": {"Date": "20240229"},
    "TIME": {"Time": "101112"},
    "PNAME": {"PersonName": "Svensson^Anna"},
    "UIDREF": {"UID": "1.2.752.4711.99"},
}
CLEAN = Option.CLEAN_STRUCTURED_CONTENT
CODES = AttributeRule(
    attributes=("CodeValue", "CodingSchemeDesignator"), action="keep", reason="as all profiles do"
)


def profile(*options):
    return DeidProfile(
        name="test", version="1.0.0", title="-", description="-", base="basic", options=frozenset(options),
        sop_classes=frozenset({COMPREHENSIVE_3D}), pixel_text=PixelText(trust_declared_no=False), rules=(CODES,),
    )  # fmt: skip


def value(value_type):
    """A value of each type, that must not come through as it is."""
    if value_type in PROBES:
        return PROBES[value_type]
    if value_type == "NUM":
        measured = Dataset()
        measured.NumericValue, measured.MeasurementUnitsCodeSequence = (
            "47",
            Sequence([coded(Code("a", "UCUM", "year"))]),
        )
        return {"MeasuredValueSequence": Sequence([measured])}
    if value_type == "CODE":
        return {"ConceptCodeSequence": Sequence([coded(Code("248152002", "SCT", "Female"))])}
    if value_type == "CONTAINER":
        return {"ContinuityOfContent": "SEPARATE", "ContentSequence": Sequence([])}
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = (
        "1.2.840.10008.5.1.4.1.1.2",
        "1.2.752.4711.99",
    )
    return {"ReferencedSOPSequence": Sequence([reference])}


def item_of(row):
    return content_item(
        Code(row["code"], row["scheme"], row["meaning"]), row["value_type"], **value(row["value_type"])
    )


def report(items, *, syntax=ExplicitVRLittleEndian):
    document = Dataset()
    document.file_meta = FileMetaDataset()
    document.file_meta.TransferSyntaxUID = syntax
    document.SOPClassUID, document.SOPInstanceUID, document.Modality = COMPREHENSIVE_3D, "1.2.752.1.1.3", "SR"
    document.StudyInstanceUID, document.SeriesInstanceUID = "1.2.752.1.1.1", "1.2.752.1.1.2"
    document.PatientName, document.PatientID = "Svensson^Anna", "19121212-1212"
    document.ValueType, document.ContentSequence = "CONTAINER", Sequence(items)
    document.ConceptNameCodeSequence = Sequence([coded(Code("126000", "DCM", "Imaging Measurement Report"))])
    return document


def container(items):
    return content_item(PLAIN, "CONTAINER", ContinuityOfContent="SEPARATE", ContentSequence=Sequence(items))


@pytest.fixture(scope="session")
def cleaned(deidentifier):
    """``cleaned(items, profile)``: content items as they come out."""

    def clean(items, wanted, **how):
        source = as_bytes(report(items, **how))
        return pydicom.dcmread(BytesIO(deidentifier(wanted).deidentify(source).header)).ContentSequence

    return clean


def came_out(row, items):
    """The one of the items that the row is about, or None."""

    def named(item):
        name = item.ConceptNameCodeSequence[0]
        return name.CodeValue, name.CodingSchemeDesignator, item.ValueType

    return next(
        (item for item in items if named(item) == (row["code"], row["scheme"], row["value_type"])), None
    )


def identifies(item, value_type):
    """Whether the probe is still there."""
    if value_type in PROBES:
        ((keyword, probe),) = PROBES[value_type].items()
        return str(item.get(keyword)) == probe
    if value_type in ("NUM", "CODE", "CONTAINER"):
        return True
    return item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.752.4711.99"


COLUMN = {
    Option.RETAIN_UIDS: "retain_uids",
    Option.RETAIN_DEVICE_IDENTITY: "retain_device_identity",
    Option.RETAIN_INSTITUTION_IDENTITY: "retain_institution_identity",
    Option.RETAIN_PATIENT_CHARACTERISTICS: "retain_patient_characteristics",
    Option.RETAIN_LONGITUDINAL_FULL_DATES: "retain_longitudinal_full_dates",
    Option.RETAIN_LONGITUDINAL_MODIFIED_DATES: "retain_longitudinal_modified_dates",
    Option.CLEAN_DESCRIPTORS: "clean_descriptors",
}


@pytest.mark.parametrize("depth", [0, 3])
@pytest.mark.parametrize("option", [None, *COLUMN], ids=str)
def test_every_row_of_the_table(cleaned, option, depth):
    assert len(TABLE) == len(ITEMS) == 214
    items = [item_of(row) for row in TABLE]
    for _ in range(depth):
        items = [container(items)]
    after = cleaned(items, profile(CLEAN, *([option] if option else [])))
    for _ in range(depth):
        (after,) = (item.ContentSequence for item in after)
    for row in TABLE:
        item, value_type, cell = (
            came_out(row, after),
            row["value_type"],
            row[COLUMN[option]] if option else "",
        )
        if cell == "K":
            assert identifies(item, value_type), row
        elif cell == "C" and option is Option.CLEAN_DESCRIPTORS:
            assert item.TextValue == "Liver axial", row
        elif cell == "C":
            ((keyword, probe),) = PROBES[value_type].items()
            assert value_type == "TIME" or (
                str(item.get(keyword)) != probe and str(item.get(keyword))[:2] in ("19", "20")
            ), row
        elif "D" in row["basic"]:
            assert not identifies(item, value_type), row
            assert value_type not in PROBES or item.get(next(iter(PROBES[value_type])))
        else:
            assert item is None, row


def test_without_the_option_there_is_no_content(cleaned):
    assert not cleaned([item_of(row) for row in TABLE], profile(Option.CLEAN_DESCRIPTORS))


def test_older_codes_of_the_same_concepts_are_known():
    assert {sct: snomed["SCT"][sct] for sct in SNOMED_RT} == SNOMED_RT
    assert {item.code for item in ITEMS if item.scheme == "SCT"} == set(SNOMED_RT)


@pytest.mark.parametrize(
    "concept",
    [
        Code("R-42B89", "SRT", "Clinical Report"),
        Code("R-42B89", "99SDM", "Clinical Report"),
        Code("121020", "dcm", "Placer Number"),
        Code("53", "NCDR", "Procedure Number in this admission"),
    ],
)
def test_a_concept_is_known_under_its_other_spellings(cleaned, concept):
    assert not cleaned([content_item(concept, "TEXT", TextValue="Liver")], profile(CLEAN))


def test_a_concept_with_a_long_code_is_known(cleaned):
    item = content_item(Code("", "DCM", "Accession Number"), "TEXT", TextValue="Liver")
    del item.ConceptNameCodeSequence[0].CodeValue
    item.ConceptNameCodeSequence[0].LongCodeValue = "121022"
    assert not cleaned([item], profile(CLEAN))


@pytest.mark.parametrize(
    ("code", "meaning", "value_type", "stays"),
    [
        ("121071", "Finding", "CODE", True),  # listed as a text; here a code as most often
        ("121071", "Finding", "NUM", True),
        ("121071", "Finding", "UIDREF", False),
        ("121112", "Source of Measurement", "COMPOSITE", True),
        ("121032", "Subject Sex", "TEXT", False),
        ("121029", "Subject Name", "TEXT", False),
        ("121022", "Accession Number", "CODE", False),
        ("121031", "Subject Birth Date", "DATETIME", False),
    ],
)
def test_a_listed_concept_with_a_value_that_the_table_does_not_foresee(
    cleaned, code, meaning, value_type, stays
):
    item = content_item(Code(code, "DCM", meaning), value_type, **value(value_type))
    after = cleaned([item], profile(CLEAN, Option.CLEAN_DESCRIPTORS))
    assert bool(after) is stays
    if value_type == "COMPOSITE":
        assert not identifies(after[0], value_type)


def test_an_item_can_not_hold_another_value_than_it_says(cleaned):
    item = content_item(
        Code("113877", "DCM", "Device Name"),
        "TEXT",
        TextValue="Scanner 2",
        PersonName="Svensson^Anna",
        DateTime="20240229",
    )
    (after,) = cleaned([item], profile(CLEAN, Option.RETAIN_DEVICE_IDENTITY))
    assert after.TextValue == "Scanner 2"
    assert "PersonName" not in after
    assert "DateTime" not in after


def test_what_profiles_keep_in_a_header_has_no_place_in_an_item(deidentifier, research):
    item = content_item(
        PLAIN, "TEXT", TextValue="Liver", Manufacturer="Svensson", ConvolutionKernel="Svensson"
    )
    item.BluePaletteColorLookupTableData = b"Svensson"
    for keyword in ("ContentSequence", "AcquisitionContextSequence"):
        source = report([])
        setattr(source, keyword, Sequence([item]))
        (after,) = pydicom.dcmread(BytesIO(deidentifier(research).deidentify(as_bytes(source)).header))[
            keyword
        ].value
        assert sorted(one.keyword for one in after) == ["ConceptNameCodeSequence", "TextValue", "ValueType"]


def test_what_the_table_does_not_list_goes_by_its_value(cleaned):
    items = [
        content_item(PLAIN, value_type, **value(value_type))
        for value_type in (*PROBES, "NUM", "CODE", "IMAGE")
    ]
    after = cleaned(items, profile(CLEAN, Option.RETAIN_LONGITUDINAL_MODIFIED_DATES))
    text, datetime, date, time, person, uid, number, code, image = after
    assert text.TextValue == "Liver axial"
    assert str(datetime.DateTime)[8:] == "101112"
    assert (str(datetime.DateTime)[:8], str(time.Time)) == (str(date.Date), "101112")
    assert str(date.Date) != "20240229"
    assert person.PersonName == "REMOVED"
    assert uid.UID.startswith("2.25.")
    assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == uid.UID
    assert number.MeasuredValueSequence[0].NumericValue == 47
    assert code.ConceptCodeSequence[0].CodeValue == "248152002"


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("Liver axial", "Liver axial"),
        ("liver, Svensson, axial", "liver axial"),
        ("Svensson", "REMOVED"),
        ("the liver of Anna Maria Svensson Berg", "REMOVED"),  # most of it had to go
        ("axial liver " * 6, "REMOVED"),  # longer than a description
        ("Seen by\r\nDr Svensson\r\nLiver", "REMOVED"),
    ],
)
def test_of_texts_descriptions_are_cleaned_and_prose_is_dropped(cleaned, text, stays):
    (after,) = cleaned([content_item(PLAIN, "TEXT", TextValue=text)], profile(CLEAN))
    assert after.TextValue == stays


REPORT = (
    "Inga metastaser i levern. Jämfört med 2023-11-02 oförändrat. Anna Svensson informerad av dr Vobrin Tjelvander.\r\n"
    "Pnr 19121212-1212. Svenssons njurar utan anmärkning."
)


def test_a_profile_may_have_prose_cleaned_and_then_it_keeps_what_it_says(cleaned):
    wanted = profile(CLEAN).model_copy(update={"prose": Prose.CLEAN})
    (after,) = cleaned([content_item(PLAIN, "TEXT", TextValue=REPORT)], wanted)
    assert after.TextValue.splitlines() == [
        "Inga metastaser i levern. Jämfört med [date] oförändrat. [name] informerad av dr [name].",
        "Pnr [number]. [name] njurar utan anmärkning.",
    ]
    (short,) = cleaned([content_item(PLAIN, "TEXT", TextValue="liver, Svensson, axial")], wanted)
    assert short.TextValue == "liver axial"  # a description is cleaned as one all the same


def test_what_is_left_of_prose_passes_the_verifier(deidentifier, verifier):
    wanted = profile(CLEAN).model_copy(update={"prose": Prose.CLEAN})
    result = deidentifier(wanted).deidentify(
        as_bytes(report([content_item(PLAIN, "TEXT", TextValue=REPORT)]))
    )
    verifier(wanted).verify(result)


@pytest.mark.parametrize(
    ("number", "unit", "stays"), [("89", "a", True), ("90", "a", False), ("104", "a", False), ("1140", "mo", False), ("95", "d", True), ("95", "", False)]
)  # fmt: skip
@pytest.mark.parametrize("concept", [Code("121033", "DCM", "Subject Age"), Code("30525-0", "LN", "Age")])
def test_ages_over_89_go(cleaned, concept, number, unit, stays):
    measured = Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = (
        number,
        Sequence([coded(Code(unit, "UCUM", unit))]),
    )
    item = content_item(concept, "NUM", MeasuredValueSequence=Sequence([measured]))
    assert bool(cleaned([item], profile(CLEAN, Option.RETAIN_PATIENT_CHARACTERISTICS))) is stays
    assert not cleaned([item], profile(CLEAN))


def test_a_codes_meaning_stays_where_it_is_the_standards_and_only_there(cleaned):
    standard = coded(Code("121008", "DCM", "Person Observer Name"))
    other = coded(Code("121008", "DCM", "Anna Svensson"))
    eponym = coded(Code("4711", "99AIDA", "Friedman"))  # a meaning of the standard's, for another code
    after = cleaned(
        [
            content_item(PLAIN, "CODE", ConceptCodeSequence=Sequence([one]))
            for one in (standard, other, eponym)
        ],
        profile(CLEAN),
    )
    assert [item.ConceptCodeSequence[0].CodeMeaning for item in after] == [
        "Person Observer Name",
        "REMOVED",
        "REMOVED",
    ]


def test_of_two_meanings_the_one_that_is_written_counts(deidentifier, instance):
    def code_item(*meanings):
        elements = [
            (0x00080100, "SH", b"121008"),
            (0x00080102, "SH", b"DCM"),
            *((0x00080104, "LO", text) for text in meanings),
        ]
        return encode_item(b"".join(encode_element(*element, EXPLICIT) for element in elements), EXPLICIT)

    for meanings in [(b"Person Observer Name", b"Svensson"), (b"Svensson", b"Person Observer Name")]:
        source = instance({0x0040A168: ("SQ", code_item(*meanings))}, sop_class=COMPREHENSIVE_3D)
        assert b"Svensson" not in deidentifier(profile(CLEAN)).deidentify(source).header


@pytest.mark.parametrize(
    "observer",
    [
        "121008",
        "121009",
        "121012",
        "121013",
        "121016",
        "121017",
        "128774",
        "128775",
        "121028",
        "121029",
        "121030",
    ],
)
def test_who_observed_and_of_whom_is_not_told(cleaned, observer):
    row = next(row for row in TABLE if row["code"] == observer and row["scheme"] == "DCM")
    item = came_out(row, cleaned([item_of(row)], profile(CLEAN)))
    assert item is None or not identifies(item, row["value_type"])


def test_no_profile_lets_a_text_through_as_it_was_typed(deidentifier, profiles):
    """Whatever the options keep of devices and institutions: in a report they are texts that anyone may have typed."""
    items = [item_of(row) for row in TABLE] + [
        content_item(Code(item.code, item.scheme, item.meaning), item.value_type, **value(item.value_type))
        for item in ALSO
    ]
    for profile in profiles.values():
        if profile.sop_classes >= {COMPREHENSIVE_3D}:
            header = deidentifier(profile).deidentify(as_bytes(report(items))).header
            assert b"Svensson" not in header
            assert b"20240229" not in header
            assert b"1.2.752.4711" not in header


def test_a_code_beside_a_content_item_does_not_save_it(cleaned):
    item = content_item(Code("121022", "DCM", "Accession Number"), "TEXT", TextValue="Liver")
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "121071", "DCM", "Finding"
    assert not cleaned([item], profile(CLEAN))


# --- items that refer to others by their place -------------------------------------------------


def numbered(number):
    measured = Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = (
        str(number),
        Sequence([coded(Code("1", "UCUM", "no units"))]),
    )
    return content_item(PLAIN, "NUM", MeasuredValueSequence=Sequence([measured]))


def refers(*place):
    item = Dataset()
    item.RelationshipType, item.ReferencedContentItemIdentifier = "INFERRED FROM", list(place)
    return item


def goes():
    return content_item(Code("121022", "DCM", "Accession Number"), "TEXT", TextValue="ACC4711")


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_references_by_place_still_lead_to_the_same_item(cleaned, syntax):
    items = [
        goes(),
        container([goes(), numbered(1), container([numbered(2)])]),
        goes(),
        numbered(3),
        refers(1, 2, 3, 1),
        refers(1, 4),
        refers(1),
    ]
    after = cleaned(items, profile(CLEAN), syntax=syntax)
    assert [item.get("ReferencedContentItemIdentifier") for item in after[2:]] == [[1, 1, 2, 1], [1, 2], 1]


def test_what_refers_to_an_item_that_goes_goes_too_and_moves_nothing_else(cleaned):
    after = cleaned([goes(), refers(1, 1), numbered(1), refers(1, 3), refers(1, 9)], profile(CLEAN))
    assert len(after) == 2
    assert after[1].ReferencedContentItemIdentifier == [1, 1]


LEAVES = st.sampled_from(["number", "goes"])
TREES = st.lists(
    st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3), max_leaves=12), min_size=1, max_size=5
)


@settings(max_examples=60)
@given(tree=TREES)
def test_places_in_any_tree(cleaned, tree):
    """Every number is referred to by its place; what the places hold afterwards is what they held before."""
    places: dict[tuple[int, ...], int] = {}

    def built(branches, above):
        items = []
        for place, branch in enumerate(branches, 1):
            if branch == "number":
                places[*above, place] = len(places)
                items.append(numbered(places[*above, place]))
            elif branch == "goes":
                items.append(goes())
            else:
                items.append(container(built(branch, (*above, place))))
        return items

    items = built(tree, (1,))
    after = cleaned([*items, *(refers(*place) for place in places)], profile(CLEAN))
    references = [item for item in after if "ReferencedContentItemIdentifier" in item]
    found = []
    for reference in references:
        here = None
        for place in list(reference.ReferencedContentItemIdentifier)[1:]:
            here = (here.ContentSequence if here else after)[place - 1]
        found.append(int(here.MeasuredValueSequence[0].NumericValue))
    assert found == list(places.values())
