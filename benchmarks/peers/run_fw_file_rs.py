"""fw-file-rs with a profile of ours: its own has no rules. The header through it, the rest copied."""

import sys
from pathlib import Path

from fw_file_rs.dcm import Context

REMOVED = (
    "PatientBirthDate PatientBirthName PatientAddress PatientTelephoneNumbers PatientComments "
    "OtherPatientIDs IssuerOfPatientID EthnicGroup InstitutionName InstitutionAddress "
    "InstitutionalDepartmentName ReferringPhysicianName ReferringPhysicianTelephoneNumbers "
    "PerformingPhysicianName OperatorsName RequestingPhysician AccessionNumber StudyID "
    "StationName DeviceSerialNumber StudyDescription SeriesDescription PerformedProcedureStepID "
    "AcquisitionDateTime PerformedProcedureStepDescription RequestAttributesSequence "
    "ReferencedStudySequence ReferencedImageSequence ProcedureCodeSequence"
).split()
DATES = (
    "InstanceCreationDate StudyDate SeriesDate AcquisitionDate ContentDate "
    "PerformedProcedureStepStartDate DateOfLastCalibration"
).split()
UIDS = ("StudyInstanceUID SeriesInstanceUID SOPInstanceUID FrameOfReferenceUID IrradiationEventUID").split()
FIELDS = [
    *(f"    - name: {name}\n      remove: true" for name in REMOVED),
    *(f"    - name: {name}\n      increment-date: true" for name in DATES),
    *(f"    - name: {name}\n      hashuid: true" for name in UIDS),
    "    - name: PatientName\n      replace-with: REMOVED",
    "    - name: PatientID\n      hash: true",
]
PROFILE = (
    "version: 1\nname: bench\ndicom:\n  date-increment: -43\n  remove-private-tags: true\n  fields:\n"
    + "\n".join(FIELDS)
)

context = Context().deid_profile(PROFILE)
for number, path in enumerate(sorted(Path(sys.argv[1]).rglob("*.dcm"))):
    header = context.read_until_pixels(str(path))
    with path.open("rb") as source, (Path(sys.argv[2]) / f"{number}.dcm").open("wb") as target:
        source.seek(len(header))
        target.write(context.deid_header(header))
        while chunk := source.read(1 << 20):
            target.write(chunk)
