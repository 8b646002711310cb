"""Planes in space → one stack of slices, or the reason why they aren't one. Pure functions, no I/O.

Coordinates are the patient's, as DICOM has them: x to the left, y to the back, z to the head, in millimetres
(PS3.3 C.7.6.2.1.1). Slices are ordered along the normal, which is the cross product of the directions of rows
and of columns, so that the order of files, instance numbers and slice locations play no part.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from statistics import median

Vector = tuple[float, float, float]

POSITION_TOLERANCE_MM = 0.01
"""Two images whose positions along the normal differ by less are images of the same slice."""

STEP_TOLERANCE = 0.05
"""Part of the slice step by which a slice may lie off the even grid: headers round positions."""

DRIFT_TOLERANCE_MM = 0.1
"""In-plane displacement, over the whole stack, up to which a stack counts as straight."""

COSINE_TOLERANCE = 1e-3
"""By how much direction cosines of images of one stack may differ, component by component."""

OBLIQUE = 0.8
"""A normal whose largest component is smaller (37° and more off every axis) names no plane."""


class Verdict(StrEnum):
    """What a series is in space. Only ``VOLUME`` is ever made into one."""

    VOLUME = "volume"
    SINGLE_IMAGE = "single-image"
    MULTI_VOLUME = "multi-volume"
    MULTI_FRAME = "multi-frame"
    MOSAIC = "mosaic"
    MIXED = "mixed"
    IRREGULAR = "irregular"
    NOT_SPATIAL = "not-spatial"
    NOT_AN_IMAGE = "not-an-image"
    UNDECODABLE = "undecodable"


@dataclass(frozen=True, slots=True)
class ImagePlane:
    """Where one image lies (PS3.3 C.7.6.2).

    Attributes:
        position: Centre of the first transmitted voxel, mm.
        row: Direction cosines along a row, towards higher columns.
        column: Direction cosines along a column, towards higher rows.
        row_step: Distance between the centres of adjacent rows, mm (first value of Pixel Spacing).
        column_step: Distance between the centres of adjacent columns, mm (second value of Pixel Spacing).
        rows: Number of rows.
        columns: Number of columns.
        thickness: Nominal slice thickness, mm, if the header says it.
    """

    position: Vector
    row: Vector
    column: Vector
    row_step: float
    column_step: float
    rows: int
    columns: int
    thickness: float | None = None

    @property
    def normal(self) -> Vector:
        """Unit vector along which slices are ordered."""
        return cross(self.row, self.column)


@dataclass(frozen=True, slots=True)
class Stack:
    """Parallel slices of one size, in order.

    Attributes:
        order: Indices of the planes that were handed over, from the first slice to the last.
        plane: The first slice.
        distances: Distance of each slice from the first along the normal, mm, ascending from 0.
        step: Mean distance between neighbours, mm.
        even: Whether the slices lie on an even grid, within ``STEP_TOLERANCE``.
        shear: Displacement of slices along the column direction for each mm along the normal: the tangent of
            the gantry's tilt; 0 where the stack is straight.
    """

    order: tuple[int, ...]
    plane: ImagePlane
    distances: tuple[float, ...]
    step: float
    even: bool
    shear: float

    @property
    def tilt_degrees(self) -> float:
        """The gantry's tilt, degrees."""
        return math.degrees(math.atan(self.shear))


@dataclass(frozen=True, slots=True)
class Geometry:
    """A verdict, its reason, and the stack where there is one.

    Attributes:
        verdict: What the series is in space.
        reason: Why it isn't a volume; for a volume, what is special about it; None if nothing is.
        stack: Slices in order; only where the planes are parallel, of one size and no two in one place.
        missing_slices: Slices that the steps say are missing.
        duplicate_positions: Positions at which more than one image lies.
    """

    verdict: Verdict
    reason: str | None = None
    stack: Stack | None = None
    missing_slices: int = 0
    duplicate_positions: int = 0


