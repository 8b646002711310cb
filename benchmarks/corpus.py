"""The corpus of the de-identification benchmark: what scanners write, in the proportions that cost.

Four kinds, made from a seed and nothing else:

* ``ct``: 0.5 MB slices with headers of about 150 elements, nested ones included, that repeat within a series;
* ``mr``: slices with 80 KB of private blobs, other ones in every instance;
* ``comp``: CT slices in JPEG 2000, JPEG-LS and RLE;
* ``us``: multi-frame RGB, 86 MB each.

Everything that identifies is made up and planted: ``PLANTED`` says which text stands for which attribute, so
that a text found in a tool's output names what the tool has left.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
    UltrasoundMultiFrameImageStorage,
)

PATIENTS, SLICES = 10, 200
KINDS = ("ct", "mr", "comp", "us")
_COUNTS = {"ct": PATIENTS * SLICES, "mr": 500, "comp": 100, "us": 20}
_MR_SERIES = 100
_UID_ROOT = "1.2.752.4711.77"

PLANTED: dict[str, str] = {
    "Quivermoor": "PatientName",
    "PAT77100": "PatientID",
    "OTH88200": "OtherPatientIDs",
    "Veilchenby": "PatientAddress",
    "070-4711": "PatientTelephoneNumbers",
    "Ostrakova": "PatientBirthName",
    "19510317": "PatientBirthDate",
    "Zwillinger": "ReferringPhysicianName",
    "Harkonsson": "OperatorsName",
    "Mondragon": "RequestingPhysician",
    "Ekbergalund": "InstitutionName",
    "Lasarettsvagen": "InstitutionAddress",
    "ACC661": "AccessionNumber",
    "EKBCT07": "StationName",
    "SN5533": "DeviceSerialNumber",
    "ISSUERXQ": "IssuerOfPatientID",
    "Quasimodo": "StudyDescription (free text in it)",
    "Brandywine": "SeriesDescription (free text in it)",
    "Perpetua": "PatientComments",
    "Nightingale": "private elements",
    "Umberto": "nested PatientName",
    "REQ9912": "RequestedProcedureID (nested)",
    "Thorvaldina": "ScheduledPerformingPhysicianName (nested)",
    _UID_ROOT: "UIDs",
}
"""What was planted, and where."""


@dataclass(frozen=True, slots=True)
class Part:
    """One kind's files.

    Attributes:
        folder: Where they lie.
        files: How many.
        bytes: Their sizes added up.
    """

    folder: Path
    files: int
    bytes: int


def make_corpus(folder: Path, kinds: tuple[str, ...], *, scale: float = 1.0) -> dict[str, Part]:
    """Make what isn't there yet.

    Args:
        folder: Where each kind gets a folder of its own.
        kinds: Some of ``KINDS``.
        scale: 1 for the whole corpus; less for fewer files of the same sizes.
    """
    parts = {}
    for kind in kinds:
        count = max(1, round(_COUNTS[kind] * scale))
        target = folder / f"{kind}-{count}"
        if not target.is_dir():
            building = target.with_name(f".{target.name}")
            shutil.rmtree(building, ignore_errors=True)
            for number, (name, data_set) in zip(range(count), _MAKERS[kind](), strict=False):
                path = building / f"{name}-{number:04d}.dcm"
                path.parent.mkdir(parents=True, exist_ok=True)
                data_set.save_as(path, enforce_file_format=True)
            building.rename(target)
        sizes = [path.stat().st_size for path in target.rglob("*.dcm")]
        parts[kind] = Part(target, len(sizes), sum(sizes))
    return parts


def _ct() -> Iterator[tuple[str, Dataset]]:
    grid = np.mgrid[0:512, 0:512].astype(np.float32)
    for patient in range(PATIENTS):
        random = np.random.default_rng((1, patient))
        data_set = _header(patient, "CT", CTImageStorage)
        _ct_module(data_set)
        for slice_number in range(SLICES):
            _place(data_set, slice_number)
            _set_pixels(data_set, _thorax(grid, slice_number, random), -1024)
            yield f"patient{patient}", data_set


def _mr() -> Iterator[tuple[str, Dataset]]:
    for number in range(_COUNTS["mr"] // _MR_SERIES):
        random = np.random.default_rng((2, number))
        data_set = _header(number, "MR", MRImageStorage)
        _mr_module(data_set)
        for slice_number in range(_MR_SERIES):
            _place(data_set, slice_number)
            _device_blobs(data_set, random)
            _set_pixels(data_set, random.integers(0, 1200, (256, 256), dtype=np.int16), 0)
            yield f"series{number}", data_set


def _compressed() -> Iterator[tuple[str, Dataset]]:
    grid, random = np.mgrid[0:512, 0:512].astype(np.float32), np.random.default_rng(3)
    base = _header(7, "CT", CTImageStorage)
    _ct_module(base)
    for number in range(_COUNTS["comp"]):
        data_set = copy.deepcopy(base)
        _place(data_set, number)
        pixels = _thorax(grid, number, random)
        _set_pixels(data_set, pixels, -1024)
        syntax = (JPEG2000Lossless, JPEGLSLossless, RLELossless)[number % 3]
        plugin = "pyjpegls" if syntax == JPEGLSLossless else "pylibjpeg"
        data_set.compress(syntax, pixels, encoding_plugin=plugin, generate_instance_uid=False)
        yield syntax.keyword, data_set


def _us() -> Iterator[tuple[str, Dataset]]:
    for number in range(_COUNTS["us"]):
        random = np.random.default_rng((4, number))
        data_set = _header(number % PATIENTS, "US", UltrasoundMultiFrameImageStorage)
        data_set.BurnedInAnnotation = "NO"
        _place(data_set, number)
        frame = np.zeros((600, 800, 3), np.uint8)
        frame[80:560, 100:700] = random.integers(0, 120, (480, 600, 1), dtype=np.uint8)
        data_set.Rows, data_set.Columns, data_set.SamplesPerPixel = 600, 800, 3
        data_set.PhotometricInterpretation, data_set.PlanarConfiguration = "RGB", 0
        data_set.BitsAllocated = data_set.BitsStored = 8
        data_set.HighBit, data_set.PixelRepresentation = 7, 0
        data_set.NumberOfFrames, data_set.FrameTime = 60, "33.3"
        data_set.add_new(0x00280009, "AT", 0x00181063)
        moving = b"".join(np.roll(frame, 3 * step, axis=1).tobytes() for step in range(60))
        data_set.add_new(0x7FE00010, "OB", moving)
        yield f"patient{number % PATIENTS}", data_set


_MAKERS = {"ct": _ct, "mr": _mr, "comp": _compressed, "us": _us}


def _header(patient: int, modality: str, sop_class: str) -> Dataset:
    """What all instances of a patient's series share: about 100 elements and 5 sequences."""
    data_set = Dataset()
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data_set.file_meta.MediaStorageSOPClassUID = sop_class
    day = f"2019{patient + 1:02d}14"
    for keyword in ("InstanceCreation", "Study", "Series", "Acquisition", "Content"):
        setattr(data_set, f"{keyword}Date", day)
        setattr(data_set, f"{keyword}Time", "101530.250000")
    data_set.AcquisitionDateTime = f"{day}101530.250000+0100"
    _text(data_set, _IDENTITY | _SERIES)
    data_set.SOPClassUID, data_set.Modality = sop_class, modality
    data_set.PatientName = f"Quivermoor^Ada{chr(65 + patient)}"
    data_set.PatientID, data_set.AccessionNumber = f"PAT77100{patient}", f"ACC661{patient:04d}"
    data_set.Manufacturer = ("SIEMENS", "GE MEDICAL SYSTEMS", "Philips")[patient % 3]
    data_set.StudyInstanceUID = f"{_UID_ROOT}.1.{patient}"
    data_set.SeriesInstanceUID = f"{_UID_ROOT}.2.{patient}.{('CT', 'MR', 'US').index(modality)}"
    data_set.FrameOfReferenceUID = f"{_UID_ROOT}.3.{patient}"
    _sequences(data_set, patient)
    block = data_set.private_block(0x0019, "ACME MEDICAL 1.0", create=True)
    block.add_new(0x01, "LO", "Nightingale, ward 7")
    block.add_new(0x02, "DS", "1.25")
    block.add_new(0x03, "UN", b"Nightingale".ljust(64, b"\0"))
    block = data_set.private_block(0x0021, "ACME MEDICAL 2.0", create=True)
    block.add_new(0x10, "SH", "Nightingale")
    block.add_new(0x11, "US", 4711)
    return data_set


