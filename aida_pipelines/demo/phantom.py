"""A CT phantom whose truth is known: a body, two lungs, a spine, lesions of given place, size and density.

The same seed gives the same bytes: noise comes from a seeded generator, UIDs from hashes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

AIR, LUNG, SOFT_TISSUE, BONE = -1000, -820, 40, 700
"""Hounsfield units."""


@dataclass(frozen=True)
class Lesion:
    """A sphere.

    Attributes:
        centre_mm: Its centre in patient coordinates (x, y, z; LPS), mm.
        radius_mm: Its radius, mm.
        hu: Its density, Hounsfield units.
    """

    centre_mm: tuple[float, float, float]
    radius_mm: float
    hu: int


@dataclass(frozen=True)
class Phantom:
    """A CT volume and what is in it.

    Attributes:
        hu: Voxels (slices, rows, columns), int16, Hounsfield units, noise included.
        labels: Same shape, uint8: 0 background, n the n-th lesion.
        spacing_mm: Slice distance, row spacing, column spacing.
        origin_mm: Patient coordinates (LPS) of the centre of voxel (0, 0, 0).
        lesions: What the labels stand for.
        seed: What it was made from.
    """

    hu: npt.NDArray[np.int16]
    labels: npt.NDArray[np.uint8]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    lesions: tuple[Lesion, ...]
    seed: int


def ct_phantom(
    seed: int,
    *,
    slices: int = 40,
    size: int = 256,
    spacing_mm: tuple[float, float, float] = (3.0, 1.4, 1.4),
    noise_hu: float = 12.0,
) -> Phantom:
    """Make a phantom.

    Args:
        seed: Decides lesions and noise.
        slices: Number of slices.
        size: Rows and columns.
        spacing_mm: Slice distance, row spacing, column spacing.
        noise_hu: Standard deviation of the noise, Hounsfield units.
    """
    random = np.random.default_rng(seed)
    dz, dy, dx = spacing_mm
    origin = (-(size - 1) * dx / 2, -(size - 1) * dy / 2, 0.0)
    z, y, x = np.meshgrid(
        np.arange(slices) * dz,
        origin[1] + np.arange(size) * dy,
        origin[0] + np.arange(size) * dx,
        indexing="ij",
        sparse=True,
    )
    extent = size * dx / 2
    hu = np.full((slices, size, size), AIR, dtype=np.int16)
    hu[np.broadcast_to((x / (0.8 * extent)) ** 2 + (y / (0.6 * extent)) ** 2 < 1, hu.shape)] = SOFT_TISSUE
    for side in (-1, 1):
        lung = ((x - side * 0.35 * extent) / (0.27 * extent)) ** 2 + (y / (0.38 * extent)) ** 2 < 1
        hu[np.broadcast_to(lung, hu.shape)] = LUNG
    hu[np.broadcast_to(x**2 + (y - 0.45 * extent) ** 2 < (0.1 * extent) ** 2, hu.shape)] = BONE

    labels = np.zeros(hu.shape, dtype=np.uint8)
    lesions = []
    for number in range(1, 1 + int(random.integers(1, 4))):
        side = 1 if number % 2 else -1
        centre = (
            side * 0.35 * extent + float(random.uniform(-12, 12)),
            float(random.uniform(-20, 20)),
            (slices - 1) * dz * (0.2 * number + 0.1),
        )
        lesion = Lesion(centre, float(random.uniform(6, 14)), int(random.integers(20, 80)))
        inside = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2 < lesion.radius_mm**2
        hu[inside], labels[inside] = lesion.hu, number
        lesions.append(lesion)
    noise = random.normal(0, noise_hu, hu.shape).round().astype(np.int16)
    return Phantom(
        np.clip(hu + noise, -1024, 3071).astype(np.int16), labels, spacing_mm, origin, tuple(lesions), seed
    )


def uid(*parts: object) -> UID:
    """A UID that is always the same for the same parts (``2.25.``, ITU-T X.667)."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return UID(f"2.25.{int.from_bytes(digest[:16], 'big')}")


