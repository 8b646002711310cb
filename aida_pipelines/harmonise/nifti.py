"""Voxels and affine → the bytes of a NIfTI-1 file, gzipped: the same bytes for the same voxels, everywhere.

SimpleITK writes the header, with qform and sform both. Compression is libdeflate's, whose output doesn't
depend on the processor (ISA-L's and zlib-ng's may), with no name and no time in the gzip header.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import deflate
import numpy as np
import numpy.typing as npt

from aida_pipelines.harmonise.geometry import Vector
from aida_pipelines.storage.scratch import scratch

_SCALE_AT = 112
"""Offset of ``scl_slope`` and ``scl_inter`` in a NIfTI-1 header; ITK always writes 1 and 0."""

_LEVEL = 3
"""libdeflate at 3: a CT as small as zlib makes it at 6, in a fifth of the time."""


@dataclass(frozen=True, slots=True)
class Space:
    """Where an array's voxels are, in DICOM's patient coordinates (LPS, mm).

    Attributes:
        origin: Centre of the voxel (0, 0, 0).
        directions: Unit vectors along i (fastest), j and k; perpendicular.
        steps: Distances between voxels along i, j and k, mm.
    """

    origin: Vector
    directions: tuple[Vector, Vector, Vector]
    steps: Vector

    def affine(self) -> list[float]:
        """Voxel indices (i, j, k) → millimetres in NIfTI's coordinates (RAS), 16 numbers row by row.

        Rounded to 1e-6 mm, more than any scanner knows and less than two machines could differ in.
        """
        rows = []
        for axis, sign in enumerate((-1.0, -1.0, 1.0)):  # x and y point the other way in RAS
            scaled = [d[axis] * step for d, step in zip(self.directions, self.steps, strict=True)]
            rows += [round(sign * value, 6) + 0.0 for value in (*scaled, self.origin[axis])]
        return [*rows, 0.0, 0.0, 0.0, 1.0]


def encode(
    voxels: npt.NDArray[np.generic],
    space: Space,
    *,
    slope: float = 1.0,
    intercept: float = 0.0,
    work_dir: Path | None,
) -> bytes:
    """A ``.nii.gz``.

    Args:
        voxels: k, j, i.
        space: Where they are.
        slope: With ``intercept``: what turns stored values into real ones (``scl_slope``, ``scl_inter``).
        intercept: See ``slope``.
        work_dir: Local folder for a file in between, on the same side of the legal line as the zone.
    """
    import SimpleITK as sitk  # noqa: N813 - its name everywhere; imported late, it costs half a second

    image = sitk.GetImageFromArray(voxels)
    image.SetOrigin(space.origin)
    image.SetSpacing(space.steps)
    image.SetDirection([direction[axis] for axis in range(3) for direction in space.directions])
    with scratch(work_dir) as folder:
        path = folder / "volume.nii"
        sitk.WriteImage(image, str(path))
        data = bytearray(path.read_bytes())
    struct.pack_into("<2f", data, _SCALE_AT, slope, intercept)
    return bytes(deflate.gzip_compress(data, _LEVEL))
