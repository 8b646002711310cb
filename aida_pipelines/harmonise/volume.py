"""Slices → voxels with their place: hounsfield units for CT, stored values and their scale for MR.

Storage order is dcm2niix's: i along rows, j from the last row to the first, k along the normal. So files of
both can be laid over each other voxel by voxel, whatever the order in which a scanner sent the slices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aida_pipelines.errors import Quarantine
from aida_pipelines.harmonise.geometry import Stack, along
from aida_pipelines.harmonise.images import Row
from aida_pipelines.harmonise.nifti import Space
from aida_pipelines.harmonise.pixels import UNDECODABLE, Frame, read_frame
from aida_pipelines.harmonise.regrid import Grid, grid_of, regrid

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"

AIR_HU = -1024
"""Value of voxels outside every slice of a CT: air; or the scanner's own padding, where that is lower."""

_STORED = range(-(1 << 15), 1 << 16)
"""Stored values that CT and MR can have: their pixels have 16 bits (PS3.3 C.8.2.1.1.4, C.8.3.1.1.3)."""

_LARGEST = (1 << 31) - 1
"""Largest real value that a volume can hold."""

Voxels = npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume ready to be written.

    Attributes:
        voxels: k, j, i.
        space: Where they are.
        slope: What stored values are multiplied with to give real ones.
        intercept: What is then added.
        unit: ``HU``, or None where values have no unit (MR).
        resampling: What was interpolated: ``none``, ``gantry-tilt``, ``slice-spacing``, or both with a ``+``.
    """

    voxels: Voxels
    space: Space
    slope: float
    intercept: float
    unit: str | None
    resampling: str


def refusal(rows: Sequence[Row], stack: Stack) -> str | None:
    """Why no volume is made of a sound stack; None if one is."""
    row = rows[0]
    if row["sop_class_uid"] not in (CT_IMAGE, MR_IMAGE):
        return "not-ct-or-mr"
    if row["samples_per_pixel"] not in (None, 1):
        return "colour"
    if row["sop_class_uid"] == MR_IMAGE and (stack.shear or not stack.even):
        return "resampling-only-for-ct"  # what lies between slices has a known value (air) only in CT
    if any(abs(slope) * _STORED.stop + abs(intercept) > _LARGEST for slope, intercept in map(_scale, rows)):
        return "rescale-out-of-range"
    return None


def build(rows: Sequence[Row], stack: Stack, path_of: Callable[[int], Path]) -> Volume:
    """Read the slices of a stack and put them in place.

    Args:
        rows: Rows of `instances`.
        stack: Their order in space.
        path_of: The file of a row, by its index.

    Raises:
        Quarantine: ``pixels-undecodable``: a slice can't be decoded, isn't of the size its header says, or holds
            what CT and MR can't.
    """
    shape = (stack.plane.rows, stack.plane.columns)
    ct = rows[0]["sop_class_uid"] == CT_IMAGE
    scales = [_scale(row) for row in rows]
    # Stored values keep their narrow type; they must become real ones where slices don't share one scale, or have
    # one that NIfTI can't say (a slope of 0 means none there).
    apply = ct or len(set(scales)) > 1 or np.float32(scales[0][0]) == 0
    exact = all(slope.is_integer() and intercept.is_integer() for slope, intercept in scales)
    kind = np.int32 if exact or not apply else np.float32
    voxels: Voxels | None = None
    for number, index in enumerate(stack.order):
        values = _slice(read_frame(path_of(index)), shape)
        if voxels is None:  # not before a slice was seen: a broken header may declare any size
            voxels = np.empty((len(stack.order), *shape), dtype=kind)
        if apply:
            # In 64 bits, exact for any stored value; the array that it is put into narrows it.
            slope, intercept = scales[index]
            values = values.astype(np.float64) * slope + intercept
        voxels[number] = values
    assert voxels is not None
    grid = grid_of(stack)
    resampling = []
    if stack.shear or not stack.even:
        voxels = regrid(voxels, stack, grid, outside=min(AIR_HU, int(voxels.min())))
        resampling = ["gantry-tilt"] * bool(stack.shear) + ["slice-spacing"] * (not stack.even)
    slope, intercept = (1.0, 0.0) if apply else scales[0]
    return Volume(
        voxels=np.ascontiguousarray(narrow(voxels)[:, ::-1, :]),
        space=space_of(stack, grid),
        slope=slope,
        intercept=intercept,
        unit=_unit(rows) if ct else None,
        resampling="+".join(resampling) or "none",
    )


def space_of(stack: Stack, grid: Grid) -> Space:
    """Where the voxels of a grid are, rows stored from the last to the first."""
    plane = stack.plane
    last_row = (grid.first_row + grid.rows - 1) * plane.row_step
    backwards = (-plane.column[0], -plane.column[1], -plane.column[2])
    return Space(
        origin=along(plane.position, (last_row, plane.column)),
        directions=(plane.row, backwards, plane.normal),
        steps=(plane.column_step, plane.row_step, grid.step),
    )


def narrow(voxels: Voxels) -> Voxels:
    """The same integers in the narrowest type that readers handle well: int16, else uint16, else int32."""
    if voxels.dtype.kind == "f":
        return voxels
    low, high = int(voxels.min()), int(voxels.max())
    for kind in (np.int16, np.uint16):
        limits = np.iinfo(kind)
        if limits.min <= low and high <= limits.max:
            return voxels.astype(kind)
    return voxels


def _slice(frame: Frame, shape: tuple[int, int]) -> Voxels:
    values = frame.values
    whole = values.dtype.kind in "iu" and int(values.min()) in _STORED and int(values.max()) in _STORED
    if values.shape != shape or not whole:
        raise Quarantine(UNDECODABLE)
    return values


def _scale(row: Row) -> tuple[float, float]:
    slope, intercept = row["rescale_slope"], row["rescale_intercept"]
    return 1.0 if slope is None else float(slope), 0.0 if intercept is None else float(intercept)


def _unit(rows: Sequence[Row]) -> str | None:
    """HU unless the header says another unit, or says none and gives no rescale (PS3.3 C.11.1.1.2)."""
    if any(row["rescale_slope"] is None for row in rows):
        return None
    return "HU" if {row["rescale_type"] for row in rows} <= {None, "HU"} else None