_IDENTITY = {
    "SpecificCharacterSet": "ISO_IR 100",
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "InstitutionName": "Ekbergalund General Hospital",
    "InstitutionAddress": "Lasarettsvagen 4, Exempelstad",
    "InstitutionalDepartmentName": "Radiology, Ekbergalund",
    "ReferringPhysicianName": "Zwillinger^Per",
    "ReferringPhysicianTelephoneNumbers": "070-4711 001",
    "PerformingPhysicianName": "Zwillinger^Per",
    "OperatorsName": "Harkonsson^Liv",
    "RequestingPhysician": "Mondragon^Eva",
    "StationName": "EKBCT07",
    "StudyDescription": "CT thorax Quasimodo",
    "SeriesDescription": "Thorax 1.0 Brandywine",
    "IssuerOfPatientID": "ISSUERXQ",
    "PatientBirthDate": "19510317",
    "PatientSex": "F",
    "OtherPatientIDs": "OTH88200",
    "PatientBirthName": "Ostrakova^Ada",
    "PatientAge": "067Y",
    "PatientSize": "1.68",
    "PatientWeight": "64.5",
    "PatientAddress": "Veilchenby 12, Exempelstad",
    "PatientTelephoneNumbers": "070-4711 002",
    "EthnicGroup": "unknown",
    "PatientComments": "Sister of Perpetua, fall at home",
    "StudyID": "ACC661",
    "DeviceSerialNumber": "SN5533",
}
_SERIES = {
    "ManufacturerModelName": "Phantom 128",
    "SoftwareVersions": "VA40A",
    "ProtocolName": "Thorax",
    "BodyPartExamined": "CHEST",
    "PatientPosition": "HFS",
    "SeriesNumber": 3,
    "AcquisitionNumber": 1,
    "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
    "PositionReferenceIndicator": "SN",
    "SliceThickness": "1.0",
    "SpacingBetweenSlices": "1.0",
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "PixelSpacing": ["0.703125", "0.703125"],
    "WindowCenter": ["40", "-600"],
    "WindowWidth": ["400", "1200"],
    "WindowCenterWidthExplanation": ["SOFT", "LUNG"],
    "LossyImageCompression": "00",
    "PerformedProcedureStepID": "REQ9912",
    "PerformedProcedureStepDescription": "CT thorax",
    "PerformedProcedureStepStartDate": "20190114",
    "PerformedProcedureStepStartTime": "101000",
    "RescaleType": "HU",
    "BurnedInAnnotation": "NO",
}


