"""Who an instance is about, as its header says at the top level: what may not be left in the texts beside.

Only there: what is done to an element depends on its own bytes and on what was read at the top level (``fast``).
"""

from __future__ import annotations

from typing import Protocol

from aida_pipelines.deid.text.known import Known, known
from aida_pipelines.dicom.dictionary import tag_for_keyword


class Header(Protocol):
    """What values are read from; ``engine.Top``."""

    def texts(self, tag: int) -> list[str]:
        """All values of an attribute."""

    def inner_texts(self, sequence: int, tag: int) -> list[str]:
        """First values of an attribute in each item of a sequence."""


def _tags(keywords: str) -> tuple[int, ...]:
    return tuple(tag for keyword in keywords.split() if (tag := tag_for_keyword(keyword)) is not None)


_NAMES = _tags(
    """
    PatientName OtherPatientNames PatientBirthName PatientMotherBirthName ResponsiblePerson ReferringPhysicianName
    ConsultingPhysicianName PhysiciansOfRecord PerformingPhysicianName NameOfPhysiciansReadingStudy OperatorsName
    RequestingPhysician ScheduledPerformingPhysicianName NamesOfIntendedRecipientsOfResults OrderEnteredBy
    """
)
_IDS = _tags(
    """
    PatientID OtherPatientIDs AccessionNumber StudyID AdmissionID ServiceEpisodeID MedicalRecordLocator
    RequestedProcedureID PlacerOrderNumberImagingServiceRequest FillerOrderNumberImagingServiceRequest
    """
)
_OTHER_IDS, _PATIENT_ID = _tags("OtherPatientIDsSequence PatientID")
_DAYS = _tags("PatientBirthDate")
_TELEPHONES = _tags("PatientTelephoneNumbers ReferringPhysicianTelephoneNumbers OrderCallbackPhoneNumber")
_PLACES = _tags(
    """
    PatientAddress RegionOfResidence PatientInstitutionResidence CurrentPatientLocation InstitutionName
    InstitutionAddress ReferringPhysicianAddress
    """
)

TAGS = frozenset({*_NAMES, *_IDS, _OTHER_IDS, *_DAYS, *_TELEPHONES, *_PLACES})
"""All attributes that are read."""


def known_of(header: Header) -> Known:
    """The identifiers of the person, of the staff named and of the order, as far as texts beside them may hold them."""

    def values(tags: tuple[int, ...]) -> tuple[str, ...]:
        return tuple(text for tag in tags for text in header.texts(tag) if text)

    return known(
        names=values(_NAMES),
        ids=(*values(_IDS), *header.inner_texts(_OTHER_IDS, _PATIENT_ID)),
        dates=values(_DAYS),
        telephones=values(_TELEPHONES),
        places=values(_PLACES),
    )