def dot(a: Vector, b: Vector) -> float:
    """Scalar product, in a fixed order of operations: the same bits on every machine."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vector, b: Vector) -> Vector:
    """Vector product."""
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def along(origin: Vector, *moves: tuple[float, Vector]) -> Vector:
    """``origin`` moved by each length along its direction."""
    x, y, z = origin
    for length, (dx, dy, dz) in moves:
        x, y, z = x + length * dx, y + length * dy, z + length * dz
    return (x, y, z)


def orthonormal(row: Vector, column: Vector) -> tuple[Vector, Vector] | None:
    """The two directions made exactly unit and perpendicular; None if they are neither to begin with.

    Headers round direction cosines, so a deviation of 5e-3 is rounding; more is a broken header.
    """
    lengths = math.sqrt(dot(row, row)), math.sqrt(dot(column, column))
    if any(abs(length - 1) > 5e-3 for length in lengths) or abs(dot(row, column)) > 5e-3:
        return None
    unit = _scaled(row, 1 / lengths[0])
    rest = along(column, (-dot(column, unit), unit))
    return unit, _scaled(rest, 1 / math.sqrt(dot(rest, rest)))


def anatomical_plane(normal: Vector) -> str:
    """``axial``, ``coronal``, ``sagittal`` or ``oblique``, from a unit normal."""
    sizes = [abs(component) for component in normal]
    largest = max(sizes)
    return "oblique" if largest < OBLIQUE else ("sagittal", "coronal", "axial")[sizes.index(largest)]


def orientation_letters(plane: ImagePlane) -> str:
    """Where columns, rows and slices increase towards, as letters (``LPS`` for plain axial)."""
    letters = (("L", "R"), ("P", "A"), ("S", "I"))
    text = ""
    for direction in (plane.row, plane.column, plane.normal):
        sizes = [abs(component) for component in direction]
        axis = sizes.index(max(sizes))
        text += letters[axis][direction[axis] < 0]
    return text


def assess(planes: Sequence[ImagePlane]) -> Geometry:
    """Say whether single-frame images form one volume.

    Args:
        planes: One for each image, in any order.

    Returns:
        ``VOLUME`` with a stack if they do; else the verdict and its reason. Never raises on odd input.
    """
    # What all are compared with is chosen by its place, not by the order of files: headers round cosines.
    first = min(planes, key=lambda plane: (plane.row, plane.column, plane.position))
    if reason := _mixture(planes, first):
        return Geometry(Verdict.MIXED, reason)
    if len(planes) == 1:
        return Geometry(Verdict.SINGLE_IMAGE, "one-image")
    places = sorted((dot(plane.position, first.normal), index) for index, plane in enumerate(planes))
    if several := _several_at_one_place([place for place, _ in places]):
        duplicated, positions = several
        # Duplicates at a few places are a fault of the series; at most places they are another dimension.
        if 2 * duplicated >= positions:
            return Geometry(
                Verdict.MULTI_VOLUME, "several-images-per-position", duplicate_positions=duplicated
            )
        return Geometry(Verdict.IRREGULAR, "duplicate-positions", duplicate_positions=duplicated)
    return _stacked(planes, [index for _, index in places], [place - places[0][0] for place, _ in places])


def _stacked(planes: Sequence[ImagePlane], order: list[int], distances: list[float]) -> Geometry:
    slices = [planes[index] for index in order]
    first, extent = slices[0], distances[-1]
    drift = along(slices[-1].position, (-1.0, first.position), (-extent, first.normal))
    sideways, shear = dot(drift, first.row), dot(drift, first.column) / extent
    if abs(shear * extent) <= DRIFT_TOLERANCE_MM:
        shear = 0.0
    # A tilted gantry's slices lean, but still lie over each other. It also bounds the grid that straightens them.
    leans_too_far = abs(shear * extent) > first.rows * first.row_step
    if abs(sideways) > DRIFT_TOLERANCE_MM or leans_too_far or not _straight(slices, distances, shear):
        return Geometry(Verdict.IRREGULAR, "displaced-slices")
    step = extent / (len(slices) - 1)
    even = all(abs(place - number * step) <= STEP_TOLERANCE * step for number, place in enumerate(distances))
    stack = Stack(tuple(order), first, tuple(distances), step, even, shear)
    notes = ["gantry-tilt"] if shear else []
    if not even:
        if missing := _missing_slices(distances):
            return Geometry(Verdict.IRREGULAR, "missing-slices", stack, missing_slices=missing)
        if not _changes_thickness(slices, distances):
            return Geometry(Verdict.IRREGULAR, "uneven-steps", stack)
        notes.append("slice-thickness-changes")
    return Geometry(Verdict.VOLUME, "+".join(notes) or None, stack)


def _mixture(planes: Sequence[ImagePlane], first: ImagePlane) -> str | None:
    if any((plane.rows, plane.columns) != (first.rows, first.columns) for plane in planes):
        return "mixed-sizes"
    cosines = (*first.row, *first.column)
    if not all(_close((*plane.row, *plane.column), cosines, COSINE_TOLERANCE) for plane in planes):
        return "mixed-orientations"
    steps = (first.row_step, first.column_step)
    if not all(_close((plane.row_step, plane.column_step), steps, 1e-4 * max(steps)) for plane in planes):
        return "mixed-pixel-spacings"
    return None


def _several_at_one_place(places: Sequence[float]) -> tuple[int, int] | None:
    """How many positions hold more than one image, and how many positions there are; None if none does."""
    groups, last = [1], places[0]
    for place in places[1:]:
        if place - last < POSITION_TOLERANCE_MM:
            groups[-1] += 1
        else:
            groups.append(1)
            last = place
    duplicated = sum(count > 1 for count in groups)
    return (duplicated, len(groups)) if duplicated else None


def _straight(slices: Sequence[ImagePlane], distances: Sequence[float], shear: float) -> bool:
    """Whether every slice lies where the first, the normal and the shear say."""
    first = slices[0]
    for plane, distance in zip(slices, distances, strict=True):
        expected = along(first.position, (distance, first.normal), (shear * distance, first.column))
        off = along(plane.position, (-1.0, expected))
        if math.sqrt(dot(off, off)) > DRIFT_TOLERANCE_MM:
            return False
    return True


def _steps(distances: Sequence[float]) -> list[float]:
    return [after - before for before, after in pairwise(distances)]


def _missing_slices(distances: Sequence[float]) -> int:
    """Slices missing, where every step is a whole multiple of the usual one; 0 if it isn't."""
    steps = _steps(distances)
    usual = median(steps)
    multiples = [round(step / usual) for step in steps]
    whole = all(
        many >= 1 and abs(step - many * usual) <= STEP_TOLERANCE * usual * many
        for step, many in zip(steps, multiples, strict=True)
    )
    return sum(multiples) - len(multiples) if whole else 0


