"""What is worked on instance by instance but passed on study by study: none of a study before all of it."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TypeVar

R = TypeVar("R")

_IN_MEMORY = 4 << 20
"""Bytes of results that wait in memory; those of larger studies wait in a file."""


def whole_studies(
    results: Iterable[tuple[str, R]], *, failed: Callable[[R], bool], folder: Path
) -> Iterator[tuple[R, bool]]:
    """Each result with whether any of its study has failed; the first of a study once its last is there.

    Args:
        results: Study and result; those of one study come one after the other.
        failed: Whether a result holds its study.
        folder: Scratch, on the side of the legal line where the results may be.
    """
    for _, study in groupby(results, itemgetter(0)):
        with SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(folder)) as waiting:
            held, count = False, 0
            for _, result in study:
                held = held or failed(result)
                count += 1
                pickle.dump(result, waiting, pickle.HIGHEST_PROTOCOL)
            waiting.seek(0)
            for _ in range(count):
                yield pickle.load(waiting), held  # noqa: S301 - what was written above
