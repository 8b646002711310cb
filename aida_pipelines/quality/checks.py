"""What gates measure. Each check is a function of a row of ``series`` or ``volumes``, or of the delivery's counts.

A check gives a number and its unit (UCUM); whether the number is good is the gate's to say, on the side that the check
names. None means that it could not be measured, which misses any bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aida_pipelines.contracts.collection import Collection, GateCheck

Row = Mapping[str, Any]


class Level(StrEnum):
    """What a check looks at."""

    SERIES = "series"
    VOLUME = "volume"
    DELIVERY = "delivery"


@dataclass(frozen=True)
class Check:
    """A measurement.

    Attributes:
        level: What it looks at.
        unit: UCUM unit of the number.
        at_least: The number must reach the bound; else it must not exceed it.
        measure: Row and collection → the number, or None.
        says: What the number is, for a steward.
    """

    level: Level
    unit: str
    at_least: bool
    measure: Callable[[Row, Collection], float | None]
    says: str

    def passes(self, value: float | None, threshold: float) -> bool:
        """Whether the number is on the right side of a gate's bound."""
        if value is None:
            return False
        return value >= threshold if self.at_least else value <= threshold


def geometry(row: Row, _: Collection) -> float:
    """1 if the series is a regular volume in space, else 0; ``geometry_reason`` says why."""
    return float(row["geometry_verdict"] == "volume")


def missing_slices(row: Row, _: Collection) -> float | None:
    """Slices that are missing within the stack; not measurable without a stack."""
    return None if row["missing_slices"] is None else float(row["missing_slices"])


def pixels_decodable(row: Row, _: Collection) -> float:
    """1 if the pixels that were looked at could be decoded, else 0."""
    return float(row["geometry_verdict"] != "undecodable" and row["preview_reason"] != "pixels-undecodable")


def value_range(row: Row, _: Collection) -> float | None:
    """Largest minus smallest value of a volume, in the volume's own unit; 0 for a constant one."""
    if row["minimum"] is None or row["maximum"] is None:
        return None
    return float(row["maximum"] - row["minimum"])


def body_part(row: Row, _: Collection) -> float:
    """1 if the body part is known, else 0."""
    return float(row["body_part"] is not None)


def modality(row: Row, collection: Collection) -> float:
    """1 if the modality is one that the collection asks for, else 0."""
    return float(row["modality"] in collection.modalities)


def vocabulary_coverage(row: Row, _: Collection) -> float | None:
    """Share of a delivery's series whose body part the vocabularies could tell."""
    return row["body_parts"] / row["series"] if row["series"] else None


CHECKS: Mapping[GateCheck, Check] = {
    GateCheck.GEOMETRY: Check(Level.SERIES, "1", True, geometry, "A regular volume (1) or not (0)."),
    GateCheck.MISSING_SLICES: Check(
        Level.SERIES, "{slices}", False, missing_slices, "Slices missing within the stack."
    ),
    GateCheck.PIXELS_DECODABLE: Check(
        Level.SERIES, "1", True, pixels_decodable, "Pixels can be decoded (1) or not (0)."
    ),
    GateCheck.VALUE_RANGE: Check(Level.VOLUME, "1", True, value_range, "Largest minus smallest value."),
    GateCheck.BODY_PART: Check(Level.SERIES, "1", True, body_part, "Body part known (1) or not (0)."),
    GateCheck.MODALITY: Check(Level.SERIES, "1", True, modality, "Modality asked for (1) or not (0)."),
    GateCheck.VOCABULARY_COVERAGE: Check(
        Level.DELIVERY, "1", True, vocabulary_coverage, "Share of series with a known body part."
    ),
}
