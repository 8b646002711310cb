"""One instance: what comes out, byte for byte and attribute by attribute. Read back with pydicom, not with ours."""

import csv
import zlib
from datetime import date
from io import BytesIO
from pathlib import Path

import pydicom
import pydicom.data
import pytest
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.uid import UID

from aida_pipelines.contracts.profile import DateMode
from aida_pipelines.deid.engine import METHOD_CODES
from aida_pipelines.deid.timeline import timeline
from aida_pipelines.dicom.encode import encode_element, encode_file_meta, encode_item
from aida_pipelines.dicom.parse import EXPLICIT, EXPLICIT_LITTLE, IMPLICIT
from aida_pipelines.dicom.quiet import quiet_pydicom
from aida_pipelines.errors import InstanceOutcome, Quarantine

CSV = Path(__file__).parents[2] / "data_contracts" / "standards" / "ps3_15_e1_1.csv"
BUNDLED = sorted((Path(pydicom.data.__file__).parent / "test_files").rglob("*.dcm"))
UID_PROBE = "1.2.752.4711.99"
PROBES = {
    "AE": b"PROBEXYZ", "AS": b"047Y", "CS": b"PROBEXYZ", "DA": b"19870605", "DS": b"47.11", "DT": b"19870605040302",
    "IS": b"4711", "LO": b"PROBEXYZ", "LT": b"PROBEXYZ", "PN": b"PROBEXYZ", "SH": b"PROBEXYZ", "ST": b"PROBEXYZ",
    "TM": b"040302", "UC": b"PROBEXYZ", "UI": UID_PROBE.encode(), "UR": b"urn:PROBEXYZ", "UT": b"PROBEXYZ",
}  # fmt: skip


def rows():
    for row in csv.DictReader(CSV.open(encoding="utf-8", newline="")):
        if row["tag"] == "PRIVATE":
            yield 0x00091001, row
        else:
            yield int((row["tag"][1:5] + row["tag"][6:10]).replace("x", "0"), 16), row


def probe(tag):
    """VR and a value that must not come through, for any attribute."""
    vr = dictionary_VR(tag) if dictionary_has_tag(tag) else "LO"
    if vr == "SQ":
        return vr, encode_item(encode_element(0x00080104, "LO", b"PROBEXYZ", EXPLICIT), EXPLICIT)
    vr = vr[:2]
    return vr, PROBES.get(vr, b"PROBEXYZ")


def nested(tag, vr, value):
    """The element three levels down, in sequences that the table doesn't list."""
    content = encode_element(tag, vr, value, EXPLICIT)
    for sequence in (0x00209116, 0x00289110):
        content = encode_element(sequence, "SQ", encode_item(content, EXPLICIT), EXPLICIT)
    return 0x52009229, ("SQ", encode_item(content, EXPLICIT))


def element_in(data_set, tag):
    return data_set.get(tag)


@pytest.mark.parametrize("depth", ["top", "nested"])
def test_no_rows_value_comes_through_the_basic_profile(deidentifier, basic, instance, read, depth):
    one = deidentifier(basic)
    identity = {0x00080016, 0x00080018, 0x00080060, 0x0020000D, 0x0020000E}
    for tag, row in rows():
        if tag in identity or tag >> 16 in (0x0000, 0x0002):
            continue  # not in a data set, or without it there is no instance
        vr, value = probe(tag)
        added = dict([nested(tag, vr, value)]) if depth == "nested" else {tag: (vr, value)}
        result = one.deidentify(instance(added))
        assert value not in result.header, row["tag"]
        with quiet_pydicom():
            after = read(result)
            if depth == "nested":
                after = after[0x52009229][0][0x00289110][0][0x00209116][0]
            codes = row["basic_profile"].split("/")
            if codes == ["X"] and tag not in (0x00120063, 0x00120064):
                assert tag not in after, row["tag"]
            elif tag in after and (depth == "nested" or tag not in (0x00100010, 0x00100020)):
                empty = not after[tag].value
                assert empty or {"D", "U"} & {code.strip("*") for code in codes}, row["tag"]


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.name)
def test_pixel_data_pass_untouched_and_the_rest_is_valid(deidentifier, research, path, read):
    source = path.read_bytes()
    try:
        result = deidentifier(research).deidentify(source, pixels_reviewed=True)
    except InstanceOutcome:
        return
    with quiet_pydicom():
        before, after = pydicom.dcmread(path, force=True), pydicom.dcmread(BytesIO(b"".join(result.parts)))
        for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"):
            # Where a frame held more than the image, the image is what stays: test_seeds sows into frames.
            assert result.blanks or before.get(keyword) == after.get(keyword)
        declared = before.file_meta.get("TransferSyntaxUID", EXPLICIT_LITTLE)
        deflated = declared == "1.2.840.10008.1.2.1.99"
        if path.name != "badVR.dcm" and "TransferSyntaxUID" in before.file_meta:
            assert after.file_meta.TransferSyntaxUID == (EXPLICIT_LITTLE if deflated else declared)
        for keyword in ("Rows", "Columns", "PixelRepresentation", "ImagePositionPatient", "PixelSpacing"):
            # Where a frame held more than the image, the image is what stays: test_seeds sows into frames.
            assert result.blanks or before.get(keyword) == after.get(keyword)
        assert list(after.keys()) == sorted(after.keys())


