"""Encoded pixel data → numbers; one decoder a transfer syntax, so that lossy data decode alike everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, dcmread
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLETransferSyntaxes,
)

from aida_pipelines.dicom.quiet import quiet_pydicom
from aida_pipelines.errors import Quarantine

UNDECODABLE = "pixels-undecodable"

LARGEST_FRAME = 1 << 29
"""Bytes of one decoded frame up to which a header is believed; the largest detectors make 1/8 of it."""

_DECODERS = {
    **dict.fromkeys(JPEGTransferSyntaxes, "pylibjpeg"),
    **dict.fromkeys(JPEGLSTransferSyntaxes, "pyjpegls"),
    **dict.fromkeys(JPEG2000TransferSyntaxes, "pylibjpeg"),
    **dict.fromkeys(RLETransferSyntaxes, "pydicom"),
}
"""Transfer syntax → pydicom's name of the one decoder that is used for it; each is a declared dependency."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame.

    Attributes:
        values: Rows × columns, or rows × columns × samples; as stored (after colour conversion to RGB for
            ``YBR_*`` unless raw values were asked for).
        photometric: Photometric Interpretation that the values now have.
        header: The data set, without its pixel data.
    """

    values: npt.NDArray[np.generic]
    photometric: str
    header: Dataset


def read_frame(path: Path, *, index: int = 0, raw: bool = False) -> Frame:
    """Decode one frame of a DICOM file.

    Args:
        path: The file.
        index: Which frame, from 0.
        raw: Leave ``YBR_*`` as it is.

    Raises:
        Quarantine: ``pixels-undecodable``, whatever the decoder's complaint; that may hold values and goes
            nowhere.
    """
    try:
        with quiet_pydicom():
            header = dcmread(path)
            _believe(header)
            syntax = header.file_meta.TransferSyntaxUID
            decoder = get_decoder(syntax)
            values, properties = decoder.as_array(
                header, index=index, raw=raw, decoding_plugin=_DECODERS.get(syntax, ""), **_leniency(header)
            )
            for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"):
                header.pop(keyword, None)
    except Exception:  # noqa: BLE001 - decoders raise anything on broken data; the outcome is the same
        raise Quarantine(UNDECODABLE) from None
    return Frame(values, str(properties["photometric_interpretation"]), header)


def _believe(header: Dataset) -> None:
    size = int(header.Rows) * int(header.Columns) * int(header.get("SamplesPerPixel", 1))
    if not 0 < size * ((int(header.BitsAllocated) + 7) // 8) <= LARGEST_FRAME:
        raise Quarantine(UNDECODABLE)


def _leniency(header: Dataset) -> dict[str, Any]:
    # Frames that the header doesn't declare are padding or a viewer's thumbnail: the first is the image.
    return {} if header.get("NumberOfFrames") else {"number_of_frames": 1}
