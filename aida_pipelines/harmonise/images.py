"""Rows of `instances` → what geometry needs, and the verdicts that headers alone decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aida_pipelines.harmonise.geometry import Geometry, ImagePlane, Vector, Verdict, assess, orthonormal

Row = Mapping[str, Any]

_TILED = {"MOSAIC", "VFRAME"}
"""Image Type of files in which a whole volume's slices lie side by side (Siemens, United Imaging)."""


_FARTHEST_MM = 1e5
"""No scanner's coordinates reach 100 m; numbers beyond are broken headers, and squares of them overflow."""

_PIXEL_STEPS_MM = (1e-6, 1e4)
"""Distances between pixels, from beyond any microscope to beyond any detector."""


def is_image(row: Row) -> bool:
    """Whether the instance has pixels: every image has Rows and Columns (PS3.3 C.7.6.3), nothing else has."""
    return bool(row["rows"] and row["columns"])


def plane_of(row: Row) -> ImagePlane | None:
    """Where a single-frame image lies; None if its header doesn't say, or says nonsense."""
    position, cosines = row["image_position_patient"], row["image_orientation_patient"]
    spacing = row["pixel_spacing"]
    if not (_numbers(position, 3) and _numbers(cosines, 6) and _numbers(spacing, 2) and is_image(row)):
        return None
    directions = orthonormal(_vector(cosines[:3]), _vector(cosines[3:]))
    if directions is None or max(map(abs, position)) > _FARTHEST_MM:
        return None
    if not all(_PIXEL_STEPS_MM[0] <= step <= _PIXEL_STEPS_MM[1] for step in spacing):
        return None
    return ImagePlane(
        position=_vector(position),
        row=directions[0],
        column=directions[1],
        row_step=spacing[0],
        column_step=spacing[1],
        rows=row["rows"],
        columns=row["columns"],
        thickness=row["slice_thickness"],
    )


def geometry_of(rows: Sequence[Row]) -> tuple[Geometry, ImagePlane | None]:
    """What one series is in space.

    Returns:
        The verdict, and the first image's plane where the header says one.
    """
    first = next((plane for row in rows if (plane := plane_of(row))), None)
    return _geometry(rows), first


def _geometry(rows: Sequence[Row]) -> Geometry:
    for verdict, reason, applies in _HEADERS_DECIDE:
        if applies(rows):
            return Geometry(verdict, reason)
    planes = [plane for row in rows if (plane := plane_of(row))]
    if len(planes) < len(rows):
        return Geometry(Verdict.NOT_SPATIAL, "position-missing-in-some" if planes else "no-position")
    return assess(planes)


def _differ(*columns: str) -> Callable[[Sequence[Row]], bool]:
    return lambda rows: len({tuple(row[column] for column in columns) for row in rows}) > 1


_HEADERS_DECIDE: tuple[tuple[Verdict, str, Callable[[Sequence[Row]], bool]], ...] = (
    (Verdict.NOT_AN_IMAGE, "no-pixels", lambda rows: not any(is_image(row) for row in rows)),
    (Verdict.MIXED, "mixed-subjects", _differ("subject")),
    (Verdict.MIXED, "mixed-studies", _differ("study_instance_uid")),
    (Verdict.MIXED, "mixed-kinds", _differ("sop_class_uid", "modality")),
    (
        Verdict.MULTI_FRAME,
        "multi-frame",
        lambda rows: any((row["number_of_frames"] or 1) > 1 for row in rows),
    ),
    (
        Verdict.MOSAIC,
        "slices-side-by-side",
        lambda rows: any(_TILED.intersection(row["image_type"] or ()) for row in rows),
    ),
    (Verdict.MIXED, "mixed-frames-of-reference", _differ("frame_of_reference_uid")),
)
"""What headers decide before any geometry: verdict, reason, condition; the first that applies."""


def _numbers(values: Sequence[float | None] | None, count: int) -> bool:
    return values is not None and len(values) == count and None not in values


def _vector(values: Sequence[float]) -> Vector:
    return (values[0], values[1], values[2])
