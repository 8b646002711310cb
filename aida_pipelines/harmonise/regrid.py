"""Voxels onto a straight, even grid, where the scanner's own isn't one. Pure functions on arrays.

NIfTI's affine can hold neither changing slice steps nor, for most readers (ITK refuses it), a shear. A stack
that was taken with a tilted gantry is therefore straightened by moving each slice along its columns, and a
stack whose slice thickness changes is given even steps by linear interpolation between neighbouring slices.
Both are what dcm2niix does (its ``_Tilt`` and ``_Eq`` files), with the same grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from aida_pipelines.harmonise.geometry import Stack

Voxels = npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Grid:
    """Where voxels are to lie, in the frame of a stack's first slice.

    Attributes:
        first_row: Row, counted in the first slice, at which the grid's rows begin (0 or less).
        rows: Number of rows.
        slices: Number of slices.
        step: Distance between slices, mm.
    """

    first_row: int
    rows: int
    slices: int
    step: float


def grid_of(stack: Stack) -> Grid:
    """The straight, even grid that holds all of a stack; the stack's own where that is straight and even."""
    shifts = [_shift(stack, distance) for distance in stack.distances]
    first_row, last_row = math.floor(min(shifts)), stack.plane.rows - 1 + math.ceil(max(shifts))
    slices, extent = len(stack.distances), stack.distances[-1]
    if not stack.even:
        smallest = min(b - a for a, b in pairwise(stack.distances))
        # The smallest step may be an overlap of thick slices: twice as many slices as were taken is enough.
        slices = min(round(extent / smallest), 2 * slices - 1) + 1
    return Grid(first_row, last_row - first_row + 1, slices, extent / (slices - 1))


def regrid(voxels: Voxels, stack: Stack, grid: Grid, *, outside: int) -> Voxels:
    """Voxels of a stack, on a grid.

    A value is interpolated only between values that are known: mixed with ``outside``, tissue would look like fat.

    Args:
        voxels: Slices, rows, columns; in the order of ``stack``.
        stack: Where they lie.
        grid: Where they are to lie.
        outside: Value of voxels that no slice covers, or only one of the two slices that they lie between.

    Returns:
        Slices, rows, columns; of the same type, interpolated integers rounded to the nearest (half to even).
    """
    straight = np.full((len(stack.order), grid.rows, voxels.shape[2]), outside, dtype=voxels.dtype)
    covered = []
    for number, distance in enumerate(stack.distances):
        covered.append(_place(voxels[number], straight[number], _shift(stack, distance) - grid.first_row))
    if stack.even:
        return straight
    even = np.full((grid.slices, *straight.shape[1:]), outside, dtype=voxels.dtype)
    for number in range(grid.slices):
        low, part = _between(stack.distances, number * grid.step)
        needed = [at for at, share in ((low, 1 - part), (low + 1, part)) if share]
        rows = slice(max(covered[at].start for at in needed), min(covered[at].stop for at in needed))
        even[number, rows] = _blend(straight[low, rows], straight[low + 1, rows], part)
    return even


def _shift(stack: Stack, distance: float) -> float:
    """Rows by which a slice's content lies further along the column direction than the first slice's."""
    return stack.shear * distance / stack.plane.row_step


def _place(source: Voxels, target: Voxels, shift: float) -> slice:
    """Write ``source`` into ``target``, ``shift`` rows (0 or more, not whole) further on; the rows written."""
    whole = math.floor(shift)
    part = np.float32(shift - whole)
    rows = source.shape[0]
    if part == 0:
        covered = slice(whole, whole + rows)
        target[covered] = source
    else:
        # Between two rows of the source; beyond its first and last row nothing is known.
        covered = slice(whole + 1, whole + rows)
        target[covered] = _blend(source[1:], source[:-1], part)
    return covered


def _between(distances: tuple[float, ...], place: float) -> tuple[int, np.float32]:
    """The slice at or before a place, and how far towards the next one it is (0 to 1)."""
    low = int(np.searchsorted(np.asarray(distances), place, side="right")) - 1
    low = min(max(low, 0), len(distances) - 2)
    gap = distances[low + 1] - distances[low]
    return low, np.float32(min(max((place - distances[low]) / gap, 0.0), 1.0))


def _blend(a: Voxels, b: Voxels, part: np.float32) -> Voxels:
    """``a`` where ``part`` is 0, ``b`` where it is 1."""
    mixed = a.astype(np.float32) * (np.float32(1) - part) + b.astype(np.float32) * part
    return mixed if a.dtype.kind == "f" else np.rint(mixed).astype(a.dtype)