def test_what_says_that_it_was_done(deidentifier, any_profile, instance, read, pseudonyms):
    after = read(deidentifier(any_profile).deidentify(instance()))
    subject = pseudonyms.subject("site", "191212121212")
    assert (str(after.PatientName), after.PatientID, after.PatientIdentityRemoved) == (
        subject,
        subject,
        "YES",
    )
    written = {
        (item.CodeValue, item.CodingSchemeDesignator) for item in after.DeidentificationMethodCodeSequence
    }
    expected = {METHOD_CODES[option][0] for option in (None, *any_profile.options)}
    assert written == {(value, "DCM") for value in expected}
    assert any_profile.name in after.DeidentificationMethod[0]
    modified = after.LongitudinalTemporalInformationModified
    assert modified == ("MODIFIED" if any_profile.options else "REMOVED")


def test_preamble_and_file_meta_are_made_anew(deidentifier, research, instance, read):
    source = bytearray(instance())
    source[:128] = b"Svensson Anna".ljust(128, b"!")
    meta_end = 132 + 12 + int.from_bytes(source[140:144], "little")
    extra = encode_element(0x00020016, "AE", b"SVENSSON", EXPLICIT) + encode_element(
        0x00020102, "OB", b"Svensson", EXPLICIT
    )
    source[meta_end:meta_end] = extra
    source[140:144] = (int.from_bytes(source[140:144], "little") + len(extra)).to_bytes(4, "little")

    result = deidentifier(research).deidentify(bytes(source))

    assert b"vensson" not in result.header
    assert b"SVENSSON" not in result.header
    assert result.header[:128] == bytes(128)
    meta = read(result).file_meta
    assert meta.MediaStorageSOPInstanceUID == read(result).SOPInstanceUID
    assert len(meta) == 7


def test_references_to_the_same_object_stay_the_same(deidentifier, research, instance, read):
    reference = encode_element(0x00081155, "UI", b"1.2.752.1.1.3", EXPLICIT)
    one = deidentifier(research)
    first = read(one.deidentify(instance({0x00081140: ("SQ", encode_item(reference, EXPLICIT))})))
    second = read(one.deidentify(instance({0x00200052: ("UI", b"1.2.752.1.1.3")})))
    assert first.ReferencedImageSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert second.FrameOfReferenceUID == first.SOPInstanceUID
    assert UID(first.SOPInstanceUID).is_valid


def test_uids_of_the_standard_stay_and_pretenders_go(deidentifier, research, instance, read):
    after = read(
        deidentifier(research).deidentify(
            instance(
                {
                    0x00081150: ("UI", b"1.2.840.10008.5.1.4.1.1.2"),
                    0x0008010C: ("UI", b"2.16.840.1.113883.6.96"),
                    0x00080117: ("UI", b"1.2.840.10008.191212121212"),
                }
            )
        )
    )
    assert after.ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert after.CodingSchemeUID == "2.16.840.1.113883.6.96"
    assert after.ContextUID.startswith("2.25.")


def test_dates_keep_their_intervals_and_times_of_day(deidentifier, research, instance, read):
    after = read(
        deidentifier(research).deidentify(
            instance(
                {
                    0x00080020: ("DA", b"20240228"),
                    0x00080022: ("DA", b"20240301"),
                    0x0008002A: ("DT", b"20240301101112.5+0100"),
                    0x00080030: ("TM", b"101112.5"),
                    0x00080023: ("DA", b"Svensson"),
                }
            )
        )
    )
    with quiet_pydicom():
        study, acquisition = (
            pydicom.valuerep.DA(str(day)) for day in (after.StudyDate, after.AcquisitionDate)
        )
        assert (acquisition - study).days == 2
        assert study.isoformat() != "2024-02-28"
        assert str(after.AcquisitionDateTime) == f"{acquisition:%Y%m%d}101112.5+0100"
        assert str(after.StudyTime) == "101112.5"
        assert not after.ContentDate


