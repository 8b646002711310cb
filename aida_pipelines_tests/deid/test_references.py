"""Objects that refer to others still do when they come months apart, are as valid as before, and can be read.

Every object is de-identified by a de-identifier of its own under the same key: nothing is remembered between them.
"""

import multiprocessing
from collections import Counter
from functools import cache
from io import BytesIO

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.uid import UID_dictionary

from aida_pipelines.deid.engine import Deidentifier
from aida_pipelines.deid.fast import FastDeidentifier
from aida_pipelines.deid.pseudonym import Pseudonyms
from aida_pipelines.errors import Quarantine
from aida_pipelines_tests.deid import objects
from aida_pipelines_tests.deid.validity import error_classes

KEY = bytes(range(32))
NAMES = (
    "ct", "segmentation", "slide", "slide segmentation", "measurement report", "key objects", "presentation state",
    "annotations", "parametric map", "structure set", "part 1", "part 2",
)  # fmt: skip
NOT_PATHOLOGY = {"ct", "structure set"}


@cache
def sources():
    """Every object as bytes, by name; ``ct 0`` to ``ct 4`` are slices."""
    slices = objects.ct_slices()
    drawn, slide = objects.segmentation(slices), objects.slide()
    made = {
        "segmentation": drawn,
        "slide": slide,
        "slide segmentation": objects.slide_segmentation(slide),
        "measurement report": objects.measurement_report(slices, drawn),
        "key objects": objects.key_objects(slices),
        "presentation state": objects.presentation_state(slices),
        "annotations": objects.annotations(slide),
        "parametric map": objects.parametric_map(slices),
        "structure set": objects.structure_set(slices),
        "part 1": objects.slide(2, part=1),
        "part 2": objects.slide(2, part=2),
        "ct": slices[0],
    } | {f"ct {number}": one for number, one in enumerate(slices)}
    return {name: objects.as_bytes(one) for name, one in made.items()}


def written(result):
    return b"".join(bytes(part) for part in result.parts)


def one_delivery(profile, cleaners, source, kind=Deidentifier):
    """De-identified as if nothing had come before it."""
    alone = kind(profile, Pseudonyms(KEY, "tests"), *cleaners, issuer="site")
    return written(alone.deidentify(source))


@pytest.fixture(scope="module")
def outcome(research, cleaners):
    """Every object by name, each out of a delivery of its own."""
    return {
        name: pydicom.dcmread(BytesIO(one_delivery(research, cleaners, source)))
        for name, source in sources().items()
    }


def uids(data_set, above=()):
    """Keyword, that of the sequence around it, and value of every UID that is not private."""
    for element in data_set:
        if element.VR == "SQ":
            for item in element.value:
                yield from uids(item, (*above, element.keyword))
        elif element.VR == "UI" and not element.tag.is_private:
            for value in [element.value] if isinstance(element.value, str) else element.value:
                yield element.keyword, above[-1:], str(value)


def expected(uid):
    """What becomes of a UID: those of the standard stay."""
    standard = uid in UID_dictionary or uid.startswith("1.2.840.10008.5.1.4.1.1.")
    return uid if standard else Pseudonyms(KEY, "tests").uid(uid)


@pytest.mark.parametrize("name", NAMES)
def test_every_uid_is_its_pseudonym_in_its_place(outcome, name):
    before = pydicom.dcmread(BytesIO(sources()[name]))
    assert Counter(uids(outcome[name])) == Counter(
        (keyword, above, expected(uid)) for keyword, above, uid in uids(before)
    )


@pytest.mark.parametrize(
    "file", ["rtplan.dcm", "rtdose.dcm", "rtstruct.dcm", "test-SR.dcm", "liver_1frame.dcm"]
)
def test_so_it_is_in_objects_that_others_made(bundled, research, cleaners, file):
    source = (bundled / file).read_bytes()
    before = pydicom.dcmread(BytesIO(source), force=True)
    after = pydicom.dcmread(BytesIO(one_delivery(research, cleaners, source)))
    for verified in before.get("VerifyingObserverSequence", ()):
        verified.VerifyingObserverIdentificationCodeSequence = None  # a person's code
    assert Counter(uids(after)) == Counter(
        (keyword, above, expected(uid)) for keyword, above, uid in uids(before)
    )


