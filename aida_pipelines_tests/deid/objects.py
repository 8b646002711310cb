"""Objects that refer to others, as highdicom makes them, on pydicom's CT slices and on a slide made here.

Every object has the texts, names and dates that such objects have, all of them ``Svensson`` or beside her.
"""

from io import BytesIO
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pydicom.data
from highdicom import ann, ko, pm, pr, seg, sr
from PIL import Image, ImageCms
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.sr.codedict import Code, codes
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

MAKER = {
    "manufacturer": "Acme", "manufacturer_model_name": "Annotator", "software_versions": "1.0", "device_serial_number": "SN0815A",
}  # fmt: skip
ROOT = "1.2.752.4711.1"
SLIDES = "1.2.840.10008.5.1.4.1.1.77.1.6"


def uid(number):
    return f"{ROOT}.{number}"


def placed(number, **more):
    """Where an object goes: a series and an instance of its own."""
    return {
        "series_instance_uid": uid(f"{number}.1"), "series_number": 100 + number, "sop_instance_uid": uid(f"{number}.2"),
        "instance_number": 1,
    } | more  # fmt: skip


def as_bytes(data_set):
    stream = BytesIO()
    pydicom.dcmwrite(stream, data_set, enforce_file_format=True)
    return stream.getvalue()


def ct_slices():
    folder = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests" / "98892001" / "CT5N"
    slices = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
    for one in slices:
        one.PatientName, one.PatientID, one.PatientBirthDate = "Svensson^Anna", "19121212-1212", "19121212"
        one.PatientSex, one.AccessionNumber, one.StudyID = "F", "ACC4711", "4711"
        one.ReferringPhysicianName = "Svensson^Lars"
    return sorted(slices, key=lambda one: one.ImagePositionPatient[2])


def tile(colour, *, marked=True):
    stream, picture = BytesIO(), Image.Exif()
    picture[0x010E] = "Svensson Anna 19121212-1212"
    more = {"exif": picture, "comment": b"Svensson Anna"} if marked else {}
    Image.new("RGB", (16, 16), colour).save(stream, "JPEG", quality=90, **more)
    return stream.getvalue()


def coded(concept, **more):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = (
        concept.value,
        concept.scheme_designator,
        concept.meaning,
    )
    for keyword, value in more.items():
        setattr(item, keyword, value)
    return item


def content_item(concept, value_type, **value):
    item = Dataset()
    item.ValueType, item.ConceptNameCodeSequence = value_type, Sequence([coded(concept)])
    for keyword, one in value.items():
        setattr(item, keyword, one)
    return item


def specimen(number, container):
    """A specimen's description: identifiers, issuers, texts, and how it was prepared."""
    issuer = Dataset()
    issuer.LocalNamespaceEntityID = "Svensson Lab"
    step = Dataset()
    step.SpecimenPreparationStepContentItemSequence = Sequence(
        [
            content_item(
                Code("121041", "DCM", "Specimen Identifier"), "TEXT", TextValue=f"S24-4711;{number}"
            ),
            content_item(
                Code("111724", "DCM", "Issuer of Specimen Identifier"), "TEXT", TextValue="Svensson Lab"
            ),
            content_item(
                Code("111701", "DCM", "Processing type"),
                "CODE",
                ConceptCodeSequence=Sequence([coded(Code("127790008", "SCT", "Staining"))]),
            ),
            content_item(
                Code("111702", "DCM", "DateTime of processing"), "DATETIME", DateTime="20240229101112"
            ),
            content_item(Code("111705", "DCM", "Parent Specimen Identifier"), "TEXT", TextValue="S24-4711"),
            content_item(
                Code("111703", "DCM", "Processing step description"), "TEXT", TextValue="Stained by Svensson"
            ),
            content_item(
                Code("424361007", "SCT", "Using substance"),
                "CODE",
                ConceptCodeSequence=Sequence([coded(Code("12710003", "SCT", "hematoxylin stain"))]),
            ),
        ]
    )
    item = Dataset()
    item.SpecimenIdentifier, item.SpecimenUID = f"S24-4711;{number}", uid(f"900.{number}")
    item.IssuerOfTheSpecimenIdentifierSequence = Sequence([issuer])
    item.SpecimenShortDescription = "Prostate, left, Svensson"
    item.SpecimenDetailedDescription = "Received from Anna Svensson, born 12 December 1912, in formalin."
    item.PrimaryAnatomicStructureSequence = Sequence([coded(Code("41216001", "SCT", "Prostate"))])
    item.SpecimenPreparationSequence = Sequence([step])
    return item