def test_ages_over_89_are_one(deidentifier, research, instance, read):
    ages = {
        b"089Y": "089Y",
        b"090Y": "090Y",
        b"104Y": "090Y",
        b"999Y": "090Y",
        b"011M": "011M",
        b"Anna": None,
    }
    ages |= {b"999M": "999M", b"999W": "999W"}  # 83 and 19 years: no other unit goes beyond 89
    for age, expected in ages.items():
        after = read(deidentifier(research).deidentify(instance({0x00101010: ("AS", age)})))
        assert after.get("PatientAge") == expected


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({0x00280301: ("CS", b"YES")}, "burned-in-text"),
        ({0x00280301: ("CS", b"yes")}, "burned-in-text"),
        ({0x00080008: ("CS", b"DERIVED\\SECONDARY\\SCREEN SAVE")}, "burned-in-text-risk"),
        ({0x00080060: ("CS", b"US")}, "burned-in-text-risk"),
        ({0x00280010: ("US", b"\x02\0"), 0x00280011: ("US", b"\x02\0")}, "pixel-data-truncated"),
        ({0x00080008: ("CS", b"ORIGINAL\\PRIMARY\\LABEL\\NONE"), 0x00080060: ("CS", b"SM")}, "slide-label"),
        ({0x0020000E: ("UI", b"")}, "no-series"),
        ({0x00100020: ("LO", b""), 0x0020000D: ("UI", b"")}, "no-series"),
        ({0x00080018: ("UI", b"")}, "no-sop-class"),
    ],
)
def test_what_is_held(deidentifier, research, instance, elements, reason):
    with pytest.raises(Quarantine, match=reason):
        deidentifier(research).deidentify(instance(elements))


@pytest.mark.parametrize(
    ("sop_class", "reason"),
    [
        ("1.2.840.10008.5.1.4.1.1.104.1", "sop-class-not-allowed"),  # Encapsulated PDF
        ("1.2.752.99.1", "sop-class-unknown"),
        ("1.2.840.10008.5.1.4.1.1.99999", "sop-class-unknown"),
    ],
)
def test_kinds_of_objects_that_the_profile_does_not_name_are_held(
    deidentifier, research, instance, sop_class, reason
):
    with pytest.raises(Quarantine, match=reason):
        deidentifier(research).deidentify(instance(sop_class=sop_class))


def test_a_profile_may_or_may_not_believe_that_there_is_no_text(deidentifier, basic, research, instance):
    ultrasound = instance({0x00280301: ("CS", b"NO"), 0x00080060: ("CS", b"US")})
    deidentifier(research).deidentify(ultrasound)
    with pytest.raises(Quarantine, match="burned-in-text-risk"):
        deidentifier(basic).deidentify(ultrasound)


def test_a_persons_review_lets_pixels_pass_and_is_written_down(deidentifier, research, instance, read):
    source = instance({0x00280301: ("CS", b"YES")})
    after = read(deidentifier(research).deidentify(source, pixels_reviewed=True))
    assert after.BurnedInAnnotation == "NO"
    with pytest.raises(Quarantine, match="slide-label"):
        deidentifier(research).deidentify(
            instance({0x00080008: ("CS", b"ORIGINAL\\PRIMARY\\LABEL"), 0x00080060: ("CS", b"SM")}),
            pixels_reviewed=True,
        )


def test_nothing_is_claimed_of_pixels_that_nobody_looked_at(deidentifier, research, instance, read):
    assert "BurnedInAnnotation" not in read(deidentifier(research).deidentify(instance()))


def test_what_comes_after_the_pixel_data_goes(deidentifier, research, instance):
    tail = encode_element(0xFFFCFFFC, "OB", b"Svensson Anna", EXPLICIT)
    pixels = encode_element(0x7FE00010, "OW", b"\1\2\3\4", EXPLICIT)
    result = deidentifier(research).deidentify(instance() + pixels + tail)
    assert bytes(result.pixels) == pixels


def test_a_deflated_instance_comes_out_inflated(deidentifier, research, instance, read):
    plain = instance({0x00280010: ("US", b"\1\0"), 0x00280011: ("US", b"\1\0"), 0x7FE00010: ("OW", b"\7\0")})
    start = 132 + 12 + int.from_bytes(plain[140:144], "little")
    compress = zlib.compressobj(wbits=-15)
    meta = encode_file_meta("1.2.840.10008.5.1.4.1.1.2", "1.2.752.1.1.3", "1.2.840.10008.1.2.1.99")
    deflated = meta + compress.compress(plain[start:]) + compress.flush()

    one = deidentifier(research)

    assert b"".join(one.deidentify(deflated).parts) == b"".join(one.deidentify(plain).parts)


