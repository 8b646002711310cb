"""The parser and the de-identifier under a coverage-guided fuzzer: ``make fuzz-atheris``.

The first byte of an input says what it is for: the rest is a file (both paths, verifier, pydicom, as in
``benchmarks.fuzz``), or a bare data set, or frames of a compressed transfer syntax. Seeds are pydicom's test files
and their frames. Options are libFuzzer's (``-max_total_time=60``, ``-runs=N``, a folder to keep the corpus in).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["aida_pipelines"]):
    from aida_pipelines.dicom import frames, parse
    from aida_pipelines.dicom.encode import encode_element, encode_file_meta
    from aida_pipelines.dicom.scan import Scanner
    from aida_pipelines.errors import Quarantine
    from benchmarks.fuzz import Case

import contextlib

from pydicom.uid import (
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from aida_pipelines.dicom.quiet import quiet_pydicom
from benchmarks.mutations import encoded, originals

_SYNTAXES = (
    str(JPEGBaseline8Bit),
    str(JPEGLSLossless),
    str(JPEG2000Lossless),
    str(RLELossless),
    parse.EXPLICIT_LITTLE,
)
_ENCODINGS = (parse.EXPLICIT, parse.IMPLICIT, parse.BIG)
_CLASS = "1.2.840.10008.5.1.4.1.1.7"
_IDENTITY = b"".join(
    encode_element(tag, vr, value, parse.EXPLICIT)
    for tag, vr, value in (
        (0x00080016, "UI", _CLASS.encode()), (0x00080018, "UI", b"1.2.752.1.1.3"), (0x00100020, "LO", b"19121212-1212"),
        (0x0020000D, "UI", b"1.2.752.1.1.1"), (0x0020000E, "UI", b"1.2.752.1.1.2"),
    )
)  # fmt: skip

_case: Case
_scanner = Scanner()


class FoundError(Exception):
    """What ``benchmarks.fuzz`` calls wrong."""


def one_input(data: bytes) -> None:
    """One input; raises what must not happen."""
    if not data:
        return
    kind, rest = data[0], data[1:]
    with quiet_pydicom():
        match kind % 4:
            case 0:
                _judge(rest)
            case 1:
                meta = encode_file_meta(_CLASS, "1.2.752.1.1.3", parse.EXPLICIT_LITTLE)
                _judge(meta + _IDENTITY + rest)
            case 2:
                with contextlib.suppress(Quarantine):
                    parse.parse_data_set(rest, _ENCODINGS[(kind >> 2) % len(_ENCODINGS)])
            case _:
                _walk_frames(rest, _SYNTAXES[(kind >> 2) % len(_SYNTAXES)])


def _judge(data: bytes) -> None:
    outcome = _case(data)
    if outcome.split(":")[0].isupper():
        raise FoundError(outcome)


def _walk_frames(data: bytes, syntax: str) -> None:
    """Fragments as they may be in a file: what is found lies in them, in order, without overlap."""
    source = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff" + data
    try:
        span = parse.Walker(source).pixels(0, parse.PIXELS, parse.EXPLICIT)
        found = list(frames.foreign_bytes(source, span, parse.EXPLICIT, syntax, native=1000, frames=1))
    except (Quarantine, parse.UnreadableError, parse.struct_error):
        return
    last = 0
    for start, stop in found:
        if not last <= start < stop <= len(source):
            raise FoundError("BLANKS: outside or overlapping")
        last = stop


def _write_seeds(folder: Path) -> None:
    for number, file in enumerate(originals()):
        body = encoded(file.nodes[:40], file.encoding)
        whole = b"\0" + file.head + body + file.pixels[:4000]
        (folder / f"file-{number}").write_bytes(whole)
        (folder / f"data-set-{number}").write_bytes(
            bytes([2 + 4 * _ENCODINGS.index(file.encoding)]) + body[:2000]
        )
        if file.pixels[8:12] == b"\xff\xff\xff\xff":
            for kind in range(len(_SYNTAXES)):
                (folder / f"frames-{number}-{kind}").write_bytes(bytes([3 + 4 * kind]) + file.pixels[12:4000])


def main() -> None:
    """Seed, then hand over to libFuzzer."""
    global _case  # noqa: PLW0603 - libFuzzer calls a function
    _case = Case()
    with tempfile.TemporaryDirectory() as seeds:
        _write_seeds(Path(seeds))
        atheris.Setup([*sys.argv, "-rss_limit_mb=2000", "-timeout=10", "-max_len=6000", seeds], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
