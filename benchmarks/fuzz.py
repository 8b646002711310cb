"""Mutated DICOM files through de-identification and verification: ``python -m benchmarks.fuzz [COUNT] [SEED]``.

Mutations are of bytes and of structure: lengths, VRs, tags, delimiters; elements cut out, doubled, moved. Fails on
anything raised but ``Quarantine``, on anything that takes more than five seconds, and on output that pydicom
can't read.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from functools import cache
from io import BytesIO
from pathlib import Path
from struct import pack

import pydicom

from aida_pipelines.contracts.documents import Problems, parse, read_document
from aida_pipelines.contracts.profile import DeidProfile
from aida_pipelines.contracts.vocabulary import load_vocabulary
from aida_pipelines.deid.instance import Processor, Recipe
from aida_pipelines.deid.pseudonym import create_key
from aida_pipelines.dicom.parse import parse_file
from aida_pipelines.dicom.quiet import quiet_pydicom
from aida_pipelines.errors import Quarantine

CONTRACTS = Path(__file__).parents[1] / "data_contracts"
_MAX_BYTES = 10_000
_LENGTHS = (0, 1, 2, 7, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_VRS = b"AE AS AT CS DA DS DT FD FL IS LO LT OB OW PN SH SQ ST TM UI UL UN US UT ZZ".split()
_MARKS = (
    pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF), pack("<HHL", 0xFFFE, 0xE00D, 0), pack("<HHL", 0xFFFE, 0xE0DD, 0),
    pack("<HHL", 0xFFFE, 0xE000, 8), pack("<HH", 0x7FE0, 0x0010), b"\xff\xfe", b"\\" * 7, b"\x1b$B", b"\0" * 8,
)  # fmt: skip


@cache
def originals() -> tuple[tuple[bytes, tuple[tuple[int, int], ...]], ...]:
    """Small files that pydicom's wheel carries, each with where its elements' values are."""
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    found = []
    for path in sorted(folder.glob("*.dcm")):
        data = path.read_bytes()
        if len(data) > _MAX_BYTES:
            continue
        try:
            parsed = parse_file(data)
        except Quarantine:
            found.append((data, ()))
            continue
        same = parsed.data is data
        found.append((data, tuple((one.start, one.stop) for one in parsed.elements) if same else ()))
    return tuple(found)


def mutated(rng: random.Random, files: tuple[tuple[bytes, tuple[tuple[int, int], ...]], ...]) -> bytes:
    """One of the files with one or two things wrong; the same generator gives the same bytes."""
    data, spans = rng.choice(files)
    work = bytearray(data)
    for _ in range(rng.randint(1, 2)):
        start, stop = rng.choice(spans) if spans else (rng.randrange(len(data)), len(data))
        start = min(start, max(len(work) - 1, 0))
        match rng.randrange(8):
            case 0:
                work[start - 4 : start] = pack("<L", rng.choice(_LENGTHS))
            case 1:
                work[start - 4 : start - 2] = rng.choice(_VRS)
            case 2:
                work[start:start] = rng.choice(_MARKS)
            case 3:
                del work[start : min(stop, start + rng.randrange(1, 200))]
            case 4:
                work[start:start] = work[max(start - 8, 0) : stop]
            case 5:
                del work[rng.randrange(len(work) + 1) :]
            case 6:
                work[start:stop] = rng.randbytes(max(stop - start, 0) % 4096)
            case _:
                for _ in range(rng.randint(1, 8)):
                    if work:
                        work[rng.randrange(len(work))] = rng.randrange(256)
    return bytes(work)


def processor(folder: Path, name: str = "research-longitudinal") -> Processor:
    """De-identification and verification under a new key."""
    problems = Problems()
    profile = parse(DeidProfile, read_document(CONTRACTS / "deid" / f"{name}.yaml", name, problems), problems)
    problems.raise_any()
    assert profile is not None
    tokens = frozenset(load_vocabulary(CONTRACTS / "vocabularies" / "descriptor_tokens.csv").terms)
    create_key(folder / "key")
    devices = frozenset(load_vocabulary(CONTRACTS / "vocabularies" / "device_tokens.csv").terms)
    recipe = Recipe(
        profile=profile, tokens=tokens, device_tokens=devices, key_file=folder / "key", issuer="fuzz"
    )
    return Processor(recipe)


def main() -> int:
    """Run the mutations; print what became of them."""
    count, seed = (int(text) for text in [*sys.argv[1:], "100000", "1"][:2]) if len(sys.argv) != 2 else (
        int(sys.argv[1]), 1,
    )  # fmt: skip
    files, outcomes, slowest, begin = originals(), Counter[str](), 0.0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder, quiet_pydicom():
        process = processor(Path(folder))
        for number in range(count):
            data, start = mutated(random.Random(f"{seed}/{number}"), files), time.process_time()
            try:
                result = process(data)
                pydicom.dcmread(BytesIO(b"".join(result.parts)))
                outcomes["comes out"] += 1
            except Quarantine as outcome:
                outcomes[outcome.reason] += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
                print(f"mutation {seed}/{number}: {type(error).__name__}")
                outcomes["CRASH"] += 1
            slowest = max(slowest, time.process_time() - start)
    print(f"{count} mutations in {time.monotonic() - begin:.0f} s, the slowest {slowest:.2f} s")
    for reason, times in outcomes.most_common():
        print(f"{times:8}  {reason}")
    return int(bool(outcomes["CRASH"] or outcomes["deid-failed"]) or slowest > 5)


if __name__ == "__main__":
    raise SystemExit(main())
