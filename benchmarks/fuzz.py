"""Mutated DICOM files through de-identification and verification: ``python -m benchmarks.fuzz [COUNT] [SEED]``.

Each mutated file (``benchmarks/mutations.py``) goes through both paths, with a memory and without, which must
agree; what comes out through the verifier, and is then read to its last element by pydicom. It fails on anything
raised but ``Quarantine``, on a reason that only says that something went wrong, on a case of more than five
seconds, on a difference between the paths, on output that pydicom can't read, and on a verifier that can't do its
work: ``incomplete``, ``file-meta`` or an exception of its own. Identifiers that it finds are what it is for; they are
counted. Three of four files count as looked at by a steward, so that text in their pixels holds none back.

``--data FOLDER`` takes files of another folder than pydicom's own; ``--show SEED/NUMBER`` writes one case to a file.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pydicom

from aida_pipelines.deid.descriptors import DescriptorCleaner
from aida_pipelines.deid.devices import DeviceCleaner
from aida_pipelines.deid.engine import Deidentified, Deidentifier
from aida_pipelines.deid.fast import FastDeidentifier
from aida_pipelines.deid.pseudonym import Pseudonyms
from aida_pipelines.deid.verify import Verifier
from aida_pipelines.dicom.quiet import quiet_pydicom
from aida_pipelines.errors import Quarantine
from benchmarks.mutations import mutated, originals
from benchmarks.setting import device_tokens, profile_and_tokens

LIMIT = 5.0
"""Seconds a case may take."""

OUT, FINDING = "comes out", "held: the verifier found an identifier"
UNREAD = "held: pydicom, and with it the verifier, can't read the source"
UNREADABLE_ALL = "comes out; pydicom can't read all of it, nor of the source"
_WORKS = frozenset({"incomplete", "file-meta", "pixels", "subject", "uid-map", "date-shift"})
"""Findings that don't say that an identifier is left, but that the new header is not as it must be."""


class Hang(BaseException):
    """A case took too long. No ``Exception``: nothing may take it for a bad file."""


class Case:
    """De-identification and verification of one file after the other; says what became of each."""

    def __init__(self, name: str = "research-longitudinal") -> None:
        profile, tokens = profile_and_tokens(name)
        made = (
            profile,
            Pseudonyms(bytes(range(32)), "fuzz"),
            DescriptorCleaner(tokens),
            DeviceCleaner(tokens | device_tokens()),
        )
        self._fast = FastDeidentifier(*made, issuer="fuzz")
        self._plain = Deidentifier(*made, issuer="fuzz")
        self._verifier = Verifier(profile, tokens)

    def __call__(self, data: bytes) -> str:
        """The reason it was held, ``OUT``, ``FINDING`` or, in capital letters, what is wrong."""
        fast, plain = (_outcome(one, data) for one in (self._fast, self._plain))
        if isinstance(fast, str) or isinstance(plain, str):
            return plain if plain == fast and isinstance(plain, str) else "DIFFERENT: reasons"
        if fast.parts != plain.parts or Counter(fast.changes) != Counter(plain.changes):
            return "DIFFERENT: results"
        try:
            found = {one.kind for one in self._verifier.findings(fast)}
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            return UNREAD if _is_unreadable(data) else f"VERIFIER: {type(error).__name__}"
        if found & _WORKS:
            return "VERIFIER: " + ", ".join(sorted(found & _WORKS))
        try:
            _read_to_the_end(b"".join(fast.parts))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            return UNREADABLE_ALL if _is_unreadable(data) else f"UNREADABLE: {type(error).__name__}"
        return FINDING if found else OUT


def _outcome(one: Deidentifier, data: bytes) -> Deidentified | str:
    try:
        return one.deidentify(data, pixels_reviewed=len(data) % 8 != 0)
    except Quarantine as held:
        return "CRASH: deid-failed" if held.reason == "deid-failed" else held.reason
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        return f"CRASH: {type(error).__name__}"


def _read_to_the_end(data: bytes) -> None:
    for element in pydicom.dcmread(BytesIO(data)).iterall():
        repr(element.value) if element.VR != "SQ" else len(element.value)


def _is_unreadable(data: bytes) -> bool:
    """Whether pydicom can't read the source either: what is left of a fault is no fault of ours."""
    try:
        _read_to_the_end(data)
    except Exception:  # noqa: BLE001 - pydicom raises what it meets
        return True
    return False


def _alarm(*_: object) -> None:
    raise Hang


def run(share: tuple[int, int, int, int, Path | None]) -> tuple[Counter[str], dict[str, int], float]:
    """Every ``step``-th of ``count`` cases: what became of them, an example of each, the slowest."""
    first, step, count, seed, folder = share
    files, outcomes, examples, slowest = originals(folder), Counter[str](), {}, 0.0
    signal.signal(signal.SIGALRM, _alarm)
    with quiet_pydicom():
        case = Case()
        for number in range(first, count, step):
            data = mutated(random.Random(f"{seed}/{number}"), files)
            start = time.process_time()
            signal.setitimer(signal.ITIMER_REAL, 4 * LIMIT)
            try:
                outcome = case(data)
            except Hang:
                outcome = "HANG"
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            taken = time.process_time() - start
            slowest = max(slowest, taken)
            if taken > LIMIT:
                outcome = "HANG"
            outcomes[outcome] += 1
            examples.setdefault(outcome, number)
    return outcomes, examples, slowest


def main() -> int:
    """Run the mutations; print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=100_000)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--show", help="SEED/NUMBER: write this case to fuzz-case.dcm")
    given = parser.parse_args()
    if given.show:
        data = mutated(random.Random(given.show), originals(given.data))
        Path("fuzz-case.dcm").write_bytes(data)
        with quiet_pydicom():
            print(Case()(data))
        return 0
    begin = time.monotonic()
    shares = [
        (first, given.processes, given.count, given.seed, given.data) for first in range(given.processes)
    ]
    outcomes, examples, slowest = Counter[str](), {}, 0.0
    with multiprocessing.get_context("spawn").Pool(given.processes) as pool:
        for some, example, longest in pool.imap_unordered(run, shares):
            outcomes, slowest = outcomes + some, max(slowest, longest)
            examples = {**example, **examples}
    print(
        f"{given.count:,} mutations of {len(originals(given.data))} files in {time.monotonic() - begin:.0f} s, "
        f"the slowest {slowest:.2f} s"
    )
    for reason, times in outcomes.most_common():
        print(
            f"{times:8} {100 * times / given.count:5.1f} %  {reason:40} first: {given.seed}/{examples[reason]}"
        )
    return int(any(reason.isupper() or reason.split(":")[0].isupper() for reason in outcomes))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        raise SystemExit(main())
