"""One series → its row, its volume and its preview: what a worker does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aida_pipelines.contracts.vocabulary import Vocabulary
from aida_pipelines.errors import Quarantine
from aida_pipelines.harmonise import meaning, volume
from aida_pipelines.harmonise.geometry import (
    Geometry,
    ImagePlane,
    Verdict,
    anatomical_plane,
    orientation_letters,
)
from aida_pipelines.harmonise.images import Row, geometry_of, is_image
from aida_pipelines.harmonise.meaning import Meaning, first_value
from aida_pipelines.harmonise.nifti import encode
from aida_pipelines.harmonise.pixels import UNDECODABLE
from aida_pipelines.harmonise.preview import Shot, Unshowable, contact_sheet, spread, take
from aida_pipelines.storage.objects import object_key, put_object
from aida_pipelines.storage.store import ObjectStore

VOCABULARIES = ("body_part", "manufacturer", "plane", "sequence_type")

COPIED = (
    "site", "collection", "subject", "study_instance_uid", "series_instance_uid", "modality", "sop_class_uid",
    "manufacturer_model_name", "magnetic_field_strength", "kvp", "convolution_kernel", "contrast_bolus_agent",
    "repetition_time", "echo_time", "inversion_time", "flip_angle", "series_number", "series_description",
    "protocol_name", "study_description", "study_date", "patient_sex", "patient_age", "laterality",
    "view_position", "rows", "columns",
)  # fmt: skip
"""Columns of `instances` whose first value describes the series."""

COLUMNS = (
    *COPIED, "sop_instance_uid", "object_sha256", "object_bytes", "image_type", "manufacturer",
    "body_part_examined", "instance_number", "frame_of_reference_uid", "image_position_patient",
    "image_orientation_patient", "pixel_spacing", "imager_pixel_spacing", "slice_thickness", "number_of_frames",
    "samples_per_pixel", "rescale_intercept", "rescale_slope", "rescale_type", "scanning_sequence",
    "sequence_variant", "scan_options", "sequence_name", "diffusion_b_value",
)  # fmt: skip
"""Columns of `instances` that harmonisation reads."""

NO_PREVIEW = {"SEG", "ANN", "RTDOSE"}
"""Modalities whose frames are labels or doses: grey pictures of them would say nothing true."""


@dataclass(frozen=True, slots=True)
class Harmonised:
    """What one series became.

    Attributes:
        series: Its row in `series`.
        volumes: Its rows in `volumes`.
        unmapped: Attribute, field and term that no vocabulary knows.
    """

    series: dict[str, Any]
    volumes: list[dict[str, Any]] = field(default_factory=list)
    unmapped: list[tuple[str, str, str]] = field(default_factory=list)


class Harmoniser:
    """Harmonises one series at a time.

    Args:
        store: The refined zone.
        vocabularies: By name, those of ``VOCABULARIES``.
        work_dir: Scratch on the refined side of the legal line.
    """

    def __init__(self, store: ObjectStore, vocabularies: Mapping[str, Vocabulary], work_dir: Path) -> None:
        self._store, self._vocabularies, self._work_dir = store, vocabularies, work_dir

    def __call__(self, rows: Sequence[Row]) -> Harmonised:
        """Harmonise the series of these rows of `instances` (``COLUMNS``), in the order of instance numbers."""
        geometry, plane = geometry_of(rows)
        with _Files(self._store, rows) as files:
            volumes, volume_reason = self._volume(rows, geometry, files)
            preview, preview_reason = self._preview(rows, geometry, files)
        if UNDECODABLE in (volume_reason, preview_reason):
            geometry = replace(geometry, verdict=Verdict.UNDECODABLE, reason=UNDECODABLE)
        meanings = self._meanings(rows, plane)
        series = {
            **{column: first_value(rows, column) for column in COPIED},
            **_controlled(meanings),
            **_spatial(geometry, plane),
            "instances": len(rows),
            "frames": sum(row["number_of_frames"] or 1 for row in rows if is_image(row)),
            "bytes": sum(row["object_bytes"] for row in rows),
            "volumes": len(volumes),
            "volume_reason": volume_reason,
            "preview_sha256": preview,
            "preview_reason": preview_reason,
        }
        unmapped = [(name, *found.unmapped) for name, found in meanings.items() if found.unmapped]
        return Harmonised(series, volumes, unmapped)

    def _meanings(self, rows: Sequence[Row], plane: ImagePlane | None) -> dict[str, Meaning]:
        said = self._vocabularies
        return {
            "manufacturer": meaning.manufacturer(rows, said["manufacturer"]),
            "body_part": meaning.body_part(rows, said["body_part"]),
            "sequence_type": meaning.sequence_type(rows, said["sequence_type"]),
            "plane": Meaning(anatomical_plane(plane.normal), "orientation")
            if plane
            else meaning.plane(rows, said["plane"]),
            "acquisition_class": meaning.acquisition_class(rows),
        }

    def _volume(
        self, rows: Sequence[Row], geometry: Geometry, files: _Files
    ) -> tuple[list[dict[str, Any]], str | None]:
        stack = geometry.stack
        if geometry.verdict is not Verdict.VOLUME or stack is None:
            return [], geometry.reason
        if reason := volume.refusal(rows, stack):
            return [], reason
        try:
            built = volume.build(rows, stack, files.path)
        except Quarantine as outcome:
            return [], outcome.reason
        data = encode(
            built.voxels, built.space, slope=built.slope, intercept=built.intercept, work_dir=self._work_dir
        )
        limits = (
            float(limit) * built.slope + built.intercept for limit in (built.voxels.min(), built.voxels.max())
        )
        minimum, maximum = sorted(limits)
        row = {
            **{column: rows[0][column] for column in _VOLUME_COPIED},
            "volume_id": hashlib.sha256(f"{rows[0]['series_instance_uid']}/0".encode()).hexdigest()[:16],
            "object_sha256": put_object(self._store, [data], "nii.gz"),
            "bytes": len(data),
            "shape": list(reversed(built.voxels.shape)),
            "spacing_mm": [round(step, 6) for step in built.space.steps],
            "affine": built.space.affine(),
            "dtype": str(built.voxels.dtype),
            "unit": built.unit,
            "slope": built.slope,
            "intercept": built.intercept,
            "minimum": minimum,
            "maximum": maximum,
            "resampling": built.resampling,
            "slices": len(rows),
        }
        return [row], None

    def _preview(
        self, rows: Sequence[Row], geometry: Geometry, files: _Files
    ) -> tuple[str | None, str | None]:
        if rows[0]["modality"] in NO_PREVIEW:
            return None, "labels-or-doses"
        pictures, reason = [], None
        for index, frame in _chosen(rows, geometry):
            try:
                pictures.append(take(Shot(files.path(index), frame, _aspect(rows[index]))))
            except Quarantine as outcome:
                reason = outcome.reason
            except Unshowable:
                reason = reason or "header-unshowable"
        if not pictures:
            return None, reason or "no-pixels"
        return put_object(self._store, [contact_sheet(pictures)], "png"), reason


class _Files:
    """The files of a series, fetched when they are asked for and kept until the series is done."""

    def __init__(self, store: ObjectStore, rows: Sequence[Row]) -> None:
        self._store, self._rows, self._open = store, rows, ExitStack()
        self._paths: dict[int, Path] = {}

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    def path(self, index: int) -> Path:
        """The file of a row, by its index."""
        if index not in self._paths:
            key = object_key(self._rows[index]["object_sha256"], "dcm")
            self._paths[index] = self._open.enter_context(self._store.local(key))
        return self._paths[index]


_VOLUME_COPIED = (
    "subject", "study_instance_uid", "series_instance_uid", "modality", "frame_of_reference_uid",
)  # fmt: skip


def _chosen(rows: Sequence[Row], geometry: Geometry) -> list[tuple[int, int]]:
    """Rows and frames to show: spread over the stack, or over the frames of the only image."""
    order: Iterable[int] = geometry.stack.order if geometry.stack else range(len(rows))
    images = [index for index in order if is_image(rows[index])]
    if len(images) == 1:
        (index,) = images
        return [(index, frame) for frame in spread(rows[index]["number_of_frames"] or 1)]
    chosen = [images[at] for at in spread(len(images))]
    return [(index, (rows[index]["number_of_frames"] or 1) // 2) for index in chosen]


def _aspect(row: Row) -> float:
    spacing = row["pixel_spacing"] or row["imager_pixel_spacing"]
    if not spacing or len(spacing) != 2 or min(spacing) <= 0:
        return 1.0
    # A ratio beyond 10 is a broken header, and the picture a line.
    return float(min(max(spacing[0] / spacing[1], 0.1), 10.0))


def _controlled(meanings: Mapping[str, Meaning]) -> dict[str, str | None]:
    values: dict[str, str | None] = {}
    for name, found in meanings.items():
        values[name], values[f"{name}_rule"] = found.value, found.rule
    return {**values, "body_part_code": meanings["body_part"].code}


def _spatial(geometry: Geometry, plane: ImagePlane | None) -> dict[str, Any]:
    stack = geometry.stack
    return {
        "geometry_verdict": geometry.verdict.value,
        "geometry_reason": geometry.reason,
        "orientation": orientation_letters(plane) if plane else None,
        "pixel_spacing_mm": [round(plane.row_step, 6), round(plane.column_step, 6)] if plane else None,
        "slice_thickness_mm": plane.thickness if plane else None,
        "slices": len(stack.order) if stack else None,
        "slice_spacing_mm": round(stack.step, 6) if stack else None,
        "gantry_tilt_degrees": round(stack.tilt_degrees, 4) + 0.0 if stack else None,
        "missing_slices": geometry.missing_slices if stack else None,
        "duplicate_positions": geometry.duplicate_positions,
    }
