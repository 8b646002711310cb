"""A contact sheet of a series as PNG: at most 512 pixels wide and high, no text, the same bytes everywhere."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import deflate
import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.multival import MultiValue
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut

from aida_pipelines.dicom.quiet import quiet_pydicom
from aida_pipelines.harmonise.pixels import Frame, read_frame

SIDE = 512
"""Largest width and height, pixels."""

PICTURES = 9
"""Most pictures on one sheet."""

Bytes = npt.NDArray[np.uint8]


class Unshowable(Exception):  # noqa: N818 - an outcome of one picture, not an error of the program
    """The header's look-up tables or windows can't be applied to its pixels."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture of a sheet.

    Attributes:
        path: The DICOM file.
        frame: Which frame of it, from 0.
        aspect: Height of a pixel over its width.
    """

    path: Path
    frame: int
    aspect: float


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame as a person would see it.

    Attributes:
        pixels: Rows × columns, or rows × columns × RGB.
        aspect: Height of a pixel over its width.
    """

    pixels: Bytes
    aspect: float


def spread(count: int, most: int = PICTURES) -> list[int]:
    """At most ``most`` of ``count`` things, evenly spread, the middle one if only one."""
    chosen = min(count, most)
    return [(2 * number + 1) * count // (2 * chosen) for number in range(chosen)]


def take(shot: Shot) -> Picture:
    """Decode one frame and show it as a person would see it.

    Raises:
        Quarantine: ``pixels-undecodable``.
        Unshowable: The pixels are there, but the header's way of showing them makes no sense.
    """
    frame = read_frame(shot.path, index=shot.frame)
    try:
        with quiet_pydicom():
            return Picture(_shown(frame), shot.aspect)
    except Exception:  # noqa: BLE001 - look-up tables of broken headers raise anything
        raise Unshowable from None


def contact_sheet(pictures: Sequence[Picture]) -> bytes:
    """A PNG of the pictures, left to right and top to bottom.

    Args:
        pictures: From 1 to ``PICTURES``.
    """
    columns = next(side for side in (1, 2, 3) if side * side >= len(pictures))
    cell = SIDE // columns
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * cell, rows * cell))
    for number, taken in enumerate(pictures):
        picture = _fitted(Image.fromarray(taken.pixels), taken.aspect, cell)
        left, top = number % columns * cell, number // columns * cell
        sheet.paste(picture, (left + (cell - picture.width) // 2, top + (cell - picture.height) // 2))
    pixels = np.asarray(sheet)
    grey = bool((pixels[..., :1] == pixels).all())
    return _png(np.ascontiguousarray(pixels[..., 0] if grey else pixels))


def _shown(frame: Frame) -> Bytes:
    if frame.photometric == "PALETTE COLOR":
        return _eight_bits(apply_color_lut(frame.values, frame.header), 16)
    if frame.values.ndim == 3:
        return _eight_bits(frame.values, int(frame.header.BitsStored))
    return _grey(frame)


def _eight_bits(values: npt.NDArray[np.generic], bits: int) -> Bytes:
    return values.astype(np.uint8) if bits <= 8 else (values >> (bits - 8)).astype(np.uint8)  # type: ignore[operator]


def _grey(frame: Frame) -> Bytes:
    values = np.asarray(apply_modality_lut(frame.values, frame.header), dtype=np.float64)
    if "VOILUTSequence" in frame.header:
        shown = np.asarray(apply_voi_lut(apply_modality_lut(frame.values, frame.header), frame.header))
        low, high = float(shown.min()), float(shown.max())
    else:
        shown, (low, high) = values, _window(frame, values)
    scaled = np.clip((shown - low) / max(high - low, 1e-9), 0, 1) * 255
    grey = np.nan_to_num(scaled).round().astype(np.uint8)
    return 255 - grey if frame.photometric == "MONOCHROME1" else grey


def _window(frame: Frame, values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Limits out of the header's window (PS3.3 C.11.2.1.2), if it shows anything; else the middle 98 %."""
    centre, width = (_first(frame, keyword) for keyword in ("WindowCenter", "WindowWidth"))
    if centre is not None and width is not None and width >= 1:
        low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
        if low < values.max() and high > values.min():
            return low, high
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = (float(limit) for limit in np.percentile(finite, (1, 99)))
    return (low, high) if high > low else (float(finite.min()), float(finite.max()))


def _first(frame: Frame, keyword: str) -> float | None:
    """The first value of an attribute with one or several; None if there is none."""
    value: Any = frame.header.get(keyword)
    if isinstance(value, MultiValue):
        value = next(iter(value), None)
    return None if value in (None, "") else float(value)


def _fitted(picture: Image.Image, aspect: float, cell: int) -> Image.Image:
    width, height = float(picture.width), picture.height * aspect
    scale = min(cell / width, cell / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return picture.resize(size, Image.Resampling.BILINEAR if scale > 1 else Image.Resampling.BOX)


def _png(pixels: Bytes) -> bytes:
    """PNG by hand (ISO/IEC 15948), because the compressor that Pillow brings gives other bytes elsewhere."""
    height, width = pixels.shape[:2]
    lines = pixels.reshape(height, -1)
    # Filter 1 (Sub): each byte less the one a pixel before it; smooth pictures compress by a third better.
    step = pixels.shape[2] if pixels.ndim == 3 else 1
    filtered = np.empty((height, lines.shape[1] + 1), dtype=np.uint8)
    filtered[:, 0] = 1
    filtered[:, 1 : 1 + step] = lines[:, :step]
    filtered[:, 1 + step :] = lines[:, step:] - lines[:, :-step]
    header = struct.pack(">2I5B", width, height, 8, 0 if step == 1 else 2, 0, 0, 0)
    data = bytes(deflate.zlib_compress(filtered.tobytes(), 9))
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