def ct_slices(phantom: Phantom) -> Iterator[Dataset]:
    """The phantom as CT Image Storage, one data set a slice, from feet to head, without a patient's identity."""
    dz, dy, dx = phantom.spacing_mm
    seed = phantom.seed
    for number, plane in enumerate(phantom.hu):
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CTImageStorage
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = uid("instance", seed, number)
        ds.SpecificCharacterSet = "ISO_IR 192"
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.Modality = "CT"
        ds.Manufacturer = "Phantom Works"
        ds.ManufacturerModelName = "Phantom 1"
        ds.StudyInstanceUID, ds.SeriesInstanceUID = uid("study", seed), uid("series", seed)
        ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = uid("frame", seed), ""
        ds.PatientName = ds.PatientBirthDate = ds.PatientSex = ds.AccessionNumber = ds.StudyID = ""
        ds.PatientID = f"SYNTHETIC-{seed}"
        ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = f"20240{1 + seed % 9}15"
        ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = "101500"
        ds.StudyDescription, ds.SeriesDescription = "CT Thorax", "Thorax 3.0 ax"
        ds.BodyPartExamined, ds.PatientPosition = "CHEST", "HFS"
        ds.SeriesNumber, ds.InstanceNumber, ds.AcquisitionNumber = 2, number + 1, 1
        ds.KVP, ds.ConvolutionKernel = "120", "B30f"
        ds.SliceThickness = str(dz)
        ds.PixelSpacing = [str(dy), str(dx)]
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        x, y, z = phantom.origin_mm
        ds.ImagePositionPatient = [f"{x:.4f}", f"{y:.4f}", f"{z + number * dz:.4f}"]
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.Rows, ds.Columns = plane.shape
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "HU"
        ds.WindowCenter, ds.WindowWidth = "40", "400"
        ds.PixelData = plane.astype("<i2").tobytes()
        yield ds


def segmentation(phantom: Phantom, slices: list[Dataset]) -> Dataset:
    """The lesions as one DICOM Segmentation (PS3.3 A.51), a segment each, made by highdicom.

    Args:
        phantom: The truth.
        slices: Its ``ct_slices``, all of them, as they are to be referenced.
    """
    import highdicom as hd
    from pydicom.sr.codedict import codes

    describe = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=f"Lesion {number}",
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Lesion,
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number in range(1, len(phantom.lesions) + 1)
    ]
    mask = np.stack([phantom.labels == number for number in range(1, len(describe) + 1)], axis=-1)
    seg: Dataset = hd.seg.Segmentation(
        source_images=slices,
        pixel_array=mask.astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=describe,
        series_instance_uid=uid("seg-series", phantom.seed),
        series_number=100,
        sop_instance_uid=uid("seg", phantom.seed),
        instance_number=1,
        manufacturer="Phantom Works",
        manufacturer_model_name="Phantom 1",
        software_versions="1",
        device_serial_number="PHANTOM-1",
    )
    # highdicom takes these from the clock and at random; the same seed must give the same bytes.
    first = slices[0]
    seg.ContentDate = seg.SeriesDate = seg.InstanceCreationDate = first.StudyDate
    seg.ContentTime = seg.SeriesTime = seg.InstanceCreationTime = first.StudyTime
    for item in seg.get("ContributingEquipmentSequence", []):
        if "ContributionDateTime" in item:
            item.ContributionDateTime = first.StudyDate + first.StudyTime
    for item in seg.get("DimensionOrganizationSequence", []):
        item.DimensionOrganizationUID = uid("dimensions", phantom.seed)
    for item in seg.get("DimensionIndexSequence", []):
        item.DimensionOrganizationUID = uid("dimensions", phantom.seed)
    return seg


def write_ct_series(folder: Path, *, seed: int, slices: int = 40, size: int = 256) -> list[Path]:
    """Write a phantom's slices to ``folder`` (made if it isn't there); the files, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, ds in enumerate(ct_slices(ct_phantom(seed, slices=slices, size=size)), 1):
        path = folder / f"IM{number:04}.dcm"
        ds.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths
