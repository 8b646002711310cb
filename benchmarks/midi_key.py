"""Instances dressed with made-up identities, and an answer key to them in MIDI-B's layout.

The key is a table ``answer_data``, a row for each instance, whose ``AnswerData`` is a JSON object of checks: what must
hold at which place after de-identification. Texts, actions and places are written in angle brackets. The category of a
check (``answer_category_v2``) names why: a letter of HIPAA's list (45 CFR 164.514(b)(2)(i)), the IOD, a best practice.

Dressed are real files (the development data beside the checkout, else those that pydicom's wheel carries), whose own
technical values must stay, and phantoms. Where an identity stands, in which spelling and between which words, differs
from series to series.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from math import prod
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from aida_pipelines.demo.identities import Person, person
from aida_pipelines.demo.phantom import ct_phantom, ct_slices, uid
from benchmarks.setting import profile_and_tokens

COLUMNS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "Modality")
SHARED = Path(__file__).parents[2] / "shared" / "data" / "dev"
_NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)
_MAX_FILE = 700_000
_A_SERIES = 5
"""Files of a real series that are dressed."""

Check = dict[str, Any]

_HARMLESS = (
    "CT Thorax", "MR Brain", "Chest PA", "Abdomen 5.0 B30f", "Axial T1", "T2 TSE sag", "DWI b1000", "Lung low dose",
    "Head wo contrast", "Liver arterial phase", "Spine cor STIR", "Pelvis", "Localizer", "Knee right", "FLAIR 3D",
    "Thorax 3.0 ax", "Hjärna utan kontrast", "Buk portovenös fas", "Skelett höger hand", "Ultraljud lever", "Bröstkorg",
    "axial reformat", "contrast enhanced", "delayed phase 1.25 mm", "MIP", "ADC map", "TOF angio", "post gadolinium",
    "scout", "Halsrygg", "follow up", "screening", "lateral view", "cine", "short axis", "vänster knä",
    "prostate T2 ax",
)  # fmt: skip
_JOINS = (
    "{safe} {phi}",
    "{phi} {safe}",
    "{safe}, {phi}",
    "{safe} - {phi}",
    "{phi}: {safe}",
    "{safe} ({phi})",
)
_DESCRIPTIONS = (
    "StudyDescription", "SeriesDescription", "ProtocolName", "ImageComments", "DerivationDescription",
    "PerformedProcedureStepDescription", "RequestedProcedureDescription",
)  # fmt: skip
_HISTORIES = (
    "PatientComments",
    "AdditionalPatientHistory",
    "StudyComments",
    "VisitComments",
    "Occupation",
    "MedicalAlerts",
)
_TECHNICAL = (
    "SliceThickness", "KVP", "EchoTime", "RepetitionTime", "FlipAngle", "MagneticFieldStrength", "Manufacturer",
    "ManufacturerModelName", "ConvolutionKernel", "PatientPosition", "RescaleSlope", "RescaleIntercept",
    "WindowCenter", "WindowWidth", "PixelSpacing", "SliceLocation", "NumberOfFrames", "LossyImageCompression",
    "SpacingBetweenSlices", "InversionTime", "EchoTrainLength", "ImagedNucleus", "XRayTubeCurrent", "Exposure",
    "ImageOrientationPatient", "ImagePositionPatient", "Modality", "InstanceNumber", "SeriesNumber", "RescaleType",
    "ScanningSequence", "MRAcquisitionType", "ImageType", "SequenceVariant",
)  # fmt: skip
_REQUIRED = (
    "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel",
    "PhotometricInterpretation", "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality",
    "PatientID", "PatientName",
)  # fmt: skip
_DATES = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "PerformedProcedureStepStartDate")
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")


class Dresser:
    """One instance's new identity and the checks that go with it.

    Args:
        ds: The instance; changed.
        who: Whose it becomes.
        rng: Decides where what stands: the same for all instances of a series.
    """

    def __init__(self, ds: Dataset, who: Person, rng: random.Random) -> None:
        self._ds, self._who, self._rng = ds, who, rng
        self.checks: list[Check] = []

    def dress(self) -> list[Check]:
        """All of it; the checks."""
        self._technical()
        self._identity()
        self._descriptions()
        self._nested()
        self._private()
        self._times()
        self._uids()
        return self.checks

    def _check(
        self, action: str, place: str, category: dict[str, str], text: str = "", value: str = ""
    ) -> None:
        self.checks.append(
            {
                "action": f"<{action}>",
                "action_text": f"<{text}>" if text else None,
                "value": f"<{value or text}>",
                "tag": place,
                "tag_ds": place,
                "tag_name": "",
                "answer_category_v2": category,
            }
        )

    def _gone(self, place: str, text: str, letter: str) -> None:
        self._check("text_removed", place, {"hipaa_m": f"HIPAA-{letter}"}, text)

    def _technical(self) -> None:
        """What the file itself says of the image, before anything is changed."""
        ds = self._ds
        for keyword in _TECHNICAL:
            value = text_of(ds[keyword]) if keyword in ds else ""
            if value:
                self._check("text_retained", place_of(keyword), {"tcia_rev": "TCIA-REV"}, value)
        for keyword in _REQUIRED:
            if keyword in ds:
                self._check("tag_retained", place_of(keyword), {"dicom_iod": "DICOM-IOD-1"})
                self._check("text_notnull", place_of(keyword), {"dicom_iod": "DICOM-IOD-1"})

    def _identity(self) -> None:
        ds, who, rng = self._ds, self._who, self._rng
        doctor = who.referring_physician
        ds.SpecificCharacterSet = rng.choice(("ISO_IR 100", "ISO_IR 192"))
        ds.PatientID = rng.choice((who.dashed, who.personnummer, who.dashed[2:]))
        always = {
            "PatientName": (who.patient_name, "A"), "PatientBirthDate": (who.birth_date, "C"),
            "AccessionNumber": (who.accession_number, "R"), "StudyID": (who.accession_number[-8:], "R"),
            "ReferringPhysicianName": (doctor, "A"), "InstitutionName": ("Påhitts lasarett", "B"),
        }  # fmt: skip
        sometimes = {
            "OperatorsName": (doctor, "A"), "PatientAddress": (who.address, "B"),
            "PatientTelephoneNumbers": (who.telephone, "D"), "StationName": ("PAHITTCT1", "M"),
            "OtherPatientIDs": (f"MRN{who.personnummer[4:]}", "H"), "PatientBirthName": (who.patient_name, "A"),
            "PatientMotherBirthName": (who.family_name, "A"), "InstitutionAddress": ("Låtsasvägen 4, Påhitteby", "B"),
            "PhysiciansOfRecord": (doctor, "A"), "PerformingPhysicianName": (doctor, "A"),
            "RequestingPhysician": (doctor, "A"), "InstitutionalDepartmentName": ("Röntgen Påhitt", "B"),
            "MilitaryRank": ("Fanjunkare", "R"), "CountryOfResidence": ("Påhittien", "B"),
            "NameOfPhysiciansReadingStudy": (doctor, "A"), "AdmissionID": (who.accession_number, "R"),
            "IssuerOfPatientID": ("Region Påhitt", "B"), "MedicalRecordLocator": (f"J{who.personnummer}", "H"),
            "CurrentPatientLocation": ("Avd 17 Påhitts lasarett", "B"),
        }  # fmt: skip
        kept = [name for name in sometimes if rng.random() < 0.6]
        for keyword, (value, letter) in {**always, **{name: sometimes[name] for name in kept}}.items():
            setattr(ds, keyword, value)
            self._gone(place_of(keyword), value, letter)
        self._gone(place_of("PatientID"), str(ds.PatientID), "H")
        self._check(
            "patid_consistent",
            place_of("PatientID"),
            {"dicom_p15": "DICOM-P15-BASIC-C"},
            value=str(ds.PatientID),
        )
        ds.PatientSex, ds.PatientAge, ds.PatientWeight = (
            who.sex,
            f"0{rng.randrange(18, 89)}Y",
            str(rng.randrange(50, 99)),
        )
        for keyword in ("PatientSex", "PatientAge", "PatientWeight"):
            self._check(
                "text_retained", place_of(keyword), {"tcia_p15": "TCIA-P15-PAT-K"}, str(ds[keyword].value)
            )

    def _phi(self) -> tuple[str, str]:
        who = self._who
        birth = who.birth_date
        return self._rng.choice(
            (
                (who.family_name, "A"), (who.given_name, "A"), (f"{who.given_name} {who.family_name}", "A"),
                (f"{who.family_name}, {who.given_name}", "A"), (who.dashed, "H"), (who.personnummer, "H"),
                (who.telephone, "D"), (who.address, "B"), (who.accession_number, "R"), ("Påhitts lasarett", "B"),
                (f"{birth[:4]}-{birth[4:6]}-{birth[6:]}", "C"), (f"{who.given_name.lower()}@example.org", "F"),
                (who.family_name.upper(), "A"), ("Dr " + who.referring_physician.partition("^")[0], "A"),
            )
        )  # fmt: skip

    def _mixed(self, ds: Dataset, keyword: str, where: str, *, keeps: bool = True) -> None:
        """Harmless words and an identifier in one text."""
        rng = self._rng
        safe, (phi, letter) = rng.choice(_HARMLESS), self._phi()
        text = rng.choice(_JOINS).format(safe=safe, phi=phi)
        if pydicom.datadict.dictionary_VR(keyword) in ("LO", "SH") and len(text) > 60:
            phi, letter = self._who.family_name, "A"
            text = f"{safe} {phi}"
        setattr(ds, keyword, text)
        self._gone(where, phi, letter)
        if keeps:
            self._check("text_retained", where, {"tcia_p15": "TCIA-P15-DESC-C"}, safe)

    def _descriptions(self) -> None:
        for keyword in _DESCRIPTIONS:
            if self._rng.random() < 0.8:
                self._mixed(self._ds, keyword, place_of(keyword))
        for keyword in self._rng.sample(_HISTORIES, 3):
            if pydicom.datadict.dictionary_VR(keyword) in ("LO", "SH"):
                setattr(self._ds, keyword, self._who.family_name)
                self._gone(place_of(keyword), self._who.family_name, "A")
            else:
                self._mixed(self._ds, keyword, place_of(keyword), keeps=False)

    def _nested(self) -> None:
        ds, who = self._ds, self._who
        request = Dataset()
        ds.RequestAttributesSequence = [request]
        inside = f"{place_of('RequestAttributesSequence')}[<0000>]"
        request.RequestedProcedureID = who.accession_number
        self._gone(inside + place_of("RequestedProcedureID"), who.accession_number, "R")
        self._mixed(
            request,
            "ScheduledProcedureStepDescription",
            inside + place_of("ScheduledProcedureStepDescription"),
        )
        other = Dataset()
        other.PatientID, other.IssuerOfPatientID, other.TypeOfPatientID = (
            f"MRN{who.personnummer}",
            "Region Påhitt",
            "TEXT",
        )
        ds.OtherPatientIDsSequence = [other]
        inside = f"{place_of('OtherPatientIDsSequence')}[<0000>]"
        self._gone(inside + place_of("PatientID"), other.PatientID, "H")
        reference, code = Dataset(), Dataset()
        reference.ReferencedSOPClassUID = ds.SOPClassUID
        reference.ReferencedSOPInstanceUID = uid("reference", ds.SOPInstanceUID)
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = (
            "121322",
            "DCM",
            "Source image for image processing operation",
        )
        reference.PurposeOfReferenceCodeSequence = [code]
        ds.SourceImageSequence = [reference]
        inside = f"{place_of('SourceImageSequence')}[<0000>]"
        self._check(
            "uid_changed", inside + place_of("ReferencedSOPInstanceUID"), {"hipaa_m": "HIPAA-R"},
            value=reference.ReferencedSOPInstanceUID,
        )  # fmt: skip
        meaning = f"{inside}{place_of('PurposeOfReferenceCodeSequence')}[<0000>]{place_of('CodeMeaning')}"
        self._check(
            "text_retained", meaning, {"tcia_rev": "TCIA-REV"}, "Source image for image processing operation"
        )

    def _private(self) -> None:
        ds, who = self._ds, self._who
        block = ds.private_block(0x0013, "PAHITT WORKS 1", create=True)
        block.add_new(0x10, "LO", who.patient_name)
        self._gone('<(0013,"PAHITT WORKS 1",10)>', who.patient_name, "A")
        block.add_new(0x11, "ST", f"{who.address}; {who.telephone}")
        self._gone('<(0013,"PAHITT WORKS 1",11)>', who.telephone, "D")
        if ds.get("Modality") == "MR" and "SIEMENS" in str(ds.get("Manufacturer", "")).upper():
            block = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
            if 0x0C not in block:
                block.add_new(0x0C, "IS", "1000")
            self._check("tag_retained", '<(0019,"SIEMENS MR HEADER",0c)>', {"tcia_ptkb": "TCIA-PTKB"})

    def _times(self) -> None:
        ds = self._ds
        day = (
            f"20{self._rng.randrange(10, 24)}{self._rng.randrange(1, 13):02d}{self._rng.randrange(1, 29):02d}"
        )
        for keyword in _DATES:
            if keyword in ("StudyDate", "SeriesDate") or keyword in ds or self._rng.random() < 0.5:
                setattr(ds, keyword, day)
                self._check("date_shifted", place_of(keyword), {"hipaa_m": "HIPAA-C"}, value=day)
        if self._rng.random() < 0.5:
            ds.AcquisitionDateTime = f"{day}101500"
            self._check("date_shifted", place_of("AcquisitionDateTime"), {"hipaa_m": "HIPAA-C"}, value=day)

    def _uids(self) -> None:
        for keyword in _UIDS:
            if keyword in self._ds and self._ds[keyword].value:
                value = str(self._ds[keyword].value)
                self._check("uid_changed", place_of(keyword), {"hipaa_m": "HIPAA-R"}, value=value)
                if keyword != "FrameOfReferenceUID":
                    self._check(
                        "uid_consistent", place_of(keyword), {"dicom_p15": "DICOM-P15-BASIC-U"}, value=value
                    )


def place_of(keyword: str) -> str:
    """A place as keys write it."""
    tag = pydicom.tag.Tag(keyword)
    return f"<({tag.group:04x},{tag.element:04x})>"


def text_of(element: pydicom.DataElement) -> str:
    """An element's value as keys write it."""
    value = element.value
    many = not isinstance(value, str | bytes) and hasattr(value, "__iter__") and element.VR != "PN"
    return "\\".join(map(str, value)) if many else "" if value is None else str(value)


