"""The demo's two deliveries: a folder tree from one made-up hospital, a zip from another.

Real scanner-made DICOM that ships inside pydicom's wheel, and phantoms, dressed with made-up identities in the places
where hospitals' systems put them: plain attributes, nested sequences, private elements, free text, file names. Four
files are faulty on purpose. The same call makes the same bytes.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from aida_pipelines.demo.identities import Person, person
from aida_pipelines.demo.phantom import ct_phantom, ct_slices, segmentation, uid

INSTITUTIONS = {"norr": "Norrskenets Låtsassjukhus", "syd": "Sydvindens Låtsassjukhus"}
_PRIVATE_CREATOR = "PAHITTAD PACS 1.0"
_ZIP_TIME = (2024, 1, 15, 10, 15, 0)  # a zip keeps a time for each member; the clock's would change its bytes

_REAL = Path(pydicom.__file__).parent / "data" / "test_files"


@dataclass(frozen=True)
class DemoDelivery:
    """One delivery as a hospital hands it over.

    Attributes:
        id: Its id.
        site: Who delivers.
        source: Folder or zip.
    """

    id: str
    site: str
    source: Path


def make_demo(folder: Path) -> list[DemoDelivery]:
    """Write both deliveries below ``folder``.

    Returns:
        They, in the order in which they are delivered.
    """
    norr = folder / "Export från PACS"
    for name, content in _norr():
        path = norr / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    syd = folder / "leverans.zip"
    with zipfile.ZipFile(syd, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _syd():
            archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), content, zipfile.ZIP_DEFLATED)
    return [DemoDelivery("norr_demo_1", "norr", norr), DemoDelivery("syd_demo_1", "syd", syd)]


def demo_identifiers() -> list[str]:
    """Every planted string that must not be found outside the raw zone and the key."""
    people = [person(number) for number in range(6)]
    named = {text for someone in people for text in someone.identifiers()}
    return sorted(named | set(INSTITUTIONS.values()) | {_PRIVATE_CREATOR})


def _norr() -> Iterator[tuple[str, bytes]]:
    """A folder tree with names as people write them; the clinical table; two of the faulty files."""
    first, second, third = person(0), person(1), person(2)
    slices = [_dressed(ds, first, "norr") for ds in ct_slices(ct_phantom(0))]
    for number, ds in enumerate(slices, 1):
        yield f"{first.given_name} {first.family_name}/CT thorax/IM{number:04}.dcm", _bytes(ds)
    seg = segmentation(ct_phantom(0), slices)
    yield f"{first.given_name} {first.family_name}/Segmentering/SEG.dcm", _bytes(_dressed(seg, first, "norr"))
    # The same slice a second time, under another name: a duplicate.
    yield f"{first.given_name} {first.family_name}/Kopior/IM0001 (kopia).dcm", _bytes(slices[0])
    # The transfer broke off in the middle of a slice.
    broken = _dressed(next(ct_slices(ct_phantom(90, slices=1))), first, "norr")
    yield f"{first.given_name} {first.family_name}/CT thorax/IM9999.dcm", _bytes(broken)[:20_000]

    for path in _files("77654033"):
        yield f"{second.given_name} {second.family_name}/{path}", _bytes(_real(path, second, "norr"))
    for name in ("MR_small.dcm", "J2K_pixelrep_mismatch.dcm", "CT_small.dcm"):
        yield f"{third.given_name} {third.family_name}/{name}", _bytes(_real(Path(name), third, "norr"))
    yield f"{third.given_name} {third.family_name}/Skärmbild med text.dcm", _bytes(_screenshot(third, "norr"))

    yield "DICOMDIR", (_REAL / "dicomdirtests" / "DICOMDIR").read_bytes()
    yield "Thumbs.db", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    yield "diagnoser.csv", _diagnoses([first, second, third])


def _syd() -> Iterator[tuple[str, bytes]]:
    """A zip with the names that a PACS gives; the third faulty file."""
    first, second, third = person(3), person(4), person(5)
    slices = [_dressed(ds, first, "syd") for ds in ct_slices(ct_phantom(1))]
    for number, ds in enumerate(slices, 1):
        yield f"DICOM/P0001/S0001/I{number:04}", _bytes(ds)
    yield "DICOM/P0001/S0002/I0001", _bytes(_dressed(segmentation(ct_phantom(1), slices), first, "syd"))
    for patient, who in (("98892001", second), ("98892003", third)):
        for path in _files(patient):
            yield f"DICOM/{path.as_posix()}", _bytes(_real(path, who, "syd"))
    unknown = _dressed(next(ct_slices(ct_phantom(91, slices=1))), third, "syd")
    # A class of a vendor's own: nobody outside knows what such an object holds.
    unknown.SOPClassUID = unknown.file_meta.MediaStorageSOPClassUID = uid("a vendor's own class")
    yield "DICOM/P0009/S0001/I0001", _bytes(unknown)


def _files(patient: str) -> list[Path]:
    """The files of one patient of pydicom's small media, in order, relative to its test files."""
    root = _REAL / "dicomdirtests" / patient
    return [path.relative_to(_REAL) for path in sorted(root.rglob("*")) if path.is_file()]


def _real(path: Path, who: Person, site: str) -> Dataset:
    return _dressed(dcmread(_REAL / path), who, site)


def _dressed(ds: Dataset, who: Person, site: str) -> Dataset:
    """Write a person and a visit into a data set, as a hospital's systems would."""
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = who.patient_name, who.dashed, who.birth_date
    ds.PatientSex, ds.PatientAddress = who.sex, who.address
    ds.PatientTelephoneNumbers = who.telephone
    ds.IssuerOfPatientID = site.upper()
    ds.ReferringPhysicianName, ds.AccessionNumber = who.referring_physician, who.accession_number
    ds.InstitutionName, ds.InstitutionAddress = INSTITUTIONS[site], who.address
    ds.PatientComments = f"Ring {who.given_name} på {who.telephone}"
    ds.ImageComments = f"Granskad med {who.family_name}"
    ds.SeriesDescription = f"{ds.get('SeriesDescription', '')} {who.family_name}".strip()
    request = Dataset()
    request.RequestedProcedureID = who.accession_number
    request.RequestedProcedureDescription = f"Undersökning av {who.given_name} {who.family_name}"
    request.RequestingPhysician = who.referring_physician
    ds.RequestAttributesSequence = [request]
    block = ds.private_block(0x0099, _PRIVATE_CREATOR, create=True)
    block.add_new(0x01, "LO", who.dashed)
    block.add_new(0x02, "PN", who.patient_name)
    return ds


def _screenshot(who: Person, site: str) -> Dataset:
    """A secondary capture with the patient's name in its pixels, and the header saying so."""
    from PIL import Image, ImageDraw

    picture = Image.new("L", (320, 120), 30)
    words = f"{who.family_name} {who.personnummer}"
    ImageDraw.Draw(picture).text((12, 48), words, fill=240, font_size=18)
    pixels = np.asarray(picture)
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = uid("screenshot", who.personnummer)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid("s-study", who.accession_number), uid("s-series", "1")
    ds.Modality, ds.ConversionType, ds.BurnedInAnnotation = "OT", "WSD", "YES"
    ds.StudyDate, ds.StudyTime, ds.SeriesNumber, ds.InstanceNumber = "20240115", "101500", 9, 1
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PixelData = pixels.tobytes()
    return _dressed(ds, who, site)


def _diagnoses(people: list[Person]) -> bytes:
    """The delivery's clinical table, as a hospital's system exports it: semicolons, Latin-1."""
    text = io.StringIO(newline="")
    table = csv.writer(text, delimiter=";")
    table.writerow(["patient_id", "name", "icd10", "diagnosis_date"])
    for number, someone in enumerate(people):
        name = f"{someone.family_name}, {someone.given_name}"
        table.writerow(
            [someone.personnummer, name, ("C34.1", "J18.9", "S52.5")[number], f"2024-01-{10 + number}"]
        )
    return text.getvalue().encode("latin-1")


def _bytes(ds: Dataset) -> bytes:
    file = io.BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()