REFERENCES = {
    "ReferencedSOPInstanceUID": {"SOPInstanceUID", "StudyInstanceUID"},
    "SeriesInstanceUID": {"SeriesInstanceUID"},
    "StudyInstanceUID": {"StudyInstanceUID"},
    "ReferencedFrameOfReferenceUID": {"FrameOfReferenceUID"},
    "FrameOfReferenceUID": {"FrameOfReferenceUID"},
}


def test_every_reference_resolves(outcome):
    there = {
        keyword: {one.get(keyword) for one in outcome.values()}
        for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")
    }
    looked_up = 0
    for name, one in outcome.items():
        for keyword, above, uid in uids(one):
            if above and keyword in REFERENCES:
                looked_up += 1
                assert any(uid in there[target] for target in REFERENCES[keyword]), (name, above, keyword)
    assert looked_up > 80


def test_what_belongs_together_still_does(outcome):
    first, second = outcome["part 1"], outcome["part 2"]
    assert first.ConcatenationUID == second.ConcatenationUID
    assert first.SOPInstanceUIDOfConcatenationSource == second.SOPInstanceUIDOfConcatenationSource
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert first.DimensionOrganizationSequence == second.DimensionOrganizationSequence
    lesion = outcome["segmentation"].SegmentSequence[0].TrackingUID
    drawn = outcome["presentation state"].GraphicAnnotationSequence[0].GraphicObjectSequence[0].TrackingUID
    assert lesion == drawn
    assert lesion in [uid for keyword, _, uid in uids(outcome["measurement report"]) if keyword == "UID"]
    assert len({one.PatientID for one in outcome.values()}) == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("profile", ["basic", "research-longitudinal", "pathology"])
def test_no_new_kind_of_error(name, profile, cleaners, tmp_path, profiles):
    if pydicom.dcmread(BytesIO(sources()[name])).SOPClassUID not in profiles[profile].sop_classes:
        assert profile == "basic" or (profile == "pathology" and name in NOT_PATHOLOGY)
        with pytest.raises(Quarantine, match="sop-class-not-allowed"):
            one_delivery(profiles[profile], cleaners, sources()[name])
        return
    after = one_delivery(profiles[profile], cleaners, sources()[name])
    for file, content in (("before", sources()[name]), ("after", after)):
        (tmp_path / file).write_bytes(content)
    assert error_classes(tmp_path / "after") <= error_classes(tmp_path / "before")


@pytest.mark.parametrize("name", NAMES)
def test_nobody_is_named_and_the_verifier_agrees(name, research, cleaners, deidentifier, verifier):
    result = deidentifier(research).deidentify(sources()[name])
    text = written(result).lower()
    for seed in (b"svensson", b"19121212", b"acc4711", b"s24-4711", b"s244711", b"1.2.752.4711"):
        assert seed not in text
    verifier(research).verify(result)


@pytest.mark.parametrize("name", NAMES)
def test_both_paths_give_the_same_bytes(name, research, cleaners):
    source = sources()[name]
    fast = FastDeidentifier(research, Pseudonyms(KEY, "tests"), *cleaners, issuer="site")
    assert (
        written(fast.deidentify(source))
        == written(fast.deidentify(source))
        == one_delivery(research, cleaners, source)
    )


def test_another_process_gives_the_same_bytes(research, cleaners):
    names = ["ct 1", "measurement report"]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        elsewhere = pool.starmap(one_delivery, [(research, cleaners, sources()[name]) for name in names])
    assert elsewhere == [one_delivery(research, cleaners, sources()[name]) for name in names]


# --- as highdicom reads them -------------------------------------------------------------------


def test_a_segmentation_finds_its_source_images(outcome):
    drawn = hd.seg.Segmentation.from_dataset(outcome["segmentation"])
    before = hd.seg.Segmentation.from_dataset(pydicom.dcmread(BytesIO(sources()["segmentation"])))
    originals = [pydicom.dcmread(BytesIO(sources()[f"ct {number}"])).SOPInstanceUID for number in range(5)]
    pixels = drawn.get_pixels_by_source_instance(
        [outcome[f"ct {number}"].SOPInstanceUID for number in range(5)]
    )
    assert np.array_equal(pixels, before.get_pixels_by_source_instance(originals))
    assert pixels.any()
    assert drawn.get_segment_description(1).segment_label == "lesion"
    assert drawn.get_segment_description(1).segmented_property_type.value == "108369006"


def test_a_segmented_slide_can_be_put_together(outcome):
    drawn = hd.seg.Segmentation.from_dataset(outcome["slide segmentation"])
    before = hd.seg.Segmentation.from_dataset(pydicom.dcmread(BytesIO(sources()["slide segmentation"])))
    assert np.array_equal(drawn.get_total_pixel_matrix(), before.get_total_pixel_matrix())


def test_a_measurement_report_still_measures(outcome):
    report = hd.sr.Comprehensive3DSR.from_dataset(outcome["measurement report"])
    (group,) = report.content.get_volumetric_roi_measurement_groups(
        tracking_uid=outcome["segmentation"].SegmentSequence[0].TrackingUID
    )
    (measurement,) = group.get_measurements()
    assert (measurement.name.meaning, measurement.value, measurement.unit.value) == ("Volume", 12.5, "mm3")
    assert group.finding_type.meaning == "Neoplasm"
    assert [site.topographical_modifier or site.value.meaning for site in group.finding_sites] == ["Liver"]
    assert group.referenced_segment.referenced_sop_instance_uid == outcome["segmentation"].SOPInstanceUID
    person, device = report.content.get_observer_contexts()
    assert person.observer_identifying_attributes.name == "REMOVED"
    assert person.observer_identifying_attributes.login_name is None
    assert device.observer_identifying_attributes.manufacturer_name == "REMOVED"
    assert outcome["measurement report"].Manufacturer == "Acme"
    assert device.observer_identifying_attributes.name == "PC"
    assert device.observer_identifying_attributes.serial_number is None
    assert device.observer_identifying_attributes.physical_location is None


def test_a_verified_report_says_that_it_was_and_not_by_whom(outcome):
    (verified,) = outcome["measurement report"].VerifyingObserverSequence
    assert outcome["measurement report"].VerificationFlag == "VERIFIED"
    assert (verified.VerifyingObserverName, verified.VerifyingOrganization) == ("REMOVED", "REMOVED")
    assert not verified.VerifyingObserverIdentificationCodeSequence


def test_key_objects_are_found(outcome):
    document = hd.ko.KeyObjectSelectionDocument.from_dataset(outcome["key objects"])
    for number in range(5):
        slice_ = outcome[f"ct {number}"]
        assert document.resolve_reference(slice_.SOPInstanceUID) == (
            slice_.StudyInstanceUID, slice_.SeriesInstanceUID, slice_.SOPInstanceUID,
        )  # fmt: skip


def test_what_is_drawn_on_an_image_stays_and_what_is_written_is_cleaned(outcome):
    (annotation,) = outcome["presentation state"].GraphicAnnotationSequence
    assert list(annotation.GraphicObjectSequence[0].GraphicData) == [1, 1, 5, 5, 1, 9]
    assert annotation.TextObjectSequence[0].UnformattedTextValue == "REMOVED"
    assert annotation.GraphicLayer == outcome["presentation state"].GraphicLayerSequence[0].GraphicLayer