def real_instances(folder: Path) -> Iterator[Dataset]:
    """Images of a folder that the profile lets through, a few of each series."""
    allowed = profile_and_tokens("research-longitudinal")[0].sop_classes
    taken: dict[str, int] = defaultdict(int)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.stat().st_size > _MAX_FILE:
            continue
        try:
            ds = pydicom.dcmread(path)
            list(ds.iterall())  # what pydicom can't read it can't write
        except Exception:  # noqa: BLE001 - broken on purpose: nothing to dress
            continue
        series, image_type = (
            str(ds.get("SeriesInstanceUID", "")),
            [str(word).upper() for word in ds.get("ImageType") or ()],
        )
        screen = {"SCREEN SAVE", "LABEL", "OVERVIEW"}.intersection(image_type)
        if ds.get("SOPClassUID") not in allowed or not series or screen or "PixelData" not in ds:
            continue
        if not _whole(ds):
            continue  # cut short: held, and rightly
        taken[series] += 1
        if taken[series] <= _A_SERIES:
            yield ds


def _whole(ds: Dataset) -> bool:
    """Whether there are as many pixel bytes as the header declares."""
    keywords = ("Rows", "Columns", "NumberOfFrames", "BitsAllocated", "SamplesPerPixel")
    numbers = [ds.get(keyword) or 1 for keyword in keywords]
    if not all(isinstance(number, int) for number in numbers):
        return False
    shared = str(ds.get("PhotometricInterpretation", "")).endswith("_422")
    compressed = ds.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian) not in _NATIVE
    return compressed or len(ds.PixelData) >= prod(numbers) // (12 if shared else 8)


