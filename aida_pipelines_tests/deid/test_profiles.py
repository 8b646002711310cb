"""The shipped profiles: what each lets through, what stays, what goes, and what the result says of itself."""

from io import BytesIO

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageCms
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import Code, codes
from pydicom.uid import EnhancedCTImageStorage, ExplicitVRLittleEndian

from aida_pipelines.contracts.load import load_contracts
from aida_pipelines.contracts.profile import Option
from aida_pipelines.deid.admission import MAX_TISSUE_MM
from aida_pipelines.deid.rules import Rules
from aida_pipelines.errors import ContractError, Quarantine
from aida_pipelines_tests.deid.conftest import CONTRACTS
from aida_pipelines_tests.deid.objects import MAKER, as_bytes, coded, slide, specimen, uid

NAMES = ("basic", "pathology", "research-longitudinal", "ultrasound")


def written(result):
    return pydicom.dcmread(BytesIO(b"".join(bytes(part) for part in result.parts)))


# --- contracts ---------------------------------------------------------------------------------


def test_these_are_shipped(profiles):
    assert tuple(sorted(profiles)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_has_a_reason_that_says_something(profiles, name):
    profile = profiles[name]
    every = [
        *profile.rules,
        *profile.private,
        *profile.content,
        *(rule for layer in profile.layers for rule in layer.rules),
    ]
    for rule in every:
        assert len(rule.reason.split()) > 2, rule


def test_a_profile_has_the_rules_of_the_one_that_it_extends_before_its_own(profiles):
    research = profiles["research-longitudinal"]
    for name in ("pathology", "ultrasound"):
        assert profiles[name].rules[: len(research.rules)] == research.rules
        assert profiles[name].content[: len(research.content)] == research.content
        assert len(profiles[name].rules) > len(research.rules)
        assert research.private
        assert not profiles[name].private  # they don't take the option


@pytest.fixture
def folder(tmp_path):
    """A folder of contracts of a profile each; ``folder(name, **changes)``."""
    (tmp_path / "deid").mkdir()

    def write(name, **changes):
        text = (CONTRACTS / "deid" / "pathology.yaml").read_text()
        for old, new in {"name: pathology": f"name: {name}", **changes}.items():
            text = text.replace(old, new, 1)
        (tmp_path / "deid" / f"{name}.yaml").write_text(text)
        return tmp_path

    return write


def test_what_a_profile_extends_must_be_there(folder):
    with pytest.raises(ContractError, match="extends"):
        load_contracts(folder("pathology"))


@pytest.mark.parametrize(
    "chain", [{"one": "one"}, {"one": "two", "two": "one"}, {"one": "two", "two": "three", "three": ""}]
)
def test_profiles_are_extended_once_and_never_in_a_circle(folder, chain):
    for name, other in chain.items():
        root = folder(name, **{"extends: research-longitudinal": f'extends: "{other}"'})
    with pytest.raises(ContractError, match="extends"):
        load_contracts(root)


def test_an_edit_of_the_extended_profile_changes_the_fingerprint(folder):
    def fingerprint(**changes):
        folder("other", **{"extends: research-longitudinal": 'extends: ""'}, **changes)
        return (
            load_contracts(folder("one", **{"extends: research-longitudinal": "extends: other"}))
            .profile("one")
            .fingerprint
        )

    assert fingerprint() == fingerprint() != fingerprint(**{"version: 1.0.0": "version: 1.0.1"})


def test_a_profile_is_never_used_without_the_one_that_it_extends(profiles):
    with pytest.raises(ValueError, match="extends"):
        Rules(profiles["pathology"].model_copy(update={"extends": "research-longitudinal"}))


HELD = {
    "Encapsulated PDF Storage": "1.2.840.10008.5.1.4.1.1.104.1",
    "Encapsulated CDA Storage": "1.2.840.10008.5.1.4.1.1.104.2",
    "Procedure Log Storage": "1.2.840.10008.5.1.4.1.1.88.40",
    "VL Photographic Image Storage": "1.2.840.10008.5.1.4.1.1.77.1.4",
    "VL Microscopic Image Storage": "1.2.840.10008.5.1.4.1.1.77.1.2",
    "12-lead ECG Waveform Storage": "1.2.840.10008.5.1.4.1.1.9.1.1",
    "Raw Data Storage": "1.2.840.10008.5.1.4.1.1.66",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", HELD)
def test_documents_photographs_waveforms_and_raw_data_are_held_for_what_they_are(
    profiles, deidentifier, instance, name, kind
):
    assert pydicom.uid.UID(HELD[kind]).name == kind
    for reviewed in (False, True):
        with pytest.raises(Quarantine, match="sop-class-not-allowed"):
            deidentifier(profiles[name]).deidentify(instance(sop_class=HELD[kind]), pixels_reviewed=reviewed)


@pytest.mark.parametrize("name", NAMES)
def test_a_manufacturers_own_kind_of_object_is_held(profiles, deidentifier, instance, name):
    with pytest.raises(Quarantine, match="sop-class-unknown"):
        deidentifier(profiles[name]).deidentify(instance(sop_class="1.2.752.24.3.2.6"))


# --- what the result says of itself ------------------------------------------------------------

CODES = {
    Option.CLEAN_GRAPHICS: "CleanGraphicsOption",
    Option.CLEAN_STRUCTURED_CONTENT: "CleanStructuredContentOption",
    Option.CLEAN_DESCRIPTORS: "CleanDescriptorsOption",
    Option.RETAIN_LONGITUDINAL_FULL_DATES: "RetainLongitudinalTemporalInformationFullDatesOption",
    Option.RETAIN_LONGITUDINAL_MODIFIED_DATES: "RetainLongitudinalTemporalInformationModifiedDatesOption",
    Option.RETAIN_PATIENT_CHARACTERISTICS: "RetainPatientCharacteristicsOption",
    Option.RETAIN_DEVICE_IDENTITY: "RetainDeviceIdentityOption",
    Option.RETAIN_UIDS: "RetainUIDsOption",
    Option.RETAIN_SAFE_PRIVATE: "RetainSafePrivateOption",
    Option.RETAIN_INSTITUTION_IDENTITY: "RetainInstitutionIdentityOption",
}


def any_instance(instance, profile, elements=()):
    return instance(
        elements,
        sop_class="1.2.840.10008.5.1.4.1.1.66.4" if profile.name != "basic" else "1.2.840.10008.5.1.4.1.1.2",
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_codes_of_cid_7050_are_those_of_the_options(profiles, deidentifier, instance, read, name):
    profile = profiles[name]
    after = read(deidentifier(profile).deidentify(any_instance(instance, profile)))
    said = {(one.CodeValue, one.CodingSchemeDesignator) for one in after.DeidentificationMethodCodeSequence}
    taken = ["BasicApplicationConfidentialityProfile", *(CODES[option] for option in profile.options)]
    assert said == {(getattr(codes.cid7050, keyword).value, "DCM") for keyword in taken}
    assert after.LongitudinalTemporalInformationModified == ("REMOVED" if name == "basic" else "MODIFIED")
    assert after.PatientIdentityRemoved == "YES"


@pytest.mark.parametrize("name", NAMES)
def test_what_others_said_of_themselves_does_not_contradict(profiles, deidentifier, instance, read, name):
    """An instance that was de-identified before, badly, and has such statements in its items as well."""
    source = pydicom.dcmread(BytesIO(any_instance(instance, profiles[name])))

    def claim(item):
        item.PatientIdentityRemoved, item.LongitudinalTemporalInformationModified = "NO", "UNMODIFIED"
        item.DeidentificationMethod = "by hand, Svensson"
        item.DeidentificationMethodCodeSequence = Sequence(
            [coded(Code("113110", "DCM", "Retain UIDs Option"))]
        )

    inner = Dataset()
    for item in (source, inner):
        claim(item)
    inner.BurnedInAnnotation, inner.RecognizableVisualFeatures = "YES", "NO"
    inner.ReferencedSOPClassUID, inner.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.752.1.1.9"
    source.ReferencedImageSequence = Sequence([inner])
    after = read(deidentifier(profiles[name]).deidentify(as_bytes(source)))
    assert sorted(element.keyword for element in after.ReferencedImageSequence[0]) == [
        "ReferencedSOPClassUID",
        "ReferencedSOPInstanceUID",
    ]
    assert after.PatientIdentityRemoved == "YES"
    assert after.DeidentificationMethod[0].startswith(f"aida_pipelines {name} ")
    assert "113110" not in [one.CodeValue for one in after.DeidentificationMethodCodeSequence]


@pytest.mark.parametrize("said", [None, "YES", "NO"])
def test_of_faces_and_burned_in_text_nothing_is_claimed_that_the_site_did_not_say(
    research, deidentifier, instance, read, said
):
    elements = {0x00280302: ("CS", said.encode())} if said else {}
    after = read(deidentifier(research).deidentify(instance(elements)))
    assert after.get("RecognizableVisualFeatures") == said
    assert "BurnedInAnnotation" not in after
    assert "113102" not in [one.CodeValue for one in after.DeidentificationMethodCodeSequence]


# --- pathology ---------------------------------------------------------------------------------


@pytest.fixture(params=["pathology", "research-longitudinal"])
def for_slides(request, profiles, deidentifier):
    return deidentifier(profiles[request.param])


@pytest.mark.parametrize(
    ("flavour", "reason"), [("LABEL", "slide-label"), ("OVERVIEW", "slide-label"), ("MACRO", "slide-label"), ("LOCALIZER", "burned-in-text-risk"), ("", "burned-in-text-risk")]
)  # fmt: skip
@pytest.mark.parametrize("modality", ["SM", "OT"])
def test_images_that_show_a_label_are_held(for_slides, flavour, modality, reason):
    image = slide(flavour=flavour)
    image.Modality = modality
    with pytest.raises(Quarantine, match=reason):
        for_slides.deidentify(as_bytes(image))


def test_a_label_is_not_released_by_a_review(for_slides):
    with pytest.raises(Quarantine, match="slide-label"):
        for_slides.deidentify(as_bytes(slide(flavour="LABEL")), pixels_reviewed=True)


@pytest.mark.parametrize("flavour", ["VOLUME", "THUMBNAIL"])
@pytest.mark.parametrize(
    ("keyword", "value", "reason"),
    [
        ("SpecimenLabelInImage", "YES", "slide-label"),
        ("SpecimenLabelInImage", "", "burned-in-text-risk"),
        ("ImagedVolumeWidth", MAX_TISSUE_MM + 5.0, "burned-in-text-risk"),
        ("ImagedVolumeHeight", 75.0, "burned-in-text-risk"),
        ("BurnedInAnnotation", "YES", "burned-in-text"),
    ],
)
def test_a_macro_image_that_calls_itself_something_else_is_held(for_slides, flavour, keyword, value, reason):
    image = slide(flavour=flavour)
    setattr(image, keyword, value)
    with pytest.raises(Quarantine, match=reason):
        for_slides.deidentify(as_bytes(image))


@pytest.mark.parametrize("flavour", ["VOLUME", "THUMBNAIL"])
def test_a_slide_passes_without_what_its_label_says(profiles, deidentifier, flavour):
    result = deidentifier(profiles["pathology"]).deidentify(as_bytes(slide(flavour=flavour)))
    after, whole = written(result), b"".join(bytes(part) for part in result.parts)
    for text in (b"Svensson", b"S24-4711", b"S244711", b"formalin"):
        assert text not in whole
    assert "LabelText" not in after
    assert "BarcodeValue" not in after
    assert not after.IssuerOfTheContainerIdentifierSequence
    assert "ContainerComponentID" not in after.ContainerComponentSequence[0]
    assert after.ContainerTypeCodeSequence[0].CodeValue == "433466003"


def test_how_a_specimen_was_prepared_stays_and_whose_it_is_goes(profiles, deidentifier):
    (after,) = written(
        deidentifier(profiles["pathology"]).deidentify(as_bytes(slide()))
    ).SpecimenDescriptionSequence
    before = specimen(1, "")
    assert after.SpecimenShortDescription == "Prostate, left"
    assert "SpecimenDetailedDescription" not in after
    assert not after.IssuerOfTheSpecimenIdentifierSequence
    assert after.PrimaryAnatomicStructureSequence[0].CodeValue == "41216001"
    steps = {
        item.ConceptNameCodeSequence[0].CodeValue: item
        for item in after.SpecimenPreparationSequence[0].SpecimenPreparationStepContentItemSequence
    }
    codes_before = {
        item.ConceptCodeSequence[0].CodeValue
        for item in before.SpecimenPreparationSequence[0].SpecimenPreparationStepContentItemSequence
        if item.ValueType == "CODE"
    }
    assert {
        item.ConceptCodeSequence[0].CodeValue for item in steps.values() if item.ValueType == "CODE"
    } == codes_before
    assert str(steps["111702"].DateTime)[8:] == "101112"  # when it was stained, moved
    assert not str(steps["111702"].DateTime).startswith("20240229")
    assert steps["111703"].TextValue == "REMOVED"
    assert "111724" not in steps


def test_slides_of_one_specimen_can_still_be_told(profiles, deidentifier):
    def specimens(number, block):
        after = written(deidentifier(profiles["pathology"]).deidentify(as_bytes(slide(number, block=block))))
        return [one.SpecimenUID for one in after.SpecimenDescriptionSequence]

    assert specimens(1, block=1) == specimens(2, block=1) != specimens(3, block=2)


def test_dates_of_preparation_and_acquisition_keep_their_interval(profiles, deidentifier):
    after = written(deidentifier(profiles["pathology"]).deidentify(as_bytes(slide())))
    items = (
        after.SpecimenDescriptionSequence[0]
        .SpecimenPreparationSequence[0]
        .SpecimenPreparationStepContentItemSequence
    )
    stained = next(item.DateTime for item in items if item.ValueType == "DATETIME")
    day = pydicom.valuerep.DA
    assert (day(str(after.AcquisitionDateTime)[:8]) - day(str(stained)[:8])).days == 1
    assert str(after.AcquisitionDateTime)[:8] == str(after.StudyDate)


def colours(profile):
    """What a profile makes of some colours."""
    picture = Image.fromarray(np.arange(768, dtype=np.uint8).reshape(16, 16, 3))
    one = ImageCms.ImageCmsProfile(BytesIO(profile))
    return ImageCms.profileToProfile(picture, one, ImageCms.createProfile("LAB"), outputMode="LAB").tobytes()


def test_what_a_slide_needs_to_be_shown_and_measured_stays(profiles, deidentifier):
    before, after = slide(), written(deidentifier(profiles["pathology"]).deidentify(as_bytes(slide())))
    for keyword in (
        "ImagedVolumeWidth", "ImagedVolumeHeight", "TotalPixelMatrixColumns", "TotalPixelMatrixOriginSequence", "ImageOrientationSlide",
        "ImageType", "FocusMethod", "SpecimenLabelInImage", "NumberOfFrames", "SharedFunctionalGroupsSequence", "DimensionOrganizationType",
        "Manufacturer", "ManufacturerModelName", "LossyImageCompressionRatio",
    ):  # fmt: skip
        assert after[keyword].value == before[keyword].value, keyword
    (path,) = after.OpticalPathSequence
    assert colours(path.ICCProfile) == colours(before.OpticalPathSequence[0].ICCProfile)
    assert path.IlluminationTypeCodeSequence[0].CodeValue == "111744"


def test_tiles_are_the_same_pictures_without_their_exif_data(profiles, deidentifier):
    source = pydicom.dcmread(BytesIO(as_bytes(slide())))
    after = written(deidentifier(profiles["pathology"]).deidentify(as_bytes(slide())))
    assert b"Exif" in source.PixelData
    assert b"Svensson" in source.PixelData
    assert b"Exif" not in after.PixelData
    assert b"Svensson" not in after.PixelData
    assert np.array_equal(source.pixel_array, after.pixel_array)
    assert len(after.PixelData) == len(source.PixelData)


# --- ultrasound --------------------------------------------------------------------------------


def scan(**changes):
    """A loop of an ultrasound scanner with two regions."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.3.1", uid("80.3")
    image.StudyInstanceUID, image.SeriesInstanceUID = uid("80.1"), uid("80.2")
    image.PatientName, image.PatientID, image.Modality = "Svensson^Anna", "19121212-1212", "US"
    image.Manufacturer, image.ManufacturerModelName, image.DeviceSerialNumber = (
        "GE Vingmed Ultrasound",
        "Vivid E95",
        "SN0815",
    )
    image.StationName, image.ProtocolName = "VIVID-SVENSSON", "Cardiac Dr Svensson"
    image.StageName, image.ViewName, image.StageNumber, image.HeartRate = "Svensson rest", "apical", 1, 62
    image.ImageComments = "Apical, Svensson"
    image.TransducerData, image.TransducerType = ["M5S", "SN"], "SECTOR_PHASED"
    image.CineRate, image.FrameTime, image.NumberOfFrames = 50, "20.0", 2
    image.FrameIncrementPointer = 0x00181063
    regions = []
    for left in (0, 8):
        region = Dataset()
        region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 3
        region.RegionLocationMinX0, region.RegionLocationMinY0 = left, 2
        region.RegionLocationMaxX1, region.RegionLocationMaxY1 = left + 7, 15
        region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
        region.PhysicalDeltaX = region.PhysicalDeltaY = 0.0321
        region.ReferencePixelX0, region.TransducerFrequency = 4, 3500
        regions.append(region)
    image.SequenceOfUltrasoundRegions = Sequence(regions)
    image.Rows = image.Columns = 16
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit, image.PixelRepresentation = 7, 0
    image.PixelData = bytes(range(256)) * 2
    block = image.private_block(0x7FE1, "GEMS_Ultrasound_MovieGroup_001", create=True)
    block.add_new(0x02, "LO", "Svensson^Anna")
    for keyword, value in changes.items():
        setattr(image, keyword, value)
    return as_bytes(image)


@pytest.mark.parametrize("declared", ["NO", ""])
@pytest.mark.parametrize("modality", ["US", "IVUS", "OT"])
def test_ultrasound_waits_for_a_person_whatever_it_declares(profiles, deidentifier, declared, modality):
    with pytest.raises(Quarantine, match="burned-in-text-risk"):
        deidentifier(profiles["ultrasound"]).deidentify(scan(BurnedInAnnotation=declared, Modality=modality))


@pytest.fixture(scope="module")
def reviewed(profiles, deidentifier):
    """``reviewed(**changes)``: a loop that a person has looked at, as it comes out."""
    return lambda **changes: written(
        deidentifier(profiles["ultrasound"]).deidentify(scan(**changes), pixels_reviewed=True)
    )


def test_where_the_scan_is_and_what_it_measures_stays(reviewed):
    before, after = pydicom.dcmread(BytesIO(scan())), reviewed()
    for keyword in (
        "SequenceOfUltrasoundRegions", "CineRate", "FrameTime", "HeartRate", "StageNumber", "NumberOfFrames", "TransducerData",
        "TransducerType", "FrameIncrementPointer", "ManufacturerModelName", "PixelData",
    ):  # fmt: skip
        assert after[keyword].value == before[keyword].value, keyword
    assert after.BurnedInAnnotation == "NO"
    assert after.DeviceSerialNumber == reviewed().DeviceSerialNumber != before.DeviceSerialNumber


def test_what_was_typed_at_the_scanner_goes(reviewed):
    after = reviewed()
    assert (after.StageName, after.ViewName, after.ProtocolName) == ("rest", "apical", "Cardiac")
    assert "StationName" not in after
    assert "ImageComments" not in after
    assert not [element for element in after if element.tag.is_private]


@pytest.mark.parametrize(
    "maker", ["Butterfly Network Inc", "CLARIUS MOBILE HEALTH", "EchoNous", "HEALCERION", "Konted"]
)
def test_a_scanner_on_a_telephone_does_not_tell_whose_it_is(reviewed, maker):
    after = reviewed(Manufacturer=maker, DeviceUID="1.2.752.4711.80")
    assert "DeviceSerialNumber" not in after
    assert "DeviceUID" not in after
    assert after.Manufacturer == maker


# --- enhanced multi-frame objects --------------------------------------------------------------


def enhanced_ct():
    """Two frames, each with its place, its dates, and texts of a person who was there."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = EnhancedCTImageStorage, uid("81.3")
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = (
        uid("81.1"),
        uid("81.2"),
        uid("81.4"),
    )
    image.PatientName, image.PatientID, image.Modality = "Svensson^Anna", "19121212-1212", "CT"
    image.Manufacturer, image.StudyDate, image.StudyTime = MAKER["manufacturer"], "20240301", "101112"
    image.AcquisitionDateTime, image.ImageType = "20240301101112", ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    image.Rows = image.Columns = 4
    image.NumberOfFrames, image.SamplesPerPixel, image.PhotometricInterpretation = 2, 1, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation, image.PixelData = 15, 0, bytes(64)
    organisation, index = Dataset(), Dataset()
    organisation.DimensionOrganizationUID = index.DimensionOrganizationUID = uid("81.5")
    index.DimensionIndexPointer, index.FunctionalGroupPointer = 0x00209057, 0x00209111
    index.DimensionDescriptionLabel = "In-Stack Position Number"
    image.DimensionOrganizationSequence, image.DimensionIndexSequence = (
        Sequence([organisation]),
        Sequence([index]),
    )
    shared, measures, window = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.7, 0.7], 1.25
    window.WindowCenter, window.WindowWidth, window.WindowCenterWidthExplanation = 40, 400, "Svensson"
    shared.PixelMeasuresSequence, shared.FrameVOILUTSequence = Sequence([measures]), Sequence([window])
    frames = []
    for number in (1, 2):
        group, content, plane, exposure, source, derivation = (Dataset() for _ in range(6))
        content.FrameReferenceDateTime = content.FrameAcquisitionDateTime = f"202403011011{12 + number}"
        content.StackID, content.InStackPositionNumber, content.DimensionIndexValues = "1", number, [number]
        content.FrameComments, content.FrameLabel = "Seen by Svensson", "Svensson"
        content.TemporalPositionIndex, content.FrameAcquisitionDuration = 1, 0.5
        plane.ImagePositionPatient = [0, 0, 1.25 * number]
        exposure.ExposureInmAs, exposure.ExposureTimeInms = 100.0, 500.0
        source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = EnhancedCTImageStorage, uid("81.9")
        source.PurposeOfReferenceCodeSequence = Sequence(
            [coded(codes.DCM.SourceImageForImageProcessingOperation)]
        )
        derivation.DerivationDescription, derivation.SourceImageSequence = (
            "Svensson filter",
            Sequence([source]),
        )
        group.FrameContentSequence, group.PlanePositionSequence = Sequence([content]), Sequence([plane])
        group.CTExposureSequence, group.DerivationImageSequence = Sequence([exposure]), Sequence([derivation])
        group.IrradiationEventIdentificationSequence = Sequence([Dataset()])
        group.IrradiationEventIdentificationSequence[0].IrradiationEventUID = uid(f"81.6.{number}")
        frames.append(group)
    image.SharedFunctionalGroupsSequence, image.PerFrameFunctionalGroupsSequence = (
        Sequence([shared]),
        Sequence(frames),
    )
    return image


def test_functional_groups_keep_what_the_frames_need(research, deidentifier, pseudonyms):
    before, after = enhanced_ct(), written(deidentifier(research).deidentify(as_bytes(enhanced_ct())))
    for old, new in zip(
        before.PerFrameFunctionalGroupsSequence, after.PerFrameFunctionalGroupsSequence, strict=True
    ):
        assert new.PlanePositionSequence == old.PlanePositionSequence
        assert new.CTExposureSequence == old.CTExposureSequence
        there, were = new.FrameContentSequence[0], old.FrameContentSequence[0]
        for keyword in (
            "StackID",
            "InStackPositionNumber",
            "DimensionIndexValues",
            "TemporalPositionIndex",
            "FrameAcquisitionDuration",
        ):
            assert there[keyword].value == were[keyword].value
        (source,) = new.DerivationImageSequence[0].SourceImageSequence
        assert source.ReferencedSOPInstanceUID == pseudonyms.uid(uid("81.9"))
    assert (
        after.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
        == before.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
    )
    index = after.DimensionIndexSequence[0]
    assert (
        index.DimensionOrganizationUID
        == after.DimensionOrganizationSequence[0].DimensionOrganizationUID
        == pseudonyms.uid(uid("81.5"))
    )
    assert index.DimensionDescriptionLabel == "In-Stack Position Number"


@pytest.mark.parametrize("name", ["basic", "research-longitudinal"])
def test_nothing_in_functional_groups_tells_who_or_when(profiles, deidentifier, name):
    result = deidentifier(profiles[name]).deidentify(as_bytes(enhanced_ct()))
    assert b"Svensson" not in result.header
    assert b"202403" not in result.header
    assert uid("81").encode() not in result.header


def test_times_between_frames_stay(research, deidentifier):
    after = written(deidentifier(research).deidentify(as_bytes(enhanced_ct())))
    first, second = (
        str(group.FrameContentSequence[0].FrameAcquisitionDateTime)
        for group in after.PerFrameFunctionalGroupsSequence
    )
    assert (first[:8], first[8:], second[8:]) == (str(after.StudyDate), "101113", "101114")
    assert second[:8] == first[:8]


@pytest.mark.shared
@pytest.mark.parametrize(
    "path",
    [
        "mr-enhanced/Philips/IM_0027_fMAP.dcm",
        "mr-enhanced/Siemens/XA10/6_1.dcm",
        "pydicom-data/data_store/data/eCT_Supplemental.dcm",
    ],
)
def test_real_enhanced_objects_keep_geometry_and_lose_dates(dev_data, research, deidentifier, path):
    source = (dev_data / path).read_bytes()
    result = deidentifier(research).deidentify(source)
    before, after = pydicom.dcmread(BytesIO(source)), written(result)

    def values(data_set, found):
        for element in data_set:
            if element.VR == "SQ" and element.tag.is_private:
                continue  # makers' copies of the same
            if element.VR == "SQ":
                for item in element.value:
                    values(item, found)
            elif element.VR in ("DA", "DT") and element.value:
                found.setdefault("days", set()).add(str(element.value)[:8])
            elif element.keyword in GEOMETRY:
                found.setdefault(element.keyword, []).append(element.value)
        return found

    old, new = values(before, {}), values(after, {})
    assert {keyword: new.get(keyword) for keyword in GEOMETRY} == {
        keyword: old.get(keyword) for keyword in GEOMETRY
    }
    assert old["ImagePositionPatient"]
    assert not new["days"] & old["days"]


GEOMETRY = (
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "DimensionIndexValues", "InStackPositionNumber",
    "StackID", "RepetitionTime", "EffectiveEchoTime", "DiffusionBValue", "WindowCenter", "RescaleSlope", "ExposureInmAs", "ConvolutionKernel",
)  # fmt: skip