def test_what_a_presentation_state_writes_and_overlays_goes_at_any_place(research, cleaners):
    state = pydicom.dcmread(BytesIO(sources()["presentation state"]))
    compound, text, axis = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
    axis.TickPosition, axis.TickLabel = 0.5, "Svensson"
    compound.CompoundGraphicInstanceID, compound.CompoundGraphicUnits = 1, "PIXEL"
    compound.GraphicDimensions, compound.NumberOfGraphicPoints, compound.GraphicData = (
        2,
        2,
        [1.0, 1.0, 9.0, 9.0],
    )
    compound.CompoundGraphicType, compound.MajorTicksSequence = "RULER", pydicom.Sequence([axis])
    text.UnformattedTextValue = "seen by Anna Svensson, born 19121212, and found to be benign by dr Svensson"
    text.AnchorPointAnnotationUnits, text.AnchorPoint, text.AnchorPointVisibility = "PIXEL", [1.0, 1.0], "N"
    (annotation,) = state.GraphicAnnotationSequence
    annotation.CompoundGraphicSequence = pydicom.Sequence([compound])
    annotation.TextObjectSequence.append(text)
    state.GraphicLayerSequence[0].GraphicLayer = annotation.GraphicLayer = "SVENSSON"
    state.add_new(0x60000010, "US", 16)
    state.add_new(0x60003000, "OW", b"Svensson" * 4)
    state.add_new(0x60001500, "LO", "Svensson")
    after = one_delivery(research, cleaners, objects.as_bytes(state))
    assert b"svensson" not in after.lower()
    (written_on,) = pydicom.dcmread(BytesIO(after)).GraphicAnnotationSequence
    assert list(written_on.CompoundGraphicSequence[0].GraphicData) == [1, 1, 9, 9]
    assert [one.UnformattedTextValue for one in written_on.TextObjectSequence] == ["REMOVED", "REMOVED"]
    assert (
        written_on.GraphicLayer
        == pydicom.dcmread(BytesIO(after)).GraphicLayerSequence[0].GraphicLayer
        == "REMOVED"
    )
    assert not [element for element in pydicom.dcmread(BytesIO(after)) if element.tag.group == 0x6000]


def test_annotations_keep_points_and_measurements(outcome):
    found = hd.ann.MicroscopyBulkSimpleAnnotations.from_dataset(outcome["annotations"])
    (group,) = found.get_annotation_groups()
    assert [list(one[0]) for one in group.get_graphic_data("2D")] == [[3.0, 4.0], [9.0, 8.0]]
    _, values, units = group.get_measurements()
    assert np.allclose(values[:, 0], [20.4, 43.8])
    assert units[0].value == "um2"
    assert group.label == "nuclei"


def test_a_parametric_map_maps(outcome):
    mapped = outcome["parametric map"]
    mapping = mapped.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    assert (mapping.LUTLabel, mapping.RealWorldValueSlope) == ("T1", 1)
    assert np.all(mapped.pixel_array == 1)


def test_contours_lie_on_their_slices(outcome):
    plan, first = outcome["structure set"], outcome["ct 0"]
    (contour,) = plan.ROIContourSequence[0].ContourSequence
    assert contour.ContourImageSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert plan.StructureSetROISequence[0].ReferencedFrameOfReferenceUID == first.FrameOfReferenceUID
    assert list(contour.ContourData) == [1, 1, 1, 5, 1, 1, 5, 5, 1]
    assert plan.StructureSetROISequence[0].ROIName == "GTV"


@pytest.mark.shared
def test_real_segmentations_reports_and_annotations_of_slides_refer_to_what_they_did(
    dev_data, research, cleaners
):
    files = sorted((dev_data / "highdicom").glob("*.dcm"))
    before = [pydicom.dcmread(file) for file in files]
    after = [pydicom.dcmread(BytesIO(one_delivery(research, cleaners, file.read_bytes()))) for file in files]

    def links(data_sets):
        places = {one.SOPInstanceUID: place for place, one in enumerate(data_sets)}
        return {
            (place, places[uid])
            for place, one in enumerate(data_sets)
            for keyword, above, uid in uids(one)
            if keyword == "ReferencedSOPInstanceUID" and above and uid in places
        }

    assert links(after) == links(before)
    assert len(links(before)) > 5
    for old, new in zip(before, after, strict=True):
        if new.Modality == "SEG" and new.get("DimensionOrganizationType", "").startswith("TILED"):
            drawn, was = hd.seg.Segmentation.from_dataset(new), hd.seg.Segmentation.from_dataset(old)
            assert np.array_equal(drawn.get_total_pixel_matrix(), was.get_total_pixel_matrix())
