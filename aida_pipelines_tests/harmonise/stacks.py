"""Stacks whose place in space is known: as planes, as an array with a field in it, as DICOM files."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.valuerep import DSfloat

from aida_pipelines.demo.phantom import ct_phantom, ct_slices
from aida_pipelines.harmonise.geometry import ImagePlane, along, cross

AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
"""Directions of rows and columns in plain axial images."""


def planes(
    distances: Sequence[float],
    *,
    directions: tuple[Any, Any] = AXIAL,
    origin: tuple[float, float, float] = (-120.0, -110.0, 30.0),
    shear: float = 0.0,
    steps: tuple[float, float] = (0.9, 0.7),
    size: tuple[int, int] = (200, 256),
    thickness: float | Sequence[float] | None = None,
) -> list[ImagePlane]:
    """Planes at these distances along the normal, each moved along the columns by ``shear`` a millimetre."""
    row, column = directions
    normal = cross(row, column)
    return [
        ImagePlane(
            position=along(origin, (distance, normal), (shear * distance, column)),
            row=row,
            column=column,
            row_step=steps[0],
            column_step=steps[1],
            rows=size[0],
            columns=size[1],
            thickness=thickness[number] if isinstance(thickness, Sequence) else thickness,
        )
        for number, distance in enumerate(distances)
    ]


@st.composite
def orientations(draw: st.DrawFn) -> tuple[Any, Any]:
    """Directions of rows and columns: along the patient's axes (any order, any flip), or any rotation at all."""
    if draw(st.booleans()):
        axes = draw(st.permutations([0, 1, 2]))[:2]
        signs = draw(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 2))
        matrix = np.zeros((2, 3))
        for at, (axis, sign) in enumerate(zip(axes, signs, strict=True)):
            matrix[at, axis] = sign
    else:
        turns = st.floats(-math.pi, math.pi)
        a, b, c = draw(turns), draw(turns), draw(turns)
        about_z = np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
        about_y = np.array([[math.cos(b), 0, math.sin(b)], [0, 1, 0], [-math.sin(b), 0, math.cos(b)]])
        about_x = np.array([[1, 0, 0], [0, math.cos(c), -math.sin(c)], [0, math.sin(c), math.cos(c)]])
        matrix = (about_z @ about_y @ about_x)[:2]
    row, column = (tuple(float(value) for value in vector) for vector in matrix)
    return row, column


steps_mm = st.floats(0.2, 8.0).map(lambda step: round(step, 3))
"""Distances between pixels or slices, as scanners have them."""


def lps(affine: Sequence[float]) -> np.ndarray:
    """A NIfTI affine's 16 numbers as a matrix to DICOM's coordinates."""
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(affine).reshape(4, 4)


def dicom_stack(
    seed: int,
    *,
    directions: tuple[Any, Any] = AXIAL,
    spacing_mm: tuple[float, float, float] = (3.0, 0.9, 0.7),
    origin: tuple[float, float, float] = (-12.5, 30.25, -400.125),
    slices: int = 5,
    size: tuple[int, int] = (9, 12),
    change: Callable[[Dataset, int], None] = lambda _, __: None,
) -> list[Dataset]:
    """The demo's phantom, cut to ``size``, lying anywhere; ``change(data set, number)`` may alter each slice."""
    phantom = ct_phantom(seed, slices=slices, size=max(size), spacing_mm=spacing_mm, noise_hu=300)
    phantom = replace(phantom, hu=phantom.hu[:, : size[0], : size[1]])
    found = []
    for number, ds in enumerate(ct_slices(phantom)):
        row, column = directions
        place = along(origin, (number * spacing_mm[0], cross(row, column)))
        ds.ImageOrientationPatient = [DSfloat(value, auto_format=True) for value in (*row, *column)]
        ds.ImagePositionPatient = [DSfloat(value, auto_format=True) for value in place]
        change(ds, number)
        found.append(ds)
    return found


def save(data_sets: Sequence[Dataset], folder: Path) -> list[Path]:
    """Write data sets as files, named by their order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:03}.dcm" for number in range(len(data_sets))]
    for ds, path in zip(data_sets, paths, strict=True):
        ds.save_as(path, enforce_file_format=True)
    return paths


def places_of(ds: Dataset) -> np.ndarray:
    """Patient coordinates of every pixel of one image by PS3.3 equation C.7.6.2.1-1: rows × columns × 3, mm."""
    row, column = (np.array(ds.ImageOrientationPatient[at : at + 3], float) for at in (0, 3))
    down, across = (float(step) for step in ds.PixelSpacing)
    r, c = np.meshgrid(np.arange(ds.Rows), np.arange(ds.Columns), indexing="ij")
    place = np.array(ds.ImagePositionPatient, float)
    return place + r[..., None] * down * column + c[..., None] * across * row