def _renamed(ds: Dataset, number: int, file: int) -> None:
    """UIDs of its own, so that one file, or one instance in two transfer syntaxes, can be dressed more than once."""
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID"):
        setattr(ds, keyword, uid("midi", number, str(ds.get(keyword, ""))))
    ds.SOPInstanceUID = uid("midi", number, file)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.BurnedInAnnotation = "NO"


def dressed(
    *, times: int, patients: int, slices: int, folder: Path | None = None
) -> Iterator[tuple[Dataset, list[Check]]]:
    """Real instances, each ``times`` times, and phantoms; each with its checks."""
    folder = folder or (SHARED if SHARED.is_dir() else Path(pydicom.__file__).parent / "data" / "test_files")
    for time in range(times):
        people: dict[str, int] = {}
        for file, ds in enumerate(real_instances(folder)):
            number = people.setdefault(str(ds.SeriesInstanceUID), len(people)) + 1000 * time
            _renamed(ds, number, file)
            yield ds, Dresser(ds, person(number), random.Random(number)).dress()
    for patient in range(patients):
        number = 100_000 + patient
        for file, ds in enumerate(ct_slices(ct_phantom(patient, slices=slices, size=32))):
            _renamed(ds, number, file)
            yield ds, Dresser(ds, person(number), random.Random(number)).dress()


def generate(
    src: Path, key: Path, *, times: int, patients: int, slices: int, folder: Path | None = None
) -> None:
    """Dressed files in ``src`` and their answer key."""
    src.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(key)) as connection:
        connection.execute("DROP TABLE IF EXISTS answer_data")
        connection.execute(f"CREATE TABLE answer_data ({', '.join(COLUMNS)}, AnswerData)")
        for ds, checks in dressed(times=times, patients=patients, slices=slices, folder=folder):
            try:
                ds.save_as(src / f"{ds.SOPInstanceUID}.dcm", enforce_file_format=True)
            except Exception:  # noqa: BLE001 - pydicom reads more than it can write
                (src / f"{ds.SOPInstanceUID}.dcm").unlink(missing_ok=True)
                continue
            row = [f"{ds.get(column, '')}" for column in COLUMNS]
            answer = json.dumps({str(number): check for number, check in enumerate(checks)})
            connection.execute("INSERT INTO answer_data VALUES (?,?,?,?,?,?,?)", [*row, answer])
        connection.commit()