def slide(number=1, *, flavour="VOLUME", frames=4, part=None, block=1):
    """A whole slide image of 2 × 2 JPEG tiles, each with EXIF data and a comment; ``part`` of a concatenation."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    image.SOPClassUID, image.SOPInstanceUID = SLIDES, uid(f"{50 + number}.{part or 0}.2")
    image.StudyInstanceUID, image.SeriesInstanceUID = uid(50), uid(f"{50 + number}.1")
    image.FrameOfReferenceUID, image.PositionReferenceIndicator = uid(50.9), "SLIDE_CORNER"
    image.ImageType = ["ORIGINAL", "PRIMARY", flavour, "NONE"]
    image.Modality, image.Manufacturer, image.ManufacturerModelName = "SM", "Acme", "Scanner"
    image.DeviceSerialNumber, image.SoftwareVersions = "SN0815A", "1.0"
    image.PatientName, image.PatientID, image.PatientBirthDate, image.PatientSex = (
        "Svensson^Anna",
        "19121212-1212",
        "19121212",
        "F",
    )
    image.StudyDate, image.StudyTime, image.StudyID, image.AccessionNumber = (
        "20240301",
        "101112",
        "4711",
        "ACC4711",
    )
    image.ReferringPhysicianName = "Svensson^Lars"
    image.SeriesNumber, image.InstanceNumber = number, part or 1
    image.ContentDate, image.ContentTime, image.AcquisitionDateTime = "20240301", "101112", "20240301101112"
    image.ContainerIdentifier, image.LabelText, image.BarcodeValue = (
        f"S24-4711;{block};{number}",
        "S24-4711 Svensson",
        "S244711",
    )
    image.IssuerOfTheContainerIdentifierSequence = Sequence([])
    image.ContainerTypeCodeSequence = Sequence([coded(Code("433466003", "SCT", "Microscope slide"))])
    glass = Dataset()
    glass.ContainerComponentTypeCodeSequence = Sequence(
        [coded(Code("433472003", "SCT", "Microscope slide coverslip"))]
    )
    glass.ContainerComponentID = "S24-4711"
    image.ContainerComponentSequence = Sequence([glass])
    image.SpecimenDescriptionSequence = Sequence([specimen(block, image.ContainerIdentifier)])
    image.AcquisitionContextSequence = Sequence([])
    image.ImagedVolumeWidth, image.ImagedVolumeHeight, image.ImagedVolumeDepth = 16.0, 16.0, 0.001
    image.TotalPixelMatrixColumns = image.TotalPixelMatrixRows = 32
    image.TotalPixelMatrixFocalPlanes = 1
    origin = Dataset()
    origin.XOffsetInSlideCoordinateSystem, origin.YOffsetInSlideCoordinateSystem = 20.0, 20.0
    image.TotalPixelMatrixOriginSequence = Sequence([origin])
    image.ImageOrientationSlide = [0, -1, 0, -1, 0, 0]
    image.SpecimenLabelInImage = "YES" if flavour in ("LABEL", "OVERVIEW") else "NO"
    image.BurnedInAnnotation, image.FocusMethod, image.ExtendedDepthOfField = "NO", "AUTO", "NO"
    image.VolumetricProperties, image.LossyImageCompression = "VOLUME", "01"
    image.LossyImageCompressionRatio, image.LossyImageCompressionMethod = "10", "ISO_10918_1"
    image.Rows = image.Columns = 16
    image.NumberOfFrames, image.SamplesPerPixel, image.PlanarConfiguration = frames, 3, 0
    image.PhotometricInterpretation, image.PixelRepresentation = "YBR_FULL_422", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 8, 8, 7
    path = Dataset()
    path.OpticalPathIdentifier, path.ICCProfile = "1", SRGB
    path.OpticalPathDescription = "Brightfield, set up by Svensson"
    path.IlluminationTypeCodeSequence = Sequence([coded(Code("111744", "DCM", "Brightfield illumination"))])
    path.IlluminationColorCodeSequence = Sequence([coded(Code("414298005", "SCT", "Full Spectrum"))])
    image.OpticalPathSequence, image.NumberOfOpticalPaths = Sequence([path]), 1
    measures = Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.5, 0.5], 0.001
    kind = Dataset()
    kind.FrameType = image.ImageType
    groups, of_path = Dataset(), Dataset()
    of_path.OpticalPathIdentifier = "1"
    groups.PixelMeasuresSequence = Sequence([measures])
    groups.WholeSlideMicroscopyImageFrameTypeSequence = Sequence([kind])
    groups.OpticalPathIdentificationSequence = Sequence([of_path])
    image.SharedFunctionalGroupsSequence = Sequence([groups])
    organisation = Dataset()
    organisation.DimensionOrganizationUID = uid(50.8)
    image.DimensionOrganizationSequence, image.DimensionOrganizationType = (
        Sequence([organisation]),
        "TILED_FULL",
    )
    if part:
        image.ConcatenationUID, image.SOPInstanceUIDOfConcatenationSource = uid("60.1"), uid("60.2")
        image.InConcatenationNumber, image.InConcatenationTotalNumber = part, 2
        image.ConcatenationFrameOffsetNumber = (part - 1) * frames
    image.PixelData = encapsulate([tile((40 * n, 90, 120)) for n in range(1, frames + 1)])
    return image


def algorithm():
    return hd.AlgorithmIdentificationSequence(
        name="Segmenter", family=codes.cid7162.ArtificialIntelligence, version="1.0", source="Svensson"
    )


def segmentation(sources):
    described = seg.SegmentDescription(
        segment_number=1, segment_label="Svensson lesion", segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Neoplasm, algorithm_type="AUTOMATIC", algorithm_identification=algorithm(),
        tracking_uid=uid("70.1"), tracking_id="Svensson lesion 1",
    )  # fmt: skip
    mask = np.zeros((len(sources), 16, 16), dtype=bool)
    mask[:, 4:9, 5:10] = True
    return seg.Segmentation(
        sources, mask, "BINARY", [described], content_creator_name="Svensson^Lars", content_description="Drawn by Svensson",
        **placed(1), **MAKER,
    )  # fmt: skip


def slide_segmentation(source):
    described = seg.SegmentDescription(
        segment_number=1, segment_label="Tumour", segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Neoplasm, algorithm_type="MANUAL",
    )  # fmt: skip
    mask = np.zeros((1, 32, 32), dtype=bool)
    mask[:, :12, 3:20] = True
    return seg.Segmentation(
        [source], mask, "BINARY", [described], tile_pixel_array=True, **placed(2), **MAKER
    )


def observers():
    person = sr.ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=sr.PersonObserverIdentifyingAttributes(
            name="Svensson^Lars", login_name="lasvensson", organization_name="Svensson Clinic"
        ),
    )
    device = sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=uid("71.1"), name="PC Svensson", manufacturer_name="Siemens", model_name="Annotator", serial_number="SN0815A",
            physical_location="Ward Svensson",
        ),
    )  # fmt: skip
    return person, device


def measurement_report(sources, segmented):
    """A TID 1500 report: a measurement of a region, with findings, a segment, a comment and who made it."""
    person, device = observers()
    segment = sr.ReferencedSegment(
        sop_class_uid=segmented.SOPClassUID, sop_instance_uid=segmented.SOPInstanceUID, segment_number=1,
        source_images=[sr.SourceImageForSegmentation.from_source_image(one) for one in sources],
    )  # fmt: skip
    group = sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=uid("70.1"), identifier="Svensson lesion 1"),
        referenced_segment=segment,
        finding_type=codes.SCT.Neoplasm,
        finding_sites=[sr.FindingSite(codes.SCT.Liver)],
        measurements=[sr.Measurement(name=codes.SCT.Volume, value=12.5, unit=codes.UCUM.CubicMillimeter)],
    )
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(
            observer_person_context=person,
            observer_device_context=device,
        ),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=[group],
        title=codes.DCM.ImagingMeasurementReport,
    )
    return sr.Comprehensive3DSR(
        evidence=[*sources, segmented], content=report[0], institution_name="Svensson Clinic", is_complete=True, is_verified=True,
        verifying_observer_name="Svensson^Lars", verifying_organization="Svensson Clinic", manufacturer="Acme", **placed(3),
    )  # fmt: skip


def key_objects(sources):
    person, _ = observers()
    return ko.KeyObjectSelectionDocument(
        evidence=sources,
        content=ko.KeyObjectSelection(
            document_title=codes.DCM.ForReferringProvider, referenced_objects=sources, observer_person_context=person,
            description="Nodule shown to Dr Svensson",
        ),
        manufacturer="Acme", institution_name="Svensson Clinic", **placed(4),
    )  # fmt: skip


def presentation_state(sources):
    layer = pr.GraphicLayer("LAYER1", order=1, description="Drawn by Svensson")
    annotation = pr.GraphicAnnotation(
        referenced_images=sources,
        graphic_layer=layer,
        graphic_objects=[
            pr.GraphicObject("POLYLINE", np.array([[1.0, 1.0], [5.0, 5.0], [1.0, 9.0]]), units="PIXEL", tracking_id="Svensson 1", tracking_uid=uid("70.1"))
        ],
        text_objects=[pr.TextObject("Svensson 12 mm", units="PIXEL", anchor_point=(4.0, 4.0))],
    )  # fmt: skip
    return pr.GrayscaleSoftcopyPresentationState(
        sources, content_label="NODULE", content_description="Svensson", graphic_annotations=[annotation], graphic_layers=[layer],
        content_creator_name="Svensson^Lars", institution_name="Svensson Clinic", **placed(5), **MAKER,
    )  # fmt: skip


def annotations(source):
    group = ann.AnnotationGroup(
        number=1, uid=uid("72.1"), label="Svensson nuclei", annotated_property_category=codes.SCT.AnatomicalStructure,
        annotated_property_type=Code("84640000", "SCT", "Nucleus"), graphic_type="POINT", graphic_data=[np.array([[3.0, 4.0]]), np.array([[9.0, 8.0]])],
        algorithm_type="AUTOMATIC", algorithm_identification=algorithm(), description="Counted by Svensson",
        measurements=[ann.Measurements(name=codes.SCT.Area, unit=codes.UCUM.SquareMicrometer, values=np.array([20.4, 43.8]))],
    )  # fmt: skip
    return ann.MicroscopyBulkSimpleAnnotations(
        [source],
        "2D",
        [group],
        content_creator_name="Svensson^Lars",
        content_description="Svensson",
        **placed(6),
        **MAKER,
    )


def parametric_map(sources):
    mapping = pm.RealWorldValueMapping(
        lut_label="T1",
        lut_explanation="By Svensson",
        unit=codes.UCUM.NoUnits,
        value_range=(0.0, 100.0),
        intercept=0,
        slope=1,
    )
    return pm.ParametricMap(
        sources, np.ones((len(sources), 16, 16), dtype=np.float32), contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping], voi_lut_transformations=[hd.VOILUTTransformation(window_center=50, window_width=100)], content_creator_name="Svensson^Lars", **placed(7), **MAKER,
    )  # fmt: skip


def structure_set(sources):
    """Contours on CT slices; highdicom makes none."""
    first = sources[0]
    plan = Dataset()
    plan.file_meta = FileMetaDataset()
    plan.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for keyword in (
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "StudyInstanceUID",
        "StudyDate",
        "StudyTime",
        "StudyID",
    ):
        setattr(plan, keyword, first.get(keyword, ""))
    plan.AccessionNumber, plan.ReferringPhysicianName, plan.OperatorsName = (
        "ACC4711",
        "Svensson^Lars",
        "Svensson^Lars",
    )
    plan.SOPClassUID, plan.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.481.3", uid("8.2")
    plan.Modality, plan.SeriesInstanceUID, plan.SeriesNumber = "RTSTRUCT", uid("8.1"), 108
    plan.Manufacturer, plan.FrameOfReferenceUID, plan.PositionReferenceIndicator = (
        "Acme",
        first.FrameOfReferenceUID,
        "",
    )
    plan.StructureSetLabel, plan.StructureSetDate, plan.StructureSetTime = "Svensson", "20240301", "101112"
    plan.InstanceNumber, plan.ApprovalStatus = 1, "UNAPPROVED"

    def reference(one):
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = one.SOPClassUID, one.SOPInstanceUID
        return item

    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID, series.ContourImageSequence = (
        first.SeriesInstanceUID,
        Sequence(map(reference, sources)),
    )
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = (
        "1.2.840.10008.3.1.2.3.1",
        first.StudyInstanceUID,
    )
    study.RTReferencedSeriesSequence = Sequence([series])
    frame.FrameOfReferenceUID, frame.RTReferencedStudySequence = first.FrameOfReferenceUID, Sequence([study])
    plan.ReferencedFrameOfReferenceSequence = Sequence([frame])
    roi, contour, points, observation = Dataset(), Dataset(), Dataset(), Dataset()
    roi.ROINumber, roi.ROIName, roi.ROIGenerationAlgorithm = 1, "GTV Svensson", "MANUAL"
    roi.ReferencedFrameOfReferenceUID = first.FrameOfReferenceUID
    points.ContourImageSequence = Sequence([reference(first)])
    points.ContourGeometricType, points.NumberOfContourPoints, points.ContourData = (
        "CLOSED_PLANAR",
        3,
        [1, 1, 1, 5, 1, 1, 5, 5, 1],
    )
    contour.ReferencedROINumber, contour.ContourSequence = 1, Sequence([points])
    observation.ObservationNumber, observation.ReferencedROINumber = 1, 1
    observation.RTROIInterpretedType, observation.ROIInterpreter = "GTV", "Svensson^Lars"
    plan.StructureSetROISequence, plan.ROIContourSequence = Sequence([roi]), Sequence([contour])
    plan.RTROIObservationsSequence = Sequence([observation])
    return plan