def test_sequences_written_as_unknown_are_gone_through_too(deidentifier, research, instance, read):
    name = encode_element(0x00100010, "PN", b"Svensson^Anna", IMPLICIT)
    code = encode_element(0x00080100, "SH", b"T-D0050", IMPLICIT)
    scheme = encode_element(0x00080102, "SH", b"SRT", IMPLICIT)
    unknown = {0x00082218: ("UN", encode_item(name + code + scheme, IMPLICIT))}
    result = deidentifier(research).deidentify(instance(unknown))
    assert b"vensson" not in result.header
    with quiet_pydicom():
        assert read(result).AnatomicRegionSequence[0].CodeValue == "T-D0050"


def test_values_that_are_not_what_their_vr_says_go(deidentifier, research, instance):
    lies = {
        0x00180050: ("DS", b"Svensson"),
        0x00200013: ("IS", b"Svensson"),
        0x00280010: ("LO", b"Svensson"),
        0x00080061: ("CS", b"Anna Svensson from Umea"),
        0x00200020: ("SQ", encode_item(encode_element(0x00104000, "LT", b"Svensson", EXPLICIT), EXPLICIT)),
    }
    assert b"vensson" not in deidentifier(research).deidentify(instance(lies)).header


def test_zeros_are_values(deidentifier, research, instance, read):
    zeros = {0x00280103: ("US", b"\0\0"), 0x00280106: ("US", b"\0\0"), 0x00189087: ("FD", bytes(8))}
    after = read(deidentifier(research).deidentify(instance(zeros)))
    assert (after.PixelRepresentation, after.SmallestImagePixelValue, after.DiffusionBValue) == (0, 0, 0)


def test_a_study_without_a_patient_id_is_a_subject_of_its_own(
    deidentifier, research, instance, read, pseudonyms
):
    after = read(deidentifier(research).deidentify(instance({0x00100020: ("LO", b"  ")})))
    assert after.PatientID == pseudonyms.subject("site", "study:1.2.752.1.1.1")


def test_the_headers_issuer_counts_before_the_sites(deidentifier, research, instance, read, pseudonyms):
    elements = {0x00100020: ("LO", b"47-11"), 0x00100021: ("LO", b"Region X")}
    after = read(deidentifier(research).deidentify(instance(elements)))
    assert after.PatientID == pseudonyms.subject("region x", "47-11")
    assert "IssuerOfPatientID" not in after


def test_without_an_issuer_its_universal_id_counts(deidentifier, research, instance, read, pseudonyms):
    """Issuer of Patient ID Qualifiers Sequence (PS3.3 table 10-18): the patient ids of two hospitals that name
    themselves by an OID only are two persons', whichever site delivers them."""
    entity = encode_item(encode_element(0x00400032, "UT", b"1.2.752.97.1 ", EXPLICIT), EXPLICIT)
    qualified = {0x00100020: ("LO", b"47-11"), 0x00100024: ("SQ", entity)}
    result = deidentifier(research).deidentify(instance(qualified))
    assert read(result).PatientID == pseudonyms.subject("1.2.752.97.1", "47-11")
    assert b"1.2.752.97.1" not in result.header
    named = read(deidentifier(research).deidentify(instance(qualified | {0x00100021: ("LO", b"Region X")})))
    assert named.PatientID == pseudonyms.subject("Region X", "47-11")
    for nothing in (b"", encode_item(b"", EXPLICIT)):
        bare = read(deidentifier(research).deidentify(instance(qualified | {0x00100024: ("SQ", nothing)})))
        assert bare.PatientID == pseudonyms.subject("site", "47-11")


def test_a_birth_date_goes_in_whatever_calendar_and_the_age_is_aggregated(
    deidentifier, any_profile, instance, read
):
    born = {
        0x00100030: ("DA", b"19120101"),
        0x00100032: ("TM", b"1015"),
        0x00100033: ("LO", b"1330-10-11"),
        0x00101010: ("AS", b"112Y"),
    }
    after = read(deidentifier(any_profile).deidentify(instance(born)))
    assert not any(after.get(name) for name in ("PatientBirthDate", "PatientBirthTime"))
    assert not after.get("PatientBirthDateInAlternativeCalendar")
    assert after.get("PatientAge") in (None, "090Y")


