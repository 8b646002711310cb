"""Whether an instance is let through at all, before anything of it is rewritten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aida_pipelines.contracts.profile import DeidProfile
from aida_pipelines.dicom.dictionary import UID_dictionary
from aida_pipelines.errors import Quarantine

if TYPE_CHECKING:
    from aida_pipelines.deid.engine import Top

_IMAGE_TYPE, _SOP_CLASS, _MODALITY, _BURNED_IN = 0x00080008, 0x00080016, 0x00080060, 0x00280301
_VOLUME_WIDTH, _VOLUME_HEIGHT, _LABEL_IN_IMAGE = 0x00480001, 0x00480002, 0x00480010

SLIDES = "1.2.840.10008.5.1.4.1.1.77.1.6"
"""VL Whole Slide Microscopy Image Storage."""

_LABELLED = frozenset({"LABEL", "OVERVIEW", "MACRO"})
_UNLABELLED = frozenset({"VOLUME", "THUMBNAIL"})

MAX_TISSUE_MM = 60
"""The label takes 15 to 20 mm of a slide's 75 or 76 (ISO 8037-1); an image that is longer than what is left shows it,
whatever it calls itself."""


def admit(top: Top, profile: DeidProfile, *, reviewed: bool) -> None:
    """Let an instance through or hold it.

    Args:
        top: Its data set's top level.
        profile: The profile.
        reviewed: A person has looked at the pixels and answers for them.

    Raises:
        Quarantine: With the reason.
    """
    sop_class = top.text(_SOP_CLASS)
    if not sop_class or not top.instance:
        raise Quarantine("no-sop-class")
    if sop_class not in profile.sop_classes:
        known = UID_dictionary.get(sop_class, ("", ""))[1] == "SOP Class"
        raise Quarantine("sop-class-not-allowed" if known else "sop-class-unknown")
    image_type = [value.upper() for value in top.texts(_IMAGE_TYPE)]
    slide = sop_class == SLIDES or top.text(_MODALITY) == "SM"
    if slide and (_LABELLED.intersection(image_type) or top.text(_LABEL_IN_IMAGE).upper() == "YES"):
        raise Quarantine("slide-label")
    if reviewed:
        return
    policy, declared = profile.pixel_text, top.text(_BURNED_IN).upper()
    if declared == "YES":
        raise Quarantine("burned-in-text")
    at_risk = (
        sop_class in policy.risk_sop_classes
        or top.text(_MODALITY) in policy.risk_modalities
        or bool(policy.risk_image_types and set(policy.risk_image_types).intersection(image_type))
    )
    if at_risk and not (policy.trust_declared_no and declared == "NO"):
        raise Quarantine("burned-in-text-risk")
    if sop_class == SLIDES and not _shows_tissue_only(top, image_type):
        raise Quarantine("burned-in-text-risk")


def _shows_tissue_only(top: Top, image_type: list[str]) -> bool:
    """Whether a slide's image says that it is without the label (PS3.3 C.8.12.4.1.1), and is no longer than that."""
    longest = max(top.number(_VOLUME_WIDTH, 0), top.number(_VOLUME_HEIGHT, 0))
    return (
        len(image_type) > 2
        and image_type[2] in _UNLABELLED
        and top.text(_LABEL_IN_IMAGE).upper() == "NO"
        and longest <= MAX_TISSUE_MM
    )