def _text(data_set: Dataset, values: dict[str, object]) -> None:
    for keyword, value in values.items():
        setattr(data_set, keyword, value)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _sequences(data_set: Dataset, patient: int) -> None:
    images = []
    for number in range(3):
        image = Dataset()
        image.ReferencedSOPClassUID = CTImageStorage
        image.ReferencedSOPInstanceUID = f"{_UID_ROOT}.9.{patient}.{number}"
        image.PurposeOfReferenceCodeSequence = [_code("121311", "DCM", "Localizer")]
        images.append(image)
    data_set.ReferencedImageSequence = images
    study = Dataset()
    study.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    study.ReferencedSOPInstanceUID = f"{_UID_ROOT}.1.{patient}"
    data_set.ReferencedStudySequence = [study]
    data_set.ProcedureCodeSequence = [_code("77477000", "SCT", "CT")]
    data_set.AnatomicRegionSequence = [_code("51185008", "SCT", "Thorax")]
    request = Dataset()
    request.RequestedProcedureID = request.ScheduledProcedureStepID = "REQ9912"
    request.RequestedProcedureDescription = "CT thorax, Umberto"
    request.PatientName = "Umberto^Ada"
    request.ScheduledPerformingPhysicianName = "Thorvaldina^Ulf"
    request.StudyInstanceUID = f"{_UID_ROOT}.1.{patient}"
    request.ScheduledProtocolCodeSequence = [_code("CT07", "99EKB", "Thorax")]
    data_set.RequestAttributesSequence = [request]


def _ct_module(data_set: Dataset) -> None:
    _text(
        data_set,
        {
            "ScanOptions": "HELIX",
            "KVP": "120",
            "DataCollectionDiameter": "500",
            "ReconstructionDiameter": "360",
            "DistanceSourceToDetector": "1085.6",
            "DistanceSourceToPatient": "595",
            "GantryDetectorTilt": "0",
            "TableHeight": "151",
            "RotationDirection": "CW",
            "ExposureTime": 500,
            "XRayTubeCurrent": 210,
            "Exposure": 105,
            "FilterType": "WEDGE_3",
            "GeneratorPower": 25,
            "FocalSpots": "1.2",
            "DateOfLastCalibration": "20190102",
            "TimeOfLastCalibration": "070000",
            "ConvolutionKernel": "B30f",
            "SingleCollimationWidth": 0.6,
            "TotalCollimationWidth": 38.4,
            "TableSpeed": 46.0,
            "SpiralPitchFactor": 1.2,
            "CTDIvol": 7.1,
            "IrradiationEventUID": f"{_UID_ROOT}.4.1",
            "ContrastBolusAgent": "Omnipaque",
            "ContrastBolusVolume": "90",
            "RescaleIntercept": "-1024",
            "RescaleSlope": "1",
        },
    )


def _mr_module(data_set: Dataset) -> None:
    _text(
        data_set,
        {
            "ScanningSequence": ["GR", "IR"],
            "SequenceVariant": "SP",
            "MRAcquisitionType": "3D",
            "SequenceName": "*tfl3d1_ns",
            "RepetitionTime": "2300",
            "EchoTime": "2.98",
            "InversionTime": "900",
            "NumberOfAverages": "1",
            "ImagingFrequency": "123.25",
            "ImagedNucleus": "1H",
            "MagneticFieldStrength": "3.0",
            "EchoTrainLength": 1,
            "PixelBandwidth": "240",
            "FlipAngle": "9",
            "TransmitCoilName": "Body",
        },
    )


def _device_blobs(data_set: Dataset, random: np.random.Generator) -> None:
    """50 and 30 KB as a device writes for itself, with the patient's name inside."""
    block = data_set.private_block(0x0029, "ACME CSA HEADER", create=True)
    block.add_new(0x08, "CS", "IMAGE NUM 4")
    block.add_new(0x10, "OB", b"SV10\4\3\2\1" + b"PatientName\0Nightingale\0" * 4 + random.bytes(51_092))
    block.add_new(0x20, "OB", random.bytes(30_720))


def _place(data_set: Dataset, number: int) -> None:
    """What differs from one slice of a series to the next."""
    uid = f"{data_set.SeriesInstanceUID}.{number}"
    data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = uid
    data_set.InstanceNumber = number + 1
    data_set.SliceLocation = f"{number:.1f}"
    data_set.ImagePositionPatient = ["-180.0", "-180.0", f"{number:.1f}"]
    data_set.ContentTime = f"1015{number // 10 % 60:02d}.{number % 10}00000"


def _set_pixels(data_set: Dataset, pixels: np.ndarray, intercept: int) -> None:
    data_set.Rows, data_set.Columns = pixels.shape
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = 16, 16, 15
    data_set.PixelRepresentation = 1
    data_set.add_new(0x00280106, "SS", int(pixels.min()))
    data_set.add_new(0x00280107, "SS", int(pixels.max()))
    data_set.RescaleIntercept, data_set.RescaleSlope = str(intercept), "1"
    data_set.add_new(0x7FE00010, "OW", pixels.tobytes())


def _thorax(grid: np.ndarray, number: int, random: np.random.Generator) -> np.ndarray:
    """A body, two lungs and a spine in Hounsfield units + 1024, with noise."""
    y, x = grid
    along = np.sin(number / SLICES * np.pi)

    def ellipse(cx: float, cy: float, rx: float, ry: float) -> np.ndarray:
        inside: np.ndarray = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1
        return inside

    image = np.zeros((512, 512), np.float32)
    image[ellipse(256, 256, 190, 130)] = 1064
    for cx in (170, 342):
        image[ellipse(cx, 245, 55 + 10 * along, 85 * (0.4 + along / 2))] = 200
    image[ellipse(256, 335, 24, 24)] = 1400
    image += random.standard_normal((512, 512), dtype=np.float32) * 12
    pixels: np.ndarray = np.clip(image, 0, 4095).astype("<i2")
    return pixels