def _changes_thickness(slices: Sequence[ImagePlane], distances: Sequence[float]) -> bool:
    """Whether uneven steps are a protocol's: runs of slices of one thickness, each even, no gap between.

    Head CT is commonly taken with thin slices at the base of the skull and thick ones above.
    """
    steps = _steps(distances)
    bounds = [0, *(at for at in range(1, len(slices)) if slices[at].thickness != slices[at - 1].thickness)]
    runs = list(zip(bounds, [*bounds[1:], len(slices)], strict=True))
    thicknesses = Counter(slices[start].thickness for start, _ in runs)
    if len(runs) < 2 or None in thicknesses or any(many > 1 for many in thicknesses.values()):
        return False
    usual = []
    for start, end in runs:
        inside = steps[start : end - 1]
        if len(inside) < 2:
            return False
        mean = sum(inside) / len(inside)
        if any(abs(step - mean) > STEP_TOLERANCE * mean for step in inside):
            return False
        usual.append(mean)
    joints = [steps[start - 1] for start, _ in runs[1:]]
    return all(
        joint <= (1 + STEP_TOLERANCE) * max(before, after)
        for joint, before, after in zip(joints, usual, usual[1:], strict=False)
    )


def _scaled(vector: Vector, factor: float) -> Vector:
    return (vector[0] * factor, vector[1] * factor, vector[2] * factor)


def _close(a: Sequence[float], b: Sequence[float], tolerance: float) -> bool:
    return all(abs(x - y) <= tolerance for x, y in zip(a, b, strict=True))