@pytest.mark.parametrize("other", [b"19121212-1212", b"4712\\4713"])
def test_other_patient_ids_make_nobody_someone_else(
    deidentifier, research, instance, read, pseudonyms, other
):
    """Not every file of a person has them: taken into account, they would tear studies apart."""
    elements = {0x00100020: ("LO", b"47-11"), 0x00101000: ("LO", other)}
    after = read(deidentifier(research).deidentify(instance(elements)))
    assert after.PatientID == pseudonyms.subject("site", "47-11")
    assert "OtherPatientIDs" not in after


@pytest.mark.parametrize("mode", DateMode)
def test_dates_move_as_the_profile_says_and_the_header_says_that_they_did(
    deidentifier, verifier, research, instance, read, pseudonyms, mode
):
    profile = research.model_copy(update={"dates": mode})
    dates = {
        0x00080020: ("DA", b"20240228"),
        0x00080022: ("DA", b"20240301"),
        0x0008002A: ("DT", b"20240301101112.5+0100"),
        0x00080030: ("TM", b"101112"),
        0x00080032: ("TM", b"20240301101112"),
    }
    result = deidentifier(profile).deidentify(instance(dates))
    verifier(profile).verify(result)
    after = read(result)
    with quiet_pydicom():
        days = timeline(mode, pseudonyms)
        study, acquisition = (
            f"{days.moved(day, result.subject):%Y%m%d}" for day in (date(2024, 2, 28), date(2024, 3, 1))
        )
        assert (str(after.StudyDate), str(after.AcquisitionDate)) == (study, acquisition)
        time = "000000" if mode is DateMode.ORDER else "101112"
        assert str(after.StudyTime) == time
        assert str(after.AcquisitionDateTime).startswith(f"{acquisition}{time}.")
        assert str(after.AcquisitionDateTime).endswith("+0100")
        assert not after.get("AcquisitionTime")
    assert after.LongitudinalTemporalInformationModified == "MODIFIED"
    assert "113107" in {item.CodeValue for item in after.DeidentificationMethodCodeSequence}


def test_the_same_input_gives_the_same_bytes(deidentifier, research, instance):
    first, second = (deidentifier(research).deidentify(instance()).header for _ in range(2))
    assert first == second


def test_pixels_are_a_view_of_the_source_and_not_a_copy(deidentifier, research, bundled):
    source = (bundled / "CT_small.dcm").read_bytes()
    result = deidentifier(research).deidentify(source)
    assert result.pixels.obj is source


def test_changes_name_attributes_and_never_values(deidentifier, research, instance):
    result = deidentifier(research).deidentify(instance({0x00104000: ("LT", b"Svensson")}))
    assert "vensson" not in repr(result.changes)
    assert 0x00104000 in {change.tag for change in result.changes}


@pytest.mark.parametrize("vr", ["FD", "DA", "LO", "UN"])
def test_a_uid_that_calls_itself_something_else_comes_out_as_a_uid(
    deidentifier, any_profile, instance, read, vr
):
    source = instance({0x0020000E: (vr, b"1.2.752.1.1.2345")})
    result = read(deidentifier(any_profile).deidentify(source))
    assert result["SeriesInstanceUID"].VR == "UI"
    assert result.SeriesInstanceUID.startswith("2.25.")


def test_an_instance_with_two_uids_is_none(deidentifier, any_profile, instance):
    with pytest.raises(Quarantine, match="no-sop-class"):
        deidentifier(any_profile).deidentify(instance({0x00080018: ("UI", b"1.2.752.1.1.3\\1.2.752.1.1.4")}))


@pytest.mark.parametrize("value", [b"nan ", b"inf ", b"1e999 "])
def test_rows_that_are_no_number_are_no_rows(deidentifier, any_profile, instance, value):
    deidentifier(any_profile).deidentify(instance({0x00280010: ("DS", value)}))


@pytest.mark.parametrize("vr", ["UV", "FD", "US"])
def test_a_text_that_calls_itself_a_number_comes_out_as_a_text_that_can_be_read(
    deidentifier, any_profile, instance, read, vr
):
    description = {0x00081030: (vr, b"CT Thorax Anna")}
    result = read(deidentifier(any_profile).deidentify(instance(description)))
    assert "Anna" not in str(result.get("StudyDescription", ""))


@pytest.mark.parametrize("vr", ["ST", "LO", "FD", "DA"])
def test_a_sop_class_that_calls_itself_something_else_stays(deidentifier, any_profile, instance, read, vr):
    ct = "1.2.840.10008.5.1.4.1.1.2"
    result = read(deidentifier(any_profile).deidentify(instance({0x00080016: (vr, ct.encode() + b"\0")})))
    assert result["SOPClassUID"].VR == "UI"
    assert result.SOPClassUID == result.file_meta.MediaStorageSOPClassUID == ct
