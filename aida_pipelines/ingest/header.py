"""What a DICOM file says it is: the few attributes that raw ingest needs, or why it can't be taken."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aida_pipelines.dicom.attributes import Attributes
from aida_pipelines.dicom.parse import Source, parse_file
from aida_pipelines.errors import Quarantine, Reject

_MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
_MEDIA_SOP_CLASS = re.compile(rb"\x02\x00\x02\x00UI..([0-9.]+)", re.DOTALL)
"""(0002,0002) Media Storage SOP Class UID; file meta information is explicit VR little endian (PS3.10
7.1)."""

_UID = re.compile(r"[0-9]+(\.[0-9]+)+")


@dataclass(frozen=True, slots=True)
class Header:
    """Identity of an instance, as its header has it. Identifiable.

    Attributes:
        patient_id: (0010,0020); None if blank.
        issuer_of_patient_id: (0010,0021); None if blank.
        study_instance_uid: (0020,000D).
        series_instance_uid: (0020,000E).
        sop_instance_uid: (0008,0018).
        sop_class_uid: (0008,0016).
        transfer_syntax_uid: (0002,0010), or what the bytes show where it isn't declared.
        modality: (0008,0060).
    """

    patient_id: str | None
    issuer_of_patient_id: str | None
    study_instance_uid: str | None
    series_instance_uid: str | None
    sop_instance_uid: str | None
    sop_class_uid: str | None
    transfer_syntax_uid: str | None
    modality: str | None


def is_part_10(head: Source) -> bool:
    """Whether a file bears the DICOM prefix after its preamble (PS3.10 7.1)."""
    return bytes(head[128:132]) == b"DICM"


def is_media_directory(data: Source) -> bool:
    """Whether it is a DICOMDIR, by what its file meta information says, however broken the rest is."""
    media = _MEDIA_SOP_CLASS.search(bytes(data[128:1024])) if is_part_10(data) else None
    return media is not None and media[1].decode() == _MEDIA_STORAGE_DIRECTORY


def holds_a_data_set(data: Source) -> bool:
    """Whether it is DICOM, readable or not, with or without preamble and file meta information."""
    if is_part_10(data):
        return True
    try:
        return Attributes(parse_file(data)).first("SOPClassUID") is not None
    except Quarantine as outcome:
        return outcome.reason != "not-dicom"


def read_header(data: Source) -> Header:
    """Read a file's header and follow its structure to the end of its pixel data.

    Args:
        data: The file's bytes or a memory map of them.

    Raises:
        Reject: ``media-directory``.
        Quarantine: ``not-dicom``, ``dicom-unreadable``, ``transfer-syntax-unknown``,
            ``pixel-data-truncated``, ``no-sop-class``, ``no-patient-id`` (and no study either, see
            docs/deliveries.md).
    """
    if is_media_directory(data):
        raise Reject("media-directory")
    try:
        parsed = parse_file(data)
    except Quarantine as outcome:
        # A file with the prefix is DICOM, whatever follows.
        if outcome.reason == "not-dicom" and is_part_10(data):
            raise Quarantine("dicom-unreadable") from None
        raise
    attributes = Attributes(parsed)

    def text(keyword: str) -> str | None:
        return str(attributes.first(keyword) or "").strip() or None

    header = Header(
        patient_id=text("PatientID"),
        issuer_of_patient_id=text("IssuerOfPatientID"),
        study_instance_uid=text("StudyInstanceUID"),
        series_instance_uid=text("SeriesInstanceUID"),
        sop_instance_uid=text("SOPInstanceUID"),
        sop_class_uid=text("SOPClassUID"),
        transfer_syntax_uid=parsed.transfer_syntax,
        modality=text("Modality"),
    )
    if not (_is_uid(header.sop_class_uid) and _is_uid(header.sop_instance_uid)):
        # Without the prefix, it takes a SOP class to believe that this is DICOM at all.
        known = is_part_10(data) or header.sop_class_uid is not None
        raise Quarantine("no-sop-class" if known else "not-dicom")
    if parsed.pixels is None and attributes.first("Rows") is not None:
        raise Quarantine("pixel-data-truncated")  # cut before them: every object that has rows has pixels
    if header.patient_id is None and header.study_instance_uid is None:
        raise Quarantine("no-patient-id")
    return header


def _is_uid(text: str | None) -> bool:
    return text is not None and len(text) <= 64 and _UID.fullmatch(text) is not None
