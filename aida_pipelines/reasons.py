"""Every reason for which an instance or a series is not passed on: one code, one sentence, one advice.

Codes are public (``aida quarantine list``, the ``rejections`` table); a code is never reused for another meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aida_pipelines.stages import Stage


class Outcome(StrEnum):
    """What becomes of the item."""

    QUARANTINED = "quarantined"  # held until a steward decides
    REJECTED = "rejected"  # not taken, for good
    DUPLICATE = "duplicate"  # the same bytes are here already


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an item stopped.

    Attributes:
        code: Public code, kebab-case.
        stage: The stage that said it.
        outcome: What became of the item.
        says: One sentence for a steward.
        advice: What the steward can do.
        releasable: Whether `aida quarantine release` may let the item pass on a person's responsibility.
    """

    code: str
    stage: Stage
    outcome: Outcome
    says: str
    advice: str
    releasable: bool = False


_ALL = (
    # --- raw ingest -------------------------------------------------------------------------------------------
    Reason(
        "duplicate",
        Stage.RAW_INGEST,
        Outcome.DUPLICATE,
        "The same bytes were delivered before.",
        "Nothing to do: the first copy is used.",
    ),
    Reason(
        "empty-file",
        Stage.RAW_INGEST,
        Outcome.QUARANTINED,
        "The file has no content.",
        "Ask the site to send it again, then reject this one.",
    ),
    Reason(
        "not-dicom",
        Stage.RAW_INGEST,
        Outcome.QUARANTINED,
        "The file is neither DICOM nor a table that the collection's contract names.",
        "Look at it in the raw zone; reject it, or add a contract for its table.",
    ),
    Reason(
        "dicom-unreadable",
        Stage.RAW_INGEST,
        Outcome.QUARANTINED,
        "The file starts as DICOM but its data set can't be read to the end.",
        "Ask the site to send it again, then reject this one.",
    ),
    Reason(
        "no-sop-class",
        Stage.RAW_INGEST,
        Outcome.QUARANTINED,
        "The data set names no SOP class or no instance, so it can't be known what it is.",
        "Ask the site how it was made; reject it.",
    ),
    Reason(
        "no-patient-id",
        Stage.RAW_INGEST,
        Outcome.QUARANTINED,
        "The data set has neither a Patient ID nor a study, so it can't be given to a subject.",
        "Ask the site to complete it and send it again.",
    ),
    Reason(
        "conflicting-instance",
        Stage.RAW_INGEST,
        Outcome.QUARANTINED,
        "Another file of this delivery has the same SOP Instance UID and other content.",
        "Ask the site which one is right; reject the other.",
    ),
    Reason(
        "media-directory",
        Stage.RAW_INGEST,
        Outcome.REJECTED,
        "A DICOMDIR: the index of a medium, with patients' names, not an image.",
        "Nothing to do: the files it lists are taken one by one.",
    ),
    Reason(
        "operating-system-file",
        Stage.RAW_INGEST,
        Outcome.REJECTED,
        "A file that an operating system leaves in folders.",
        "Nothing to do.",
    ),
    Reason(
        "clinical-table-invalid",
        Stage.RAW_INGEST,
        Outcome.QUARANTINED,
        "The clinical table does not have the columns that its contract asks for.",
        "Compare the table with its contract; ask the site for a corrected one.",
    ),
    # --- de-identification ------------------------------------------------------------------------------------
    Reason(
        "sop-class-not-allowed",
        Stage.DEIDENTIFICATION,
        Outcome.QUARANTINED,
        "The de-identification profile does not allow this kind of object.",
        "Have the profile extended and reviewed if the collection needs such objects; else reject.",
    ),
    Reason(
        "sop-class-unknown",
        Stage.DEIDENTIFICATION,
        Outcome.QUARANTINED,
        "The SOP class is not in the DICOM standard: a private or broken object.",
        "Ask the site what the object is; reject it.",
    ),
    Reason(
        "burned-in-text",
        Stage.DEIDENTIFICATION,
        Outcome.QUARANTINED,
        "The header says that the pixels contain identifying text.",
        "Look at the picture at the site; release it only if no text identifies anyone.",
        releasable=True,
    ),
    Reason(
        "burned-in-text-risk",
        Stage.DEIDENTIFICATION,
        Outcome.QUARANTINED,
        "This kind of image often has text in its pixels and nothing says that it has none.",
        "Look at the picture at the site; release it if no text identifies anyone.",
        releasable=True,
    ),
    Reason(
        "slide-label",
        Stage.DEIDENTIFICATION,
        Outcome.QUARANTINED,
        "A slide's label or overview image: the label carries names and numbers.",
        "Reject it; the slide itself is taken without it.",
        releasable=False,
    ),
    Reason(
        "transfer-syntax-unknown",
        Stage.DEIDENTIFICATION,
        Outcome.QUARANTINED,
        "The transfer syntax is not one of the standard's, so the bytes can't be read safely.",
        "Ask the site to export in a standard transfer syntax.",
    ),
    Reason(
        "no-series",
        Stage.DEIDENTIFICATION,
        Outcome.QUARANTINED,
        "The data set names no study or no series, so it can't be given its place.",
        "Ask the site to complete it and send it again, then reject this one.",
    ),
    Reason(
        "rejected-by-steward",
        Stage.DEIDENTIFICATION,
        Outcome.REJECTED,
        "A steward has refused it; the reason for which it was held no longer holds.",
        "Nothing to do.",
    ),
    Reason(
        "deid-failed",
        Stage.DEIDENTIFICATION,
        Outcome.QUARANTINED,
        "De-identification could not be completed on this data set.",
        "Report the instance's id to the developers; ask the site to send it again.",
    ),
    Reason(
        "pixel-data-truncated",
        Stage.DEIDENTIFICATION,
        Outcome.QUARANTINED,
        "There are fewer bytes of pixel data than the header declares.",
        "Ask the site to send it again, then reject this one.",
    ),
    Reason(
        "frames-unreadable",
        Stage.DEIDENTIFICATION,
        Outcome.QUARANTINED,
        "The pixel data, or the table of where frames begin, are not what header and transfer syntax say.",
        "Ask the site to send it again, or to export it uncompressed; then reject this one.",
    ),
    Reason(
        "palette-doubtful",
        Stage.DEIDENTIFICATION,
        Outcome.QUARANTINED,
        "The image's colours are in a palette that is not as long as declared or may hold text.",
        "Look at the palette at the site; ask for the image in grey or RGB, then reject this one.",
    ),
    Reason(
        "verification-failed",
        Stage.DEIDENTIFICATION,
        Outcome.QUARANTINED,
        "The independent verification found an identifier in what was to be passed on.",
        "Report the instance's id to the developers. Keep it held until the rule that is missing is there, or "
        "reject it: then the rest of its study passes at the next run.",
    ),
    Reason(
        "study-held",
        Stage.DEIDENTIFICATION,
        Outcome.QUARANTINED,
        "Another instance of the same study is held as verification-failed, and a study is passed on as a whole.",
        "Decide on the study's instance that is held as verification-failed. When it has been rejected, or passes "
        "by a better rule, this one passes at the next run.",
    ),
    # --- harmonisation ----------------------------------------------------------------------------------------
    Reason(
        "pixels-undecodable",
        Stage.HARMONISATION,
        Outcome.QUARANTINED,
        "The pixel data can't be decoded.",
        "Ask the site to send the series again.",
    ),
)

REASONS: dict[str, Reason] = {reason.code: reason for reason in _ALL}
